/* SPDX-License-Identifier: ISC */
/*
 * The segment as a file: its bytes, what a writer does with the file that is
 * there, and what a reader makes of files that nobody should have written.
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "held.h"
#include "segment.h"
#include "shm.h"
#include "test.h"
#include "ts.h"

#define RUN	"run"
#define SHM0	RUN "/shm0"
#define NOBODY	65534

/* What a file may hold, and what it held. */
struct image {
	uint8_t bytes[4096];
	size_t size;
};

/* A segment that nothing is wrong with, as a daemon has just written it. */
static struct image
good_image(int64_t as_of, int64_t bound_ns)
{
	struct cb_shm_v2 v2 = body_of(as_of, bound_ns, 50000,
	    CLOCKBOUND_STA_SYNCHRONIZED);
	struct cb_shm_header header = {
		.magic = { 0x414D5A4E, 0x43420200 },
		.segsize = 80,
		.version = 2,
		.generation = 2
	};
	struct image i = { .size = 80 };

	memcpy(i.bytes, &header, sizeof(header));
	memcpy(i.bytes + 16, &v2, sizeof(v2));
	return i;
}

/* In native byte order. */
static void
put(struct image *i, size_t at, size_t size, int64_t value)
{
	uint64_t u64 = (uint64_t)value;
	uint32_t u32 = (uint32_t)value;
	uint16_t u16 = (uint16_t)value;

	memcpy(i->bytes + at, size == 8 ? (void *)&u64 : size == 4 ?
	    (void *)&u32 : (void *)&u16, size);
}

static void
write_image(const char *path, const struct image *i)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	CHECK(write(fd, i->bytes, i->size) == (ssize_t)i->size);
	CHECK(close(fd) == 0);
}

/* Under those who have it mapped, which a truncation would kill. */
static void
write_image_in_place(const char *path, const struct image *i)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	CHECK(write(fd, i->bytes, i->size) == (ssize_t)i->size);
	CHECK(close(fd) == 0);
}

