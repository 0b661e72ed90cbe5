/* SPDX-License-Identifier: ISC */
/*
 * A format and a reading go in, a line comes out.
 */
#include <stdio.h>
#include <string.h>

#include "cb-now.h"
#include "stamp.h"

static bool
is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/* What begins here: a conversion, an escape, a character.  0: neither. */
static size_t
length_of(const char *p)
{
	if (*p == '\\')
		return is_one_of(p[1], "nt\\") ? 2 : 0;
	if (*p != '%')
		return 1;
	if (p[1] == 'N')
		return is_one_of(p[2], "elmha") ? 3 : 0;
	if (p[1] == 'I')
		return is_one_of(p[2], "elm") ? 3 : 0;
	return is_one_of(p[1], "elmhasv%") ? 2 : 0;
}

const char *
cb_format_check(const char *format, int *len)
{
	size_t n;

	for (; *format != '\0'; format += n) {
		n = length_of(format);
		if (n > 0)
			continue;
		*len = (int)strnlen(format, *format == '%' &&
		    is_one_of(format[1], "NI") ? 3 : 2);
		/* All bytes of a character of UTF-8. */
		while (((unsigned char)format[*len] & 0xc0) == 0x80)
			++*len;
		return format;
	}
	return NULL;
}

static const struct timespec *
time_of(char letter, const struct cb_reading *r)
{
	switch (letter) {
	case 'e':
		return &r->earliest;
	case 'l':
		return &r->latest;
	case 'm':
		return &r->middle;
	case 'h':
		return &r->half;
	default:
		return &r->age;
	}
}

static const char *
word_of(char letter, const struct cb_reading *r)
{
	switch (letter) {
	case 's':
		return clockbound_status_name(r->status);
	case 'v':
		return r->trusted ? "true" : "false";
	case '%':
		return "%";
	default:
		return NULL;
	}
}

static void
print_conversion(const char *p, size_t len, const struct cb_reading *r)
{
	const char *word = word_of(p[len - 1], r);
	const struct timespec *ts = time_of(p[len - 1], r);
	char text[CB_STAMP_TEXT];

	if (word != NULL) {
		fputs(word, stdout);
		return;
	}
	if (p[1] == 'I')
		cb_stamp_format_date(ts, 9, text);
	else if (p[1] == 'N')
		cb_stamp_format_ns(ts, text);
	else
		cb_stamp_format_s(ts, text);
	fputs(text, stdout);
}

void
cb_format_print(const char *format, const struct cb_reading *r)
{
	size_t n;

	for (; *format != '\0'; format += n) {
		n = length_of(format);
		if (*format == '%')
			print_conversion(format, n, r);
		else if (*format == '\\')
			putchar(format[1] == 'n' ? '\n' :
			    format[1] == 't' ? '\t' : '\\');
		else
			putchar(*format);
	}
	putchar('\n');
	cb_finish_output();
}
