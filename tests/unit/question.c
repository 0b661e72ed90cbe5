/* SPDX-License-Identifier: ISC */
/*
 * cb-now's questions at their edges, which no clock can be made to stand on.
 */
#include "cb-now.h"
#include "stamp.h"
#include "test.h"

/* From 10 s to 14 s. */
static const struct cb_reading reading = {
	.earliest = { 10, 0 }, .latest = { 14, 0 }, .middle = { 12, 0 },
	.half = { 2, 0 }, .status = CLOCKBOUND_STA_SYNCHRONIZED,
	.trusted = true
};

#define S(s)	((s) * INT64_C(1000000000))

static void
each_has_its_edge(void)
{
	struct cb_question q;

	for (int64_t by = -1; by <= 1; by++) {
		q = (struct cb_question){ .has_after = true,
			.after = cb_stamp_of_ns(S(10) + by) };
		CHECK_EQ(cb_question_answer(&q, &reading), by < 0 ?
		    CB_EXIT_YES : CB_EXIT_NO);
		q = (struct cb_question){ .has_before = true,
			.before = cb_stamp_of_ns(S(14) + by) };
		CHECK_EQ(cb_question_answer(&q, &reading), by > 0 ?
		    CB_EXIT_YES : CB_EXIT_NO);
		q = (struct cb_question){ .has_within = true,
			.within = cb_stamp_of_ns(S(2) + by) };
		CHECK_EQ(cb_question_answer(&q, &reading), by >= 0 ?
		    CB_EXIT_YES : CB_EXIT_NO);
	}
}

static void
all_must_be_yes(void)
{
	struct cb_question yes = { true, true, true, { 9, 0 }, { 15, 0 },
		{ 2, 0 } }, q = yes;
	struct cb_reading untrusted = reading;

	CHECK_EQ(cb_question_answer(&yes, &reading), CB_EXIT_YES);
	q.after.tv_sec = 11;
	CHECK_EQ(cb_question_answer(&q, &reading), CB_EXIT_NO);
	q = yes;
	q.before.tv_sec = 13;
	CHECK_EQ(cb_question_answer(&q, &reading), CB_EXIT_NO);
	q = yes;
	q.within.tv_sec = 1;
	CHECK_EQ(cb_question_answer(&q, &reading), CB_EXIT_NO);
	untrusted.trusted = false;
	CHECK_EQ(cb_question_answer(&q, &untrusted), CB_EXIT_NOT_TRUSTED);
	CHECK_EQ(cb_question_answer(&yes, &untrusted), CB_EXIT_NOT_TRUSTED);
}

int
main(void)
{
	each_has_its_edge();
	all_must_be_yes();
	return test_done();
}
