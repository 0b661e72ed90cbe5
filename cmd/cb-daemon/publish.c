/* SPDX-License-Identifier: ISC */
/*
 * Interval and instant go in, what a reader has to know comes out.  PURE.
 */
#include "cb-daemon.h"
#include "ts.h"

/* chronyd ends a slew by a timer, which may be this late. */
#define SLEW_TIMER_NS	INT64_C(10000000)
/* A guest's coarse clock stands still while its timekeeping CPU is stopped. */
#define COARSE_TICKS	6
/* The last time whose void_after the format can state. */
#define LAST_NS		((CB_TS_MAX_S - CB_SHM_VOID_AFTER_S) * CB_NS_PER_S)

/*
 * A reader takes CLOCK_REALTIME for the middle, which chronyd goes on steering
 * towards the cooked clock until we publish again.  So the bound is the
 * largest distance of either, and of all between them, from either end of the
 * interval; and it owes readers what they cannot know: that their elapsed time
 * is steered too, that it is coarse, that a slew may overshoot.
 */
bool
cb_publish_bound(const struct cb_estimate *e, const struct cb_sample *s,
    int64_t tick_ns, struct cb_bound *b)
{
	const struct cb_instant *now = &s->after;
	struct cb_interval truth, cooked;
	struct cb_bound out = { .as_of = s->before.as_of };
	int64_t lo, hi, drift, speed, slew;

	if (!e->has_interval)
		return false;
	truth = cb_estimate_at(&e->interval, now->raw_hi, e->drift_ppb);
	cooked = cb_estimate_cooked_at(e, now->raw_hi);
	lo = cb_ts_min(now->real - now->raw_hi, cooked.lo);
	hi = cb_ts_max(now->real - now->raw_lo, cooked.hi);
	out.is_hi = truth.hi - lo >= hi - truth.lo;
	out.end = out.is_hi ? truth.hi : truth.lo;
	out.distance_ns = out.is_hi ? truth.hi - lo : hi - truth.lo;

	speed = cb_ts_abs(e->freq_ppb) + e->freq_err_ppb;
	drift = e->drift_ppb + speed;
	/* A chronyd that died in the middle of a slew will not end it. */
	slew = s->input == CB_INPUT_MISSING ? e->slew_ppb : 0;
	/* Readers tell the elapsed time by a clock that is slower by that. */
	drift = (drift + slew) * CB_NS_PER_S /
	    (CB_NS_PER_S - speed - slew) + 1;
	out.drift_ppb = drift;
	out.correction_ns = cb_ts_drift(e->correction_ns, drift);
	out.slew_ns = cb_ts_drift(SLEW_TIMER_NS, e->slew_ppb);
	out.coarse_ns = cb_ts_drift(COARSE_TICKS * tick_ns, drift);
	/* 1 ns: a reader of ClockBound 2.x cuts its growth off. */
	out.bound_ns = out.distance_ns + out.correction_ns + out.slew_ns +
	    out.coarse_ns + 1;
	if (out.bound_ns > CB_SHM_UNKNOWN_BOUND_NS ||
	    drift >= CB_SHM_DRIFT_LIMIT_PPB)
		return false;
	*b = out;
	return true;
}

/* The source whose interval ends where that of all does. */
static const struct cb_known *
find_end(const struct cb_estimate *e, bool is_hi)
{
	for (size_t n = 0; n < e->n_known; n++) {
		const struct cb_known *k = &e->known[n];
		struct cb_interval i = cb_estimate_known_at(e, k,
		    e->interval.raw);

		if (k->has_interval && (is_hi ? i.hi == e->interval.hi :
		    i.lo == e->interval.lo))
			return k;
	}
	return NULL;
}

/*
 * From its measurement's middle to an end it is as far as that measurement was
 * uncertain, and the drift: at whatever rates, since whenever.
 */
bool
cb_publish_budget(const struct cb_estimate *e, const struct cb_bound *b,
    struct cb_budget *out)
{
	const struct cb_known *k = e->has_interval ?
	    find_end(e, b->is_hi) : NULL;
	const struct cb_measured *m;
	int64_t reach;

