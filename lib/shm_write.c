/* SPDX-License-Identifier: ISC */
/*
 * The writer's side of the segment.  A file that readers may have mapped is
 * never truncated, which would kill them: it is written on in place, or a new
 * one is renamed over it.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "counter.h"
#include "shm.h"

#define LOCK_NAME	"lock"

/* A segment as it is made. */
struct cb_shm_layout {
	const char *name;
	const char *new_name;
	const char *step;
	struct cb_shm_header header;
	const void *body;		/* NULL: zeros */
};

#define LAYOUT(NAME, SIZE, VERSION, GENERATION, BODY) { \
	.name = (NAME), \
	.new_name = NAME ".new", \
	.step = "create " NAME, \
	.header = { \
		.magic = { CB_SHM_MAGIC0, CB_SHM_MAGIC1 }, \
		.segsize = (SIZE), \
		.version = (VERSION), \
		.generation = (GENERATION) \
	}, \
	.body = (BODY) \
}

static const struct cb_shm_v1 unknown_v1 = {
	.bound_ns = CB_SHM_UNKNOWN_BOUND_NS,
	.clock_status = CLOCKBOUND_STA_UNKNOWN
};

static const struct cb_shm_v2 unknown_v2 = {
	.bound_ns = CB_SHM_UNKNOWN_BOUND_NS,
	.clock_status = CLOCKBOUND_STA_UNKNOWN
};

static const struct cb_shm_layout layout_v1 =
    LAYOUT(CB_SHM_V1_NAME, CB_SHM_V1_SIZE, 1, 2, &unknown_v1);
static const struct cb_shm_layout layout_v2 =
    LAYOUT(CB_SHM_V2_NAME, CB_SHM_V2_SIZE, 2, 2, &unknown_v2);
/*
 * Never written: a reader of ClockBound 3.x fails for good when it is told
 * later on that there is a VMClock to be watched.
 */
static const struct cb_shm_layout layout_v3 =
    LAYOUT(CB_SHM_V3_NAME, CB_SHM_V3_SIZE, CB_SHM_V3_VERSION, 0, NULL);

/* Make the directory and those above it. */
static bool
make_dirs(const char *dir)
{
	char path[PATH_MAX];
	size_t len = strlen(dir);

	if (len == 0 || len >= sizeof(path)) {
		errno = len == 0 ? ENOENT : ENAMETOOLONG;
		return false;
	}
	memcpy(path, dir, len + 1);
	for (char *p = path + 1; *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(path, 0755) == -1 && errno != EEXIST)
			return false;
		*p = '/';
	}
	return mkdir(path, 0755) == 0 || errno == EEXIST;
}

/* Where anybody may replace our files, nobody can tell whose they read. */
static bool
is_safe(int dir_fd)
{
	struct stat st;

	if (fstat(dir_fd, &st) == -1)
		return false;
	errno = EPERM;
	return (st.st_mode & (S_IWOTH | S_ISVTX)) != S_IWOTH;
}

/*
 * A record lock: the kernel knows its holder's pid and drops it when that
 * process ends, however it ends.  Who may read the file could lock it, too.
 */
static int
take_lock(int dir_fd, pid_t *holder)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd;

	*holder = 0;
	fd = openat(dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC |
	    O_NOFOLLOW, 0600);
	if (fd == -1 || fcntl(fd, F_SETLK, &fl) == 0)
		return fd;
	if (errno == EACCES || errno == EAGAIN) {
		if (fcntl(fd, F_GETLK, &fl) == 0 && fl.l_type != F_UNLCK)
			*holder = fl.l_pid;
		errno = EEXIST;
	}
	close(fd);
	return -1;
}

static struct cb_shm_segment *
map_segment(int fd)
{
	void *map = mmap(NULL, sizeof(struct cb_shm_segment),
	    PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return map == MAP_FAILED ? NULL : map;
}

/*
 * Read, not mapped: where there is a hole, and no room to fill it, to look at
 * it there is the end of the process.
 */
static bool
has_header(int fd, const struct cb_shm_header *as)
{
	struct cb_shm_header h;

	return pread(fd, &h, sizeof(h), 0) == (ssize_t)sizeof(h) &&
	    h.magic[0] == as->magic[0] && h.magic[1] == as->magic[1] &&
	    h.segsize == as->segsize && h.version == as->version;
}

/* The segment that an earlier run left, if it can be written on. */
static struct cb_shm_segment *
reuse_segment(int dir_fd, const struct cb_shm_layout *l, struct stat *st)
{
	struct cb_shm_segment *s = NULL;
	int fd;

	fd = openat(dir_fd, l->name, O_RDWR | O_CLOEXEC | O_NOFOLLOW |
	    O_NONBLOCK);
	if (fd == -1)
		return NULL;
	/* A second link would let another directory's owner watch or write. */
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode) && st->st_nlink == 1 &&
	    st->st_uid == geteuid() &&
	    st->st_size == (off_t)l->header.segsize &&
	    has_header(fd, &l->header) && fchmod(fd, 0644) == 0)
		s = map_segment(fd);
	close(fd);
	return s;
}

