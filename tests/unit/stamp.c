/* SPDX-License-Identifier: ISC */
/*
 * Times and durations as text: the calendar beside the C library's, both ways,
 * at the ends of the range, and what is no time at all.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "stamp.h"
#include "test.h"
#include "ts.h"

/* 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z. */
#define FIRST_S	INT64_C(-62167219200)
#define LAST_S	INT64_C(253402300799)

static struct timespec
ts_at(int64_t s, long ns)
{
	return (struct timespec){ .tv_sec = (time_t)s, .tv_nsec = ns };
}

/* A time_t of 32 bits ends in 2038. */
static bool
fits(int64_t s)
{
	return s == (time_t)s;
}

static bool
check_text(const char *got, const char *expected)
{
	bool equal = strcmp(got, expected) == 0;

	if (!equal)
		fprintf(stderr, "got '%s', expected '%s'\n", got, expected);
	return CHECK(equal);
}

static void
numbers_become_text(void)
{
	static const struct {
		int64_t s;
		long ns;
		const char *seconds, *nanoseconds, *date;
	} rows[] = {
		{ 0, 0, "0.000000000", "0", "1970-01-01T00:00:00.000000000Z" },
		{ 0, 7, "0.000000007", "7", "1970-01-01T00:00:00.000000007Z" },
		{ 5, 7, "5.000000007", "5000000007",
		    "1970-01-01T00:00:05.000000007Z" },
		{ -1, 999999999, "-0.000000001", "-1",
		    "1969-12-31T23:59:59.999999999Z" },
		{ -1, 0, "-1.000000000", "-1000000000",
		    "1969-12-31T23:59:59.000000000Z" },
		{ -2, 500000000, "-1.500000000", "-1500000000",
		    "1969-12-31T23:59:58.500000000Z" },
		{ 951782400, 0, "951782400.000000000", "951782400000000000",
		    "2000-02-29T00:00:00.000000000Z" },
		{ FIRST_S, 0, "-62167219200.000000000",
		    "-62167219200000000000", "0000-01-01T00:00:00.000000000Z" },
		{ LAST_S, 999999999, "253402300799.999999999",
		    "253402300799999999999", "9999-12-31T23:59:59.999999999Z" },
		{ LAST_S + 1, 0, "253402300800.000000000",
		    "253402300800000000000", "@253402300800.000000000" },
		{ FIRST_S - 1, 1, "-62167219200.999999999",
		    "-62167219200999999999", "@-62167219200.999999999" },
		{ INT64_MAX, 999999999, "9223372036854775807.999999999",
		    "9223372036854775807999999999",
		    "@9223372036854775807.999999999" },
		{ INT64_MIN, 0, "-9223372036854775808.000000000",
		    "-9223372036854775808000000000",
		    "@-9223372036854775808.000000000" },
	};
	char text[CB_STAMP_TEXT];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct timespec ts = ts_at(rows[i].s, rows[i].ns);

		if (!fits(rows[i].s))
			continue;
		test_row = rows[i].seconds;
		cb_stamp_format_s(&ts, text);
		check_text(text, rows[i].seconds);
		cb_stamp_format_ns(&ts, text);
		check_text(text, rows[i].nanoseconds);
		cb_stamp_format_date(&ts, 9, text);
		check_text(text, rows[i].date);
	}
	test_row = "";
}

static void
dates_are_cut_to_their_decimals(void)
{
	static const char *const expected[] = {
		"1970-01-01T00:00:01Z", "1970-01-01T00:00:01.9Z",
		"1970-01-01T00:00:01.98Z", "1970-01-01T00:00:01.987Z",
		"1970-01-01T00:00:01.9876Z", "1970-01-01T00:00:01.98765Z",
		"1970-01-01T00:00:01.987654Z", "1970-01-01T00:00:01.9876543Z",
		"1970-01-01T00:00:01.98765432Z",
		"1970-01-01T00:00:01.987654321Z"
	};
	struct timespec ts = ts_at(1, 987654321);
	char text[CB_STAMP_TEXT];

	for (int i = 0; i <= 9; i++) {
		cb_stamp_format_date(&ts, i, text);
		check_text(text, expected[i]);
	}
}