static struct image
read_image(const char *path)
{
	struct image i = { .size = 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, i.bytes, sizeof(i.bytes));

	if (CHECK(n >= 0))
		i.size = (size_t)n;
	close(fd);
	return i;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
remove_tree(const char *path)
{
	nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static bool
open_writer(struct cb_shm_writer *w)
{
	const char *what;
	pid_t holder;

	return CHECK(cb_shm_write_open(w, RUN, &what, &holder));
}

static uint16_t
generation_of(const char *path)
{
	struct image i = read_image(path);
	uint16_t generation;

	memcpy(&generation, i.bytes + 14, sizeof(generation));
	return generation;
}

static ino_t
inode_of(const char *path)
{
	struct stat st;

	return CHECK(lstat(path, &st) == 0) ? st.st_ino : 0;
}

static mode_t
mode_of(const char *path)
{
	struct stat st;

	return CHECK(lstat(path, &st) == 0) ? st.st_mode : 0;
}

/*
 * What the file says when it is opened and read, once by each interface.
 */
static clockbound_err_kind
kind_of(const char *path)
{
	struct cb_shm_reader r;
	clockbound_now_result res, untouched;
	const clockbound_err *now_err;
	clockbound_err err, err2;
	clockbound_ctx *ctx;

	memset(&err, 0x55, sizeof(err));
	memset(&err2, 0x55, sizeof(err2));
	if (cb_shm_read_open(&r, path, &err)) {
		err = (clockbound_err){ .kind = cb_shm_read(&r) };
		CHECK_EQ(cb_shm_read(&r), err.kind);
		cb_shm_read_close(&r);
	}
	CHECK(r.segment == NULL);
	ctx = clockbound_vmclock_open(path, "vmclock", &err2);
	if (ctx != NULL) {
		memset(&res, 0x55, sizeof(res));
		memset(&untouched, 0x55, sizeof(res));
		now_err = clockbound_now(ctx, &res);
		err2 = now_err != NULL ? *now_err : (clockbound_err){
			.kind = CLOCKBOUND_ERR_NONE };
		if (err2.kind != CLOCKBOUND_ERR_NONE)
			CHECK(memcmp(&res, &untouched, sizeof(res)) == 0);
		clockbound_close(ctx);
	}
	CHECK_EQ(err.kind, err2.kind);
	CHECK_EQ(err.sys_errno, err2.sys_errno);
	if (err.kind != CLOCKBOUND_ERR_SYSCALL) {
		CHECK_EQ(err.sys_errno, 0);
		CHECK(err.detail == NULL);
	}
	return err.kind;
}

static void
segment_is_version_2_byte_for_byte(void)
{
	static const uint8_t golden[80] = {
		0x4E, 0x5A, 0x4D, 0x41, 0x00, 0x02, 0x42, 0x43,	/* magic */
		0x50, 0x00, 0x00, 0x00,			/*  8 segsize */
		0x02, 0x00,				/* 12 version */
		0x04, 0x00,				/* 14 generation */
		0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11,
		0x28, 0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21,
		0x38, 0x37, 0x36, 0x35, 0x34, 0x33, 0x32, 0x31,
		0x48, 0x47, 0x46, 0x45, 0x44, 0x43, 0x42, 0x41,
		0x58, 0x57, 0x56, 0x55, 0x54, 0x53, 0x52, 0x51,
		0x68, 0x67, 0x66, 0x65, 0x64, 0x63, 0x62, 0x61,
		0x74, 0x73, 0x72, 0x71,			/* 64 max_drift */
		0x03, 0x00, 0x00, 0x00,			/* 68 disrupted */
		0x01,					/* 72 support */
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00
	};
	const struct cb_shm_v2 v2 = {
		.as_of_s = 0x1112131415161718,
		.as_of_ns = 0x2122232425262728,
		.void_after_s = 0x3132333435363738,
		.void_after_ns = 0x4142434445464748,
		.bound_ns = 0x5152535455565758,
		.disruption_marker = 0x6162636465666768,
		.max_drift_ppb = 0x71727374,
		.clock_status = CLOCKBOUND_STA_DISRUPTED,
		.disruption_support = 1
	};
	const uint16_t one = 1;
	struct cb_shm_writer w;
	struct image i;

	if (*(const uint8_t *)&one != 1) {
		test_skip("bytes are typed out for little-endian machines");
		return;
	}
	if (!open_writer(&w))
		return;
	cb_shm_write(&w, &v2);
	i = read_image(SHM0);
	CHECK_EQ(i.size, sizeof(golden));
	for (size_t k = 0; k < sizeof(golden); k++)
		if (!CHECK_EQ(i.bytes[k], golden[k]))
			fprintf(stderr, "at offset %zu\n", k);
	cb_shm_write_close(&w);
	remove_tree(RUN);
}

static void
snapshot_is_what_was_written(void)
{
	const struct cb_shm_v2 v2 = {
		.as_of_s = 1,
		.as_of_ns = 2,
		.void_after_s = 3,
		.void_after_ns = 4,
		.bound_ns = 5,
		.disruption_marker = UINT64_MAX,
		.max_drift_ppb = 7,
		.clock_status = CLOCKBOUND_STA_FREE_RUNNING,
		.disruption_support = 1
	};
	struct cb_shm_writer w;
	struct cb_shm_reader r;
	clockbound_err err;

	if (!open_writer(&w))
		return;
	cb_shm_write(&w, &v2);
	if (CHECK(cb_shm_read_open(&r, SHM0, &err))) {
		CHECK_EQ(cb_shm_read(&r), CLOCKBOUND_ERR_NONE);
		CHECK_EQ(r.bound.as_of, 1000000002);
		CHECK_EQ(r.bound.void_after, 3000000004);
		CHECK_EQ(r.bound.bound_ns, 5);
		CHECK_EQ(r.bound.disruption_marker, UINT64_MAX);
		CHECK_EQ(r.bound.max_drift_ppb, 7);
		CHECK_EQ(r.bound.status, CLOCKBOUND_STA_FREE_RUNNING);
		CHECK(r.bound.disruption_support);
		cb_shm_read_close(&r);
	}
	cb_shm_write_close(&w);
	remove_tree(RUN);
}

static void
new_segment_is_unknown_and_for_all_to_read(void)
{
	mode_t before = umask(077);
	struct image stale = { .size = 5 };
	struct cb_shm_writer w;
	struct cb_shm_reader r;
	const char *what;
	clockbound_err err;
	pid_t holder;

	CHECK(cb_shm_write_open(&w, "a/b//c/", &what, &holder));
	CHECK(S_ISDIR(mode_of("a/b/c")));
	CHECK_EQ(mode_of("a/b/c/shm0"), S_IFREG | 0644);
	cb_shm_write_close(&w);
	umask(022);
	remove_tree("a");

	/* A writer that died while it made one. */
	CHECK(mkdir(RUN, 0755) == 0);
	write_image(RUN "/shm0.new", &stale);
	if (!open_writer(&w))
		return;
	CHECK_EQ(mode_of(RUN), S_IFDIR | 0755);
	CHECK_EQ(mode_of(SHM0), S_IFREG | 0644);
	CHECK_EQ(mode_of(RUN "/lock"), S_IFREG | 0600);
	CHECK(access(RUN "/shm0.new", F_OK) == -1);
	CHECK_EQ(generation_of(SHM0), 2);
	if (CHECK(cb_shm_read_open(&r, SHM0, &err))) {
		CHECK_EQ(cb_shm_read(&r), CLOCKBOUND_ERR_NONE);
		CHECK_EQ(r.bound.status, CLOCKBOUND_STA_UNKNOWN);
		cb_shm_read_close(&r);
	}
	cb_shm_write_close(&w);
	CHECK(chmod(SHM0, 0600) == 0);
	if (open_writer(&w))
		CHECK_EQ(mode_of(SHM0), S_IFREG | 0644);
	cb_shm_write_close(&w);
	umask(before);
	remove_tree(RUN);
}

static void
what_is_in_the_way_is_named(void)
{
	struct image i = { .size = 1 };
	struct cb_shm_writer w;
	const char *what = "";
	char path[PATH_MAX + 1];
	pid_t holder = 7;

	write_image("file", &i);
	CHECK(!cb_shm_write_open(&w, "file", &what, &holder));
	CHECK_EQ(errno, ENOTDIR);
	CHECK(strcmp(what, "open the directory") == 0);
	CHECK(!cb_shm_write_open(&w, "file/run", &what, &holder));
	CHECK_EQ(errno, ENOTDIR);
	CHECK(strcmp(what, "make the directory") == 0);
	CHECK(!cb_shm_write_open(&w, "file/run/deep", &what, &holder));
	CHECK_EQ(errno, ENOTDIR);
	CHECK_EQ(holder, 0);
	CHECK(!cb_shm_write_open(&w, "", &what, &holder));
	CHECK_EQ(errno, ENOENT);
	CHECK(unlink("file") == 0);
	memset(path, '/', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	CHECK(!cb_shm_write_open(&w, path, &what, &holder));
	CHECK_EQ(errno, ENAMETOOLONG);

	CHECK(mkdir(RUN, 0755) == 0 && mkdir(SHM0, 0755) == 0);
	CHECK(!cb_shm_write_open(&w, RUN, &what, &holder));
	CHECK(strcmp(what, "create shm0") == 0);
	CHECK(access(RUN "/shm0.new", F_OK) == -1);
	CHECK(w.v2.segment == NULL && w.dir_fd == -1 && w.lock_fd == -1);
	remove_tree(RUN);
}

/* Where anybody may replace them; the sticky bit allows them their own. */
static void
no_segment_is_put_where_anybody_may_replace_it(void)
{
	struct cb_shm_writer w;
	const char *what = "";
	pid_t holder;

	CHECK(mkdir(RUN, 0755) == 0 && chmod(RUN, 0777) == 0);
	CHECK(!cb_shm_write_open(&w, RUN, &what, &holder));
	CHECK_EQ(errno, EPERM);
	CHECK(strcmp(what, "use a directory where anybody may replace files")
	    == 0);
	CHECK(access(SHM0, F_OK) == -1);
	CHECK(chmod(RUN, 01777) == 0);
	if (open_writer(&w))
		cb_shm_write_close(&w);
	remove_tree(RUN);
}

/* To the next run: what this one, or the one before it, wrote whole. */
static void
the_last_snapshot_is_told_where_there_is_one(void)
{
	struct cb_shm_v2 v2 = body_of(CB_NS_PER_S, 33, 0,
	    CLOCKBOUND_STA_DISRUPTED);
	struct image i = good_image(CB_NS_PER_S, 11);
	struct cb_shm_writer w;
	struct cb_shm_bound last;

	CHECK(mkdir(RUN, 0755) == 0);
	write_image(SHM0, &i);
	if (!open_writer(&w))
		return;
	CHECK(cb_shm_write_last(&w, &last));
	CHECK_EQ(last.bound_ns, 11);
	cb_shm_write(&w, &v2);
	CHECK(cb_shm_write_last(&w, &last));
	CHECK_EQ(last.bound_ns, 33);
	CHECK_EQ(last.status, CLOCKBOUND_STA_DISRUPTED);
	put(&i, 14, 2, 7);
	write_image_in_place(SHM0, &i);
	CHECK(!cb_shm_write_last(&w, &last));
	put(&i, 14, 2, 8);
	put(&i, 68, 4, 77);
	write_image_in_place(SHM0, &i);
	CHECK(!cb_shm_write_last(&w, &last));
	cb_shm_write_close(&w);
	remove_tree(RUN);
}

static void
a_writer_knows_whether_readers_find_its_files(void)
{
	struct image i = good_image(CB_NS_PER_S, 11);
	struct cb_shm_writer w;
	const char *what;

	if (!open_writer(&w))
		return;
	CHECK(cb_shm_write_open_v1(&w, &what));
	CHECK(cb_shm_write_is_there(&w, RUN));
	CHECK(!cb_shm_write_is_there(&w, "."));
	CHECK(rename(RUN "/shm", "away") == 0);
	CHECK(!cb_shm_write_is_there(&w, RUN));
	CHECK(rename("away", RUN "/shm") == 0);
	CHECK(cb_shm_write_is_there(&w, RUN));
	if (CB_COUNTER_ID != CB_COUNTER_INVALID) {
		CHECK(rename(RUN "/shm1", "away") == 0);
		CHECK(!cb_shm_write_is_there(&w, RUN));
		CHECK(rename("away", RUN "/shm1") == 0);
	}
	/* Another by that name; its own, but not as long as it was. */
	write_image("away", &i);
	CHECK(link(SHM0, "own") == 0 && rename("away", SHM0) == 0);
	CHECK(!cb_shm_write_is_there(&w, RUN));
	CHECK(rename("own", SHM0) == 0);
	CHECK(cb_shm_write_is_there(&w, RUN));
	CHECK(truncate(SHM0, 79) == 0);
	CHECK(!cb_shm_write_is_there(&w, RUN));
	cb_shm_write_close(&w);
	remove_tree(RUN);
}

static void
usable_segment_is_reused_with_its_generation_going_on(void)
{
	static const struct {
		const char *name;
		uint16_t before, after;
	} rows[] = {
		{ "never written", 0, 2 },
		{ "warm", 1000, 1002 },
		{ "left odd", 1001, 1002 },
		{ "at the end", 65532, 65534 },
		{ "left odd at the end", 65533, 65534 },
		{ "all around", 65534, 2 },
		{ "left odd all around", 65535, 2 }
	};
	struct cb_shm_v2 v2 = body_of(2 * CB_NS_PER_S, 22, 50000,
	    CLOCKBOUND_STA_SYNCHRONIZED);
	struct cb_shm_writer w;
	struct cb_shm_reader r;
	clockbound_err err;
	ino_t ino;

	CHECK(mkdir(RUN, 0755) == 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct image image = good_image(CB_NS_PER_S, 11);

		test_row = rows[i].name;
		put(&image, 14, 2, rows[i].before);
		write_image(SHM0, &image);
		ino = inode_of(SHM0);
		if (!open_writer(&w))
			break;
		CHECK_EQ(inode_of(SHM0), ino);
		/* Until there is something to say, what is there stands. */
		CHECK_EQ(generation_of(SHM0), rows[i].before);
		CHECK(memcmp(read_image(SHM0).bytes, image.bytes, 80) == 0);
		/* Of readers that have it mapped, too. */
		if (rows[i].before != 0) {
			CHECK(cb_shm_read_open(&r, SHM0, &err));
			CHECK_EQ(cb_shm_read(&r), rows[i].before % 2 == 0 ?
			    CLOCKBOUND_ERR_NONE :
			    CLOCKBOUND_ERR_SEGMENT_NOT_INITIALIZED);
			cb_shm_write(&w, &v2);
			CHECK_EQ(cb_shm_read(&r), CLOCKBOUND_ERR_NONE);
			CHECK_EQ(r.bound.bound_ns, 22);
			cb_shm_read_close(&r);
		} else
			cb_shm_write(&w, &v2);
		CHECK_EQ(generation_of(SHM0), rows[i].after);
		cb_shm_write_close(&w);
	}
	test_row = "";
	remove_tree(RUN);
}

/* The old file, by a name of its own and as a reader has it mapped. */
static void
check_replaced(const struct image *before)
{
	struct cb_shm_v2 v2 = body_of(2 * CB_NS_PER_S, 22, 50000,
	    CLOCKBOUND_STA_SYNCHRONIZED);
	int fd = open(SHM0, O_RDONLY | O_CLOEXEC);
	struct cb_shm_writer w;
	struct image after;
	struct stat st, new;
	void *map;

	CHECK(fstat(fd, &st) == 0);
	map = mmap(NULL, before->size, PROT_READ, MAP_SHARED, fd, 0);
	if (CHECK(map != MAP_FAILED) && open_writer(&w)) {
		cb_shm_write(&w, &v2);
		CHECK(lstat(SHM0, &new) == 0);
		CHECK(new.st_ino != st.st_ino);
		CHECK_EQ(new.st_mode, S_IFREG | 0644);
		CHECK_EQ(new.st_size, 80);
		CHECK_EQ(new.st_nlink, 1);
		CHECK_EQ(generation_of(SHM0), 4);
		CHECK_EQ(fstat(fd, &st), 0);
		CHECK_EQ(st.st_size, before->size);
		CHECK(memcmp(map, before->bytes, before->size) == 0);
		CHECK(pread(fd, after.bytes, sizeof(after.bytes), 0) ==
		    (ssize_t)before->size);
		CHECK(memcmp(after.bytes, before->bytes, before->size) == 0);
		cb_shm_write_close(&w);
	}
	munmap(map, before->size);
	close(fd);
}

static void
anything_else_is_replaced_and_left_alone(void)
{
	static const struct {
		const char *name;
		size_t at, size;
		int64_t value;
		size_t length;
	} rows[] = {
		{ "magic 0", 0, 4, 0x414D5A4F, 80 },
		{ "magic 1", 4, 4, 0x43420100, 80 },
		{ "segsize", 8, 4, 72, 80 },
		{ "version 0", 12, 2, 0, 80 },
		{ "version 1", 12, 2, 1, 80 },
		{ "version 9", 12, 2, 9, 80 },
		{ "version 0x0202", 12, 2, 0x0202, 80 },
		{ "short", 12, 2, 2, 79 },
		{ "a byte", 12, 2, 2, 1 },
		{ "long", 12, 2, 2, 81 },
		{ "a page", 12, 2, 2, 4096 }
	};
	struct cb_shm_writer w;
	struct image image;

	CHECK(mkdir(RUN, 0755) == 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		test_row = rows[i].name;
		image = good_image(CB_NS_PER_S, 11);
		put(&image, rows[i].at, rows[i].size, rows[i].value);
		image.size = rows[i].length;
		write_image(SHM0, &image);
		check_replaced(&image);
		CHECK(unlink(SHM0) == 0);
	}

	image = good_image(CB_NS_PER_S, 11);
	test_row = "a second name";
	write_image(SHM0, &image);
	CHECK(link(SHM0, "other") == 0);
	check_replaced(&image);
	CHECK(memcmp(read_image("other").bytes, image.bytes, 80) == 0);
	CHECK(unlink(SHM0) == 0);

	test_row = "a symbolic link";
	CHECK(symlink("../other", SHM0) == 0);
	check_replaced(&image);
	CHECK(memcmp(read_image("other").bytes, image.bytes, 80) == 0);
	CHECK(unlink(SHM0) == 0);

	if (geteuid() == 0) {
		test_row = "another's";
		write_image(SHM0, &image);
		CHECK(chown(SHM0, NOBODY, NOBODY) == 0);
		check_replaced(&image);
		CHECK(unlink(SHM0) == 0);
	}

	test_row = "a FIFO";
	CHECK(mkfifo(SHM0, 0644) == 0);
	if (open_writer(&w))
		CHECK_EQ(mode_of(SHM0), S_IFREG | 0644);
	cb_shm_write_close(&w);
	test_row = "";
	unlink("other");
	remove_tree(RUN);
}

static void
there_is_a_file_at_every_moment_of_a_replacement(void)
{
	struct image image = good_image(CB_NS_PER_S, 11);
	struct cb_shm_writer w;
	int status, fd;
	pid_t pid;

	put(&image, 12, 2, 9);
	CHECK(mkdir(RUN, 0755) == 0);
	write_image(SHM0, &image);
	pid = fork();
	if (pid == 0) {
		alarm(30);
		while ((fd = open(SHM0, O_RDONLY)) != -1)
			close(fd);
		_exit(1);
	}
	for (int i = 0; i < 300; i++) {
		write_image("file", &image);
		CHECK(rename("file", SHM0) == 0);
		if (!open_writer(&w))
			break;
		cb_shm_write_close(&w);
	}
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
	remove_tree(RUN);
}

/* Record locks are a process's: another one has to ask for it. */
static int
in_a_child(int (*f)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		exit(f());
	if (!CHECK(waitpid(pid, &status, 0) == pid) ||
	    !CHECK(WIFEXITED(status)))
		return -1;
	return WEXITSTATUS(status);
}

static int
is_locked_by_parent(void)
{
	struct cb_shm_writer w;
	const char *what = "";
	pid_t holder = 0;

	return !cb_shm_write_open(&w, RUN, &what, &holder) &&
	    errno == EEXIST && holder == getppid() &&
	    strcmp(what, "open the file lock") == 0 && w.v2.segment == NULL;
}

static int
is_free(void)
{
	struct cb_shm_writer w;
	const char *what;
	pid_t holder;

	return cb_shm_write_open(&w, RUN, &what, &holder) && holder == 0;
}

static void
one_writer_a_directory_and_the_second_learns_its_pid(void)
{
	struct cb_shm_writer w;
	uint16_t generation;
	int status, ready[2];
	pid_t pid;
	char c;

	if (!open_writer(&w))
		return;
	generation = generation_of(SHM0);
	CHECK_EQ(in_a_child(is_locked_by_parent), 1);
	CHECK_EQ(generation_of(SHM0), generation);
	cb_shm_write_close(&w);
	CHECK_EQ(in_a_child(is_free), 1);

	/* However its holder ends. */
	CHECK(pipe(ready) == 0);
	pid = fork();
	if (pid == 0) {
		alarm(30);
		if (is_free() && write(ready[1], "", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(ready[1]);
	CHECK_EQ(read(ready[0], &c, 1), 1);
	CHECK_EQ(in_a_child(is_free), 0);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	CHECK_EQ(in_a_child(is_free), 1);
	close(ready[0]);
	remove_tree(RUN);
}

#define OK	CLOCKBOUND_ERR_NONE
#define SYS	CLOCKBOUND_ERR_SYSCALL
#define NOT	CLOCKBOUND_ERR_SEGMENT_NOT_INITIALIZED
#define BAD	CLOCKBOUND_ERR_SEGMENT_MALFORMED
#define VER	CLOCKBOUND_ERR_SEGMENT_VERSION_NOT_SUPPORTED

static void
malformed_segment_is_the_error_that_clockbound_2_gives(void)
{
	static const struct {
		const char *name;
		size_t at, size;
		int64_t value;
		size_t length;
		clockbound_err_kind kind;
	} rows[] = {
		{ "as it should be", 12, 2, 2, 80, OK },
		{ "empty", 12, 2, 2, 0, NOT },
		{ "15 bytes", 12, 2, 2, 15, NOT },
		{ "header alone", 12, 2, 2, 16, BAD },
		{ "header alone, version 9", 12, 2, 9, 16, VER },
		{ "79 bytes", 12, 2, 2, 79, BAD },
		{ "a page", 12, 2, 2, 4096, OK },
		{ "magic 0", 0, 4, 0x414D5A4F, 80, NOT },
		{ "magic 1", 4, 4, 0x43420100, 80, NOT },
		{ "version 0", 12, 2, 0, 80, NOT },
		{ "version 1, whose status is elsewhere", 12, 2, 1, 80, BAD },
		{ "version 9", 12, 2, 9, 80, VER },
		{ "version 9, short", 12, 2, 9, 40, VER },
		{ "version 0x0302", 12, 2, 0x0302, 104, VER },
		{ "version 0x0404", 12, 2, 0x0404, 104, VER },
		{ "version 0x0200", 12, 2, 0x0200, 80, VER },
		{ "segsize 0", 8, 4, 0, 80, BAD },
		{ "segsize 79", 8, 4, 79, 80, BAD },
		{ "segsize 81", 8, 4, 81, 80, BAD },
		{ "segsize 81, which it is", 8, 4, 81, 81, OK },
		{ "segsize huge", 8, 4, 0xffffffff, 80, BAD },
		{ "segsize above 2 GB", 8, 4, 0x80000000, 4096, BAD },
		{ "generation 0", 14, 2, 0, 80, NOT },
		{ "generation 1", 14, 2, 1, 80, NOT },
		{ "generation 65535", 14, 2, 65535, 80, NOT },
		{ "generation 65534", 14, 2, 65534, 80, OK },

		{ "as_of of 2 * 10^9 ns", 24, 8, 2000000000, 80, BAD },
		{ "as_of of 10^9 ns", 24, 8, 1000000000, 80, BAD },
		{ "as_of of -1 ns", 24, 8, -1, 80, BAD },
		{ "as_of of 2^32 ns", 24, 8, INT64_C(1) << 32, 80, BAD },
		{ "as_of of INT64_MIN ns", 24, 8, INT64_MIN, 80, BAD },
		{ "as_of of INT64_MAX s", 16, 8, INT64_MAX, 80, BAD },
		{ "as_of of INT64_MIN s", 16, 8, INT64_MIN, 80, BAD },
		{ "as_of of 4 * 10^9 s and 1", 16, 8, 4000000001, 80, BAD },
		{ "as_of of -4 * 10^9 s and 1", 16, 8, -4000000001, 80, BAD },
		{ "as_of of -4 * 10^9 s", 16, 8, -4000000000, 80, OK },
		{ "void_after of 2 * 10^9 ns", 40, 8, 2000000000, 80, BAD },
		{ "void_after of 999999999 ns", 40, 8, 999999999, 80, OK },
		{ "void_after of 10^9 ns", 40, 8, 1000000000, 80, BAD },
		{ "void_after of -1 ns", 40, 8, -1, 80, BAD },
		{ "void_after of INT64_MAX s", 32, 8, INT64_MAX, 80, BAD },
		{ "void_after of INT64_MIN s", 32, 8, INT64_MIN, 80, BAD },
		{ "void_after of 4 * 10^9 s", 32, 8, 4000000000, 80, OK },
		{ "void_after of 4 * 10^9 s and 1", 32, 8, 4000000001, 80,
		    BAD },
		{ "void_after of -4 * 10^9 s", 32, 8, -4000000000, 80, OK },
		{ "bound of -1 ns", 48, 8, -1, 80, BAD },
		{ "bound of INT64_MIN ns", 48, 8, INT64_MIN, 80, BAD },
		{ "bound of 0", 48, 8, 0, 80, OK },
		{ "bound of INT64_MAX ns", 48, 8, INT64_MAX, 80, OK },
		{ "any marker", 56, 8, -1, 80, OK },
		{ "drift of 999999999", 64, 4, 999999999, 80, OK },
		{ "drift of 10^9", 64, 4, 1000000000, 80, BAD },
		{ "drift of 2^32 - 1", 64, 4, 0xffffffff, 80, BAD },
		{ "status 3", 68, 4, 3, 80, OK },
		{ "status 4", 68, 4, 4, 80, BAD },
		{ "status 77", 68, 4, 77, 80, BAD },
		{ "status -1", 68, 4, -1, 80, BAD },
		{ "status INT32_MIN", 68, 4, INT32_MIN, 80, BAD }
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct image image = good_image(mono_now(), 11);

		test_row = rows[i].name;
		put(&image, rows[i].at, rows[i].size, rows[i].value);
		image.size = rows[i].length;
		write_image("segment", &image);
		CHECK_EQ(kind_of("segment"), rows[i].kind);
	}
	test_row = "";
	unlink("segment");
}

static void
never_written_segment_is_an_error_of_open(void)
{
	struct image image = good_image(mono_now(), 11);
	clockbound_err err = { .kind = OK };

	put(&image, 14, 2, 0);
	write_image("segment", &image);
	CHECK(clockbound_open("segment", &err) == NULL);
	CHECK_EQ(err.kind, NOT);
	unlink("segment");
}

static void
check_open_fails(const char *path, int error)
{
	clockbound_err err = { .kind = OK };

	CHECK(clockbound_open(path, &err) == NULL);
	CHECK_EQ(err.kind, SYS);
	CHECK_EQ(err.sys_errno, error);
	if (CHECK(err.detail != NULL))
		CHECK(strcmp(err.detail, "open") == 0);
	CHECK(clockbound_open(path, NULL) == NULL);
	CHECK_EQ(kind_of(path), SYS);
}

/* Root may read it all. */
static int
reading_as_nobody_is_denied(void)
{
	if (geteuid() == 0 && (setgid(NOBODY) == -1 || setuid(NOBODY) == -1))
		return 77;
	check_open_fails("segment", EACCES);
	return test_done();
}

static void
path_that_cannot_be_opened_is_a_failed_call(void)
{
	struct image image = good_image(mono_now(), 11);
	clockbound_err err = { .kind = OK };
	clockbound_ctx *ctx;
	int status;

	CHECK(mkdir(RUN, 0755) == 0);
	write_image("segment", &image);
	test_row = "missing";
	check_open_fails("none", ENOENT);
	test_row = "in a file";
	check_open_fails("segment/shm0", ENOTDIR);
	test_row = "the empty path";
	check_open_fails("", ENOENT);
	test_row = "circle";
	CHECK(symlink("circle", "circle") == 0);
	check_open_fails("circle", ELOOP);
	unlink("circle");

	test_row = "unreadable";
	CHECK(chmod("segment", 0) == 0);
	fflush(stderr);
	status = in_a_child(reading_as_nobody_is_denied);
	if (status == 77)
		test_skip("root cannot become another user here");
	else
		CHECK_EQ(status, 0);

	test_row = "FIFO";
	CHECK(mkfifo("fifo", 0644) == 0);
	CHECK_EQ(kind_of("fifo"), NOT);
	unlink("fifo");
	test_row = "";

	/* Only the public interface knows what a directory means. */
	CHECK(clockbound_open(RUN, NULL) == NULL);
	CHECK(clockbound_open(RUN, &err) == NULL);
	CHECK_EQ(err.kind, SYS);
	CHECK_EQ(err.sys_errno, ENOENT);
	CHECK(err.detail != NULL && strcmp(err.detail, "open") == 0);
	CHECK(chmod("segment", 0644) == 0 && rename("segment", SHM0) == 0);
	ctx = clockbound_open(RUN, NULL);
	CHECK(ctx != NULL);
	CHECK(clockbound_close(ctx) == NULL);
	CHECK(clockbound_close(NULL) == NULL);
	remove_tree(RUN);
}

/* Under a reader that has read it once. */
static void
good_copy_outlives_what_becomes_of_the_file(void)
{
	static const struct {
		const char *name;
		size_t at, size;
		int64_t value;
		clockbound_err_kind kind;
	} rows[] = {
		{ "being written", 14, 2, 3, OK },
		{ "wiped", 12, 2, 0, OK },
		{ "never written", 14, 2, 0, OK },
		{ "another version", 12, 2, 9, VER },
		{ "malformed", 68, 4, 77, BAD }
	};
	struct image good = good_image(mono_now(), 11);
	clockbound_segment copy;
	struct cb_shm_bound bound;
	struct cb_shm_reader r;
	clockbound_err err;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct image image = good;

		test_row = rows[i].name;
		write_image("segment", &good);
		if (!CHECK(cb_shm_read_open(&r, "segment", &err)))
			break;
		CHECK_EQ(cb_shm_read(&r), OK);
		/* A write that is not of this row: it must be looked at. */
		put(&image, 14, 2, 4);
		put(&image, 48, 8, 22);
		put(&image, rows[i].at, rows[i].size, rows[i].value);
		write_image_in_place("segment", &image);
		CHECK_EQ(cb_shm_read(&r), rows[i].kind);
		if (rows[i].kind == OK)
			CHECK_EQ(r.bound.bound_ns, 11);
		/* A copy is of what the bound is of. */
		cb_shm_read_copy(&r, r.bound.status, &copy);
		CHECK_EQ(cb_shm_read_parse_segment(&copy, &bound), OK);
		CHECK_EQ(bound.bound_ns, r.bound.bound_ns);
		/* And on it goes. */
		image = good;
		put(&image, 14, 2, 6);
		put(&image, 48, 8, 33);
		write_image_in_place("segment", &image);
		CHECK_EQ(cb_shm_read(&r), OK);
		CHECK_EQ(r.bound.bound_ns, 33);
		/* The same generation is the same snapshot. */
		put(&image, 48, 8, 44);
		write_image_in_place("segment", &image);
		CHECK_EQ(cb_shm_read(&r), OK);
		CHECK_EQ(r.bound.bound_ns, 33);
		cb_shm_read_close(&r);
	}
	test_row = "";
	unlink("segment");
}

static void
replace(const struct image *i)
{
	write_image("segment.new", i);
	CHECK(rename("segment.new", "segment") == 0);
}

static int64_t
half_width(clockbound_ctx *ctx)
{
	clockbound_now_result res;

	if (clockbound_now(ctx, &res) != NULL)
		return -1;
	return (cb_ts_ns(&res.latest) - cb_ts_ns(&res.earliest)) / 2;
}

#define OLD_NS	(3600 * CB_NS_PER_S)
#define NEW_NS	(7200 * CB_NS_PER_S)

static void
long_lived_reader_finds_the_file_that_replaced_a_stale_one(void)
{
	struct image old = good_image(mono_now() - 2 * CB_NS_PER_S, OLD_NS);
	struct image new = good_image(mono_now(), NEW_NS), broken = new;
	struct timespec pause_1_ms = { .tv_nsec = 1000000 };
	int64_t begin;
	clockbound_ctx *ctx;

	write_image("segment", &old);
	ctx = clockbound_open("segment", NULL);
	if (!CHECK(ctx != NULL))
		return;
	/* Worse than what it has. */
	put(&broken, 12, 2, 0);
	replace(&broken);
	begin = mono_now();
	CHECK(half_width(ctx) >= OLD_NS && half_width(ctx) < NEW_NS);
	replace(&new);
	while (half_width(ctx) < NEW_NS) {
		if (!CHECK(mono_now() - begin < 2 * CB_NS_PER_S))
			break;
		nanosleep(&pause_1_ms, NULL);
	}
	/* It does not look all the time. */
	CHECK(mono_now() - begin >= CB_NS_PER_S);
	clockbound_close(ctx);
	unlink("segment");
}

static void
reader_of_an_unusable_file_finds_a_good_one_at_once(void)
{
	static const struct {
		const char *name;
		size_t at, size;
		int64_t value;
	} rows[] = {
		{ "half written", 14, 2, 1 },
		{ "malformed", 68, 4, 77 }
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct image good = good_image(mono_now(), NEW_NS);
		struct image bad = good;
		clockbound_ctx *ctx;

		test_row = rows[i].name;
		put(&bad, rows[i].at, rows[i].size, rows[i].value);
		write_image("segment", &bad);
		ctx = clockbound_open("segment", NULL);
		if (!CHECK(ctx != NULL))
			break;
		replace(&good);
		CHECK(half_width(ctx) >= NEW_NS);
		clockbound_close(ctx);
	}
	test_row = "";
	unlink("segment");
}

/* The daemon died in the middle of a write, and no other came. */
static void
reader_keeps_its_copy_of_a_stale_file_that_nothing_replaced(void)
{
	int64_t as_of = mono_now() - 900000000;
	struct image image = good_image(as_of, OLD_NS);
	struct timespec pause_1_ms = { .tv_nsec = 1000000 };
	clockbound_ctx *ctx;

	write_image("segment", &image);
	ctx = clockbound_open("segment", NULL);
	if (!CHECK(ctx != NULL))
		return;
	CHECK(half_width(ctx) >= OLD_NS);
	put(&image, 14, 2, 3);
	write_image_in_place("segment", &image);
	while (mono_now() - as_of <= CB_NS_PER_S)
		nanosleep(&pause_1_ms, NULL);
	CHECK(half_width(ctx) >= OLD_NS);
	clockbound_close(ctx);
	unlink("segment");
}

int
main(void)
{
	char dir[] = "/tmp/cb-shm.XXXXXX";
	int files, maps;

	/* Nothing here may wait for ever. */
	/* Whoever started us may have ignored it. */
	signal(SIGALRM, SIG_DFL);
	alarm(30);
	umask(022);
	if (mkdtemp(dir) == NULL || chdir(dir) == -1) {
		perror(dir);
		return 1;
	}
	files = open_files();
	maps = mappings(dir);
	segment_is_version_2_byte_for_byte();
	snapshot_is_what_was_written();
	new_segment_is_unknown_and_for_all_to_read();
	what_is_in_the_way_is_named();
	no_segment_is_put_where_anybody_may_replace_it();
	the_last_snapshot_is_told_where_there_is_one();
	a_writer_knows_whether_readers_find_its_files();
	usable_segment_is_reused_with_its_generation_going_on();
	anything_else_is_replaced_and_left_alone();
	there_is_a_file_at_every_moment_of_a_replacement();
	one_writer_a_directory_and_the_second_learns_its_pid();
	malformed_segment_is_the_error_that_clockbound_2_gives();
	never_written_segment_is_an_error_of_open();
	path_that_cannot_be_opened_is_a_failed_call();
	good_copy_outlives_what_becomes_of_the_file();
	long_lived_reader_finds_the_file_that_replaced_a_stale_one();
	reader_of_an_unusable_file_finds_a_good_one_at_once();
	reader_keeps_its_copy_of_a_stale_file_that_nothing_replaced();
	/* A program may open a segment for each question that it has. */
	CHECK_EQ(open_files(), files);
	CHECK_EQ(mappings(dir), maps);
	CHECK(rmdir(dir) == 0);
	return test_done();
}
