/* SPDX-License-Identifier: ISC */
/*
 * Those who connect to a daemon's observation socket: who reads what there is
 * and prints it, and who should do no harm.
 *
 * usage: look PATH		print all up to the end of the file
 *	look PATH hold N	connect N times, say so, never read
 *	look PATH flood		connect and be gone, again and again
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <err.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int
connect_to(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1)
		err(1, "socket");
	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path))
		errx(1, "%s: too long", path);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1)
		err(1, "%s", path);
	return fd;
}

static void
print_all(int fd)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (fwrite(buf, 1, (size_t)n, stdout) != (size_t)n)
			err(1, "standard output");
	if (n == -1)
		err(1, "read");
}

static void
hold(const char *path, int n)
{
	while (n-- > 0)
		connect_to(path);
	puts("held");
	fflush(stdout);
	pause();
}

int
main(int argc, char *argv[])
{
	if (argc == 2)
		print_all(connect_to(argv[1]));
	else if (argc == 4 && strcmp(argv[2], "hold") == 0)
		hold(argv[1], atoi(argv[3]));
	else if (argc == 3 && strcmp(argv[2], "flood") == 0)
		for (;;)
			close(connect_to(argv[1]));
	else
		errx(2, "usage: look PATH [hold N | flood]");
	return 0;
}
