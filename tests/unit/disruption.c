/* SPDX-License-Identifier: ISC */
/*
 * What may make untrue what was measured, one event at a time: the daemon's
 * disruption.c between clocks that are told what to show and a chronyd that
 * is told what to say.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cb-daemon.h"
#include "system.h"
#include "test.h"
#include "ts.h"

#define MS	INT64_C(1000000)
#define S	INT64_C(1000000000)

/* CLOCK_REALTIME - CLOCK_MONOTONIC_RAW: a while before the end of a June. */
#define JULY	(INT64_C(1814400000) * S)
#define BEFORE	(100 * S)
#define RAW	(1000 * S)
#define REAL	(JULY - BEFORE - RAW)

#define PAUSE	(10 * S)

/* What the stand-ins at the end say, and what was asked of them. */
static int64_t mono;
static bool stepped, answers, burst_answers, tells_sleep;
static int64_t stepped_by, slept_by;
static uint16_t answer, burst_answer;
static const char *clocksource;
static unsigned resets, bursts, warnings;
static int steps_fd;

static struct cb_vmclock_page page;
static struct cb_daemon d;

/* A daemon with an interval, an hour into its life. */
static void
begin(void)
{
	mono = 3600 * S;
	stepped = false;
	stepped_by = slept_by = 0;
	answers = burst_answers = tells_sleep = true;
	answer = burst_answer = 0;
	clocksource = "tsc";
	resets = bursts = warnings = 0;
	memset(&page, 0, sizeof(page));
	page.constant[0] = htole32(CB_VMCLOCK_MAGIC);
	page.constant[1] = htole32(sizeof(page));
	page.constant[2] = htole32(CB_VMCLOCK_VERSION);
	d = (struct cb_daemon){
		.options = { .interval_ns = 100 * MS,
		    .disruption_support = true },
		.watch = { .vmclock.page = &page, .steps_fd = 0 },
		.sample = { .input = CB_INPUT_SYNCHRONIZED, .n_sources = 1,
		    .after = { RAW, RAW, RAW, REAL + RAW, 0, 0 },
		    .tracking = { .ref_time_ns = 1 } }
	};
	d.sample.before = d.sample.told = d.sample.after;
	d.sample.sources[0] = (struct cb_chrony_source){
		.orig_meas = 1, .meas_err_ns = MS,
		.state = CB_CHRONY_SELECTED
	};
	cb_estimate_init(&d.estimate, 50000);
	cb_disruption_weigh(&d);
	cb_estimate_update(&d.estimate, &d.sample);
	CHECK(d.estimate.has_interval);
}

static void
pass(int64_t ns)
{
	struct cb_instant *i[] = {
		&d.sample.before, &d.sample.told, &d.sample.after
	};

	mono += ns;
	for (size_t k = 0; k < 3; k++) {
		i[k]->as_of += ns;
		i[k]->raw_lo += ns;
		i[k]->raw_hi += ns;
		i[k]->real += ns;
	}
}

/* A tick, without its questions and its answers. */
static void
tick(void)
{
	cb_disruption_look(&d);
	cb_disruption_act(&d);
	cb_disruption_weigh(&d);
	cb_estimate_update(&d.estimate, &d.sample);
}

static void
measure(void)
{
	d.sample.sources[0].orig_meas++;
	tick();
}

static void
disrupt(void)
{
	page.disruption_marker[0] = htole32(le32toh(
	    page.disruption_marker[0]) + 1);
}

/* What each source has now and its next two measurements are left out. */
static void
check_settles(void)
{
	for (int i = 0; i < 3; i++) {
		CHECK(!d.estimate.has_interval);
		measure();
	}
	CHECK(d.estimate.has_interval);
}

static int64_t
half(void)
{
	return (d.estimate.interval.hi - d.estimate.interval.lo) / 2;
}

/*
 * Disruptions
 */

