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
/* How often the segment's file is looked at. */
#define LOOK_NS		CB_NS_PER_S

/* Conditions that are logged when they begin and end, beside the CB_EVENTs. */
enum {
	CONDITION_MISSING	= 1 << 16,
	CONDITION_LOCAL		= 1 << 17
};

static volatile sig_atomic_t stopped;
static volatile sig_atomic_t asked_to_disrupt;

static void
handle_signal(int signo)
{
	if (signo == SIGUSR1 || signo == SIGUSR2)
		asked_to_disrupt = signo;
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
	}
	if (!d->has_bound || (d->events & CB_EVENT_RESTART) != 0)
		return CB_INPUT_UNKNOWN;
	if (s->input != CB_INPUT_MISSING)
		return s->input;
	return d->heard && s->before.as_of - d->last_heard < PATIENCE_NS ?
	    CB_INPUT_FREE_RUNNING : CB_INPUT_UNKNOWN;
}

static void
publish(struct cb_daemon *d)
{
	struct cb_bound none = { d->sample.before.as_of,
	    CB_SHM_UNKNOWN_BOUND_NS, d->options.max_drift_ppb };
	struct cb_shm_v2 v2;

	cb_publish_v2(d->has_bound ? &d->bound : &none, d->status, &v2);
	cb_shm_write(&d->writer, &v2);
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
		{ CB_EVENT_CONTRADICTION, "a source contradicts what it "
		    "measured before: the bound takes in both",
		    "the source agrees with itself again" },
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

static void
log_tick(struct cb_daemon *d, clockbound_clock_status before)
{
	static const char *const names[] = {
		"unknown", "synchronized", "free running", "disrupted"
	};
	const struct cb_sample *s = &d->sample;
	unsigned now = d->events;

	if (s->input == CB_INPUT_MISSING)
		now |= CONDITION_MISSING | (d->conditions & CONDITION_LOCAL);
	else if (s->tracking.ref_id == CB_CHRONY_REF_ID_LOCAL)
		now |= CONDITION_LOCAL;
	log_conditions(d, now);
	if (d->status != before)
		cb_log_info("status %s, was %s", names[d->status],
		    names[before]);
}

void
cb_loop_tick(struct cb_daemon *d)
{
	clockbound_clock_status before = d->status;

	d->source->sample(d);
	d->has_bound = d->source->bound(d);
	d->status = cb_status_next(before, weigh_input(d),
	    CB_DISRUPTION_RELIABLE);
	publish(d);
	log_tick(d, before);
}

static void
answer_signals(void)
{
	if (asked_to_disrupt == 0)
		return;
	cb_log_warn("SIGUSR%d ignored: clock disruption support is disabled",
	    asked_to_disrupt == SIGUSR1 ? 1 : 2);
	asked_to_disrupt = 0;
}

/* Signals are served in here and nowhere else. */
static void
sleep_until(int64_t mono, const sigset_t *mask)
{
	int64_t left;
	struct timespec ts;

	/* At least once: also a daemon that is late has to listen. */
	do {
		left = cb_ts_max(mono - cb_clocks_mono(), 0);
		ts.tv_sec = (time_t)(left / CB_NS_PER_S);
		ts.tv_nsec = (long)(left % CB_NS_PER_S);
		pselect(0, NULL, NULL, NULL, &ts, mask);
		answer_signals();
	} while (!stopped && left > 0);
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
		cb_loop_tick(d);
		/* Late by whole intervals: those are lost, not made up for. */
		next = cb_ts_max(next + d->options.interval_ns,
		    cb_clocks_mono());
		sleep_until(next, &mask);
	}
	cb_log_info("%s: the segment stays as it is, and ages",
	    stopped == SIGTERM ? "SIGTERM" : stopped == SIGINT ? "SIGINT" :
	    "SIGHUP");
	return true;
}
