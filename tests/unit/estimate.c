/* SPDX-License-Identifier: ISC */
/*
 * The estimate at its edges.  Samples built so that true time lies just inside
 * of what they prove go in: it must be in there, and with less to spare than
 * the term that the sample was built for, or that term was not needed.  The
 * model worlds (tests/sim) do the rest.
 */
#include <string.h>

#include "cb-daemon.h"
#include "test.h"
#include "ts.h"

#define US	INT64_C(1000)
#define MS	INT64_C(1000000)
#define S	INT64_C(1000000000)

#define DRIFT	INT64_C(50000)
#define FREQ	INT64_C(50000)
/* DRIFT of true time is this much of the raw time of a clock that is slow. */
#define GROWTH	INT64_C(50003)

/* CLOCK_REALTIME - CLOCK_MONOTONIC_RAW, and the latter, in every sample. */
#define REAL	(INT64_C(1700000000) * S)
#define RAW	(1000 * S)

/*
 * A sample whose clocks were read in no time: the raw clock at RAW, the
 * cooked clock on a whole second, one client's measurement that is as old as
 * since_s says and not a nanosecond more.
 */
static struct cb_sample
make_sample(int64_t freq_ppb, uint32_t since_s)
{
	struct cb_sample s = {
		.before = { RAW, RAW, RAW, REAL + RAW, 0, 0 },
		.told = { RAW, RAW, RAW, REAL + RAW, 0, 0 },
		.after = { RAW, RAW, RAW, REAL + RAW, 0, 0 },
		.input = CB_INPUT_SYNCHRONIZED,
		.tracking = { .freq_ppb = { freq_ppb, 0 }, .ref_time_ns = 1 },
		.n_sources = 1
	};

	s.sources[0] = (struct cb_chrony_source){
		.since_sample_s = since_s, .orig_meas = 1, .poll = 4,
		.address = { 1 }, .state = CB_CHRONY_SELECTED
	};
	return s;
}

/* True time - raw of make_sample() with an error of err and drift at DRIFT. */
static int64_t
latest_truth(int64_t freq_ppb, int64_t age, int64_t err)
{
	return REAL + err + cb_ts_drift(age, freq_ppb) +
	    cb_ts_drift(age, DRIFT);
}

static struct cb_interval
convert(const struct cb_sample *s, int64_t drift_ppb)
{
	struct cb_rate any = cb_narrow_any(drift_ppb);

	return cb_estimate_convert(s, &s->sources[0], drift_ppb, &any);
}

/* The truth is the latest that can be: how much later is the interval's end? */
static void
check_needed(const char *what, const struct cb_sample *s, int64_t truth,
    int64_t term)
{
	struct cb_interval i = convert(s, DRIFT);

	test_row = what;
	CHECK(i.lo <= truth);
	CHECK(truth <= i.hi);
	CHECK(i.hi - truth < term);
	test_row = "";
}

/* The same where it is the earliest. */
static void
check_needed_early(const char *what, const struct cb_sample *s,
    int64_t truth, int64_t term)
{
	struct cb_interval i = convert(s, DRIFT);

	test_row = what;
	CHECK(i.lo <= truth);
	CHECK(truth - i.lo < term);
	test_row = "";
}

