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
	int64_t s = (int64_t)now->latest.tv_sec - now->earliest.tv_sec;
	int64_t ns = now->latest.tv_nsec - now->earliest.tv_nsec;

	if (ns < 0) {
		s--;
		ns += CB_NS_PER_S;
	}
	if (s / 2 >= INT64_MAX / CB_NS_PER_S)
		return INT64_MAX;
	return s / 2 * CB_NS_PER_S + (s % 2 * CB_NS_PER_S + ns + 1) / 2;
}

static bool
is_trusted(const clockbound_now_result *now)
{
	return now->clock_status == CLOCKBOUND_STA_SYNCHRONIZED ||
	    now->clock_status == CLOCKBOUND_STA_FREE_RUNNING;
}

int
clockbound_after(const clockbound_now_result *now, const struct timespec *t)
{
	return is_trusted(now) && cb_ts_is_before(t, &now->earliest);
}

int
clockbound_before(const clockbound_now_result *now, const struct timespec *t)
{
	return is_trusted(now) && cb_ts_is_before(&now->latest, t);
}

/* earliest goes on as fast as CLOCK_MONOTONIC does, or a little slower. */
static int64_t
time_left(const clockbound_now_result *now, const struct timespec *t)
{
	int64_t s = (int64_t)t->tv_sec - now->earliest.tv_sec;

	if (!is_trusted(now))
		return LOOK_UNTRUSTED_NS;
	if (s > LOOK_NS / CB_NS_PER_S)
		return LOOK_NS;
	return cb_ts_min(LOOK_NS, s * CB_NS_PER_S + t->tv_nsec -
	    now->earliest.tv_nsec + 1);
}

static int64_t
time_to(const struct timespec *deadline)
{
	struct timespec mono;
	int64_t s;

	if (deadline == NULL)
		return LOOK_NS;
	clock_gettime(CLOCK_MONOTONIC, &mono);
	s = (int64_t)deadline->tv_sec - mono.tv_sec;
	if (s > LOOK_NS / CB_NS_PER_S)
		return LOOK_NS;
	return s < 0 ? 0 : s * CB_NS_PER_S + deadline->tv_nsec - mono.tv_nsec;
}

/* False: a signal was caught. */
static bool
sleep_for(int64_t ns)
{
	struct timespec ts = { .tv_sec = (time_t)(ns / CB_NS_PER_S),
		.tv_nsec = (long)(ns % CB_NS_PER_S) };

	return nanosleep(&ts, NULL) == 0;
}

const clockbound_err *
clockbound_wait_until(clockbound_ctx *ctx, const struct timespec *t,
    const struct timespec *deadline, clockbound_now_result *res)
{
	const clockbound_err *failed = clockbound_now(ctx, res);
	int64_t left;

	if (failed != NULL)
		return failed;
	while (!clockbound_after(res, t)) {
		left = time_to(deadline);
		if (left <= 0)
			return failed;
		if (!sleep_for(cb_ts_min(left, time_left(res, t))))
			return cb_now_fail(ctx, CLOCKBOUND_ERR_SYSCALL,
			    "nanosleep");
		/* What is of no use now may be replaced. */
		failed = clockbound_now(ctx, res);
		if (failed != NULL)
			res->clock_status = CLOCKBOUND_STA_UNKNOWN;
	}
	return NULL;
}
