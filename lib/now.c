/* SPDX-License-Identifier: ISC */
/*
 * clockbound(3): a segment's path and the clocks go in, an interval comes out.
 *
 * What the last answer was worked out from is kept (struct answer), and most
 * calls find that nothing has changed since.  All else is slow: another
 * snapshot, another file, the other segment of a directory.
 *
 * A context that threads share is so many of these, of which each call takes one
 * that no other has.  It never waits for one.
 */
#include <sys/stat.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clockbound.h"
#include "counter.h"
#include "shm.h"
#include "system.h"
#include "ts.h"
#include "vmclock.h"
#include "wide.h"

/* A snapshot this old makes us look for another, at most this often. */
#define LOOK_NS		CB_NS_PER_S
/* A call within this time of a slow answer is given the width of its end. */
#define SOON_NS		100000

/* The detail of an error. */
static const char clock_call[] = "clock_gettime";

/* What stands for the VMClock's seq_count where there is none to watch. */
static const _Atomic uint32_t no_seq;
/* What stands for a segment's generation before there was an answer. */
static const _Atomic uint16_t no_generation;

/* A snapshot of a segment: has another been written since? */
struct seen {
	const _Atomic uint16_t *generation;
	uint16_t value;
};

struct answer {
	/* What gave it, and the better one that had none. */
	struct seen answered;
	struct seen passed_over;
	const _Atomic uint32_t *seq;	/* the VMClock's, or no_seq */
	uint32_t seq_value;		/* as it was */
	clockbound_clock_status status;
	bool is_counted;
	struct cb_shm_lines lines;	/* version 3, and else: */
	struct cb_now_width width;	/* that of SOON_NS after */
	struct timespec width_real;	/* this */
};

/* No clock has been read, and no segment. */
static const struct answer no_answer = {
	.answered = { &no_generation, 1 },
	.passed_over = { &no_generation, 0 },
	.seq = &no_seq
};

/* A segment file, open or looked for. */
struct place {
	struct cb_shm_reader reader;
	int64_t looked_mono;	/* when another one was last looked for */
	char *path;
};

/* More threads than this need not be stopped in the middle of a call at once. */
#define COPIES		32

struct clockbound_ctx {
	struct answer last;
	const struct cb_shm_bound *bound;	/* that it came from */
	atomic_flag taken;		/* a copy, by a call */
	clockbound_err err;		/* what clockbound_now() returned */
	struct cb_vmclock_file vmclock;
	int64_t followed_mono;	/* when its path was last looked at */
	bool has_followed;
	int64_t max_bound_ns;	/* INT64_MAX: any */
	int64_t max_age_ns;
	clockbound_ctx **copies;	/* of one that is shared, or NULL */
	char *vmclock_path;
	size_t n_places;
	struct place place[2];		/* the better one first */
	char text[];			/* of the paths */
};

static struct seen
seen_of(const struct cb_shm_reader *r)
{
	if (r->segment == NULL)
		return (struct seen){ &no_generation, 0 };
	return (struct seen){ &r->segment->header.generation, r->generation };
}

static inline bool
is_current(const struct seen *s)
{
	return cb_seqlock_is_current(s->generation, s->value);
}

/*
 * Opening and closing.
 */

static bool
is_dir(const char *path)
{
	struct stat st;

	return path == NULL || (stat(path, &st) == 0 && S_ISDIR(st.st_mode));
}

/* The caller's path: NULL and directories mean the segment files in there. */
static clockbound_ctx *
new_ctx(const char *path, const char *vmclock_path)
{
	static const char *const names[] = {
		"/" CB_SHM_V3_NAME, "/" CB_SHM_V2_NAME
	};
	const char *dir = path == NULL ? CB_SHM_DEFAULT_DIR : path;
	size_t size = strlen(dir) + sizeof("/" CB_SHM_V2_NAME);
	size_t vmclock_size = strlen(vmclock_path) + 1;
	bool whole = !is_dir(path);
	size_t n_places = whole ? 1 : 2;
	clockbound_ctx *ctx;

	ctx = calloc(1, sizeof(*ctx) + 2 * size + vmclock_size);
	if (ctx == NULL)
		return NULL;
	ctx->n_places = n_places;
	for (size_t i = 0; i < n_places; i++) {
		ctx->place[i].path = ctx->text + i * size;
		snprintf(ctx->place[i].path, size, "%s%s", dir,
		    whole ? "" : names[i]);
	}
	ctx->vmclock_path = ctx->text + 2 * size;
	memcpy(ctx->vmclock_path, vmclock_path, vmclock_size);
	ctx->bound = &ctx->place[0].reader.bound;
	ctx->last = no_answer;
	return ctx;
}

