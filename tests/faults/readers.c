/* SPDX-License-Identifier: ISC */
/*
 * A multitude that reads one run directory for life: so many processes, each
 * with so many contexts, none of which trusts a segment that is older than 2
 * seconds.
 *
 * usage: readers DIR VMCLOCK OFFSET_NS PROCESSES CONTEXTS
 *
 * True time is CLOCK_REALTIME + OFFSET_NS.  A round is over when the clock has
 * been synchronized to every context since it began; then "round N" comes out,
 * and the next one begins.  It ends at an interval that does not hold true
 * time.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <err.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "clockbound.h"
#include "ts.h"

#define MAX_AGE_NS	(2 * CB_NS_PER_S)
#define PAUSE_NS	INT64_C(200000000)

struct shared {
	atomic_int round;
	atomic_int done;	/* processes, with it */
};

static struct shared *shared;
static int64_t offset_ns;

static void
sleep_for(int64_t ns)
{
	nanosleep(&(struct timespec){ .tv_nsec = (long)ns }, NULL);
}

static clockbound_ctx **
open_all(char *argv[], size_t n)
{
	const clockbound_options options = { .shm_path = argv[1],
		.vmclock_path = argv[2], .max_age_ns = MAX_AGE_NS };
	clockbound_ctx **all = calloc(n, sizeof(*all));
	clockbound_err failed;

	if (all == NULL)
		err(1, "calloc");
	for (size_t i = 0; i < n; i++) {
		all[i] = clockbound_open_options(&options, &failed);
		if (all[i] == NULL)
			errx(1, "%s: error kind %d", argv[1],
			    (int)failed.kind);
	}
	return all;
}

static bool
is_synchronized(clockbound_ctx *ctx)
{
	int64_t before = cb_ts_clock(CLOCK_REALTIME) + offset_ns;
	clockbound_now_result now;

	if (clockbound_now(ctx, &now) != NULL ||
	    (now.clock_status != CLOCKBOUND_STA_SYNCHRONIZED &&
	    now.clock_status != CLOCKBOUND_STA_FREE_RUNNING))
		return false;
	if (cb_ts_ns(&now.earliest) > cb_ts_clock(CLOCK_REALTIME) + offset_ns ||
	    cb_ts_ns(&now.latest) < before)
		errx(1, "missed true time");
	return now.clock_status == CLOCKBOUND_STA_SYNCHRONIZED;
}

static void
read_for_ever(clockbound_ctx **all, size_t n)
{
	int done = 0, round;
	size_t i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;; sleep_for(PAUSE_NS)) {
		round = atomic_load(&shared->round);
		if (round == done)
			continue;
		for (i = 0; i < n && is_synchronized(all[i]); i++)
			;
		if (i < n)
			continue;
		done = round;
		atomic_fetch_add(&shared->done, 1);
	}
}

/* The first rounds of a process that is late are over without it. */
static void
tell_rounds(int processes)
{
	for (int round = 1;; round++) {
		atomic_store(&shared->done, 0);
		atomic_store(&shared->round, round);
		while (atomic_load(&shared->done) < processes) {
			if (waitpid(-1, NULL, WNOHANG) > 0)
				errx(1, "one has ended");
			sleep_for(PAUSE_NS / 20);
		}
		printf("round %d\n", round);
		fflush(stdout);
	}
}

int
main(int argc, char *argv[])
{
	int processes;
	size_t contexts;

	if (argc != 6)
		errx(2, "usage: readers DIR VMCLOCK OFFSET_NS PROCESSES "
		    "CONTEXTS");
	offset_ns = strtoll(argv[3], NULL, 10);
	processes = atoi(argv[4]);
	contexts = strtoul(argv[5], NULL, 10);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		err(1, "mmap");
	for (int i = 0; i < processes; i++)
		switch (fork()) {
		case -1:
			err(1, "fork");
		case 0:
			read_for_ever(open_all(argv, contexts), contexts);
		}
	tell_rounds(processes);
	return 0;
}
