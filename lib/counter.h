/* SPDX-License-Identifier: ISC */
/*
 * The CPU's counter, the one that a VMClock's time is told by.  The number of
 * ticks comes out.
 *
 * A CPU may read its counter before it has done what stands above, or after it
 * has done what stands below.
 *
 *	x86-64	rdtsc waits for nothing.  lfence before it waits until all
 *		that went before is complete, loads included; lfence after it
 *		holds back what comes.
 *	aarch64	the same of cntvct_el0 and isb; but a load before it is waited
 *		for only where a branch depends on what was loaded.
 *
 * cb_counter_read() has the first of the two; cb_counter_fence() is the second,
 * for where a later load must be later than the reading.  An acquire fence is
 * not: it is no instruction on x86-64, and on aarch64 it waits for loads, which
 * the reading is not.  "memory" keeps the compiler from moving anything across
 * any of them.
 *
 * A VMClock is looked at after the counter was read.  A real one is owed no
 * fence for that: who writes to it has stopped this CPU.  A CPU may look at it
 * early, but it retires in the order of the program, and to stop it, like any
 * interrupt, is to throw away what has not retired, on aarch64 as on x86-64: a
 * look that ran ahead of the counter is done again (tests/model/counter.pml).
 * A simulated one is written to while this CPU runs, where nothing is done
 * again.  For that there is cb_counter_zero(): the look waits for the counter,
 * and nothing else does.
 *
 * Other CPUs have no counter here, and CB_COUNTER_ID says so.
 */
#ifndef CB_COUNTER_H
#define CB_COUNTER_H

#include <stdint.h>

/* As a VMClock names counters. */
#define CB_COUNTER_ARM_VCNT	0
#define CB_COUNTER_X86_TSC	1
#define CB_COUNTER_INVALID	0xff

#if defined(__x86_64__)
#define CB_COUNTER_ID	CB_COUNTER_X86_TSC
#elif defined(__aarch64__)
#define CB_COUNTER_ID	CB_COUNTER_ARM_VCNT
#else
#define CB_COUNTER_ID	CB_COUNTER_INVALID
#endif

static inline uint64_t
cb_counter_read(void)
{
#if defined(__x86_64__)
	uint32_t low, high;

	__asm__ volatile("lfence\n\trdtsc" : "=a" (low), "=d" (high) : :
	    "memory");
	return (uint64_t)high << 32 | low;
#elif defined(__aarch64__)
	uint64_t ticks;

	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r" (ticks) : :
	    "memory");
	return ticks;
#else
	return 0;
#endif
}

static inline void
cb_counter_fence(void)
{
#if defined(__x86_64__)
	__asm__ volatile("lfence" : : : "memory");
#elif defined(__aarch64__)
	__asm__ volatile("isb" : : : "memory");
#endif
}

/*
 * A 0 that no CPU knows before it knows ticks: what is loaded from an address
 * that it was added to is loaded after the counter was read, without a fence.
 */
static inline uintptr_t
cb_counter_zero(uint64_t ticks)
{
#if defined(__x86_64__)
	__asm__ volatile("andl $0, %k0" : "+r" (ticks) : : "cc", "memory");
	return (uintptr_t)ticks;
#elif defined(__aarch64__)
	__asm__ volatile("eor %0, %0, %0" : "+r" (ticks) : : "memory");
	return (uintptr_t)ticks;
#else
	(void)ticks;
	return 0;
#endif
}

#endif