static void
nanoseconds_become_times(void)
{
	struct timespec ts = cb_stamp_of_ns(INT64_MIN);

	CHECK_EQ(ts.tv_sec, cb_ts_time(INT64_C(-9223372037)));
	CHECK_EQ(ts.tv_nsec, 145224192);
	ts = cb_stamp_of_ns(INT64_MAX);
	CHECK_EQ(ts.tv_sec, cb_ts_time(INT64_C(9223372036)));
	CHECK_EQ(ts.tv_nsec, 854775807);
	ts = cb_stamp_of_ns(-1);
	CHECK_EQ(ts.tv_sec, -1);
	CHECK_EQ(ts.tv_nsec, 999999999);
}

/* Days of the ten thousand years, at another second each. */
static void
calendar_is_the_c_librarys(int stride)
{
	char text[CB_STAMP_TEXT], expected[CB_STAMP_TEXT];
	struct timespec ts, back;
	struct tm tm;

	for (int64_t s = FIRST_S; s <= LAST_S; s += stride * 86400 + 1) {
		if (!fits(s))
			continue;
		ts = ts_at(s, 0);
		cb_stamp_format_date(&ts, 0, text);
		gmtime_r(&ts.tv_sec, &tm);
		snprintf(expected, sizeof(expected),
		    "%04u-%02u-%02uT%02u:%02u:%02uZ",
		    (unsigned)tm.tm_year + 1900U, (unsigned)tm.tm_mon + 1U,
		    (unsigned)tm.tm_mday, (unsigned)tm.tm_hour,
		    (unsigned)tm.tm_min, (unsigned)tm.tm_sec);
		if (!check_text(text, expected))
			return;
		if (!CHECK(cb_stamp_parse_time(text, &back) == NULL) ||
		    !CHECK_EQ(back.tv_sec, s))
			return;
	}
}

static void
months_end_where_the_next_one_begins(void)
{
	static const struct {
		const char *within, *end;
	} rows[] = {
		{ "1970-01-01T00:00:00Z", "1970-02-01T00:00:00Z" },
		{ "2016-12-31T23:59:59Z", "2017-01-01T00:00:00Z" },
		{ "2017-01-01T00:00:00Z", "2017-02-01T00:00:00Z" },
		{ "2028-02-29T12:00:00Z", "2028-03-01T00:00:00Z" },
		{ "2027-02-28T23:59:59Z", "2027-03-01T00:00:00Z" },
		{ "1969-06-30T23:59:59Z", "1969-07-01T00:00:00Z" }
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct timespec within, end;

		test_row = rows[i].within;
		CHECK(cb_stamp_parse_time(rows[i].within, &within) == NULL);
		CHECK(cb_stamp_parse_time(rows[i].end, &end) == NULL);
		CHECK_EQ(cb_stamp_month_end_s(within.tv_sec), end.tv_sec);
	}
	test_row = "";
}

static void
text_becomes_times(void)
{
	static const struct {
		const char *text;
		int64_t s;
		long ns;
	} rows[] = {
		{ "0", 0, 0 }, { "-0", 0, 0 }, { "@0", 0, 0 },
		{ "-0.000000001", -1, 999999999 },
		{ "-1.5", -2, 500000000 }, { "-1.000000000", -1, 0 },
		{ "1795265131.986946452", 1795265131, 986946452 },
		{ "@1795265131.9", 1795265131, 900000000 },
		{ "@-7", -7, 0 },
		{ "000000000000000000000000000000000000012", 12, 0 },
		{ "253402300799.999999999", LAST_S, 999999999 },
		{ "-62167219200", FIRST_S, 0 },
		{ "1970-01-01T00:00:00Z", 0, 0 },
		{ "1970-01-01t00:00:00.5z", 0, 500000000 },
		{ "1970-01-01 00:00:00-00:00", 0, 0 },
		{ "1970-01-01T00:00:00+01:00", -3600, 0 },
		{ "1969-12-31T22:29:59.000000001-01:30", -1, 1 },
		{ "2000-02-29T12:00:00Z", 951825600, 0 },
		{ "9999-12-31T23:59:59.999999999Z", LAST_S, 999999999 },
		{ "0000-01-01T00:00:00Z", FIRST_S, 0 },
		{ "0000-01-01T01:00:00+01:00", FIRST_S, 0 },
		/* Leap seconds: the midnight that ends them. */
		{ "2016-12-31T23:59:60Z", 1483228800, 0 },
		{ "2016-12-31T23:59:60.999999999Z", 1483228800, 0 },
		{ "2017-01-01T00:59:60.5+01:00", 1483228800, 0 },
		{ "2016-12-31T15:59:60-08:00", 1483228800, 0 },
	};
	struct timespec ts;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		test_row = rows[i].text;
		ts = ts_at(42, 42);
		CHECK((cb_stamp_parse_time(rows[i].text, &ts) == NULL) ==
		    fits(rows[i].s));
		if (!fits(rows[i].s))
			continue;
		CHECK_EQ(ts.tv_sec, rows[i].s);
		CHECK_EQ(ts.tv_nsec, rows[i].ns);
	}
	test_row = "";
}

