/* SPDX-License-Identifier: ISC */
/*
 * A chronyd for what the real one will not do.  It binds the Unix datagram
 * socket at PATH and answers in the way that MODE names, until killed.
 * SIGUSR1 changes between MODE and "good", and back.
 *
 *	good		synchronised to one source; true time is CLOCK_REALTIME
 *	unmeasured	the same, but the source has no measurement yet
 *	local		the same, but it follows its own clock
 *	silent		says nothing
 *	refuse		refuses with status 2, unauthorised
 *	garbage		datagrams of any length that mean nothing
 *	short		the reply's first bytes
 *	length		the right header, and a byte too many
 *	wrong		another sequence number, and no more
 *	stray		another sequence number, then the right reply
 *	flood		other sequence numbers, as many as go through, until
 *			it is asked again, or for a second
 *	range		numbers that no clock has
 *	future		the last update is an hour ahead
 *	keep		refuses RESET_SOURCES and BURST with status 2
 *	deaf		does not answer these two
 *	stuck		acknowledges them, and goes on saying what it did
 *	slow		the right reply, MS milliseconds late
 *	many		the same, and it counts 64 sources
 *	drip		the same, one each MS milliseconds
 *	twice		the right reply, a hundred times
 *	other		the right reply, from another socket
 *
 * Each RESET_SOURCES and BURST that comes is a line on standard output.
 *
 * usage: fake-chronyd PATH MODE [MS]
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	BURST = 3,
	N_SOURCES = 14,
	SOURCE_DATA = 15,
	TRACKING = 33,
	RESET_SOURCES = 66
};

#define MIN_REQUEST	12
#define HEADER		28
#define MAX_REPLY	104
#define UNAUTHORISED	2
#define NO_SOURCE	4
#define BAD_LENGTH	19

#define FLOOD_NS	INT64_C(1000000000)

/* chrony floats: 7 bits of exponent above 25 of coefficient. */
#define WIRE_ONE	UINT32_C(0x04800000)
#define WIRE_HUGE	UINT32_C(0x7effffff)
/* Nanoseconds, about: units of 2^-30, below 2^24 of them. */
#define WIRE_NS(n)	(UINT32_C(0x7b) << 25 | (uint32_t)(n))

struct question {
	int fd;
	struct sockaddr_un from;
	socklen_t from_len;
	size_t len;
	uint8_t bytes[MAX_REPLY];
};

static volatile sig_atomic_t flipped;
static long late_ms;

static void
flip(int signo)
{
	(void)signo;
	flipped = !flipped;
}

static void
put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void
put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static int
command_of(const struct question *q)
{
	return q->bytes[4] << 8 | q->bytes[5];
}

static bool
is_order(const struct question *q)
{
	return command_of(q) == RESET_SOURCES || command_of(q) == BURST;
}

/* The real one looks at the length, and so do we. */
static uint32_t
check_order(const struct question *q)
{
	return q->len == (command_of(q) == BURST ? 68 : HEADER) ? 0 :
	    BAD_LENGTH;
}

static void
send_bytes(const struct question *q, const uint8_t *bytes, size_t len)
{
	sendto(q->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL,
	    (const struct sockaddr *)&q->from, q->from_len);
}

static void
fill_header(const struct question *q, uint8_t *p, uint32_t type,
    uint32_t status)
{
	memset(p, 0, MAX_REPLY);
	p[0] = 6;
	p[1] = 2;
	memcpy(p + 4, q->bytes + 4, 2);
	put16(p + 6, type);
	put16(p + 8, status);
	memcpy(p + 16, q->bytes + 8, 4);
}

/*
 * It updates on every full second, and tells so one second later; or did so
 * once, which is some time ago.
 */
static uint32_t stuck_at;

static uint32_t
last_update(void)
{
	return stuck_at != 0 ? stuck_at : (uint32_t)time(NULL) - 1;
}

static size_t
fill_tracking(const struct question *q, uint8_t *p)
{
	fill_header(q, p, 5, 0);
	put32(p + 28, UINT32_C(0x7f000001));
	put32(p + 32, UINT32_C(0x7f000001));
	put16(p + 48, 1);
	put16(p + 52, 2);
	put32(p + 60, last_update());
	put32(p + 92, WIRE_NS(50000));
	put32(p + 96, WIRE_NS(50000));
	put32(p + 100, WIRE_ONE);
	return 104;
}

