/* SPDX-License-Identifier: ISC */
/*
 * The reader's arithmetic at its edges, and the interface of ClockBound 2.x:
 * snapshots and clock readings go in that nobody would wait for.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clockbound.h"
#include "int128.h"
#include "segment.h"
#include "shm.h"
#include "test.h"
#include "ts.h"

#define S(s)	(INT64_C(s) * CB_NS_PER_S)
#define ONE_S	CB_NS_PER_S

#define U	CLOCKBOUND_STA_UNKNOWN
#define SYNC	CLOCKBOUND_STA_SYNCHRONIZED
#define FREE	CLOCKBOUND_STA_FREE_RUNNING
#define DIS	CLOCKBOUND_STA_DISRUPTED

static uint64_t
next_random(void)
{
	static uint64_t x = UINT64_C(0x9e3779b97f4a7c15);

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static struct timespec
ts_of(int64_t ns)
{
	int64_t s = cb_ts_floor_s(ns);

	return (struct timespec){ .tv_sec = (time_t)s,
		.tv_nsec = (long)(ns - s * CB_NS_PER_S) };
}

static void
interval_is_rounded_outwards(void)
{
	static const struct {
		const char *name;
		int64_t age;
		int64_t bound;
		uint32_t drift;
		struct timespec real, earliest, latest;
	} rows[] = {
		{ "nothing to add", 0, 0, 50000,
		    { 100, 7 }, { 100, 7 }, { 100, 7 } },
		{ "1 ns at 1 ppb counts as 1 ns", 1, 0, 1,
		    { 100, 7 }, { 100, 6 }, { 100, 8 } },
		{ "no drift, no growth", S(4000), 12, 0,
		    { 100, 20 }, { 100, 8 }, { 100, 32 } },
		{ "a tick at 50 ppm, which is exact", 4000000, 0, 50000,
		    { 100, 300 }, { 100, 100 }, { 100, 500 } },
		{ "a tick at 50.001 ppm, which is not", 4000000, 0, 50001,
		    { 100, 300 }, { 100, 99 }, { 100, 501 } },
		{ "1 s, exact", ONE_S, 0, 50000,
		    { 100, 60000 }, { 100, 10000 }, { 100, 110000 } },
		{ "1 s and 1 ns, not", ONE_S + 1, 0, 50000,
		    { 100, 60000 }, { 100, 9999 }, { 100, 110001 } },
		{ "bound and growth", S(10), 1000, 1000,
		    { 100, 60000 }, { 100, 49000 }, { 100, 71000 } },
		{ "1 us before as_of is no time", -1000, 5, 999999999,
		    { 100, 7 }, { 100, 2 }, { 100, 12 } },
		{ "carry down", 0, 10, 0,
		    { 100, 9 }, { 99, 999999999 }, { 100, 19 } },
		{ "just none", 0, 10, 0,
		    { 100, 10 }, { 100, 0 }, { 100, 20 } },
		{ "carry up", 0, 10, 0, { 100, 999999990 },
		    { 100, 999999980 }, { 101, 0 } },
		{ "just none", 0, 10, 0, { 100, 999999989 },
		    { 100, 999999979 }, { 100, 999999999 } },
		{ "whole seconds", 0, S(3), 0,
		    { 100, 999999999 }, { 97, 999999999 },
		    { 103, 999999999 } },
		{ "both carries at once", 0, S(3) + 600000000, 0,
		    { 100, 500000000 }, { 96, 900000000 },
		    { 104, 100000000 } },
		{ "before 1970", 0, 1, 0,
		    { -5, 0 }, { -6, 999999999 }, { -5, 1 } },
		{ "around 1970", 0, 750000000, 0,
		    { -1, 500000000 }, { -2, 750000000 },
		    { 0, 250000000 } }
	};
	const int64_t as_of = S(1000);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cb_shm_bound b = {
			.as_of = as_of,
			.void_after = as_of + S(1000),
			.bound_ns = rows[i].bound,
			.max_drift_ppb = rows[i].drift,
			.status = SYNC
		};
		struct timespec mono = ts_of(as_of + rows[i].age);
		clockbound_now_result res;

		test_row = rows[i].name;
		memset(&res, 0x55, sizeof(res));
		CHECK_EQ(cb_now_at(&b, &rows[i].real, &mono, &res),
		    CLOCKBOUND_ERR_NONE);
		CHECK_EQ(res.earliest.tv_sec, rows[i].earliest.tv_sec);
		CHECK_EQ(res.earliest.tv_nsec, rows[i].earliest.tv_nsec);
		CHECK_EQ(res.latest.tv_sec, rows[i].latest.tv_sec);
		CHECK_EQ(res.latest.tv_nsec, rows[i].latest.tv_nsec);
	}
	test_row = "";
}

/* A time_t of 32 bits ends in 2038. */
static const bool has_room = sizeof(time_t) >= sizeof(int64_t);

