/* SPDX-License-Identifier: ISC */
/*
 * clockbound(3): snapshot and clocks go in, an interval comes out.
 */
#include <sys/stat.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clockbound.h"
#include "counter.h"
#include "shm.h"
#include "ts.h"
#include "vmclock.h"
#include "wide.h"

#ifdef CLOCK_MONOTONIC_COARSE
#define CLOCK_AS_OF	CLOCK_MONOTONIC_COARSE
#else
#define CLOCK_AS_OF	CLOCK_MONOTONIC
#endif

/* A snapshot this old makes us look for another, at most this often. */
#define LOOK_NS		CB_NS_PER_S

/* What stands for the VMClock's seq_count where there is none to watch. */
static const _Atomic uint32_t no_seq;
/* What stands for a segment's generation where there is no segment. */
static const _Atomic uint16_t no_generation;

/* What a snapshot comes to at one reading of the clock of as_of. */
struct width {
	time_t half_s;		/* of the interval, rounded up */
	long half_ns;
	clockbound_clock_status status;
};

/* A snapshot of a segment: has another been written since? */
struct seen {
	const _Atomic uint16_t *generation;
	uint16_t value;
};

/* A segment file, open or looked for. */
struct place {
	struct cb_shm_reader reader;
	int64_t looked_mono;	/* when another one was last looked for */
	char *path;
};

/* The clocks in the order in which they are read. */
struct clocks {
	struct timespec real;
	struct timespec mono;
	uint64_t counter;
};

struct clockbound_ctx {
	/* What gave the last answer, and the better one that had none. */
	struct seen answered;
	struct seen passed_over;
	const struct cb_shm_bound *bound;
	/*
	 * A coarse clock stands still for milliseconds, and the width with it:
	 * most calls find it here.  With version 3 only the status counts.
	 */
	struct width width;
	struct timespec width_mono;
	const _Atomic uint32_t *seq;	/* the VMClock's, or no_seq */
	uint32_t width_seq;		/* as it was */
	struct cb_vmclock_file vmclock;
	int64_t followed_mono;	/* when its path was last looked at */
	bool has_followed;
	clockbound_err err;		/* what clockbound_now() returned */
	size_t n_places;
	struct place place[2];		/* the better one first */
	char *vmclock_path;
	char text[];			/* of the paths */
};

static void
forget_answer(clockbound_ctx *ctx)
{
	ctx->answered = (struct seen){ &no_generation, 1 };
	ctx->passed_over = (struct seen){ &no_generation, 0 };
}

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
	ctx->seq = &no_seq;
	forget_answer(ctx);
	return ctx;
}

clockbound_ctx *
clockbound_vmclock_open(const char *shm_path, const char *vmclock_path,
    clockbound_err *err)
{
	clockbound_err unused;
	clockbound_ctx *ctx;
	bool opened = false;

	if (err == NULL)
		err = &unused;
	ctx = new_ctx(shm_path, vmclock_path == NULL ?
	    VMCLOCK_SHM_DEFAULT_PATH : vmclock_path);
	if (ctx == NULL) {
		*err = (clockbound_err){ CLOCKBOUND_ERR_SYSCALL, errno,
		    "malloc" };
		return NULL;
	}
	for (size_t i = 0; i < ctx->n_places; i++)
		opened |= cb_shm_read_open(&ctx->place[i].reader,
		    ctx->place[i].path, err);
	if (!opened) {
		free(ctx);
		return NULL;
	}
	*err = (clockbound_err){ .kind = CLOCKBOUND_ERR_NONE };
	return ctx;
}

