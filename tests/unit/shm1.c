/* SPDX-License-Identifier: ISC */
/*
 * Version 3: its bytes, the reader's projection beside exact arithmetic, and
 * when shm0 stands in for it.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clockbound.h"
#include "segment.h"
#include "shm.h"
#include "test.h"
#include "ts.h"

#define OK	CLOCKBOUND_ERR_NONE
#define NOT	CLOCKBOUND_ERR_SEGMENT_NOT_INITIALIZED
#define BAD	CLOCKBOUND_ERR_SEGMENT_MALFORMED
#define BREACH	CLOCKBOUND_ERR_CAUSALITY_BREACH

#define U	CLOCKBOUND_STA_UNKNOWN
#define SYNC	CLOCKBOUND_STA_SYNCHRONIZED
#define FREE	CLOCKBOUND_STA_FREE_RUNNING
#define DIS	CLOCKBOUND_STA_DISRUPTED

#define S(s)	(INT64_C(s) * CB_NS_PER_S)
/* What tells whose interval it is: half-widths that cannot be confused. */
#define SHM0_NS	S(3600)
#define SHM1_NS	S(60)

static uint64_t
next_random(void)
{
	static uint64_t x = UINT64_C(0x9e3779b97f4a7c15);

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

/* Of all magnitudes. */
static uint64_t
any(void)
{
	return next_random() >> next_random() % 64;
}

static int64_t
any_signed(void)
{
	return (int64_t)next_random() >> next_random() % 64;
}

/*
 * Whole numbers of any size, and their sign apart.
 */
#define LIMBS	12

struct big {
	uint32_t limb[LIMBS];	/* the lowest first */
};

static struct big
big_of(uint64_t n)
{
	return (struct big){ .limb = { (uint32_t)n, (uint32_t)(n >> 32) } };
}

static struct big
big_times32(struct big a, uint32_t n)
{
	uint64_t carry = 0;

	for (int i = 0; i < LIMBS; i++) {
		carry += (uint64_t)a.limb[i] * n;
		a.limb[i] = (uint32_t)carry;
		carry >>= 32;
	}
	return a;
}

static struct big
big_add(struct big a, struct big b)
{
	uint64_t carry = 0;

	for (int i = 0; i < LIMBS; i++) {
		carry += (uint64_t)a.limb[i] + b.limb[i];
		a.limb[i] = (uint32_t)carry;
		carry >>= 32;
	}
	return a;
}

static struct big
big_shift(struct big a, unsigned places)
{
	for (; places >= 32; places -= 32) {
		memmove(&a.limb[1], &a.limb[0], sizeof(a.limb) - 4);
		a.limb[0] = 0;
	}
	return big_times32(a, UINT32_C(1) << places);
}

static struct big
big_times(struct big a, struct big b)
{
	struct big product = big_of(0);

	for (int i = LIMBS - 1; i >= 0; i--)
		product = big_add(big_shift(product, 32),
		    big_times32(a, b.limb[i]));
	return product;
}

static int
big_compare(struct big a, struct big b)
{
	for (int i = LIMBS - 1; i >= 0; i--)
		if (a.limb[i] != b.limb[i])
			return a.limb[i] < b.limb[i] ? -1 : 1;
	return 0;
}

/* Is a + p at most b + q?  All in nanoseconds / 2^places, p and q whole. */
static bool
is_at_most(struct big a, int64_t p, struct big b, int64_t q, unsigned places)
{
	int64_t more = p - q;

	if (more >= 0)
		a = big_add(a, big_shift(big_of((uint64_t)more), places));
	else
		b = big_add(b, big_shift(big_of((uint64_t)-more), places));
	return big_compare(a, b) <= 0;
}

/*
 * Both ends as they should be: at ticks * period * (1 -/+ rate) from where
 * they were at as_of; not a nanosecond farther in, and hardly one farther out.
 * The drift is taken for a little more, one part in 2^35.
 */
static bool
is_exact(const struct cb_shm_v3 *v3, uint64_t ticks, int64_t early,
    int64_t late)
{
	unsigned places = 128u + v3->period_shift + v3->period_err_shift;
	unsigned err_places = 64u + v3->period_err_shift;
	struct big d = big_times(big_of(ticks), big_of(v3->period_frac));
	struct big rate = big_add(
	    big_shift(big_of(v3->max_drift_ppb), err_places),
	    big_times(big_of(v3->period_err_frac), big_of(1000000000)));
	struct big half = big_times(d, rate);
	struct big middle = big_times(d,
	    big_shift(big_of(1000000000), err_places));
	struct big latest = big_add(middle, half), none = big_of(0);
	int64_t more = 3 + (late - early) / ((int64_t)1 << 36);

	return is_at_most(latest, 0, none, late, places) &&
	    is_at_most(none, late, latest, more, places) &&
	    is_at_most(half, early, middle, 0, places) &&
	    is_at_most(middle, 0, half, early + more, places);
}

/* The lines, with nothing to start from: what they come to in nanoseconds. */
static bool
is_projected(struct cb_shm_v3 *v3, uint64_t ticks)
{
	clockbound_now_result res;
	struct cb_shm_bound b;

	if (!CHECK_EQ(cb_shm_read_parse_v3(v3, &b), OK) ||
	    !CHECK_EQ(cb_now_at_counter(&b, v3->as_of_tsc + ticks, &res), OK))
		return false;
	return CHECK(is_exact(v3, ticks, cb_ts_ns(&res.earliest) +
	    v3->bound_ns, cb_ts_ns(&res.latest) - v3->bound_ns));
}

static struct cb_shm_v3
any_body(void)
{
	return (struct cb_shm_v3){
		.as_of_tsc = next_random(),
		.period_frac = any() | 1,
		.period_shift = (uint8_t)(next_random() % 64),
		.period_err_frac = any(),
		.period_err_shift = (uint8_t)(next_random() % 64),
		.bound_ns = (int64_t)(next_random() % S(10)),
		.max_drift_ppb = (uint32_t)any() % 1000000000,
		.clock_status = SYNC
	};
}

static void
projection_is_exact_but_for_a_nanosecond(void)
{
	static const struct {
		const char *name;
		uint64_t period, err;
		unsigned shift, err_shift;
		uint32_t drift;
		uint64_t ticks;
	} rows[] = {
		{ "no time", 1, 0, 0, 0, 999999999, 0 },
		{ "half a second a tick", UINT64_C(1) << 63, 0, 0, 0, 0, 3 },
		{ "all that fits", UINT64_MAX, UINT64_MAX, 0, 0, 999999999,
		    500000000 },
		{ "next to nothing", 1, 1, 63, 63, 1, INT64_MAX },
		{ "3 GHz, 100 ms", UINT64_C(0xb71b0fb0ee3f0000),
		    UINT64_C(0x8000000000000000), 31, 20, 50000, 300000000 },
		{ "24 MHz, 100 ms", UINT64_C(0xb2f4eae2a3dfb0a6),
		    UINT64_C(0x8000000000000000), 24, 20, 50000, 2400000 }
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cb_shm_v3 v3 = any_body();

		test_row = rows[i].name;
		v3.period_frac = rows[i].period;
		v3.period_shift = (uint8_t)rows[i].shift;
		v3.period_err_frac = rows[i].err;
		v3.period_err_shift = (uint8_t)rows[i].err_shift;
		v3.max_drift_ppb = rows[i].drift;
		is_projected(&v3, rows[i].ticks);
	}
	test_row = "any";
	for (int i = 0; i < 200000; i++) {
		struct cb_shm_v3 v3 = any_body();
		double ns = ldexp((double)v3.period_frac,
		    -64 - v3.period_shift) * 1e9;
		/* For up to a month. */
		double most = fmin(0x1p51 / ns, 0x1p62);

		if (!is_projected(&v3, any() % ((uint64_t)most + 1)))
			break;
	}
	test_row = "";
}

static void
segment_is_version_3_byte_for_byte(void)
{
	static const uint8_t golden[104] = {
		0x4E, 0x5A, 0x4D, 0x41, 0x00, 0x02, 0x42, 0x43,	/* magic */
		0x68, 0x00, 0x00, 0x00,			/*  8 segsize */
		0x03, 0x03,				/* 12 version */
		0x02, 0x00,				/* 14 generation */
		0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11,
		0x28, 0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21,
		0x38, 0x37, 0x36, 0x35, 0x34, 0x33, 0x32, 0x31,
		0x48, 0x47, 0x46, 0x45, 0x44, 0x43, 0x42, 0x41,
		0x58, 0x57, 0x56, 0x55, 0x54, 0x53, 0x52, 0x51,
		0x68, 0x67, 0x66, 0x65, 0x64, 0x63, 0x62, 0x61,
		0x78, 0x77, 0x76, 0x75, 0x74, 0x73, 0x72, 0x71,
		0x88, 0x87, 0x86, 0x85, 0x84, 0x83, 0x82, 0x81,
		0x98, 0x97, 0x96, 0x95, 0x94, 0x93, 0x92, 0x91,
		0xa4, 0xa3, 0xa2, 0xa1,			/* 88 max_drift */
		0x03, 0x00, 0x00, 0x00,			/* 92 disrupted */
		0x01,					/* 96 support */
		0x1f, 0x0d,				/* 97 the shifts */
		0x00, 0x00, 0x00, 0x00, 0x00
	};
	const struct cb_shm_v3 v3 = {
		.as_of_tsc = 0x1112131415161718,
		.as_of_s = 0x2122232425262728,
		.as_of_ns = 0x3132333435363738,
		.void_after_s = 0x4142434445464748,
		.void_after_ns = 0x5152535455565758,
		.period_frac = 0x6162636465666768,
		.period_err_frac = 0x7172737475767778,
		.bound_ns = (int64_t)0x8182838485868788,
		.disruption_marker = 0x9192939495969798,
		.max_drift_ppb = 0xa1a2a3a4,
		.clock_status = DIS,
		.disruption_support = 1,
		.period_shift = 31,
		.period_err_shift = 13
	};
	const uint16_t one = 1;
	uint8_t bytes[sizeof(golden) + 1];
	struct cb_shm_writer w;
	const char *what;
	pid_t holder;
	FILE *f;

	if (*(const uint8_t *)&one != 1) {
		test_skip("bytes are typed out for little-endian machines");
		return;
	}
	if (!CHECK(cb_shm_write_open(&w, ".", &what, &holder)))
		return;
	cb_shm_write_v3(&w, &v3);
	cb_shm_write_close(&w);
	f = fopen("shm1", "r");
	if (!CHECK(f != NULL))
		/* cppcheck-suppress resourceLeak ; where CHECK() fails it is NULL */
		return;
	CHECK_EQ(fread(bytes, 1, sizeof(bytes), f), sizeof(golden));
	fclose(f);
	for (size_t i = 0; i < sizeof(golden); i++)
		if (!CHECK_EQ(bytes[i], golden[i]))
			fprintf(stderr, "at offset %zu\n", i);
	CHECK(unlink("shm1") == 0);
}

static void
body_is_checked_before_it_is_believed(void)
{
	static const struct {
		const char *name;
		size_t at, size;
		int64_t value;
		clockbound_err_kind kind;
	} rows[] = {
		{ "any counter", 0, 8, -1, OK },
		{ "as_of of 4 * 10^9 s", 8, 8, 4000000000, OK },
		{ "as_of of 4 * 10^9 s and 1", 8, 8, 4000000001, BAD },
		{ "as_of of INT64_MIN s", 8, 8, INT64_MIN, BAD },
		{ "as_of of 999999999 ns", 16, 8, 999999999, OK },
		{ "as_of of 10^9 ns", 16, 8, 1000000000, BAD },
		{ "as_of of -1 ns", 16, 8, -1, BAD },
		{ "void_after of INT64_MAX s", 24, 8, INT64_MAX, BAD },
		{ "void_after of -4 * 10^9 s", 24, 8, -4000000000, OK },
		{ "void_after of 10^9 ns", 32, 8, 1000000000, BAD },
		{ "void_after of -1 ns", 32, 8, -1, BAD },
		{ "a period of 0", 40, 8, 0, BAD },
		{ "the least period", 40, 8, 1, OK },
		{ "the largest period", 40, 8, -1, OK },
		{ "no error", 48, 8, 0, OK },
		{ "the largest error", 48, 8, -1, OK },
		{ "bound of -1 ns", 56, 8, -1, BAD },
		{ "bound of INT64_MAX ns", 56, 8, INT64_MAX, OK },
		{ "any marker", 64, 8, -1, OK },
		{ "drift of 999999999", 72, 4, 999999999, OK },
		{ "drift of 10^9", 72, 4, 1000000000, BAD },
		{ "status 3", 76, 4, 3, OK },
		{ "status 4", 76, 4, 4, BAD },
		{ "status -1", 76, 4, -1, BAD },
		{ "support of 255", 80, 1, 255, OK },
		{ "period_shift of 63", 81, 1, 63, OK },
		{ "period_shift of 64", 81, 1, 64, BAD },
		{ "period_shift of 255", 81, 1, 255, BAD },
		{ "period_err_shift of 63", 82, 1, 63, OK },
		{ "period_err_shift of 64", 82, 1, 64, BAD },
		{ "what is zero now", 83, 1, 1, OK }
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cb_shm_v3 v3 = counted_body_of(11, 50000, SYNC);
		uint32_t u32 = (uint32_t)rows[i].value;
		uint8_t u8 = (uint8_t)rows[i].value;
		struct cb_shm_bound b;

		test_row = rows[i].name;
		memcpy((char *)&v3 + rows[i].at, rows[i].size == 8 ?
		    (const void *)&rows[i].value : rows[i].size == 4 ?
		    (const void *)&u32 : &u8, rows[i].size);
		CHECK_EQ(cb_shm_read_parse_v3(&v3, &b), rows[i].kind);
	}
	test_row = "";
}

/* Whatever is in the file, and whenever it is read. */
static void
no_bytes_do_any_harm(void)
{
	unsigned used = 0;

	for (int i = 0; i < 500000; i++) {
		clockbound_now_result res;
		struct cb_shm_bound b;
		struct cb_shm_v3 v3;
		uint8_t *bytes = (uint8_t *)&v3;

		for (size_t k = 0; k < sizeof(v3); k++)
			bytes[k] = (uint8_t)next_random();
		v3.as_of_s = any_signed();
		v3.as_of_ns = (int64_t)(any() >> 33);
		v3.void_after_s = any_signed();
		v3.void_after_ns = (int64_t)(any() >> 33);
		v3.bound_ns = (int64_t)(any() >> (i & 1));
		v3.period_shift = (uint8_t)(next_random() % 65);
		v3.period_err_shift = (uint8_t)(next_random() % 65);
		v3.max_drift_ppb = (uint32_t)any();
		v3.clock_status = (int32_t)(next_random() % 5);
		if (cb_shm_read_parse_v3(&v3, &b) != OK || cb_now_at_counter(
		    &b, v3.as_of_tsc + any(), &res) != OK)
			continue;
		used++;
		CHECK(res.earliest.tv_nsec >= 0 &&
		    res.earliest.tv_nsec < CB_NS_PER_S);
		CHECK(res.latest.tv_nsec >= 0 &&
		    res.latest.tv_nsec < CB_NS_PER_S);
	}
	CHECK(used > 10000);
}

static void
status_ages_from_as_written_to_free_running_to_unknown(void)
{
	static const struct {
		const char *name;
		int64_t ticks;	/* of 2^-31 s */
		clockbound_err_kind kind;
		clockbound_clock_status read;
	} rows[] = {
		{ "1 us before as_of", -2148, OK, SYNC },
		{ "more than that", -2151, BREACH, U },
		{ "long before as_of", INT64_MIN + 1, BREACH, U },
		{ "at as_of", 0, OK, SYNC },
		{ "just below 60 s", (INT64_C(60) << 31) - 3, OK, SYNC },
		{ "60 s", (INT64_C(60) << 31) + 1, OK, FREE },
		{ "just below void_after", (INT64_C(1000) << 31) - 3, OK,
		    FREE },
		{ "void_after", (INT64_C(1000) << 31) + 1, OK, U },
		{ "ages", INT64_MAX, OK, U }
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cb_shm_v3 v3 = counted_body_of(11, 50000, SYNC);
		clockbound_now_result res;
		struct cb_shm_bound b;
		uint64_t now = v3.as_of_tsc + (uint64_t)rows[i].ticks;

		test_row = rows[i].name;
		CHECK_EQ(cb_shm_read_parse_v3(&v3, &b), OK);
		CHECK_EQ(cb_now_at_counter(&b, now, &res), rows[i].kind);
		if (rows[i].kind != OK)
			continue;
		CHECK_EQ(res.clock_status, rows[i].read);
		if (rows[i].ticks <= 0)
			CHECK_EQ(cb_ts_ns(&res.latest) -
			    cb_ts_ns(&res.earliest), 22);
		b.status = U;
		CHECK_EQ(cb_now_at_counter(&b, now, &res), OK);
		CHECK_EQ(res.clock_status, U);
		b.status = DIS;
		CHECK_EQ(cb_now_at_counter(&b, now, &res), OK);
		CHECK_EQ(res.clock_status, DIS);
	}
	test_row = "";
}

/*
 * With files.
 */
static struct cb_shm_writer writer;
static struct cb_shm_v2 v2;
static struct cb_shm_v3 v3;

static void
write_v2(clockbound_clock_status status)
{
	v2 = body_of(mono_now(), SHM0_NS, 50000, status);
	cb_shm_write(&writer, &v2);
}

static void
write_v3(clockbound_clock_status status)
{
	v3 = counted_body_of(SHM1_NS, 50000, status);
	cb_shm_write_v3(&writer, &v3);
}

/* The half-width, to a second; -1 - kind where there is an error. */
static int64_t
half_now(clockbound_ctx *ctx, clockbound_clock_status *status)
{
	const clockbound_err *err;
	clockbound_now_result res;

	err = clockbound_now(ctx, &res);
	if (err != NULL)
		return -1 - (int64_t)err->kind;
	*status = res.clock_status;
	return (cb_ts_ns(&res.latest) - cb_ts_ns(&res.earliest)) / 2 /
	    CB_NS_PER_S * CB_NS_PER_S;
}

static void
check_now(clockbound_ctx *ctx, int64_t half, clockbound_clock_status status)
{
	clockbound_clock_status read = (clockbound_clock_status)99;

	/* And again, from what was worked out. */
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(half_now(ctx, &read), half);
		if (half >= 0)
			CHECK_EQ(read, status);
	}
}