static void
what_a_time_t_cannot_tell_is_not_trusted(void)
{
	static const struct {
		const char *name;
		int64_t real, bound;
		bool fits;
	} rows[] = {
		{ "up to the last second", S(2147483640), S(7), true },
		{ "past it", S(2147483640), S(7) + ONE_S, false },
		{ "by a carry", S(2147483640) + 1, S(8) - 1, false },
		{ "a year", S(2145916800), CB_SHM_UNKNOWN_BOUND_NS, false },
		{ "2^32 s, which would wrap to none", S(1800000000),
		    S(4294967296), false },
		{ "the largest", S(1800000000), INT64_MAX, false },
		{ "a year around 1970", 0, CB_SHM_UNKNOWN_BOUND_NS, true }
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cb_shm_bound b = { .as_of = S(1000),
			.void_after = S(2000), .bound_ns = rows[i].bound,
			.status = SYNC };
		struct timespec real = ts_of(rows[i].real);
		struct timespec mono = ts_of(S(1000));
		bool fits = has_room || rows[i].fits;
		clockbound_now_result now;

		test_row = rows[i].name;
		CHECK_EQ(cb_now_at(&b, &real, &mono, &now),
		    CLOCKBOUND_ERR_NONE);
		CHECK_EQ(now.clock_status, fits ? SYNC : U);
		CHECK_EQ(now.earliest.tv_sec, fits ? cb_ts_floor_s(
		    rows[i].real - rows[i].bound) : 0);
		CHECK_EQ(now.latest.tv_sec, fits ? ((uint64_t)rows[i].real +
		    (uint64_t)rows[i].bound) / (uint64_t)ONE_S : INT32_MAX);
	}
	test_row = "";
}

static void
any_time_is_all_that_a_time_t_tells(void)
{
	clockbound_now_result now = { .clock_status = SYNC };

	cb_now_at_any(&now);
	CHECK_EQ(cb_ts_ns(&now.earliest), 0);
	CHECK_EQ(now.latest.tv_sec, has_room ? INT64_MAX : INT32_MAX);
	CHECK_EQ(now.latest.tv_nsec, ONE_S - 1);
	CHECK_EQ(now.clock_status, U);
}

static void
largest_bound_and_drift_do_not_overflow(void)
{
	struct cb_shm_bound b = {
		.as_of = -S(4000000000),
		.void_after = S(4000000000),
		.bound_ns = INT64_MAX,
		.max_drift_ppb = 999999999,
		.status = SYNC
	};
	struct timespec real = { 0, 0 }, mono = ts_of(S(4000000000));
	clockbound_now_result res;

	if (!has_room)
		return;
	CHECK_EQ(cb_now_at(&b, &real, &mono, &res), CLOCKBOUND_ERR_NONE);
	/* 9223372036.854775807 s + 8 * 10^9 s * 0.999999999 */
	CHECK_EQ(res.earliest.tv_sec, -17223372029);
	CHECK_EQ(res.earliest.tv_nsec, 145224193);
	CHECK_EQ(res.latest.tv_sec, 17223372028);
	CHECK_EQ(res.latest.tv_nsec, 854775807);
	CHECK_EQ(res.clock_status, U);
}

