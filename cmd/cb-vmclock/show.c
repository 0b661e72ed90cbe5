/* SPDX-License-Identifier: ISC */
/*
 * A VMClock's path goes in; every field of it, and the time that it tells,
 * come out as a table or as a JSON object.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cb-vmclock.h"
#include "counter.h"
#include "stamp.h"
#include "ts.h"

#define NONE	"-"

/* The device, and the time at this CPU's counter. */
struct view {
	struct cb_vmclock_abi abi;
	struct cb_vmclock fields;
	struct cb_vmclock_time time;
	const char *no_time;	/* why there is none */
	uint32_t ns;		/* of the time, cut to them: */
	uint64_t maxerror_ns;	/* the rest counts as error */
};

static void
read_view(const char *path, struct view *v)
{
	struct cb_vmclock_file f;

	if (!cb_vmclock_open(&f, path) || !cb_vmclock_read_abi(f.page,
	    CB_VMCLOCK_WAIT_NS, &v->abi, &v->fields.counter))
		cb_fail_path(path, errno);
	cb_vmclock_close(&f);
}

static void
set_time(struct view *v)
{
	uint64_t counter = v->fields.counter;

	cb_vmclock_decode(&v->abi, &v->fields);
	v->fields.counter = counter;
	v->no_time = cb_vmclock_time_at(&v->fields, counter, &v->time);
	if (v->no_time != NULL)
		return;
	if (v->fields.counter_id != CB_COUNTER_ID) {
		v->no_time = "the counter of another kind of CPU";
		return;
	}
	v->ns = (uint32_t)cb_vmclock_time_scale(v->time.frac_sec,
	    (uint64_t)CB_NS_PER_S);
	v->maxerror_ns = v->time.maxerror_ns +
	    (v->time.maxerror_ns != UINT64_MAX);
}

/* By the clock of a civil day; empty where the year is out of all range. */
static void
format_date(int64_t s, char text[CB_FIELD_TEXT])
{
	struct timespec ts = { .tv_sec = cb_ts_time(s) };

	cb_stamp_format_date(&ts, 0, text);
	if (*text == '@' || ts.tv_sec != s)
		*text = '\0';
	/* It need not be UTC. */
	text[strcspn(text, "Z")] = '\0';
}

static const char *
scale_of(enum cb_vmclock_time_type scale)
{
	static const char *const names[] = { "utc", "tai", "monotonic" };

	return names[scale];
}

static bool
has_flag(const struct view *v, uint64_t flag)
{
	return (v->fields.flags & flag) != 0;
}

/* Of a period, to a billionth of a nanosecond. */
static void
decode_period(const struct view *v, uint64_t value, char text[CB_FIELD_TEXT])
{
	unsigned shift = v->fields.counter_period_shift;
	uint64_t atto = cb_vmclock_time_scale(value,
	    UINT64_C(1000000000000000000));

	/* To nearest. */
	if (shift > 63)
		atto = 0;
	else if (shift > 0)
		atto = (atto + (UINT64_C(1) << (shift - 1))) >> shift;
	snprintf(text, CB_FIELD_TEXT, "%" PRIu64 ".%09" PRIu64 " ns",
	    atto / (uint64_t)CB_NS_PER_S, atto % (uint64_t)CB_NS_PER_S);
}

/* Of a period's error: what part of the period it is. */
static void
decode_rate(const struct view *v, uint64_t value, char text[CB_FIELD_TEXT])
{
	uint64_t period = v->fields.counter_period_frac_sec;
	uint64_t giga = (uint64_t)CB_NS_PER_S, ppb;

	if (value <= UINT64_MAX / giga)
		ppb = period == 0 ? 0 : value * giga / period;
	else
		ppb = period < giga ? 0 : value / (period / giga);
	*text = '\0';
	if (period >= giga)
		snprintf(text, CB_FIELD_TEXT, "%" PRIu64 " ppb", ppb);
}

static void
decode_time_sec(const struct view *v, uint64_t value,
    char text[CB_FIELD_TEXT])
{
	size_t len;

	*text = '\0';
	if (v->fields.time_type > CB_VMCLOCK_TAI || value > INT64_MAX)
		return;
	format_date((int64_t)value, text);
	len = strlen(text);
	if (len > 0)
		snprintf(text + len, CB_FIELD_TEXT - len, " %s",
		    scale_of((enum cb_vmclock_time_type)v->fields.time_type));
}

