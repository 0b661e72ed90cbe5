/* SPDX-License-Identifier: ISC */
/*
 * The Unix datagram socket of chronyd: one question, one answer.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "chrony.h"
#include "system.h"
#include "ts.h"

/* Whatever arrives is looked at whole: a longer datagram is not a reply. */
#define RECEIVE_LEN	(CB_CHRONY_MAX_LEN + 1)

static bool
set_address(struct sockaddr_un *sun, const char *path)
{
	size_t len = strlen(path);

	*sun = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (len >= sizeof(sun->sun_path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(sun->sun_path, path, len + 1);
	return true;
}

/*
 * Beside chronyd's socket, where its confinement lets it write.  A namesake in
 * another PID namespace may be there too.
 */
static bool
set_own_address(struct sockaddr_un *sun, const char *path)
{
	char own[sizeof(sun->sun_path) + 1];
	const char *slash = strrchr(path, '/');
	int dir_len = slash == NULL ? 0 : (int)(slash - path) + 1;

	if (snprintf(own, sizeof(own), "%.*scb-daemon.%ld.%08lx.sock",
	    dir_len, path, (long)getpid(), (unsigned long)arc4random()) >=
	    (int)sizeof(own)) {
		errno = ENAMETOOLONG;
		return false;
	}
	return set_address(sun, own);
}

bool
cb_chrony_is_path(const char *path)
{
	struct sockaddr_un sun;

	return set_address(&sun, path) && set_own_address(&sun, path);
}

/*
 * chronyd runs as another user and must be able to answer: it may write to the
 * socket from its making on.  (A chmod(2) by name would follow whatever that
 * user, whose directory it is, has put there meanwhile.)
 */
static bool
bind_own(struct cb_chrony *c)
{
	mode_t mask = umask(0111);
	int bound = bind(c->fd, (struct sockaddr *)&c->own, sizeof(c->own));
	int saved = errno;

	umask(mask);
	if (bound == -1)
		c->own.sun_path[0] = '\0';
	errno = saved;
	return bound == 0;
}

bool
cb_chrony_open(struct cb_chrony *c, const char *path, const char **what)
{
	struct sockaddr_un server;

	*c = (struct cb_chrony){ .fd = -1, .timeout_ns = -1 };
	*what = "use such a path";
	if (!set_address(&server, path) || !set_own_address(&c->own, path))
		return false;
	*what = "make a socket";
	c->fd = cb_system_socket(SOCK_DGRAM, true);
	if (c->fd == -1) {
		c->own.sun_path[0] = '\0';
		return false;
	}
	*what = "bind a socket of our own beside it";
	if (!bind_own(c))
		goto fail;
	*what = "connect";
	if (connect(c->fd, (struct sockaddr *)&server, sizeof(server)) == -1)
		goto fail;
	return true;
fail:
	cb_chrony_close(c);
	return false;
}

void
cb_chrony_close(struct cb_chrony *c)
{
	int saved = errno;

	if (c->fd != -1)
		close(c->fd);
	if (c->own.sun_path[0] != '\0')
		unlink(c->own.sun_path);
	c->fd = -1;
	c->own.sun_path[0] = '\0';
	errno = saved;
}

/* Fresh from the system, a page of them at a time. */
static uint32_t
next_sequence(struct cb_chrony *c)
{
	if (c->n_random == 0) {
		arc4random_buf(c->random, sizeof(c->random));
		c->n_random = sizeof(c->random) / sizeof(c->random[0]);
	}
	return c->random[--c->n_random];
}

/* How long the next recv(2) may wait; a system call only where it changes. */
static bool
set_timeout(struct cb_chrony *c, int64_t ns)
{
	int64_t us = ns / 1000 + 1;	/* 0 would mean for ever */
	struct timeval tv;

	if (ns == c->timeout_ns)
		return true;
	tv.tv_sec = (time_t)(us / 1000000);
	tv.tv_usec = (suseconds_t)(us % 1000000);
	if (setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == -1)
		return false;
	c->timeout_ns = ns;
	return true;
}

/* Something came that we did not wait for: wait on for the rest of the time. */
static bool
wait_on(struct cb_chrony *c, int64_t deadline, int64_t timeout_ns)
{
	int64_t left = deadline - cb_ts_clock(CLOCK_MONOTONIC);

	/* More than all of it: the clock failed. */
	return left > 0 && left <= timeout_ns && set_timeout(c, left);
}

bool
cb_chrony_ask(struct cb_chrony *c, enum cb_chrony_command command,
    uint32_t index, int64_t timeout_ns, uint8_t reply[CB_CHRONY_MAX_LEN],
    uint16_t *status)
{
	struct cb_chrony_request rq;
	uint8_t buf[RECEIVE_LEN];
	bool strays = false, late = false;
	int64_t deadline;
	ssize_t n;

	cb_chrony_encode(&rq, command, index, next_sequence(c));
	deadline = cb_ts_clock(CLOCK_MONOTONIC) + timeout_ns;
	/* Never wait to send: a full queue is a chronyd that does not read. */
	if (!set_timeout(c, timeout_ns) || send(c->fd, rq.bytes, rq.len,
	    MSG_DONTWAIT | MSG_NOSIGNAL) == -1)
		return false;
	for (;;) {
		n = recv(c->fd, buf, sizeof(buf), late ? MSG_DONTWAIT : 0);
		/* Stopped and continued: the answer may be there by now. */
		if (n == -1 && errno == EINTR) {
			late = !wait_on(c, deadline, timeout_ns);
			continue;
		}
		if (n == -1) {
			if (errno == EAGAIN || errno == EWOULDBLOCK)
				errno = strays ? EBADMSG : ETIMEDOUT;
			return false;
		}
		switch (cb_chrony_match(&rq, buf, (size_t)n, status)) {
		case CB_CHRONY_REPLY:
			memcpy(reply, buf, (size_t)n);
			return true;
		case CB_CHRONY_REFUSAL:
			return true;
		case CB_CHRONY_BAD:
			errno = EBADMSG;
			return false;
		case CB_CHRONY_STRAY:
			strays = true;
			if (late || !wait_on(c, deadline, timeout_ns)) {
				errno = EBADMSG;
				return false;
			}
			break;
		}
	}
}