static bool
open_places(clockbound_ctx *ctx, clockbound_err *err)
{
	bool opened = false;

	for (size_t i = 0; i < ctx->n_places; i++)
		opened |= cb_shm_read_open(&ctx->place[i].reader,
		    ctx->place[i].path, err);
	return opened;
}

static void
close_places(clockbound_ctx *ctx)
{
	for (size_t i = 0; i < ctx->n_places; i++)
		cb_shm_read_close(&ctx->place[i].reader);
	cb_vmclock_close(&ctx->vmclock);
}

/* For one thread at a time. */
static clockbound_ctx *
open_one(const clockbound_options *o, clockbound_err *err)
{
	clockbound_ctx *ctx;

	ctx = new_ctx(o->shm_path, o->vmclock_path == NULL ?
	    VMCLOCK_SHM_DEFAULT_PATH : o->vmclock_path);
	if (ctx == NULL) {
		*err = (clockbound_err){ CLOCKBOUND_ERR_SYSCALL, errno,
		    "malloc" };
		return NULL;
	}
	ctx->max_bound_ns = o->max_bound_ns == 0 ? INT64_MAX : o->max_bound_ns;
	ctx->max_age_ns = o->max_age_ns == 0 ? INT64_MAX : o->max_age_ns;
	if (open_places(ctx, err))
		return ctx;
	free(ctx);
	return NULL;
}

static bool
open_copies(clockbound_ctx *ctx, const clockbound_options *o,
    clockbound_err *err)
{
	ctx->copies = calloc(COPIES, sizeof(clockbound_ctx *));
	if (ctx->copies == NULL) {
		*err = (clockbound_err){ CLOCKBOUND_ERR_SYSCALL, errno,
		    "malloc" };
		return false;
	}
	for (size_t i = 0; i < COPIES; i++) {
		ctx->copies[i] = open_one(o, err);
		if (ctx->copies[i] == NULL)
			return false;
	}
	return true;
}

/* What does not mean anything, or NULL. */
static const char *
check_options(const clockbound_options *o)
{
	for (size_t i = 0; i < sizeof(o->zero) / sizeof(o->zero[0]); i++)
		if (o->zero[i] != 0)
			return "zero";
	if (o->max_bound_ns < 0)
		return "max_bound_ns";
	return o->max_age_ns < 0 ? "max_age_ns" : NULL;
}

clockbound_ctx *
clockbound_open_options(const clockbound_options *o, clockbound_err *err)
{
	static const clockbound_options defaults;
	clockbound_err unused;
	clockbound_ctx *ctx;
	int saved = errno;

	if (o == NULL)
		o = &defaults;
	if (err == NULL)
		err = &unused;
	*err = (clockbound_err){ CLOCKBOUND_ERR_SYSCALL, EINVAL,
	    check_options(o) };
	if (err->detail != NULL)
		return NULL;
	ctx = open_one(o, err);
	if (ctx == NULL)
		return NULL;
	if (o->shared != 0 && !open_copies(ctx, o, err)) {
		clockbound_close(ctx);
		return NULL;
	}
	errno = saved;
	*err = (clockbound_err){ .kind = CLOCKBOUND_ERR_NONE };
	return ctx;
}

clockbound_ctx *
clockbound_vmclock_open(const char *shm_path, const char *vmclock_path,
    clockbound_err *err)
{
	const clockbound_options o = { .shm_path = shm_path,
		.vmclock_path = vmclock_path };

	return clockbound_open_options(&o, err);
}

clockbound_ctx *
clockbound_open(const char *shm_path, clockbound_err *err)
{
	return clockbound_vmclock_open(shm_path, NULL, err);
}

const clockbound_err *
clockbound_close(clockbound_ctx *ctx)
{
	if (ctx == NULL)
		return NULL;
	for (size_t i = 0; ctx->copies != NULL && i < COPIES; i++)
		clockbound_close(ctx->copies[i]);
	free(ctx->copies);
	close_places(ctx);
	free(ctx);
	return NULL;
}

/*
 * Slow answers.
 */

/*
 * The snapshot is old or of no use.  Its writer is slow or gone, or has made a
 * new file; or the generation has come round to where we saw it last.  True
 * when there is another snapshot now.
 */
