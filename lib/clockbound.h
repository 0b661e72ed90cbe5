/* SPDX-License-Identifier: ISC */
/*
 * libclockbound: the time now, as an interval that holds true time.
 *
 * Source and binary compatible with the C library of ClockBound 2.x.
 * See clockbound(3); for what the interval rests on, clockbound(7).
 */
#ifndef CLOCKBOUND_H
#define CLOCKBOUND_H

#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CLOCKBOUND_SHM_DEFAULT_PATH	"/var/run/clockbound/shm0"
#define VMCLOCK_SHM_DEFAULT_PATH	"/dev/vmclock0"

/* An open segment.  Not thread safe: each thread opens its own. */
typedef struct clockbound_ctx clockbound_ctx;

typedef enum clockbound_err_kind {
	CLOCKBOUND_ERR_NONE,
	/* A system call failed: sys_errno says why, detail names it. */
	CLOCKBOUND_ERR_SYSCALL,
	/* No daemon has finished a write to this file yet. */
	CLOCKBOUND_ERR_SEGMENT_NOT_INITIALIZED,
	/* The segment contradicts itself. */
	CLOCKBOUND_ERR_SEGMENT_MALFORMED,
	/* The segment was written in the future of CLOCK_MONOTONIC. */
	CLOCKBOUND_ERR_CAUSALITY_BREACH,
	/* The segment has a layout that this library does not know. */
	CLOCKBOUND_ERR_SEGMENT_VERSION_NOT_SUPPORTED
} clockbound_err_kind;

typedef struct clockbound_err {
	clockbound_err_kind kind;
	int sys_errno;		/* errno of the call, 0 unless SYSCALL */
	const char *detail;	/* static text, NULL unless SYSCALL */
} clockbound_err;

typedef enum clockbound_clock_status {
	/* Nothing is known: do not trust the interval. */
	CLOCKBOUND_STA_UNKNOWN,
	/* The clock follows its source: true time is in the interval. */
	CLOCKBOUND_STA_SYNCHRONIZED,
	/* The source is lost; true time is in the interval, which grows. */
	CLOCKBOUND_STA_FREE_RUNNING,
	/* The clock may have jumped: do not trust the interval. */
	CLOCKBOUND_STA_DISRUPTED
} clockbound_clock_status;

typedef struct clockbound_now_result {
	struct timespec earliest;	/* UTC, tv_nsec in [0, 999999999] */
	struct timespec latest;
	clockbound_clock_status clock_status;
} clockbound_now_result;

/*
 * Open the segment at shm_path: a segment file, a directory that holds one,
 * or NULL for the default directory.  clockbound_open() takes the VMClock at
 * its default path.  Returns NULL on failure and says why in *err, which may
 * be NULL.
 */
clockbound_ctx *clockbound_open(const char *shm_path, clockbound_err *err);
clockbound_ctx *clockbound_vmclock_open(const char *shm_path,
    const char *vmclock_path, clockbound_err *err);

/* Close and free.  Returns NULL: there is nothing that can fail. */
const clockbound_err *clockbound_close(clockbound_ctx *ctx);

/*
 * Read the clock: earliest <= true time <= latest where clock_status is
 * SYNCHRONIZED or FREE_RUNNING.  Returns NULL on success; on failure the
 * error, which lives until the next call on ctx, and *res is left alone.
 */
const clockbound_err *clockbound_now(clockbound_ctx *ctx,
    clockbound_now_result *res);

#ifdef __cplusplus
}
#endif

#endif
