/* SPDX-License-Identifier: ISC */
/*
 * The daemon in a model world, in virtual time, where true time is known.
 *
 * The world has an oscillator anywhere within the stated drift, a kernel
 * clock, a chronyd that measures servers and slews, steps and corrects its
 * frequency whenever it likes, also between two of our questions.  The tick,
 * the source with the bytes of its protocol, the estimate, the status, the
 * segment and the reader are the real ones: only clocks.c, chrony_socket.c
 * and log.c are stood in for, by the functions at the end of this file.
 *
 * At every reading that is trusted, true time must be in the interval: of
 * version 2, of version 3, and of version 3 as ClockBound 3.x computes it.
 * What CLOCK_REALTIME is made to do after the last write, which no version 2
 * reader can know, is counted apart.
 *
 * usage: world [SEED [READINGS]]
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cb-daemon.h"
#include "counter.h"
#include "int128.h"
#include "system.h"
#include "ts.h"

#define READINGS	INT64_C(10000000)
/* From one seed to the next. */
#define STRIDE		UINT64_C(0x9e3779b97f4a7c15)
#define US		INT64_C(1000)
#define MS		INT64_C(1000000)
#define S		INT64_C(1000000000)

/* Nanoseconds with 32 binary places. */
typedef int128 fix;

#define FIX(ns)		((fix)(ns) * ((fix)1 << 32))
/* The end of a December. */
#define MIDNIGHT	(INT64_C(1798761600) * S)
/* chronyd takes no sample this near to a leap second. */
#define LEAP_CLOSE	(5 * S)
#define NEVER		INT64_MAX
#define MAX_SERVERS	12
#define COARSE_TICK	(4 * MS)
#define ADJTIME_PPB	5000000
#define COARSE_STALL	6

/* All clocks at one moment.  Rates in ppb, kept until the next event. */
struct clocks {
	fix tau;	/* true time; utc_at() has its label */
	fix raw;
	fix real;
	fix mono;	/* steered as real is, but never stepped */
	fix cooked;
};

/* Who leaps with a leap second: the kernel, chronyd in two ways, or nobody. */
enum leap_mode { SYSTEM, STEP, SLEW, IGNORE };

/* One measurement, in what never changes afterwards. */
struct meas {
	bool has;
	fix raw;	/* when */
	fix server;	/* the server's time then */
	fix jumps;	/* w.jumps then */
	int64_t err_ns;
	uint32_t orig;
};

struct server {
	unsigned id;		/* its address */
	enum cb_chrony_mode mode;
	int state;
	int poll;
	bool interleaved;
	int64_t lies_ns;	/* from when on */
	int64_t delay_ns;	/* of a path, there and back */
	int64_t jitter_ns;
	int64_t err_ns;		/* root delay / 2 + root dispersion */
	int asymmetry;		/* -1, 1: all of it; 0: any */
	unsigned n_samples;
	struct meas last;
	struct meas held;	/* interleaved: comes with the next reply */
	struct meas flying;	/* its reply comes at reply_ns */
	int64_t poll_ns;	/* true times of events */
	int64_t reply_ns;
};

static struct {
	struct clocks at;	/* the last event */
	int64_t now_ns;		/* true time */
	int64_t end_ns;
	int64_t epoch_ns;	/* UTC then it was 0 */
	int64_t drift_ppb, limit_ppb;
	int64_t freq_ppb, real_ppb;
	int64_t jump_ns, slew_end_ns, restart_ns, mute_until_ns;
	int64_t coarse_ns, churn_ns, asleep_ns;
	int64_t calm_ns;	/* between jumps of the oscillator, at most */
	int64_t hold_ups;	/* one in so many questions and answers */
	bool holds_still;	/* chronyd keeps its frequency near zero */
	fix jumps;	/* of the cooked clock, of which chronyd was not told */
	int64_t migrate_ns;
	int64_t told_ns;	/* the last tick began */
	/* A leap second: in true time, and what it adds to UTC. */
	int64_t leap_ns, leap_begins_ns, leap_by_ns, withdrawn_ns;
	int64_t leap_late_ns;	/* a kernel's tick */
	enum leap_mode leap_mode;
	bool leaps;		/* chronyd is going to */
	bool announces;		/* chronyd's leap status */
	int64_t leap_end_ns;	/* of that */
	fix ref_time;
	int64_t update_interval_ns;
	int64_t steer_ppb;	/* 0: nobody steers the daemon's raw clock */
	bool steers, old_refclock_age, dead, untold, synced, lies, stepped;
	/* Since the tick: chronyd has stepped the clock, the machine slept. */
	bool moved, slept;
	bool has_vmclock;
	/* The counter: raw clock * speed / 2^24 + base, unknown but fixed. */
	int64_t counter_speed;
	uint64_t counter_base;
	bool other_clocksource;	/* the kernel keeps time by something else */
	bool late;	/* the daemon was, for a leap second, */
	bool told_leap;	/* by chronyd's last word */
	bool unannounced;	/* nobody had told it of the leap second */
	size_t n;
	struct server servers[MAX_SERVERS];
} w;

/* Readings of one kind. */
struct tally {
	const char *name;
	int64_t trusted, untrusted, untold, missed;
	int64_t ratio[11];	/* of error to half-width, in tenths */
	double worst;
};

static struct tally version_2 = { .name = "version 2" };
static struct tally version_3 = { .name = "version 3" };
static struct tally reference = { .name = "version 3, in doubles" };

static struct {
	int64_t ticks, worlds;
	int64_t contradictions, mute, steps, updates, restarts;
	int64_t operator_steps, sleeps, woken, migrations;
	int64_t interleaved, peer, refclock, lies, churned;
	int64_t leaps[4];	/* by leap_mode */
	int64_t clocksources;
} count;

static uint64_t state;

/* The hypervisor's page.  Only its marker ever changes. */
static struct cb_vmclock_page page;