/* It may take the reader up to a second to find out. */
static void
check_comes_to(clockbound_ctx *ctx, int64_t half)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	int64_t end = mono_now() + S(10);
	clockbound_clock_status status;

	while (half_now(ctx, &status) != half) {
		if (!CHECK(mono_now() < end))
			return;
		write_v2(SYNC);
		write_v3(SYNC);
		nanosleep(&pause, NULL);
	}
}

static clockbound_ctx *
open_dir(void)
{
	clockbound_ctx *ctx = clockbound_vmclock_open(".", "vmclock", NULL);

	CHECK(ctx != NULL);
	return ctx;
}

static void
fast_readings_are_those_of_the_projection(void)
{
	clockbound_ctx *ctx;

	write_v3(SYNC);
	ctx = clockbound_open("shm1", NULL);
	if (!CHECK(ctx != NULL))
		return;
	for (int i = 0; i < 20000; i++) {
		clockbound_now_result res, before, after;
		struct cb_shm_bound b;

		v3 = counted_body_of((int64_t)(any() >> 2), (uint32_t)any() %
		    1000000000, SYNC);
		if (i % 2 == 0)
			v3.period_frac = any() | 1;
		v3.period_shift = (uint8_t)(28 + next_random() % 6);
		v3.period_err_frac = any();
		v3.as_of_ns = (int64_t)(next_random() % S(1));
		/* Also where a second has gone by. */
		v3.as_of_tsc -= next_random() >> 31;
		CHECK_EQ(cb_shm_read_parse_v3(&v3, &b), OK);
		cb_shm_write_v3(&writer, &v3);
		for (int k = 0; k < 3; k++) {
			cb_now_at_counter(&b, cb_counter_read(), &before);
			CHECK(clockbound_now(ctx, &res) == NULL);
			cb_counter_fence();
			cb_now_at_counter(&b, cb_counter_read(), &after);
			CHECK(res.earliest.tv_nsec < CB_NS_PER_S &&
			    res.latest.tv_nsec < CB_NS_PER_S);
			if (!CHECK(cb_ts_ns(&before.latest) <=
			    cb_ts_ns(&res.latest) && cb_ts_ns(&res.latest) <=
			    cb_ts_ns(&after.latest)) ||
			    !CHECK(cb_ts_abs(cb_ts_ns(&res.earliest) -
			    cb_ts_ns(&before.earliest)) <= cb_ts_abs(
			    cb_ts_ns(&after.earliest) -
			    cb_ts_ns(&before.earliest))))
				goto out;
		}
	}
out:
	clockbound_close(ctx);
}

