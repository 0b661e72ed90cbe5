/* SPDX-License-Identifier: ISC */
/*
 * Measurements go in, the interval of true time comes out.  PURE: every clock
 * reading is an argument.
 *
 * The frame is CLOCK_MONOTONIC_RAW, the one clock that nobody steers: an
 * interval holds (true time - raw), and between measurements it widens on
 * both sides by drift_ppb of the raw time that goes by.  That is all that is
 * assumed of the oscillator, unless somebody says how fast its rate may change
 * (narrow.c).
 *
 * chronyd states a measurement in its cooked clock, which is CLOCK_REALTIME
 * plus the correction it has yet to make, and runs at the raw clock's rate
 * less its frequency, in the past too.  clockbound(7) has the derivation.
 */
#include <string.h>

#include "cb-daemon.h"
#include "ts.h"

/* An exchange of packets has a length, in which the clocks run on. */
#define EXCHANGE_NS	INT64_C(10000000)
/* The delay of a path was measured by a clock that ran at another rate. */
#define DELAY_PPB	1000000
/* What a frequency above the stated drift is taken to vary by. */
#define FAST_MARGIN_PPB	5000
/* Contradictions in a row until a source's interval begins anew. */
#define PATIENCE	3
/* What each source has when there was an event, and the next two. */
#define SETTLING	3
/* A smaller step may have been a sleep that the kernel took for as short. */
#define STEP_NS		INT64_C(20000)
/* No slew is faster: 10 %, the kernel's limit. */
#define MAX_SLEW_PPB	100000000

/*
 * A clock that runs slow by ppb counts less than goes by: what it is to be
 * multiplied with to make up for that.
 */
static int64_t
of_raw_time(int64_t ppb)
{
	return ppb * CB_NS_PER_S / (CB_NS_PER_S - ppb) + 1;
}

void
cb_estimate_init(struct cb_estimate *e, int64_t max_drift_ppb)
{
	memset(e, 0, sizeof(*e));
	e->max_drift_ppb = max_drift_ppb;
	e->drift_ppb = of_raw_time(max_drift_ppb);
}

/*
 * Of a rate against raw time, and a second of that, each off by a thousandth or
 * two: a hundredth is enough for all.
 */
void
cb_estimate_believe(struct cb_estimate *e, int64_t max_wander)
{
	e->max_wander = max_wander + max_wander / 100 + 1;
}

struct cb_interval
cb_estimate_at(const struct cb_interval *i, int64_t raw, int64_t drift_ppb)
{
	int64_t grown = cb_ts_drift(cb_ts_max(raw - i->raw, 0), drift_ppb);

	return (struct cb_interval){ i->lo - grown, i->hi + grown, raw };
}

/*
 * Where the cooked clock was when chronyd told its correction, as its distance
 * from the raw clock.  That was at some moment from just before it was asked
 * to the end.  The hull of the two holds what CLOCK_REALTIME did meanwhile,
 * unless chronyd has turned a slew round: then it may have been farther out.
 */
static struct cb_interval
cooked_range(const struct cb_sample *s, bool may_turn)
{
	const struct cb_instant *a = &s->told, *b = &s->after;
	const struct cb_chrony_tracking *t = &s->tracking;
	int64_t slack = t->correction_ns.err +
	    cb_ts_drift(b->raw_hi - a->raw_lo, cb_ts_abs(t->freq_ppb.v) +
	    t->freq_ppb.err + (may_turn ? MAX_SLEW_PPB : 0));

	return (struct cb_interval){
		cb_ts_min(a->real - a->raw_hi, b->real - b->raw_hi) +
		    t->correction_ns.v - slack,
		cb_ts_max(a->real - a->raw_lo, b->real - b->raw_lo) +
		    t->correction_ns.v + slack,
		b->raw_hi
	};
}

struct cb_interval
cb_estimate_cooked_at(const struct cb_estimate *e, int64_t raw)
{
	int64_t elapsed = cb_ts_max(raw - e->cooked.raw, 0);
	int64_t moved = cb_ts_drift(elapsed, cb_ts_abs(e->freq_ppb));
	int64_t slack = cb_ts_drift(elapsed, e->freq_err_ppb) + 1;

	if (e->freq_ppb > 0)
		moved = -moved;
	return (struct cb_interval){
		e->cooked.lo + moved - slack, e->cooked.hi + moved + slack, raw
	};
}

