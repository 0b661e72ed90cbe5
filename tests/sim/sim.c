/* SPDX-License-Identifier: ISC */
/*
 * Worlds by the thousand: every reading that is trusted must hold true time.
 * Of a world that fails as much is left out as can be, and what is left is
 * printed, with the command that repeats it.
 */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <err.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "life.h"

/* From one seed to the next: neighbours have no world in common. */
#define STRIDE		UINT64_C(0x9e3779b97f4a7c15)
#define MAX_PROCESSES	64
#define READINGS	40000000
#define YEAR_S		31557600.0

static const char usage_text[] =
    "usage: sim [-j PROCESSES] [-n TRUSTED] [-y YEARS] [-d DAYS]\n"
    "           [-w] [-e CLASS,...] [SEED]\n"
    "       sim -1 [-w] [-e CLASS,...] [-x CLASS,...] [-k EVENT,...] SEED\n"
    "       sim -l\n"
    "\n"
    "-n, -y, -d: until so many readings were trusted (4e7), so many years\n"
    "have gone by, so many days at 100 ms.  -e: only these events are drawn.\n"
    "-w: no daemon is told how fast the oscillator's frequency may change.\n"
    "-1: the world of this seed alone, its events without the classes\n"
    "after -x, and of the others those with the numbers after -k.\n"
    "-l: the classes of events.\n";

/* What a process has done, in memory that is shared. */
struct share {
	struct totals totals;
	bool failed;
	struct plan plan;	/* of the world that did */
};

struct goal {
	int64_t trusted, ns, ns_fast;
};

static bool
is_reached(const struct goal *g, const struct totals *t, int processes)
{
	int64_t trusted = 0;

	for (int k = 0; k < ESTIMATE; k++)
		trusted += t->of[k].trusted;
	return trusted >= g->trusted / processes &&
	    t->ns >= g->ns / processes && t->ns_fast >= g->ns_fast / processes;
}

static void
work(struct share *share, const struct goal *g, struct plan plan, int process,
    int processes)
{
	plan.seed += (uint64_t)process * STRIDE;
	while (!is_reached(g, &share->totals, processes)) {
		life_live(&plan, &share->totals);
		if (failure[0] != '\0') {
			share->failed = true;
			share->plan = plan;
			break;
		}
		plan.seed += (uint64_t)processes * STRIDE;
	}
	memcpy(share->totals.befallen, befallen, sizeof(befallen));
}

