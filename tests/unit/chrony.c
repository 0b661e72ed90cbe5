/* SPDX-License-Identifier: ISC */
/*
 * The codec of chronyd's command protocol, against packets typed out byte by
 * byte and against chrony's floats encoded anew: round to nearest into a
 * signed coefficient of 25 bits below a signed exponent of 7.
 */
#include <string.h>

#include "chrony.h"
#include "int128.h"
#include "test.h"

#define SEC		INT64_C(1000000000)

static uint64_t
next_random(void)
{
	static uint64_t x = UINT64_C(0x9e3779b97f4a7c15);

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return x;
}

static void
put32(uint8_t *p, uint32_t v)
{
	for (int i = 3; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
}

static void
requests_are_what_chronyd_expects(void)
{
	static const struct {
		enum cb_chrony_command command;
		uint32_t index, sequence;
		size_t len, reply_len;
		uint8_t head[68];	/* the rest is zeros */
	} rows[] = {
		{ CB_CHRONY_TRACKING, 0, 0xA1B2C3D4, 104, 104, {
		    6, 1, 0, 0, 0, 33, 0, 0, 0xA1, 0xB2, 0xC3, 0xD4 } },
		{ CB_CHRONY_N_SOURCES, 0, 1, 32, 32, {
		    6, 1, 0, 0, 0, 14, 0, 0, 0, 0, 0, 1 } },
		{ CB_CHRONY_SOURCE_DATA, 0x01020304, 0xFFFFFFFF, 76, 76, {
		    6, 1, 0, 0, 0, 15, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF,
		    0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4 } },
		{ CB_CHRONY_RESET_SOURCES, 0, 2, 28, 28, {
		    6, 1, 0, 0, 0, 66, 0, 0, 0, 0, 0, 2 } },
		/* 4 good measurements of 8, of every source. */
		{ CB_CHRONY_BURST, 0, 3, 68, 28, {
		    6, 1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 3,
		    [63] = 4, [67] = 8 } }
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t bytes[CB_CHRONY_MAX_LEN] = { 0 };
		struct cb_chrony_request rq;

		memset(&rq, 0x55, sizeof(rq));
		memcpy(bytes, rows[i].head, sizeof(rows[i].head));
		cb_chrony_encode(&rq, rows[i].command, rows[i].index,
		    rows[i].sequence);
		CHECK_EQ(rq.len, rows[i].len);
		CHECK(memcmp(rq.bytes, bytes, sizeof(bytes)) == 0);
		/* Nothing may come back that is longer than what was sent. */
		CHECK_EQ(rq.reply_len, rows[i].reply_len);
		CHECK(rq.reply_len <= rq.len);
	}
}

/*
 * A tracking reply: 2001:db8::1, stratum 2, a leap second to be inserted.
 */
static const uint8_t tracking[104] = {
	6, 2, 0, 0,  0, 33,  0, 5,		/* version ... reply type */
	0, 0,  0, 0, 0, 0, 0, 0,		/* status, zeros */
	0xA1, 0xB2, 0xC3, 0xD4,			/* 16 sequence */
	0, 0, 0, 0, 0, 0, 0, 0,
	0x8A, 0x5B, 0x6C, 0x7D,			/* 28 ref_id */
	0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,  0, 2,  0, 0,
	0, 2,					/* 52 stratum */
	0, 1,					/* 54 leap */
	0x7f, 0xff, 0xff, 0xff,			/* 56 ref_time: 32 bits */
	0x65, 0x53, 0xF1, 0x00,			/*    1700000000 s */
	0x07, 0x5B, 0xCD, 0x15,			/*    123456789 ns */
	0x01, 0x00, 0x00, 0x00,			/* 68 correction -0.5 s */
	0x03, 0x00, 0x00, 0x00,			/* 72 last_offset -1 s */
	0x10, 0x80, 0x00, 0x00,			/* 76 rms_offset 64 s */
	0x0B, 0x38, 0x00, 0x00,			/* 80 freq -12.5 ppm */
	0x04, 0x80, 0x00, 0x00,			/* 84 resid_freq 1 ppm */
	0x04, 0x80, 0x00, 0x00,			/* 88 skew 1 ppm */
	0xF0, 0x80, 0x00, 0x00,			/* 92 delay 2^-10 s */
	0x00, 0x80, 0x00, 0x00,			/* 96 dispersion 0.25 s */
	0x10, 0x80, 0x00, 0x00			/* 100 interval 64 s */
};

/* A source data reply: a peer at 192.0.2.1, combined. */
static const uint8_t source[76] = {
	6, 2, 0, 0,  0, 15,  0, 3,
	0, 0,  0, 0, 0, 0, 0, 0,
	0xA1, 0xB2, 0xC3, 0xD4,			/* 16 sequence */
	0, 0, 0, 0, 0, 0, 0, 0,
	192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  0, 1,  0, 0,
	0xFF, 0xFC,				/* 48 poll -4 */
	0, 1,					/* 50 stratum */
	0, 4,					/* 52 state: combined */
	0, 1,					/* 54 mode: peer */
	0, 0,					/* 56 flags */
	0, 0xFF,				/* 58 reachability */
	0x00, 0x01, 0x02, 0x03,			/* 60 since_sample */
	0xDE, 0xAD, 0xBE, 0xEF,			/* 64 orig_latest_meas */
	0x03, 0x00, 0x00, 0x00,			/* 68 latest_meas -1 s */
	0xF0, 0x80, 0x00, 0x00			/* 72 its error 2^-10 s */
};

static const uint8_t n_sources[32] = {
	6, 2, 0, 0,  0, 14,  0, 2,
	0, 0,  0, 0, 0, 0, 0, 0,
	0xA1, 0xB2, 0xC3, 0xD4,
	0, 0, 0, 0, 0, 0, 0, 0,
	0x01, 0x02, 0x03, 0x04			/* 28 count */
};

static void
only_the_reply_that_was_asked_for_is_believed(void)
{
	static const struct {
		enum cb_chrony_command command;
		const uint8_t *reply;
		size_t len;
	} replies[] = {
		{ CB_CHRONY_TRACKING, tracking, sizeof(tracking) },
		{ CB_CHRONY_SOURCE_DATA, source, sizeof(source) },
		{ CB_CHRONY_N_SOURCES, n_sources, sizeof(n_sources) }
	};
	static const struct {
		const char *name;
		size_t at;
		uint8_t value;
		enum cb_chrony_match match;
		uint16_t status;
	} rows[] = {
		{ "as it should be", 0, 6, CB_CHRONY_REPLY, 0 },
		{ "version", 0, 5, CB_CHRONY_STRAY, 0 },
		{ "a request", 1, 1, CB_CHRONY_STRAY, 0 },
		{ "command, high", 4, 1, CB_CHRONY_STRAY, 0 },
		{ "command, low", 5, 34, CB_CHRONY_STRAY, 0 },
		{ "sequence 0", 16, 0xA0, CB_CHRONY_STRAY, 0 },
		{ "sequence 1", 17, 0, CB_CHRONY_STRAY, 0 },
		{ "sequence 2", 18, 0, CB_CHRONY_STRAY, 0 },
		{ "sequence 3", 19, 0xD5, CB_CHRONY_STRAY, 0 },
		{ "reply type, high", 6, 1, CB_CHRONY_BAD, 0 },
		{ "reply type, low", 7, 1, CB_CHRONY_BAD, 0 },
		{ "unauthorised", 9, 2, CB_CHRONY_REFUSAL, 2 },
		{ "no such source", 9, 4, CB_CHRONY_REFUSAL,
		    CB_CHRONY_STATUS_NO_SOURCE },
		{ "status, high", 8, 1, CB_CHRONY_REFUSAL, 256 }
	};

	for (size_t k = 0; k < 3; k++) {
		uint8_t p[CB_CHRONY_MAX_LEN + 1] = { 0 };
		struct cb_chrony_request rq;
		uint16_t status;

		cb_chrony_encode(&rq, replies[k].command, 0, 0xA1B2C3D4);
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			memcpy(p, replies[k].reply, replies[k].len);
			p[rows[i].at] = rows[i].value;
			test_row = rows[i].name;
			status = 99;
			CHECK_EQ(cb_chrony_match(&rq, p, replies[k].len,
			    &status), rows[i].match);
			CHECK_EQ(status, rows[i].status);
		}
		memcpy(p, replies[k].reply, replies[k].len);
		test_row = "length";
		for (size_t len = 0; len <= sizeof(p); len++)
			CHECK_EQ(cb_chrony_match(&rq, p, len, &status),
			    len < 28 ? CB_CHRONY_STRAY :
			    len == replies[k].len ? CB_CHRONY_REPLY :
			    CB_CHRONY_BAD);
		/* A refusal has no data. */
		test_row = "refusal";
		p[7] = 1;
		p[9] = 4;
		CHECK_EQ(cb_chrony_match(&rq, p, 28, &status),
		    CB_CHRONY_REFUSAL);
		CHECK_EQ(status, 4);
		CHECK_EQ(cb_chrony_match(&rq, p, 27, &status),
		    CB_CHRONY_STRAY);
	}
	test_row = "";
}