/*
 * The most raw time that can have gone by since the measurement.  An NTP
 * source's age is told as the difference of two times of the cooked clock,
 * both cut to whole seconds; a refclock's as a difference cut to whole
 * seconds.
 */
static int64_t
highest_age(const struct cb_sample *s, const struct cb_chrony_source *m,
    const struct cb_interval *cooked)
{
	int64_t age = (int64_t)m->since_sample_s * CB_NS_PER_S;

	if (m->mode == CB_CHRONY_REFCLOCK)
		age += CB_NS_PER_S + s->after.raw_hi - s->before.raw_lo;
	else
		age += s->after.raw_hi + cooked->hi - CB_NS_PER_S *
		    cb_ts_floor_s(s->before.raw_lo + cooked->lo);
	/* From seconds of the cooked clock to those of the raw one. */
	return age + cb_ts_drift(age, 2 * (cb_ts_abs(s->tracking.freq_ppb.v) +
	    s->tracking.freq_ppb.err));
}

/*
 * How long an exchange may have taken, about: a peer's lasts up to a poll.
 */
static int64_t
exchange_length(const struct cb_chrony_source *m)
{
	int64_t shift = cb_ts_min(m->poll + 1, 30);

	if (m->mode != CB_CHRONY_PEER)
		return EXCHANGE_NS;
	return cb_ts_max(EXCHANGE_NS, shift < 0 ? CB_NS_PER_S >> -shift :
	    CB_NS_PER_S << shift);
}

/*
 * At the measurement the cooked clock was meas +/- err ahead of true time:
 *
 *	true - raw = cooked - raw - meas, then
 *	           = (cooked - raw, now) + freq * age - meas
 *
 * and since then true time has gained rate * age on the raw clock.  The age is
 * known to a second or so: anything from none to the highest is taken in.
 */
struct cb_interval
cb_estimate_convert(const struct cb_sample *s,
    const struct cb_chrony_source *m, int64_t drift_ppb,
    const struct cb_rate *rate)
{
	const struct cb_chrony_value *f = &s->tracking.freq_ppb;
	struct cb_interval cooked = cooked_range(s, true);
	int64_t age = highest_age(s, m, &cooked);
	int64_t speed = cb_ts_abs(f->v) + f->err;
	/* It was timed at a frequency that chronyd has left since. */
	int64_t then = drift_ppb + cb_ts_max(drift_ppb, speed);
	int64_t half = m->meas_err_ns + cb_ts_drift(m->meas_err_ns,
	    cb_ts_max(DELAY_PPB, then)) + m->meas_ns.err + 1 +
	    cb_ts_drift(exchange_length(m), then);
	int64_t loses = cb_ts_gain(age, 1000 * (f->err - f->v) - rate->lo);
	int64_t gains = cb_ts_gain(age, 1000 * (f->err + f->v) + rate->hi);

	return (struct cb_interval){
		cooked.lo - m->meas_ns.v - half - cb_ts_max(loses, 0),
		cooked.hi - m->meas_ns.v + half + cb_ts_max(gains, 0),
		s->after.raw_lo
	};
}

/* Its place, or n_known where there is none. */
static size_t
find_known(const struct cb_estimate *e, const struct cb_chrony_source *m)
{
	size_t i;

	for (i = 0; i < e->n_known; i++)
		if (e->known[i].last.mode == m->mode &&
		    memcmp(e->known[i].last.address, m->address,
		    sizeof(m->address)) == 0)
			break;
	return i;
}

/* A place for a new source: a free one, or of the one not seen for longest. */
static struct cb_known *
add_known(struct cb_estimate *e)
{
	struct cb_known *k = &e->known[0];

	if (e->n_known < CB_MAX_SOURCES)
		k = &e->known[e->n_known++];
	else
		for (size_t i = 1; i < e->n_known; i++)
			if (e->known[i].seen_raw < k->seen_raw)
				k = &e->known[i];
	memset(k, 0, sizeof(*k));
	return k;
}

static bool
is_followed(unsigned state)
{
	return state == CB_CHRONY_SELECTED || state == CB_CHRONY_COMBINED;
}

