#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# What a distributor and an operator need: dist/, and a service manager.
#
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own

bats_require_minimum_version 1.5.0
load rig

PROGRAMS=(cb-daemon cb-now cb-status cb-vmclock)

setup()
{
	rig_open
	cd "$RIG_ROOT"
}

teardown()
{
	[[ -n ${BATS_TEST_COMPLETED-} ]] || rig_show_logs
	rig_close
}

# needs COMMAND PACKAGE
needs()
{
	command -v "$1" >/dev/null || skip "there is no $1: package $2"
}

#
# The service manager is told
#

# manager_start [NAME]: the daemon is to tell it, by its environment.
manager_start()
{
	spawn manager "$RIG_TOOLS/manager" "${1-$RIG/notify}"
	export NOTIFY_SOCKET=${1-$RIG/notify}
	[[ $1 == @* ]] || wait_until 5 test -S "$NOTIFY_SOCKET"
}

# was_told LINE [COUNT]: as often as that, or more.
was_told()
{
	(($(grep -cxF -- "$1" "$RIG/manager.log") >= ${2-1}))
}

@test "READY when the first tick has published, STATUS when it changes" {
	manager_start "$RIG/notify"
	daemon_start
	wait_until 5 was_told READY=1
	(($(generation) >= 2))
	read_now
	says UNKNOWN
	truth_start 0
	client_start
	wait_until 10 was_told STATUS=synchronized
	stop client
	wait_until 10 was_told "STATUS=free running"
	stop daemon
	wait_until 5 was_told STOPPING=1
	diff "$RIG/manager.log" - <<-EOF
		READY=1
		STATUS=unknown
		STATUS=synchronized
		STATUS=free running
		STOPPING=1
	EOF
}

is_abstract_there()
{
	grep -qF "$NOTIFY_SOCKET" /proc/net/unix
}

@test "a manager's socket may have an abstract name" {
	manager_start "@${RIG##*/}"
	wait_until 5 is_abstract_there
	daemon_start
	wait_until 5 was_told READY=1
}

@test "the watchdog is fed at half of its time, and not more often" {
	manager_start "$RIG/notify"
	export WATCHDOG_USEC=400000
	now_us
	from=$NOW_US
	daemon_start --interval 10
	wait_until 10 was_told WATCHDOG=1 5
	stop daemon
	told=$(grep -cxF WATCHDOG=1 "$RIG/manager.log")
	now_us
	((told <= 1 + (NOW_US - from) / 200000))
}

@test "a watchdog of another process is not fed" {
	manager_start "$RIG/notify"
	export WATCHDOG_USEC=20000 WATCHDOG_PID=1
	daemon_start
	wait_ticks 5
	was_told READY=1
	! was_told WATCHDOG=1
}

@test "a manager that cannot be told is no reason to end" {
	export NOTIFY_SOCKET=$RIG/none
	daemon_start
	wait_ticks 3
	has_logged "the service manager cannot be told: No such file"
	stop daemon
	export NOTIFY_SOCKET=notify WATCHDOG_USEC=soon
	daemon_start
	wait_ticks 3
	has_logged "NOTIFY_SOCKET notify: expected the path of a socket"
	has_logged "WATCHDOG_USEC soon: invalid: expected microseconds"
}
