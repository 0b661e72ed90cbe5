/* SPDX-License-Identifier: ISC */
/*
 * The two tables: what chronyd says of itself -> input; state and input ->
 * state.  PURE.
 */
#include "cb-daemon.h"
#include "ts.h"

/* Update intervals without an update until chronyd counts as free running. */
#define LATE_INTERVALS	8

/* Times are told with an error; a second is more than any. */
#define SLACK_NS	CB_NS_PER_S

enum cb_input
cb_status_input(const struct cb_chrony_tracking *t, int64_t cooked_ns)
{
	int64_t since = cooked_ns - t->ref_time_ns;
	int64_t interval = cb_ts_max(t->last_update_interval_ns, CB_NS_PER_S);

	if (since < -SLACK_NS)
		return CB_INPUT_MISSING;
	if (t->leap == CB_CHRONY_LEAP_UNSYNCHRONISED)
		return CB_INPUT_FREE_RUNNING;
	if (t->leap > CB_CHRONY_LEAP_UNSYNCHRONISED)
		return CB_INPUT_UNKNOWN;
	/* It follows itself, whatever it says. */
	if (t->ref_id == CB_CHRONY_REF_ID_LOCAL)
		return CB_INPUT_FREE_RUNNING;
	return since > LATE_INTERVALS * interval + SLACK_NS ?
	    CB_INPUT_FREE_RUNNING : CB_INPUT_SYNCHRONIZED;
}

clockbound_clock_status
cb_status_next(clockbound_clock_status state, enum cb_input input,
    enum cb_disruption disruption)
{
	enum {
		U = CLOCKBOUND_STA_UNKNOWN,
		S = CLOCKBOUND_STA_SYNCHRONIZED,
		F = CLOCKBOUND_STA_FREE_RUNNING
	};
	static const uint8_t next[4][3] = {
		/* input:		      unknown, synchr., free running */
		[CLOCKBOUND_STA_UNKNOWN] =	{ U, S, U },
		[CLOCKBOUND_STA_SYNCHRONIZED] =	{ U, S, F },
		[CLOCKBOUND_STA_FREE_RUNNING] =	{ U, S, F },
		[CLOCKBOUND_STA_DISRUPTED] =	{ U, U, U }
	};

	if (disruption == CB_DISRUPTION_DISRUPTED)
		return CLOCKBOUND_STA_DISRUPTED;
	if (disruption == CB_DISRUPTION_UNKNOWN || input == CB_INPUT_MISSING)
		return CLOCKBOUND_STA_UNKNOWN;
	return (clockbound_clock_status)next[state][input];
}

const char *
cb_status_name(clockbound_clock_status status)
{
	static const char *const names[] = {
		[CLOCKBOUND_STA_UNKNOWN] =	"unknown",
		[CLOCKBOUND_STA_SYNCHRONIZED] =	"synchronized",
		[CLOCKBOUND_STA_FREE_RUNNING] =	"free running",
		[CLOCKBOUND_STA_DISRUPTED] =	"disrupted"
	};

	return names[status];
}