/* x * 2^exponent, rounded up; of a magnitude that the result can hold. */
static int128
scale_up(int128 x, int exponent)
{
	if (exponent >= 0)
		return x * ((int128)1 << exponent);
	if (exponent < -120)
		return x > 0;
	return (x >> -exponent) + ((x & (((int128)1 << -exponent) - 1)) != 0);
}

static void
check_float(uint32_t wire, int64_t scale)
{
	int32_t coefficient = (int32_t)(wire & 0x1ffffff);
	int exponent = (int)(wire >> 25) - 25;
	int128 v, lowest, highest;
	struct cb_chrony_value got = cb_chrony_decode_float(wire, scale);

	exponent -= exponent >= 64 - 25 ? 128 : 0;
	coefficient -= coefficient >= 1 << 24 ? 1 << 25 : 0;
	v = scale_up((int128)coefficient * scale, exponent);
	if (v > 4000000000000000000 || v < -4000000000000000000) {
		CHECK(v > 0 ? got.v > 3999999999999999999 :
		    got.v < -3999999999999999999);
		return;
	}
	CHECK_EQ(got.v, v);
	if (coefficient == 0) {
		CHECK_EQ(got.err, 0);
		return;
	}
	/* All that may have been meant, and not much more. */
	lowest = -scale_up(-(int128)(coefficient - 1) * scale, exponent);
	highest = scale_up((int128)(coefficient + 1) * scale, exponent);
	CHECK(got.v - got.err <= lowest);
	CHECK(got.v + got.err >= highest);
	CHECK(got.err <= scale_up(scale, exponent) + 1);
}

