/* SPDX-License-Identifier: ISC */
/*
 * Times and durations: text and numbers.  Integers only, and nobody's locale
 * or time zone.
 */
#ifndef CB_STAMP_H
#define CB_STAMP_H

#include <stdint.h>
#include <time.h>

/* Long enough for every text that these make. */
#define CB_STAMP_TEXT	40

/* The longest duration: with it added, a clock is within an int64_t. */
#define CB_STAMP_MAX_DURATION_S	1000000000

struct timespec cb_stamp_of_ns(int64_t ns);
/* When the month of UTC ends that this second is in; from year 0 to 9999. */
int64_t cb_stamp_month_end_s(int64_t s);

/*
 * tv_nsec is from 0 to 999999999 in all of these, also before 1970.
 *
 * Seconds with nine decimals.
 */
void cb_stamp_format_s(const struct timespec *, char text[CB_STAMP_TEXT]);
/* The same, as a whole number of nanoseconds. */
void cb_stamp_format_ns(const struct timespec *, char text[CB_STAMP_TEXT]);
/*
 * RFC 3339 in UTC, cut to so many decimals, nine at most; @ and seconds where
 * the year would not be from 0 to 9999.
 */
void cb_stamp_format_date(const struct timespec *, int decimals,
    char text[CB_STAMP_TEXT]);

/*
 * These return NULL, or what was expected instead, in words; then the result
 * is left alone.
 *
 * A time is seconds with up to nine decimals, perhaps behind @, or RFC 3339;
 * from year 0 to 9999 in UTC.  A leap second, which has no number of its own,
 * is the midnight that ends it, whatever its decimals.
 */
const char *cb_stamp_parse_time(const char *text, struct timespec *);
/* A number with up to nine decimals, and ns, us, ms, s, m, h, or nothing: s. */
const char *cb_stamp_parse_duration(const char *text, int64_t *ns);

#endif
