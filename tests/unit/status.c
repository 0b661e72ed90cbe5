/* SPDX-License-Identifier: ISC */
/*
 * The daemon's two tables, typed out a second time: what chronyd says of
 * itself, and what becomes of the status.
 */
#include <string.h>

#include "cb-daemon.h"
#include "test.h"
#include "ts.h"

#define U	CLOCKBOUND_STA_UNKNOWN
#define S	CLOCKBOUND_STA_SYNCHRONIZED
#define F	CLOCKBOUND_STA_FREE_RUNNING
#define D	CLOCKBOUND_STA_DISRUPTED

static void
status_follows_the_source_while_disruption_is_reliable(void)
{
	static const struct {
		const char *name;
		clockbound_clock_status state;
		clockbound_clock_status synchronized, free_running, unknown;
	} rows[] = {
		{ "unknown",		U,	S, U, U },
		{ "synchronized",	S,	S, F, U },
		{ "free running",	F,	S, F, U },
		{ "disrupted",		D,	U, U, U }
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		test_row = rows[i].name;
		CHECK_EQ(cb_status_next(rows[i].state, CB_INPUT_SYNCHRONIZED,
		    CB_DISRUPTION_RELIABLE), rows[i].synchronized);
		CHECK_EQ(cb_status_next(rows[i].state, CB_INPUT_FREE_RUNNING,
		    CB_DISRUPTION_RELIABLE), rows[i].free_running);
		CHECK_EQ(cb_status_next(rows[i].state, CB_INPUT_UNKNOWN,
		    CB_DISRUPTION_RELIABLE), rows[i].unknown);
		CHECK_EQ(cb_status_next(rows[i].state, CB_INPUT_MISSING,
		    CB_DISRUPTION_RELIABLE), rows[i].unknown);
	}
	test_row = "";
}

static void
disruption_overrides_every_state_and_input(void)
{
	static const clockbound_clock_status states[] = { U, S, F, D };
	static const enum cb_input inputs[] = {
		CB_INPUT_UNKNOWN, CB_INPUT_SYNCHRONIZED,
		CB_INPUT_FREE_RUNNING, CB_INPUT_MISSING
	};

	for (size_t i = 0; i < 4; i++)
		for (size_t k = 0; k < 4; k++) {
			CHECK_EQ(cb_status_next(states[i], inputs[k],
			    CB_DISRUPTION_DISRUPTED), D);
			CHECK_EQ(cb_status_next(states[i], inputs[k],
			    CB_DISRUPTION_UNKNOWN), U);
		}
}

/* Long after 1970, so that nothing but the differences can matter. */
#define REF_TIME	(INT64_C(1700000000) * CB_NS_PER_S + 123456789)
#define SEC		CB_NS_PER_S
#define OTHER		UINT32_C(0xC0000201)
#define LOCAL		UINT32_C(0x7F7F0101)

