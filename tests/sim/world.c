/* SPDX-License-Identifier: ISC */
/*
 * A seed goes in, a world comes out, and in it time goes by.
 */
#include <string.h>

#include "system.h"
#include "world.h"

#define COARSE_STALL	6
/* The fastest a daemon is run, and the fastest and slowest as a rule. */
#define FASTEST_NS	MS
#define FAST_NS		(100 * MS)
#define SLOW_NS		(16 * S)

struct world w;
struct cb_vmclock_page page;
int64_t befallen[N_CLASSES];
uint64_t *drawn_from;

const char *const class_names[N_CLASSES] = {
	[ASYMMETRY] = "asymmetry", [WANDER] = "wander", [SLEW] = "slew",
	[STEP] = "step", [UPDATE] = "update", [SWITCH] = "switch",
	[CHURN] = "churn", [LATE] = "late", [PREEMPT] = "preempt",
	[LEAP] = "leap", [RAMP] = "ramp", [DEATH] = "death", [LIE] = "lie",
	[RESTART] = "restart", [MISSED] = "missed", [LOCAL] = "local",
	[MIGRATION] = "migration", [CLOCKSOURCE] = "clocksource",
	[OPERATOR] = "operator", [SLEEP] = "sleep", [NONSTOP] = "nonstop",
	[PAUSE] = "pause", [STOP] = "stop", [KILL] = "kill",
	[UNMARKED] = "unmarked", [STANDSTILL] = "standstill"
};

void
draw_from(enum drawer drawer)
{
	drawn_from = &w.random[drawer];
}

bool
is_on(enum class class)
{
	return (w.plan.on & ~w.plan.out & BIT(class)) != 0;
}

/* What the raw clock has gained since the ramp began, by that alone. */
static fix
ramp_gain(int64_t ns)
{
	int64_t d = cb_ts_max(ns - w.ramp_begin_ns, 0);
	int64_t on = cb_ts_min(d, w.ramp_ns);

	return ((fix)on * on * w.ramp_ppb / w.ramp_ns * (INT64_C(1) << 31) +
	    FIX(d - on) * w.ramp_ppb) / S;
}

struct clocks
clocks_at(int64_t ns)
{
	struct clocks c = w.at;
	fix d = FIX(ns) - c.tau, raw = d + times(d, w.drift_ppb), real;

	if (w.ramp_ppb != 0)
		raw += ramp_gain(ns) - ramp_gain(to_ns(c.tau));
	real = raw + times(raw, w.real_ppb);

	c.tau += d;
	c.raw += raw;
	c.real += real;
	c.mono += real;
	c.cooked += raw - times(raw, w.freq_ppb);
	return c;
}

void
advance(void)
{
	w.at = clocks_at(w.now_ns);
	w.stale = true;
}

void
keep_untold(void)
{
	w.untold = true;
	w.untold_ns = w.now_ns;
}

fix
utc_at(fix tau)
{
	return tau + FIX(w.epoch_ns +
	    (tau < FIX(w.leap_ns) ? 0 : w.leap_by_ns));
}

uint64_t
counter_at(const struct clocks *c)
{
	return w.counter_base + (uint64_t)(c->raw * w.counter_speed >> 56);
}

fix
coarse_of(const struct clocks *c)
{
	int64_t ns = to_ns(c->mono);

	return FIX(ns - ns % w.coarse_ns);
}

/* At once another ramp, to any rate that it may reach. */
static void
ramp(void)
{
	int64_t limit = w.limit_ppb, most;

	w.drift_ppb += w.ramp_ppb;
	w.ramp_begin_ns = w.now_ns;
	w.ramp_ns = between(S, 60 * S);
	w.jump_ns = w.now_ns + w.ramp_ns;
	most = w.max_wander_ppb * w.ramp_ns / S;
	w.ramp_ppb = one_in(3) ? one_in(2) ? most : -most :
	    between(-most, most);
	w.ramp_ppb = cb_ts_max(-limit, cb_ts_min(limit, w.drift_ppb +
	    w.ramp_ppb)) - w.drift_ppb;
	befallen[RAMP]++;
}