static bool
look_again(struct place *p, int64_t mono)
{
	struct cb_shm_reader *r = &p->reader, new;
	int64_t as_of = r->bound.as_of;
	clockbound_err err;

	if (mono - p->looked_mono < LOOK_NS)
		return false;
	p->looked_mono = mono;
	if (r->segment != NULL && !cb_shm_read_is_replaced(r, p->path))
		return cb_shm_read_anew(r) == CLOCKBOUND_ERR_NONE &&
		    r->bound.as_of != as_of;
	if (!cb_shm_read_open(&new, p->path, &err))
		return false;
	cb_shm_read_close(r);
	*r = new;
	return true;
}

/*
 * In this order: being stopped between the two adds to the elapsed time, and
 * so only widens the interval.
 */
static inline bool
read_clocks(struct timespec *real, struct timespec *mono)
{
	return clock_gettime(CLOCK_REALTIME, real) == 0 &&
	    clock_gettime(CB_CLOCK_AS_OF, mono) == 0;
}

/* More than a second, or ahead of the clock. */
static bool
is_old(const struct cb_shm_bound *b, const clockbound_reading *now)
{
	if (b->is_counted)
		return now->counter - b->lines.as_of_tsc >= b->lines.soon;
	return cb_ts_abs(cb_ts_ns(&now->mono) - b->as_of) > LOOK_NS;
}

/*
 * The newest snapshot there, and clocks that were read after it, and before
 * whatever is looked at next.
 */
static clockbound_err_kind
read_place(struct place *p, clockbound_reading *now)
{
	struct cb_shm_reader *r = &p->reader;
	clockbound_err_kind kind;

	now->counter = 0;
	do {
		kind = r->segment == NULL ?
		    CLOCKBOUND_ERR_SEGMENT_NOT_INITIALIZED : cb_shm_read(r);
		if (!read_clocks(&now->real, &now->mono))
			return CLOCKBOUND_ERR_SYSCALL;
		/* To wait for it costs more than both of these. */
		if (r->bound.is_counted)
			now->counter = cb_counter_read();
	} while ((kind != CLOCKBOUND_ERR_NONE || is_old(&r->bound, now)) &&
	    look_again(p, cb_ts_ns(&now->mono)));
	if (r->bound.is_counted)
		cb_counter_fence();
	atomic_thread_fence(memory_order_acquire);
	return kind;
}

/*
 * Where the daemon watches a VMClock, its status holds only for the marker
 * that it has handled.  Read after the clocks: a disruption that came between
 * them and this is seen.  What cannot be read may have changed.
 */
static clockbound_clock_status
status_by_marker(clockbound_ctx *ctx, const struct cb_shm_bound *b,
    clockbound_clock_status status, int64_t mono, struct answer *a)
{
	const struct cb_vmclock_page *page;
	uint64_t marker;

	if (!b->disruption_support || status == CLOCKBOUND_STA_DISRUPTED)
		return status;
	if (!ctx->has_followed || mono - ctx->followed_mono >= LOOK_NS) {
		ctx->has_followed = true;
		ctx->followed_mono = mono;
		cb_vmclock_follow(&ctx->vmclock, ctx->vmclock_path);
	}
	page = ctx->vmclock.page;
	if (page == NULL)
		return CLOCKBOUND_STA_UNKNOWN;
	/* Also where it is torn: until it is written to, that is so. */
	a->seq = &page->seq_count;
	if (!cb_vmclock_read_marker(page, &a->seq_value, &marker))
		return CLOCKBOUND_STA_UNKNOWN;
	if (marker == b->disruption_marker)
		return status;
	/* As readers of ClockBound 3.x and 2.x say it. */
	return b->is_counted ? CLOCKBOUND_STA_DISRUPTED :
	    CLOCKBOUND_STA_UNKNOWN;
}

/* The interval and its status, before the VMClock has a say, and its age. */
static clockbound_err_kind
now_at(const struct cb_shm_bound *b, const clockbound_reading *now,
    clockbound_now_result *res, int64_t *age)
{
	uint64_t ticks;

	if (b->is_counted) {
		ticks = now->counter - b->lines.as_of_tsc;
		*age = ticks > INT64_MAX ? 0 :
		    cb_now_at_elapsed(&b->lines, ticks);
		return cb_now_at_counter(b, now->counter, res);
	}
	*age = cb_ts_ns(&now->mono) - b->as_of;
	return cb_now_at(b, &now->real, &now->mono, res);
}

