/* SPDX-License-Identifier: ISC */
/*
 * What --max-wander makes of the past: the rate of an oscillator that keeps to
 * it, and what becomes of it where something does not.
 */
#include <string.h>

#include "cb-daemon.h"
#include "int128.h"
#include "test.h"
#include "ts.h"

#define US	INT64_C(1000)
#define MS	INT64_C(1000000)
#define S	INT64_C(1000000000)

#define DRIFT	INT64_C(50000)		/* ppb */
#define LIMIT	(DRIFT * 1000)		/* ppt */
#define WANDER	INT64_C(10000)		/* 0.01 ppm/s in ppt/s */
#define ERROR	(100 * US)

/* An interval of x, true time - raw. */
static struct cb_interval
around(int64_t x, int64_t half, int64_t raw)
{
	return (struct cb_interval){ x - half, x + half, raw };
}

static struct cb_narrow
begin(const struct cb_interval *i)
{
	struct cb_ends ends = { .interval = *i };
	struct cb_narrow n;

	cb_narrow_begin(&n, &ends, DRIFT);
	return n;
}

/* With what a system owes whose raw clock is steered, and a wild frequency. */
static void
a_gain_is_rounded_up_whatever_its_sign(void)
{
	static const int64_t ns[] = { 0, 1, 999, S - 1, S, 1234567890123,
		500000 * S };
	static const int64_t ppt[] = { 0, 1, 999, 1000, 50000001, LIMIT * 20,
		INT64_C(12000000001), INT64_C(200000000999) };

	for (size_t i = 0; i < sizeof(ns) / sizeof(ns[0]); i++)
		for (size_t k = 0; k < sizeof(ppt) / sizeof(ppt[0]); k++) {
			int128 exact = (int128)ns[i] * ppt[k];
			int128 one = (int128)S * 1000;
			int64_t gain = cb_ts_gain(ns[i], ppt[k]);
			int64_t loss = cb_ts_gain(ns[i], -ppt[k]);

			CHECK(gain * one >= exact);
			CHECK((gain - 3) * one <= exact);
			CHECK(loss * one >= -exact);
			CHECK((loss - 3) * one <= -exact);
		}
}

/* After 200 s at 10 ppm: both errors by that time, and the wander's half. */
static void
two_intervals_bound_the_rate(void)
{
	struct cb_interval a = around(0, ERROR, 1000 * S);
	struct cb_interval b = around(2 * MS, ERROR, 1200 * S);
	struct cb_narrow n = begin(&a);
	int64_t half = 2 * ERROR * 1000 / 200 + WANDER * 100;

	CHECK_EQ(n.rate.hi, LIMIT);
	CHECK(cb_narrow_learn(&n, &b, DRIFT, WANDER));
	CHECK(n.rate.lo <= 10000000 - half && n.rate.lo > 9999990 - half);
	CHECK(n.rate.hi >= 10000000 + half && n.rate.hi < 10000010 + half);
}

/* y t + W t^2 / 2 while that is slower than the drift, and no faster ever. */
static void
it_widens_by_the_rate_and_then_by_the_drift(void)
{
	struct cb_interval a = around(0, 0, 0), at;
	struct cb_narrow n = begin(&a);
	int64_t until = (LIMIT - 10000000) / WANDER;	/* s, 4000 */

	n.rate = (struct cb_rate){ -10000000, 10000000 };
	at = cb_narrow_at(&n, 10 * S, DRIFT, WANDER);
	CHECK(at.hi >= 100500 && at.hi <= 100502);
	CHECK_EQ(at.lo, -at.hi);
	at = cb_narrow_at(&n, until * S, DRIFT, WANDER);
	CHECK(at.hi >= 120 * MS && at.hi <= 120 * MS + 10);
	at = cb_narrow_at(&n, until * S + 1000 * S, DRIFT, WANDER);
	CHECK(at.hi >= 170 * MS && at.hi <= 170 * MS + 10);
	CHECK_EQ(cb_narrow_rate(&n, 100 * S, DRIFT, WANDER).lo, -11000000);
	CHECK_EQ(cb_narrow_rate(&n, 100 * S, DRIFT, WANDER).hi, 11000000);
	CHECK_EQ(cb_narrow_rate(&n, until * S * 2, DRIFT, WANDER).lo, -LIMIT);
	CHECK_EQ(cb_narrow_rate(&n, until * S * 2, DRIFT, WANDER).hi, LIMIT);
	/* Before its own time it is what it is. */
	at = cb_narrow_at(&n, -S, DRIFT, WANDER);
	CHECK_EQ(at.hi, 0);
}

