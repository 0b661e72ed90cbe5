/* SPDX-License-Identifier: ISC */
/*
 * cb-status's judgement, row by row: facts go in, how bad it is and the words
 * for it come out.  And the figures that stand in those words.
 */
#include <errno.h>
#include <string.h>

#include "cb-status.h"
#include "test.h"
#include "ts.h"

#define MS	INT64_C(1000000)
#define SEC	CB_NS_PER_S

static const struct cb_paths paths = {
	.vmclock = "/dev/vmclock0",
	.shm = "/run/shm0",
	.observe = "/run/observe"
};
/* Of a directory, in which version 3 has answered, or version 2 for it. */
static const struct cb_paths counted = {
	.vmclock = "/dev/vmclock0",
	.shm = "/run/shm1",
	.other = "/run/shm0",
	.observe = "/run/observe"
};
static const struct cb_paths stood_in = {
	.vmclock = "/dev/vmclock0",
	.shm = "/run/shm0",
	.other = "/run/shm1",
	.observe = "/run/observe"
};
static struct cb_facts facts;
static struct cb_verdict verdict;
static const struct cb_limits no_limits = { CB_NONE, CB_NONE };

static void
check_text(const char *got, const char *expected)
{
	if (!CHECK(strcmp(got, expected) == 0))
		fprintf(stderr, "\tgot      %s\n\texpected %s\n", got,
		    expected);
}

/* All is well: a server, whose measurement of 100 ms ago has 1 ms. */
static void
begin(const char *row)
{
	struct cb_observed *o = &facts.observed;

	test_row = row;
	memset(&facts, 0, sizeof(facts));
	facts.paths = &paths;
	facts.segment.bound.status = CLOCKBOUND_STA_SYNCHRONIZED;
	facts.segment.bound.bound_ns = MS;
	facts.segment.status = CLOCKBOUND_STA_SYNCHRONIZED;
	facts.segment.half_ns = MS + 5000;
	facts.segment.age_ns = 100 * MS;
	facts.real_ns = 1800000000 * SEC;
	o->pid = 42;
	o->interval_ns = 100 * MS;
	o->max_drift_ppb = 50000;
	strcpy(o->method, "chrony");
	strcpy(o->status, "synchronized");
	strcpy(o->phase, "none");
	o->answered = o->has_report = true;
	strcpy(o->ref_id, "C0000201");
	strcpy(o->leap, "normal");
	o->ref_time_ns = facts.real_ns - 70 * SEC;
	o->n_sources = 1;
	strcpy(o->sources[0].name, "192.0.2.1");
	strcpy(o->sources[0].mode, "server");
	o->budget.is_known = true;
	strcpy(o->budget.source, "192.0.2.1");
	o->budget.bound_ns = MS;
	o->budget.poll = 6;
	o->budget.age_ns = 12 * SEC;
	o->budget.parts[CB_PART_DRIFT] = 600000;
	o->budget.parts[CB_PART_ERROR] = 400000;
}

static void
expect_within(const struct cb_limits *l, enum cb_severity severity,
    const char *line)
{
	char got[CB_LINE];

	cb_judge(&facts, l, &verdict);
	CHECK_EQ(verdict.severity, severity);
	cb_judge_line(&facts, &verdict, got);
	check_text(got, line);
}

static void
expect(enum cb_severity severity, const char *line)
{
	expect_within(&no_limits, severity, line);
}

/* As well by version 3, with 0.1 ms; the clock is 1 ms off. */
static void
begin_counted(const char *row)
{
	struct cb_budget *b = &facts.observed.shm1_budget;

	begin(row);
	facts.paths = &counted;
	facts.other = facts.segment;
	facts.segment.bound.is_counted = true;
	facts.segment.bound.bound_ns = b->bound_ns = MS / 10;
	facts.segment.half_ns = MS / 10 + 5000;
	b->is_known = true;
	strcpy(b->source, "192.0.2.1");
	b->poll = 6;
	b->age_ns = SEC;
	b->parts[CB_PART_OFFSET] = -20000;
	b->parts[CB_PART_DRIFT] = 70000;
	b->parts[CB_PART_ERROR] = 50000;
}

static void
fail(clockbound_err_kind kind, int error)
{
	facts.segment.fault = kind;
	facts.segment.sys_errno = error;
	facts.answer = CB_ANSWER_ABSENT;
}

