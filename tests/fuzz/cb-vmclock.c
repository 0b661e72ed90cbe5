/* SPDX-License-Identifier: ISC */
/*
 * cb-vmclock's command line.
 */
#include "end.h"
#include "../../cmd/cb-vmclock/cb-vmclock.c"

/* In the place of each command: has it what it takes? */
static int
check_operands(const struct cb_options *o, const struct cb_operands *w,
    bool has_json, bool has_times, bool has_for)
{
	CHECK(*w->path != '\0');
	CHECK(has_json || !o->json);
	CHECK(has_times ? o->count == -1 || o->count > 0 : o->count == -1);
	CHECK(has_times ? o->timeout_ns >= -1 : o->timeout_ns == -1);
	CHECK(has_for ? o->for_ns >= -1 : o->for_ns == -1);
	return CB_EXIT_OK;
}

int
cb_show(const struct cb_options *o, const struct cb_operands *w)
{
	CHECK(*w->assignments == NULL);
	return check_operands(o, w, true, false, false);
}

int
cb_create(const struct cb_options *o, const struct cb_operands *w)
{
	return check_operands(o, w, false, false, false);
}

int
cb_set(const struct cb_options *o, const struct cb_operands *w)
{
	CHECK(*w->assignments != NULL);
	return check_operands(o, w, false, false, false);
}

int
cb_disrupt(const struct cb_options *o, const struct cb_operands *w)
{
	CHECK(*w->assignments == NULL);
	return check_operands(o, w, false, false, true);
}

int
cb_watch(const struct cb_options *o, const struct cb_operands *w)
{
	CHECK(*w->assignments == NULL);
	return check_operands(o, w, false, true, false);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = { data, size };
	int status = end_run(&f, end_main);

	CHECK(status == CB_EXIT_OK || status == CB_EXIT_UNUSABLE);
	CHECK(status == CB_EXIT_UNUSABLE || end_words[0] == '\0');
	return 0;
}
