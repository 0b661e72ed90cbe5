/* SPDX-License-Identifier: ISC */
/*
 * Each call of the system's that the library makes fails in turn: it is told,
 * or done without, and nothing is left behind either way.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include "chrony.h"
#include "failing.h"
#include "held.h"
#include "segment.h"
#include "system.h"
#include "test.h"
#include "vmclock.h"

/* How many segments a writer has. */
#define SEGMENTS	(CB_COUNTER_ID == CB_COUNTER_INVALID ? 1 : 2)
/* More calls at once than a shared context has copies for. */
#define DEPTH		40
#define COPIES		32
/* No other error is so rare. */
#define FAILED		EIO

/*
 * The calls.
 */
static int until_failure;		/* 0: nothing fails */
static const char *failed;		/* what did */
static bool writes_less;
static void (*amid_a_call)(void);

static bool
fails(const char *name)
{
	if (until_failure == 0 || --until_failure > 0)
		return false;
	failed = name;
	errno = FAILED;
	return true;
}

#define FAILING(type, wrong, name, parameters, arguments) \
	type \
	failing_##name parameters \
	{ \
		return fails(#name) ? (wrong) : (name)arguments; \
	}

FAILING(void *, NULL, calloc, (size_t n, size_t size), (n, size))
FAILING(void *, MAP_FAILED, mmap,
    (void *at, size_t size, int prot, int flags, int fd, off_t offset),
    (at, size, prot, flags, fd, offset))
FAILING(int, -1, bind, (int fd, const struct sockaddr *sa, socklen_t size),
    (fd, sa, size))
FAILING(int, -1, connect, (int fd, const struct sockaddr *sa, socklen_t size),
    (fd, sa, size))
FAILING(int, -1, fchmod, (int fd, mode_t mode), (fd, mode))
FAILING(int, -1, fstat, (int fd, struct stat *st), (fd, st))
FAILING(int, -1, ftruncate, (int fd, off_t size), (fd, size))
FAILING(int, -1, mkdir, (const char *path, mode_t mode), (path, mode))
FAILING(ssize_t, -1, pread, (int fd, void *to, size_t size, off_t offset),
    (fd, to, size, offset))
FAILING(ssize_t, -1, recv, (int fd, void *to, size_t size, int flags),
    (fd, to, size, flags))
FAILING(int, -1, rename, (const char *from, const char *to), (from, to))
FAILING(int, -1, renameat,
    (int fd, const char *from, int to_fd, const char *to),
    (fd, from, to_fd, to))
FAILING(ssize_t, -1, send, (int fd, const void *from, size_t size, int flags),
    (fd, from, size, flags))
FAILING(int, -1, setsockopt,
    (int fd, int level, int name, const void *value, socklen_t size),
    (fd, level, name, value, size))
FAILING(int, -1, socket, (int domain, int type, int protocol),
    (domain, type, protocol))
FAILING(int, -1, unlinkat, (int fd, const char *path, int flags),
    (fd, path, flags))
FAILING(ssize_t, -1, write, (int fd, const void *from, size_t size),
    (fd, from, size - writes_less))

/* It is closed all the same. */
int
failing_close(int fd)
{
	int error = (close)(fd);

	return fails("close") ? -1 : error;
}

int
failing_clock_gettime(clockid_t id, struct timespec *ts)
{
	if (amid_a_call != NULL)
		amid_a_call();
	return fails("clock_gettime") ? -1 : (clock_gettime)(id, ts);
}

int
failing_fcntl(int fd, int command, ...)
{
	va_list list;
	int error;

	if (fails("fcntl"))
		return -1;
	va_start(list, command);
	error = command == F_SETFD || command == F_SETFL ?
	    (fcntl)(fd, command, va_arg(list, int)) :
	    (fcntl)(fd, command, va_arg(list, struct flock *));
	va_end(list);
	return error;
}

int
failing_open(const char *path, int flags, ...)
{
	va_list list;
	mode_t mode;

	va_start(list, flags);
	mode = (flags & O_CREAT) != 0 ? (mode_t)va_arg(list, int) : 0;
	va_end(list);
	return fails("open") ? -1 : (open)(path, flags, mode);
}

int
failing_openat(int fd, const char *path, int flags, ...)
{
	va_list list;
	mode_t mode;

	va_start(list, flags);
	mode = (flags & O_CREAT) != 0 ? (mode_t)va_arg(list, int) : 0;
	va_end(list);
	return fails("openat") ? -1 : (openat)(fd, path, flags, mode);
}

/*
 * What is tried: true when it was done.  It prepares, arms, tries, disarms, and
 * cleans up; rmdir(2) shows what was left in the directory.
 */
static int call;			/* the one that is to fail */
static int error;			/* that the caller is told */

static void
arm(void)
{
	failed = NULL;
	until_failure = call;
	errno = 0;
}

static bool
disarm(bool done)
{
	until_failure = 0;
	error = errno;
	return done;
}

/* For what tells its error otherwise. */
static bool
disarm_err(const clockbound_err *err)
{
	disarm(true);
	error = err == NULL ? 0 : err->sys_errno;
	if (err == NULL || err->kind == CLOCKBOUND_ERR_NONE)
		return true;
	CHECK_EQ(err->kind, CLOCKBOUND_ERR_SYSCALL);
	CHECK(strcmp(err->detail, strcmp(failed, "calloc") == 0 ? "malloc" :
	    failed) == 0);
	return false;
}

static struct cb_shm_writer writer;

static bool
open_writer(void)
{
	const char *what = "";
	pid_t holder;

	return cb_shm_write_open(&writer, "run", &what, &holder);
}

/* Segments that were written. */
static void
begin(void)
{
	struct cb_shm_v2 v2 = body_of(mono_now(), 1, 0,
	    CLOCKBOUND_STA_SYNCHRONIZED);
	struct cb_shm_v3 v3 = counted_body_of(1, 0,
	    CLOCKBOUND_STA_SYNCHRONIZED);

	CHECK(open_writer());
	cb_shm_write(&writer, &v2);
	cb_shm_write_v3(&writer, &v3);
	cb_shm_write_close(&writer);
}

static void
end(void)
{
	unlink("run/lock");
	unlink("run/shm");
	unlink("run/shm0");
	unlink("run/shm1");
	CHECK(rmdir("run") == 0 || errno == ENOENT);
}

static bool
first_writer(void)
{
	bool done;

	arm();
	done = disarm(open_writer());
	if (done)
		cb_shm_write_close(&writer);
	end();
	return done;
}

static bool
later_writer(void)
{
	bool done;

	begin();
	arm();
	done = disarm(open_writer());
	if (done)
		cb_shm_write_close(&writer);
	end();
	return done;
}

static bool
writer_of_version_1(void)
{
	const char *what;
	bool done;

	CHECK(open_writer());
	arm();
	done = disarm(cb_shm_write_open_v1(&writer, &what));
	cb_shm_write_close(&writer);
	end();
	return done;
}

static bool
reader(void)
{
	struct cb_shm_reader r;
	clockbound_err err;
	bool done;

	begin();
	arm();
	done = cb_shm_read_open(&r, "run/shm0", &err);
	disarm_err(&err);
	if (done)
		cb_shm_read_close(&r);
	end();
	return done;
}

static bool
open_context(const char *path, int32_t shared)
{
	const clockbound_options o = { .shm_path = path, .shared = shared };
	clockbound_err err;
	clockbound_ctx *ctx;

	begin();
	arm();
	ctx = clockbound_open_options(&o, &err);
	CHECK_EQ(disarm_err(&err), ctx != NULL);
	clockbound_close(ctx);
	end();
	return ctx != NULL;
}

static bool
context(void)
{
	return open_context("run/shm0", 0);
}

static bool
context_of_a_directory(void)
{
	return open_context("run", 0);
}

static bool
shared_context(void)
{
	return open_context("run/shm0", 1);
}

static bool
ask(int32_t shared, int asked_before)
{
	const clockbound_options o = { .shm_path = "run/shm0",
		.shared = shared };
	clockbound_now_result now;
	clockbound_ctx *ctx;
	bool done;

	begin();
	ctx = clockbound_open_options(&o, NULL);
	for (int i = 0; i < asked_before; i++)
		CHECK(clockbound_now(ctx, &now) == NULL);
	arm();
	done = disarm_err(clockbound_now(ctx, &now));
	clockbound_close(ctx);
	end();
	return done;
}

static bool
now(void)
{
	return ask(0, 0);
}

static bool
now_and_soon_again(void)
{
	return ask(0, 1);
}

static bool
now_that_is_shared(void)
{
	return ask(1, 0);
}

static struct cb_vmclock_abi
device(uint32_t size)
{
	return (struct cb_vmclock_abi){
		.magic = htole32(CB_VMCLOCK_MAGIC),
		.size = htole32(size),
		.version = htole16(CB_VMCLOCK_VERSION)
	};
}

static bool
new_vmclock(void)
{
	struct cb_vmclock_abi abi = device(112);
	bool done;

	arm();
	done = disarm(cb_vmclock_create("vmclock", &abi));
	CHECK_EQ(unlink("vmclock") == 0, done);
	return done;
}

static bool
vmclock_in_the_place_of_another(void)
{
	struct cb_vmclock_abi abi = device(112);
	bool done;

	CHECK(cb_vmclock_create("vmclock", &abi));
	arm();
	done = disarm(cb_vmclock_create("vmclock", &abi));
	CHECK(unlink("vmclock") == 0);
	return done;
}

static bool
vmclock(void)
{
	struct cb_vmclock_abi abi = device(112);
	struct cb_vmclock_file f;
	bool done;

	CHECK(cb_vmclock_create("vmclock", &abi));
	arm();
	done = disarm(cb_vmclock_open(&f, "vmclock"));
	if (done)
		cb_vmclock_close(&f);
	unlink("vmclock");
	return done;
}

static bool
vmclock_that_grows(void)
{
	struct cb_vmclock_abi abi = device(104);
	struct cb_vmclock_writer w;
	bool opened, done;

	CHECK(cb_vmclock_create("vmclock", &abi));
	abi = device(112);
	arm();
	opened = cb_vmclock_write_open(&w, "vmclock");
	done = disarm(opened && cb_vmclock_write(&w, &abi, false));
	if (opened)
		cb_vmclock_write_close(&w);
	unlink("vmclock");
	return done;
}

static int
bind_server(int type)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX,
		.sun_path = "server" };
	int fd = cb_system_socket(type, true);

	CHECK((bind)(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0);
	return fd;
}

