/* SPDX-License-Identifier: ISC */
/*
 * A reading and questions go in, an exit status comes out: yes to all of
 * them, or not, or not to be trusted.
 */
#include <sys/time.h>

#include "cb-now.h"

int
cb_question_answer(const struct cb_question *q, const struct cb_reading *r)
{
	if (!r->trusted)
		return CB_EXIT_NOT_TRUSTED;
	if (q->has_after && !timespeccmp(&r->earliest, &q->after, >))
		return CB_EXIT_NO;
	if (q->has_before && !timespeccmp(&r->latest, &q->before, <))
		return CB_EXIT_NO;
	if (q->has_within && !timespeccmp(&r->half, &q->within, <=))
		return CB_EXIT_NO;
	return CB_EXIT_YES;
}
