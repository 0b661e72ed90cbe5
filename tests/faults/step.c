/* SPDX-License-Identifier: ISC */
/*
 * Kills the writer at every write.  It is stepped by instruction, and looked at
 * after each; where a file is not what it was before, it is killed for good.
 * Then readers look, those who had the segments open and new ones, and the next
 * writer takes over.  All of it again, to the next such place, up to the end.
 *
 * usage: step
 *
 * The current directory is an empty one, in which the last files are left.
 * Out comes a line a scene: how many instructions, and how many deaths.
 */
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "bodies.h"
#include "test.h"

#define RUN	"run"
/* What is written before, by the one that is killed, and by the next. */
#define OLD	7
#define NEW	8
#define NEXT	9

/* All that a reader or another writer may find. */
struct sight {
	struct {
		ino_t ino;
		off_t size;
		mode_t mode;
		unsigned char bytes[256];
	} file[2 * BODIES_N];
};

/* One that is there before the writer that is killed, and what it does. */
struct scene {
	const char *name;
	void (*prepare)(void);
	bool is_kept;		/* the writer goes on in the old files */
	bool opens;		/* it has them to open first */
};

static void
open_writer(struct cb_shm_writer *w)
{
	const char *what = "";
	pid_t holder;

	if (!CHECK(cb_shm_write_open(w, RUN, &what, &holder)) ||
	    !CHECK(cb_shm_write_open_v1(w, &what)))
		errx(1, "cannot %s", what);
}

static void
write_once(int64_t n)
{
	struct cb_shm_writer w;

	open_writer(&w);
	bodies_write(&w, n);
	cb_shm_write_close(&w);
}

static const char *
path_of(size_t i)
{
	static char path[64];

	snprintf(path, sizeof(path), RUN "/%s", bodies_names[i]);
	return path;
}

/* So many bytes at that place in each. */
static void
change_files(off_t at, uint16_t value)
{
	for (size_t i = 0; i < BODIES_N; i++) {
		int fd = open(path_of(i), O_WRONLY | O_CLOEXEC);

		CHECK(pwrite(fd, &value, sizeof(value), at) == 2);
		close(fd);
	}
}

static void
prepare_nothing(void)
{
}

static void
prepare_old(void)
{
	write_once(OLD);
}

static void
prepare_odd(void)
{
	write_once(OLD);
	change_files(offsetof(struct cb_shm_header, generation), 4711);
}

static void
prepare_last_generation(void)
{
	write_once(OLD);
	change_files(offsetof(struct cb_shm_header, generation),
	    UINT16_MAX - 1);
}

/* Of a version that nobody knows. */
static void
prepare_foreign(void)
{
	write_once(OLD);
	change_files(offsetof(struct cb_shm_header, version), 0x0909);
}

static void
prepare_short(void)
{
	write_once(OLD);
	for (size_t i = 0; i < BODIES_N; i++)
		CHECK(truncate(path_of(i), 40) == 0);
}

static const struct scene scenes[] = {
	{ "an update", prepare_old, true, false },
	{ "an update, to generation 2", prepare_last_generation, true, false },
	{ "a start, and an update", prepare_old, true, true },
	{ "a start after a death", prepare_odd, true, true },
	{ "the first start", prepare_nothing, false, true },
	{ "a start on another version", prepare_foreign, false, true },
	{ "a start on cut segments", prepare_short, false, true }
};

static void
remove_all(void)
{
	DIR *dir = opendir(RUN);
	struct dirent *e;

	if (dir == NULL)
		return;
	while ((e = readdir(dir)) != NULL)
		unlinkat(dirfd(dir), e->d_name, 0);
	closedir(dir);
	rmdir(RUN);
}

static void
look(struct sight *s)
{
	char path[64];
	struct stat st;
	int fd;

	memset(s, 0, sizeof(*s));
	for (size_t i = 0; i < 2 * BODIES_N; i++) {
		snprintf(path, sizeof(path), RUN "/%s%s",
		    bodies_names[i / 2], i % 2 == 0 ? "" : ".new");
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd == -1)
			continue;
		fstat(fd, &st);
		s->file[i].ino = st.st_ino;
		s->file[i].size = st.st_size;
		s->file[i].mode = st.st_mode;
		if (read(fd, s->file[i].bytes, sizeof(s->file[i].bytes)) == -1)
			err(1, "%s", path);
		close(fd);
	}
}

/* Is traced from its stop on. */
static pid_t
start_writer(const struct scene *scene)
{
	struct cb_shm_writer w;
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	if (!scene->opens)
		open_writer(&w);
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	if (scene->opens)
		open_writer(&w);
	bodies_write(&w, NEW);
	_exit(test_failures > 0);
}

/*
 * Step it to where the files change for the death-th time, and kill it.  False
 * where it came to its end first.
 */
