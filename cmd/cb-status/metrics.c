/* SPDX-License-Identifier: ISC */
/*
 * Facts go in; metrics come out, in the text format that Prometheus scrapes.
 * What is not known has no sample.
 */
#include <inttypes.h>
#include <string.h>

#include "cb-status.h"
#include "ts.h"

#define PREFIX	"clockbound_"

static void
print_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name,
	    help, name, type);
}

/* A backslash and a quotation mark have a meaning in there. */
static void
print_labelled(FILE *out, const char *name, const char *label,
    const char *value)
{
	fprintf(out, PREFIX "%s{%s=\"", name, label);
	for (; *value != '\0'; value++) {
		if (*value == '"' || *value == '\\')
			putc('\\', out);
		putc(*value, out);
	}
	fputs("\"} ", out);
}

/* In billionths: seconds of nanoseconds, ratios of parts per billion. */
static void
print_billionths(FILE *out, int64_t n)
{
	fprintf(out, "%s%" PRId64 ".%09" PRId64 "\n", n < 0 ? "-" : "",
	    cb_ts_abs(n / CB_NS_PER_S), cb_ts_abs(n % CB_NS_PER_S));
}

static void
print_flag(FILE *out, const char *name, bool is, const char *help)
{
	print_head(out, name, "gauge", help);
	fprintf(out, PREFIX "%s %d\n", name, is);
}

static void
print_gauge(FILE *out, const char *name, int64_t n, const char *help)
{
	print_head(out, name, "gauge", help);
	fprintf(out, PREFIX "%s ", name);
	print_billionths(out, n);
}

static void
print_counter(FILE *out, const char *name, int64_t n, const char *help)
{
	print_head(out, name, "counter", help);
	fprintf(out, PREFIX "%s %" PRId64 "\n", name, n);
}

static void
print_status(FILE *out, const struct cb_facts *f)
{
	static const clockbound_clock_status all[] = {
		CLOCKBOUND_STA_UNKNOWN, CLOCKBOUND_STA_SYNCHRONIZED,
		CLOCKBOUND_STA_FREE_RUNNING, CLOCKBOUND_STA_DISRUPTED
	};

	print_head(out, "status", "gauge", "The status that readers see.");
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		print_labelled(out, "status", "status",
		    cb_judge_name_status(all[i]));
		fprintf(out, "%d\n", f->segment.status == all[i]);
	}
}

static void
print_announcement(FILE *out, const struct cb_facts *f)
{
	const char *name = "vmclock_disruption_announced";
	uint64_t flags = f->vmclock.flags;

	print_head(out, name, "gauge", "The VMClock announces a disruption.");
	print_labelled(out, name, "when", "soon");
	fprintf(out, "%d\n", (flags & CB_VMCLOCK_DISRUPTION_SOON) != 0);
	print_labelled(out, name, "when", "imminent");
	fprintf(out, "%d\n", (flags & CB_VMCLOCK_DISRUPTION_IMMINENT) != 0);
}

static void
print_segment(FILE *out, const struct cb_facts *f)
{
	print_status(out, f);
	print_flag(out, "segment_counted", f->segment.bound.is_counted,
	    "Readers tell the time by the CPU's counter.");
	if (cb_judge_has_bound(&f->segment)) {
		print_gauge(out, "half_width_seconds", f->segment.half_ns,
		    "How far the time that readers get may be off now.");
		print_gauge(out, "bound_seconds", f->segment.bound.bound_ns,
		    "How far it might be off at the last update.");
	}
	print_gauge(out, "segment_age_seconds", f->segment.age_ns,
	    "Time since the last update of the segment.");
	print_gauge(out, "max_drift_ratio", f->segment.growth_ppb,
	    "What the half-width grows by, of the time since the update.");
	if (f->segment.bound.disruption_support && f->vmclock_errno == 0)
		print_announcement(out, f);
}

static void
print_chrony(FILE *out, const struct cb_observed *o)
{
	print_gauge(out, "chrony_offset_seconds", o->offset_ns,
	    "What chronyd has yet to add to the clock.");
	print_gauge(out, "chrony_root_delay_seconds", o->root_delay_ns,
	    "Network delay to the reference.");
	print_gauge(out, "chrony_root_dispersion_seconds",
	    o->root_dispersion_ns, "Dispersion to the reference.");
	print_gauge(out, "chrony_estimate_seconds", o->estimate_ns,
	    "The error that chronyd estimates, which is not a bound.");
	print_head(out, "chrony_stratum", "gauge",
	    "The stratum of this machine.");
	fprintf(out, PREFIX "chrony_stratum %" PRId64 "\n", o->stratum);
	print_gauge(out, "chrony_frequency_ratio", o->frequency_ppb,
	    "By what the oscillator is fast.");
	if (o->ref_time_ns != 0 && strcmp(o->leap, "unsynchronized") != 0)
		print_gauge(out, "chrony_last_update_timestamp_seconds",
		    o->ref_time_ns, "When chronyd last updated the clock.");
}

