/* SPDX-License-Identifier: ISC */
/*
 * Facts and verdict go in; the one line of a monitoring plugin comes out, with
 * its performance data.
 */
#include <inttypes.h>

#include "cb-status.h"
#include "ts.h"

static void
print_seconds(int64_t ns)
{
	printf("%s%" PRId64 ".%09" PRId64, ns < 0 ? "-" : "",
	    cb_ts_abs(ns / CB_NS_PER_S), cb_ts_abs(ns % CB_NS_PER_S));
}

static void
print_limit(int64_t ns)
{
	putchar(';');
	if (ns != CB_NONE)
		print_seconds(ns);
}

static void
print_datum(const char *name, int64_t ns)
{
	printf(" %s=", name);
	print_seconds(ns);
	putchar('s');
}

static void
print_width(const struct cb_facts *f, const struct cb_limits *l)
{
	print_datum("half_width", f->segment.half_ns);
	print_limit(l->warning_ns);
	print_limit(l->critical_ns);
	printf(";0");
	print_datum("bound", f->segment.bound.bound_ns);
}

static void
print_data(const struct cb_facts *f, const struct cb_limits *l)
{
	const struct cb_observed *o = &f->observed;

	printf(" |");
	if (cb_judge_has_bound(&f->segment))
		print_width(f, l);
	print_datum("segment_age", f->segment.age_ns);
	if (f->answer != CB_ANSWER_GOOD)
		return;
	if (o->has_report)
		print_datum("chrony_estimate", o->estimate_ns);
	printf(" missed_samples=%" PRId64 "c", o->missed_samples);
}

void
cb_plugin_print(const struct cb_facts *f, const struct cb_limits *l,
    const struct cb_verdict *v)
{
	char line[CB_LINE];

	cb_judge_line(f, v, line);
	/* What is behind a bar is data. */
	for (char *p = line; *p != '\0'; p++)
		if (*p == '|')
			*p = '/';
	printf("CLOCKBOUND %s - %s", cb_judge_name_severity(v->severity),
	    line);
	if (f->segment.fault == CLOCKBOUND_ERR_NONE)
		print_data(f, l);
	putchar('\n');
}