static bool
kill_writer(pid_t pid, int death, int64_t *steps)
{
	struct sight before, now;
	int status, changes = 0;

	look(&before);
	CHECK(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status));
	for (*steps = 0;; ++*steps) {
		if (!CHECK(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == 0 &&
		    waitpid(pid, &status, 0) == pid))
			return false;
		if (!WIFSTOPPED(status))
			break;
		look(&now);
		if (memcmp(&now, &before, sizeof(now)) == 0)
			continue;
		before = now;
		if (++changes == death) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return CHECK(WIFSIGNALED(status));
		}
	}
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return false;
}

/* Nothing that was written, by a segment that says so. */
static bool
says_nothing(const struct cb_shm_reader *r)
{
	return r->bound.status == CLOCKBOUND_STA_UNKNOWN;
}

static bool
is_odd(const struct cb_shm_reader *r)
{
	return r->segment->header.generation % 2 == 1;
}

/* One that has it open goes on with what it had, or has the new one. */
static void
check_held(struct cb_shm_reader *r, const struct scene *scene)
{
	int64_t n;

	if (r->segment == NULL)
		return;
	CHECK_EQ(cb_shm_read(r), CLOCKBOUND_ERR_NONE);
	n = bodies_read(r);
	CHECK(n == OLD || (n == NEW && scene->is_kept));
}

/* One that comes has the old, the new, or nothing, and is told so. */
static void
check_new(const char *path, const struct scene *scene)
{
	struct cb_shm_reader r;
	clockbound_err_kind kind;
	clockbound_err error;
	int64_t n;

	if (!cb_shm_read_open(&r, path, &error)) {
		CHECK(!scene->is_kept);
		return;
	}
	kind = cb_shm_read(&r);
	if (kind == CLOCKBOUND_ERR_NONE) {
		n = bodies_read(&r);
		CHECK(n == NEW || (scene->is_kept ? n == OLD :
		    says_nothing(&r)));
	} else {
		CHECK_EQ(kind, CLOCKBOUND_ERR_SEGMENT_NOT_INITIALIZED);
		CHECK(is_odd(&r));
	}
	cb_shm_read_close(&r);
}

/* And by the library's own call: what is trusted was written. */
static void
check_interval(void)
{
	clockbound_ctx *ctx = clockbound_open(RUN, NULL);
	clockbound_now_result now;

	if (ctx == NULL)
		return;
	if (clockbound_now(ctx, &now) == NULL &&
	    cb_shm_is_trusted(now.clock_status))
		CHECK(cb_now_snapshot(ctx)->bound_ns == OLD ||
		    cb_now_snapshot(ctx)->bound_ns == NEW);
	clockbound_close(ctx);
}

/* The next writer: all of them have what it writes, and nothing is left. */
static void
check_next(struct cb_shm_reader held[BODIES_N], const struct scene *scene)
{
	struct cb_shm_reader r;
	clockbound_err error;
	struct sight s;

	write_once(NEXT);
	for (size_t i = 0; i < BODIES_N; i++) {
		if (CHECK(cb_shm_read_open(&r, path_of(i), &error))) {
			CHECK_EQ(cb_shm_read(&r), CLOCKBOUND_ERR_NONE);
			CHECK_EQ(bodies_read(&r), NEXT);
			cb_shm_read_close(&r);
		}
		if (held[i].segment == NULL)
			continue;
		CHECK_EQ(cb_shm_read_is_replaced(&held[i], path_of(i)),
		    !scene->is_kept);
		CHECK_EQ(cb_shm_read(&held[i]), CLOCKBOUND_ERR_NONE);
		CHECK_EQ(bodies_read(&held[i]), scene->is_kept ? NEXT : OLD);
	}
	look(&s);
	for (size_t i = 0; i < BODIES_N; i++)
		CHECK(s.file[2 * i].ino != 0 && s.file[2 * i + 1].ino == 0);
}

/* One that has read the old value, where there is one that can be read. */
static void
hold(struct cb_shm_reader *r, const char *path)
{
	clockbound_err error;

	if (cb_shm_read_open(r, path, &error) &&
	    cb_shm_read(r) != CLOCKBOUND_ERR_NONE)
		cb_shm_read_close(r);
}

/* False where the writer was not killed any more. */
static bool
die(const struct scene *scene, int death, int64_t *steps)
{
	struct cb_shm_reader held[BODIES_N];
	bool died;

	remove_all();
	scene->prepare();
	for (size_t i = 0; i < BODIES_N; i++)
		hold(&held[i], path_of(i));
	died = kill_writer(start_writer(scene), death, steps);
	for (size_t i = 0; i < BODIES_N; i++) {
		check_held(&held[i], scene);
		check_new(path_of(i), scene);
	}
	check_interval();
	check_next(held, scene);
	for (size_t i = 0; i < BODIES_N; i++)
		cb_shm_read_close(&held[i]);
	return died;
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
		int64_t steps;
		int deaths = 0;

		test_row = scenes[i].name;
		while (die(&scenes[i], deaths + 1, &steps))
			deaths++;
		printf("%s: %lld instructions, %d deaths\n", scenes[i].name,
		    (long long)steps, deaths);
		fflush(stdout);
		/* Header and body, and each of its words, of three segments. */
		CHECK(deaths > 3 * 5);
	}
	return test_done();
}