/*
 * What a source has measured waits until chronyd follows it: until then nobody
 * has compared it with the others.
 */
bool
cb_estimate_is_new(const struct cb_estimate *e,
    const struct cb_chrony_source *m)
{
	size_t i = find_known(e, m);

	return !e->holding && m->since_sample_s != CB_CHRONY_NO_SAMPLE &&
	    is_followed(m->state) &&
	    (i == e->n_known || !e->known[i].has_meas ||
	    e->known[i].orig_meas != m->orig_meas);
}

/*
 * What a source has newly proved is cut with what it had.  Where they exclude
 * each other, one of our assumptions is broken and nobody can say which side
 * is wrong, so both are kept; where that goes on, the newest is.
 */
static unsigned
learn(struct cb_known *k, const struct cb_interval *new, int64_t drift_ppb)
{
	struct cb_interval old, *i = &k->ends.interval;

	if (!k->has_interval) {
		k->has_interval = true;
		*i = *new;
		return 0;
	}
	old = cb_estimate_at(i, new->raw, drift_ppb);
	*i = *new;
	if (old.lo <= new->hi && new->lo <= old.hi) {
		i->lo = cb_ts_max(old.lo, new->lo);
		i->hi = cb_ts_min(old.hi, new->hi);
		k->contradictions = 0;
		return 0;
	}
	if (++k->contradictions % PATIENCE == 0)
		return CB_EVENT_RESTART;
	i->lo = cb_ts_min(old.lo, new->lo);
	i->hi = cb_ts_max(old.hi, new->hi);
	return 0;
}

/*
 * Where its ends are those of the new measurement, this is what they are made
 * of.  Only the drift is not kept: it goes on growing.
 */
static void
note_ends(struct cb_ends *ends, const struct cb_sample *s,
    const struct cb_chrony_source *m, const struct cb_interval *new,
    const struct cb_rate *rate)
{
	struct cb_interval cooked = cooked_range(s, true);
	int64_t age = highest_age(s, m, &cooked);
	int64_t half = (new->hi - new->lo) / 2;
	struct cb_measured measured = {
		.middle = new->lo + half,
		.raw = new->raw - age,
		.err_ns = m->meas_err_ns - m->phc_err_ns,
		.phc_err_ns = m->phc_err_ns,
		.reading_ns = half - m->meas_err_ns -
		    cb_ts_gain(age, (rate->hi - rate->lo) / 2)
	};

	if (ends->interval.lo == new->lo)
		ends->lo = measured;
	if (ends->interval.hi == new->hi)
		ends->hi = measured;
}

/* The frequency has changed faster than it may, or somebody is wrong. */
static void
doubt_wander(struct cb_estimate *e, int64_t raw)
{
	int64_t oldest = raw;

	for (size_t i = 0; i < e->n_known; i++) {
		struct cb_narrow *n = &e->known[i].narrow;

		if (n->has)
			oldest = cb_ts_min(oldest, n->past[0].raw);
		n->has = false;
	}
	/* As long as what is forgotten has lasted. */
	e->doubted_raw = raw + (raw - oldest);
}

/* What the same measurement proves where --max-wander is believed. */
static void
learn_narrow(struct cb_estimate *e, struct cb_known *k,
    const struct cb_sample *s)
{
	int64_t raw = s->after.raw_lo;
	struct cb_narrow *n = &k->narrow;
	struct cb_interval new;
	struct cb_rate rate;

	if (e->max_wander == 0 || e->drift_ppb != of_raw_time(
	    e->max_drift_ppb) || raw < e->doubted_raw)
		return;
	if (k->contradictions > 0) {
		n->has = false;
		return;
	}
	if (!n->has) {
		cb_narrow_begin(n, &k->ends, e->drift_ppb);
		return;
	}
	rate = cb_narrow_rate(n, raw, e->drift_ppb, e->max_wander);
	new = cb_estimate_convert(s, &k->last, e->drift_ppb, &rate);
	if (cb_narrow_learn(n, &new, e->drift_ppb, e->max_wander))
		note_ends(&n->ends, s, &k->last, &new, &rate);
	else
		doubt_wander(e, raw);
}

