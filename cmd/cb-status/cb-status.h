/* SPDX-License-Identifier: ISC */
/*
 * cb-status: gather -> judge -> one form of output.
 */
#ifndef CB_STATUS_H
#define CB_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "shm.h"
#include "vmclock.h"

/* A number that is not known. */
#define CB_NONE		INT64_MIN

#define CB_MAX_SOURCES	64
#define CB_TEXT		256
#define CB_PATH		4096

/* The convention of monitoring plugins: these are exit statuses. */
enum cb_severity {
	CB_OK,
	CB_WARNING,
	CB_CRITICAL,
	CB_UNKNOWN
};

struct cb_paths {
	/* As they were given; NULL: the default. */
	const char *given_shm;
	const char *given_observe;
	const char *vmclock;
	/* What these mean, as of the last look: a directory may come. */
	char shm[CB_PATH];	/* what the answer is from */
	char other[CB_PATH];	/* the other segment in a directory, or "" */
	char observe[CB_PATH];
};

/*
 * observe.c: the daemon's own word, checked: clockbound-observe(5).  Texts are
 * printable ASCII, and empty where they were null.
 */
enum cb_answer {
	CB_ANSWER_GOOD,
	CB_ANSWER_ABSENT,	/* there is no socket */
	CB_ANSWER_REFUSED,	/* there is, and nobody listens */
	CB_ANSWER_DENIED,
	CB_ANSWER_BROKEN,	/* none in time, or none that can be used */
	CB_ANSWER_OTHER		/* one about another segment */
};

enum cb_part {
	CB_PART_OFFSET,
	CB_PART_ERROR,
	CB_PART_PHC_ERROR,
	CB_PART_DRIFT,
	CB_PART_READING,
	CB_PART_LEAP,
	CB_PART_SLEW,
	CB_PART_COARSE,
	CB_PART_CORRECTION,
	CB_PART_ROUNDING,
	CB_PART_GROWTH,		/* since the last write; not the daemon's */
	CB_PARTS
};

struct cb_source {
	char name[CB_TEXT];
	char mode[CB_TEXT];
	char state[CB_TEXT];
	int64_t poll;
	int64_t reachability;
	int64_t measured_age_ns;
	int64_t earliest_ns;
	int64_t latest_ns;
	int64_t contradictions;
};

/* What a bound is made of. */
struct cb_budget {
	bool is_known;
	char source[CB_TEXT];
	int64_t bound_ns;
	int64_t age_ns;
	int64_t poll;
	int64_t parts[CB_PARTS];
};

struct cb_observed {
	/* daemon */
	int64_t pid;
	char version[CB_TEXT];
	int64_t started_ns;
	int64_t uptime_ns;
	char method[CB_TEXT];
	int64_t max_drift_ppb;
	int64_t interval_ns;
	char chrony_socket[CB_TEXT];
	char phc_trouble[CB_TEXT];
	/* status */
	char status[CB_TEXT];
	int64_t since_ns;
	int64_t since_age_ns;
	int64_t as_of_ns;
	int64_t earliest_ns;
	int64_t latest_ns;
	bool frequency_exceeds_drift;
	/* tracking */
	bool answered;
	char trouble[CB_TEXT];
	/* tracking.report */
	bool has_report;
	char ref_id[CB_TEXT];
	char ref_name[CB_TEXT];
	char leap[CB_TEXT];
	int64_t stratum;
	int64_t ref_time_ns;
	int64_t offset_ns;
	int64_t frequency_ppb;
	int64_t root_delay_ns;
	int64_t root_dispersion_ns;
	int64_t estimate_ns;
	/* sources */
	struct cb_source sources[CB_MAX_SOURCES];
	size_t n_sources;
	/* disruption */
	char phase[CB_TEXT];
	bool forced;
	bool gated;
	/* vmclock */
	bool unreliable;
	/* counts */
	int64_t ticks;
	int64_t missed_samples;
	int64_t disruptions;
	int64_t forced_disruptions;
	int64_t steps;
	int64_t sleeps;
	int64_t clocksource_changes;
	int64_t leap_seconds;
	int64_t contradictions;
	int64_t disagreements;
	int64_t longest_gap_ns;
	struct cb_budget budget;
	/* shm1; nothing where there is none */
	char shm1_trouble[CB_TEXT];
	int64_t shm1_as_of_ns;
	struct cb_budget shm1_budget;
};

/*
 * What a daemon sent.  False, and in trouble which key of it cannot be used,
 * or what else is wrong.
 */
bool cb_observe_parse(const json_t *, struct cb_observed *,
    char trouble[CB_TEXT]);
/* Ask; *object is what was sent, and NULL unless the answer is GOOD. */
enum cb_answer cb_observe_ask(const char *path, json_t **object,
    struct cb_observed *, char trouble[CB_TEXT]);

/*
 * gather.c: all that there is to know, in one struct.
 */
