#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# A writer that is killed at every write, and one that never rests: no reader
# sees what was not written.
#
# shellcheck disable=SC2154 # bats's

bats_require_minimum_version 1.5.0
load faults

@test "killed at every write: what is read was written, and the next goes on" {
	mkdir "$RIG/step"
	cd "$RIG/step"
	run -0 "$FAULTS/step"
	echo "$output"
	((${#lines[@]} == 7))
}

@test "10^9 reads under a writer that never rests: none is torn" {
	run -0 "$FAULTS/torn" "$RUN" 1000000000
	echo "# $output" >&3
	[[ $output =~ ^reads\ ([0-9]+),\ copies\ ([0-9]+),\ writes\ ([0-9]+),\ torn\ 0$ ]]
	((BASH_REMATCH[1] >= 1000000000))
	# Neither of them has slept through it.
	((BASH_REMATCH[2] > 100000 && BASH_REMATCH[3] > 1000000))
}
