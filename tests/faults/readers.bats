#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Ten thousand readers of one segment, of which the daemon knows nothing.
#
# shellcheck disable=SC2154 # bats's

bats_require_minimum_version 1.5.0
load faults

# has_rounds COUNT: every reader has been told the time anew, so many times.
has_rounds()
{
	(($(grep -c round "$RIG/readers.log") >= $1))
}

has_rounds_or_ended()
{
	has_rounds "$1" || ! is_running readers
}

rounds()
{
	local n

	n=$(grep -c round "$RIG/readers.log")
	# One that is under way has begun before.
	wait_until 30 has_rounds $((n + 2))
}

# Not two bytes more for each reader.
takes_no_more()
{
	local now

	now=$(memory_kb daemon RssAnon)
	echo "$fds descriptors, $(descriptors daemon); $kb kB, $now"
	(($(descriptors daemon) == fds && now <= kb + 16))
}

# ten_thousand PROCESSES CONTEXTS
ten_thousand()
{
	fake_start good
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	fds=$(descriptors daemon)
	kb=$(memory_kb daemon RssAnon)
	spawn readers "$FAULTS/readers" "$RUN" "$VMCLOCK" 0 "$@"
	wait_until 60 has_rounds_or_ended 3
	! grep -q "fork: " "$RIG/readers.log" ||
	    skip "no room for $1 processes: $(<"$RIG/readers.log")"
	has_rounds 3
	takes_no_more
	# The next one goes on in the same files.
	stop daemon KILL || true
	daemon_start
	rounds
	# And now in others.
	rm "$RUN"/shm*
	ends_with "$RUN: the segment was removed, replaced or cut"
	daemon_start
	rounds
	takes_no_more
	read_now
	is_right
}

@test "10 000 contexts in one process live through two restarts" {
	ten_thousand 1 10000
	# A context keeps none open.
	child=("/proc/$(pgrep -P "${RIG_PID[readers]}")/fd/"*)
	((${#child[@]} < 10))
}

@test "10 000 processes live through two restarts" {
	ten_thousand 10000 1
}