static uint64_t
next_random(void)
{
	uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* From lo to hi, both included. */
static int64_t
between(int64_t lo, int64_t hi)
{
	return lo + (int64_t)(next_random() % (uint64_t)(hi - lo + 1));
}

static bool
one_in(int64_t n)
{
	return between(1, n) == 1;
}

static fix
times(fix d, int64_t ppb)
{
	return d * ppb / S;
}

static int64_t
to_ns(fix x)
{
	return (int64_t)(x >> 32);
}

static struct clocks
clocks_at(int64_t ns)
{
	struct clocks c = w.at;
	fix d = FIX(ns) - c.tau, raw = d + times(d, w.drift_ppb);
	fix real = raw + times(raw, w.real_ppb);

	c.tau += d;
	c.raw += raw;
	c.real += real;
	c.mono += real;
	c.cooked += raw - times(raw, w.freq_ppb);
	return c;
}

/* Of an inserted second, the label that it shares with what comes after. */
static fix
utc_at(fix tau)
{
	return tau + FIX(w.epoch_ns +
	    (tau < FIX(w.leap_ns) ? 0 : w.leap_by_ns));
}

/* Where CLOCK_REALTIME leaps. */
static fix
leap_label(void)
{
	return FIX(MIDNIGHT - (w.leap_by_ns > 0 ? S : 0));
}

static bool
servers_announce(void)
{
	return w.leap_by_ns != 0 && w.now_ns < w.withdrawn_ns &&
	    (w.leap_ns == NEVER ||
	    w.now_ns < w.leap_ns - cb_ts_min(w.leap_by_ns, 0));
}

static bool
is_leap_close(void)
{
	return w.announces &&
	    llabs(to_ns(w.at.real - FIX(MIDNIGHT))) < LEAP_CLOSE;
}

/*
 * What the cooked clock showed at a measurement, as chronyd has it now: run
 * backwards at its present rate, but for jumps of which it was not told.
 */
static fix
cooked_then(const struct meas *m)
{
	fix d = w.at.raw - m->raw;

	return w.at.cooked - d + times(d, w.freq_ppb) - (w.jumps - m->jumps);
}

static void
start_slew(int64_t ns)
{
	/* As fast as chronyd slews: 8.3 %, or as adjtime(2) does. */
	int64_t fastest = w.steer_ppb != 0 ? S / ADJTIME_PPB : 12;
	int64_t length = between(S, 4 * S);

	if (llabs(ns) > length / fastest)
		length = fastest * llabs(ns);
	w.real_ppb = -w.freq_ppb + (int64_t)((fix)ns * S / length);
	w.slew_end_ns = w.now_ns + length + between(0, 10 * MS);
}

/*
 * chronyd has made up its mind: another frequency, another idea of true time,
 * and a slew or a step towards that.
 */
static void
update(const struct server *s)
{
	fix d = w.at.raw - s->last.raw, corr;
	int64_t error = s->last.err_ns / 2, last;

	if (w.holds_still)
		w.freq_ppb = between(-1000, 1000);
	else if (!one_in(4))
		w.freq_ppb = w.drift_ppb + between(-1000, 1000);
	else
		w.freq_ppb = between(-w.limit_ppb, w.limit_ppb);
	w.at.cooked = s->last.server + d - times(d, w.freq_ppb) +
	    FIX(between(-error, error));
	last = to_ns(w.ref_time);
	w.ref_time = w.at.cooked - FIX(between(0, S));
	w.update_interval_ns = w.synced ? llabs(to_ns(w.ref_time) - last) : 0;
	w.synced = w.untold = true;
	count.updates++;

	corr = w.at.cooked - w.at.real;
	w.slew_end_ns = NEVER;
	w.real_ppb = -w.freq_ppb;
	if (!w.steers) {
		w.real_ppb = 0;
	} else if (!w.slept && llabs(to_ns(corr)) > between(1, 1000) * MS) {
		w.at.real = w.at.cooked;
		w.moved = true;
		count.steps++;
	} else {
		start_slew(to_ns(corr));
	}
	if (!is_leap_close())
		w.announces = w.leaps = servers_announce() &&
		    w.at.real < leap_label();
}

static bool
is_lying(const struct server *s)
{
	return s->lies_ns <= w.now_ns;
}

static void
select_servers(void)
{
	size_t best = w.n;

	for (size_t i = 0; i < w.n; i++)
		if (w.servers[i].n_samples >= 3 && !is_lying(&w.servers[i]) &&
		    (best == w.n || one_in(3)))
			best = i;
	for (size_t i = 0; i < w.n; i++) {
		struct server *s = &w.servers[i];

		if (s->n_samples < 3)
			s->state = CB_CHRONY_NOT_SELECTABLE;
		else if (best == w.n)
			/* It waits for others, and nobody has compared it. */
			s->state = CB_CHRONY_NOT_COMBINED;
		else if (is_lying(s))
			s->state = CB_CHRONY_FALSETICKER;
		else
			s->state = i == best ? CB_CHRONY_SELECTED :
			    (int)between(CB_CHRONY_JITTERY,
			    CB_CHRONY_NOT_COMBINED);
	}
}

/* A reply has come: its sample, or in interleaved mode the one before it. */
static void
take_reply(struct server *s)
{
	struct meas new = s->flying;

	if (s->interleaved) {
		new = s->held;
		s->held = s->flying;
	}
	s->reply_ns = NEVER;
	if (!new.has || is_leap_close())
		return;
	new.orig = (uint32_t)next_random();
	s->last = new;
	s->n_samples++;
	if (s->state != CB_CHRONY_SELECTED || is_lying(s) || one_in(16))
		select_servers();
	if (s->state == CB_CHRONY_SELECTED && !one_in(8))
		update(s);
}

/*
 * The packets of one exchange: T1 and T4 by the cooked clock, T2 and T3 by the
 * server's, which is off by as much as it admits.
 */
static void
ask_server(struct server *s)
{
	int64_t path = s->delay_ns + between(0, s->jitter_ns);
	int64_t there = s->asymmetry < 0 ? 0 : s->asymmetry > 0 ? path :
	    between(0, path);
	int64_t poll = s->poll < 0 ? S >> -s->poll : S << s->poll;
	int64_t stay = s->mode == CB_CHRONY_PEER ? between(0, poll) :
	    between(0, 20 * MS - 1);
	int64_t off = s->asymmetry == 0 ? between(-s->err_ns, s->err_ns) :
	    s->asymmetry * s->err_ns;
	fix raw4, delay;

	s->poll_ns = w.now_ns + poll + between(0, poll / 8);
	if (s->mode == CB_CHRONY_REFCLOCK) {
		s->flying = (struct meas){ .has = true, .raw = w.at.raw,
		    .jumps = w.jumps, .server = utc_at(w.at.tau) + FIX(off),
		    .err_ns = s->err_ns };
		/* A sample is the middle of a window, told at its end. */
		s->reply_ns = w.now_ns + between(0, poll / 2);
		return;
	}
	/* One drift rate: an exchange is no longer than the rates last. */
	s->reply_ns = w.now_ns + path + stay;
	raw4 = clocks_at(s->reply_ns).raw;
	s->flying = (struct meas){ .has = true, .jumps = w.jumps };
	s->flying.raw = (w.at.raw + raw4) / 2;
	s->flying.server = utc_at(w.at.tau) + FIX(there + off + stay / 2 +
	    (is_lying(s) ? between(1, 100) * MS : 0));
	delay = raw4 - w.at.raw;
	delay = delay - times(delay, w.freq_ppb) - FIX(stay);
	s->flying.err_ns = cb_ts_max(to_ns(delay), 0) / 2 + 1 + s->err_ns;
	/* UTC leapt between its time stamps: no delay comes out of that. */
	if (w.now_ns < w.leap_ns && w.leap_ns <= s->reply_ns)
		s->reply_ns = NEVER;
	/* The oscillator must not jump under it: not all of it was drawn. */
	else if (w.jump_ns <= s->reply_ns)
		w.jump_ns = s->reply_ns + 1;
}

static void
make_server(struct server *s)
{
	static unsigned id;

	static const enum cb_chrony_mode modes[] = {
		CB_CHRONY_CLIENT, CB_CHRONY_CLIENT, CB_CHRONY_CLIENT,
		CB_CHRONY_PEER, CB_CHRONY_REFCLOCK
	};

	*s = (struct server){
		.id = id++ % 1000,
		.mode = modes[between(0, 4)],
		.state = CB_CHRONY_NOT_SELECTABLE,
		.poll = (int)between(-4, one_in(4) ? 11 : 8),
		.interleaved = one_in(2),
		.delay_ns = between(0, one_in(3) ? 200 * MS : 100 * US),
		.jitter_ns = one_in(2) ? 0 : between(0, 20 * MS),
		.err_ns = one_in(2) ? 0 : between(0, 5 * MS),
		.asymmetry = (int)between(-1, 1),
		.poll_ns = w.now_ns + between(0, 2 * S),
		.reply_ns = NEVER,
		.lies_ns = NEVER
	};
	if (s->mode == CB_CHRONY_REFCLOCK)
		s->interleaved = false;
}

/* Sources come and go; those behind them get other indexes. */
static void
churn(void)
{
	w.churn_ns = w.now_ns + between(S, 3000 * S);
	if (w.n > 1 && one_in(2)) {
		size_t gone = (size_t)between(0, (int64_t)w.n - 1);

		w.n--;
		memmove(&w.servers[gone], &w.servers[gone + 1],
		    (w.n - gone) * sizeof(w.servers[0]));
	} else if (w.n < MAX_SERVERS) {
		make_server(&w.servers[w.n++]);
	}
	select_servers();
	count.churned++;
}

/*
 * A jump of the clock amid an exchange: T4 has it and T1 has not, so half of
 * it is in the offset and half in the error, unless the delay is then negative.
 */
static void
disturb_exchanges(fix jump)
{
	for (size_t i = 0; i < w.n; i++) {
		struct server *s = &w.servers[i];

		if (s->reply_ns == NEVER)
			continue;
		s->flying.jumps += jump / 2;
		s->flying.err_ns += to_ns(jump / 2);
		if (s->mode == CB_CHRONY_REFCLOCK || s->flying.err_ns <= 0)
			s->reply_ns = NEVER;
	}
}

/* Somebody sets the clock. */
static void
step(void)
{
	fix jump = FIX(one_in(2) ? between(-50 * MS, 50 * MS) :
	    between(-100 * S, 100 * S));

	w.at = clocks_at(w.now_ns);
	w.at.real += jump;
	w.at.cooked += jump;
	w.jumps += jump;
	disturb_exchanges(jump);
	w.stepped = w.untold = true;
	count.operator_steps++;
}

/*
 * CLOCK_REALTIME has come to the leap second: the kernel steps it, of which
 * nobody tells chronyd; or chronyd does, or slews it, and takes what it has
 * measured for as far off as before; or it does nothing.
 */
static void
leap(void)
{
	fix by = FIX(w.leap_by_ns);

	w.leaps = false;
	w.leap_end_ns = w.now_ns + 2 * S;
	count.leaps[w.leap_mode]++;
	if (w.leap_mode == IGNORE)
		return;
	w.at.cooked += by;
	if (w.steers && w.leap_mode != SLEW) {
		w.at.real += by;
		w.stepped = true;
	}
	if (w.leap_mode == SYSTEM) {
		w.jumps += by;
		disturb_exchanges(by);
		return;
	}
	for (size_t i = 0; i < w.n; i++)
		w.servers[i].last.server += by;
	w.ref_time += by;
	if (w.steers && w.leap_mode == SLEW)
		start_slew(to_ns(w.at.cooked - w.at.real));
}

/* When CLOCK_REALTIME will leap, as it goes now. */
static int64_t
next_leap(void)
{
	fix left = leap_label() + FIX(w.leap_late_ns) - w.at.real;

	/* The kernel does it without chronyd. */
	if (!w.leaps || (w.dead && w.leap_mode != SYSTEM))
		return NEVER;
	if (left <= 0)
		return to_ns(w.at.tau);
	left = left * S / (S + w.real_ppb) * S / (S + w.drift_ppb);
	return to_ns(w.at.tau + left) + 1;
}

/*
 * The interval takes in a leap second from the last second before it: nobody
 * but a daemon that was held up for longer may be excused.
 */
static void
excuse_late_daemon(void)
{
	if (w.now_ns - w.told_ns > S)
		w.untold = w.late = true;
}

/* Another CPU's, or one that went on by itself, or was reset. */
static void
make_counter(void)
{
	w.counter_speed = one_in(2) ? between(1, 4 << 24) :
	    between(1 << 24, 4 << 24);
	w.counter_base = one_in(2) ? next_random() :
	    w.counter_base + (uint64_t)between(-10 * S, 100 * S);
}

/* The raw clock stands still, and the kernel guesses for how long it did. */
static void
fall_asleep(void)
{
	int64_t ns = between(10 * MS, one_in(2) ? S : 1000 * S);
	/* What the kernel injects: the same into REALTIME and BOOTTIME. */
	int64_t told = cb_ts_max(ns + between(-S, S), 0);
	fix guess = FIX(told);

	w.at = clocks_at(w.now_ns);
	w.at.tau += FIX(ns);
	w.now_ns += ns;
	w.at.real += guess;
	w.at.cooked += guess;
	w.jumps += guess;
	w.asleep_ns += told;
	make_counter();
	for (size_t i = 0; i < w.n; i++)
		w.servers[i].reply_ns = NEVER;
	w.stepped = w.untold = w.slept = true;
	count.sleeps++;
}

/*
 * Another host, with other clocks, after a while in which nothing ran; and the
 * VMClock says so.
 */
static void
migrate(void)
{
	int64_t ns = between(MS, 10 * S);
	fix raw = FIX(between(0, 20 * S)), real = FIX(between(-S, 20 * S));

	w.at = clocks_at(w.now_ns);
	w.at.tau += FIX(ns);
	w.now_ns += ns;
	w.at.raw += raw;
	w.at.real += real;
	w.at.cooked += real;
	w.at.mono += raw;
	make_counter();
	w.jumps += real - raw + times(raw, w.freq_ppb);
	for (size_t i = 0; i < w.n; i++)
		w.servers[i].reply_ns = NEVER;
	page.disruption_marker[0] = htole32(le32toh(
	    page.disruption_marker[0]) + 1);
	count.migrations++;
}

static void
forget_samples(void)
{
	for (size_t i = 0; i < w.n; i++) {
		w.servers[i].last.has = w.servers[i].held.has = false;
		w.servers[i].n_samples = 0;
		w.servers[i].reply_ns = NEVER;
	}
	select_servers();
	w.synced = false;
	if (!is_leap_close())
		w.announces = w.leaps = false;
}

static void
restart(void)
{
	w.restart_ns = w.now_ns + between(300, 3000) * S;
	w.announces = w.leaps = false;
	forget_samples();
	for (size_t i = 0; i < w.n; i++)
		w.servers[i].poll_ns = w.now_ns + between(0, 2 * S);
	/* A slew that was under way is ended. */
	w.slew_end_ns = NEVER;
	if (w.steers)
		w.real_ppb = -w.freq_ppb;
	w.untold = true;
	count.restarts++;
}

/* All that happens at this moment; nothing when chronyd is stopped. */
static void
happen(void)
{
	w.at = clocks_at(w.now_ns);
	if (w.migrate_ns <= w.now_ns) {
		w.migrate_ns = NEVER;
		migrate();
	}
	if (w.leap_begins_ns <= w.now_ns) {
		w.leap_begins_ns = NEVER;
		excuse_late_daemon();
		/* Whoever does not know of it must not measure across it. */
		if (!w.announces)
			forget_samples();
		/* The daemon was not told of it: an assumption is broken. */
		if (w.told_ns != 0 && !w.told_leap) {
			w.untold = w.unannounced = true;
			w.end_ns = w.now_ns;
		}
	}
	if (next_leap() <= w.now_ns) {
		excuse_late_daemon();
		leap();
	}
	if (w.jump_ns <= w.now_ns) {
		w.drift_ppb = one_in(3) ? w.limit_ppb *
		    (one_in(2) ? 1 : -1) : between(-w.limit_ppb, w.limit_ppb);
		w.jump_ns = w.now_ns + between(MS, w.calm_ns);
	}
	if (w.dead)
		return;
	if (w.leap_end_ns <= w.now_ns) {
		w.leap_end_ns = NEVER;
		w.announces = false;
	}
	if (w.restart_ns <= w.now_ns)
		restart();
	if (w.churn_ns <= w.now_ns)
		churn();
	if (w.slew_end_ns <= w.now_ns) {
		w.slew_end_ns = NEVER;
		w.real_ppb = -w.freq_ppb;
	}
	for (size_t i = 0; i < w.n; i++) {
		if (w.servers[i].reply_ns <= w.now_ns)
			take_reply(&w.servers[i]);
		if (w.servers[i].poll_ns <= w.now_ns)
			ask_server(&w.servers[i]);
	}
}

static int64_t
next_event(void)
{
	int64_t ns = cb_ts_min(w.jump_ns, w.migrate_ns);

	ns = cb_ts_min(ns, cb_ts_min(w.leap_begins_ns, next_leap()));
	if (w.dead)
		return ns;
	ns = cb_ts_min(ns, cb_ts_min(w.slew_end_ns,
	    cb_ts_min(w.restart_ns, w.churn_ns)));
	ns = cb_ts_min(ns, w.leap_end_ns);
	for (size_t i = 0; i < w.n; i++)
		ns = cb_ts_min(ns, cb_ts_min(w.servers[i].poll_ns,
		    w.servers[i].reply_ns));
	return ns;
}

static void
pass_until(int64_t ns)
{
	int64_t event;

	while ((event = next_event()) <= ns) {
		w.now_ns = cb_ts_max(event, w.now_ns);
		happen();
	}
	w.now_ns = cb_ts_max(ns, w.now_ns);
}

static void
pass(int64_t ns)
{
	pass_until(w.now_ns + ns);
}

/* The day's end is near, and with it perhaps a leap second. */
static void
make_leap(int64_t end)
{
	int64_t midnight = one_in(4) ? between(0, 20 * S) : between(0, end);

	w.leap_ns = w.withdrawn_ns = w.leap_end_ns = NEVER;
	w.leap_late_ns = between(0, 10 * MS);
	w.leap_mode = (enum leap_mode)between(SYSTEM, IGNORE);
	if (!w.steers && w.leap_mode < SLEW)
		w.leap_mode = SLEW;
	if (one_in(2)) {
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

static void
make_world(struct cb_daemon *d)
{
	static const int64_t intervals[] = {
		MS, 10 * MS, 100 * MS, 100 * MS, S, 5 * S
	};
	int64_t limit = one_in(2) ? 50000 : between(1, 1000) * 1000;

	memset(&w, 0, sizeof(w));
	d->options.interval_ns = intervals[between(0, 5)];
	w.end_ns = d->options.interval_ns * between(500, 20000);
	w.limit_ppb = limit;
	w.steers = !one_in(4);
	make_leap(w.end_ns);
	w.old_refclock_age = one_in(2);
	/* A guest's coarse clock may stand still for some of its ticks. */
	w.coarse_ns = COARSE_TICK * between(1, COARSE_STALL);
	w.at.raw = FIX(between(0, 1000000 * S));
	/* With a clock past a leap second chronyd does not tell of it. */
	w.at.real = FIX(w.epoch_ns + (w.leap_ns > 1000 * S && one_in(4) ?
	    between(-100 * S, 100 * S) :
	    between(-20 * MS, 20 * MS)));
	w.at.cooked = w.at.real;
	w.at.mono = FIX(between(0, 1000000 * S));
	w.freq_ppb = between(-limit, limit);
	w.drift_ppb = between(-limit, limit);
	if (w.steers)
		w.real_ppb = -w.freq_ppb;
	if (one_in(8))
		w.steer_ppb = ADJTIME_PPB + limit + 1000;
	w.holds_still = one_in(4);
	w.calm_ns = one_in(4) ? 20000 * S : 300 * S;
	w.hold_ups = one_in(4) ? 4 : 500;
	w.migrate_ns = NEVER;
	w.churn_ns = one_in(2) ? NEVER : between(S, 3000 * S);
	w.jump_ns = between(MS, w.calm_ns);
	w.restart_ns = between(100 * S, 3000 * S);
	w.slew_end_ns = NEVER;
	w.has_vmclock = one_in(2);
	d->options.disruption_support = w.has_vmclock;
	page.constant[0] = htole32(CB_VMCLOCK_MAGIC);
	page.constant[1] = htole32(sizeof(page));
	page.constant[2] = htole32(CB_VMCLOCK_VERSION);
	d->watch.vmclock.page = &page;
	d->watch.marker = le32toh(page.disruption_marker[0]);
	make_counter();
	w.n = (size_t)between(1, one_in(4) ? MAX_SERVERS : 6);
	for (size_t i = 0; i < w.n; i++)
		make_server(&w.servers[i]);
	if (w.n >= 3 && one_in(2)) {
		w.lies = true;
		w.servers[w.n - 1].lies_ns = one_in(2) ? 0 :
		    between(0, 1000 * S);
		w.servers[w.n - 1].mode = CB_CHRONY_CLIENT;
		count.lies++;
	}
	for (size_t i = 0; i < w.n; i++) {
		count.interleaved += w.servers[i].interleaved;
		count.peer += w.servers[i].mode == CB_CHRONY_PEER;
		count.refclock += w.servers[i].mode == CB_CHRONY_REFCLOCK;
	}
	d->options.max_drift_ppb = limit;
	count.worlds++;
}

static void
check(struct tally *t, const clockbound_now_result *now, int64_t early,
    int64_t late, bool untold, uint64_t seed)
{
	int64_t lo = cb_ts_ns(&now->earliest), hi = cb_ts_ns(&now->latest);
	int64_t error = cb_ts_max((lo + hi) / 2 - early, late - (lo + hi) / 2);
	double ratio = (double)error / (double)((hi - lo) / 2);

	if (now->clock_status != CLOCKBOUND_STA_SYNCHRONIZED &&
	    now->clock_status != CLOCKBOUND_STA_FREE_RUNNING) {
		t->untrusted++;
		return;
	}
	if (untold) {
		t->untold++;
		return;
	}
	t->trusted++;
	if (ratio > t->worst)
		t->worst = ratio;
	t->ratio[ratio >= 1 ? 10 : (int)(ratio * 10)]++;
	if (lo <= early && late <= hi)
		return;
	if (t->missed++ < 5)
		fprintf(stderr, "world: seed %" PRIu64 ": %s: true time is %"
		    PRId64 " ns outside, half-width %" PRId64 " ns, %.3f s "
		    "into the world\n", seed, t->name,
		    cb_ts_max(lo - early, late - hi), (hi - lo) / 2,
		    (double)w.now_ns / 1e9);
}

static struct timespec
to_timespec(fix x)
{
	int64_t ns = to_ns(x);

	return (struct timespec){ (time_t)(ns / S), (long)(ns % S) };
}

static fix
coarse(const struct clocks *c)
{
	int64_t ns = to_ns(c->mono);

	return FIX(ns - ns % w.coarse_ns);
}

static uint64_t
counter_at(const struct clocks *c)
{
	return w.counter_base + (uint64_t)(c->raw * w.counter_speed >> 56);
}

/* As readers of ClockBound 3.x do it. */
static void
compute_in_doubles(const struct cb_shm_segment *segment, uint64_t counter,
    clockbound_now_result *now)
{
	struct cb_shm_v3 v3;
	double ns, rate;
	int64_t middle, half;

	memcpy(&v3, segment->body, sizeof(v3));
	rate = v3.max_drift_ppb / 1e9 +
	    ldexp((double)v3.period_err_frac, -64 - v3.period_err_shift);
	ns = (double)(counter - v3.as_of_tsc) * 1e9 *
	    ldexp((double)v3.period_frac, -64 - v3.period_shift);
	middle = v3.as_of_s * S + v3.as_of_ns + (int64_t)ns;
	half = (int64_t)((double)v3.bound_ns + ns * rate);
	now->earliest = to_timespec(FIX(middle - half));
	now->latest = to_timespec(FIX(middle + half));
}

struct readers {
	struct cb_shm_reader v2;
	struct cb_shm_reader v3;
};

/* The VMClock is looked at after the clocks, as clockbound_now() does. */
static bool
is_disrupted(const struct cb_shm_bound *b)
{
	return b->status == CLOCKBOUND_STA_DISRUPTED ||
	    (b->disruption_support && b->disruption_marker !=
	    le32toh(page.disruption_marker[0]));
}

/* Of version 3, which was read before the clock went on. */
static void
read_counted(struct readers *r, uint64_t counter, int64_t early, int64_t late,
    uint64_t seed)
{
	bool untold = w.late || w.unannounced;
	clockbound_now_result now;

	if (cb_shm_read(&r->v3) != CLOCKBOUND_ERR_NONE)
		errx(1, "seed %" PRIu64 ": malformed segment", seed);
	/* On another host the counter may be anywhere. */
	if (cb_now_at_counter(&r->v3.bound, counter, &now) !=
	    CLOCKBOUND_ERR_NONE && !is_disrupted(&r->v3.bound))
		errx(1, "seed %" PRIu64 ": causality breach", seed);
	if (is_disrupted(&r->v3.bound))
		now.clock_status = CLOCKBOUND_STA_DISRUPTED;
	check(&version_3, &now, early, late, untold, seed);
	compute_in_doubles(r->v3.segment, counter, &now);
	check(&reference, &now, early, late, untold, seed);
}

/* A reader, which may be stopped between its two clocks. */
static void
read_once(struct readers *r, uint64_t seed)
{
	clockbound_now_result now;
	struct timespec real, mono;
	uint64_t counter;
	struct clocks c;
	int64_t early, late;
	bool untold;

	if (cb_shm_read(&r->v2) != CLOCKBOUND_ERR_NONE)
		errx(1, "seed %" PRIu64 ": malformed segment", seed);
	c = clocks_at(w.now_ns);
	untold = w.untold;
	early = late = to_ns(utc_at(c.tau));
	/* An inserted second has two labels. */
	if (w.leap_by_ns < 0 && w.leap_ns <= w.now_ns &&
	    w.now_ns < w.leap_ns + S)
		late += S;
	real = to_timespec(c.real);
	counter = counter_at(&c);
	pass(one_in(1000) ? between(0, S) : between(20, 100));
	c = clocks_at(w.now_ns);
	mono = to_timespec(coarse(&c));
	if (cb_now_at(&r->v2.bound, &real, &mono, &now) !=
	    CLOCKBOUND_ERR_NONE)
		errx(1, "seed %" PRIu64 ": causality breach", seed);
	if (is_disrupted(&r->v2.bound))
		now.clock_status = CLOCKBOUND_STA_DISRUPTED;
	check(&version_2, &now, early, late, untold, seed);
	if (CB_COUNTER_ID != CB_COUNTER_INVALID)
		read_counted(r, counter, early, late, seed);
}

/* chronyd is killed or stopped for a while; or only our questions are lost. */
static void
go_mute(void)
{
	w.mute_until_ns = w.now_ns + between(MS, 200 * S);
	w.dead = one_in(2);
	/* If it was slewing, nobody will end that in time. */
	w.untold |= w.slew_end_ns != NEVER;
	count.mute++;
}

/*
 * The daemon starts some time after chronyd; not so long after a leap second
 * that nobody announces it any more, unless chronyd has started since.
 */
static void
start_late(void)
{
	if (!one_in(4))
		return;
	pass(between(0, w.leap_ns == NEVER || one_in(2) ? 100 * S :
	    w.leap_ns + S));
	if (w.leap_ns < w.now_ns && !w.announces)
		restart();
}

/*
 * The daemon is woken at once, and readers are told before it asks anybody.
 * What comes in the tick of another step cannot be told apart from that.
 */
static void
wake(struct cb_daemon *d, void befall(void), struct readers *r,
    uint64_t seed)
{
	if (w.stepped || w.moved || w.now_ns >= w.end_ns)
		return;
	befall();
	cb_loop_step(d);
	/* The daemon knows, whatever chronyd does from here on. */
	w.slept = w.untold = false;
	count.woken++;
	for (int i = 0; i < 8; i++) {
		pass(between(0, MS));
		read_once(r, seed);
	}
}

/* Once the daemon knows that the kernel keeps time by something else. */
static void
check_clocksource(const struct cb_daemon *d,
    const struct cb_shm_segment *segment, uint64_t seed)
{
	struct cb_shm_v3 v3;

	memcpy(&v3, segment->body, sizeof(v3));
	if (!cb_clocks_is_counter(d->watch.clocksource) &&
	    (v3.clock_status == CLOCKBOUND_STA_SYNCHRONIZED ||
	    v3.clock_status == CLOCKBOUND_STA_FREE_RUNNING))
		errx(1, "seed %" PRIu64 ": trusted under another clocksource",
		    seed);
}

static void
live(uint64_t seed)
{
	static struct cb_shm_segment v2, v3;
	static struct cb_daemon d;
	struct readers r = {
		.v2 = { .segment = &v2, .layout = 2 },
		.v3 = { .segment = &v3, .layout = 3 }
	};

	state = seed;
	memset(&v2, 0, sizeof(v2));
	memset(&v3, 0, sizeof(v3));
	v2.header.version = 2;
	v3.header.version = CB_SHM_V3_VERSION;
	d = (struct cb_daemon){ .chrony = { .fd = -1 }, .phc = { .fd = -1 },
	    .selected = -1, .tick_ns = COARSE_TICK };
	make_world(&d);
	d.source = cb_source_find("chrony");
	d.options.chrony_socket = "chronyd";
	d.writer.v2.segment = &v2;
	d.writer.v3.segment = &v3;
	cb_estimate_init(&d.estimate, d.options.max_drift_ppb +
	    cb_clocks_steer());
	start_late();
	while (w.now_ns < w.end_ns) {
		int64_t next = w.now_ns + d.options.interval_ns;

		if (w.mute_until_ns <= w.now_ns) {
			w.dead = false;
			if (one_in(1000))
				go_mute();
		}
		if (one_in(20000))
			step();
		if (one_in(5000) && !w.stepped && !w.moved) {
			fall_asleep();
			next = w.now_ns + d.options.interval_ns;
		}
		if (w.has_vmclock && one_in(5000))
			w.migrate_ns = w.now_ns +
			    between(0, 2 * d.options.interval_ns);
		if (one_in(20000)) {
			w.other_clocksource = !w.other_clocksource;
			count.clocksources++;
		}
		w.told_ns = w.now_ns;
		cb_disruption_look(&d);
		cb_disruption_act(&d);
		cb_loop_tick(&d);
		w.late = false;
		check_clocksource(&d, &v3, seed);
		count.ticks++;
		if (one_in(500))
			next += between(0, 3 * S);
		for (int i = 0; i < 8; i++) {
			pass(between(0, cb_ts_max(next - w.now_ns, 0) / 4));
			read_once(&r, seed);
		}
		pass_until(next);
		if (one_in(10000))
			wake(&d, one_in(2) ? step : fall_asleep, &r, seed);
	}
}

static void
report(void)
{
	printf("worlds %" PRId64 ", ticks %" PRId64 ", updates %" PRId64
	    ", steps %" PRId64 " and %" PRId64 " by others, sleeps %" PRId64
	    ", of these %" PRId64 " between ticks"
	    ", migrations %" PRId64
	    ", restarts %" PRId64 ", mute %" PRId64
	    ", interleaved %" PRId64 ", peers %" PRId64 ", refclocks %" PRId64
	    ", liars %" PRId64 ", come and gone %" PRId64 ", leap seconds of "
	    "the kernel's %" PRId64 ", chronyd's %" PRId64 " stepped %" PRId64
	    " slewed %" PRId64 " ignored\n",
	    count.worlds, count.ticks, count.updates, count.steps,
	    count.operator_steps, count.sleeps, count.woken,
	    count.migrations,
	    count.restarts, count.mute, count.interleaved, count.peer,
	    count.refclock, count.lies, count.churned,
	    count.leaps[SYSTEM], count.leaps[STEP], count.leaps[SLEW],
	    count.leaps[IGNORE]);
	printf("changes of the clocksource %" PRId64 ", contradictions %"
	    PRId64 "\n", count.clocksources, count.contradictions);
}

static void
report_tally(const struct tally *t)
{
	printf("%s: error / half-width, tenths of the readings by tenths:",
	    t->name);
	for (int i = 0; i <= 10; i++)
		printf(" %.5f", (double)t->ratio[i] / (double)t->trusted);
	printf(", worst %.4f\n", t->worst);
	printf("trusted %" PRId64 ", not trusted %" PRId64 ", after what no "
	    "reader is told %" PRId64 ", missed %" PRId64 "\n", t->trusted,
	    t->untrusted, t->untold, t->missed);
}

int
main(int argc, char *argv[])
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
	int64_t readings = argc > 2 ? strtoll(argv[2], NULL, 10) : READINGS;
	int64_t missed = 0;

	if (argc <= 1)
		arc4random_buf(&seed, sizeof(seed));
	printf("seed %" PRIu64 "\n", seed);
	/* Neighbours have no world in common. */
	for (; version_2.trusted < readings && missed == 0; seed += STRIDE) {
		live(seed);
		missed = version_2.missed + version_3.missed +
		    reference.missed;
	}
	report();
	report_tally(&version_2);
	report_tally(&version_3);
	report_tally(&reference);
	return missed != 0 || count.contradictions != 0;
}

/*
 * What stands in for clocks.c, chrony_socket.c and log.c.
 */

static int64_t
look(fix clock_of(const struct clocks *))
{
	struct clocks c;

	pass(one_in(2000) ? between(0, MS) : between(15, 40));
	c = clocks_at(w.now_ns);
	return to_ns(clock_of(&c));
}

static fix
raw_of(const struct clocks *c)
{
	return w.steer_ppb != 0 ? c->mono : c->raw;
}

static fix
real_of(const struct clocks *c)
{
	return c->real;
}

void
cb_clocks_read(struct cb_instant *i)
{
	struct clocks c;

	i->as_of = look(coarse);
	i->asleep = w.asleep_ns;
	i->raw_lo = look(raw_of);
	(void)look(raw_of);
	c = clocks_at(w.now_ns);
	i->counter = counter_at(&c);
	i->real = look(real_of);
	i->raw_hi = look(raw_of);
	/* Stopped for good: from this reading on there is nothing untold. */
	if (w.dead)
		w.untold = false;
}

bool
cb_chrony_open(struct cb_chrony *c, const char *path, const char **what)
{
	(void)path, (void)what;
	c->fd = 0;
	return true;
}

void
cb_chrony_close(struct cb_chrony *c)
{
	c->fd = -1;
}

static void
put(uint8_t *p, size_t bytes, uint64_t v)
{
	while (bytes-- > 0) {
		p[bytes] = (uint8_t)v;
		v >>= 8;
	}
}

/* Rounded to the nearest of 24 bits. */
static void
put_float(uint8_t *p, double x)
{
	int exponent = 0;
	int32_t coefficient;

	if (x == 0)
		return;
	for (; x >= 1 || x < -1; exponent++)
		x /= 2;
	for (; x < 0.5 && x >= -0.5; exponent--)
		x *= 2;
	coefficient = (int32_t)(x * (1 << 24) + (x < 0 ? -0.5 : 0.5));
	if (coefficient == 1 << 24) {
		coefficient >>= 1;
		exponent++;
	}
	put(p, 4, (uint32_t)(exponent + 1) << 25 |
	    ((uint32_t)coefficient & 0x1ffffff));
}

static void
put_seconds(uint8_t *p, fix ns)
{
	put_float(p, (double)ns / 4294967296.0 / 1e9);
}

static void
tell_tracking(uint8_t *p)
{
	int64_t ref = to_ns(w.ref_time);

	put(p + 54, 2, !w.synced ? CB_CHRONY_LEAP_UNSYNCHRONISED :
	    !w.announces ? CB_CHRONY_LEAP_NORMAL : w.leap_by_ns < 0 ?
	    CB_CHRONY_LEAP_INSERT : CB_CHRONY_LEAP_DELETE);
	if (w.synced) {
		put(p + 56, 4, 0x7fffffff);
		put(p + 60, 4, (uint64_t)(ref / S));
		put(p + 64, 4, (uint64_t)(ref % S));
	}
	put_seconds(p + 68, w.at.cooked - w.at.real);
	put_float(p + 80, (double)w.freq_ppb / 1000);
	put_seconds(p + 100, FIX(w.update_interval_ns));
	w.untold = false;
	w.told_leap = w.synced && w.announces;
}

static void
tell_source(uint8_t *p, size_t index)
{
	const struct server *s = &w.servers[index];
	fix cooked = cooked_then(&s->last);
	int64_t since = to_ns(w.at.cooked) / S - to_ns(cooked) / S;

	put(p + 28, 4, 0x7f000000 + s->id);
	put(p + 48, 2, (uint64_t)s->poll);
	put(p + 52, 2, (uint64_t)s->state);
	put(p + 54, 2, (uint64_t)s->mode);
	if (!s->last.has) {
		put(p + 60, 4, CB_CHRONY_NO_SAMPLE);
		return;
	}
	if (s->mode == CB_CHRONY_REFCLOCK && !w.old_refclock_age)
		since = to_ns(w.at.cooked - cooked) / S;
	put(p + 60, 4, (uint64_t)cb_ts_max(since, 0));
	put(p + 64, 4, s->last.orig);
	put_seconds(p + 68, cooked - s->last.server);
	put_seconds(p + 72, FIX(s->last.err_ns));
}

bool
cb_chrony_ask(struct cb_chrony *c, enum cb_chrony_command command,
    uint32_t index, int64_t timeout_ns, uint8_t reply[CB_CHRONY_MAX_LEN],
    uint16_t *status)
{
	(void)c;
	if (w.mute_until_ns > w.now_ns) {
		pass(timeout_ns);
		errno = ETIMEDOUT;
		return false;
	}
	pass(one_in(w.hold_ups) ? between(0, 20 * MS) :
	    between(5 * US, 50 * US));
	w.at = clocks_at(w.now_ns);
	memset(reply, 0, CB_CHRONY_MAX_LEN);
	*status = 0;
	switch (command) {
	case CB_CHRONY_TRACKING:
		tell_tracking(reply);
		break;
	case CB_CHRONY_N_SOURCES:
		put(reply + 28, 4, w.n);
		break;
	case CB_CHRONY_RESET_SOURCES:
		forget_samples();
		break;
	case CB_CHRONY_BURST:
		for (size_t i = 0; i < w.n; i++)
			w.servers[i].poll_ns = w.now_ns + between(0, S);
		break;
	case CB_CHRONY_SOURCE_DATA:
		if (index < w.n)
			tell_source(reply, index);
		else
			*status = CB_CHRONY_STATUS_NO_SOURCE;
		break;
	}
	pass(one_in(w.hold_ups) ? between(0, 20 * MS) :
	    between(5 * US, 50 * US));
	return true;
}

int64_t
cb_clocks_tick(void)
{
	return COARSE_TICK;
}

static fix
mono_of(const struct clocks *c)
{
	return c->mono;
}

int64_t
cb_clocks_mono(void)
{
	return look(mono_of);
}

int64_t
cb_clocks_steer(void)
{
	return w.steer_ppb;
}

bool
cb_clocks_tell_sleep(void)
{
	return true;
}

int
cb_clocks_open_steps(void)
{
	return -1;
}

bool
cb_clocks_was_stepped(int fd)
{
	bool was = w.stepped;

	(void)fd;
	w.stepped = w.moved = w.slept = false;
	return was;
}

bool
cb_clocks_source(char *name, size_t size)
{
	snprintf(name, size, w.other_clocksource ? "other" : "model");
	return w.steer_ppb == 0;
}

bool
cb_clocks_is_counter(const char *name)
{
	return strcmp(name, "model") == 0;
}

void
cb_log_open(bool json)
{
	(void)json;
}

void
cb_log_info(const char *format, ...)
{
	(void)format;
}

void
cb_log_warn(const char *format, ...)
{
	if (strcmp(format, "%s") == 0) {
		va_list ap;

		va_start(ap, format);
		format = va_arg(ap, const char *);
		va_end(ap);
	}
	/* Where nobody lies, no assumption is ever broken. */
	if (!w.lies && !w.unannounced && strstr(format, "contradict") != NULL)
		count.contradictions++;
}
