/* SPDX-License-Identifier: ISC */
/*
 * One instant in all clocks, and how far apart they were read.
 */
#ifdef __linux__
#include <sys/timerfd.h>
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cb-daemon.h"
#include "counter.h"
#include "system.h"
#include "ts.h"

#define CLOCKSOURCE \
	"/sys/devices/system/clocksource/clocksource0/current_clocksource"

/*
 * The clock that nobody steers, or CLOCK_MONOTONIC, which chronyd steers by
 * 500 ppm at most where the frequency was off, and by 5000 ppm in a slew.
 */
#ifdef CLOCK_MONOTONIC_RAW
#define CLOCK_RAW	CLOCK_MONOTONIC_RAW
#define STEER_PPB	0
#else
#define CLOCK_RAW	CLOCK_MONOTONIC
#define STEER_PPB	5500000
#endif

/* Readings this close need no better; otherwise the closest of a few. */
#define CLOSE_NS	200
#define TRIES		5

/* Without a clock nothing true can be told: readers age what they have. */
static void
check(int result)
{
	if (result == 0)
		return;
	cb_log_warn("a clock cannot be read: %s", strerror(errno));
	exit(1);
}

static int64_t
read_clock(clockid_t id)
{
	struct timespec ts;

	check(clock_gettime(id, &ts));
	return cb_ts_ns(&ts);
}

void
cb_clocks_read(struct cb_instant *out)
{
	struct cb_instant in = { .as_of = read_clock(CB_CLOCK_AS_OF) };

	/* In this order: being stopped in between is not taken for sleep. */
	in.asleep = read_clock(CB_CLOCK_BOOT);
	in.asleep -= read_clock(CB_CLOCK_AWAKE);
	for (int i = 0; i < TRIES; i++) {
		in.raw_lo = read_clock(CLOCK_RAW);
		in.counter = cb_counter_read();
		/* Clocks need not wait for it by themselves. */
		cb_counter_fence();
		in.real = read_clock(CLOCK_REALTIME);
		in.raw_hi = read_clock(CLOCK_RAW);
		if (i == 0 || in.raw_hi - in.raw_lo <
		    out->raw_hi - out->raw_lo)
			*out = in;
		if (out->raw_hi - out->raw_lo < CLOSE_NS)
			break;
	}
}

int64_t
cb_clocks_mono(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t
cb_clocks_tick(void)
{
	struct timespec ts;

	check(clock_getres(CB_CLOCK_AS_OF, &ts));
	return cb_ts_ns(&ts);
}

int64_t
cb_clocks_steer(void)
{
	return STEER_PPB;
}

/* Older kernels of FreeBSD's stop both clocks. */
bool
cb_clocks_tell_sleep(void)
{
#ifdef __FreeBSD__
	return false;
#else
	return CB_CLOCK_BOOT != CB_CLOCK_AWAKE;
#endif
}

#ifdef __linux__
/* A timer for a time that does not come: a step cancels it. */
int
cb_clocks_open_steps(void)
{
	struct itimerspec never = {
		.it_value = { .tv_sec = cb_ts_time(CB_TS_MAX_S) }
	};
	int fd;

	fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (fd != -1 && timerfd_settime(fd, TFD_TIMER_ABSTIME |
	    TFD_TIMER_CANCEL_ON_SET, &never, NULL) == -1) {
		close(fd);
		fd = -1;
	}
	return fd;
}
#else
int
cb_clocks_open_steps(void)
{
	errno = ENOSYS;
	return -1;
}
#endif

bool
cb_clocks_was_stepped(int fd)
{
	uint64_t ticks;

	return fd != -1 && read(fd, &ticks, sizeof(ticks)) == -1 &&
	    errno == ECANCELED;
}

bool
cb_clocks_source(char *name, size_t size)
{
	int fd = open(CLOCKSOURCE, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd == -1)
		return false;
	n = read(fd, name, size - 1);
	close(fd);
	if (n <= 0)
		return false;
	name[n] = '\0';
	name[strcspn(name, "\n")] = '\0';
	return true;
}

bool
cb_clocks_is_counter(const char *name)
{
	switch (CB_COUNTER_ID) {
	case CB_COUNTER_X86_TSC:
		return strcmp(name, "tsc") == 0;
	case CB_COUNTER_ARM_VCNT:
		return strcmp(name, "arch_sys_counter") == 0;
	default:
		return false;
	}
}
