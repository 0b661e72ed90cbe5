#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# The C libraries of ClockBound 2.0.3 and 3.0 read what cb-daemon writes, and
# programs that were built for the former run on ours.
#
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own
# shellcheck disable=SC2034,SC2154 # rig.bash's variables, and bats's

bats_require_minimum_version 1.5.0

load peers

setup()
{
	rig_open
}

teardown()
{
	[[ -n ${BATS_TEST_COMPLETED-} ]] || rig_show_logs
	rig_close
}

# exactly LIBRARY SEGMENTS WITHIN_NS
exactly()
{
	local range="0 to ([0-9]+)"
	local line="^readings ([0-9]+), earliest $range, latest $range$"

	run "$INTEROP/exact" "$OURS" "$1/libclockbound.so" "$2" "$RIG/segment"
	((status != 77)) || skip "$output"
	echo "# $output" >&3
	((status == 0))
	[[ $output =~ $line ]]
	((BASH_REMATCH[1] == 4 * $2))
	((BASH_REMATCH[2] <= $3 && BASH_REMATCH[3] <= $3))
}

# live LIBRARY SEGMENT: beside a daemon that has a VMClock, and writes often,
# while true time wanders.
live()
{
	truth_start 3000000 10
	client_start
	"$CB_VMCLOCK" create "$VMCLOCK"
	daemon_watch --interval 10
	wait_until 10 now_says SYNCHRONIZED
	run "$INTEROP/live" "$OURS" "$1/libclockbound.so" 100 "$2" \
	    "$VMCLOCK" "$TRUTH_NS" "$TRUTH_PPM" "$TRUTH_T0"
	echo "# $output" >&3
	((status == 0))
	# A hundred thousand of ours, and as many of theirs.
	[[ $output == "trusted 200000, missed 0, "*", apart 0, "* ]]
}

@test "2.0.3's library says what ours does, to 1 ns, inwards" {
	reference ffi-2
	exactly "$PEER" 250000 1
}

@test "3.0's library says what ours does, to 2 ns, inwards" {
	reference ffi-3
	exactly "$PEER" 25000 2
}

@test "2.0.3's library reads shm0 while it is written, and true time is in it" {
	reference ffi-2
	live "$PEER" "$SEGMENT"
}

@test "3.0's library reads shm1 while it is written, and true time is in it" {
	reference ffi-3
	needs_counter
	live "$PEER" "$RUN/shm1"
}

# The file libclockbound.so is replaced: a program finds it as it was told when
# it was linked, and that library has no soname.
# replaces_theirs [OPTION-OF-CC...]
replaces_theirs()
{
	truth_start 1000000
	client_start
	daemon_start
	wait_until 10 now_says SYNCHRONIZED
	mkdir "$RIG/lib"
	cp "$PEER/clockbound.h" "$PEER/libclockbound.so" "$RIG/lib"
	build_client program "$RIG/lib" -Wl,-rpath,"$RIG/lib" "$@"
	run -0 --separate-stderr "$RIG/program" "$SEGMENT" "$VMCLOCK"
	is_reading
	# What only ours opens.
	run -1 "$RIG/program" "$RUN" "$VMCLOCK"
	cp --remove-destination "$OURS" "$RIG/lib/libclockbound.so"
	run -0 --separate-stderr "$RIG/program" "$SEGMENT" "$VMCLOCK"
	is_reading
	run -0 "$RIG/program" "$RUN" "$VMCLOCK"
}

# Is that all there is in $output, and true time in it?
is_reading()
{
	[[ -z $stderr ]]
	LINE="${output% *} STATUS"
	parse_now
	holds_truth
	[[ $output =~ \ [$SYNCHRONIZED$FREE_RUNNING]$ ]]
}

@test "a C program that was built for 2.0.3's library runs on ours" {
	reference ffi-2
	replaces_theirs
}

@test "a C++ program that was built for 2.0.3's library runs on ours" {
	reference ffi-2
	replaces_theirs -x c++
}

