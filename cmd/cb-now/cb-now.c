/* SPDX-License-Identifier: ISC */
/*
 * cb-now(1): open, read, print, end.
 */
#include <err.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clockbound.h"
#include "shm.h"

/* The exit codes are an interface: cb-now(1). */
enum {
	EXIT_TRUSTED = 0,
	EXIT_UNUSABLE = 2,	/* usage, or the segment cannot be read */
	EXIT_NOT_TRUSTED = 3
};

enum { OPT_VMCLOCK = CHAR_MAX + 1 };

static const struct option long_options[] = {
	{ "shm", required_argument, NULL, 's' },
	{ "vmclock", required_argument, NULL, OPT_VMCLOCK },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 }
};

static const char usage_text[] =
"usage: cb-now [-s PATH] [--vmclock PATH]\n"
"\n"
"  -s, --shm PATH      a segment, or the directory that holds it\n"
"                      (" CB_SHM_DEFAULT_DIR ")\n"
"      --vmclock PATH  the VMClock (" VMCLOCK_SHM_DEFAULT_PATH ")\n"
"  -h, --help\n"
"  -V, --version\n";

static void
finish_output(void)
{
	if (fflush(stdout) == EOF || ferror(stdout))
		err(EXIT_UNUSABLE, "standard output");
}

static void
print_and_exit(const char *text)
{
	fputs(text, stdout);
	finish_output();
	exit(EXIT_TRUSTED);
}

static const char *
parse_path(const char *name, const char *text)
{
	if (*text == '\0')
		errx(EXIT_UNUSABLE, "%s '': expected a path", name);
	return text;
}

static void
fail_clock(const char *path, const clockbound_err *e)
{
	switch (e->kind) {
	case CLOCKBOUND_ERR_SYSCALL:
		errx(EXIT_UNUSABLE, "%s: cannot %s a segment: %s", path,
		    e->detail, strerror(e->sys_errno));
	case CLOCKBOUND_ERR_SEGMENT_NOT_INITIALIZED:
		errx(EXIT_UNUSABLE, "%s: not a segment that a daemon has "
		    "written to", path);
	case CLOCKBOUND_ERR_SEGMENT_MALFORMED:
		errx(EXIT_UNUSABLE, "%s: malformed segment", path);
	case CLOCKBOUND_ERR_CAUSALITY_BREACH:
		errx(EXIT_UNUSABLE, "%s: segment from the future of "
		    "CLOCK_MONOTONIC: was it written before the last boot?",
		    path);
	case CLOCKBOUND_ERR_SEGMENT_VERSION_NOT_SUPPORTED:
		errx(EXIT_UNUSABLE, "%s: segment of an unsupported version",
		    path);
	case CLOCKBOUND_ERR_NONE:
		break;
	}
	errx(EXIT_UNUSABLE, "%s: unknown error %d", path, (int)e->kind);
}

/* Seconds with nine decimals, also before 1970. */
static void
print_time(const struct timespec *ts)
{
	long long s = ts->tv_sec;
	long ns = ts->tv_nsec;

	if (s < 0 && ns > 0) {
		s++;
		ns = 1000000000 - ns;
	}
	printf("%s%lld.%09ld ", ts->tv_sec < 0 ? "-" : "", s < 0 ? -s : s, ns);
}

int
main(int argc, char *argv[])
{
	static const char *const names[] = {
		"UNKNOWN", "SYNCHRONIZED", "FREE_RUNNING", "DISRUPTED"
	};
	const char *shm = NULL, *vmclock = VMCLOCK_SHM_DEFAULT_PATH;
	const clockbound_err *failed;
	clockbound_now_result now;
	clockbound_err error;
	clockbound_ctx *ctx;
	int c;

	while ((c = getopt_long(argc, argv, "+s:hV", long_options,
	    NULL)) != -1)
		switch (c) {
		case 's':
			shm = parse_path("--shm", optarg);
			break;
		case OPT_VMCLOCK:
			vmclock = parse_path("--vmclock", optarg);
			break;
		case 'h':
			print_and_exit(usage_text);
			break;
		case 'V':
			print_and_exit("cb-now " CB_VERSION "\n");
			break;
		default:
			return EXIT_UNUSABLE;
		}
	if (optind < argc)
		errx(EXIT_UNUSABLE, "%s: no operand expected", argv[optind]);

	ctx = clockbound_vmclock_open(shm, vmclock, &error);
	failed = ctx == NULL ? &error : clockbound_now(ctx, &now);
	if (failed != NULL)
		fail_clock(shm == NULL ? CB_SHM_DEFAULT_DIR : shm, failed);
	print_time(&now.earliest);
	print_time(&now.latest);
	puts(names[now.clock_status]);
	finish_output();
	return now.clock_status == CLOCKBOUND_STA_SYNCHRONIZED ||
	    now.clock_status == CLOCKBOUND_STA_FREE_RUNNING ?
	    EXIT_TRUSTED : EXIT_NOT_TRUSTED;
}
