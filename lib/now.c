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
#include "shm.h"
#include "ts.h"
#include "vmclock.h"

#ifdef CLOCK_MONOTONIC_COARSE
#define CLOCK_AS_OF	CLOCK_MONOTONIC_COARSE
#else
#define CLOCK_AS_OF	CLOCK_MONOTONIC
#endif

/* A snapshot this old makes us look for another, at most this often. */
#define LOOK_NS		CB_NS_PER_S

/* What stands for the VMClock's seq_count where there is none to watch. */
static const _Atomic uint32_t no_seq;

/* What a snapshot comes to at one reading of the clock of as_of. */
struct width {
	time_t half_s;		/* of the interval, rounded up */
	long half_ns;
	clockbound_clock_status status;
};

struct clockbound_ctx {
	struct cb_shm_reader reader;
	/*
	 * A coarse clock stands still for milliseconds, and the width with it:
	 * most calls find it here.
	 */
	struct width width;
	struct timespec width_mono;	/* tv_nsec -1: there is none */
	const _Atomic uint32_t *seq;	/* the VMClock's, or no_seq */
	uint32_t width_seq;		/* as it was */
	int64_t looked_mono;	/* when another segment was last looked for */
	struct cb_vmclock_file vmclock;
	int64_t followed_mono;	/* when its path was last looked at */
	bool has_followed;
	clockbound_err err;		/* what clockbound_now() returned */
	char *vmclock_path;		/* behind path */
	char path[];			/* of the segment file */
};

/* The caller's path: NULL and directories mean the segment file in there. */
static clockbound_ctx *
new_ctx(const char *path, const char *vmclock_path)
{
	const char *dir = path == NULL ? CB_SHM_DEFAULT_DIR : path;
	size_t size = strlen(dir) + sizeof("/" CB_SHM_V2_NAME);
	size_t vmclock_size = strlen(vmclock_path) + 1;
	clockbound_ctx *ctx;
	struct stat st;

	ctx = calloc(1, sizeof(*ctx) + size + vmclock_size);
	if (ctx == NULL)
		return NULL;
	if (path == NULL || (stat(path, &st) == 0 && S_ISDIR(st.st_mode)))
		snprintf(ctx->path, size, "%s/" CB_SHM_V2_NAME, dir);
	else
		snprintf(ctx->path, size, "%s", path);
	ctx->vmclock_path = ctx->path + size;
	memcpy(ctx->vmclock_path, vmclock_path, vmclock_size);
	ctx->width_mono.tv_nsec = -1;
	ctx->seq = &no_seq;
	return ctx;
}

clockbound_ctx *
clockbound_vmclock_open(const char *shm_path, const char *vmclock_path,
    clockbound_err *err)
{
	clockbound_err unused;
	clockbound_ctx *ctx;

	if (err == NULL)
		err = &unused;
	ctx = new_ctx(shm_path, vmclock_path == NULL ?
	    VMCLOCK_SHM_DEFAULT_PATH : vmclock_path);
	if (ctx == NULL) {
		*err = (clockbound_err){ CLOCKBOUND_ERR_SYSCALL, errno,
		    "malloc" };
		return NULL;
	}
	if (!cb_shm_read_open(&ctx->reader, ctx->path, err)) {
		free(ctx);
		return NULL;
	}
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
		cb_shm_read_close(&ctx->reader);
		cb_vmclock_close(&ctx->vmclock);
	}
	free(ctx);
	return NULL;
}

/* A trusted status as written, or what is left of it by its age. */
static clockbound_clock_status
aged_status(const struct cb_shm_bound *b, int64_t elapsed)
{
	if (b->status != CLOCKBOUND_STA_SYNCHRONIZED &&
	    b->status != CLOCKBOUND_STA_FREE_RUNNING)
		return b->status;
	if (elapsed < CB_SHM_FRESH_S * CB_NS_PER_S)
		return b->status;
	if (elapsed < b->void_after_mono - b->as_of_mono)
		return CLOCKBOUND_STA_FREE_RUNNING;
	return CLOCKBOUND_STA_UNKNOWN;
}

