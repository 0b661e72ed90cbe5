#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# Fuzzing can fail: each target finds a check that is left out.

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	DIR=$(mktemp -d)
}

teardown() {
	rm -rf "$DIR"
}

# found TARGET FILE SED
found() {
	cp -a --parents Makefile cmd lib tests/fuzz "$DIR"
	sed -i -z "$3" "$DIR/$2"
	run cmp -s "$2" "$DIR/$2"
	[ "$status" -eq 1 ]
	make -s -C "$DIR" "tests/fuzz/build/$1"
	mkdir "$DIR/new"
	TMPDIR=$DIR ASAN_OPTIONS=quarantine_size_mb=16 \
	    run "$DIR/tests/fuzz/build/$1" -max_total_time=60 \
	    -artifact_prefix="$DIR/found-" "$DIR/new" "tests/fuzz/corpus/$1"
	echo "$output" | grep -v "^#[0-9]"
	[ "$status" -ne 0 ]
	[ -e "$(echo "$DIR"/found-*)" ]
}

@test "chrony: a frequency that is none" {
	found chrony lib/chrony.c \
	    's/cb_ts_abs(t->freq_ppb.v) <= MAX_FREQ_PPB \&\&//'
}

@test "segment: a status that is none" {
	found segment lib/shm_read.c \
	    's/ &&\n\t    from <= CLOCKBOUND_STA_DISRUPTED//'
}

@test "at: a negative bound" {
	found at lib/shm_read.c 's/b.bound_ns < 0 ||//g'
}

@test "vmclock: a file that ends too soon" {
	found vmclock lib/vmclock.c \
	    's/if (is_short(&st, CB_VMCLOCK_MIN_SIZE))/if (false)/'
}

@test "sysfs: a slot that is a path" {
	found sysfs lib/phc.c "s/ || strchr(line, '.') != NULL//"
}

@test "stamp: the 31st of a month of 30 days" {
	found stamp lib/stamp.c \
	    's/days_in_month(d->year, d->month) && d->hour/31 \&\& d->hour/'
}

@test "field: a number that does not fit" {
	found field cmd/cb-vmclock/field.c \
	    's/UINT64_MAX >> (64 - 8 \* f->size)/UINT64_MAX/'
}

@test "format: the end of the text is one of the letters" {
	found format cmd/cb-now/format.c "s/c != '.0' && //"
}

@test "cb-now: no time from line to line" {
	found cb-now cmd/cb-now/cb-now.c 's/if (ns == 0)/if (false)/'
}

@test "cb-status: what a terminal obeys" {
	found cb-status cmd/cb-status/cb-status.c \
	    's/cb_judge_make_printable(value)/(void)value/'
}

@test "cb-vmclock: one operand too many" {
	found cb-vmclock cmd/cb-vmclock/cb-vmclock.c \
	    's/if (n > 1 && !c->has_assignments)/if (false)/'
}

@test "cb-daemon: an interface that is a path" {
	found cb-daemon cmd/cb-daemon/cb-daemon.c \
	    "s/ || strchr(text, '.') != NULL//"
}

@test "observe: a number that is too large" {
	found observe cmd/cb-status/observe.c 's/ && \*n <= MAX_NUMBER//'
}

@test "verdict: a path that a terminal obeys" {
	found verdict cmd/cb-status/judge.c \
	    's/\tcb_judge_make_printable(line);/\t;/'
}

@test "http: a path that begins alike" {
	found http cmd/cb-status/http.c 's/plain == strlen(PATH) && //'
}
