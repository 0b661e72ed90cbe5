/* SPDX-License-Identifier: ISC */
/*
 * cb-daemon(8): options, then open, loop, close.
 */
#include <sys/select.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cb-daemon.h"
#include "stamp.h"
#include "ts.h"

#define MAX_PPM		1000
#define MAX_WANDER_PPM	10
#define MAX_INTERVAL_MS	5000

enum {
	OPT_SOURCE = CHAR_MAX + 1,
	OPT_RUN_DIR,
	OPT_VMCLOCK,
	OPT_CHRONY_SOCKET,
	OPT_INTERVAL,
	OPT_MAX_WANDER,
	OPT_SHM_V1,
	OPT_SYSFS,
	OPT_NO_SECCOMP
};

static const struct option long_options[] = {
	{ "max-drift-rate", required_argument, NULL, 'm' },
	{ "disable-clock-disruption-support", no_argument, NULL, 'd' },
	{ "phc-ref-id", required_argument, NULL, 'r' },
	{ "phc-interface", required_argument, NULL, 'i' },
	{ "json-output", no_argument, NULL, 'j' },
	{ "clock-error-bound-source", required_argument, NULL, OPT_SOURCE },
	{ "run-dir", required_argument, NULL, OPT_RUN_DIR },
	{ "vmclock", required_argument, NULL, OPT_VMCLOCK },
	{ "chrony-socket", required_argument, NULL, OPT_CHRONY_SOCKET },
	{ "interval", required_argument, NULL, OPT_INTERVAL },
	{ "max-wander", required_argument, NULL, OPT_MAX_WANDER },
	{ "shm-v1", no_argument, NULL, OPT_SHM_V1 },
	{ "sysfs", required_argument, NULL, OPT_SYSFS },
	{ "no-seccomp", no_argument, NULL, OPT_NO_SECCOMP },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 }
};

static const char usage_text[] =
"usage: cb-daemon [-dj] [-m PPM] [-r ID -i INTERFACE]\n"
"                 [--clock-error-bound-source NAME] [--run-dir DIR]\n"
"                 [--chrony-socket PATH] [--vmclock PATH] [--interval MS]\n"
"                 [--max-wander PPM] [--no-seccomp] [--shm-v1] [--sysfs DIR]\n"
"\n"
"  -m, --max-drift-rate PPM    the oscillator's largest error (50)\n"
"  -d, --disable-clock-disruption-support\n"
"                              do without a VMClock\n"
"  -r, --phc-ref-id ID         chronyd's reference ID of a PHC, with -i\n"
"  -i, --phc-interface INTERFACE\n"
"                              the network interface that has it\n"
"  -j, --json-output           log in JSON\n"
"      --clock-error-bound-source NAME\n"
"                              chrony (the default) or chrony-tracking\n"
"      --run-dir DIR           where the segment is (" CB_SHM_DEFAULT_DIR ")\n"
"      --chrony-socket PATH    chronyd's (" CB_CHRONY_DEFAULT_SOCKET ")\n"
"      --vmclock PATH          the VMClock (" VMCLOCK_SHM_DEFAULT_PATH ")\n"
"      --interval MS           from sample to sample (100)\n"
"      --max-wander PPM        the most that -m's error changes in a second\n"
"      --no-seccomp            do without a filter of system calls\n"
"      --shm-v1                publish for clients of ClockBound 1.x too\n"
"      --sysfs DIR             where -i looks (" CB_PHC_DEFAULT_SYSFS ")\n"
"  -h, --help\n"
"  -V, --version\n";

/* A whole number, or one line that says what was expected. */
static int64_t
parse_number(const char *name, const char *text, int64_t min, int64_t max)
{
	const char *reason;
	long long n = strtonum(text, min, max, &reason);

	if (reason != NULL)
		errx(2, "%s %s: %s: expected a whole number from %lld to %lld",
		    name, *text == '\0' ? "''" : text, reason,
		    (long long)min, (long long)max);
	return n;
}

