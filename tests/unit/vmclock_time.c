/* SPDX-License-Identifier: ISC */
/*
 * The time that a VMClock tells: exact, its error never less than it is, and
 * none where the device vouches for none.
 */
#include <string.h>

#include "counter.h"
#include "int128.h"
#include "test.h"
#include "vmclock.h"

#define ALL_VALID	(CB_VMCLOCK_TAI_OFFSET_VALID | \
	CB_VMCLOCK_PERIOD_MAXERROR_VALID | CB_VMCLOCK_TIME_MAXERROR_VALID)

/* A tick of 2^-30 s. */
static const struct cb_vmclock plain = {
	.size = 112,
	.counter_id = CB_COUNTER_X86_TSC,
	.time_type = CB_VMCLOCK_UTC,
	.clock_status = CB_VMCLOCK_SYNCHRONIZED,
	.flags = ALL_VALID,
	.tai_offset_sec = 37,
	.counter_value = 1000,
	.counter_period_frac_sec = UINT64_C(1) << 63,
	.counter_period_shift = 29,
	.time_sec = 2000000000,
	.time_frac_sec = UINT64_C(1) << 63
};

static void
time_goes_on_with_the_counter(void)
{
	struct cb_vmclock_time t;

	CHECK(cb_vmclock_time_at(&plain, 1000, &t) == NULL);
	CHECK_EQ(t.sec, 2000000000);
	CHECK(t.frac_sec == UINT64_C(1) << 63);
	CHECK_EQ(t.scale, CB_VMCLOCK_UTC);
	CHECK_EQ(t.maxerror_ns, 0);
	CHECK(t.is_bound);
	CHECK(cb_vmclock_time_at(&plain, 1001, &t) == NULL);
	CHECK_EQ(t.sec, 2000000000);
	CHECK(t.frac_sec == (UINT64_C(1) << 63) + (UINT64_C(1) << 34));
	/* Half a second carries, a whole one comes on top. */
	CHECK(cb_vmclock_time_at(&plain, 1000 + (3 << 29), &t) == NULL);
	CHECK_EQ(t.sec, 2000000002);
	CHECK_EQ(t.frac_sec, 0);
}

static void
none_where_the_device_vouches_for_none(void)
{
	static const struct {
		const char *name;
		uint8_t counter_id, time_type, status;
		bool has_time;
	} rows[] = {
		{ "Arm", 0, 0, 2, true },
		{ "free running", 1, 0, 3, true },
		{ "TAI", 1, 1, 2, true },
		{ "monotonic", 1, 2, 2, true },
		{ "no counter", 0xff, 0, 2, false },
		{ "counter 2", 2, 0, 2, false },
		{ "smeared", 1, 3, 2, false },
		{ "perhaps smeared", 1, 4, 2, false },
		{ "type 255", 1, 255, 2, false },
		{ "status unknown", 1, 0, 0, false },
		{ "initializing", 1, 0, 1, false },
		{ "unreliable", 1, 0, 4, false },
		{ "status 5", 1, 0, 5, false }
	};
	struct cb_vmclock_time t;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cb_vmclock v = plain;

		test_row = rows[i].name;
		v.counter_id = rows[i].counter_id;
		v.time_type = rows[i].time_type;
		v.clock_status = rows[i].status;
		CHECK_EQ(cb_vmclock_time_at(&v, 2000, &t) == NULL,
		    rows[i].has_time);
	}
	test_row = "";
}

static void
none_where_the_numbers_make_none(void)
{
	struct cb_vmclock v = plain;
	struct cb_vmclock_time t;

	/* The counter has gone back, or was read before the device's. */
	CHECK(cb_vmclock_time_at(&v, 999, &t) != NULL);
	CHECK(cb_vmclock_time_at(&v, 1000 + (UINT64_C(1) << 63), &t) != NULL);
	v.counter_period_frac_sec = 0;
	CHECK(cb_vmclock_time_at(&v, 1000, &t) != NULL);
	v = plain;
	v.time_sec = UINT64_MAX;
	CHECK(cb_vmclock_time_at(&v, 1000, &t) != NULL);
	/* Neither alone is too much, but the sum. */
	v.time_sec = INT64_MAX - 40000;
	CHECK(cb_vmclock_time_at(&v, 1000, &t) == NULL);
	CHECK(cb_vmclock_time_at(&v, 1000 + (UINT64_C(1) << 62), &t) != NULL);
}