static void
directory_is_the_better_of_its_segments(void)
{
	clockbound_ctx *ctx;

	write_v2(SYNC);
	write_v3(SYNC);
	ctx = open_dir();
	check_now(ctx, SHM1_NS, SYNC);
	test_row = "free running";
	write_v3(FREE);
	check_now(ctx, SHM1_NS, FREE);
	test_row = "unknown as written, and known again";
	write_v3(U);
	check_now(ctx, SHM0_NS, SYNC);
	write_v3(SYNC);
	write_v2(SYNC);
	check_now(ctx, SHM1_NS, SYNC);
	test_row = "unknown by its age";
	v3.void_after_s = v3.as_of_s -= 2000;
	v3.as_of_tsc -= UINT64_C(2000) << 31;
	cb_shm_write_v3(&writer, &v3);
	check_now(ctx, SHM0_NS, SYNC);
	test_row = "disrupted is not passed over";
	write_v3(DIS);
	check_now(ctx, SHM1_NS, DIS);
	test_row = "nor where the counter has gone back";
	v3.as_of_tsc += UINT64_C(1) << 60;
	cb_shm_write_v3(&writer, &v3);
	check_now(ctx, SHM1_NS, DIS);
	test_row = "malformed";
	v3 = counted_body_of(-1, 50000, SYNC);
	cb_shm_write_v3(&writer, &v3);
	check_now(ctx, SHM0_NS, SYNC);
	test_row = "from the future";
	v3 = counted_body_of(SHM1_NS, 50000, SYNC);
	v3.as_of_tsc += UINT64_C(1) << 60;
	cb_shm_write_v3(&writer, &v3);
	check_now(ctx, SHM0_NS, SYNC);
	test_row = "both unknown";
	write_v3(U);
	write_v2(U);
	check_now(ctx, SHM0_NS, U);
	test_row = "no VMClock: nobody can say";
	v3 = counted_body_of(SHM1_NS, 50000, SYNC);
	v3.disruption_support = 1;
	cb_shm_write_v3(&writer, &v3);
	v2 = body_of(mono_now(), SHM0_NS, 50000, SYNC);
	v2.disruption_support = 1;
	cb_shm_write(&writer, &v2);
	check_now(ctx, SHM0_NS, U);
	test_row = "";
	clockbound_close(ctx);
}

