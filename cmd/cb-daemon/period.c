/* SPDX-License-Identifier: ISC */
/*
 * Readings of the CPU's counter and of the raw clock go in, the counter's
 * period comes out, and how far it may be off.  PURE.
 *
 * The raw clock is a fixed multiple of the counter.  It is told cut to whole
 * nanoseconds, the counter to whole ticks: when this was read that was from
 * raw_lo to less than raw_hi + 1, and from one reading to another the ticks are
 * known to one more or less.  So two readings prove a range of the period, the
 * narrower the longer ago the first was; and all ranges hold it, so what they
 * have in common does.
 */
#include "cb-daemon.h"
#include "ts.h"

/* Binary places of a period in nanoseconds. */
#define PLACES		48
/* Periods of counters, in nanoseconds, are below this. */
#define LIMIT_NS	(1 << 14)

void
cb_period_forget(struct cb_period *p)
{
	p->has_base = p->has_range = false;
}

static void
begin(struct cb_period *p, const struct cb_instant *now)
{
	p->has_base = true;
	p->has_range = false;
	p->base = *now;
}

/* ns / ticks with PLACES, rounded down. */
static int64_t
divide(uint64_t ns, uint64_t ticks)
{
	uint64_t q = ns / ticks, rest = ns % ticks;

	for (int i = 0; i < PLACES; i++) {
		rest *= 2;
		q = q * 2 + (rest >= ticks);
		rest -= rest >= ticks ? ticks : 0;
	}
	return (int64_t)q;
}

/* False where they cannot both be right. */
static bool
narrow(struct cb_period *p, const struct cb_instant *now)
{
	uint64_t ticks = now->counter - p->base.counter;
	int64_t least = now->raw_lo - p->base.raw_hi - 1;
	int64_t most = now->raw_hi + 1 - p->base.raw_lo;
	int64_t lo, hi;

	if (ticks < 2 || ticks > INT64_MAX || most < 0 ||
	    (uint64_t)most / (ticks - 1) >= LIMIT_NS)
		return false;
	lo = divide((uint64_t)cb_ts_max(least, 0), ticks + 1);
	hi = divide((uint64_t)most, ticks - 1) + 1;
	p->lo = p->has_range ? cb_ts_max(p->lo, lo) : lo;
	p->hi = p->has_range ? cb_ts_min(p->hi, hi) : hi;
	p->has_range = true;
	return p->lo <= p->hi;
}

void
cb_period_update(struct cb_period *p, const struct cb_instant *now)
{
	if (!p->has_base || !narrow(p, now))
		begin(p, now);
}

/*
 * n / d / 2^places, which is less than 1, as frac / 2^(64 + shift), rounded
 * down, with all 64 bits in use.
 */
static void
encode(uint64_t n, uint64_t d, unsigned places, uint64_t *frac, uint8_t *shift)
{
	uint64_t q = n / d, rest = n % d;

	for (; q >> 63 == 0; places++) {
		rest *= 2;
		q = q * 2 + (rest >= d);
		rest -= rest >= d ? d : 0;
	}
	*frac = q;
	*shift = (uint8_t)(places - 64);
}

/*
 * The period is the middle of its range, whose half is the error, and two more
 * units for what is cut off below.  Readers add the error to the drift; by that
 * much of the error the time that it stands for may be longer.
 */
bool
cb_period_tell(const struct cb_period *p, int64_t drift_ppb,
    struct cb_shm_v3 *v3)
{
	int64_t middle, err;

	if (!p->has_range)
		return false;
	middle = p->lo + (p->hi - p->lo) / 2;
	err = p->hi - middle + 2;
	err += cb_ts_drift(err, drift_ppb);
	/* Of 2^-14 ns there are no counters; what is left fits the format. */
	if (middle >> (PLACES - 14) == 0 || err >= middle - 1)
		return false;
	encode((uint64_t)middle, (uint64_t)CB_NS_PER_S, PLACES,
	    &v3->period_frac, &v3->period_shift);
	encode((uint64_t)err, (uint64_t)middle - 1, 0, &v3->period_err_frac,
	    &v3->period_err_shift);
	/* A reader sees the last tick. */
	v3->bound_ns += (p->hi >> PLACES) + 1;
	return true;
}
