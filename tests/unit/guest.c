/* SPDX-License-Identifier: ISC */
/*
 * libclockbound as a guest in a process: what it takes it gives back, and it
 * touches nothing that it was not given.
 *
 * usage: guest [OPENS]
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "segment.h"
#include "test.h"

#define S(s)	(INT64_C(s) * CB_NS_PER_S)
#define SHM0_NS	S(3600)
#define SHM1_NS	S(60)
#define OPENS	1000000
#define THREADS	8

#define NONE	CLOCKBOUND_ERR_NONE
#define SYS	CLOCKBOUND_ERR_SYSCALL
#define NOT	CLOCKBOUND_ERR_SEGMENT_NOT_INITIALIZED
#define BAD	CLOCKBOUND_ERR_SEGMENT_MALFORMED
#define BREACH	CLOCKBOUND_ERR_CAUSALITY_BREACH
#define VER	CLOCKBOUND_ERR_SEGMENT_VERSION_NOT_SUPPORTED
#define SYNC	CLOCKBOUND_STA_SYNCHRONIZED

/*
 * What the library calls comes by here: the linker is told to (Makefile).
 */
static _Atomic int64_t allocated, freed, opened, inherited;

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void __real_free(void *);
int __real_open(const char *, int, ...);
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);
void __wrap_free(void *);
int __wrap_open(const char *, int, ...);
/* As some call it where files may be large. */
int __wrap_open64(const char *, int, ...)
    __attribute__((alias("__wrap_open")));

void *
__wrap_malloc(size_t size)
{
	allocated++;
	return __real_malloc(size);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	allocated++;
	return __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t size)
{
	allocated += p == NULL;
	return __real_realloc(p, size);
}

void
__wrap_free(void *p)
{
	freed += p != NULL;
	__real_free(p);
}

int
__wrap_open(const char *path, int flags, ...)
{
	va_list list;
	mode_t mode;

	va_start(list, flags);
	mode = (flags & O_CREAT) != 0 ? va_arg(list, mode_t) : 0;
	va_end(list);
	opened++;
	inherited += (flags & O_CLOEXEC) == 0;
	return __real_open(path, flags, mode);
}

/*
 * What a process has, that a library could take of it.
 */
struct state {
	int64_t heap;
	int files;
	int maps;
	int threads;
	sigset_t mask;
	struct sigaction action[NSIG];
};

