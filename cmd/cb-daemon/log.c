/* SPDX-License-Identifier: ISC */
/*
 * One event a line, on standard error: text, or JSON objects.
 */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "cb-daemon.h"
#include "stamp.h"

static bool json;

void
cb_log_open(bool as_json)
{
	static char line[BUFSIZ];

	json = as_json;
	/* Ours: then nothing is asked of the terminal once we are confined. */
	setvbuf(stderr, line, _IOLBF, sizeof(line));
}

static void
print_json(const char *level, const char *text)
{
	struct timespec ts = { .tv_sec = 0 };
	char date[CB_STAMP_TEXT];

	clock_gettime(CLOCK_REALTIME, &ts);
	cb_stamp_format_date(&ts, 6, date);
	fprintf(stderr, "{\"time\":\"%s\",\"level\":\"%s\","
	    "\"message\":\"", date, level);
	for (const char *p = text; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;

		/* Bytes of a path need not be UTF-8. */
		if (c == '"' || c == '\\')
			fprintf(stderr, "\\%c", c);
		else if (c < ' ' || c > '~')
			fprintf(stderr, "\\u%04x", c);
		else
			putc(c, stderr);
	}
	fputs("\"}\n", stderr);
}

static void __attribute__((format(printf, 2, 0)))
print_line(const char *level, const char *format, va_list ap)
{
	char text[512];

	vsnprintf(text, sizeof(text), format, ap);
	if (json)
		print_json(level, text);
	else
		fprintf(stderr, "cb-daemon: %s\n", text);
}

void
cb_log_info(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	print_line("info", format, ap);
	va_end(ap);
}

void
cb_log_warn(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	print_line("warning", format, ap);
	va_end(ap);
}