static void
each_widening_is_needed(void)
{
	struct cb_sample s = make_sample(FREQ, 1000);
	struct cb_chrony_source *m = &s.sources[0];
	int64_t age = 1000 * S;

	check_needed("drift since the measurement", &s,
	    latest_truth(FREQ, age, 0), cb_ts_drift(age, DRIFT));

	m->meas_err_ns = 50 * MS;
	check_needed("all of the delay in one direction", &s,
	    latest_truth(FREQ, age, 50 * MS), 50 * MS);
	m->meas_err_ns = 0;

	/* It was taken at the beginning of a second, asked for at the end. */
	s = make_sample(FREQ, 0);
	s.before.real = s.told.real = s.after.real += S - 1;
	check_needed("since_sample is cut to whole seconds", &s,
	    latest_truth(FREQ, S - 1, S - 1), cb_ts_drift(S - 1, DRIFT));

	/* The answer was given in the second before the one of the end. */
	s = make_sample(FREQ, 1);
	s.before.real -= MS;
	s.before.raw_lo = s.before.raw_hi -= MS;
	s.after.real += MS;
	s.after.raw_lo = s.after.raw_hi += MS;
	s.told = s.after;
	check_needed("a second's boundary amid the questions", &s,
	    latest_truth(FREQ, 2 * S + MS, 0), cb_ts_drift(S, DRIFT + FREQ));

	s = make_sample(FREQ, 3);
	m = &s.sources[0];
	m->mode = CB_CHRONY_REFCLOCK;
	check_needed("a refclock's age is cut to whole seconds", &s,
	    latest_truth(FREQ, 4 * S, 0), cb_ts_drift(S, DRIFT + FREQ));

	/* 20 ms between T2 and T3, which both clocks make 100 ppm of. */
	s = make_sample(FREQ, 0);
	check_needed("an exchange has a length", &s, latest_truth(FREQ, 0,
	    cb_ts_drift(10 * MS, DRIFT + FREQ) - 1), US);
	m->mode = CB_CHRONY_PEER;
	check_needed("a peer's exchange lasts a poll", &s, latest_truth(FREQ,
	    0, cb_ts_drift(16 * S, DRIFT + FREQ)),
	    cb_ts_drift(32 * S, DRIFT + FREQ));
	m->poll = -2;
	check_needed("a fast peer's too", &s, latest_truth(FREQ, 0,
	    cb_ts_drift(S / 4, DRIFT + FREQ)),
	    cb_ts_drift(S / 2, DRIFT + FREQ));

	/* The delay itself was measured by a clock that runs slow. */
	s = make_sample(FREQ, 0);
	m->meas_err_ns = 500 * MS - cb_ts_drift(500 * MS, DRIFT + FREQ);
	check_needed("a long delay measured short", &s, latest_truth(FREQ, 0,
	    500 * MS), m->meas_err_ns / 1000);

	s = make_sample(FREQ, 0);
	s.tracking.correction_ns = (struct cb_chrony_value){ 3 * S, MS };
	check_needed("the correction was rounded", &s,
	    latest_truth(FREQ, 0, 3 * S + MS), MS);
	s = make_sample(FREQ, 0);
	m->meas_ns = (struct cb_chrony_value){ 3 * S, MS };
	check_needed("the measurement was rounded", &s,
	    latest_truth(FREQ, 0, -3 * S + MS), MS);
	s = make_sample(FREQ, 1000);
	s.tracking.freq_ppb.err = 20;
	check_needed("the frequency was rounded", &s,
	    latest_truth(FREQ + 20, age, 0), 20 * US);

	/* Seconds of the cooked clock: there are more of the raw one's. */
	s = make_sample(FREQ, 1000000);
	age = 1000000 * S;
	age += cb_ts_drift(age, FREQ);
	check_needed("the age is in cooked seconds", &s,
	    latest_truth(FREQ, age, 0),
	    cb_ts_drift(cb_ts_drift(age, 2 * FREQ), FREQ + DRIFT));
}

static void
clocks_are_believed_no_better_than_they_were_read(void)
{
	struct cb_sample s = make_sample(0, 0);

	/* REALTIME was read at the very first of the raw interval. */
	s.told.raw_hi = s.after.raw_hi += MS;
	check_needed("the pair's spread", &s, latest_truth(0, 0, 0),
	    MS + MS / 10);

	/* chronyd told its correction after a step that we saw. */
	s = make_sample(0, 0);
	s.told.raw_lo = s.told.raw_hi -= MS;
	s.told.real -= S + MS;
	check_needed("a step amid the questions", &s, latest_truth(0, 0, 0),
	    S);
	/* Or before it. */
	check_needed_early("the beginning of that", &s, REAL - S, S);
	s.told.real += 2 * S;
	check_needed("a step the other way", &s, latest_truth(0, 0, S), S);

	/*
	 * A slew of 10 % up, then down: chronyd answered when it turned, and
	 * what we read before and after shows nothing of it.
	 */
	s = make_sample(0, 0);
	s.told.raw_lo = s.told.raw_hi -= 20 * MS;
	s.told.real -= 20 * MS;
	check_needed("a slew that turns amid the questions", &s,
	    latest_truth(0, 0, MS), 2 * MS);

	/* The cooked clock has its own rate, from the answer to the end. */
	s = make_sample(-FREQ, 0);
	s.told.raw_lo = s.told.raw_hi -= S;
	s.told.real -= S;
	check_needed("the cooked clock runs on amid the questions", &s,
	    REAL + cb_ts_drift(S, FREQ + 100 * MS),
	    cb_ts_drift(S, FREQ));
}

