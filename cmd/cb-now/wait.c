/* SPDX-License-Identifier: ISC */
/*
 * Sleeps until a time has passed for certain; an exit status comes out.
 */
#include "cb-now.h"
#include "system.h"
#include "ts.h"

/*
 * From look to look at most.  The clock may be stepped, the interval become
 * narrower, and a status that is not trusted change at the daemon's next tick.
 */
#define LOOK_NS			CB_NS_PER_S
#define LOOK_UNTRUSTED_NS	(CB_NS_PER_S / 10)

static bool
has_passed(const struct cb_wait *w, const struct cb_reading *r)
{
	return r->trusted && w->has_time &&
	    cb_ts_compare(&r->earliest, &w->time) > 0;
}

/* earliest goes on as fast as CLOCK_MONOTONIC does, or a little slower. */
static int64_t
time_left(const struct cb_wait *w, const struct cb_reading *r)
{
	struct timespec left;

	if (!r->trusted)
		return LOOK_UNTRUSTED_NS;
	left = cb_ts_subtract(&w->time, &r->earliest);
	if (left.tv_sec >= LOOK_NS / CB_NS_PER_S)
		return LOOK_NS;
	return cb_ts_ns(&left) + 1;
}

static void
sleep_for(int64_t ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / CB_NS_PER_S),
		.tv_nsec = (long)(ns % CB_NS_PER_S) };

	/* Woken early by a signal, we look early. */
	nanosleep(&ts, NULL);
}

/* Without a time: the first moment that is known, and that is told at once. */
static void
take_time(struct cb_wait *w, const struct cb_reading *r, const char *format)
{
	w->has_time = true;
	w->time = r->latest;
	cb_format_print(format != NULL ? format : "%l", r);
}

int
cb_wait_run(struct cb_wait *w, struct cb_segment *s, const char *format)
{
	int64_t end_mono = INT64_MAX, left_ns;
	bool had_time = w->has_time;
	struct cb_reading r;

	if (w->timeout_ns != -1)
		end_mono = cb_ts_clock(CLOCK_MONOTONIC) + w->timeout_ns;
	/* 50 us, which some kernels are late by, are half of many a wait. */
	cb_system_sleep_sharply();
	/* What is of no use now may be replaced: only the first one must do. */
	for (cb_reading_read(s, &r);; cb_reading_try(s, &r)) {
		if (!w->has_time && r.trusted)
			take_time(w, &r, format);
		if (has_passed(w, &r))
			break;
		left_ns = end_mono - cb_ts_clock(CLOCK_MONOTONIC);
		if (left_ns <= 0)
			return r.trusted ? CB_EXIT_NO : CB_EXIT_NOT_TRUSTED;
		sleep_for(cb_ts_min(time_left(w, &r), left_ns));
	}
	if (had_time && format != NULL)
		cb_format_print(format, &r);
	return CB_EXIT_YES;
}