static void
a_disruption_forgets_and_holds_until_chronyd_has_forgotten(void)
{
	begin();
	d.period.has_base = true;
	disrupt();
	answers = false;
	CHECK(cb_disruption_look(&d));
	CHECK_EQ(d.disruption, CB_DISRUPTION_DISRUPTED);
	CHECK_EQ(d.watch.marker, 1);
	CHECK(cb_estimate_is_empty(&d.estimate));
	CHECK(!d.period.has_base);
	CHECK(d.watch.gated);
	/* What it says before it has forgotten may be of before. */
	d.sample.tracking.ref_time_ns++;
	measure();
	d.sample.tracking.ref_time_ns++;
	measure();
	CHECK(!d.estimate.has_interval);
	CHECK(d.watch.gated);
	CHECK_EQ(d.disruption, CB_DISRUPTION_DISRUPTED);

	answers = true;
	mono += S;
	CHECK(cb_disruption_act(&d));
	CHECK_EQ(d.disruption, CB_DISRUPTION_RELIABLE);
	CHECK(!d.estimate.holding);
	CHECK(!cb_disruption_act(&d));
	CHECK_EQ(bursts, 1);
	CHECK_EQ(cb_disruption_due(&d), INT64_MAX);
}

/* chronyd forgets what it has measured, but not what is on its way to it. */
static void
a_refclock_settles_after_a_disruption(void)
{
	begin();
	disrupt();
	tick();
	measure();
	CHECK(d.estimate.has_interval);

	begin();
	d.sample.sources[0].mode = CB_CHRONY_REFCLOCK;
	measure();
	disrupt();
	tick();
	check_settles();
}

static void
a_chronyd_is_believed_once_it_has_changed_its_mind(void)
{
	begin();
	disrupt();
	tick();
	CHECK(d.watch.gated);
	tick();
	tick();
	CHECK(d.watch.gated);
	d.sample.tracking.ref_time_ns++;
	tick();
	CHECK(!d.watch.gated);

	/* A second one: what was heard after the first is no measure. */
	disrupt();
	d.sample.tracking.ref_time_ns++;
	tick();
	CHECK(d.watch.gated);
	d.sample.tracking.leap = CB_CHRONY_LEAP_UNSYNCHRONISED;
	tick();
	CHECK(!d.watch.gated);
}

static void
attempts_are_made_in_bundles_and_at_once_when_chronyd_is_back(void)
{
	begin();
	disrupt();
	answers = false;
	d.sample.input = CB_INPUT_MISSING;
	for (int i = 0; i < 30; i++) {
		tick();
		CHECK_EQ(resets, i + 1);
		/* Not before it is due. */
		CHECK(!cb_disruption_act(&d));
		CHECK_EQ(resets, i + 1);
		if (i < 29)
			mono = cb_disruption_due(&d);
	}
	CHECK_EQ(cb_disruption_due(&d), mono + PAUSE);
	tick();
	CHECK_EQ(resets, 30);
	answers = true;
	d.sample.input = CB_INPUT_SYNCHRONIZED;
	tick();
	tick();
	CHECK_EQ(resets, 31);
	CHECK_EQ(bursts, 1);
	CHECK_EQ(d.disruption, CB_DISRUPTION_RELIABLE);
}

static void
each_disruption_and_each_question_has_attempts_of_its_own(void)
{
	begin();
	disrupt();
	answers = false;
	for (int i = 0; i < 29; i++) {
		tick();
		mono = cb_disruption_due(&d);
	}
	disrupt();
	tick();
	CHECK_EQ(cb_disruption_due(&d), mono + 5 * MS);
	/* Nor is it put off by the pause that another one has come to. */
	d.watch.due_mono = mono + PAUSE;
	d.watch.attempts = 29;
	disrupt();
	tick();
	CHECK_EQ(resets, 31);

	d.watch.attempts = 29;
	mono = cb_disruption_due(&d);
	answers = true;
	burst_answer = 2;
	tick();
	CHECK_EQ(bursts, 1);
	CHECK_EQ(d.watch.phase, CB_PHASE_BURST);
	CHECK_EQ(cb_disruption_due(&d), mono + 100 * MS);
}

static void
what_is_refused_is_asked_for_again(void)
{
	begin();
	disrupt();
	answer = 2;
	tick();
	CHECK_EQ(resets, 1);
	CHECK_EQ(bursts, 0);
	CHECK_EQ(d.disruption, CB_DISRUPTION_DISRUPTED);
	/* It has answered all the while: there is no hurry. */
	d.watch.was_missing = true;
	tick();
	tick();
	CHECK_EQ(resets, 2);
	tick();
	CHECK_EQ(resets, 2);
	answer = 0;
	burst_answer = CB_CHRONY_STATUS_NO_SOURCE;
	mono = cb_disruption_due(&d);
	tick();
	CHECK_EQ(bursts, 1);
	CHECK_EQ(d.watch.phase, CB_PHASE_NONE);
}

/*
 * Clocks
 */