static void
decode_nothing(const struct view *v, uint64_t value,
    char text[CB_FIELD_TEXT])
{
	(void)v;
	(void)value;
	*text = '\0';
}

static void
decode_bytes(const struct view *v, uint64_t value, char text[CB_FIELD_TEXT])
{
	(void)v;
	(void)value;
	strlcpy(text, "bytes", CB_FIELD_TEXT);
}

static void
decode_ns(const struct view *v, uint64_t value, char text[CB_FIELD_TEXT])
{
	(void)v;
	(void)value;
	strlcpy(text, "ns", CB_FIELD_TEXT);
}

static void
decode_frac(const struct view *v, uint64_t value, char text[CB_FIELD_TEXT])
{
	(void)v;
	snprintf(text, CB_FIELD_TEXT, "0.%09" PRIu64 " s",
	    cb_vmclock_time_scale(value, (uint64_t)CB_NS_PER_S));
}

/* What a number means, where its name is not all of that. */
static const struct meaning {
	const char *field;
	void (*decode)(const struct view *, uint64_t, char[CB_FIELD_TEXT]);
	uint64_t valid;		/* the flag without which it means nothing */
} meanings[] = {
	{ "size", decode_bytes, 0 },
	{ "tai_offset_sec", decode_nothing, CB_VMCLOCK_TAI_OFFSET_VALID },
	{ "counter_period_frac_sec", decode_period, 0 },
	{ "counter_period_esterror_rate_frac_sec", decode_rate,
	    CB_VMCLOCK_PERIOD_ESTERROR_VALID },
	{ "counter_period_maxerror_rate_frac_sec", decode_rate,
	    CB_VMCLOCK_PERIOD_MAXERROR_VALID },
	{ "time_sec", decode_time_sec, 0 },
	{ "time_frac_sec", decode_frac, 0 },
	{ "time_esterror_nanosec", decode_ns,
	    CB_VMCLOCK_TIME_ESTERROR_VALID },
	{ "time_maxerror_nanosec", decode_ns,
	    CB_VMCLOCK_TIME_MAXERROR_VALID },
	{ "vm_generation_counter", decode_nothing,
	    CB_VMCLOCK_VM_GEN_COUNTER_PRESENT },
	{ NULL, NULL, 0 }
};

static void
decode_meaning(const struct view *v, const struct cb_field *f,
    uint64_t value, char text[CB_FIELD_TEXT])
{
	for (const struct meaning *m = meanings; m->field != NULL; m++) {
		if (strcmp(m->field, f->name) != 0)
			continue;
		if (m->valid != 0 && !has_flag(v, m->valid))
			strlcpy(text, "not valid", CB_FIELD_TEXT);
		else
			m->decode(v, value, text);
		return;
	}
	cb_field_decode(f, value, text);
}

static void
print_row(const char *name, const char *value, const char *meaning)
{
	if (*meaning == '\0')
		printf("%-37s  %s\n", name, value);
	else
		printf("%-37s  %-20s  %s\n", name, value, meaning);
}

/* Seconds with nine decimals, also before 1970. */
static void
format_seconds(const struct view *v, char text[CB_FIELD_TEXT])
{
	int64_t s = v->time.sec;
	uint32_t ns = v->ns;

	if (s < 0 && ns > 0) {
		s++;
		ns = (uint32_t)CB_NS_PER_S - ns;
	}
	snprintf(text, CB_FIELD_TEXT, "%s%" PRId64 ".%09" PRIu32,
	    v->time.sec < 0 ? "-" : "", cb_ts_abs(s), ns);
}

