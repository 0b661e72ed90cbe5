/* SPDX-License-Identifier: ISC */
/*
 * What befalls a world: of its servers, its clocks, its host, and UTC itself.
 */
#include <stdlib.h>

#include "system.h"
#include "world.h"

/* The end of a December. */
#define MIDNIGHT	(INT64_C(1798761600) * S)
/* chronyd takes no sample this near to a leap second. */
#define LEAP_CLOSE	(5 * S)
/* These need not come to anything, or come to more. */
#define COUNTED_THERE	(BIT(DEATH) | BIT(LIE) | BIT(RESTART) | \
			BIT(MIGRATION) | BIT(OPERATOR))

/* Another CPU's, or one that went on by itself, or was reset. */
void
counter_make(void)
{
	w.counter_speed = one_in(2) ? between(1, 4 << 24) :
	    between(1 << 24, 4 << 24);
	w.counter_base = one_in(2) ? next_random() :
	    w.counter_base + (uint64_t)between(-10 * S, 100 * S);
}

/* No packet comes back for a while, from some servers or from all. */
static void
die(void)
{
	bool all = one_in(2), noticed = one_in(2);

	for (size_t i = 0; i < w.n; i++) {
		struct server *s = &w.servers[i];

		if (!all && one_in(2))
			continue;
		s->silent_ns = w.now_ns + between(S, 5000 * S);
		s->reply_ns = NEVER;
		if (noticed)
			s->n_samples = 0;
		befallen[DEATH]++;
	}
	chronyd_select();
}

/* Of three or more, one: chronyd can tell who it is. */
static void
lie(void)
{
	if (w.n < 3 || w.has_liar)
		return;
	for (size_t i = 0; i < w.n; i++)
		if (w.servers[i].mode == CB_CHRONY_CLIENT) {
			w.servers[i].lies_ns = w.now_ns;
			w.lies = w.has_liar = true;
			return;
		}
}

/* chronyd is killed or stopped for a while; or only our questions are lost. */
static void
go_mute(void)
{
	w.mute_until_ns = w.now_ns + between(MS, 200 * S);
	w.dead = one_in(2);
	/* If it was slewing, nobody will end that in time. */
	if (w.slew_end_ns != NEVER)
		keep_untold();
}

/* It loses all its servers, and takes its own clock for true. */
static void
follow_itself(void)
{
	int64_t until = w.now_ns + between(S, 1000 * S);

	chronyd_lose();
	for (size_t i = 0; i < w.n; i++) {
		w.servers[i].silent_ns = until;
		w.servers[i].n_samples = 0;
	}
	chronyd_select();
	w.synced = false;
	w.local = true;
}

/*
 * Another host, with other clocks, after a while in which nothing ran.
 */
static void
migrate(void)
{
	int64_t ns = between(MS, 10 * S);
	fix raw = FIX(between(0, 20 * S)), real = FIX(between(-S, 20 * S));

	w.at.tau += FIX(ns);
	w.now_ns += ns;
	w.at.raw += raw;
	w.at.real += real;
	w.at.cooked += real;
	w.at.mono += raw;
	counter_make();
	w.jumps += real - raw + times(raw, w.freq_ppb);
	if (w.max_wander_ppb != 0)
		world_replace_oscillator();
	chronyd_lose();
}

/* And the VMClock says so. */
static void
migrate_marked(void)
{
	if (!w.has_vmclock)
		return;
	migrate();
	page.disruption_marker[0] = htole32(le32toh(
	    page.disruption_marker[0]) + 1);
	befallen[MIGRATION]++;
}

/*
 * The kernel keeps time by something else from now on, and goes on from where
 * it was; the counter has run wrong.
 */
static void
change_clocksource(void)
{
	w.other_clocksource = !w.other_clocksource;
	counter_make();
	w.blind = true;
}

/*
 * Somebody sets the clock; not before the daemon has seen a sleep, which cannot
 * be told from that where the kernel does not know of it.
 */