static void
segment_from_the_future_is_a_breach(void)
{
	struct cb_shm_bound b = {
		.as_of = S(1000) + 500,
		.void_after = S(2000),
		.bound_ns = 5,
		.status = SYNC
	};
	struct timespec real = { 100, 7 }, mono = ts_of(S(1000) - 501);
	clockbound_now_result res, untouched;

	memset(&res, 0x55, sizeof(res));
	memset(&untouched, 0x55, sizeof(untouched));
	CHECK_EQ(cb_now_at(&b, &real, &mono, &res),
	    CLOCKBOUND_ERR_CAUSALITY_BREACH);
	CHECK(memcmp(&res, &untouched, sizeof(res)) == 0);
	b.as_of = S(1000000);
	CHECK_EQ(cb_now_at(&b, &real, &mono, &res),
	    CLOCKBOUND_ERR_CAUSALITY_BREACH);
	CHECK(memcmp(&res, &untouched, sizeof(res)) == 0);
}

static void
status_ages_from_as_written_to_free_running_to_unknown(void)
{
	static const struct {
		const char *name;
		int64_t age;
		int64_t void_after;	/* this past as_of */
		clockbound_clock_status synchronized, free_running;
	} rows[] = {
		{ "1 us before as_of", -1000, S(1000), SYNC, FREE },
		{ "at as_of", 0, S(1000), SYNC, FREE },
		{ "1 ns below 5 s", S(5) - 1, S(1000), SYNC, FREE },
		{ "5 s", S(5), S(1000), FREE, FREE },
		{ "1 ns below void_after", S(1000) - 1, S(1000), FREE, FREE },
		{ "void_after", S(1000), S(1000), U, U },
		{ "1 ns above void_after", S(1000) + 1, S(1000), U, U },
		{ "ages", S(3000000000), S(1000), U, U },
		{ "1 ns below an odd void_after", S(999) + 3, S(999) + 4,
		    FREE, FREE },
		{ "an odd void_after", S(999) + 4, S(999) + 4, U, U },
		{ "young, void", S(5) - 1, S(3), SYNC, FREE },
		{ "5 s, void", S(5), S(3), U, U }
	};
	struct timespec real = { 1700000000, 0 };
	const int64_t as_of = S(1000) + 999999999;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cb_shm_bound b = {
			.as_of = as_of,
			.void_after = as_of + rows[i].void_after
		};
		struct timespec mono = ts_of(as_of + rows[i].age);
		bool fits = has_room || rows[i].age < S(2147480000);
		const struct {
			clockbound_clock_status written, read;
		} all[] = {
			{ SYNC, rows[i].synchronized },
			{ FREE, rows[i].free_running },
			{ U, U },
			{ DIS, DIS }
		};

		test_row = rows[i].name;
		for (size_t k = 0; k < 4 && fits; k++) {
			clockbound_now_result res = { .clock_status =
				(clockbound_clock_status)99 };

			b.status = all[k].written;
			CHECK_EQ(cb_now_at(&b, &real, &mono, &res),
			    CLOCKBOUND_ERR_NONE);
			CHECK_EQ(res.clock_status, all[k].read);
		}
	}
	test_row = "";
}

static void
drift_is_the_exact_product_rounded_up(void)
{
	static const struct {
		int64_t elapsed, ppb, drift;
	} edges[] = {
		{ 0, 0, 0 }, { 0, 1000000000, 0 }, { 1, 0, 0 }, { 1, 1, 1 },
		{ 999999999, 1, 1 }, { 1000000000, 1, 1 },
		{ 1000000001, 1, 2 }, { 1, 1000000000, 1 },
		{ INT64_MAX, 0, 0 }, { INT64_MAX, 1, 9223372037 },
		{ INT64_MAX, 1000000000, INT64_MAX },
		{ S(4000000000), 999999999, 3999999996000000000 }
	};

	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
		CHECK_EQ(cb_ts_drift(edges[i].elapsed, edges[i].ppb),
		    edges[i].drift);
	for (int i = 0; i < 1000000; i++) {
		/* Of all magnitudes. */
		int64_t elapsed = (int64_t)((next_random() >> 1) >>
		    next_random() % 63);
		int64_t ppb = (int64_t)(next_random() % 1000000001) >>
		    next_random() % 30;
		int128 product = (int128)elapsed * ppb;

		if (!CHECK_EQ(cb_ts_drift(elapsed, ppb),
		    (product + CB_NS_PER_S - 1) / CB_NS_PER_S))
			break;
	}
}

