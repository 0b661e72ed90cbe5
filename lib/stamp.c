/* SPDX-License-Identifier: ISC */
/*
 * Times and durations: text goes in and numbers come out, and the other way.
 *
 * gmtime(3) is not used: it reads the time zone's file, and counts leap
 * seconds where that file has them.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "stamp.h"
#include "ts.h"

#define S_PER_DAY	INT64_C(86400)
#define MAX_YEAR	9999

#define EXPECTED_TIME	"seconds since 1970, or RFC 3339: " \
			"2026-11-21T14:00:00Z"
#define EXPECTED_RANGE	"a time from year 0 to year 9999, in seconds"
#define EXPECTED_DATE	"a date and a time of day that exist"
#define EXPECTED_OFFSET	"an offset from UTC at the end: Z, or " \
			"+01:00"
#define EXPECTED_LEAP	"a second of 60 only as 23:59:60 UTC, at " \
			"the end of a month"
#define EXPECTED_NINE	"nine decimals at most"
#define EXPECTED_DURATION \
			"a number and a unit: ns, us, ms, s, m or h"
#define EXPECTED_NS	"nothing finer than a nanosecond"
#define EXPECTED_SHORT	"1000000000 seconds at most"

struct date {
	int year, month, day, hour, minute, second;
};

/*
 * The calendar.  Days are counted from the first of year 0.
 */

static bool
is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int
days_in_month(int year, int month)
{
	static const int days[] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
	};

	return days[month - 1] + (month == 2 && is_leap(year));
}

static int
days_before_year(int year)
{
	return 365 * year + (year + 3) / 4 - (year + 99) / 100 +
	    (year + 399) / 400;
}

static int64_t
seconds_of(const struct date *d)
{
	int days = days_before_year(d->year) - days_before_year(1970);

	for (int month = 1; month < d->month; month++)
		days += days_in_month(d->year, month);
	days += d->day - 1;
	return days * S_PER_DAY + (d->hour * 60 + d->minute) * INT64_C(60) +
	    d->second;
}

static int64_t
first_second(void)
{
	return seconds_of(&(struct date){ 0, 1, 1, 0, 0, 0 });
}

static int64_t
last_second(void)
{
	return seconds_of(&(struct date){ MAX_YEAR, 12, 31, 23, 59, 59 });
}

static bool
has_date(int64_t s)
{
	return first_second() <= s && s <= last_second();
}

/* Of seconds that have one. */
static struct date
date_of(int64_t s)
{
	int day = (int)((s - first_second()) / S_PER_DAY);
	int second = (int)((s - first_second()) % S_PER_DAY);
	struct date d = { .month = 1, .hour = second / 3600,
		.minute = second / 60 % 60, .second = second % 60 };

	/* No year is shorter than 365 days: too high, by a few at most. */
	for (d.year = day / 365; days_before_year(d.year) > day; d.year--)
		;
	day -= days_before_year(d.year);
	for (; day >= days_in_month(d.year, d.month); d.month++)
		day -= days_in_month(d.year, d.month);
	d.day = day + 1;
	return d;
}

int64_t
cb_stamp_month_end_s(int64_t s)
{
	struct date d = date_of(s);

	d = d.month == 12 ? (struct date){ d.year + 1, 1, 1, 0, 0, 0 } :
	    (struct date){ d.year, d.month + 1, 1, 0, 0, 0 };
	return seconds_of(&d);
}

/*
 * Numbers -> text
 */

struct timespec
cb_stamp_of_ns(int64_t ns)
{
	int64_t rest = ns % CB_NS_PER_S;

	return (struct timespec){ .tv_sec = cb_ts_time(cb_ts_floor_s(ns)),
		.tv_nsec = (long)(rest < 0 ? rest + CB_NS_PER_S : rest) };
}

/* A sign, and what is behind it.  Unsigned: each has a negative. */
static const char *
split(const struct timespec *ts, uint64_t *s, uint32_t *ns)
{
	*s = (uint64_t)ts->tv_sec;
	*ns = (uint32_t)ts->tv_nsec;
	if (ts->tv_sec >= 0)
		return "";
	*s = -*s;
	if (*ns > 0) {
		*s -= 1;
		*ns = (uint32_t)CB_NS_PER_S - *ns;
	}
	return "-";
}