static void
step(void)
{
	fix jump = FIX(one_in(2) ? between(-50 * MS, 50 * MS) :
	    between(-100 * S, 100 * S));

	if (w.slept)
		return;
	befallen[OPERATOR]++;
	w.at.real += jump;
	w.at.cooked += jump;
	w.jumps += jump;
	chronyd_disturb(jump);
	w.stepped = w.jumped = true;
	w.disturbed_ns = w.now_ns;
}

/*
 * The raw clock stands still, and the kernel guesses for how long it did; or
 * knows, by a counter that ran on.
 */
static void
fall_asleep(bool nonstop)
{
	int64_t ns = between(10 * MS, one_in(2) ? S : 1000 * S);
	/* What the kernel injects: the same into REALTIME and BOOTTIME. */
	int64_t told = nonstop ? ns : cb_ts_max(ns + between(-S, S), 0);
	fix raw = FIX(ns) + times(FIX(ns), w.drift_ppb), guess = FIX(told);

	w.at.tau += FIX(ns);
	w.now_ns += ns;
	w.at.real += guess;
	w.at.cooked += guess;
	w.jumps += guess;
	w.asleep_ns += told;
	chronyd_lose();
	if (nonstop) {
		w.counter_base += (uint64_t)(raw * w.counter_speed >> 56);
	} else {
		counter_make();
		w.blind = true;
	}
	w.stepped = w.jumped = w.slept = true;
	w.disturbed_ns = w.now_ns;
}

static void
sleep_stopped(void)
{
	fall_asleep(false);
}

static void
sleep_nonstop(void)
{
	fall_asleep(true);
}

/* The guest does not run, and its counter does: a long moment, that is all. */
static void
pause_guest(void)
{
	bool was = w.dead;

	chronyd_lose();
	if (w.slew_end_ns != NEVER)
		keep_untold();
	w.dead = w.stale = true;
	pass(between(MS, 60 * S));
	w.dead = was;
	w.stale = true;
}

/* It does not run, and of its clocks none does. */
static void
stand_still(void)
{
	int64_t ns = between(MS, one_in(2) ? S : 100 * S);

	w.at.tau += FIX(ns);
	w.now_ns += ns;
	chronyd_lose();
}

/* Without STOP and KILL, which are of the daemon. */
static void (*const befall[N_CLASSES])(void) = {
	[DEATH] = die, [LIE] = lie, [RESTART] = chronyd_restart,
	[MISSED] = go_mute, [LOCAL] = follow_itself,
	[MIGRATION] = migrate_marked, [CLOCKSOURCE] = change_clocksource,
	[OPERATOR] = step, [SLEEP] = sleep_stopped, [NONSTOP] = sleep_nonstop,
	[PAUSE] = pause_guest, [UNMARKED] = migrate,
	[STANDSTILL] = stand_still
};

void
event_happen(const struct event *e)
{
	uint64_t random = e->random, *was = drawn_from;

	drawn_from = &random;
	advance();
	befall[e->class]();
	befallen[e->class] += (BIT(e->class) & COUNTED_THERE) == 0;
	if (e->class == UNMARKED || e->class == STANDSTILL) {
		w.unseen_ns = cb_ts_min(w.unseen_ns, w.now_ns);
		w.end_ns = cb_ts_min(w.end_ns, w.now_ns + 5000 * S);
	}
	w.stale = true;
	drawn_from = was;
}

/* Where CLOCK_REALTIME leaps. */
static fix
leap_label(void)
{
	return FIX(MIDNIGHT - (w.leap_by_ns > 0 ? S : 0));
}

/* By servers, to a chronyd whose clock is not past it. */
bool
leap_is_announced(void)
{
	return w.leap_by_ns != 0 && w.now_ns < w.withdrawn_ns &&
	    (w.leap_ns == NEVER ||
	    w.now_ns < w.leap_ns - cb_ts_min(w.leap_by_ns, 0)) &&
	    w.at.real < leap_label();
}

