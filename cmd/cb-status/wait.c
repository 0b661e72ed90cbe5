/* SPDX-License-Identifier: ISC */
/*
 * Waits until the time is healthy.  Only the segment is looked at: a socket
 * need not answer for that.
 */
#include <err.h>
#include <poll.h>
#include <stdlib.h>

#include "cb-status.h"
#include "ts.h"

#define LOOK_MS		50

static enum cb_severity
give_up(struct cb_paths *paths, const struct cb_limits *l,
    struct cb_facts *f)
{
	struct cb_verdict *v = malloc(sizeof(*v));
	char line[CB_LINE];

	if (v == NULL)
		err(CB_UNKNOWN, "malloc");
	cb_gather(paths, f);
	cb_judge(f, l, v);
	cb_judge_line(f, v, line);
	warnx("waited in vain: %s", line);
	free(v);
	cb_gather_release(f);
	return CB_CRITICAL;
}

enum cb_severity
cb_wait(struct cb_paths *paths, const struct cb_limits *l,
    int64_t timeout_ns)
{
	int64_t start = cb_ts_clock(CLOCK_MONOTONIC);
	const char *never;
	struct cb_facts f;

	for (;;) {
		cb_gather_segment(paths, &f);
		if (cb_judge_is_healthy(&f, l))
			return CB_OK;
		never = cb_judge_never(&f);
		if (never != NULL) {
			cb_judge_make_printable(paths->shm);
			warnx("%s: no use waiting: %s", paths->shm, never);
			return CB_CRITICAL;
		}
		if (timeout_ns != CB_NONE &&
		    cb_ts_clock(CLOCK_MONOTONIC) - start >= timeout_ns)
			return give_up(paths, l, &f);
		poll(NULL, 0, LOOK_MS);
	}
}
