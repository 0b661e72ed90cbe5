/* SPDX-License-Identifier: ISC */
/*
 * libclockbound: the time now, as an interval that holds true time.
 *
 * Source and binary compatible with the C library of ClockBound 2.x.
 * See clockbound(3); for what the interval rests on, clockbound(7).
 */
#ifndef CLOCKBOUND_H
#define CLOCKBOUND_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CLOCKBOUND_SHM_DEFAULT_PATH	"/var/run/clockbound/shm0"
#define VMCLOCK_SHM_DEFAULT_PATH	"/dev/vmclock0"

/*
 * An open segment.  One thread at a time may use it, unless it was opened with
 * options.shared.
 */
typedef struct clockbound_ctx clockbound_ctx;

typedef enum clockbound_err_kind {
	CLOCKBOUND_ERR_NONE,
	/* A call failed: sys_errno says why, detail names it. */
	CLOCKBOUND_ERR_SYSCALL,
	/* No daemon has finished a write to this file yet. */
	CLOCKBOUND_ERR_SEGMENT_NOT_INITIALIZED,
	/* The segment contradicts itself. */
	CLOCKBOUND_ERR_SEGMENT_MALFORMED,
	/* The segment was written in the future of the clock or counter. */
	CLOCKBOUND_ERR_CAUSALITY_BREACH,
	/* The segment has a layout that this library does not know. */
	CLOCKBOUND_ERR_SEGMENT_VERSION_NOT_SUPPORTED
} clockbound_err_kind;

typedef struct clockbound_err {
	clockbound_err_kind kind;
	int sys_errno;		/* errno of the call, 0 unless SYSCALL */
	const char *detail;	/* the call or field; NULL unless SYSCALL */
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

typedef struct clockbound_options {
	const char *shm_path;		/* as clockbound_open() takes it */
	const char *vmclock_path;	/* NULL: the default path */
	int64_t max_bound_ns;	/* wider: UNKNOWN; 0: however wide */
	int64_t max_age_ns;	/* older: UNKNOWN; 0: as the segment says */
	int shared;		/* not 0: any number of threads may use it */
	int zero[7];		/* for what is to come */
} clockbound_options;

/*
 * The same, and what is too much for the caller: where half the interval's
 * width is more than max_bound_ns, or the daemon's last update older than
 * max_age_ns, clockbound_now() says UNKNOWN.  What is negative, or in zero and
 * is not, is SYSCALL with EINVAL, and detail names the field.
 */
clockbound_ctx *clockbound_open_options(const clockbound_options *options,
    clockbound_err *err);

/* Close and free.  Returns NULL: there is nothing that can fail. */
const clockbound_err *clockbound_close(clockbound_ctx *ctx);

/*
 * Read the clock: earliest <= true time <= latest where clock_status is
 * SYNCHRONIZED or FREE_RUNNING.  Returns NULL on success; on failure the
 * error, which lives until the next call on ctx, and *res is left alone.
 */
const clockbound_err *clockbound_now(clockbound_ctx *ctx,
    clockbound_now_result *res);

/*
 * Half the width, rounded up to a nanosecond: how far true time may be from
 * the middle.  INT64_MAX where it is more than that.
 */
int64_t clockbound_bound_ns(const clockbound_now_result *now);

/*
 * TrueTime's questions.  1: t has passed for certain, t < earliest; or has not
 * come for certain, latest < t.  0: it is not certain, as it never is where
 * the status is neither SYNCHRONIZED nor FREE_RUNNING.
 */
int clockbound_after(const clockbound_now_result *now,
    const struct timespec *t);
int clockbound_before(const clockbound_now_result *now,
    const struct timespec *t);

/*
 * Commit wait: sleep until t has passed for certain.  Returns NULL when it has,
 * with the reading that says so in *res.  Errors and a status that is not
 * trusted are waited out.  At the deadline, of CLOCK_MONOTONIC, where it is not
 * NULL, the error is the one that the last reading was, or SYSCALL with
 * ETIMEDOUT; EINTR: a signal was caught, and the wait may go on; EINVAL: a
 * tv_nsec is not in [0, 999999999].
 */
const clockbound_err *clockbound_wait_until(clockbound_ctx *ctx,
    const struct timespec *t, const struct timespec *deadline,
    clockbound_now_result *res);

/* Readings of the clocks, made in this order. */
typedef struct clockbound_reading {
	struct timespec real;	/* CLOCK_REALTIME */
	struct timespec mono;	/* CLOCK_MONOTONIC_COARSE, where there is one,
				   else CLOCK_MONOTONIC */
	uint64_t counter;	/* the CPU's; 0 unless version 3 is read */
} clockbound_reading;

/* A segment of any version as clockbound-shm(5) has it, then zeros. */
typedef struct clockbound_segment {
	uint64_t bytes[16];
} clockbound_segment;

/*
 * What clockbound_now() would work out its answer from, and no answer.  Where
 * the VMClock does not leave the segment's status as it is, the copy has the
 * status that it leaves; the limits of the options have no say.  Errors are
 * those of clockbound_now().
 */
const clockbound_err *clockbound_read(clockbound_ctx *ctx,
    clockbound_reading *reading, clockbound_segment *segment);

/*
 * The interval at a reading, by arithmetic alone: no clock is read, and no
 * VMClock.  Versions 1 and 2, real -/+ (bound_nsec + (mono - as_of) *
 * max_drift_ppb / 10^9); version 3, as_of + d -/+ (bound_nsec + d *
 * (max_drift_ppb / 10^9 + period_err)) where d = (counter - as_of_tsc) *
 * period; widths rounded up.  It holds for the pairs that clockbound_read()
 * makes, and for a reading of the caller's between two calls of it that give
 * the same segment.  NONE, or the error that clockbound_now() would return for
 * such a file; CAUSALITY_BREACH also for a reading that no clock shows.  *res
 * is then left alone.
 */
clockbound_err_kind clockbound_at(const clockbound_segment *segment,
    const clockbound_reading *reading, clockbound_now_result *res);

/* One line, without a newline, in buf, of which 128 bytes do; returns buf. */
char *clockbound_strerror(const clockbound_err *err, char *buf, size_t size);

/* "UNKNOWN", "SYNCHRONIZED", "FREE_RUNNING", "DISRUPTED"; NULL: no status. */
const char *clockbound_status_name(clockbound_clock_status status);

#ifdef __cplusplus
}
#endif

#endif