/* What the sample's measurement is told to have found. */
static void
measure(struct cb_sample *s, int64_t found, int64_t err)
{
	s->sources[0].orig_meas++;
	s->sources[0].meas_ns.v = -found;
	s->sources[0].meas_err_ns = err;
}

static void
pass(struct cb_sample *s, int64_t ns)
{
	struct cb_instant *i[] = { &s->before, &s->told, &s->after };

	for (size_t k = 0; k < 3; k++) {
		i[k]->as_of += ns;
		i[k]->raw_lo += ns;
		i[k]->raw_hi += ns;
		i[k]->real += ns;
	}
}

static void
an_interval_widens_and_is_cut(void)
{
	struct cb_sample s = make_sample(0, 0);
	struct cb_estimate e;
	int64_t width;

	cb_estimate_init(&e, DRIFT);
	CHECK_EQ(cb_estimate_update(&e, &s), 0);
	CHECK(e.has_interval);
	width = e.interval.hi - e.interval.lo;

	/* The same measurement again is not a new one. */
	pass(&s, 10 * S);
	CHECK_EQ(cb_estimate_update(&e, &s), 0);
	CHECK_EQ(e.interval.hi - e.interval.lo,
	    width + 2 * cb_ts_drift(10 * S, GROWTH));

	/* A sharp one cuts; a blunt one changes nothing. */
	measure(&s, 0, 0);
	CHECK_EQ(cb_estimate_update(&e, &s), 0);
	CHECK_EQ(e.interval.hi - e.interval.lo, width);
	measure(&s, 0, S);
	CHECK_EQ(cb_estimate_update(&e, &s), 0);
	CHECK_EQ(e.interval.hi - e.interval.lo, width);

	/* A missing sample leaves it, and it goes on widening. */
	pass(&s, S);
	s.input = CB_INPUT_MISSING;
	CHECK_EQ(cb_estimate_update(&e, &s), 0);
	CHECK_EQ(e.interval.hi - e.interval.lo,
	    width + 2 * cb_ts_drift(S, GROWTH));
}

static void
a_contradiction_takes_in_both_and_three_begin_anew(void)
{
	struct cb_sample s = make_sample(0, 0);
	struct cb_interval first, anew;
	struct cb_estimate e;

	cb_estimate_init(&e, DRIFT);
	cb_estimate_update(&e, &s);
	first = e.interval;
	measure(&s, S, 0);
	CHECK_EQ(cb_estimate_update(&e, &s), CB_EVENT_CONTRADICTION);
	CHECK_EQ(e.interval.lo, first.lo);
	CHECK_EQ(e.interval.hi, first.hi + S);
	measure(&s, -2 * S, 0);
	CHECK_EQ(cb_estimate_update(&e, &s), CB_EVENT_CONTRADICTION);
	CHECK_EQ(e.interval.lo, first.lo - 2 * S);
	CHECK_EQ(e.interval.hi, first.hi + S);
	measure(&s, 5 * S, 0);
	CHECK_EQ(cb_estimate_update(&e, &s),
	    CB_EVENT_CONTRADICTION | CB_EVENT_RESTART);
	anew = e.interval;
	CHECK_EQ(anew.lo, first.lo + 5 * S);
	CHECK_EQ(anew.hi, first.hi + 5 * S);
	measure(&s, 5 * S, MS);
	CHECK_EQ(cb_estimate_update(&e, &s), 0);
	CHECK_EQ(e.interval.lo, anew.lo);
}

/*
 * n sources, each with its own state and its own idea of true time; a
 * nanosecond after the last sample.
 */
