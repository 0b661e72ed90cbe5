/* SPDX-License-Identifier: ISC */
/*
 * Two libraries read one segment while its daemon writes it, in turn, ours,
 * theirs, ours: what theirs says has to be between the two of ours.  This
 * holds where no update and no tick of the coarse clock came in between; the
 * other readings are not compared.  Where true time is known every trusted
 * reading has to hold it.
 *
 * usage: live OURS THEIRS UPDATES PATH VMCLOCK [OFFSET_NS [PPM T0_NS]]
 *
 * True time is CLOCK_REALTIME + OFFSET_NS, and PPM of what has gone by since
 * T0_NS.  A thousand readings of each are made right after each of UPDATES.
 * Out comes
 *
 *	trusted N, missed N, compared N, apart N, widths N
 *
 * where "widths" is by how many nanoseconds theirs was narrower at most.  The
 * exit status is 0 where half were compared, and nothing was missed or apart.
 */
#include <sys/mman.h>

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"
#include "shm.h"
#include "ts.h"

#define READINGS	1000	/* after an update */
#define UPDATE_NS	(10 * CB_NS_PER_S)	/* it is waited for */

struct truth {
	bool is_known;
	int64_t offset_ns;
	int64_t ppm;
	int64_t t0_ns;
};

/* One instant, as far as a reading goes. */
struct instant {
	uint16_t generation;
	int64_t coarse;
	int64_t truth;
};

struct count {
	int64_t trusted;
	int64_t missed;
	int64_t compared;
	int64_t apart;
	int64_t narrower_ns;
};

static int64_t
true_now(const struct truth *t)
{
	int64_t ns = cb_ts_clock(CLOCK_REALTIME);

	return ns + t->offset_ns + (ns - t->t0_ns) / 1000000 * t->ppm;
}

static struct instant
instant_now(const struct cb_shm_segment *s, const struct truth *t)
{
	return (struct instant){ .generation = s->header.generation,
		.coarse = cb_ts_clock(CLOCK_MONOTONIC_COARSE),
		.truth = true_now(t) };
}

static bool
is_trusted(const clockbound_now_result *now)
{
	return now->clock_status == CLOCKBOUND_STA_SYNCHRONIZED ||
	    now->clock_status == CLOCKBOUND_STA_FREE_RUNNING;
}

static void
check_truth(const clockbound_now_result *now, const struct instant *before,
    const struct instant *after, struct count *n)
{
	if (!is_trusted(now))
		return;
	n->trusted++;
	n->missed += cb_ts_ns(&now->earliest) > after->truth ||
	    cb_ts_ns(&now->latest) < before->truth;
}

static int64_t
width(const clockbound_now_result *now)
{
	return cb_ts_ns(&now->latest) - cb_ts_ns(&now->earliest);
}

/*
 * What a call of ours that comes soon after another may differ by, where it
 * does not read the coarse clock again: the drift of one of its ticks.
 */
static int64_t
slack_of(const struct cb_shm_segment *s)
{
	struct timespec tick;
	struct cb_shm_v2 v2;

	if (s->header.version != 2)
		return 0;
	memcpy(&v2, s->body, sizeof(v2));
	clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
	return cb_ts_drift(cb_ts_ns(&tick) + 100000, v2.max_drift_ppb);
}

/* Theirs is inside of ours by what exact.c says; ours grows from a to b. */
static void
check_between(const clockbound_now_result *a, const clockbound_now_result *t,
    const clockbound_now_result *b, int64_t within_ns, int64_t slack_ns,
    struct count *n)
{
	int64_t earliest = cb_ts_ns(&t->earliest);
	int64_t latest = cb_ts_ns(&t->latest);
	int64_t narrower = width(a) - width(t);

