/* SPDX-License-Identifier: ISC */
/*
 * What stands in for what systems do not have in common.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "system.h"
#include "test.h"

#define SOCKET	"socket"

static void
check_flags(int fd, bool waits)
{
	CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	CHECK_EQ((fcntl(fd, F_GETFL) & O_NONBLOCK) == 0, waits);
}

static void
no_child_inherits_a_socket_and_it_waits_as_it_was_told(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX,
		.sun_path = SOCKET };
	int server = cb_system_socket(SOCK_STREAM, false);
	int client = cb_system_socket(SOCK_STREAM, true), accepted;

	check_flags(server, false);
	check_flags(client, true);
	CHECK(bind(server, (struct sockaddr *)&sun, sizeof(sun)) == 0 &&
	    listen(server, 1) == 0);
	/* Nobody is there, and it is not waited for. */
	CHECK_EQ(cb_system_accept(server), -1);
	CHECK(connect(client, (struct sockaddr *)&sun, sizeof(sun)) == 0);
	accepted = cb_system_accept(server);
	check_flags(accepted, false);
	close(accepted);
	close(client);
	close(server);
	unlink(SOCKET);
}

static void
sleeps_end_as_soon_as_can_be(void)
{
	cb_system_sleep_sharply();
#ifdef PR_GET_TIMERSLACK
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), 1);
#endif
}

int
main(void)
{
	char dir[] = "/tmp/cb-system.XXXXXX";

	alarm(60);
	if (!CHECK(mkdtemp(dir) != NULL) || !CHECK(chdir(dir) == 0))
		return test_done();
	no_child_inherits_a_socket_and_it_waits_as_it_was_told();
	sleeps_end_as_soon_as_can_be();
	CHECK(rmdir(dir) == 0);
	return test_done();
}
