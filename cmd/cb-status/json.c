/* SPDX-License-Identifier: ISC */
/*
 * Facts and verdict go in; a JSON object comes out, with the daemon's own in
 * it as it came.
 */
#include <inttypes.h>
#include <string.h>

#include "cb-status.h"

#define FORMAT		1

/* A path need not be UTF-8. */
static json_t *
text_of(const char *text)
{
	json_t *t = json_string(text);
	char ascii[CB_LINE];
	size_t i;

	if (t != NULL)
		return t;
	for (i = 0; i < sizeof(ascii) - 1 && text[i] != '\0'; i++)
		ascii[i] = (unsigned char)text[i] > '~' ? '?' : text[i];
	ascii[i] = '\0';
	return json_string(ascii);
}

static json_t *
text_or_null(const char *text)
{
	return *text == '\0' ? json_null() : text_of(text);
}

/* As text: jq(1) reads numbers into doubles, which have 53 bits. */
static json_t *
marker_of(uint64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, n);
	return json_string(text);
}

static json_t *
make_findings(const struct cb_verdict *v)
{
	json_t *a = json_array();

	for (size_t i = 0; i < v->n; i++) {
		const struct cb_finding *found = &v->findings[i];

		json_array_append_new(a, json_pack("{s:s, s:o, s:o}",
		    "severity", cb_judge_name_severity(found->severity),
		    "words", text_of(found->words),
		    "cure", text_or_null(found->cure)));
	}
	return a;
}

static json_t *
make_verdict(const struct cb_facts *f, const struct cb_verdict *v)
{
	char line[CB_LINE];

	cb_judge_line(f, v, line);
	return json_pack("{s:s, s:i, s:s, s:o}",
	    "severity", cb_judge_name_severity(v->severity),
	    "exit_status", (int)v->severity,
	    "line", line,
	    "findings", make_findings(v));
}

static json_t *
width_or_null(const struct cb_segment *s, int64_t ns)
{
	return cb_judge_has_bound(s) ? json_integer(ns) : json_null();
}

static json_t *
make_segment(const char *path, const struct cb_segment *s)
{
	const struct cb_shm_bound *b = &s->bound;
	bool is_read = s->fault == CLOCKBOUND_ERR_NONE;
	json_t *o = json_pack("{s:o, s:b, s:o}",
	    "path", text_of(path),
	    "readable", is_read,
	    "fault", text_or_null(cb_judge_name_fault(s->fault)));

	if (!is_read)
		return o;
	json_object_update_new(o, json_pack(
	    "{s:b, s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:b, s:o}",
	    "counted", b->is_counted,
	    "status", cb_judge_name_status(s->status),
	    "half_width_ns", width_or_null(s, s->half_ns),
	    "bound_ns", width_or_null(s, b->bound_ns),
	    "age_ns", (json_int_t)s->age_ns,
	    "as_of_ns", (json_int_t)b->as_of,
	    "void_after_ns", (json_int_t)b->void_after,
	    "max_drift_ppb", (json_int_t)b->max_drift_ppb,
	    "disruption_support", b->disruption_support,
	    "marker", marker_of(b->disruption_marker)));
	return o;
}

static json_t *
make_largest(const struct cb_facts *f)
{
	struct cb_largest l;

	if (!cb_judge_largest(f, &l))
		return json_null();
	return json_pack("{s:s, s:I, s:o, s:o}",
	    "part", cb_judge_name_part(l.part),
	    "ns", (json_int_t)l.ns,
	    "words", text_of(l.words),
	    "cure", text_of(l.cure));
}

static json_t *
make_vmclock(const struct cb_facts *f)
{
	const struct cb_vmclock *v = &f->vmclock;
	json_t *o;

	if (f->segment.fault != CLOCKBOUND_ERR_NONE ||
	    !f->segment.bound.disruption_support)
		return json_null();
	o = json_pack("{s:o, s:o}", "path", text_of(f->paths->vmclock),
	    "trouble", text_or_null(f->vmclock_errno == 0 ? "" :
	    cb_vmclock_strerror(f->vmclock_errno)));
	if (f->vmclock_errno == 0)
		json_object_update_new(o, json_pack("{s:o, s:b, s:b}",
		    "marker", marker_of(v->disruption_marker),
		    "disruption_soon",
		    (v->flags & CB_VMCLOCK_DISRUPTION_SOON) != 0,
		    "disruption_imminent",
		    (v->flags & CB_VMCLOCK_DISRUPTION_IMMINENT) != 0));
	return o;
}

void
cb_json_print(const struct cb_facts *f, const struct cb_verdict *v)
{
	const struct cb_paths *p = f->paths;
	json_t *o = json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:O}",
	    "format", FORMAT,
	    "verdict", make_verdict(f, v),
	    "segment", make_segment(p->shm, &f->segment),
	    "other", p->other[0] == '\0' ? json_null() :
	    make_segment(p->other, &f->other),
	    "largest", make_largest(f),
	    "vmclock", make_vmclock(f),
	    "observe", text_of(p->observe),
	    "trouble", text_or_null(f->trouble),
	    "daemon", f->object == NULL ? json_null() : f->object);

	json_dumpf(o, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(o);
}
