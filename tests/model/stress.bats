#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# The real library under stress, and ThreadSanitizer's view of it.  It sees two
# accesses that nothing orders, one of them a write and one of them no atomic.
# Fences it takes no notice of: what these do is for model.bats and unit/order.

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	DIR=$(mktemp -d)
}

teardown() {
	rm -rf "$DIR"
}

STRESS=("-Wl,--wrap=mmap,--wrap=munmap" tests/model/stress.c)

# build SOURCE... [OPTION...]
build() {
	# shellcheck disable=SC2046 # words are meant to be split
	gcc -std=c11 -O1 -g -D_GNU_SOURCE -Ilib \
	    $(pkg-config --cflags libbsd-overlay) -o "$DIR/program" "$@" \
	    lib/now.c lib/now_at.c lib/ask.c lib/name.c lib/shm_read.c \
	    lib/shm_write.c lib/vmclock.c lib/vmclock_write.c -lpthread
}

# With addresses at random, its memory may be where something else is.
sanitized() {
	local fixed=()

	build -fsanitize=thread -Wno-tsan "$@" ||
	    skip "gcc has no ThreadSanitizer here"
	setarch -R true 2>/dev/null && fixed=(setarch -R)
	cd "$DIR" || return
	run "${fixed[@]}" ./program threads
	echo "$output" | head -n 100
}

@test "no reading is wrong while writers are killed amid a write" {
	build "${STRESS[@]}"
	cd "$DIR" || return
	run ./program processes
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "ThreadSanitizer finds no race between the writers and the readers" {
	sanitized "${STRESS[@]}"
	[ "$status" -eq 0 ]
}

@test "it finds them where the words are not read and written as atomics" {
	sanitized "${STRESS[@]}" -include tests/model/plain.h
	[ "$status" -ne 0 ]
	[[ $output = *"data race"*"cb_seqlock_"* ]]
}

@test "ThreadSanitizer finds no race between threads that share a context" {
	sanitized tests/unit/library.c
	[ "$status" -eq 0 ]
}
