/* SPDX-License-Identifier: ISC */
/*
 * One question, one answer: what a chronyd may send back to a question, when,
 * and what there may be instead of a chronyd.  recv(2) is ours in here: what a
 * row has for it comes when it is waited for.
 */
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "chrony.h"
#include "test.h"
#include "ts.h"

#define MS(ms)		(INT64_C(ms) * 1000000)
#define SHORT		MS(20)
#define LONG		MS(20000)
#define REPLY_LEN	104

#define SERVER		"chronyd.sock"

static struct cb_chrony client;
static uint8_t reply[CB_CHRONY_MAX_LEN];
static uint16_t status;

/* A datagram by its difference to the reply that was asked for. */
struct datagram {
	int sequence;
	uint16_t status;
	int length;
};

struct row {
	const char *name;
	struct datagram datagrams[2];
	size_t n;
	bool interrupted;	/* by a signal, for as long as may be waited */
	int64_t timeout_ns;
	int error;		/* 0: it is answered */
	uint16_t status;
};

static const struct row *row;	/* NULL: it has come */
static int server;

static int
bind_server(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX,
		.sun_path = SERVER };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	unlink(SERVER);
	CHECK(bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0);
	return fd;
}

static void
send_one(const struct sockaddr_un *to, const uint8_t *rq,
    const struct datagram *d)
{
	uint8_t p[REPLY_LEN + 1] = { 6, 2, [4] = rq[4], rq[5], 0, 5 };

	p[9] = (uint8_t)d->status;
	memcpy(p + 16, rq + 8, 4);
	p[19] = (uint8_t)(p[19] + d->sequence);
	p[REPLY_LEN - 1] = 77;
	CHECK(sendto(server, p, (size_t)(REPLY_LEN + d->length), 0,
	    (const struct sockaddr *)to, sizeof(*to)) != -1);
}

static void
answer(void)
{
	struct sockaddr_un from;
	socklen_t len = sizeof(from);
	uint8_t rq[REPLY_LEN];

	CHECK(recvfrom(server, rq, sizeof(rq), 0, (struct sockaddr *)&from,
	    &len) == sizeof(rq));
	for (size_t i = 0; i < row->n; i++)
		send_one(&from, rq, &row->datagrams[i]);
}

static bool is_late;

/* Never after the time that there was for it. */
ssize_t
recv(int fd, void *to, size_t size, int flags)
{
	struct timespec pause = { .tv_nsec = SHORT };
	bool interrupted = row != NULL && row->interrupted;

	if (row != NULL) {
		answer();
		is_late = interrupted && row->timeout_ns == SHORT;
		row = NULL;
	}
	if (interrupted) {
		if (is_late)
			nanosleep(&pause, NULL);
		errno = EINTR;
		return -1;
	}
	CHECK_EQ((flags & MSG_DONTWAIT) != 0, is_late);
	return recvfrom(fd, to, size, flags, NULL, NULL);
}

static bool
ask(int64_t timeout_ns)
{
	memset(reply, 0, sizeof(reply));
	return cb_chrony_ask(&client, CB_CHRONY_TRACKING, 0, timeout_ns,
	    reply, &status);
}

static void
check_row(const struct row *r)
{
	int64_t start = cb_ts_clock(CLOCK_MONOTONIC);
	const char *what;
	bool answered;

	test_row = r->name;
	server = bind_server();
	row = r;
	if (!CHECK(cb_chrony_open(&client, SERVER, &what)))
		return;
	answered = ask(r->timeout_ns);
	CHECK_EQ(answered ? 0 : errno, r->error);
	if (r->error == 0)
		CHECK_EQ(status, r->status);
	CHECK_EQ(reply[REPLY_LEN - 1], r->error == 0 && r->status == 0 ?
	    77 : 0);
	/* While there might still come something it is waited for. */
	if (r->timeout_ns == SHORT)
		CHECK(cb_ts_clock(CLOCK_MONOTONIC) - start >= SHORT);
	cb_chrony_close(&client);
	close(server);
	unlink(SERVER);
	is_late = false;
	test_row = "";
}

