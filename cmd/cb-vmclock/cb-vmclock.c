/* SPDX-License-Identifier: ISC */
/*
 * cb-vmclock(1): options, then one command.
 */
#include <err.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cb-vmclock.h"
#include "stamp.h"
#include "clockbound.h"
#include "ts.h"


enum { OPT_FOR = CHAR_MAX + 1 };

static const struct option long_options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "count", required_argument, NULL, 'n' },
	{ "timeout", required_argument, NULL, 't' },
	{ "for", required_argument, NULL, OPT_FOR },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 }
};

static const char usage_text[] =
"usage: cb-vmclock [show] [-j] [PATH]\n"
"       cb-vmclock create PATH [FIELD=VALUE ...]\n"
"       cb-vmclock set PATH FIELD=VALUE ...\n"
"       cb-vmclock disrupt PATH [--for DURATION]\n"
"       cb-vmclock watch [-n COUNT] [-t DURATION] [PATH]\n"
"\n"
"PATH of show and watch is " VMCLOCK_SHM_DEFAULT_PATH
" unless it is given.\n"
"\n"
"  -j, --json             show as a JSON object\n"
"  -n, --count COUNT      watch until there were so many changes\n"
"  -t, --timeout DURATION\n"
"                         watch for so long\n"
"      --for DURATION     be unreliable for so long\n"
"  -h, --help\n"
"  -V, --version\n"
"\n"
"FIELD is one of\n";

static const struct command {
	const char *name;
	int (*run)(const struct cb_options *, const struct cb_operands *);
	bool has_default;	/* and takes nothing but a path */
	bool has_assignments;
	bool needs_assignment;
} commands[] = {
	/* The first is the default. */
	{ "show", cb_show, true, false, false },
	{ "create", cb_create, false, true, false },
	{ "set", cb_set, false, true, true },
	{ "disrupt", cb_disrupt, false, false, false },
	{ "watch", cb_watch, true, false, false }
};

#define N_COMMANDS	(sizeof(commands) / sizeof(commands[0]))

void
cb_finish_output(void)
{
	if (fflush(stdout) == EOF || ferror(stdout))
		err(CB_EXIT_UNUSABLE, "standard output");
}

void
cb_fail_path(const char *path, int error)
{
	errx(CB_EXIT_UNUSABLE, "%s: %s", path, cb_vmclock_strerror(error));
}

static void
print_help(void)
{
	fputs(usage_text, stdout);
	for (const struct cb_field *f = cb_fields; f->name != NULL; f++)
		printf("  %s\n", f->name);
	cb_finish_output();
	exit(CB_EXIT_OK);
}

static void
print_version(void)
{
	puts("cb-vmclock " CB_VERSION);
	cb_finish_output();
	exit(CB_EXIT_OK);
}

static int64_t
parse_duration(const char *option, const char *text)
{
	int64_t ns;
	const char *expected = cb_stamp_parse_duration(text, &ns);

	if (expected != NULL)
		errx(CB_EXIT_UNUSABLE, "%s '%s': expected %s", option, text,
		    expected);
	return ns;
}

static int64_t
parse_count(const char *text)
{
	const char *reason;
	long long n = strtonum(text, 1, INT_MAX, &reason);

	if (reason != NULL)
		errx(CB_EXIT_UNUSABLE, "--count %s: %s: expected a whole "
		    "number from 1 to %d", text, reason, INT_MAX);
	return n;
}

static void
parse_options(struct cb_options *o, int argc, char *argv[])
{
	int c;

	while ((c = getopt_long(argc, argv, "+jn:t:hV", long_options,
	    NULL)) != -1)
		switch (c) {
		case 'j':
			o->json = true;
			break;
		case 'n':
			o->count = parse_count(optarg);
			break;
		case 't':
			o->timeout_ns = parse_duration("--timeout", optarg);
			break;
		case OPT_FOR:
			o->for_ns = parse_duration("--for", optarg);
			break;
		case 'h':
			print_help();
			break;
		case 'V':
			print_version();
			break;
		default:
			/* getopt_long(3) has said why. */
			exit(CB_EXIT_UNUSABLE);
		}
}

/*
 * Options may stand on either side of the words, which are gathered behind
 * argv[0] in their order.  After -- there are words only.  Returns how many
 * there are; a NULL is behind them.
 */
static int
gather_words(struct cb_options *o, int argc, char *argv[])
{
	bool ended = false;
	int n = 0;

	for (;;) {
		if (!ended) {
			parse_options(o, argc, argv);
			ended = strcmp(argv[optind - 1], "--") == 0;
		}
		argv[++n] = argv[optind];
		if (optind++ >= argc)
			return n - 1;
	}
}

static const struct command *
find_command(const char *name)
{
	for (size_t i = 0; name != NULL && i < N_COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static void
check_options(const struct cb_options *o, const struct command *c)
{
	const char *wrong = NULL;

	if (o->json && c->run != cb_show)
		wrong = "--json: only show has it";
	if (o->count != -1 && c->run != cb_watch)
		wrong = "--count: only watch has it";
	if (o->timeout_ns != -1 && c->run != cb_watch)
		wrong = "--timeout: only watch has it";
	if (o->for_ns != -1 && c->run != cb_disrupt)
		wrong = "--for: only disrupt has it";
	if (wrong != NULL)
		errx(CB_EXIT_UNUSABLE, "%s, and this is %s", wrong, c->name);
}

static void
parse_words(struct cb_operands *w, const struct command *c, char *words[],
    int n)
{
	if (n == 0 && !c->has_default)
		errx(CB_EXIT_UNUSABLE, "%s: expected a path", c->name);
	w->path = n == 0 ? VMCLOCK_SHM_DEFAULT_PATH : words[0];
	w->assignments = n == 0 ? words : words + 1;
	if (*w->path == '\0')
		errx(CB_EXIT_UNUSABLE, "%s '': expected a path", c->name);
	if (n > 1 && !c->has_assignments)
		errx(CB_EXIT_UNUSABLE, "%s: no operand expected after the "
		    "path", words[1]);
	if (n < 2 && c->needs_assignment)
		errx(CB_EXIT_UNUSABLE, "%s %s: expected FIELD=VALUE", c->name,
		    w->path);
}

int
main(int argc, char *argv[])
{
	struct cb_options o = { false, -1, -1, -1 };
	int n = gather_words(&o, argc, argv);
	const struct command *command = find_command(argv[1]);
	struct cb_operands operands;

	if (command != NULL)
		parse_words(&operands, command, argv + 2, n - 1);
	else {
		command = &commands[0];
		parse_words(&operands, command, argv + 1, n);
	}
	check_options(&o, command);
	return command->run(&o, &operands);
}