static void
a_segment_that_cannot_be_used_is_named_for_what_it_is(void)
{
	char text[80];

	begin("well");
	expect(CB_OK, "synchronized, within 1.01 ms of true time");
	begin("none");
	fail(CLOCKBOUND_ERR_SYSCALL, ENOENT);
	expect(CB_CRITICAL, "there is no segment /run/shm0; start cb-daemon, "
	    "or name its run directory with --shm");
	begin("a socket");
	fail(CLOCKBOUND_ERR_SYSCALL, ENOENT);
	facts.is_odd = true;
	expect(CB_CRITICAL, "/run/shm0 is not a file; name the run directory "
	    "with --shm");
	begin("no directory");
	fail(CLOCKBOUND_ERR_SYSCALL, ENOTDIR);
	expect(CB_CRITICAL, "there can be no segment /run/shm0: its directory "
	    "is none; name the run directory with --shm");
	begin("no right");
	fail(CLOCKBOUND_ERR_SYSCALL, EACCES);
	expect(CB_UNKNOWN, "cannot open /run/shm0: Permission denied; let "
	    "this user read it: mode 644, in directories of mode 755");
	begin("no memory");
	fail(CLOCKBOUND_ERR_SYSCALL, ENOMEM);
	snprintf(text, sizeof(text), "cannot open /run/shm0: %s",
	    strerror(ENOMEM));
	expect(CB_UNKNOWN, text);
	begin("not written to");
	fail(CLOCKBOUND_ERR_SEGMENT_NOT_INITIALIZED, 0);
	expect(CB_CRITICAL, "/run/shm0 is not a segment that a daemon has "
	    "written to; start cb-daemon, which replaces it");
	begin("no file");
	fail(CLOCKBOUND_ERR_SEGMENT_NOT_INITIALIZED, 0);
	facts.is_odd = true;
	expect(CB_CRITICAL, "/run/shm0 is not a segment that a daemon has "
	    "written to; name the run directory with --shm");
	begin("malformed");
	fail(CLOCKBOUND_ERR_SEGMENT_MALFORMED, 0);
	expect(CB_CRITICAL, "/run/shm0 is a malformed segment; start "
	    "cb-daemon, which replaces it");
	begin("another version");
	fail(CLOCKBOUND_ERR_SEGMENT_VERSION_NOT_SUPPORTED, 0);
	expect(CB_CRITICAL, "/run/shm0 is a segment of a version that is not "
	    "known here; ask with the tools that came with its daemon");
	begin("the clock went back");
	fail(CLOCKBOUND_ERR_CAUSALITY_BREACH, 0);
	facts.segment.age_ns = -90 * SEC;
	expect(CB_CRITICAL, "/run/shm0 is 90.0 s ahead of CLOCK_MONOTONIC: "
	    "that went back, or is another time namespace's; start "
	    "cb-daemon, here and now");
	begin("before the boot");
	fail(CLOCKBOUND_ERR_CAUSALITY_BREACH, 0);
	facts.is_older_boots = true;
	expect(CB_CRITICAL, "/run/shm0 is from before the last boot; start "
	    "cb-daemon, here and now");
}

static void
age(enum cb_answer answer, clockbound_clock_status status)
{
	facts.segment.age_ns = 12 * SEC;
	facts.segment.status = status;
	facts.answer = answer;
	strcpy(facts.trouble, "no answer in time");
}

static void
a_segment_that_nobody_writes_is_critical(void)
{
	begin("dead");
	age(CB_ANSWER_REFUSED, CLOCKBOUND_STA_FREE_RUNNING);
	expect(CB_CRITICAL, "nobody has written to /run/shm0 for 12.0 s: "
	    "cb-daemon is not running; start cb-daemon");
	begin("dead, and unknown by now");
	age(CB_ANSWER_ABSENT, CLOCKBOUND_STA_UNKNOWN);
	expect(CB_CRITICAL, "nobody has written to /run/shm0 for 12.0 s: "
	    "cb-daemon is not running; start cb-daemon");
	begin("stopped");
	age(CB_ANSWER_BROKEN, CLOCKBOUND_STA_FREE_RUNNING);
	expect(CB_CRITICAL, "nobody has written to /run/shm0 for 12.0 s: "
	    "cb-daemon is stopped or stuck; continue it (SIGCONT), or "
	    "restart it");
	begin("elsewhere");
	age(CB_ANSWER_GOOD, CLOCKBOUND_STA_FREE_RUNNING);
	expect(CB_CRITICAL, "nobody has written to /run/shm0 for 12.0 s, but "
	    "cb-daemon (pid 42) answers; name its run directory with --shm, "
	    "or restart it");
	begin("before the boot, by its date");
	age(CB_ANSWER_ABSENT, CLOCKBOUND_STA_FREE_RUNNING);
	facts.is_older_boots = true;
	expect(CB_CRITICAL, "/run/shm0 is from before the last boot; start "
	    "cb-daemon");
	begin("another segment's daemon");
	age(CB_ANSWER_OTHER, CLOCKBOUND_STA_FREE_RUNNING);
	expect(CB_CRITICAL, "nobody has written to /run/shm0 for 12.0 s, and "
	    "the cb-daemon that answers speaks of another segment; name its "
	    "run directory with --shm, or restart it");
	begin("a slow daemon's");
	facts.segment.age_ns = 6 * SEC;
	facts.observed.interval_ns = 5 * SEC;
	expect(CB_OK, "synchronized, within 1.01 ms of true time");
	begin("one that has ended this moment");
	facts.answer = CB_ANSWER_REFUSED;
	expect(CB_WARNING, "nobody listens at /run/observe; see that "
	    "cb-daemon runs");
	begin("a date before the boot alone means nothing");
	facts.is_older_boots = true;
	expect(CB_OK, "synchronized, within 1.01 ms of true time");
}

