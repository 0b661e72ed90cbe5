/* SPDX-License-Identifier: ISC */
/*
 * A VMClock's path goes in, its disruption marker comes out.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "vmclock.h"

/* A hypervisor writes in well under a microsecond, unless it is stopped. */
#define TRIES	1000

static bool
is_valid(const struct cb_vmclock_page *page)
{
	return le32toh(page->magic) == CB_VMCLOCK_MAGIC &&
	    le32toh(page->size) >= CB_VMCLOCK_MIN_SIZE &&
	    le16toh(page->version) == CB_VMCLOCK_VERSION;
}

/* The device allows one page to be mapped, neither less nor more. */
static size_t
page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

const struct cb_vmclock_page *
cb_vmclock_open(const char *path)
{
	void *map = MAP_FAILED;
	struct stat st;
	int fd, saved;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1)
		return NULL;
	/* A device has no size; beyond the end of a file nothing is mapped. */
	if (fstat(fd, &st) == 0) {
		if (S_ISREG(st.st_mode) && st.st_size < CB_VMCLOCK_MIN_SIZE)
			errno = EPROTO;
		else
			map = mmap(NULL, page_size(), PROT_READ, MAP_SHARED,
			    fd, 0);
	}
	saved = errno;
	close(fd);
	errno = saved;
	if (map == MAP_FAILED)
		return NULL;
	if (!is_valid(map)) {
		munmap(map, page_size());
		errno = EPROTO;
		return NULL;
	}
	return map;
}

void
cb_vmclock_close(const struct cb_vmclock_page *page)
{
	if (page != NULL)
		munmap((void *)(uintptr_t)page, page_size());
}

bool
cb_vmclock_read_marker(const struct cb_vmclock_page *page, uint32_t *seq,
    uint64_t *marker)
{
	uint32_t low, high;

	for (int i = 0; i < TRIES; i++) {
		*seq = atomic_load_explicit(&page->seq_count,
		    memory_order_acquire);
		low = atomic_load_explicit(&page->disruption_marker[0],
		    memory_order_relaxed);
		high = atomic_load_explicit(&page->disruption_marker[1],
		    memory_order_relaxed);
		atomic_thread_fence(memory_order_acquire);
		if (le32toh(*seq) % 2 == 0 && *seq == atomic_load_explicit(
		    &page->seq_count, memory_order_relaxed)) {
			*marker = (uint64_t)le32toh(high) << 32 | le32toh(low);
			return true;
		}
		sched_yield();
	}
	return false;
}
