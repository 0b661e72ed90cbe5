/* SPDX-License-Identifier: ISC */
/*
 * What the library offers on top of ClockBound 2.x's interface.
 */
#include <sys/wait.h>

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clockbound.h"
#include "segment.h"
#include "shm.h"
#include "test.h"
#include "ts.h"
#include "vmclock.h"

#define S(s)	(INT64_C(s) * CB_NS_PER_S)
#define MS(ms)	(INT64_C(ms) * 1000000)

#define U	CLOCKBOUND_STA_UNKNOWN
#define SYNC	CLOCKBOUND_STA_SYNCHRONIZED
#define FREE	CLOCKBOUND_STA_FREE_RUNNING
#define DIS	CLOCKBOUND_STA_DISRUPTED

static struct cb_shm_writer writer;

static struct timespec
ts_of(int64_t ns)
{
	int64_t s = cb_ts_floor_s(ns);

	return (struct timespec){ .tv_sec = (time_t)s,
		.tv_nsec = (long)(ns - s * CB_NS_PER_S) };
}

static clockbound_now_result
result_of(int64_t earliest, int64_t latest, clockbound_clock_status status)
{
	return (clockbound_now_result){ ts_of(earliest), ts_of(latest),
		status };
}

static void
bound_is_half_the_width_rounded_up(void)
{
	static const struct {
		int64_t earliest, latest, bound;
	} rows[] = {
		{ 0, 0, 0 }, { 0, 1, 1 }, { 0, 2, 1 }, { 7, 10, 2 },
		{ -1, 1, 1 }, { -S(1) - 1, 0, S(1) / 2 + 1 },
		{ 999999999, 1000000000, 1 }, { 999999999, S(2), 500000001 },
		{ 0, S(3), S(3) / 2 }, { S(1) - 1, S(4) + 1, S(3) / 2 + 1 },
		{ -S(4), S(4), S(4) }
	};
	clockbound_now_result r;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		r = result_of(rows[i].earliest, rows[i].latest, U);
		CHECK_EQ(clockbound_bound_ns(&r), rows[i].bound);
	}
	/* A time_t of 32 bits holds none as wide. */
	if (sizeof(time_t) < sizeof(int64_t))
		return;
	r = result_of(0, 0, U);
	r.latest.tv_sec = (time_t)(2 * (INT64_MAX / CB_NS_PER_S) - 1);
	r.latest.tv_nsec = 999999999;
	CHECK_EQ(clockbound_bound_ns(&r), INT64_MAX / CB_NS_PER_S *
	    CB_NS_PER_S);
	r.latest.tv_sec++;
	CHECK_EQ(clockbound_bound_ns(&r), INT64_MAX);
	r = (clockbound_now_result){ { (time_t)INT64_MIN, 0 },
		{ (time_t)INT64_MAX, 0 }, U };
	CHECK_EQ(clockbound_bound_ns(&r), INT64_MAX);
	r = (clockbound_now_result){ { (time_t)INT64_MAX, 0 },
		{ (time_t)INT64_MIN, 0 }, U };
	CHECK_EQ(clockbound_bound_ns(&r), 0);
}

