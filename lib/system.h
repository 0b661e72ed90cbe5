/* SPDX-License-Identifier: ISC */
/*
 * What systems do not have in common, and what stands in for it: chosen here,
 * in system.c, and for the daemon in clocks.c and sandbox.c.  What CPUs do not
 * have in common is in counter.h and wide.h.
 */
#ifndef CB_SYSTEM_H
#define CB_SYSTEM_H

#include <stdbool.h>
#include <time.h>

#ifdef __APPLE__
#include <libkern/OSByteOrder.h>
#define htole16(x)	OSSwapHostToLittleInt16(x)
#define htole32(x)	OSSwapHostToLittleInt32(x)
#define htole64(x)	OSSwapHostToLittleInt64(x)
#define le16toh(x)	OSSwapLittleToHostInt16(x)
#define le32toh(x)	OSSwapLittleToHostInt32(x)
#define le64toh(x)	OSSwapLittleToHostInt64(x)
#else
#include <endian.h>
#endif

/*
 * CB_CLOCK_AS_OF	as_of of version 2: never set, and cheap to read
 * CB_CLOCK_BOOT	goes on while the machine sleeps, from the boot on
 * CB_CLOCK_AWAKE	the same, but for sleep
 */
#if defined(__linux__)
#define CB_CLOCK_AS_OF	CLOCK_MONOTONIC_COARSE
#define CB_CLOCK_BOOT	CLOCK_BOOTTIME
#define CB_CLOCK_AWAKE	CLOCK_MONOTONIC
#elif defined(__APPLE__)
#define CB_CLOCK_AS_OF	CLOCK_MONOTONIC
#define CB_CLOCK_BOOT	CLOCK_MONOTONIC_RAW
#define CB_CLOCK_AWAKE	CLOCK_UPTIME_RAW
#else
#define CB_CLOCK_AS_OF	CLOCK_MONOTONIC
#define CB_CLOCK_BOOT	CLOCK_MONOTONIC
#ifdef CLOCK_UPTIME
#define CB_CLOCK_AWAKE	CLOCK_UPTIME
#else
#define CB_CLOCK_AWAKE	CLOCK_MONOTONIC
#endif
#endif

/* A Unix socket that no child inherits. */
int cb_system_socket(int type, bool waits);
/* A connection to one, which never waits. */
int cb_system_accept(int fd);
/* Sleeps of this process end as soon after their time as can be. */
void cb_system_sleep_sharply(void);

#endif