static void
an_answer_that_is_missing_is_no_harm_one_of_no_use_is(void)
{
	begin("no socket");
	facts.answer = CB_ANSWER_ABSENT;
	expect(CB_OK, "synchronized, within 1.01 ms of true time");
	begin("no right to ask");
	facts.answer = CB_ANSWER_DENIED;
	expect(CB_OK, "synchronized, within 1.01 ms of true time");
	CHECK_EQ(verdict.n, 1);
	begin("rubbish");
	facts.answer = CB_ANSWER_BROKEN;
	strcpy(facts.trouble, "format: expected 1");
	expect(CB_WARNING, "what /run/observe says is of no use: format: "
	    "expected 1; run cb-status and cb-daemon of one version; look at "
	    "the daemon's log");
	begin("another segment's");
	facts.answer = CB_ANSWER_OTHER;
	strcpy(facts.trouble, "it speaks of another segment");
	expect(CB_WARNING, "what /run/observe says is of no use: it speaks "
	    "of another segment; name the socket of the daemon that writes "
	    "the segment with --observe");
}

/* Readers and the daemon agree. */
static void
set_status(clockbound_clock_status status)
{
	facts.segment.status = status;
	strcpy(facts.observed.status, cb_judge_name_status(status));
}

static void
trouble(const char *why)
{
	facts.observed.answered = false;
	strcpy(facts.observed.trouble, why);
}

static void
free_running_is_a_warning_and_says_why(void)
{
	const clockbound_clock_status status = CLOCKBOUND_STA_FREE_RUNNING;

	begin("no daemon to say");
	set_status(status);
	facts.answer = CB_ANSWER_ABSENT;
	expect(CB_WARNING, "free running, and cb-daemon does not tell why; "
	    "look at its log, and at chronyc tracking");
	begin("no right to ask chronyd");
	set_status(status);
	trouble("/run/c: cannot connect: Permission denied");
	expect(CB_WARNING, "free running: chronyd does not answer at /run/c: "
	    "cannot connect: Permission denied; run cb-daemon as root or as "
	    "chronyd's user, on Debian _chrony");
	begin("no socket of chronyd's");
	set_status(status);
	trouble("/run/c: cannot connect: No such file or directory");
	expect(CB_WARNING, "free running: chronyd does not answer at /run/c: "
	    "cannot connect: No such file or directory; start chronyd, or "
	    "give cb-daemon the path of its socket: --chrony-socket");
	begin("no answer");
	set_status(status);
	trouble("/run/c: no answer");
	expect(CB_WARNING, "free running: chronyd does not answer at /run/c: "
	    "no answer; see that chronyd runs: chronyc tracking");
	begin("local");
	set_status(status);
	strcpy(facts.observed.ref_id, "7F7F0101");
	expect(CB_WARNING, "free running: chronyd follows its own clock "
	    "(local); see which sources it has: chronyc sources");
	begin("not synchronized");
	set_status(status);
	strcpy(facts.observed.leap, "unsynchronized");
	expect(CB_WARNING, "free running: chronyd is not synchronized; see "
	    "which sources it has: chronyc sources");
	begin("nothing heard of it");
	set_status(status);
	facts.observed.has_report = false;
	expect(CB_WARNING, "free running: there is no measurement yet that "
	    "proves a time; wait for chronyd's next one, or hasten it: "
	    "chronyc burst 4/4");
	begin("no update");
	set_status(status);
	expect(CB_WARNING, "free running: chronyd's last update was 70.0 s "
	    "ago; see which sources answer: chronyc sources");
	begin("a slow daemon's");
	facts.segment.status = status;
	facts.segment.age_ns = 6 * SEC;
	facts.observed.interval_ns = 5 * SEC;
	expect(CB_WARNING, "free running: the last write is 6.00 s old, and "
	    "readers take a status for 5 s; start cb-daemon with a shorter "
	    "--interval");
}