static unsigned
epoch_of(const struct cb_estimate *e, const struct cb_chrony_source *m)
{
	return m->mode == CB_CHRONY_REFCLOCK ? e->epoch + e->refclock_epoch :
	    e->epoch;
}

static unsigned
take_source(struct cb_estimate *e, const struct cb_sample *s,
    const struct cb_chrony_source *m)
{
	bool is_new = cb_estimate_is_new(e, m);
	size_t i = find_known(e, m);
	struct cb_known *k = i < e->n_known ? &e->known[i] : add_known(e);
	struct cb_rate any = cb_narrow_any(e->drift_ppb);
	struct cb_interval new;
	unsigned events;

	k->last = *m;
	k->state = m->state;
	k->seen_raw = s->after.raw_lo;
	if (k->state == CB_CHRONY_FALSETICKER) {
		k->has_interval = k->narrow.has = false;
		k->contradictions = 0;
	}
	if (k->epoch != epoch_of(e, m) && !e->holding) {
		k->epoch = epoch_of(e, m);
		k->settling = SETTLING;
		is_new = true;
	}
	if (!is_new)
		return 0;
	k->has_meas = true;
	k->orig_meas = m->orig_meas;
	if (k->settling > 0) {
		k->settling--;
		return 0;
	}
	new = cb_estimate_convert(s, m, e->drift_ppb, &any);
	events = learn(k, &new, e->drift_ppb);
	note_ends(&k->ends, s, m, &new, &any);
	learn_narrow(e, k, s);
	return events;
}

/* Sources that chronyd no longer has: what they proved is still true. */
static void
retire_unseen(struct cb_estimate *e, int64_t raw)
{
	for (size_t i = 0; i < e->n_known; i++)
		if (e->known[i].seen_raw != raw) {
			e->known[i].state = CB_CHRONY_NOT_SELECTABLE;
			e->known[i].contradictions = 0;
		}
}

/*
 * A frequency beyond the stated drift shows that the statement is wrong.
 * Intervals that are kept grow by the higher of the two rates until now.
 */
static void
set_drift(struct cb_estimate *e, const struct cb_chrony_tracking *t,
    int64_t raw)
{
	int64_t speed = cb_ts_abs(t->freq_ppb.v) + t->freq_ppb.err;
	int64_t drift = of_raw_time(speed <= e->max_drift_ppb ?
	    e->max_drift_ppb : speed + FAST_MARGIN_PPB);
	int64_t higher = cb_ts_max(drift, e->drift_ppb);

	e->freq_ppb = t->freq_ppb.v;
	e->freq_err_ppb = t->freq_ppb.err;
	if (drift == e->drift_ppb)
		return;
	for (size_t i = 0; i < e->n_known; i++) {
		struct cb_interval *k = &e->known[i].ends.interval;

		*k = cb_estimate_at(k, raw, higher);
		e->known[i].narrow.has = false;
	}
	e->drift_ppb = drift;
}

/* How fast CLOCK_REALTIME moved against the cooked clock from a to b. */
static int64_t
slew_rate(const struct cb_estimate *e, const struct cb_instant *a,
    const struct cb_instant *b)
{
	int64_t elapsed = b->raw_lo - a->raw_hi;
	int64_t spread = b->raw_hi - b->raw_lo + a->raw_hi - a->raw_lo;
	int64_t moved = b->real - a->real - (b->raw_lo - a->raw_lo);
	int64_t cooked = cb_ts_drift(elapsed, cb_ts_abs(e->freq_ppb));

	moved = cb_ts_abs(e->freq_ppb > 0 ? moved + cooked : moved - cooked) +
	    spread + cb_ts_drift(elapsed, e->freq_err_ppb) + 1;
	/* Faster than any slew is a step, which says nothing of the rate. */
	if (moved >= elapsed / 10 || moved > INT64_MAX / CB_NS_PER_S)
		return MAX_SLEW_PPB;
	moved *= CB_NS_PER_S;
	return moved / elapsed + (moved % elapsed != 0);
}

/*
 * How fast chronyd is slewing.  A slew begins with an update of chronyd's.
 * Without one since the last tick, all the time from then to now has seen the
 * slew.  With one, and while chronyd is not heard, only the time between the
 * two readings of this tick is sure to have; or the slew has only just begun,
 * and is planned to last a second at least.
 */