static void
floats_are_within_their_error_of_what_was_meant(void)
{
	static const struct {
		const char *name;
		uint32_t wire;
		int64_t scale, v;
	} rows[] = {
		{ "0", 0x00000000, SEC, 0 },
		{ "0 with an exponent", 0x7e000000, SEC, 0 },
		{ "1 s", 0x04800000, SEC, SEC },
		{ "-1 s", 0x03000000, SEC, -SEC },
		{ "-1 s, otherwise", 0x05800000, SEC, -SEC },
		{ "64 s", 0x10800000, SEC, 64 * SEC },
		{ "2^-10 s", 0xf0800000, SEC, 976563 },
		{ "-2^-10 s", 0xef000000, SEC, -976562 },
		{ "-12.5 ppm", 0x0b380000, 1000, -12500 },
		{ "the smallest", 0x80000001, SEC, 1 },
		{ "the smallest below 0", 0x81ffffff, SEC, 0 },
		{ "the lowest exponent", 0x80000000, SEC, 0 },
		{ "exponent -1, coefficient -1", 0xffffffff, SEC, -14 },
		{ "exponent 24, coefficient 1", 0x30000001, SEC, SEC / 2 },
		{ "exponent 25, coefficient 1", 0x32000001, SEC, SEC },
		{ "exponent 26, coefficient 1", 0x34000001, SEC, 2 * SEC },
		{ "the largest", 0x7effffff, SEC, 4000000000000000000 },
		{ "the lowest", 0x7f000000, SEC, -4000000000000000000 },
		{ "all ones below the sign", 0x7fffffff, SEC,
		    -4000000000000000000 }
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		test_row = rows[i].name;
		CHECK_EQ(cb_chrony_decode_float(rows[i].wire, rows[i].scale).v,
		    rows[i].v);
		check_float(rows[i].wire, rows[i].scale);
	}
	test_row = "";
	for (uint32_t exponent = 0; exponent < 128; exponent++)
		for (int i = 0; i < 2000; i++) {
			uint32_t wire = exponent << 25 |
			    (uint32_t)(next_random() & 0x1ffffff) >>
			    next_random() % 25;

			check_float(wire, SEC);
			check_float(wire, 1000);
		}
}

/* What chronyd makes of numerator / 2^shift. */
static uint32_t
encode_float(int64_t numerator, int shift)
{
	uint64_t x = (uint64_t)(numerator < 0 ? -numerator : numerator);
	int exponent = 25 - shift, lost = 0;
	uint32_t coefficient;

	if (x == 0)
		return 0;
	while (x >> lost >= 1 << 24)
		lost++;
	if (lost > 0)
		x = (x + (UINT64_C(1) << (lost - 1))) >> lost;
	for (exponent += lost; x < 1 << 23; x <<= 1)
		exponent--;
	if (x == 1 << 24) {
		x >>= 1;
		exponent++;
	}
	coefficient = (uint32_t)(numerator < 0 ? -(int64_t)x : (int64_t)x);
	return ((uint32_t)exponent & 0x7f) << 25 | (coefficient & 0x1ffffff);
}

