#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# What is wrong with a segment: programs look at the kind of the error, so ours
# is that of ClockBound 2.0.3's library.  Where ours is stricter it is here
# too: what the other one makes of such a file no program can want.
#
# One program, built for the other library, runs on each of the two.
#
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own
# shellcheck disable=SC2034,SC2154 # rig.bash's variables, and bats's

bats_require_minimum_version 1.5.0

load peers

# What clockbound.h calls them.
NOT_INITIALIZED=2 MALFORMED=3 BREACH=4 NOT_SUPPORTED=5

setup()
{
	rig_open
	reference ffi-2
	build_client program "$PEER"
	# The daemon never hears of a time: this status does not come of age.
	daemon_start
	wait_ticks 1
	stop daemon
	poke "$SEGMENT" 68 4 "$FREE_RUNNING"
}

teardown()
{
	[[ -n ${BATS_TEST_COMPLETED-} ]] || rig_show_logs
	rig_close
}

# verdict DIR PATH: what a program on the library in DIR makes of it.
verdict()
{
	local code=0

	VERDICT=$(LD_LIBRARY_PATH=$1 "$RIG/program" "$2" "$VMCLOCK" \
	    2>"$RIG/program.log") || code=$?
	case $VERDICT in
	*error*)	;;
	*)	VERDICT="status ${VERDICT##* }" ;;
	esac
	((code < 128)) || VERDICT=killed
}

# verdicts OURS THEIRS PATH
verdicts()
{
	verdict "${OURS%/*}" "$3"
	[[ $VERDICT == "$1" ]] || fail ours "$1" || return
	verdict "$PEER" "$3"
	[[ $VERDICT == "$2" ]] || fail theirs "$2"
}

fail()
{
	echo "$WHAT: $1 says $VERDICT, not $2"
	return 1
}