static void
print_time_row(const struct view *v)
{
	char value[CB_FIELD_TEXT], date[CB_FIELD_TEXT], error[48];

	if (v->no_time != NULL) {
		print_row("time_at_counter", NONE, v->no_time);
		return;
	}
	format_seconds(v, value);
	snprintf(error, sizeof(error), v->time.is_bound ?
	    "within %" PRIu64 " ns" : "no bound", v->maxerror_ns);
	date[0] = '\0';
	if (v->time.scale != CB_VMCLOCK_MONOTONIC)
		format_date(v->time.sec, date);
	printf("%-37s  %-20s  %s%s%s, %s\n", "time_at_counter", value, date,
	    *date == '\0' ? "" : " ", scale_of(v->time.scale), error);
}

static void
print_table(const struct view *v)
{
	char value[CB_FIELD_TEXT], meaning[CB_FIELD_TEXT];

	for (const struct cb_field *f = cb_fields; f->name != NULL; f++) {
		uint64_t n = cb_field_get(f, &v->abi);

		if (!cb_field_is_within(f, v->fields.size)) {
			print_row(f->name, NONE, "beyond the device's size");
			continue;
		}
		cb_field_format(f, n, value);
		decode_meaning(v, f, n, meaning);
		print_row(f->name, value, meaning);
	}
	snprintf(value, sizeof(value), "%" PRIu64, v->fields.counter);
	if (CB_COUNTER_ID == CB_COUNTER_INVALID)
		print_row("counter", NONE, "this CPU has none");
	else
		print_row("counter", value, CB_COUNTER_ID ==
		    CB_COUNTER_X86_TSC ? "x86_tsc" : "arm_vcnt");
	print_time_row(v);
}

/* jq(1) reads numbers into doubles, which have 53 bits. */
static void
print_json_number(const struct cb_field *f, uint64_t value)
{
	const char *quote = f->size > 4 ? "\"" : "";

	if (f->kind == CB_FIELD_SIGNED)
		printf("%" PRId64, (int64_t)value);
	else
		printf("%s%" PRIu64 "%s", quote, value, quote);
}

static void
print_json_names(const struct cb_field *f, uint64_t value)
{
	const char *name, *comma = "";

	printf(",\n  \"%s_name%s\": ", f->name,
	    f->kind == CB_FIELD_FLAGS ? "s" : "");
	if (f->kind == CB_FIELD_NAME) {
		name = cb_field_name_of(f->names, value);
		if (name == NULL)
			fputs("null", stdout);
		else
			printf("\"%s\"", name);
		return;
	}
	putchar('[');
	for (const struct cb_field_name *n = f->names; n->name != NULL; n++)
		if ((value & n->value) != 0) {
			printf("%s\"%s\"", comma, n->name);
			comma = ", ";
		}
	putchar(']');
}

static void
print_json_time(const struct view *v)
{
	if (CB_COUNTER_ID == CB_COUNTER_INVALID)
		fputs("  \"counter\": null,\n", stdout);
	else
		printf("  \"counter\": \"%" PRIu64 "\",\n",
		    v->fields.counter);
	fputs("  \"time_at_counter\": ", stdout);
	if (v->no_time != NULL) {
		fputs("null", stdout);
		return;
	}
	printf("{\n    \"scale\": \"%s\",\n    \"sec\": \"%" PRId64 "\",\n"
	    "    \"nsec\": %" PRIu32 ",\n    \"maxerror_nsec\": ",
	    scale_of(v->time.scale), v->time.sec, v->ns);
	if (v->time.is_bound)
		printf("\"%" PRIu64 "\"", v->maxerror_ns);
	else
		fputs("null", stdout);
	fputs("\n  }", stdout);
}

static void
print_json(const struct view *v)
{
	puts("{");
	for (const struct cb_field *f = cb_fields; f->name != NULL; f++) {
		uint64_t n = cb_field_get(f, &v->abi);

		printf("  \"%s\": ", f->name);
		if (cb_field_is_within(f, v->fields.size))
			print_json_number(f, n);
		else
			fputs("null", stdout);
		if (f->names != NULL)
			print_json_names(f, n);
		puts(",");
	}
	print_json_time(v);
	puts("\n}");
}

int
cb_show(const struct cb_options *o, const struct cb_operands *w)
{
	struct view v;

	read_view(w->path, &v);
	set_time(&v);
	if (o->json)
		print_json(&v);
	else
		print_table(&v);
	cb_finish_output();
	return CB_EXIT_OK;
}