static void
numbers_survive_the_wire_within_the_error(void)
{
	CHECK_EQ(encode_float(1, 0), 0x04800000);
	CHECK_EQ(encode_float(-25, 1), 0x0b380000);
	CHECK_EQ(encode_float(1, 10), 0xf0800000);
	for (int i = 0; i < 1000000; i++) {
		/* Up to 2^31 s, down to 2^-60 s, and both below 0. */
		int shift = 31 + (int)(next_random() % 30);
		int64_t n = (int64_t)next_random() >> (2 + next_random() % 60);
		struct cb_chrony_value x =
		    cb_chrony_decode_float(encode_float(n, shift), SEC);
		int128 off = (int128)x.v * ((int128)1 << shift) -
		    (int128)n * SEC;

		if (!CHECK((off < 0 ? -off : off) <=
		    (int128)x.err * ((int128)1 << shift)))
			break;
		/* It is 24 bits that are kept. */
		if (!CHECK(x.err <= (x.v < 0 ? -x.v : x.v) / (1 << 23) + 2))
			break;
	}
}

static void
tracking_is_decoded_in_full(void)
{
	struct cb_chrony_tracking t;

	memset(&t, 0x55, sizeof(t));
	CHECK(cb_chrony_decode_tracking(tracking, &t));
	CHECK_EQ(t.ref_id, 0x8A5B6C7D);
	CHECK_EQ(t.leap, CB_CHRONY_LEAP_INSERT);
	CHECK_EQ(t.ref_time_ns, 1700000000 * SEC + 123456789);
	CHECK_EQ(t.correction_ns.v, -SEC / 2);
	/* One unit of the coefficient is 2^-25 s. */
	CHECK_EQ(t.correction_ns.err, 30);
	CHECK_EQ(t.freq_ppb.v, -12500);
	CHECK_EQ(t.freq_ppb.err, 1);
	/* 976562.5 ns and the unit of 0.1 ns; the others' are 15 and 7630. */
	CHECK(t.root_delay_ns >= 976563 && t.root_delay_ns <= 976565);
	CHECK(t.root_dispersion_ns >= SEC / 4 + 30 &&
	    t.root_dispersion_ns <= SEC / 4 + 31);
	CHECK(t.last_update_interval_ns >= 64 * SEC + 7630 &&
	    t.last_update_interval_ns <= 64 * SEC + 7631);
	CHECK_EQ(t.estimate_ns, SEC / 2 + SEC / 4 + 488282);
	CHECK(memcmp(t.address, tracking + 32, 20) == 0);
	CHECK_EQ(t.stratum, 2);
	CHECK_EQ(t.last_offset_ns, -SEC);
	CHECK_EQ(t.rms_offset_ns, 64 * SEC);
	CHECK_EQ(t.skew_ppb, 1000);
}

static void
source_is_decoded_in_full(void)
{
	struct cb_chrony_source s;
	uint8_t p[76];

	memset(&s, 0x55, sizeof(s));
	CHECK(cb_chrony_decode_source(source, &s));
	CHECK(memcmp(s.address, source + 28, 20) == 0);
	CHECK_EQ(s.mode, CB_CHRONY_PEER);
	CHECK_EQ(s.state, CB_CHRONY_COMBINED);
	CHECK_EQ(s.poll, -4);
	CHECK_EQ(s.since_sample_s, 0x010203);
	CHECK_EQ(s.orig_meas, 0xDEADBEEF);
	CHECK_EQ(s.meas_ns.v, -SEC);
	CHECK_EQ(s.meas_ns.err, 60);
	CHECK(s.meas_err_ns >= 976563 && s.meas_err_ns <= 976565);
	CHECK_EQ(s.phc_err_ns, 0);
	CHECK_EQ(s.stratum, 1);
	CHECK_EQ(s.reachability, 0xFF);

	memcpy(p, source, sizeof(p));
	memset(p + 60, 0, 16);
	memset(p + 60, 0xFF, 4);
	CHECK(cb_chrony_decode_source(p, &s));
	CHECK_EQ(s.since_sample_s, CB_CHRONY_NO_SAMPLE);
	CHECK_EQ(cb_chrony_decode_n_sources(n_sources), 0x01020304);
}

