/* SPDX-License-Identifier: ISC */
/*
 * cb-daemon: source -> estimate -> status -> publish -> segment.
 */
#ifndef CB_DAEMON_H
#define CB_DAEMON_H

#include <sys/socket.h>
#include <sys/un.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chrony.h"
#include "phc.h"
#include "shm.h"
#include "vmclock.h"

#define CB_MAX_SOURCES	64

/*
 * clocks.c: one instant in all clocks.
 *
 * The CPU's counter and CLOCK_REALTIME were read, in this order, between two
 * readings of CLOCK_MONOTONIC_RAW.  Nanoseconds.
 */
struct cb_instant {
	int64_t as_of;		/* CLOCK_MONOTONIC_COARSE, the first of all */
	int64_t raw_lo;
	int64_t raw_hi;
	int64_t real;
	int64_t asleep;		/* CLOCK_BOOTTIME - CLOCK_MONOTONIC, at least */
	uint64_t counter;	/* 0 where there is none */
};

void cb_clocks_read(struct cb_instant *);
/* CLOCK_MONOTONIC: what deadlines are told in. */
int64_t cb_clocks_mono(void);
/* A descriptor to poll, readable when CLOCK_REALTIME was set; -1: none. */
int cb_clocks_open_steps(void);
/* Was it, since this was last asked? */
bool cb_clocks_was_stepped(int fd);
/* What the kernel keeps time by; false where it does not tell. */
bool cb_clocks_source(char *name, size_t size);
/* Is that, by its name, the counter that we read? */
bool cb_clocks_is_counter(const char *name);
/* By how much the raw clock may be steered: not at all, on most systems. */
int64_t cb_clocks_steer(void);
/* False where asleep stays as it is: then a step may have been a sleep. */
bool cb_clocks_tell_sleep(void);
/* The resolution of the clock of as_of. */
int64_t cb_clocks_tick(void);

/*
 * source.c: one reading of where the bound comes from.
 */
enum cb_input {
	CB_INPUT_UNKNOWN,
	CB_INPUT_SYNCHRONIZED,
	CB_INPUT_FREE_RUNNING,
	CB_INPUT_MISSING
};

struct cb_sample {
	struct cb_instant before;	/* everything was asked after this */
	struct cb_instant told;		/* tracking was asked after this */
	struct cb_instant after;	/* all was answered */
	enum cb_input input;
	struct cb_chrony_tracking tracking;	/* unless MISSING */
	bool complete;		/* all that chronyd has are among these */
	size_t n_sources;
	struct cb_chrony_source sources[CB_MAX_SOURCES];
};

/*
 * estimate.c: measurements -> interval of true time.  PURE.
 */

/* true time - CLOCK_MONOTONIC_RAW is in [lo, hi] while the latter reads raw. */
struct cb_interval {
	int64_t lo;
	int64_t hi;
	int64_t raw;
};

/* The measurement that has set an end of an interval, and never changes. */
struct cb_measured {
	int64_t middle;		/* true time - raw, by it alone */
	int64_t raw;		/* when it was made, at the earliest */
	int64_t err_ns;		/* its error as chronyd told it */
	int64_t phc_err_ns;
	int64_t reading_ns;	/* how it was made and came here: the rest */
	int64_t leap_ns;	/* the end was moved by this since */
};

struct cb_ends {
	struct cb_interval interval;
	struct cb_measured lo;
	struct cb_measured hi;
};

/* How fast true time gains on the raw clock, in parts per trillion (ppt). */
struct cb_rate {
	int64_t lo;
	int64_t hi;
};

/* Past intervals of a source that are kept. */
#define CB_PASTS	8

/* The interval that --max-wander allows for. */
struct cb_narrow {
	bool has;
	struct cb_ends ends;
	struct cb_rate rate;	/* at ends.interval.raw */
	struct cb_interval past[CB_PASTS];	/* the oldest first */
	size_t n;		/* at least one, where it has one */
};

