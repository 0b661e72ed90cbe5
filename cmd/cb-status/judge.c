/* SPDX-License-Identifier: ISC */
/*
 * Facts go in; a verdict comes out: how bad it is, what is wrong in plain
 * words, and what to do next.  PURE: nothing is read or asked.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "cb-status.h"
#include "ts.h"

/* chronyd's name for its own clock. */
#define REF_ID_LOCAL	"7F7F0101"
/* Polls of this power of 2, and shorter ones, are short. */
#define SHORT_POLL	4

const char *
cb_judge_name_status(clockbound_clock_status status)
{
	static const char *const names[] = {
		"unknown", "synchronized", "free_running", "disrupted"
	};

	return names[status];
}

const char *
cb_judge_say_status(clockbound_clock_status status)
{
	static const char *const texts[] = {
		"unknown", "synchronized", "free running", "disrupted"
	};

	return texts[status];
}

const char *
cb_judge_name_severity(enum cb_severity severity)
{
	static const char *const names[] = {
		"OK", "WARNING", "CRITICAL", "UNKNOWN"
	};

	return names[severity];
}

const char *
cb_judge_name_part(enum cb_part part)
{
	static const char *const names[CB_PARTS] = {
		"offset", "error", "phc_error", "drift", "reading", "leap",
		"slew", "coarse", "correction", "rounding", "growth"
	};

	return names[part];
}

const char *
cb_judge_name_fault(clockbound_err_kind fault)
{
	static const char *const names[] = {
		"", "cannot be opened", "not written to", "malformed",
		"from the future", "of an unknown version"
	};

	return names[fault];
}

bool
cb_judge_is_trusted(const struct cb_segment *s)
{
	return s->fault == CLOCKBOUND_ERR_NONE && cb_shm_is_trusted(s->status);
}

bool
cb_judge_has_bound(const struct cb_segment *s)
{
	return s->fault == CLOCKBOUND_ERR_NONE &&
	    s->bound.bound_ns < CB_SHM_UNKNOWN_BOUND_NS;
}

/*
 * Of one that can be read.  It is only the status that counts as written for
 * longer by version 3.
 */
static bool
is_stale(const struct cb_facts *f)
{
	int64_t limit = CB_SHM_FRESH_S * CB_NS_PER_S;

	if (f->answer == CB_ANSWER_GOOD)
		limit = cb_ts_max(limit, 2 * f->observed.interval_ns);
	return f->segment.age_ns >= limit;
}

bool
cb_judge_is_healthy(const struct cb_facts *f, const struct cb_limits *l)
{
	return f->segment.fault == CLOCKBOUND_ERR_NONE &&
	    f->segment.status == CLOCKBOUND_STA_SYNCHRONIZED &&
	    !is_stale(f) && (l->warning_ns == CB_NONE ||
	    f->segment.half_ns <= l->warning_ns) && (l->critical_ns ==
	    CB_NONE || f->segment.half_ns <= l->critical_ns);
}

/* What waiting does not change: a daemon that starts replaces all others. */
const char *
cb_judge_never(const struct cb_facts *f)
{
	if (f->is_odd)
		return "it is not a file";
	if (f->segment.fault == CLOCKBOUND_ERR_SEGMENT_VERSION_NOT_SUPPORTED)
		return "it is a segment of a version that is not known here";
	if (f->segment.fault != CLOCKBOUND_ERR_SYSCALL)
		return NULL;
	switch (f->segment.sys_errno) {
	case ENOTDIR:
	case ELOOP:
	case ENAMETOOLONG:
	case EACCES:
		return strerror(f->segment.sys_errno);
	default:
		return NULL;
	}
}

/* CRITICAL is known to be bad, and so is worse than UNKNOWN. */
static int
rank_of(enum cb_severity severity)
{
	static const int ranks[] = { 0, 1, 3, 2 };

	return ranks[severity];
}