static void
what_is_no_time_is_refused(void)
{
	static const struct {
		const char *text, *expected;	/* a part of the reason */
	} rows[] = {
		{ "", "seconds since" }, { "@", "seconds since" },
		{ "-", "seconds since" }, { "--1", "seconds since" },
		{ "@@1", "seconds since" }, { "+1", "seconds since" },
		{ " 1", "seconds since" }, { "1 ", "seconds since" },
		{ "1.", "seconds since" }, { ".5", "seconds since" },
		{ "1e9", "seconds since" }, { "0x10", "seconds since" },
		{ "1,5", "seconds since" }, { "1.5.5", "seconds since" },
		{ "nan", "seconds since" }, { "now", "seconds since" },
		{ "1s", "seconds since" }, { "1\n", "seconds since" },
		{ "1.0000000000", "nine decimals" },
		{ "253402300800", "year 0 to year 9999" },
		{ "-62167219200.000000001", "year 0 to year 9999" },
		{ "9223372036854775807", "year 0 to year 9999" },
		{ "9223372036854775808", "year 0 to year 9999" },
		{ "-99999999999999999999999999999", "year 0 to year 9999" },
		{ "1795265131986946452", "year 0 to year 9999" },
		{ "2026-11-21", "RFC 3339" }, { "2026-", "RFC 3339" },
		{ "2026-11-21T14:00Z", "RFC 3339" },
		{ "2026-1-21T14:00:00Z", "RFC 3339" },
		{ "2026-11-1T14:00:00Z", "RFC 3339" },
		{ "2026-11-21T1:00:00Z", "RFC 3339" },
		{ "2026-11-21T14:0:00Z", "RFC 3339" },
		{ "2026-11-21T14-00:00Z", "RFC 3339" },
		{ "2026-11-21T14:00:00", "offset" },
		{ "2026-11-21T14:00:00.5", "offset" },
		{ "2026-11-21T14:00:00 Z", "offset" },
		{ "2026-11-21T14:00:00+01", "offset" },
		{ "2026-11-21T14:00:00+0100", "offset" },
		{ "2026-11-21T14:00:00,5Z", "offset" },
		{ "2026-11-21T14:00:00.Z", "RFC 3339" },
		{ "2026-11-21T14:00:00.1234567890Z", "nine decimals" },
		{ "2026-11-21T14:00:00ZZ", "RFC 3339" },
		{ "2026-11-21T14:00:00+01:00Z", "RFC 3339" },
		{ "2026-11-21T14:00:00+24:00", "exist" },
		{ "2026-11-21T14:00:00+01:60", "exist" },
		{ "2026-00-21T14:00:00Z", "exist" },
		{ "2026-13-21T14:00:00Z", "exist" },
		{ "2026-11-00T14:00:00Z", "exist" },
		{ "2026-11-31T14:00:00Z", "exist" },
		{ "2026-02-29T14:00:00Z", "exist" },
		{ "1900-02-29T14:00:00Z", "exist" },
		{ "2026-11-21T24:00:00Z", "exist" },
		{ "2026-11-21T14:60:00Z", "exist" },
		{ "2026-11-21T14:00:61Z", "exist" },
		{ "2026-11-21T14:00:60Z", "a second of 60" },
		{ "2026-11-21T23:59:60Z", "a second of 60" },
		{ "2017-01-01T04:59:60Z", "a second of 60" },
		{ "2017-01-01T00:29:60Z", "a second of 60" },
		{ "2016-12-31T23:59:60+01:00", "a second of 60" },
		{ "9999-12-31T23:59:60Z", "year 0 to year 9999" },
		{ "9999-12-31T23:59:59-00:01", "year 0 to year 9999" },
		{ "0000-01-01T00:00:00+00:01", "year 0 to year 9999" },
	};
	struct timespec ts = ts_at(42, 43);
	const char *reason;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		test_row = rows[i].text;
		reason = cb_stamp_parse_time(rows[i].text, &ts);
		if (!CHECK(reason != NULL))
			continue;
		if (!CHECK(strstr(reason, rows[i].expected) != NULL))
			fprintf(stderr, "%s\n", reason);
		CHECK(ts.tv_sec == 42 && ts.tv_nsec == 43);
	}
	test_row = "";
}