static unsigned
update_with(struct cb_estimate *e, size_t n, const uint16_t *states,
    const int64_t *found)
{
	struct cb_sample s = make_sample(0, 0);
	static uint32_t orig;

	pass(&s, e->last.raw_lo == 0 ? 0 : e->last.raw_lo + 1 - RAW);
	s.n_sources = n;
	s.complete = true;
	for (size_t i = 0; i < n; i++) {
		s.sources[i] = s.sources[0];
		s.sources[i].address[0] = (uint8_t)(i + 1);
		s.sources[i].state = states[i];
		s.sources[i].meas_ns.v = -found[i];
		s.sources[i].meas_err_ns = MS;
		s.sources[i].orig_meas = ++orig;
	}
	return cb_estimate_update(e, &s);
}

#define SEL	CB_CHRONY_SELECTED
#define COM	CB_CHRONY_COMBINED
#define NOT	CB_CHRONY_NOT_COMBINED
#define FALSE_	CB_CHRONY_FALSETICKER
#define QUE	CB_CHRONY_NOT_SELECTABLE

/* A nanosecond goes by from sample to sample, which may be rounded up. */
#define CHECK_NEAR(got, expected) \
	CHECK((got) - (expected) >= -2 && (got) - (expected) <= 2)

static void
sources_are_cut_with_each_other(void)
{
	struct cb_interval a, b;
	struct cb_estimate e;

	cb_estimate_init(&e, DRIFT);
	CHECK_EQ(update_with(&e, 1, (uint16_t[]){ SEL }, (int64_t[]){ 0 }), 0);
	a = e.interval;
	/* Followed sources agree: the common part. */
	CHECK_EQ(update_with(&e, 2, (uint16_t[]){ SEL, COM },
	    (int64_t[]){ 0, MS }), 0);
	b = e.interval;
	CHECK_NEAR(b.lo, a.lo + MS);
	CHECK_NEAR(b.hi, a.hi);
	/* One that is not followed has no part in it. */
	CHECK_EQ(update_with(&e, 2, (uint16_t[]){ SEL, NOT },
	    (int64_t[]){ 0, MS }), 0);
	CHECK_NEAR(e.interval.lo, a.lo);
}

static void
sources_that_disagree_give_the_hull_of_the_largest_group(void)
{
	struct cb_interval a;
	struct cb_estimate e;

	cb_estimate_init(&e, DRIFT);
	update_with(&e, 1, (uint16_t[]){ SEL }, (int64_t[]){ 0 });
	a = e.interval;
	/* Two overlap the selected one at one end, one at the other. */
	cb_estimate_init(&e, DRIFT);
	CHECK_EQ(update_with(&e, 4, (uint16_t[]){ SEL, COM, COM, COM },
	    (int64_t[]){ 0, 3 * MS / 2, 5 * MS / 4, -3 * MS / 2 }),
	    CB_EVENT_DISAGREE);
	CHECK_NEAR(e.interval.lo, a.lo);
	CHECK_NEAR(e.interval.hi, a.hi + 3 * MS / 2);
	cb_estimate_init(&e, DRIFT);
	CHECK_EQ(update_with(&e, 4, (uint16_t[]){ COM, COM, COM, SEL },
	    (int64_t[]){ 3 * MS / 2, 5 * MS / 4, -3 * MS / 2, 0 }),
	    CB_EVENT_DISAGREE);
	CHECK_NEAR(e.interval.lo, a.lo);
	CHECK_NEAR(e.interval.hi, a.hi + 3 * MS / 2);
	/* As many at either end: all of them. */
	cb_estimate_init(&e, DRIFT);
	CHECK_EQ(update_with(&e, 3, (uint16_t[]){ SEL, COM, COM },
	    (int64_t[]){ 0, 3 * MS / 2, -3 * MS / 2 }), CB_EVENT_DISAGREE);
	CHECK_NEAR(e.interval.lo, a.lo - 3 * MS / 2);
	CHECK_NEAR(e.interval.hi, a.hi + 3 * MS / 2);
	/* A larger group elsewhere does not outvote the selected one. */
	cb_estimate_init(&e, DRIFT);
	CHECK_EQ(update_with(&e, 3, (uint16_t[]){ SEL, COM, COM },
	    (int64_t[]){ 0, S, S }), CB_EVENT_DISAGREE);
	CHECK_NEAR(e.interval.lo, a.lo);
	CHECK_NEAR(e.interval.hi, a.hi);
	/* None is selected: all of them. */
	CHECK_EQ(update_with(&e, 3, (uint16_t[]){ QUE, QUE, QUE },
	    (int64_t[]){ 0, S, S }), CB_EVENT_DISAGREE);
	CHECK_NEAR(e.interval.lo, a.lo);
	CHECK_NEAR(e.interval.hi, a.hi + S);
}