/* Behind all that are as bad or worse.  It may be given a cure. */
static __attribute__((format(printf, 3, 4))) struct cb_finding *
find(struct cb_verdict *v, enum cb_severity severity, const char *words, ...)
{
	struct cb_finding *found;
	size_t at = v->n;
	va_list ap;

	while (at > 0 && rank_of(v->findings[at - 1].severity) <
	    rank_of(severity))
		at--;
	/* As many as there are rules below: there is always room. */
	memmove(&v->findings[at + 1], &v->findings[at],
	    (v->n - at) * sizeof(v->findings[0]));
	v->n++;
	found = &v->findings[at];
	found->severity = severity;
	found->cure[0] = '\0';
	va_start(ap, words);
	vsnprintf(found->words, sizeof(found->words), words, ap);
	va_end(ap);
	return found;
}

static __attribute__((format(printf, 2, 3))) void
cure(struct cb_finding *found, const char *words, ...)
{
	va_list ap;

	va_start(ap, words);
	vsnprintf(found->cure, sizeof(found->cure), words, ap);
	va_end(ap);
}

/*
 * The segment of a directory that did not answer.
 */

static bool
differs(const struct cb_facts *f)
{
	return f->other.status != f->segment.status ||
	    (cb_judge_is_trusted(&f->segment) && cb_ts_abs(f->other.half_ns -
	    f->segment.half_ns) > f->segment.half_ns / 10);
}

/* Programs that read it alone are told something else. */
static void
say_other(const struct cb_segment *o, char words[CB_SENTENCE])
{
	const char *status = cb_judge_say_status(o->status);
	char half[CB_FIGURE];

	if (cb_judge_is_trusted(o))
		snprintf(words, CB_SENTENCE, "%s within %s, for those who "
		    "read it alone", status, cb_figure_up(o->half_ns, half));
	else
		snprintf(words, CB_SENTENCE, "%s, for those who read it "
		    "alone", status);
}

bool
cb_judge_other(const struct cb_facts *f, char words[CB_SENTENCE])
{
	const struct cb_segment *o = &f->other;
	const char *why = f->answer == CB_ANSWER_GOOD ?
	    f->observed.shm1_trouble : "";

	if (f->segment.fault != CLOCKBOUND_ERR_NONE ||
	    f->paths->other[0] == '\0')
		return false;
	if (o->fault == CLOCKBOUND_ERR_SYSCALL)
		snprintf(words, CB_SENTENCE, "%s", o->sys_errno == ENOENT ?
		    "missing" : strerror(o->sys_errno));
	else if (o->fault != CLOCKBOUND_ERR_NONE)
		snprintf(words, CB_SENTENCE, "%s",
		    cb_judge_name_fault(o->fault));
	else if (!differs(f))
		return false;
	else if (f->segment.bound.is_counted)
		say_other(o, words);
	else
		snprintf(words, CB_SENTENCE, "%s%s%s",
		    cb_judge_say_status(o->status), *why == '\0' ? "" : ": ",
		    why);
	return true;
}

/*
 * The half-width, and what it is made of.
 */

/* The daemon's, of the segment that has answered. */
static const struct cb_budget *
budget_of(const struct cb_facts *f)
{
	return f->segment.bound.is_counted ? &f->observed.shm1_budget :
	    &f->observed.budget;
}

int64_t
cb_judge_part(const struct cb_facts *f, enum cb_part part)
{
	const struct cb_budget *b = budget_of(f);

	if (f->segment.fault != CLOCKBOUND_ERR_NONE ||
	    f->answer != CB_ANSWER_GOOD || !b->is_known)
		return CB_NONE;
	if (part == CB_PART_GROWTH)
		return cb_ts_max(f->segment.half_ns - b->bound_ns, 0);
	return b->parts[part];
}

/* Whose measurement sets the bound; NULL where that is gone. */
static const struct cb_source *
find_source(const struct cb_facts *f)
{
	const struct cb_observed *o = &f->observed;

	for (size_t i = 0; i < o->n_sources; i++)
		if (strcmp(o->sources[i].name, budget_of(f)->source) == 0)
			return &o->sources[i];
	return NULL;
}

static bool
is_refclock(const struct cb_source *s)
{
	return s != NULL && strcmp(s->mode, "refclock") == 0;
}