static void
unknown_is_critical_and_says_why(void)
{
	const clockbound_clock_status status = CLOCKBOUND_STA_UNKNOWN;

	begin("no VMClock to look at");
	set_status(status);
	facts.segment.bound.disruption_support = true;
	facts.vmclock_errno = EACCES;
	expect(CB_CRITICAL, "the time is unknown: the VMClock /dev/vmclock0 "
	    "cannot be read: Permission denied; let every user read it");
	facts.vmclock_errno = ENOENT;
	expect(CB_CRITICAL, "the time is unknown: the VMClock /dev/vmclock0 "
	    "cannot be read: No such file or directory; name the one that "
	    "cb-daemon watches with --vmclock");
	begin("a marker that is not handled");
	set_status(status);
	facts.segment.bound.disruption_support = true;
	facts.vmclock.disruption_marker = 7;
	expect(CB_CRITICAL, "the time is unknown: the VMClock /dev/vmclock0 "
	    "tells of a disruption that cb-daemon has not handled; look "
	    "again in a second; then at the daemon's log");
	begin("an unreliable VMClock, whose marker is handled");
	set_status(status);
	facts.segment.bound.disruption_support = true;
	facts.segment.bound.disruption_marker = 7;
	facts.vmclock.disruption_marker = 7;
	facts.observed.unreliable = true;
	expect(CB_CRITICAL, "the time is unknown: the VMClock is unreliable, "
	    "or cb-daemon cannot read it; look at it: cb-vmclock show");
	begin("no update since the disruption");
	set_status(status);
	facts.observed.gated = true;
	expect(CB_CRITICAL, "the time is unknown: chronyd has not updated "
	    "since the disruption; wait for its next measurements, or hasten "
	    "them: chronyc burst 4/4");
	begin("no measurement");
	set_status(status);
	expect(CB_CRITICAL, "the time is unknown: there is no measurement "
	    "yet that proves a time; wait for chronyd's next one, or hasten "
	    "it: chronyc burst 4/4");
}

static void
disrupted_is_critical_and_says_why(void)
{
	const clockbound_clock_status status = CLOCKBOUND_STA_DISRUPTED;

	begin("forced");
	set_status(status);
	facts.observed.forced = true;
	expect(CB_CRITICAL, "disrupted: SIGUSR1 said that the clock is "
	    "disrupted; send SIGUSR2 to cb-daemon (pid 42) when that is "
	    "over");
	begin("chronyd has not forgotten");
	set_status(status);
	strcpy(facts.observed.phase, "reset");
	expect(CB_CRITICAL, "disrupted: the clock was disrupted, and chronyd "
	    "has not forgotten yet what it measured before; see that chronyd "
	    "runs; cb-daemon goes on asking");
}

static void
what_is_wrong_while_the_time_is_good_is_a_warning(void)
{
	begin("frequency");
	facts.observed.frequency_exceeds_drift = true;
	facts.observed.frequency_ppb = -61234;
	expect(CB_WARNING, "the clock's frequency is off by -61234 ppb, more "
	    "than the 50000 ppb of --max-drift-rate; start cb-daemon with a "
	    "-m that covers it");
	begin("contradiction");
	facts.observed.sources[0].contradictions = 1;
	expect(CB_WARNING, "192.0.2.1 contradicts what it measured before; "
	    "do not use it, or start cb-daemon with a higher -m: one of the "
	    "two is wrong");
	begin("soon");
	facts.vmclock.flags = CB_VMCLOCK_DISRUPTION_SOON;
	expect(CB_WARNING, "the VMClock announces a disruption: soon; expect "
	    "a time without a bound; it ends by itself");
	begin("imminent");
	facts.vmclock.flags = CB_VMCLOCK_DISRUPTION_IMMINENT |
	    CB_VMCLOCK_DISRUPTION_SOON;
	expect(CB_WARNING, "the VMClock announces a disruption: imminent; "
	    "expect a time without a bound; it ends by itself");
	begin("PHC");
	strcpy(facts.observed.phc_trouble, "no driver");
	expect(CB_WARNING, "the PHC's measurements are not used: no driver; "
	    "check -r and -i of cb-daemon, and the interface's driver");
	begin("chrony-tracking");
	strcpy(facts.observed.method, "chrony-tracking");
	expect(CB_WARNING, "this is chronyd's own estimate (chrony-tracking), "
	    "which is not a bound; start cb-daemon with "
	    "--clock-error-bound-source chrony");
	begin("the worst comes first");
	facts.observed.frequency_exceeds_drift = true;
	set_status(CLOCKBOUND_STA_UNKNOWN);
	expect(CB_CRITICAL, "the time is unknown: there is no measurement "
	    "yet that proves a time; wait for chronyd's next one, or hasten "
	    "it: chronyc burst 4/4");
	CHECK_EQ(verdict.n, 2);
	CHECK_EQ(verdict.findings[1].severity, CB_WARNING);
	begin("and so it does where it was found last");
	facts.answer = CB_ANSWER_BROKEN;
	set_status(CLOCKBOUND_STA_UNKNOWN);
	expect(CB_CRITICAL, "the time is unknown, and cb-daemon does not tell "
	    "why; look at its log, and at chronyc tracking");
	CHECK_EQ(verdict.n, 2);
	CHECK_EQ(verdict.findings[1].severity, CB_WARNING);
}

