/* SPDX-License-Identifier: ISC */
/*
 * Readings, and what became of them.
 */
#ifndef TALLY_H
#define TALLY_H

#include "world.h"

/* Whose readings. */
enum kind { SHM0, SHM0_DOUBLES, SHM1, SHM1_DOUBLES, ESTIMATE, KINDS };

#define RATIOS		1001	/* thousandths, and all above */
#define LENGTHS		512	/* eight to an octave */

/* Nothing but counts: those of all processes are added up. */
struct tally {
	int64_t trusted, untrusted, missed;
	int64_t untold, untold_missed;	/* what no reader is told */
	int64_t unseen, unseen_missed;	/* what no program sees */
	int64_t belied, belied_missed;	/* what the daemon was told */
	int64_t ratio[RATIOS];	/* of error to half-width */
	int64_t half[LENGTHS];
	int64_t wider[LENGTHS];	/* than chronyd's estimate, times 1000 */
};

struct totals {
	int64_t worlds, ticks, ns, ns_fast, unannounced;
	int64_t befallen[N_CLASSES];
	int64_t unseen_worlds;
	int64_t wrong_for[LENGTHS];	/* after what no program sees */
	struct tally of[KINDS];
};

/* What went wrong in this world first; "" while nothing did. */
extern char failure[256];

void tally_fail(const char *, ...) __attribute__((format(printf, 1, 2)));
void tally_length(int64_t hist[LENGTHS], int64_t ns);
/* True time is from early to late, and was read as from lo to hi. */
struct verdict {
	int64_t lo, hi, early, late;
	clockbound_clock_status status;
	bool untold, unseen, belied;
	int64_t estimate_ns;	/* chronyd's half-width; 0: none */
};
/* False when it misses true time. */
bool tally_add(struct totals *, enum kind, const struct verdict *);
void tally_sum(struct totals *, const struct totals *);
void tally_report(const struct totals *);

#endif
