#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Descriptors, memory and clocks that a daemon asks for and does not get.
#
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own
# shellcheck disable=SC2034,SC2154 # rig.bash's variables, and bats's

bats_require_minimum_version 1.5.0
load faults

#
# Descriptors
#

@test "started with as few descriptors as can be: one line, exit 1, or it runs" {
	local limit refused=0

	fake_start good
	# 0, 1 and 2 are open; the last that is too few is refused something.
	for ((limit = 4; ; limit++)); do
		# shellcheck disable=SC2016 # expanded by the inner shell
		spawn daemon sh -c 'ulimit -S -n "$1"; shift; exec "$@"' sh \
		    "$limit" "$CB_DAEMON" -d --run-dir "$RUN" \
		    --chrony-socket "$RIG/client/chronyd.sock"
		wait_until 5 started_or_ended
		if is_running daemon; then
			break
		fi
		status=0
		reap daemon || status=$?
		echo "$limit: $(<"$RIG/daemon.log")"
		((status == 1))
		((++refused))
		[[ $(<"$RIG/daemon.log") == *"cannot "*"Too many open files" ]]
		(($(wc -l <"$RIG/daemon.log") == 1))
	done
	((refused >= 2 && limit < 16))
	# What it lacks now is said, and that is all.
	wait_ticks 3
	read_now
	is_right
	prlimit --pid "${RIG_PID[daemon]}" --nofile=64:
	watch_until 5 says SYNCHRONIZED
}

started_or_ended()
{
	! is_running daemon || (($(log_count "version") == 1))
}

@test "no descriptor while it runs: unknown in the end, then as before" {
	fake_start good
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	fds=$(descriptors daemon)
	prlimit --pid "${RIG_PID[daemon]}" --nofile=3:
	# The connection that it has serves as long as chronyd lives.
	wait_ticks 3
	watch_until 5 says SYNCHRONIZED
	stop client KILL || true
	fake_start good
	watch_until 5 says FREE_RUNNING
	watch_until 10 says UNKNOWN
	has_logged "no sample: $RIG/client/chronyd.sock: cannot make a socket:\
 Too many open files"
	prlimit --pid "${RIG_PID[daemon]}" --nofile=64:
	watch_until 5 says SYNCHRONIZED
	has_logged "chronyd answers"
	(($(descriptors daemon) == fds))
}

@test "started with thousands of files open: none is kept, all it needs works" {
	local fd

	ulimit -n 4096 || skip "the limit of open files is below 4096"
	fake_start good
	# shellcheck disable=SC2016 # expanded by the inner shell
	spawn daemon bash -c 'for ((fd = 3; fd < 3000; fd++)); do
		eval "exec $fd</dev/null"; done; exec "$@"' bash "$CB_DAEMON" \
	    -d --run-dir "$RUN" --chrony-socket "$RIG/client/chronyd.sock"
	wait_until 10 test -e "$SEGMENT"
	wait_until 5 now_says SYNCHRONIZED
	# What select(2) watches has to be below FD_SETSIZE.
	for fd in "/proc/${RIG_PID[daemon]}/fd/"*; do
		[[ $(readlink "$fd") == /dev/null ]] || ((${fd##*/} < 1024))
	done
	"$RIG_TOOLS/look" "$RUN/observe" | grep -q '"format":1'
}

#
# Memory
#

@test "memory refused at the start: one line, exit 1; its filter needs it alone" {
	fake_start good
	clear_failures
	memory_fails 1
	run -1 --separate-stderr timeout 5 "$FAULTS/cb-daemon" -d \
	    --run-dir "$RUN" --chrony-socket "$RIG/client/chronyd.sock"
	echo "$stderr"
	[[ -z $output && $stderr == "cb-daemon: cannot filter system calls "* ]]
	((${#stderr_lines[@]} == 1))
	CB_DAEMON=$FAULTS/cb-daemon
	daemon_start --no-seccomp
	watch_until 5 says SYNCHRONIZED
}

@test "memory refused while it runs: what is told is whole, or not told" {
	local i object whole=0 cut=0

	fake_start good
	failing_daemon_start
	wait_until 5 now_says SYNCHRONIZED
	keys=$("$RIG_TOOLS/look" "$RUN/observe" | jq -c '[paths] | length')
	memory_fails 100
	for ((i = 0; i < 200; i++)); do
		object=$("$RIG_TOOLS/look" "$RUN/observe")
		if [[ -z $object ]]; then
			((++cut))
			continue
		fi
		((++whole))
		[[ $(jq -c '[paths] | length' <<<"$object") == "$keys" ]]
	done
	echo "$whole whole, $cut cut"
	((whole > 5 && cut > 5))
	memory_fails 1
	[[ -z $("$RIG_TOOLS/look" "$RUN/observe") ]]
	wait_ticks 10
	now_says SYNCHRONIZED
	is_right
	memory_fails 0
	"$RIG_TOOLS/look" "$RUN/observe" | grep -q '"format":1'
}

@test "no memory for a program that reads: one line, exit 2, no trust" {
	local segment

	fake_start good
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	clear_failures
	memory_fails 1
	for segment in "$RUN/shm0" "$RUN"; do
		run -2 --separate-stderr "$FAULTS/cb-now" -s "$segment" \
		    --vmclock "$VMCLOCK"
		echo "$stderr"
		[[ -z $output && $stderr == "cb-now: $segment: malloc: Cannot\
 allocate memory" ]]
	done
}

#
# Clocks
#

@test "a clock that cannot be read: the daemon ends, nothing wrong is trusted" {
	local id odds watched=false

	fake_start good
	# REALTIME, MONOTONIC, _RAW, _COARSE, BOOTTIME.
	for id in 0 1 4 6 7; do
		for odds in 1 30; do
			failing_daemon_start --interval 10
			wait_until 5 now_says SYNCHRONIZED
			$watched || truth_watch
			watched=true
			clock_fails "$id" "$odds"
			watch_until 5 is_gone "${RIG_PID[daemon]}"
			ends_with "a clock cannot be read: Invalid argument"
			leaves_no_socket
			# What was published last holds, and ages.
			read_now
			is_right
		done
	done
	truth_was_held
}

# Neither that which chronyd replies to nor that of those who look.
leaves_no_socket()
{
	local left

	left=$(find "$RIG/client" "$RUN" -type s ! -name chronyd.sock)
	echo "left: $left"
	[[ -z $left ]]
}

@test "a clock that a reader cannot read: one line, exit 2, or it is right" {
	local id odds segment read

	fake_start good
	daemon_start --interval 10
	wait_until 5 now_says SYNCHRONIZED
	clear_failures
	CB_NOW=$FAULTS/cb-now
	for segment in "$RUN/shm0" "$RUN"; do
		SEGMENT=$segment read=0
		for id in 0 1 6; do
			for odds in 1 2 3; do
				clock_fails "$id" "$odds"
				reads_right_or_not
			done
		done
		# That of the counter asks no clock, once it has looked.
		((read > 0))
	done
}

reads_right_or_not()
{
	local from tries

	for tries in {1..5}; do
		now_us
		from=$NOW_US
		if read_now; then
			is_right
			now_us
			((EARLIEST / 1000 <= NOW_US && LATEST / 1000 >= from))
			((++read))
		else
			((CODE == 2))
			[[ $LINE == "cb-now: $SEGMENT: clock_gettime:"* &&
			    $LINE != *$'\n'* ]]
		fi
	done
}
