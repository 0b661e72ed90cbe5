/* SPDX-License-Identifier: ISC */
/*
 * Linked into a program, for which the linker then takes these instead: clocks
 * and memory that fail, a random number that is known.
 *
 * The file that FAILURES names is one struct failures, which a test writes to
 * whenever it likes.
 */
#include <sys/mman.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const volatile struct failures {
	uint32_t clocks;	/* these fail: 1 << CLOCK_REALTIME and so on, */
	uint32_t clock_odds;	/* each reading in one of so many cases */
	uint32_t memory_odds;	/* one in so many gets none; 0: all do */
	uint32_t random;	/* arc4random(3) returns this; 0: another */
} none, *failures = &none;

int __real_clock_gettime(clockid_t, struct timespec *);
int __wrap_clock_gettime(clockid_t, struct timespec *);
int __real_clock_getres(clockid_t, struct timespec *);
int __wrap_clock_getres(clockid_t, struct timespec *);
void *__real_malloc(size_t);
void *__wrap_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__wrap_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void *__wrap_realloc(void *, size_t);
uint32_t __real_arc4random(void);
uint32_t __wrap_arc4random(void);

static uint32_t seed;

static void __attribute__((constructor))
map_failures(void)
{
	const char *path = getenv("FAILURES");
	int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	void *map;

	seed = (uint32_t)getpid();
	if (fd == -1)
		return;
	map = mmap(NULL, sizeof(none), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (map != MAP_FAILED)
		failures = map;
}

/* In one of so many cases. */
static int
is_hit(uint32_t odds)
{
	seed = seed * 1664525 + 1013904223;
	return odds != 0 && (seed >> 8) % odds == 0;
}

static int
fails(clockid_t id)
{
	if ((failures->clocks >> id & 1) == 0 || !is_hit(failures->clock_odds))
		return 0;
	errno = EINVAL;
	return 1;
}

static int
is_refused(void)
{
	if (!is_hit(failures->memory_odds))
		return 0;
	errno = ENOMEM;
	return 1;
}

int
__wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	return fails(id) ? -1 : __real_clock_gettime(id, ts);
}

int
__wrap_clock_getres(clockid_t id, struct timespec *ts)
{
	return fails(id) ? -1 : __real_clock_getres(id, ts);
}

void *
__wrap_malloc(size_t size)
{
	return is_refused() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return is_refused() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t size)
{
	return is_refused() ? NULL : __real_realloc(p, size);
}

uint32_t
__wrap_arc4random(void)
{
	return failures->random == 0 ? __real_arc4random() : failures->random;
}
