/* SPDX-License-Identifier: ISC */
/*
 * VMClock, signals, steps of the clock, sleep: all that may make what was
 * measured untrue goes in; one disruption input for the state machine comes
 * out, and what the estimate has to forget.
 *
 * A disruption is handled by having chronyd forget its measurements and take
 * new ones.  Nothing in here waits but for one reply at a time.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cb-daemon.h"
#include "stamp.h"
#include "ts.h"

/* Attempts at RESET_SOURCES and at BURST, and how long from one to the next. */
#define ATTEMPTS	30
#define RESET_RETRY_NS	(5 * MS)
#define BURST_RETRY_NS	(100 * MS)
/* Then chronyd is left alone for a while, or until it answers again. */
#define PAUSE_NS	(10 * CB_NS_PER_S)
#define MS		INT64_C(1000000)

/* BOOTTIME and MONOTONIC are apart by this much more: the machine slept. */
#define SLEPT_NS	(1 * MS)
/* Where the clock was set as well this much will do. */
#define SLEPT_AND_SET_NS	INT64_C(10000)
/* How long a hypervisor's write is waited for. */
#define READ_NS		(1 * MS)
/* How often the kernel's clocksource is looked at. */
#define LOOK_NS		CB_NS_PER_S

/*
 * The last second before a leap second, which begins as early as a second
 * before the month's end; and until when chronyd speaks of it, and more.
 */
#define LEAP_BEFORE_NS	(2 * CB_NS_PER_S)
#define LEAP_AFTER_NS	(5 * CB_NS_PER_S)

/*
 * Until chronyd has forgotten what it measured before, nothing that it says is
 * believed, and then only once it has changed its mind.
 */
static void
begin_disruption(struct cb_daemon *d)
{
	struct cb_watch *w = &d->watch;

	w->phase = CB_PHASE_RESET;
	w->attempts = 0;
	w->due_mono = cb_clocks_mono();
	w->gated = true;
	w->has_gate = false;
	cb_estimate_forget(&d->estimate);
	cb_period_forget(&d->period);
	/*
	 * chronyd takes no packet that answers one sent before it forgot, but
	 * a sample that a refclock's feeder made before.
	 */
	cb_estimate_settle_refclocks(&d->estimate);
	d->estimate.holding = true;
}

/*
 * Where the estimate has nothing left, new measurements are asked for, once
 * readers have been told.
 */
static void
hasten(struct cb_daemon *d)
{
	struct cb_watch *w = &d->watch;

	if (!cb_estimate_is_empty(&d->estimate) || w->phase != CB_PHASE_NONE)
		return;
	w->phase = CB_PHASE_BURST;
	w->attempts = 0;
	w->due_mono = cb_clocks_mono();
}

static void
log_flags(struct cb_watch *w, uint64_t flags)
{
	uint64_t new = flags & ~w->flags;

	w->flags = flags;
	if ((new & CB_VMCLOCK_DISRUPTION_SOON) != 0)
		cb_log_warn("the VMClock announces a disruption within about "
		    "a day");
	if ((new & CB_VMCLOCK_DISRUPTION_IMMINENT) != 0)
		cb_log_warn("the VMClock announces a disruption within about "
		    "an hour");
}

static bool
is_other_generation(struct cb_watch *w, const struct cb_vmclock *v)
{
	bool other = v->has_generation && w->has_generation &&
	    v->vm_generation_counter != w->generation;

	/* One that goes and comes back is compared with what it was. */
	if (v->has_generation) {
		w->has_generation = true;
		w->generation = v->vm_generation_counter;
	}
	return other;
}

/* A device that can be relied on: what does it tell? */
static bool
heed_vmclock(struct cb_daemon *d, const struct cb_vmclock *v)
{
	struct cb_watch *w = &d->watch;
	bool jumped = is_other_generation(w, v);

	log_flags(w, v->flags);
	if (v->disruption_marker == w->marker && !jumped)
		return false;
	cb_log_warn("disruption: marker %llu, was %llu%s",
	    (unsigned long long)v->disruption_marker,
	    (unsigned long long)w->marker,
	    jumped ? "; another VM generation" : "");
	w->marker = v->disruption_marker;
	d->counts.disruptions++;
	begin_disruption(d);
	return true;
}