static void
only_sources_that_chronyd_trusts_count(void)
{
	struct cb_estimate e;

	/* What was measured before counts from the first selection on. */
	cb_estimate_init(&e, DRIFT);
	update_with(&e, 2, (uint16_t[]){ QUE, FALSE_ }, (int64_t[]){ 0, 0 });
	CHECK(!e.has_interval);
	update_with(&e, 2, (uint16_t[]){ SEL, NOT }, (int64_t[]){ 0, S });
	CHECK(e.has_interval);
	CHECK(e.interval.hi < REAL + S / 2);
	/* The selected one is lost, and measures something else. */
	update_with(&e, 2, (uint16_t[]){ QUE, FALSE_ }, (int64_t[]){ S, S });
	CHECK(e.has_interval);
	CHECK(e.interval.hi < REAL + S / 2);
	/* It turns out to lie: then it proved nothing. */
	update_with(&e, 2, (uint16_t[]){ FALSE_, QUE }, (int64_t[]){ 0, S });
	CHECK(!e.has_interval);
	/* A source that is gone was not proved wrong. */
	update_with(&e, 2, (uint16_t[]){ QUE, SEL }, (int64_t[]){ 0, S });
	update_with(&e, 1, (uint16_t[]){ QUE }, (int64_t[]){ 0 });
	CHECK(e.has_interval);
	CHECK(e.interval.hi > REAL + S / 2);
	/* Nor is it followed any more. */
	cb_estimate_init(&e, DRIFT);
	update_with(&e, 2, (uint16_t[]){ NOT, SEL }, (int64_t[]){ 0, S });
	CHECK_EQ(update_with(&e, 1, (uint16_t[]){ SEL }, (int64_t[]){ 0 }), 0);
	CHECK(e.interval.hi < REAL + S / 2);
}

static void
a_source_is_known_by_its_address_and_there_is_room_for_new_ones(void)
{
	struct cb_sample s = make_sample(0, 0);
	struct cb_estimate e;

	cb_estimate_init(&e, DRIFT);
	for (unsigned i = 0; i < 3 * CB_MAX_SOURCES; i++) {
		s.sources[0].address[3] = (uint8_t)(i % 200);
		pass(&s, MS);
		CHECK(cb_estimate_is_new(&e, &s.sources[0]));
		cb_estimate_update(&e, &s);
		CHECK(!cb_estimate_is_new(&e, &s.sources[0]));
	}
	CHECK_EQ(e.n_known, CB_MAX_SOURCES);
	s.sources[0].mode = CB_CHRONY_PEER;
	CHECK(cb_estimate_is_new(&e, &s.sources[0]));
	s.sources[0].since_sample_s = CB_CHRONY_NO_SAMPLE;
	CHECK(!cb_estimate_is_new(&e, &s.sources[0]));
}

static void
a_frequency_beyond_the_drift_stands_in_for_it(void)
{
	struct cb_sample s = make_sample(0, 0);
	struct cb_estimate e;
	int64_t width;

	cb_estimate_init(&e, DRIFT);
	cb_estimate_update(&e, &s);
	width = e.interval.hi - e.interval.lo;
	s.tracking.freq_ppb.v = -60000;
	pass(&s, S);
	CHECK_EQ(cb_estimate_update(&e, &s), CB_EVENT_FAST);
	CHECK_EQ(e.drift_ppb, 65005);
	/* Also for the time before it was known. */
	CHECK_EQ(e.interval.hi - e.interval.lo,
	    width + 2 * cb_ts_drift(S, 65005));
	/* And until it falls. */
	s.tracking.freq_ppb.v = 50000;
	pass(&s, S);
	CHECK_EQ(cb_estimate_update(&e, &s), 0);
	CHECK_EQ(e.drift_ppb, GROWTH);
	CHECK_EQ(e.interval.hi - e.interval.lo,
	    width + 4 * cb_ts_drift(S, 65005));
}

