# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # rig.bash's variables, and bats's
#
# On top of the rig: what is asked of a daemon whose world fails.

load ../rig

FAULTS=$RIG_ROOT/tests/faults
TRUTH_NS=0

setup()
{
	[[ -x $FAULTS/cb-daemon ]] || {
		echo "not built: run make check-faults" >&2
		return 1
	}
	rig_open
}

teardown()
{
	[[ -n ${BATS_TEST_COMPLETED-} ]] || rig_show_logs
	rig_close
}

needs_root()
{
	((EUID == 0)) || skip "only root may $1"
}

#
# Programs for which clocks and memory fail: fail.c
#

failing_daemon_start()
{
	clear_failures
	CB_DAEMON=$FAULTS/cb-daemon
	daemon_start "$@"
}

clear_failures()
{
	rm -f "$RIG/failures"
	truncate -s 16 "$RIG/failures"
	export FAILURES=$RIG/failures
}

# clock_fails ID ODDS
clock_fails()
{
	poke "$RIG/failures" 4 4 "$2"
	poke "$RIG/failures" 0 4 $((1 << $1))
}

memory_fails()
{
	poke "$RIG/failures" 8 4 "$1"
}

#
# Where the offset is 0, the middle of shm0 is true by itself
#

# Both of these end at a reading that does not hold true time.
truth_watch()
{
	spawn reader "$RIG_TOOLS/reader" "$RUN" "$VMCLOCK" "$TRUTH_NS"
	spawn reader0 "$RIG_TOOLS/reader" "$RUN/shm0" "$VMCLOCK" "$TRUTH_NS"
	wait_until 5 grep -q "child status 1" "$RIG/reader.log"
	wait_until 5 grep -q "child status 1" "$RIG/reader0.log"
}

truth_was_held()
{
	is_running reader
	is_running reader0
	! grep missed "$RIG/reader.log" "$RIG/reader0.log"
}

# ends_with MESSAGE: the daemon, by itself, with status 1 and this last line.
ends_with()
{
	local status=0

	wait_until 5 is_gone "${RIG_PID[daemon]}"
	reap daemon || status=$?
	((status == 1))
	[[ $(tail -n 1 "$RIG/daemon.log") == "cb-daemon: $1" ]]
}
