/* SPDX-License-Identifier: ISC */
/*
 * What a VMClock's device node allows: a line for each thing tried, and what
 * came of it.
 */
#include <sys/mman.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int fd;

static void
try_open(const char *name, const char *path, int flags)
{
	int got = open(path, flags);

	printf("open %s: %s\n", name, got == -1 ? strerror(errno) : "done");
	if (got != -1)
		close(got);
}

static void
try_map(const char *name, int protection, size_t size, off_t offset)
{
	void *map = mmap(NULL, size, protection, MAP_SHARED, fd, offset);

	printf("mmap %s: %s\n", name, map == MAP_FAILED ? strerror(errno) :
	    "done");
	if (map != MAP_FAILED)
		munmap(map, size);
}

static void
try_poll(const char *name)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int n = poll(&pfd, 1, 200);

	printf("poll %s:%s%s%s%s\n", name, n == 0 ? " nothing in 200 ms" : "",
	    pfd.revents & POLLIN ? " POLLIN" : "",
	    pfd.revents & POLLHUP ? " POLLHUP" : "",
	    pfd.revents & POLLERR ? " POLLERR" : "");
}

int
main(int argc, char *argv[])
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char bytes[8192];

	if (argc != 2)
		errx(2, "usage: vmclock-node PATH");
	try_open("to read", argv[1], O_RDONLY);
	try_open("to write", argv[1], O_RDWR);
	fd = open(argv[1], O_RDONLY);
	if (fd == -1)
		err(1, "%s", argv[1]);
	try_map("a page", PROT_READ, page, 0);
	try_map("a page to write", PROT_READ | PROT_WRITE, page, 0);
	try_map("two pages", PROT_READ, 2 * page, 0);
	try_map("the second page", PROT_READ, page, (off_t)page);
	try_poll("at first");
	printf("read: %zd bytes\n", pread(fd, bytes, sizeof(bytes), 0));
	try_poll("after a read");
	return 0;
}