/* t is certain to have passed, or not to have come; at an end it is neither. */
static void
questions_are_answered_by_trusted_intervals_only(void)
{
	static const struct {
		int64_t t;
		int after, before;
	} rows[] = {
		{ S(9), 1, 0 }, { S(10) - 1, 1, 0 }, { S(10), 0, 0 },
		{ S(10) + 1, 0, 0 }, { S(12) - 1, 0, 0 }, { S(12), 0, 0 },
		{ S(12) + 1, 0, 1 }, { S(13), 0, 1 }, { -S(1), 1, 0 }
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (int s = U; s <= DIS; s++) {
			clockbound_now_result r = result_of(S(10), S(12),
			    (clockbound_clock_status)s);
			struct timespec t = ts_of(rows[i].t);
			bool trusted = s == SYNC || s == FREE;

			CHECK_EQ(clockbound_after(&r, &t),
			    trusted && rows[i].after);
			CHECK_EQ(clockbound_before(&r, &t),
			    trusted && rows[i].before);
		}
}

static void
errors_and_statuses_have_names(void)
{
	static const struct {
		clockbound_err err;
		const char *text;
	} rows[] = {
		{ { CLOCKBOUND_ERR_NONE, 0, NULL }, "no error" },
		{ { CLOCKBOUND_ERR_SYSCALL, ENOENT, "open" },
		    "open: No such file or directory" },
		{ { CLOCKBOUND_ERR_SYSCALL, ENOENT, NULL },
		    "system: No such file or directory" },
		{ { CLOCKBOUND_ERR_SEGMENT_MALFORMED, 0, NULL },
		    "malformed segment" },
		{ { (clockbound_err_kind)77, 0, NULL }, "unknown error 77" }
	};
	char text[128], small[5];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		test_row = rows[i].text;
		CHECK(strcmp(clockbound_strerror(&rows[i].err, text,
		    sizeof(text)), rows[i].text) == 0);
	}
	test_row = "";
	CHECK(strcmp(clockbound_strerror(&rows[0].err, small, sizeof(small)),
	    "no e") == 0);
	CHECK(strcmp(clockbound_strerror(NULL, text, sizeof(text)),
	    "no error") == 0);
	for (int k = 0; k <= 5; k++) {
		clockbound_err err = { (clockbound_err_kind)k, 0, "open" };

		CHECK(strlen(clockbound_strerror(&err, text, sizeof(text))) <
		    sizeof(text) - 1);
	}
	CHECK(strcmp(clockbound_status_name(U), "UNKNOWN") == 0);
	CHECK(strcmp(clockbound_status_name(SYNC), "SYNCHRONIZED") == 0);
	CHECK(strcmp(clockbound_status_name(FREE), "FREE_RUNNING") == 0);
	CHECK(strcmp(clockbound_status_name(DIS), "DISRUPTED") == 0);
	CHECK(clockbound_status_name((clockbound_clock_status)4) == NULL);
}

/*
 * With files.
 */
static void
write_v2(int64_t age, int64_t bound_ns, uint32_t drift_ppb,
    clockbound_clock_status status)
{
	struct cb_shm_v2 v2 = body_of(mono_now() - age, bound_ns, drift_ppb,
	    status);

	cb_shm_write(&writer, &v2);
}

static clockbound_ctx *
open_with(const char *path, int64_t max_bound_ns, int64_t max_age_ns)
{
	const clockbound_options o = { .shm_path = path,
		.vmclock_path = "vmclock", .max_bound_ns = max_bound_ns,
		.max_age_ns = max_age_ns };
	clockbound_ctx *ctx = clockbound_open_options(&o, NULL);

	CHECK(ctx != NULL);
	return ctx;
}

static clockbound_clock_status
status_now(clockbound_ctx *ctx)
{
	clockbound_now_result now;

	if (!CHECK(clockbound_now(ctx, &now) == NULL))
		return (clockbound_clock_status)99;
	return now.clock_status;
}

static void
options_that_mean_nothing_are_refused(void)
{
	const clockbound_options wide = { .shm_path = "shm0",
		.max_bound_ns = -1 };
	const clockbound_options old = { .shm_path = "shm0",
		.max_age_ns = INT64_MIN };
	const clockbound_options later = { .shm_path = "shm0",
		.zero = { [6] = 1 } };
	clockbound_err err;

	CHECK(clockbound_open_options(&wide, &err) == NULL);
	CHECK_EQ(err.kind, CLOCKBOUND_ERR_SYSCALL);
	CHECK_EQ(err.sys_errno, EINVAL);
	CHECK(strcmp(err.detail, "max_bound_ns") == 0);
	CHECK(clockbound_open_options(&old, &err) == NULL);
	CHECK(strcmp(err.detail, "max_age_ns") == 0);
	CHECK(clockbound_open_options(&later, &err) == NULL);
	CHECK(strcmp(err.detail, "zero") == 0);
	/* The default directory has none. */
	if (access(CB_SHM_DEFAULT_DIR, F_OK) == -1) {
		CHECK(clockbound_open_options(NULL, &err) == NULL);
		CHECK_EQ(err.sys_errno, ENOENT);
	}
}

