/* SPDX-License-Identifier: ISC */
/*
 * What cb-status makes of an observation object: a whole one is taken, and one
 * with any of its needed values missing or of another kind is refused with a
 * line that names the key.
 */
#include <err.h>
#include <string.h>

#include "cb-status.h"
#include "test.h"

static const char text[] =
"{'format':1,"
"'daemon':{'pid':1,'version':'0','started_ns':1,'uptime_ns':1,"
"'source':'chrony','max_drift_ppb':1,'interval_ns':1000000,"
"'chrony_socket':'/c','phc_trouble':null},"
"'status':{'name':'synchronized','since_ns':1,'age_ns':1,'as_of_ns':1,"
"'earliest_ns':-1,'latest_ns':null,'frequency_exceeds_drift':false},"
"'tracking':{'answered':true,'trouble':null,'report':{'ref_id':'A',"
"'ref_name':'a','leap':'normal','stratum':1,'ref_time_ns':1,'offset_ns':-1,"
"'frequency_ppb':-1,'root_delay_ns':1,'root_dispersion_ns':1,"
"'estimate_ns':1}},"
"'sources':[{'name':'a','mode':'server','state':'selected','poll':-6,"
"'reachability':255,'measured_age_ns':1,'earliest_ns':-1,'latest_ns':1,"
"'contradictions':0}],"
"'disruption':{'phase':'none','forced':false,'gated':false},"
"'vmclock':{'unreliable':false},"
"'counts':{'ticks':1,'missed_samples':0,'disruptions':0,"
"'forced_disruptions':0,'steps':0,'sleeps':0,'clocksource_changes':0,"
"'leap_seconds':0,'contradictions':0,'disagreements':0,"
"'longest_gap_ns':0},"
"'budget':{'bound_ns':1,'source':'a','poll':-6,'measured_age_ns':1,'parts':{"
"'offset_ns':-1,'error_ns':1,'phc_error_ns':0,'drift_ns':1,'reading_ns':0,"
"'leap_ns':0,'slew_ns':0,'coarse_ns':0,'correction_ns':0,"
"'rounding_ns':1}},"
"'shm1':{'trouble':null,'as_of_ns':1,"
"'budget':{'bound_ns':2,'source':'a','poll':-6,'measured_age_ns':1,'parts':{"
"'offset_ns':-1,'error_ns':1,'phc_error_ns':0,'drift_ns':2,'reading_ns':0,"
"'leap_ns':0,'slew_ns':0,'coarse_ns':0,'correction_ns':0,"
"'rounding_ns':1}}}}";

static struct cb_observed observed;
static char trouble[CB_TEXT];

static bool
parses(const json_t *o)
{
	trouble[0] = '\0';
	return cb_observe_parse(o, &observed, trouble);
}

