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

#include "shm.h"

#define LOCK_NAME	"lock"
#define NEW_NAME	CB_SHM_V2_NAME ".new"

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

/*
 * A record lock: the kernel knows its holder's pid and drops it when that
 * process ends, however it ends.
 */
static int
take_lock(int dir_fd, pid_t *holder)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd;

	*holder = 0;
	fd = openat(dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC |
	    O_NOFOLLOW, 0644);
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

/* The segment that an earlier run left, if it can be written on. */
static struct cb_shm_segment *
reuse_segment(int dir_fd, struct stat *st)
{
	struct cb_shm_segment *s = NULL;
	int fd;

	fd = openat(dir_fd, CB_SHM_V2_NAME, O_RDWR | O_CLOEXEC | O_NOFOLLOW |
	    O_NONBLOCK);
	if (fd == -1)
		return NULL;
	/* A second link would let another directory's owner watch or write. */
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode) && st->st_nlink == 1 &&
	    st->st_uid == geteuid() && st->st_size == sizeof(*s) &&
	    fchmod(fd, 0644) == 0)
		s = map_segment(fd);
	close(fd);
	if (s == NULL)
		return NULL;
	if (s->header.magic[0] == CB_SHM_MAGIC0 &&
	    s->header.magic[1] == CB_SHM_MAGIC1 &&
	    s->header.segsize == sizeof(*s) &&
	    atomic_load(&s->header.version) == 2)
		return s;
	munmap(s, sizeof(*s));
	return NULL;
}

/* Whole before it has its name: no reader ever sees it half made. */
static struct cb_shm_segment *
make_segment(int dir_fd, struct stat *st)
{
	const struct cb_shm_v2 unknown = {
		.bound_ns = CB_SHM_UNKNOWN_BOUND_NS,
		.clock_status = CLOCKBOUND_STA_UNKNOWN
	};
	struct cb_shm_segment init = {
		.header = {
			.magic = { CB_SHM_MAGIC0, CB_SHM_MAGIC1 },
			.segsize = sizeof(init),
			.version = 2,
			.generation = 2
		}
	};
	struct cb_shm_segment *s = NULL;
	ssize_t n;
	int fd;

	memcpy(init.body, &unknown, sizeof(unknown));
	if (unlinkat(dir_fd, NEW_NAME, 0) == -1 && errno != ENOENT)
		return NULL;
	fd = openat(dir_fd, NEW_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC |
	    O_NOFOLLOW, 0644);
	if (fd == -1)
		return NULL;
	n = write(fd, &init, sizeof(init));
	if (n != (ssize_t)sizeof(init)) {
		if (n != -1)
			errno = ENOSPC;
	} else if (fchmod(fd, 0644) == 0 && fstat(fd, st) == 0 &&
	    (s = map_segment(fd)) != NULL &&
	    renameat(dir_fd, NEW_NAME, dir_fd, CB_SHM_V2_NAME) == -1) {
		munmap(s, sizeof(*s));
		s = NULL;
	}
	if (s == NULL) {
		int saved = errno;

		unlinkat(dir_fd, NEW_NAME, 0);
		errno = saved;
	}
	close(fd);
	return s;
}

bool
cb_shm_write_open(struct cb_shm_writer *w, const char *dir, const char **what,
    pid_t *holder)
{
	struct stat st;
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
	*what = "open the file " LOCK_NAME;
	w->lock_fd = take_lock(w->dir_fd, holder);
	if (w->lock_fd == -1)
		goto fail;
	*what = "create " CB_SHM_V2_NAME;
	w->segment = reuse_segment(w->dir_fd, &st);
	if (w->segment == NULL)
		w->segment = make_segment(w->dir_fd, &st);
	if (w->segment != NULL) {
		w->dev = st.st_dev;
		w->ino = st.st_ino;
		return true;
	}
fail:
	saved = errno;
	cb_shm_write_close(w);
	errno = saved;
	return false;
}

void
cb_shm_write_close(struct cb_shm_writer *w)
{
	if (w->segment != NULL)
		munmap(w->segment, sizeof(*w->segment));
	if (w->lock_fd != -1)
		close(w->lock_fd);
	if (w->dir_fd != -1)
		close(w->dir_fd);
	*w = (struct cb_shm_writer){ .dir_fd = -1, .lock_fd = -1 };
}

void
cb_shm_write(struct cb_shm_writer *w, const struct cb_shm_v2 *v2)
{
	uint32_t words[CB_SHM_V2_WORDS];

	memcpy(words, v2, sizeof(words));
	cb_seqlock_write(&w->segment->header.generation, w->segment->body,
	    words, CB_SHM_V2_WORDS);
}

bool
cb_shm_write_last(const struct cb_shm_writer *w, struct cb_shm_bound *last)
{
	uint32_t words[CB_SHM_V2_WORDS];
	struct cb_shm_v2 v2;
	uint16_t generation;

	if (!cb_seqlock_read(&w->segment->header.generation, w->segment->body,
	    words, CB_SHM_V2_WORDS, &generation))
		return false;
	memcpy(&v2, words, sizeof(v2));
	return cb_shm_read_parse(&v2, last) == CLOCKBOUND_ERR_NONE;
}

bool
cb_shm_write_is_there(const struct cb_shm_writer *w, const char *dir)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/" CB_SHM_V2_NAME, dir);
	return lstat(path, &st) == 0 && st.st_dev == w->dev &&
	    st.st_ino == w->ino && st.st_size == sizeof(*w->segment);
}