static void
limits_are_on_the_half_width_and_not_reached_by_equality(void)
{
	struct cb_limits l = { 2 * MS, 3 * MS };

	begin("at the warning");
	facts.segment.half_ns = 2 * MS;
	expect_within(&l, CB_OK, "synchronized, within 2.00 ms of true time");
	CHECK(cb_judge_is_healthy(&facts, &l));
	begin("above it");
	facts.answer = CB_ANSWER_ABSENT;
	facts.segment.half_ns = 2 * MS + 1;
	expect_within(&l, CB_WARNING, "the half-width is 2.01 ms, above "
	    "2.00 ms");
	CHECK(!cb_judge_is_healthy(&facts, &l));
	begin("above the critical one");
	facts.answer = CB_ANSWER_ABSENT;
	facts.segment.half_ns = 3 * MS + 1;
	expect_within(&l, CB_CRITICAL, "the half-width is 3.01 ms, above "
	    "3.00 ms");
	l.warning_ns = CB_NONE;
	CHECK(!cb_judge_is_healthy(&facts, &l));
	l.warning_ns = 2 * MS;
	begin("a warning, and why");
	facts.segment.half_ns = facts.observed.budget.bound_ns = 5 * MS / 2;
	facts.observed.budget.parts[CB_PART_ERROR] = 2 * MS;
	expect_within(&l, CB_WARNING, "the half-width is 2.50 ms, above "
	    "2.00 ms; 2.00 ms of that: half the root delay and the root "
	    "dispersion of 192.0.2.1; choose a nearer server, or a better "
	    "one");
	begin("critical, and why");
	facts.segment.half_ns = facts.observed.budget.bound_ns = 19 * MS;
	facts.observed.budget.parts[CB_PART_DRIFT] = 18 * MS;
	facts.observed.budget.age_ns = 120 * SEC;
	expect_within(&l, CB_CRITICAL, "the half-width is 19.0 ms, above "
	    "3.00 ms; 18.0 ms of that: the measurement by 192.0.2.1 that "
	    "sets it is 120 s old; set `minpoll 4 maxpoll 4' for it in "
	    "chrony.conf, where its owner agrees");
	begin("what is not trusted has no width");
	facts.segment.half_ns = 10 * SEC;
	facts.segment.status = CLOCKBOUND_STA_UNKNOWN;
	cb_judge(&facts, &l, &verdict);
	CHECK_EQ(verdict.n, 1);
}

static void
expect_largest(const char *words, const char *remedy)
{
	struct cb_largest l;

	if (!CHECK(cb_judge_largest(&facts, &l)))
		return;
	check_text(l.words, words);
	check_text(l.cure, remedy);
}

/* Nothing but this part. */
static void
only(enum cb_part part)
{
	begin(cb_judge_name_part(part));
	memset(facts.observed.budget.parts, 0,
	    sizeof(facts.observed.budget.parts));
	facts.segment.half_ns = MS;
	facts.observed.budget.parts[part] = MS;
}