static void
seconds_are_rounded_down_on_both_sides_of_zero(void)
{
	CHECK_EQ(cb_ts_floor_s(0), 0);
	CHECK_EQ(cb_ts_floor_s(1), 0);
	CHECK_EQ(cb_ts_floor_s(999999999), 0);
	CHECK_EQ(cb_ts_floor_s(1000000000), 1);
	CHECK_EQ(cb_ts_floor_s(-1), -1);
	CHECK_EQ(cb_ts_floor_s(-999999999), -1);
	CHECK_EQ(cb_ts_floor_s(-1000000000), -1);
	CHECK_EQ(cb_ts_floor_s(-1000000001), -2);
	CHECK_EQ(cb_ts_floor_s(INT64_MAX), 9223372036);
	CHECK_EQ(cb_ts_floor_s(INT64_MIN), -9223372037);
}

/* What programs that were built against ClockBound 2.x have in them. */
static void
interface_is_that_of_clockbound_2(void)
{
	clockbound_ctx *(*open_fn)(const char *, clockbound_err *) =
	    clockbound_open;
	clockbound_ctx *(*vmclock_open_fn)(const char *, const char *,
	    clockbound_err *) = clockbound_vmclock_open;
	const clockbound_err *(*close_fn)(clockbound_ctx *) =
	    clockbound_close;
	const clockbound_err *(*now_fn)(clockbound_ctx *,
	    clockbound_now_result *) = clockbound_now;

	CHECK(open_fn != NULL && vmclock_open_fn != NULL);
	CHECK(close_fn != NULL && now_fn != NULL);

	CHECK_EQ(CLOCKBOUND_ERR_NONE, 0);
	CHECK_EQ(CLOCKBOUND_ERR_SYSCALL, 1);
	CHECK_EQ(CLOCKBOUND_ERR_SEGMENT_NOT_INITIALIZED, 2);
	CHECK_EQ(CLOCKBOUND_ERR_SEGMENT_MALFORMED, 3);
	CHECK_EQ(CLOCKBOUND_ERR_CAUSALITY_BREACH, 4);
	CHECK_EQ(CLOCKBOUND_ERR_SEGMENT_VERSION_NOT_SUPPORTED, 5);
	CHECK_EQ(CLOCKBOUND_STA_UNKNOWN, 0);
	CHECK_EQ(CLOCKBOUND_STA_SYNCHRONIZED, 1);
	CHECK_EQ(CLOCKBOUND_STA_FREE_RUNNING, 2);
	CHECK_EQ(CLOCKBOUND_STA_DISRUPTED, 3);

	CHECK_EQ(sizeof(clockbound_err_kind), 4);
	CHECK_EQ(sizeof(clockbound_clock_status), 4);
	CHECK_EQ(offsetof(clockbound_err, kind), 0);
	CHECK_EQ(offsetof(clockbound_err, sys_errno), 4);
	CHECK_EQ(offsetof(clockbound_err, detail), 8);
	CHECK_EQ(sizeof(clockbound_err), 8 + sizeof(char *));
	CHECK_EQ(offsetof(clockbound_now_result, earliest), 0);
	CHECK_EQ(offsetof(clockbound_now_result, latest),
	    sizeof(struct timespec));
	CHECK_EQ(offsetof(clockbound_now_result, clock_status),
	    2 * sizeof(struct timespec));
	if (sizeof(struct timespec) == 16)
		CHECK_EQ(sizeof(clockbound_now_result), 40);

	CHECK(strcmp(CLOCKBOUND_SHM_DEFAULT_PATH,
	    "/var/run/clockbound/shm0") == 0);
	CHECK(strcmp(VMCLOCK_SHM_DEFAULT_PATH, "/dev/vmclock0") == 0);
}

