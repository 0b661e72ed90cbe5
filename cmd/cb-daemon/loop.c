/* SPDX-License-Identifier: ISC */
/*
 * One tick: sample, estimate, status, publish.  Then sleep until the next.
 */
#include <sys/select.h>

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "cb-daemon.h"
#include "ts.h"

/* A source that is not heard counts as free running for this long. */
#define PATIENCE_NS	(5 * CB_NS_PER_S)
/* How often the segments' files are looked at. */
#define LOOK_NS		CB_NS_PER_S

/* Conditions that are logged when they begin and end, beside the CB_EVENTs. */
enum {
	CONDITION_MISSING	= 1 << 16,
	CONDITION_LOCAL		= 1 << 17,
	CONDITION_PHC		= 1 << 18,
	CONDITION_UNRELIABLE	= 1 << 19,
	CONDITION_UNCOUNTED	= 1 << 20
};

static volatile sig_atomic_t stopped;
static volatile sig_atomic_t asked_to_disrupt;
static volatile sig_atomic_t asked_to_end;

static void
handle_signal(int signo)
{
	if (signo == SIGUSR1)
		asked_to_disrupt = 1;
	else if (signo == SIGUSR2)
		asked_to_end = 1;
	else
		stopped = signo;
}

/* What the tick's sample is worth to the state machine. */
static enum cb_input
weigh_input(struct cb_daemon *d)
{
	const struct cb_sample *s = &d->sample;

	if (s->input != CB_INPUT_MISSING) {
		d->heard = true;
		d->last_heard = s->before.as_of;
		d->last_tracking = s->tracking;
	}
	if (!d->has_bound || d->watch.gated ||
	    (d->events & CB_EVENT_RESTART) != 0)
		return CB_INPUT_UNKNOWN;
	if (s->input != CB_INPUT_MISSING)
		return s->input;
	return d->heard && s->before.as_of - d->last_heard < PATIENCE_NS ?
	    CB_INPUT_FREE_RUNNING : CB_INPUT_UNKNOWN;
}

static void
publish(struct cb_daemon *d)
{
	struct cb_bound none = { .as_of = d->sample.before.as_of,
	    .bound_ns = CB_SHM_UNKNOWN_BOUND_NS,
	    .drift_ppb = d->options.max_drift_ppb };
	struct cb_shm_v1 v1;
	struct cb_shm_v2 v2;

	cb_publish_v2(d->has_bound ? &d->bound : &none, d->status,
	    d->options.disruption_support, d->watch.marker, &v2);
	d->v3 = (struct cb_shm_v3){
		.clock_status = (int32_t)d->status,
		.disruption_support = d->options.disruption_support,
		.disruption_marker = d->watch.marker
	};
	cb_publish_v3(d->has_bound ? &d->estimate : NULL, &d->period,
	    d->has_bound ? &d->sample.after : &d->sample.before, &d->v3);
	cb_publish_v1(&v2, &v1);
	/* Those of version 1 hear of a disruption from us alone. */
	cb_shm_write_v1(&d->writer, &v1);
	/* Whoever turns from version 3 to version 2 finds that up to date. */
	cb_shm_write(&d->writer, &v2);
	cb_shm_write_v3(&d->writer, &d->v3);
	if (d->published != 0)
		d->counts.longest_gap_ns = cb_ts_max(d->counts.longest_gap_ns,
		    d->sample.before.as_of - d->published);
	d->published = d->sample.before.as_of;
}

/* Has this condition begun, or ended?  1 or -1 the first time it is seen. */
static int
turned(struct cb_daemon *d, unsigned condition, unsigned now)
{
	unsigned change = (d->conditions ^ now) & condition;

	d->conditions ^= change;
	return change == 0 ? 0 : (now & condition) != 0 ? 1 : -1;
}