static struct cb_bound
publish(const struct cb_estimate *e, const struct cb_sample *s, int64_t tick)
{
	struct cb_bound b = { 0 };

	CHECK(cb_publish_bound(e, s, tick, &b));
	return b;
}

/* CLOCK_REALTIME - raw is REAL + real, the cooked clock's REAL + cooked. */
static struct cb_bound
publish_distances(int64_t lo, int64_t hi, int64_t real, int64_t cooked)
{
	struct cb_sample s = make_sample(0, 0);
	struct cb_estimate e;

	cb_estimate_init(&e, DRIFT);
	e.has_interval = true;
	e.interval = (struct cb_interval){ REAL + lo, REAL + hi, RAW };
	e.cooked = (struct cb_interval){ REAL + cooked, REAL + cooked, RAW };
	s.after.real += real;
	return publish(&e, &s, 0);
}

static void
the_bound_is_the_largest_distance_of_either_clock(void)
{
	/* 1 ns each: a 2.x reader's truncation, the cooked clock's rounding. */
	CHECK_EQ(publish_distances(-MS, MS, 0, 0).bound_ns, MS + 2);
	CHECK_EQ(publish_distances(-MS, MS, 5 * MS, 0).bound_ns, 6 * MS + 1);
	CHECK_EQ(publish_distances(-MS, MS, -5 * MS, 0).bound_ns, 6 * MS + 1);
	CHECK_EQ(publish_distances(-MS, MS, 0, 5 * MS).bound_ns, 6 * MS + 2);
	CHECK_EQ(publish_distances(-MS, MS, 0, -5 * MS).bound_ns, 6 * MS + 2);
	CHECK_EQ(publish_distances(2 * MS, 3 * MS, 0, 0).bound_ns, 3 * MS + 2);
	CHECK_EQ(publish_distances(0, 0, 0, 0).drift_ppb, GROWTH + 1);
}

/*
 * A slew of a hundred seconds, away from true time: the reader's own clock
 * counts a hundred seconds less than went by.
 */
static void
readers_are_owed_the_slew_of_their_elapsed_time(void)
{
	const int64_t slew = 100 * S, elapsed = 2000 * S;
	struct cb_sample s = make_sample(0, 0);
	struct cb_estimate e;
	struct cb_bound b;
	struct cb_shm_bound seen;
	struct cb_shm_v2 v2;
	clockbound_now_result now;
	struct timespec real, mono;
	int64_t truth;

	cb_estimate_init(&e, DRIFT);
	e.has_interval = true;
	e.interval = (struct cb_interval){ REAL, REAL + 2 * slew, RAW };
	e.cooked = (struct cb_interval){ REAL, REAL, RAW };
	e.correction_ns = slew;
	s.after.real += slew;
	b = publish(&e, &s, 0);
	cb_publish_v2(&b, CLOCKBOUND_STA_SYNCHRONIZED, false, 0, &v2);
	CHECK_EQ(cb_shm_read_parse(&v2, &seen), CLOCKBOUND_ERR_NONE);
	real.tv_sec = (time_t)((REAL + RAW + elapsed) / S);
	real.tv_nsec = 0;
	mono.tv_sec = (time_t)((b.as_of + elapsed - slew) / S);
	mono.tv_nsec = 0;
	CHECK_EQ(cb_now_at(&seen, &real, &mono, &now), CLOCKBOUND_ERR_NONE);
	truth = REAL + RAW + 2 * slew + elapsed + cb_ts_drift(elapsed, DRIFT);
	CHECK(truth <= cb_ts_ns(&now.latest));
	CHECK(cb_ts_ns(&now.latest) - truth < cb_ts_drift(slew, DRIFT));
}

/* The clock by which a reader tells the elapsed time is made to run slow. */
static void
readers_are_owed_the_frequency_of_their_elapsed_time(void)
{
	const int64_t freq = 500000, raw = 1000 * S;
	struct cb_sample s = make_sample(freq, 0);
	struct cb_estimate e;
	int64_t drift;

	cb_estimate_init(&e, freq);
	cb_estimate_update(&e, &s);
	drift = publish(&e, &s, 0).drift_ppb;
	CHECK(cb_ts_drift(raw - cb_ts_drift(raw, freq), drift) >=
	    cb_ts_drift(raw, e.drift_ppb) + cb_ts_drift(raw, freq));
}