void
cb_stamp_format_s(const struct timespec *ts, char text[CB_STAMP_TEXT])
{
	uint64_t s;
	uint32_t ns;
	const char *sign = split(ts, &s, &ns);

	snprintf(text, CB_STAMP_TEXT, "%s%" PRIu64 ".%09" PRIu32, sign, s, ns);
}

void
cb_stamp_format_ns(const struct timespec *ts, char text[CB_STAMP_TEXT])
{
	uint64_t s;
	uint32_t ns;
	const char *sign = split(ts, &s, &ns);

	if (s == 0)
		snprintf(text, CB_STAMP_TEXT, "%s%" PRIu32, sign, ns);
	else
		snprintf(text, CB_STAMP_TEXT, "%s%" PRIu64 "%09" PRIu32, sign,
		    s, ns);
}

void
cb_stamp_format_date(const struct timespec *ts, int decimals,
    char text[CB_STAMP_TEXT])
{
	char fraction[16];
	struct date d;
	uint64_t s;
	uint32_t ns;

	if (!has_date(ts->tv_sec)) {
		const char *sign = split(ts, &s, &ns);

		snprintf(text, CB_STAMP_TEXT, "@%s%" PRIu64 ".%09" PRIu32,
		    sign, s, ns);
		return;
	}
	d = date_of(ts->tv_sec);
	snprintf(fraction, sizeof(fraction), ".%09" PRIu32,
	    (uint32_t)ts->tv_nsec);
	snprintf(text, CB_STAMP_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d%.*sZ",
	    d.year, d.month, d.day, d.hour, d.minute, d.second,
	    decimals > 0 ? decimals + 1 : 0, fraction);
}

/*
 * Text -> numbers.  What is taken is behind *p from then on.
 */

static bool
take_one_of(const char **p, const char *set)
{
	if (**p == '\0' || strchr(set, **p) == NULL)
		return false;
	(*p)++;
	return true;
}

static bool
take_digits(const char **p, int count, int *n)
{
	*n = 0;
	for (; count > 0; count--, (*p)++) {
		if (**p < '0' || **p > '9')
			return false;
		*n = 10 * *n + (**p - '0');
	}
	return true;
}

/* All the digits that there are; what is above max stays above it. */
static bool
take_number(const char **p, int64_t max, int64_t *n)
{
	const char *start = *p;

	for (*n = 0; **p >= '0' && **p <= '9'; (*p)++)
		*n = *n > max / 10 ? max + 1 : 10 * *n + (**p - '0');
	return *p > start;
}

/* What may follow a number: a point and decimals. */
static const char *
take_fraction(const char **p, const char *expected, long *ns)
{
	size_t count = **p == '.' ? strspn(*p + 1, "0123456789") : 0;

	*ns = 0;
	if (!take_one_of(p, "."))
		return NULL;
	if (count == 0)
		return expected;
	if (count > 9)
		return EXPECTED_NINE;
	for (size_t i = 0; i < 9; i++)
		*ns = 10 * *ns + (i < count ? (*p)[i] - '0' : 0);
	*p += count;
	return NULL;
}

static const char *
parse_seconds(const char *p, struct timespec *ts)
{
	bool negative = take_one_of(&p, "-");
	const char *reason;
	int64_t s;
	long ns;

	if (!take_number(&p, last_second(), &s))
		return EXPECTED_TIME;
	reason = take_fraction(&p, EXPECTED_TIME, &ns);
	if (reason != NULL)
		return reason;
	if (*p != '\0')
		return EXPECTED_TIME;
	if (negative) {
		s = -s - (ns > 0);
		ns = ns > 0 ? (long)CB_NS_PER_S - ns : 0;
	}
	if (!has_date(s) || s != (time_t)s)
		return EXPECTED_RANGE;
	*ts = (struct timespec){ .tv_sec = (time_t)s, .tv_nsec = ns };
	return NULL;
}

