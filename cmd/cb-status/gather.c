/* SPDX-License-Identifier: ISC */
/*
 * Paths go in; all that there is to know comes out in one struct.
 */
#include <sys/stat.h>

#include <errno.h>
#include <string.h>

#include "cb-status.h"
#include "system.h"
#include "ts.h"

#define OBSERVE_NAME	"observe"

/* A write that comes between two readings is followed by a pause. */
#define TRIES		3

/* In a directory a reader looks for one segment before the other. */
static void
resolve(struct cb_paths *p)
{
	const char *shm = p->given_shm == NULL ? CB_SHM_DEFAULT_DIR :
	    p->given_shm;
	const char *slash;
	struct stat st;

	if (p->given_shm == NULL || (stat(shm, &st) == 0 &&
	    S_ISDIR(st.st_mode))) {
		snprintf(p->shm, sizeof(p->shm), "%s/" CB_SHM_V3_NAME, shm);
		snprintf(p->other, sizeof(p->other), "%s/" CB_SHM_V2_NAME,
		    shm);
	} else {
		snprintf(p->shm, sizeof(p->shm), "%s", shm);
		p->other[0] = '\0';
	}
	slash = strrchr(p->shm, '/');
	if (p->given_observe != NULL)
		snprintf(p->observe, sizeof(p->observe), "%s",
		    p->given_observe);
	else
		snprintf(p->observe, sizeof(p->observe), "%.*s" OBSERVE_NAME,
		    slash == NULL ? 0 : (int)(slash - p->shm) + 1, p->shm);
}

static void
swap(struct cb_paths *p)
{
	char shm[CB_PATH];

	memcpy(shm, p->shm, sizeof(shm));
	memcpy(p->shm, p->other, sizeof(shm));
	memcpy(p->other, shm, sizeof(shm));
}

/*
 * By the clock, which may itself have been wrong then: worth a word, where the
 * age has already said that nobody writes any more.
 */
static bool
is_older_boots(const struct stat *st)
{
	int64_t boot = cb_ts_clock(CLOCK_REALTIME) -
	    cb_ts_clock(CB_CLOCK_BOOT);

	return st->st_mtime < cb_ts_floor_s(boot);
}

/* Then it was no directory when it was resolved, but one may have come. */
static bool
is_as_given(const struct cb_paths *p)
{
	return p->given_shm != NULL && strcmp(p->given_shm, p->shm) == 0;
}

static void
look_at_file(struct cb_facts *f)
{
	struct stat st;

	if (stat(f->paths->shm, &st) == -1)
		return;
	f->is_odd = !S_ISREG(st.st_mode) && !(S_ISDIR(st.st_mode) &&
	    is_as_given(f->paths));
	f->is_older_boots = is_older_boots(&st);
}

/* By version 3 the counter's own error, which its slopes hold, adds to it. */
static int64_t
growth_of(const struct cb_shm_bound *b)
{
	int64_t unit = b->lines.period / CB_NS_PER_S;

	if (!b->is_counted || unit == 0)
		return b->max_drift_ppb;
	return (-b->lines.late - b->lines.early) / 2 / unit + 1;
}

/* The reader's word, and the snapshot that it is about. */
static void
read_segment(const char *path, const char *vmclock, struct cb_segment *s)
{
	clockbound_now_result now;
	const clockbound_err *failed;
	clockbound_err err;
	clockbound_ctx *ctx = clockbound_vmclock_open(path, vmclock, &err);

	memset(s, 0, sizeof(*s));
	failed = ctx == NULL ? &err : clockbound_now(ctx, &now);
	if (failed != NULL) {
		s->fault = failed->kind;
		s->sys_errno = failed->sys_errno;
	} else {
		s->status = now.clock_status;
		s->half_ns = clockbound_bound_ns(&now);
	}
	if (ctx == NULL)
		return;
	s->bound = *cb_now_snapshot(ctx);
	s->growth_ppb = growth_of(&s->bound);
	if (!s->bound.is_counted)
		s->age_ns = cb_ts_clock(CB_CLOCK_AS_OF) - s->bound.as_of;
	else if (s->bound.bound_ns >= CB_SHM_UNKNOWN_BOUND_NS)
		/* Its period is any, and as_of the clock. */
		s->age_ns = cb_ts_max(0,
		    cb_ts_clock(CLOCK_REALTIME) - s->bound.as_of);
	else
		s->age_ns = cb_now_age(ctx);
	clockbound_close(ctx);
}

