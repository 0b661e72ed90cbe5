/* SPDX-License-Identifier: ISC */
/*
 * A reading and questions go in, an exit status comes out: yes to all of
 * them, or not, or not to be trusted.
 */
#include "cb-now.h"
#include "ts.h"

int
cb_question_answer(const struct cb_question *q, const struct cb_reading *r)
{
	if (!r->trusted)
		return CB_EXIT_NOT_TRUSTED;
	if (q->has_after && cb_ts_compare(&r->earliest, &q->after) <= 0)
		return CB_EXIT_NO;
	if (q->has_before && cb_ts_compare(&r->latest, &q->before) >= 0)
		return CB_EXIT_NO;
	if (q->has_within && cb_ts_compare(&r->half, &q->within) > 0)
		return CB_EXIT_NO;
	return CB_EXIT_YES;
}
