/* SPDX-License-Identifier: ISC */
/*
 * What a published bound is made of.  The parts sum up to it whatever the
 * estimate has been through, and each is what its name says.
 */
#include <stdlib.h>
#include <string.h>

#include "cb-daemon.h"
#include "test.h"
#include "ts.h"

#define MS	INT64_C(1000000)
#define S	INT64_C(1000000000)

#define DRIFT	INT64_C(50000)
/* DRIFT of true time is this much of the raw time of a clock that is slow. */
#define GROWTH	INT64_C(50003)
#define TICK	(4 * MS)

/* CLOCK_REALTIME - CLOCK_MONOTONIC_RAW, and the latter at the beginning. */
#define REAL	(INT64_C(1700000000) * S)
#define RAW	(1000 * S)

#define RUNS	200
#define TICKS	500
#define SOURCES	3

static struct cb_estimate e;
static struct cb_sample s;
static struct cb_bound bound;
static struct cb_budget budget;

static void
set_clocks(int64_t raw)
{
	s.before = (struct cb_instant){ raw, raw, raw, REAL + raw, 0, 0 };
	s.told = s.after = s.before;
}

/* Nothing is known, and the raw clock at RAW. */
static void
start(void)
{
	cb_estimate_init(&e, DRIFT);
	s = (struct cb_sample){
		.input = CB_INPUT_SYNCHRONIZED,
		.tracking = { .ref_time_ns = 1 }
	};
	set_clocks(RAW);
}

/* Another measurement: the clock is ahead by that, give or take err. */
static struct cb_chrony_source *
add_source(uint8_t id, int64_t ahead_ns, int64_t err_ns)
{
	struct cb_chrony_source *m = &s.sources[s.n_sources++];
	static uint32_t orig_meas;

	orig_meas++;
	*m = (struct cb_chrony_source){
		.address = { id }, .state = CB_CHRONY_COMBINED, .poll = 4,
		.orig_meas = orig_meas, .meas_ns = { ahead_ns, 0 },
		.meas_err_ns = err_ns
	};
	return m;
}

static int64_t
sum_of_parts(void)
{
	const struct cb_measured *m = budget.measured;

	return budget.offset_ns + budget.drift_ns + m->err_ns +
	    m->phc_err_ns + m->reading_ns + m->leap_ns + bound.slew_ns +
	    bound.coarse_ns + bound.correction_ns + 1;
}

/* One tick; true where there is a bound. */
static bool
tick(void)
{
	cb_estimate_update(&e, &s);
	if (!cb_publish_bound(&e, &s, TICK, &bound))
		return false;
	CHECK(cb_publish_budget(&e, &bound, &budget));
	CHECK_EQ(sum_of_parts(), bound.bound_ns);
	s.n_sources = 0;
	return true;
}

static bool
is_about(int64_t a, int64_t b, int64_t slack)
{
	return cb_ts_abs(a - b) <= slack;
}

static void
an_error_is_told_with_the_phcs_apart(void)
{
	start();
	add_source(1, 0, 5 * MS)->phc_err_ns = 3 * MS;
	if (!CHECK(tick()))
		return;
	CHECK_EQ(budget.measured->err_ns, 2 * MS);
	CHECK_EQ(budget.measured->phc_err_ns, 3 * MS);
	CHECK_EQ(budget.known->last.address[0], 1);
	CHECK(is_about(budget.offset_ns, 0, 1));
	/* A thousandth of the error, and 10 ms at twice the drift. */
	CHECK(is_about(budget.measured->reading_ns, 6000, 2));
}

static void
drift_is_that_of_the_age(void)
{
	start();
	add_source(1, 0, MS)->since_sample_s = 300;
	if (!CHECK(tick()))
		return;
	CHECK(is_about(budget.drift_ns, cb_ts_drift(300 * S, GROWTH), 2));
	CHECK_EQ(budget.measured->raw, RAW - 300 * S);
	set_clocks(RAW + 60 * S);
	if (!CHECK(tick()))
		return;
	CHECK(is_about(budget.drift_ns, cb_ts_drift(360 * S, GROWTH), 3));
	CHECK_EQ(budget.measured->raw, RAW - 300 * S);
	/* A frequency above -m counts from the conversion on. */
	s.tracking.freq_ppb.v = 95000;
	set_clocks(RAW + 70 * S);
	CHECK(tick());
	CHECK(is_about(budget.drift_ns, cb_ts_drift(300 * S, GROWTH) +
	    cb_ts_drift(70 * S, 100011), 3));
}

static void
an_offset_is_from_the_clock_to_the_measurement(void)
{
	for (int64_t ahead = -7 * MS; ahead <= 7 * MS; ahead += 14 * MS) {
		start();
		add_source(1, ahead, MS);
		CHECK(tick());
		CHECK(is_about(budget.offset_ns, 7 * MS, 1));
		CHECK_EQ(bound.is_hi, ahead < 0);
	}
	/* The narrow source's middle is on the other side of the clock. */
	start();
	add_source(1, -MS, 10 * MS);
	add_source(2, 20 * MS, 22 * MS);
	CHECK(tick());
	CHECK_EQ(budget.known->last.address[0], 1);
	CHECK(!bound.is_hi);
	CHECK(is_about(budget.offset_ns, -MS, 1));
}

