/* SPDX-License-Identifier: ISC */
/*
 * cb-daemon's command line.
 */
#include "end.h"
#include "../../cmd/cb-daemon/cb-daemon.c"

static struct cb_daemon daemon_of_run;

/* In the place of main(), whose daemon is static: it has but one run. */
static int
parse(int argc, char *argv[])
{
	struct cb_daemon *d = &daemon_of_run;
	struct cb_options *o = &d->options;

	o->run_dir = o->chrony_socket = o->vmclock = d->phc.sysfs = "/x";
	o->interval_ns = o->max_drift_ppb = CB_NS_PER_S / 1000;
	o->has_phc = false;
	d->phc.interface = NULL;
	parse_options(d, argc, argv);
	CHECK(o->max_drift_ppb >= 1000 && o->max_drift_ppb <= 1000000);
	CHECK(o->interval_ns >= 1000000 &&
	    o->interval_ns <= 5 * CB_NS_PER_S);
	CHECK(*o->run_dir != '\0' && *o->vmclock != '\0');
	CHECK(cb_chrony_is_path(o->chrony_socket));
	CHECK(o->has_phc == (d->phc.interface != NULL));
	CHECK(!o->has_phc || strchr(d->phc.interface, '/') == NULL);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = { data, size };
	int status = end_run(&f, parse);

	CHECK(status == 0 || status == 2);
	CHECK(status == 2 || end_words[0] == '\0');
	return 0;
}
