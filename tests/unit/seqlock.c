/* SPDX-License-Identifier: ISC */
/*
 * No reader ever takes a torn body for a whole one.  First step by step: a
 * page that faults stops a write or a read at a chosen word, and a look is
 * taken at the generation there.  Then by chance: readers beside a writer that
 * never rests, and beside writers that are killed.  On a machine that does not
 * reorder what it does, none of this misses a fence: order.c does.
 */
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "seqlock.h"
#include "test.h"

#define WORDS		16

/*
 * Body words are all made of one counter, so that a copy shows if it is torn.
 */
static void
make_body(uint32_t *words, uint32_t counter)
{
	for (uint32_t i = 0; i < WORDS; i++)
		words[i] = counter ^ i * UINT32_C(0x9e3779b9);
}

static bool
is_whole(const uint32_t *words)
{
	uint32_t whole[WORDS];

	make_body(whole, words[0]);
	return memcmp(words, whole, sizeof(whole)) == 0;
}

static void
generation_counts_writes_and_skips_zero(void)
{
	static const struct {
		uint16_t before, after;
	} rows[] = {
		{ 0, 2 }, { 2, 4 }, { 4, 6 }, { 256, 258 },
		{ 65532, 65534 }, { 65534, 2 },
		/* Left odd by a writer that died: taken over, not doubled. */
		{ 1, 2 }, { 3, 4 }, { 65533, 65534 }, { 65535, 2 }
	};
	uint32_t from[WORDS], to[WORDS + 1];
	_Atomic uint32_t body[WORDS + 1];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_Atomic uint16_t generation = rows[i].before;
		uint16_t seen = 0;

		make_body(from, (uint32_t)i + 1000);
		atomic_init(&body[WORDS], 7);
		to[WORDS] = 8;
		cb_seqlock_write(&generation, body, from, WORDS);
		CHECK_EQ(generation, rows[i].after);
		CHECK(cb_seqlock_read(&generation, body, to, WORDS, &seen));
		CHECK_EQ(seen, rows[i].after);
		CHECK(memcmp(to, from, sizeof(from)) == 0);
		CHECK_EQ(body[WORDS], 7);
		CHECK_EQ(to[WORDS], 8);
		CHECK(cb_seqlock_is_current(&generation, seen));
		CHECK(!cb_seqlock_is_current(&generation, rows[i].before));
	}
}

static void
unwritten_or_half_written_is_never_read(void)
{
	static const uint16_t generations[] = { 0, 1, 3, 65533, 65535 };
	_Atomic uint32_t body[WORDS] = { 0 };
	uint32_t to[WORDS];

	for (size_t i = 0; i < sizeof(generations) / sizeof(uint16_t); i++) {
		_Atomic uint16_t generation = generations[i];
		uint16_t seen = 12;

		CHECK(!cb_seqlock_read(&generation, body, to, WORDS, &seen));
		CHECK_EQ(seen, 12);
	}
}

/*
 * A body across two pages, which fault on the first touch.
 */
static struct {
	_Atomic uint16_t generation;
	uint16_t at_fault;	/* what a write leaves it to: 0 not at all */
	uint16_t seen[2];	/* at the fault of either page */
	volatile int faults;
	char *pages;
	size_t page_size;
} trap;

/* A write or read has come as far as this page: look, and let it go on. */
static void
spring(int sig, siginfo_t *info, void *context)
{
	char *page = (char *)info->si_addr < trap.pages + trap.page_size ?
	    trap.pages : trap.pages + trap.page_size;

	(void)context;
	if ((char *)info->si_addr < trap.pages ||
	    (char *)info->si_addr >= trap.pages + 2 * trap.page_size ||
	    mprotect(page, trap.page_size, PROT_READ | PROT_WRITE) == -1) {
		signal(sig, SIG_DFL);
		return;
	}
	trap.seen[page != trap.pages] = trap.generation;
	trap.faults++;
	if (trap.at_fault != 0 && page != trap.pages)
		trap.generation = trap.at_fault;
}

static _Atomic uint32_t *
set_trap(uint16_t generation, uint16_t at_fault)
{
	trap.generation = generation;
	trap.at_fault = at_fault;
	trap.faults = 0;
	CHECK(mprotect(trap.pages, 2 * trap.page_size, PROT_NONE) == 0);
	return (_Atomic uint32_t *)(void *)(trap.pages + trap.page_size -
	    WORDS / 2 * sizeof(uint32_t));
}

