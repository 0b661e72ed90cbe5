/* SPDX-License-Identifier: ISC */
/*
 * The codec of chronyd's command protocol: bytes and numbers, no I/O.  All
 * integers are big-endian; offsets count from the start of the packet.
 */
#include <math.h>
#include <string.h>

#include "chrony.h"
#include "ts.h"

#define VERSION		6
#define TYPE_REQUEST	1
#define TYPE_REPLY	2
#define REPLY_HEADER	28

/* What a burst is to bring of each source: good measurements, of how many. */
#define BURST_GOOD	4
#define BURST_TOTAL	8

/* In the place of a time's upper seconds: there are none. */
#define NO_HIGH_SECONDS	UINT32_C(0x7fffffff)

/* chronyd never states more than these; sums of them fit int64_t. */
#define MAX_OFFSET_NS	(INT64_C(2200000000) * CB_NS_PER_S)
#define MAX_ERR_NS	(INT64_C(1000000) * CB_NS_PER_S)
#define MAX_FREQ_PPB	INT64_C(100000000)
#define MAX_SINCE_S	UINT32_C(1000000000)
#define MIN_POLL	(-32)
#define MAX_POLL	32

static uint16_t
get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void
put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void
put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)(v >> 16));
	put16(p + 2, (uint16_t)v);
}

/* A request is as long as its reply, so that nothing is amplified. */
void
cb_chrony_encode(struct cb_chrony_request *rq, enum cb_chrony_command command,
    uint32_t index, uint32_t sequence)
{
	*rq = (struct cb_chrony_request){ .command = (uint16_t)command };
	switch (command) {
	case CB_CHRONY_BURST:
		rq->reply_type = 1;
		rq->reply_len = REPLY_HEADER;
		rq->len = 68;
		/* Mask and address at 20 and 40 are zero: every source. */
		put32(rq->bytes + 60, BURST_GOOD);
		put32(rq->bytes + 64, BURST_TOTAL);
		break;
	case CB_CHRONY_RESET_SOURCES:
		rq->reply_type = 1;
		rq->reply_len = rq->len = REPLY_HEADER;
		break;
	case CB_CHRONY_TRACKING:
		rq->reply_type = 5;
		rq->reply_len = rq->len = 104;
		break;
	case CB_CHRONY_N_SOURCES:
		rq->reply_type = 2;
		rq->reply_len = rq->len = 32;
		break;
	case CB_CHRONY_SOURCE_DATA:
		rq->reply_type = 3;
		rq->reply_len = rq->len = 76;
		put32(rq->bytes + 20, index);
		break;
	}
	rq->bytes[0] = VERSION;
	rq->bytes[1] = TYPE_REQUEST;
	put16(rq->bytes + 4, rq->command);
	put32(rq->bytes + 8, sequence);
}

enum cb_chrony_match
cb_chrony_match(const struct cb_chrony_request *rq, const uint8_t *p,
    size_t len, uint16_t *status)
{
	*status = 0;
	if (len < REPLY_HEADER || p[0] != VERSION || p[1] != TYPE_REPLY ||
	    get16(p + 4) != rq->command ||
	    memcmp(p + 16, rq->bytes + 8, 4) != 0)
		return CB_CHRONY_STRAY;
	*status = get16(p + 8);
	if (*status != 0)
		return CB_CHRONY_REFUSAL;
	if (len != rq->reply_len || get16(p + 6) != rq->reply_type)
		return CB_CHRONY_BAD;
	return CB_CHRONY_REPLY;
}

/* The largest magnitude that is kept; no caller believes one so large. */
#define SATURATED	4e18

/*
 * A float has a signed exponent of 7 bits above a signed coefficient of 25,
 * and is coefficient * 2^(exponent - 25).  A double holds it exactly.  *unit
 * is what its last bit stands for.
 */
static double
decode_double(uint32_t wire, double *unit)
{
	int32_t exponent = (int32_t)(wire >> 25);
	int32_t coefficient = (int32_t)(wire & 0x1ffffff);

	if (exponent >= 1 << 6)
		exponent -= 1 << 7;
	if (coefficient >= 1 << 24)
		coefficient -= 1 << 25;
	*unit = ldexp(1, exponent - 25);
	return coefficient * *unit;
}

static int64_t
round_up(double x)
{
	int64_t i;

	if (x >= SATURATED)
		return (int64_t)SATURATED;
	if (x <= -SATURATED)
		return -(int64_t)SATURATED;
	i = (int64_t)x;
	return i + ((double)i < x);
}