/* The other one of a directory is looked for at most once a second. */
static void
segments_come_and_go_under_a_reader(void)
{
	clockbound_clock_status status;
	clockbound_ctx *ctx;

	write_v2(SYNC);
	write_v3(SYNC);
	test_row = "shm1 is missing at first";
	CHECK(rename("shm1", "away") == 0);
	ctx = open_dir();
	check_now(ctx, SHM0_NS, SYNC);
	CHECK(rename("away", "shm1") == 0);
	check_comes_to(ctx, SHM1_NS);
	clockbound_close(ctx);

	test_row = "shm0 is missing at first";
	CHECK(rename("shm0", "away") == 0);
	ctx = open_dir();
	write_v3(SYNC);
	check_now(ctx, SHM1_NS, SYNC);
	test_row = "and nothing else is known";
	write_v3(U);
	check_now(ctx, SHM1_NS, U);
	CHECK(rename("away", "shm0") == 0);
	write_v2(SYNC);
	while (half_now(ctx, &status) != SHM0_NS)
		write_v2(SYNC);
	clockbound_close(ctx);

	test_row = "neither";
	CHECK(rename("shm1", "away1") == 0 && rename("shm0", "away0") == 0);
	CHECK(clockbound_open(".", NULL) == NULL);
	CHECK(rename("away1", "shm1") == 0 && rename("away0", "shm0") == 0);
	test_row = "";
}

