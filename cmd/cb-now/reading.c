/* SPDX-License-Identifier: ISC */
/*
 * A segment's path goes in, readings come out.
 */
#include <err.h>

#include "cb-now.h"
#include "stamp.h"
#include "ts.h"

static _Noreturn void
fail(const char *path, const clockbound_err *e)
{
	char text[128];

	errx(CB_EXIT_UNUSABLE, "%s: %s", path,
	    clockbound_strerror(e, text, sizeof(text)));
}

void
cb_reading_open(struct cb_segment *s, const char *vmclock)
{
	clockbound_err error;

	s->ctx = clockbound_vmclock_open(s->path, vmclock, &error);
	if (s->ctx == NULL)
		fail(s->path, &error);
}

void
cb_reading_close(struct cb_segment *s)
{
	clockbound_close(s->ctx);
}

/* Of an odd width the half is rounded up. */
static void
set_half(struct cb_reading *r)
{
	const struct timespec one = { .tv_nsec = 1 };
	struct timespec width;
	bool odd;

	width = cb_ts_subtract(&r->latest, &r->earliest);
	odd = width.tv_sec % 2 != 0;
	r->half.tv_sec = width.tv_sec / 2;
	r->half.tv_nsec = (width.tv_nsec + odd * CB_NS_PER_S) / 2;
	r->middle = cb_ts_add(&r->earliest, &r->half);
	if (width.tv_nsec % 2 != 0)
		r->half = cb_ts_add(&r->half, &one);
}

const clockbound_err *
cb_reading_try(struct cb_segment *s, struct cb_reading *r)
{
	const clockbound_err *failed;
	clockbound_now_result now;

	*r = (struct cb_reading){ .trusted = false };
	failed = clockbound_now(s->ctx, &now);
	if (failed != NULL)
		return failed;
	r->earliest = now.earliest;
	r->latest = now.latest;
	set_half(r);
	r->status = now.clock_status;
	r->trusted = r->status == CLOCKBOUND_STA_SYNCHRONIZED ||
	    (r->status == CLOCKBOUND_STA_FREE_RUNNING &&
	    s->trusts_free_running);
	r->age = cb_stamp_of_ns(cb_now_age(s->ctx));
	return NULL;
}

void
cb_reading_read(struct cb_segment *s, struct cb_reading *r)
{
	const clockbound_err *failed = cb_reading_try(s, r);

	if (failed != NULL)
		fail(s->path, failed);
}