struct cb_chrony_value
cb_chrony_decode_float(uint32_t wire, int64_t scale)
{
	double unit, value = decode_double(wire, &unit) * (double)scale;
	struct cb_chrony_value out = { .v = round_up(value) };

	/* Zero is sent as it is; all else was rounded to its last bit. */
	if (value != 0)
		out.err = round_up(unit * (double)scale) +
		    ((double)out.v != value);
	return out;
}

/* A value that may only err upwards; -1 where it is out of range. */
static int64_t
decode_magnitude(const uint8_t *p)
{
	struct cb_chrony_value x = cb_chrony_decode_float(get32(p),
	    CB_NS_PER_S);

	if (x.v < 0 || x.v > MAX_ERR_NS)
		return -1;
	return x.v + x.err;
}

static bool
decode_offset(const uint8_t *p, struct cb_chrony_value *out)
{
	*out = cb_chrony_decode_float(get32(p), CB_NS_PER_S);
	return out->v >= -MAX_OFFSET_NS && out->v <= MAX_OFFSET_NS;
}

/*
 * |offset| + root dispersion + root delay / 2, summed before it is rounded.
 * The latter two pass for 0 where they are less by less than a nanosecond.
 */
static int64_t
decode_estimate(const uint8_t *p)
{
	double unit, offset = decode_double(get32(p + 68), &unit);

	return cb_ts_max(0, round_up(((offset < 0 ? -offset : offset) +
	    decode_double(get32(p + 96), &unit) +
	    decode_double(get32(p + 92), &unit) / 2) * (double)CB_NS_PER_S));
}

static bool
decode_time(const uint8_t *p, int64_t *out)
{
	uint64_t high = get32(p), s = get32(p + 4);
	uint32_t ns = get32(p + 8);

	if (high != NO_HIGH_SECONDS)
		s |= high << 32;
	if (s > (uint64_t)CB_TS_MAX_S || ns >= CB_NS_PER_S)
		return false;
	*out = (int64_t)s * CB_NS_PER_S + ns;
	return true;
}

bool
cb_chrony_decode_tracking(const uint8_t p[104], struct cb_chrony_tracking *t)
{
	t->ref_id = get32(p + 28);
	memcpy(t->address, p + 32, sizeof(t->address));
	t->stratum = get16(p + 52);
	t->leap = get16(p + 54);
	/* ppm on the wire: a thousand to the ppb. */
	t->freq_ppb = cb_chrony_decode_float(get32(p + 80), 1000);
	t->estimate_ns = decode_estimate(p);
	t->root_delay_ns = decode_magnitude(p + 92);
	t->root_dispersion_ns = decode_magnitude(p + 96);
	t->last_update_interval_ns = decode_magnitude(p + 100);
	t->last_offset_ns = cb_chrony_decode_float(get32(p + 72),
	    CB_NS_PER_S).v;
	t->rms_offset_ns = cb_chrony_decode_float(get32(p + 76),
	    CB_NS_PER_S).v;
	t->skew_ppb = cb_chrony_decode_float(get32(p + 88), 1000).v;
	return decode_time(p + 56, &t->ref_time_ns) &&
	    decode_offset(p + 68, &t->correction_ns) &&
	    cb_ts_abs(t->freq_ppb.v) <= MAX_FREQ_PPB &&
	    t->root_delay_ns >= 0 && t->root_dispersion_ns >= 0 &&
	    t->last_update_interval_ns >= 0;
}

bool
cb_chrony_decode_source(const uint8_t p[76], struct cb_chrony_source *s)
{
	memcpy(s->address, p + 28, sizeof(s->address));
	s->poll = (int16_t)get16(p + 48);
	s->stratum = get16(p + 50);
	s->reachability = get16(p + 58);
	s->state = get16(p + 52);
	s->mode = get16(p + 54);
	s->since_sample_s = get32(p + 60);
	s->orig_meas = get32(p + 64);
	s->meas_err_ns = decode_magnitude(p + 72);
	s->phc_err_ns = 0;
	return decode_offset(p + 68, &s->meas_ns) && s->meas_err_ns >= 0 &&
	    (s->since_sample_s <= MAX_SINCE_S ||
	    s->since_sample_s == CB_CHRONY_NO_SAMPLE) &&
	    s->poll >= MIN_POLL && s->poll <= MAX_POLL &&
	    s->state <= CB_CHRONY_NOT_COMBINED &&
	    s->mode <= CB_CHRONY_REFCLOCK;
}

uint32_t
cb_chrony_decode_n_sources(const uint8_t p[32])
{
	return get32(p + 28);
}
