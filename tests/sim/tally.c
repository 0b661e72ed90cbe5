/* SPDX-License-Identifier: ISC */
/*
 * Readings go in, beside true time; a report comes out.
 */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tally.h"

char failure[256];

static const char *const names[KINDS] = {
	[SHM0] = "shm0", [SHM0_DOUBLES] = "shm0, in doubles",
	[SHM1] = "shm1", [SHM1_DOUBLES] = "shm1, in doubles",
	[ESTIMATE] = "chronyd's estimate"
};

void
tally_fail(const char *format, ...)
{
	va_list ap;

	if (failure[0] != '\0')
		return;
	va_start(ap, format);
	vsnprintf(failure, sizeof(failure), format, ap);
	va_end(ap);
}

/* Its highest three bits below the first, and where that is. */
void
tally_length(int64_t hist[LENGTHS], int64_t ns)
{
	uint64_t n = (uint64_t)cb_ts_max(ns, 8);
	int octave = 63 - __builtin_clzll(n);

	hist[octave * 8 + (int)(n >> (octave - 3) & 7)]++;
}

static void
count(struct tally *t, const struct verdict *v)
{
	int64_t half = (v->hi - v->lo) / 2, middle = v->lo + half;
	int64_t error = cb_ts_max(middle - v->early, v->late - middle);
	int64_t ratio = (int64_t)(1000 * (double)error / (double)half);

	t->trusted++;
	t->ratio[cb_ts_min(ratio, RATIOS - 1)]++;
	tally_length(t->half, half);
	if (v->estimate_ns > 0)
		tally_length(t->wider, (int64_t)(1000 * (double)half /
		    (double)v->estimate_ns));
}

bool
tally_add(struct totals *all, enum kind kind, const struct verdict *v)
{
	struct tally *t = &all->of[kind];
	bool missed = v->early < v->lo || v->hi < v->late;

	if (v->status != CLOCKBOUND_STA_SYNCHRONIZED &&
	    v->status != CLOCKBOUND_STA_FREE_RUNNING) {
		t->untrusted++;
		return true;
	}
	if (v->unseen) {
		t->unseen++;
		t->unseen_missed += missed;
		return !missed;
	}
	if (v->untold) {
		t->untold++;
		t->untold_missed += missed;
		return true;
	}
	if (v->belied) {
		t->belied++;
		t->belied_missed += missed;
		return true;
	}
	count(t, v);
	t->missed += missed;
	if (missed && kind != ESTIMATE)
		tally_fail("%s: true time is %" PRId64 " ns outside, "
		    "half-width %" PRId64 " ns, after %.3f s", names[kind],
		    cb_ts_max(v->lo - v->early, v->late - v->hi),
		    (v->hi - v->lo) / 2, (double)w.now_ns / 1e9);
	return !missed;
}

void
tally_sum(struct totals *sum, const struct totals *more)
{
	int64_t a[sizeof(*sum) / sizeof(int64_t)], b[sizeof(a) / sizeof(a[0])];

	memcpy(a, sum, sizeof(a));
	memcpy(b, more, sizeof(b));
	for (size_t i = 0; i < sizeof(a) / sizeof(a[0]); i++)
		a[i] += b[i];
	memcpy(sum, a, sizeof(a));
}

static int64_t
total(const int64_t *hist, int n)
{
	int64_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += hist[i];
	return sum;
}

/* The first place up to which there are so many of all. */
static int
place(const int64_t *hist, int n, double share)
{
	int64_t left = (int64_t)ceil(share * (double)total(hist, n));
	int i;

	for (i = 0; i < n - 1 && (left -= hist[i]) > 0; i++)
		;
	return i;
}

/* Where a length's place ends. */
static double
length(int place)
{
	return ldexp(1 + (place % 8 + 1) / 8.0, place / 8);
}

static double
beside(const struct totals *all, int kind, double share)
{
	return length(place(all->of[kind].wider, LENGTHS, share)) / 1000;
}

static double
percent(int64_t part, int64_t whole)
{
	return whole == 0 ? 0 : 100 * (double)part / (double)whole;
}