static void
the_largest_part_is_named_with_its_cure(void)
{
	struct cb_largest unused;

	only(CB_PART_DRIFT);
	expect_largest("the measurement by 192.0.2.1 that sets it is 12.0 s "
	    "old",
	    "set `minpoll 4 maxpoll 4' for it in chrony.conf, where its "
	    "owner agrees");
	facts.observed.budget.age_ns = 360 * SEC;
	/* One that has measured nothing; one that is gone. */
	facts.observed.sources[0].measured_age_ns = CB_NONE;
	expect_largest("the measurement by 192.0.2.1 that sets it is 360 s old",
	    "set `minpoll 4 maxpoll 4' for it in chrony.conf, where its "
	    "owner agrees");
	strcpy(facts.observed.budget.source, "192.0.2.9");
	expect_largest("the measurement by 192.0.2.9 that sets it is 360 s old",
	    "set `minpoll 4 maxpoll 4' for it in chrony.conf, where its "
	    "owner agrees");
	strcpy(facts.observed.budget.source, "192.0.2.1");
	facts.observed.sources[0].measured_age_ns = 360 * SEC;
	expect_largest("the measurement by 192.0.2.1 that sets it is 360 s old",
	    "find out why there is no newer one: chronyc sources");
	facts.observed.budget.poll = 8;
	expect_largest("the measurement by 192.0.2.1 that sets it is 360 s old",
	    "set `minpoll 4 maxpoll 4' for it in chrony.conf, where its "
	    "owner agrees");
	facts.observed.budget.poll = 4;
	facts.observed.budget.age_ns = 12 * SEC;
	facts.observed.sources[0].measured_age_ns = 12 * SEC;
	expect_largest("the measurement by 192.0.2.1 that sets it is 12.0 s "
	    "old",
	    "poll it more often still, where it is yours, or start cb-daemon "
	    "with a lower -m or a --max-wander, where the oscillator is that "
	    "good");
	facts.observed.budget.poll = 0;
	facts.observed.sources[0].measured_age_ns = 2 * SEC;
	expect_largest("the measurement by 192.0.2.1 that sets it is 12.0 s "
	    "old", "start cb-daemon with a lower -m or a --max-wander, "
	    "where the oscillator is that good");
	strcpy(facts.observed.sources[0].mode, "refclock");
	expect_largest("the measurement by 192.0.2.1 that sets it is 12.0 s "
	    "old",
	    "give it a shorter poll in chrony.conf");
	only(CB_PART_ERROR);
	expect_largest("half the root delay and the root dispersion of "
	    "192.0.2.1", "choose a nearer server, or a better one");
	strcpy(facts.observed.sources[0].mode, "refclock");
	expect_largest("the error of 192.0.2.1", "a smaller delay in "
	    "chrony.conf, where the clock is that good");
	only(CB_PART_OFFSET);
	expect_largest("the clock is that far from what was measured",
	    "wait while chronyd corrects it, or let it step: makestep in "
	    "chrony.conf");
	only(CB_PART_PHC_ERROR);
	expect_largest("the PHC's own error, as its driver tells it",
	    "choose another PHC, or none");
	only(CB_PART_READING);
	expect_largest("how the measurement was made", "choose a server "
	    "rather than a peer");
	only(CB_PART_LEAP);
	expect_largest("a leap second", "wait until it is over");
	only(CB_PART_SLEW);
	expect_largest("a fast slew of the clock", "wait, or lower "
	    "maxslewrate in chrony.conf");
	only(CB_PART_COARSE);
	expect_largest("the coarse clock may be late", "none here: it is the "
	    "kernel's");
	only(CB_PART_CORRECTION);
	expect_largest("the correction that is under way", "wait while "
	    "chronyd makes it");
	begin("growth");
	facts.segment.half_ns = 5 * MS;
	facts.segment.age_ns = 3 * SEC;
	expect_largest("growth in the 3.00 s since the last write", "see "
	    "that cb-daemon writes, or more often: its --interval");
	begin("no budget");
	facts.observed.budget.is_known = false;
	CHECK(!cb_judge_largest(&facts, &unused));
	begin("no daemon");
	facts.answer = CB_ANSWER_ABSENT;
	CHECK(!cb_judge_largest(&facts, &unused));
}

