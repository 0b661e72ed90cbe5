/* SPDX-License-Identifier: ISC */
/*
 * Reads the segments as a program does, so many times, while their writer
 * never rests: none may be made of two writes.
 *
 * usage: torn DIR READS
 *
 * Out comes "reads N, copies N, writes N, torn N": a read that finds a write
 * under way four times answers from the copy before.  The exit status is 0
 * where none was torn.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <err.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bodies.h"

/* Reads of a segment until it is the next one's turn. */
#define TURN	10000
/* No reader may be stopped for 32767 writes: seqlock.h. */
#define LAP	10000

struct shared {
	_Atomic int64_t reads;
	char apart[120];
	_Atomic int64_t writes;
};

static struct shared *shared;

static int64_t
get(_Atomic int64_t *from)
{
	return atomic_load_explicit(from, memory_order_relaxed);
}

static void
set(_Atomic int64_t *to, int64_t value)
{
	atomic_store_explicit(to, value, memory_order_relaxed);
}

static void
open_writer(struct cb_shm_writer *w, const char *dir)
{
	const char *what;
	pid_t holder;

	if (!cb_shm_write_open(w, dir, &what, &holder) ||
	    !cb_shm_write_open_v1(w, &what))
		err(1, "%s: cannot %s", dir, what);
	bodies_write(w, 1);
}

static void
write_for_ever(struct cb_shm_writer *w)
{
	int64_t n = 1, seen = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		/* The period of 0 is none. */
		n = n == BODIES_END - 1 ? 1 : n + 1;
		bodies_write(w, n);
		set(&shared->writes, get(&shared->writes) + 1);
		if (n % LAP != 0)
			continue;
		while (get(&shared->reads) == seen)
			sched_yield();
		seen = get(&shared->reads);
	}
}

static void
open_reader(struct cb_shm_reader *r, const char *dir, const char *name)
{
	clockbound_err error;
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (!cb_shm_read_open(r, path, &error))
		errx(1, "%s: error kind %d", path, (int)error.kind);
}

/* So many of its reads are torn. */
static int64_t
read_turn(struct cb_shm_reader *r, int64_t *reads, int64_t *copies)
{
	int64_t torn = 0;
	uint16_t before;

	for (int i = 0; i < TURN; i++) {
		before = r->generation;
		set(&shared->reads, ++*reads);
		/* Only the first may find nothing at all. */
		if (cb_shm_read(r) != CLOCKBOUND_ERR_NONE)
			torn += before != 0;
		else
			torn += bodies_read(r) == -1;
		*copies += r->generation != before;
	}
	return torn;
}

int
main(int argc, char *argv[])
{
	struct cb_shm_reader readers[BODIES_N];
	int64_t wanted, reads = 0, copies = 0, torn = 0;
	struct cb_shm_writer w;
	pid_t writer;

	if (argc != 3)
		errx(2, "usage: torn DIR READS");
	wanted = strtoll(argv[2], NULL, 10);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		err(1, "mmap");
	open_writer(&w, argv[1]);
	for (size_t i = 0; i < BODIES_N; i++)
		open_reader(&readers[i], argv[1], bodies_names[i]);
	writer = fork();
	if (writer == -1)
		err(1, "fork");
	if (writer == 0)
		write_for_ever(&w);
	while (reads < wanted)
		for (size_t i = 0; i < BODIES_N; i++)
			torn += read_turn(&readers[i], &reads, &copies);
	kill(writer, SIGKILL);
	waitpid(writer, NULL, 0);
	printf("reads %lld, copies %lld, writes %lld, torn %lld\n",
	    (long long)reads, (long long)copies,
	    (long long)get(&shared->writes), (long long)torn);
	return torn != 0;
}