static void
tai_becomes_utc_where_the_offset_is_known(void)
{
	struct cb_vmclock v = plain;
	struct cb_vmclock_time t;

	v.time_type = CB_VMCLOCK_TAI;
	CHECK(cb_vmclock_time_at(&v, 1000, &t) == NULL);
	CHECK_EQ(t.scale, CB_VMCLOCK_UTC);
	CHECK_EQ(t.sec, 2000000000 - 37);
	v.tai_offset_sec = -5;
	CHECK(cb_vmclock_time_at(&v, 1000, &t) == NULL);
	CHECK_EQ(t.sec, 2000000000 + 5);
	v.time_sec = 3;
	v.tai_offset_sec = 37;
	CHECK(cb_vmclock_time_at(&v, 1000, &t) == NULL);
	CHECK_EQ(t.sec, -34);
	v.flags &= ~CB_VMCLOCK_TAI_OFFSET_VALID;
	CHECK(cb_vmclock_time_at(&v, 1000, &t) == NULL);
	CHECK_EQ(t.scale, CB_VMCLOCK_TAI);
	CHECK_EQ(t.sec, 3);
	/* UTC and monotonic time stay as they are. */
	v = plain;
	for (v.time_type = 0; v.time_type <= 2; v.time_type += 2) {
		CHECK(cb_vmclock_time_at(&v, 1000, &t) == NULL);
		CHECK_EQ(t.scale, v.time_type);
		CHECK_EQ(t.sec, 2000000000);
	}
}

static void
error_is_a_bound_where_both_parts_are_told(void)
{
	struct cb_vmclock v = plain;
	struct cb_vmclock_time t;

	v.time_maxerror_nanosec = 100;
	/* A 2^20th part of the period. */
	v.counter_period_maxerror_rate_frac_sec = UINT64_C(1) << 43;
	CHECK(cb_vmclock_time_at(&v, 1000 + (1 << 30), &t) == NULL);
	/* 953.67 ns */
	CHECK_EQ(t.maxerror_ns, 100 + 954);
	CHECK(t.is_bound);
	/* One tick is less than a nanosecond's billionth: rounded up. */
	CHECK(cb_vmclock_time_at(&v, 1001, &t) == NULL);
	CHECK_EQ(t.maxerror_ns, 100 + 1);
	CHECK(cb_vmclock_time_at(&v, 1000, &t) == NULL);
	CHECK_EQ(t.maxerror_ns, 100);
	/* Also where all of it is shifted away. */
	v.counter_period_shift = 255;
	CHECK(cb_vmclock_time_at(&v, 1001, &t) == NULL);
	CHECK_EQ(t.maxerror_ns, 100 + 1);
	CHECK(t.frac_sec == v.time_frac_sec);
	v.counter_period_shift = 29;

	v.flags = ALL_VALID & ~CB_VMCLOCK_TIME_MAXERROR_VALID;
	CHECK(cb_vmclock_time_at(&v, 1000 + (1 << 30), &t) == NULL);
	CHECK_EQ(t.maxerror_ns, 954);
	CHECK(!t.is_bound);
	v.flags = ALL_VALID & ~CB_VMCLOCK_PERIOD_MAXERROR_VALID;
	CHECK(cb_vmclock_time_at(&v, 1000 + (1 << 30), &t) == NULL);
	CHECK_EQ(t.maxerror_ns, 100);
	CHECK(!t.is_bound);

	/* A carry to a whole second: (2^65 - 1) / 2^65 s, rounded up. */
	v.flags = ALL_VALID;
	v.time_maxerror_nanosec = 0;
	v.counter_period_shift = 1;
	v.counter_period_maxerror_rate_frac_sec = UINT64_C(145295143558111);
	CHECK(cb_vmclock_time_at(&v, 1000 + 31 * 8191, &t) == NULL);
	CHECK_EQ(t.maxerror_ns, 1000000000);
	v = plain;
	v.counter_period_maxerror_rate_frac_sec = UINT64_C(1) << 43;

	/* What does not fit is never less. */
	v.flags = ALL_VALID;
	v.time_maxerror_nanosec = UINT64_MAX;
	CHECK(cb_vmclock_time_at(&v, 1001, &t) == NULL);
	CHECK(t.maxerror_ns == UINT64_MAX);
	v.time_maxerror_nanosec = 0;
	v.counter_period_frac_sec = 1;
	v.counter_period_shift = 0;
	v.counter_period_maxerror_rate_frac_sec = UINT64_MAX;
	CHECK(cb_vmclock_time_at(&v, 1000 + (UINT64_C(1) << 62), &t) == NULL);
	CHECK(t.maxerror_ns == UINT64_MAX);
	/* Just under so many seconds: they fit, their nanoseconds do not. */
	CHECK(cb_vmclock_time_at(&v, 1000 + UINT64_C(18446744074), &t) ==
	    NULL);
	CHECK(t.maxerror_ns == UINT64_MAX);
	CHECK(cb_vmclock_time_at(&v, 1000 + UINT64_C(18446744073), &t) ==
	    NULL);
	CHECK(t.maxerror_ns == UINT64_C(18446744073000000000));
}

