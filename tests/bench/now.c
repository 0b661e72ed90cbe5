/* SPDX-License-Identifier: ISC */
/*
 * What clockbound_now() costs beside clock_gettime(CLOCK_REALTIME), and beside
 * ClockBound's own C libraries: batches of each take turns.
 *
 * usage: now [-ovw] [-n READERS] [-s SUBJECT] [-2 LIBRARY] [-3 LIBRARY] DIR
 *
 *	-v	the segments ask for the check of a VMClock, a simulated one
 *	-w	a process on another processor writes 1000 times a second
 *	-n	so many threads at once, each with a context of its own
 *	-o	one context for all of them
 *	-s	one batch of this subject and nothing else, for a profiler
 *	-2, -3	the C libraries of ClockBound 2.x, on shm0, and 3.x, on shm1
 *	DIR	an empty run directory, left as one
 *
 * Out come lines "NAME VALUE": for each subject the nanoseconds a call of the
 * batch that a tenth of them undercut, and how often the writer wrote each
 * second.  It is the thread's processor time that is counted: neither other
 * processes nor more threads than processors add to it.  What shares the core
 * does, which is why it is not the median.
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include <dlfcn.h>
#include <err.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clockbound.h"
#include "counter.h"
#include "shm.h"
#include "ts.h"
#include "vmclock.h"

/* A batch is longer than the writer's pause: each has its share of writes. */
#define BATCH_CALLS	50000
#define ROUNDS		240
#define MAX_READERS	8
#define MAX_SUBJECTS	5
#define PAUSE_NS	1000000
#define MARKER		7

/* What a 3.x library is given to put an error into. */
struct err3 {
	clockbound_err_kind kind;
	int sys_errno;
	char detail[128];
};

/* The functions of a library of either kind. */
struct library {
	clockbound_ctx *(*open)(const char *, const char *, clockbound_err *);
	const clockbound_err *(*now)(clockbound_ctx *,
	    clockbound_now_result *);
	clockbound_ctx *(*open3)(const char *, const char *, struct err3 *);
	const struct err3 *(*now3)(clockbound_ctx *, clockbound_now_result *,
	    struct err3 *);
};

/* What is timed.  Without a segment it is the clock alone. */
struct subject {
	const char *name;
	const char *segment;
	struct library library;
};

struct bench {
	struct subject subjects[MAX_SUBJECTS];
	size_t n_subjects;
	size_t n_readers;
	size_t n_rounds;
	bool has_vmclock;
	bool has_writer;
	bool is_shared;
	clockbound_ctx *shared[MAX_SUBJECTS];
	struct cb_shm_writer writer;
	char dir[PATH_MAX - 16];
	char vmclock[PATH_MAX];
	pthread_barrier_t barrier;
	double ns[MAX_SUBJECTS][ROUNDS];	/* reader after reader */
};

struct reader {
	struct bench *bench;
	size_t index;
	pthread_t thread;
};

static int64_t
read_clock(clockid_t id)
{
	struct timespec ts;

	if (clock_gettime(id, &ts) == -1)
		err(1, "clock_gettime");
	return cb_ts_ns(&ts);
}

/*
 * The writer
 */

static void
publish_v3(struct bench *b)
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
		.disruption_marker = MARKER,
		.disruption_support = b->has_vmclock,
		.max_drift_ppb = 50000,
		.clock_status = CLOCKBOUND_STA_SYNCHRONIZED
	};

	cb_shm_write_v3(&b->writer, &v3);
}

static void
publish(struct bench *b)
{
	int64_t as_of = read_clock(CLOCK_MONOTONIC_COARSE);
	struct cb_shm_v2 v2 = {
		.as_of_s = as_of / CB_NS_PER_S,
		.as_of_ns = as_of % CB_NS_PER_S,
		.void_after_s = as_of / CB_NS_PER_S + CB_SHM_VOID_AFTER_S,
		.bound_ns = 123456,
		.disruption_marker = MARKER,
		.disruption_support = b->has_vmclock,
		.max_drift_ppb = 50000,
		.clock_status = CLOCKBOUND_STA_SYNCHRONIZED
	};

	cb_shm_write(&b->writer, &v2);
	publish_v3(b);
}

