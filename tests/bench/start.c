/* SPDX-License-Identifier: ISC */
/*
 * From a daemon's exec(2) to its first trusted segment, as a reader sees it.
 *
 * usage: start RUNS DIR DAEMON [ARG ...]
 *
 * DIR does not exist and is the DAEMON's run directory, made by it and
 * removed again RUNS times.  Out comes "start_ms VALUE", the median.
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "clockbound.h"
#include "shm.h"
#include "ts.h"

#define MAX_RUNS	1000
#define PATIENCE_NS	(5 * CB_NS_PER_S)

static int64_t
mono_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return cb_ts_ns(&ts);
}

/* The daemon says in *started when it was about to exec(2). */
static pid_t
start_daemon(char *argv[], volatile int64_t *started)
{
	pid_t pid = fork();
	int fd;

	if (pid == -1)
		err(1, "fork");
	if (pid > 0)
		return pid;
	fd = open("/dev/null", O_WRONLY);
	if (fd == -1 || dup2(fd, STDERR_FILENO) == -1)
		_exit(127);
	*started = mono_now();
	execv(argv[0], argv);
	_exit(127);
}

/* Never sleeps: the reader must not be later than the segment. */
static bool
is_trusted(clockbound_ctx **ctx, const char *dir)
{
	clockbound_now_result res;

	if (*ctx == NULL)
		*ctx = clockbound_open(dir, NULL);
	return *ctx != NULL && clockbound_now(*ctx, &res) == NULL &&
	    (res.clock_status == CLOCKBOUND_STA_SYNCHRONIZED ||
	    res.clock_status == CLOCKBOUND_STA_FREE_RUNNING);
}

static void
remove_run_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY);

	if (fd != -1) {
		unlinkat(fd, CB_SHM_V2_NAME, 0);
		unlinkat(fd, CB_SHM_V3_NAME, 0);
		unlinkat(fd, "lock", 0);
		close(fd);
	}
	if (rmdir(dir) == -1 && errno != ENOENT)
		err(1, "%s", dir);
}

static int64_t
time_one(const char *dir, char *argv[], volatile int64_t *started)
{
	clockbound_ctx *ctx = NULL;
	int64_t deadline = mono_now() + PATIENCE_NS, now;
	pid_t pid = start_daemon(argv, started);
	bool trusted;

	/* The daemon and chronyd may have to share this processor. */
	while (!(trusted = is_trusted(&ctx, dir)) && mono_now() < deadline)
		sched_yield();
	now = mono_now();
	clockbound_close(ctx);
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	remove_run_dir(dir);
	if (!trusted)
		errx(1, "%s: no trusted segment", argv[0]);
	return now - *started;
}

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

int
main(int argc, char *argv[])
{
	static int64_t ns[MAX_RUNS];
	int64_t *started;
	size_t runs;

	if (argc < 4)
		errx(2, "usage: start RUNS DIR DAEMON [ARG ...]");
	runs = strtoul(argv[1], NULL, 10);
	if (runs < 1 || runs > MAX_RUNS)
		errx(2, "%s: expected a number from 1 to %d", argv[1],
		    MAX_RUNS);
	started = mmap(NULL, sizeof(*started), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (started == MAP_FAILED)
		err(1, "mmap");
	for (size_t i = 0; i < runs; i++)
		ns[i] = time_one(argv[2], argv + 3, started);
	qsort(ns, runs, sizeof(ns[0]), compare);
	printf("start_ms %.3f\n", (double)ns[runs / 2] / 1e6);
	return 0;
}