	within_ns += slack_ns;
	n->compared++;
	n->narrower_ns = cb_ts_max(n->narrower_ns, narrower);
	n->apart += t->clock_status != a->clock_status ||
	    earliest < cb_ts_ns(&a->earliest) - slack_ns ||
	    earliest > cb_ts_ns(&b->earliest) + within_ns ||
	    latest < cb_ts_ns(&a->latest) - within_ns ||
	    latest > cb_ts_ns(&b->latest) + slack_ns ||
	    narrower > 2 * within_ns ||
	    width(t) > width(b) + 2 * slack_ns;
}

static void
read_all(const struct peer *ours, const struct peer *theirs,
    const struct cb_shm_segment *s, const struct truth *truth,
    struct count *n)
{
	struct instant before = instant_now(s, truth), after;
	clockbound_now_result a, t, b;
	clockbound_err_kind kind;

	kind = peer_now(ours, &a);
	if (kind != CLOCKBOUND_ERR_NONE)
		errx(1, "ours: error kind %d", (int)kind);
	kind = peer_now(theirs, &t);
	if (kind != CLOCKBOUND_ERR_NONE)
		errx(1, "theirs: error kind %d", (int)kind);
	peer_now(ours, &b);
	after = instant_now(s, truth);
	if (truth->is_known) {
		check_truth(&a, &before, &after, n);
		check_truth(&t, &before, &after, n);
	}
	if (before.generation == after.generation &&
	    before.generation % 2 == 0 && before.coarse == after.coarse)
		check_between(&a, &t, &b, theirs->open3 != NULL ? 2 : 1,
		    slack_of(s), n);
}

static void
await_update(const struct cb_shm_segment *s)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	uint16_t last = s->header.generation;
	int64_t end = cb_ts_clock(CLOCK_MONOTONIC) + UPDATE_NS;

	while (s->header.generation == last) {
		if (cb_ts_clock(CLOCK_MONOTONIC) > end)
			errx(1, "no update");
		nanosleep(&pause, NULL);
	}
}

static const struct cb_shm_segment *
map_segment(const char *path)
{
	int fd = open(path, O_RDONLY);
	void *map = mmap(NULL, sizeof(struct cb_shm_segment), PROT_READ,
	    MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		err(1, "%s", path);
	close(fd);
	return map;
}

int
main(int argc, char *argv[])
{
	struct truth truth = { .is_known = argc > 6 };
	const struct cb_shm_segment *s;
	struct count n = { .trusted = 0 };
	struct peer ours, theirs;
	int64_t updates;

	if (argc != 6 && argc != 7 && argc != 9)
		errx(2, "usage: live OURS THEIRS UPDATES PATH VMCLOCK "
		    "[OFFSET_NS [PPM T0_NS]]");
	ours = peer_load(argv[1]);
	theirs = peer_load(argv[2]);
	updates = strtoll(argv[3], NULL, 10);
	s = map_segment(argv[4]);
	if (argc > 6)
		truth.offset_ns = strtoll(argv[6], NULL, 10);
	if (argc > 7) {
		truth.ppm = strtoll(argv[7], NULL, 10);
		truth.t0_ns = strtoll(argv[8], NULL, 10);
	}
	if (peer_open(&ours, argv[4], argv[5]) != CLOCKBOUND_ERR_NONE ||
	    peer_open(&theirs, argv[4], argv[5]) != CLOCKBOUND_ERR_NONE)
		errx(1, "%s: cannot be opened", argv[4]);
	for (int64_t i = 0; i < updates; i++) {
		await_update(s);
		for (int j = 0; j < READINGS; j++)
			read_all(&ours, &theirs, s, &truth, &n);
	}
	printf("trusted %" PRId64 ", missed %" PRId64 ", compared %" PRId64
	    ", apart %" PRId64 ", widths %" PRId64 "\n", n.trusted, n.missed,
	    n.compared, n.apart, n.narrower_ns);
	return n.missed != 0 || n.apart != 0 ||
	    n.compared < updates * READINGS / 2;
}
