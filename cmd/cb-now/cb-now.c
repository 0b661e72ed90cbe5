/* SPDX-License-Identifier: ISC */
/*
 * cb-now(1): options; then readings, each a line, or a wait.
 */
#include <err.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cb-now.h"
#include "stamp.h"
#include "ts.h"

enum {
	OPT_AFTER = CHAR_MAX + 1,
	OPT_BEFORE,
	OPT_WITHIN,
	OPT_WAIT,
	OPT_TIMEOUT,
	OPT_TRUST,
	OPT_VMCLOCK
};

static const struct option long_options[] = {
	{ "iso", no_argument, NULL, 'i' },
	{ "json", no_argument, NULL, 'j' },
	{ "format", required_argument, NULL, 'f' },
	{ "count", required_argument, NULL, 'c' },
	{ "interval", required_argument, NULL, 'I' },
	{ "after", required_argument, NULL, OPT_AFTER },
	{ "before", required_argument, NULL, OPT_BEFORE },
	{ "within", required_argument, NULL, OPT_WITHIN },
	{ "wait", optional_argument, NULL, OPT_WAIT },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "trust", required_argument, NULL, OPT_TRUST },
	{ "shm", required_argument, NULL, 's' },
	{ "vmclock", required_argument, NULL, OPT_VMCLOCK },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 }
};

static const char usage_text[] =
"usage: cb-now [-ij] [-f FORMAT] [-c COUNT] [-I INTERVAL]\n"
"              [--after TIME] [--before TIME] [--within DURATION]\n"
"              [--trust STATUS] [-s PATH] [--vmclock PATH]\n"
"       cb-now --wait[=TIME] [--timeout DURATION] [-ij] [-f FORMAT]\n"
"              [--trust STATUS] [-s PATH] [--vmclock PATH]\n"
"\n"
"  -i, --iso              times by RFC 3339\n"
"  -j, --json             a JSON object\n"
"  -f, --format FORMAT    %e earliest, %l latest, %m middle, %h half-width,\n"
"                         %a age, %s status, %v trusted; in between N:\n"
"                         nanoseconds (%Ne), I: by RFC 3339 (%Ie)\n"
"  -c, --count COUNT      so many lines\n"
"  -I, --interval INTERVAL\n"
"                         from line to line (1s)\n"
"      --after TIME       has it passed for certain?\n"
"      --before TIME      is it to come for certain?\n"
"      --within DURATION  is the half-width at most this?\n"
"      --wait[=TIME]      until it has passed for certain; print latest, and\n"
"                         wait for that\n"
"      --timeout DURATION wait no longer\n"
"      --trust STATUS     free-running (the default) or synchronized\n"
"  -s, --shm PATH         a segment, or the directory that holds it\n"
"                         (" CB_SHM_DEFAULT_DIR ")\n"
"      --vmclock PATH     the VMClock (" VMCLOCK_SHM_DEFAULT_PATH ")\n"
"  -h, --help\n"
"  -V, --version\n"
"\n"
"TIME is seconds since 1970, or RFC 3339: 2026-11-21T14:00:00Z.\n"
"DURATION and INTERVAL have a unit, ns, us, ms, s, m or h, or are seconds.\n"
"Exit status: 0 yes or trusted, 1 no, 2 unusable, 3 not trusted.\n";

struct options {
	const char *shm;
	const char *vmclock;
	const char *format;	/* NULL: none was asked for */
	bool trusts_free_running;
	bool waits;
	struct cb_wait wait;
	struct cb_stream stream;
};

void
cb_finish_output(void)
{
	if (fflush(stdout) == EOF || ferror(stdout))
		err(CB_EXIT_UNUSABLE, "standard output");
}

static _Noreturn void
print_and_exit(const char *text)
{
	fputs(text, stdout);
	cb_finish_output();
	exit(CB_EXIT_YES);
}

static const char *
parse_path(const char *name, const char *text)
{
	if (*text == '\0')
		errx(CB_EXIT_UNUSABLE, "%s '': expected a path", name);
	return text;
}

static const char *
parse_format(const char *text)
{
	const char *wrong;
	int len;

	wrong = cb_format_check(text, &len);
	if (wrong != NULL)
		errx(CB_EXIT_UNUSABLE, "--format '%s': '%.*s' is no "
		    "conversion: expected %%e %%l %%m %%h %%a %%s %%v %%%%, "
		    "%%Ne %%Nl %%Nm %%Nh %%Na, %%Ie %%Il %%Im, or \\n \\t "
		    "\\\\", text, len, wrong);
	return text;
}

static int64_t
parse_count(const char *text)
{
	const char *reason;
	long long n = strtonum(text, 1, INT_MAX, &reason);

	if (reason != NULL)
		errx(CB_EXIT_UNUSABLE, "--count '%s': %s: expected a whole "
		    "number from 1 to %d", text, reason, INT_MAX);
	return n;
}

static struct timespec
parse_time(const char *name, const char *text)
{
	struct timespec ts;
	const char *expected = cb_stamp_parse_time(text, &ts);

	if (expected != NULL)
		errx(CB_EXIT_UNUSABLE, "%s '%s': expected %s", name, text,
		    expected);
	return ts;
}

