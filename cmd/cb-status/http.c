/* SPDX-License-Identifier: ISC */
/*
 * One request of HTTP/1.x on standard input; one answer on standard output,
 * which is its end.  Both are a socket, as inetd(8) and its like give it.
 */
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cb-status.h"
#include "ts.h"

#define MAX_REQUEST	8192
#define REQUEST_NS	(5 * CB_NS_PER_S)
/* A client that goes on sending is listened to for so long. */
#define LINGER_NS	CB_NS_PER_S
#define PATH		"/metrics"

struct request {
	size_t len;
	char text[MAX_REQUEST + 1];
};

struct answer {
	const char *status;
	bool has_metrics;
	bool has_body;
};

/* False at its end, on an error, and when the time is over. */
static bool
read_some(struct request *r, int64_t end_mono)
{
	struct pollfd pfd = { .fd = STDIN_FILENO, .events = POLLIN };
	int64_t left = end_mono - cb_ts_clock(CLOCK_MONOTONIC);
	ssize_t n;

	if (r->len == MAX_REQUEST || left <= 0 ||
	    poll(&pfd, 1, (int)(left / 1000000) + 1) <= 0)
		return false;
	n = read(STDIN_FILENO, r->text + r->len, MAX_REQUEST - r->len);
	if (n <= 0)
		return false;
	r->len += (size_t)n;
	r->text[r->len] = '\0';
	return true;
}

/* A NUL would hide what is behind it: such a request never ends. */
static bool
is_whole(const struct request *r)
{
	return strstr(r->text, "\r\n\r\n") != NULL ||
	    strstr(r->text, "\n\n") != NULL;
}

static bool
read_request(struct request *r)
{
	int64_t end = cb_ts_clock(CLOCK_MONOTONIC) + REQUEST_NS;

	r->len = 0;
	r->text[0] = '\0';
	while (!is_whole(r))
		if (!read_some(r, end))
			return false;
	return true;
}

static bool
has_path(const char *path, size_t len)
{
	size_t plain = strcspn(path, "? ");

	plain = plain < len ? plain : len;
	return plain == strlen(PATH) && memcmp(path, PATH, plain) == 0;
}

/* METHOD SP path SP HTTP/1.x */
static void
weigh_request(const struct request *r, struct answer *a)
{
	size_t method = strcspn(r->text, " \r\n");
	const char *path = r->text + method + 1;
	size_t len;

	if (method == 0 || r->text[method] != ' ' || *path != '/')
		return;
	len = strcspn(path, " \r\n");
	if (strncmp(path + len, " HTTP/1.", strlen(" HTTP/1.")) != 0)
		return;
	a->has_body = strncmp(r->text, "HEAD ", 5) != 0;
	if (a->has_body && strncmp(r->text, "GET ", 4) != 0)
		a->status = "405 Method Not Allowed";
	else if (!has_path(path, len))
		a->status = "404 Not Found";
	else {
		a->status = "200 OK";
		a->has_metrics = true;
	}
}

/* To the end of what the client sends: else it may get a reset instead. */
static void
linger(struct request *r)
{
	int64_t end = cb_ts_clock(CLOCK_MONOTONIC) + LINGER_NS;

	shutdown(STDOUT_FILENO, SHUT_WR);
	do
		r->len = 0;
	while (read_some(r, end));
}

static char *
make_body(struct cb_paths *paths, const struct answer *a, size_t *size)
{
	struct cb_facts *f = calloc(1, sizeof(*f));
	char *body = NULL;
	FILE *out = open_memstream(&body, size);

	if (f == NULL || out == NULL)
		abort();
	if (a->has_metrics) {
		cb_gather(paths, f);
		cb_metrics_print(out, f);
		cb_gather_release(f);
	} else
		fprintf(out, "%s: GET " PATH "\n", a->status);
	if (fclose(out) == EOF)
		abort();
	free(f);
	return body;
}

enum cb_severity
cb_http_serve(struct cb_paths *paths)
{
	struct answer a = { "400 Bad Request", false, true };
	struct request r;
	size_t size;
	char *body;

	if (read_request(&r))
		weigh_request(&r, &a);
	body = make_body(paths, &a, &size);
	printf("HTTP/1.1 %s\r\n"
	    "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
	    "Content-Length: %zu\r\n"
	    "%s"
	    "Connection: close\r\n\r\n", a.status, size,
	    strncmp(a.status, "405", 3) == 0 ? "Allow: GET, HEAD\r\n" : "");
	if (a.has_body)
		fwrite(body, 1, size, stdout);
	free(body);
	cb_finish_output();
	linger(&r);
	return CB_OK;
}
