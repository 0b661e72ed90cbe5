/* SPDX-License-Identifier: ISC */
/*
 * Paths go in; all that there is to know comes out in one struct.
 */
#include <sys/stat.h>

#include <errno.h>
#include <string.h>

#include "cb-status.h"
#include "ts.h"

#ifdef CLOCK_MONOTONIC_COARSE
#define CLOCK_AS_OF	CLOCK_MONOTONIC_COARSE
#else
#define CLOCK_AS_OF	CLOCK_MONOTONIC
#endif

#define OBSERVE_NAME	"observe"

/* A write that comes between two readings is followed by a pause. */
#define TRIES		3

/* What a reader takes for the segment's file; the socket is beside it. */
static void
resolve(struct cb_paths *p)
{
	const char *shm = p->given_shm;
	const char *slash;
	struct stat st;

	if (shm == NULL || (stat(shm, &st) == 0 && S_ISDIR(st.st_mode)))
		snprintf(p->shm, sizeof(p->shm), "%s/" CB_SHM_V2_NAME,
		    shm == NULL ? CB_SHM_DEFAULT_DIR : shm);
	else
		snprintf(p->shm, sizeof(p->shm), "%s", shm);
	slash = strrchr(p->shm, '/');
	if (p->given_observe != NULL)
		snprintf(p->observe, sizeof(p->observe), "%s",
		    p->given_observe);
	else
		snprintf(p->observe, sizeof(p->observe), "%.*s" OBSERVE_NAME,
		    slash == NULL ? 0 : (int)(slash - p->shm) + 1, p->shm);
}

static int64_t
half_of(const clockbound_now_result *now)
{
	int64_t s = now->latest.tv_sec - now->earliest.tv_sec;

	if (s >= INT64_MAX / CB_NS_PER_S)
		return INT64_MAX;
	return (s * CB_NS_PER_S + now->latest.tv_nsec -
	    now->earliest.tv_nsec) / 2;
}

/*
 * By the clock, which may itself have been wrong then: worth a word, where the
 * age has already said that nobody writes any more.
 */
static bool
is_older_boots(const struct stat *st)
{
	int64_t boot = cb_ts_clock(CLOCK_REALTIME) -
	    cb_ts_clock(CLOCK_BOOTTIME);

	return cb_ts_ns(&st->st_mtim) < boot;
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

static void
take_fault(struct cb_facts *f, const clockbound_err *err)
{
	f->fault = err->kind;
	f->sys_errno = err->sys_errno;
}

/* The reader's word, and the snapshot that it is about. */
static void
read_segment(struct cb_facts *f, clockbound_ctx *ctx)
{
	clockbound_now_result now;
	const clockbound_err *failed = clockbound_now(ctx, &now);

	f->bound = *cb_now_snapshot(ctx);
	f->age_ns = f->bound.is_counted ? cb_now_age(ctx) :
	    cb_ts_clock(CLOCK_AS_OF) - f->bound.as_of;
	if (failed != NULL) {
		take_fault(f, failed);
		return;
	}
	f->status = now.clock_status;
	f->half_ns = half_of(&now);
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
	clockbound_ctx *ctx;
	clockbound_err err;

	resolve(paths);
	memset(f, 0, sizeof(*f));
	f->paths = paths;
	f->answer = CB_ANSWER_ABSENT;
	f->real_ns = cb_ts_clock(CLOCK_REALTIME);
	look_at_file(f);
	ctx = clockbound_vmclock_open(paths->shm, paths->vmclock, &err);
	if (ctx == NULL) {
		take_fault(f, &err);
		return;
	}
	read_segment(f, ctx);
	clockbound_close(ctx);
	if (f->fault == CLOCKBOUND_ERR_NONE && f->bound.disruption_support)
		read_vmclock(f);
}

/* Two looks at one segment, of which this much time was between. */
static bool
is_of_segment(const struct cb_observed *o, const struct cb_facts *f,
    int64_t between_ns)
{
	/* Version 3 is told by another clock. */
	return f->fault != CLOCKBOUND_ERR_NONE || f->bound.is_counted ||
	    cb_ts_abs(f->bound.as_of - o->as_of_ns) <=
	    2 * o->interval_ns + between_ns;
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
		    observed.as_of_ns == f->bound.as_of)
			break;
	}
	f->answer = answer;
	memcpy(f->trouble, trouble, sizeof(trouble));
	f->object = object;
	if (answer != CB_ANSWER_GOOD)
		return;
	if (is_of_segment(&observed, f, cb_ts_clock(CLOCK_MONOTONIC) - asked))
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