static void
what_readers_are_owed_is_told(void)
{
	start();
	add_source(1, 0, MS);
	s.tracking.correction_ns.v = 2 * MS;
	CHECK(tick());
	CHECK_EQ(bound.coarse_ns, cb_ts_drift(6 * TICK, bound.drift_ppb));
	CHECK_EQ(bound.correction_ns, cb_ts_drift(2 * MS, bound.drift_ppb));
	CHECK_EQ(bound.slew_ns, cb_ts_drift(10 * MS, e.slew_ppb));
	CHECK(bound.slew_ns > 0);
	/* CLOCK_REALTIME is where it was: that far from the measurement. */
	CHECK(is_about(budget.offset_ns, 2 * MS,
	    cb_ts_drift(2 * MS, GROWTH)));
}

static void
a_leap_second_is_told_apart(void)
{
	start();
	add_source(1, 0, MS);
	CHECK(tick());
	cb_estimate_leap(&e);
	CHECK(tick());
	CHECK_EQ(budget.measured->leap_ns, S);
	CHECK(is_about(budget.offset_ns, 0, 1));
}

/* Both are kept, and the ends are those of each; the third is all there is. */
static void
a_contradiction_is_of_both_measurements(void)
{
	start();
	add_source(1, 0, MS);
	CHECK(tick());
	add_source(1, -30 * MS, 2 * MS);
	CHECK(tick());
	CHECK(bound.is_hi);
	CHECK_EQ(budget.measured->err_ns, 2 * MS);
	CHECK(is_about(budget.offset_ns, 30 * MS, 1));
	CHECK_EQ(e.known[0].ends.lo.err_ns, MS);
	for (int64_t ahead = 100; ahead <= 200; ahead += 100) {
		add_source(1, ahead * MS, 3 * MS);
		CHECK(tick());
	}
	CHECK_EQ(e.known[0].contradictions, 3);
	CHECK_EQ(e.known[0].ends.lo.err_ns, 3 * MS);
	CHECK_EQ(e.known[0].ends.hi.err_ns, 3 * MS);
}

static void
nothing_is_told_where_nothing_is_known(void)
{
	start();
	CHECK(!tick());
	add_source(1, 0, MS);
	CHECK(tick());
	cb_estimate_forget(&e);
	CHECK(!cb_publish_budget(&e, &bound, &budget));
}

static int64_t
below(int64_t n)
{
	return random() % n;
}

/* A second or so, in which anything may come. */
static void
live_on(void)
{
	set_clocks(s.after.raw_hi + below(3 * S));
	s.after.raw_hi += below(2000);
	s.after.real += below(MS) - MS / 2;
	s.input = below(10) == 0 ? CB_INPUT_MISSING : CB_INPUT_SYNCHRONIZED;
	s.tracking.ref_time_ns += below(2);
	s.tracking.correction_ns.v = below(2 * MS) - MS;
	s.tracking.correction_ns.err = below(100);
	s.tracking.freq_ppb.v = below(2 * DRIFT) - DRIFT + below(2) * below(50);
	s.n_sources = 0;
	while (below(2) == 0 && s.n_sources < SOURCES) {
		struct cb_chrony_source *m = add_source((uint8_t)s.n_sources,
		    below(4 * MS) - 2 * MS, below(5 * MS));

		m->phc_err_ns = below(m->meas_err_ns + 1);
		m->since_sample_s = (uint32_t)below(20);
		m->mode = (uint16_t)below(3);
		m->state = (uint16_t)below(6);
	}
	if (below(100) == 0)
		cb_estimate_leap(&e);
	if (below(100) == 0)
		cb_estimate_forget(&e);
}

static void
parts_sum_up_whatever_happens(void)
{
	unsigned bounds = 0;

	for (int run = 0; run < RUNS; run++) {
		start();
		for (int i = 0; i < TICKS; i++) {
			live_on();
			if (!tick())
				continue;
			bounds++;
			CHECK(budget.drift_ns >= 0);
			CHECK(budget.measured->reading_ns >= 0);
			CHECK(budget.measured->raw <= s.after.raw_hi);
		}
	}
	CHECK(bounds > RUNS * TICKS / 2);
}

int
main(void)
{
	an_error_is_told_with_the_phcs_apart();
	drift_is_that_of_the_age();
	an_offset_is_from_the_clock_to_the_measurement();
	what_readers_are_owed_is_told();
	a_leap_second_is_told_apart();
	a_contradiction_is_of_both_measurements();
	nothing_is_told_where_nothing_is_known();
	parts_sum_up_whatever_happens();
	return test_done();
}
