/* SPDX-License-Identifier: ISC */
/*
 * A program that lives on with one context: it tries to open a segment until
 * it can, and reads it each millisecond from then on; so does a child, which
 * it forks at the first reading that can be trusted.
 *
 * usage: reader PATH VMCLOCK OFFSET_NS
 *
 * True time is CLOCK_REALTIME + OFFSET_NS.  Out comes a line whenever one of
 * the two is told something else: "parent status 1", "child error 4".  It ends
 * at a trusted interval that does not hold true time.
 */
#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "clockbound.h"
#include "ts.h"

static const char *who = "parent";
static int64_t offset_ns;

static void
pause_1_ms(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static void
tell(const char *what, int value)
{
	static const char *last_who, *last_what;
	static int last_value;

	if (who == last_who && what == last_what && value == last_value)
		return;
	last_who = who;
	last_what = what;
	last_value = value;
	printf("%s %s %d\n", who, what, value);
	fflush(stdout);
}

static clockbound_ctx *
open_at_last(const char *path, const char *vmclock)
{
	static const char error[] = "error";
	clockbound_err failed;
	clockbound_ctx *ctx;

	while ((ctx = clockbound_vmclock_open(path, vmclock, &failed)) ==
	    NULL) {
		tell(error, (int)failed.kind);
		pause_1_ms();
	}
	return ctx;
}

/* True where the reading can be trusted. */
static bool
read_once(clockbound_ctx *ctx)
{
	static const char status[] = "status", error[] = "error";
	int64_t before = cb_ts_clock(CLOCK_REALTIME) + offset_ns, after;
	clockbound_now_result now;
	const clockbound_err *failed = clockbound_now(ctx, &now);

	after = cb_ts_clock(CLOCK_REALTIME) + offset_ns;
	if (failed != NULL)
		tell(error, (int)failed->kind);
	else
		tell(status, (int)now.clock_status);
	if (failed != NULL ||
	    (now.clock_status != CLOCKBOUND_STA_SYNCHRONIZED &&
	    now.clock_status != CLOCKBOUND_STA_FREE_RUNNING))
		return false;
	if (cb_ts_ns(&now.earliest) > after || cb_ts_ns(&now.latest) < before)
		errx(1, "%s missed true time", who);
	return true;
}

int
main(int argc, char *argv[])
{
	pid_t parent = getpid();
	clockbound_ctx *ctx;

	if (argc != 4)
		errx(2, "usage: reader PATH VMCLOCK OFFSET_NS");
	offset_ns = strtoll(argv[3], NULL, 10);
	ctx = open_at_last(argv[1], argv[2]);
	while (!read_once(ctx))
		pause_1_ms();
	switch (fork()) {
	case -1:
		err(1, "fork");
	case 0:
		who = "child";
	}
	/* The child ends with its parent. */
	while (getpid() == parent || getppid() == parent) {
		read_once(ctx);
		pause_1_ms();
	}
	clockbound_close(ctx);
	return 0;
}