void
world_replace_oscillator(void)
{
	w.drift_ppb = between(-w.limit_ppb, w.limit_ppb);
	w.ramp_ppb = 0;
}

/* Another rate: any, most of all the limits; or a little off the last. */
static void
jump(void)
{
	int64_t limit = w.limit_ppb, was;

	draw_from(OSCILLATOR);
	was = w.drift_ppb;
	if (w.max_wander_ppb != 0 && !w.belied) {
		ramp();
		return;
	}
	if (w.walks)
		w.drift_ppb = cb_ts_max(-limit, cb_ts_min(limit, w.drift_ppb +
		    between(-limit / 50, limit / 50)));
	else if (one_in(3))
		w.drift_ppb = one_in(2) ? limit : -limit;
	else
		w.drift_ppb = between(-limit, limit);
	w.jump_ns = w.now_ns + between(MS, w.calm_ns);
	/* What chronyd waits for comes by the same oscillator. */
	if (w.slew_end_ns != NEVER)
		w.slew_end_ns += to_ns(times(FIX(w.slew_end_ns - w.now_ns),
		    was - w.drift_ppb));
	befallen[WANDER]++;
}

/* What chronyd does by itself; nothing while it is stopped. */
static void
go_on(void)
{
	if (w.leap_end_ns <= w.now_ns) {
		w.leap_end_ns = NEVER;
		w.announces = false;
	}
	if (w.churn_ns <= w.now_ns)
		chronyd_churn();
	if (w.slew_end_ns <= w.now_ns) {
		w.slew_end_ns = NEVER;
		w.real_ppb = -w.freq_ppb;
	}
	for (size_t i = 0; i < w.n; i++) {
		if (w.servers[i].reply_ns <= w.now_ns)
			server_reply(&w.servers[i]);
		if (w.servers[i].poll_ns <= w.now_ns)
			server_ask(&w.servers[i]);
	}
}

/* All that happens at this moment. */
static void
happen(void)
{
	uint64_t *was = drawn_from;

	advance();
	while (w.next_event < w.n_events &&
	    w.events[w.next_event].ns <= w.now_ns)
		event_happen(&w.events[w.next_event++]);
	if (w.leap_begins_ns <= w.now_ns)
		leap_begin();
	if (leap_next() <= w.now_ns)
		leap_happen();
	if (w.jump_ns <= w.now_ns)
		jump();
	if (!w.dead)
		go_on();
	drawn_from = was;
}

static int64_t
next_event(void)
{
	int64_t ns = w.next_event < w.n_events ?
	    w.events[w.next_event].ns : NEVER;

	ns = cb_ts_min(ns, cb_ts_min(w.jump_ns,
	    cb_ts_min(w.leap_begins_ns, leap_next())));
	if (w.dead)
		return ns;
	ns = cb_ts_min(ns, cb_ts_min(w.slew_end_ns,
	    cb_ts_min(w.churn_ns, w.leap_end_ns)));
	for (size_t i = 0; i < w.n; i++)
		ns = cb_ts_min(ns, cb_ts_min(w.servers[i].poll_ns,
		    w.servers[i].reply_ns));
	return ns;
}

void
pass_until(int64_t ns)
{
	for (;;) {
		if (w.stale)
			w.next_ns = next_event();
		w.stale = false;
		if (w.next_ns > ns)
			break;
		w.now_ns = cb_ts_max(w.next_ns, w.now_ns);
		happen();
	}
	w.now_ns = cb_ts_max(ns, w.now_ns);
}

void
pass(int64_t ns)
{
	pass_until(w.now_ns + ns);
}

/* How often the daemon looks: 100 ms as a rule; the slower the more often. */
static int64_t
draw_interval(void)
{
	if (one_in(16))
		return between(FASTEST_NS, FAST_NS);
	return one_in(2) ? FAST_NS : cb_ts_max(between(FAST_NS, SLOW_NS),
	    between(FAST_NS, SLOW_NS));
}

