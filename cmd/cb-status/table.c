/* SPDX-License-Identifier: ISC */
/*
 * Facts and verdict go in; a table for a person comes out, which fits 80
 * columns with a margin of four.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cb-status.h"
#include "stamp.h"
#include "ts.h"

#define COLUMNS		76
#define INDENT		11
#define MAX_NAME	24

/* What is less than a thousandth of the half-width is left out. */
#define PER_MILLE	1000

/* Words that do not fit go to the next line; nothing is an order. */
static void
print_wrapped(FILE *out, const char *label, const char *text)
{
	size_t at = INDENT;

	fprintf(out, "%-*s", INDENT, label);
	while (*text != '\0') {
		size_t len = strcspn(text, " ");

		if (at > INDENT && at + 1 + len > COLUMNS) {
			fprintf(out, "\n%*s", INDENT, "");
			at = INDENT;
		}
		if (at > INDENT)
			at += (size_t)fprintf(out, " ");
		for (size_t i = 0; i < len; i++)
			putc(text[i] < ' ' || text[i] > '~' ? '?' : text[i],
			    out);
		at += len;
		text += len + (text[len] == ' ');
	}
	putc('\n', out);
}

static __attribute__((format(printf, 3, 4))) void
print_row(FILE *out, const char *label, const char *format, ...)
{
	char text[CB_LINE];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	print_wrapped(out, label, text);
}

static void
print_severity(FILE *out, enum cb_severity severity, bool has_colour)
{
	static const char *const colours[] = { "32", "33", "31", "35" };
	const char *name = cb_judge_name_severity(severity);

	if (has_colour)
		fprintf(out, "\033[1;%sm%s\033[0m%*s", colours[severity], name,
		    INDENT - (int)strlen(name), "");
	else
		fprintf(out, "%-*s", INDENT, name);
}

/* The label is printed already, perhaps in colour. */
static void
print_finding(FILE *out, const struct cb_finding *found)
{
	char *text = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);

	if (memory == NULL)
		return;
	print_wrapped(memory, "", found->words);
	if (found->cure[0] != '\0')
		print_row(memory, "", "-> %s", found->cure);
	if (fclose(memory) == 0)
		fputs(text + INDENT, out);
	free(text);
}

static void
print_verdict(FILE *out, const struct cb_facts *f,
    const struct cb_verdict *v, bool has_colour)
{
	char half[CB_FIGURE];

	if (v->severity == CB_OK) {
		print_severity(out, CB_OK, has_colour);
		fprintf(out, "within %s of true time\n",
		    cb_figure_up(f->segment.half_ns, half));
	}
	for (size_t i = 0; i < v->n; i++) {
		print_severity(out, v->findings[i].severity, has_colour);
		print_finding(out, &v->findings[i]);
	}
	putc('\n', out);
}

/* The daemon's word on its status is of use while readers see the same. */
static bool
has_since(const struct cb_facts *f)
{
	return f->answer == CB_ANSWER_GOOD && strcmp(f->observed.status,
	    cb_judge_name_status(f->segment.status)) == 0;
}

static void
format_date(int64_t ns, char text[CB_STAMP_TEXT])
{
	struct timespec ts = cb_stamp_of_ns(ns);

	cb_stamp_format_date(&ts, 0, text);
}

static void
print_status(FILE *out, const struct cb_facts *f)
{
	const char *name = cb_judge_say_status(f->segment.status);
	char date[CB_STAMP_TEXT], age[CB_FIGURE];

	if (!has_since(f)) {
		print_row(out, "status", "%s", name);
		return;
	}
	format_date(f->observed.since_ns, date);
	print_row(out, "status", "%s since %s (%s)", name, date,
	    cb_figure_up(f->observed.since_age_ns, age));
}

static void
print_interval(FILE *out, const struct cb_observed *o)
{
	char from[CB_FIGURE], to[CB_FIGURE];

	if (o->earliest_ns != CB_NONE && o->latest_ns != CB_NONE)
		print_row(out, "true time", "%s to %s from the clock",
		    cb_figure_down(o->earliest_ns, from),
		    cb_figure_up(o->latest_ns, to));
}