static void
what_is_too_much_for_the_caller_is_unknown(void)
{
	clockbound_ctx *wide = open_with("shm0", MS(5), 0);
	clockbound_ctx *old = open_with("shm0", 0, S(3));
	clockbound_ctx *any = open_with("shm0", 0, 0);

	write_v2(0, MS(5) - 1000, 0, SYNC);
	CHECK_EQ(status_now(wide), SYNC);
	CHECK_EQ(status_now(wide), SYNC);
	write_v2(0, MS(5) + 1, 0, SYNC);
	CHECK_EQ(status_now(wide), U);
	CHECK_EQ(status_now(old), SYNC);
	write_v2(S(4), 1, 0, FREE);
	CHECK_EQ(status_now(wide), FREE);
	CHECK_EQ(status_now(old), U);
	CHECK_EQ(status_now(any), FREE);
	/* Too wide by what it has grown. */
	write_v2(S(4), MS(4), 1000000, SYNC);
	CHECK_EQ(status_now(wide), U);
	write_v2(S(4), MS(5) + 1, 0, DIS);
	CHECK_EQ(status_now(wide), DIS);
	CHECK_EQ(status_now(old), DIS);
	clockbound_close(wide);
	clockbound_close(old);
	clockbound_close(any);
}

/* The first trusted reading that is wider, or older, and the last one not. */
static void
no_fast_reading_is_beyond_the_limits(void)
{
	clockbound_ctx *wide = open_with("shm1", MS(3), 0);
	clockbound_ctx *old = open_with("shm1", 0, MS(20));
	bool was_trusted[2] = { false, false };
	clockbound_now_result now;
	struct cb_shm_bound b;
	struct cb_shm_v3 v3;
	uint64_t before;

again:
	v3 = counted_body_of(MS(1), 500000000, SYNC);
	CHECK_EQ(cb_shm_read_parse_v3(&v3, &b), CLOCKBOUND_ERR_NONE);
	cb_shm_write_v3(&writer, &v3);
	do {
		before = cb_counter_read() - v3.as_of_tsc;
		if (!CHECK(clockbound_now(wide, &now) == NULL))
			break;
		if (now.clock_status == SYNC) {
			was_trusted[0] = true;
			CHECK(clockbound_bound_ns(&now) <= MS(3));
		} else {
			CHECK_EQ(now.clock_status, U);
			CHECK(clockbound_bound_ns(&now) > MS(3));
		}
		if (!CHECK(clockbound_now(old, &now) == NULL))
			break;
		if (now.clock_status == SYNC) {
			was_trusted[1] = true;
			CHECK(cb_now_at_elapsed(&b.lines, before) <= MS(20));
		}
	} while (cb_now_at_elapsed(&b.lines, before) < MS(30) &&
	    test_failures == 0);
	/* We may have been stopped for all that time. */
	if (!(was_trusted[0] && was_trusted[1]) && test_failures == 0)
		goto again;
	CHECK_EQ(status_now(wide), U);
	CHECK_EQ(status_now(old), U);
	clockbound_close(wide);
	clockbound_close(old);
}