static void
reference_time_has_32_or_64_bits_of_seconds(void)
{
	static const struct {
		const char *name;
		uint32_t high, low, ns;
		bool valid;
		int64_t time;
	} rows[] = {
		{ "1970", 0, 0, 0, true, 0 },
		{ "64 bits", 0, 1700000000, 1, true, 1700000000 * SEC + 1 },
		{ "32 bits", 0x7fffffff, 1700000000, 1, true,
		    1700000000 * SEC + 1 },
		{ "after 2038", 0, 0x80000000, 0, true, 2147483648 * SEC },
		{ "after 2038, 32 bits", 0x7fffffff, 0x80000000, 0, true,
		    2147483648 * SEC },
		{ "last ns", 0, 1, 999999999, true, 1999999999 },
		{ "one too many", 0, 1, 1000000000, false, 0 },
		{ "all ns", 0, 1, 0xffffffff, false, 0 },
		{ "the year 5138", 23, 0x4876e800, 0, false, 0 },
		{ "before 1970", 0xffffffff, 0xffffffff, 0, false, 0 },
		{ "ages before", 0x80000000, 0, 0, false, 0 },
		{ "ages after", 0x7ffffffe, 0, 0, false, 0 }
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cb_chrony_tracking t;
		uint8_t p[104];

		test_row = rows[i].name;
		memcpy(p, tracking, sizeof(p));
		put32(p + 56, rows[i].high);
		put32(p + 60, rows[i].low);
		put32(p + 64, rows[i].ns);
		CHECK_EQ(cb_chrony_decode_tracking(p, &t), rows[i].valid);
		if (rows[i].valid)
			CHECK_EQ(t.ref_time_ns, rows[i].time);
	}
	test_row = "";
}

/* One field is changed, the rest is as above. */
struct field {
	const char *name;
	size_t at, size;
	uint32_t value;
	bool valid;
};

#define LARGEST		0x7effffff
#define LOWEST		0x7f000000

static void
what_no_chronyd_would_say_is_rejected(void)
{
	const struct field of_tracking[] = {
		{ "correction", 68, 4, encode_float(1700000000, 0), true },
		{ "correction", 68, 4, encode_float(-1700000000, 0), true },
		{ "correction", 68, 4, encode_float(3000000000, 0), false },
		{ "correction", 68, 4, encode_float(-3000000000, 0), false },
		{ "correction", 68, 4, LARGEST, false },
		{ "correction", 68, 4, LOWEST, false },
		{ "freq", 80, 4, encode_float(1000, 0), true },
		{ "freq", 80, 4, encode_float(-1000, 0), true },
		{ "freq", 80, 4, encode_float(1000000, 0), false },
		{ "freq", 80, 4, encode_float(-1000000, 0), false },
		{ "freq", 80, 4, LARGEST, false },
		{ "freq", 80, 4, LOWEST, false },
		{ "delay", 92, 4, 0, true },
		{ "delay", 92, 4, encode_float(16, 0), true },
		{ "delay", 92, 4, encode_float(-1, 20), false },
		{ "delay", 92, 4, encode_float(1 << 30, 0), false },
		{ "delay", 92, 4, LARGEST, false },
		{ "delay", 92, 4, LOWEST, false },
		{ "dispersion", 96, 4, 0, true },
		{ "dispersion", 96, 4, encode_float(16, 0), true },
		{ "dispersion", 96, 4, encode_float(-1, 20), false },
		{ "dispersion", 96, 4, encode_float(1 << 30, 0), false },
		{ "dispersion", 96, 4, LARGEST, false },
		{ "dispersion", 96, 4, LOWEST, false },
		{ "interval", 100, 4, 0, true },
		{ "interval", 100, 4, encode_float(100000, 0), true },
		{ "interval", 100, 4, encode_float(-1, 0), false },
		{ "interval", 100, 4, LARGEST, false },
		{ "interval", 100, 4, LOWEST, false },
		/* What a status is made of is judged there. */
		{ "leap", 54, 2, 65535, true }
	};
	const struct field of_source[] = {
		{ "poll", 48, 2, 24, true },
		{ "poll", 48, 2, 0xFFF9, true },
		{ "poll", 48, 2, 0x7FFF, false },
		{ "poll", 48, 2, 0x8000, false },
		{ "poll", 48, 2, 64, false },
		{ "state", 52, 2, 0, true },
		{ "state", 52, 2, 5, true },
		{ "state", 52, 2, 6, false },
		{ "state", 52, 2, 0x0100, false },
		{ "mode", 54, 2, 0, true },
		{ "mode", 54, 2, 2, true },
		{ "mode", 54, 2, 3, false },
		{ "mode", 54, 2, 0x0100, false },
		{ "since_sample", 60, 4, 0, true },
		{ "since_sample", 60, 4, 100000000, true },
		{ "since_sample", 60, 4, 0xFFFFFFFE, false },
		{ "since_sample", 60, 4, 0x80000000, false },
		{ "latest_meas", 68, 4, encode_float(-1700000000, 0), true },
		{ "latest_meas", 68, 4, encode_float(3000000000, 0), false },
		{ "latest_meas", 68, 4, encode_float(-3000000000, 0), false },
		{ "latest_meas", 68, 4, LARGEST, false },
		{ "latest_meas", 68, 4, LOWEST, false },
		{ "latest_meas_err", 72, 4, 0, true },
		{ "latest_meas_err", 72, 4, encode_float(16, 0), true },
		{ "latest_meas_err", 72, 4, encode_float(-1, 20), false },
		{ "latest_meas_err", 72, 4, LARGEST, false },
		{ "latest_meas_err", 72, 4, LOWEST, false }
	};
	struct cb_chrony_tracking t;
	struct cb_chrony_source s;
	uint8_t p[104], four[4];

	for (size_t i = 0; i < sizeof(of_tracking) / sizeof(of_tracking[0]);
	    i++) {
		const struct field *f = &of_tracking[i];

		test_row = f->name;
		put32(four, f->value);
		memcpy(p, tracking, sizeof(tracking));
		memcpy(p + f->at, four + 4 - f->size, f->size);
		CHECK_EQ(cb_chrony_decode_tracking(p, &t), f->valid);
	}
	for (size_t i = 0; i < sizeof(of_source) / sizeof(of_source[0]); i++) {
		const struct field *f = &of_source[i];

		test_row = f->name;
		put32(four, f->value);
		memcpy(p, source, sizeof(source));
		memcpy(p + f->at, four + 4 - f->size, f->size);
		CHECK_EQ(cb_chrony_decode_source(p, &s), f->valid);
	}
	test_row = "";
}

