/* SPDX-License-Identifier: ISC */
/*
 * A snapshot and clock readings go in, an interval comes out.  PURE.
 */
#include "clockbound.h"
#include "shm.h"
#include "ts.h"
#include "wide.h"

/* A trusted status as written, or what is left of it by its age. */
static clockbound_clock_status
aged_status(const struct cb_shm_bound *b, int64_t elapsed)
{
	int64_t fresh_s = b->is_counted ? CB_SHM_V3_FRESH_S : CB_SHM_FRESH_S;

	if (!cb_shm_is_trusted(b->status))
		return b->status;
	if (elapsed < fresh_s * CB_NS_PER_S)
		return b->status;
	if (elapsed < b->void_after - b->as_of)
		return CLOCKBOUND_STA_FREE_RUNNING;
	return CLOCKBOUND_STA_UNKNOWN;
}

void
cb_now_at_any(clockbound_now_result *res)
{
	*res = (clockbound_now_result){
		.earliest = { 0, 0 },
		.latest = { cb_ts_time(INT64_MAX), CB_NS_PER_S - 1 },
		.clock_status = CLOCKBOUND_STA_UNKNOWN
	};
}

clockbound_err_kind
cb_now_at_mono(const struct cb_shm_bound *b, int64_t mono,
    struct cb_now_width *w)
{
	int64_t elapsed = mono - b->as_of;
	uint64_t half;

	if (elapsed < 0) {
		if (elapsed < -CB_SHM_BLUR_NS)
			return CLOCKBOUND_ERR_CAUSALITY_BREACH;
		elapsed = 0;
	}
	/* Unsigned: the sum of the largest two still fits. */
	half = (uint64_t)b->bound_ns +
	    (uint64_t)cb_ts_drift(elapsed, b->max_drift_ppb);
	w->half_s = (int64_t)(half / (uint64_t)CB_NS_PER_S);
	w->half_ns = (long)(half % (uint64_t)CB_NS_PER_S);
	w->status = aged_status(b, elapsed);
	return CLOCKBOUND_ERR_NONE;
}

clockbound_err_kind
cb_now_at(const struct cb_shm_bound *b, const struct timespec *real,
    const struct timespec *mono, clockbound_now_result *res)
{
	struct cb_now_width w;
	clockbound_err_kind kind = cb_now_at_mono(b, cb_ts_ns(mono), &w);

	if (kind == CLOCKBOUND_ERR_NONE)
		cb_now_at_real(&w, real, res);
	return kind;
}

static struct timespec
add_ns(const struct timespec *t, int64_t ns)
{
	int64_t sum = t->tv_nsec + ns, s = cb_ts_floor_s(sum);

	return (struct timespec){ .tv_sec = t->tv_sec + (time_t)s,
		.tv_nsec = (long)(sum - s * CB_NS_PER_S) };
}

int64_t
cb_now_at_elapsed(const struct cb_shm_lines *l, uint64_t ticks)
{
	if (ticks > (uint64_t)INT64_MAX >> l->shift)
		return INT64_MAX;
	return cb_wide_floor((int64_t)(ticks << l->shift), l->period);
}

clockbound_err_kind
cb_now_at_counter(const struct cb_shm_bound *b, uint64_t counter,
    clockbound_now_result *res)
{
	const struct cb_shm_lines *l = &b->lines;
	uint64_t ticks = counter - l->as_of_tsc;
	int64_t n;

	if (ticks > INT64_MAX) {
		if (cb_now_at_elapsed(l, -ticks) > CB_SHM_BLUR_NS)
			return CLOCKBOUND_ERR_CAUSALITY_BREACH;
		ticks = 0;
	}
	/* Decades on the status is unknown, and the interval any. */
	res->clock_status = aged_status(b, cb_now_at_elapsed(l, ticks));
	n = (int64_t)(ticks << l->shift & INT64_MAX);
	res->earliest = add_ns(&l->earliest, cb_wide_floor(n, l->early));
	res->latest = add_ns(&l->latest, -cb_wide_floor(n, l->late));
	return CLOCKBOUND_ERR_NONE;
}

/* What a clock can show, and what can be calculated with. */
static bool
is_time(const struct timespec *t)
{
	int64_t s = t->tv_sec;

	return s >= -CB_TS_MAX_S && s <= CB_TS_MAX_S && t->tv_nsec >= 0 &&
	    t->tv_nsec < CB_NS_PER_S;
}

clockbound_err_kind
clockbound_at(const clockbound_segment *segment,
    const clockbound_reading *reading, clockbound_now_result *res)
{
	struct cb_shm_bound b;
	clockbound_err_kind kind = cb_shm_read_parse_segment(segment, &b);

	if (kind != CLOCKBOUND_ERR_NONE)
		return kind;
	if (b.is_counted)
		return cb_now_at_counter(&b, reading->counter, res);
	if (!is_time(&reading->real) || !is_time(&reading->mono))
		return CLOCKBOUND_ERR_CAUSALITY_BREACH;
	return cb_now_at(&b, &reading->real, &reading->mono, res);
}
