/* SPDX-License-Identifier: ISC */
/*
 * What a service manager is told: binds a socket, prints what comes.
 *
 * usage: manager NAME		a path, or @ and a name
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <err.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

int
main(int argc, char *argv[])
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	char buf[4096];
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	socklen_t len;
	ssize_t n;

	if (argc != 2 || strlcpy(sun.sun_path, argv[1],
	    sizeof(sun.sun_path)) >= sizeof(sun.sun_path))
		errx(2, "usage: manager NAME");
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
	    strlen(sun.sun_path));
	if (sun.sun_path[0] == '@')
		sun.sun_path[0] = '\0';
	if (fd == -1 || bind(fd, (struct sockaddr *)&sun, len) == -1)
		err(1, "%s", argv[1]);
	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((n = recv(fd, buf, sizeof(buf) - 1, 0)) != -1) {
		buf[n] = '\0';
		fputs(buf, stdout);
	}
	err(1, "recv");
}