static void
by_the_counter_it_is_another_bound_with_other_parts(void)
{
	const struct cb_limits l = { MS, MS };

	begin_counted("well");
	expect_within(&l, CB_OK, "synchronized, within 105 us of true time");
	expect_largest("the measurement by 192.0.2.1 that sets it is 1.00 s "
	    "old", "set `minpoll 4 maxpoll 4' for it in chrony.conf, where "
	    "its owner agrees");
	CHECK_EQ(cb_judge_part(&facts, CB_PART_GROWTH), 5000);
	CHECK_EQ(cb_judge_part(&facts, CB_PART_DRIFT), 70000);
	begin_counted("contradiction");
	facts.observed.shm1_budget.parts[CB_PART_OFFSET] = 80000;
	expect_largest("measurements contradict each other", "find out which "
	    "source is wrong: chronyc sourcestats");
	begin_counted("no budget of its own");
	facts.observed.shm1_budget.is_known = false;
	CHECK_EQ(cb_judge_part(&facts, CB_PART_DRIFT), CB_NONE);
	begin_counted("dead, for less than a minute");
	facts.segment.age_ns = 12 * SEC;
	facts.answer = CB_ANSWER_ABSENT;
	expect(CB_CRITICAL, "nobody has written to /run/shm1 for 12.0 s: "
	    "cb-daemon is not running; start cb-daemon");
	CHECK(!cb_judge_is_healthy(&facts, &no_limits));
	begin_counted("the counter went back");
	fail(CLOCKBOUND_ERR_CAUSALITY_BREACH, 0);
	expect(CB_CRITICAL, "/run/shm1 is ahead of the CPU's counter: that "
	    "went back, or is another machine's; start cb-daemon, here and "
	    "now");
}

static void
expect_other(const char *expected)
{
	char words[CB_SENTENCE];

	if (CHECK(cb_judge_other(&facts, words)))
		check_text(words, expected);
}

static void
what_the_other_segment_says_is_told_where_it_differs(void)
{
	char unused[CB_SENTENCE];

	begin_counted("wider");
	expect_other("synchronized within 1.01 ms, for those who read it "
	    "alone");
	begin_counted("much the same");
	facts.other.half_ns = facts.segment.half_ns * 11 / 10;
	CHECK(!cb_judge_other(&facts, unused));
	begin_counted("older by its own rule");
	facts.other.half_ns = facts.segment.half_ns;
	facts.other.status = CLOCKBOUND_STA_FREE_RUNNING;
	expect_other("free running within 105 us, for those who read it "
	    "alone");
	begin_counted("disrupted, which version 2 cannot say");
	facts.segment.status = CLOCKBOUND_STA_DISRUPTED;
	facts.other.status = CLOCKBOUND_STA_UNKNOWN;
	expect_other("unknown, for those who read it alone");
	begin("another clocksource");
	facts.paths = &stood_in;
	facts.other.status = CLOCKBOUND_STA_UNKNOWN;
	strcpy(facts.observed.shm1_trouble, "the kernel keeps time by x");
	expect_other("unknown: the kernel keeps time by x");
	facts.answer = CB_ANSWER_ABSENT;
	expect_other("unknown");
	begin("nothing is known by either");
	facts.paths = &stood_in;
	facts.segment.status = facts.other.status = CLOCKBOUND_STA_UNKNOWN;
	CHECK(!cb_judge_other(&facts, unused));
	begin("missing");
	facts.paths = &stood_in;
	facts.other.fault = CLOCKBOUND_ERR_SYSCALL;
	facts.other.sys_errno = ENOENT;
	expect_other("missing");
	facts.other.sys_errno = EACCES;
	expect_other("Permission denied");
	facts.other.fault = CLOCKBOUND_ERR_SEGMENT_MALFORMED;
	expect_other("malformed");
	facts.segment.fault = CLOCKBOUND_ERR_SEGMENT_MALFORMED;
	CHECK(!cb_judge_other(&facts, unused));
	begin("a file has no other");
	CHECK(!cb_judge_other(&facts, unused));
}

static void
waiting_ends_where_it_never_will_be(void)
{
	static const struct {
		clockbound_err_kind kind;
		int error;
		bool never;
	} rows[] = {
		{ CLOCKBOUND_ERR_NONE, 0, false },
		{ CLOCKBOUND_ERR_SYSCALL, ENOENT, false },
		{ CLOCKBOUND_ERR_SYSCALL, EMFILE, false },
		{ CLOCKBOUND_ERR_SYSCALL, ENOTDIR, true },
		{ CLOCKBOUND_ERR_SYSCALL, ELOOP, true },
		{ CLOCKBOUND_ERR_SYSCALL, ENAMETOOLONG, true },
		{ CLOCKBOUND_ERR_SYSCALL, EACCES, true },
		{ CLOCKBOUND_ERR_SEGMENT_NOT_INITIALIZED, 0, false },
		{ CLOCKBOUND_ERR_SEGMENT_MALFORMED, 0, false },
		{ CLOCKBOUND_ERR_CAUSALITY_BREACH, 0, false },
		{ CLOCKBOUND_ERR_SEGMENT_VERSION_NOT_SUPPORTED, 0, true }
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin("waiting");
		facts.segment.fault = rows[i].kind;
		facts.segment.sys_errno = rows[i].error;
		CHECK_EQ(cb_judge_never(&facts) != NULL, rows[i].never);
		CHECK_EQ(cb_judge_is_healthy(&facts, &no_limits), i == 0);
	}
	begin("free running");
	facts.segment.status = CLOCKBOUND_STA_FREE_RUNNING;
	CHECK(!cb_judge_is_healthy(&facts, &no_limits));
	begin("no file");
	facts.is_odd = true;
	check_text(cb_judge_never(&facts), "it is not a file");
}

