/* SPDX-License-Identifier: ISC */
/*
 * What is asked of an interval; and to sleep until the answer is yes.
 */
#include <errno.h>
#include <stdbool.h>

#include "clockbound.h"
#include "shm.h"
#include "ts.h"

/*
 * From look to look at most.  The clock may be stepped, the interval become
 * narrower, and a status that is not trusted change at the daemon's next tick.
 */
#define LOOK_NS			CB_NS_PER_S
#define LOOK_UNTRUSTED_NS	(CB_NS_PER_S / 10)

int64_t
clockbound_bound_ns(const clockbound_now_result *now)
{
	/* Also where somebody else has made it up. */
	uint64_t s = (uint64_t)now->latest.tv_sec -
	    (uint64_t)now->earliest.tv_sec;
	int64_t ns = now->latest.tv_nsec - now->earliest.tv_nsec;

	if (!cb_ts_is_before(&now->earliest, &now->latest))
		return 0;
	if (ns < 0) {
		s--;
		ns += CB_NS_PER_S;
	}
	if (s / 2 >= (uint64_t)(INT64_MAX / CB_NS_PER_S))
		return INT64_MAX;
	return (int64_t)(s / 2) * CB_NS_PER_S +
	    ((int64_t)(s % 2) * CB_NS_PER_S + ns + 1) / 2;
}

int
clockbound_after(const clockbound_now_result *now, const struct timespec *t)
{
	return cb_shm_is_trusted(now->clock_status) &&
	    cb_ts_is_before(t, &now->earliest);
}

int
clockbound_before(const clockbound_now_result *now, const struct timespec *t)
{
	return cb_shm_is_trusted(now->clock_status) &&
	    cb_ts_is_before(&now->latest, t);
}

/* How long to sleep from one time to another, one look at most. */
static int64_t
time_between(const struct timespec *from, const struct timespec *to)
{
	if (!cb_ts_is_before(from, to))
		return 0;
	/* From is a clock's. */
	if (to->tv_sec - 1 > from->tv_sec)
		return LOOK_NS;
	return cb_ts_min(LOOK_NS, (to->tv_sec - from->tv_sec) * CB_NS_PER_S +
	    to->tv_nsec - from->tv_nsec);
}

/* earliest goes on as fast as CLOCK_MONOTONIC does, or a little slower. */
static int64_t
time_to_look(const clockbound_now_result *now, const struct timespec *t)
{
	return cb_shm_is_trusted(now->clock_status) ?
	    time_between(&now->earliest, t) + 1 : LOOK_UNTRUSTED_NS;
}

static int64_t
time_left(const struct timespec *deadline)
{
	struct timespec mono = { .tv_sec = 0 };

	if (deadline == NULL)
		return LOOK_NS;
	clock_gettime(CLOCK_MONOTONIC, &mono);
	return time_between(&mono, deadline);
}

/* False: a signal was caught. */
static bool
sleep_for(int64_t ns)
{
	const struct timespec ts = { .tv_sec = (time_t)(ns / CB_NS_PER_S),
		.tv_nsec = (long)(ns % CB_NS_PER_S) };

	return nanosleep(&ts, NULL) == 0;
}

static bool
is_time(const struct timespec *t)
{
	return t == NULL || (t->tv_nsec >= 0 && t->tv_nsec < CB_NS_PER_S);
}

const clockbound_err *
clockbound_wait_until(clockbound_ctx *ctx, const struct timespec *t,
    const struct timespec *deadline, clockbound_now_result *res)
{
	static const clockbound_err no_time = { CLOCKBOUND_ERR_SYSCALL,
	    EINVAL, "clockbound_wait_until" };
	static const clockbound_err too_late = { CLOCKBOUND_ERR_SYSCALL,
	    ETIMEDOUT, "clockbound_wait_until" };
	static const clockbound_err interrupted = { CLOCKBOUND_ERR_SYSCALL,
	    EINTR, "clockbound_wait_until" };
	const clockbound_err *failed;
	int64_t left;

	if (!is_time(t) || !is_time(deadline))
		return &no_time;
	for (;;) {
		failed = clockbound_now(ctx, res);
		if (failed != NULL)
			res->clock_status = CLOCKBOUND_STA_UNKNOWN;
		if (clockbound_after(res, t))
			return NULL;
		left = time_left(deadline);
		if (left == 0)
			return failed != NULL ? failed : &too_late;
		if (!sleep_for(cb_ts_min(left, time_to_look(res, t))))
			return &interrupted;
	}
}