static void
add(struct event *list, size_t *n, const struct event *e)
{
	size_t i = (*n)++;

	for (; i > 0 && list[i - 1].ns > e->ns; i--)
		list[i] = list[i - 1];
	list[i] = *e;
}

/* When, and what: first of all, so that one can be left out. */
static void
make_events(void)
{
	unsigned n = (unsigned)between(0, MAX_EVENTS);
	unsigned classes = N_CLASSES - FIRST_EVENT;
	uint32_t on = w.plan.on & ~(BIT(FIRST_EVENT) - 1);

	for (unsigned i = 0; i < n && on != 0; i++) {
		struct event e = { .ns = between(0, w.end_ns), .number = i };

		do
			e.class = (enum class)(FIRST_EVENT +
			    next_random() % classes);
		while ((on & BIT(e.class)) == 0);
		e.random = next_random();
		/* After what nobody can see little is left to be seen. */
		if (e.class >= UNMARKED && !one_in(4) && on != BIT(e.class))
			continue;
		if (!is_on(e.class) || (w.plan.events & BIT(i)) == 0)
			continue;
		if (e.class >= FIRST_BREAK)
			add(w.breaks, &w.n_breaks, &e);
		else
			add(w.events, &w.n_events, &e);
	}
}

/* The daemon believes in it where nobody steers its raw clock. */
static void
make_ramp(void)
{
	bool ramps = one_in(4), belied = one_in(8);
	int64_t ppb = one_in(2) ? 10 : between(1, 300);

	w.ramp_ns = S;
	ramps |= !is_on(WANDER);
	if (!ramps || !is_on(RAMP) || w.steer_ppb != 0)
		return;
	w.max_wander_ppb = ppb;
	w.belied = belied && is_on(WANDER);
}

static void
make_clocks(void)
{
	int64_t limit = one_in(2) ? 50000 : between(1, 1000) * 1000;

	w.limit_ppb = limit;
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
	if (w.slews || w.steps)
		w.real_ppb = -w.freq_ppb;
	if (one_in(8))
		w.steer_ppb = ADJTIME_PPB + limit + 1000;
	w.walks = one_in(4);
	w.calm_ns = w.walks ? 60 * S : one_in(4) ? 20000 * S : 300 * S;
	w.jump_ns = between(MS, w.calm_ns);
	make_ramp();
	if (!is_on(WANDER) && (w.max_wander_ppb == 0 || w.belied))
		w.jump_ns = NEVER;
}

static void
make_servers(void)
{
	w.n = (size_t)between(1, one_in(4) ? MAX_SERVERS : 6);
	for (size_t i = 0; i < w.n; i++)
		server_make(&w.servers[i]);
	w.churn_ns = one_in(2) ? NEVER : between(S, 3000 * S);
	if (!is_on(CHURN))
		w.churn_ns = NEVER;
}

void
world_make(const struct plan *plan)
{
	uint64_t seed = plan->seed;
	bool steers;

	memset(&w, 0, sizeof(w));
	w.plan = *plan;
	drawn_from = &seed;
	for (int i = 0; i < DRAWERS; i++)
		w.random[i] = next_random();
	draw_from(MAKER);
	w.interval_ns = draw_interval();
	w.end_ns = w.interval_ns * between(500, 20000);
	steers = !one_in(4);
	w.slews = steers && is_on(SLEW);
	w.steps = steers && is_on(STEP);
	w.quiet_steps = one_in(4);
	w.old_refclock_age = one_in(2);
	w.holds_still = one_in(4);
	w.needed = (unsigned)between(1, 3);
	w.hold_ups = one_in(4) ? 4 : 500;
	w.unseen_ns = w.slew_end_ns = NEVER;
	leap_make(w.end_ns);
	make_clocks();
	counter_make();
	w.has_vmclock = one_in(2);
	memset(&page, 0, sizeof(page));
	page.constant[0] = htole32(CB_VMCLOCK_MAGIC);
	page.constant[1] = htole32(sizeof(page));
	page.constant[2] = htole32(CB_VMCLOCK_VERSION);
	make_servers();
	make_events();
	w.stale = true;
}
