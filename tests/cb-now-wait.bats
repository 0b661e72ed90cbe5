#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# cb-now(1) --wait: it never ends early, and it ends.

bats_require_minimum_version 1.5.0
load rig

setup()
{
	rig_open
}

teardown()
{
	[[ -n ${BATS_TEST_COMPLETED-} ]] || rig_show_logs
	rig_close
}

# still_segment NANOSECONDS: a half-width that does not change, and no daemon.
still_segment()
{
	fake_start good
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	stop daemon
	poke "$SEGMENT" 64 4 0
	publish 48 8 "$1"
}

# publish OFFSET SIZE VALUE: seen by whoever has read the segment already.
publish()
{
	poke "$SEGMENT" "$@"
	poke "$SEGMENT" 14 2 $((($(generation) + 2) & 0xffff | 2))
}

# at MILLISECONDS: TIME and TIME_US, that far from now.
at()
{
	now_us
	TIME_US=$((NOW_US + $1 * 1000))
	printf -v TIME '%d.%06d' $((TIME_US / 1000000)) $((TIME_US % 1000000))
}

# to_us SECONDS-WITH-DECIMALS: US, cut.
to_us()
{
	local ns=${1/./}

	US=$((ns / 1000))
}

wait_start()
{
	spawn wait "$CB_NOW" -s "$SEGMENT" --vmclock "$VMCLOCK" "$@"
}

# sleeps: it has looked, and waits.
sleeps()
{
	grep -qs "$RUN" "/proc/${RIG_PID[wait]}/maps" &&
	    grep -qs '^State:.S' "/proc/${RIG_PID[wait]}/status"
}

is_past()
{
	now_us
	((NOW_US > $1))
}

now()
{
	"$CB_NOW" -s "$SEGMENT" "$@"
}

@test "without a time: prints latest, and ends when earliest is past it" {
	still_segment 200000000
	now_us
	start=$NOW_US
	run -0 --separate-stderr now --wait
	now_us
	[[ $output =~ ^[0-9]+\.[0-9]{9}$ && -z $stderr ]]
	to_us "$output"
	((US >= start + 200000 && NOW_US >= US + 200000))
}

@test "latest is printed before the wait" {
	still_segment 3600000000000
	wait_start --wait
	wait_until 5 test -s "$RIG/wait.log"
	is_running wait
}

@test "with a time: ends when that is past for certain, and prints nothing" {
	still_segment 300000000
	at 200
	run -0 --separate-stderr now --wait="$TIME"
	now_us
	[[ -z $output && -z $stderr ]]
	((NOW_US >= TIME_US + 300000))
}

@test "a time that has passed is not waited for" {
	still_segment 1000
	for time in 0 -1 1969-07-20T20:17:40Z @1; do
		run -0 --separate-stderr timeout 5 "$CB_NOW" -s "$SEGMENT" \
		    --wait="$time"
		[[ -z $output && -z $stderr ]]
	done
}

@test "the reading that ends a wait has an earliest that is past its time" {
	still_segment 1000000
	for _ in {1..50}; do
		at 3
		run -0 now --wait="$TIME" -f '%Ne %s %v'
		read -r earliest word trusted <<<"$output"
		((earliest > TIME_US * 1000))
		[[ $word == SYNCHRONIZED || $word == FREE_RUNNING ]]
		[[ $trusted == true ]]
	done
}