/* What is known from one source, which is known by its mode and address. */
struct cb_known {
	struct cb_chrony_source last;	/* as it was heard last */
	uint16_t state;			/* its state, while it is there */
	bool has_meas;		/* orig_meas is the last one converted */
	uint32_t orig_meas;
	bool has_interval;
	struct cb_ends ends;		/* by max_drift_ppb alone */
	struct cb_narrow narrow;
	unsigned contradictions;	/* in a row */
	unsigned epoch;		/* of the last event that it has heard of */
	unsigned settling;	/* new measurements to leave out since */
	int64_t seen_raw;
};

/* What an estimate has to say of itself, beyond the interval. */
enum {
	CB_EVENT_CONTRADICTION	= 1 << 0, /* a source contradicts itself */
	CB_EVENT_RESTART	= 1 << 1, /* and so its interval began anew */
	CB_EVENT_DISAGREE	= 1 << 2, /* sources contradict each other */
	CB_EVENT_FAST		= 1 << 3, /* |frequency| above max_drift_ppb */
	CB_EVENT_WANDER		= 1 << 4  /* the frequency's change, too */
};

struct cb_estimate {
	int64_t max_drift_ppb;	/* as configured, of true time */
	int64_t drift_ppb;	/* in force, of raw time; frequency raises it */
	/* The frequency changes by no more, ppt a second; 0: by whatever. */
	int64_t max_wander;
	int64_t doubted_raw;	/* until then nobody believes that */
	int64_t freq_ppb;	/* chronyd's, last heard */
	int64_t freq_err_ppb;
	struct cb_known known[CB_MAX_SOURCES];
	size_t n_known;
	bool holding;		/* nothing is converted */
	/* Events after which sources have to settle, and refclocks alone. */
	unsigned epoch;
	unsigned refclock_epoch;
	bool has_interval;
	struct cb_interval interval;	/* of all sources */
	/* The cooked clock - CLOCK_MONOTONIC_RAW at cooked.raw. */
	bool has_cooked;
	struct cb_interval cooked;
	int64_t correction_ns;	/* |cooked clock - CLOCK_REALTIME|, largest */
	/* How fast CLOCK_REALTIME moves against the cooked clock. */
	int64_t slew_ppb;
	bool has_last;
	struct cb_instant last;	/* the last tick's, after its questions */
	int64_t ref_time_ns;	/* of chronyd's last update */
};

void cb_estimate_init(struct cb_estimate *, int64_t max_drift_ppb);
/* That the oscillator's frequency changes by so many ppt a second at most. */
void cb_estimate_believe(struct cb_estimate *, int64_t max_wander);
/* Has this source measured since it was last converted? */
bool cb_estimate_is_new(const struct cb_estimate *,
    const struct cb_chrony_source *);
/* Take a sample in; the CB_EVENTs that this tick saw. */
unsigned cb_estimate_update(struct cb_estimate *, const struct cb_sample *);
/* Nothing that was known of true time holds any more. */
void cb_estimate_forget(struct cb_estimate *);
bool cb_estimate_is_empty(const struct cb_estimate *);
/*
 * What each source has measured now, and will measure in exchanges that may
 * have begun already, is not to be used.
 */
void cb_estimate_settle(struct cb_estimate *);
void cb_estimate_settle_refclocks(struct cb_estimate *);
/* Has CLOCK_REALTIME moved since the last tick as no slew can move it? */
bool cb_estimate_is_step(const struct cb_estimate *,
    const struct cb_instant *);
/*
 * CLOCK_REALTIME was set; chronyd may go on by as much as it meant to, from
 * there.
 */
void cb_estimate_step(struct cb_estimate *, const struct cb_instant *);
/* True time may be a second off, and CLOCK_REALTIME too, by turns. */
void cb_estimate_leap(struct cb_estimate *);
/* What UTC may be, and what the kernel and chronyd take it for. */
struct cb_interval cb_estimate_utc(const struct cb_estimate *,
    const struct cb_instant *);
/* The interval at a later reading of the raw clock. */
struct cb_interval cb_estimate_at(const struct cb_interval *, int64_t raw,
    int64_t drift_ppb);
/* What is known from a source, and its interval at such a reading. */
const struct cb_ends *cb_estimate_ends(const struct cb_known *);
struct cb_interval cb_estimate_known_at(const struct cb_estimate *,
    const struct cb_known *, int64_t raw);