static uint64_t
random64(void)
{
	static uint64_t x = UINT64_C(0x9e3779b97f4a7c15);

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

/* As likely short as long, and at the edges. */
static uint64_t
random_length(void)
{
	uint64_t x = random64() >> random64() % 64;

	switch (random64() % 8) {
	case 0:
		return UINT64_C(1) << random64() % 64;
	case 1:
		return (UINT64_C(1) << random64() % 64) - 1;
	case 2:
		return ~(x >> 1);
	default:
		return x;
	}
}

static uint128
shift(uint128 x, unsigned by)
{
	return by > 127 ? 0 : x >> by;
}

/* Nanoseconds of an error in 2^-64 s, rounded up by its parts. */
static uint128
ceil_ns(uint128 x)
{
	uint128 ns = (x >> 64) * 1000000000;
	uint128 rest = (x & UINT64_MAX) * 1000000000;

	return ns + (rest >> 64) + ((rest & UINT64_MAX) != 0);
}

static void
agrees_with_128_bits(void)
{
	unsigned told = 0;

	for (int i = 0; i < 2000000; i++) {
		struct cb_vmclock v = plain;
		uint64_t ticks = random_length() >> 1;
		struct cb_vmclock_time t;
		uint128 time, error, product;
		bool has_time;

		v.counter_value = random64();
		v.counter_period_frac_sec = random_length() | 1;
		v.counter_period_shift = (uint8_t)(random64() % 3 == 0 ?
		    random64() : random64() % 70);
		v.counter_period_maxerror_rate_frac_sec = random_length();
		v.time_sec = random_length() >> (random64() % 40);
		v.time_frac_sec = random_length();
		v.time_maxerror_nanosec = random_length();

		time = (uint128)ticks * v.counter_period_frac_sec;
		time = shift(time, v.counter_period_shift);
		has_time = (time >> 64) + v.time_sec < (uint128)INT64_MAX - 50000;
		time += (uint128)v.time_sec << 64 | v.time_frac_sec;
		product = (uint128)ticks * v.counter_period_maxerror_rate_frac_sec;
		error = shift(product, v.counter_period_shift);
		if (v.counter_period_shift > 127 ? product != 0 :
		    error << v.counter_period_shift != product)
			error++;
		error = ceil_ns(error) + v.time_maxerror_nanosec;
		if (error > UINT64_MAX)
			error = UINT64_MAX;

		if (cb_vmclock_time_at(&v, v.counter_value + ticks, &t) !=
		    NULL) {
			CHECK(!has_time);
			continue;
		}
		told++;
		if (!CHECK(t.sec == (int64_t)(time >> 64)) ||
		    !CHECK(t.frac_sec == (uint64_t)time) ||
		    !CHECK(t.maxerror_ns == (uint64_t)error))
			break;
	}
	/* Neither all nor nothing. */
	CHECK(told > 1000000);
	CHECK(told < 2000000);
}

static void
a_part_of_a_second_has_any_unit(void)
{
	CHECK_EQ(cb_vmclock_time_scale(UINT64_C(1) << 63, 1000000000),
	    500000000);
	CHECK_EQ(cb_vmclock_time_scale(UINT64_MAX, 1000000000), 999999999);
	CHECK_EQ(cb_vmclock_time_scale(0, UINT64_MAX), 0);
}

int
main(void)
{
	time_goes_on_with_the_counter();
	none_where_the_device_vouches_for_none();
	none_where_the_numbers_make_none();
	tai_becomes_utc_where_the_offset_is_known();
	error_is_a_bound_where_both_parts_are_told();
	a_part_of_a_second_has_any_unit();
	agrees_with_128_bits();
	return test_done();
}
