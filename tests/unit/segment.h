/* SPDX-License-Identifier: ISC */
/*
 * A segment's body as a daemon would write it now.
 */
#ifndef SEGMENT_H
#define SEGMENT_H

#include "shm.h"
#include "ts.h"

/* The clock of as_of. */
static inline int64_t
mono_now(void)
{
	struct timespec ts;

#ifdef CLOCK_MONOTONIC_COARSE
	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
#else
	clock_gettime(CLOCK_MONOTONIC, &ts);
#endif
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

#endif
