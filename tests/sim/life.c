/* SPDX-License-Identifier: ISC */
/*
 * The daemon and its readers in a model world: the tick, the source with the
 * bytes of its protocol, the estimate, the status, the segments and the reader
 * are the real ones.
 *
 * At every reading that is trusted true time must be in the interval: of
 * version 2 and of version 3, as our reader computes it and as ClockBound's
 * own do, in doubles.  What no reader is told, and what no program can see,
 * are counted apart.
 */
#include <math.h>
#include <string.h>

#include "counter.h"
#include "life.h"
#include "system.h"

/* Readings from one tick to the next; while nobody writes. */
#define READINGS	2
#define MORE_READINGS	16

/* A reader that has read one clock, and not yet the other. */
struct reading {
	struct cb_shm_bound v2, v3;
	struct cb_shm_v2 body2;
	struct cb_shm_v3 body3;
	int64_t real_ns;
	uint64_t counter;
	int64_t early, late;	/* true time then */
	bool untold, blind, unseen;
	int64_t estimate_ns;	/* chronyd's half-width */
};

static struct cb_daemon d;
static struct cb_shm_segment v2, v3;
static struct cb_shm_reader reader2, reader3;
static struct totals *totals;
/* The reader that was stopped, and until when. */
static struct reading stopped;
static int64_t stopped_ns;
/* chronyd's estimate, as it came last. */
static struct cb_bound formula;
static int64_t wrong_ns;	/* the last wrong reading that is excused */

static struct timespec
to_timespec(int64_t ns)
{
	return (struct timespec){ (time_t)(ns / S), (long)(ns % S) };
}

/* The VMClock is looked at after the clocks, as clockbound_now() does. */
static bool
is_disrupted(const struct cb_shm_bound *b)
{
	return b->status == CLOCKBOUND_STA_DISRUPTED ||
	    (b->disruption_support && b->disruption_marker !=
	    le32toh(page.disruption_marker[0]));
}

static void
judge(enum kind kind, const struct reading *r, const clockbound_now_result *now)
{
	bool counted = kind == SHM1 || kind == SHM1_DOUBLES;
	const struct cb_shm_bound *b = counted ? &r->v3 : &r->v2;
	struct verdict v = {
		.lo = cb_ts_ns(&now->earliest), .hi = cb_ts_ns(&now->latest),
		.early = r->early, .late = r->late,
		.status = is_disrupted(b) ? CLOCKBOUND_STA_DISRUPTED :
		    now->clock_status,
		.untold = counted ? r->blind : r->untold,
		.unseen = r->unseen,
		.belied = w.belied && !w.plan.plain,
		.estimate_ns = r->estimate_ns
	};

	if (!tally_add(totals, kind, &v) && r->unseen)
		wrong_ns = w.now_ns;
}

/* As readers of ClockBound 2.x do it. */
static void
judge_doubles2(const struct reading *r, int64_t mono_ns,
    clockbound_now_result *now)
{
	const struct cb_shm_v2 *b = &r->body2;
	double seconds = (double)cb_ts_max(mono_ns - b->as_of_s * S -
	    b->as_of_ns, 0) / 1e9;
	int64_t half = b->bound_ns + (int64_t)(seconds * b->max_drift_ppb);

	now->earliest = to_timespec(r->real_ns - half);
	now->latest = to_timespec(r->real_ns + half);
	judge(SHM0_DOUBLES, r, now);
}

/* As readers of ClockBound 3.x do it. */
static void
judge_doubles3(const struct reading *r, clockbound_now_result *now)
{
	const struct cb_shm_v3 *b = &r->body3;
	double rate = b->max_drift_ppb / 1e9 +
	    ldexp((double)b->period_err_frac, -64 - b->period_err_shift);
	/* After years, as a counter that was reset may have it: no status. */
	double ns = fmin((double)(r->counter - b->as_of_tsc) * 1e9 *
	    ldexp((double)b->period_frac, -64 - b->period_shift), 1e17);
	int64_t middle = b->as_of_s * S + b->as_of_ns + (int64_t)ns;
	int64_t half = (int64_t)((double)b->bound_ns + ns * rate);

	now->earliest = to_timespec(middle - half);
	now->latest = to_timespec(middle + half);
	judge(SHM1_DOUBLES, r, now);
}

