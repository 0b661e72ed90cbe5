/* SPDX-License-Identifier: ISC */
/*
 * Reads a segment as fast as it can beside CLOCK_REALTIME, from which true
 * time is known: every trusted interval has to hold it.
 *
 * usage: truth SECONDS PATH VMCLOCK OFFSET_NS [PPM T0_NS [PPB_PER_S]]
 *
 * Out comes "trusted N, missed N, half-width NS", the largest; the exit status
 * is 0 where some were trusted and none has missed.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "clockbound.h"
#include "true.h"
#include "ts.h"

static struct true_time truth;

static int64_t
true_now(void)
{
	int64_t ns = cb_ts_clock(CLOCK_REALTIME);

	return ns + true_offset(&truth, ns);
}

int
main(int argc, char *argv[])
{
	int64_t trusted = 0, missed = 0, widest = 0, end;
	clockbound_err error;
	clockbound_ctx *ctx;

	if (argc < 5 || argc == 6 || argc > 8)
		errx(2, "usage: truth SECONDS PATH VMCLOCK " TRUE_USAGE);
	truth = true_parse(argv + 4, argc - 4);
	ctx = clockbound_vmclock_open(argv[2], argv[3], &error);
	if (ctx == NULL)
		errx(1, "%s: error kind %d", argv[2], (int)error.kind);
	end = cb_ts_clock(CLOCK_MONOTONIC) +
	    strtoll(argv[1], NULL, 10) * CB_NS_PER_S;
	while (cb_ts_clock(CLOCK_MONOTONIC) < end) {
		int64_t before = true_now(), after, earliest, latest;
		clockbound_now_result now;

		if (clockbound_now(ctx, &now) != NULL ||
		    (now.clock_status != CLOCKBOUND_STA_SYNCHRONIZED &&
		    now.clock_status != CLOCKBOUND_STA_FREE_RUNNING))
			continue;
		after = true_now();
		earliest = cb_ts_ns(&now.earliest);
		latest = cb_ts_ns(&now.latest);
		trusted++;
		missed += earliest > after || latest < before;
		widest = cb_ts_max(widest, (latest - earliest) / 2);
	}
	printf("trusted %lld, missed %lld, half-width %lld\n",
	    (long long)trusted, (long long)missed, (long long)widest);
	clockbound_close(ctx);
	return trusted == 0 || missed != 0;
}