/* All that it has to say is nothing. */
static bool
question(void)
{
	uint8_t reply[CB_CHRONY_MAX_LEN];
	int fd = bind_server(SOCK_DGRAM);
	struct cb_chrony c;
	const char *what;
	uint16_t status;
	bool opened, done;

	arm();
	opened = cb_chrony_open(&c, "server", &what);
	done = disarm(opened && !cb_chrony_ask(&c, CB_CHRONY_TRACKING, 0, 1,
	    reply, &status) && errno == ETIMEDOUT);
	if (opened)
		cb_chrony_close(&c);
	close(fd);
	unlink("server");
	return done;
}

static bool
connection(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX,
		.sun_path = "server" };
	int fd = bind_server(SOCK_STREAM);
	int client = cb_system_socket(SOCK_STREAM, true), accepted;

	CHECK(listen(fd, 1) == 0);
	CHECK(connect(client, (struct sockaddr *)&sun, sizeof(sun)) == 0);
	arm();
	accepted = cb_system_accept(fd);
	disarm(true);
	if (accepted != -1)
		close(accepted);
	close(client);
	close(fd);
	unlink("server");
	return accepted != -1;
}

/* Without how many of the calls it does what it is to do: any close is one. */
static const struct {
	const char *name;
	bool (*try)(void);
	int spared;
	int error;
} rows[] = {
	/* Files that cannot be written on are made anew. */
	{ "a writer", first_writer, 2 * SEGMENTS, FAILED },
	{ "a later writer", later_writer, 6 * SEGMENTS, FAILED },
	{ "a writer of version 1", writer_of_version_1, 2, FAILED },
	{ "a reader", reader, 1, FAILED },
	{ "a context", context, 1, FAILED },
	/* One of the two segments will do. */
	{ "a context of a directory", context_of_a_directory,
	    SEGMENTS == 1 ? 2 : 8, FAILED },
	{ "a shared context", shared_context, 1 + COPIES, FAILED },
	{ "now", now, 0, FAILED },
	{ "now, and soon again", now_and_soon_again, 1, FAILED },
	/* It is told what does not change under other threads. */
	{ "now, that is shared", now_that_is_shared, 0, EINVAL },
	{ "a new VMClock", new_vmclock, 0, FAILED },
	{ "another VMClock", vmclock_in_the_place_of_another, 1, FAILED },
	{ "a VMClock", vmclock, 1, FAILED },
	{ "a VMClock that grows", vmclock_that_grows, 0, FAILED },
	/* A clock tells how long is left once something has come. */
	{ "a question", question, 1, FAILED },
	{ "a connection", connection, 0, FAILED }
};