/* chronyd's offset, dispersion and delay as of now; 0 while it has none. */
static int64_t
estimate_at(int64_t mono_ns)
{
	return formula.as_of == 0 ? 0 : formula.bound_ns +
	    cb_ts_drift(cb_ts_max(mono_ns - formula.as_of, 0),
	    formula.drift_ppb);
}

static void
judge_estimate(const struct reading *r, clockbound_now_result *now)
{
	if (r->estimate_ns == 0)
		return;
	now->earliest = to_timespec(r->real_ns - r->estimate_ns);
	now->latest = to_timespec(r->real_ns + r->estimate_ns);
	judge(ESTIMATE, r, now);
}

/* On another host, or after a sleep, the counter may be anywhere. */
static bool
is_excused(const struct reading *r, const struct cb_shm_bound *b)
{
	return is_disrupted(b) || r->unseen || (b == &r->v3 && r->blind) ||
	    b->status == CLOCKBOUND_STA_UNKNOWN;
}

/* The first half of a reading: the snapshots, CLOCK_REALTIME, the counter. */
static void
begin_reading(struct reading *r)
{
	struct clocks c = clocks_at(w.now_ns);

	if (cb_shm_read(&reader2) != CLOCKBOUND_ERR_NONE ||
	    cb_shm_read(&reader3) != CLOCKBOUND_ERR_NONE)
		tally_fail("malformed segment");
	r->v2 = reader2.bound;
	r->v3 = reader3.bound;
	memcpy(&r->body2, reader2.words, sizeof(r->body2));
	memcpy(&r->body3, reader3.words, sizeof(r->body3));
	r->early = r->late = to_ns(utc_at(c.tau));
	/* An inserted second has two labels. */
	if (w.leap_by_ns < 0 && w.leap_ns <= w.now_ns &&
	    w.now_ns < w.leap_ns + S)
		r->late += S;
	r->real_ns = to_ns(c.real);
	r->counter = counter_at(&c);
	r->untold = w.untold || w.jumped || w.unannounced;
	r->blind = w.blind || w.unannounced;
	r->unseen = w.unseen_ns != NEVER;
}

/* And the second: CLOCK_MONOTONIC_COARSE, and what comes of it. */
static void
end_reading(struct reading *r)
{
	struct clocks c = clocks_at(w.now_ns);
	int64_t mono_ns = to_ns(coarse_of(&c));
	struct timespec real = to_timespec(r->real_ns);
	struct timespec mono = to_timespec(mono_ns);
	clockbound_now_result now;

	r->estimate_ns = estimate_at(mono_ns);
	if (cb_now_at(&r->v2, &real, &mono, &now) == CLOCKBOUND_ERR_NONE) {
		judge(SHM0, r, &now);
		judge_doubles2(r, mono_ns, &now);
		judge_estimate(r, &now);
	} else if (!is_excused(r, &r->v2)) {
		tally_fail("shm0: causality breach");
	}
	if (CB_COUNTER_ID == CB_COUNTER_INVALID)
		return;
	if (cb_now_at_counter(&r->v3, r->counter, &now) ==
	    CLOCKBOUND_ERR_NONE) {
		judge(SHM1, r, &now);
		judge_doubles3(r, &now);
	} else if (!is_excused(r, &r->v3)) {
		tally_fail("shm1: causality breach");
	}
}

