#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# cb-now(1): what it prints, how it ends, what it refuses.
#
# Every segment here is one that a cb-daemon wrote, with one thing changed:
# so it is that thing which is refused.

bats_require_minimum_version 1.5.0
load rig

setup()
{
	rig_open
	fake_start good
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	stop daemon
}

teardown()
{
	[[ -n ${BATS_TEST_COMPLETED-} ]] || rig_show_logs
	rig_close
}

# refuses TEXT [PATH]: one line that names the path and says TEXT, exit 2.
refuses()
{
	local path=${2:-$SEGMENT}

	echo "expected of $path: $1"
	run -2 --separate-stderr timeout 5 "$CB_NOW" --shm "$path"
	echo "stdout: $output"
	echo "stderr: $stderr"
	[[ -z $output ]]
	[[ $stderr == "cb-now: $path: "*"$1"* && $stderr != *$'\n'* ]]
}

# refuses_poked TEXT OFFSET SIZE VALUE...: each of the values.
refuses_poked()
{
	local text=$1 offset=$2 size=$3 value

	cp "$SEGMENT" "$RIG/good"
	for value in "${@:4}"; do
		echo "$size bytes at $offset are $value"
		poke "$SEGMENT" "$offset" "$size" "$value"
		refuses "$text"
		cp "$RIG/good" "$SEGMENT"
	done
}

# refuses_option TEXT OPTION...: one line that says TEXT, exit 2.
refuses_option()
{
	local text=$1

	shift
	run -2 --separate-stderr "$CB_NOW" "$@"
	echo "$*: $stderr"
	[[ -z $output ]]
	[[ $stderr == *"cb-now: "*"$text"* && $stderr != *$'\n'* ]]
}

# shift_field OFFSET BY: of the eight bytes there.
shift_field()
{
	poke "$SEGMENT" "$1" 8 $(($(segment_field "$1" d8) + $2))
}

# age_segment SECONDS: as if it had been written this much earlier.
age_segment()
{
	shift_field 16 -"$1"
	shift_field 32 -"$1"
}

@test "one line: earliest, latest, status, for read(1)" {
	run -0 --separate-stderr "$CB_NOW" -s "$SEGMENT"
	[[ -z $stderr ]]
	[[ $output =~ ^[0-9]+\.[0-9]{9}\ [0-9]+\.[0-9]{9}\ SYNCHRONIZED$ ]]
	read -r from to word <<<"$output"
	((${from/./} < ${to/./}))
	[[ $word == SYNCHRONIZED ]]
}

@test "the interval is centred on CLOCK_REALTIME" {
	now_us
	before=$NOW_US
	read_now
	now_us
	((before <= MIDDLE / 1000 && MIDDLE / 1000 <= NOW_US))
}

@test "the half-width is the published bound and its growth, rounded up" {
	poke "$SEGMENT" 48 8 1000000
	poke "$SEGMENT" 64 4 0
	read_now
	((HALF_NS == 1000000))
	poke "$SEGMENT" 64 4 1
	age_segment 2
	read_now
	# Two seconds and what has gone by since, at one part per billion.
	((HALF_NS >= 1000003 && HALF_NS <= 1000030))
	poke "$SEGMENT" 64 4 100000
	read_now
	((HALF_NS >= 1200000 && HALF_NS <= 4000000))
}

@test "a directory stands for the segment in it" {
	run -0 "$CB_NOW" -s "$RUN"
	run -0 "$CB_NOW" --shm="$RUN/"
}

@test "exit status 0 for SYNCHRONIZED and FREE_RUNNING, 3 for the others" {
	for row in 0:UNKNOWN:3 1:SYNCHRONIZED:0 2:FREE_RUNNING:0 \
	    3:DISRUPTED:3; do
		IFS=: read -r number word expected <<<"$row"
		poke "$SEGMENT" 68 4 "$number"
		run -"$expected" --separate-stderr "$CB_NOW" -s "$SEGMENT"
		[[ $output == *" $word" && -z $stderr ]]
	done
}

@test "SYNCHRONIZED ages to FREE_RUNNING in 5 s, to UNKNOWN in 1000 s" {
	read_now
	says SYNCHRONIZED
	age_segment 5
	read_now
	says FREE_RUNNING
	((CODE == 0))
	age_segment 985
	read_now
	says FREE_RUNNING
	age_segment 10
	read_now
	says UNKNOWN
	((CODE == 3))
}

