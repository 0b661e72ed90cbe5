/* SPDX-License-Identifier: ISC */
/*
 * PURE: a VMClock's fields and a value of the counter go in, the time and its
 * largest error come out.  128 bits, exact, on any CPU.
 */
#include "counter.h"
#include "ts.h"
#include "vmclock.h"
#include "wide.h"

/* Errors are never made less by a sum that does not fit. */
static uint64_t
add_saturated(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* x / 2^64 s in nanoseconds, rounded up. */
static uint64_t
ceil_ns(struct cb_wide x)
{
	struct cb_wide s = cb_wide_multiply(x.high, (uint64_t)CB_NS_PER_S);
	struct cb_wide ns = cb_wide_multiply(x.low, (uint64_t)CB_NS_PER_S);

	if (s.high != 0)
		return UINT64_MAX;
	return add_saturated(s.low, ns.high + (ns.low != 0));
}

/* The largest error after so many ticks: what is told of it. */
static void
set_error(const struct cb_vmclock *v, uint64_t ticks,
    struct cb_vmclock_time *t)
{
	bool has_time = (v->flags & CB_VMCLOCK_TIME_MAXERROR_VALID) != 0;
	bool has_period = (v->flags & CB_VMCLOCK_PERIOD_MAXERROR_VALID) != 0;
	struct cb_wide grown;
	bool lost;

	t->is_bound = has_time && has_period;
	t->maxerror_ns = has_time ? v->time_maxerror_nanosec : 0;
	if (!has_period)
		return;
	/* The error of the period, in its unit: it is a tick's. */
	grown = cb_wide_shift(cb_wide_multiply(ticks,
	    v->counter_period_maxerror_rate_frac_sec),
	    v->counter_period_shift, &lost);
	/* What was shifted has room for this. */
	if (lost && ++grown.low == 0)
		grown.high++;
	t->maxerror_ns = add_saturated(t->maxerror_ns, ceil_ns(grown));
}

static const char *
why_none(const struct cb_vmclock *v)
{
	if (v->counter_id != CB_COUNTER_ARM_VCNT &&
	    v->counter_id != CB_COUNTER_X86_TSC)
		return "no counter";
	if (v->time_type > CB_VMCLOCK_MONOTONIC)
		return "smeared, or of an unknown type";
	/* By the specification the numbers mean nothing under any other. */
	if (v->clock_status != CB_VMCLOCK_SYNCHRONIZED &&
	    v->clock_status != CB_VMCLOCK_FREERUNNING)
		return "its status is not to be relied upon";
	if (v->counter_period_frac_sec == 0)
		return "its period is 0";
	return NULL;
}

/*
 * T = time + (ticks * period >> shift) in 1 / 2^64 s.  A leap second between
 * the device's last write and T is not looked at: devices write at each.
 */
const char *
cb_vmclock_time_at(const struct cb_vmclock *v, uint64_t counter,
    struct cb_vmclock_time *t)
{
	uint64_t ticks = counter - v->counter_value;
	const char *why = why_none(v);
	struct cb_wide elapsed;
	bool lost;

	if (why != NULL)
		return why;
	if (ticks > INT64_MAX)
		return "the counter is before counter_value";
	elapsed = cb_wide_shift(cb_wide_multiply(ticks,
	    v->counter_period_frac_sec), v->counter_period_shift, &lost);
	t->frac_sec = v->time_frac_sec + elapsed.low;
	/* The product's upper half is below 2^63: its carry fits. */
	elapsed.high += t->frac_sec < elapsed.low;
	if (v->time_sec > INT64_MAX + INT16_MIN ||
	    elapsed.high > INT64_MAX + INT16_MIN - v->time_sec)
		return "beyond all time";
	t->sec = (int64_t)(v->time_sec + elapsed.high);
	t->scale = (enum cb_vmclock_time_type)v->time_type;
	if (t->scale == CB_VMCLOCK_TAI &&
	    (v->flags & CB_VMCLOCK_TAI_OFFSET_VALID) != 0) {
		t->sec -= v->tai_offset_sec;
		t->scale = CB_VMCLOCK_UTC;
	}
	set_error(v, ticks, t);
	return NULL;
}

uint64_t
cb_vmclock_time_scale(uint64_t frac, uint64_t n)
{
	return cb_wide_multiply(frac, n).high;
}