/* Has it missed polls?  Its age is up to two of them. */
static bool
is_overdue(const struct cb_source *s, int64_t poll)
{
	int64_t poll_s = INT64_C(1) << cb_ts_max(0, cb_ts_min(poll, 30));

	return s != NULL && s->measured_age_ns != CB_NONE &&
	    s->measured_age_ns / CB_NS_PER_S > 2 * poll_s + 2;
}

static void
blame_drift(const struct cb_facts *f, struct cb_largest *l)
{
	const struct cb_budget *b = budget_of(f);
	const struct cb_source *s = find_source(f);
	char age[CB_FIGURE];

	snprintf(l->words, sizeof(l->words), "the measurement by %s that sets "
	    "it is %s old", b->source, cb_figure_up(b->age_ns, age));
	if (is_overdue(s, b->poll))
		snprintf(l->cure, sizeof(l->cure), "find out why there is no "
		    "newer one: chronyc sources");
	else if (is_refclock(s))
		snprintf(l->cure, sizeof(l->cure), "give it a shorter poll "
		    "in chrony.conf");
	else if (b->poll > SHORT_POLL)
		snprintf(l->cure, sizeof(l->cure), "set `minpoll 4 maxpoll 4' "
		    "for it in chrony.conf, where its owner agrees");
	else
		snprintf(l->cure, sizeof(l->cure), "%sstart cb-daemon with a "
		    "lower -m or a --max-wander, where the oscillator is that "
		    "good",
		    b->poll > 0 ? "poll it more often still, where it is "
		    "yours, or " : "");
}

static void
blame_error(const struct cb_facts *f, struct cb_largest *l)
{
	bool refclock = is_refclock(find_source(f));

	snprintf(l->words, sizeof(l->words), "%s of %s", refclock ?
	    "the error" : "half the root delay and the root dispersion",
	    budget_of(f)->source);
	snprintf(l->cure, sizeof(l->cure), "%s", refclock ?
	    "a smaller delay in chrony.conf, where the clock is that good" :
	    "choose a nearer server, or a better one");
}

/* From the middle of an interval by version 3: that takes two to disagree. */
static void
blame_offset(const struct cb_facts *f, struct cb_largest *l)
{
	bool counted = f->segment.bound.is_counted;

	snprintf(l->words, sizeof(l->words), "%s", counted ?
	    "measurements contradict each other" :
	    "the clock is that far from what was measured");
	snprintf(l->cure, sizeof(l->cure), "%s", counted ?
	    "find out which source is wrong: chronyc sourcestats" :
	    "wait while chronyd corrects it, or let it step: makestep in "
	    "chrony.conf");
}

static void
blame_growth(const struct cb_facts *f, struct cb_largest *l)
{
	char age[CB_FIGURE];

	snprintf(l->words, sizeof(l->words), "growth in the %s since the "
	    "last write", cb_figure_up(f->segment.age_ns, age));
	snprintf(l->cure, sizeof(l->cure), "see that cb-daemon writes, or "
	    "more often: its --interval");
}

static void
blame(const struct cb_facts *f, struct cb_largest *l)
{
	static const struct {
		const char *words;
		const char *cure;
	} texts[CB_PARTS] = {
		[CB_PART_PHC_ERROR] = { "the PHC's own error, as its driver "
		    "tells it", "choose another PHC, or none" },
		[CB_PART_READING] = { "how the measurement was made",
		    "choose a server rather than a peer" },
		[CB_PART_LEAP] = { "a leap second", "wait until it is over" },
		[CB_PART_SLEW] = { "a fast slew of the clock",
		    "wait, or lower maxslewrate in chrony.conf" },
		[CB_PART_COARSE] = { "the coarse clock may be late",
		    "none here: it is the kernel's" },
		[CB_PART_CORRECTION] = { "the correction that is under way",
		    "wait while chronyd makes it" },
		[CB_PART_ROUNDING] = { "rounding", "none" }
	};

	if (l->part == CB_PART_OFFSET)
		blame_offset(f, l);
	else if (l->part == CB_PART_DRIFT)
		blame_drift(f, l);
	else if (l->part == CB_PART_ERROR)
		blame_error(f, l);
	else if (l->part == CB_PART_GROWTH)
		blame_growth(f, l);
	else {
		snprintf(l->words, sizeof(l->words), "%s",
		    texts[l->part].words);
		snprintf(l->cure, sizeof(l->cure), "%s", texts[l->part].cure);
	}
}

