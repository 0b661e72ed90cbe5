/* SPDX-License-Identifier: ISC */
/*
 * A command for each connection, which is its standard input and output: what
 * inetd(8) and a socket unit do.
 *
 * usage: serve PATH|PORT COMMAND [ARGUMENT ...]
 *
 * PORT is on 127.0.0.1; 0 is any that is free.  It is printed when it listens.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
listen_at(const struct sockaddr *sa, socklen_t len)
{
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd == -1 || bind(fd, sa, len) == -1 || listen(fd, 16) == -1)
		err(1, "socket");
	return fd;
}

static int
listen_at_path(const char *path)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path))
		errx(1, "%s: too long", path);
	return listen_at((struct sockaddr *)&sun, sizeof(sun));
}

static int
listen_at_port(const char *port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons((in_port_t)atoi(port)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int fd = listen_at((struct sockaddr *)&sin, len);

	if (getsockname(fd, (struct sockaddr *)&sin, &len) == -1)
		err(1, "getsockname");
	printf("%d\n", ntohs(sin.sin_port));
	fflush(stdout);
	return fd;
}

int
main(int argc, char *argv[])
{
	int fd, client;

	if (argc < 3)
		errx(2, "usage: serve PATH|PORT COMMAND [ARGUMENT ...]");
	signal(SIGCHLD, SIG_IGN);
	fd = strchr(argv[1], '/') != NULL ? listen_at_path(argv[1]) :
	    listen_at_port(argv[1]);
	for (;;) {
		client = accept(fd, NULL, NULL);
		if (client == -1 && errno != EINTR)
			err(1, "accept");
		if (client != -1 && fork() == 0) {
			dup2(client, STDIN_FILENO);
			dup2(client, STDOUT_FILENO);
			if (client > STDERR_FILENO)
				close(client);
			signal(SIGCHLD, SIG_DFL);
			execvp(argv[2], argv + 2);
			err(1, "%s", argv[2]);
		}
		close(client);
	}
}