/* Parts per million with six decimals are whole parts per trillion. */
static int64_t
parse_wander(const char *text)
{
	int64_t ns = 0;

	if (text[strspn(text, "0123456789.")] != '\0' ||
	    cb_stamp_parse_duration(text, &ns) != NULL ||
	    ns % 1000 != 0 || ns == 0 || ns > MAX_WANDER_PPM * CB_NS_PER_S)
		errx(2, "--max-wander %s: expected a number from 0.000001 to "
		    "%d, with six decimals at most",
		    *text == '\0' ? "''" : text, MAX_WANDER_PPM);
	return ns / 1000;
}

static const char *
parse_path(const char *name, const char *text)
{
	if (*text == '\0')
		errx(2, "%s '': expected a path", name);
	return text;
}

static const char *
parse_interface(const char *text)
{
	if (*text == '\0' || strchr(text, '/') != NULL)
		errx(2, "--phc-interface '%s': expected a network interface",
		    text);
	return text;
}

static const char *
parse_socket(const char *name, const char *text)
{
	if (!cb_chrony_is_path(parse_path(name, text)))
		errx(2, "%s %s: too long: expected a path that leaves a "
		    "socket's room for another name beside it", name, text);
	return text;
}

static void
print_and_exit(const char *text)
{
	if (fputs(text, stdout) == EOF || fflush(stdout) == EOF)
		err(2, "standard output");
	exit(0);
}

static void
parse_options(struct cb_daemon *d, int argc, char *argv[])
{
	struct cb_options *o = &d->options;
	int c;

	while ((c = getopt_long(argc, argv, "+m:dr:i:jhV", long_options,
	    NULL)) != -1)
		switch (c) {
		case 'm':
			o->max_drift_ppb = 1000 * parse_number(
			    "--max-drift-rate", optarg, 1, MAX_PPM);
			break;
		case 'd':
			o->disruption_support = false;
			break;
		case 'r':
			if (!cb_phc_parse_ref_id(optarg, &o->phc_ref_id))
				errx(2, "--phc-ref-id %s: expected one to four "
				    "characters", optarg);
			o->has_phc = true;
			break;
		case 'i':
			d->phc.interface = parse_interface(optarg);
			break;
		case OPT_MAX_WANDER:
			o->max_wander = parse_wander(optarg);
			break;
		case OPT_SHM_V1:
			o->shm_v1 = true;
			break;
		case OPT_NO_SECCOMP:
			o->no_seccomp = true;
			break;
		case OPT_SYSFS:
			d->phc.sysfs = parse_path("--sysfs", optarg);
			break;
		case 'j':
			o->json = true;
			break;
		case OPT_SOURCE:
			d->source = cb_source_find(optarg);
			if (d->source == NULL)
				errx(2, "--clock-error-bound-source %s: "
				    "expected chrony or chrony-tracking",
				    optarg);
			break;
		case OPT_RUN_DIR:
			o->run_dir = parse_path("--run-dir", optarg);
			break;
		case OPT_VMCLOCK:
			o->vmclock = parse_path("--vmclock", optarg);
			break;
		case OPT_CHRONY_SOCKET:
			o->chrony_socket = parse_socket("--chrony-socket",
			    optarg);
			break;
		case OPT_INTERVAL:
			o->interval_ns = 1000000 * parse_number("--interval",
			    optarg, 1, MAX_INTERVAL_MS);
			break;
		case 'h':
			print_and_exit(usage_text);
			break;
		case 'V':
			print_and_exit("cb-daemon " CB_VERSION "\n");
			break;
		default:
			/* getopt_long(3) has said why. */
			exit(2);
		}
	if (optind < argc)
		errx(2, "%s: no operand expected", argv[optind]);
	if (o->has_phc && d->phc.interface == NULL)
		errx(2, "--phc-ref-id: expected --phc-interface with it");
	if (!o->has_phc && d->phc.interface != NULL)
		errx(2, "--phc-interface: expected --phc-ref-id with it");
	if (o->max_wander != 0 && d->source != cb_source_find("chrony"))
		errx(2, "--max-wander: expected --clock-error-bound-source "
		    "chrony with it");
}

/*
 * A file of ours must not get the number that the log is written to, nor one
 * that is too high for select(2): what else was left open to us is closed.
 */
