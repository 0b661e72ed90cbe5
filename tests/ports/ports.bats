#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Other systems: what is built for them, and what of it can be run here, by
# this machine or by an emulator of another CPU.
#
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own
# shellcheck disable=SC2034,SC2154 # the rig's variables, and bats's

bats_require_minimum_version 1.5.0
load ../rig

# An emulator is slow: readings of model worlds, and days of the calendar
# from one that is tried to the next.
READINGS=50000
DAYS=30

setup_file()
{
	local code=0

	TREES=$BATS_FILE_TMPDIR
	PARTS=${XDG_CACHE_HOME:-$HOME/.cache}/clockbound-tools/ports
	export TREES PARTS
	"$BATS_TEST_DIRNAME/parts.sh" "$PARTS" >"$TREES/why" 2>&1 || code=$?
	((code == 0 || code == 77)) || {
		cat "$TREES/why"
		return "$code"
	}
}

teardown()
{
	if [[ -n ${RIG-} ]]; then
		[[ -n ${BATS_TEST_COMPLETED-} ]] || rig_show_logs
		rig_close
	fi
}

# emulated CPU LIBRARIES: each program of $TREE becomes a script by its name,
# which has it emulated.
emulated()
{
	local program qemu=$PARTS/root/usr/bin/qemu-$1-static

	while read -r program; do
		mv "$program" "$program.real"
		cat >"$program" <<-EOF
		#!/bin/sh
		exec "$qemu" -L "$PARTS/root/usr/$2" -0 "${program##*/}" \\
		    "$program.real" "\$@"
		EOF
		chmod +x "$program"
	done < <(find "$TREE/cmd" "$TREE/tests/unit" "$TREE/tests/sim" -type f \
	    -perm -u+x ! -name '*.*')
}

# built TARGET [CPU LIBRARIES]: in $TREE, once for all the tests.
built()
{
	[[ -e $PARTS/complete ]] || skip "$(tail -n 1 "$TREES/why")"
	TREE=$TREES/$1
	exec 7>"$TREE.lock"
	flock 7
	if [[ ! -e $TREE.built ]]; then
		"$BATS_TEST_DIRNAME/build.sh" "$1" "$PARTS" "$TREE" 7>&-
		[[ $# = 1 ]] || emulated "$2" "$3"
		: >"$TREE.built"
	fi
	exec 7>&-
}

# All of them, before any that failed is told; what they skip is told too.
unit_tests_pass()
{
	local test args failed=0

	for test in "$TREE"/tests/unit/* "$TREE/tests/sim/sim"; do
		[[ -x $test && ${test##*/} != *.* ]] || continue
		args=()
		case ${test##*/} in
		guest)	# It counts what a process has, and finds shm1 there.
			if [[ -e $test.real ]]; then
				echo "# ${TREE##*/}: guest: skipped: it looks" \
				    "at its process, which is an emulator" >&3
				continue
			fi ;;
		stamp)	args=("$DAYS") ;;
		sim)	args=(-n "$READINGS" 1) ;;
		esac
		run "$test" "${args[@]}"
		case $status in
		0)	continue ;;
		77)	echo "# ${TREE##*/}: ${test##*/}: ${output//$'\n'/; }" \
			    >&3 ;;
		*)	echo "$test: $status: $output"
			failed=1 ;;
		esac
	done
	return "$failed"
}

# The daemon beside a chronyd, where true time is known, and its readers.
programs_work()
{
	# A chronyd of this machine's, and what feeds it is native too.
	CB_DAEMON=$TREE/cmd/cb-daemon/cb-daemon
	CB_NOW=$TREE/cmd/cb-now/cb-now
	CB_STATUS=$TREE/cmd/cb-status/cb-status
	CB_VMCLOCK=$TREE/cmd/cb-vmclock/cb-vmclock
	rig_open
	truth_start 3000000 20
	client_start
	wait_until 10 client_is_synchronised
	"$CB_VMCLOCK" create "$VMCLOCK"
	daemon_watch
	watch_until 20 says SYNCHRONIZED
	watch_until 20 has_trusted 20
	"$CB_VMCLOCK" disrupt "$VMCLOCK"
	watch_until 10 is_not_trusted
	watch_until 20 says SYNCHRONIZED
	has_logged "disruption: marker 2, was 1"
	"$CB_VMCLOCK" show "$VMCLOCK" | grep -q 'disruption_marker *2$'
	"$CB_STATUS" -s "$SEGMENT" --vmclock "$VMCLOCK"
	stop daemon
}

is_not_trusted()
{
	! is_trusted
}

@test "what systems differ in is chosen in one place" {
	# Headers' guards, C++, and what CPUs differ in, are no such choice.
	run -0 grep -rnE '^# *(el)?if' "$RIG_ROOT/lib" "$RIG_ROOT/cmd" \
	    --include='*.[ch]' --exclude='system.[ch]' --exclude=clocks.c \
	    --exclude=sandbox.c --exclude=counter.h --exclude=wide.h
	run -1 grep -vE '_H$|__cplusplus' <<<"$output"
}

@test "musl, static: the unit tests pass" {
	built musl
	unit_tests_pass
}

@test "musl, static: the programs' tests pass" {
	built musl
	# A bats of its own, which finds nothing of this one.
	(cd "$TREE/tests" && env -i HOME="$HOME" \
	    PATH="${PATH//"$BATS_LIBEXEC":/}" bats --jobs 2 cb-now.bats \
	    cb-now-ask.bats cb-vmclock.bats cb-status.bats observe.bats 3>&-)
}

@test "musl, static: the programs work" {
	built musl
	programs_work
}

@test "aarch64: the unit tests pass" {
	built aarch64 aarch64 aarch64-linux-gnu
	unit_tests_pass
}

@test "aarch64: the programs work" {
	built aarch64 aarch64 aarch64-linux-gnu
	programs_work
}

@test "armhf, time_t of 64 bits: the unit tests pass" {
	built armhf arm arm-linux-gnueabihf
	unit_tests_pass
}

@test "armhf, time_t of 64 bits: the programs work" {
	built armhf arm arm-linux-gnueabihf
	programs_work
}

@test "armhf, time_t of 32 bits: the unit tests pass" {
	built armhf-time32 arm arm-linux-gnueabihf
	unit_tests_pass
}

@test "armhf, time_t of 32 bits: the programs work" {
	built armhf-time32 arm arm-linux-gnueabihf
	programs_work
}

@test "s390x, big-endian: the unit tests pass" {
	built s390x s390x s390x-linux-gnu
	unit_tests_pass
}

@test "s390x, big-endian: the programs work" {
	built s390x s390x s390x-linux-gnu
	programs_work
}

@test "FreeBSD, amd64: everything is built" {
	built freebsd-amd64
}

@test "FreeBSD, arm64: everything is built" {
	built freebsd-arm64
}

@test "OpenBSD, amd64: everything is built" {
	built openbsd-amd64
}

@test "OpenBSD, arm64: everything is built" {
	built openbsd-arm64
}

@test "macOS, amd64: everything is built" {
	built macos-amd64
}

@test "macOS, arm64: everything is built" {
	built macos-arm64
}