@test "DISRUPTED does not age" {
	poke "$SEGMENT" 68 4 3
	age_segment 2000
	read_now
	says DISRUPTED
	((CODE == 3))
}

@test "with disruption support and no VMClock to look at: not trusted" {
	poke "$SEGMENT" 72 1 1
	run -3 --separate-stderr "$CB_NOW" -s "$SEGMENT" \
	    --vmclock "$RIG/vmclock"
	[[ $output == *" UNKNOWN" && -z $stderr ]]
}

@test "the widest bound there is makes a line, also before 1970" {
	poke "$SEGMENT" 48 8 $((0x7fffffffffffffff))
	poke "$SEGMENT" 64 4 999999999
	run -0 --separate-stderr "$CB_NOW" -s "$SEGMENT"
	[[ $output =~ ^-[0-9]+\.[0-9]{9}\ [0-9]+\.[0-9]{9}\ SYNCHRONIZED$ ]]
}

@test "a segment that is longer than its layout is read" {
	head -c 24 /dev/zero >>"$SEGMENT"
	poke "$SEGMENT" 8 4 104
	run -0 "$CB_NOW" -s "$SEGMENT"
}

@test "refuses what is not there, or cannot be opened" {
	mkdir "$RIG/empty"
	refuses "open: No such file or directory" "$RIG/nothing"
	refuses "open: No such file or directory" "$RIG/empty"
	refuses "open: Not a directory" "$SEGMENT/shm0"
	ln -s loop "$RIG/loop"
	refuses "open: " "$RIG/loop"
}

@test "refuses what may not be read" {
	cp "$CB_NOW" "$RIG/cb-now"
	chmod 711 "$RIG"
	chmod 0 "$SEGMENT"
	run -2 --separate-stderr "${UNPRIVILEGED[@]}" "$RIG/cb-now" -s "$SEGMENT"
	[[ -z $output ]]
	[[ $stderr == "cb-now: $SEGMENT: open: Permission denied" ]]
}

@test "refuses a FIFO, and does not wait for it" {
	mkfifo "$RIG/fifo"
	refuses "not a segment" "$RIG/fifo"
}

@test "refuses what is not a regular file" {
	refuses "" /dev/null
	refuses "" /dev/zero
}

@test "refuses an empty file and a short one" {
	for size in 0 1 15; do
		cp "$SEGMENT" "$RIG/short"
		truncate -s "$size" "$RIG/short"
		refuses "not a segment" "$RIG/short"
	done
	for size in 16 40 79; do
		cp "$SEGMENT" "$RIG/short"
		truncate -s "$size" "$RIG/short"
		refuses "malformed" "$RIG/short"
	done
}

@test "refuses text" {
	printf '%080d\n' 0 >"$RIG/text"
	refuses "not a segment" "$RIG/text"
}

@test "refuses another magic number" {
	refuses_poked "not a segment" 0 4 0 0x4e5a4d41
	refuses_poked "not a segment" 4 4 0 0x43420100
}

@test "refuses version 0" {
	refuses_poked "not a segment" 12 2 0
}

@test "refuses versions that it does not know" {
	refuses_poked "unsupported version" 12 2 9 0xffff
	# Whatever the size: that belongs to the version.
	poke "$SEGMENT" 8 4 0
	refuses_poked "unsupported version" 12 2 9
}

@test "refuses a generation of 0 and one that stays odd" {
	refuses_poked "not a segment" 14 2 0 1 0xffff
}

@test "refuses a size below the layout's or above the file's" {
	refuses_poked "malformed" 8 4 0 1 79 81 0x7fffffff 0xffffffff
}

@test "refuses times that are none" {
	refuses_poked "malformed" 24 8 -1 1000000000 2000000000
	refuses_poked "malformed" 40 8 -1 1000000000 2000000000
	refuses_poked "malformed" 16 8 0x7fffffffffffffff \
	    -0x7fffffffffffffff
	refuses_poked "malformed" 32 8 0x7fffffffffffffff \
	    -0x7fffffffffffffff
}