static void
open_standard_files(void)
{
	int fd;

	for (fd = STDERR_FILENO + 1; fd < FD_SETSIZE; fd++)
		close(fd);
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd != -1)
		close(fd);
}

/* Without a VMClock nobody says when the clock has jumped: the user must. */
static void
open_vmclock(struct cb_daemon *d)
{
	if (!d->options.disruption_support ||
	    cb_vmclock_open(&d->watch.vmclock, d->options.vmclock))
		return;
	warnx("VMClock %s: %s", d->options.vmclock,
	    cb_vmclock_strerror(errno));
	errx(1, "name another with --vmclock, or do without one: "
	    "--disable-clock-disruption-support");
}

static void
open_estimate(struct cb_daemon *d)
{
	const struct cb_options *o = &d->options;

	cb_estimate_init(&d->estimate, o->max_drift_ppb + cb_clocks_steer());
	if (o->max_wander == 0)
		return;
	if (cb_clocks_steer() != 0)
		errx(1, "--max-wander: this system has no clock that nobody "
		    "steers");
	cb_estimate_believe(&d->estimate, o->max_wander);
}

static bool
open_writer(struct cb_daemon *d, const char **what, pid_t *holder)
{
	if (!cb_shm_write_open(&d->writer, d->options.run_dir, what, holder))
		return false;
	if (d->options.shm_v1)
		return cb_shm_write_open_v1(&d->writer, what);
	cb_shm_write_end_v1(&d->writer);
	return true;
}

static void
open_segment(struct cb_daemon *d)
{
	const char *what;
	pid_t holder;

	if (open_writer(d, &what, &holder))
		return;
	/* A process in another PID namespace shows as none. */
	if (errno == EEXIST && holder == 0)
		errx(1, "%s: another cb-daemon writes there",
		    d->options.run_dir);
	if (errno == EEXIST)
		errx(1, "%s: another cb-daemon, process %ld, writes there",
		    d->options.run_dir, (long)holder);
	err(1, "%s: cannot %s", d->options.run_dir, what);
}

/* For exit(3), which knows nobody. */
static struct cb_daemon *to_be_closed;

/* Whatever ends the daemon, names and the manager are left as they should. */
static void
close_all(void)
{
	struct cb_daemon *d = to_be_closed;

	cb_notify_stop(&d->notify);
	cb_observe_close(d);
	cb_disruption_close(d);
	cb_source_close(d);
	cb_shm_write_close(&d->writer);
}

/* All is open: from here on the daemon can do no more than it does. */
static void
enter_sandbox(struct cb_daemon *d)
{
	const char *what;

	to_be_closed = d;
	atexit(close_all);
	if (!cb_sandbox_enter(&d->options, &what))
		err(1, "cannot %s", what);
}

int
main(int argc, char *argv[])
{
	static struct cb_daemon d = {
		.options = {
			.run_dir = CB_SHM_DEFAULT_DIR,
			.chrony_socket = CB_CHRONY_DEFAULT_SOCKET,
			.vmclock = VMCLOCK_SHM_DEFAULT_PATH,
			.interval_ns = CB_NS_PER_S / 10,
			.max_drift_ppb = 50000,
			.disruption_support = true
		},
		.chrony = { .fd = -1 },
		.phc = { .sysfs = CB_PHC_DEFAULT_SYSFS, .fd = -1 },
		.selected = -1
	};
	const char *source;

	d.source = cb_source_find("chrony");
	parse_options(&d, argc, argv);
	open_standard_files();
	cb_log_open(d.options.json);
	/* Everybody may read what we publish. */
	umask(022);
	open_estimate(&d);
	open_vmclock(&d);
	open_segment(&d);
	cb_disruption_open(&d);
	cb_observe_open(&d);
	cb_notify_open(&d.notify);
	enter_sandbox(&d);
	/* There is a row "chrony": source.c. */
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	source = d.source->name;
	cb_log_info("version " CB_VERSION ", source %s at %s, publishing to "
	    "%s", source, d.options.chrony_socket, d.options.run_dir);
	return cb_loop_run(&d) ? 0 : 1;
}
