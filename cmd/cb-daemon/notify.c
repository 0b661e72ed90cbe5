/* SPDX-License-Identifier: ISC */
/*
 * The service manager's environment and our status -> datagrams to its socket.
 * Where there is no such manager nothing is sent.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cb-daemon.h"
#include "system.h"
#include "ts.h"

#define NS_PER_US	1000

static bool
set_address(struct cb_notify *n, const char *path)
{
	size_t len = strlen(path);
	char *to = n->address.sun_path;

	if ((path[0] != '/' && path[0] != '@') || path[1] == '\0' ||
	    len >= sizeof(n->address.sun_path))
		return false;
	n->address.sun_family = AF_UNIX;
	memcpy(to, path, len);
	/* The name of an abstract one begins with a null, and has no other. */
	if (to[0] == '@')
		to[0] = '\0';
	n->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	return true;
}

/* Nanoseconds; 0: nobody waits for us. */
static int64_t
parse_watchdog(void)
{
	const char *usec = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");
	const char *reason;
	long long n;

	/* Those of another process have come down to us. */
	if (usec == NULL || (pid != NULL &&
	    strtonum(pid, 1, INT_MAX, &reason) != getpid()))
		return 0;
	n = strtonum(usec, 1, INT64_MAX / NS_PER_US, &reason);
	if (reason != NULL)
		cb_log_warn("WATCHDOG_USEC %s: %s: expected microseconds",
		    usec, reason);
	return n * NS_PER_US;
}

void
cb_notify_open(struct cb_notify *n)
{
	const char *path = getenv("NOTIFY_SOCKET");

	if (path != NULL && !set_address(n, path))
		cb_log_warn("NOTIFY_SOCKET %s: expected the path of a socket, "
		    "or @ and a name", path);
	n->watchdog_ns = parse_watchdog();
	/* They are for nobody but us. */
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

/*
 * Never waits: a manager that is busy is told at the next tick.  It may have
 * made its socket anew, so each datagram finds it by its name.
 */
static bool
send_text(struct cb_notify *n, const char *text)
{
	int fd = cb_system_socket(SOCK_DGRAM, false);
	bool sent = fd != -1 && sendto(fd, text, strlen(text), MSG_NOSIGNAL,
	    (const struct sockaddr *)&n->address, n->len) != -1;

	if (!sent && !n->failed)
		cb_log_warn("the service manager cannot be told: %s",
		    strerror(errno));
	n->failed = !sent;
	if (fd != -1)
		close(fd);
	return sent;
}

void
cb_notify_tick(struct cb_notify *n, clockbound_clock_status status,
    int64_t mono)
{
	bool is_new = !n->ready || status != n->status;
	bool is_due = n->watchdog_ns != 0 && (!n->ready ||
	    mono - n->fed_mono >= n->watchdog_ns / 2);
	char text[80];

	if (n->len == 0 || (!is_new && !is_due))
		return;
	snprintf(text, sizeof(text), "%s%s%s%s%s", n->ready ? "" : "READY=1\n",
	    is_new ? "STATUS=" : "", is_new ? cb_status_name(status) : "",
	    is_new ? "\n" : "", is_due ? "WATCHDOG=1\n" : "");
	if (!send_text(n, text))
		return;
	n->ready = true;
	n->status = status;
	if (is_due)
		n->fed_mono = mono;
}

void
cb_notify_stop(struct cb_notify *n)
{
	if (n->len != 0)
		send_text(n, "STOPPING=1\n");
}