static bool
look_at_vmclock(struct cb_daemon *d)
{
	struct cb_watch *w = &d->watch;
	bool was = w->unreliable;
	struct cb_vmclock v;

	if (!d->options.disruption_support)
		return false;
	w->unreliable = w->vmclock.page == NULL ||
	    !cb_vmclock_read(w->vmclock.page, READ_NS, &v);
	if (w->unreliable)
		return !was;
	w->unreliable = v.clock_status == CB_VMCLOCK_UNRELIABLE;
	return heed_vmclock(d, &v) || w->unreliable != was;
}

/*
 * SIGUSR1 and SIGUSR2, where a disruption can be told to readers at all.  The
 * clock may have jumped at any time between the two: what was measured
 * meanwhile is of no use after it.  Of two that come at once the order is not
 * known: one that goes on does no harm.
 */
static bool
look_at_signals(struct cb_daemon *d)
{
	struct cb_watch *w = &d->watch;
	bool begin = d->asked_to_disrupt, end = d->asked_to_end;
	bool was = w->forced;

	d->asked_to_disrupt = d->asked_to_end = false;
	if (!begin && !end)
		return false;
	if (!d->options.disruption_support) {
		cb_log_warn("%s ignored: clock disruption support is disabled",
		    begin ? "SIGUSR1" : "SIGUSR2");
		return false;
	}
	if (begin) {
		cb_log_warn("SIGUSR1: disruption, until SIGUSR2");
		w->forced = true;
		d->counts.forced++;
	}
	if (end && !w->forced) {
		cb_log_warn("SIGUSR2: there is no disruption by SIGUSR1");
		return false;
	}
	if (end && !(begin && was)) {
		cb_log_warn("SIGUSR2: end of the disruption by SIGUSR1");
		w->forced = false;
	}
	begin_disruption(d);
	return true;
}

/*
 * A kernel that is resumed adds what it takes the sleep for to CLOCK_REALTIME
 * and CLOCK_BOOTTIME alike.  A short one it may take for none at all: the timer
 * then tells of a step, and the clock has not moved.  It may yet be moved, by
 * whomever, before the tick: what was seen is kept for that.
 */
bool
cb_disruption_has_slept(struct cb_daemon *d, bool stepped)
{
	const struct cb_instant *now = &d->sample.after;
	struct cb_watch *w = &d->watch;
	int64_t least = stepped ? SLEPT_AND_SET_NS : SLEPT_NS;

	if ((w->has_asleep && now->asleep > w->asleep + least) ||
	    (stepped && (!cb_clocks_tell_sleep() ||
	    !cb_estimate_is_step(&d->estimate, now))))
		w->slept = true;
	return w->slept;
}

/* What is told is never too much, so the most that was told is the best. */
static void
note_asleep(struct cb_watch *w, int64_t asleep)
{
	if (!w->has_asleep || asleep > w->asleep)
		w->asleep = asleep;
	w->has_asleep = true;
}

/* The kernel's watchdog replaces a counter that ran wrong. */
static bool
has_other_clocksource(struct cb_watch *w)
{
	char name[sizeof(w->clocksource)];
	int64_t now = cb_clocks_mono();
	bool other;

	if (now - w->clocksource_mono < LOOK_NS)
		return false;
	w->clocksource_mono = now;
	if (!cb_clocks_source(name, sizeof(name)))
		return false;
	other = w->clocksource[0] != '\0' && strcmp(name, w->clocksource) != 0;
	memcpy(w->clocksource, name, sizeof(name));
	return other;
}

/* Where nothing tells of steps they are seen here, unless they are small. */
static bool
was_stepped(const struct cb_daemon *d)
{
	const struct cb_estimate *e = &d->estimate;

	if (d->watch.steps_fd != -1)
		return cb_clocks_was_stepped(d->watch.steps_fd);
	return e->has_last && cb_estimate_is_step(e, &d->sample.after);
}

/*
 * The raw clock cannot be compared with what it was before a sleep or under
 * another clocksource: nothing holds any more.  A step leaves what is known of
 * the raw clock alone.  After each, an exchange of packets may have begun
 * before it: of every source some measurements are left out.
 */
