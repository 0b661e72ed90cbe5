/* SPDX-License-Identifier: ISC */
/*
 * One instant in all clocks, and how far apart they were read.
 */
#include <time.h>

#include "cb-daemon.h"
#include "ts.h"

/* Readings this close need no better; otherwise the closest of a few. */
#define CLOSE_NS	200
#define TRIES		5

void
cb_clocks_read(struct cb_instant *out)
{
	struct cb_instant in = { .as_of = cb_ts_clock(CLOCK_MONOTONIC_COARSE) };

	for (int i = 0; i < TRIES; i++) {
		in.raw_lo = cb_ts_clock(CLOCK_MONOTONIC_RAW);
		in.real = cb_ts_clock(CLOCK_REALTIME);
		in.raw_hi = cb_ts_clock(CLOCK_MONOTONIC_RAW);
		if (i == 0 || in.raw_hi - in.raw_lo <
		    out->raw_hi - out->raw_lo)
			*out = in;
		if (out->raw_hi - out->raw_lo < CLOSE_NS)
			break;
	}
}

int64_t
cb_clocks_mono(void)
{
	return cb_ts_clock(CLOCK_MONOTONIC);
}

int64_t
cb_clocks_tick(void)
{
	struct timespec ts;

	clock_getres(CLOCK_MONOTONIC_COARSE, &ts);
	return cb_ts_ns(&ts);
}
