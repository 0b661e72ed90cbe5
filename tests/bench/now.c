/* SPDX-License-Identifier: ISC */
/*
 * What clockbound_now() costs beside clock_gettime(CLOCK_REALTIME): batches of
 * the one and of the other take turns on one processor; then again while a
 * writer on another one publishes 1000 times a second.
 *
 * usage: now DIR	an empty run directory, left as one
 *
 * Out come lines "NAME VALUE": medians over the batches of nanoseconds a
 * call, and how often the writer wrote each second.
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include <err.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "clockbound.h"
#include "counter.h"
#include "shm.h"
#include "ts.h"

/* A batch is longer than the writer's pause: each has its share of writes. */
#define BATCH_CALLS	50000
#define BATCHES		400
#define PAUSE_NS	1000000

static int64_t
read_clock(clockid_t id)
{
	struct timespec ts;

	if (clock_gettime(id, &ts) == -1)
		err(1, "clock_gettime");
	return cb_ts_ns(&ts);
}

static void
publish_v3(struct cb_shm_writer *w)
{
	int64_t as_of = read_clock(CLOCK_REALTIME);
	/* 0.4 ns: how long a tick is has no say in what a reading costs. */
	struct cb_shm_v3 v3 = {
		.as_of_tsc = cb_counter_read(),
		.as_of_s = as_of / CB_NS_PER_S,
		.as_of_ns = as_of % CB_NS_PER_S,
		.void_after_s = as_of / CB_NS_PER_S + CB_SHM_VOID_AFTER_S,
		.period_frac = UINT64_C(0xdbe6fecebdedd5be),
		.period_shift = 31,
		.bound_ns = 123456,
		.max_drift_ppb = 50000,
		.clock_status = CLOCKBOUND_STA_SYNCHRONIZED
	};

	cb_shm_write_v3(w, &v3);
}

static void
publish(struct cb_shm_writer *w)
{
	int64_t as_of = read_clock(CLOCK_MONOTONIC_COARSE);
	struct cb_shm_v2 v2 = {
		.as_of_s = as_of / CB_NS_PER_S,
		.as_of_ns = as_of % CB_NS_PER_S,
		.void_after_s = as_of / CB_NS_PER_S + CB_SHM_VOID_AFTER_S,
		.bound_ns = 123456,
		.max_drift_ppb = 50000,
		.clock_status = CLOCKBOUND_STA_SYNCHRONIZED
	};

	cb_shm_write(w, &v2);
	publish_v3(w);
}

/* The n-th processor that we may use, from 0; the last where n is too large. */
static void
pin_to(int n)
{
	static cpu_set_t allowed;
	cpu_set_t one;
	int cpu = -1;

	if (CPU_COUNT(&allowed) == 0 &&
	    sched_getaffinity(0, sizeof(allowed), &allowed) == -1)
		err(1, "sched_getaffinity");
	for (int i = 0; i < CPU_SETSIZE && n >= 0; i++)
		if (CPU_ISSET((size_t)i, &allowed)) {
			cpu = i;
			n--;
		}
	CPU_ZERO(&one);
	CPU_SET((size_t)cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one) == -1)
		err(1, "sched_setaffinity");
}

static pid_t
start_writer(struct cb_shm_writer *w, atomic_long *writes)
{
	int64_t next = read_clock(CLOCK_MONOTONIC);
	struct timespec ts;
	pid_t parent = getpid(), pid = fork();

	if (pid == -1)
		err(1, "fork");
	if (pid > 0)
		return pid;
	pin_to(0);
	while (getppid() == parent) {
		publish(w);
		atomic_fetch_add(writes, 1);
		next += PAUSE_NS;
		ts.tv_sec = (time_t)(next / CB_NS_PER_S);
		ts.tv_nsec = (long)(next % CB_NS_PER_S);
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
	}
	_exit(0);
}

static double
batch_of_now(clockbound_ctx *ctx)
{
	clockbound_now_result res;
	int64_t start = read_clock(CLOCK_MONOTONIC), ns;

	for (int i = 0; i < BATCH_CALLS; i++)
		if (clockbound_now(ctx, &res) != NULL)
			errx(1, "clockbound_now failed");
	ns = read_clock(CLOCK_MONOTONIC) - start;
	if (res.clock_status != CLOCKBOUND_STA_SYNCHRONIZED)
		errx(1, "clockbound_now: not synchronized");
	return (double)ns / BATCH_CALLS;
}

static double
batch_of_clock(void)
{
	struct timespec ts;
	int64_t start = read_clock(CLOCK_MONOTONIC);

	for (int i = 0; i < BATCH_CALLS; i++)
		if (clock_gettime(CLOCK_REALTIME, &ts) == -1)
			err(1, "clock_gettime");
	return (double)(read_clock(CLOCK_MONOTONIC) - start) / BATCH_CALLS;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	return values[n / 2];
}

/* Batches in turn; w writes between them unless another process does. */
static void
run(const char *name, clockbound_ctx *ctx, struct cb_shm_writer *w)
{
	static double now[BATCHES], real[BATCHES];

	for (int i = 0; i < BATCHES; i++) {
		if (w != NULL)
			publish(w);
		now[i] = batch_of_now(ctx);
		real[i] = batch_of_clock();
	}
	printf("now_%s_ns %.2f\n", name, median(now, BATCHES));
	printf("clock_%s_ns %.2f\n", name, median(real, BATCHES));
}

static void
run_with_writer(const char *name, clockbound_ctx *ctx,
    struct cb_shm_writer *w)
{
	atomic_long *writes = mmap(NULL, sizeof(*writes),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int64_t start = read_clock(CLOCK_MONOTONIC), ns;
	pid_t pid;

	if (writes == MAP_FAILED)
		err(1, "mmap");
	pid = start_writer(w, writes);
	run(name, ctx, NULL);
	ns = read_clock(CLOCK_MONOTONIC) - start;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	printf("writes_per_s %.0f\n",
	    (double)atomic_load(writes) * 1e9 / (double)ns);
}

/* By the clocks, shm0, or by the counter, shm1. */
static void
run_both(struct cb_shm_writer *w, const char *dir, const char *file,
    const char *alone, const char *written)
{
	clockbound_err error;
	clockbound_ctx *ctx;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	ctx = clockbound_open(path, &error);
	if (ctx == NULL)
		errx(1, "%s: error kind %d", path, (int)error.kind);
	run(alone, ctx, w);
	run_with_writer(written, ctx, w);
	clockbound_close(ctx);
}

int
main(int argc, char *argv[])
{
	struct cb_shm_writer w;
	const char *what;
	pid_t holder;

	if (argc != 2)
		errx(2, "usage: now DIR");
	if (!cb_shm_write_open(&w, argv[1], &what, &holder))
		err(1, "%s: cannot %s", argv[1], what);
	publish(&w);
	pin_to(CPU_SETSIZE);
	run_both(&w, argv[1], CB_SHM_V2_NAME, "alone", "written");
	if (w.v3.segment != NULL)
		run_both(&w, argv[1], CB_SHM_V3_NAME, "counter_alone",
		    "counter_written");
	unlinkat(w.dir_fd, CB_SHM_V2_NAME, 0);
	unlinkat(w.dir_fd, CB_SHM_V3_NAME, 0);
	unlinkat(w.dir_fd, "lock", 0);
	cb_shm_write_close(&w);
	return 0;
}