static void
after_a_step_the_interval_stands_and_sources_settle(void)
{
	struct cb_interval was;

	begin();
	d.period.has_base = true;
	was = d.estimate.interval;
	stepped = true;
	stepped_by = 3 * S;
	/* A measurement that would cut it. */
	d.sample.sources[0].meas_err_ns = 0;
	for (int i = 0; i < 3; i++) {
		measure();
		/* And back. */
		d.sample.after.real -= stepped_by;
		stepped_by = 0;
		CHECK_EQ(d.estimate.interval.lo, was.lo);
		CHECK_EQ(d.estimate.interval.hi, was.hi);
	}
	CHECK_EQ(bursts, 0);
	measure();
	CHECK(d.estimate.interval.lo > was.lo);
	CHECK(d.period.has_base);
}

static void
a_step_after_the_last_reading_is_read_once_more(void)
{
	int64_t real;

	begin();
	real = d.sample.after.real;
	stepped_by = 3 * S;
	cb_disruption_weigh(&d);
	CHECK_EQ(d.sample.after.real, real);
	stepped = true;
	cb_disruption_weigh(&d);
	CHECK_EQ(d.sample.after.real, real + 3 * S);
}

/* Without a timer that tells: farther than any slew since the last tick. */
static void
a_step_that_nothing_tells_of_is_seen_by_the_tick(void)
{
	begin();
	d.watch.steps_fd = -1;
	pass(100 * MS);
	d.sample.after.real += 9 * MS;
	tick();
	CHECK_EQ(d.counts.steps, 0);
	pass(100 * MS);
	d.sample.after.real -= 11 * MS;
	tick();
	CHECK_EQ(d.counts.steps, 1);
	CHECK_EQ(d.counts.sleeps, 0);
	CHECK(d.estimate.has_interval);
	tick();
	CHECK_EQ(d.counts.steps, 1);
}

/* With clocks that sleep as the machine does, only a step is seen of it. */
static void
a_step_may_have_been_a_sleep(void)
{
	begin();
	tells_sleep = false;
	d.watch.steps_fd = -1;
	tick();
	CHECK(d.estimate.has_interval);
	pass(100 * MS);
	d.sample.after.real += 3 * S;
	tick();
	CHECK(!d.estimate.has_interval);
	CHECK_EQ(d.counts.sleeps, 1);
}

static void
a_sleep_is_told_before_it_is_handled(void)
{
	begin();
	CHECK(!cb_disruption_has_slept(&d, false));
	d.sample.after.asleep += 2 * MS;
	CHECK(cb_disruption_has_slept(&d, false));
	cb_disruption_weigh(&d);
	CHECK(!cb_disruption_has_slept(&d, false));
}

/* The kernel took it for none at all, and has not moved the clock. */
static void
a_short_sleep_is_not_taken_for_a_step(void)
{
	begin();
	stepped = true;
	tick();
	CHECK(!d.estimate.has_interval);
	CHECK_EQ(d.counts.sleeps, 1);
	CHECK_EQ(d.counts.steps, 0);

	/* A slew may have moved it; a step moves it farther than any slew. */
	begin();
	pass(100 * MS);
	d.sample.after.real += 11 * MS;
	CHECK(!cb_disruption_has_slept(&d, true));
	d.sample.after.real -= 2 * MS;
	CHECK(cb_disruption_has_slept(&d, true));
	/* What was seen before the tick is not undone by a step since. */
	stepped = true;
	d.sample.after.real += 3 * S;
	tick();
	CHECK(!d.estimate.has_interval);
	CHECK_EQ(d.counts.sleeps, 1);

	/* It took it for half a millisecond, just after a tick. */
	begin();
	pass(MS);
	d.sample.after.real += 500000;
	d.sample.after.asleep += 500000;
	CHECK(!cb_disruption_has_slept(&d, false));
	CHECK(cb_disruption_has_slept(&d, true));

	/* For microseconds, and the tick was microseconds ago. */
	begin();
	pass(10000);
	d.sample.after.real += 6200;
	d.sample.after.asleep += 6200;
	CHECK(cb_disruption_has_slept(&d, true));
}