static void
look_at_clocks(struct cb_daemon *d)
{
	struct cb_watch *w = &d->watch;
	bool stepped = was_stepped(d);
	bool other = has_other_clocksource(w);
	bool slept;

	/* It may have come between the last reading and the look. */
	if (stepped)
		cb_clocks_read(&d->sample.after);
	slept = cb_disruption_has_slept(d, stepped);
	note_asleep(w, d->sample.after.asleep);
	w->slept = false;
	d->counts.sleeps += slept;
	d->counts.clocksources += other;
	d->counts.steps += stepped && !slept;
	if (!slept && !other && !stepped)
		return;
	cb_log_warn("%s", slept ? cb_clocks_tell_sleep() ?
	    "the machine has slept" :
	    "CLOCK_REALTIME was set, or the machine has slept" : other ?
	    "the kernel keeps time by another clocksource" :
	    "CLOCK_REALTIME was set");
	if (slept || other) {
		cb_estimate_forget(&d->estimate);
		cb_period_forget(&d->period);
	}
	cb_estimate_settle(&d->estimate);
	hasten(d);
}

/*
 * chronyd announces a leap second on the day, and need not be there when it
 * comes: its last word counts.  While it is unsynchronised it has none.
 */
static void
hear_leap(struct cb_watch *w, const struct cb_sample *s, int64_t earliest)
{
	unsigned leap = s->tracking.leap;

	if (s->input == CB_INPUT_MISSING ||
	    leap == CB_CHRONY_LEAP_UNSYNCHRONISED)
		return;
	w->expects_leap = leap == CB_CHRONY_LEAP_INSERT ||
	    leap == CB_CHRONY_LEAP_DELETE;
	w->leap_at = CB_NS_PER_S * cb_stamp_month_end_s(cb_ts_floor_s(
	    earliest - LEAP_AFTER_NS));
}

static bool
is_leap_near(const struct cb_daemon *d, int64_t latest)
{
	const struct cb_watch *w = &d->watch;

	return w->expects_leap && latest >= w->leap_at - LEAP_BEFORE_NS -
	    2 * d->options.interval_ns;
}

bool
cb_disruption_owes_leap(const struct cb_daemon *d)
{
	struct cb_interval utc = cb_estimate_utc(&d->estimate,
	    &d->sample.after);

	return !d->watch.leaping && is_leap_near(d, utc.hi);
}

/*
 * Around a leap second UTC itself is ambiguous, and true time, the kernel and
 * chronyd come to it one after the other.  The interval covers both readings
 * from before the first of them until after the last, and nothing is converted
 * meanwhile.
 */
static void
look_at_leap(struct cb_daemon *d)
{
	struct cb_watch *w = &d->watch;
	struct cb_interval utc = cb_estimate_utc(&d->estimate,
	    &d->sample.after);

	if (w->leaping) {
		if (utc.lo < w->leap_at + LEAP_AFTER_NS)
			return;
		w->leaping = w->expects_leap = false;
		d->estimate.holding = w->phase == CB_PHASE_RESET;
		cb_estimate_settle(&d->estimate);
		return;
	}
	/* One that may be over was expected: chronyd speaks of it no more. */
	if (!is_leap_near(d, utc.hi))
		hear_leap(w, &d->sample, utc.lo);
	if (!is_leap_near(d, utc.hi))
		return;
	d->counts.leap_seconds++;
	cb_log_warn("leap second: the bound covers both readings");
	cb_estimate_leap(&d->estimate);
	d->estimate.holding = true;
	w->leaping = true;
}

static void
set_input(struct cb_daemon *d)
{
	const struct cb_watch *w = &d->watch;

	d->disruption = w->forced || w->phase == CB_PHASE_RESET ?
	    CB_DISRUPTION_DISRUPTED : w->unreliable ?
	    CB_DISRUPTION_UNKNOWN : CB_DISRUPTION_RELIABLE;
}

/*
 * After it has forgotten its measurements chronyd is unsynchronised at once.
 * Where that was not seen, it must have updated since it was first heard.
 */
static void
look_at_gate(struct cb_watch *w, const struct cb_chrony_tracking *t)
{
	if (t->leap == CB_CHRONY_LEAP_UNSYNCHRONISED ||
	    (w->has_gate && t->ref_time_ns != w->gate_ref_time))
		w->gated = false;
	w->has_gate = true;
	w->gate_ref_time = t->ref_time_ns;
}

