#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# The daemon and its readers in model worlds, in virtual time: true time is
# known there, and must be in every interval that is trusted.
#
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own

setup() {
	SIM=$BATS_TEST_DIRNAME/sim
}

# What is printed goes to a person, and stays in $output.
sim() {
	run "$SIM" "$@"
	printf '# %s\n' "${lines[@]}" >&3
}

# count CLASS: how often that befell these worlds.
count() {
	[[ $output =~ [\ :]"$1 "([0-9]+) ]] && echo "${BASH_REMATCH[1]}"
}

@test "ten years, a month of them at 100 ms: no trusted reading is wrong" {
	sim -j "$(nproc)" -n 1e8 -y 10 -d 30.5 1
	[ "$status" -eq 0 ]
	[[ ${lines[-1]} =~ ^[0-9]+" readings, "[0-9]{9,}" trusted, 0 missed"$ ]]
	for class in $("$SIM" -l); do
		[ "$(count "$class")" -gt 100 ]
	done
}

# half_width: of shm1, the median, in whole microseconds.
half_width() {
	awk '$1 == "shm1" { printf "%d\n", $(NF - 3) }' <<<"$output"
}

@test "--max-wander: narrower, and as true where the frequency keeps to it" {
	local with

	sim -n 1e7 -e asymmetry,slew,update,switch,late,preempt,ramp 1
	[ "$status" -eq 0 ]
	[[ ${lines[-1]} = *" 0 missed" ]]
	with=$(half_width)
	sim -w -n 1e7 -e asymmetry,slew,update,switch,late,preempt,ramp 1
	[ "$status" -eq 0 ]
	((with > 0 && 3 * with < 2 * $(half_width)))
}

@test "each class of events alone" {
	for class in $("$SIM" -l); do
		run "$SIM" -n 4e6 -e "$class" 1
		echo "$class: $output"
		[ "$status" -eq 0 ]
		[ "$(count "$class")" -gt 0 ]
		[[ ${lines[-1]} = *" 0 missed" ]]
	done
}

@test "the same seed is the same world, whoever lives in it" {
	run "$SIM" -n 1e6 7
	[ "$status" -eq 0 ]
	grep -v "processor time" <<<"$output" >"$BATS_TEST_TMPDIR/once"
	run "$SIM" -n 1e6 7
	grep -v "processor time" <<<"$output" |
	    diff "$BATS_TEST_TMPDIR/once" -
}
