/* SPDX-License-Identifier: ISC */
/*
 * cb-status: any facts that pass its checks, and every form of output.
 */
#include "output.h"
#include "../../cmd/cb-status/observe.c"

static const char *const words[] = {
	"", "synchronized", "free_running", "unsynchronized", "7F7F0101",
	"reset", "refclock", "selected", "not_combined", "chrony-tracking",
	"a|b\\\"c", "a very long word that has no end and does not fit",
	"Permission denied", "No such file or directory", "127.0.0.1"
};

#define WORDS	(sizeof(words) / sizeof(words[0]))

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	output_open();
	return 0;
}

static int64_t
take_signed(struct fuzz *f)
{
	int64_t n = fuzz_upto(f, MAX_NUMBER);

	return (fuzz_byte(f) & 1) != 0 ? -n : n;
}

static void
fill_value(struct fuzz *f, enum kind kind, void *to)
{
	switch (kind) {
	case TEXT:
	case TEXT_OR_NULL:
		strcpy(to, words[fuzz_byte(f) % WORDS]);
		break;
	case BOOL:
		*(bool *)to = fuzz_byte(f) & 1;
		break;
	case INTERVAL:
		*(int64_t *)to = MIN_INTERVAL_NS + fuzz_upto(f,
		    MAX_INTERVAL_NS - MIN_INTERVAL_NS);
		break;
	case COUNT:
	case COUNT_OR_NULL:
		*(int64_t *)to = fuzz_upto(f, MAX_NUMBER);
		break;
	case NUMBER:
	case NUMBER_OR_NULL:
		*(int64_t *)to = take_signed(f);
		break;
	}
	if ((kind == COUNT_OR_NULL || kind == NUMBER_OR_NULL) &&
	    *(int64_t *)to % 7 == 3)
		*(int64_t *)to = CB_NONE;
}

static void
fill(struct fuzz *f, const struct key *keys, void *to)
{
	for (const struct key *k = keys; k->name != NULL; k++)
		fill_value(f, k->kind, (char *)to + k->offset);
}

static void
fill_budget(struct fuzz *f, struct cb_budget *b)
{
	b->is_known = fuzz_byte(f) & 1;
	fill(f, budget_keys, b);
	fill(f, part_keys, b);
}

static void
fill_observed(struct fuzz *f, struct cb_observed *o)
{
	o->has_report = fuzz_byte(f) & 1;
	o->n_sources = fuzz_byte(f) % 4;
	fill_budget(f, &o->budget);
	fill_budget(f, &o->shm1_budget);
	fill(f, status_keys, o);
	fill(f, tracking_keys, o);
	fill(f, report_keys, o);
	for (size_t i = 0; i < o->n_sources; i++)
		fill(f, source_keys, &o->sources[i]);
	fill(f, disruption_keys, o);
	fill(f, vmclock_keys, o);
	fill(f, daemon_keys, o);
	fill(f, count_keys, o);
	fill(f, shm1_keys, o);
}

/* As a reader gives it. */
static void
fill_segment(struct fuzz *f, struct cb_segment *s)
{
	static const int errors[] = { ENOENT, EACCES, ENOTDIR, EIO };

	*s = (struct cb_segment){ .fault = fuzz_byte(f) };
	s->fault = s->fault < 250 ? CLOCKBOUND_ERR_NONE : s->fault - 250;
	s->sys_errno = errors[fuzz_byte(f) % 4];
	s->status = fuzz_byte(f) % 4;
	s->half_ns = fuzz_upto(f, INT64_MAX);
	s->age_ns = 2 * take_signed(f);
	s->growth_ppb = fuzz_upto(f, INT64_MAX);
	s->bound.bound_ns = fuzz_upto(f, INT64_MAX);
	s->bound.as_of = take_signed(f);
	s->bound.status = s->status;
	s->bound.is_counted = fuzz_byte(f) & 1;
	s->bound.disruption_support = fuzz_byte(f) & 1;
	s->bound.disruption_marker = fuzz_byte(f);
}

static void
fill_facts(struct fuzz *f, struct cb_paths *p, struct cb_facts *facts)
{
	static const int errors[] = { 0, 0, ENOENT, CB_VMCLOCK_ETORN };

	facts->paths = p;
	fill_segment(f, &facts->segment);
	fill_segment(f, &facts->other);
	facts->answer = fuzz_byte(f);
	facts->answer = facts->answer < 250 ? CB_ANSWER_GOOD :
	    facts->answer - 250;
	strcpy(facts->trouble, words[fuzz_byte(f) % WORDS]);
	facts->is_odd = fuzz_byte(f) & 1;
	facts->is_older_boots = fuzz_byte(f) & 1;
	facts->real_ns = fuzz_upto(f, INT64_MAX / 2);
	facts->vmclock_errno = errors[fuzz_byte(f) % 4];
	facts->vmclock.disruption_marker = fuzz_byte(f);
	facts->vmclock.flags = fuzz_byte(f);
	facts->vmclock.clock_status = fuzz_byte(f);
	fill_observed(f, &facts->observed);
	snprintf(p->shm, sizeof(p->shm), "/%.*s", (int)f->left,
	    (const char *)f->at);
	strcpy(p->observe, p->shm);
	if (facts->is_odd)
		strcpy(p->other, "/shm0");
	else
		p->other[0] = '\0';
	p->vmclock = p->shm;
}

/* An object whose numbers are numbers. */
static void
check_json(const char *text)
{
	json_t *o = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	CHECK(o != NULL && json_object_size(o) == 9);
	json_decref(o);
}

/* One line. */
static void
check_plugin(const char *text)
{
	const char *end = strchr(text, '\n');

	CHECK(strncmp(text, "CLOCKBOUND ", 11) == 0);
	CHECK(end != NULL && end[1] == '\0');
}

static void
print(const struct cb_facts *f, const struct cb_limits *l,
    const struct cb_verdict *v, unsigned form)
{
	output_begin();
	if (form == 0)
		cb_table_print(stdout, f, v, false);
	else if (form == 1)
		cb_metrics_print(stdout, f);
	else if (form == 2)
		cb_plugin_print(f, l, v);
	else
		cb_json_print(f, v);
	output_end();
	if (form == 3)
		check_json(output_text);
	else
		output_check_printable(output_text);
	if (form == 2)
		check_plugin(output_text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cb_facts facts;
	static struct cb_paths paths;
	static struct cb_verdict v;
	struct fuzz f = { data, size };
	unsigned form = fuzz_byte(&f) % 4;
	struct cb_limits l = { CB_NONE, CB_NONE };

	if ((fuzz_byte(&f) & 1) != 0)
		l.warning_ns = fuzz_upto(&f, INT64_MAX);
	fill_facts(&f, &paths, &facts);
	cb_judge(&facts, &l, &v);
	CHECK(v.n <= CB_MAX_FINDINGS);
	CHECK(v.severity != CB_OK ||
	    facts.segment.fault == CLOCKBOUND_ERR_NONE);
	if (cb_judge_is_healthy(&facts, &l) &&
	    facts.answer == CB_ANSWER_ABSENT)
		CHECK(v.severity == CB_OK || v.severity == CB_WARNING);
	print(&facts, &l, &v, form);
	return 0;
}