/* For the caller, by the options of the context. */
static bool
is_too_much(const clockbound_ctx *ctx, const clockbound_now_result *now,
    int64_t age)
{
	return cb_shm_is_trusted(now->clock_status) &&
	    (clockbound_bound_ns(now) > ctx->max_bound_ns ||
	    age > ctx->max_age_ns);
}

/* The first number of ticks from which on it is, or soon. */
static uint64_t
soon_too_much(const clockbound_ctx *ctx, const struct cb_shm_bound *b)
{
	const struct cb_shm_lines *l = &b->lines;
	uint64_t low = 0, high = l->soon, mid;
	clockbound_now_result now;

	if (ctx->max_bound_ns == INT64_MAX && ctx->max_age_ns == INT64_MAX)
		return high;
	while (low < high) {
		mid = low + (high - low) / 2;
		cb_now_at_counter(b, l->as_of_tsc + mid, &now);
		if (is_too_much(ctx, &now, cb_now_at_elapsed(l, mid)))
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/*
 * For the calls that come soon: the width of the last of them, where their
 * status will still be the same.
 */
static void
keep_width(const clockbound_ctx *ctx, const struct cb_shm_bound *b,
    const clockbound_reading *now, clockbound_clock_status status,
    struct answer *a)
{
	int64_t mono = cb_ts_ns(&now->mono) + SOON_NS;
	clockbound_now_result later;

	a->width_real = now->real;
	cb_now_at_mono(b, mono, &a->width);
	cb_now_at_real(&a->width, &now->real, &later);
	if (later.clock_status != status ||
	    is_too_much(ctx, &later, mono - b->as_of))
		a->answered = no_answer.answered;
}

/* What a slow answer was worked out from. */
struct basis {
	clockbound_reading reading;
	const struct cb_shm_reader *reader;
	clockbound_clock_status status;	/* before the limits have a say */
};

/* What one segment has to say. */
static clockbound_err_kind
answer_from(clockbound_ctx *ctx, struct place *p, struct answer *a,
    struct basis *basis, clockbound_now_result *res)
{
	const struct cb_shm_bound *b = &p->reader.bound;
	const clockbound_reading *now = &basis->reading;
	clockbound_clock_status aged, status;
	clockbound_err_kind kind;
	int64_t age;

	*a = no_answer;
	basis->reader = &p->reader;
	kind = read_place(p, &basis->reading);
	if (kind != CLOCKBOUND_ERR_NONE)
		return kind;
	kind = now_at(b, now, res, &age);
	aged = kind == CLOCKBOUND_ERR_NONE ? res->clock_status : b->status;
	status = status_by_marker(ctx, b, aged, cb_ts_ns(&now->mono), a);
	/* On another host the counter may be anywhere. */
	if (kind != CLOCKBOUND_ERR_NONE && b->is_counted &&
	    status == CLOCKBOUND_STA_DISRUPTED)
		kind = cb_now_at_counter(b, b->lines.as_of_tsc, res);
	if (kind != CLOCKBOUND_ERR_NONE)
		return kind;
	basis->status = status;
	a->answered = seen_of(&p->reader);
	a->is_counted = b->is_counted;
	a->lines = b->lines;
	if (cb_shm_is_trusted(status) && is_too_much(ctx, res, age))
		status = CLOCKBOUND_STA_UNKNOWN;
	else if (b->is_counted)
		a->lines.soon = soon_too_much(ctx, b);
	if (!b->is_counted)
		keep_width(ctx, b, now, aged, a);
	a->status = status;
	res->clock_status = status;
	return kind;
}

/* The better segment's answer, or the other one's. */
static clockbound_err_kind
work_out(clockbound_ctx *ctx, struct answer *a, struct basis *basis,
    clockbound_now_result *res)
{
	struct answer second;
	struct basis second_basis;
	clockbound_err_kind kind, other;

	kind = answer_from(ctx, &ctx->place[0], a, basis, res);
	if (ctx->n_places == 1 || (kind == CLOCKBOUND_ERR_NONE &&
	    res->clock_status != CLOCKBOUND_STA_UNKNOWN))
		return kind;
	other = answer_from(ctx, &ctx->place[1], &second, &second_basis, res);
	/* The VMClock may have been mapped anew since: it is not kept. */
	*a = no_answer;
	if (other == CLOCKBOUND_ERR_NONE) {
		*a = second;
		*basis = second_basis;
		a->passed_over = seen_of(&ctx->place[0].reader);
	}
	return kind == CLOCKBOUND_ERR_NONE ? kind : other;
}

/*
 * There is another snapshot, the clocks have moved on, or the VMClock was
 * written to; or all that the answer came from is asked for.
 */
static const clockbound_err *
now_anew(clockbound_ctx *ctx, clockbound_now_result *res,
    clockbound_reading *reading, clockbound_segment *segment)
{
	clockbound_err_kind kind;
	clockbound_now_result now;
	struct basis basis;
	int saved = errno;
	struct answer a;

	ctx->last = no_answer;
	kind = work_out(ctx, &a, &basis, &now);
	if (kind != CLOCKBOUND_ERR_NONE) {
		ctx->err = (clockbound_err){ .kind = kind };
		if (kind == CLOCKBOUND_ERR_SYSCALL) {
			ctx->err.sys_errno = errno;
			ctx->err.detail = clock_call;
		}
		return &ctx->err;
	}
	errno = saved;
	ctx->last = a;
	ctx->bound = &basis.reader->bound;
	*res = now;
	if (segment != NULL) {
		*reading = basis.reading;
		cb_shm_read_copy(basis.reader,
		    cb_shm_is_trusted(basis.status) ?
		    basis.reader->bound.status : basis.status, segment);
	}
	return NULL;
}

/*
 * Fast answers.
 */

/*
 * The interval while neither end has moved by a second: without a division.  A
 * CPU foresees the carries, of which each comes and goes once a second: what is
 * after such a branch need not wait for the counter.
 */
static inline void
set_soon(const struct cb_shm_lines *l, uint64_t ticks,
    clockbound_now_result *res)
{
	int64_t n = (int64_t)(ticks << l->shift);
	int64_t early_ns = l->earliest.tv_nsec + cb_wide_floor(n, l->early);
	int64_t late_ns = l->latest.tv_nsec - cb_wide_floor(n, l->late);
	time_t early_s = l->earliest.tv_sec, late_s = l->latest.tv_sec;

	if (__builtin_expect(early_ns >= CB_NS_PER_S, 0)) {
		early_ns -= CB_NS_PER_S;
		early_s++;
	}
	if (__builtin_expect(late_ns >= CB_NS_PER_S, 0)) {
		late_ns -= CB_NS_PER_S;
		late_s++;
	}
	res->earliest = (struct timespec){ early_s, (long)early_ns };
	res->latest = (struct timespec){ late_s, (long)late_ns };
}

/* Was the VMClock not written to?  It is looked at after the clocks. */
static inline bool
is_undisturbed(const struct answer *a, uintptr_t zero)
{
	const _Atomic uint32_t *seq = a->seq + zero;

	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(seq, memory_order_relaxed) ==
	    a->seq_value;
}

/*
 * How much later this is than the slow answer, CLOCK_REALTIME tells: it and
 * the clock of as_of run alike, but for steps.  A step forwards ends the width's
 * time.  One backwards goes unseen when it ends in that very time; but from a
 * step to the next write no segment knows what CLOCK_REALTIME is, and whoever
 * reads it errs by the step, whatever the width.
 */
static inline bool
now_by_clocks(const struct answer *a, clockbound_now_result *res)
{
	struct timespec real;

	if (!is_current(&a->answered) || !is_current(&a->passed_over) ||
	    clock_gettime(CLOCK_REALTIME, &real) == -1 ||
	    real.tv_sec != a->width_real.tv_sec ||
	    (unsigned long)(real.tv_nsec - a->width_real.tv_nsec) >= SOON_NS ||
	    !is_undisturbed(a, 0))
		return false;
	cb_now_at_real(&a->width, &real, res);
	res->clock_status = a->status;
	return true;
}

/* What is waited for before the counter costs most: all else is done after. */
static inline bool
now_by_counter(const struct answer *a, clockbound_now_result *res)
{
	uint64_t counter = cb_counter_read();
	const struct cb_shm_lines *l = &a->lines;
	uint64_t ticks = counter - l->as_of_tsc;

	if (ticks >= l->soon || !is_current(&a->answered) ||
	    !is_undisturbed(a, cb_counter_zero(counter)))
		return false;
	set_soon(l, ticks, res);
	res->clock_status = a->status;
	return true;
}

/*
 * A copy of a shared context, for the time of a call; NULL where all are taken.
 * A thread is told apart by its stack, and finds the same one again and again,
 * which is then in its processor's cache.
 */
static clockbound_ctx *
take_copy(const clockbound_ctx *ctx)
{
	const char here = 0;
	size_t first = (size_t)((((uintptr_t)&here >> 16) *
	    UINT64_C(0x9e3779b97f4a7c15)) >> 32);

	for (size_t i = first; i < first + COPIES; i++)
		if (!atomic_flag_test_and_set_explicit(
		    &ctx->copies[i % COPIES]->taken, memory_order_acquire))
			return ctx->copies[i % COPIES];
	return NULL;
}

/* What threads are told must not change under them. */
static const clockbound_err *
tell(const clockbound_err *err)
{
	static const clockbound_err kinds[] = {
		{ .kind = CLOCKBOUND_ERR_NONE },
		/* All that can be wrong with reading a clock. */
		{ CLOCKBOUND_ERR_SYSCALL, EINVAL, clock_call },
		{ .kind = CLOCKBOUND_ERR_SEGMENT_NOT_INITIALIZED },
		{ .kind = CLOCKBOUND_ERR_SEGMENT_MALFORMED },
		{ .kind = CLOCKBOUND_ERR_CAUSALITY_BREACH },
		{ .kind = CLOCKBOUND_ERR_SEGMENT_VERSION_NOT_SUPPORTED }
	};
	static const clockbound_err not_opened = { CLOCKBOUND_ERR_SYSCALL,
	    EAGAIN, "open" };

	if (err == NULL)
		return NULL;
	if (err->kind == CLOCKBOUND_ERR_SYSCALL && err->detail != clock_call)
		return &not_opened;
	return &kinds[err->kind];
}

/* By a context of its own, when so many others are in a call. */
static const clockbound_err *
ask_once(const clockbound_ctx *ctx, clockbound_now_result *res,
    clockbound_reading *reading, clockbound_segment *segment)
{
	clockbound_ctx once = {
		.last = no_answer,
		.max_bound_ns = ctx->max_bound_ns,
		.max_age_ns = ctx->max_age_ns,
		.vmclock_path = ctx->vmclock_path,
		.n_places = ctx->n_places
	};
	const clockbound_err *err = &once.err;

	for (size_t i = 0; i < once.n_places; i++)
		once.place[i].path = ctx->place[i].path;
	if (open_places(&once, &once.err))
		err = now_anew(&once, res, reading, segment);
	err = tell(err);
	close_places(&once);
	return err;
}

/* Not inline, so that fast calls save no registers for it. */
static __attribute__((noinline)) const clockbound_err *
ask(clockbound_ctx *ctx, clockbound_now_result *res,
    clockbound_reading *reading, clockbound_segment *segment)
{
	const clockbound_err *err;
	clockbound_ctx *copy;

	if (ctx->copies == NULL)
		return now_anew(ctx, res, reading, segment);
	copy = take_copy(ctx);
	if (copy == NULL)
		return ask_once(ctx, res, reading, segment);
	err = tell(segment == NULL ? clockbound_now(copy, res) :
	    now_anew(copy, res, reading, segment));
	atomic_flag_clear_explicit(&copy->taken, memory_order_release);
	return err;
}

const clockbound_err *
clockbound_now(clockbound_ctx *ctx, clockbound_now_result *res)
{
	const struct answer *a = &ctx->last;

	if (a->is_counted ? now_by_counter(a, res) : now_by_clocks(a, res))
		return NULL;
	return ask(ctx, res, NULL, NULL);
}

const clockbound_err *
clockbound_read(clockbound_ctx *ctx, clockbound_reading *reading,
    clockbound_segment *segment)
{
	clockbound_now_result now;

	return ask(ctx, &now, reading, segment);
}

const struct cb_shm_bound *
cb_now_snapshot(const clockbound_ctx *ctx)
{
	return ctx->bound;
}

int64_t
cb_now_age(const clockbound_ctx *ctx)
{
	const struct cb_shm_bound *b = ctx->bound;
	uint64_t ticks;

	if (!b->is_counted)
		return cb_ts_max(0, cb_ts_clock(CB_CLOCK_AS_OF) - b->as_of);
	ticks = cb_counter_read() - b->lines.as_of_tsc;
	return ticks > INT64_MAX ? 0 : cb_now_at_elapsed(&b->lines, ticks);
}