	if (k == NULL)
		return false;
	m = b->is_hi ? &cb_estimate_ends(k)->hi : &cb_estimate_ends(k)->lo;
	reach = b->is_hi ? b->end - m->middle : m->middle - b->end;
	*out = (struct cb_budget){
		.known = k,
		.measured = m,
		.offset_ns = b->distance_ns - reach,
		.drift_ns = reach - m->err_ns - m->phc_err_ns -
		    m->reading_ns - m->leap_ns
	};
	return true;
}

void
cb_publish_v2(const struct cb_bound *b, clockbound_clock_status status,
    bool disruption_support, uint64_t marker, struct cb_shm_v2 *v2)
{
	*v2 = (struct cb_shm_v2){
		.as_of_s = b->as_of / CB_NS_PER_S,
		.as_of_ns = b->as_of % CB_NS_PER_S,
		.void_after_s = b->as_of / CB_NS_PER_S + CB_SHM_VOID_AFTER_S,
		.bound_ns = b->bound_ns,
		.max_drift_ppb = (uint32_t)b->drift_ppb,
		.clock_status = (int32_t)status,
		.disruption_support = disruption_support,
		.disruption_marker = marker
	};
}

/*
 * A reader of version 1 cannot look at the VMClock, and so depends on us: when
 * we are gone, it is not to go on by itself where clocks may jump.
 */
void
cb_publish_v1(const struct cb_shm_v2 *v2, struct cb_shm_v1 *v1)
{
	*v1 = (struct cb_shm_v1){
		.as_of_s = v2->as_of_s,
		.as_of_ns = v2->as_of_ns,
		.void_after_s = v2->disruption_support == 0 ?
		    v2->void_after_s : v2->as_of_s + CB_SHM_FRESH_S,
		.void_after_ns = v2->void_after_ns,
		.bound_ns = v2->bound_ns,
		.max_drift_ppb = v2->max_drift_ppb,
		.clock_status = v2->clock_status == CLOCKBOUND_STA_DISRUPTED ?
		    CLOCKBOUND_STA_UNKNOWN : v2->clock_status
	};
}

static void
set_times(struct cb_shm_v3 *v3, int64_t as_of)
{
	v3->as_of_s = as_of / CB_NS_PER_S;
	v3->void_after_s = v3->as_of_s + CB_SHM_VOID_AFTER_S;
	v3->as_of_ns = v3->void_after_ns = as_of % CB_NS_PER_S;
}

/* The clock, as it is, for readers that forget the status. */
static void
set_unknown(const struct cb_instant *now, struct cb_shm_v3 *v3)
{
	set_times(v3, cb_ts_min(cb_ts_max(now->real, 0), LAST_NS));
	v3->bound_ns = CB_SHM_UNKNOWN_BOUND_NS;
	/* 2^-30 s, about a nanosecond: one of 0 is malformed. */
	v3->period_frac = UINT64_C(1) << 63;
	v3->period_shift = 29;
	if (v3->clock_status != CLOCKBOUND_STA_DISRUPTED)
		v3->clock_status = CLOCKBOUND_STA_UNKNOWN;
}

/*
 * When the counter was read the raw clock was from raw_lo to less than
 * raw_hi + 1.  2 ns: a reader of ClockBound 3.x cuts off twice.
 */
static bool
set_interval(const struct cb_estimate *e, const struct cb_instant *now,
    struct cb_shm_v3 *v3)
{
	struct cb_interval truth = cb_estimate_at(&e->interval, now->raw_hi,
	    e->drift_ppb);
	int64_t lo = now->raw_lo + truth.lo, hi = now->raw_hi + 1 + truth.hi;
	int64_t as_of = lo + (hi - lo) / 2;

	if (as_of < 0 || as_of > LAST_NS ||
	    hi - as_of > CB_SHM_UNKNOWN_BOUND_NS ||
	    e->drift_ppb >= CB_SHM_DRIFT_LIMIT_PPB)
		return false;
	set_times(v3, as_of);
	v3->bound_ns = hi - as_of + 2;
	v3->max_drift_ppb = (uint32_t)e->drift_ppb;
	return true;
}

void
cb_publish_v3(const struct cb_estimate *e, const struct cb_period *p,
    const struct cb_instant *now, struct cb_shm_v3 *v3)
{
	v3->as_of_tsc = now->counter;
	if (e == NULL || !e->has_interval || !set_interval(e, now, v3) ||
	    !cb_period_tell(p, e->drift_ppb, v3))
		set_unknown(now, v3);
}