static void
input_is_what_chronyd_says_while_that_is_recent(void)
{
	static const struct {
		const char *name;
		uint32_t ref_id;
		uint16_t leap;
		int64_t interval;	/* last_update_interval */
		int64_t since;		/* cooked now - ref_time */
		enum cb_input input;
	} rows[] = {
		{ "leap 0", OTHER, 0, 64 * SEC, 0, CB_INPUT_SYNCHRONIZED },
		{ "leap 1", OTHER, 1, 64 * SEC, 0, CB_INPUT_SYNCHRONIZED },
		{ "leap 2", OTHER, 2, 64 * SEC, 0, CB_INPUT_SYNCHRONIZED },
		{ "leap 3", OTHER, 3, 64 * SEC, 0, CB_INPUT_FREE_RUNNING },
		{ "leap 3, old", OTHER, 3, SEC, REF_TIME,
		    CB_INPUT_FREE_RUNNING },
		{ "leap 4", OTHER, 4, 64 * SEC, 0, CB_INPUT_UNKNOWN },
		{ "leap 4, old", OTHER, 4, 64 * SEC, 1000 * SEC,
		    CB_INPUT_UNKNOWN },
		{ "leap 65535", OTHER, 65535, 64 * SEC, 0, CB_INPUT_UNKNOWN },

		{ "8 intervals and 1 s", OTHER, 0, 64 * SEC, 513 * SEC,
		    CB_INPUT_SYNCHRONIZED },
		{ "1 ns more", OTHER, 0, 64 * SEC, 513 * SEC + 1,
		    CB_INPUT_FREE_RUNNING },
		{ "1 ns more, leap 1", OTHER, 1, 64 * SEC, 513 * SEC + 1,
		    CB_INPUT_FREE_RUNNING },
		{ "1 ns more, leap 2", OTHER, 2, 64 * SEC, 513 * SEC + 1,
		    CB_INPUT_FREE_RUNNING },
		{ "interval 0", OTHER, 0, 0, 9 * SEC, CB_INPUT_SYNCHRONIZED },
		{ "interval 0, 1 ns more", OTHER, 0, 0, 9 * SEC + 1,
		    CB_INPUT_FREE_RUNNING },
		{ "interval 62.5 ms", OTHER, 0, SEC / 16, 9 * SEC,
		    CB_INPUT_SYNCHRONIZED },
		{ "interval 1 s", OTHER, 0, SEC, 9 * SEC,
		    CB_INPUT_SYNCHRONIZED },
		{ "interval 1 s, 1 ns more", OTHER, 0, SEC, 9 * SEC + 1,
		    CB_INPUT_FREE_RUNNING },
		{ "interval 1 s and 1 ns", OTHER, 0, SEC + 1, 9 * SEC + 8,
		    CB_INPUT_SYNCHRONIZED },
		{ "interval 1 s and 1 ns, 1 ns more", OTHER, 0, SEC + 1,
		    9 * SEC + 9, CB_INPUT_FREE_RUNNING },

		{ "1 s in the future", OTHER, 0, 64 * SEC, -SEC,
		    CB_INPUT_SYNCHRONIZED },
		{ "1 ns further", OTHER, 0, 64 * SEC, -SEC - 1,
		    CB_INPUT_MISSING },
		{ "1 ns further, leap 3", OTHER, 3, 64 * SEC, -SEC - 1,
		    CB_INPUT_MISSING },
		{ "1 ns further, leap 4", OTHER, 4, 64 * SEC, -SEC - 1,
		    CB_INPUT_MISSING },

		{ "local", LOCAL, 0, 64 * SEC, 0, CB_INPUT_FREE_RUNNING },
		{ "local, leap 2", LOCAL, 2, 64 * SEC, 0,
		    CB_INPUT_FREE_RUNNING },
		{ "local, leap 4", LOCAL, 4, 64 * SEC, 0, CB_INPUT_UNKNOWN },
		{ "next to local", LOCAL + 1, 0, 64 * SEC, 0,
		    CB_INPUT_SYNCHRONIZED }
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cb_chrony_tracking t = {
			.ref_id = rows[i].ref_id,
			.leap = rows[i].leap,
			.ref_time_ns = REF_TIME,
			.last_update_interval_ns = rows[i].interval
		};

		test_row = rows[i].name;
		CHECK_EQ(cb_status_input(&t, REF_TIME + rows[i].since),
		    rows[i].input);
	}
	test_row = "";
}

static void
each_status_has_a_name(void)
{
	CHECK(strcmp(cb_status_name(CLOCKBOUND_STA_UNKNOWN), "unknown") == 0);
	CHECK(strcmp(cb_status_name(CLOCKBOUND_STA_SYNCHRONIZED),
	    "synchronized") == 0);
	CHECK(strcmp(cb_status_name(CLOCKBOUND_STA_FREE_RUNNING),
	    "free running") == 0);
	CHECK(strcmp(cb_status_name(CLOCKBOUND_STA_DISRUPTED),
	    "disrupted") == 0);
}

int
main(void)
{
	status_follows_the_source_while_disruption_is_reliable();
	disruption_overrides_every_state_and_input();
	input_is_what_chronyd_says_while_that_is_recent();
	each_status_has_a_name();
	return test_done();
}