/* |correction| + dispersion + delay / 2, of numbers of n / 2^60 s. */
static void
estimate_is_the_exact_sum_rounded_up(void)
{
	for (int i = 0; i < 200000; i++) {
		/* 24 bits each, so that the wire holds them exactly. */
		uint64_t shift = next_random() % 30;
		int64_t offset = (int64_t)(next_random() & 0xffffff) << shift;
		int64_t dispersion = (int64_t)(next_random() & 0xffffff) <<
		    (shift + next_random() % 4);
		int64_t delay = (int64_t)(next_random() & 0xffffff) <<
		    (shift + next_random() % 4);
		int128 sum = ((int128)2 * offset + 2 * dispersion + delay) *
		    SEC;
		struct cb_chrony_tracking t;
		uint8_t p[104];

		memcpy(p, tracking, sizeof(p));
		put32(p + 68, encode_float(i % 2 ? offset : -offset, 60));
		put32(p + 96, encode_float(dispersion, 60));
		put32(p + 92, encode_float(delay, 60));
		CHECK(cb_chrony_decode_tracking(p, &t));
		if (!CHECK_EQ(t.estimate_ns, scale_up(sum, -61)))
			break;
	}
}

/* What is less than 0 by less than a nanosecond is nothing. */
static void
estimate_is_never_negative(void)
{
	struct cb_chrony_tracking t;
	uint8_t p[104];

	memcpy(p, tracking, sizeof(p));
	put32(p + 68, 0);
	put32(p + 92, encode_float(-1, 31));
	put32(p + 96, encode_float(-1, 30));
	CHECK(cb_chrony_decode_tracking(p, &t));
	CHECK_EQ(t.estimate_ns, 0);
}

int
main(void)
{
	requests_are_what_chronyd_expects();
	only_the_reply_that_was_asked_for_is_believed();
	floats_are_within_their_error_of_what_was_meant();
	numbers_survive_the_wire_within_the_error();
	tracking_is_decoded_in_full();
	source_is_decoded_in_full();
	reference_time_has_32_or_64_bits_of_seconds();
	what_no_chronyd_would_say_is_rejected();
	estimate_is_the_exact_sum_rounded_up();
	estimate_is_never_negative();
	return test_done();
}
