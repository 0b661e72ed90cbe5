/* SPDX-License-Identifier: ISC */
/*
 * Reads a segment as fast as it can beside CLOCK_REALTIME, from which true
 * time is known: every trusted interval has to hold it.
 *
 * usage: truth SECONDS PATH VMCLOCK OFFSET_NS [PPM T0_NS]
 *
 * True time is CLOCK_REALTIME + OFFSET_NS, and PPM of what has gone by since
 * T0_NS.  Out comes "trusted N, missed N, half-width NS", the largest; the exit
 * status is 0 where some were trusted and none has missed.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "clockbound.h"
#include "ts.h"

static int64_t offset_ns, ppm, t0_ns;

static int64_t
true_now(void)
{
	int64_t ns = cb_ts_clock(CLOCK_REALTIME);

	return ns + offset_ns + (ns - t0_ns) / 1000000 * ppm;
}

int
main(int argc, char *argv[])
{
	int64_t trusted = 0, missed = 0, widest = 0, end;
	clockbound_err error;
	clockbound_ctx *ctx;

	if (argc != 5 && argc != 7)
		errx(2, "usage: truth SECONDS PATH VMCLOCK OFFSET_NS "
		    "[PPM T0_NS]");
	offset_ns = strtoll(argv[4], NULL, 10);
	if (argc == 7) {
		ppm = strtoll(argv[5], NULL, 10);
		t0_ns = strtoll(argv[6], NULL, 10);
	}
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