static int64_t
parse_duration(const char *name, const char *text)
{
	int64_t ns;
	const char *expected = cb_stamp_parse_duration(text, &ns);

	if (expected != NULL)
		errx(CB_EXIT_UNUSABLE, "%s '%s': expected %s", name, text,
		    expected);
	return ns;
}

static int64_t
parse_interval(const char *text)
{
	int64_t ns = parse_duration("--interval", text);

	if (ns == 0)
		errx(CB_EXIT_UNUSABLE, "--interval '%s': expected more than "
		    "no time", text);
	return ns;
}

static bool
parse_trust(const char *text)
{
	/* As what is printed, too. */
	if (strcasecmp(text, "synchronized") == 0)
		return false;
	if (strcasecmp(text, "free-running") == 0 ||
	    strcasecmp(text, "free_running") == 0)
		return true;
	errx(CB_EXIT_UNUSABLE, "--trust '%s': expected synchronized or "
	    "free-running", text);
}

static void
parse_option(struct options *o, int c, const char *arg)
{
	struct cb_question *q = &o->stream.question;

	switch (c) {
	case 'i':
		o->format = CB_FORMAT_DATES;
		break;
	case 'j':
		o->format = CB_FORMAT_JSON;
		break;
	case 'f':
		o->format = parse_format(arg);
		break;
	case 'c':
		o->stream.count = parse_count(arg);
		break;
	case 'I':
		o->stream.interval_ns = parse_interval(arg);
		break;
	case OPT_AFTER:
		q->has_after = true;
		q->after = parse_time("--after", arg);
		break;
	case OPT_BEFORE:
		q->has_before = true;
		q->before = parse_time("--before", arg);
		break;
	case OPT_WITHIN:
		q->has_within = true;
		q->within = cb_stamp_of_ns(parse_duration("--within", arg));
		break;
	case OPT_WAIT:
		o->waits = true;
		o->wait.has_time = arg != NULL;
		if (arg != NULL)
			o->wait.time = parse_time("--wait", arg);
		break;
	case OPT_TIMEOUT:
		o->wait.timeout_ns = parse_duration("--timeout", arg);
		break;
	case OPT_TRUST:
		o->trusts_free_running = parse_trust(arg);
		break;
	case 's':
		o->shm = parse_path("--shm", arg);
		break;
	case OPT_VMCLOCK:
		o->vmclock = parse_path("--vmclock", arg);
		break;
	case 'h':
		print_and_exit(usage_text);
	case 'V':
		print_and_exit("cb-now " CB_VERSION "\n");
	default:
		/* getopt_long(3) has said why. */
		exit(CB_EXIT_UNUSABLE);
	}
}

static bool
has_question(const struct cb_question *q)
{
	return q->has_after || q->has_before || q->has_within;
}

static void
check_options(const struct options *o)
{
	const char *wrong = NULL;

	if (!o->waits && o->wait.timeout_ns != -1)
		wrong = "--timeout: expected --wait with it";
	if (o->waits && has_question(&o->stream.question))
		wrong = "--wait: expected no question (--after, --before, "
		    "--within) with it";
	if (o->waits && (o->stream.count != -1 || o->stream.interval_ns != -1))
		wrong = "--wait: expected no --count or --interval with it";
	if (wrong != NULL)
		errx(CB_EXIT_UNUSABLE, "%s", wrong);
}

/* What was not given follows from what was. */
static void
complete_options(struct options *o)
{
	struct cb_stream *t = &o->stream;

	if (o->format == NULL && !o->waits && !has_question(&t->question))
		o->format = CB_FORMAT_LINE;
	if (t->count == -1)
		t->count = t->interval_ns == -1 ? 1 : INT64_MAX;
	if (t->interval_ns == -1)
		t->interval_ns = CB_NS_PER_S;
}

int
main(int argc, char *argv[])
{
	struct options o = {
		.shm = CB_SHM_DEFAULT_DIR,
		.vmclock = VMCLOCK_SHM_DEFAULT_PATH,
		.trusts_free_running = true,
		.wait = { .timeout_ns = -1 },
		.stream = { .count = -1, .interval_ns = -1 }
	};
	struct cb_segment segment;
	int c, status;

	while ((c = getopt_long(argc, argv, "+ijf:c:I:s:hV", long_options,
	    NULL)) != -1)
		parse_option(&o, c, optarg);
	if (optind < argc)
		errx(CB_EXIT_UNUSABLE, "%s: no operand expected%s",
		    argv[optind], o.waits ? ": a time is --wait=TIME" : "");
	check_options(&o);
	complete_options(&o);
	segment = (struct cb_segment){
		.path = o.shm,
		.trusts_free_running = o.trusts_free_running
	};
	cb_reading_open(&segment, o.vmclock);
	status = o.waits ? cb_wait_run(&o.wait, &segment, o.format) :
	    cb_stream_run(&o.stream, &segment, o.format);
	cb_reading_close(&segment);
	return status;
}
