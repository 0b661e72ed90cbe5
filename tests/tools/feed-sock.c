/* SPDX-License-Identifier: ISC */
/*
 * Feed a chronyd's SOCK refclock with a true time of our own making, until
 * killed.
 *
 * usage: feed-sock PATH OFFSET_NS [PPM T0_NS [PPB_PER_S]]
 */
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "true.h"

#define FEED_NS		20000000

/* chrony's SOCK sample: refclock_sock.c of chrony documents this layout. */
struct sock_sample {
	struct timeval tv;
	double offset;		/* true time - local time, s */
	int pulse;
	int leap;
	int pad;
	int magic;
};

#define SOCK_MAGIC	0x534f434b

int
main(int argc, char *argv[])
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct timespec pause = { 0, FEED_NS };
	struct true_time truth;
	int fd;

	if (argc < 3 || argc == 4 || argc > 6)
		errx(2, "usage: feed-sock PATH " TRUE_USAGE);
	if (strlen(argv[1]) >= sizeof(sun.sun_path))
		errx(2, "%s: path too long", argv[1]);
	strcpy(sun.sun_path, argv[1]);
	truth = true_parse(argv + 2, argc - 2);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	if (fd == -1)
		err(1, "socket");
	/* chronyd may come later, and may go: its absence is no error. */
	for (;;) {
		struct sock_sample s = { .magic = SOCK_MAGIC };
		int64_t t;

		gettimeofday(&s.tv, NULL);
		t = (int64_t)s.tv.tv_sec * 1000000000 +
		    (int64_t)s.tv.tv_usec * 1000;
		s.offset = (double)true_offset(&truth, t) / 1e9;
		sendto(fd, &s, sizeof(s), MSG_DONTWAIT,
		    (struct sockaddr *)&sun, sizeof(sun));
		nanosleep(&pause, NULL);
	}
}