/* The n-th of the processors that we may use, round and round. */
static void
pin_to(size_t n)
{
	static cpu_set_t allowed;
	cpu_set_t one;
	size_t cpu = 0;

	if (CPU_COUNT(&allowed) == 0 &&
	    sched_getaffinity(0, sizeof(allowed), &allowed) == -1)
		err(1, "sched_getaffinity");
	n %= (size_t)CPU_COUNT(&allowed);
	while (!CPU_ISSET(cpu, &allowed) || n-- > 0)
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one) == -1)
		err(1, "sched_setaffinity");
}

static pid_t
start_writer(struct bench *b, atomic_long *writes)
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
		publish(b);
		atomic_fetch_add(writes, 1);
		next += PAUSE_NS;
		ts.tv_sec = (time_t)(next / CB_NS_PER_S);
		ts.tv_nsec = (long)(next % CB_NS_PER_S);
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
	}
	_exit(0);
}

/*
 * The readers
 */

static void
call_clock(void)
{
	struct timespec ts;

	for (int i = 0; i < BATCH_CALLS; i++)
		if (clock_gettime(CLOCK_REALTIME, &ts) == -1)
			err(1, "clock_gettime");
}

static void
call_now(const struct library *l, clockbound_ctx *ctx,
    clockbound_now_result *res)
{
	for (int i = 0; i < BATCH_CALLS; i++)
		if (l->now(ctx, res) != NULL)
			errx(1, "clockbound_now failed");
}

static void
call_now3(const struct library *l, clockbound_ctx *ctx,
    clockbound_now_result *res)
{
	struct err3 error;

	for (int i = 0; i < BATCH_CALLS; i++)
		if (l->now3(ctx, res, &error) != NULL)
			errx(1, "clockbound_now: %s", error.detail);
}

/* A batch: nanoseconds a call. */
static double
time_subject(const struct subject *s, clockbound_ctx *ctx)
{
	clockbound_now_result res = {
		.clock_status = CLOCKBOUND_STA_SYNCHRONIZED
	};
	int64_t start = read_clock(CLOCK_THREAD_CPUTIME_ID), ns;

	if (s->segment == NULL)
		call_clock();
	else if (s->library.now != NULL)
		call_now(&s->library, ctx, &res);
	else
		call_now3(&s->library, ctx, &res);
	ns = read_clock(CLOCK_THREAD_CPUTIME_ID) - start;
	if (res.clock_status != CLOCKBOUND_STA_SYNCHRONIZED)
		errx(1, "%s: not synchronized", s->name);
	return (double)ns / BATCH_CALLS;
}

static clockbound_ctx *
open_subject(const struct bench *b, const struct subject *s)
{
	clockbound_err error = { .kind = CLOCKBOUND_ERR_NONE };
	struct err3 error3 = { .kind = CLOCKBOUND_ERR_NONE };
	clockbound_ctx *ctx;
	char path[PATH_MAX];

	if (s->segment == NULL)
		return NULL;
	snprintf(path, sizeof(path), "%s/%s", b->dir, s->segment);
	ctx = s->library.open != NULL ?
	    s->library.open(path, b->vmclock, &error) :
	    s->library.open3(path, b->vmclock, &error3);
	if (ctx == NULL)
		errx(1, "%s: %s: error kind %d", s->name, path,
		    (int)error.kind | (int)error3.kind);
	return ctx;
}

static clockbound_ctx *
open_shared(const char *path, const char *vmclock, clockbound_err *error)
{
	const clockbound_options o = { .shm_path = path,
		.vmclock_path = vmclock, .shared = 1 };

	return clockbound_open_options(&o, error);
}