@test "a program that is built for ours, from the same source, runs" {
	fake_start good
	daemon_start
	make -s -C "$RIG_ROOT" install DESTDIR="$RIG" PREFIX=
	mv "$RIG/include/clockbound.h" "$RIG/lib"
	build_client c "$RIG/lib"
	build_client c++ "$RIG/lib" -x c++
	read_forever c c "$RIG/lib" "$SEGMENT"
	read_forever c++ c++ "$RIG/lib" "$RUN"
	readers_say "$SYNCHRONIZED" c c++
}

@test "our library has every function of 2.0.3's" {
	reference ffi-2
	functions "$PEER/libclockbound.so" >"$RIG/theirs"
	functions "$OURS" >"$RIG/ours"
	grep -qx clockbound_now "$RIG/theirs"
	run -0 comm -23 "$RIG/theirs" "$RIG/ours"
	[[ -z $output ]]
}

# functions LIBRARY: what a program can call.
functions()
{
	nm -D --defined-only "$1" |
	    sed -n 's/.* T \(clockbound_[^@]*\).*/\1/p' | sort
}

# rig_with_vmclock: a daemon that has one, and has said synchronized.
rig_with_vmclock()
{
	truth_start 1000000
	client_start
	"$CB_VMCLOCK" create "$VMCLOCK"
	daemon_watch
	wait_until 10 now_says SYNCHRONIZED
}

# disrupt STATUS READER...: by a signal, then by the VMClock.  STATUS is what
# readers say by themselves, while the daemon sees nothing.
disrupt()
{
	local by_itself=$1

	shift
	readers_say "$SYNCHRONIZED" "$@"
	kill -s USR1 "${RIG_PID[daemon]}"
	readers_say "$DISRUPTED" "$@"
	kill -s USR2 "${RIG_PID[daemon]}"
	readers_say "$SYNCHRONIZED" "$@"
	kill -s STOP "${RIG_PID[daemon]}"
	"$CB_VMCLOCK" disrupt "$VMCLOCK"
	readers_say "$by_itself" "$@"
	kill -s CONT "${RIG_PID[daemon]}"
	readers_say "$SYNCHRONIZED" "$@"
	has_logged "disruption: marker 2, was 1"
}

@test "a disruption reaches programs on 2.0.3's library, as on ours" {
	reference ffi-2
	build_client program "$PEER"
	rig_with_vmclock
	read_forever second program "$PEER" "$SEGMENT"
	read_forever ours program "${OURS%/*}" "$SEGMENT"
	disrupt "$UNKNOWN" second ours
}

@test "a disruption reaches programs on 3.0's library, as on ours" {
	needs_counter
	reference ffi-3
	build_client for3 "$PEER"
	rig_with_vmclock
	read_forever third for3 "$PEER" "$RUN/shm1"
	reference ffi-2
	build_client for2 "$PEER"
	read_forever ours for2 "${OURS%/*}" "$RUN/shm1"
	disrupt "$DISRUPTED" third ours
}

@test "a daemon that comes to have a VMClock ends no readers but 3.0's" {
	needs_counter
	reference ffi-3
	build_client for3 "$PEER"
	fake_start good
	daemon_start
	wait_until 10 now_says SYNCHRONIZED
	read_forever third for3 "$PEER" "$RUN/shm1"
	reference ffi-2
	build_client for2 "$PEER"
	read_forever second for2 "$PEER" "$SEGMENT"
	read_forever ours for2 "${OURS%/*}" "$SEGMENT"
	read_forever ours-by-counter for2 "${OURS%/*}" "$RUN/shm1"
	readers_say "$SYNCHRONIZED" third second ours ours-by-counter
	stop daemon
	"$CB_VMCLOCK" create "$VMCLOCK"
	daemon_watch
	readers_say "error 2" third
	readers_say "$SYNCHRONIZED" second ours ours-by-counter
	reader_says third "error 2"
}