/*
 * Which segment of a directory has answered?  Where none has, the fault is the
 * last one's, and so are the facts to be.
 */
static void
read_segments(struct cb_paths *p, struct cb_facts *f)
{
	read_segment(p->given_shm, p->vmclock, &f->segment);
	if (p->other[0] == '\0')
		return;
	if (f->segment.fault != CLOCKBOUND_ERR_NONE ||
	    !f->segment.bound.is_counted)
		swap(p);
	if (f->segment.fault != CLOCKBOUND_ERR_NONE)
		read_segment(p->shm, p->vmclock, &f->segment);
	read_segment(p->other, p->vmclock, &f->other);
}

static void
read_vmclock(struct cb_facts *f)
{
	struct cb_vmclock_file file;

	if (!cb_vmclock_open(&file, f->paths->vmclock) || !cb_vmclock_read(
	    file.page, CB_VMCLOCK_WAIT_NS, &f->vmclock))
		f->vmclock_errno = errno;
	cb_vmclock_close(&file);
}

void
cb_gather_segment(struct cb_paths *paths, struct cb_facts *f)
{
	resolve(paths);
	memset(f, 0, sizeof(*f));
	f->paths = paths;
	f->answer = CB_ANSWER_ABSENT;
	f->real_ns = cb_ts_clock(CLOCK_REALTIME);
	read_segments(paths, f);
	look_at_file(f);
	if (f->segment.fault == CLOCKBOUND_ERR_NONE &&
	    f->segment.bound.disruption_support)
		read_vmclock(f);
}

/* Between what a daemon says of the segment and what is in it. */
static int64_t
distance_of(const struct cb_observed *o, const struct cb_shm_bound *b)
{
	return cb_ts_abs(b->as_of - (b->is_counted ? o->shm1_as_of_ns :
	    o->as_of_ns));
}

/*
 * Two looks at one segment, of which this much time was between?  By version 3
 * a measurement moves as_of, but not out of the interval.
 */
static bool
is_of_segment(const struct cb_observed *o, const struct cb_segment *s,
    int64_t between_ns)
{
	int64_t moved_ns = s->bound.is_counted ? o->shm1_budget.bound_ns +
	    cb_ts_min(s->bound.bound_ns, CB_SHM_UNKNOWN_BOUND_NS) : 0;

	return s->fault != CLOCKBOUND_ERR_NONE || distance_of(o, &s->bound) <=
	    2 * o->interval_ns + between_ns + moved_ns;
}

/* What is known of another daemon is not to be told of this segment. */
static enum cb_answer
disown(struct cb_facts *f)
{
	json_decref(f->object);
	f->object = NULL;
	snprintf(f->trouble, sizeof(f->trouble), "it speaks of another "
	    "segment");
	return CB_ANSWER_OTHER;
}

/*
 * The daemon first: it answers right after a tick, and the segment is then the
 * one that it speaks of.
 */
void
cb_gather(struct cb_paths *paths, struct cb_facts *f)
{
	char trouble[CB_TEXT];
	struct cb_observed observed;
	enum cb_answer answer;
	json_t *object = NULL;
	int64_t asked = 0;

	resolve(paths);
	for (int i = 0; i < TRIES; i++) {
		json_decref(object);
		asked = cb_ts_clock(CLOCK_MONOTONIC);
		answer = cb_observe_ask(paths->observe, &object, &observed,
		    trouble);
		cb_gather_segment(paths, f);
		if (answer != CB_ANSWER_GOOD ||
		    distance_of(&observed, &f->segment.bound) == 0)
			break;
	}
	f->answer = answer;
	memcpy(f->trouble, trouble, sizeof(trouble));
	f->object = object;
	if (answer != CB_ANSWER_GOOD)
		return;
	if (is_of_segment(&observed, &f->segment,
	    cb_ts_clock(CLOCK_MONOTONIC) - asked))
		f->observed = observed;
	else
		f->answer = disown(f);
}

void
cb_gather_release(struct cb_facts *f)
{
	json_decref(f->object);
	f->object = NULL;
}