# broken [OFFSET SIZE VALUE]... [cut SIZE]: another copy of the segment.
broken()
{
	WHAT=$*
	cp "$SEGMENT" "$RIG/broken"
	while (($# > 0)) && [[ $1 != cut ]]; do
		poke "$RIG/broken" "$1" "$2" "$3"
		shift 3
	done
	[[ ${1-} != cut ]] || truncate -s "$2" "$RIG/broken"
}

# both VERDICT [WHAT...]
both()
{
	broken "${@:2}"
	verdicts "$1" "$1" "$RIG/broken"
}

# stricter OURS THEIRS [WHAT...]
stricter()
{
	broken "${@:3}"
	verdicts "$1" "$2" "$RIG/broken"
}

@test "errors are of the kinds that 2.0.3's library gives" {
	both "status $FREE_RUNNING"
	both "open error $NOT_INITIALIZED" cut 0
	both "open error $NOT_INITIALIZED" cut 15
	# magic
	both "open error $NOT_INITIALIZED" 0 4 0
	both "open error $NOT_INITIALIZED" 4 4 0x43420201
	# version; looked at before the size
	both "open error $NOT_INITIALIZED" 12 2 0
	both "open error $NOT_SUPPORTED" 12 2 9
	both "open error $NOT_SUPPORTED" 12 2 9 8 4 0
	# generation
	both "open error $NOT_INITIALIZED" 14 2 0
	# segsize
	both "open error $MALFORMED" 8 4 0
	both "open error $MALFORMED" 8 4 15
	both "open error $MALFORMED" 8 4 16
	both "open error $MALFORMED" 8 4 79
	# max_drift_ppb
	both "status $FREE_RUNNING" 64 4 999999999
	both "now error $MALFORMED" 64 4 1000000000
	both "now error $MALFORMED" 64 4 0xffffffff
	# as_of, of another boot
	both "now error $BREACH" 16 8 1000000000
}

@test "what cannot be opened is told as 2.0.3's library does" {
	WHAT="no file"
	verdicts "open error 1 2 open" "open error 1 2 open" "$RIG/none"
	WHAT="no directory"
	verdicts "open error 1 20 open" "open error 1 20 open" "$SEGMENT/none"
	# Ours looks for segments in it.
	WHAT="a directory"
	verdicts "open error 1 2 open" "open error 1 21 read SHM segment" "$RIG"
}

@test "where ours is stricter than 2.0.3's library" {
	# Shorter than it says: what is missing reads as 0, or SIGBUS comes.
	stricter "open error $MALFORMED" "status $UNKNOWN" cut 16
	stricter "open error $MALFORMED" "status $UNKNOWN" cut 40
	stricter "open error $MALFORMED" "status $FREE_RUNNING" 8 4 81
	stricter "open error $MALFORMED" "status $FREE_RUNNING" 8 4 0xffffffff
	# Never written in full.  Theirs: unknown, and half-width 0.
	stricter "now error $NOT_INITIALIZED" "status $UNKNOWN" 14 2 1
	# A bound below 0: its latest is before its earliest.
	stricter "now error $MALFORMED" "status $FREE_RUNNING" 48 8 -1
	# A time with 2 s of nanoseconds, or less than none.
	stricter "now error $MALFORMED" "status $FREE_RUNNING" \
	    16 8 1 24 8 2000000000
	stricter "now error $MALFORMED" "status $FREE_RUNNING" 24 8 -1
	stricter "now error $MALFORMED" "status $FREE_RUNNING" 40 8 2000000000
	# A time past all others.
	stricter "now error $MALFORMED" "status $FREE_RUNNING" \
	    32 8 0x7fffffffffffffff
}

@test "what ends a program on 2.0.3's library does not on ours" {
	# A status that there is not.
	stricter "now error $MALFORMED" killed 68 4 4
	# Three hundred years of bound.
	stricter "status $FREE_RUNNING" killed 48 8 0x7fffffffffffffff
}

@test "where its VMClock cannot be read, ours opens and trusts nothing" {
	stricter "status $UNKNOWN" "open error $NOT_INITIALIZED" 72 1 1
	"$CB_VMCLOCK" create "$VMCLOCK" disruption_marker=0
	both "status $FREE_RUNNING" 72 1 1
	both "status $UNKNOWN" 72 1 1 56 8 7
	"$CB_VMCLOCK" set "$VMCLOCK" version=2
	stricter "status $UNKNOWN" "open error $NOT_SUPPORTED" 72 1 1
}

# lines NAME: readings so far, errors included.
lines()
{
	wc -l <"$RIG/$1.log"
}

# has_read_on NAME LINES
has_read_on()
{
	(($(lines "$1") > $2 + 10))
}

# under_readers OFFSET SIZE VALUE...: two readers have read a copy; now it says
# disrupted, and is changed besides; and they have read on.
under_readers()
{
	local name

	broken
	read_forever theirs program "$PEER" "$RIG/broken"
	read_forever ours program "${OURS%/*}" "$RIG/broken"
	readers_say "$FREE_RUNNING" theirs ours
	# As a writer does it.
	poke "$RIG/broken" 14 2 999
	poke "$RIG/broken" 68 4 "$DISRUPTED"
	while (($# > 0)); do
		poke "$RIG/broken" "$1" "$2" "$3"
		shift 3
	done
	for name in theirs ours; do
		wait_until 5 has_read_on "$name" "$(lines "$name")"
		stop "$name" || true
	done
}

@test "both keep what they have read while nothing whole is there" {
	# No layout yet; half written; wiped.
	under_readers 12 2 0 14 2 1000
	readers_say "$FREE_RUNNING" theirs ours
	under_readers 14 2 1001
	readers_say "$FREE_RUNNING" theirs ours
	under_readers 14 2 0
	readers_say "$FREE_RUNNING" theirs ours
	# And here it is; or it is of a version that neither knows.
	under_readers 14 2 1000
	readers_say "$DISRUPTED" theirs ours
	under_readers 12 2 9 14 2 1000
	readers_say "error $NOT_SUPPORTED" theirs ours
}
