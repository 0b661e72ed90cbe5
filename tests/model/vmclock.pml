/* SPDX-License-Identifier: ISC */
/*
 * The VMClock's marker beside the clocks (lib/now.c, lib/vmclock.c), on C11's
 * memory.  The clock stands for what is read first, be it the CPU's counter or
 * what clock_gettime() goes by: a disruption is written, and then the clock
 * jumps.  A time that was read after a jump must never be trusted by a snapshot
 * from before it.
 *
 * The marker's halves are 0, 0 in the snapshot; then 1, 0; then 0, 1: torn, the
 * two new ones look like the old one.
 */

/* What a fault is put in place of, by -D. */
#ifndef CLOCK_FENCE
#define CLOCK_FENCE	acquire_fence(READER)
#endif
#ifndef SEQ_ORDER
#define SEQ_ORDER	ACQUIRE
#endif
#ifndef SEQ_FENCE
#define SEQ_FENCE	acquire_fence(READER)
#endif
#ifndef READ_CLOCK_FIRST
#define READ_CLOCK_FIRST	true
#endif

#define SEQ		0
#define LOW		1
#define HIGH		2
#define CLOCK		3
#define LOCATIONS	4
#define MESSAGES	5
#define HOST		0
#define READER		1
#define THREADS		2

#include "memory.pml"

active proctype host()
{
	byte jump, seq;

	for (jump : 1 .. 2) {
		load(HOST, SEQ, RELAXED, seq);
		store(HOST, SEQ, RELAXED, seq + 1);
		release_fence(HOST);
		store(HOST, LOW, RELAXED, (jump == 1 -> 1 : 0));
		store(HOST, HIGH, RELAXED, (jump == 2 -> 1 : 0));
		store(HOST, SEQ, RELEASE, seq + 2);
		/* The machine, or who simulates one, goes on. */
		store(HOST, CLOCK, RELEASE, jump)
	}
}

/* To see that times are trusted at all, and by either way. */
#ifdef REACH
#define TRUSTED(how)	assert(how != REACH)
#else
#define TRUSTED(how)	assert(clock == 0)
#endif
#define MARKER	0
#define SEQ_COUNT	1

#define READ_CLOCK \
	load(READER, CLOCK, RELAXED, clock); \
	CLOCK_FENCE

active proctype reader()
{
	byte clock, seq, low, high, after;

	/* read_place(), then cb_vmclock_read_marker() */
	READ_CLOCK;
	load(READER, SEQ, SEQ_ORDER, seq);
	load(READER, LOW, RELAXED, low);
	load(READER, HIGH, RELAXED, high);
	SEQ_FENCE;
	load(READER, SEQ, RELAXED, after);
	if
	:: seq % 2 == 1 || seq != after || low + high > 0 -> goto out
	:: else
	fi;
	TRUSTED(MARKER);
	/* The next call: now_by_clocks() or now_by_counter() */
	if
	:: READ_CLOCK_FIRST ->
		READ_CLOCK;
		load(READER, SEQ, RELAXED, after)	/* is_undisturbed() */
	:: else ->
		load(READER, SEQ, RELAXED, after);
		READ_CLOCK
	fi;
	if
	:: after != seq -> goto out
	:: else
	fi;
	TRUSTED(SEQ_COUNT);
out:
	skip
}