static void
what_fails_is_told_or_done_without(const char *dir)
{
	char name[80];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int files = open_files(), maps = mappings(dir), spared = 0;

		failed = "";
		for (call = 1; failed != NULL; call++) {
			bool done = rows[i].try();

			snprintf(name, sizeof(name), "%s, call %d: %s",
			    rows[i].name, call, failed == NULL ? "none" :
			    failed);
			test_row = name;
			if (done)
				spared += failed != NULL;
			else
				CHECK_EQ(error, rows[i].error);
			CHECK(done || failed != NULL);
			CHECK_EQ(open_files(), files);
			CHECK_EQ(mappings(dir), maps);
		}
		test_row = rows[i].name;
		CHECK(call > 2);
		CHECK_EQ(spared, rows[i].spared);
	}
	test_row = "";
}

/* The file system is full. */
static void
what_is_written_in_part_is_not_used(void)
{
	writes_less = true;
	call = 0;
	CHECK(!first_writer());
	CHECK_EQ(error, ENOSPC);
	CHECK(!new_vmclock());
	CHECK_EQ(error, ENOSPC);
	writes_less = false;
}

/*
 * Amid a call on a shared context another one begins, and so on, as if so many
 * threads were stopped there.
 */
static clockbound_ctx *shared;
static const clockbound_err *told[DEPTH];
static clockbound_clock_status statuses[DEPTH];
static int depth;

