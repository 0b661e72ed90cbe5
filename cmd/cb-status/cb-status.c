/* SPDX-License-Identifier: ISC */
/*
 * cb-status(1): options, then gather, judge, and one form of output.
 */
#include <err.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cb-status.h"
#include "stamp.h"

/* With a name in it, it still fits. */
#define MAX_PATH	(CB_PATH - 16)

enum {
	OPT_VMCLOCK = CHAR_MAX + 1,
	OPT_OBSERVE,
	OPT_HTTP,
	OPT_WAIT,
	OPT_WATCH
};

enum form {
	FORM_TABLE,
	FORM_JSON,
	FORM_METRICS,
	FORM_PLUGIN,
	FORM_QUIET,
	FORM_WATCH,
	FORM_WAIT
};

struct options {
	struct cb_paths paths;
	struct cb_limits limits;
	enum form form;
	const char *chosen;	/* the option that chose it; NULL: none */
	bool http;		/* with the metrics, and nothing else */
	int64_t timeout_ns;
};

static const struct option long_options[] = {
	{ "shm", required_argument, NULL, 's' },
	{ "vmclock", required_argument, NULL, OPT_VMCLOCK },
	{ "observe", required_argument, NULL, OPT_OBSERVE },
	{ "warning", required_argument, NULL, 'w' },
	{ "critical", required_argument, NULL, 'c' },
	{ "json", no_argument, NULL, 'j' },
	{ "output", required_argument, NULL, 'o' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "http", no_argument, NULL, OPT_HTTP },
	{ "wait", optional_argument, NULL, OPT_WAIT },
	{ "watch", no_argument, NULL, OPT_WATCH },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 }
};

static const char usage_text[] =
"usage: cb-status [-jq] [-o FORM] [-w DURATION] [-c DURATION] [-s PATH] ...\n"
"\n"
"  -s, --shm PATH           a segment, or the directory that holds it\n"
"                           (" CB_SHM_DEFAULT_DIR ")\n"
"      --observe PATH       the daemon's socket (observe, beside the segment)\n"
"      --vmclock PATH       the VMClock (" VMCLOCK_SHM_DEFAULT_PATH ")\n"
"  -w, --warning DURATION   a half-width above this is a warning\n"
"  -c, --critical DURATION  and above this critical\n"
"  -j, --json               print a JSON object\n"
"  -o, --output FORM        print table, json, openmetrics or plugin\n"
"  -q, --quiet              print nothing: the exit status tells\n"
"      --http               answer a request for /metrics on a socket\n"
"      --wait[=DURATION]    until the time is healthy, for so long\n"
"      --watch              once a second\n"
"  -h, --help\n"
"  -V, --version\n"
"\n"
"DURATION is a number and ns, us, ms, s, m or h.\n";

void
cb_finish_output(void)
{
	if (fflush(stdout) == EOF || ferror(stdout))
		err(CB_UNKNOWN, "standard output");
}

static void
print_and_exit(const char *text)
{
	fputs(text, stdout);
	cb_finish_output();
	exit(CB_OK);
}

static _Noreturn void
refuse(const char *option, char *value, const char *expected)
{
	cb_judge_make_printable(value);
	errx(CB_UNKNOWN, "%s '%.40s': expected %s", option, value, expected);
}

static const char *
parse_path(const char *option, char *text)
{
	/* Of --wait alone may optarg be NULL; it does not come here. */
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	if (*text == '\0' || strlen(text) >= MAX_PATH)
		refuse(option, text, "a path");
	return text;
}

static int64_t
parse_duration(const char *option, char *text)
{
	int64_t ns;
	const char *expected = cb_stamp_parse_duration(text, &ns);

	if (expected != NULL)
		refuse(option, text, expected);
	return ns;
}

static void
choose(struct options *o, enum form form, const char *option)
{
	if (o->chosen != NULL && o->form != form)
		errx(CB_UNKNOWN, "%s: not together with %s", option,
		    o->chosen);
	o->form = form;
	o->chosen = option;
}

static void
choose_output(struct options *o, char *name)
{
	static const struct {
		const char *name;
		enum form form;
	} forms[] = {
		{ "table", FORM_TABLE }, { "json", FORM_JSON },
		{ "openmetrics", FORM_METRICS }, { "plugin", FORM_PLUGIN }
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		/* As above. */
		/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker) */
		if (strcmp(forms[i].name, name) == 0) {
			choose(o, forms[i].form, "--output");
			return;
		}
	refuse("--output", name, "table, json, openmetrics or plugin");
}

