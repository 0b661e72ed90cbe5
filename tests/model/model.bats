#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# The order of memory, in all that C11 allows: models checked by spin.  A model
# that holds says something only if it fails where a fence is taken out.

setup() {
	command -v spin >/dev/null || skip "no spin"
}

# check VERDICT WHAT MODEL [-D...]: one line for a person, and the verdict.
check() {
	local verdict=$1 what=$2

	run "$BATS_TEST_DIRNAME/spin.sh" "$BATS_TEST_DIRNAME/$3" "${@:4}"
	echo "# ${3%.pml}: $what: $output" >&3
	[[ $output = *": $verdict" ]]
}

holds() {
	check holds "$@"
}

# Without an order, or with an assertion that such a thing never happens.
fails() {
	check "is found wrong" "$@"
}

AROUND=(-DWRITES=5 -DLAST_ODD=7 -DREADS=2 -DDEATHS=1)

@test "the memory forbids what C11 forbids, and allows what it allows" {
	local strong=(-DLOAD=ACQUIRE -DSTORE=RELEASE)
	local acquire=-DACQUIRE_FENCE=acquire_fence
	local release=-DRELEASE_FENCE=release_fence

	holds "message passing" litmus.pml -DMP "${strong[@]}"
	holds "message passing by fences" litmus.pml -DMP $acquire \
	    $release
	holds "message passing by a fence and a release" litmus.pml -DMP \
	    $acquire -DSTORE=RELEASE
	holds "message passing by a fence and an acquire" litmus.pml -DMP \
	    $release -DLOAD=ACQUIRE
	holds "message passing by way of a third" litmus.pml -DWRC \
	    "${strong[@]}"
	holds "one location, relaxed" litmus.pml -DCORR
	fails "no acquire" litmus.pml -DMP $release -DSTORE=RELEASE
	fails "no release" litmus.pml -DMP $acquire -DLOAD=ACQUIRE
	fails "relaxed by way of a third" litmus.pml -DWRC -DLOAD=ACQUIRE
	fails "stores after loads" litmus.pml -DSB "${strong[@]}"
	fails "one order of two stores for all" litmus.pml -DIRIW \
	    "${strong[@]}"
}

@test "no reader takes a torn copy, or an old one for a new one" {
	holds "a writer and a reader" seqlock.pml -DWRITES=3 -DREADS=2
	holds "two readers, which keep their copies" seqlock.pml \
	    -DREADERS=2 -DREADS=2
	holds "two readers, a writer that dies anywhere and another" \
	    seqlock.pml -DWRITES=3 -DDEATHS=1 -DREADERS=2
	holds "the same, one reader, and the generation goes around" \
	    seqlock.pml "${AROUND[@]}"
}

@test "copies are taken after a death, and when the generation is around" {
	fails "assert that none is taken" seqlock.pml "${AROUND[@]}" \
	    -DREACH=COPIED
	fails "assert that none is kept" seqlock.pml "${AROUND[@]}" \
	    -DREACH=KEPT
}

@test "each order of seqlock.h is needed, and the taking over" {
	fails "W1 without its release fence" seqlock.pml -DW1_FENCE=skip
	fails "W3 relaxed" seqlock.pml -DW3_ORDER=RELAXED
	fails "R1 relaxed" seqlock.pml -DR1_ORDER=RELAXED
	fails "R3 without its acquire fence" seqlock.pml -DR3_FENCE=skip
	fails "one more, where a writer died" seqlock.pml -DDEATHS=1 \
	    -DTAKE_OVER=+1
	# It orders what is read after it; the copy itself does not need it.
	holds "cb_seqlock_is_current() relaxed" seqlock.pml \
	    "${AROUND[@]}" -DCURRENT_ORDER=RELAXED
}

@test "a reader that is stopped for a whole lap is the limit, and is known" {
	fails "the generation goes around amid a copy" seqlock.pml \
	    -DWRITES=5 -DLAST_ODD=7 -DLAP
}

@test "no time from after a disruption is trusted by a snapshot before it" {
	holds "the VMClock is looked at after the clocks" vmclock.pml
	fails "assert that no marker is as it was" vmclock.pml -DREACH=MARKER
	fails "assert that no seq_count is as it was" vmclock.pml \
	    -DREACH=SEQ_COUNT
}

@test "each order of that is needed" {
	fails "seq_count before the clocks" vmclock.pml \
	    -DREAD_CLOCK_FIRST=false
	fails "no fence after the clocks" vmclock.pml -DCLOCK_FENCE=skip
	fails "the first seq_count relaxed" vmclock.pml -DSEQ_ORDER=RELAXED
	fails "no fence before the second" vmclock.pml -DSEQ_FENCE=skip
}

@test "a fence after the counter is owed to a simulated VMClock alone" {
	holds "the machine is stopped, no fence" counter.pml
	fails "assert that no disruption is seen" counter.pml -DREACH=1
	fails "assert that one is always seen" counter.pml -DREACH=0
	fails "the CPU runs on meanwhile, no fence" counter.pml \
	    -DSTOPPED=false
	holds "it runs on, and the one waits for the other" counter.pml \
	    -DSTOPPED=false -DORDERED=true
}
