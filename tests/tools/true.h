/* SPDX-License-Identifier: ISC */
/*
 * True time of the rig's making: at t, of CLOCK_REALTIME, it is off by
 *
 *	OFFSET_NS + PPM * (t - T0_NS) + PPB_PER_S * (t - T0_NS)^2 / 2
 */
#ifndef TRUE_H
#define TRUE_H

#include <err.h>
#include <stdint.h>
#include <stdlib.h>

#define TRUE_USAGE	"OFFSET_NS [PPM T0_NS [PPB_PER_S]]"

struct true_time {
	int64_t offset_ns, ppm, t0_ns, ppb_per_s;
};

static inline struct true_time
true_parse(char *argv[], int argc)
{
	int64_t v[4] = { 0 };

	for (int i = 0; i < argc; i++)
		v[i] = strtoll(argv[i], NULL, 10);
	return (struct true_time){ v[0], v[1], v[2], v[3] };
}

static inline int64_t
true_offset(const struct true_time *t, int64_t ns)
{
	int64_t us = (ns - t->t0_ns) / 1000;
	double s = (double)us / 1e6;

	return t->offset_ns + t->ppm * us / 1000 +
	    (int64_t)((double)t->ppb_per_s * s * s / 2);
}

#endif