/* A reader, which may be stopped between its two clocks. */
static void
read_once(void)
{
	struct reading r;

	if (d.source == NULL)
		return;
	if (stopped_ns <= w.now_ns) {
		end_reading(&stopped);
		stopped_ns = NEVER;
	}
	begin_reading(&r);
	if (stopped_ns == NEVER && is_on(PREEMPT) && one_in(1000)) {
		stopped = r;
		stopped_ns = w.now_ns + between(0, S);
		befallen[PREEMPT]++;
		return;
	}
	pass(between(20, 100));
	end_reading(&r);
}

/* Time goes by, and readers read, at moments of their own. */
static void
read_until(int64_t ns, int n)
{
	for (; n > 0; n--) {
		draw_from(READERS);
		pass(between(0, cb_ts_max(ns - w.now_ns, 0) / n));
		draw_from(READERS);
		read_once();
	}
	pass_until(ns);
}

static bool
is_from_before(const struct meas *m, int64_t ns)
{
	return m->has && m->ns <= ns;
}

/* Has chronyd a measurement from before that, or one under way? */
static bool
has_older(int64_t ns)
{
	for (size_t i = 0; i < w.n; i++) {
		const struct server *s = &w.servers[i];

		if (is_from_before(&s->last, ns) ||
		    is_from_before(&s->held, ns) || (s->reply_ns != NEVER &&
		    is_from_before(&s->flying, ns)))
			return true;
	}
	return false;
}

/*
 * A new daemon, beside a chronyd that has measured nothing before the clock
 * was set, the machine slept or UTC leapt, of which nobody tells the daemon.
 */
static void
start_daemon(void)
{
	draw_from(CHRONYD);
	advance();
	/* What announces a leap second ends with it, or soon after. */
	if (has_older(w.disturbed_ns) || (has_older(w.leapt_ns) &&
	    (!w.announces || w.leap_end_ns != NEVER)))
		chronyd_restart();
	d = (struct cb_daemon){
		.options = {
			.chrony_socket = "chronyd",
			.vmclock = "",
			.interval_ns = w.interval_ns,
			.max_drift_ppb = w.limit_ppb,
			.disruption_support = w.has_vmclock
		},
		.chrony = { .fd = -1 },
		.phc = { .fd = -1 },
		.selected = -1,
		.tick_ns = COARSE_TICK
	};
	d.source = cb_source_find("chrony");
	d.watch.vmclock.page = &page;
	d.writer.v2.segment = &v2;
	d.writer.v3.segment = &v3;
	cb_estimate_init(&d.estimate, d.options.max_drift_ppb +
	    cb_clocks_steer());
	if (w.max_wander_ppb != 0 && !w.plan.plain)
		cb_estimate_believe(&d.estimate, 1000 * w.max_wander_ppb);
	cb_disruption_open(&d);
	w.stepped = w.moved = w.slept = w.told_leap = false;
	w.watched = true;
	w.told_ns = w.now_ns;
}

/* The status under another clocksource than the counter. */
static void
check_clocksource(void)
{
	struct cb_shm_v3 body;

	memcpy(&body, v3.body, sizeof(body));
	if (!cb_clocks_is_counter(d.watch.clocksource) &&
	    (body.clock_status == CLOCKBOUND_STA_SYNCHRONIZED ||
	    body.clock_status == CLOCKBOUND_STA_FREE_RUNNING))
		tally_fail("shm1: trusted under another clocksource");
}

static void
tick(void)
{
	char name[sizeof(d.watch.clocksource)];

	w.told_ns = w.now_ns;
	w.asking = true;
	cb_disruption_look(&d);
	cb_disruption_act(&d);
	cb_loop_tick(&d);
	w.asking = false;
	/* The next write takes it in, even where chronyd was not heard. */
	if (w.untold_ns < w.told_ns)
		w.untold = false;
	/* That is looked at once a second. */
	cb_clocks_source(name, sizeof(name));
	if (strcmp(name, d.watch.clocksource) == 0)
		w.blind = false;
	if (d.sample.input != CB_INPUT_MISSING)
		formula = (struct cb_bound){ .as_of = d.sample.before.as_of,
		    .bound_ns = d.sample.tracking.estimate_ns,
		    .drift_ppb = w.limit_ppb };
	check_clocksource();
	totals->ticks++;
}