@test "with a format: the reading whose latest is waited for" {
	still_segment 1000
	run -0 now --wait -f '%e %l'
	((${#lines[@]} == 1))
	run -0 now --wait -j
	jq -e .trusted <<<"$output"
}

@test "beside a real chronyd: what --wait printed has truly passed" {
	truth_start 3000000
	client_start
	wait_until 5 client_is_synchronised
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	for _ in {1..50}; do
		now_us
		began=$((NOW_US * 1000 + TRUTH_NS))
		time=$("$CB_NOW" -s "$SEGMENT" --wait)
		now_us
		ended=$(((NOW_US + 1) * 1000 + TRUTH_NS))
		((began < ${time/./} && ${time/./} < ended))
		"$CB_NOW" -s "$SEGMENT" --after "$time"
	done
}

@test "a wait without a time begins when the status can be trusted" {
	still_segment 1000
	publish 68 4 0
	wait_start --wait
	wait_until 5 sleeps
	[[ ! -s $RIG/wait.log ]]
	now_us
	trusted=$NOW_US
	publish 68 4 1
	reap wait
	to_us "$(<"$RIG/wait.log")"
	((US >= trusted))
}

@test "a wait goes on while the status cannot be trusted" {
	still_segment 1000
	for number in 0 3; do
		publish 68 4 "$number"
		at 100
		wait_start --wait="$TIME"
		wait_until 5 is_past $((TIME_US + 300000))
		is_running wait
		publish 68 4 1
		reap wait
		[[ ! -s $RIG/wait.log ]]
	done
}

@test "--trust=synchronized waits for that" {
	still_segment 1000
	publish 68 4 2
	wait_start --wait=1 --trust=synchronized
	wait_until 5 sleeps
	publish 68 4 1
	reap wait
}

@test "a disruption that a VMClock tells of holds a wait up" {
	vmclock_make
	fake_start good
	daemon_watch
	wait_until 5 now_says SYNCHRONIZED
	stop daemon KILL || true
	at 2000
	wait_start --wait="$TIME"
	wait_until 5 sleeps
	vmclock_disrupt 7
	wait_until 5 is_past $((TIME_US + 300000))
	is_running wait
	daemon_watch
	reap wait
	read_now
	says SYNCHRONIZED
}

@test "a wait goes on through a segment that is of no use" {
	still_segment 1000
	at 2000
	wait_start --wait="$TIME"
	wait_until 5 sleeps
	publish 48 8 -1
	wait_until 5 is_past $((TIME_US + 200000))
	is_running wait
	publish 48 8 1000
	reap wait
	[[ ! -s $RIG/wait.log ]]
}

@test "a wait follows its segment to the daemon's new one" {
	still_segment 1000
	publish 68 4 0
	wait_start --wait=1
	wait_until 5 sleeps
	rm "$SEGMENT"
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	reap wait
	[[ ! -s $RIG/wait.log ]]
}

@test "a wait goes on through a restart of the daemon" {
	fake_start good
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	at 700
	wait_start --wait="$TIME" -f %s
	wait_until 5 sleeps
	stop daemon KILL || true
	daemon_start
	reap wait
	now_us
	((NOW_US > TIME_US))
	[[ $(<"$RIG/wait.log") == SYNCHRONIZED ]]
}

@test "--timeout: 1 where the time has not passed, and not before" {
	still_segment 1000
	for time in '' "=$(($(date +%s) + 1000))" =9999-12-31T23:59:59Z; do
		publish 48 8 3600000000000
		now_us
		start=$NOW_US
		run -1 --separate-stderr now --wait"$time" --timeout 200ms
		now_us
		((NOW_US >= start + 200000))
		[[ -z $stderr ]]
	done
}

@test "--timeout: 3 where the status cannot be trusted at the end" {
	still_segment 1000
	for number in 0 3; do
		publish 68 4 "$number"
		run -3 --separate-stderr now --wait --timeout 150ms
		[[ -z $output && -z $stderr ]]
		run -3 --separate-stderr now --wait=1 --timeout 0 -f %s
		[[ -z $output && -z $stderr ]]
	done
	publish 68 4 2
	run -3 now --wait=1 --timeout 0.01 --trust=synchronized
	publish 68 4 1
	publish 48 8 -1
	run -2 --separate-stderr now --wait=1 --timeout 10ms
	[[ $stderr == *"malformed segment" ]]
}

@test "--timeout 0 looks once" {
	still_segment 1000
	run -0 now --wait=1 --timeout 0
	run -1 now --wait=9999-12-31T23:59:59Z --timeout 0s
}

@test "what cannot be read at the start is not waited for" {
	run -2 --separate-stderr timeout 5 "$CB_NOW" -s "$RIG/none" --wait
	[[ $stderr == *"open"* && -z $output ]]
}

@test "a wait sleeps" {
	still_segment 1000
	TIMEFORMAT=%U:%S
	for number in 1 0; do
		publish 68 4 "$number"
		used=$({
			time now --wait=9999-12-31T23:59:59Z --timeout 2
		} 2>&1) || true
		IFS=: read -r user system <<<"$used"
		echo "$used"
		((10#${user/./} + 10#${system/./} < 100))
	done
}

# switches: how often it has gone to sleep.
switches()
{
	awk '$1 == "voluntary_ctxt_switches:" { print $2 }' \
	    "/proc/${RIG_PID[wait]}/status"
}

@test "a long wait wakes up about once a second" {
	still_segment 1000
	wait_start --wait=9999-12-31T23:59:59Z
	wait_until 5 sleeps
	before=$(switches)
	now_us
	wait_until 5 is_past $((NOW_US + 2000000))
	echo "$before $(switches)"
	(($(switches) - before <= 5))
}