static void
ask_amid_it(void)
{
	clockbound_now_result res = { .clock_status = 0 };
	int i = depth;

	if (i == DEPTH)
		return;
	depth++;
	told[i] = clockbound_now(shared, &res);
	statuses[i] = res.clock_status;
}

/* More where the machine is so slow that some look at the file, too. */
static void
check_many_at_once(int calls, int answers)
{
	int answered = 0;

	depth = 0;
	amid_a_call = ask_amid_it;
	ask_amid_it();
	amid_a_call = NULL;
	CHECK(depth >= calls);
	for (int i = 0; i < depth; i++)
		if (told[i] == NULL) {
			CHECK_EQ(statuses[i], CLOCKBOUND_STA_SYNCHRONIZED);
			answered++;
		} else {
			CHECK_EQ(told[i]->sys_errno, EAGAIN);
			CHECK(strcmp(told[i]->detail, "open") == 0);
		}
	CHECK(answered >= answers);
	CHECK((answered == depth) == (answers == DEPTH));
}

static void
more_calls_at_once_than_there_are_copies(const char *dir)
{
	const clockbound_options o = { .shm_path = "run/shm0", .shared = 1 };
	int maps;

	begin();
	shared = clockbound_open_options(&o, NULL);
	if (!CHECK(shared != NULL))
		return;
	maps = mappings(dir);
	check_many_at_once(DEPTH, DEPTH);
	/* These open it for themselves. */
	CHECK(rename("run/shm0", "run/shm") == 0);
	check_many_at_once(COPIES + 1, COPIES);
	CHECK_EQ(mappings(dir), maps);
	clockbound_close(shared);
	end();
}

int
main(void)
{
	char dir[] = "/tmp/cb-failure.XXXXXX";

	signal(SIGALRM, SIG_DFL);
	alarm(60);
	if (!CHECK(mkdtemp(dir) != NULL) || !CHECK(chdir(dir) == 0))
		return test_done();
	what_fails_is_told_or_done_without(dir);
	what_is_written_in_part_is_not_used();
	more_calls_at_once_than_there_are_copies(dir);
	CHECK(rmdir(dir) == 0);
	return test_done();
}
