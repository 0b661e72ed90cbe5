/* SPDX-License-Identifier: ISC */
/*
 * Bodies of all three versions, every field of which follows from one number:
 * a copy that is made of two of them shows.
 */
#ifndef BODIES_H
#define BODIES_H

#include <stdbool.h>
#include <string.h>

#include "shm.h"

/* A field of nanoseconds holds it. */
#define BODIES_END	INT64_C(1000000000)

struct bodies {
	struct cb_shm_v1 v1;
	struct cb_shm_v2 v2;
	struct cb_shm_v3 v3;
};

static inline void
bodies_fill(struct bodies *b, int64_t n)
{
	b->v1 = (struct cb_shm_v1){
		.as_of_s = n,
		.as_of_ns = n,
		.void_after_s = n + 1000,
		.void_after_ns = n,
		.bound_ns = n,
		.max_drift_ppb = (uint32_t)n,
		.clock_status = (int32_t)(n & 1)
	};
	b->v2 = (struct cb_shm_v2){
		.as_of_s = n,
		.as_of_ns = n,
		.void_after_s = n + 1000,
		.void_after_ns = n,
		.bound_ns = n,
		.disruption_marker = ~(uint64_t)n,
		.max_drift_ppb = (uint32_t)n,
		.clock_status = (int32_t)(n & 3),
		.disruption_support = n & 1
	};
	b->v3 = (struct cb_shm_v3){
		.as_of_tsc = ~(uint64_t)n,
		.as_of_s = n,
		.as_of_ns = n,
		.void_after_s = n + 1000,
		.void_after_ns = n,
		.period_frac = (uint64_t)n << 32,
		.period_err_frac = (uint64_t)n,
		.bound_ns = n,
		.disruption_marker = ~(uint64_t)n,
		.max_drift_ppb = (uint32_t)n,
		.clock_status = (int32_t)(n & 3),
		.disruption_support = n & 1,
		.period_shift = n & 31,
		.period_err_shift = n & 15
	};
}

/* In the daemon's order. */
static inline void
bodies_write(struct cb_shm_writer *w, int64_t n)
{
	struct bodies b;

	bodies_fill(&b, n);
	cb_shm_write_v1(w, &b.v1);
	cb_shm_write(w, &b.v2);
	cb_shm_write_v3(w, &b.v3);
}

/* The number of what was read last, or -1: that is made of several. */
static inline int64_t
bodies_read(const struct cb_shm_reader *r)
{
	int64_t n = r->bound.bound_ns;
	struct bodies b;

	bodies_fill(&b, n);
	switch (r->layout) {
	case 1:
		return memcmp(r->words, &b.v1, sizeof(b.v1)) == 0 ? n : -1;
	case 2:
		return memcmp(r->words, &b.v2, sizeof(b.v2)) == 0 ? n : -1;
	default:
		return memcmp(r->words, &b.v3, sizeof(b.v3)) == 0 ? n : -1;
	}
}

static const char *const bodies_names[] = {
	CB_SHM_V1_NAME, CB_SHM_V2_NAME, CB_SHM_V3_NAME
};
#define BODIES_N	(sizeof(bodies_names) / sizeof(bodies_names[0]))

#endif