/* All readers call the same at the same time. */
static void *
read_in_turn(void *arg)
{
	struct reader *r = arg;
	struct bench *b = r->bench;
	clockbound_ctx *ctx[MAX_SUBJECTS];

	/* Away from the writer, while there is room. */
	pin_to(r->index + 1);
	for (size_t i = 0; i < b->n_subjects; i++)
		ctx[i] = b->is_shared ? b->shared[i] :
		    open_subject(b, &b->subjects[i]);
	for (size_t round = 0; round < b->n_rounds; round++) {
		if (r->index == 0 && !b->has_writer)
			publish(b);
		for (size_t i = 0; i < b->n_subjects; i++) {
			pthread_barrier_wait(&b->barrier);
			b->ns[i][r->index * b->n_rounds + round] =
			    time_subject(&b->subjects[i], ctx[i]);
		}
	}
	return NULL;
}

static void
run_readers(struct bench *b)
{
	struct reader readers[MAX_READERS] = { 0 };

	errno = pthread_barrier_init(&b->barrier, NULL,
	    (unsigned)b->n_readers);
	if (errno != 0)
		err(1, "pthread_barrier_init");
	for (size_t i = 0; b->is_shared && i < b->n_subjects; i++)
		b->shared[i] = open_subject(b, &b->subjects[i]);
	for (size_t i = 0; i < b->n_readers; i++) {
		readers[i] = (struct reader){ .bench = b, .index = i };
		errno = pthread_create(&readers[i].thread, NULL, read_in_turn,
		    &readers[i]);
		if (errno != 0)
			err(1, "pthread_create");
	}
	for (size_t i = 0; i < b->n_readers; i++)
		pthread_join(readers[i].thread, NULL);
}

