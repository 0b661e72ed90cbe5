/* SPDX-License-Identifier: ISC */
/*
 * The library as it is used: a writer of both segments that never rests, a
 * VMClock that is written to, and readers with contexts of their own.
 *
 * usage: stress threads|processes
 *
 * The current directory is an empty one, in which the files are left.
 *
 * As processes, the writer is killed again and again, and another one takes
 * over what it left.  As threads, for ThreadSanitizer, which sees neither other
 * processes nor that two mappings are one file: here all of a process share a
 * mapping of a file, and the writer closes and opens instead of dying.
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <endian.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit/segment.h"
#include "../unit/test.h"
#include "vmclock.h"

#define RUN		"run"
#define VMCLOCK		"vmclock"
#define MARKER		7
#define FILES		8
#define READERS		3
/* New snapshots that each reader is to take. */
#define ENOUGH		2000
/* Writers that are killed. */
#define KILLS		30
/* No reader may sleep through 32767 writes: seqlock.h. */
#define LAP		10000
#define RATES_PPB	1000
/* What an interval grows by in the longest sleep that there may be. */
#define GROWTH_NS	100000

/* Relaxed, all of it: nothing but the segments may put these in order. */
struct shared {
	_Atomic uint64_t written;
	_Atomic uint64_t calls[READERS];
	_Atomic uint64_t changed[READERS];
	_Atomic uint64_t wrong;
	_Atomic uint64_t stop;
};

struct worker {
	void (*work)(size_t);
	size_t self;
	pthread_t thread;
	pid_t pid;
};

static const char *const paths[READERS] = { RUN, RUN "/shm1", RUN "/shm0" };
static struct shared *shared;
static bool is_threaded;

static struct {
	dev_t dev;
	ino_t ino;
	void *map;
} files[FILES];
static pthread_mutex_t files_lock = PTHREAD_MUTEX_INITIALIZER;

void *__real_mmap(void *, size_t, int, int, int, off_t);
int __real_munmap(void *, size_t);
void *__wrap_mmap(void *, size_t, int, int, int, off_t);
int __wrap_munmap(void *, size_t);

/* The writers are first, so that what is mapped can be written to. */
void *
__wrap_mmap(void *at, size_t size, int prot, int flags, int fd, off_t offset)
{
	void *map = NULL;
	struct stat st;
	size_t i;

	if (!is_threaded || fd == -1 || fstat(fd, &st) == -1)
		return __real_mmap(at, size, prot, flags, fd, offset);
	pthread_mutex_lock(&files_lock);
	for (i = 0; i < FILES - 1 && files[i].map != NULL; i++)
		if (files[i].dev == st.st_dev && files[i].ino == st.st_ino)
			break;
	if (files[i].map == NULL) {
		files[i].dev = st.st_dev;
		files[i].ino = st.st_ino;
		files[i].map = __real_mmap(at, size, prot, flags, fd, offset);
	}
	map = files[i].map;
	pthread_mutex_unlock(&files_lock);
	return map;
}

int
__wrap_munmap(void *map, size_t size)
{
	return is_threaded ? 0 : __real_munmap(map, size);
}

static uint64_t
get(_Atomic uint64_t *from)
{
	return atomic_load_explicit(from, memory_order_relaxed);
}

static void
set(_Atomic uint64_t *to, uint64_t value)
{
	atomic_store_explicit(to, value, memory_order_relaxed);
}

/* Every reader has begun another call. */
static void
wait_for_readers(void)
{
	for (size_t i = 0; i < READERS; i++) {
		uint64_t calls = get(&shared->calls[i]);

		while (get(&shared->calls[i]) == calls && !get(&shared->stop))
			sched_yield();
	}
}

/* All of a body follows from n and from when it is written. */
static void
write_both(struct cb_shm_writer *w, uint64_t n)
{
	struct cb_shm_v2 v2 = body_of(mono_now(), (int64_t)n,
	    (uint32_t)(n % RATES_PPB), CLOCKBOUND_STA_SYNCHRONIZED);
	struct cb_shm_v3 v3 = counted_body_of((int64_t)n,
	    (uint32_t)(n % RATES_PPB), CLOCKBOUND_STA_SYNCHRONIZED);

	v2.disruption_marker = v3.disruption_marker = MARKER;
	v2.disruption_support = v3.disruption_support = 1;
	cb_shm_write_v3(w, &v3);
	cb_shm_write(w, &v2);
	set(&shared->written, n);
}

static bool
open_writer(struct cb_shm_writer *w)
{
	const char *what;
	pid_t holder;

	return CHECK(cb_shm_write_open(w, RUN, &what, &holder));
}

static void
write_segments(size_t self)
{
	struct cb_shm_writer w;
	/* One may have been written, and not counted any more. */
	uint64_t n = get(&shared->written) + 2;

	(void)self;
	if (!open_writer(&w))
		return;
	wait_for_readers();
	for (; !get(&shared->stop); n++) {
		write_both(&w, n);
		if (n % LAP != 0)
			continue;
		wait_for_readers();
		if (is_threaded) {
			cb_shm_write_close(&w);
			if (!open_writer(&w))
				return;
		}
	}
	cb_shm_write_close(&w);
}

/* Not of its marker: but readers have to look. */
static void
write_vmclock(size_t self)
{
	const struct timespec pause = { .tv_nsec = 50000 };
	struct cb_vmclock_writer w;
	struct cb_vmclock_abi abi;

	(void)self;
	if (!CHECK(cb_vmclock_write_open(&w, VMCLOCK)))
		return;
	cb_vmclock_write_peek(&w, &abi);
	while (!get(&shared->stop)) {
		abi.time_sec = htole64(le64toh(abi.time_sec) + 1);
		CHECK(cb_vmclock_write(&w, &abi, false));
		nanosleep(&pause, NULL);
	}
	cb_vmclock_write_close(&w);
}