static void
a_rate_that_the_past_excludes_is_told(void)
{
	struct cb_interval a = around(0, 0, 0), b = around(0, US, 100 * S);
	struct cb_interval c = around(3 * MS, US, 200 * S);
	struct cb_narrow n = begin(&a), was;

	CHECK(cb_narrow_learn(&n, &b, DRIFT, WANDER));
	was = n;
	/* 30 ppm on the mean of 100 s, where 1.5 are possible. */
	CHECK(!cb_narrow_learn(&n, &c, DRIFT, WANDER));
	CHECK_EQ(memcmp(&n, &was, sizeof(n)), 0);
}

/* The drift's bounds stay then; as where no time has gone by. */
static void
intervals_wider_than_they_are_apart_say_nothing_of_the_rate(void)
{
	struct cb_interval a = around(0, 50 * MS, 0);
	struct cb_interval b = around(0, 50 * MS, 10 * MS);
	struct cb_narrow n = begin(&a);

	CHECK(cb_narrow_learn(&n, &a, DRIFT, WANDER));
	CHECK(cb_narrow_learn(&n, &b, DRIFT, WANDER));
	CHECK_EQ(n.rate.lo, -LIMIT);
	CHECK_EQ(n.rate.hi, LIMIT);
	/* And those that exclude each other by more than they are apart. */
	n = begin(&a);
	n.past[0] = around(-S, 0, 0);
	CHECK(!cb_narrow_learn(&n, &b, DRIFT, WANDER));
}

/* Nothing is left of a rate from before as much time as it takes to change. */
static void
a_past_from_which_nothing_follows_goes(void)
{
	struct cb_interval a = around(0, ERROR, 0);
	struct cb_interval b = around(0, ERROR, 20001 * S);
	struct cb_narrow n = begin(&a);

	CHECK(cb_narrow_learn(&n, &b, DRIFT, WANDER));
	CHECK_EQ(n.n, 1);
	CHECK_EQ(n.past[0].raw, b.raw);
	/* Weeks later, by an oscillator that hardly changes. */
	b.raw = 3000000 * S;
	CHECK(cb_narrow_learn(&n, &b, DRIFT, 2));
	CHECK_EQ(n.n, 1);
	CHECK_EQ(n.rate.hi, LIMIT);
}

/* Ages from that of one measurement to all that can tell anything. */
static void
the_past_is_spaced_out(void)
{
	struct cb_interval i = around(0, ERROR, 0);
	struct cb_narrow n = begin(&i);
	int64_t youngest, oldest;

	for (int64_t s = 16; s <= 32000; s += 16) {
		i.raw = s * S;
		if (!CHECK(cb_narrow_learn(&n, &i, DRIFT, WANDER)))
			return;
		if (!CHECK(n.n <= CB_PASTS))
			return;
		for (size_t k = 1; k < n.n; k++)
			CHECK(n.past[k - 1].raw < n.past[k].raw);
	}
	CHECK_EQ(n.n, CB_PASTS);
	youngest = i.raw - n.past[CB_PASTS - 2].raw;
	oldest = i.raw - n.past[0].raw;
	CHECK(youngest <= 64 * S);
	CHECK(oldest > 4000 * S && oldest <= 4 * LIMIT / WANDER * S);
	/* Of the best pair, about 2 sqrt(2 E W): 2.8 ppm. */
	CHECK(n.rate.hi < 3300000 && n.rate.lo > -3300000);
}

/*
 * From here on a daemon's estimate, beside a clock that nobody steers: x is
 * (true time - raw), and the raw clock is off by y.
 */
#define REAL	(INT64_C(1700000000) * S)
#define RAW	(1000 * S)

static struct cb_estimate e;
static struct cb_sample s;

static void
start(void)
{
	cb_estimate_init(&e, DRIFT);
	cb_estimate_believe(&e, WANDER);
	s = (struct cb_sample){
		.after = { RAW, RAW, RAW, REAL + RAW, 0, 0 },
		.input = CB_INPUT_SYNCHRONIZED,
		.complete = true, .n_sources = 1,
		.tracking = { .ref_time_ns = 1 }
	};
	for (uint8_t i = 0; i < 2; i++)
		s.sources[i] = (struct cb_chrony_source){ .address = { i + 1 },
		    .state = i == 0 ? CB_CHRONY_SELECTED : CB_CHRONY_COMBINED,
		    .meas_err_ns = ERROR };
}