/* Two series of one name would spoil all of them: the first one counts. */
static bool
is_first(const struct cb_observed *o, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (strcmp(o->sources[j].name, o->sources[i].name) == 0)
			return false;
	return true;
}

static void
print_sources(FILE *out, const struct cb_observed *o)
{
	const char *age = "source_measurement_age_seconds";

	if (o->n_sources == 0)
		return;
	print_head(out, age, "gauge", "Age of a source's last measurement.");
	for (size_t i = 0; i < o->n_sources; i++) {
		const struct cb_source *s = &o->sources[i];

		if (!is_first(o, i) || s->measured_age_ns == CB_NONE)
			continue;
		print_labelled(out, age, "source", s->name);
		print_billionths(out, s->measured_age_ns);
	}
	print_head(out, "source_selected", "gauge",
	    "chronyd follows this source.");
	for (size_t i = 0; i < o->n_sources; i++) {
		const struct cb_source *s = &o->sources[i];

		if (!is_first(o, i))
			continue;
		print_labelled(out, "source_selected", "source", s->name);
		fprintf(out, "%d\n", strcmp(s->state, "selected") == 0);
	}
}

static void
print_budget(FILE *out, const struct cb_facts *f)
{
	if (cb_judge_part(f, CB_PART_GROWTH) == CB_NONE)
		return;
	print_head(out, "budget_seconds", "gauge",
	    "What the half-width is made of.");
	for (enum cb_part part = 0; part < CB_PARTS; part++) {
		print_labelled(out, "budget_seconds", "part",
		    cb_judge_name_part(part));
		print_billionths(out, cb_judge_part(f, part));
	}
}

static void
print_disruptions(FILE *out, const struct cb_observed *o)
{
	const char *name = "disruptions_total";

	print_head(out, name, "counter", "Clock disruptions.");
	print_labelled(out, name, "by", "vmclock");
	fprintf(out, "%" PRId64 "\n", o->disruptions);
	print_labelled(out, name, "by", "signal");
	fprintf(out, "%" PRId64 "\n", o->forced_disruptions);
}

static void
print_counters(FILE *out, const struct cb_observed *o)
{
	print_counter(out, "ticks_total", o->ticks,
	    "Samples that the daemon has taken.");
	print_counter(out, "missed_samples_total", o->missed_samples,
	    "Samples without an answer that can be used.");
	print_disruptions(out, o);
	print_counter(out, "steps_total", o->steps,
	    "How often CLOCK_REALTIME was set.");
	print_counter(out, "sleeps_total", o->sleeps,
	    "How often the machine slept.");
	print_counter(out, "clocksource_changes_total",
	    o->clocksource_changes,
	    "How often the kernel came to use another counter.");
	print_counter(out, "leap_seconds_total", o->leap_seconds,
	    "Leap seconds.");
	print_counter(out, "contradictions_total", o->contradictions,
	    "How often a source began to contradict itself.");
	print_counter(out, "disagreements_total", o->disagreements,
	    "How often sources began to contradict each other.");
	print_gauge(out, "longest_gap_seconds", o->longest_gap_ns,
	    "The longest time between two updates of the segment.");
}

static void
print_daemon(FILE *out, const struct cb_facts *f)
{
	const struct cb_observed *o = &f->observed;

	print_gauge(out, "daemon_start_time_seconds", o->started_ns,
	    "When the daemon started.");
	print_gauge(out, "status_start_time_seconds", o->since_ns,
	    "When the daemon's status became what it is.");
	print_flag(out, "chrony_answers", o->answered,
	    "chronyd answers the daemon.");
	print_flag(out, "frequency_exceeds_drift", o->frequency_exceeds_drift,
	    "The oscillator is off by more than the daemon was told.");
	if (o->has_report)
		print_chrony(out, o);
	print_sources(out, o);
	print_budget(out, f);
	print_counters(out, o);
}

void
cb_metrics_print(FILE *out, const struct cb_facts *f)
{
	bool is_read = f->segment.fault == CLOCKBOUND_ERR_NONE;

	print_head(out, "build_info", "gauge", "The version of cb-status.");
	print_labelled(out, "build_info", "version", CB_VERSION);
	fputs("1\n", out);
	print_flag(out, "segment_readable", is_read,
	    "The segment can be read.");
	print_flag(out, "daemon_up", f->answer == CB_ANSWER_GOOD,
	    "The daemon answers on its observation socket.");
	if (is_read)
		print_segment(out, f);
	if (f->answer == CB_ANSWER_GOOD)
		print_daemon(out, f);
}