bool
cb_judge_largest(const struct cb_facts *f, struct cb_largest *l)
{
	l->ns = CB_NONE;
	for (enum cb_part part = 0; part < CB_PARTS; part++) {
		int64_t ns = cb_judge_part(f, part);

		if (ns > l->ns) {
			l->part = part;
			l->ns = ns;
		}
	}
	if (l->ns <= 0)
		return false;
	blame(f, l);
	return true;
}

/*
 * The segment.
 */

static void
judge_open(const struct cb_facts *f, struct cb_verdict *v)
{
	const char *path = f->paths->shm;

	switch (f->segment.sys_errno) {
	case ENOENT:
		/* A directory: what was looked for in it is not there. */
		if (f->is_odd)
			cure(find(v, CB_CRITICAL, "%s is not a file", path),
			    "name the run directory with --shm");
		else
			cure(find(v, CB_CRITICAL, "there is no segment %s",
			    path), "start cb-daemon, or name its run "
			    "directory with --shm");
		break;
	case ENOTDIR:
		cure(find(v, CB_CRITICAL, "there can be no segment %s: its "
		    "directory is none", path),
		    "name the run directory with --shm");
		break;
	case EACCES:
		cure(find(v, CB_UNKNOWN, "cannot open %s: %s", path,
		    strerror(EACCES)), "let this user read it: mode 644, in "
		    "directories of mode 755");
		break;
	default:
		find(v, CB_UNKNOWN, "cannot open %s: %s", path,
		    strerror(f->segment.sys_errno));
	}
}

static void
judge_future(const struct cb_facts *f, struct cb_verdict *v)
{
	const char *again = "start cb-daemon, here and now";
	char ahead[CB_FIGURE];

	if (f->is_older_boots)
		cure(find(v, CB_CRITICAL, "%s is from before the last boot",
		    f->paths->shm), "%s", again);
	else if (f->segment.bound.is_counted)
		cure(find(v, CB_CRITICAL, "%s is ahead of the CPU's counter: "
		    "that went back, or is another machine's", f->paths->shm),
		    "%s", again);
	else
		cure(find(v, CB_CRITICAL, "%s is %s ahead of CLOCK_MONOTONIC: "
		    "that went back, or is another time namespace's",
		    f->paths->shm, cb_figure_up(-f->segment.age_ns, ahead)),
		    "%s", again);
}

static void
judge_fault(const struct cb_facts *f, struct cb_verdict *v)
{
	const char *path = f->paths->shm;

	switch (f->segment.fault) {
	case CLOCKBOUND_ERR_NONE:
		break;
	case CLOCKBOUND_ERR_SYSCALL:
		judge_open(f, v);
		break;
	case CLOCKBOUND_ERR_SEGMENT_NOT_INITIALIZED:
		cure(find(v, CB_CRITICAL, "%s is not a segment that a daemon "
		    "has written to", path), f->is_odd ?
		    "name the run directory with --shm" :
		    "start cb-daemon, which replaces it");
		break;
	case CLOCKBOUND_ERR_SEGMENT_MALFORMED:
		cure(find(v, CB_CRITICAL, "%s is a malformed segment", path),
		    "start cb-daemon, which replaces it");
		break;
	case CLOCKBOUND_ERR_CAUSALITY_BREACH:
		judge_future(f, v);
		break;
	case CLOCKBOUND_ERR_SEGMENT_VERSION_NOT_SUPPORTED:
		cure(find(v, CB_CRITICAL, "%s is a segment of a version that "
		    "is not known here", path), "ask with the tools that came "
		    "with its daemon");
		break;
	}
}

/*
 * The daemon.
 */