/* With the file and the clocks that the rows above did without. */
static void
now_is_realtime_in_the_middle_of_the_bound(struct cb_shm_writer *w,
    clockbound_ctx *ctx)
{
	int64_t as_of = mono_now() - S(3), before, after, earliest, latest;
	struct cb_shm_v2 v2 = body_of(as_of, S(1), 100000000, SYNC);
	struct timespec real[2];
	clockbound_now_result res;

	cb_shm_write(w, &v2);
	before = mono_now();
	clock_gettime(CLOCK_REALTIME, &real[0]);
	CHECK(clockbound_now(ctx, &res) == NULL);
	clock_gettime(CLOCK_REALTIME, &real[1]);
	after = mono_now();

	earliest = cb_ts_ns(&res.earliest);
	latest = cb_ts_ns(&res.latest);
	CHECK((latest - earliest) / 2 >= S(1) + (before - as_of) / 10);
	CHECK((latest - earliest) / 2 <= S(1) + (after - as_of) / 10 + 1);
	CHECK(earliest + (latest - earliest) / 2 >= cb_ts_ns(&real[0]));
	CHECK(earliest + (latest - earliest) / 2 <= cb_ts_ns(&real[1]));
	CHECK_EQ(res.clock_status, SYNC);
}

static int64_t
half_of(const clockbound_now_result *res)
{
	return (cb_ts_ns(&res->latest) - cb_ts_ns(&res->earliest)) / 2;
}

/* The second of two calls within 0.1 ms is given the width of its end. */
static void
now_soon_again_is_no_narrower_than_it_has_to_be(struct cb_shm_writer *w,
    clockbound_ctx *ctx)
{
	int64_t as_of = mono_now() - S(3), before, between;
	struct cb_shm_v2 v2 = body_of(as_of, S(1), 100000000, SYNC);
	const struct timespec pause = { 0, 200000 };
	clockbound_now_result first, second;
	int soon = 0;

	for (int i = 0; i < 100; i++) {
		cb_shm_write(w, &v2);
		CHECK(clockbound_now(ctx, &first) == NULL);
		CHECK(clockbound_now(ctx, &second) == NULL);
		between = cb_ts_ns(&second.latest) - half_of(&second) -
		    cb_ts_ns(&first.latest) + half_of(&first);
		if (between < 99999) {
			CHECK_EQ(half_of(&second) - half_of(&first), 10000);
			soon++;
		}
		nanosleep(&pause, NULL);
		before = mono_now();
		CHECK(clockbound_now(ctx, &second) == NULL);
		CHECK(half_of(&second) >= S(1) + (before - as_of) / 10);
		CHECK(half_of(&second) <=
		    S(1) + (mono_now() - as_of) / 10 + 1);
	}
	CHECK(soon > 0);
}

static void
now_without_a_vmclock_to_watch_is_unknown(struct cb_shm_writer *w,
    clockbound_ctx *ctx)
{
	static const struct {
		clockbound_clock_status written, read;
	} rows[] = { { U, U }, { SYNC, U }, { FREE, U }, { DIS, DIS } };
	clockbound_now_result res;

	for (size_t i = 0; i < 4; i++) {
		struct cb_shm_v2 v2 = body_of(mono_now(), S(1), 100000000,
		    rows[i].written);

		cb_shm_write(w, &v2);
		CHECK(clockbound_now(ctx, &res) == NULL);
		CHECK_EQ(res.clock_status, rows[i].written);
		v2.disruption_support = 1;
		cb_shm_write(w, &v2);
		CHECK(clockbound_now(ctx, &res) == NULL);
		CHECK_EQ(res.clock_status, rows[i].read);
	}
}

static void
now_of_a_segment_from_the_future_is_a_breach(struct cb_shm_writer *w,
    clockbound_ctx *ctx)
{
	struct cb_shm_v2 v2 = body_of(mono_now() + S(3600), S(1), 100000000,
	    SYNC);
	const clockbound_err *err;
	clockbound_now_result res;

	cb_shm_write(w, &v2);
	err = clockbound_now(ctx, &res);
	if (!CHECK(err != NULL))
		return;
	CHECK_EQ(err->kind, CLOCKBOUND_ERR_CAUSALITY_BREACH);
	CHECK_EQ(err->sys_errno, 0);
	CHECK(err->detail == NULL);
}