/* Z, or hours and minutes that the time is ahead of UTC. */
static const char *
take_offset(const char **p, int *seconds)
{
	bool negative = **p == '-';
	int hours, minutes;

	*seconds = 0;
	if (take_one_of(p, "Zz"))
		return NULL;
	if (!take_one_of(p, "+-") || !take_digits(p, 2, &hours) ||
	    !take_one_of(p, ":") || !take_digits(p, 2, &minutes))
		return EXPECTED_OFFSET;
	if (hours > 23 || minutes > 59)
		return EXPECTED_DATE;
	*seconds = (negative ? -1 : 1) * (hours * 3600 + minutes * 60);
	return NULL;
}

static bool
take_date(const char **p, struct date *d)
{
	return take_digits(p, 4, &d->year) && take_one_of(p, "-") &&
	    take_digits(p, 2, &d->month) && take_one_of(p, "-") &&
	    take_digits(p, 2, &d->day) && take_one_of(p, "Tt ") &&
	    take_digits(p, 2, &d->hour) && take_one_of(p, ":") &&
	    take_digits(p, 2, &d->minute) && take_one_of(p, ":") &&
	    take_digits(p, 2, &d->second);
}

static bool
is_date(const struct date *d)
{
	return d->month >= 1 && d->month <= 12 && d->day >= 1 &&
	    d->day <= days_in_month(d->year, d->month) && d->hour <= 23 &&
	    d->minute <= 59 && d->second <= 60;
}

static bool
is_end_of_month(int64_t s)
{
	struct date d = date_of(s);

	return d.day == 1 && d.hour == 0 && d.minute == 0 && d.second == 0;
}

static const char *
parse_date(const char *p, struct timespec *ts)
{
	const char *reason;
	struct date d;
	int64_t s;
	int offset;
	long ns;

	if (!take_date(&p, &d))
		return EXPECTED_TIME;
	if ((reason = take_fraction(&p, EXPECTED_TIME, &ns)) != NULL ||
	    (reason = take_offset(&p, &offset)) != NULL)
		return reason;
	if (*p != '\0')
		return EXPECTED_TIME;
	if (!is_date(&d))
		return EXPECTED_DATE;
	s = seconds_of(&d) - offset;
	if (!has_date(s) || s != (time_t)s)
		return EXPECTED_RANGE;
	if (d.second == 60 && !is_end_of_month(s))
		return EXPECTED_LEAP;
	*ts = (struct timespec){ .tv_sec = (time_t)s,
		.tv_nsec = d.second == 60 ? 0 : ns };
	return NULL;
}

const char *
cb_stamp_parse_time(const char *text, struct timespec *ts)
{
	if (strspn(text, "0123456789") == 4 && text[4] == '-')
		return parse_date(text, ts);
	return parse_seconds(*text == '@' ? text + 1 : text, ts);
}

/* Nanoseconds of a unit; 0: there is none by that name. */
static int64_t
unit_of(const char *name)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = {
		{ "", CB_NS_PER_S }, { "ns", 1 }, { "us", 1000 },
		{ "ms", 1000000 }, { "s", CB_NS_PER_S },
		{ "m", 60 * CB_NS_PER_S }, { "h", 3600 * CB_NS_PER_S }
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(units[i].name, name) == 0)
			return units[i].ns;
	return 0;
}

const char *
cb_stamp_parse_duration(const char *text, int64_t *ns)
{
	const int64_t max_ns = CB_STAMP_MAX_DURATION_S * CB_NS_PER_S;
	const char *reason;
	int64_t whole, unit, part;
	long fraction;

	if (!take_number(&text, max_ns, &whole))
		return EXPECTED_DURATION;
	reason = take_fraction(&text, EXPECTED_DURATION, &fraction);
	if (reason != NULL)
		return reason;
	unit = unit_of(text);
	if (unit == 0)
		return EXPECTED_DURATION;
	if (whole > max_ns / unit)
		return EXPECTED_SHORT;
	/* 10^9 divides the unit, or the unit 10^9. */
	if (unit < CB_NS_PER_S && fraction % (CB_NS_PER_S / unit) != 0)
		return EXPECTED_NS;
	part = unit < CB_NS_PER_S ? fraction / (CB_NS_PER_S / unit) :
	    fraction * (unit / CB_NS_PER_S);
	if (part > max_ns - whole * unit)
		return EXPECTED_SHORT;
	*ns = whole * unit + part;
	return NULL;
}
