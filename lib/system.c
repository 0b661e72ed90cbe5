/* SPDX-License-Identifier: ISC */
/*
 * What systems do not have in common.
 */
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "system.h"

/* In steps that every system has: nobody here forks in between. */
static int
prepare(int fd, bool waits)
{
	int saved;

	if (fd == -1 || (fcntl(fd, F_SETFD, FD_CLOEXEC) != -1 &&
	    fcntl(fd, F_SETFL, waits ? 0 : O_NONBLOCK) != -1))
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int
cb_system_socket(int type, bool waits)
{
	return prepare(socket(AF_UNIX, type, 0), waits);
}

int
cb_system_accept(int fd)
{
	return prepare(accept(fd, NULL, NULL), false);
}

/* Linux ends sleeps 50 us late, unless asked. */
void
cb_system_sleep_sharply(void)
{
#ifdef PR_SET_TIMERSLACK
	prctl(PR_SET_TIMERSLACK, 1UL);
#endif
}