/* The daemon is woken at once, and tells readers before it asks anybody. */
static void
wake(void)
{
	cb_loop_step(&d);
	if (w.slept)
		w.untold = w.blind = false;
	w.slept = w.jumped = false;
	read_until(w.now_ns + between(0, 8 * MS), READINGS);
}

/* Nobody writes for a while. */
static void
read_alone(const struct event *e)
{
	uint64_t random = e->random;
	int64_t ns;

	drawn_from = &random;
	ns = between(0, one_in(4) ? 1500 * S : 90 * S);
	w.watched = e->class != KILL;
	read_until(w.now_ns + ns, MORE_READINGS);
	if (e->class == KILL)
		start_daemon();
	befallen[e->class]++;
}

/* What comes between two ticks. */
static void
interrupt(const struct event *e)
{
	if (e->class == STOP || e->class == KILL) {
		read_alone(e);
		return;
	}
	event_happen(e);
	if (e->class != PAUSE)
		read_until(w.now_ns + 10 * US, 1);
}

/* A sleep and a step in one tick cannot be told apart. */
static bool
is_due(const struct event *e, int64_t ns)
{
	return e->ns <= ns && !((e->class == SLEEP || e->class == NONSTOP) &&
	    (w.stepped || w.moved));
}

/* Until the next tick, which comes at once when the daemon is woken. */
static void
rest_until(int64_t ns)
{
	while (w.next_break < w.n_breaks &&
	    is_due(&w.breaks[w.next_break], ns)) {
		const struct event *e = &w.breaks[w.next_break];

		read_until(cb_ts_max(e->ns, w.now_ns), 1);
		if (!is_due(e, w.now_ns))
			break;
		w.next_break++;
		interrupt(e);
		if (w.stepped || e->class == STOP || e->class == KILL)
			break;
	}
	if (!w.stepped)
		read_until(ns, READINGS);
	if (w.stepped)
		wake();
}

/* chronyd answers again. */
static void
end_silence(void)
{
	if (w.mute_until_ns > w.now_ns || !w.dead)
		return;
	w.dead = false;
	w.stale = true;
}

static void
begin(const struct plan *plan)
{
	const struct cb_shm_segment none = { .header = { .version = 0 } };

	failure[0] = '\0';
	d.source = NULL;
	v2 = v3 = none;
	v2.header.version = 2;
	v3.header.version = CB_SHM_V3_VERSION;
	reader2 = (struct cb_shm_reader){ .segment = &v2, .layout = 2 };
	reader3 = (struct cb_shm_reader){ .segment = &v3, .layout = 3 };
	stopped_ns = NEVER;
	wrong_ns = 0;
	formula.as_of = 0;
	world_make(plan);
	draw_from(TICKS);
	/* The daemon starts some time after chronyd. */
	if (one_in(4))
		pass(between(0, w.leap_ns == NEVER || one_in(2) ? 100 * S :
		    w.leap_ns + S));
	start_daemon();
}

static void
end(void)
{
	totals->worlds++;
	totals->ns += w.now_ns;
	if (w.interval_ns == 100 * MS)
		totals->ns_fast += w.now_ns;
	totals->unannounced += w.unannounced;
	if (w.unseen_ns == NEVER)
		return;
	totals->unseen_worlds++;
	tally_length(totals->wrong_for, cb_ts_max(wrong_ns - w.unseen_ns, 0));
}

void
life_live(const struct plan *plan, struct totals *t)
{
	totals = t;
	begin(plan);
	while (w.now_ns < w.end_ns && failure[0] == '\0') {
		int64_t next = w.now_ns + w.interval_ns;

		end_silence();
		tick();
		draw_from(TICKS);
		if (is_on(LATE) && one_in(500)) {
			next += between(0, 3 * S);
			befallen[LATE]++;
		}
		rest_until(next);
	}
	end();
}