static void
a_sleep_and_another_clocksource_leave_nothing(void)
{
	begin();
	d.period.has_base = true;
	d.sample.after.asleep += 2 * MS;
	tick();
	CHECK(!d.period.has_base);
	/* Readers come first. */
	CHECK_EQ(bursts, 0);
	CHECK_EQ(cb_disruption_due(&d), mono);
	check_settles();
	CHECK_EQ(bursts, 1);
	/* Less than was seen is no sleep. */
	d.sample.after.asleep -= 2 * MS;
	tick();
	d.sample.after.asleep += 2 * MS;
	tick();
	CHECK(d.estimate.has_interval);

	d.watch.attempts = 29;
	burst_answer = 2;
	clocksource = "hpet";
	d.period.has_base = true;
	pass(S);
	tick();
	CHECK(!d.estimate.has_interval);
	CHECK(!d.period.has_base);
	tick();
	CHECK_EQ(bursts, 2);
	CHECK_EQ(cb_disruption_due(&d), mono + 100 * MS);
}

static void
no_burst_amid_a_reset(void)
{
	begin();
	disrupt();
	answers = false;
	tick();
	d.sample.after.asleep += S;
	tick();
	CHECK_EQ(d.watch.phase, CB_PHASE_RESET);
	CHECK_EQ(bursts, 0);
}

/*
 * Leap seconds
 */

/* UTC will be so far from July by the daemon's clocks, in a while. */
static void
pass_until(int64_t before_july)
{
	pass(JULY - before_july - d.sample.after.real);
}

static void
announce(enum cb_chrony_leap leap)
{
	begin();
	d.sample.tracking.leap = (uint16_t)leap;
	tick();
	CHECK(!d.watch.leaping);
}

/* It begins in time, whatever the interval of the ticks, and ends. */
static void
check_leap(void)
{
	pass_until(2 * S + 2 * d.options.interval_ns + 10 * MS);
	tick();
	CHECK(!d.watch.leaping);
	CHECK(half() < S);
	pass_until(2 * S + 2 * d.options.interval_ns);
	tick();
	CHECK(d.watch.leaping);
	CHECK(half() > S);
	/* Nothing is converted, and it is widened once. */
	d.sample.sources[0].meas_err_ns = 0;
	measure();
	pass(S);
	measure();
	CHECK(half() > S && half() < S + 10 * MS);
	CHECK(d.estimate.interval.lo + RAW < REAL + RAW - S);
	CHECK(d.estimate.interval.hi + RAW > REAL + RAW + S);

	/* The earliest that it can be is a second less. */
	pass_until(-6 * S);
	measure();
	CHECK(d.watch.leaping);
	pass_until(-6 * S - 20 * MS);
	d.sample.tracking.leap = CB_CHRONY_LEAP_NORMAL;
	for (int i = 0; i < 3; i++) {
		measure();
		CHECK(half() > S);
	}
	measure();
	CHECK(!d.watch.leaping);
	CHECK(half() < S);
}

static void
a_leap_second_is_covered_from_before_it_until_after_it(void)
{
	announce(CB_CHRONY_LEAP_INSERT);
	check_leap();
	announce(CB_CHRONY_LEAP_DELETE);
	check_leap();
	announce(CB_CHRONY_LEAP_INSERT);
	d.options.interval_ns = 5 * S;
	check_leap();
}

static void
the_last_word_on_a_leap_second_counts(void)
{
	/* chronyd is gone when it comes; or has lost its sources. */
	announce(CB_CHRONY_LEAP_INSERT);
	d.sample.input = CB_INPUT_MISSING;
	d.sample.tracking.leap = CB_CHRONY_LEAP_NORMAL;
	tick();
	pass_until(S);
	tick();
	CHECK(d.watch.leaping);

	announce(CB_CHRONY_LEAP_INSERT);
	d.sample.tracking.leap = CB_CHRONY_LEAP_UNSYNCHRONISED;
	tick();
	pass_until(S);
	tick();
	CHECK(d.watch.leaping);

	announce(CB_CHRONY_LEAP_INSERT);
	d.sample.tracking.leap = CB_CHRONY_LEAP_NORMAL;
	tick();
	pass_until(S);
	tick();
	CHECK(!d.watch.leaping);

	/* It is said once, by whom nothing is heard any more. */
	announce(CB_CHRONY_LEAP_INSERT);
	pass_until(S);
	tick();
	d.sample.input = CB_INPUT_MISSING;
	pass_until(-10 * S);
	tick();
	tick();
	CHECK(!d.watch.leaping);

	/* A daemon that was stopped meanwhile hears of it no more. */
	announce(CB_CHRONY_LEAP_INSERT);
	d.sample.tracking.leap = CB_CHRONY_LEAP_NORMAL;
	CHECK(!cb_disruption_owes_leap(&d));
	pass_until(-60 * S);
	CHECK(cb_disruption_owes_leap(&d));
	tick();
	CHECK(!cb_disruption_owes_leap(&d));
	CHECK(d.watch.leaping);
	CHECK(half() > S);
	tick();
	CHECK(!d.watch.leaping);
	CHECK(half() > S);
}

