/* SPDX-License-Identifier: ISC */
/*
 * One writer, any number of readers in other processes, no lock: every memory
 * order of the shared-memory segment is in this file.
 *
 * The generation is even while the body is whole and odd while it is written.
 *
 *	writer				reader
 *	W1 generation = odd, relaxed	R1 g = generation, acquire
 *	   fence, release		R2 copy the body, relaxed
 *	W2 store the body, relaxed	   fence, acquire
 *	W3 generation = even, release	R3 generation == g?, relaxed
 *
 * A reader that copies (R2) any word of a W2 must not accept it together with
 * the generation from before that write.  The release fence after W1 and the
 * acquire fence before R3 synchronise through that very word, so R3 is
 * ordered after W1 and sees the odd generation or a later one: the copy is
 * discarded.  And a reader that takes an even g from W3 (R1, acquire) sees
 * all of the body that W3 released.  Take away either fence, and on a machine
 * that reorders stores (or loads) a torn copy passes for a whole one.
 *
 * The body is read and written as relaxed atomic words: a race by design is
 * then not a data race by C11.  32-bit words are lock-free everywhere.
 *
 * The generation counts writes modulo 2^16 and skips 0, which means that
 * nothing was ever written.  A writer that died in the middle has left an odd
 * generation: the next one writes on under it.
 *
 * So it is the same again after 32767 writes, 55 minutes of ten a second; the
 * format has room for no more.  A reader that is stopped amid R2 for just as
 * many, or a multiple, takes a torn copy.  A copy that is looked at again after
 * just as many passes for current: its age tells.
 *
 * tests/unit/order.c runs this file on all that C11 allows, and fails when one
 * of the four orders is taken away; tests/model/seqlock.pml is the same in
 * Promela, step by step.  On x86 the fences bind the compiler alone, and a
 * program that is merely run there does not miss them.
 */
#ifndef CB_SEQLOCK_H
#define CB_SEQLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline void
cb_seqlock_write(_Atomic uint16_t *generation, _Atomic uint32_t *body,
    const uint32_t *from, size_t words)
{
	uint16_t odd = atomic_load_explicit(generation,
	    memory_order_relaxed) | 1;
	uint16_t even = odd == UINT16_MAX ? 2 : (uint16_t)(odd + 1);

	atomic_store_explicit(generation, odd, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	for (size_t i = 0; i < words; i++)
		atomic_store_explicit(&body[i], from[i],
		    memory_order_relaxed);
	atomic_store_explicit(generation, even, memory_order_release);
}

/*
 * Try once to copy the body.  True, with the copy's generation in *seen, when
 * it is whole; false when a write was under way or nothing was ever written.
 */
static inline bool
cb_seqlock_read(const _Atomic uint16_t *generation,
    const _Atomic uint32_t *body, uint32_t *to, size_t words, uint16_t *seen)
{
	uint16_t before = atomic_load_explicit(generation,
	    memory_order_acquire);

	if (before == 0 || before % 2 == 1)
		return false;
	for (size_t i = 0; i < words; i++)
		to[i] = atomic_load_explicit(&body[i], memory_order_relaxed);
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(generation, memory_order_relaxed) != before)
		return false;
	*seen = before;
	return true;
}

/*
 * Has there been no write since the copy of generation seen was taken?  The
 * acquire is for what the caller reads next; the copy does not need it.
 */
static inline bool
cb_seqlock_is_current(const _Atomic uint16_t *generation, uint16_t seen)
{
	return atomic_load_explicit(generation, memory_order_acquire) == seen;
}

#endif