static size_t
fill_source(const struct question *q, uint8_t *p)
{
	static const uint8_t first[4];
	uint32_t meas = WIRE_NS(1000 + last_update() % 1000);

	if (memcmp(q->bytes + 20, first, sizeof(first)) != 0) {
		fill_header(q, p, 1, NO_SOURCE);
		return HEADER;
	}
	fill_header(q, p, 3, 0);
	put32(p + 28, UINT32_C(0x7f000001));
	put16(p + 44, 1);
	put16(p + 50, 1);
	put16(p + 58, 255);
	put32(p + 60, 1);
	put32(p + 64, meas);
	put32(p + 68, meas);
	put32(p + 72, WIRE_NS(100000));
	return 76;
}

/* What a chronyd in good order would say; returns its length. */
static size_t
fill_good(const struct question *q, uint8_t *p)
{
	switch (command_of(q)) {
	case TRACKING:
		return fill_tracking(q, p);
	case SOURCE_DATA:
		return fill_source(q, p);
	case N_SOURCES:
		fill_header(q, p, 2, 0);
		put32(p + 28, 1);
		return 32;
	default:
		fill_header(q, p, 1, is_order(q) ? check_order(q) : 0);
		return HEADER;
	}
}

static void
answer_good(const struct question *q)
{
	uint8_t p[MAX_REPLY];

	send_bytes(q, p, fill_good(q, p));
}

static void
answer_unmeasured(const struct question *q)
{
	uint8_t p[MAX_REPLY];
	size_t len = fill_good(q, p);

	if (command_of(q) == SOURCE_DATA && len > HEADER) {
		memset(p + 60, 0, len - 60);
		put32(p + 60, UINT32_MAX);
	}
	send_bytes(q, p, len);
}

static void
answer_local(const struct question *q)
{
	uint8_t p[MAX_REPLY];
	size_t len = fill_good(q, p);

	if (command_of(q) == TRACKING)
		put32(p + 28, UINT32_C(0x7f7f0101));
	send_bytes(q, p, len);
}

static void
answer_silent(const struct question *q)
{
	(void)q;
}

static void
answer_refuse(const struct question *q)
{
	uint8_t p[MAX_REPLY];

	fill_header(q, p, 1, UNAUTHORISED);
	send_bytes(q, p, HEADER);
}

static void
answer_garbage(const struct question *q)
{
	static const size_t lengths[] = { 0, 1, 27, 28, 104, 400 };
	static uint32_t seed = 1;
	uint8_t p[400];

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		for (size_t k = 0; k < lengths[i]; k++) {
			seed = seed * 1664525 + 1013904223;
			p[k] = (uint8_t)(seed >> 24);
		}
		send_bytes(q, p, lengths[i]);
	}
}

static void
answer_short(const struct question *q)
{
	uint8_t p[MAX_REPLY];

	fill_good(q, p);
	send_bytes(q, p, HEADER - 1);
}

static void
answer_length(const struct question *q)
{
	uint8_t p[MAX_REPLY + 1] = { 0 };

	send_bytes(q, p, fill_good(q, p) + 1);
}

static void
answer_wrong(const struct question *q)
{
	uint8_t p[MAX_REPLY];
	size_t len = fill_good(q, p);

	p[16] ^= 1;
	send_bytes(q, p, len);
}

static void
answer_stray(const struct question *q)
{
	answer_wrong(q);
	answer_good(q);
}

static int64_t
mono_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* There is another question, or SIGUSR1 has come, or nobody is left. */
static bool
is_over(const struct question *q, int64_t began)
{
	struct pollfd pfd = { .fd = q->fd, .events = POLLIN };

	return flipped || poll(&pfd, 1, 0) != 0 ||
	    mono_now() - began > FLOOD_NS;
}

static void
answer_flood(const struct question *q)
{
	int64_t began = mono_now();

	while (!is_over(q, began)) {
		answer_wrong(q);
		sched_yield();
	}
}

static void
answer_range(const struct question *q)
{
	uint8_t p[MAX_REPLY];
	size_t len = fill_good(q, p);

	if (command_of(q) == TRACKING)
		put32(p + 96, WIRE_HUGE);
	else if (command_of(q) == SOURCE_DATA && len > HEADER)
		put32(p + 72, WIRE_HUGE);
	send_bytes(q, p, len);
}

