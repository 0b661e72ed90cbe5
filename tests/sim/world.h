/* SPDX-License-Identifier: ISC */
/*
 * A model world, in virtual time, where true time is known: an oscillator, a
 * kernel's clocks, servers, and a chronyd that follows them.
 *
 * A seed goes in, and which events there are; the same seed is the same world.
 * Whoever draws at random has numbers of his own, so that without one event
 * the rest of the world goes on much as it would have.
 */
#ifndef WORLD_H
#define WORLD_H

#include "cb-daemon.h"
#include "../unit/int128.h"
#include "ts.h"

#define US		INT64_C(1000)
#define MS		INT64_C(1000000)
#define S		INT64_C(1000000000)
#define NEVER		INT64_MAX
#define COARSE_TICK	(4 * MS)
/* As fast as adjtime(2) slews. */
#define ADJTIME_PPB	5000000

/* Nanoseconds with 32 binary places. */
typedef int128 fix;

#define FIX(ns)		((fix)(ns) * ((fix)1 << 32))

/* All that befalls a world, by class. */
enum class {
	/* What it is like, all along, */
	ASYMMETRY, WANDER, SLEW, STEP, UPDATE, SWITCH, CHURN, LATE, PREEMPT,
	LEAP, RAMP,
	/* What comes at moments that are drawn first, */
	DEATH, LIE, RESTART, MISSED, LOCAL, MIGRATION, CLOCKSOURCE, OPERATOR,
	/* and between two ticks. */
	SLEEP, NONSTOP, PAUSE, STOP, KILL, UNMARKED, STANDSTILL,
	N_CLASSES
};

#define FIRST_EVENT	DEATH
#define FIRST_BREAK	SLEEP
#define BIT(class)	(UINT32_C(1) << (class))
#define ALL		(BIT(N_CLASSES) - 1)

extern const char *const class_names[N_CLASSES];

struct event {
	int64_t ns;
	enum class class;
	uint64_t random;	/* what it draws from */
	unsigned number;
};

#define MAX_EVENTS	32

/* A world to be made. */
struct plan {
	uint64_t seed;
	uint32_t on;		/* the classes that are drawn from */
	uint32_t out;		/* but left out */
	uint32_t events;	/* those that happen, by their numbers */
	bool plain;		/* the daemon is told no --max-wander */
};

/* All clocks at one moment.  Rates in ppb, kept until the next event. */
struct clocks {
	fix tau;	/* true time; utc_at() has its label */
	fix raw;
	fix real;
	fix mono;	/* steered as real is, but never stepped */
	fix cooked;
};

/* Who leaps with a leap second: the kernel, chronyd in two ways, or nobody. */
enum leap_mode { BY_KERNEL, BY_STEP, BY_SLEW, IGNORED };

/* One measurement, in what never changes afterwards. */
struct meas {
	bool has;
	int64_t ns;	/* its packet was sent */
	fix raw;	/* when */
	fix server;	/* the server's time then */
	fix jumps;	/* w.jumps then */
	int64_t err_ns;
	uint32_t orig;
};

