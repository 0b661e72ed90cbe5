#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# A daemon that is stopped for more than a minute, and continued.  Worlds in
# which that befalls it at any moment are in tests/sim.
#
# shellcheck disable=SC2154 # bats's

bats_require_minimum_version 1.5.0
load faults

MS=1000000

# status_is FILE STATUS: as it is read there.
status_is()
{
	[[ $("$CB_NOW" -s "$RUN/$1" -f %s) == "$2" ]]
}

has_shm1()
{
	[[ -e $RUN/shm1 && $(cat /sys/devices/system/clocksource/*0/current_clocksource) == \
	    @(tsc|arch_sys_counter) ]]
}

@test "stopped for over a minute: free running, right throughout, and back" {
	truth_start $((5 * MS))
	client_start
	wait_until 5 client_is_synchronised
	daemon_start
	wait_until 10 now_says SYNCHRONIZED
	truth_watch
	kill -s STOP "${RIG_PID[daemon]}"
	now_us
	stopped=$NOW_US
	wait_until 8 status_is shm0 FREE_RUNNING
	now_us
	((NOW_US - stopped > 4500000))
	read_now
	before=$HALF_NS
	if has_shm1; then
		wait_until 65 status_is shm1 FREE_RUNNING
		now_us
		((NOW_US - stopped > 59000000))
	fi
	# It has grown by 50 ppm of that at least.
	read_now
	is_right
	now_us
	((HALF_NS - before > (NOW_US - stopped) / 25))
	kill -s CONT "${RIG_PID[daemon]}"
	watch_until 5 says SYNCHRONIZED
	((HALF_NS < before))
	watch_until 10 has_trusted $((TRUSTED + 200))
	! has_shm1 || status_is shm1 SYNCHRONIZED
	truth_was_held
	# Nothing but that it was late is to be told.
	tail -n +3 "$RIG/daemon.log"
	(($(log_count "status") == 1))
}