static bool
is_sound(const struct cb_shm_bound *b, const clockbound_now_result *now)
{
	int64_t width = cb_ts_ns(&now->latest) - cb_ts_ns(&now->earliest);

	return b->disruption_marker == MARKER && b->disruption_support &&
	    b->max_drift_ppb == b->bound_ns % RATES_PPB &&
	    b->void_after / CB_NS_PER_S - b->as_of / CB_NS_PER_S == 1000 &&
	    width >= 2 * b->bound_ns && width <= 2 * b->bound_ns + GROWTH_NS;
}

static void
read_clock(size_t self)
{
	clockbound_ctx *ctx = clockbound_vmclock_open(paths[self], VMCLOCK,
	    NULL);
	int64_t last[2] = { 0, 0 };	/* of version 2, and 3 */
	const struct cb_shm_bound *b;
	clockbound_now_result now;
	uint64_t calls, changed = 0;

	if (!CHECK(ctx != NULL))
		return;
	for (calls = 1; !get(&shared->stop); calls++) {
		if (clockbound_now(ctx, &now) == NULL &&
		    now.clock_status == CLOCKBOUND_STA_SYNCHRONIZED) {
			b = cb_now_snapshot(ctx);
			if (!is_sound(b, &now) ||
			    b->bound_ns < last[b->is_counted])
				set(&shared->wrong, 1);
			changed += b->bound_ns != last[b->is_counted];
			last[b->is_counted] = b->bound_ns;
			set(&shared->changed[self], changed);
		}
		set(&shared->calls[self], calls);
	}
	clockbound_close(ctx);
}

static void *
run_thread(void *arg)
{
	struct worker *w = arg;

	w->work(w->self);
	return NULL;
}

static void
start(struct worker *w)
{
	if (is_threaded) {
		CHECK(pthread_create(&w->thread, NULL, run_thread, w) == 0);
		return;
	}
	CHECK((w->pid = fork()) != -1);
	if (w->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		w->work(w->self);
		_exit(test_done());
	}
}

static void
finish(struct worker *w)
{
	int status;

	if (is_threaded)
		CHECK(pthread_join(w->thread, NULL) == 0);
	else
		CHECK(waitpid(w->pid, &status, 0) == w->pid && status == 0);
}

/* Does a write stand half done? */
static bool
is_odd(const char *path)
{
	uint16_t generation = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	CHECK(pread(fd, &generation, sizeof(generation), 14) == 2);
	close(fd);
	return generation % 2 == 1;
}

/* Each amid a write that is not its first: looked at while it is stopped. */
static void
kill_writers(struct worker *w)
{
	struct timespec pause = { .tv_nsec = 0 };
	uint64_t written;
	int status;

	for (int kills = 0; kills < KILLS; kills++) {
		written = get(&shared->written);
		do {
			kill(w->pid, SIGCONT);
			pause.tv_nsec = (pause.tv_nsec + 61700) % 200000;
			nanosleep(&pause, NULL);
			kill(w->pid, SIGSTOP);
			if (!CHECK(waitpid(w->pid, &status, WUNTRACED) ==
			    w->pid && WIFSTOPPED(status)))
				return;
		} while (get(&shared->written) == written ||
		    (!is_odd(RUN "/shm1") && !is_odd(RUN "/shm0")));
		kill(w->pid, SIGKILL);
		CHECK(waitpid(w->pid, NULL, 0) == w->pid);
		start(w);
	}
}

static void
wait_until_enough(void)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	size_t i;

	do {
		nanosleep(&pause, NULL);
		for (i = 0; i < READERS; i++)
			if (get(&shared->changed[i]) < ENOUGH)
				break;
	} while (i < READERS && get(&shared->wrong) == 0);
}

/* The files, before there are readers. */
static void
make_files(void)
{
	struct cb_vmclock_abi abi = {
		.magic = htole32(CB_VMCLOCK_MAGIC),
		.size = htole32(sizeof(abi)),
		.version = htole16(CB_VMCLOCK_VERSION),
		.disruption_marker = htole64(MARKER)
	};
	struct cb_vmclock_writer v;
	struct cb_shm_writer w;

	CHECK(cb_vmclock_create(VMCLOCK, &abi));
	/* Mapped by us, which is how threads have them. */
	CHECK(cb_vmclock_write_open(&v, VMCLOCK));
	cb_vmclock_write_close(&v);
	if (open_writer(&w)) {
		write_both(&w, 1);
		cb_shm_write_close(&w);
	}
}

static void
stress(void)
{
	struct worker workers[READERS + 2] = {
		{ .work = write_segments }, { .work = write_vmclock }
	};

	for (size_t i = 0; i < READERS; i++)
		workers[2 + i] = (struct worker){ .work = read_clock,
			.self = i };
	for (size_t i = 0; i < READERS + 2; i++)
		start(&workers[i]);
	if (!is_threaded)
		kill_writers(&workers[0]);
	wait_until_enough();
	set(&shared->stop, 1);
	for (size_t i = 0; i < READERS + 2; i++)
		finish(&workers[i]);
	CHECK_EQ(shared->wrong, 0);
}

int
main(int argc, char *argv[])
{
	is_threaded = argc > 1 && strcmp(argv[1], "threads") == 0;
	signal(SIGALRM, SIG_DFL);
	alarm(60);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (CHECK(shared != MAP_FAILED)) {
		make_files();
		stress();
	}
	return test_done();
}
