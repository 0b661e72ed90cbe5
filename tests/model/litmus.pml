/* SPDX-License-Identifier: ISC */
/*
 * memory.pml itself: small programs of which it is well known what C11 allows.
 * By -D: which one, the orders of its loads and stores, and fences.
 */

#ifndef LOAD
#define LOAD		RELAXED
#endif
#ifndef STORE
#define STORE		RELAXED
#endif
#ifndef ACQUIRE_FENCE
#define ACQUIRE_FENCE	no_fence
#endif
#ifndef RELEASE_FENCE
#define RELEASE_FENCE	no_fence
#endif

#define X		0
#define Y		1
#define LOCATIONS	2
#define MESSAGES	3
#define THREADS		4

#include "memory.pml"

inline no_fence(self)
{
	skip
}

byte a, b, c, d, done;

#define DONE(all, bad)	done++; assert(done < all || !(bad))

/* Message passing: who sees the second store sees the first. */
#ifdef MP
active proctype p0()
{
	store(0, X, RELAXED, 1);
	RELEASE_FENCE(0);
	store(0, Y, STORE, 1)
}

active proctype p1()
{
	load(1, Y, LOAD, a);
	ACQUIRE_FENCE(1);
	load(1, X, RELAXED, b);
	DONE(1, a == 1 && b == 0)
}
#endif

/* The same by way of a thread in between. */
#ifdef WRC
active proctype p0()
{
	store(0, X, STORE, 1);
	store(0, X, STORE, 2)
}

active proctype p1()
{
	load(1, X, LOAD, a);
	store(1, Y, STORE, a)
}

active proctype p2()
{
	load(2, Y, LOAD, b);
	load(2, X, RELAXED, c);
	DONE(1, c < b)
}
#endif

/* Coherence: of one location nobody sees the old after the new. */
#ifdef CORR
active proctype p0()
{
	store(0, X, STORE, 1);
	store(0, X, STORE, 2)
}

active proctype p1()
{
	load(1, X, LOAD, a);
	load(1, X, LOAD, b);
	DONE(1, b < a)
}
#endif

/* Store buffering: neither sees the other's store. */
#ifdef SB
active proctype p0()
{
	store(0, X, STORE, 1);
	load(0, Y, LOAD, a);
	DONE(2, a == 0 && b == 0)
}

active proctype p1()
{
	store(1, Y, STORE, 1);
	load(1, X, LOAD, b);
	DONE(2, a == 0 && b == 0)
}
#endif

/* Two readers see two independent stores in different orders. */
#ifdef IRIW
active proctype p0()
{
	store(0, X, STORE, 1)
}

active proctype p1()
{
	store(1, Y, STORE, 1)
}

active proctype p2()
{
	load(2, X, LOAD, a);
	load(2, Y, LOAD, b);
	DONE(2, a == 1 && b == 0 && c == 1 && d == 0)
}

active proctype p3()
{
	load(3, Y, LOAD, c);
	load(3, X, LOAD, d);
	DONE(2, a == 1 && b == 0 && c == 1 && d == 0)
}
#endif
