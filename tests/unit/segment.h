/* SPDX-License-Identifier: ISC */
/*
 * A segment's body as a daemon would write it now.
 */
#ifndef SEGMENT_H
#define SEGMENT_H

#include "counter.h"
#include "shm.h"
#include "system.h"
#include "ts.h"

/* The clock of as_of. */
static inline int64_t
mono_now(void)
{
	struct timespec ts;

	clock_gettime(CB_CLOCK_AS_OF, &ts);
	return cb_ts_ns(&ts);
}

static inline struct cb_shm_v2
body_of(int64_t as_of, int64_t bound_ns, uint32_t drift_ppb,
    clockbound_clock_status status)
{
	return (struct cb_shm_v2){
		.as_of_s = as_of / CB_NS_PER_S,
		.as_of_ns = as_of % CB_NS_PER_S,
		.void_after_s = as_of / CB_NS_PER_S + 1000,
		.bound_ns = bound_ns,
		.max_drift_ppb = drift_ppb,
		.clock_status = (int32_t)status
	};
}

/* Version 3, as of now; a tick lasts 2^-31 s, about half a nanosecond. */
static inline struct cb_shm_v3
counted_body_of(int64_t bound_ns, uint32_t drift_ppb,
    clockbound_clock_status status)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (struct cb_shm_v3){
		.as_of_tsc = cb_counter_read(),
		.as_of_s = now.tv_sec,
		.as_of_ns = now.tv_nsec,
		.void_after_s = now.tv_sec + 1000,
		.void_after_ns = now.tv_nsec,
		.period_frac = UINT64_C(1) << 63,
		.period_shift = 30,
		.bound_ns = bound_ns,
		.max_drift_ppb = drift_ppb,
		.clock_status = (int32_t)status
	};
}

#endif