/* A tick at which one source has measured that x is off REAL by so much. */
static unsigned
measure(int64_t after_ns, size_t source, int64_t x)
{
	struct cb_instant *now = &s.after;

	now->as_of = now->raw_lo = now->raw_hi += after_ns;
	now->real += after_ns;
	s.before = s.told = *now;
	s.sources[source].orig_meas++;
	s.sources[source].meas_ns.v = -x;
	return cb_estimate_update(&e, &s);
}

static int64_t
half_at(int64_t ns)
{
	struct cb_interval i;

	measure(ns, s.n_sources, 0);
	i = e.interval;
	return (i.hi - i.lo) / 2;
}

/* At 10 ppm, every 16 s. */
static void
follow(int measurements, int64_t *x)
{
	for (int i = 0; i < measurements; i++) {
		*x += 160 * US;
		CHECK_EQ(measure(16 * S, 0, *x), 0);
		CHECK(e.interval.lo <= REAL + *x && REAL + *x <= e.interval.hi);
	}
}

static void
an_interval_is_narrower_by_its_past(void)
{
	int64_t x = 0, plain, narrow;
	struct cb_interval i;

	start();
	e.max_wander = 0;
	follow(30, &x);
	plain = half_at(16 * S);
	start();
	x = 0;
	follow(30, &x);
	narrow = half_at(16 * S);
	CHECK(narrow < plain / 3);
	i = e.interval;
	CHECK(i.lo <= REAL + x + 160 * US && REAL + x + 160 * US <= i.hi);
}

/* The drift's own interval is kept beside it: that one still holds. */
static void
a_rate_that_jumps_ends_it_for_as_long_as_it_has_lasted(void)
{
	int64_t x = 0, lasted = 29 * 16 * S, since = 0;
	unsigned events = 0;

	start();
	follow(30, &x);
	while (events == 0 && since < 100 * S) {
		/* At -40 ppm. */
		x -= 640 * US;
		since += 16 * S;
		events = measure(16 * S, 0, x);
	}
	CHECK_EQ(events, CB_EVENT_WANDER);
	CHECK(e.interval.lo <= REAL + x && REAL + x <= e.interval.hi);
	CHECK(!e.known[0].narrow.has);
	for (int64_t t = 16 * S; t < lasted; t += 16 * S) {
		x -= 640 * US;
		CHECK_EQ(measure(16 * S, 0, x), CB_EVENT_WANDER);
		CHECK(!e.known[0].narrow.has);
	}
	for (int i = 0; i < 12; i++)
		measure(16 * S, 0, x -= 640 * US);
	CHECK_EQ(measure(16 * S, 0, x -= 640 * US), 0);
	CHECK(e.known[0].narrow.has);
}

/* Each agrees with itself, and by the drift they agree with each other. */
static void
sources_that_only_the_drift_can_reconcile_end_it(void)
{
	int64_t x = 0;
	unsigned events = 0;

	start();
	s.n_sources = 2;
	s.sources[0].meas_err_ns = s.sources[1].meas_err_ns = 10 * US;
	for (int i = 0; i < 30; i++) {
		x += 160 * US;
		measure(8 * S, 1, x - 80 * US);
		events |= measure(8 * S, 0, x);
	}
	CHECK_EQ(events, 0);
	CHECK(e.known[0].narrow.has && e.known[1].narrow.has);
	events = measure(16 * S, 1, x + 160 * US - 90 * US);
	CHECK_EQ(events, CB_EVENT_WANDER);
	CHECK(!e.known[0].narrow.has && !e.known[1].narrow.has);
	CHECK(e.has_interval && e.interval.lo <= e.interval.hi);
}

static void
what_ends_an_interval_ends_its_past(void)
{
	int64_t x = 0;

	start();
	follow(10, &x);
	cb_estimate_forget(&e);
	CHECK(!e.known[0].narrow.has);

	/* Another state, another assumption broken: a false ticker. */
	start();
	follow(10, &x);
	s.sources[0].state = CB_CHRONY_FALSETICKER;
	measure(16 * S, 0, x);
	CHECK(!e.known[0].narrow.has);

	/* A frequency beyond the drift says that all of it is wrong. */
	start();
	follow(10, &x);
	s.tracking.freq_ppb.v = 2 * DRIFT;
	measure(S, 0, x);
	CHECK(!e.known[0].narrow.has);
	measure(S, 0, x);
	CHECK(!e.known[0].narrow.has);

	/* It contradicts itself by the drift, too. */
	start();
	follow(10, &x);
	measure(16 * S, 0, x + S);
	CHECK(!e.known[0].narrow.has);
}