static void
body_is_written_under_an_odd_generation(void)
{
	static const struct {
		uint16_t before, during, after;
	} rows[] = {
		{ 0, 1, 2 }, { 2, 3, 4 }, { 3, 3, 4 }, { 65534, 65535, 2 },
		{ 65535, 65535, 2 }
	};
	uint32_t from[WORDS];

	make_body(from, 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cb_seqlock_write(&trap.generation,
		    set_trap(rows[i].before, 0), from, WORDS);
		CHECK_EQ(trap.faults, 2);
		CHECK_EQ(trap.seen[0], rows[i].during);
		CHECK_EQ(trap.seen[1], rows[i].during);
		CHECK_EQ(trap.generation, rows[i].after);
	}
}

static void
copy_is_refused_when_a_write_came_in_between(void)
{
	/* The writer is still at it, is done, and has gone all around. */
	static const struct {
		uint16_t before, meanwhile;
	} rows[] = {
		{ 2, 3 }, { 2, 4 }, { 4, 2 }, { 65534, 65535 }, { 65534, 2 }
	};
	uint32_t to[WORDS];
	uint16_t seen = 12;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CHECK(!cb_seqlock_read(&trap.generation,
		    set_trap(rows[i].before, rows[i].meanwhile), to, WORDS,
		    &seen));
		CHECK_EQ(trap.faults, 2);
		CHECK_EQ(seen, 12);
	}
	CHECK(cb_seqlock_read(&trap.generation, set_trap(6, 0), to, WORDS,
	    &seen));
	CHECK_EQ(trap.faults, 2);
	CHECK_EQ(seen, 6);
}

static void
step_by_step(void)
{
	struct sigaction sa = { .sa_flags = SA_SIGINFO }, old_segv, old_bus;

	sa.sa_sigaction = spring;
	trap.page_size = (size_t)sysconf(_SC_PAGESIZE);
	trap.pages = mmap(NULL, 2 * trap.page_size, PROT_NONE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!CHECK(trap.pages != MAP_FAILED))
		return;
	sigaction(SIGSEGV, &sa, &old_segv);
	sigaction(SIGBUS, &sa, &old_bus);
	body_is_written_under_an_odd_generation();
	copy_is_refused_when_a_write_came_in_between();
	sigaction(SIGSEGV, &old_segv, NULL);
	sigaction(SIGBUS, &old_bus, NULL);
	munmap(trap.pages, 2 * trap.page_size);
}

#define READERS		2
/* Copies that each reader accepts, and how many of them are to be new. */
#define ACCEPT		1000000
#define CHANGED		1000
#define KILLS		200
/* Killed between two words, or nothing was tried. */
#define KILLS_AMID	20
/*
 * A reader that is stopped in the middle of a copy for just 32767 writes takes
 * the generation to be the same.  Those are an hour of a daemon's; we make
 * sure that no reader sleeps through more than this many.
 */
#define LAP		1000
/* Copies of one body in a row until a reader lets others run. */
#define STALE		100

/* What all processes share. */
struct shared {
	_Atomic uint16_t generation;
	_Atomic uint32_t body[WORDS];
	_Atomic uint32_t written;
	_Atomic uint32_t tries[READERS];
	_Atomic bool done[READERS];
	_Atomic bool stop;
	_Atomic uint32_t accepted[READERS];
	_Atomic uint32_t changed[READERS];	/* accepted, and new */
	_Atomic uint32_t torn;
	_Atomic uint32_t backwards;
};

/* Until every reader has begun a new copy. */
static void
wait_for_readers(struct shared *s, size_t readers)
{
	for (size_t i = 0; i < readers; i++) {
		uint32_t tries = s->tries[i];

		while (s->tries[i] == tries && !s->done[i])
			sched_yield();
	}
}

static void
write_for_ever(struct shared *s, size_t readers)
{
	uint32_t words[WORDS];

	for (uint32_t n = 1;; n++) {
		make_body(words, s->written + 1);
		cb_seqlock_write(&s->generation, s->body, words, WORDS);
		s->written++;
		if (n % LAP == 0)
			wait_for_readers(s, readers);
	}
}

static void
read_until_enough(struct shared *s, size_t self, uint32_t enough)
{
	uint32_t words[WORDS], last = 0, same = 0;
	uint16_t seen;

	while ((s->accepted[self] < enough || s->changed[self] < CHANGED) &&
	    !s->stop) {
		s->tries[self]++;
		if (same > STALE || !cb_seqlock_read(&s->generation, s->body,
		    words, WORDS, &seen)) {
			same = 0;
			sched_yield();
			continue;
		}
		s->accepted[self]++;
		if (!is_whole(words))
			s->torn++;
		else if ((int32_t)(words[0] - last) < 0)
			s->backwards++;
		same = words[0] == last ? same + 1 : 0;
		s->changed[self] += same == 0;
		last = words[0];
	}
	s->done[self] = true;
}

