/* SPDX-License-Identifier: ISC */
/*
 * TIME and DURATION: what is taken is what the C library takes it for, and
 * comes back from every text that is made of it.
 */
#include "fuzz.h"
#include "stamp.h"
#include "ts.h"

static void
check_same(const char *text, const struct timespec *ts)
{
	struct timespec again;

	CHECK(strlen(text) < CB_STAMP_TEXT);
	CHECK(cb_stamp_parse_time(text, &again) == NULL);
	CHECK(cb_ts_compare(&again, ts) == 0);
}

static void
check_calendar(const char *text, const struct timespec *ts)
{
	struct tm tm;
	char expected[48];
	time_t s = ts->tv_sec;

	CHECK(gmtime_r(&s, &tm) != NULL);
	snprintf(expected, sizeof(expected),
	    "%04d-%02d-%02dT%02d:%02d:%02d.%09ldZ", tm.tm_year + 1900,
	    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
	    ts->tv_nsec);
	CHECK(strcmp(text, expected) == 0);
}

/* A day that is none would come out as another one. */
static void
check_date(const char *text, const struct timespec *ts)
{
	struct tm tm = { 0 };
	int day, month;
	time_t s;

	if (sscanf(text, "%4d-%2d-%2d%*c%2d:%2d:%2d", &tm.tm_year, &month,
	    &day, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
		return;
	tm.tm_year -= 1900;
	tm.tm_mon = month - 1;
	tm.tm_mday = day;
	if (tm.tm_sec == 60)
		tm.tm_sec = 59;
	s = timegm(&tm);
	CHECK(tm.tm_mon == month - 1 && tm.tm_mday == day);
	CHECK(cb_ts_abs(s - ts->tv_sec) < 86400);
}

static void
check_time(const char *text)
{
	struct timespec ts;
	char made[CB_STAMP_TEXT];

	if (cb_stamp_parse_time(text, &ts) != NULL)
		return;
	CHECK(ts.tv_nsec >= 0 && ts.tv_nsec < CB_NS_PER_S);
	cb_stamp_format_s(&ts, made);
	check_same(made, &ts);
	cb_stamp_format_date(&ts, 9, made);
	check_same(made, &ts);
	check_calendar(made, &ts);
	check_date(text, &ts);
	CHECK(cb_stamp_month_end_s(ts.tv_sec) > ts.tv_sec);
	CHECK(cb_stamp_month_end_s(ts.tv_sec) - ts.tv_sec <= 31 * 86400);
}

static void
check_duration(const char *text)
{
	char made[CB_STAMP_TEXT];
	int64_t ns, again;

	if (cb_stamp_parse_duration(text, &ns) != NULL)
		return;
	CHECK(ns >= 0 && ns <= CB_STAMP_MAX_DURATION_S * CB_NS_PER_S);
	cb_stamp_format_s(&(struct timespec){ ns / CB_NS_PER_S,
	    ns % CB_NS_PER_S }, made);
	CHECK(cb_stamp_parse_duration(made, &again) == NULL && again == ns);
	CHECK(strpbrk(text, "eE+-") == NULL);
}

/* Of any number there is a text. */
static void
check_number(int64_t ns)
{
	struct timespec ts = cb_stamp_of_ns(ns);
	char made[CB_STAMP_TEXT], expected[CB_STAMP_TEXT];

	CHECK(ts.tv_nsec >= 0 && ts.tv_nsec < CB_NS_PER_S);
	cb_stamp_format_ns(&ts, made);
	snprintf(expected, sizeof(expected), "%lld", (long long)ns);
	CHECK(strcmp(made, expected) == 0);
	cb_stamp_format_s(&ts, made);
	check_same(made, &ts);
	ts.tv_sec = (time_t)ns;
	cb_stamp_format_date(&ts, (int)(ns & 15) - 3, made);
	CHECK(strlen(made) < CB_STAMP_TEXT);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = { data, size };
	char *text = fuzz_text(&f);

	check_time(text);
	check_duration(text);
	check_number(fuzz_number(&f));
	free(text);
	return 0;
}
