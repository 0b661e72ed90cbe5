/* SPDX-License-Identifier: ISC */
/*
 * The period of a modelled counter, which is known: what is told of it holds
 * it, and is as narrow as it should be.  And the body that is made of it.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cb-daemon.h"
#include "int128.h"
#include "test.h"

#define US	INT64_C(1000)
#define MS	INT64_C(1000000)
#define S	INT64_C(1000000000)

/* Nanoseconds with 32 binary places. */
typedef int128 fix;

static fix period;		/* of the counter, in 2^-40 ns */
static fix raw;			/* the raw clock now, in 2^-32 ns */

static uint64_t
next_random(void)
{
	static uint64_t x = UINT64_C(0x9e3779b97f4a7c15);

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static int64_t
below(int64_t n)
{
	return (int64_t)(next_random() % (uint64_t)n);
}

static void
pass(int64_t ns)
{
	raw += (fix)ns << 32;
}

/* What is read of it all, in so many nanoseconds on either side. */
static struct cb_instant
look(int64_t before, int64_t after)
{
	struct cb_instant i = { .raw_lo = (int64_t)(raw >> 32) };

	raw += ((fix)before << 32) + below(INT64_C(1) << 32);
	i.counter = (uint64_t)(UINT64_MAX / 3 * 2 + (raw << 8) / period);
	raw += ((fix)after << 32) + below(INT64_C(1) << 32);
	i.raw_hi = (int64_t)(raw >> 32);
	return i;
}

static void
update(struct cb_period *p, int64_t before, int64_t after)
{
	struct cb_instant i = look(before, after);

	cb_period_update(p, &i);
}

/* 64 bits of it, which is more than what is told of the error. */
static long double
told_ns(const struct cb_shm_v3 *v3)
{
	return ldexpl((long double)v3->period_frac, -64 - v3->period_shift) *
	    1e9L;
}

static long double
told_err(const struct cb_shm_v3 *v3)
{
	return ldexpl((long double)v3->period_err_frac,
	    -64 - v3->period_err_shift);
}

static bool
holds(const struct cb_shm_v3 *v3)
{
	long double true_ns = ldexpl((long double)period, -40);

	return fabsl(told_ns(v3) - true_ns) <= told_ns(v3) * told_err(v3);
}

static void
begin(long double ns)
{
	period = (fix)ldexpl(ns, 40);
	raw = (fix)below(1000 * S) << 32;
}

static void
nothing_is_told_of_one_reading(void)
{
	struct cb_period p = { .has_base = false };
	struct cb_shm_v3 v3 = { .bound_ns = 0 };

	begin(0.4L);
	CHECK(!cb_period_tell(&p, 50000, &v3));
	update(&p, 20, 20);
	CHECK(p.has_base);
	CHECK(!cb_period_tell(&p, 50000, &v3));
	/* Nor of two that may have been at the same time. */
	update(&p, 20, 20);
	CHECK(!cb_period_tell(&p, 50000, &v3));
	pass(MS);
	update(&p, 20, 20);
	CHECK(cb_period_tell(&p, 50000, &v3));
	cb_period_forget(&p);
	CHECK(!p.has_base);
	CHECK(!cb_period_tell(&p, 50000, &v3));
}

static void
error_falls_as_the_baseline_grows(void)
{
	static const struct {
		const char *name;
		int64_t ns;
		long double err;
	} rows[] = {
		/* Two pairs of 40 ns, and what is cut off. */
		{ "1 ms", MS, 50e-6L },
		{ "100 ms", 99 * MS, 0.5e-6L },
		{ "1 s", 900 * MS, 50e-9L },
		{ "a minute", 59 * S, 0.9e-9L },
		{ "a day", 86340 * S, 0.6e-12L }
	};
	struct cb_period p = { .has_base = false };
	long double last = 1;
	struct cb_shm_v3 v3;

	begin(1 / 2.999L);
	update(&p, 20, 20);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		test_row = rows[i].name;
		pass(rows[i].ns);
		update(&p, 20, 20);
		v3.bound_ns = 0;
		CHECK(cb_period_tell(&p, 50000, &v3));
		CHECK(holds(&v3));
		CHECK(told_err(&v3) <= rows[i].err);
		CHECK(told_err(&v3) < last);
		/* All bits are in use. */
		CHECK(v3.period_frac >> 63 == 1);
		CHECK(v3.period_err_frac >> 63 == 1);
		CHECK(v3.period_shift == 31 && v3.period_err_shift < 64);
		/* A tick, rounded up. */
		CHECK_EQ(v3.bound_ns, 1);
		last = told_err(&v3);
	}
	test_row = "";
}

