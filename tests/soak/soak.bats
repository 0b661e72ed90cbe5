#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# As many ticks as a day has at the usual interval, TICKS= for another number,
# at the shortest one: a thousand a second.
#
# shellcheck disable=SC2154 # bats's

bats_require_minimum_version 1.5.0
load ../rig

MS=1000000

setup()
{
	rig_open
}

teardown()
{
	[[ -n ${BATS_TEST_COMPLETED-} ]] || rig_show_logs
	rig_close
}

# has_done COUNT: that many ticks, as the daemon counts them: TOLD.
has_done()
{
	TOLD=$("$RIG_TOOLS/look" "$RUN/observe" | jq .counts.ticks)
	((TOLD >= $1))
}

# takes NAME: descriptors, and kilobytes of its own.
takes()
{
	echo "$(descriptors "$1") descriptors," \
	    "VmData $(memory_kb "$1" VmData) kB," \
	    "RssAnon $(memory_kb "$1" RssAnon) kB"
}

@test "a day's ticks: right throughout, no growth of memory or descriptors" {
	local ticks=${TICKS:-864000} before after first

	truth_start $((5 * MS))
	client_start
	wait_until 5 client_is_synchronised
	daemon_start --interval 1
	wait_until 10 now_says SYNCHRONIZED
	# Each millisecond, and ends at a reading that is wrong.
	spawn reader "$RIG_TOOLS/reader" "$RUN" "$VMCLOCK" "$TRUTH_NS"
	wait_until 60 has_done 10000
	before=$(takes daemon; takes reader)
	first=$TOLD
	SECONDS=0
	until has_done $((first + ticks)); do
		is_running daemon
		is_running reader
		((SECONDS < ticks / 400 + 60))
		sleep 1
	done
	after=$(takes daemon; takes reader)
	echo "# $((TOLD - first)) ticks: $after" | tr '\n' ' ' >&3
	echo >&3
	diff <(echo "$before") <(echo "$after")
	read_now
	is_right
	says SYNCHRONIZED
}