/* Any of the clocks may be first, and any of them last. */
static void
a_leap_second_is_told_by_all_clocks(void)
{
	announce(CB_CHRONY_LEAP_INSERT);
	pass_until(10 * S);
	d.sample.tracking.correction_ns.v = 9 * S;
	tick();
	tick();
	CHECK(d.watch.leaping);

	announce(CB_CHRONY_LEAP_INSERT);
	pass_until(10 * S);
	d.estimate.known[0].ends.interval.hi += 9 * S;
	tick();
	tick();
	CHECK(d.watch.leaping);

	announce(CB_CHRONY_LEAP_INSERT);
	pass_until(10 * S);
	d.sample.after.real += 9 * S;
	d.sample.tracking.correction_ns.v = -9 * S;
	tick();
	CHECK(d.watch.leaping);

	/* The clock was set ahead: true time is the last to come to it. */
	announce(CB_CHRONY_LEAP_INSERT);
	pass_until(-20 * S);
	d.sample.input = CB_INPUT_MISSING;
	d.estimate.known[0].ends.interval.lo -= 100 * S;
	tick();
	CHECK(d.watch.leaping);
	tick();
	tick();
	CHECK(d.watch.leaping);
}

/* A daemon that starts amid it finds it in what chronyd still says. */
static void
a_leap_second_that_has_just_been(void)
{
	begin();
	pass_until(-S);
	d.sample.tracking.leap = CB_CHRONY_LEAP_INSERT;
	tick();
	CHECK(d.watch.leaping);
	begin();
	pass_until(-6 * S);
	d.sample.tracking.leap = CB_CHRONY_LEAP_INSERT;
	tick();
	CHECK(!d.watch.leaping);
}

static void
a_leap_second_amid_a_disruption(void)
{
	announce(CB_CHRONY_LEAP_INSERT);
	pass_until(S);
	tick();
	disrupt();
	tick();
	CHECK_EQ(resets, 1);
	CHECK(d.estimate.holding);
	answers = false;
	disrupt();
	pass_until(-10 * S);
	tick();
	CHECK(!d.watch.leaping);
	CHECK(d.estimate.holding);
	answers = true;
	mono += S;
	tick();
	CHECK(!d.estimate.holding);
}

/*
 * SIGUSR1 says that the clock may jump until SIGUSR2: what is measured between
 * the two, which chronyd is free to do once it has forgotten, is of before.
 */
static void
what_was_measured_amid_a_forced_disruption_is_not_used_after_it(void)
{
	begin();
	d.asked_to_disrupt = true;
	tick();
	measure();
	measure();
	CHECK_EQ(d.disruption, CB_DISRUPTION_DISRUPTED);
	/* The clock jumps here, and then SIGUSR2 tells that it is over. */
	d.asked_to_end = true;
	cb_disruption_look(&d);
	CHECK(cb_estimate_is_empty(&d.estimate));
	CHECK(d.watch.gated);
}

/* Both wait while a tick is under way: which was the last is not known. */
static void
a_forced_disruption_that_follows_the_end_of_another(void)
{
	begin();
	d.asked_to_disrupt = true;
	tick();
	d.asked_to_end = true;		/* SIGUSR2, and then SIGUSR1 */
	d.asked_to_disrupt = true;
	tick();
	CHECK_EQ(d.disruption, CB_DISRUPTION_DISRUPTED);
}

/* The machine sleeps between the last reading and the look at the timer. */
static void
a_sleep_after_the_last_reading_is_not_taken_for_a_step(void)
{
	begin();
	stepped = true;
	slept_by = 2 * S;
	tick();
	CHECK(!d.estimate.has_interval);
}

static void
a_generation_that_goes_and_comes_back_another_one(void)
{
	begin();
	page.word[6] = htole32(CB_VMCLOCK_VM_GEN_COUNTER_PRESENT);
	page.word[26] = htole32(41);
	tick();
	page.word[6] = 0;
	tick();
	page.word[6] = htole32(CB_VMCLOCK_VM_GEN_COUNTER_PRESENT);
	page.word[26] = htole32(42);
	tick();
	CHECK_EQ(resets, 1);
	page.word[26] = htole32(43);
	tick();
	CHECK_EQ(resets, 2);
}

