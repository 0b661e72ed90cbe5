/* SPDX-License-Identifier: ISC */
/*
 * Past intervals of a source go in, bounds of the oscillator's rate come out,
 * and an interval that widens by these alone.  PURE.
 *
 * With x for (true time - raw) and y for its rate, which changes by W a second
 * at most: intervals of x that are d apart bound the mean of y in between, and
 * y at the later one is within W * d / 2 of that.  From there on y widens by W
 * to both sides, and never beyond the drift.
 *
 * What bounds y at the later one bounds its mean over any time up to d before
 * that as well, which is at most W * d / 2 away from y at its end.
 */
#include <string.h>

#include "cb-daemon.h"
#include "ts.h"

#define PPT_PER_PPB	1000
#define PPT		INT64_C(1000000000000)
/* A difference that has taken longer is no rate to be worked out here. */
#define LONGEST_NS	INT64_C(1000000000000000)

struct cb_rate
cb_narrow_any(int64_t drift_ppb)
{
	return (struct cb_rate){ -drift_ppb * PPT_PER_PPB,
	    drift_ppb * PPT_PER_PPB };
}

/* What x gains at most by a rate that rises by wander a second to the limit. */
static int64_t
rising_gain(int64_t elapsed_ns, int64_t rate, int64_t limit, int64_t wander)
{
	int64_t rises = cb_ts_min(elapsed_ns,
	    (limit - rate) * CB_NS_PER_S / wander);

	return cb_ts_gain(rises, rate + cb_ts_drift(rises, wander) / 2 +
	    1) + cb_ts_gain(elapsed_ns - rises, limit);
}

struct cb_interval
cb_narrow_at(const struct cb_narrow *n, int64_t raw, int64_t drift_ppb,
    int64_t wander)
{
	const struct cb_interval *i = &n->ends.interval;
	int64_t elapsed = cb_ts_max(raw - i->raw, 0);
	int64_t limit = drift_ppb * PPT_PER_PPB;

	return (struct cb_interval){
		i->lo - rising_gain(elapsed, -n->rate.lo, limit, wander),
		i->hi + rising_gain(elapsed, n->rate.hi, limit, wander), raw
	};
}

struct cb_rate
cb_narrow_rate(const struct cb_narrow *n, int64_t raw, int64_t drift_ppb,
    int64_t wander)
{
	int64_t limit = drift_ppb * PPT_PER_PPB;
	int64_t changed = cb_ts_drift(cb_ts_max(raw - n->ends.interval.raw,
	    0), wander);

	return (struct cb_rate){ cb_ts_max(n->rate.lo - changed, -limit),
	    cb_ts_min(n->rate.hi + changed, limit) };
}

/* ns / elapsed_ns in ppt, rounded up; by long division, which fits. */
static int64_t
rate_up(int64_t ns, int64_t elapsed_ns)
{
	int64_t left = cb_ts_abs(ns), rate = left / elapsed_ns;

	/* Any, as far as anybody here is concerned. */
	if (rate > 0)
		return ns < 0 ? -PPT : INT64_MAX / 2;
	for (int i = 0; i < 4; i++) {
		left *= 1000;
		rate = rate * 1000 + left / elapsed_ns;
		left %= elapsed_ns;
	}
	return ns < 0 ? -rate : rate + 1;
}

static void
cut_rate(struct cb_rate *r, const struct cb_interval *past,
    const struct cb_interval *new, int64_t wander)
{
	int64_t elapsed = new->raw - past->raw, half;

	if (elapsed <= 0 || elapsed > LONGEST_NS)
		return;
	half = cb_ts_drift(elapsed, wander) / 2 + 1;
	r->lo = cb_ts_max(r->lo, -rate_up(past->hi - new->lo, elapsed) - half);
	r->hi = cb_ts_min(r->hi, rate_up(new->hi - past->lo, elapsed) + half);
}

/* Ages are to grow by about the same factor from each to the next older one. */
static size_t
find_crowded(const struct cb_narrow *n, int64_t raw)
{
	int64_t least = INT64_MAX;
	size_t found = 0;

	for (size_t k = 1; k + 1 < n->n; k++) {
		int64_t factor = (raw - n->past[k - 1].raw) * 1024 /
		    cb_ts_max(raw - n->past[k + 1].raw, 1);

		if (factor < least) {
			least = factor;
			found = k;
		}
	}
	return found;
}

/* One goes from which no rate can be told that the drift does not admit. */
static void
make_room(struct cb_narrow *n, int64_t raw, int64_t drift_ppb, int64_t wander)
{
	int64_t oldest = cb_ts_min(LONGEST_NS,
	    4 * drift_ppb * PPT_PER_PPB / wander * CB_NS_PER_S);
	size_t out;

	if (raw - n->past[0].raw > oldest)
		out = 0;
	else if (n->n == CB_PASTS)
		out = find_crowded(n, raw);
	else
		return;
	n->n--;
	memmove(&n->past[out], &n->past[out + 1],
	    (n->n - out) * sizeof(n->past[0]));
}

bool
cb_narrow_learn(struct cb_narrow *n, const struct cb_interval *new,
    int64_t drift_ppb, int64_t wander)
{
	struct cb_interval i = cb_narrow_at(n, new->raw, drift_ppb, wander);
	struct cb_rate r = cb_narrow_rate(n, new->raw, drift_ppb, wander);

	i.lo = cb_ts_max(i.lo, new->lo);
	i.hi = cb_ts_min(i.hi, new->hi);
	for (size_t k = 0; k < n->n; k++)
		cut_rate(&r, &n->past[k], &i, wander);
	if (i.lo > i.hi || r.lo > r.hi)
		return false;
	n->ends.interval = i;
	n->rate = r;
	make_room(n, i.raw, drift_ppb, wander);
	n->past[n->n++] = i;
	return true;
}

void
cb_narrow_begin(struct cb_narrow *n, const struct cb_ends *ends,
    int64_t drift_ppb)
{
	*n = (struct cb_narrow){ .has = true, .ends = *ends,
	    .rate = cb_narrow_any(drift_ppb) };
	n->past[n->n++] = ends->interval;
}