static void
log_conditions(struct cb_daemon *d, unsigned now)
{
	static const struct {
		unsigned condition;
		const char *begins;
		const char *ends;
	} texts[] = {
		{ CONDITION_LOCAL, "chronyd follows its own clock (local): "
		    "not synchronized", "chronyd no longer follows its own "
		    "clock" },
		{ CONDITION_UNRELIABLE, "the VMClock is unreliable or cannot "
		    "be read: status unknown", "the VMClock can be relied "
		    "on" },
		{ CONDITION_UNCOUNTED, "the kernel does not keep time by the "
		    "CPU's counter: the status in " CB_SHM_V3_NAME " is "
		    "unknown", "the kernel keeps time by the CPU's counter" },
		{ CB_EVENT_CONTRADICTION, "a source contradicts what it "
		    "measured before: the bound takes in both",
		    "the source agrees with itself again" },
		{ CB_EVENT_WANDER, "measurements contradict --max-wander: "
		    "the bound goes by --max-drift-rate alone",
		    "--max-wander is relied on again" },
		{ CB_EVENT_DISAGREE, "sources contradict each other: the "
		    "bound takes in the largest group with the selected one",
		    "sources agree again" }
	};

	switch (turned(d, CONDITION_MISSING, now)) {
	case 1:
		cb_log_warn("no sample: %s", d->trouble);
		break;
	case -1:
		cb_log_info("chronyd answers");
		break;
	}
	switch (turned(d, CONDITION_PHC, now)) {
	case 1:
		cb_log_warn("the PHC's measurements are not used: %s",
		    d->phc_trouble);
		break;
	case -1:
		cb_log_info("the PHC's measurements are used again");
		break;
	}
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		switch (turned(d, texts[i].condition, now)) {
		case 1:
			cb_log_warn("%s", texts[i].begins);
			break;
		case -1:
			cb_log_info("%s", texts[i].ends);
			break;
		}
	/* It may come and go with every update: once is enough. */
	if ((d->conditions & CB_EVENT_FAST) == 0 &&
	    turned(d, CB_EVENT_FAST, now) == 1)
		cb_log_warn("the clock's frequency is off by %lld ppb, more "
		    "than the %lld ppb of --max-drift-rate: %lld ppb stand in "
		    "for it", (long long)d->estimate.freq_ppb,
		    (long long)d->options.max_drift_ppb,
		    (long long)d->estimate.drift_ppb);
}

/* Readers come first, the log afterwards; the status that was is returned. */
static clockbound_clock_status
set_status(struct cb_daemon *d, enum cb_input input)
{
	clockbound_clock_status before = d->status;

	d->status = cb_status_next(before, input, d->disruption);
	publish(d);
	if (d->status != before)
		d->since = d->sample.before;
	return before;
}

static void
log_status(const struct cb_daemon *d, clockbound_clock_status before)
{
	if (d->status != before)
		cb_log_info("status %s, was %s", cb_status_name(d->status),
		    cb_status_name(before));
}

/* A condition counts when it begins. */
static void
count_conditions(struct cb_daemon *d, unsigned now)
{
	unsigned begun = now & ~d->conditions;

	d->counts.contradictions += (begun & CB_EVENT_CONTRADICTION) != 0;
	d->counts.restarts += (begun & CB_EVENT_RESTART) != 0;
	d->counts.disagreements += (begun & CB_EVENT_DISAGREE) != 0;
	d->counts.wander_breaks += (begun & CB_EVENT_WANDER) != 0;
}

static bool
is_counted(const struct cb_daemon *d)
{
	return cb_clocks_is_counter(d->watch.clocksource);
}

static void
log_sample(struct cb_daemon *d)
{
	const struct cb_sample *s = &d->sample;
	unsigned now = d->events;

	if (s->input == CB_INPUT_MISSING)
		now |= CONDITION_MISSING | (d->conditions & CONDITION_LOCAL);
	else if (s->tracking.ref_id == CB_CHRONY_REF_ID_LOCAL)
		now |= CONDITION_LOCAL;
	if (d->phc_trouble[0] != '\0')
		now |= CONDITION_PHC;
	if (d->watch.unreliable)
		now |= CONDITION_UNRELIABLE;
	if (d->writer.v3.segment != NULL && !is_counted(d))
		now |= CONDITION_UNCOUNTED;
	count_conditions(d, now);
	log_conditions(d, now);
}

/*
 * Where the baseline has just ended, this sample may be from before that: it
 * begins with the next.
 */
static void
learn_period(struct cb_daemon *d)
{
	if (!is_counted(d))
		cb_period_forget(&d->period);
	else if (d->period.has_base)
		cb_period_update(&d->period, &d->sample.after);
}

void
cb_loop_tick(struct cb_daemon *d)
{
	clockbound_clock_status before;

	d->source->sample(d);
	cb_period_update(&d->period, &d->sample.before);
	cb_disruption_weigh(d);
	learn_period(d);
	d->has_bound = d->source->bound(d);
	before = set_status(d, weigh_input(d));
	log_sample(d);
	log_status(d, before);
	d->counts.ticks++;
	d->counts.missed += d->sample.input == CB_INPUT_MISSING;
	d->observe.left = CB_OBSERVE_LIMIT;
}

/* Readers are told before anybody is asked. */
static void
publish_nothing(struct cb_daemon *d)
{
	cb_clocks_read(&d->sample.before);
	d->has_bound = false;
	log_status(d, set_status(d, CB_INPUT_UNKNOWN));
}

/*
 * CLOCK_REALTIME was set, or the machine has slept.  The tick that follows
 * finds out what it means; chronyd may take its time to answer.
 */