/* With quotation marks that C lets stand. */
static json_t *
make_object(void)
{
	char *quoted = strdup(text);
	json_t *o;

	if (quoted == NULL)
		err(1, "strdup");
	for (char *p = quoted; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	o = json_loads(quoted, 0, NULL);
	free(quoted);
	return o;
}

static void
a_whole_object_is_taken(void)
{
	json_t *o = make_object();

	if (!CHECK(o != NULL) || !CHECK(parses(o)))
		fprintf(stderr, "\t%s\n", trouble);
	CHECK_EQ(observed.n_sources, 1);
	CHECK_EQ(observed.sources[0].poll, -6);
	CHECK_EQ(observed.earliest_ns, -1);
	CHECK_EQ(observed.latest_ns, CB_NONE);
	CHECK_EQ(observed.budget.parts[CB_PART_ROUNDING], 1);
	CHECK_EQ(observed.shm1_budget.parts[CB_PART_DRIFT], 2);
	CHECK(observed.has_report);
	CHECK(observed.budget.is_known && observed.shm1_budget.is_known);
	json_object_set_new(json_object_get(o, "tracking"), "report",
	    json_null());
	json_object_set_new(o, "budget", json_null());
	json_object_set_new(o, "vmclock", json_null());
	json_object_set_new(json_object_get(o, "shm1"), "budget",
	    json_null());
	CHECK(parses(o));
	CHECK(!observed.has_report);
	CHECK(!observed.budget.is_known && !observed.shm1_budget.is_known);
	json_object_set_new(o, "shm1", json_null());
	CHECK(parses(o));
	CHECK_EQ(observed.shm1_as_of_ns, 0);
	json_decref(o);
}

static json_t *
wrong_value(int i)
{
	switch (i) {
	case 0:
		return json_real(0.5);
	case 1:
		return json_integer(INT64_MAX);
	case 2:
		return json_integer(INT64_MIN);
	case 3:
		return json_array();
	case 4:
		return json_object();
	default:
		return NULL;
	}
}

/* The object whose leaves are tried, and the whole of which they are part. */
static void
each_leaf_is_checked(json_t *whole, json_t *o)
{
	size_t left = json_object_size(o);
	const char *name;
	char key[64];
	void *next;
	json_t *v;

	json_object_foreach_safe(o, next, name, v) {
		/* What was deleted comes back as the last one. */
		if (left-- == 0)
			break;
		strlcpy(key, name, sizeof(key));
		json_incref(v);
		for (int i = 0; i <= 5; i++) {
			json_t *wrong = wrong_value(i);

			/* No object: the key is not there. */
			if (wrong == NULL)
				json_object_del(o, key);
			else
				json_object_set_new(o, key, wrong);
			/* An empty array is one of no sources. */
			if (i == 3 && strcmp(key, "sources") == 0)
				continue;
			test_row = key;
			CHECK(!parses(whole));
			CHECK(trouble[0] != '\0');
		}
		json_object_set(o, key, v);
		if (json_is_object(v))
			each_leaf_is_checked(whole, v);
		if (json_is_array(v))
			each_leaf_is_checked(whole, json_array_get(v, 0));
		json_decref(v);
	}
	test_row = "";
}

static void
what_is_missing_or_of_another_kind_is_refused(void)
{
	json_t *o = make_object();

	each_leaf_is_checked(o, o);
	CHECK(parses(o));
	json_object_set_new(json_object_get(o, "counts"), "ticks",
	    json_integer(-1));
	CHECK(!parses(o));
	CHECK(strcmp(trouble, "counts.ticks: expected an integer from 0 on")
	    == 0);
	json_decref(o);
	o = json_array();
	CHECK(!parses(o));
	json_decref(o);
}

/* A long one would make any segment a fresh one. */
static void
an_interval_that_no_daemon_has_is_refused(void)
{
	static const struct {
		json_int_t ns;
		bool is_taken;
	} rows[] = {
		{ 0, false }, { 999999, false }, { 1000000, true },
		{ INT64_C(5000000000), true }, { INT64_C(5000000001), false },
		{ INT64_C(2000000000000), false }
	};
	json_t *o = make_object();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_object_set_new(json_object_get(o, "daemon"),
		    "interval_ns", json_integer(rows[i].ns));
		CHECK_EQ(parses(o), rows[i].is_taken);
	}
	CHECK(strcmp(trouble, "daemon.interval_ns: expected an integer from "
	    "1000000 to 5000000000") == 0);
	json_decref(o);
}

static void
a_text_is_made_printable_and_cut(void)
{
	json_t *o = make_object();
	json_t *daemon = json_object_get(o, "daemon");
	char longer[2 * CB_TEXT];

	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	json_object_set_new(daemon, "version",
	    json_string("\x1b[2J\xc2\x9b\n"));
	json_object_set_new(daemon, "source", json_string(longer));
	CHECK(parses(o));
	CHECK(strcmp(observed.version, "?[2J???") == 0);
	CHECK_EQ(strlen(observed.method), CB_TEXT - 1);
	json_decref(o);
}

static void
sources_beyond_room_are_refused(void)
{
	json_t *o = make_object();
	json_t *a = json_object_get(o, "sources");

	while (json_array_size(a) < CB_MAX_SOURCES)
		json_array_append(a, json_array_get(a, 0));
	CHECK(parses(o));
	json_array_append(a, json_array_get(a, 0));
	CHECK(!parses(o));
	json_decref(o);
}

int
main(void)
{
	a_whole_object_is_taken();
	what_is_missing_or_of_another_kind_is_refused();
	an_interval_that_no_daemon_has_is_refused();
	a_text_is_made_printable_and_cut();
	sources_beyond_room_are_refused();
	return test_done();
}