static void
the_coarse_clock_may_stand_still(void)
{
	struct cb_sample s = make_sample(0, 0);
	struct cb_estimate e;

	cb_estimate_init(&e, DRIFT);
	cb_estimate_update(&e, &s);
	e.slew_ppb = 0;
	CHECK_EQ(publish(&e, &s, 4 * MS).bound_ns - publish(&e, &s, 0).bound_ns,
	    cb_ts_drift(24 * MS, GROWTH + 1));
}

/*
 * A tick after 100 ms, of which the last ten were for the questions: REALTIME
 * moves other than the cooked clock, before and during those.
 */
static int64_t
slew(struct cb_estimate *e, struct cb_sample *s, int64_t before,
    int64_t during)
{
	pass(s, 100 * MS);
	s->before = s->told = s->after;
	s->before.raw_lo = s->before.raw_hi -= 10 * MS;
	s->before.real += before - 10 * MS;
	s->after.real += before + during;
	cb_estimate_update(e, s);
	return e->slew_ppb;
}

/* What is owed where nobody has a raw clock that is left alone. */
static void
a_steered_raw_clock_owes_what_it_may_be_steered_by(void)
{
	struct cb_sample s = make_sample(0, 0);
	struct cb_interval i;

	s.before.real = s.told.real = s.after.real += S / 2;
	s.tracking.freq_ppb.err = 5500000;
	i = convert(&s, 5550000);
	CHECK(i.hi - REAL - S / 2 >= cb_ts_drift(S / 2, 11050000));
	CHECK(REAL + S / 2 - i.lo >= cb_ts_drift(S / 2, 11050000));
}

/* A rate, with 1 % for the rounding and for the cooked clock's own. */
#define IS_ABOUT(got, expected) \
	((got) >= (expected) && (got) <= (expected) + (expected) / 100 + 1000)

static void
a_slew_is_seen_whole_or_taken_for_as_fast_as_it_can_be(void)
{
	struct cb_sample s = make_sample(0, 0);
	struct cb_estimate e;

	cb_estimate_init(&e, DRIFT);
	/* The first tick has only its own two readings. */
	CHECK(IS_ABOUT(slew(&e, &s, 0, MS / 2), 50 * MS));
	CHECK(IS_ABOUT(slew(&e, &s, MS, MS / 10), 11 * MS));
	CHECK(IS_ABOUT(slew(&e, &s, -MS, -MS / 10), 11 * MS));
	/* The cooked clock's own rate is none. */
	s.tracking.freq_ppb.v = -40000;
	CHECK(IS_ABOUT(slew(&e, &s, 4 * US, 0), 0));
	/* A step is no slew. */
	CHECK_EQ(slew(&e, &s, S, 0), 100 * MS);
	CHECK(IS_ABOUT(slew(&e, &s, 4 * US, 0), 0));
	/* Begun since the last tick: its rate is that during the questions. */
	s.tracking.ref_time_ns++;
	CHECK(IS_ABOUT(slew(&e, &s, 4 * US, MS / 2 + 400), 50 * MS));
	/* Begun amid the questions: it may take a second for all of it. */
	s.tracking.ref_time_ns++;
	s.tracking.correction_ns.v = 3 * MS;
	CHECK(IS_ABOUT(slew(&e, &s, 4 * US, 0), 3 * MS));
	CHECK(IS_ABOUT(slew(&e, &s, 4 * US, 0), 0));
	/* chronyd has fallen silent, who knows what it did before. */
	s.input = CB_INPUT_MISSING;
	CHECK(IS_ABOUT(slew(&e, &s, 4 * US, MS / 2 + 400), 50 * MS));
	/* It still is, and may have begun another. */
	CHECK(IS_ABOUT(slew(&e, &s, 4 * US, MS / 2 + 400), 50 * MS));
	/* Stopped for days: of so many seconds the product just fits. */
	s = make_sample(0, 0);
	cb_estimate_init(&e, DRIFT);
	slew(&e, &s, 0, 0);
	pass(&s, 300000 * S);
	CHECK_EQ(slew(&e, &s, INT64_C(9223300000), 0), 30745);
}