struct cb_segment {
	clockbound_err_kind fault;	/* NONE: it was read */
	int sys_errno;			/* where that is SYSCALL */
	struct cb_shm_bound bound;
	int64_t age_ns;			/* negative: from the future */
	int64_t growth_ppb;		/* of the half-width, with that */
	/* The reader's word. */
	clockbound_clock_status status;
	int64_t half_ns;		/* INT64_MAX: that, or more */
};

struct cb_facts {
	const struct cb_paths *paths;
	struct cb_segment segment;	/* what readers of the path get */
	bool is_odd;		/* something else than a file has its name */
	bool is_older_boots;	/* it was last changed before this boot */
	struct cb_segment other;	/* where paths->other is one */
	int64_t real_ns;		/* when all of this was so */
	/* The VMClock, where the segment's daemon watches one. */
	int vmclock_errno;		/* 0: it was read */
	struct cb_vmclock vmclock;
	/* The daemon. */
	enum cb_answer answer;
	char trouble[CB_TEXT];		/* unless the answer is GOOD */
	json_t *object;
	struct cb_observed observed;
};

/* Only the segments and the VMClock. */
void cb_gather_segment(struct cb_paths *, struct cb_facts *);
/* The daemon as well.  Give the facts back when done. */
void cb_gather(struct cb_paths *, struct cb_facts *);
void cb_gather_release(struct cb_facts *);

/*
 * judge.c: facts -> verdict, in plain words.  PURE.
 */
#define CB_MAX_FINDINGS	16
/* A path and what is to be said of it. */
#define CB_SENTENCE	(CB_PATH + 4 * CB_TEXT)

struct cb_limits {
	int64_t warning_ns;	/* of the half-width; CB_NONE: no limit */
	int64_t critical_ns;
};

struct cb_finding {
	enum cb_severity severity;
	char words[CB_SENTENCE];	/* what is wrong */
	char cure[CB_SENTENCE];		/* what to do next; may be empty */
};

struct cb_verdict {
	enum cb_severity severity;	/* the worst of the findings' */
	size_t n;			/* the worst come first */
	struct cb_finding findings[CB_MAX_FINDINGS];
};

/* What sets the half-width. */
struct cb_largest {
	enum cb_part part;
	int64_t ns;
	char words[CB_SENTENCE];
	char cure[CB_SENTENCE];
};

void cb_judge(const struct cb_facts *, const struct cb_limits *,
    struct cb_verdict *);
/* Is it synchronized, and within the limits? */
bool cb_judge_is_healthy(const struct cb_facts *, const struct cb_limits *);
/* Why it never will be, or NULL. */
const char *cb_judge_never(const struct cb_facts *);
/* False where the daemon does not tell. */
bool cb_judge_largest(const struct cb_facts *, struct cb_largest *);
/* A part of the half-width; CB_NONE where it is not known. */
int64_t cb_judge_part(const struct cb_facts *, enum cb_part);
bool cb_judge_is_trusted(const struct cb_segment *);
/* False: what stands for the bound, and the half-width, is no figure. */
bool cb_judge_has_bound(const struct cb_segment *);
/* The other segment of a directory; false where that is not worth a word. */
bool cb_judge_other(const struct cb_facts *, char words[CB_SENTENCE]);
const char *cb_judge_name_part(enum cb_part);
/* As in openmetrics: synchronized, free_running ... */
const char *cb_judge_name_status(clockbound_clock_status);
/* In words. */
const char *cb_judge_say_status(clockbound_clock_status);
const char *cb_judge_name_severity(enum cb_severity);
const char *cb_judge_name_fault(clockbound_err_kind);
/* What is not printable becomes a question mark. */
void cb_judge_make_printable(char *);
/* The verdict in one sentence, which is not for a terminal to obey. */
#define CB_LINE		(2 * CB_SENTENCE + 4)
void cb_judge_line(const struct cb_facts *, const struct cb_verdict *,
    char line[CB_LINE]);

/*
 * figure.c: nanoseconds for a person, to three digits and with a unit.
 */
#define CB_FIGURE	32

/* Never less than it is, and never more. */
char *cb_figure_up(int64_t ns, char text[CB_FIGURE]);
char *cb_figure_down(int64_t ns, char text[CB_FIGURE]);

/*
 * The forms of output, each in a file of its own.
 */
void cb_table_print(FILE *, const struct cb_facts *,
    const struct cb_verdict *, bool has_colour);
void cb_json_print(const struct cb_facts *, const struct cb_verdict *);
void cb_metrics_print(FILE *, const struct cb_facts *);
void cb_plugin_print(const struct cb_facts *, const struct cb_limits *,
    const struct cb_verdict *);
/* One request on standard input, one answer on standard output. */
enum cb_severity cb_http_serve(struct cb_paths *);
/* Until q or a signal; a line a second where there is no screen. */
enum cb_severity cb_watch(struct cb_paths *, const struct cb_limits *,
    bool has_screen, bool has_colour);
/* Until it is healthy, never will be, or timeout_ns is over. */
enum cb_severity cb_wait(struct cb_paths *, const struct cb_limits *,
    int64_t timeout_ns);

/* cb-status.c */
void cb_finish_output(void);

#endif