bool
cb_disruption_look(struct cb_daemon *d)
{
	bool urgent = look_at_signals(d);

	urgent |= look_at_vmclock(d);
	set_input(d);
	return urgent;
}

void
cb_disruption_weigh(struct cb_daemon *d)
{
	const struct cb_sample *s = &d->sample;
	struct cb_watch *w = &d->watch;

	cb_disruption_look(d);
	look_at_clocks(d);
	look_at_leap(d);
	if (s->input == CB_INPUT_MISSING) {
		w->was_missing = true;
		return;
	}
	/* chronyd is back: it need not be left alone any longer. */
	if (w->was_missing && w->phase != CB_PHASE_NONE)
		w->due_mono = cb_clocks_mono();
	w->was_missing = false;
	if (w->gated && w->phase != CB_PHASE_RESET)
		look_at_gate(w, &s->tracking);
}

static void
try_again(struct cb_watch *w, int64_t retry_ns)
{
	if (++w->attempts == ATTEMPTS) {
		w->attempts = 0;
		retry_ns = PAUSE_NS;
	}
	w->due_mono = cb_clocks_mono() + retry_ns;
}

bool
cb_disruption_act(struct cb_daemon *d)
{
	struct cb_watch *w = &d->watch;
	bool forgot = false;
	uint16_t status;

	if (w->phase == CB_PHASE_NONE || cb_clocks_mono() < w->due_mono)
		return false;
	if (w->phase == CB_PHASE_RESET) {
		if (!cb_source_command(d, CB_CHRONY_RESET_SOURCES, &status) ||
		    status != 0) {
			try_again(w, RESET_RETRY_NS);
			return false;
		}
		forgot = true;
		cb_log_info("chronyd has forgotten what it measured");
		w->phase = CB_PHASE_BURST;
		w->attempts = 0;
		d->estimate.holding = w->leaping;
		set_input(d);
	}
	if (cb_source_command(d, CB_CHRONY_BURST, &status) &&
	    (status == 0 || status == CB_CHRONY_STATUS_NO_SOURCE))
		w->phase = CB_PHASE_NONE;
	else
		try_again(w, BURST_RETRY_NS);
	return forgot;
}

int64_t
cb_disruption_due(const struct cb_daemon *d)
{
	return d->watch.phase == CB_PHASE_NONE ? INT64_MAX :
	    d->watch.due_mono;
}

static void
open_notify(struct cb_daemon *d)
{
	d->watch.notify_fd = d->options.disruption_support ?
	    cb_vmclock_notify_open(d->options.vmclock) : -1;
}

/*
 * What an earlier run has handled need not be handled again.  A run that ended
 * amid a disruption has left it to us.
 */
void
cb_disruption_open(struct cb_daemon *d)
{
	struct cb_watch *w = &d->watch;
	struct cb_shm_bound last;

	w->steps_fd = cb_clocks_open_steps();
	if (w->steps_fd == -1)
		cb_log_warn("steps of CLOCK_REALTIME are noticed at the next "
		    "tick, and only large ones: %s", strerror(errno));
	open_notify(d);
	if (!d->options.disruption_support ||
	    !cb_shm_write_last(&d->writer, &last) || !last.disruption_support)
		return;
	w->marker = last.disruption_marker;
	if (last.status == CLOCKBOUND_STA_DISRUPTED) {
		cb_log_warn("disruption: not handled by the run before this");
		begin_disruption(d);
	}
}

void
cb_disruption_follow(struct cb_daemon *d)
{
	struct cb_vmclock_file *f = &d->watch.vmclock;

	if (!d->options.disruption_support ||
	    cb_vmclock_is_current(f, d->options.vmclock))
		return;
	cb_vmclock_notify_close(&d->watch.notify_fd);
	cb_vmclock_close(f);
	cb_vmclock_open(f, d->options.vmclock);
	open_notify(d);
}

void
cb_disruption_close(struct cb_daemon *d)
{
	if (d->watch.steps_fd != -1)
		close(d->watch.steps_fd);
	cb_vmclock_notify_close(&d->watch.notify_fd);
	cb_vmclock_close(&d->watch.vmclock);
}