/* The cooked clock's range at a later reading of the raw clock. */
struct cb_interval cb_estimate_cooked_at(const struct cb_estimate *,
    int64_t raw);
/*
 * What one measurement proves, at sample->after, if the oscillator's rate was
 * within these since, and within the drift at all times.  The heart of it all.
 */
struct cb_interval cb_estimate_convert(const struct cb_sample *,
    const struct cb_chrony_source *, int64_t drift_ppb,
    const struct cb_rate *);

/*
 * narrow.c: what the past says of the oscillator's rate.  PURE.
 */

/* Any rate that the drift admits. */
struct cb_rate cb_narrow_any(int64_t drift_ppb);
void cb_narrow_begin(struct cb_narrow *, const struct cb_ends *,
    int64_t drift_ppb);
/* The interval, and the rate, at a later reading of the raw clock. */
struct cb_interval cb_narrow_at(const struct cb_narrow *, int64_t raw,
    int64_t drift_ppb, int64_t wander);
struct cb_rate cb_narrow_rate(const struct cb_narrow *, int64_t raw,
    int64_t drift_ppb, int64_t wander);
/* Cut with a new interval; false where nothing is left, of it or the rate. */
bool cb_narrow_learn(struct cb_narrow *, const struct cb_interval *,
    int64_t drift_ppb, int64_t wander);

/*
 * period.c: readings of the counter and of the raw clock -> its period.  PURE.
 */
struct cb_period {
	bool has_base;
	struct cb_instant base;	/* the first reading */
	bool has_range;
	int64_t lo;		/* nanoseconds a tick, in 1 / 2^48 */
	int64_t hi;
};

/* The counter and the raw clock need not have run together until now. */
void cb_period_forget(struct cb_period *);
void cb_period_update(struct cb_period *, const struct cb_instant *);
/*
 * Period and error, and a tick more of the bound; false while there is no
 * period whose error can be stated.
 */
bool cb_period_tell(const struct cb_period *, int64_t drift_ppb,
    struct cb_shm_v3 *);

/*
 * status.c: the two tables.  PURE.
 */
enum cb_disruption {
	CB_DISRUPTION_RELIABLE,
	CB_DISRUPTION_UNKNOWN,
	CB_DISRUPTION_DISRUPTED
};

/* What chronyd says of itself; cooked_ns is its clock now. */
enum cb_input cb_status_input(const struct cb_chrony_tracking *,
    int64_t cooked_ns);
clockbound_clock_status cb_status_next(clockbound_clock_status,
    enum cb_input, enum cb_disruption);
const char *cb_status_name(clockbound_clock_status);

/*
 * publish.c: what a reader has to know, and the segment's body.  PURE.
 */
struct cb_bound {
	int64_t as_of;		/* CLOCK_MONOTONIC_COARSE */
	int64_t bound_ns;	/* |CLOCK_REALTIME - true time|, from as_of */
	int64_t drift_ppb;	/* on until the next; it grows by this */
	/* The sum of these four and of a nanosecond is bound_ns. */
	int64_t distance_ns;	/* of the clock from the end that is farther */
	int64_t slew_ns;
	int64_t coarse_ns;
	int64_t correction_ns;
	bool is_hi;		/* that end is the later one, */
	int64_t end;		/* and here, as true time - raw */
};

/* What distance_ns is made of: offset, drift, and what is in *measured. */
struct cb_budget {
	const struct cb_known *known;	/* the source that has set the end */
	const struct cb_measured *measured;
	int64_t offset_ns;	/* from the clock to the measurement's middle */
	int64_t drift_ns;	/* what the oscillator may have done since */
};

/* False when there is no interval, or none that the format can state. */
bool cb_publish_bound(const struct cb_estimate *, const struct cb_sample *,
    int64_t tick_ns, struct cb_bound *);
/* False where the bound is not of the estimate as it is. */
bool cb_publish_budget(const struct cb_estimate *, const struct cb_bound *,
    struct cb_budget *);
void cb_publish_v2(const struct cb_bound *, clockbound_clock_status,
    bool disruption_support, uint64_t marker, struct cb_shm_v2 *);