static void
what_was_read_comes_to_what_now_says(const char *path)
{
	clockbound_ctx *ctx = open_with(path, 0, 0);
	clockbound_now_result then, now[2];
	clockbound_reading reading;
	clockbound_segment seg;

	test_row = path;
	for (int i = 0; ctx != NULL && i < 1000; i++) {
		/* The coarse clock may go on in between: then again. */
		do {
			CHECK(clockbound_now(ctx, &now[0]) == NULL);
			CHECK(clockbound_read(ctx, &reading, &seg) == NULL);
			CHECK_EQ(clockbound_at(&seg, &reading, &then),
			    CLOCKBOUND_ERR_NONE);
			CHECK(clockbound_now(ctx, &now[1]) == NULL);
		} while (cb_ts_abs(clockbound_bound_ns(&now[0]) -
		    clockbound_bound_ns(&now[1])) > 1 && test_failures == 0);
		CHECK_EQ(then.clock_status, SYNC);
		CHECK(!cb_ts_is_before(&then.latest, &now[0].earliest));
		if (!CHECK(cb_ts_ns(&then.earliest) >=
		    cb_ts_ns(&now[0].earliest) - 1 &&
		    cb_ts_ns(&then.latest) <= cb_ts_ns(&now[1].latest) + 1))
			break;
	}
	test_row = "";
	clockbound_close(ctx);
}

static void
what_is_read_has_the_status_that_the_vmclock_leaves(void)
{
	struct cb_vmclock_abi abi = { .magic = htole32(CB_VMCLOCK_MAGIC),
		.size = htole32(sizeof(abi)),
		.version = htole16(CB_VMCLOCK_VERSION),
		.disruption_marker = htole64(7) };
	struct cb_shm_v2 v2 = body_of(mono_now(), MS(1), 0, SYNC);
	clockbound_ctx *ctx = open_with("shm0", 1, 0);
	clockbound_now_result now;
	clockbound_reading reading;
	clockbound_segment seg;

	v2.disruption_support = 1;
	CHECK(cb_vmclock_create("vmclock", &abi));
	for (uint64_t marker = 6; ctx != NULL && marker < 8; marker++) {
		v2.disruption_marker = marker;
		cb_shm_write(&writer, &v2);
		CHECK(clockbound_read(ctx, &reading, &seg) == NULL);
		CHECK_EQ(clockbound_at(&seg, &reading, &now),
		    CLOCKBOUND_ERR_NONE);
		/* The limits have no say. */
		CHECK_EQ(now.clock_status, marker == 7 ? SYNC : U);
	}
	clockbound_close(ctx);
	unlink("vmclock");
}

static void
arithmetic_refuses_what_the_reader_refuses(void)
{
	clockbound_ctx *ctx = open_with("shm0", 0, 0);
	/* That no clock shows. */
	static const struct timespec odd[] = {
		{ 0, -1 }, { 0, 1000000000 }, { 0, LONG_MAX },
		/* A time_t of 32 bits holds neither. */
		{ (time_t)(CB_TS_MAX_S + 1), -(sizeof(time_t) < 8) },
		{ (time_t)(-CB_TS_MAX_S - 1), -(sizeof(time_t) < 8) }
	};
	clockbound_reading reading, bent;
	clockbound_now_result now;
	clockbound_segment good, bad;
	struct cb_shm_header h;

	write_v2(0, MS(1), 0, SYNC);
	CHECK(clockbound_read(ctx, &reading, &good) == NULL);
	CHECK_EQ(clockbound_at(&good, &reading, &now), CLOCKBOUND_ERR_NONE);
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		bent = reading;
		bent.mono = odd[i];
		CHECK_EQ(clockbound_at(&good, &bent, &now),
		    CLOCKBOUND_ERR_CAUSALITY_BREACH);
		bent = reading;
		bent.real = odd[i];
		CHECK_EQ(clockbound_at(&good, &bent, &now),
		    CLOCKBOUND_ERR_CAUSALITY_BREACH);
	}
	reading.mono.tv_sec -= 3600;
	CHECK_EQ(clockbound_at(&good, &reading, &now),
	    CLOCKBOUND_ERR_CAUSALITY_BREACH);
	bad = good;
	bad.bytes[0]++;
	CHECK_EQ(clockbound_at(&bad, &reading, &now),
	    CLOCKBOUND_ERR_SEGMENT_NOT_INITIALIZED);
	for (uint16_t generation = 0; generation < 2; generation++) {
		bad = good;
		memcpy(&h, &bad, sizeof(h));
		h.generation = generation;
		memcpy(&bad, &h, sizeof(h));
		CHECK_EQ(clockbound_at(&bad, &reading, &now),
		    CLOCKBOUND_ERR_SEGMENT_NOT_INITIALIZED);
	}
	memcpy(&h, &good, sizeof(h));
	h.version = 9;
	memcpy(&bad, &h, sizeof(h));
	CHECK_EQ(clockbound_at(&bad, &reading, &now),
	    CLOCKBOUND_ERR_SEGMENT_VERSION_NOT_SUPPORTED);
	memcpy(&h, &good, sizeof(h));
	h.segsize = 129;
	memcpy(&bad, &h, sizeof(h));
	CHECK_EQ(clockbound_at(&bad, &reading, &now),
	    CLOCKBOUND_ERR_SEGMENT_MALFORMED);
	clockbound_close(ctx);
}