static clockbound_err_kind
width_at(const struct cb_shm_bound *b, const struct timespec *mono,
    struct width *w)
{
	int64_t elapsed = cb_ts_ns(mono) - b->as_of_mono;
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

/*
 * The snapshot is old or of no use.  Its writer is slow or gone, or has made a
 * new file; or the generation has come round to where we saw it last.  True
 * when there is another snapshot now.
 */
static bool
look_again(clockbound_ctx *ctx, int64_t mono)
{
	int64_t as_of = ctx->reader.bound.as_of_mono;
	struct cb_shm_reader new;
	clockbound_err err;

	if (mono - ctx->looked_mono < LOOK_NS)
		return false;
	ctx->looked_mono = mono;
	if (!cb_shm_read_is_replaced(&ctx->reader, ctx->path))
		return cb_shm_read_anew(&ctx->reader) ==
		    CLOCKBOUND_ERR_NONE &&
		    ctx->reader.bound.as_of_mono != as_of;
	if (!cb_shm_read_open(&new, ctx->path, &err))
		return false;
	cb_shm_read_close(&ctx->reader);
	ctx->reader = new;
	return true;
}

static const clockbound_err *
fail(clockbound_ctx *ctx, clockbound_err_kind kind, const char *detail)
{
	ctx->err = (clockbound_err){ .kind = kind };
	if (kind == CLOCKBOUND_ERR_SYSCALL) {
		ctx->err.sys_errno = errno;
		ctx->err.detail = detail;
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

/*
 * Where the daemon watches a VMClock, its status holds only for the marker
 * that it has handled.  Read after the clocks: a disruption that came between
 * them and this is seen.  What cannot be read may have changed.
 */
static clockbound_clock_status
status_by_marker(clockbound_ctx *ctx, int64_t mono)
{
	const struct cb_shm_bound *b = &ctx->reader.bound;
	uint64_t marker;

	ctx->seq = &no_seq;
	ctx->width_seq = 0;
	if (!b->disruption_support || ctx->width.status ==
	    CLOCKBOUND_STA_DISRUPTED)
		return ctx->width.status;
	if (!ctx->has_followed || mono - ctx->followed_mono >= LOOK_NS) {
		ctx->has_followed = true;
		ctx->followed_mono = mono;
		cb_vmclock_follow(&ctx->vmclock, ctx->vmclock_path);
	}
	if (ctx->vmclock.page == NULL || !cb_vmclock_read_marker(
	    ctx->vmclock.page, &ctx->width_seq, &marker) ||
	    marker != b->disruption_marker)
		return CLOCKBOUND_STA_UNKNOWN;
	ctx->seq = &ctx->vmclock.page->seq_count;
	return ctx->width.status;
}

/*
 * There is another snapshot, the coarse clock has moved on, or the VMClock was
 * written to.  Not inline, so that the calls where nothing has changed save no
 * registers for it.
 */
static __attribute__((noinline)) const clockbound_err *
now_anew(clockbound_ctx *ctx, clockbound_now_result *res)
{
	const struct cb_shm_bound *b = &ctx->reader.bound;
	struct timespec real, mono;
	clockbound_err_kind kind;

	ctx->width_mono.tv_nsec = -1;
	do {
		kind = cb_shm_read(&ctx->reader);
		if (!read_clocks(&real, &mono))
			return fail(ctx, CLOCKBOUND_ERR_SYSCALL,
			    "clock_gettime");
	} while ((kind != CLOCKBOUND_ERR_NONE ||
	    cb_ts_abs(cb_ts_ns(&mono) - b->as_of_mono) > LOOK_NS) &&
	    look_again(ctx, cb_ts_ns(&mono)));

	if (kind == CLOCKBOUND_ERR_NONE)
		kind = width_at(b, &mono, &ctx->width);
	if (kind != CLOCKBOUND_ERR_NONE)
		return fail(ctx, kind, NULL);
	atomic_thread_fence(memory_order_acquire);
	ctx->width.status = status_by_marker(ctx, cb_ts_ns(&mono));
	ctx->width_mono = mono;
	set_result(&ctx->width, &real, res);
	return NULL;
}

const clockbound_err *
clockbound_now(clockbound_ctx *ctx, clockbound_now_result *res)
{
	struct timespec real, mono;

	if (!cb_shm_read_is_current(&ctx->reader) ||
	    !read_clocks(&real, &mono) ||
	    mono.tv_nsec != ctx->width_mono.tv_nsec ||
	    mono.tv_sec != ctx->width_mono.tv_sec)
		return now_anew(ctx, res);
	/* The marker is looked at after the clocks. */
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(ctx->seq, memory_order_relaxed) !=
	    ctx->width_seq)
		return now_anew(ctx, res);
	set_result(&ctx->width, &real, res);
	return NULL;
}

const struct cb_shm_bound *
cb_now_snapshot(const clockbound_ctx *ctx)
{
	return &ctx->reader.bound;
}