static void
report_readings(const struct totals *all)
{
	printf("%-19s %11s %8s %-27s %-29s\n", "", "", "",
	    "error / half-width", "half-width, us");
	printf("%-19s %11s %8s", "readings", "trusted", "share");
	printf(" %6s %6s %6s %6s %9s %9s %9s %8s\n", "50 %", "90 %", "99 %",
	    "all", "50 %", "90 %", "99 %", "missed");
	for (int k = 0; k < KINDS; k++) {
		const struct tally *t = &all->of[k];
		int64_t read = t->trusted + t->untrusted + t->untold +
		    t->unseen + t->belied;

		printf("%-19s %11" PRId64 " %7.2f%%", names[k], t->trusted,
		    percent(read - t->untrusted, read));
		for (int i = 0; i < 4; i++)
			printf(" %6.3f", (place(t->ratio, RATIOS,
			    (double[]){ .5, .9, .99, 1 }[i]) + 1) / 1000.0);
		for (int i = 0; i < 3; i++)
			printf(" %9.1f", length(place(t->half, LENGTHS,
			    (double[]){ .5, .9, .99 }[i])) / 1000);
		printf(" %8" PRId64 "\n", t->missed);
	}
}

static void
report_limits(const struct totals *all)
{
	const struct tally *v2 = &all->of[SHM0], *v3 = &all->of[SHM1];

	printf("not counted, since no reader is told: of shm0 %" PRId64
	    " trusted\n  readings, %.2f%% of them wrong; of shm1 %" PRId64
	    ", %.2f%%\n", v2->untold,
	    percent(v2->untold_missed, v2->untold), v3->untold,
	    percent(v3->untold_missed, v3->untold));
	printf("since no program sees it: of shm0 %" PRId64
	    ", %.2f%%; of shm1 %" PRId64 ", %.2f%%\n", v2->unseen,
	    percent(v2->unseen_missed, v2->unseen), v3->unseen,
	    percent(v3->unseen_missed, v3->unseen));
	printf("since --max-wander was not true: of shm0 %" PRId64
	    ", %.2f%%; of shm1 %" PRId64 ", %.2f%%\n", v2->belied,
	    percent(v2->belied_missed, v2->belied), v3->belied,
	    percent(v3->belied_missed, v3->belied));
	if (all->unseen_worlds > 0)
		printf("wrong after that, of %" PRId64 " times: half of them "
		    "up to %.2f s, 90 %% %.2f s, 99 %% %.2f s (of 5000 s)\n",
		    all->unseen_worlds,
		    length(place(all->wrong_for, LENGTHS, .5)) / 1e9,
		    length(place(all->wrong_for, LENGTHS, .9)) / 1e9,
		    length(place(all->wrong_for, LENGTHS, .99)) / 1e9);
}

void
tally_report(const struct totals *all)
{
	int64_t read = 0, trusted = 0, missed = 0;

	printf("%.2f years in %" PRId64 " worlds, %" PRId64 " ticks; %.1f "
	    "days at 100 ms\n", (double)all->ns / 1e9 / 86400 / 365.25,
	    all->worlds, all->ticks, (double)all->ns_fast / 1e9 / 86400);
	for (int i = 0; i < N_CLASSES; i++)
		printf("%s %s %" PRId64, i == 0 ? "events:" : i % 6 == 0 ?
		    ",\n   " : ",", class_names[i], all->befallen[i]);
	printf("\n");
	report_readings(all);
	report_limits(all);
	printf("the half-width beside that of chronyd's estimate, of the same "
	    "readings:\n");
	for (int k = SHM0; k <= SHM1; k += SHM1 - SHM0)
		printf("  of %s: 10 %% up to %.2f times, 50 %% %.2f, 90 %% "
		    "%.2f\n", names[k], beside(all, k, .1),
		    beside(all, k, .5), beside(all, k, .9));
	if (all->unannounced > 0)
		printf("ended, since nobody told the daemon of a leap second: "
		    "%" PRId64 " worlds\n", all->unannounced);
	for (int k = 0; k < ESTIMATE; k++) {
		const struct tally *t = &all->of[k];

		read += t->trusted + t->untrusted + t->untold + t->unseen +
		    t->belied;
		trusted += t->trusted;
		missed += t->missed;
	}
	printf("%" PRId64 " readings, %" PRId64 " trusted, %" PRId64
	    " missed\n", read, trusted, missed);
}
