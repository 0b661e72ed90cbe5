#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# ClockBound 2.0.3's daemon: our reader reads what it writes, and either daemon
# goes on where the other has ended.
#
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own
# shellcheck disable=SC2154 # rig.bash's variables, and bats's

bats_require_minimum_version 1.5.0

load peers

# That daemon says synchronized only where polls are 1 s apart or more.
setup()
{
	rig_open
	namespace_open
	reference daemon-2
	ORIGINAL=$PEER
	reference ffi-2
	"$CB_VMCLOCK" create "$VMCLOCK"
	truth_start 1000000
	RIG_SERVERS=("${RIG_SERVERS[0]/minpoll*/minpoll 1 maxpoll 1 iburst}")
	client_start
}

teardown()
{
	[[ -n ${BATS_TEST_COMPLETED-} ]] || rig_show_logs
	rig_close
}

original_start()
{
	spawn original "${INSIDE[@]}" "$ORIGINAL" --max-drift-rate 50
	wait_until 5 test -e "$SEGMENT"
}

@test "our library reads what 2.0.3's daemon writes, as 2.0.3's does" {
	original_start
	wait_until 30 now_says SYNCHRONIZED
	run "$INTEROP/live" "$OURS" "$PEER/libclockbound.so" 30 "$SEGMENT" \
	    "$VMCLOCK"
	echo "# $output" >&3
	((status == 0))
}

@test "a daemon goes on where the other has ended, and readers go on with it" {
	local inode generation

	build_client for2 "$PEER"
	original_start
	wait_until 30 now_says SYNCHRONIZED
	read_forever second for2 "$PEER" "$SEGMENT"
	read_forever ours for2 "${OURS%/*}" "$SEGMENT"
	readers_say "$SYNCHRONIZED" second ours
	inode=$(stat -c %i "$SEGMENT")

	# From theirs to ours.
	stop original || true
	generation=$(generation)
	daemon_watch
	wait_until 5 has_ticked "$generation" 1
	wait_until 30 now_says SYNCHRONIZED
	kill -s USR1 "${RIG_PID[daemon]}"
	readers_say "$DISRUPTED" second ours
	kill -s USR2 "${RIG_PID[daemon]}"
	readers_say "$SYNCHRONIZED" second ours

	# And back.
	stop daemon
	generation=$(generation)
	original_start
	wait_until 5 has_ticked "$generation" 1
	wait_until 30 now_says SYNCHRONIZED
	kill -s USR1 "${RIG_PID[original]}"
	readers_say "$DISRUPTED" second ours
	kill -s USR2 "${RIG_PID[original]}"
	readers_say "$SYNCHRONIZED" second ours
	(($(stat -c %i "$SEGMENT") == inode))
	run -1 grep error "$RIG/second.log" "$RIG/ours.log"
}
