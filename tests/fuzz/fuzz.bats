#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Hostile input, for FUZZ_SECONDS each (60): libFuzzer makes it of what is in
# corpus/, and keeps what is new of it for as long as a test runs.

setup() {
	cd "$BATS_TEST_DIRNAME" || return
	DIR=$(mktemp -d)
}

teardown() {
	rm -rf "$DIR"
}

# What is found is printed, so that it can be tried again.
fuzz() {
	local edges

	mkdir "$DIR/new"
	TMPDIR=$DIR ASAN_OPTIONS=quarantine_size_mb=16 run "build/$1" \
	    -max_total_time="${FUZZ_SECONDS:-60}" -timeout=10 \
	    -print_final_stats=1 -artifact_prefix="$DIR/found-" \
	    "$DIR/new" "corpus/$1"
	if [ "$status" -ne 0 ]; then
		grep -v '^#[0-9]' <<<"$output"
		echo "again: base64 -d >found <<<$(base64 -w 0 "$DIR"/found-*)"
		echo "       tests/fuzz/build/$1 found"
		return 1
	fi
	[[ $output =~ .*cov:\ ([0-9]+) ]]
	edges=${BASH_REMATCH[1]}
	[[ $output =~ units:\ *([0-9]+) ]]
	echo "# $1: ${BASH_REMATCH[1]} runs, $edges edges, no finding" >&3
}

@test "whatever chronyd replies: the estimate stays in order" {
	fuzz chrony
}

@test "segments that change under live readers: no trust without reason" {
	fuzz segment
}

@test "clockbound_at: any segment at any reading" {
	fuzz at
}

@test "VMClock files of any bytes are read by the rule, and shown" {
	fuzz vmclock
}

@test "sysfs: a number or none, and no other path" {
	fuzz sysfs
}

@test "TIME and DURATION: what is taken comes back" {
	fuzz stamp
}

@test "FIELD=VALUE: what is taken is in the device" {
	fuzz field
}

@test "cb-now: formats and questions" {
	fuzz format
}

@test "cb-now: command lines" {
	fuzz cb-now
}

@test "cb-status: command lines" {
	fuzz cb-status
}

@test "cb-vmclock: command lines" {
	fuzz cb-vmclock
}

@test "cb-daemon: command lines" {
	fuzz cb-daemon
}

@test "cb-status: nothing that a daemon says is believed unchecked" {
	fuzz observe
}

@test "cb-status: any facts have a verdict, which is printable" {
	fuzz verdict
}

@test "cb-status --http: requests" {
	fuzz http
}

@test "each target is tried" {
	for f in *.c; do
		grep -q "^	fuzz ${f%.c}$" fuzz.bats
		grep -q "^	found ${f%.c} " mutants.bats
		[ -d "corpus/${f%.c}" ]
	done
}