static void
text_becomes_durations(void)
{
	static const struct {
		const char *text;
		int64_t ns;
	} rows[] = {
		{ "0", 0 }, { "1", 1000000000 }, { "1s", 1000000000 },
		{ "0.000000001", 1 }, { "1ns", 1 }, { "1.0ns", 1 },
		{ "1.5us", 1500 }, { "0.001us", 1 }, { "2.25ms", 2250000 },
		{ "0.000001ms", 1 }, { "1m", INT64_C(60000000000) },
		{ "0.000000001m", 60 }, { "0.000000001h", 3600 },
		{ "1.5h", INT64_C(5400000000000) },
		{ "1000000000", INT64_C(1000000000000000000) },
		{ "1000000000000000000ns", INT64_C(1000000000000000000) },
		{ "277777.777777777h", INT64_C(999999999999997200) },
	};
	int64_t ns;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		test_row = rows[i].text;
		ns = -1;
		CHECK(cb_stamp_parse_duration(rows[i].text, &ns) == NULL);
		CHECK_EQ(ns, rows[i].ns);
	}
	test_row = "";
}

static void
what_is_no_duration_is_refused(void)
{
	static const struct {
		const char *text, *expected;
	} rows[] = {
		{ "", "unit" }, { "s", "unit" }, { "ms", "unit" },
		{ "-1", "unit" }, { "+1", "unit" }, { "1 s", "unit" },
		{ " 1s", "unit" }, { "1S", "unit" }, { "1M", "unit" },
		{ "1d", "unit" }, { "1sec", "unit" }, { "1ss", "unit" },
		{ ".5s", "unit" }, { "1.s", "unit" }, { "1e3ms", "unit" },
		{ "inf", "unit" }, { "1.5.5s", "unit" },
		{ "1.0000000000s", "nine decimals" },
		{ "0.5ns", "finer" }, { "0.0001us", "finer" },
		{ "1.0000001ms", "finer" },
		{ "1000000001", "1000000000 seconds" },
		{ "1000000000.000000001", "1000000000 seconds" },
		{ "1000000000000000001ns", "1000000000 seconds" },
		{ "277777.777777778h", "1000000000 seconds" },
		{ "277778h", "1000000000 seconds" },
		{ "9223372036854775808ns", "1000000000 seconds" },
		{ "99999999999999999999999999999999h", "1000000000 seconds" },
	};
	const char *reason;
	int64_t ns = 42;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		test_row = rows[i].text;
		reason = cb_stamp_parse_duration(rows[i].text, &ns);
		if (!CHECK(reason != NULL))
			continue;
		if (!CHECK(strstr(reason, rows[i].expected) != NULL))
			fprintf(stderr, "%s\n", reason);
		CHECK_EQ(ns, 42);
	}
	test_row = "";
}

/* Whatever is taken comes back as it was. */
static void
rubbish_is_survived(void)
{
	static const char alphabet[] = "0123456789-:.TZ+@ smnuh";
	char text[36], again[CB_STAMP_TEXT];
	struct timespec ts, back;
	int64_t ns;

	srandom(1);
	for (int i = 0; i < 200000; i++) {
		size_t len = (size_t)random() % (sizeof(text) - 1);

		strcpy(text, "2016-12-31T23:59:60.123456789+00:00");
		text[len] = '\0';
		for (int j = 0; j < 3 && len > 0; j++)
			text[(size_t)random() % len] = alphabet[
			    (size_t)random() % (sizeof(alphabet) - 1)];
		cb_stamp_parse_duration(text, &ns);
		if (cb_stamp_parse_time(text, &ts) != NULL)
			continue;
		cb_stamp_format_date(&ts, 9, again);
		if (!CHECK(cb_stamp_parse_time(again, &back) == NULL) ||
		    !CHECK(back.tv_sec == ts.tv_sec &&
		    back.tv_nsec == ts.tv_nsec))
			return;
	}
}

/* usage: stamp [DAYS], from one that is tried to the next */
int
main(int argc, char *argv[])
{
	numbers_become_text();
	dates_are_cut_to_their_decimals();
	nanoseconds_become_times();
	calendar_is_the_c_librarys(argc > 1 ? atoi(argv[1]) : 1);
	months_end_where_the_next_one_begins();
	text_becomes_times();
	what_is_no_time_is_refused();
	text_becomes_durations();
	what_is_no_duration_is_refused();
	rubbish_is_survived();
	return test_done();
}
