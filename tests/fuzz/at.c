/* SPDX-License-Identifier: ISC */
/*
 * clockbound_at(3): any segment at any reading.
 */
#include "bytes.h"
#include "fuzz.h"
#include "shm.h"
#include "ts.h"

static bool
is_ordered(const clockbound_now_result *now)
{
	return !cb_ts_is_before(&now->latest, &now->earliest);
}

static bool
is_time(const struct timespec *ts)
{
	return ts->tv_nsec >= 0 && ts->tv_nsec < CB_NS_PER_S;
}

static void
check_result(const clockbound_segment *s, const clockbound_now_result *now)
{
	CHECK(is_time(&now->earliest) && is_time(&now->latest));
	CHECK(now->clock_status <= CLOCKBOUND_STA_DISRUPTED);
	if (!cb_shm_is_trusted(now->clock_status))
		return;
	CHECK(is_ordered(now));
	CHECK(clockbound_bound_ns(now) >= 0);
	CHECK(bytes_may_be_trusted(s));
}

/* Later the bound is no less, but for what is rounded, and no trust is new. */
static void
check_later(const clockbound_segment *s, clockbound_reading r,
    uint64_t later, const clockbound_now_result *now)
{
	clockbound_now_result then;
	/* Less than 2^63 ticks ahead; of an absurd period, they are no time. */
	bool ahead = r.counter - s->bytes[2] <= INT64_MAX;

	r.counter += later;
	if ((r.counter - s->bytes[2] <= INT64_MAX) != ahead)
		return;
	if (r.mono.tv_sec > CB_TS_MAX_S - 4)
		return;
	r.mono.tv_sec += (time_t)(later >> 30 & 3);
	if (clockbound_at(s, &r, &then) != CLOCKBOUND_ERR_NONE)
		return;
	check_result(s, &then);
	if (!cb_shm_is_trusted(then.clock_status))
		return;
	CHECK(cb_shm_is_trusted(now->clock_status));
	CHECK(clockbound_bound_ns(&then) >= clockbound_bound_ns(now) - 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = { data, size };
	clockbound_segment s;
	clockbound_reading r;
	clockbound_now_result now, untouched;
	clockbound_err_kind kind;
	uint64_t later;

	fuzz_take(&f, &s, sizeof(s));
	fuzz_take(&f, &r, sizeof(r));
	later = (uint64_t)fuzz_upto(&f, UINT32_MAX);
	memset(&untouched, 0x5a, sizeof(untouched));
	now = untouched;
	kind = clockbound_at(&s, &r, &now);
	CHECK(kind <= CLOCKBOUND_ERR_SEGMENT_VERSION_NOT_SUPPORTED &&
	    kind != CLOCKBOUND_ERR_SYSCALL);
	if (kind != CLOCKBOUND_ERR_NONE) {
		CHECK(memcmp(&now, &untouched, sizeof(now)) == 0);
		return 0;
	}
	check_result(&s, &now);
	check_later(&s, r, later, &now);
	return 0;
}
