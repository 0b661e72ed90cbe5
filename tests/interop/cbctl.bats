#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# ClockBound 3.0's cbctl, on the run directory of cb-daemon.
#
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own
# shellcheck disable=SC2034,SC2153,SC2154 # rig.bash's variables, and bats's

bats_require_minimum_version 1.5.0

load peers

setup()
{
	rig_open
	namespace_open
	needs_counter
	reference cbctl
	CBCTL=("${INSIDE[@]}" "$PEER")
	"$CB_VMCLOCK" create "$VMCLOCK"
	SEGMENT=$RUN/shm1
}

teardown()
{
	[[ -n ${BATS_TEST_COMPLETED-} ]] || rig_show_logs
	rig_close
}

# field LABEL [N]: what stands there in the output; the Nth of that name.
field()
{
	sed -n "s/^ *$1  *\([^ ].*\)/\1/p" <<<"$output" | sed -n "${2:-1}p"
}

# says_status STATUS
says_status()
{
	run -0 "${CBCTL[@]}" status
	[[ $(field "Clock status") == "$1" ]]
}

# in_ns TIME: a time of cbctl's, "2026-11-21T18:25:03.229112529Z".
in_ns()
{
	date -u -d "$1" +%s%N
}

# at OFFSET: seconds and nanoseconds in the segment.
at()
{
	echo $(($(segment_field "$1" d8) * 1000000000 +
	    $(segment_field $(($1 + 8)) d8)))
}

# as_bound NS: cbctl's way, four digits, rounded up.
as_bound()
{
	awk -v ns="$1" 'BEGIN {
		for (step = 1; ns / step >= 10000; step *= 10)
			;
		ns = int((ns + step - 1) / step) * step
		printf "%.0f\n", ns
	}'
}

# bound_ns "37.79 us"
bound_ns()
{
	awk -v text="$1" 'BEGIN {
		split(text, part, " ")
		unit["ns"] = 1; unit["us"] = 1e3; unit["ms"] = 1e6
		printf "%.0f\n", part[1] * unit[part[2]]
	}'
}

@test "cbctl status says what cb-now does" {
	local earlier earlier_half

	truth_start 5000000
	client_start
	daemon_watch
	wait_until 10 now_says SYNCHRONIZED
	kill -s STOP "${RIG_PID[daemon]}"
	read_now
	earlier=$MIDDLE earlier_half=$HALF_NS
	run -0 "${CBCTL[@]}" status
	read_now
	echo "$output"
	[[ $(field "Clock status") == "$STATUS" ]]
	# The end that cb-now rounds may be a nanosecond further out.
	(($(in_ns "$(field "Current time")") >= earlier - 2))
	(($(in_ns "$(field "Current time")") <= MIDDLE + 2))
	(($(bound_ns "$(field "Clock error bound (+\/-)")") >=
	    $(as_bound $((earlier_half - 2)))))
	(($(bound_ns "$(field "Clock error bound (+\/-)")") <=
	    $(as_bound "$HALF_NS")))
	# And of the segment, which stands still.
	[[ $(field "Counter value" 2) == "$(segment_field 16 u8)" ]]
	(($(in_ns "$(field "Last clock sync" | cut -d ' ' -f 1)") == $(at 24)))
	(($(in_ns "$(field "Valid until" | cut -d ' ' -f 1)") == $(at 40)))
	(($(bound_ns "$(field "Clock error bound (+\/-)" 2)") ==
	    $(as_bound "$(segment_field 72 d8)")))
	[[ $(field "Disruption support") == On ]]
}

@test "cbctl status tells a disruption, as cb-now does" {
	truth_start 0
	client_start
	daemon_watch
	wait_until 10 says_status SYNCHRONIZED
	kill -s USR1 "${RIG_PID[daemon]}"
	wait_until 5 says_status DISRUPTED
	kill -s USR2 "${RIG_PID[daemon]}"
	wait_until 10 says_status SYNCHRONIZED
	# By itself.
	kill -s STOP "${RIG_PID[daemon]}"
	"$CB_VMCLOCK" disrupt "$VMCLOCK"
	says_status DISRUPTED
	[[ $(field "Current time") == - ]]
	now_says DISRUPTED
	kill -s CONT "${RIG_PID[daemon]}"
	wait_until 10 says_status SYNCHRONIZED
}

@test "cbctl waitsync waits for cb-daemon" {
	truth_start 0
	daemon_start
	run -1 "${CBCTL[@]}" waitsync -t 1 -v
	[[ $output == *"daemon status: Unknown"* ]]
	client_start
	run -0 "${CBCTL[@]}" waitsync -t 20
	now_says SYNCHRONIZED
	run -0 "${CBCTL[@]}" waitsync -t 20 --system-clock
}

@test "cbctl waitsync --system-clock: cb-daemon knows that the clock is wrong" {
	truth_start 5000000
	client_start
	daemon_watch
	run -0 "${CBCTL[@]}" waitsync -t 20
	run -1 "${CBCTL[@]}" waitsync -t 1 -v --system-clock
	# More than the millisecond that it forgives.
	[[ $output =~ out\ of\ bounds:\ ([0-9]+)ns\ behind ]]
	((BASH_REMATCH[1] > 3000000 && BASH_REMATCH[1] < 4500000))
}