static void
judge_stale(const struct cb_facts *f, struct cb_verdict *v)
{
	const char *path = f->paths->shm;
	char age[CB_FIGURE];

	cb_figure_up(f->segment.age_ns, age);
	if (f->answer == CB_ANSWER_GOOD)
		cure(find(v, CB_CRITICAL, "nobody has written to %s for %s, "
		    "but cb-daemon (pid %lld) answers", path, age,
		    (long long)f->observed.pid),
		    "name its run directory with --shm, or restart it");
	else if (f->is_older_boots)
		cure(find(v, CB_CRITICAL, "%s is from before the last boot",
		    path), "start cb-daemon");
	else if (f->answer == CB_ANSWER_OTHER)
		cure(find(v, CB_CRITICAL, "nobody has written to %s for %s, "
		    "and the cb-daemon that answers speaks of another segment",
		    path, age), "name its run directory with --shm, or "
		    "restart it");
	else if (f->answer == CB_ANSWER_BROKEN)
		cure(find(v, CB_CRITICAL, "nobody has written to %s for %s: "
		    "cb-daemon is stopped or stuck", path, age),
		    "continue it (SIGCONT), or restart it");
	else
		cure(find(v, CB_CRITICAL, "nobody has written to %s for %s: "
		    "cb-daemon is not running", path, age),
		    "start cb-daemon");
}

/* What does not answer while the segment is well is not yet missed. */
static void
judge_answer(const struct cb_facts *f, struct cb_verdict *v)
{
	const char *path = f->paths->observe;

	switch (f->answer) {
	case CB_ANSWER_GOOD:
	case CB_ANSWER_ABSENT:
		break;
	case CB_ANSWER_REFUSED:
		cure(find(v, CB_WARNING, "nobody listens at %s", path),
		    "see that cb-daemon runs");
		break;
	case CB_ANSWER_DENIED:
		find(v, CB_OK, "cannot ask %s: %s", path, f->trouble);
		break;
	case CB_ANSWER_BROKEN:
		cure(find(v, CB_WARNING, "what %s says is of no use: %s",
		    path, f->trouble), "run cb-status and cb-daemon of one "
		    "version; look at the daemon's log");
		break;
	case CB_ANSWER_OTHER:
		cure(find(v, CB_WARNING, "what %s says is of no use: %s",
		    path, f->trouble), "name the socket of the daemon that "
		    "writes the segment with --observe");
		break;
	}
}

/*
 * Why a segment that is written has no better status.
 */

static void
cure_chrony(struct cb_finding *found, const struct cb_observed *o)
{
	if (strstr(o->trouble, strerror(EACCES)) != NULL)
		cure(found, "run cb-daemon as root or as chronyd's user, on "
		    "Debian _chrony");
	else if (strstr(o->trouble, strerror(ENOENT)) != NULL)
		cure(found, "start chronyd, or give cb-daemon the path of "
		    "its socket: --chrony-socket");
	else
		cure(found, "see that chronyd runs: chronyc tracking");
}

static bool
blame_vmclock(const struct cb_facts *f, struct cb_verdict *v,
    enum cb_severity severity, const char *status)
{
	const char *path = f->paths->vmclock;

	if (!f->segment.bound.disruption_support)
		return false;
	if (f->vmclock_errno != 0) {
		cure(find(v, severity, "%s: the VMClock %s cannot be read: "
		    "%s", status, path, cb_vmclock_strerror(
		    f->vmclock_errno)), f->vmclock_errno == EACCES ?
		    "let every user read it" : "name the one that cb-daemon "
		    "watches with --vmclock");
		return true;
	}
	if (f->vmclock.disruption_marker == f->segment.bound.disruption_marker)
		return false;
	cure(find(v, severity, "%s: the VMClock %s tells of a disruption "
	    "that cb-daemon has not handled", status, path), "look again in "
	    "a second; then at the daemon's log");
	return true;
}

static bool
blame_disruption(const struct cb_facts *f, struct cb_verdict *v,
    enum cb_severity severity, const char *status)
{
	const struct cb_observed *o = &f->observed;

