/* SPDX-License-Identifier: ISC */
/*
 * Readings, one or many, a line each; the exit status of the last one comes
 * out.
 */
#include <signal.h>
#include <unistd.h>

#include "cb-now.h"
#include "stamp.h"
#include "ts.h"

/* The last reading's, which a signal ends us with. */
static volatile sig_atomic_t last_status;

static void
on_end(int signo)
{
	(void)signo;
	_exit((int)last_status);
}

/* Whoever has read enough, or seen enough, is not to be told of an error. */
static void
catch_signals(void)
{
	signal(SIGPIPE, on_end);
	/* A shell's background job is not to hear of the terminal's. */
	if (signal(SIGINT, on_end) == SIG_IGN)
		signal(SIGINT, SIG_IGN);
}

/* By the rhythm of the first one; moments that have gone by are left out. */
static void
sleep_until_next(int64_t *next_mono, int64_t interval_ns)
{
	int64_t left_ns, late_ns = cb_ts_clock(CLOCK_MONOTONIC) - *next_mono;
	struct timespec ts;

	*next_mono += (cb_ts_max(late_ns, 0) / interval_ns + 1) * interval_ns;
	while ((left_ns = *next_mono - cb_ts_clock(CLOCK_MONOTONIC)) > 0) {
		ts = cb_stamp_of_ns(left_ns);
		nanosleep(&ts, NULL);
	}
}

int
cb_stream_run(const struct cb_stream *t, struct cb_segment *s,
    const char *format)
{
	int64_t next_mono = cb_ts_clock(CLOCK_MONOTONIC);
	struct cb_reading r;

	for (int64_t left = t->count;; left--) {
		cb_reading_read(s, &r);
		last_status = cb_question_answer(&t->question, &r);
		if (left == t->count && left > 1)
			catch_signals();
		if (format != NULL)
			cb_format_print(format, &r);
		if (left == 1)
			return (int)last_status;
		sleep_until_next(&next_mono, t->interval_ns);
	}
}