static void
print_bound(FILE *out, const struct cb_segment *s)
{
	char half[CB_FIGURE], bound[CB_FIGURE], age[CB_FIGURE];

	cb_figure_up(s->age_ns, age);
	if (!cb_judge_has_bound(s)) {
		print_row(out, "half-width", "not known at the last update, "
		    "%s ago", age);
		return;
	}
	print_row(out, "half-width", "%s", cb_figure_up(s->half_ns, half));
	print_row(out, "bound", "%s at the last update, %s ago; grows by %"
	    PRId64 ".%03" PRId64 " ppm", cb_figure_up(s->bound.bound_ns,
	    bound), age, s->growth_ppb / 1000, s->growth_ppb % 1000);
}

static void
print_segments(FILE *out, const struct cb_facts *f)
{
	const char *other = strrchr(f->paths->other, '/');
	char words[CB_SENTENCE];

	print_row(out, "segment", "%s", f->paths->shm);
	if (cb_judge_other(f, words))
		print_row(out, other + 1, "%s", words);
	if (f->segment.fault != CLOCKBOUND_ERR_NONE)
		return;
	print_status(out, f);
	print_bound(out, &f->segment);
}

static void
print_largest(FILE *out, const struct cb_facts *f)
{
	char ns[CB_FIGURE], half[CB_FIGURE];
	struct cb_largest l;

	if (!cb_judge_largest(f, &l))
		return;
	print_row(out, "mostly", "%s of %s: %s", cb_figure_up(l.ns, ns),
	    cb_figure_up(f->segment.half_ns, half), l.words);
	print_row(out, "", "-> to narrow it: %s", l.cure);
}

static void
print_budget(FILE *out, const struct cb_facts *f)
{
	char text[CB_LINE] = "", ns[CB_FIGURE];
	size_t len = 0;

	for (enum cb_part part = 0; part < CB_PARTS; part++) {
		int64_t n = cb_judge_part(f, part);

		if (n == CB_NONE ||
		    cb_ts_abs(n) <= f->segment.half_ns / PER_MILLE)
			continue;
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "%s%s %s", len > 0 ? ", " : "", cb_judge_name_part(part),
		    cb_figure_up(n, ns));
	}
	if (len > 0)
		print_wrapped(out, "made of", text);
	print_largest(out, f);
}

static void
print_chrony(FILE *out, const struct cb_facts *f)
{
	const struct cb_observed *o = &f->observed;
	char a[CB_FIGURE], b[CB_FIGURE], c[CB_FIGURE];

	if (!o->has_report) {
		print_row(out, "chronyd", "not heard yet at %s",
		    o->chrony_socket);
		return;
	}
	if (strcmp(o->leap, "unsynchronized") == 0) {
		print_row(out, "chronyd", "%sunsynchronized", o->answered ?
		    "" : "last said: ");
		return;
	}
	print_row(out, "chronyd", "%s%s (%s), stratum %" PRId64 ", leap "
	    "status %s", o->answered ? "" : "last said: ", o->ref_name,
	    o->ref_id, o->stratum, o->leap);
	print_row(out, "", "offset %s, root delay %s, dispersion %s",
	    cb_figure_up(o->offset_ns, a), cb_figure_up(o->root_delay_ns, b),
	    cb_figure_up(o->root_dispersion_ns, c));
	print_row(out, "", "frequency %s%" PRId64 ".%03" PRId64 " ppm, last "
	    "update %s ago", o->frequency_ppb < 0 ? "-" : "",
	    cb_ts_abs(o->frequency_ppb) / 1000,
	    cb_ts_abs(o->frequency_ppb) % 1000,
	    cb_figure_up(f->real_ns - o->ref_time_ns, a));
	print_row(out, "estimate", "%s by chronyd, for the clock; it is no "
	    "bound", cb_figure_up(o->estimate_ns, a));
}

static int
name_width(const struct cb_observed *o)
{
	size_t width = strlen("source");

	for (size_t i = 0; i < o->n_sources; i++) {
		size_t len = strlen(o->sources[i].name);

		if (len > width && len <= MAX_NAME)
			width = len;
	}
	return (int)width;
}

/* Two of chronyd's states have long names. */
static const char *
short_state(const char *state)
{
	if (strcmp(state, "not_selectable") == 0)
		return "unusable";
	if (strcmp(state, "not_combined") == 0)
		return "uncombined";
	return state;
}

