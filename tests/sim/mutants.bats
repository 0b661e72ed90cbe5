#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# The simulation can fail: it finds each term and each event that is left out.

setup() {
	cd "$BATS_TEST_DIRNAME/../.." || return
	DIR=$(mktemp -d)
}

teardown() {
	rm -rf "$DIR"
}

# found FILE SED [-e CLASS,...]: with this change of it a world fails, and a
# smaller one still.
found() {
	local again

	cp -a --parents Makefile cmd lib tests/sim tests/unit/int128.h "$DIR"
	sed -i -z "$2" "$DIR/$1"
	run cmp -s "$1" "$DIR/$1"
	[ "$status" -eq 1 ]
	make -s -C "$DIR" tests/sim/sim
	cd "$DIR/tests/sim" || return
	run timeout 300 ./sim -n 6e7 "${@:3}" 1
	echo "$output" | tail -n 20
	[ "$status" -eq 1 ]
	again=${output##*again: }
	[[ $again = "sim -1 "* ]]
	# shellcheck disable=SC2086 # words are meant to be split
	run ./$again
	[ "$status" -eq 1 ]
}

estimate() {
	found cmd/cb-daemon/estimate.c "$@"
}

narrow() {
	found cmd/cb-daemon/narrow.c "$@"
}

publish() {
	found cmd/cb-daemon/publish.c "$@"
}

disruption() {
	found cmd/cb-daemon/disruption.c "$@"
}

@test "estimate: the oscillator drifts while a measurement ages" {
	estimate 's/ + rate->hi)/)/'
}

@test "estimate: the frequency has a sign" {
	estimate 's/f->err + f->v/f->err - f->v/'
}

@test "estimate: an exchange has a length" {
	estimate 's/ +\n\t    cb_ts_drift(exchange_length(m), then);/;/'
}

@test "estimate: an interval widens to both sides" {
	estimate 's/i->hi + grown/i->hi/'
}

@test "estimate: after a step measurements settle" {
	estimate 's/k->settling = SETTLING/k->settling = 0/'
}

@test "estimate: the age of a refclock's sample is cut to seconds" {
	estimate 's/age += CB_NS_PER_S + s->after/age += s->after/'
}

@test "estimate: an age that is told in whole seconds is the highest" {
	estimate \
	    's/cooked->hi - CB_NS_PER_S/cooked->hi - CB_NS_PER_S - CB_NS_PER_S/'
}

@test "estimate: a leap second widens the interval by one" {
	estimate 's/i->hi += CB_NS_PER_S/i->hi += 0/'
}

@test "narrow: the rate has changed since the mean of two intervals" {
	narrow 's/elapsed, wander) \/ 2 + 1;/elapsed, 0) \/ 2 + 1;/' \
	    -e asymmetry,ramp
}

@test "narrow: the rate goes on changing" {
	narrow 's/rate + cb_ts_drift(rises, wander)/rate + cb_ts_drift(rises, 0)/' \
	    -e asymmetry,ramp
}

@test "narrow: a rate is known no better than it was" {
	narrow 's/n->rate.hi + changed/n->rate.hi/' -e asymmetry,ramp
}

@test "narrow: a leap second is in no rate" {
	estimate 's/n < k->narrow.n; n++/n < 0; n++/' -e asymmetry,slew,leap,ramp
}

@test "source: chronyd may update between two of its answers" {
	found cmd/cb-daemon/source.c \
	    's/\*settled = is_same[^;]*/*settled = true/'
}

@test "publish: the clock goes to where chronyd means it to go" {
	publish \
	    's/cb_ts_max(now->real - now->raw_lo, cooked.hi)/now->real - now->raw_lo/'
}

@test "publish: the frequency that is set adds to the drift" {
	publish 's/e->drift_ppb + speed/e->drift_ppb/'
}

@test "publish: a slew ends late" {
	publish 's/SLEW_TIMER_NS, e->slew_ppb/0, e->slew_ppb/'
}

@test "publish: elapsed time is coarse" {
	publish 's/cb_ts_drift(COARSE_TICKS \* tick_ns, drift)/0/' \
	    -e asymmetry,slew,wander
}

@test "publish: a chronyd that is gone does not end its slew" {
	publish \
	    's/== CB_INPUT_MISSING ? e->slew_ppb : 0/== CB_INPUT_MISSING ? 0 : 0/'
}

@test "publish: a period is known to within what its readings leave open" {
	found cmd/cb-daemon/period.c 's/err = p->hi - middle + 2/err = 1/'
}

@test "disruption: what was known before it is forgotten" {
	disruption \
	    's/w->has_gate = false;\n\tcb_estimate_forget(&d->estimate);/w->has_gate = false;/'
}

@test "disruption: nothing is converted until chronyd has forgotten" {
	disruption \
	    's/settle_refclocks(&d->estimate);\n\td->estimate.holding = true/settle_refclocks(\&d->estimate)/' \
	    -e migration,missed
}

@test "disruption: samples of refclocks from before it are left out" {
	disruption 's/\n\tcb_estimate_settle_refclocks(&d->estimate);//' \
	    -e migration
}

@test "disruption: a sleep ends what was known" {
	disruption 's/if (slept || other) {/if (other) {/'
}

@test "disruption: after a step measurements are left out" {
	disruption \
	    's/\n\tcb_estimate_settle(&d->estimate);\n\thasten/\n\thasten/'
}

@test "disruption: a leap second is taken in before it comes" {
	disruption 's/\n\tcb_estimate_leap(&d->estimate);//'
}

@test "disruption: it is covered by a daemon that was stopped over it" {
	disruption 's/if (!is_leap_near(d, utc.hi))\n\t\thear/hear/'
}

@test "reader: the bound of the clock grows" {
	found lib/now_at.c \
	    's/(uint64_t)cb_ts_drift(elapsed, b->max_drift_ppb)/0/'
}

@test "reader: so does the one by the counter" {
	found lib/shm_read.c \
	    's/l->early = l->period - width/l->early = l->period/'
}