clockbound_ctx *
clockbound_open(const char *shm_path, clockbound_err *err)
{
	return clockbound_vmclock_open(shm_path, VMCLOCK_SHM_DEFAULT_PATH,
	    err);
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

/* A trusted status as written, or what is left of it by its age. */
static clockbound_clock_status
aged_status(const struct cb_shm_bound *b, int64_t elapsed)
{
	int64_t fresh_s = b->is_counted ? CB_SHM_V3_FRESH_S : CB_SHM_FRESH_S;

	if (b->status != CLOCKBOUND_STA_SYNCHRONIZED &&
	    b->status != CLOCKBOUND_STA_FREE_RUNNING)
		return b->status;
	if (elapsed < fresh_s * CB_NS_PER_S)
		return b->status;
	if (elapsed < b->void_after - b->as_of)
		return CLOCKBOUND_STA_FREE_RUNNING;
	return CLOCKBOUND_STA_UNKNOWN;
}

static clockbound_err_kind
width_at(const struct cb_shm_bound *b, const struct timespec *mono,
    struct width *w)
{
	int64_t elapsed = cb_ts_ns(mono) - b->as_of;
	uint64_t half;

	if (elapsed < 0) {
		if (elapsed < -CB_SHM_BLUR_NS)
			return CLOCKBOUND_ERR_CAUSALITY_BREACH;
		elapsed = 0;
	}
	/* Unsigned: the sum of the largest two still fits. */
	half = (uint64_t)b->bound_ns +
	    (uint64_t)cb_ts_drift(elapsed, b->max_drift_ppb);
	w->half_s = (time_t)(half / (uint64_t)CB_NS_PER_S);
	w->half_ns = (long)(half % (uint64_t)CB_NS_PER_S);
	w->status = aged_status(b, elapsed);
	return CLOCKBOUND_ERR_NONE;
}

/* Without a branch: a carry is as likely as not. */
static inline void
set_result(const struct width *w, const struct timespec *real,
    clockbound_now_result *res)
{
	long early_ns = real->tv_nsec - w->half_ns;
	long late_ns = real->tv_nsec + w->half_ns;
	bool borrow = early_ns < 0, carry = late_ns >= CB_NS_PER_S;

	res->earliest.tv_sec = real->tv_sec - w->half_s - borrow;
	res->earliest.tv_nsec = borrow ? early_ns + CB_NS_PER_S : early_ns;
	res->latest.tv_sec = real->tv_sec + w->half_s + carry;
	res->latest.tv_nsec = carry ? late_ns - CB_NS_PER_S : late_ns;
	res->clock_status = w->status;
}

clockbound_err_kind
cb_now_at(const struct cb_shm_bound *b, const struct timespec *real,
    const struct timespec *mono, clockbound_now_result *res)
{
	struct width w;
	clockbound_err_kind kind = width_at(b, mono, &w);

	if (kind == CLOCKBOUND_ERR_NONE)
		set_result(&w, real, res);
	return kind;
}

static struct timespec
add_ns(const struct timespec *t, int64_t ns)
{
	int64_t sum = t->tv_nsec + ns, s = cb_ts_floor_s(sum);

	return (struct timespec){ .tv_sec = t->tv_sec + (time_t)s,
		.tv_nsec = (long)(sum - s * CB_NS_PER_S) };
}

/* Of so many ticks, and INT64_MAX of more than fit. */
static int64_t
elapsed_ns(const struct cb_shm_lines *l, uint64_t ticks)
{
	if (ticks > (uint64_t)INT64_MAX >> l->shift)
		return INT64_MAX;
	return cb_wide_floor((int64_t)(ticks << l->shift), l->period);
}

clockbound_err_kind
cb_now_at_counter(const struct cb_shm_bound *b, uint64_t counter,
    clockbound_now_result *res)
{
	const struct cb_shm_lines *l = &b->lines;
	uint64_t ticks = counter - l->as_of_tsc;
	int64_t n;

	if (ticks > INT64_MAX) {
		if (elapsed_ns(l, -ticks) > CB_SHM_BLUR_NS)
			return CLOCKBOUND_ERR_CAUSALITY_BREACH;
		ticks = 0;
	}
	/* Decades on the status is unknown, and the interval any. */
	res->clock_status = aged_status(b, elapsed_ns(l, ticks));
	n = (int64_t)(ticks << l->shift & INT64_MAX);
	res->earliest = add_ns(&l->earliest, cb_wide_floor(n, l->early));
	res->latest = add_ns(&l->latest, -cb_wide_floor(n, l->late));
	return CLOCKBOUND_ERR_NONE;
}

/*
 * The same while neither end has moved by a second: without a division, and
 * without a branch, since a carry is as likely as not.
 */
static inline void
set_soon(const struct cb_shm_lines *l, uint64_t ticks,
    clockbound_now_result *res)
{
	int64_t n = (int64_t)(ticks << l->shift);
	int64_t early_ns = l->earliest.tv_nsec + cb_wide_floor(n, l->early);
	int64_t late_ns = l->latest.tv_nsec - cb_wide_floor(n, l->late);
	bool early = early_ns >= CB_NS_PER_S, late = late_ns >= CB_NS_PER_S;

	res->earliest.tv_sec = l->earliest.tv_sec + early;
	res->earliest.tv_nsec = early ? early_ns - CB_NS_PER_S : early_ns;
	res->latest.tv_sec = l->latest.tv_sec + late;
	res->latest.tv_nsec = late ? late_ns - CB_NS_PER_S : late_ns;
}

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

static const clockbound_err *
fail(clockbound_ctx *ctx, clockbound_err_kind kind)
{
	ctx->err = (clockbound_err){ .kind = kind };
	if (kind == CLOCKBOUND_ERR_SYSCALL) {
		ctx->err.sys_errno = errno;
		ctx->err.detail = "clock_gettime";
	}
	return &ctx->err;
}

/*
 * In this order: being stopped between the two adds to the elapsed time, and
 * so only widens the interval.
 */
static inline bool
read_clocks(struct timespec *real, struct timespec *mono)
{
	return clock_gettime(CLOCK_REALTIME, real) == 0 &&
	    clock_gettime(CLOCK_AS_OF, mono) == 0;
}

/* More than a second, or ahead of the clock. */
static bool
is_old(const struct cb_shm_bound *b, const struct clocks *now)
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
read_place(struct place *p, struct clocks *now)
{
	clockbound_err_kind kind;

	do {
		kind = p->reader.segment == NULL ?
		    CLOCKBOUND_ERR_SEGMENT_NOT_INITIALIZED :
		    cb_shm_read(&p->reader);
		if (!read_clocks(&now->real, &now->mono))
			return CLOCKBOUND_ERR_SYSCALL;
		now->counter = cb_counter_read();
	} while ((kind != CLOCKBOUND_ERR_NONE ||
	    is_old(&p->reader.bound, now)) &&
	    look_again(p, cb_ts_ns(&now->mono)));
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
    clockbound_clock_status status, int64_t mono)
{
	uint64_t marker;

	ctx->seq = &no_seq;
	ctx->width_seq = 0;
	if (!b->disruption_support || status == CLOCKBOUND_STA_DISRUPTED)
		return status;
	if (!ctx->has_followed || mono - ctx->followed_mono >= LOOK_NS) {
		ctx->has_followed = true;
		ctx->followed_mono = mono;
		cb_vmclock_follow(&ctx->vmclock, ctx->vmclock_path);
	}
	if (ctx->vmclock.page == NULL || !cb_vmclock_read_marker(
	    ctx->vmclock.page, &ctx->width_seq, &marker))
		return CLOCKBOUND_STA_UNKNOWN;
	ctx->seq = &ctx->vmclock.page->seq_count;
	if (marker == b->disruption_marker)
		return status;
	/* As readers of ClockBound 3.x and 2.x say it. */
	return b->is_counted ? CLOCKBOUND_STA_DISRUPTED :
	    CLOCKBOUND_STA_UNKNOWN;
}

/* The interval and its status, before the VMClock has a say. */
static clockbound_err_kind
now_at(const struct cb_shm_bound *b, const struct clocks *clocks,
    struct width *w, clockbound_now_result *now)
{
	clockbound_err_kind kind;

	if (b->is_counted)
		return cb_now_at_counter(b, clocks->counter, now);
	kind = width_at(b, &clocks->mono, w);
	if (kind == CLOCKBOUND_ERR_NONE)
		set_result(w, &clocks->real, now);
	return kind;
}

/* What one segment has to say. */
static clockbound_err_kind
answer(clockbound_ctx *ctx, struct place *p, clockbound_now_result *res)
{
	const struct cb_shm_bound *b = &p->reader.bound;
	struct width w = { .half_s = 0 };
	clockbound_err_kind kind;
	struct clocks clocks;

	kind = read_place(p, &clocks);
	if (kind != CLOCKBOUND_ERR_NONE)
		return kind;
	kind = now_at(b, &clocks, &w, res);
	w.status = status_by_marker(ctx, b, kind == CLOCKBOUND_ERR_NONE ?
	    res->clock_status : b->status, cb_ts_ns(&clocks.mono));
	/* On another host the counter may be anywhere. */
	if (kind != CLOCKBOUND_ERR_NONE && b->is_counted &&
	    w.status == CLOCKBOUND_STA_DISRUPTED)
		kind = cb_now_at_counter(b, b->lines.as_of_tsc, res);
	if (kind != CLOCKBOUND_ERR_NONE)
		return kind;
	res->clock_status = w.status;
	ctx->width = w;
	ctx->width_mono = clocks.mono;
	ctx->answered = seen_of(&p->reader);
	ctx->bound = b;
	return kind;
}

/*
 * There is another snapshot, the clocks have moved on, or the VMClock was
 * written to.  Not inline, so that the calls where nothing has changed save no
 * registers for it.
 */
static __attribute__((noinline)) const clockbound_err *
now_anew(clockbound_ctx *ctx, clockbound_now_result *res)
{
	clockbound_err_kind kind, other;
	clockbound_now_result now;

	forget_answer(ctx);
	kind = answer(ctx, &ctx->place[0], &now);
	if (ctx->n_places > 1 && (kind != CLOCKBOUND_ERR_NONE ||
	    now.clock_status == CLOCKBOUND_STA_UNKNOWN)) {
		other = answer(ctx, &ctx->place[1], &now);
		ctx->passed_over = seen_of(&ctx->place[0].reader);
		if (kind != CLOCKBOUND_ERR_NONE)
			kind = other;
	}
	if (kind != CLOCKBOUND_ERR_NONE)
		return fail(ctx, kind);
	*res = now;
	return NULL;
}

/* Was the VMClock not written to?  It is looked at after the clocks. */
static inline bool
is_undisturbed(const clockbound_ctx *ctx, uintptr_t zero)
{
	const _Atomic uint32_t *seq = ctx->seq + zero;

	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(seq, memory_order_relaxed) ==
	    ctx->width_seq;
}

static inline bool
now_by_clocks(const clockbound_ctx *ctx, clockbound_now_result *res)
{
	struct timespec real, mono;

	if (!is_current(&ctx->answered) || !is_current(&ctx->passed_over) ||
	    !read_clocks(&real, &mono) ||
	    mono.tv_nsec != ctx->width_mono.tv_nsec ||
	    mono.tv_sec != ctx->width_mono.tv_sec || !is_undisturbed(ctx, 0))
		return false;
	set_result(&ctx->width, &real, res);
	return true;
}

/* What is waited for before the counter costs most: all else is done after. */
static inline bool
now_by_counter(const clockbound_ctx *ctx, clockbound_now_result *res)
{
	uint64_t counter = cb_counter_read();
	const struct cb_shm_lines *l = &ctx->bound->lines;
	uint64_t ticks = counter - l->as_of_tsc;

	if (ticks >= l->soon || !is_current(&ctx->answered) ||
	    !is_undisturbed(ctx, cb_counter_zero(counter)))
		return false;
	set_soon(l, ticks, res);
	res->clock_status = ctx->width.status;
	return true;
}

const clockbound_err *
clockbound_now(clockbound_ctx *ctx, clockbound_now_result *res)
{
	if (ctx->bound->is_counted ? now_by_counter(ctx, res) :
	    now_by_clocks(ctx, res))
		return NULL;
	return now_anew(ctx, res);
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
		return cb_ts_max(0, cb_ts_clock(CLOCK_AS_OF) - b->as_of);
	ticks = cb_counter_read() - b->lines.as_of_tsc;
	return ticks > INT64_MAX ? 0 : elapsed_ns(&b->lines, ticks);
}
