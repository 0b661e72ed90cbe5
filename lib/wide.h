/* SPDX-License-Identifier: ISC */
/*
 * Products of 128 bits, exact, on any CPU.
 */
#ifndef CB_WIDE_H
#define CB_WIDE_H

#include <stdbool.h>
#include <stdint.h>

struct cb_wide {
	uint64_t high, low;
};

static inline struct cb_wide
cb_wide_multiply(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
	__extension__ unsigned __int128 product = a;

	product *= b;
	return (struct cb_wide){ (uint64_t)(product >> 64),
		(uint64_t)product };
#else
	/* By halves of 32 bits: no sum here leaves 64. */
	uint64_t a0 = a & UINT32_MAX, a1 = a >> 32;
	uint64_t b0 = b & UINT32_MAX, b1 = b >> 32;
	uint64_t low = a0 * b0;
	uint64_t mid = a1 * b0 + (low >> 32);
	uint64_t mid2 = a0 * b1 + (mid & UINT32_MAX);

	return (struct cb_wide){
		.high = a1 * b1 + (mid >> 32) + (mid2 >> 32),
		.low = mid2 << 32 | (low & UINT32_MAX)
	};
#endif
}

/* x / 2^shift, rounded down; *lost: bits that were not 0 have fallen off. */
static inline struct cb_wide
cb_wide_shift(struct cb_wide x, unsigned shift, bool *lost)
{
	*lost = false;
	/* A whole word, or two. */
	for (int i = 0; i < 2 && shift >= 64; i++, shift -= 64) {
		*lost |= x.low != 0;
		x = (struct cb_wide){ .low = x.high };
	}
	if (shift >= 64)
		return (struct cb_wide){ 0, 0 };
	if (shift > 0) {
		*lost |= x.low << (64 - shift) != 0;
		x.low = x.high << (64 - shift) | x.low >> shift;
		x.high >>= shift;
	}
	return x;
}

/* n * slope / 2^64, rounded down also where it is negative; n is not. */
static inline int64_t
cb_wide_floor(int64_t n, int64_t slope)
{
#ifdef __SIZEOF_INT128__
	return (int64_t)((__extension__ (__int128)n) * slope >> 64);
#else
	/* A negative slope stands for one that is less by 2^64. */
	return (int64_t)(cb_wide_multiply((uint64_t)n, (uint64_t)slope).high -
	    (slope < 0 ? (uint64_t)n : 0));
#endif
}

#endif