static void
any_period_is_held_by_what_is_told_of_it(void)
{
	struct cb_shm_v3 v3 = { .bound_ns = 0 };

	for (int i = 0; i < 20000; i++) {
		struct cb_period p = { .has_base = false };
		/* Also where the nanoseconds that are cut off are most. */
		int64_t spread = i % 2 == 0 ? 1 : 100;

		/* 2^-12 to 2^13 ns. */
		begin(ldexpl(1 + (long double)below(S) / S, (int)below(25) -
		    12));
		for (int k = 0; k < 10; k++) {
			update(&p, below(spread),
			    below(k == 5 ? MS : spread));
			if (cb_period_tell(&p, below(1000000), &v3) &&
			    !CHECK(holds(&v3)))
				return;
			pass(below(INT64_C(1) << below(40)));
		}
	}
}

/* What was known once is not lost by a reading that was held up. */
static void
a_wide_reading_makes_nothing_wider(void)
{
	struct cb_period p = { .has_base = false };
	struct cb_shm_v3 before = { .bound_ns = 0 }, after = before;

	begin(0.4L);
	update(&p, 20, 20);
	pass(S);
	update(&p, 20, 20);
	CHECK(cb_period_tell(&p, 50000, &before));
	update(&p, S, 20);
	CHECK(cb_period_tell(&p, 50000, &after));
	CHECK(told_err(&after) <= told_err(&before));
	update(&p, 20, 10 * S);
	CHECK(cb_period_tell(&p, 50000, &after));
	CHECK(told_err(&after) <= told_err(&before));
	CHECK(holds(&after));
}

/* The error of a time that passes, by the reader's sum of both rates. */
static void
drift_and_error_together_are_enough(void)
{
	struct cb_period p = { .has_base = false };
	struct cb_shm_v3 one, other;

	begin(0.4L);
	update(&p, 20, 20);
	pass(US);
	update(&p, 20, 20);
	CHECK(cb_period_tell(&p, 0, &one));
	CHECK(cb_period_tell(&p, 100 * MS, &other));
	CHECK(told_err(&other) >= told_err(&one) * 1.1L);
	CHECK(told_err(&other) <= told_err(&one) * 1.1001L);
}

static void
what_cannot_be_begins_anew(void)
{
	struct cb_period p = { .has_base = false };
	struct cb_instant i;
	struct cb_shm_v3 v3;

	begin(0.4L);
	update(&p, 20, 20);
	pass(S);
	update(&p, 20, 20);
	CHECK(p.has_range);

	test_row = "another speed";
	period = period * 1000001 / 1000000;
	pass(S);
	update(&p, 20, 20);
	CHECK(p.has_base && !p.has_range);
	CHECK(!cb_period_tell(&p, 50000, &v3));
	pass(S);
	update(&p, 20, 20);
	CHECK(cb_period_tell(&p, 50000, &v3) && holds(&v3));

	test_row = "backwards";
	i = look(20, 20);
	i.counter = p.base.counter - 1;
	cb_period_update(&p, &i);
	CHECK(!p.has_range && p.base.counter == i.counter);

	test_row = "raw clock backwards";
	i.counter += 1000000;
	i.raw_lo -= S;
	i.raw_hi -= S;
	cb_period_update(&p, &i);
	CHECK(!p.has_range && p.base.counter == i.counter);

	test_row = "stands still";
	i.raw_lo += S;
	i.raw_hi += S;
	cb_period_update(&p, &i);
	CHECK(!p.has_range);
	i.counter++;
	i.raw_lo += S;
	i.raw_hi += S;
	cb_period_update(&p, &i);
	CHECK(!p.has_range);

	test_row = "slower than any";
	i.counter += 1000;
	i.raw_lo += S;
	i.raw_hi += S;
	cb_period_update(&p, &i);
	CHECK(!p.has_range);

	test_row = "faster than any";
	i.counter += (uint64_t)1 << 60;
	i.raw_lo += S;
	i.raw_hi += S;
	cb_period_update(&p, &i);
	CHECK(!cb_period_tell(&p, 50000, &v3));
	test_row = "";
}

#define UTC	(INT64_C(1700000000) * S)
#define RAW	(1000 * S)

static void
start(struct cb_estimate *e, struct cb_period *p, struct cb_instant *now)
{
	struct cb_instant first = { .raw_lo = RAW - S, .raw_hi = RAW - S,
	    .counter = 5000000000 };

	cb_estimate_init(e, 50000);
	e->has_interval = true;
	e->interval = (struct cb_interval){ UTC - RAW - 1000,
	    UTC - RAW + 1000, RAW };
	*now = (struct cb_instant){ .raw_lo = RAW, .raw_hi = RAW + 40,
	    .real = UTC + 7 * S, .counter = 7000000000 };
	*p = (struct cb_period){ .has_base = false };
	cb_period_update(p, &first);
	cb_period_update(p, now);
}