static void
watch_slew(struct cb_estimate *e, const struct cb_sample *s, bool updated)
{
	e->slew_ppb = 0;
	if (e->has_last)
		e->slew_ppb = slew_rate(e, &e->last, &s->after);
	if (!e->has_last || updated || s->input == CB_INPUT_MISSING)
		e->slew_ppb = cb_ts_max(e->slew_ppb,
		    slew_rate(e, &s->before, &s->after));
	if (updated)
		e->slew_ppb = cb_ts_max(e->slew_ppb,
		    cb_ts_min(e->correction_ns, MAX_SLEW_PPB));
	e->has_last = true;
	e->last = s->after;
}

static void
stretch(struct cb_interval *hull, const struct cb_interval *i)
{
	hull->lo = cb_ts_min(hull->lo, i->lo);
	hull->hi = cb_ts_max(hull->hi, i->hi);
}

/*
 * Sources that cannot all be right: the hull of the largest group that has a
 * moment in common with the selected one (of each, where two are as large),
 * or of all where none is selected.
 */
static struct cb_interval
hull_of_group(const struct cb_interval *i, size_t n,
    const struct cb_interval *selected)
{
	struct cb_interval hull = selected != NULL ? *selected : i[0];
	size_t count, most = 0;

	if (selected == NULL) {
		for (size_t k = 1; k < n; k++)
			stretch(&hull, &i[k]);
		return hull;
	}
	/* A largest group has in common the moment where one of it begins. */
	for (size_t p = 0; p < n; p++) {
		int64_t at = i[p].lo;

		if (at < selected->lo || at > selected->hi)
			continue;
		count = 0;
		for (size_t k = 0; k < n; k++)
			count += i[k].lo <= at && at <= i[k].hi;
		if (count < most)
			continue;
		if (count > most)
			hull = *selected;
		most = count;
		for (size_t k = 0; k < n; k++)
			if (i[k].lo <= at && at <= i[k].hi)
				stretch(&hull, &i[k]);
	}
	return hull;
}

const struct cb_ends *
cb_estimate_ends(const struct cb_known *k)
{
	return k->narrow.has ? &k->narrow.ends : &k->ends;
}

struct cb_interval
cb_estimate_known_at(const struct cb_estimate *e, const struct cb_known *k,
    int64_t raw)
{
	return k->narrow.has ? cb_narrow_at(&k->narrow, raw, e->drift_ppb,
	    e->max_wander) : cb_estimate_at(&k->ends.interval, raw,
	    e->drift_ppb);
}

/*
 * The sources that chronyd follows; while none of these has an interval, all
 * others: what they proved is still true.
 */
static unsigned
combine(struct cb_estimate *e, int64_t raw)
{
	struct cb_interval i[CB_MAX_SOURCES], *selected = NULL;
	struct cb_interval all = { INT64_MIN, INT64_MAX, raw };
	bool followed = false, narrow = false;
	size_t n = 0;

	for (size_t k = 0; k < e->n_known; k++)
		followed |= e->known[k].has_interval &&
		    is_followed(e->known[k].state);
	for (size_t k = 0; k < e->n_known; k++) {
		const struct cb_known *known = &e->known[k];

		if (!known->has_interval || (followed &&
		    !is_followed(known->state)))
			continue;
		if (known->state == CB_CHRONY_SELECTED)
			selected = &i[n];
		narrow |= known->narrow.has;
		i[n] = cb_estimate_known_at(e, known, raw);
		all.lo = cb_ts_max(all.lo, i[n].lo);
		all.hi = cb_ts_min(all.hi, i[n].hi);
		n++;
	}
	e->has_interval = n > 0;
	if (n == 0)
		return 0;
	if (all.lo > all.hi && narrow) {
		doubt_wander(e, raw);
		return combine(e, raw);
	}
	e->interval = all.lo <= all.hi ? all : hull_of_group(i, n, selected);
	return all.lo <= all.hi ? 0 : CB_EVENT_DISAGREE;
}

