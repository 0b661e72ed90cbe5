/* SPDX-License-Identifier: ISC */
/*
 * What whoever listens on the observation socket may send to cb-status.
 */
#include "fuzz.h"
#include "../../cmd/cb-status/observe.c"

static void
check_text(const char *text)
{
	size_t len = strnlen(text, CB_TEXT);

	CHECK(len < CB_TEXT);
	for (size_t i = 0; i < len; i++)
		CHECK(text[i] >= ' ' && text[i] <= '~');
}

static void
check_number(int64_t n, enum kind kind)
{
	if (n == CB_NONE) {
		CHECK(kind == COUNT_OR_NULL || kind == NUMBER_OR_NULL);
		return;
	}
	CHECK(n >= -MAX_NUMBER && n <= MAX_NUMBER);
	if (kind == COUNT || kind == COUNT_OR_NULL)
		CHECK(n >= 0);
	if (kind == INTERVAL)
		CHECK(n >= MIN_INTERVAL_NS && n <= MAX_INTERVAL_NS);
}

/* What was taken is what it has to be. */
static void
check_keys(const struct key *keys, const void *from)
{
	for (const struct key *k = keys; k->name != NULL; k++) {
		const char *at = (const char *)from + k->offset;

		if (k->kind == TEXT || k->kind == TEXT_OR_NULL)
			check_text(at);
		else if (k->kind != BOOL)
			check_number(*(const int64_t *)(const void *)at,
			    k->kind);
	}
}

static void
check_budget(const struct cb_budget *b)
{
	if (!b->is_known)
		return;
	check_keys(budget_keys, b);
	check_keys(part_keys, b);
}

static void
check_observed(const struct cb_observed *o)
{
	check_keys(daemon_keys, o);
	check_keys(status_keys, o);
	check_keys(tracking_keys, o);
	if (o->has_report)
		check_keys(report_keys, o);
	CHECK(o->n_sources <= CB_MAX_SOURCES);
	for (size_t i = 0; i < o->n_sources; i++)
		check_keys(source_keys, &o->sources[i]);
	check_keys(disruption_keys, o);
	check_keys(count_keys, o);
	check_keys(shm1_keys, o);
	check_budget(&o->budget);
	check_budget(&o->shm1_budget);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cb_observed o;
	char trouble[CB_TEXT] = "";
	json_error_t error;
	json_t *object = json_loadb((const char *)data, size,
	    JSON_REJECT_DUPLICATES, &error);

	if (object == NULL)
		return 0;
	if (cb_observe_parse(object, &o, trouble))
		check_observed(&o);
	else
		CHECK(trouble[0] != '\0');
	check_text(trouble);
	json_decref(object);
	return 0;
}
