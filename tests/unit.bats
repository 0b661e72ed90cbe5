#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# The unit tests are programs: 0 passed, 1 failed, 77 skipped.

unit() {
	run "$BATS_TEST_DIRNAME/unit/$1" "${@:2}"
	echo "$output"
	[ "$status" -ne 77 ] || skip "$output"
	[ "$status" -eq 0 ]
}

@test "budget: the parts of a bound sum up to it, and are what they say" {
	unit budget
}

@test "chrony: requests and replies, byte for byte" {
	unit chrony
}

@test "chrony_socket: one question, one answer, and no wait without end" {
	unit chrony_socket
}

@test "disruption: one event at a time, what is forgotten and until when" {
	unit disruption
}

@test "estimate: each widening is needed, and enough" {
	unit estimate
}

@test "failure: whatever call fails, it is told, and nothing is left behind" {
	unit failure
}

@test "judge: what is wrong with the time, in plain words" {
	unit judge
}

@test "narrow: an oscillator's past bounds its rate, unless it breaks its word" {
	unit narrow
}

@test "now: the reader's arithmetic at its edges" {
	unit now
}

@test "observed: nothing that a daemon says is believed unchecked" {
	unit observed
}

@test "order: seqlock.h holds on all that C11's memory allows" {
	unit order
}

@test "period: the counter's period is held by what is told of it" {
	unit period
}

@test "phc: only a number of nanoseconds is believed" {
	unit phc
}

@test "question: what is equal has not passed, and is not to come" {
	unit question
}

@test "sandbox: what the loop has no use for ends the daemon" {
	unit sandbox
}

@test "seqlock: no torn copy is ever accepted" {
	unit seqlock
}

@test "shm: layout, warm restart, and files that are not segments" {
	unit shm
}

@test "shm1: the projection is exact, and shm0 stands in for it" {
	unit shm1
}

@test "shm_v1: the numbers of version 2, and no disruption" {
	unit shm_v1
}

@test "stamp: ten thousand years both ways, and what is no time" {
	unit stamp
}

@test "status: both tables, row by row" {
	unit status
}

@test "system: sockets that no child inherits, and sleeps that are sharp" {
	unit system
}

@test "vectors: every answer is the one that the rules give" {
	local vectors=$BATS_TEST_DIRNAME/vectors

	unit vectors "$vectors/vectors.txt"
	command -v python3 >/dev/null || skip "no python3: the rules of" \
	    "tests/vectors/generate.py were not tried"
	python3 "$vectors/generate.py" | diff - "$vectors/vectors.txt"
}

@test "vmclock: no reading is trusted after a disruption is visible" {
	unit vmclock
}

@test "vmclock_notify: nothing is polled that does not notify" {
	unit vmclock_notify
}

@test "vmclock_page: snapshots are whole, and no wait is without end" {
	unit vmclock_page
}

@test "vmclock_time: exact to 128 bits, and its error never less than it is" {
	unit vmclock_time
}

# make check-sim lives through ten years.
@test "sim: ten million trusted readings hold true time" {
	unit ../sim/sim -n 1e7 1
}
