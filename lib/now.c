/* SPDX-License-Identifier: ISC */
/*
 * clockbound(3): a segment's path and the clocks go in, an interval comes out.
 *
 * What the last answer was worked out from is kept (struct answer), and most
 * calls find that nothing has changed since.  All else is slow: another
 * snapshot, another file, the other segment of a directory.
 *
 * A context that threads share has its answer under a seqlock of its own, and
 * each call works on its own copy.  What it finds to be new it works out by
 * itself; one thread at a time, and nobody waits for it, stores that for the
 * others, or maps another file over the old one's address.
 */
#include <sys/stat.h>

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
	bool is_counted;
	struct cb_shm_lines lines;	/* version 3, and else: */
	/* That of SOON_NS later.  With version 3 only the status counts. */
	struct cb_now_width width;
	struct timespec width_real;
	const _Atomic uint32_t *seq;	/* the VMClock's, or no_seq */
	uint32_t width_seq;		/* as it was */
};

/*
 * As it is shared: a field that was written in two parts would be waited for
 * when it is read, so that the words are as long as the CPU's.
 */
#define ANSWER_WORDS	(sizeof(struct answer) / sizeof(uintptr_t))
_Static_assert(sizeof(struct answer) % sizeof(uintptr_t) == 0, "words");

union copy {
	uintptr_t words[ANSWER_WORDS];
	struct answer answer;
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
	dev_t dev;		/* of the file that is mapped now */
	ino_t ino;
	int64_t looked_mono;	/* when another one was last looked for */
	char *path;
};

struct clockbound_ctx {
	struct answer last;	/* no_answer where it is shared */
	size_t n_places;
	struct place place[2];		/* the better one first */
	struct cb_vmclock_file vmclock;
	int64_t followed_mono;	/* when its path was last looked at */
	char *vmclock_path;
	int64_t max_bound_ns;	/* INT64_MAX: any */
	int64_t max_age_ns;
	const struct cb_shm_bound *bound;
	clockbound_err err;		/* what clockbound_now() returned */
	bool is_shared;			/* the rest is for that */
	_Atomic pid_t holder;	/* who may change what others read; 0: none */
	_Atomic unsigned changes;	/* of mappings; odd: in the middle */
	_Atomic uint16_t generation;	/* seqlock.h: of */
	_Atomic uintptr_t answer[ANSWER_WORDS];
	char text[];			/* of the paths */
};