/*
 * Commit wait.
 */
static struct timespec
real_in(int64_t ns)
{
	return ts_of(cb_ts_clock(CLOCK_REALTIME) + ns);
}

static void
check_error(const clockbound_err *err, int sys_errno)
{
	if (CHECK(err != NULL)) {
		CHECK_EQ(err->kind, CLOCKBOUND_ERR_SYSCALL);
		CHECK_EQ(err->sys_errno, sys_errno);
		CHECK(strcmp(err->detail, "clockbound_wait_until") == 0);
	}
}

static void
wait_ends_when_the_time_has_passed_for_certain(void)
{
	clockbound_ctx *ctx = open_with("shm0", 0, 0);
	struct timespec t, deadline;
	clockbound_now_result now;

	write_v2(0, MS(30), 0, SYNC);
	t = real_in(0);
	CHECK(clockbound_wait_until(ctx, &t, NULL, &now) == NULL);
	CHECK(clockbound_after(&now, &t));
	CHECK(cb_ts_clock(CLOCK_REALTIME) >= cb_ts_ns(&t) + MS(30));

	/* A deadline that comes first; one that is over. */
	t = real_in(S(3600));
	for (int i = 0; i < 2; i++) {
		int64_t end = cb_ts_clock(CLOCK_MONOTONIC) +
		    (i == 0 ? MS(20) : -S(1));

		deadline = ts_of(end);
		check_error(clockbound_wait_until(ctx, &t, &deadline, &now),
		    ETIMEDOUT);
		CHECK(!clockbound_after(&now, &t));
		CHECK(cb_ts_clock(CLOCK_MONOTONIC) >= end);
	}
	/* What is not to be trusted never passes anything. */
	write_v2(0, 0, 0, DIS);
	t = ts_of(0);
	deadline = ts_of(cb_ts_clock(CLOCK_MONOTONIC) + MS(20));
	check_error(clockbound_wait_until(ctx, &t, &deadline, &now),
	    ETIMEDOUT);
	CHECK(!clockbound_after(&now, &t));
	CHECK_EQ(now.clock_status, DIS);
	clockbound_close(ctx);
}

/* Until the deadline they may pass. */
static void
wait_tells_of_errors(void)
{
	static const struct timespec odd[] = {
		{ 0, -1 }, { 0, 1000000000 }, { LONG_MIN, LONG_MAX },
		{ LONG_MAX, LONG_MIN }
	};
	clockbound_ctx *ctx = open_with("shm0", 0, 0);
	struct timespec t = real_in(S(3600)), never = { LONG_MAX, 0 };
	struct timespec past = { LONG_MIN, 0 }, deadline;
	const clockbound_err *err;
	clockbound_now_result now;

	write_v2(0, -1, 0, SYNC);
	deadline = ts_of(cb_ts_clock(CLOCK_MONOTONIC) + MS(20));
	err = clockbound_wait_until(ctx, &t, &deadline, &now);
	CHECK(err != NULL && err->kind == CLOCKBOUND_ERR_SEGMENT_MALFORMED);
	CHECK(cb_ts_clock(CLOCK_MONOTONIC) >= cb_ts_ns(&deadline));
	write_v2(0, 0, 0, SYNC);
	check_error(clockbound_wait_until(ctx, &never, &past, &now),
	    ETIMEDOUT);
	CHECK(clockbound_wait_until(ctx, &past, &never, &now) == NULL);
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		check_error(clockbound_wait_until(ctx, &odd[i], &past, &now),
		    EINVAL);
		check_error(clockbound_wait_until(ctx, &past, &odd[i], &now),
		    EINVAL);
	}
	clockbound_close(ctx);
}