/* Whole before it has its name: no reader ever sees it half made. */
static struct cb_shm_segment *
make_segment(int dir_fd, const struct cb_shm_layout *l, struct stat *st)
{
	struct cb_shm_segment init = { .header = l->header };
	struct cb_shm_segment *s = NULL;
	ssize_t n;
	int fd;

	if (l->body != NULL)
		memcpy(init.body, l->body,
		    l->header.segsize - sizeof(init.header));
	if (unlinkat(dir_fd, l->new_name, 0) == -1 && errno != ENOENT)
		return NULL;
	fd = openat(dir_fd, l->new_name, O_RDWR | O_CREAT | O_EXCL |
	    O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd == -1)
		return NULL;
	n = write(fd, &init, l->header.segsize);
	if (n != (ssize_t)l->header.segsize) {
		if (n != -1)
			errno = ENOSPC;
	} else if (fchmod(fd, 0644) == 0 && fstat(fd, st) == 0 &&
	    (s = map_segment(fd)) != NULL &&
	    renameat(dir_fd, l->new_name, dir_fd, l->name) == -1) {
		munmap(s, sizeof(*s));
		s = NULL;
	}
	if (s == NULL) {
		int saved = errno;

		unlinkat(dir_fd, l->new_name, 0);
		errno = saved;
	}
	close(fd);
	return s;
}

static bool
open_file(int dir_fd, const struct cb_shm_layout *l, struct cb_shm_file *f,
    const char **what)
{
	struct stat st;

	*what = l->step;
	f->segment = reuse_segment(dir_fd, l, &st);
	if (f->segment == NULL)
		f->segment = make_segment(dir_fd, l, &st);
	if (f->segment == NULL)
		return false;
	f->layout = l;
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	return true;
}

static void
close_file(struct cb_shm_file *f)
{
	if (f->segment != NULL)
		munmap(f->segment, sizeof(*f->segment));
}

bool
cb_shm_write_open(struct cb_shm_writer *w, const char *dir, const char **what,
    pid_t *holder)
{
	int saved;

	*w = (struct cb_shm_writer){ .dir_fd = -1, .lock_fd = -1 };
	*holder = 0;
	*what = "make the directory";
	if (!make_dirs(dir))
		return false;
	*what = "open the directory";
	w->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->dir_fd == -1)
		return false;
	*what = "use a directory where anybody may replace files";
	if (!is_safe(w->dir_fd))
		goto fail;
	*what = "open the file " LOCK_NAME;
	w->lock_fd = take_lock(w->dir_fd, holder);
	if (w->lock_fd == -1)
		goto fail;
	if (open_file(w->dir_fd, &layout_v2, &w->v2, what) &&
	    (CB_COUNTER_ID == CB_COUNTER_INVALID ||
	    open_file(w->dir_fd, &layout_v3, &w->v3, what)))
		return true;
fail:
	saved = errno;
	cb_shm_write_close(w);
	errno = saved;
	return false;
}

void
cb_shm_write_close(struct cb_shm_writer *w)
{
	close_file(&w->v1);
	close_file(&w->v2);
	close_file(&w->v3);
	if (w->lock_fd != -1)
		close(w->lock_fd);
	if (w->dir_fd != -1)
		close(w->dir_fd);
	*w = (struct cb_shm_writer){ .dir_fd = -1, .lock_fd = -1 };
}

bool
cb_shm_write_open_v1(struct cb_shm_writer *w, const char **what)
{
	return open_file(w->dir_fd, &layout_v1, &w->v1, what);
}

static void
write_body(struct cb_shm_file *f, const void *body, size_t size)
{
	uint32_t words[CB_SHM_V3_WORDS];

	if (f->segment == NULL)
		return;
	memcpy(words, body, size);
	cb_seqlock_write(&f->segment->header.generation, f->segment->body,
	    words, size / sizeof(words[0]));
}

void
cb_shm_write_end_v1(struct cb_shm_writer *w)
{
	/* A copy: gcc's analyser takes zeros of a constant for unset. */
	const struct cb_shm_v1 unknown = unknown_v1;
	struct stat st;
	struct cb_shm_file f = {
		.segment = reuse_segment(w->dir_fd, &layout_v1, &st)
	};

	write_body(&f, &unknown, sizeof(unknown));
	close_file(&f);
}

void
cb_shm_write_v1(struct cb_shm_writer *w, const struct cb_shm_v1 *v1)
{
	write_body(&w->v1, v1, sizeof(*v1));
}

void
cb_shm_write(struct cb_shm_writer *w, const struct cb_shm_v2 *v2)
{
	write_body(&w->v2, v2, sizeof(*v2));
}

void
cb_shm_write_v3(struct cb_shm_writer *w, const struct cb_shm_v3 *v3)
{
	write_body(&w->v3, v3, sizeof(*v3));
}

bool
cb_shm_write_last(const struct cb_shm_writer *w, struct cb_shm_bound *last)
{
	uint32_t words[CB_SHM_V2_WORDS];
	struct cb_shm_v2 v2;
	uint16_t generation;

	if (!cb_seqlock_read(&w->v2.segment->header.generation,
	    w->v2.segment->body, words, CB_SHM_V2_WORDS, &generation))
		return false;
	memcpy(&v2, words, sizeof(v2));
	return cb_shm_read_parse(&v2, last) == CLOCKBOUND_ERR_NONE;
}

static bool
is_file_there(const struct cb_shm_file *f, const char *dir)
{
	char path[PATH_MAX];
	struct stat st;

	if (f->segment == NULL)
		return true;
	snprintf(path, sizeof(path), "%s/%s", dir, f->layout->name);
	return lstat(path, &st) == 0 && st.st_dev == f->dev &&
	    st.st_ino == f->ino &&
	    st.st_size == (off_t)f->layout->header.segsize;
}

bool
cb_shm_write_is_there(const struct cb_shm_writer *w, const char *dir)
{
	return is_file_there(&w->v1, dir) && is_file_there(&w->v2, dir) &&
	    is_file_there(&w->v3, dir);
}