static void
answer_future(const struct question *q)
{
	uint8_t p[MAX_REPLY];
	size_t len = fill_good(q, p);

	if (command_of(q) == TRACKING)
		put32(p + 60, last_update() + 3600);
	send_bytes(q, p, len);
}

static void
answer_keep(const struct question *q)
{
	if (is_order(q))
		answer_refuse(q);
	else
		answer_good(q);
}

static void
answer_deaf(const struct question *q)
{
	if (!is_order(q))
		answer_good(q);
}

static void
answer_stuck(const struct question *q)
{
	static uint32_t first;

	if (first == 0)
		first = last_update();
	stuck_at = first;
	answer_good(q);
	stuck_at = 0;
}

/* SIGUSR1 ends the wait. */
static void
be_late(void)
{
	struct timespec pause = { late_ms / 1000,
	    late_ms % 1000 * 1000000 };

	nanosleep(&pause, NULL);
}

static void
answer_late(const struct question *q, uint32_t n_sources)
{
	uint8_t p[MAX_REPLY];
	size_t len = fill_good(q, p);

	be_late();
	if (command_of(q) == N_SOURCES)
		put32(p + 28, n_sources);
	send_bytes(q, p, len);
}

/*
 * It counts a source that it does not have, so that it is asked again and
 * again.
 */
static void
answer_slow(const struct question *q)
{
	answer_late(q, 2);
}

static void
answer_many(const struct question *q)
{
	answer_late(q, 64);
}

static void
answer_drip(const struct question *q)
{
	int64_t began = mono_now();

	while (!is_over(q, began)) {
		answer_wrong(q);
		be_late();
	}
}

static void
answer_twice(const struct question *q)
{
	for (int i = 0; i < 100; i++)
		answer_good(q);
}

static void
answer_other(const struct question *q)
{
	struct question other = *q;

	other.fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	answer_good(&other);
	close(other.fd);
}

static const struct mode {
	const char *name;
	void (*answer)(const struct question *);
} modes[] = {
	{ "good", answer_good },
	{ "unmeasured", answer_unmeasured },
	{ "local", answer_local },
	{ "silent", answer_silent },
	{ "refuse", answer_refuse },
	{ "garbage", answer_garbage },
	{ "short", answer_short },
	{ "length", answer_length },
	{ "wrong", answer_wrong },
	{ "stray", answer_stray },
	{ "flood", answer_flood },
	{ "range", answer_range },
	{ "future", answer_future },
	{ "keep", answer_keep },
	{ "deaf", answer_deaf },
	{ "stuck", answer_stuck },
	{ "slow", answer_slow },
	{ "many", answer_many },
	{ "drip", answer_drip },
	{ "twice", answer_twice },
	{ "other", answer_other }
};

static const struct mode *
find_mode(const char *name)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(modes[i].name, name) == 0)
			return &modes[i];
	errx(2, "%s: no such mode", name);
}

static int
open_socket(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(sun.sun_path))
		errx(2, "%s: path too long", path);
	strcpy(sun.sun_path, path);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (fd == -1)
		err(1, "socket");
	unlink(path);
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1 ||
	    chmod(path, 0666) == -1)
		err(1, "%s", path);
	return fd;
}

/* False when a signal came instead. */
static bool
hear(struct question *q)
{
	ssize_t n;

	memset(q->bytes, 0, sizeof(q->bytes));
	q->from_len = sizeof(q->from);
	n = recvfrom(q->fd, q->bytes, sizeof(q->bytes), 0,
	    (struct sockaddr *)&q->from, &q->from_len);
	if (n == -1 && errno != EINTR)
		err(1, "recvfrom");
	if (n < MIN_REQUEST)
		return false;
	q->len = (size_t)n;
	if (is_order(q)) {
		puts(command_of(q) == BURST ? "BURST" : "RESET_SOURCES");
		fflush(stdout);
	}
	return true;
}

int
main(int argc, char *argv[])
{
	struct sigaction sa = { .sa_handler = flip };
	const struct mode *mode;
	struct question q;

	if (argc != 3 && argc != 4)
		errx(2, "usage: fake-chronyd PATH MODE [MS]");
	mode = find_mode(argv[2]);
	if (argc == 4)
		late_ms = strtol(argv[3], NULL, 10);
	sigaction(SIGUSR1, &sa, NULL);
	q.fd = open_socket(argv[1]);
	for (;;)
		if (hear(&q))
			(flipped ? answer_good : mode->answer)(&q);
}