static _Noreturn void
refuse_operand(const struct options *o, char *operand)
{
	cb_judge_make_printable(operand);
	errx(CB_UNKNOWN, "%s: no operand expected%s", operand,
	    o->form == FORM_WAIT ? ": a duration is --wait=DURATION" : "");
}

static void
parse_options(struct options *o, int argc, char *argv[])
{
	int c;

	while ((c = getopt_long(argc, argv, "+s:w:c:jo:qhV", long_options,
	    NULL)) != -1)
		switch (c) {
		case 's':
			o->paths.given_shm = parse_path("--shm", optarg);
			break;
		case OPT_OBSERVE:
			o->paths.given_observe = parse_path("--observe",
			    optarg);
			break;
		case OPT_VMCLOCK:
			o->paths.vmclock = parse_path("--vmclock", optarg);
			break;
		case 'w':
			o->limits.warning_ns = parse_duration("--warning",
			    optarg);
			break;
		case 'c':
			o->limits.critical_ns = parse_duration("--critical",
			    optarg);
			break;
		case 'j':
			choose(o, FORM_JSON, "--json");
			break;
		case 'o':
			choose_output(o, optarg);
			break;
		case 'q':
			choose(o, FORM_QUIET, "--quiet");
			break;
		case OPT_HTTP:
			o->http = true;
			break;
		case OPT_WAIT:
			choose(o, FORM_WAIT, "--wait");
			if (optarg != NULL)
				o->timeout_ns = parse_duration("--wait",
				    optarg);
			break;
		case OPT_WATCH:
			choose(o, FORM_WATCH, "--watch");
			break;
		case 'h':
			print_and_exit(usage_text);
			break;
		case 'V':
			print_and_exit("cb-status " CB_VERSION "\n");
			break;
		default:
			/* getopt_long(3) has said why. */
			exit(CB_UNKNOWN);
		}
	if (optind < argc)
		refuse_operand(o, argv[optind]);
	if (o->http && o->chosen != NULL && o->form != FORM_METRICS)
		errx(CB_UNKNOWN, "--http: not together with %s, but for "
		    "--output openmetrics", o->chosen);
}

/* Limits are for the verdict, and metrics have none. */
static void
check_limits(const struct options *o)
{
	const struct cb_limits *l = &o->limits;

	if ((o->http || o->form == FORM_METRICS) &&
	    (l->warning_ns != CB_NONE || l->critical_ns != CB_NONE))
		errx(CB_UNKNOWN, "%s: not together with %s",
		    l->warning_ns != CB_NONE ? "--warning" : "--critical",
		    o->http ? "--http" : "--output openmetrics");
	if (l->critical_ns != CB_NONE && l->warning_ns > l->critical_ns)
		errx(CB_UNKNOWN, "--warning: expected no more than "
		    "--critical");
}

/* A terminal that knows escape sequences. */
static bool
has_screen(void)
{
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && term != NULL && *term != '\0' &&
	    strcmp(term, "dumb") != 0;
}

static bool
wants_colour(void)
{
	const char *no = getenv("NO_COLOR");

	return has_screen() && (no == NULL || *no == '\0');
}

static enum cb_severity
report(struct options *o)
{
	static struct cb_facts f;
	static struct cb_verdict v;

	cb_gather(&o->paths, &f);
	cb_judge(&f, &o->limits, &v);
	if (o->form == FORM_JSON)
		cb_json_print(&f, &v);
	else if (o->form == FORM_METRICS)
		cb_metrics_print(stdout, &f);
	else if (o->form == FORM_PLUGIN)
		cb_plugin_print(&f, &o->limits, &v);
	else if (o->form == FORM_TABLE)
		cb_table_print(stdout, &f, &v, wants_colour());
	cb_gather_release(&f);
	cb_finish_output();
	/* What collects metrics would throw away those of a failure. */
	return o->form == FORM_METRICS ? CB_OK : v.severity;
}

int
main(int argc, char *argv[])
{
	struct options o = {
		.paths.vmclock = VMCLOCK_SHM_DEFAULT_PATH,
		.limits = { CB_NONE, CB_NONE },
		.timeout_ns = CB_NONE
	};

	parse_options(&o, argc, argv);
	check_limits(&o);
	if (o.http)
		return (int)cb_http_serve(&o.paths);
	if (o.form == FORM_WATCH)
		return (int)cb_watch(&o.paths, &o.limits, has_screen(),
		    wants_colour());
	if (o.form == FORM_WAIT)
		return (int)cb_wait(&o.paths, &o.limits, o.timeout_ns);
	return (int)report(&o);
}
