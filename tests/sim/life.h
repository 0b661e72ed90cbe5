/* SPDX-License-Identifier: ISC */
#ifndef LIFE_H
#define LIFE_H

#include "tally.h"

/* A world from its beginning to its end, or to the first failure. */
void life_live(const struct plan *, struct totals *);

#endif