static void
a_marker_has_64_bits(void)
{
	begin();
	page.disruption_marker[1] = htole32(1);
	tick();
	CHECK_EQ(resets, 1);
	CHECK(d.watch.marker == UINT64_C(1) << 32);
}

static void
an_unreliable_vmclock_is_told_at_once_and_resets_nothing(void)
{
	begin();
	CHECK(!cb_disruption_look(&d));
	page.word[8] = htole32(CB_VMCLOCK_UNRELIABLE << 16);
	CHECK(cb_disruption_look(&d));
	CHECK_EQ(d.disruption, CB_DISRUPTION_UNKNOWN);
	CHECK(!cb_disruption_look(&d));
	page.word[8] = 0;
	CHECK(cb_disruption_look(&d));
	CHECK_EQ(d.disruption, CB_DISRUPTION_RELIABLE);
	page.seq_count = htole32(1);
	CHECK(cb_disruption_look(&d));
	CHECK_EQ(d.disruption, CB_DISRUPTION_UNKNOWN);
	CHECK_EQ(resets, 0);
}

/* It may come before the first one, or after it is over. */
static void
an_end_without_a_beginning_is_none(void)
{
	begin();
	d.asked_to_end = true;
	CHECK(!cb_disruption_look(&d));
	CHECK(d.estimate.has_interval);
	CHECK_EQ(d.disruption, CB_DISRUPTION_RELIABLE);
}

/* gmtime(3) counts leap seconds where the time zone's file has them. */
static void
a_leap_second_in_a_time_zone_that_counts_them(void)
{
	setenv("TZ", "right/UTC", 1);
	tzset();
	announce(CB_CHRONY_LEAP_INSERT);
	pass_until(S);
	tick();
	CHECK(d.watch.leaping);
	unsetenv("TZ");
	tzset();
}

static void
what_a_vmclock_announces_is_told_once(void)
{
	static const struct {
		uint64_t flags;
		unsigned warnings;
	} rows[] = {
		{ CB_VMCLOCK_DISRUPTION_SOON, 1 },
		{ CB_VMCLOCK_DISRUPTION_SOON, 1 },
		{ CB_VMCLOCK_DISRUPTION_SOON |
		    CB_VMCLOCK_DISRUPTION_IMMINENT, 2 },
		{ 0, 2 },
		{ CB_VMCLOCK_DISRUPTION_IMMINENT, 3 }
	};

	begin();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		page.word[6] = htole32((uint32_t)rows[i].flags);
		tick();
		CHECK_EQ(warnings, rows[i].warnings);
	}
	CHECK(d.estimate.has_interval);
}

static void
without_support_nothing_is_heeded(void)
{
	begin();
	d.options.disruption_support = false;
	disrupt();
	CHECK(!cb_disruption_look(&d));
	d.asked_to_disrupt = true;
	CHECK(!cb_disruption_look(&d));
	d.asked_to_end = true;
	CHECK(!cb_disruption_look(&d));
	/* That they are ignored is told. */
	CHECK_EQ(warnings, 2);
	CHECK(d.estimate.has_interval);
	CHECK_EQ(resets, 0);
}

static void
a_vmclock_that_is_gone_is_unreliable(void)
{
	begin();
	d.watch.vmclock.page = NULL;
	CHECK(cb_disruption_look(&d));
	CHECK_EQ(d.disruption, CB_DISRUPTION_UNKNOWN);
}

/* The first of them was there for whoever sent both. */
static void
a_forced_disruption_that_is_over_at_once(void)
{
	begin();
	d.asked_to_disrupt = d.asked_to_end = true;
	CHECK(cb_disruption_look(&d));
	CHECK(cb_estimate_is_empty(&d.estimate));
	tick();
	CHECK_EQ(resets, 1);
	CHECK_EQ(d.disruption, CB_DISRUPTION_RELIABLE);
}

static void
a_clocksource_that_is_not_told_is_no_other(void)
{
	begin();
	tick();
	for (int i = 0; i < 2; i++) {
		clocksource = i == 0 ? NULL : "tsc";
		pass(S);
		tick();
		CHECK(d.estimate.has_interval);
	}
}

static void
before_the_first_reading_there_is_no_step_to_be_seen(void)
{
	begin();
	d.watch.steps_fd = -1;
	d.estimate.has_last = false;
	d.sample.after.real += 3 * S;
	cb_disruption_weigh(&d);
	CHECK_EQ(d.counts.steps, 0);
	/* Nor one that would have been a sleep. */
	CHECK(!cb_disruption_has_slept(&d, true));
}