/* A name that is too long has a line of its own. */
static void
print_source(FILE *out, const struct cb_source *s, int width)
{
	char age[CB_FIGURE] = "-", from[CB_FIGURE] = "-", to[CB_FIGURE] = "";
	bool has_interval = s->earliest_ns != CB_NONE &&
	    s->latest_ns != CB_NONE;
	bool is_long = strlen(s->name) > (size_t)width;

	if (s->measured_age_ns != CB_NONE)
		cb_figure_up(s->measured_age_ns, age);
	if (has_interval) {
		cb_figure_down(s->earliest_ns, from);
		cb_figure_up(s->latest_ns, to);
	}
	if (is_long)
		fprintf(out, "%s\n", s->name);
	fprintf(out, "%-*s %-11.11s %4" PRId64 " %5" PRIo64 " %8s  %s%s%s\n",
	    width, is_long ? "" : s->name, short_state(s->state), s->poll,
	    (uint64_t)s->reachability, age, from, has_interval ? " to " : "",
	    to);
}

static void
print_sources(FILE *out, const struct cb_observed *o)
{
	int width = name_width(o);

	if (o->n_sources == 0)
		return;
	fprintf(out, "\n%-*s %-11s %4s %5s %8s  %s\n", width, "source",
	    "state", "poll", "reach", "age", "true time, from the clock");
	for (size_t i = 0; i < o->n_sources; i++)
		print_source(out, &o->sources[i], width);
}

static const char *
announced(uint64_t flags)
{
	if ((flags & CB_VMCLOCK_DISRUPTION_IMMINENT) != 0)
		return ", disruption imminent";
	if ((flags & CB_VMCLOCK_DISRUPTION_SOON) != 0)
		return ", disruption soon";
	return "";
}

static void
print_vmclock(FILE *out, const struct cb_facts *f)
{
	static const char *const statuses[] = {
		"unknown", "initializing", "synchronized", "freerunning",
		"unreliable"
	};
	const struct cb_vmclock *v = &f->vmclock;

	if (f->segment.fault != CLOCKBOUND_ERR_NONE)
		return;
	if (!f->segment.bound.disruption_support)
		print_row(out, "VMClock", "not watched");
	else if (f->vmclock_errno != 0)
		print_row(out, "VMClock", "%s: %s", f->paths->vmclock,
		    cb_vmclock_strerror(f->vmclock_errno));
	else
		print_row(out, "VMClock", "%s: marker %" PRIu64 ", handled %"
		    PRIu64 "; status %s%s", f->paths->vmclock,
		    v->disruption_marker, f->segment.bound.disruption_marker,
		    v->clock_status <= CB_VMCLOCK_UNRELIABLE ?
		    statuses[v->clock_status] : "unheard-of",
		    announced(v->flags));
}

static void
print_counts(FILE *out, const struct cb_observed *o)
{
	char gap[CB_FIGURE];

	print_row(out, "", "%" PRId64 " ticks, %" PRId64 " without an answer, "
	    "longest gap %s", o->ticks, o->missed_samples,
	    cb_figure_up(o->longest_gap_ns, gap));
	print_row(out, "", "%" PRId64 " disruptions, %" PRId64 " steps, %"
	    PRId64 " sleeps", o->disruptions + o->forced_disruptions,
	    o->steps, o->sleeps);
	print_row(out, "", "%" PRId64 " contradictions, %" PRId64
	    " disagreements", o->contradictions, o->disagreements);
}

static void
print_daemon(FILE *out, const struct cb_facts *f)
{
	const struct cb_observed *o = &f->observed;
	char uptime[CB_FIGURE];

	if (f->answer != CB_ANSWER_GOOD) {
		print_row(out, "daemon", "%s: %s", f->paths->observe,
		    f->trouble);
		return;
	}
	print_row(out, "daemon", "pid %" PRId64 ", version %s, up %s", o->pid,
	    o->version, cb_figure_up(o->uptime_ns, uptime));
	print_counts(out, o);
}

void
cb_table_print(FILE *out, const struct cb_facts *f,
    const struct cb_verdict *v, bool has_colour)
{
	print_verdict(out, f, v, has_colour);
	print_segments(out, f);
	if (f->answer == CB_ANSWER_GOOD) {
		print_interval(out, &f->observed);
		print_budget(out, f);
		putc('\n', out);
		print_chrony(out, f);
		print_sources(out, &f->observed);
	}
	putc('\n', out);
	print_vmclock(out, f);
	print_daemon(out, f);
}