@test "refuses a negative bound" {
	refuses_poked "malformed" 48 8 -1 -0x7fffffffffffffff
}

@test "refuses a drift of the clock's whole speed and more" {
	refuses_poked "malformed" 64 4 1000000000 0xffffffff
}

@test "refuses a status that is none" {
	refuses_poked "malformed" 68 4 4 77 -1 0x7fffffff
}

@test "refuses a segment from the future" {
	shift_field 16 3600
	shift_field 32 3600
	refuses "future"
}

@test "wrong options: one line, exit 2" {
	refuses_option "requires an argument" -s
	refuses_option "requires an argument" --shm
	refuses_option "requires an argument" --vmclock
	refuses_option "option" -x
	refuses_option "unrecognized option" --nope
	refuses_option "argument" --help=me
	refuses_option "extra: no operand expected" extra
	refuses_option "extra: no operand expected" -s "$SEGMENT" extra
	refuses_option "-h: no operand expected" -- -h
	refuses_option "5: no operand expected: a time is --wait=TIME" --wait 5
	refuses_option "requires an argument" --interval
	refuses_option "--timeout: expected --wait with it" --timeout 1
	refuses_option "--wait: expected no question" --wait --after 1
	refuses_option "--wait: expected no question" --within 1 --wait=1
	refuses_option "--wait: expected no --count or --interval" --wait -c 1
	refuses_option "--wait: expected no --count or --interval" --wait -I 1
}

@test "values that are none: one line that names option, value and what fits" {
	local option value

	for value in '' now 1e9 12:00 2026-11-21 2026-02-30T00:00:00Z \
	    2026-11-21T14:00:00 1.0123456789 99999999999999999999 \
	    '%s%n' "$(printf '%0100000d' 0)x"; do
		for option in after before wait; do
			refuses_option "--$option '$value': expected " \
			    --$option="$value"
		done
	done
	refuses_option "an offset from UTC at the end: Z, or +01:00" \
	    --after 2026-11-21T14:00:00
	refuses_option "nine decimals at most" --before 1.0123456789
	for value in '' -1 1d 1.5ns 1e3 inf 99999999999999h; do
		for option in within interval; do
			refuses_option "--$option '$value': expected " \
			    --$option="$value"
		done
		refuses_option "--timeout '$value': expected " --wait \
		    --timeout="$value"
	done
	refuses_option "--interval '0s': expected more than no time" -I 0s
	for value in '' 0 -1 1.5 x 99999999999; do
		refuses_option "--count '$value': " -c "$value"
	done
	for value in '' unknown FREERUNNING sync; do
		refuses_option "--trust '$value': expected " --trust "$value"
	done
}

@test "a format that is none: named, before anything is printed" {
	local format

	for format in %q %n %E %S % %N %I %Ns %Nv %Ih %Ia %N% %NN %Q %é; do
		refuses_option "'$format' is no conversion" \
		    -s "$SEGMENT" -f "%e $format"
	done
	# shellcheck disable=SC1003 # a backslash
	for format in '\q' '\' '\0' '\x41' '\%'; do
		refuses_option "'${format:0:2}' is no conversion" \
		    -s "$SEGMENT" -f "%e $format"
	done
}

@test "--help and --version go to standard output" {
	for option in --help -h; do
		run -0 --separate-stderr "$CB_NOW" "$option"
		[[ $output == "usage: cb-now "* && -z $stderr ]]
		[[ $output == *--shm* && $output == *--vmclock* ]]
		[[ $output == *--help* && $output == *--version* ]]
	done
	for option in --version -V; do
		run -0 --separate-stderr "$CB_NOW" "$option"
		[[ $output =~ ^cb-now\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
		[[ -z $stderr ]]
	done
}

@test "standard output full or closed: one line, exit 2" {
	for arguments in --help --version "-s $SEGMENT" "-s $SEGMENT -j" \
	    "-s $SEGMENT -I 1" "-s $SEGMENT --wait"; do
		for output in '>/dev/full' '>&-'; do
			run -2 --separate-stderr bash -c \
			    "'$CB_NOW' $arguments $output"
			echo "$arguments $output: $stderr"
			[[ $stderr == "cb-now: standard output: "* ]]
			[[ $stderr != *$'\n'* ]]
		done
	done
}