/* A file by its own name is that file. */
static void
a_file_is_of_either_version(void)
{
	clockbound_ctx *ctx0, *ctx1;

	write_v2(SYNC);
	write_v3(U);
	ctx0 = clockbound_open("shm0", NULL);
	ctx1 = clockbound_open("shm1", NULL);
	if (CHECK(ctx0 != NULL && ctx1 != NULL)) {
		check_now(ctx0, SHM0_NS, SYNC);
		check_now(ctx1, SHM1_NS, U);
		v3 = counted_body_of(-1, 50000, SYNC);
		cb_shm_write_v3(&writer, &v3);
		check_now(ctx1, -1 - (int64_t)BAD, U);
		v3 = counted_body_of(SHM1_NS, 50000, SYNC);
		v3.as_of_tsc += UINT64_C(1) << 60;
		cb_shm_write_v3(&writer, &v3);
		check_now(ctx1, -1 - (int64_t)BREACH, U);
		write_v3(SYNC);
		check_now(ctx1, SHM1_NS, SYNC);
		CHECK(cb_now_age(ctx1) < S(5));
	}
	clockbound_close(ctx0);
	clockbound_close(ctx1);
}

/*
 * Readers of ClockBound 3.x do not bear that a VMClock is watched later on.
 */
static void
new_segment_is_one_that_was_never_written(void)
{
	clockbound_err err;

	CHECK(clockbound_open("shm1", &err) == NULL);
	CHECK_EQ(err.kind, NOT);
}

int
main(void)
{
	char dir[] = "/tmp/cb-shm1.XXXXXX";
	const char *what;
	pid_t holder;

	if (CB_COUNTER_ID == CB_COUNTER_INVALID) {
		test_skip("no counter");
		return test_done();
	}
	alarm(60);
	if (!CHECK(mkdtemp(dir) != NULL) || !CHECK(chdir(dir) == 0))
		return test_done();
	projection_is_exact_but_for_a_nanosecond();
	body_is_checked_before_it_is_believed();
	no_bytes_do_any_harm();
	status_ages_from_as_written_to_free_running_to_unknown();
	segment_is_version_3_byte_for_byte();
	if (CHECK(cb_shm_write_open(&writer, ".", &what, &holder))) {
		new_segment_is_one_that_was_never_written();
		fast_readings_are_those_of_the_projection();
		directory_is_the_better_of_its_segments();
		segments_come_and_go_under_a_reader();
		a_file_is_of_either_version();
		cb_shm_write_close(&writer);
	}
	unlink("shm0");
	unlink("shm1");
	unlink("lock");
	CHECK(rmdir(dir) == 0);
	return test_done();
}
