#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Version 3, by the CPU's counter, as a real daemon publishes it: it is not
# centred on CLOCK_REALTIME, so what the rig knows of that does not serve.
#
# shellcheck disable=SC2154 # bats's

bats_require_minimum_version 1.5.0

load rig.bash

setup()
{
	rig_open
	SHM1=$RUN/shm1
	keeps_time_by_the_counter || skip "the clocksource is no counter"
}

teardown()
{
	rig_show_logs
	rig_close
}

keeps_time_by_the_counter()
{
	local source

	source=$(cat /sys/devices/system/clocksource/*0/current_clocksource)
	[[ $source == tsc || $source == arch_sys_counter ]]
}

# look PATH [SECONDS]: TRUSTED readings, and the widest one's HALF_NS.
look()
{
	run -0 "$RIG_TOOLS/truth" "${2:-2}" "$1" "$VMCLOCK" "$TRUTH_NS" \
	    "$TRUTH_PPM" "$TRUTH_T0"
	[[ $output =~ ^trusted\ ([0-9]+),\ missed\ 0,\ half-width\ ([0-9]+)$ ]]
	TRUSTED=${BASH_REMATCH[1]} HALF_NS=${BASH_REMATCH[2]}
}

# status PATH
status()
{
	"$CB_NOW" -s "$1" --vmclock "$VMCLOCK" -f %s || true
}

# is PATH STATUS
is()
{
	[[ $(status "$1") == "$2" ]]
}

@test "shm1 holds true time, however far away the clock is" {
	truth_start 50000000 30
	client_start
	daemon_start
	wait_until 10 is "$SHM1" SYNCHRONIZED
	look "$SHM1" 4
	# The clock is 50 ms away, and that is not in it.
	((TRUSTED > 10000 && HALF_NS < 25000000))
	look "$RUN" 1
	((HALF_NS < 25000000))
	look "$SEGMENT" 1
	((HALF_NS > 50000000))
}

@test "shm1 holds true time when the daemon is gone" {
	truth_start -7000000
	client_start
	daemon_start
	wait_until 10 is "$SHM1" SYNCHRONIZED
	stop daemon KILL || (($? == 137))
	look "$SHM1" 7
	# By version 3 a status stands for a minute.
	is "$SHM1" SYNCHRONIZED
	is "$SEGMENT" FREE_RUNNING
}

@test "a restart writes on in the same shm1, and readers go on" {
	local inode generation

	truth_start 3000000
	client_start
	daemon_start
	wait_until 10 is "$RUN" SYNCHRONIZED
	inode=$(stat -c %i "$SHM1")
	spawn stream "$RIG_TOOLS/truth" 3 "$RUN" "$VMCLOCK" "$TRUTH_NS"
	stop daemon
	generation=$(od -An -j 14 -N 2 -t u2 "$SHM1")
	daemon_start
	reap stream
	cat "$RIG/stream.log"
	[[ $(stat -c %i "$SHM1") == "$inode" ]]
	(($(od -An -j 14 -N 2 -t u2 "$SHM1") > generation))
}

@test "a disruption is told in both segments, and by the directory" {
	vmclock_make
	truth_start 5000000
	client_start
	daemon_watch
	wait_until 10 is "$RUN" SYNCHRONIZED
	# The reader's own look, while the daemon is held up.
	kill -s STOP "${RIG_PID[daemon]}"
	vmclock_disrupt 9
	is "$SHM1" DISRUPTED
	is "$SEGMENT" UNKNOWN
	is "$RUN" DISRUPTED
	# The daemon's word, while chronyd is.
	kill -s STOP "${RIG_PID[client]}"
	kill -s CONT "${RIG_PID[daemon]}"
	wait_until 5 is "$SEGMENT" DISRUPTED
	wait_until 5 is "$SHM1" DISRUPTED
	is "$RUN" DISRUPTED
	kill -s CONT "${RIG_PID[client]}"
	wait_until 10 is "$SHM1" SYNCHRONIZED
	look "$RUN"
}

@test "chrony-tracking has no interval: shm1 is unknown, shm0 stands in" {
	truth_start 1000000
	client_start
	daemon_start --clock-error-bound-source chrony-tracking
	wait_until 10 is "$SEGMENT" SYNCHRONIZED
	is "$SHM1" UNKNOWN
	is "$RUN" SYNCHRONIZED
}

@test "a daemon that loses shm1 ends" {
	fake_start good
	daemon_start
	wait_until 5 is "$SHM1" SYNCHRONIZED
	rm "$SHM1"
	wait_until 5 is_gone "${RIG_PID[daemon]}"
	run -1 reap daemon
	has_logged "the segment was removed, replaced or cut"
}

@test "shm1 is made anew where it cannot be used, or the reason is named" {
	fake_start good
	mkdir -p "$RUN"
	echo "no segment" >"$SHM1"
	daemon_start
	wait_until 5 is "$SHM1" SYNCHRONIZED
	stop daemon
	rm "$SHM1"
	mkdir "$SHM1"
	run -1 --separate-stderr "$CB_DAEMON" -d --run-dir "$RUN" \
	    --chrony-socket "$RIG/client/chronyd.sock"
	[[ $stderr == *"cannot create shm1: "* ]]
}