static void
an_answer_is_told_from_what_is_none_and_from_silence(void)
{
	static const struct row rows[] = {
		{ "reply", { { 0, 0, 0 } }, 1, false, LONG, 0, 0 },
		{ "refusal", { { 0, 2, 0 } }, 1, false, LONG, 0, 2 },
		{ "refusal, short", { { 0, 2, -REPLY_LEN + 28 } }, 1, false,
		    LONG, 0, 2 },
		{ "short", { { 0, 0, -1 } }, 1, false, LONG, EBADMSG, 0 },
		{ "long", { { 0, 0, 1 } }, 1, false, LONG, EBADMSG, 0 },
		{ "another's, and the reply", { { 1, 0, 0 }, { 0, 0, 0 } }, 2,
		    false, LONG, 0, 0 },
		{ "no header, and the reply",
		    { { 0, 0, -REPLY_LEN }, { 0, 0, 0 } }, 2, false, LONG, 0,
		    0 },
		{ "another's alone", { { 1, 0, 0 } }, 1, false, SHORT,
		    EBADMSG, 0 },
		{ "nothing", { { 0, 0, 0 } }, 0, false, SHORT, ETIMEDOUT, 0 },
		/* Stopped and continued: the answer may be there by now. */
		{ "interrupted", { { 0, 0, 0 } }, 1, true, LONG, 0, 0 },
		{ "late", { { 0, 0, 0 } }, 1, true, SHORT, 0, 0 },
		{ "late, and another's", { { 1, 0, 0 } }, 1, true, SHORT,
		    EBADMSG, 0 },
		{ "late for nothing", { { 0, 0, 0 } }, 0, true, SHORT,
		    ETIMEDOUT, 0 }
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(&rows[i]);
}

/* One that is stopped, and then one that has ended. */
static void
a_chronyd_that_does_not_read_is_not_waited_for(void)
{
	int fd = bind_server();
	const char *what;
	int asked = 0;

	if (!CHECK(cb_chrony_open(&client, SERVER, &what)))
		return;
	do
		CHECK(!ask(0));
	while (errno == ETIMEDOUT && ++asked < 10000);
	CHECK(errno == EAGAIN || errno == ENOBUFS);
	CHECK(asked > 0);
	close(fd);
	CHECK(!ask(LONG));
	CHECK_EQ(errno, ECONNREFUSED);
	cb_chrony_close(&client);
	unlink(SERVER);
}

/* chronyd is another user, who answers to a name. */
static void
a_socket_of_our_own_is_for_all_to_write_to_and_goes_with_us(void)
{
	mode_t mask = umask(077);
	int fd = bind_server();
	char own[sizeof(client.own.sun_path)];
	const char *what;
	struct stat st;

	if (CHECK(cb_chrony_open(&client, "./" SERVER, &what))) {
		memcpy(own, client.own.sun_path, sizeof(own));
		CHECK(strncmp(own, "./cb-daemon.", 12) == 0);
		CHECK(stat(own, &st) == 0 && S_ISSOCK(st.st_mode));
		CHECK_EQ(st.st_mode & 0777, 0666);
		CHECK_EQ(umask(mask), 077);
		errno = EDOM;
		cb_chrony_close(&client);
		CHECK_EQ(errno, EDOM);
		CHECK_EQ(stat(own, &st), -1);
		cb_chrony_close(&client);
	}
	close(fd);
	unlink(SERVER);
}

static void
check_open_fails(const char *path, int error, const char *step)
{
	const char *what = "";

	test_row = step;
	CHECK(!cb_chrony_open(&client, path, &what));
	CHECK_EQ(errno, error);
	CHECK(strcmp(what, step) == 0);
	CHECK_EQ(client.fd, -1);
	test_row = "";
}

static void
what_is_in_the_way_is_named(void)
{
	/* A directory whose name takes all the room but for a letter's. */
	char path[sizeof(client.own.sun_path) + 1];
	int fd = bind_server();

	check_open_fails("none/" SERVER, ENOENT,
	    "bind a socket of our own beside it");
	check_open_fails("none", ENOENT, "connect");
	close(fd);
	check_open_fails(SERVER, ECONNREFUSED, "connect");
	unlink(SERVER);
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 3] = '/';
	path[sizeof(path) - 1] = '\0';
	check_open_fails(path, ENAMETOOLONG, "use such a path");
	CHECK(!cb_chrony_is_path(path));
	path[sizeof(path) - 2] = '\0';
	/* chronyd's fits, and our own does not. */
	check_open_fails(path, ENAMETOOLONG, "use such a path");
	CHECK(!cb_chrony_is_path(path));
	CHECK(cb_chrony_is_path(CB_CHRONY_DEFAULT_SOCKET));
}

int
main(void)
{
	char dir[] = "/tmp/cb-chrony.XXXXXX";

	signal(SIGALRM, SIG_DFL);
	alarm(60);
	if (!CHECK(mkdtemp(dir) != NULL) || !CHECK(chdir(dir) == 0))
		return test_done();
	an_answer_is_told_from_what_is_none_and_from_silence();
	a_chronyd_that_does_not_read_is_not_waited_for();
	a_socket_of_our_own_is_for_all_to_write_to_and_goes_with_us();
	what_is_in_the_way_is_named();
	CHECK(rmdir(dir) == 0);
	return test_done();
}