static void
do_nothing(int number)
{
	(void)number;
}

static void
wait_ends_when_a_signal_is_caught(void)
{
	const struct sigaction act = { .sa_handler = do_nothing,
		.sa_flags = SA_RESTART };
	const struct timespec pause = { .tv_nsec = 1000000 };
	clockbound_ctx *ctx = open_with("shm0", 0, 0);
	struct timespec t = real_in(S(3600));
	pid_t parent = getpid(), pid;
	clockbound_now_result now;

	write_v2(0, 0, 0, SYNC);
	CHECK(sigaction(SIGUSR1, &act, NULL) == 0);
	pid = fork();
	if (pid == 0)
		while (getppid() == parent) {
			kill(parent, SIGUSR1);
			nanosleep(&pause, NULL);
		}
	check_error(clockbound_wait_until(ctx, &t, NULL, &now), EINTR);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	signal(SIGUSR1, SIG_DFL);
	clockbound_close(ctx);
}

/*
 * A context that threads share.  A segment's status follows from its bound, so
 * that a torn answer shows, and so does one of two files.
 */
/* More than there are copies, so that some are stopped with every one. */
#define THREADS		100
#define SHARED_NS	S(3)

static atomic_bool is_over;
static atomic_long readings, contradictions;

static void *
read_on(void *arg)
{
	clockbound_now_result now;
	long n = 0, wrong = 0;
	int64_t bound;

	for (; !atomic_load(&is_over); n++) {
		if (clockbound_now(arg, &now) != NULL) {
			wrong++;
			continue;
		}
		/* Bounds are k * 1.001 s: what they have grown is less. */
		bound = clockbound_bound_ns(&now);
		/* A new file, before it is written to. */
		if (now.clock_status == U && bound > S(86400))
			continue;
		if (now.clock_status != SYNC && now.clock_status != FREE)
			wrong++;
		else if ((now.clock_status == SYNC) !=
		    (bound / S(1) % 2 == 0) || bound % S(1) > MS(200))
			wrong++;
	}
	atomic_fetch_add(&readings, n);
	atomic_fetch_add(&contradictions, wrong);
	return NULL;
}

static void
write_pair(int64_t k, bool v3)
{
	clockbound_clock_status status = k % 2 == 0 ? SYNC : FREE;
	struct cb_shm_v3 body = counted_body_of(k * MS(1001),
	    1000, status);

	write_v2(0, k * MS(1001), 1000, status);
	if (!v3)
		body.clock_status = U;
	cb_shm_write_v3(&writer, &body);
}

/* Others find another file by that name: its readers go on with it. */
static void
replace_files(void)
{
	pid_t holder;
	const char *what;

	cb_shm_write_close(&writer);
	/* Of two names it is not written on. */
	CHECK(link("shm0", "old0") == 0);
	CHECK(CB_COUNTER_ID == CB_COUNTER_INVALID ||
	    link("shm1", "old1") == 0);
	CHECK(cb_shm_write_open(&writer, ".", &what, &holder));
	unlink("old0");
	unlink("old1");
}

/* Those of its threads that were in a call are not there in a child. */
static void
read_in_a_child(clockbound_ctx *ctx)
{
	clockbound_now_result now;
	int status = -1;
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		for (int i = 0; i < 100; i++)
			if (clockbound_now(ctx, &now) != NULL)
				_exit(1);
		_exit(0);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK_EQ(status, 0);
}