/* Of the same, what version 1 can say. */
void cb_publish_v1(const struct cb_shm_v2 *, struct cb_shm_v1 *);
/*
 * The rest of a body that holds a status and what VMClock it is for.  The
 * status is unknown, unless it is disrupted, where there is no interval, which
 * NULL says too, or no period.
 */
void cb_publish_v3(const struct cb_estimate *, const struct cb_period *,
    const struct cb_instant *, struct cb_shm_v3 *);

struct cb_daemon;

/*
 * disruption.c: VMClock, signals, steps, sleep, leap seconds -> one input.
 */
enum cb_phase {
	CB_PHASE_NONE,
	CB_PHASE_RESET,		/* chronyd has to forget its measurements */
	CB_PHASE_BURST		/* and to take new ones */
};

struct cb_watch {
	struct cb_vmclock_file vmclock;
	int notify_fd;		/* readable after a write to it; -1: none */
	uint64_t marker;	/* the last one handled */
	bool has_generation;
	uint64_t generation;
	uint64_t flags;		/* that have been logged */
	bool unreliable;	/* or unreadable */
	bool forced;		/* by SIGUSR1 */
	enum cb_phase phase;
	unsigned attempts;
	int64_t due_mono;	/* the next one */
	bool gated;		/* until chronyd has changed its mind */
	bool has_gate;		/* it was heard since it forgot */
	int64_t gate_ref_time;
	bool was_missing;
	int steps_fd;		/* readable after a step; -1: none */
	bool slept;		/* it was seen before this tick */
	bool has_asleep;
	int64_t asleep;		/* the most that was seen */
	char clocksource[32];
	int64_t clocksource_mono;	/* when it was looked at */
	bool expects_leap;	/* a leap second, at */
	int64_t leap_at;	/* the month's end, UTC */
	bool leaping;		/* the interval covers both readings */
};

void cb_disruption_open(struct cb_daemon *);
void cb_disruption_close(struct cb_daemon *);
/* Another device or file may go by the VMClock's name by now. */
void cb_disruption_follow(struct cb_daemon *);
/* VMClock and signals: true when there is news to be published at once. */
bool cb_disruption_look(struct cb_daemon *);
/* After a sample, before it is used: what may have made it untrue. */
void cb_disruption_weigh(struct cb_daemon *);
/* Has the machine slept since the tick before?  stepped: the timer said so. */
bool cb_disruption_has_slept(struct cb_daemon *, bool stepped);
/* May a leap second have come that the interval does not cover yet? */
bool cb_disruption_owes_leap(const struct cb_daemon *);
/* The next attempt to bring chronyd round, when it is due; true: it did. */
bool cb_disruption_act(struct cb_daemon *);
int64_t cb_disruption_due(const struct cb_daemon *);

/*
 * One row a source.  sample() fills daemon->sample; bound() makes of it what
 * to publish in daemon->bound, and of what it saw daemon->events.  It returns
 * false while there is nothing that true time is known to be in.
 */
struct cb_source {
	const char *name;
	void (*sample)(struct cb_daemon *);
	bool (*bound)(struct cb_daemon *);
};

const struct cb_source *cb_source_find(const char *name);
void cb_source_close(struct cb_daemon *);
/* True when chronyd answered; its status is then in *status. */
bool cb_source_command(struct cb_daemon *, enum cb_chrony_command,
    uint16_t *status);

/*
 * observe.c: what the daemon knows, as a JSON object for whoever connects.
 */
/* Connections served from one tick to the next; more than that wait. */
#define CB_OBSERVE_LIMIT	16

struct cb_observe {
	int fd;			/* listens; -1: there is no socket */
	unsigned left;		/* connections to be served until the tick */
	struct cb_instant started;
};

/* Each is counted where it happens. */
struct cb_counts {
	int64_t ticks;
	int64_t missed;		/* samples */
	int64_t disruptions;	/* told by the VMClock */
	int64_t forced;		/* and by SIGUSR1 */
	int64_t steps;
	int64_t sleeps;
	int64_t clocksources;
	int64_t leap_seconds;
	int64_t contradictions;	/* these begun */
	int64_t restarts;
	int64_t disagreements;	/* these begun */
	int64_t wander_breaks;	/* of --max-wander; these begun */
	int64_t longest_gap_ns;	/* from one publication to the next */
	int64_t served;		/* connections */
	int64_t cut;		/* these got nothing, or not all of it */
};

