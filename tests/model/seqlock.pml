/* SPDX-License-Identifier: ISC */
/*
 * lib/seqlock.h, step by step (W1 to W3, R1 to R3), on C11's memory: a body of
 * two words, a writer that may die anywhere and be followed by another, and
 * readers that keep their copy for as long as it is current.
 *
 * Write n stores n into both words.  A reader must never take a copy for one
 * of another write than the one that its generation stands for.
 */

/* How much is tried; and what a fault is put in place of, by -D. */
#ifndef WRITES
#define WRITES		2
#endif
#ifndef DEATHS
#define DEATHS		0
#endif
#ifndef READERS
#define READERS		1
#endif
#ifndef READS
#define READS		1
#endif
#ifndef LAST_ODD
#define LAST_ODD	255	/* UINT16_MAX: after it comes 2 */
#endif
#ifndef TAKE_OVER
#define TAKE_OVER	| 1
#endif
#ifndef W1_FENCE
#define W1_FENCE	release_fence(WRITER)
#endif
#ifndef W3_ORDER
#define W3_ORDER	RELEASE
#endif
#ifndef R1_ORDER
#define R1_ORDER	ACQUIRE
#endif
#ifndef R3_FENCE
#define R3_FENCE	acquire_fence(self)
#endif
#ifndef CURRENT_ORDER
#define CURRENT_ORDER	ACQUIRE
#endif

#define GENERATION	0
#define BODY0		1
#define BODY1		2
#define LOCATIONS	3
#define MESSAGES	(2 * WRITES + 1)
#define WRITER		READERS
#define THREADS		(READERS + 1)

#include "memory.pml"

/* The write that each message of the generation stands for. */
byte write_of[MESSAGES];
byte deaths;

#define MAY_DIE \
	if \
	:: deaths < DEATHS -> deaths++; goto dead \
	:: true \
	fi

/* cb_seqlock_write() */
active proctype writer()
{
	byte n, odd, even;

	for (n : 1 .. WRITES) {
		load(WRITER, GENERATION, RELAXED, odd);
		odd = odd TAKE_OVER;
		even = (odd == LAST_ODD -> 2 : odd + 1);
		store(WRITER, GENERATION, RELAXED, odd);	/* W1 */
		MAY_DIE;
		W1_FENCE;
		store(WRITER, BODY0, RELAXED, n);		/* W2 */
		MAY_DIE;
		store(WRITER, BODY1, RELAXED, n);
		MAY_DIE;
		write_of[memory[GENERATION].last + 1] = n;
		store(WRITER, GENERATION, W3_ORDER, even);	/* W3 */
		goto next;
dead:
		clear(threads[WRITER].fenced);
		clear(threads[WRITER].loaded);
next:
		skip
	}
}

/*
 * The same generation at both ends of a read, or of the time that a copy was
 * kept, is one message; or else it has gone all around meanwhile.  That is the
 * limit of seqlock.h, and is left out, unless it is what is looked for.
 */
#ifdef LAP
#define NO_LAP(from, to)	skip
#else
#define NO_LAP(from, to)	if :: from == to :: else -> goto out fi
#endif

/* To see that copies are taken at all: the last one there, after a death. */
#ifdef REACH
#define ACCEPTED(how) \
	assert(!(how == REACH && deaths == DEATHS && \
	    write_of[at] == WRITES))
#else
#define ACCEPTED(how) \
	assert(word0 == write_of[at] && word1 == write_of[at])
#endif
#define COPIED	0
#define KEPT	1

#define AT_NOW	threads[self].now.at[GENERATION]

/* cb_shm_read() */
active [READERS] proctype reader()
{
	byte self = _pid - 1;
	byte reads, before, after, word0, word1;
	byte to0, to1;
	byte seen, at, from;

	for (reads : 1 .. READS) {
		/* cb_seqlock_is_current() */
		load(self, GENERATION, CURRENT_ORDER, before);
		if
		:: before == seen && seen != 0 ->
			NO_LAP(at, AT_NOW);
			at = AT_NOW;
			ACCEPTED(KEPT);
			goto next
		:: else
		fi;
		/* cb_seqlock_read() */
		load(self, GENERATION, R1_ORDER, before);	/* R1 */
		from = AT_NOW;
		if
		:: before == 0 || before % 2 == 1 -> goto next
		:: else
		fi;
		load(self, BODY0, RELAXED, to0);		/* R2 */
		load(self, BODY1, RELAXED, to1);
		R3_FENCE;
		load(self, GENERATION, RELAXED, after);		/* R3 */
		if
		:: after != before -> goto next
		:: else
		fi;
		NO_LAP(from, AT_NOW);
		seen = before;
		at = AT_NOW;
		word0 = to0;
		word1 = to1;
		ACCEPTED(COPIED);
next:
		skip
	};
out:
	skip
}
