/* SPDX-License-Identifier: ISC */
/*
 * A segment's bytes, read by clockbound-shm(5) and by nothing of ours.
 */
#ifndef BYTES_H
#define BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* May a reader trust them, for all that can be said of them at once? */
static inline bool
bytes_may_be_trusted(const void *bytes)
{
	static const struct {
		size_t drift, status;
	} at[] = { { 0, 0 }, { 56, 64 }, { 64, 68 }, { 88, 92 } };
	const unsigned char *p = bytes;
	uint16_t version, generation;
	uint32_t drift;
	int32_t status;
	size_t layout;

	memcpy(&version, p + 12, sizeof(version));
	memcpy(&generation, p + 14, sizeof(generation));
	layout = version == 1 || version == 2 ? version :
	    version >> 8 == 3 && (version & 255) >= 3 ? 3 : 0;
	if (layout == 0 || generation % 2 == 1)
		return false;
	memcpy(&drift, p + at[layout].drift, sizeof(drift));
	memcpy(&status, p + at[layout].status, sizeof(status));
	return drift < 1000000000 && (status == 1 || status == 2);
}

#endif
