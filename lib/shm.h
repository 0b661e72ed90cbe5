/* SPDX-License-Identifier: ISC */
/*
 * The shared-memory segment, byte for byte: clockbound-shm(5).  Native byte
 * order, natural alignment, one writer, many readers (seqlock.h).
 */
#ifndef CB_SHM_H
#define CB_SHM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "clockbound.h"
#include "seqlock.h"
#include "ts.h"

#define CB_SHM_DEFAULT_DIR	"/var/run/clockbound"
#define CB_SHM_V1_NAME		"shm"
#define CB_SHM_V2_NAME		"shm0"
#define CB_SHM_V3_NAME		"shm1"

#define CB_SHM_MAGIC0	UINT32_C(0x414D5A4E)
#define CB_SHM_MAGIC1	UINT32_C(0x43420200)

/* The lower half is a layout, the upper the oldest whose readers may use it. */
#define CB_SHM_V3_VERSION	0x0303

/* How long a segment vouches for itself: void_after is this past as_of. */
#define CB_SHM_VOID_AFTER_S	1000
/* How long its status counts as written; then free running at most. */
#define CB_SHM_FRESH_S		5
#define CB_SHM_V3_FRESH_S	60
/* A clock this little behind as_of is taken as equal to it. */
#define CB_SHM_BLUR_NS		1000
/* Published drift rates are below this. */
#define CB_SHM_DRIFT_LIMIT_PPB	1000000000
/* A year: what a reader who forgets the status gets when nothing is known. */
#define CB_SHM_UNKNOWN_BOUND_NS	(INT64_C(365) * 86400 * 1000000000)

struct cb_shm_header {
	uint32_t magic[2];
	uint32_t segsize;		/* bytes, this header included */
	_Atomic uint16_t version;	/* 0: not laid out */
	_Atomic uint16_t generation;	/* seqlock.h; 0: never written */
};

/* The body of version 1. */
struct cb_shm_v1 {
	int64_t as_of_s;	/* as in version 2 */
	int64_t as_of_ns;
	int64_t void_after_s;
	int64_t void_after_ns;
	int64_t bound_ns;
	uint32_t max_drift_ppb;
	uint32_t reserved;
	int32_t clock_status;	/* never disrupted */
	uint32_t zero;
};

/* The body of version 2. */
struct cb_shm_v2 {
	int64_t as_of_s;	/* CLOCK_MONOTONIC_COARSE of this update */
	int64_t as_of_ns;
	int64_t void_after_s;	/* the same clock */
	int64_t void_after_ns;
	int64_t bound_ns;	/* half-width at as_of */
	uint64_t disruption_marker;	/* the VMClock's, last handled */
	uint32_t max_drift_ppb;	/* the half-width's growth from as_of on */
	int32_t clock_status;	/* clockbound_clock_status */
	uint8_t disruption_support;	/* 1: compare disruption_marker */
	uint8_t zero[7];
};

/* The body of version 3. */
struct cb_shm_v3 {
	uint64_t as_of_tsc;	/* the CPU's counter at this update */
	int64_t as_of_s;	/* UTC, the middle of the interval */
	int64_t as_of_ns;
	int64_t void_after_s;	/* UTC */
	int64_t void_after_ns;
	uint64_t period_frac;	/* of a tick, in 1 / 2^(64 + period_shift) s */
	/* The period's relative error, in 1 / 2^(64 + period_err_shift). */
	uint64_t period_err_frac;
	int64_t bound_ns;	/* half-width at as_of */
	uint64_t disruption_marker;	/* the VMClock's, last handled */
	uint32_t max_drift_ppb;	/* the half-width's growth, beside the error */
	int32_t clock_status;	/* clockbound_clock_status */
	uint8_t disruption_support;	/* 1: compare disruption_marker */
	uint8_t period_shift;
	uint8_t period_err_shift;
	uint8_t zero[5];
};

#define CB_SHM_V2_WORDS	(sizeof(struct cb_shm_v2) / sizeof(uint32_t))
#define CB_SHM_V3_WORDS	(sizeof(struct cb_shm_v3) / sizeof(uint32_t))

