/* SPDX-License-Identifier: ISC */
/*
 * What a fence after the CPU's counter is owed for (lib/counter.h).
 *
 * A CPU reads its counter and then the VMClock's seq_count.  Without a fence in
 * between, and where the address of the second does not depend on the first, it
 * does them in either order; but it retires them in the program's order, and
 * whatever makes it leave the program, be it an interrupt or a hypervisor that
 * stops the machine, throws away what has not retired, to be done again.
 */

/* A disruption: who writes it has stopped this CPU first, or has not. */
#ifndef STOPPED
#define STOPPED	true
#endif
/* A fence, or a dependency: the second waits for the first. */
#ifndef ORDERED
#define ORDERED	false
#endif

byte clock, seq;		/* 0 before the disruption, 1 after it */
bool read_clock, read_seq;	/* done */
bool retired;			/* the first of the two */
byte got_clock, got_seq;

active proctype host()
{
	atomic {
		if
		:: STOPPED ->
			read_clock = read_clock && retired;
			read_seq = false
		:: else
		fi;
		seq = 1;
		if
		:: STOPPED -> clock = 1; goto done
		:: else
		fi
	}
	clock = 1;
done:
	skip
}

active proctype cpu()
{
	do
	:: atomic {
		!read_clock ->
		got_clock = clock;
		read_clock = true
	}
	:: atomic {
		!read_seq && (read_clock || !ORDERED) ->
		got_seq = seq;
		read_seq = true
	}
	:: read_clock -> retired = true
	:: retired && read_seq -> break
	od;
#ifdef REACH
	assert(got_seq != REACH);
#else
	assert(!(got_clock == 1 && got_seq == 0));
#endif
}