/* Of what was answered from; it goes on, and is never less than 0. */
static void
a_snapshot_has_an_age(struct cb_shm_writer *w, clockbound_ctx *ctx)
{
	int64_t before = mono_now() - S(7), age;
	struct cb_shm_v2 v2 = body_of(before, S(3), 0, SYNC);
	clockbound_now_result res;

	cb_shm_write(w, &v2);
	CHECK(clockbound_now(ctx, &res) == NULL);
	age = cb_now_age(ctx);
	CHECK(age >= S(7) && age <= mono_now() - before);
	CHECK_EQ(cb_now_snapshot(ctx)->bound_ns, S(3));
	v2 = body_of(mono_now() + S(3600), S(3), 0, SYNC);
	cb_shm_write(w, &v2);
	CHECK(clockbound_now(ctx, &res) != NULL);
	CHECK_EQ(cb_now_age(ctx), 0);
}

static void
a_counted_snapshot_has_an_age(struct cb_shm_writer *w)
{
	struct cb_shm_v3 v3 = counted_body_of(S(3), 0, SYNC);
	clockbound_ctx *ctx;
	clockbound_now_result res;

	/* A tick lasts half a nanosecond, and there were 2^31. */
	v3.as_of_tsc -= UINT64_C(1) << 31;
	cb_shm_write_v3(w, &v3);
	ctx = clockbound_open("shm1", NULL);
	if (!CHECK(ctx != NULL))
		return;
	CHECK(clockbound_now(ctx, &res) == NULL);
	CHECK(cb_now_age(ctx) >= S(1) - 1 && cb_now_age(ctx) < S(60));
	CHECK(cb_now_snapshot(ctx)->is_counted);
	v3.as_of_tsc = cb_counter_read() + (UINT64_C(1) << 40);
	cb_shm_write_v3(w, &v3);
	CHECK(clockbound_now(ctx, &res) != NULL);
	CHECK_EQ(cb_now_age(ctx), 0);
	clockbound_close(ctx);
}

static void
try_with_a_file(void)
{
	char dir[] = "/tmp/cb-now.XXXXXX";
	struct cb_shm_writer w;
	clockbound_ctx *ctx;
	const char *what;
	pid_t holder;

	if (!CHECK(mkdtemp(dir) != NULL) || !CHECK(chdir(dir) == 0))
		return;
	if (CHECK(cb_shm_write_open(&w, ".", &what, &holder))) {
		ctx = clockbound_vmclock_open("shm0", "vmclock", NULL);
		if (CHECK(ctx != NULL)) {
			now_is_realtime_in_the_middle_of_the_bound(&w, ctx);
			now_soon_again_is_no_narrower_than_it_has_to_be(&w, ctx);
			now_without_a_vmclock_to_watch_is_unknown(&w, ctx);
			now_of_a_segment_from_the_future_is_a_breach(&w, ctx);
			a_snapshot_has_an_age(&w, ctx);
		}
		if (CB_COUNTER_ID != CB_COUNTER_INVALID)
			a_counted_snapshot_has_an_age(&w);
		CHECK(clockbound_close(ctx) == NULL);
		cb_shm_write_close(&w);
	}
	unlink("shm0");
	unlink("shm1");
	unlink("lock");
	CHECK(rmdir(dir) == 0);
}

int
main(void)
{
	interval_is_rounded_outwards();
	what_a_time_t_cannot_tell_is_not_trusted();
	any_time_is_all_that_a_time_t_tells();
	largest_bound_and_drift_do_not_overflow();
	segment_from_the_future_is_a_breach();
	status_ages_from_as_written_to_free_running_to_unknown();
	drift_is_the_exact_product_rounded_up();
	seconds_are_rounded_down_on_both_sides_of_zero();
	interface_is_that_of_clockbound_2();
	try_with_a_file();
	return test_done();
}