static void
run_beside_writer(struct bench *b)
{
	atomic_long *writes = mmap(NULL, sizeof(*writes),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int64_t start = read_clock(CLOCK_MONOTONIC), ns;
	pid_t pid;

	if (writes == MAP_FAILED)
		err(1, "mmap");
	pid = start_writer(b, writes);
	run_readers(b);
	ns = read_clock(CLOCK_MONOTONIC) - start;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	printf("writes_per_s %.0f\n",
	    (double)atomic_load(writes) * 1e9 / (double)ns);
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
report(struct bench *b)
{
	size_t n = b->n_readers * b->n_rounds;

	for (size_t i = 0; i < b->n_subjects; i++) {
		qsort(b->ns[i], n, sizeof(b->ns[i][0]), compare);
		printf("%s %.2f\n", b->subjects[i].name, b->ns[i][n / 10]);
	}
	printf("calls %d\n", BATCH_CALLS);
}

/*
 * What is asked for
 */

static void
add_subject(struct bench *b, const char *name, const char *segment,
    struct library library)
{
	b->subjects[b->n_subjects++] = (struct subject){ .name = name,
		.segment = segment, .library = library };
}

/* ISO C has no conversion of what dlsym(3) returns. */
#define FIND(fn, handle, name) do {					\
	void *found = dlsym(handle, name);				\
									\
	if (found == NULL)						\
		errx(1, "%s", dlerror());				\
	memcpy(&(fn), &found, sizeof(found));				\
} while (0)

static struct library
load_library(const char *path, bool is_3)
{
	struct library l = { .open = NULL };
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (handle == NULL)
		errx(1, "%s", dlerror());
	if (is_3) {
		FIND(l.open3, handle, "clockbound_open_with");
		FIND(l.now3, handle, "clockbound_now");
	} else {
		FIND(l.open, handle, "clockbound_vmclock_open");
		FIND(l.now, handle, "clockbound_now");
	}
	return l;
}

static void
keep_only(struct bench *b, const char *name)
{
	size_t n = b->n_subjects;

	b->n_subjects = 0;
	for (size_t i = 0; i < n; i++)
		if (strcmp(b->subjects[i].name, name) == 0)
			b->subjects[b->n_subjects++] = b->subjects[i];
	if (b->n_subjects == 0)
		errx(2, "%s: no such subject", name);
	b->n_rounds = 1;
}

static void
add_own(struct bench *b)
{
	struct library own = {
		.open = b->is_shared ? open_shared : clockbound_vmclock_open,
		.now = clockbound_now
	};

	add_subject(b, "clock", NULL, own);
	add_subject(b, "shm0", CB_SHM_V2_NAME, own);
	if (CB_COUNTER_ID != CB_COUNTER_INVALID)
		add_subject(b, "shm1", CB_SHM_V3_NAME, own);
}

static void
parse_options(struct bench *b, int argc, char *argv[])
{
	static const char usage[] = "usage: now [-ovw] [-n READERS] "
	    "[-s SUBJECT] [-2 LIBRARY] [-3 LIBRARY] DIR";
	const char *only = NULL, *two = NULL, *three = NULL;
	int opt;

	b->n_readers = 1;
	while ((opt = getopt(argc, argv, "+ovwn:s:2:3:")) != -1)
		switch (opt) {
		case 'o':
			b->is_shared = true;
			break;
		case 'v':
			b->has_vmclock = true;
			break;
		case 'w':
			b->has_writer = true;
			break;
		case 'n':
			b->n_readers = strtoul(optarg, NULL, 10);
			break;
		case 's':
			only = optarg;
			break;
		case '2':
			two = optarg;
			break;
		case '3':
			three = optarg;
			break;
		default:
			errx(2, "%s", usage);
		}
	/* Those libraries have no contexts for several threads. */
	if (argc != optind + 1 || b->n_readers < 1 ||
	    b->n_readers > MAX_READERS ||
	    (b->is_shared && (two != NULL || three != NULL)))
		errx(2, "%s", usage);
	b->n_rounds = ROUNDS / b->n_readers;
	snprintf(b->dir, sizeof(b->dir), "%s", argv[optind]);
	snprintf(b->vmclock, sizeof(b->vmclock), "%s/vmclock", b->dir);
	add_own(b);
	if (two != NULL)
		add_subject(b, "ffi-2", CB_SHM_V2_NAME,
		    load_library(two, false));
	if (three != NULL)
		add_subject(b, "ffi-3", CB_SHM_V3_NAME,
		    load_library(three, true));
	if (only != NULL)
		keep_only(b, only);
}

static void
create_vmclock(const char *path)
{
	struct cb_vmclock_abi abi = {
		.magic = CB_VMCLOCK_MAGIC,
		.size = sizeof(abi),
		.version = CB_VMCLOCK_VERSION,
		.counter_id = CB_COUNTER_INVALID,
		/* ClockBound's readers take 0 as seen. */
		.seq_count = 2,
		.disruption_marker = MARKER
	};

	if (!cb_vmclock_create(path, &abi))
		err(1, "%s", path);
}

int
main(int argc, char *argv[])
{
	static struct bench b;
	const char *what;
	pid_t holder;

	parse_options(&b, argc, argv);
	if (!cb_shm_write_open(&b.writer, b.dir, &what, &holder))
		err(1, "%s: cannot %s", b.dir, what);
	if (b.has_vmclock)
		create_vmclock(b.vmclock);
	publish(&b);
	if (b.has_writer)
		run_beside_writer(&b);
	else
		run_readers(&b);
	report(&b);
	unlinkat(b.writer.dir_fd, "vmclock", 0);
	unlinkat(b.writer.dir_fd, CB_SHM_V2_NAME, 0);
	unlinkat(b.writer.dir_fd, CB_SHM_V3_NAME, 0);
	unlinkat(b.writer.dir_fd, "lock", 0);
	cb_shm_write_close(&b.writer);
	return 0;
}
