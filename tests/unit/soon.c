/* SPDX-License-Identifier: ISC */
/*
 * Calls that come soon after one another, by clocks that are set here: an
 * answer from shm0 that was kept is never narrower, and its status never
 * better, than one that is worked out anew.
 */
#include <stdlib.h>
#include <unistd.h>

#include "clockbound.h"
#include "segment.h"
#include "shm.h"
#include "test.h"
#include "ts.h"

#define S(s)	(INT64_C(s) * CB_NS_PER_S)
#define REAL	(S(1800000000) + 5)
#define MONO	S(1000)
#define SOON_NS	100000

#define U	CLOCKBOUND_STA_UNKNOWN
#define SYNC	CLOCKBOUND_STA_SYNCHRONIZED
#define FREE	CLOCKBOUND_STA_FREE_RUNNING

static int64_t real_ns, mono_ns;

int __wrap_clock_gettime(clockid_t, struct timespec *);
/* As it is called where a 32-bit system has times of 64 bits. */
int __wrap___clock_gettime64(clockid_t, struct timespec *)
    __attribute__((alias("__wrap_clock_gettime")));

int
__wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	int64_t ns = id == CLOCK_REALTIME ? real_ns : mono_ns;

	ts->tv_sec = (time_t)(ns / CB_NS_PER_S);
	ts->tv_nsec = (long)(ns % CB_NS_PER_S);
	return 0;
}

static struct cb_shm_writer writer;

static void
write_aged(int64_t age, int64_t bound_ns, uint32_t drift_ppb)
{
	struct cb_shm_v2 v2 = body_of(MONO - age, bound_ns, drift_ppb, SYNC);

	real_ns = REAL;
	mono_ns = MONO;
	cb_shm_write(&writer, &v2);
}

static clockbound_ctx *
open_with(int64_t max_bound_ns, int64_t max_age_ns)
{
	const clockbound_options o = { .shm_path = "shm0",
		.max_bound_ns = max_bound_ns, .max_age_ns = max_age_ns };
	clockbound_ctx *ctx = clockbound_open_options(&o, NULL);

	if (!CHECK(ctx != NULL))
		exit(test_done());
	return ctx;
}

/* Both clocks go on; the coarse one only by whole ticks. */
static clockbound_now_result
now_after(clockbound_ctx *ctx, int64_t ns, int64_t coarse_ns)
{
	clockbound_now_result now = { .clock_status = U };

	real_ns = REAL + ns;
	mono_ns = MONO + coarse_ns;
	CHECK(clockbound_now(ctx, &now) == NULL);
	CHECK_EQ(cb_ts_ns(&now.earliest) + clockbound_bound_ns(&now), real_ns);
	return now;
}

static void
check_after(clockbound_ctx *ctx, int64_t ns, int64_t coarse_ns, int64_t bound,
    clockbound_clock_status status)
{
	clockbound_now_result now = now_after(ctx, ns, coarse_ns);

	CHECK_EQ(clockbound_bound_ns(&now), bound);
	CHECK_EQ(now.clock_status, status);
}

/* At 10 % the growth is a tenth of the time. */
#define TENTH	100000000

static void
what_is_kept_is_the_width_of_the_end_of_its_time(void)
{
	clockbound_ctx *ctx = open_with(0, 0);

	write_aged(S(1), S(2), TENTH);
	check_after(ctx, 0, 0, S(2) + S(1) / 10, SYNC);
	check_after(ctx, 0, 0, S(2) + S(1) / 10 + SOON_NS / 10, SYNC);
	check_after(ctx, SOON_NS - 1, 0, S(2) + S(1) / 10 + SOON_NS / 10,
	    SYNC);
	/* Its end, and a second later at the same part of the second. */
	check_after(ctx, SOON_NS, SOON_NS, S(2) + S(1) / 10 + SOON_NS / 10,
	    SYNC);
	check_after(ctx, S(1) + SOON_NS, S(1), S(2) + S(2) / 10, SYNC);
	/* Set back, and not by a second. */
	check_after(ctx, 0, S(1) + 10, S(2) + S(2) / 10 + 1, SYNC);
	clockbound_close(ctx);
}