/* chronyd died in a slew of 8 %: readers' clocks run 8 % slow for good. */
static void
a_slew_that_nobody_ends_is_in_the_drift(void)
{
	struct cb_sample s = make_sample(0, 0);
	struct cb_estimate e;

	cb_estimate_init(&e, DRIFT);
	cb_estimate_update(&e, &s);
	s.input = CB_INPUT_MISSING;
	slew(&e, &s, -72 * MS / 10, -8 * MS / 10);
	slew(&e, &s, -72 * MS / 10, -8 * MS / 10);
	/* 8 % of a second is 8.7 % of what such a clock calls one. */
	CHECK(IS_ABOUT(publish(&e, &s, 0).drift_ppb,
	    80 * MS * 100 / 92 + DRIFT));
}

/* It may have been chronyd, which is there now, or somebody else. */
static void
after_a_step_chronyd_may_go_either_way(void)
{
	struct cb_sample s = make_sample(0, 0);
	struct cb_estimate e;

	cb_estimate_init(&e, DRIFT);
	e.has_interval = true;
	e.interval = (struct cb_interval){ REAL - MS, REAL + MS, RAW };
	e.cooked = (struct cb_interval){ REAL, REAL, RAW };
	e.correction_ns = 5 * MS;
	for (int sign = -1; sign <= 1; sign += 2) {
		s.after.real = REAL + RAW + sign * 3 * S;
		cb_estimate_step(&e, &s.after);
		CHECK(IS_ABOUT(publish(&e, &s, 0).bound_ns,
		    3 * S + 6 * MS));
	}
	CHECK(e.cooked.lo <= REAL - 3 * S && e.cooked.hi >= REAL + 3 * S);
}

static void
what_the_format_cannot_state_is_not_published(void)
{
	struct cb_sample s = make_sample(0, 0);
	struct cb_estimate e;
	struct cb_bound b;

	cb_estimate_init(&e, DRIFT);
	CHECK(!cb_publish_bound(&e, &s, 0, &b));
	cb_estimate_update(&e, &s);
	CHECK(cb_publish_bound(&e, &s, 0, &b));
	e.interval.hi += CB_SHM_UNKNOWN_BOUND_NS;
	CHECK(!cb_publish_bound(&e, &s, 0, &b));
	e.interval.hi -= CB_SHM_UNKNOWN_BOUND_NS;
	e.drift_ppb = CB_SHM_DRIFT_LIMIT_PPB;
	CHECK(!cb_publish_bound(&e, &s, 0, &b));
}

/* So much that it does not fit the product that makes a rate of it. */
static void
a_slew_of_many_seconds_is_as_fast_as_any(void)
{
	struct cb_sample s = make_sample(0, 0);
	struct cb_estimate e;

	cb_estimate_init(&e, DRIFT);
	cb_estimate_update(&e, &s);
	pass(&s, 100 * S);
	s.before = s.told = s.after;
	s.after.real += 9500 * MS;
	s.before.real = s.told.real = s.after.real;
	cb_estimate_update(&e, &s);
	CHECK_EQ(e.slew_ppb, 100 * MS);
}

int
main(void)
{
	each_widening_is_needed();
	clocks_are_believed_no_better_than_they_were_read();
	an_interval_widens_and_is_cut();
	a_contradiction_takes_in_both_and_three_begin_anew();
	sources_are_cut_with_each_other();
	sources_that_disagree_give_the_hull_of_the_largest_group();
	only_sources_that_chronyd_trusts_count();
	a_source_is_known_by_its_address_and_there_is_room_for_new_ones();
	a_frequency_beyond_the_drift_stands_in_for_it();
	the_bound_is_the_largest_distance_of_either_clock();
	readers_are_owed_the_slew_of_their_elapsed_time();
	readers_are_owed_the_frequency_of_their_elapsed_time();
	the_coarse_clock_may_stand_still();
	a_steered_raw_clock_owes_what_it_may_be_steered_by();
	a_slew_is_seen_whole_or_taken_for_as_fast_as_it_can_be();
	a_slew_that_nobody_ends_is_in_the_drift();
	after_a_step_chronyd_may_go_either_way();
	what_the_format_cannot_state_is_not_published();
	a_slew_of_many_seconds_is_as_fast_as_any();
	return test_done();
}