	if (o->forced) {
		cure(find(v, severity, "%s: SIGUSR1 said that the clock is "
		    "disrupted", status), "send SIGUSR2 to cb-daemon (pid "
		    "%lld) when that is over", (long long)o->pid);
		return true;
	}
	if (o->unreliable) {
		cure(find(v, severity, "%s: the VMClock is unreliable, or "
		    "cb-daemon cannot read it", status), "look at it: "
		    "cb-vmclock show");
		return true;
	}
	if (strcmp(o->phase, "reset") != 0)
		return false;
	cure(find(v, severity, "%s: the clock was disrupted, and chronyd has "
	    "not forgotten yet what it measured before", status), "see that "
	    "chronyd runs; cb-daemon goes on asking");
	return true;
}

static bool
blame_chrony(const struct cb_facts *f, struct cb_verdict *v,
    enum cb_severity severity, const char *status)
{
	const struct cb_observed *o = &f->observed;
	const char *look = "see which sources it has: chronyc sources";

	if (!o->answered)
		cure_chrony(find(v, severity, "%s: chronyd does not answer "
		    "at %s", status, o->trouble), o);
	else if (strcmp(o->ref_id, REF_ID_LOCAL) == 0)
		cure(find(v, severity, "%s: chronyd follows its own clock "
		    "(local)", status), "%s", look);
	else if (strcmp(o->leap, "unsynchronized") == 0)
		cure(find(v, severity, "%s: chronyd is not synchronized",
		    status), "%s", look);
	else
		return false;
	return true;
}

static void
blame_time(const struct cb_facts *f, struct cb_verdict *v,
    enum cb_severity severity, const char *status)
{
	const struct cb_observed *o = &f->observed;
	char ago[CB_FIGURE];

	if (strcmp(o->status, "synchronized") == 0)
		cure(find(v, severity, "%s: the last write is %s old, and "
		    "readers take a status for 5 s", status,
		    cb_figure_up(f->segment.age_ns, ago)), "start cb-daemon "
		    "with a shorter --interval");
	else if (o->gated)
		cure(find(v, severity, "%s: chronyd has not updated since "
		    "the disruption", status), "wait for its next "
		    "measurements, or hasten them: chronyc burst 4/4");
	else if (f->segment.status == CLOCKBOUND_STA_FREE_RUNNING &&
	    o->has_report)
		cure(find(v, severity, "%s: chronyd's last update was %s ago",
		    status, cb_figure_up(f->real_ns - o->ref_time_ns, ago)),
		    "see which sources answer: chronyc sources");
	else
		cure(find(v, severity, "%s: there is no measurement yet that "
		    "proves a time", status), "wait for chronyd's next one, "
		    "or hasten it: chronyc burst 4/4");
}

static void
judge_status(const struct cb_facts *f, struct cb_verdict *v)
{
	static const char *const texts[] = {
		"the time is unknown", "", "free running", "disrupted"
	};
	const char *status = texts[f->segment.status];
	enum cb_severity severity = f->segment.status ==
	    CLOCKBOUND_STA_FREE_RUNNING ? CB_WARNING : CB_CRITICAL;

	if (f->segment.status == CLOCKBOUND_STA_SYNCHRONIZED ||
	    blame_vmclock(f, v, severity, status))
		return;
	if (f->answer != CB_ANSWER_GOOD)
		cure(find(v, severity, "%s, and cb-daemon does not tell why",
		    status), "look at its log, and at chronyc tracking");
	else if (!blame_disruption(f, v, severity, status) &&
	    !blame_chrony(f, v, severity, status))
		blame_time(f, v, severity, status);
}

/*
 * What is worth a look while the time is good.
 */

static void
judge_width(const struct cb_facts *f, const struct cb_limits *l,
    struct cb_verdict *v)
{
	bool critical = l->critical_ns != CB_NONE &&
	    f->segment.half_ns > l->critical_ns;
	char half[CB_FIGURE], limit[CB_FIGURE], part[CB_FIGURE];
	struct cb_largest largest;
	struct cb_finding *found;