/* The first world that failed, in *plan. */
static bool
run(const struct goal *g, int processes, struct plan *plan)
{
	struct share *shares = mmap(NULL, sizeof(*shares) * MAX_PROCESSES,
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	static struct totals sum;
	struct rusage used;
	bool failed = false;
	int status;

	if (shares == MAP_FAILED)
		err(2, "mmap");
	fflush(stdout);
	for (int i = 0; i < processes; i++)
		switch (fork()) {
		case -1:
			err(2, "fork");
		case 0:
			work(&shares[i], g, *plan, i, processes);
			_exit(0);
		}
	while (wait(&status) != -1)
		if (status != 0)
			errx(2, "a process ended with %d", status);
	for (int i = 0; i < processes; i++) {
		tally_sum(&sum, &shares[i].totals);
		if (shares[i].failed)
			*plan = shares[i].plan;
		failed |= shares[i].failed;
	}
	getrusage(RUSAGE_CHILDREN, &used);
	printf("%ld s of processor time\n", (long)used.ru_utime.tv_sec);
	tally_report(&sum);
	return failed;
}

static bool
fails(const struct plan *plan)
{
	static struct totals nobody_asks;

	life_live(plan, &nobody_asks);
	return failure[0] != '\0';
}

/* Leave out what is not needed for it, until nothing more can be. */
static void
shrink(struct plan *plan)
{
	struct plan less, was;

	do {
		was = *plan;
		for (int c = 0; c < N_CLASSES; c++) {
			less = *plan;
			less.out |= less.on & BIT(c);
			if (less.out != plan->out && fails(&less))
				*plan = less;
		}
		for (int i = 0; i < MAX_EVENTS; i++) {
			less = *plan;
			less.events &= ~BIT(i);
			if (less.events != plan->events && fails(&less))
				*plan = less;
		}
	} while (was.out != plan->out || was.events != plan->events);
}

static void
print_classes(const char *option, uint32_t set)
{
	const char *comma = option;

	for (int c = 0; c < N_CLASSES; c++)
		if ((set & BIT(c)) != 0) {
			printf("%s%s", comma, class_names[c]);
			comma = ",";
		}
}

static void
print_list(const struct event *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		printf("  %14.6f s  %2u %s\n", (double)list[i].ns / 1e9,
		    list[i].number, class_names[list[i].class]);
}

/* A failed world, once it has been lived through again. */
static void
print_world(const struct plan *plan)
{
	const char *comma = " -k ";

	printf("%s\n", failure[0] != '\0' ? failure : "nothing missed");
	printf("interval %.3f s, drift %" PRId64 " ppb, %zu servers;",
	    (double)w.interval_ns / 1e9, w.limit_ppb, w.n);
	print_classes(" with ", plan->on & ~plan->out &
	    (BIT(FIRST_EVENT) - 1));
	printf("\n");
	print_list(w.events, w.n_events);
	print_list(w.breaks, w.n_breaks);
	printf("again: sim -1%s", plan->plain ? " -w" : "");
	if (plan->on != ALL)
		print_classes(" -e ", plan->on);
	print_classes(" -x ", plan->out);
	if (plan->events != UINT32_MAX && plan->events == 0)
		printf(" -k none");
	for (int i = 0; i < MAX_EVENTS; i++)
		if (plan->events != UINT32_MAX &&
		    (plan->events & BIT(i)) != 0) {
			printf("%s%d", comma, i);
			comma = ",";
		}
	printf(" %" PRIu64 "\n", plan->seed);
}

static uint32_t
parse_classes(char *list)
{
	uint32_t set = 0;
	int c;

	for (char *name; (name = strsep(&list, ",")) != NULL;) {
		for (c = 0; c < N_CLASSES; c++)
			if (strcmp(name, class_names[c]) == 0)
				break;
		if (c == N_CLASSES)
			errx(2, "%s: no such class of events", name);
		set |= BIT(c);
	}
	return set;
}

static uint32_t
parse_events(char *list)
{
	const char *why;
	uint32_t set = 0;
	long long n;

	if (strcmp(list, "none") == 0)
		return 0;
	for (char *number; (number = strsep(&list, ",")) != NULL;) {
		n = strtonum(number, 0, MAX_EVENTS - 1, &why);
		if (why != NULL)
			errx(2, "event %s is %s", number, why);
		set |= BIT(n);
	}
	return set;
}

static int64_t
parse_number(const char *text, int64_t scale)
{
	char *end;
	double x = strtod(text, &end);

	if (end == text || *end != '\0' || !(x >= 0 && x * (double)scale <
	    9e18))
		errx(2, "%s: not a number that will do", text);
	return (int64_t)(x * (double)scale);
}

static _Noreturn void
usage(void)
{
	fputs(usage_text, stderr);
	exit(2);
}

static _Noreturn void
list_classes(void)
{
	for (int c = 0; c < N_CLASSES; c++)
		puts(class_names[c]);
	exit(0);
}

int
main(int argc, char *argv[])
{
	static const struct option none[] = { { NULL, 0, NULL, 0 } };
	struct goal goal = { .trusted = READINGS };
	struct plan plan = { .on = ALL, .events = UINT32_MAX };
	bool alone = false;
	int ch, processes = 1;

	while ((ch = getopt_long(argc, argv, "+1d:e:j:k:ln:wx:y:", none,
	    NULL)) != -1)
		switch (ch) {
		case '1': alone = true; break;
		case 'd': goal.ns_fast = parse_number(optarg, 86400 * S);
			break;
		case 'e': plan.on = parse_classes(optarg); break;
		case 'j': processes = (int)cb_ts_max(1, cb_ts_min(
			    parse_number(optarg, 1), MAX_PROCESSES)); break;
		case 'k': plan.events = parse_events(optarg); break;
		case 'l': list_classes();
		case 'n': goal.trusted = parse_number(optarg, 1); break;
		case 'w': plan.plain = true; break;
		case 'x': plan.out = parse_classes(optarg); break;
		case 'y': goal.ns = parse_number(optarg,
			    (int64_t)YEAR_S * S); break;
		default: usage();
		}
	if (argc - optind > 1 || (alone && optind == argc))
		usage();
	if (optind < argc)
		plan.seed = strtoull(argv[optind], NULL, 10);
	else
		arc4random_buf(&plan.seed, sizeof(plan.seed));
	if (alone) {
		bool failed = fails(&plan);

		print_world(&plan);
		return failed;
	}
	printf("seed %" PRIu64 ", %d processes\n", plan.seed, processes);
	if (!run(&goal, processes, &plan))
		return 0;
	shrink(&plan);
	fails(&plan);
	print_world(&plan);
	return 1;
}