static struct seen
seen_of(const struct cb_shm_reader *r)
{
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
	clockbound_ctx *ctx;

	ctx = calloc(1, sizeof(*ctx) + 2 * size + vmclock_size);
	if (ctx == NULL)
		return NULL;
	ctx->n_places = whole ? 1 : 2;
	for (size_t i = 0; i < ctx->n_places; i++) {
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

/* What is missing is a page of zeros until it is there. */
static bool
open_places(clockbound_ctx *ctx, clockbound_err *err)
{
	bool opened = false;

	for (struct place *p = ctx->place; p < ctx->place + ctx->n_places;
	    p++) {
		if (!cb_shm_read_open_none(&p->reader, err))
			return false;
		opened |= cb_shm_read_reopen(&p->reader, p->path, err);
		p->dev = p->reader.dev;
		p->ino = p->reader.ino;
	}
	if (!opened)
		return false;
	if (!cb_vmclock_open_none(&ctx->vmclock)) {
		*err = (clockbound_err){ CLOCKBOUND_ERR_SYSCALL, errno,
		    "mmap" };
		return false;
	}
	cb_vmclock_follow(&ctx->vmclock, ctx->vmclock_path);
	ctx->followed_mono = cb_ts_clock(CB_CLOCK_AS_OF);
	return true;
}

clockbound_ctx *
clockbound_open_options(const clockbound_options *o, clockbound_err *err)
{
	clockbound_err unused;
	clockbound_ctx *ctx;
	int saved = errno;

	if (err == NULL)
		err = &unused;
	if (o->max_bound_ns < 0 || o->max_age_ns < 0) {
		*err = (clockbound_err){ CLOCKBOUND_ERR_SYSCALL, EINVAL,
		    o->max_bound_ns < 0 ? "max_bound_ns" : "max_age_ns" };
		return NULL;
	}
	ctx = new_ctx(o->shm_path, o->vmclock_path == NULL ?
	    VMCLOCK_SHM_DEFAULT_PATH : o->vmclock_path);
	if (ctx == NULL) {
		*err = (clockbound_err){ CLOCKBOUND_ERR_SYSCALL, errno,
		    "malloc" };
		return NULL;
	}
	ctx->max_bound_ns = o->max_bound_ns == 0 ? INT64_MAX : o->max_bound_ns;
	ctx->max_age_ns = o->max_age_ns == 0 ? INT64_MAX : o->max_age_ns;
	ctx->is_shared = o->shared != 0;
	if (!open_places(ctx, err)) {
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
	if (ctx != NULL) {
		for (size_t i = 0; i < ctx->n_places; i++)
			cb_shm_read_close(&ctx->place[i].reader);
		cb_vmclock_close(&ctx->vmclock);
	}
	free(ctx);
	return NULL;
}

/*
 * Errors.
 */

/* For threads: what they are told must not change under them. */
static const clockbound_err *
find_error(clockbound_err_kind kind)
{
	static const clockbound_err interrupted = { CLOCKBOUND_ERR_SYSCALL,
	    EINTR, "nanosleep" };
	/* All that can be wrong with reading a clock. */
	static const clockbound_err no_clock = { CLOCKBOUND_ERR_SYSCALL,
	    EINVAL, "clock_gettime" };
	static const clockbound_err kinds[] = {
		{ .kind = CLOCKBOUND_ERR_NONE },
		{ .kind = CLOCKBOUND_ERR_SYSCALL },
		{ .kind = CLOCKBOUND_ERR_SEGMENT_NOT_INITIALIZED },
		{ .kind = CLOCKBOUND_ERR_SEGMENT_MALFORMED },
		{ .kind = CLOCKBOUND_ERR_CAUSALITY_BREACH },
		{ .kind = CLOCKBOUND_ERR_SEGMENT_VERSION_NOT_SUPPORTED }
	};

	if (kind != CLOCKBOUND_ERR_SYSCALL)
		return &kinds[kind];
	return errno == EINTR ? &interrupted : &no_clock;
}

const clockbound_err *
cb_now_fail(clockbound_ctx *ctx, clockbound_err_kind kind, const char *what)
{
	if (ctx->is_shared)
		return find_error(kind);
	ctx->err = (clockbound_err){ .kind = kind };
	if (kind == CLOCKBOUND_ERR_SYSCALL) {
		ctx->err.sys_errno = errno;
		ctx->err.detail = what;
	}
	return &ctx->err;
}

/*
 * Changing what all threads see.
 */

/*
 * Never waits.  Who has forked while another thread was at it finds that
 * thread's mark, but not the thread.
 */
static bool
try_hold(clockbound_ctx *ctx)
{
	pid_t self, holder = 0;

	if (!ctx->is_shared)
		return true;
	self = getpid();
	holder = atomic_load_explicit(&ctx->holder, memory_order_relaxed);
	return holder != self && atomic_compare_exchange_strong_explicit(
	    &ctx->holder, &holder, self, memory_order_acquire,
	    memory_order_relaxed);
}

static void
let_go(clockbound_ctx *ctx)
{
	if (ctx->is_shared)
		atomic_store_explicit(&ctx->holder, 0, memory_order_release);
}

/* For whoever holds it. */
static void
store_answer(clockbound_ctx *ctx, const struct answer *a)
{
	union copy copy = { .answer = *a };
	uint16_t odd = cb_seqlock_open(&ctx->generation);

	for (size_t i = 0; i < ANSWER_WORDS; i++)
		atomic_store_explicit(&ctx->answer[i], copy.words[i],
		    memory_order_relaxed);
	cb_seqlock_close(&ctx->generation, odd);
}

static bool
load_answer(const clockbound_ctx *ctx, union copy *copy)
{
	uint16_t seen;

	if (!cb_seqlock_begin(&ctx->generation, &seen))
		return false;
	for (size_t i = 0; i < ANSWER_WORDS; i++)
		copy->words[i] = atomic_load_explicit(&ctx->answer[i],
		    memory_order_relaxed);
	return cb_seqlock_end(&ctx->generation, seen);
}

/* Around a change of a mapping: what was read across one is of two files. */
static void
begin_change(clockbound_ctx *ctx)
{
	if (!ctx->is_shared)
		return;
	atomic_store_explicit(&ctx->changes, atomic_load_explicit(
	    &ctx->changes, memory_order_relaxed) | 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	store_answer(ctx, &no_answer);
}

static void
end_change(clockbound_ctx *ctx)
{
	if (ctx->is_shared)
		atomic_store_explicit(&ctx->changes, (atomic_load_explicit(
		    &ctx->changes, memory_order_relaxed) | 1) + 1,
		    memory_order_release);
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
look_again(clockbound_ctx *ctx, struct place *p, struct cb_shm_reader *r,
    int64_t mono)
{
	int64_t as_of = r->bound.as_of;
	clockbound_err unused;
	bool is_new = false;

	if (!try_hold(ctx))
		return false;
	if (mono - p->looked_mono < LOOK_NS)
		goto done;
	r->dev = p->dev;
	r->ino = p->ino;
	p->looked_mono = mono;
	if (!cb_shm_read_is_replaced(r, p->path)) {
		is_new = cb_shm_read_anew(r) == CLOCKBOUND_ERR_NONE &&
		    r->bound.as_of != as_of;
		goto done;
	}
	begin_change(ctx);
	is_new = cb_shm_read_reopen(r, p->path, &unused);
	end_change(ctx);
	p->dev = r->dev;
	p->ino = r->ino;
done:
	let_go(ctx);
	return is_new;
}

/* Another device or file may go by the VMClock's name by now. */
static void
follow_vmclock(clockbound_ctx *ctx, int64_t mono)
{
	if (!try_hold(ctx))
		return;
	if (mono - ctx->followed_mono >= LOOK_NS) {
		ctx->followed_mono = mono;
		if (!cb_vmclock_is_current(&ctx->vmclock, ctx->vmclock_path)) {
			begin_change(ctx);
			cb_vmclock_follow(&ctx->vmclock, ctx->vmclock_path);
			end_change(ctx);
		}
	}
	let_go(ctx);
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

int
clockbound_read_clocks(clockbound_reading *now)
{
	if (!read_clocks(&now->real, &now->mono))
		return -1;
	now->counter = cb_counter_read();
	return 0;
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
read_place(clockbound_ctx *ctx, struct place *p, struct cb_shm_reader *r,
    clockbound_reading *now)
{
	clockbound_err_kind kind;

	do {
		kind = cb_shm_read(r);
		if (!read_clocks(&now->real, &now->mono))
			return CLOCKBOUND_ERR_SYSCALL;
		/* To wait for it costs more than both of these. */
		if (r->bound.is_counted)
			now->counter = cb_counter_read();
	} while ((kind != CLOCKBOUND_ERR_NONE || is_old(&r->bound, now)) &&
	    look_again(ctx, p, r, cb_ts_ns(&now->mono)));
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
	const struct cb_vmclock_page *page = ctx->vmclock.page;
	uint64_t marker;

	a->seq = &no_seq;
	a->width_seq = 0;
	if (!b->disruption_support || status == CLOCKBOUND_STA_DISRUPTED)
		return status;
	follow_vmclock(ctx, mono);
	if (!cb_vmclock_read_marker(page, &a->width_seq, &marker))
		return CLOCKBOUND_STA_UNKNOWN;
	a->seq = &page->seq_count;
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

static bool
is_trusted(clockbound_clock_status status)
{
	return status == CLOCKBOUND_STA_SYNCHRONIZED ||
	    status == CLOCKBOUND_STA_FREE_RUNNING;
}

/* For the caller, by the options of the context. */
static bool
is_too_much(const clockbound_ctx *ctx, const clockbound_now_result *now,
    int64_t age)
{
	return is_trusted(now->clock_status) &&
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

/* What one segment has to say. */
static clockbound_err_kind
answer_from(clockbound_ctx *ctx, struct place *p, struct cb_shm_reader *r,
    struct answer *a, clockbound_now_result *res)
{
	const struct cb_shm_bound *b = &r->bound;
	clockbound_clock_status aged, status;
	clockbound_err_kind kind;
	clockbound_reading now;
	int64_t age;

	kind = read_place(ctx, p, r, &now);
	if (kind != CLOCKBOUND_ERR_NONE)
		return kind;
	a->answered = seen_of(r);
	a->is_counted = b->is_counted;
	a->lines = b->lines;
	kind = now_at(b, &now, res, &age);
	aged = kind == CLOCKBOUND_ERR_NONE ? res->clock_status : b->status;
	status = status_by_marker(ctx, b, aged, cb_ts_ns(&now.mono), a);
	/* On another host the counter may be anywhere. */
	if (kind != CLOCKBOUND_ERR_NONE && b->is_counted &&
	    status == CLOCKBOUND_STA_DISRUPTED)
		kind = cb_now_at_counter(b, b->lines.as_of_tsc, res);
	if (kind != CLOCKBOUND_ERR_NONE)
		return kind;
	if (is_trusted(status) && is_too_much(ctx, res, age))
		status = CLOCKBOUND_STA_UNKNOWN;
	else if (b->is_counted)
		a->lines.soon = soon_too_much(ctx, b);
	else
		keep_width(ctx, b, &now, aged, a);
	a->width.status = status;
	res->clock_status = status;
	return kind;
}

/* A slow answer at work: on its own copies, where the context is shared. */
struct work {
	struct cb_shm_reader *reader[2];
	struct answer answer;
	const struct cb_shm_reader *by;	/* the reader that gave it */
	clockbound_now_result now;
};

/* The better segment's answer, or the other one's. */
static clockbound_err_kind
work_out(clockbound_ctx *ctx, struct work *w)
{
	clockbound_err_kind kind, other;
	struct answer second;

	w->answer.passed_over = no_answer.passed_over;
	w->by = w->reader[0];
	kind = answer_from(ctx, &ctx->place[0], w->reader[0], &w->answer,
	    &w->now);
	if (ctx->n_places == 1 || (kind == CLOCKBOUND_ERR_NONE &&
	    w->now.clock_status != CLOCKBOUND_STA_UNKNOWN))
		return kind;
	other = answer_from(ctx, &ctx->place[1], w->reader[1], &second,
	    &w->now);
	if (other == CLOCKBOUND_ERR_NONE) {
		w->answer = second;
		w->by = w->reader[1];
	}
	w->answer.passed_over = seen_of(other == CLOCKBOUND_ERR_NONE ?
	    w->reader[0] : w->reader[1]);
	return kind == CLOCKBOUND_ERR_NONE ? kind : other;
}

static clockbound_err_kind
work_alone(clockbound_ctx *ctx, struct work *w)
{
	clockbound_err_kind kind;

	/* That much makes it none. */
	ctx->last.answered = no_answer.answered;
	w->reader[0] = &ctx->place[0].reader;
	w->reader[1] = &ctx->place[1].reader;
	kind = work_out(ctx, w);
	if (kind == CLOCKBOUND_ERR_NONE) {
		ctx->last = w->answer;
		ctx->bound = &w->by->bound;
	}
	return kind;
}

/* Let the others have it, unless a mapping has changed since. */
static void
share_answer(clockbound_ctx *ctx, const struct answer *a, unsigned changes)
{
	if (!try_hold(ctx))
		return;
	if (atomic_load_explicit(&ctx->changes, memory_order_relaxed) ==
	    changes)
		store_answer(ctx, a);
	let_go(ctx);
}

/* A thread that is gone, in a child of fork(2), does not end its change. */
static void
wait_for_change(clockbound_ctx *ctx)
{
	if (try_hold(ctx)) {
		end_change(ctx);
		let_go(ctx);
	} else {
		sched_yield();
	}
}

static clockbound_err_kind
work_beside_others(clockbound_ctx *ctx, struct work *w,
    struct cb_shm_reader own[])
{
	clockbound_err_kind kind;
	unsigned changes;

	for (;;) {
		changes = atomic_load_explicit(&ctx->changes,
		    memory_order_acquire);
		if (changes % 2 == 1) {
			wait_for_change(ctx);
			continue;
		}
		for (size_t i = 0; i < ctx->n_places; i++) {
			cb_shm_read_share(&ctx->place[i].reader, &own[i]);
			w->reader[i] = &own[i];
		}
		kind = work_out(ctx, w);
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&ctx->changes,
		    memory_order_relaxed) == changes)
			break;
	}
	if (kind == CLOCKBOUND_ERR_NONE)
		share_answer(ctx, &w->answer, changes);
	return kind;
}

/*
 * There is another snapshot, the clocks have moved on, or the VMClock was
 * written to.  Not inline, so that the calls where nothing has changed save no
 * registers for it.
 */
static __attribute__((noinline)) const clockbound_err *
now_anew(clockbound_ctx *ctx, clockbound_now_result *res,
    clockbound_segment *segment)
{
	struct cb_shm_reader own[2];
	clockbound_err_kind kind;
	int saved = errno;
	struct work w;

	kind = ctx->is_shared ? work_beside_others(ctx, &w, own) :
	    work_alone(ctx, &w);
	if (kind != CLOCKBOUND_ERR_NONE)
		return cb_now_fail(ctx, kind, "clock_gettime");
	errno = saved;
	*res = w.now;
	if (segment != NULL)
		cb_shm_read_copy(w.by, is_trusted(res->clock_status) ?
		    w.by->bound.status : res->clock_status, segment);
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
	    a->width_seq;
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
	res->clock_status = a->width.status;
	return true;
}

static inline bool
now_again(const struct answer *a, clockbound_now_result *res)
{
	return a->is_counted ? now_by_counter(a, res) : now_by_clocks(a, res);
}

static __attribute__((noinline)) const clockbound_err *
now_slowly(clockbound_ctx *ctx, clockbound_now_result *res)
{
	union copy copy;

	if (ctx->is_shared && load_answer(ctx, &copy) &&
	    now_again(&copy.answer, res))
		return NULL;
	return now_anew(ctx, res, NULL);
}

const clockbound_err *
clockbound_now(clockbound_ctx *ctx, clockbound_now_result *res)
{
	if (now_again(&ctx->last, res))
		return NULL;
	return now_slowly(ctx, res);
}

const clockbound_err *
clockbound_snapshot(clockbound_ctx *ctx, clockbound_segment *segment)
{
	clockbound_now_result now;

	return now_anew(ctx, &now, segment);
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
