/* SPDX-License-Identifier: ISC */
/*
 * A request to cb-status --http, in pieces of any size.
 */
#include <sys/socket.h>

#include <poll.h>
#include <unistd.h>

#include "output.h"

static struct fuzz request;

static ssize_t
fake_read(void *buf, size_t size)
{
	size_t n = (size_t)fuzz_byte(&request) * 8;

	CHECK(size > 0);
	n = n < request.left ? n : request.left;
	n = n < size ? n : size;
	fuzz_take(&request, buf, n);
	return (ssize_t)n;
}

#define read(fd, buf, size)	fake_read(buf, size)
#define poll(pfd, n, ms)	((void)(pfd), 1)
#define shutdown(fd, how)	((void)(how))
#include "../../cmd/cb-status/http.c"

void
cb_finish_output(void)
{
}

void
cb_gather(struct cb_paths *p, struct cb_facts *f)
{
	(void)p, (void)f;
}

void
cb_gather_release(struct cb_facts *f)
{
	(void)f;
}

void
cb_metrics_print(FILE *out, const struct cb_facts *f)
{
	(void)f;
	fputs("metrics\n", out);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	output_open();
	return 0;
}

/* A head, and as much of a body as it says: none of it is the request's. */
static void
check_response(const char *text)
{
	static const char *const statuses[] = {
		"200 OK\r\n", "400 Bad Request\r\n", "404 Not Found\r\n",
		"405 Method Not Allowed\r\n"
	};
	const char *body = strstr(text, "\r\n\r\n");
	const char *length = strstr(text, "Content-Length: ");
	bool known = false;

	CHECK(strncmp(text, "HTTP/1.1 ", 9) == 0);
	for (size_t i = 0; i < 4; i++)
		known |= strncmp(text + 9, statuses[i],
		    strlen(statuses[i])) == 0;
	CHECK(known && body != NULL && length != NULL && length < body);
	body += 4;
	CHECK(*body == '\0' || strlen(body) == strtoul(length + 16, NULL, 10));
	CHECK(strcmp(body, "metrics\n") != 0 ||
	    strncmp(text + 9, "200", 3) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cb_paths paths;

	request = (struct fuzz){ data, size };
	output_begin();
	CHECK(cb_http_serve(&paths) == CB_OK);
	check_response(output_end());
	return 0;
}