bool
leap_is_close(void)
{
	return w.announces &&
	    llabs(to_ns(w.at.real - FIX(MIDNIGHT))) < LEAP_CLOSE;
}

/*
 * The interval takes in a leap second at the last look before it: nobody but a
 * daemon that was held up for longer may be excused, for as long.  One that was
 * never told of it cannot know: an assumption is broken, and the world ends.
 */
static void
excuse_daemon(void)
{
	if (w.now_ns - w.told_ns > w.interval_ns + S) {
		w.blind = true;
		keep_untold();
	}
	if (w.watched && !w.told_leap) {
		w.unannounced = true;
		w.end_ns = w.now_ns;
	}
	w.leapt_ns = w.now_ns;
}

void
leap_begin(void)
{
	w.leap_begins_ns = NEVER;
	excuse_daemon();
	/* Whoever does not know of it must not measure across it. */
	if (w.announces)
		return;
	chronyd_forget();
	for (size_t i = 0; i < w.n; i++)
		w.servers[i].reply_ns = NEVER;
}

/*
 * CLOCK_REALTIME has come to the leap second: the kernel steps it, of which
 * nobody tells chronyd; or chronyd does, or slews it, and takes what it has
 * measured for as far off as before; or it does nothing.
 */
void
leap_happen(void)
{
	bool steers = w.slews || w.steps;
	fix by = FIX(w.leap_by_ns);

	draw_from(CHRONYD);
	excuse_daemon();
	w.leaps = false;
	w.leap_end_ns = w.now_ns + 2 * S;
	befallen[LEAP]++;
	if (w.leap_mode == IGNORED)
		return;
	w.at.cooked += by;
	if (steers && w.leap_mode != BY_SLEW) {
		w.at.real += by;
		w.stepped = true;
	}
	if (w.leap_mode == BY_KERNEL) {
		w.jumps += by;
		chronyd_disturb(by);
		return;
	}
	for (size_t i = 0; i < w.n; i++)
		w.servers[i].last.server += by;
	w.ref_time += by;
	if (w.slews && w.leap_mode == BY_SLEW)
		chronyd_slew(to_ns(w.at.cooked - w.at.real));
}

int64_t
leap_next(void)
{
	fix left;

	/* The kernel does it without chronyd. */
	if (!w.leaps || (w.dead && w.leap_mode != BY_KERNEL))
		return NEVER;
	left = leap_label() + FIX(w.leap_late_ns) - w.at.real;
	if (left <= 0)
		return to_ns(w.at.tau);
	left = left * S / (S + w.real_ppb) * S / (S + w.drift_ppb);
	return to_ns(w.at.tau + left) + 1;
}

/* The day's end is near, and with it perhaps a leap second. */
void
leap_make(int64_t end)
{
	int64_t midnight = one_in(4) ? between(0, 20 * S) : between(0, end);

	w.leap_ns = w.withdrawn_ns = w.leap_end_ns = NEVER;
	w.leap_late_ns = between(0, 10 * MS);
	w.leap_mode = (enum leap_mode)between(BY_KERNEL, IGNORED);
	if (!w.slews && !w.steps && w.leap_mode < BY_SLEW)
		w.leap_mode = BY_SLEW;
	else if (!w.slews && w.leap_mode == BY_SLEW)
		w.leap_mode = BY_STEP;
	if (is_on(LEAP) && one_in(2)) {
		w.leap_by_ns = one_in(2) ? -S : S;
		w.leap_ns = midnight;
	}
	/* Servers thought so for a while. */
	if (one_in(8)) {
		w.leap_ns = NEVER;
		w.withdrawn_ns = between(0, midnight - cb_ts_min(midnight,
		    10 * S));
	}
	w.leap_begins_ns = w.leap_ns;
	w.epoch_ns = MIDNIGHT - midnight - cb_ts_max(w.leap_by_ns, 0);
}