static void
interval_is_published_as_it_is_when_the_counter_is_read(void)
{
	static const struct {
		const char *name;
		int64_t raw, lo, hi;	/* of the interval */
		int64_t as_of, bound;
	} rows[] = {
		/* 41 ns for the readings and 2, and a tick; half of 1 ns up. */
		{ "as it was", 0, -1000, 1000, 20, 1021 + 2 + 1 },
		{ "odd", 0, -1000, 1001, 21, 1021 + 2 + 1 },
		/* At 50 ppm, which are 50.0025 of raw time, rounded up. */
		{ "a second old", -S, -1000, 1000, 20, 51024 + 2 + 1 },
		{ "after a step of it", 0, 6 * S, 6 * S, 6 * S + 20,
		    21 + 2 + 1 }
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cb_shm_v3 v3 = { .clock_status =
		    CLOCKBOUND_STA_SYNCHRONIZED, .disruption_marker = 9 };
		struct cb_instant now;
		struct cb_estimate e;
		struct cb_period p;

		test_row = rows[i].name;
		start(&e, &p, &now);
		e.interval = (struct cb_interval){ UTC - RAW + rows[i].lo,
		    UTC - RAW + rows[i].hi, RAW + 40 + rows[i].raw };
		cb_publish_v3(&e, &p, &now, &v3);
		CHECK_EQ(v3.as_of_tsc, 7000000000);
		CHECK_EQ(v3.as_of_s * S + v3.as_of_ns, UTC + rows[i].as_of);
		CHECK_EQ(v3.void_after_s, v3.as_of_s + 1000);
		CHECK_EQ(v3.void_after_ns, v3.as_of_ns);
		CHECK_EQ(v3.bound_ns, rows[i].bound);
		/* In raw time, not in that of the option. */
		CHECK_EQ(v3.max_drift_ppb, 50003);
		CHECK_EQ(v3.clock_status, CLOCKBOUND_STA_SYNCHRONIZED);
		CHECK_EQ(v3.disruption_marker, 9);
		CHECK(fabsl(told_ns(&v3) - 0.5L) < 1e-7L);
	}
	test_row = "";
}

static void
what_cannot_be_stated_is_unknown_unless_disrupted(void)
{
	static const struct {
		const char *name;
		bool has_interval, has_estimate, has_period;
		int64_t width, shift, more_drift_ppb;
	} rows[] = {
		{ "no interval", false, true, true, 0, 0, 0 },
		{ "no estimate", true, false, true, 0, 0, 0 },
		{ "no period", true, true, false, 0, 0, 0 },
		{ "more than a year", true, true, true,
		    CB_SHM_UNKNOWN_BOUND_NS, 0, 0 },
		{ "before 1970", true, true, true, 0, -UTC - 10 * S,
		    0 },
		{ "beyond what the format holds", true, true, true, 0,
		    INT64_C(2300000000) * S, 0 },
		{ "a drift that readers refuse", true, true, true, 0, 0,
		    CB_SHM_DRIFT_LIMIT_PPB }
	};
	static const clockbound_clock_status written[] = {
		CLOCKBOUND_STA_SYNCHRONIZED, CLOCKBOUND_STA_UNKNOWN,
		CLOCKBOUND_STA_DISRUPTED
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) * 3; i++) {
		clockbound_clock_status status = written[i % 3];
		struct cb_shm_v3 v3 = { .clock_status = (int32_t)status };
		struct cb_shm_bound b;
		struct cb_instant now;
		struct cb_estimate e;
		struct cb_period p;

		test_row = rows[i / 3].name;
		start(&e, &p, &now);
		e.has_interval = rows[i / 3].has_interval;
		e.interval.lo += rows[i / 3].shift - rows[i / 3].width;
		e.interval.hi += rows[i / 3].shift + rows[i / 3].width;
		e.drift_ppb += rows[i / 3].more_drift_ppb;
		if (!rows[i / 3].has_period)
			cb_period_forget(&p);
		cb_publish_v3(rows[i / 3].has_estimate ? &e : NULL, &p, &now,
		    &v3);
		CHECK_EQ(v3.clock_status, status == CLOCKBOUND_STA_DISRUPTED ?
		    status : CLOCKBOUND_STA_UNKNOWN);
		CHECK_EQ(v3.bound_ns, CB_SHM_UNKNOWN_BOUND_NS);
		CHECK_EQ(cb_shm_read_parse_v3(&v3, &b), CLOCKBOUND_ERR_NONE);
	}
	test_row = "";
}

int
main(void)
{
	a_wide_reading_makes_nothing_wider();
	interval_is_published_as_it_is_when_the_counter_is_read();
	what_cannot_be_stated_is_unknown_unless_disrupted();
	nothing_is_told_of_one_reading();
	error_falls_as_the_baseline_grows();
	any_period_is_held_by_what_is_told_of_it();
	drift_and_error_together_are_enough();
	what_cannot_be_begins_anew();
	return test_done();
}
