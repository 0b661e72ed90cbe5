/* SPDX-License-Identifier: ISC */
/*
 * A unit test is a program.  Promises go in; each that is broken comes out as
 * a line on standard error; the exit status is 0, 1, or 77: not all could be
 * tried here.
 */
#ifndef TEST_H
#define TEST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Lines until more would only hide the first. */
#define TEST_LINES	20

static unsigned test_failures;
static bool test_skipped;
/* The row of a table that is being tried, for the message. */
static const char *test_row = "";

static inline bool
test_check(const char *file, int line, const char *what, bool equal,
    intmax_t got, intmax_t expected)
{
	if (!equal && test_failures++ < TEST_LINES)
		fprintf(stderr, "%s:%d: %s%s%s: got %jd, expected %jd\n", file,
		    line, test_row, *test_row == '\0' ? "" : ": ", what, got,
		    expected);
	return equal;
}

/* Both are true where the promise holds, so that a loop can end early. */
#define CHECK(what) \
	test_check(__FILE__, __LINE__, #what, (what), 0, 1)
#define CHECK_EQ(got, expected) \
	test_eq(__FILE__, __LINE__, #got, (intmax_t)(got), \
	    (intmax_t)(expected))

static inline bool
test_eq(const char *file, int line, const char *what, intmax_t got,
    intmax_t expected)
{
	return test_check(file, line, what, got == expected, got, expected);
}

static inline void
test_skip(const char *why)
{
	fprintf(stderr, "skipped: %s\n", why);
	test_skipped = true;
}

/* What main() returns. */
static inline int
test_done(void)
{
	if (test_failures > TEST_LINES)
		fprintf(stderr, "and %u more\n", test_failures - TEST_LINES);
	return test_failures > 0 ? 1 : test_skipped ? 77 : 0;
}

#endif
