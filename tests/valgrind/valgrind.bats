#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# The programs as they are, but not static, by valgrind's eyes: it sees bytes
# that were never set, which sanitizers do not.
#
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own
# shellcheck disable=SC2034,SC2154 # the rig's variables, and bats's

bats_require_minimum_version 1.5.0
load ../rig

# wrap PATH PROGRAM [OPTION...]: PATH is PROGRAM under valgrind.
wrap()
{
	cat >"$1" <<-END
		#!/bin/sh
		exec valgrind -q --leak-check=full --error-exitcode=99 \
		    --log-file="\$REPORTS/%p" $2 ${@:3} "\$@"
	END
	chmod 755 "$1"
}

setup_file()
{
	local tree=$BATS_FILE_TMPDIR/tree name

	mkdir "$tree"
	"$RIG_ROOT/tests/tools/copy.sh" "$tree"
	make -s -C "$tree" all CFLAGS="-O1 -g" STATIC= >/dev/null
	for name in cb-now cb-status cb-vmclock; do
		wrap "$BATS_FILE_TMPDIR/$name" "$tree/cmd/$name/$name"
	done
	# It does more than the filter lets a daemon do.
	wrap "$BATS_FILE_TMPDIR/cb-daemon" "$tree/cmd/cb-daemon/cb-daemon" \
	    --no-seccomp
}

setup()
{
	rig_open
	export REPORTS=$RIG/reports
	mkdir "$REPORTS"
	CB_DAEMON=$BATS_FILE_TMPDIR/cb-daemon
	CB_NOW=$BATS_FILE_TMPDIR/cb-now
	CB_STATUS=$BATS_FILE_TMPDIR/cb-status
	CB_VMCLOCK=$BATS_FILE_TMPDIR/cb-vmclock
}

teardown()
{
	[[ -n ${BATS_TEST_COMPLETED-} ]] || rig_show_logs
	rig_close
}

# Every process has a report, which is empty.
finds_nothing()
{
	[[ -n $(ls "$REPORTS") ]]
	run find "$REPORTS" -type f -size +0 -exec cat {} +
	echo "$output"
	[[ -z $output ]]
}

# With the daemon that is not looked at.
segment_is_written()
{
	vmclock_make
	truth_start 0
	client_start
	CB_DAEMON=$RIG_ROOT/cmd/cb-daemon/cb-daemon
	daemon_watch
	wait_until 10 has_logged "status synchronized"
}

@test "cb-daemon: a disruption, questions, three segments, the end" {
	vmclock_make
	truth_start 0
	client_start
	daemon_watch --shm-v1
	wait_until 30 has_logged "status synchronized"
	vmclock_disrupt 1
	wait_until 30 has_logged "disruption: marker 1, was 0"
	wait_until 30 has_logged "status synchronized" 2
	"$RIG_TOOLS/look" "$RUN/observe" >"$RIG/look.log"
	stop daemon
	finds_nothing
}

@test "cb-now: forms, questions, a stream, a wait, and what is no segment" {
	segment_is_written
	for options in -i -j "-c 3 -I 10ms" --wait --after=@1 --within=1h \
	    "-f %Ie%Nl%h%a%v"; do
		# shellcheck disable=SC2086 # words
		"$CB_NOW" -s "$RUN" --vmclock "$VMCLOCK" $options
	done
	run -2 "$CB_NOW" -s "$RIG/none"
	run -2 "$CB_NOW" -s "$VMCLOCK"
	finds_nothing
}

@test "cb-status: every form, with and without its daemon" {
	segment_is_written
	for options in "" -j "-o openmetrics" "-o plugin -w 1h -c 2h" -q; do
		# shellcheck disable=SC2086 # words
		"$CB_STATUS" -s "$RUN" --vmclock "$VMCLOCK" $options
	done
	stop daemon
	for options in "" -j "-o openmetrics" "-o plugin"; do
		# shellcheck disable=SC2086 # words
		"$CB_STATUS" -s "$RUN" --vmclock "$VMCLOCK" $options ||
		    (($? < 4))
	done
	finds_nothing
}

@test "cb-vmclock: create, set, show, disrupt, watch" {
	"$CB_VMCLOCK" create "$VMCLOCK" disruption_marker=1
	"$CB_VMCLOCK" set "$VMCLOCK" tai_offset_sec=37 flags=none
	"$CB_VMCLOCK" show "$VMCLOCK"
	"$CB_VMCLOCK" -j "$VMCLOCK"
	# Until it has seen one: at first it only looks.
	spawn watch "$CB_VMCLOCK" watch -n 1 -t 30s "$VMCLOCK"
	until is_gone "${RIG_PID[watch]}"; do
		"$CB_VMCLOCK" disrupt "$VMCLOCK"
	done
	reap watch
	grep disruption_marker "$RIG/watch.log"
	finds_nothing
}

@test "valgrind finds a byte that was never set" {
	echo 'int main(int n, char **v) { char c[9]; return c[n] ? 0 : !v; }' |
	    gcc -x c -O0 -o "$RIG/fault" -
	wrap "$RIG/wrapped" "$RIG/fault"
	run -99 "$RIG/wrapped"
	grep -q uninitialised "$REPORTS"/*
}