static int
entries(const char *path)
{
	DIR *dir = opendir(path);
	int n = 0;

	if (!CHECK(dir != NULL))
		return -1;
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

static int
lines(const char *path)
{
	FILE *f = fopen(path, "re");
	int n = 0, c;

	if (!CHECK(f != NULL))
		/* cppcheck-suppress resourceLeak ; where CHECK() fails it is NULL */
		return -1;
	while ((c = getc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

static struct state
state_now(void)
{
	struct state s;

	memset(&s, 0, sizeof(s));
	s.heap = allocated - freed;
	s.files = entries("/proc/self/fd");
	s.maps = lines("/proc/self/maps");
	s.threads = entries("/proc/self/task");
	sigprocmask(SIG_BLOCK, NULL, &s.mask);
	for (int i = 1; i < NSIG; i++)
		sigaction(i, NULL, &s.action[i]);
	return s;
}

static void
check_state(const struct state *before)
{
	struct state now = state_now();

	CHECK_EQ(now.heap, before->heap);
	CHECK_EQ(now.files, before->files);
	CHECK_EQ(now.maps, before->maps);
	CHECK_EQ(now.threads, before->threads);
	for (int i = 1; i < NSIG; i++) {
		CHECK_EQ(sigismember(&now.mask, i),
		    sigismember(&before->mask, i));
		CHECK(now.action[i].sa_handler ==
		    before->action[i].sa_handler);
	}
}

/*
 * Segments, good and bad.
 */
static struct cb_shm_writer writer;

static void
write_segments(void)
{
	struct cb_shm_v2 v2 = body_of(mono_now(), SHM0_NS, 50000, SYNC);
	struct cb_shm_v3 v3 = counted_body_of(SHM1_NS, 50000, SYNC);

	cb_shm_write(&writer, &v2);
	if (CB_COUNTER_ID != CB_COUNTER_INVALID)
		cb_shm_write_v3(&writer, &v3);
}

/* A copy of shm0, of which one word is another. */
static void
spoil(const char *path, size_t size, size_t at, uint32_t value)
{
	uint8_t bytes[CB_SHM_V2_SIZE];
	int in = open("shm0", O_RDONLY | O_CLOEXEC);
	int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	CHECK(read(in, bytes, sizeof(bytes)) == sizeof(bytes));
	memcpy(bytes + at, &value, sizeof(value));
	CHECK(write(out, bytes, size) == (ssize_t)size);
	close(in);
	close(out);
}

/* What is there to be opened, and what comes of it. */
static const struct {
	const char *path;
	clockbound_err_kind open, now;
} rows[] = {
	{ "shm0", NONE, NONE },
	{ ".", NONE, NONE },
	{ "missing", SYS, NONE },
	{ "empty", NOT, NONE },
	{ "short", BAD, NONE },
	{ "version", VER, NONE },
	{ "malformed", NONE, BAD },
	{ "future", NONE, BREACH }
};
#define ROWS	(sizeof(rows) / sizeof(rows[0]))

static void
make_files(void)
{
	const uint16_t one = 1;

	write_segments();
	spoil("empty", 0, 0, 0);
	spoil("short", 79, 12, UINT32_C(0x00020002));
	spoil("version", 80, 12, UINT32_C(0x00090009));
	spoil("malformed", 80, 68, 77);
	/* The low half of as_of's seconds. */
	spoil("future", 80, *(const uint8_t *)&one == 1 ? 16 : 20,
	    0x70000000);
}

static void
try_row(size_t i)
{
	clockbound_now_result res;
	const clockbound_err *now;
	clockbound_err err;
	clockbound_ctx *ctx = clockbound_vmclock_open(rows[i].path, "vmclock",
	    &err);

	test_row = rows[i].path;
	CHECK_EQ(err.kind, rows[i].open);
	CHECK_EQ(ctx != NULL, rows[i].open == NONE);
	if (ctx != NULL) {
		now = clockbound_now(ctx, &res);
		CHECK_EQ(now == NULL ? NONE : now->kind, rows[i].now);
		clockbound_close(ctx);
	}
	test_row = "";
}

static void
nothing_is_left_of_a_million_opens(long opens)
{
	struct state before;

	/* What the first of each takes is the C library's. */
	for (size_t i = 0; i < ROWS; i++)
		try_row(i);
	before = state_now();
	for (long i = 0; i < opens; i++)
		try_row((size_t)i % ROWS);
	check_state(&before);
	CHECK(opened > opens);
	CHECK_EQ(inherited, 0);
}

static void
open_context_is_memory_and_no_descriptor(void)
{
	struct state before = state_now(), open;
	clockbound_ctx *ctx = clockbound_vmclock_open(".", "vmclock", NULL);
	clockbound_now_result res;

	CHECK(clockbound_now(ctx, &res) == NULL);
	open = state_now();
	CHECK_EQ(open.files, before.files);
	CHECK_EQ(open.threads, before.threads);
	CHECK_EQ(open.heap, before.heap + 1);
	clockbound_close(ctx);
	check_state(&before);
}

/* Whoever is missing is looked for, and that is all that happens. */
static void
now_knows_no_heap_and_seldom_looks(void)
{
	struct cb_shm_v2 v2;
	struct timespec pause_1_ms = { .tv_nsec = 1000000 };
	int64_t begin, heap, files, looks;
	clockbound_now_result res;
	clockbound_ctx *ctx;

	CHECK(rename("shm1", "away") == 0);
	ctx = clockbound_vmclock_open(".", "vmclock", NULL);
	begin = mono_now();
	heap = allocated + freed;
	files = opened;
	while (mono_now() - begin < S(1) + S(1) / 5) {
		v2 = body_of(mono_now(), SHM0_NS, 50000, SYNC);
		v2.disruption_support = 1;
		cb_shm_write(&writer, &v2);
		CHECK(clockbound_now(ctx, &res) == NULL);
		CHECK_EQ(res.clock_status, CLOCKBOUND_STA_UNKNOWN);
		nanosleep(&pause_1_ms, NULL);
	}
	looks = 1 + (mono_now() - begin) / S(1);
	/* For shm1, and for the VMClock: once a second each. */
	CHECK(opened - files >= 1 && opened - files <= 2 * looks);
	CHECK(rename("away", "shm1") == 0);
	write_segments();
	while (clockbound_now(ctx, &res) == NULL &&
	    res.latest.tv_sec - res.earliest.tv_sec > 600 &&
	    CHECK(mono_now() - begin < S(10)))
		write_segments();
	CHECK_EQ(allocated + freed, heap);
	clockbound_close(ctx);
}

/* Not even when somebody was looked for in vain. */
static void
success_leaves_errno_alone(void)
{
	struct cb_shm_v2 v2 = body_of(mono_now(), SHM0_NS, 50000, SYNC);
	clockbound_now_result res;
	clockbound_ctx *ctx;

	v2.disruption_support = 1;
	cb_shm_write(&writer, &v2);
	CHECK(rename("shm1", "away") == 0);
	errno = EDOM;
	ctx = clockbound_vmclock_open(".", "vmclock", NULL);
	CHECK_EQ(errno, EDOM);
	for (int i = 0; i < 3; i++) {
		CHECK(clockbound_now(ctx, &res) == NULL);
		CHECK_EQ(errno, EDOM);
	}
	clockbound_close(ctx);
	CHECK_EQ(errno, EDOM);
	CHECK(rename("away", "shm1") == 0);
}

/* As zeros, which say that nothing was written: the last copy is good. */
static void
file_that_is_cut_short_is_borne(void)
{
	clockbound_now_result res;
	clockbound_ctx *ctx;

	write_segments();
	spoil("cut", 80, 12, UINT32_C(0x00020002));
	ctx = clockbound_vmclock_open("cut", "vmclock", NULL);
	for (off_t size = 80; size > 0; size--) {
		CHECK(truncate("cut", size) == 0);
		CHECK(clockbound_now(ctx, &res) == NULL);
		CHECK_EQ(res.clock_status, SYNC);
	}
	clockbound_close(ctx);
	unlink("cut");
}

/* In a child, whose output is a file; closed: it has no descriptors at all. */
static void
try_all_with_output_to(int fd, bool closed)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		for (int i = 0; closed && i < 16; i++)
			close(i);
		for (size_t i = 0; i < ROWS; i++)
			try_row(i);
		_exit(test_done());
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void
nothing_is_printed_whatever_happens(void)
{
	int fd = open("output", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	struct stat st;

	write_segments();
	try_all_with_output_to(fd, false);
	try_all_with_output_to(fd, true);
	CHECK(fstat(fd, &st) == 0);
	CHECK_EQ(st.st_size, 0);
	close(fd);
	unlink("output");
}

static _Atomic bool is_over;
static _Atomic int64_t readings, wrong;

/* With a context of its own, and then another. */
static void *
read_in_a_thread(void *unused)
{
	clockbound_now_result res;
	clockbound_ctx *ctx;

	while (!is_over) {
		ctx = clockbound_vmclock_open(".", "vmclock", NULL);
		for (int i = 0; ctx != NULL && i < 100; i++, readings++)
			wrong += clockbound_now(ctx, &res) != NULL ||
			    res.clock_status != SYNC;
		wrong += ctx == NULL;
		clockbound_close(ctx);
	}
	return unused;
}

static void
threads_with_a_context_each_do_not_meet(void)
{
	struct timespec pause_1_ms = { .tv_nsec = 1000000 };
	pthread_t thread[THREADS];
	struct state before;

	/* The C library keeps what the first threads took. */
	for (int turn = 0; turn < 2; turn++) {
		before = state_now();
		is_over = false;
		for (int i = 0; i < THREADS; i++)
			CHECK(pthread_create(&thread[i], NULL,
			    read_in_a_thread, NULL) == 0);
		for (int i = 0; i < 200; i++) {
			write_segments();
			nanosleep(&pause_1_ms, NULL);
		}
		is_over = true;
		for (int i = 0; i < THREADS; i++)
			pthread_join(thread[i], NULL);
	}
	check_state(&before);
	CHECK(readings > 1000);
	CHECK_EQ(wrong, 0);
}

int
main(int argc, char *argv[])
{
	char dir[] = "/tmp/cb-guest.XXXXXX";
	const char *what;
	pid_t holder;

	signal(SIGALRM, SIG_DFL);
	alarm(300);
	if (!CHECK(mkdtemp(dir) != NULL) || !CHECK(chdir(dir) == 0) ||
	    !CHECK(cb_shm_write_open(&writer, ".", &what, &holder)))
		return test_done();
	make_files();
	nothing_is_left_of_a_million_opens(argc > 1 ? atol(argv[1]) : OPENS);
	open_context_is_memory_and_no_descriptor();
	now_knows_no_heap_and_seldom_looks();
	success_leaves_errno_alone();
	file_that_is_cut_short_is_borne();
	nothing_is_printed_whatever_happens();
	threads_with_a_context_each_do_not_meet();
	cb_shm_write_close(&writer);
	for (size_t i = 0; i < ROWS; i++)
		unlink(rows[i].path);
	unlink("shm1");
	unlink("lock");
	CHECK(rmdir(dir) == 0);
	return test_done();
}