/* Where it cannot be had, that is said, and the daemon does without. */
void cb_observe_open(struct cb_daemon *);
void cb_observe_close(struct cb_daemon *);
/* Whoever has connected gets the object; never waits. */
void cb_observe_serve(struct cb_daemon *);

/*
 * notify.c: tells the service manager that has started us, where one has.
 */
struct cb_notify {
	struct sockaddr_un address;
	socklen_t len;		/* of address; 0: there is nobody */
	int64_t watchdog_ns;	/* 0: nobody waits for us */
	int64_t fed_mono;	/* when it was told that we are alive */
	bool ready;		/* was told, and */
	clockbound_clock_status status;	/* this */
	bool failed;		/* to tell it, which was logged */
};

void cb_notify_open(struct cb_notify *);
/* After a tick, which has published this status. */
void cb_notify_tick(struct cb_notify *, clockbound_clock_status,
    int64_t mono);
void cb_notify_stop(struct cb_notify *);

/*
 * The whole daemon.
 */
struct cb_options {
	const char *run_dir;
	const char *chrony_socket;
	const char *vmclock;
	int64_t interval_ns;
	int64_t max_drift_ppb;
	int64_t max_wander;	/* ppt a second; 0: not given */
	bool disruption_support;
	bool shm_v1;
	bool has_phc;
	uint32_t phc_ref_id;
	bool json;
	bool no_seccomp;
};

struct cb_daemon {
	struct cb_options options;
	const struct cb_source *source;
	struct cb_chrony chrony;
	struct cb_phc phc;
	char phc_trouble[256];	/* why its error bound is not known, or "" */
	/* source.c: which of chronyd's sources to ask for next. */
	bool sweep;		/* all of them, */
	bool swept;		/* which was done */
	int64_t selected;	/* its index, -1: none */
	uint32_t n_sources;
	uint32_t next;
	int64_t swept_raw;	/* when all of them were asked */
	unsigned opened;	/* connections made */
	int64_t deadline_mono;	/* of this tick's questions */
	char trouble[256];	/* why the last MISSING sample is */

	struct cb_sample sample;
	struct cb_estimate estimate;
	struct cb_period period;
	unsigned events;	/* the CB_EVENTs of this tick */
	struct cb_bound bound;
	bool has_bound;
	struct cb_shm_v3 v3;	/* as it was published last */
	enum cb_disruption disruption;
	struct cb_watch watch;
	bool was_bound;		/* chrony-tracking: bound is the last good */
	clockbound_clock_status status;
	struct cb_instant since;	/* when status became what it is */
	struct cb_shm_writer writer;
	struct cb_observe observe;
	struct cb_notify notify;
	struct cb_counts counts;

	/* loop.c */
	int64_t tick_ns;	/* of the clock of as_of */
	bool heard;
	int64_t last_heard;	/* as_of of the last sample not MISSING */
	struct cb_chrony_tracking last_tracking;	/* that it held */
	int64_t published;	/* as_of of the last sample published */
	unsigned conditions;	/* that hold, and have been logged */
	bool asked_to_disrupt;	/* SIGUSR1 */
	bool asked_to_end;	/* SIGUSR2 */
	int64_t looked_mono;	/* when the segments' files were looked at */
};

/* loop.c */
void cb_loop_tick(struct cb_daemon *);
/* CLOCK_REALTIME was set or the machine has slept, and no tick was since. */
void cb_loop_step(struct cb_daemon *);
/* Until a signal ends it; false when the segment was lost. */
bool cb_loop_run(struct cb_daemon *);

/*
 * sandbox.c: gives up what is not needed any more.  False, with errno, when
 * that cannot be done; *what then says what.
 */
bool cb_sandbox_enter(const struct cb_options *, const char **what);

/* log.c: one event a line, on standard error. */
void cb_log_open(bool json);
void cb_log_info(const char *, ...) __attribute__((format(printf, 1, 2)));
void cb_log_warn(const char *, ...) __attribute__((format(printf, 1, 2)));

#endif
