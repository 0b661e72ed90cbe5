/* SPDX-License-Identifier: ISC */
/*
 * A VMClock that notifies, and those that do not.  poll(2) and pread(2) are
 * ours in here, and say what a row has for them.
 */
#include <sys/types.h>

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "test.h"
#include "vmclock.h"

/* What poll says, one after the other: the last one for ever. */
static const short *says;
static bool can_read;
static int reads;

int
poll(struct pollfd *pfd, nfds_t n, int timeout)
{
	CHECK_EQ(n, 1);
	CHECK_EQ(timeout, 0);
	CHECK_EQ(pfd->events, POLLIN);
	pfd->revents = *says;
	if (says[1] != -1)
		says++;
	return pfd->revents != 0;
}

ssize_t
pread(int fd, void *bytes, size_t size, off_t offset)
{
	(void)fd;
	CHECK_EQ(offset, 0);
	reads++;
	memset(bytes, 0, size);
	return can_read ? (ssize_t)size : -1;
}

static const struct {
	const char *name;
	bool can_read;
	short says[8];
	bool notifies;
} rows[] = {
	{ "quiet", true, { 0, -1 }, true },
	{ "written to meanwhile", true, { POLLIN, POLLIN, 0, -1 }, true },
	{ "notifies nobody", true, { POLLHUP, -1 }, false },
	{ "and has been written", true, { POLLIN | POLLHUP, -1 }, false },
	{ "an error", true, { POLLERR, -1 }, false },
	{ "always readable", true, { POLLIN, -1 }, false },
	{ "cannot be read", false, { 0, -1 }, false }
};

static void
a_descriptor_is_there_where_it_notifies(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd;

		test_row = rows[i].name;
		says = rows[i].says;
		can_read = rows[i].can_read;
		fd = cb_vmclock_notify_open("/dev/null");
		CHECK_EQ(fd != -1, rows[i].notifies);
		cb_vmclock_notify_close(&fd);
		CHECK_EQ(fd, -1);
	}
	test_row = "";
	CHECK_EQ(cb_vmclock_notify_open("/nowhere"), -1);
}

static void
it_is_read_after_each_call_and_closed_where_it_is_no_good(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int fd = open("/dev/null", O_RDONLY), same = fd;

		test_row = rows[i].name;
		says = rows[i].says;
		can_read = rows[i].can_read;
		reads = 0;
		cb_vmclock_notify_rearm(&fd);
		CHECK(reads > 0);
		CHECK_EQ(fd, rows[i].notifies ? same : -1);
		CHECK_EQ(fcntl(same, F_GETFD) != -1, rows[i].notifies);
		cb_vmclock_notify_close(&fd);
	}
	test_row = "";
}

int
main(void)
{
	a_descriptor_is_there_where_it_notifies();
	it_is_read_after_each_call_and_closed_where_it_is_no_good();
	return test_done();
}