struct server {
	uint64_t random;
	unsigned id;		/* its address */
	enum cb_chrony_mode mode;
	int state;
	int poll;
	bool interleaved;
	int64_t lies_ns;	/* from when on */
	int64_t silent_ns;	/* until then */
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

#define MAX_SERVERS	12

/* Each draws from numbers of his own. */
enum drawer { MAKER, CHRONYD, OSCILLATOR, QUESTIONS, TICKS, READERS, DRAWERS };

struct world {
	struct plan plan;
	uint64_t random[DRAWERS];
	struct clocks at;	/* the last event */
	int64_t now_ns;		/* true time */
	int64_t next_ns;	/* of the next event, unless */
	bool stale;
	int64_t end_ns;
	int64_t epoch_ns;	/* UTC then it was 0 */
	int64_t interval_ns;
	int64_t drift_ppb, limit_ppb;
	int64_t freq_ppb, real_ppb;
	int64_t jump_ns, slew_end_ns, mute_until_ns;
	int64_t coarse_ns, churn_ns, asleep_ns;
	int64_t calm_ns;	/* between jumps of the oscillator, at most */
	bool walks;		/* it goes in small steps */
	/*
	 * Its rate changes by so much a second at most, and the daemon knows
	 * that; or by more, and it was told so.  0: nobody says.
	 */
	int64_t max_wander_ppb;
	bool belied;
	/* From its rate then it goes to another by so much, in so long. */
	int64_t ramp_begin_ns, ramp_ns, ramp_ppb;
	int64_t hold_ups;	/* one in so many questions and answers */
	bool holds_still;	/* chronyd keeps its frequency near zero */
	unsigned needed;	/* samples of a source that it follows */
	fix jumps;	/* of the cooked clock, of which chronyd was not told */
	bool watched;		/* there is a daemon */
	int64_t told_ns;	/* its last tick began */
	struct event events[MAX_EVENTS], breaks[MAX_EVENTS];
	size_t n_events, n_breaks, next_event, next_break;
	/* A leap second: in true time, and what it adds to UTC. */
	int64_t leap_ns, leap_begins_ns, leap_by_ns, withdrawn_ns;
	int64_t leap_late_ns;	/* a kernel's tick */
	enum leap_mode leap_mode;
	bool leaps;		/* chronyd is going to */
	bool announces;		/* chronyd's leap status */
	int64_t leap_end_ns;	/* of that */
	fix ref_time;
	int64_t update_interval_ns;
	/* What chronyd says of its estimate, and since when. */
	int64_t root_delay_ns, root_dispersion_ns, skew_ppb;
	fix update_raw;
	int64_t steer_ppb;	/* 0: nobody steers the daemon's raw clock */
	bool slews, steps, old_refclock_age, dead, synced, local;
	bool quiet_steps;	/* no timer tells of chronyd's */
	bool asking;		/* a sample is being taken */
	bool lies, has_liar;
	/* Since the daemon was told: the clock was set, the machine slept. */
	bool stepped, moved, slept;
	/*
	 * No reader can know: of shm0, what chronyd has begun and what set the
	 * clock since; of shm1, that the counter is another, or UTC leapt.
	 */
	bool untold, jumped, blind;
	int64_t untold_ns;	/* since when */
	/* Measurements from before these are for a daemon that saw them. */
	int64_t disturbed_ns, leapt_ns;
	bool unannounced;	/* nobody had told it of the leap second */
	int64_t unseen_ns;	/* what no program can see has happened */
	bool told_leap;		/* by chronyd's last word */
	bool has_vmclock;
	/* The counter: raw clock * speed / 2^24 + base, unknown but fixed. */
	int64_t counter_speed;
	uint64_t counter_base;
	bool other_clocksource;	/* the kernel keeps time by something else */
	unsigned ids;		/* given to servers */
	size_t n;
	struct server servers[MAX_SERVERS];
};

extern struct world w;
/* The hypervisor's page.  Only its marker ever changes. */
extern struct cb_vmclock_page page;
/* What has befallen worlds so far. */
extern int64_t befallen[N_CLASSES];

/* world.c: a seed -> a world; and time goes by. */
void draw_from(enum drawer);

bool is_on(enum class);
void world_make(const struct plan *);
void pass_until(int64_t ns);
void pass(int64_t ns);
struct clocks clocks_at(int64_t ns);
/* It is another oscillator. */
void world_replace_oscillator(void);
/* Of an inserted second, the label that it shares with what comes after. */
fix utc_at(fix tau);
uint64_t counter_at(const struct clocks *);
/* CLOCK_MONOTONIC_COARSE, which stands still between its ticks. */
fix coarse_of(const struct clocks *);
void advance(void);
/* CLOCK_REALTIME is made to do what no reader of shm0 is told. */
void keep_untold(void);

/* chronyd.c: servers, measurements, and what chronyd makes of them. */
void server_make(struct server *);
void server_ask(struct server *);
void server_reply(struct server *);
void chronyd_churn(void);
void chronyd_select(void);
/* Packets that are under way are lost, samples of a refclock are not. */
void chronyd_lose(void);
void chronyd_forget(void);
void chronyd_restart(void);
void chronyd_slew(int64_t ns);
/* What the cooked clock showed at a measurement, as chronyd has it now. */
fix chronyd_cooked_then(const struct meas *);
/* A jump of the clock amid an exchange. */
void chronyd_disturb(fix jump);

/* event.c: what befalls a world. */
void event_happen(const struct event *);
void leap_make(int64_t end);
void leap_begin(void);
void leap_happen(void);
/* When CLOCK_REALTIME will leap, as it goes now. */
int64_t leap_next(void);
bool leap_is_announced(void);
bool leap_is_close(void);
void counter_make(void);

extern uint64_t *drawn_from;

static inline uint64_t
next_random(void)
{
	uint64_t z = (*drawn_from += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* From lo to hi, both included. */
static inline int64_t
between(int64_t lo, int64_t hi)
{
	return lo + (int64_t)((uint128)next_random() *
	    (uint64_t)(hi - lo + 1) >> 64);
}

static inline bool
one_in(int64_t n)
{
	return between(1, n) == 1;
}

static inline int64_t
to_ns(fix x)
{
	return (int64_t)(x >> 32);
}

/* d * ppb / 10^9, and 2^60 / 10^9 in place of a division. */
static inline fix
times(fix d, int64_t ppb)
{
	return (((d * ppb) >> 20) * INT64_C(1152921504)) >> 40;
}

#endif
