#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# What sources have measured bounds the oscillator's rate: two daemons beside
# one chronyd, the one told how fast that may change.
#
# shellcheck disable=SC2034,SC2154 # of rig.bash, and bats's

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

# half_width SEGMENT: HALF_NS, the widest of a second in which none has missed.
half_width()
{
	run -0 "$RIG_TOOLS/truth" 1 "$1" "$VMCLOCK" 0 0 "$TRUTH_T0" 5
	[[ $output =~ ^trusted\ [0-9]+,\ missed\ 0,\ half-width\ ([0-9]+)$ ]]
	HALF_NS=${BASH_REMATCH[1]}
}

# Twice as narrow.
is_narrower()
{
	local plain

	half_width "$RIG/plain/shm0"
	plain=$HALF_NS
	half_width "$SEGMENT"
	((2 * HALF_NS < plain))
}

# is_synchronized SEGMENT
is_synchronized()
{
	[[ $("$CB_NOW" -s "$1" --vmclock "$VMCLOCK" -f %s) == SYNCHRONIZED ]]
}

@test "--max-wander: half as wide beside a frequency that ramps, and true" {
	now_us
	TRUTH_T0=$((NOW_US * 1000))
	# By 0.005 ppm in a second.
	server_start truth 0 0 "$TRUTH_T0" 5
	rig_address 0
	RIG_SERVERS=("server $ADDRESS port $RIG_PORT iburst minpoll 1 maxpoll 1")
	client_start
	spawn plain "$CB_DAEMON" -d --run-dir "$RIG/plain" \
	    --chrony-socket "$RIG/client/chronyd.sock"
	daemon_start --max-wander 0.01
	wait_until 20 is_synchronized "$SEGMENT"
	wait_until 20 is_synchronized "$RIG/plain/shm0"
	wait_until 90 is_narrower
	has_logged "contradict" 0
	"$RIG_TOOLS/look" "$RUN/observe" |
	    jq -e '.daemon.max_wander_ppt == 10000 and
	    .counts.wander_breaks == 0'
}

@test "--max-wander that cannot be: exit 2" {
	for value in 0 0.0000001 0.0000015 10.000001 11 -1 +1 1e-2 1ms . ""; do
		run -2 --separate-stderr "$CB_DAEMON" --run-dir "$RUN" \
		    --max-wander "$value"
		[[ $stderr == "cb-daemon: --max-wander ${value:-''}: expected a \
number from 0.000001 to 10, with six decimals at most" ]]
	done
	run -2 --separate-stderr "$CB_DAEMON" --run-dir "$RUN" \
	    --max-wander 0.01 --clock-error-bound-source chrony-tracking
	[[ $stderr == *"expected --clock-error-bound-source chrony with it" ]]
	[[ ! -e $RUN ]]
}