#define CB_SHM_V1_SIZE	(sizeof(struct cb_shm_header) + \
			sizeof(struct cb_shm_v1))
#define CB_SHM_V2_SIZE	(sizeof(struct cb_shm_header) + \
			sizeof(struct cb_shm_v2))
#define CB_SHM_V3_SIZE	(sizeof(struct cb_shm_header) + \
			sizeof(struct cb_shm_v3))

/* Of any version: a file is as long as its own. */
struct cb_shm_segment {
	struct cb_shm_header header;
	_Atomic uint32_t body[CB_SHM_V3_WORDS];
};

#define CB_SHM_AT(type, field, offset) \
	_Static_assert(offsetof(struct type, field) == (offset), #field)

CB_SHM_AT(cb_shm_header, magic, 0);
CB_SHM_AT(cb_shm_header, segsize, 8);
CB_SHM_AT(cb_shm_header, version, 12);
CB_SHM_AT(cb_shm_header, generation, 14);
_Static_assert(sizeof(struct cb_shm_header) == 16, "header");
CB_SHM_AT(cb_shm_v1, as_of_s, 16 - 16);
CB_SHM_AT(cb_shm_v1, as_of_ns, 24 - 16);
CB_SHM_AT(cb_shm_v1, void_after_s, 32 - 16);
CB_SHM_AT(cb_shm_v1, void_after_ns, 40 - 16);
CB_SHM_AT(cb_shm_v1, bound_ns, 48 - 16);
CB_SHM_AT(cb_shm_v1, max_drift_ppb, 56 - 16);
CB_SHM_AT(cb_shm_v1, clock_status, 64 - 16);
_Static_assert(sizeof(struct cb_shm_v1) == 72 - 16, "version 1");
CB_SHM_AT(cb_shm_v2, as_of_s, 16 - 16);
CB_SHM_AT(cb_shm_v2, as_of_ns, 24 - 16);
CB_SHM_AT(cb_shm_v2, void_after_s, 32 - 16);
CB_SHM_AT(cb_shm_v2, void_after_ns, 40 - 16);
CB_SHM_AT(cb_shm_v2, bound_ns, 48 - 16);
CB_SHM_AT(cb_shm_v2, disruption_marker, 56 - 16);
CB_SHM_AT(cb_shm_v2, max_drift_ppb, 64 - 16);
CB_SHM_AT(cb_shm_v2, clock_status, 68 - 16);
CB_SHM_AT(cb_shm_v2, disruption_support, 72 - 16);
_Static_assert(sizeof(struct cb_shm_v2) == 80 - 16, "version 2");
CB_SHM_AT(cb_shm_v3, as_of_tsc, 16 - 16);
CB_SHM_AT(cb_shm_v3, as_of_s, 24 - 16);
CB_SHM_AT(cb_shm_v3, as_of_ns, 32 - 16);
CB_SHM_AT(cb_shm_v3, void_after_s, 40 - 16);
CB_SHM_AT(cb_shm_v3, void_after_ns, 48 - 16);
CB_SHM_AT(cb_shm_v3, period_frac, 56 - 16);
CB_SHM_AT(cb_shm_v3, period_err_frac, 64 - 16);
CB_SHM_AT(cb_shm_v3, bound_ns, 72 - 16);
CB_SHM_AT(cb_shm_v3, disruption_marker, 80 - 16);
CB_SHM_AT(cb_shm_v3, max_drift_ppb, 88 - 16);
CB_SHM_AT(cb_shm_v3, clock_status, 92 - 16);
CB_SHM_AT(cb_shm_v3, disruption_support, 96 - 16);
CB_SHM_AT(cb_shm_v3, period_shift, 97 - 16);
CB_SHM_AT(cb_shm_v3, period_err_shift, 98 - 16);
_Static_assert(sizeof(struct cb_shm_v3) == 104 - 16, "version 3");
_Static_assert(sizeof(struct cb_shm_segment) == 104, "segment");

/*
 * shm_read.c
 *
 * Version 3: both ends of the interval are straight lines over the counter,
 * worked out once a snapshot, so that a reading costs two products.  Slopes
 * are nanoseconds a tick in 1 / 2^(64 - shift).
 */
struct cb_shm_lines {
	uint64_t as_of_tsc;
	struct timespec earliest;	/* at as_of_tsc */
	struct timespec latest;
	int64_t period;		/* rounded down */
	int64_t early;		/* of the earliest end, rounded down */
	int64_t late;		/* of the latest one, and negative: likewise */
	unsigned shift;
	uint64_t soon;	/* ticks in which neither end moves by a second */
};

/* May the interval be used? */
static inline bool
cb_shm_is_trusted(clockbound_clock_status status)
{
	return status == CLOCKBOUND_STA_SYNCHRONIZED ||
	    status == CLOCKBOUND_STA_FREE_RUNNING;
}

/* A snapshot, checked and in nanoseconds, as the reader's arithmetic wants. */
struct cb_shm_bound {
	int64_t as_of;		/* CLOCK_MONOTONIC_COARSE; version 3: UTC */
	int64_t void_after;	/* the same clock */
	int64_t bound_ns;
	uint64_t disruption_marker;
	uint32_t max_drift_ppb;
	clockbound_clock_status status;
	bool disruption_support;
	bool is_counted;	/* version 3: */
	struct cb_shm_lines lines;
};

struct cb_shm_reader {
	const struct cb_shm_segment *segment;	/* mapped, NULL: closed */
	dev_t dev;
	ino_t ino;
	unsigned layout;	/* 1, 2, 3: as it was opened; 0: none */
	uint16_t generation;	/* of bound; 0: there is none yet */
	clockbound_err_kind fault;	/* what is wrong with that snapshot */
	struct cb_shm_bound bound;
	uint32_t words[CB_SHM_V3_WORDS];	/* the body that it is of */
};

/*
 * Map the segment file at path.  On failure false, *err filled and the reader
 * closed.  The body is not looked at before cb_shm_read().
 */
bool cb_shm_read_open(struct cb_shm_reader *, const char *path,
    clockbound_err *err);
void cb_shm_read_close(struct cb_shm_reader *);
/* Bring reader->bound up to date; NONE when it may be used. */
clockbound_err_kind cb_shm_read(struct cb_shm_reader *);
/* The same, also where the generation is that of the last copy. */
clockbound_err_kind cb_shm_read_anew(struct cb_shm_reader *);
/* Does path name another file than the one that is mapped? */
bool cb_shm_read_is_replaced(const struct cb_shm_reader *, const char *path);
/* The segment that bound is of, with this status. */
void cb_shm_read_copy(const struct cb_shm_reader *, clockbound_clock_status,
    clockbound_segment *);
/* The checks on a segment from outside, apart from where it came from. */
clockbound_err_kind cb_shm_read_parse_segment(const clockbound_segment *,
    struct cb_shm_bound *);
clockbound_err_kind cb_shm_read_parse_v1(const struct cb_shm_v1 *,
    struct cb_shm_bound *);
clockbound_err_kind cb_shm_read_parse(const struct cb_shm_v2 *,
    struct cb_shm_bound *);
clockbound_err_kind cb_shm_read_parse_v3(const struct cb_shm_v3 *,
    struct cb_shm_bound *);

/*
 * shm_write.c
 *
 * The one writer of a run directory.
 */
struct cb_shm_layout;

struct cb_shm_file {
	struct cb_shm_segment *segment;	/* mapped; NULL: there is none */
	const struct cb_shm_layout *layout;
	dev_t dev;
	ino_t ino;
};

struct cb_shm_writer {
	struct cb_shm_file v1;	/* none, unless asked for */
	struct cb_shm_file v2;
	struct cb_shm_file v3;	/* none where the CPU has no counter */
	int dir_fd;
	int lock_fd;
};

/*
 * Lock the run directory, made if need be, and map its segments: those that
 * are there, when they can be used, with their generation going on; else new
 * ones, whose status is unknown.  On failure false, with errno, and in *what
 * static text that names the step; EEXIST when another writer has the lock,
 * with its pid, where it can be told, in *holder.
 */
bool cb_shm_write_open(struct cb_shm_writer *, const char *dir,
    const char **what, pid_t *holder);
void cb_shm_write_close(struct cb_shm_writer *);
/* Version 1 as well, in the same way and with the same steps of failure. */
bool cb_shm_write_open_v1(struct cb_shm_writer *, const char **what);
/* Or not: what an earlier run has left of it is unknown from now on. */
void cb_shm_write_end_v1(struct cb_shm_writer *);
/* To a segment that is not there nothing is written. */
void cb_shm_write_v1(struct cb_shm_writer *, const struct cb_shm_v1 *);
void cb_shm_write(struct cb_shm_writer *, const struct cb_shm_v2 *);
void cb_shm_write_v3(struct cb_shm_writer *, const struct cb_shm_v3 *);
/* What an earlier run wrote last; false where there is no such thing. */
bool cb_shm_write_last(const struct cb_shm_writer *, struct cb_shm_bound *);
/* Are our segments still what their names in dir stand for, and whole? */
bool cb_shm_write_is_there(const struct cb_shm_writer *, const char *dir);

/*
 * now_at.c
 *
 * The reader's arithmetic, apart from its clocks.  PURE.
 */
/* What a snapshot comes to at one reading of the clock of as_of. */
struct cb_now_width {
	int64_t half_s;		/* of the interval, rounded up */
	long half_ns;
	clockbound_clock_status status;
};

/* Any time that a time_t of 32 bits can tell: one end is past that. */
void cb_now_at_any(clockbound_now_result *);
/* The half-width is bound_ns + (mono - as_of) * max_drift_ppb. */
clockbound_err_kind cb_now_at_mono(const struct cb_shm_bound *,
    int64_t mono, struct cb_now_width *);
/* The same, around CLOCK_REALTIME, which was read before mono. */
clockbound_err_kind cb_now_at(const struct cb_shm_bound *,
    const struct timespec *real, const struct timespec *mono,
    clockbound_now_result *);
/* Version 3: the same, by a value of the counter. */
clockbound_err_kind cb_now_at_counter(const struct cb_shm_bound *,
    uint64_t counter, clockbound_now_result *);
/* Nanoseconds in so many ticks; INT64_MAX of more than fit. */
int64_t cb_now_at_elapsed(const struct cb_shm_lines *, uint64_t ticks);

/*
 * The interval of that width around real.  Without a branch: a carry is as
 * likely as not.
 */
static inline void
cb_now_at_real(const struct cb_now_width *w, const struct timespec *real,
    clockbound_now_result *res)
{
	long early_ns = real->tv_nsec - w->half_ns;
	long late_ns = real->tv_nsec + w->half_ns;
	bool borrow = early_ns < 0, carry = late_ns >= CB_NS_PER_S;
	int64_t early_s = real->tv_sec - w->half_s - borrow;
	int64_t late_s = real->tv_sec + w->half_s + carry;

	res->earliest.tv_sec = (time_t)early_s;
	res->earliest.tv_nsec = borrow ? early_ns + CB_NS_PER_S : early_ns;
	res->latest.tv_sec = (time_t)late_s;
	res->latest.tv_nsec = carry ? late_ns - CB_NS_PER_S : late_ns;
	res->clock_status = w->status;
	if (cb_ts_time(early_s) != early_s || cb_ts_time(late_s) != late_s)
		cb_now_at_any(res);
}

/*
 * now.c: for the programs, whose contexts are not shared.
 */
/* What clockbound_now() answered from when it last did. */
const struct cb_shm_bound *cb_now_snapshot(const clockbound_ctx *);
/* How old that is by now, in nanoseconds. */
int64_t cb_now_age(const clockbound_ctx *);

#endif