static void
no_status_is_kept_beyond_its_time(void)
{
	clockbound_ctx *ctx = open_with(0, 0);

	write_aged(S(5) - SOON_NS / 2, S(2), 0);
	check_after(ctx, 0, 0, S(2), SYNC);
	check_after(ctx, SOON_NS / 2 - 1, SOON_NS / 2 - 1, S(2), SYNC);
	check_after(ctx, SOON_NS / 2, SOON_NS / 2, S(2), FREE);
	write_aged(S(999), S(2), 0);
	check_after(ctx, S(1) - 10, S(1) - 10, S(2), FREE);
	check_after(ctx, S(1) - 1, S(1) - 1, S(2), FREE);
	check_after(ctx, S(1), S(1), S(2), U);
	clockbound_close(ctx);
}

static void
no_limit_is_passed_meanwhile(void)
{
	clockbound_ctx *wide = open_with(S(2) + 5, 0);
	clockbound_ctx *old = open_with(0, S(1));

	write_aged(0, S(2), TENTH);
	check_after(wide, 0, 0, S(2), SYNC);
	check_after(wide, 50, 50, S(2) + 5, SYNC);
	check_after(wide, 51, 51, S(2) + 6, U);
	check_after(wide, 52, 52, S(2) + 6, U);
	write_aged(S(1) - 10, S(2), 0);
	check_after(old, 0, 0, S(2), SYNC);
	check_after(old, 10, 10, S(2), SYNC);
	check_after(old, 11, 11, S(2), U);
	clockbound_close(wide);
	clockbound_close(old);
}

/* 32767 writes later the generation is the same again: the age tells. */
static void
a_generation_that_has_come_round_is_found_within_a_second(void)
{
	_Atomic uint16_t *generation =
	    &writer.v2.segment->header.generation;
	clockbound_ctx *ctx = open_with(0, 0);
	struct cb_shm_v2 v2 = body_of(MONO + S(1), S(7), 0, SYNC);
	uint16_t seen;

	write_aged(0, S(2), 0);
	check_after(ctx, 0, 0, S(2), SYNC);
	seen = atomic_load(generation);
	cb_shm_write(&writer, &v2);
	atomic_store(generation, seen);
	check_after(ctx, S(1), S(1), S(2), SYNC);
	check_after(ctx, S(1) + SOON_NS, S(1) + SOON_NS, S(7), SYNC);
	clockbound_close(ctx);
}

static void
a_file_that_is_gone_is_still_answered_from(void)
{
	clockbound_ctx *ctx = open_with(0, 0);

	write_aged(0, S(2), 0);
	unlink("shm0");
	check_after(ctx, S(3), S(3), S(2), SYNC);
	check_after(ctx, S(6), S(6), S(2), FREE);
	clockbound_close(ctx);
}

int
main(void)
{
	char dir[] = "/tmp/cb-soon.XXXXXX";
	const char *what;
	pid_t holder;

	alarm(60);
	if (!CHECK(mkdtemp(dir) != NULL) || !CHECK(chdir(dir) == 0) ||
	    !CHECK(cb_shm_write_open(&writer, ".", &what, &holder)))
		return test_done();
	what_is_kept_is_the_width_of_the_end_of_its_time();
	no_status_is_kept_beyond_its_time();
	no_limit_is_passed_meanwhile();
	a_generation_that_has_come_round_is_found_within_a_second();
	a_file_that_is_gone_is_still_answered_from();
	cb_shm_write_close(&writer);
	unlink("shm0");
	unlink("shm1");
	unlink("lock");
	CHECK(rmdir(dir) == 0);
	return test_done();
}
