/* SPDX-License-Identifier: ISC */
/*
 * One page of a file, mapped to be read; or of zeros, where there is no file.
 * What is mapped over another page is there at once for all threads: who reads
 * at that address never finds nothing.
 */
#ifndef CB_PAGE_H
#define CB_PAGE_H

#include <sys/mman.h>

#include <stddef.h>
#include <stdint.h>

/* Over the page at, or where NULL, anywhere; MAP_FAILED, with errno. */
static inline void *
cb_page_map(const void *at, size_t size, int fd)
{
	return mmap((void *)(uintptr_t)at, size, PROT_READ,
	    MAP_SHARED | (at == NULL ? 0 : MAP_FIXED), fd, 0);
}

static inline void *
cb_page_map_zeros(const void *at, size_t size)
{
	return mmap((void *)(uintptr_t)at, size, PROT_READ, MAP_PRIVATE |
	    MAP_ANONYMOUS | (at == NULL ? 0 : MAP_FIXED), -1, 0);
}

static inline void
cb_page_unmap(const void *at, size_t size)
{
	if (at != NULL)
		munmap((void *)(uintptr_t)at, size);
}

#endif