static struct shared *
share(void)
{
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return CHECK(s != MAP_FAILED) ? s : NULL;
}

/*
 * One that dies after kill_us by a signal that it does not see, whatever it is
 * at then; 0: one that goes on.
 */
static pid_t
start_writer(struct shared *s, size_t readers, int kill_us)
{
	struct itimerval death = { .it_value = { .tv_usec = kill_us } };
	pid_t pid = fork();

	if (pid == 0) {
		if (kill_us == 0)
			death.it_value.tv_sec = 30;
		setitimer(ITIMER_REAL, &death, NULL);
		write_for_ever(s, readers);
	}
	return pid;
}

static pid_t
start_reader(struct shared *s, size_t self, uint32_t enough)
{
	pid_t pid = fork();

	if (pid == 0) {
		alarm(30);
		read_until_enough(s, self, enough);
		_exit(0);
	}
	return pid;
}

static bool
has_ended_well(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	    WEXITSTATUS(status) == 0;
}

static void
no_copy_is_torn_beside_a_writer_that_never_rests(void)
{
	struct shared *s = share();
	pid_t writer, readers[READERS];

	if (s == NULL)
		return;
	for (size_t i = 0; i < READERS; i++)
		CHECK((readers[i] = start_reader(s, i, ACCEPT)) > 0);
	CHECK((writer = start_writer(s, READERS, 0)) > 0);
	for (size_t i = 0; i < READERS; i++)
		CHECK(has_ended_well(readers[i]));
	kill(writer, SIGKILL);
	waitpid(writer, NULL, 0);
	CHECK_EQ(s->torn, 0);
	CHECK_EQ(s->backwards, 0);
	for (size_t i = 0; i < READERS; i++) {
		CHECK(s->accepted[i] >= ACCEPT);
		CHECK(s->changed[i] >= CHANGED);
	}
	munmap(s, sizeof(*s));
}

/* What a writer left is never read, and the next one begins where it ended. */
static void
take_over(struct shared *s, uint32_t counter)
{
	uint32_t words[WORDS], copy[WORDS];
	uint16_t left = s->generation, seen;

	if (left % 2 == 1)
		CHECK(!cb_seqlock_read(&s->generation, s->body, copy, WORDS,
		    &seen));
	make_body(words, counter);
	cb_seqlock_write(&s->generation, s->body, words, WORDS);
	CHECK_EQ(s->generation, left >= 65534 ? 2 : left + 2 - left % 2);
	CHECK(cb_seqlock_read(&s->generation, s->body, copy, WORDS, &seen));
	CHECK(memcmp(copy, words, sizeof(words)) == 0);
}

static void
no_copy_is_torn_after_a_writer_was_killed(void)
{
	struct shared *s = share();
	unsigned random = 12345, kills = 0, amid = 0;
	pid_t reader, writer;
	int status;

	if (s == NULL)
		return;
	CHECK((reader = start_reader(s, 0, UINT32_MAX)) > 0);
	while (kills < KILLS || (amid < KILLS_AMID && kills < 10 * KILLS)) {
		random = random * 1103515245 + 12345;
		/* A machine may be too slow for it to begin so soon. */
		writer = start_writer(s, 1, 1 + (int)(random >> 16) %
		    (kills < KILLS ? 500 : 5000));
		if (!CHECK(waitpid(writer, &status, 0) == writer &&
		    WIFSIGNALED(status)))
			break;
		kills++;
		amid += s->generation % 2;
		/* One write may not have been counted any more. */
		s->written += 2;
		take_over(s, s->written);
		wait_for_readers(s, 1);
	}
	/* An emulator may let a write end before it heeds a signal. */
	if (amid == 0)
		test_skip("no writer was killed amid a write");
	else
		CHECK(amid >= KILLS_AMID);
	s->stop = true;
	CHECK(has_ended_well(reader));
	CHECK(s->changed[0] >= KILLS / 10);
	CHECK_EQ(s->torn, 0);
	CHECK_EQ(s->backwards, 0);
	munmap(s, sizeof(*s));
}

int
main(void)
{
	/* Whoever started us may have ignored it; our children rely on it. */
	signal(SIGALRM, SIG_DFL);
	alarm(30);
	generation_counts_writes_and_skips_zero();
	unwritten_or_half_written_is_never_read();
	step_by_step();
	no_copy_is_torn_beside_a_writer_that_never_rests();
	no_copy_is_torn_after_a_writer_was_killed();
	return test_done();
}