	if (!cb_judge_is_trusted(&f->segment) || (!critical &&
	    (l->warning_ns == CB_NONE || f->segment.half_ns <= l->warning_ns)))
		return;
	cb_figure_up(f->segment.half_ns, half);
	cb_figure_down(critical ? l->critical_ns : l->warning_ns, limit);
	if (!cb_judge_largest(f, &largest)) {
		find(v, critical ? CB_CRITICAL : CB_WARNING, "the half-width "
		    "is %s, above %s", half, limit);
		return;
	}
	found = find(v, critical ? CB_CRITICAL : CB_WARNING, "the half-width "
	    "is %s, above %s; %s of that: %s", half, limit,
	    cb_figure_up(largest.ns, part), largest.words);
	cure(found, "%s", largest.cure);
}

static void
judge_frequency(const struct cb_observed *o, struct cb_verdict *v)
{
	if (!o->frequency_exceeds_drift)
		return;
	cure(find(v, CB_WARNING, "the clock's frequency is off by %lld ppb, "
	    "more than the %lld ppb of --max-drift-rate",
	    (long long)o->frequency_ppb, (long long)o->max_drift_ppb),
	    "start cb-daemon with a -m that covers it");
}

static void
judge_sources(const struct cb_observed *o, struct cb_verdict *v)
{
	for (size_t i = 0; i < o->n_sources; i++) {
		if (o->sources[i].contradictions == 0)
			continue;
		cure(find(v, CB_WARNING, "%s contradicts what it measured "
		    "before", o->sources[i].name), "do not use it, or start "
		    "cb-daemon with a higher -m: one of the two is wrong");
		return;
	}
}

static void
judge_announcement(const struct cb_facts *f, struct cb_verdict *v)
{
	uint64_t flags = f->vmclock.flags;
	const char *when = (flags & CB_VMCLOCK_DISRUPTION_IMMINENT) != 0 ?
	    "imminent" : (flags & CB_VMCLOCK_DISRUPTION_SOON) != 0 ?
	    "soon" : NULL;

	if (when != NULL)
		cure(find(v, CB_WARNING, "the VMClock announces a "
		    "disruption: %s", when), "expect a time without a bound; "
		    "it ends by itself");
}

static void
judge_method(const struct cb_observed *o, struct cb_verdict *v)
{
	if (o->phc_trouble[0] != '\0')
		cure(find(v, CB_WARNING, "the PHC's measurements are not "
		    "used: %s", o->phc_trouble), "check -r and -i of "
		    "cb-daemon, and the interface's driver");
	if (strcmp(o->method, "chrony-tracking") == 0)
		cure(find(v, CB_WARNING, "this is chronyd's own estimate "
		    "(chrony-tracking), which is not a bound"), "start "
		    "cb-daemon with --clock-error-bound-source chrony");
}

void
cb_judge(const struct cb_facts *f, const struct cb_limits *l,
    struct cb_verdict *v)
{
	v->n = 0;
	v->severity = CB_OK;
	judge_fault(f, v);
	if (f->segment.fault == CLOCKBOUND_ERR_NONE) {
		if (is_stale(f))
			judge_stale(f, v);
		else {
			judge_answer(f, v);
			judge_status(f, v);
		}
		judge_width(f, l, v);
		judge_announcement(f, v);
	}
	if (f->answer == CB_ANSWER_GOOD) {
		judge_frequency(&f->observed, v);
		judge_sources(&f->observed, v);
		judge_method(&f->observed, v);
	}
	if (v->n > 0)
		v->severity = v->findings[0].severity;
}

void
cb_judge_make_printable(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			*text = '?';
}

void
cb_judge_line(const struct cb_facts *f, const struct cb_verdict *v,
    char line[CB_LINE])
{
	const struct cb_finding *worst = &v->findings[0];
	char half[CB_FIGURE];

	if (v->severity == CB_OK)
		snprintf(line, CB_LINE, "%s, within %s of true time",
		    cb_judge_name_status(f->segment.status),
		    cb_figure_up(f->segment.half_ns, half));
	else
		snprintf(line, CB_LINE, "%s%s%s", worst->words,
		    worst->cure[0] != '\0' ? "; " : "", worst->cure);
	cb_judge_make_printable(line);
}