static void
of_a_segment_that_cannot_be_read_nothing_is_believed(void)
{
	begin("good");
	CHECK(cb_judge_is_trusted(&facts.segment));
	CHECK(cb_judge_has_bound(&facts.segment));
	CHECK_EQ(cb_judge_part(&facts, CB_PART_DRIFT), 600000);
	facts.segment.bound.bound_ns = CB_SHM_UNKNOWN_BOUND_NS;
	CHECK(!cb_judge_has_bound(&facts.segment));
	begin("malformed");
	facts.segment.fault = CLOCKBOUND_ERR_SEGMENT_MALFORMED;
	CHECK(!cb_judge_is_trusted(&facts.segment));
	CHECK(!cb_judge_has_bound(&facts.segment));
	CHECK_EQ(cb_judge_part(&facts, CB_PART_DRIFT), CB_NONE);
}

static void
severities_are_named_as_plugins_do(void)
{
	check_text(cb_judge_name_severity(CB_OK), "OK");
	check_text(cb_judge_name_severity(CB_WARNING), "WARNING");
	check_text(cb_judge_name_severity(CB_CRITICAL), "CRITICAL");
	check_text(cb_judge_name_severity(CB_UNKNOWN), "UNKNOWN");
}

static void
nothing_in_a_line_is_an_order_to_a_terminal(void)
{
	begin("escape");
	facts.segment.status = CLOCKBOUND_STA_FREE_RUNNING;
	trouble("\033[2J\n\r\x9b\x7f");
	expect(CB_WARNING, "free running: chronyd does not answer at ?[2J????;"
	    " see that chronyd runs: chronyc tracking");
}

static void
figures_have_three_digits_and_err_to_their_side(void)
{
	static const struct {
		int64_t ns;
		const char *up, *down;
	} rows[] = {
		{ 0, "0 ns", "0 ns" },
		{ 999, "999 ns", "999 ns" },
		{ 1000, "1.00 us", "1.00 us" },
		{ 1001, "1.01 us", "1.00 us" },
		{ 99901, "100 us", "99.9 us" },
		{ 999001, "1.00 ms", "999 us" },
		{ 12345678, "12.4 ms", "12.3 ms" },
		{ -12345678, "-12.3 ms", "-12.4 ms" },
		{ 360 * SEC, "360 s", "360 s" },
		{ 1000 * SEC, "16.7 min", "16.6 min" },
		{ 7200 * SEC, "2.00 h", "2.00 h" },
		{ INT64_C(365) * 86400 * SEC, "365 d", "365 d" },
		{ INT64_MAX, "106752 d", "106751 d" },
		{ INT64_MIN + 1, "-106751 d", "-106752 d" }
	};
	char text[CB_FIGURE];

	test_row = "figure";
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		check_text(cb_figure_up(rows[i].ns, text), rows[i].up);
		check_text(cb_figure_down(rows[i].ns, text), rows[i].down);
	}
}

int
main(void)
{
	a_segment_that_cannot_be_used_is_named_for_what_it_is();
	a_segment_that_nobody_writes_is_critical();
	an_answer_that_is_missing_is_no_harm_one_of_no_use_is();
	free_running_is_a_warning_and_says_why();
	unknown_is_critical_and_says_why();
	disrupted_is_critical_and_says_why();
	what_is_wrong_while_the_time_is_good_is_a_warning();
	limits_are_on_the_half_width_and_not_reached_by_equality();
	the_largest_part_is_named_with_its_cure();
	by_the_counter_it_is_another_bound_with_other_parts();
	what_the_other_segment_says_is_told_where_it_differs();
	waiting_ends_where_it_never_will_be();
	of_a_segment_that_cannot_be_read_nothing_is_believed();
	severities_are_named_as_plugins_do();
	nothing_in_a_line_is_an_order_to_a_terminal();
	figures_have_three_digits_and_err_to_their_side();
	return test_done();
}