static void
a_chronyd_that_was_gone_owes_nothing(void)
{
	begin();
	d.sample.input = CB_INPUT_MISSING;
	tick();
	d.sample.input = CB_INPUT_SYNCHRONIZED;
	tick();
	CHECK_EQ(resets + bursts, 0);
	CHECK_EQ(cb_disruption_due(&d), INT64_MAX);
}

static void
a_burst_that_is_not_answered_is_asked_for_again(void)
{
	begin();
	disrupt();
	burst_answers = false;
	tick();
	CHECK_EQ(resets, 1);
	CHECK_EQ(d.watch.phase, CB_PHASE_BURST);
	CHECK_EQ(cb_disruption_due(&d), mono + 100 * MS);
	burst_answers = true;
	mono = cb_disruption_due(&d);
	tick();
	CHECK_EQ(resets, 1);
	CHECK_EQ(d.watch.phase, CB_PHASE_NONE);
}

/*
 * Files
 */

static void
write_last(uint8_t support, clockbound_clock_status status)
{
	const struct cb_shm_v2 v2 = { .disruption_support = support,
		.disruption_marker = 7, .clock_status = (int32_t)status };

	cb_shm_write(&d.writer, &v2);
}

static void
a_disruption_that_the_last_run_did_not_handle_is_handled(void)
{
	static const struct {
		const char *name;
		bool has_support, had_support;
		clockbound_clock_status status;
		uint64_t marker;
		enum cb_phase phase;
	} rows[] = {
		{ "handled", true, true, CLOCKBOUND_STA_SYNCHRONIZED, 7,
		    CB_PHASE_NONE },
		{ "not handled", true, true, CLOCKBOUND_STA_DISRUPTED, 7,
		    CB_PHASE_RESET },
		{ "it watched none", true, false, CLOCKBOUND_STA_DISRUPTED, 0,
		    CB_PHASE_NONE },
		{ "none is watched", false, true, CLOCKBOUND_STA_DISRUPTED, 0,
		    CB_PHASE_NONE },
		{ "nothing that it wrote", true, true,
		    (clockbound_clock_status)77, 0, CB_PHASE_NONE }
	};
	const char *what;
	pid_t holder;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		test_row = rows[i].name;
		begin();
		if (!CHECK(cb_shm_write_open(&d.writer, ".", &what, &holder)))
			return;
		d.options.vmclock = "vmclock";
		d.options.disruption_support = rows[i].has_support;
		write_last(rows[i].had_support, rows[i].status);
		steps_fd = i == 0 ? -1 : open("/dev/null", O_RDONLY);
		cb_disruption_open(&d);
		/* What cannot be told of at once is told of now. */
		CHECK_EQ(warnings, (i == 0) +
		    (rows[i].phase == CB_PHASE_RESET));
		CHECK(d.watch.marker == rows[i].marker);
		CHECK_EQ(d.watch.phase, rows[i].phase);
		CHECK_EQ(cb_estimate_is_empty(&d.estimate),
		    rows[i].phase == CB_PHASE_RESET);
		d.watch.vmclock.page = NULL;
		cb_disruption_close(&d);
		CHECK_EQ(fcntl(steps_fd, F_GETFD), -1);
		cb_shm_write_close(&d.writer);
	}
	test_row = "";
	unlink("shm0");
	unlink("shm1");
	unlink("lock");
}

static void
a_vmclock_is_followed_to_whatever_has_its_name(void)
{
	struct cb_vmclock_abi abi = { .magic = htole32(CB_VMCLOCK_MAGIC),
		.size = htole32(sizeof(abi)),
		.version = htole16(CB_VMCLOCK_VERSION) };
	const struct cb_vmclock_page *first;

	begin();
	d.watch.vmclock.page = NULL;
	d.watch.notify_fd = -1;
	d.options.vmclock = "vmclock";
	cb_disruption_follow(&d);
	CHECK(d.watch.vmclock.page == NULL);
	CHECK(cb_vmclock_create("vmclock", &abi));
	d.options.disruption_support = false;
	cb_disruption_follow(&d);
	CHECK(d.watch.vmclock.page == NULL);
	d.options.disruption_support = true;
	cb_disruption_follow(&d);
	first = d.watch.vmclock.page;
	CHECK(first != NULL);
	cb_disruption_follow(&d);
	CHECK(d.watch.vmclock.page == first);
	CHECK(!cb_disruption_look(&d));
	abi.disruption_marker = htole64(1);
	CHECK(cb_vmclock_create("vmclock", &abi));
	CHECK(!cb_disruption_look(&d));
	cb_disruption_follow(&d);
	CHECK(cb_disruption_look(&d));
	unlink("vmclock");
	cb_disruption_follow(&d);
	CHECK(d.watch.vmclock.page == NULL);
	cb_disruption_close(&d);
}

