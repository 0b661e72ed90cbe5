/* SPDX-License-Identifier: ISC */
/*
 * A VMClock's path goes in; a descriptor that becomes readable when the
 * hypervisor writes comes out, where there is one to be had.
 */
#include <sys/stat.h>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "vmclock.h"

/* Writes that may fall between a read and the look after it. */
#define TRIES		3

/*
 * A read takes note of seq_count, and from then on poll(2) tells of another
 * one.  Nothing else does.
 */
static bool
rearm(int fd)
{
	char bytes[sizeof(struct cb_vmclock_abi)];

	return pread(fd, bytes, sizeof(bytes), 0) > 0;
}

/*
 * POLLHUP says that the hypervisor notifies nobody.  A driver that cannot
 * poll is always readable, as is a file: it is so right after a read.
 */
static bool
is_quiet(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	for (int i = 0; i < TRIES && rearm(fd); i++) {
		if (poll(&pfd, 1, 0) == 0)
			return true;
		if (pfd.revents != POLLIN)
			return false;
	}
	return false;
}

int
cb_vmclock_notify_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd == -1 || is_quiet(fd))
		return fd;
	close(fd);
	return -1;
}

void
cb_vmclock_notify_close(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

void
cb_vmclock_notify_rearm(int *fd)
{
	if (!is_quiet(*fd))
		cb_vmclock_notify_close(fd);
}