/* As those with a context of their own; what was read comes to the same. */
static void
threads_that_share_are_told_of_errors(void)
{
	const clockbound_options o = { .shm_path = "shm0", .shared = 1 };
	clockbound_ctx *ctx = clockbound_open_options(&o, NULL);
	const clockbound_err *err[2];
	clockbound_now_result now;
	clockbound_reading reading;
	clockbound_segment seg;

	if (!CHECK(ctx != NULL))
		return;
	write_v2(0, MS(1), 0, SYNC);
	CHECK(clockbound_read(ctx, &reading, &seg) == NULL);
	CHECK_EQ(clockbound_at(&seg, &reading, &now), CLOCKBOUND_ERR_NONE);
	CHECK_EQ(clockbound_bound_ns(&now), MS(1));
	write_v2(0, -1, 0, SYNC);
	err[0] = clockbound_now(ctx, &now);
	CHECK(err[0] != NULL &&
	    err[0]->kind == CLOCKBOUND_ERR_SEGMENT_MALFORMED);
	write_v2(-S(3600), 0, 0, SYNC);
	err[1] = clockbound_read(ctx, &reading, &seg);
	CHECK(err[1] != NULL &&
	    err[1]->kind == CLOCKBOUND_ERR_CAUSALITY_BREACH);
	/* It does not change under whoever looks at it. */
	CHECK_EQ(err[0]->kind, CLOCKBOUND_ERR_SEGMENT_MALFORMED);
	clockbound_close(ctx);
}

static void
threads_share_a_context(void)
{
	const clockbound_options o = { .shm_path = ".",
		.vmclock_path = "vmclock", .shared = 1 };
	int64_t end = mono_now() + SHARED_NS, replace = mono_now() + S(1);
	const struct timespec pause = { .tv_nsec = 50000 };
	pthread_t threads[THREADS];
	clockbound_ctx *ctx;
	int64_t k = 0;

	write_pair(0, true);
	ctx = clockbound_open_options(&o, NULL);
	if (!CHECK(ctx != NULL))
		return;
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, read_on, ctx), 0);
	for (; mono_now() < end; k = (k + 1) % 50) {
		if (mono_now() > replace) {
			replace += S(1);
			replace_files();
		}
		/* Now and then shm0 has to stand in. */
		write_pair(k, k < 30);
		if (k == 7)
			read_in_a_child(ctx);
		nanosleep(&pause, NULL);
	}
	atomic_store(&is_over, true);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	clockbound_close(ctx);
	CHECK(atomic_load(&readings) > 1000);
	CHECK_EQ(atomic_load(&contradictions), 0);
}

int
main(void)
{
	char dir[] = "/tmp/cb-library.XXXXXX";
	const char *what;
	pid_t holder;

	alarm(120);
	bound_is_half_the_width_rounded_up();
	questions_are_answered_by_trusted_intervals_only();
	errors_and_statuses_have_names();
	if (!CHECK(mkdtemp(dir) != NULL) || !CHECK(chdir(dir) == 0) ||
	    !CHECK(cb_shm_write_open(&writer, ".", &what, &holder)))
		return test_done();
	options_that_mean_nothing_are_refused();
	what_is_too_much_for_the_caller_is_unknown();
	arithmetic_refuses_what_the_reader_refuses();
	write_v2(0, MS(1), 0, SYNC);
	what_was_read_comes_to_what_now_says("shm0");
	what_is_read_has_the_status_that_the_vmclock_leaves();
	wait_ends_when_the_time_has_passed_for_certain();
	wait_tells_of_errors();
	wait_ends_when_a_signal_is_caught();
	if (CB_COUNTER_ID != CB_COUNTER_INVALID) {
		struct cb_shm_v3 v3 = counted_body_of(MS(1), 0, SYNC);

		cb_shm_write_v3(&writer, &v3);
		what_was_read_comes_to_what_now_says("shm1");
		no_fast_reading_is_beyond_the_limits();
	}
	threads_that_share_are_told_of_errors();
	threads_share_a_context();
	cb_shm_write_close(&writer);
	unlink("shm0");
	unlink("shm1");
	unlink("lock");
	CHECK(rmdir(dir) == 0);
	return test_done();
}