unsigned
cb_estimate_update(struct cb_estimate *e, const struct cb_sample *s)
{
	const struct cb_chrony_tracking *t = &s->tracking;
	int64_t raw = s->after.raw_lo;
	bool updated = s->input != CB_INPUT_MISSING &&
	    (!e->has_cooked || t->ref_time_ns != e->ref_time_ns);
	unsigned events = 0;

	if (s->input != CB_INPUT_MISSING) {
		set_drift(e, t, raw);
		e->has_cooked = true;
		e->ref_time_ns = t->ref_time_ns;
		e->cooked = cooked_range(s, updated);
		e->correction_ns = cb_ts_abs(t->correction_ns.v) +
		    t->correction_ns.err;
		for (size_t i = 0; i < s->n_sources; i++)
			events |= take_source(e, s, &s->sources[i]);
		if (s->complete)
			retire_unseen(e, raw);
	}
	watch_slew(e, s, updated);
	for (size_t i = 0; i < e->n_known; i++)
		if (e->known[i].contradictions > 0)
			events |= CB_EVENT_CONTRADICTION;
	if (e->drift_ppb != of_raw_time(e->max_drift_ppb))
		events |= CB_EVENT_FAST;
	events |= combine(e, raw);
	if (raw < e->doubted_raw)
		events |= CB_EVENT_WANDER;
	return events;
}

void
cb_estimate_forget(struct cb_estimate *e)
{
	for (size_t i = 0; i < e->n_known; i++) {
		e->known[i].has_interval = false;
		e->known[i].narrow.has = false;
		e->known[i].contradictions = 0;
	}
	e->has_interval = false;
	e->has_last = false;
}

bool
cb_estimate_is_empty(const struct cb_estimate *e)
{
	for (size_t i = 0; i < e->n_known; i++)
		if (e->known[i].has_interval)
			return false;
	return true;
}

void
cb_estimate_settle(struct cb_estimate *e)
{
	e->epoch++;
}

void
cb_estimate_settle_refclocks(struct cb_estimate *e)
{
	e->refclock_epoch++;
}

bool
cb_estimate_is_step(const struct cb_estimate *e, const struct cb_instant *now)
{
	const struct cb_instant *last = &e->last;
	int64_t spread = now->raw_hi - now->raw_lo + last->raw_hi -
	    last->raw_lo;
	int64_t moved = cb_ts_abs(now->real - last->real -
	    (now->raw_lo - last->raw_lo));

	return !e->has_last || moved - spread > STEP_NS +
	    cb_ts_drift(now->raw_hi - last->raw_lo, MAX_SLEW_PPB);
}

void
cb_estimate_step(struct cb_estimate *e, const struct cb_instant *now)
{
	int64_t left = e->correction_ns;

	e->cooked = cb_estimate_cooked_at(e, now->raw_hi);
	stretch(&e->cooked, &(struct cb_interval){
		now->real - now->raw_hi - left,
		now->real - now->raw_lo + left,
		now->raw_hi
	});
}

static void
widen_by_leap(struct cb_interval *i)
{
	i->lo -= CB_NS_PER_S;
	i->hi += CB_NS_PER_S;
}

static void
leap_ends(struct cb_ends *ends)
{
	widen_by_leap(&ends->interval);
	ends->lo.leap_ns += CB_NS_PER_S;
	ends->hi.leap_ns += CB_NS_PER_S;
}

/*
 * To both sides, whichever way UTC leaps: CLOCK_REALTIME will follow, and
 * readers are not told before the next tick.
 */
void
cb_estimate_leap(struct cb_estimate *e)
{
	for (size_t i = 0; i < e->n_known; i++) {
		struct cb_known *k = &e->known[i];

		leap_ends(&k->ends);
		leap_ends(&k->narrow.ends);
		for (size_t n = 0; n < k->narrow.n; n++)
			widen_by_leap(&k->narrow.past[n]);
	}
}

struct cb_interval
cb_estimate_utc(const struct cb_estimate *e, const struct cb_instant *now)
{
	int64_t raw = now->raw_hi;
	struct cb_interval all = { now->real - raw, now->real - raw, raw };
	struct cb_interval i;

	if (e->has_cooked) {
		i = cb_estimate_cooked_at(e, raw);
		stretch(&all, &i);
	}
	if (e->has_interval) {
		i = cb_estimate_at(&e->interval, raw, e->drift_ppb);
		stretch(&all, &i);
	}
	all.lo += raw;
	all.hi += raw;
	return all;
}