void
cb_loop_step(struct cb_daemon *d)
{
	struct cb_sample *s = &d->sample;

	cb_clocks_read(&s->before);
	s->after = s->before;
	if (cb_disruption_has_slept(d, true) || cb_disruption_owes_leap(d)) {
		d->has_bound = false;
		log_status(d, set_status(d, CB_INPUT_UNKNOWN));
	} else if (d->has_bound && d->estimate.has_interval) {
		cb_estimate_step(&d->estimate, &s->after);
		d->has_bound = cb_publish_bound(&d->estimate, s, d->tick_ns,
		    &d->bound);
		publish(d);
	}
}

static void
watch_fd(int fd, fd_set *fds, int *n)
{
	if (fd == -1)
		return;
	FD_SET(fd, fds);
	if (fd >= *n)
		*n = fd + 1;
}

static bool
is_ready(int fd, const fd_set *fds)
{
	return fd != -1 && FD_ISSET(fd, fds);
}

/*
 * Signals, connections and steps of the clock are served in here and nowhere
 * else.  True when there is something to be weighed before the time; a write
 * to the VMClock need only be looked at.
 */
static bool
sleep_until(struct cb_daemon *d, int64_t mono, const sigset_t *mask)
{
	const struct timespec at_once = { 0, 0 };
	int64_t left = cb_ts_max(mono - cb_clocks_mono(), 0);
	struct timespec ts = {
		.tv_sec = (time_t)(left / CB_NS_PER_S),
		.tv_nsec = (long)(left % CB_NS_PER_S)
	};
	struct cb_watch *w = &d->watch;
	int observe = d->observe.left > 0 ? d->observe.fd : -1;
	fd_set fds;
	int n = 0;

	FD_ZERO(&fds);
	watch_fd(w->steps_fd, &fds, &n);
	watch_fd(w->notify_fd, &fds, &n);
	watch_fd(observe, &fds, &n);
	if (pselect(n, &fds, NULL, NULL, &ts, mask) <= 0)
		FD_ZERO(&fds);
	else	/* Signals do not come in beside a descriptor that is ready. */
		pselect(0, NULL, NULL, NULL, &at_once, mask);
	if (is_ready(w->notify_fd, &fds))
		cb_vmclock_notify_rearm(&w->notify_fd);
	d->asked_to_disrupt = asked_to_disrupt;
	d->asked_to_end = asked_to_end;
	asked_to_disrupt = asked_to_end = 0;
	if (is_ready(w->steps_fd, &fds))
		cb_loop_step(d);
	if (is_ready(observe, &fds))
		cb_observe_serve(d);
	return d->asked_to_disrupt || d->asked_to_end ||
	    is_ready(w->steps_fd, &fds);
}

/* Signals stay blocked outside of pselect(2), whose mask is returned. */
static void
catch_signals(sigset_t *mask)
{
	static const int caught[] = { SIGTERM, SIGINT, SIGHUP,
	    SIGUSR1, SIGUSR2 };
	struct sigaction sa = { .sa_handler = handle_signal };
	sigset_t blocked;

	sigemptyset(&blocked);
	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++) {
		sigaddset(&blocked, caught[i]);
		sigaction(caught[i], &sa, NULL);
	}
	sigprocmask(SIG_BLOCK, &blocked, mask);
	for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
		sigdelset(mask, caught[i]);
	/* Whoever reads our log may end before we do. */
	sa.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &sa, NULL);
}

/* Without its file nobody hears us, and another daemon may have come. */
static bool
has_lost_segment(struct cb_daemon *d)
{
	int64_t now = cb_clocks_mono();

	if (now - d->looked_mono < LOOK_NS)
		return false;
	d->looked_mono = now;
	return !cb_shm_write_is_there(&d->writer, d->options.run_dir);
}

bool
cb_loop_run(struct cb_daemon *d)
{
	bool woken = true;
	sigset_t mask;
	int64_t next = cb_clocks_mono();

	catch_signals(&mask);
	d->tick_ns = cb_clocks_tick();
	while (!stopped) {
		if (has_lost_segment(d)) {
			cb_log_warn("%s: the segment was removed, replaced or "
			    "cut", d->options.run_dir);
			return false;
		}
		cb_disruption_follow(d);
		woken |= cb_disruption_look(d);
		if (woken && d->disruption != CB_DISRUPTION_RELIABLE)
			publish_nothing(d);
		woken |= cb_disruption_act(d);
		if (woken)
			next = cb_clocks_mono();
		if (cb_clocks_mono() >= next) {
			cb_loop_tick(d);
			cb_notify_tick(&d->notify, d->status,
			    cb_clocks_mono());
			/* Whole intervals that are late are lost. */
			next = cb_ts_max(next + d->options.interval_ns,
			    cb_clocks_mono());
		}
		woken = sleep_until(d, cb_ts_min(next,
		    cb_disruption_due(d)), &mask);
	}
	cb_log_info("%s: the segment stays as it is, and ages",
	    stopped == SIGTERM ? "SIGTERM" : stopped == SIGINT ? "SIGINT" :
	    "SIGHUP");
	return true;
}
