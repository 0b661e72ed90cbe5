/* SPDX-License-Identifier: ISC */
/*
 * Time in int64 nanoseconds, and the one product that this project lives by:
 * elapsed time times a rate.  Rates are parts per billion (ppb); results are
 * rounded up, because a bound may only err upwards.
 */
#ifndef CB_TS_H
#define CB_TS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define CB_NS_PER_S	INT64_C(1000000000)

/*
 * Seconds that a timespec from outside may hold.  The difference of two such
 * times, in nanoseconds, fits an int64_t.
 */
#define CB_TS_MAX_S	INT64_C(4000000000)

static inline int64_t
cb_ts_ns(const struct timespec *ts)
{
	return (int64_t)ts->tv_sec * CB_NS_PER_S + ts->tv_nsec;
}

/*
 * Seconds as a time_t holds them.  One of 32 bits ends in 2038: what does not
 * fit becomes the end that is nearer, which whoever asks for can see.
 */
static inline time_t
cb_ts_time(int64_t s)
{
	if (sizeof(time_t) < sizeof(s) && s != (int32_t)s)
		s = s < 0 ? INT32_MIN : INT32_MAX;
	return (time_t)s;
}

/* 0 where it has none, or one that does not fit. */
static inline int64_t
cb_ts_clock(clockid_t id)
{
	struct timespec ts = { 0, 0 };

	clock_gettime(id, &ts);
	return cb_ts_ns(&ts);
}

static inline int64_t
cb_ts_min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static inline int64_t
cb_ts_max(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static inline int64_t
cb_ts_abs(int64_t a)
{
	return a < 0 ? -a : a;
}

static inline bool
cb_ts_is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec ||
	    (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

/* The whole seconds of ns, rounded down also where it is negative. */
static inline int64_t
cb_ts_floor_s(int64_t ns)
{
	return ns / CB_NS_PER_S - (ns % CB_NS_PER_S < 0);
}

/* Less than 0, 0, or more: a is earlier than b, the same, or later. */
static inline int
cb_ts_compare(const struct timespec *a, const struct timespec *b)
{
	if (a->tv_sec != b->tv_sec)
		return a->tv_sec < b->tv_sec ? -1 : 1;
	return a->tv_nsec < b->tv_nsec ? -1 : a->tv_nsec > b->tv_nsec;
}

static inline struct timespec
cb_ts_add(const struct timespec *a, const struct timespec *b)
{
	long ns = a->tv_nsec + b->tv_nsec;
	bool carry = ns >= CB_NS_PER_S;

	return (struct timespec){ .tv_sec = a->tv_sec + b->tv_sec + carry,
		.tv_nsec = carry ? ns - (long)CB_NS_PER_S : ns };
}

static inline struct timespec
cb_ts_subtract(const struct timespec *a, const struct timespec *b)
{
	long ns = a->tv_nsec - b->tv_nsec;
	bool borrow = ns < 0;

	return (struct timespec){ .tv_sec = a->tv_sec - b->tv_sec - borrow,
		.tv_nsec = borrow ? ns + (long)CB_NS_PER_S : ns };
}

/*
 * elapsed_ns * ppb / 10^9, rounded up; both not negative, ppb at most 10^9.
 * Seconds and the rest apart: no product leaves 64 bits.
 */
static inline int64_t
cb_ts_drift(int64_t elapsed_ns, int64_t ppb)
{
	int64_t s = elapsed_ns / CB_NS_PER_S, ns = elapsed_ns % CB_NS_PER_S;

	return s * ppb + (ns * ppb + CB_NS_PER_S - 1) / CB_NS_PER_S;
}

/*
 * The same of a rate in parts per trillion (ppt), of any sign and up to 10^12,
 * to within two nanoseconds.  The ppb and the rest apart: seconds times parts
 * per trillion are picoseconds.
 */
static inline int64_t
cb_ts_gain(int64_t elapsed_ns, int64_t ppt)
{
	int64_t ns = cb_ts_drift(elapsed_ns, cb_ts_abs(ppt) / 1000);
	int64_t ps = cb_ts_drift(elapsed_ns, cb_ts_abs(ppt) % 1000);

	/* Downwards, what is taken off must not be more than there is. */
	return ppt < 0 ? -(ns - 1) - (ps - 1) / 1000 : ns + (ps + 999) / 1000;
}

#endif
