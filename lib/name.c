/* SPDX-License-Identifier: ISC */
/*
 * Errors and statuses go in, words come out.
 */
#include <stdio.h>
#include <string.h>

#include "clockbound.h"

static const char *
describe(clockbound_err_kind kind)
{
	switch (kind) {
	case CLOCKBOUND_ERR_NONE:
		return "no error";
	case CLOCKBOUND_ERR_SEGMENT_NOT_INITIALIZED:
		return "not a segment that a daemon has written to";
	case CLOCKBOUND_ERR_SEGMENT_MALFORMED:
		return "malformed segment";
	case CLOCKBOUND_ERR_CAUSALITY_BREACH:
		return "segment from the future of the clock: was it written "
		    "before the last boot?";
	case CLOCKBOUND_ERR_SEGMENT_VERSION_NOT_SUPPORTED:
		return "segment of an unsupported version";
	case CLOCKBOUND_ERR_SYSCALL:
		break;
	}
	return NULL;
}

char *
clockbound_strerror(const clockbound_err *err, char *buf, size_t size)
{
	const char *text = describe(err == NULL ? CLOCKBOUND_ERR_NONE :
	    err->kind);

	if (text != NULL)
		snprintf(buf, size, "%s", text);
	else if (err->kind == CLOCKBOUND_ERR_SYSCALL)
		snprintf(buf, size, "%s: %s", err->detail == NULL ? "system" :
		    err->detail, strerror(err->sys_errno));
	else
		snprintf(buf, size, "unknown error %d", (int)err->kind);
	return buf;
}

const char *
clockbound_status_name(clockbound_clock_status status)
{
	switch (status) {
	case CLOCKBOUND_STA_UNKNOWN:
		return "UNKNOWN";
	case CLOCKBOUND_STA_SYNCHRONIZED:
		return "SYNCHRONIZED";
	case CLOCKBOUND_STA_FREE_RUNNING:
		return "FREE_RUNNING";
	case CLOCKBOUND_STA_DISRUPTED:
		return "DISRUPTED";
	}
	return NULL;
}
