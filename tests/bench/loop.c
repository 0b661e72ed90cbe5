/* SPDX-License-Identifier: ISC */
/*
 * The bare loop that cb-daemon is measured against: sleep, ask chronyd what
 * the daemon asks it, and do nothing with the answers.
 *
 * usage: loop SOCKET SECONDS PID
 *
 * Out come lines "NAME VALUE": the number of chronyd's sources, the loop's
 * wake-ups a second, and the processor seconds an hour of the loop and of the
 * process PID, the daemon, in the very same time.
 */
#include <sys/resource.h>
#include <sys/select.h>

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "chrony.h"
#include "ts.h"

#define INTERVAL_NS	(CB_NS_PER_S / 10)
#define REPLY_NS	(CB_NS_PER_S / 20)

static void
ask(struct cb_chrony *c, enum cb_chrony_command command, uint32_t index,
    uint8_t reply[CB_CHRONY_MAX_LEN])
{
	uint16_t status;

	if (!cb_chrony_ask(c, command, index, REPLY_NS, reply, &status)) {
		/* On a busy machine an answer may be late: it was asked. */
		if (errno != ETIMEDOUT)
			err(1, "ask chronyd");
	} else if (status != 0)
		errx(1, "chronyd refused command %d", (int)command);
}

/*
 * The report that says what chronyd's clock is, that of one source, as if it
 * were the selected one, and that of one of the others in turn.
 */
static void
ask_round(struct cb_chrony *c, uint32_t n_sources, uint32_t round)
{
	uint8_t reply[CB_CHRONY_MAX_LEN];

	ask(c, CB_CHRONY_TRACKING, 0, reply);
	ask(c, CB_CHRONY_SOURCE_DATA, 0, reply);
	if (n_sources > 1)
		ask(c, CB_CHRONY_SOURCE_DATA, 1 + round % (n_sources - 1),
		    reply);
}

static double
read_clock(clockid_t id)
{
	struct timespec ts;

	if (clock_gettime(id, &ts) == -1)
		err(1, "clock_gettime");
	return (double)cb_ts_ns(&ts) / 1e9;
}

/* What this process and that with the clock other have used up so far. */
struct usage {
	double time;
	double own;
	double other;
	long wakeups;
};

static void
get_usage(struct usage *u, clockid_t other)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	u->wakeups = ru.ru_nvcsw;
	u->own = read_clock(CLOCK_PROCESS_CPUTIME_ID);
	u->other = read_clock(other);
	u->time = read_clock(CLOCK_MONOTONIC);
}

static void
report(const struct usage *from, const struct usage *to)
{
	double elapsed = to->time - from->time;

	printf("wakeups_per_s %.2f\n",
	    (double)(to->wakeups - from->wakeups) / elapsed);
	printf("cpu_s_per_hour %.3f\n",
	    (to->own - from->own) * 3600 / elapsed);
	printf("daemon_cpu_s_per_hour %.3f\n",
	    (to->other - from->other) * 3600 / elapsed);
}

int
main(int argc, char *argv[])
{
	struct timespec pause = { 0, INTERVAL_NS };
	uint8_t reply[CB_CHRONY_MAX_LEN] = { 0 };
	struct usage from, to;
	struct cb_chrony c;
	uint32_t n, rounds;
	const char *what;
	clockid_t other;

	if (argc != 4)
		errx(2, "usage: loop SOCKET SECONDS PID");
	rounds = (uint32_t)strtoul(argv[2], NULL, 10) * 10;
	errno = clock_getcpuclockid((pid_t)strtol(argv[3], NULL, 10), &other);
	if (errno != 0)
		err(1, "process %s", argv[3]);
	if (!cb_chrony_open(&c, argv[1], &what))
		err(1, "cannot %s %s", what, argv[1]);
	ask(&c, CB_CHRONY_N_SOURCES, 0, reply);
	n = cb_chrony_decode_n_sources(reply);
	ask_round(&c, n, 0);
	get_usage(&from, other);
	for (uint32_t i = 0; i < rounds; i++) {
		pselect(0, NULL, NULL, NULL, &pause, NULL);
		ask_round(&c, n, i);
	}
	get_usage(&to, other);
	printf("sources %u\n", n);
	report(&from, &to);
	cb_chrony_close(&c);
	return 0;
}