/* The rate is that of the oscillator; x has another second in it. */
static void
a_leap_second_leaves_the_rate_and_widens_the_past(void)
{
	int64_t x = 0, wide;
	struct cb_narrow *n = &e.known[0].narrow;
	struct cb_rate rate;
	unsigned events = 0;

	start();
	follow(30, &x);
	rate = n->rate;
	wide = n->past[0].hi - n->past[0].lo;
	cb_estimate_leap(&e);
	CHECK_EQ(n->past[0].hi - n->past[0].lo, wide + 2 * S);
	measure(S, s.n_sources, 0);
	CHECK(e.interval.lo <= REAL + x - S && REAL + x + S <= e.interval.hi);
	x -= S - 10 * US;
	for (int i = 0; i < 10; i++) {
		x += 160 * US;
		CHECK_EQ(measure(16 * S, 0, x), 0);
		CHECK(e.interval.lo <= REAL + x && REAL + x <= e.interval.hi);
	}
	CHECK(n->rate.hi - n->rate.lo < rate.hi - rate.lo + 161 * 2 * WANDER);
	/* What was collected before it has lasted, too. */
	while (events == 0)
		events = measure(16 * S, 0, x -= 640 * US);
	CHECK_EQ(events, CB_EVENT_WANDER);
	CHECK(e.doubted_raw - s.after.raw_lo > 600 * S);
}

/* Also on its way from the measurement, which is told in whole seconds. */
static void
a_measurement_that_ages_goes_by_the_rate(void)
{
	int64_t x = 0;

	start();
	/* Up to a second old. */
	s.sources[0].since_sample_s = 1;
	s.tracking.freq_ppb.v = -10000;
	follow(30, &x);
	CHECK(e.known[0].narrow.has);
	CHECK((e.interval.hi - e.interval.lo) / 2 < ERROR + 20 * US);
	/* It may be younger than it can be told to be. */
	s.tracking.freq_ppb.v = 20000;
	x += 160 * US;
	CHECK_EQ(measure(16 * S, 0, x + ERROR), 0);
	CHECK(e.interval.lo <= REAL + x && REAL + x <= e.interval.hi);
	s.tracking.freq_ppb.v = -40000;
	x += 160 * US;
	CHECK_EQ(measure(16 * S, 0, x - ERROR), 0);
	CHECK(e.interval.lo <= REAL + x && REAL + x <= e.interval.hi);
}

/* Drift is the gain at the rate since the measurement, and not at the drift. */
static void
what_it_is_made_of_is_its_own(void)
{
	int64_t x = 0, age;
	const struct cb_narrow *n = &e.known[0].narrow;
	struct cb_budget b;
	struct cb_bound bound;

	start();
	/* Up to a second old. */
	s.sources[0].since_sample_s = 1;
	s.tracking.freq_ppb.v = -10000;
	follow(30, &x);
	/* The last one is the best. */
	s.sources[0].meas_err_ns = ERROR / 4;
	follow(1, &x);
	measure(8 * S, s.n_sources, 0);
	CHECK(cb_publish_bound(&e, &s, 4 * MS, &bound));
	CHECK(cb_publish_budget(&e, &bound, &b));
	CHECK(b.measured == (bound.is_hi ? &n->ends.hi : &n->ends.lo));
	CHECK_EQ(b.measured->err_ns, ERROR / 4);
	CHECK(b.measured->reading_ns >= 0 && b.measured->reading_ns < 20 * US);
	age = s.after.raw_hi - b.measured->raw;
	CHECK(b.drift_ns >= 0 && b.drift_ns < cb_ts_drift(age, DRIFT) / 2);
}

int
main(void)
{
	a_gain_is_rounded_up_whatever_its_sign();
	two_intervals_bound_the_rate();
	it_widens_by_the_rate_and_then_by_the_drift();
	a_rate_that_the_past_excludes_is_told();
	intervals_wider_than_they_are_apart_say_nothing_of_the_rate();
	a_past_from_which_nothing_follows_goes();
	the_past_is_spaced_out();
	an_interval_is_narrower_by_its_past();
	a_rate_that_jumps_ends_it_for_as_long_as_it_has_lasted();
	sources_that_only_the_drift_can_reconcile_end_it();
	what_ends_an_interval_ends_its_past();
	a_leap_second_leaves_the_rate_and_widens_the_past();
	a_measurement_that_ages_goes_by_the_rate();
	what_it_is_made_of_is_its_own();
	return test_done();
}
