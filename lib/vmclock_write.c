/* SPDX-License-Identifier: ISC */
/*
 * The hypervisor's side of a simulated VMClock.  A file that readers may have
 * mapped is never truncated, which would kill them: it is written in place, or
 * a new one is renamed over it.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "system.h"
#include "vmclock.h"

#define SEQ_WORD	(offsetof(struct cb_vmclock_abi, seq_count) / 4)

static size_t
page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* As long as it says that it is, but never more than one page. */
static off_t
file_length(const struct cb_vmclock_abi *abi)
{
	uint32_t size = le32toh(abi->size);

	if (size < CB_VMCLOCK_MIN_SIZE)
		return sizeof(*abi);
	return size > page_size() ? (off_t)page_size() : (off_t)size;
}

/* A file that somebody else has made something of is not ours to write. */
static int
check_file(int fd)
{
	struct stat st;
	uint32_t magic = 0;

	if (fstat(fd, &st) == -1)
		return errno;
	if (!S_ISREG(st.st_mode))
		return CB_VMCLOCK_EREGULAR;
	if (st.st_size < CB_VMCLOCK_MIN_SIZE)
		return CB_VMCLOCK_ESHORT;
	if (pread(fd, &magic, sizeof(magic), 0) == -1)
		return errno;
	return le32toh(magic) == CB_VMCLOCK_MAGIC ? 0 : CB_VMCLOCK_EMAGIC;
}

/* Not opened before it is known what it is: to open a device may do things. */
static int
open_regular(const char *path, int flags)
{
	struct stat st;

	if (stat(path, &st) == -1)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = CB_VMCLOCK_EREGULAR;
		return -1;
	}
	return open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

bool
cb_vmclock_write_open(struct cb_vmclock_writer *w, const char *path)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	void *map;
	int error;

	*w = (struct cb_vmclock_writer){ .fd = open_regular(path, O_RDWR) };
	if (w->fd == -1)
		return false;
	error = check_file(w->fd);
	if (error == 0 && fcntl(w->fd, F_SETLKW, &lock) == -1)
		error = errno;
	if (error == 0) {
		map = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
		    MAP_SHARED, w->fd, 0);
		if (map != MAP_FAILED) {
			w->page = map;
			return true;
		}
		error = errno;
	}
	cb_vmclock_write_close(w);
	errno = error;
	return false;
}

void
cb_vmclock_write_close(struct cb_vmclock_writer *w)
{
	if (w->page != NULL)
		munmap(w->page, page_size());
	if (w->fd != -1)
		close(w->fd);
	*w = (struct cb_vmclock_writer){ .fd = -1 };
}

void
cb_vmclock_write_peek(const struct cb_vmclock_writer *w,
    struct cb_vmclock_abi *abi)
{
	uint32_t word[CB_VMCLOCK_WORDS] = { 0 };

	for (size_t i = 0; i < CB_VMCLOCK_WORDS; i++)
		word[i] = atomic_load_explicit(&w->page->word[i],
		    memory_order_relaxed);
	memcpy(abi, word, sizeof(*abi));
}

/*
 * As cb_seqlock_write(), whose order and reasons these are, with a count of
 * 32 bits, little-endian, that passes through 0.
 */
bool
cb_vmclock_write(struct cb_vmclock_writer *w,
    const struct cb_vmclock_abi *abi, bool set_seq)
{
	struct cb_vmclock_page *page = w->page;
	uint32_t word[CB_VMCLOCK_WORDS], odd;
	struct stat st;

	if (fstat(w->fd, &st) == -1 || (st.st_size < file_length(abi) &&
	    ftruncate(w->fd, file_length(abi)) == -1))
		return false;
	memcpy(word, abi, sizeof(word));
	/* One that was left odd is taken over. */
	odd = le32toh(atomic_load_explicit(&page->seq_count,
	    memory_order_relaxed)) | 1;
	atomic_store_explicit(&page->seq_count, htole32(odd),
	    memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (size_t i = 0; i < CB_VMCLOCK_WORDS; i++)
		if (i != SEQ_WORD)
			atomic_store_explicit(&page->word[i], word[i],
			    memory_order_relaxed);
	atomic_store_explicit(&page->seq_count, set_seq ? word[SEQ_WORD] :
	    htole32(odd + 1), memory_order_release);
	return true;
}

/* May a new file take this name?  0, or why not. */
static int
check_old(const char *path)
{
	struct stat st;
	int fd, error;

	if (lstat(path, &st) == -1)
		return errno == ENOENT ? 0 : errno;
	if (!S_ISREG(st.st_mode))
		return CB_VMCLOCK_EREGULAR;
	if (st.st_size == 0)
		return 0;
	fd = open_regular(path, O_RDONLY);
	if (fd == -1)
		return errno;
	error = check_file(fd);
	close(fd);
	return error;
}

static int
write_file(int fd, const struct cb_vmclock_abi *abi)
{
	off_t length = file_length(abi);
	size_t n = length < (off_t)sizeof(*abi) ? (size_t)length :
	    sizeof(*abi);
	ssize_t written = write(fd, abi, n);

	if (written == -1)
		return errno;
	if (written != (ssize_t)n)
		return ENOSPC;
	/* The rest of the page is zeros. */
	return ftruncate(fd, length) == -1 ? errno : 0;
}

bool
cb_vmclock_create(const char *path, const struct cb_vmclock_abi *abi)
{
	char new[PATH_MAX];
	int fd, n, error;

	error = check_old(path);
	n = snprintf(new, sizeof(new), "%s.%ld", path, (long)getpid());
	if (error == 0 && (n < 0 || n >= (int)sizeof(new)))
		error = ENAMETOOLONG;
	if (error != 0) {
		errno = error;
		return false;
	}
	fd = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
	    0644);
	if (fd == -1)
		return false;
	error = write_file(fd, abi);
	if (close(fd) == -1 && error == 0)
		error = errno;
	if (error == 0 && rename(new, path) == -1)
		error = errno;
	if (error != 0) {
		unlink(new);
		errno = error;
	}
	return error == 0;
}
