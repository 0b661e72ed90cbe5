#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Version 1, for clients of ClockBound 1.x, as a real daemon publishes it.  It
# is centred on CLOCK_REALTIME, so the rig reads it as it reads shm0.
#
# shellcheck disable=SC2154 # bats's

bats_require_minimum_version 1.5.0

load rig.bash

setup()
{
	rig_open
	SHM0=$RUN/shm0
	SEGMENT=$RUN/shm
}

teardown()
{
	rig_show_logs
	rig_close
}

# says_of PATH STATUS
says_of()
{
	[[ $("$CB_NOW" -s "$1" --vmclock "$VMCLOCK" -f %s) == "$2" ]]
}

# as_written FILE: as_of, void_after, bound, drift and status, field by field.
as_written()
{
	local drift=56 status=64

	[[ $1 == "$SEGMENT" ]] || drift=64 status=68
	od -An -v -j 16 -N 40 -t d8 "$1"
	od -An -j $drift -N 4 -t u4 "$1"
	od -An -j $status -N 4 -t d4 "$1"
}

@test "shm holds true time, and the numbers of shm0" {
	truth_start -3000000 30
	client_start
	daemon_start --shm-v1
	watch_until 10 says SYNCHRONIZED
	watch_until 10 has_trusted 100
	"$RIG_TOOLS/truth" 2 "$SEGMENT" "$VMCLOCK" "$TRUTH_NS" "$TRUTH_PPM" \
	    "$TRUTH_T0"
	stop client
	watch_until 10 says UNKNOWN
	stop daemon
	# Nobody writes any more.
	[[ $(stat -c "%s %a" "$SEGMENT") == "72 644" ]]
	diff <(as_written "$SEGMENT") <(as_written "$SHM0")
}

@test "shm is read by cb-now and cb-status" {
	truth_start 1000000
	client_start
	daemon_start --shm-v1
	watch_until 10 says SYNCHRONIZED
	run -0 "$CB_NOW" -s "$SEGMENT" --trust synchronized
	run -0 --separate-stderr "$CB_STATUS" -s "$SEGMENT" -w 1s -c 2s
	[[ $output == OK* && $output == *"$SEGMENT"* ]]
	# It is not what a directory stands for.
	rm "$SHM0" "$RUN/shm1"
	run -2 "$CB_NOW" -s "$RUN"
}

@test "SIGUSR1 is unknown in shm at once, until SIGUSR2" {
	vmclock_make
	truth_start 1000000
	client_start
	daemon_watch --shm-v1 --interval 3000
	wait_until 10 now_says SYNCHRONIZED
	wait_ticks 1
	kill -s USR1 "${RIG_PID[daemon]}"
	wait_until 1 now_says UNKNOWN
	wait_until 1 says_of "$SHM0" DISRUPTED
	now_says UNKNOWN
	kill -s USR2 "${RIG_PID[daemon]}"
	wait_until 20 now_says SYNCHRONIZED
}

@test "a marker that the daemon has seen is unknown in shm, all the while" {
	vmclock_make
	truth_start 1000000
	client_start
	daemon_watch --shm-v1
	watch_until 10 says SYNCHRONIZED
	# A reader of version 1 does not look for itself.
	kill -s STOP "${RIG_PID[daemon]}"
	vmclock_disrupt 9
	now_says SYNCHRONIZED
	kill -s STOP "${RIG_PID[client]}"
	kill -s CONT "${RIG_PID[daemon]}"
	wait_until 5 says_of "$SHM0" DISRUPTED
	now_says UNKNOWN
	wait_ticks 5
	says_of "$SHM0" DISRUPTED
	now_says UNKNOWN
	kill -s CONT "${RIG_PID[client]}"
	watch_until 10 says SYNCHRONIZED
}

@test "where a VMClock is watched nothing is trusted in shm without a daemon" {
	vmclock_make
	truth_start 1000000
	client_start
	daemon_watch --shm-v1
	watch_until 10 says SYNCHRONIZED
	stop daemon KILL || (($? == 137))
	wait_until 8 says_of "$SHM0" FREE_RUNNING
	now_says UNKNOWN
}

@test "without a VMClock shm ages as shm0 does" {
	truth_start 1000000
	client_start
	daemon_start --shm-v1
	watch_until 10 says SYNCHRONIZED
	stop daemon
	says SYNCHRONIZED
	watch_until 8 says FREE_RUNNING
	says_of "$SHM0" FREE_RUNNING
}

@test "shm goes on with the next daemon, or is unknown where it has none" {
	local inode before

	truth_start 1000000
	client_start
	daemon_start --shm-v1
	watch_until 10 says SYNCHRONIZED
	inode=$(stat -c %i "$SEGMENT")
	stop daemon
	before=$(generation)
	daemon_start --shm-v1
	wait_ticks 2
	watch_until 10 says SYNCHRONIZED
	[[ $(stat -c %i "$SEGMENT") == "$inode" ]]
	(($(generation) > before))
	stop daemon
	now_says SYNCHRONIZED
	daemon_start
	wait_until 5 says_of "$SHM0" SYNCHRONIZED
	now_says UNKNOWN
	[[ $(stat -c %i "$SEGMENT") == "$inode" ]]
	before=$(generation)
	SEGMENT=$SHM0 wait_ticks 2
	(($(generation) == before))
}

@test "without the option there is no shm" {
	fake_start good
	SEGMENT=$SHM0 daemon_start
	wait_until 5 says_of "$SHM0" SYNCHRONIZED
	[[ ! -e $SEGMENT ]]
}

@test "a daemon that loses shm ends, and one that cannot make it says so" {
	fake_start good
	daemon_start --shm-v1
	wait_until 5 now_says SYNCHRONIZED
	rm "$SEGMENT"
	wait_until 5 is_gone "${RIG_PID[daemon]}"
	run -1 reap daemon
	has_logged "the segment was removed, replaced or cut"
	mkdir "$SEGMENT"
	run -1 --separate-stderr "$CB_DAEMON" -d --run-dir "$RUN" --shm-v1 \
	    --chrony-socket "$RIG/client/chronyd.sock"
	[[ $stderr == *"cannot create shm: "* ]]
}