int
main(void)
{
	char dir[] = "/tmp/cb-disruption.XXXXXX";

	if (!CHECK(mkdtemp(dir) != NULL) || !CHECK(chdir(dir) == 0))
		return test_done();
	a_disruption_forgets_and_holds_until_chronyd_has_forgotten();
	a_refclock_settles_after_a_disruption();
	a_chronyd_is_believed_once_it_has_changed_its_mind();
	attempts_are_made_in_bundles_and_at_once_when_chronyd_is_back();
	each_disruption_and_each_question_has_attempts_of_its_own();
	what_is_refused_is_asked_for_again();
	after_a_step_the_interval_stands_and_sources_settle();
	a_step_after_the_last_reading_is_read_once_more();
	a_step_that_nothing_tells_of_is_seen_by_the_tick();
	a_step_may_have_been_a_sleep();
	a_sleep_is_told_before_it_is_handled();
	a_short_sleep_is_not_taken_for_a_step();
	a_sleep_and_another_clocksource_leave_nothing();
	no_burst_amid_a_reset();
	a_leap_second_is_covered_from_before_it_until_after_it();
	the_last_word_on_a_leap_second_counts();
	a_leap_second_is_told_by_all_clocks();
	a_leap_second_that_has_just_been();
	a_leap_second_amid_a_disruption();
	what_was_measured_amid_a_forced_disruption_is_not_used_after_it();
	a_forced_disruption_that_follows_the_end_of_another();
	a_sleep_after_the_last_reading_is_not_taken_for_a_step();
	a_generation_that_goes_and_comes_back_another_one();
	a_marker_has_64_bits();
	an_unreliable_vmclock_is_told_at_once_and_resets_nothing();
	an_end_without_a_beginning_is_none();
	a_leap_second_in_a_time_zone_that_counts_them();
	what_a_vmclock_announces_is_told_once();
	without_support_nothing_is_heeded();
	a_vmclock_that_is_gone_is_unreliable();
	a_forced_disruption_that_is_over_at_once();
	a_clocksource_that_is_not_told_is_no_other();
	before_the_first_reading_there_is_no_step_to_be_seen();
	a_chronyd_that_was_gone_owes_nothing();
	a_burst_that_is_not_answered_is_asked_for_again();
	a_disruption_that_the_last_run_did_not_handle_is_handled();
	a_vmclock_is_followed_to_whatever_has_its_name();
	CHECK(rmdir(dir) == 0);
	return test_done();
}

/*
 * What stands in for clocks.c, source.c and log.c.
 */

/* CLOCK_REALTIME after the step. */
void
cb_clocks_read(struct cb_instant *now)
{
	*now = d.sample.after;
	now->real += stepped_by;
	now->asleep += slept_by;
}

int64_t
cb_clocks_mono(void)
{
	return mono;
}

int
cb_clocks_open_steps(void)
{
	return steps_fd;
}

int64_t
cb_clocks_steer(void)
{
	return 0;
}

bool
cb_clocks_tell_sleep(void)
{
	return tells_sleep;
}

bool
cb_clocks_was_stepped(int fd)
{
	bool was = stepped;

	(void)fd;
	stepped = false;
	return was;
}

bool
cb_clocks_source(char *name, size_t size)
{
	if (clocksource == NULL)
		return false;
	snprintf(name, size, "%s", clocksource);
	return true;
}

bool
cb_source_command(struct cb_daemon *daemon, enum cb_chrony_command command,
    uint16_t *status)
{
	(void)daemon;
	resets += command == CB_CHRONY_RESET_SOURCES;
	bursts += command == CB_CHRONY_BURST;
	*status = command == CB_CHRONY_BURST ? burst_answer : answer;
	return answers && (command != CB_CHRONY_BURST || burst_answers);
}

void
cb_log_info(const char *format, ...)
{
	(void)format;
}

void
cb_log_warn(const char *format, ...)
{
	(void)format;
	warnings++;
}
