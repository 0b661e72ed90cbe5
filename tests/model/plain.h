/* SPDX-License-Identifier: ISC */
/*
 * Taken in before all else, to see that ThreadSanitizer would tell: the words
 * of a body, and of a VMClock, are read and written as if they were no atomics.
 */
#include <stdatomic.h>
#include <stdint.h>

#undef atomic_load_explicit
#undef atomic_store_explicit
#define atomic_load_explicit(from, order) \
	_Generic(*(from), \
	    uint32_t: *(const volatile uint32_t *)(const volatile void *) \
		(from), \
	    default: __atomic_load_n((from), (order)))
#define atomic_store_explicit(to, value, order) \
	_Generic(*(to), \
	    uint32_t: (void)(*(volatile uint32_t *)(volatile void *)(to) = \
		(uint32_t)(value)), \
	    default: __atomic_store_n((to), (value), (order)))
