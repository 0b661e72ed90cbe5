/* SPDX-License-Identifier: ISC */
/*
 * cb-status's command line.
 */
#include "end.h"
#include "../../cmd/cb-status/cb-status.c"

/* In the place of what the options are for. */
static enum cb_severity
check_options(const struct cb_paths *p, const struct cb_limits *l)
{
	CHECK(*p->vmclock != '\0');
	CHECK(p->given_shm == NULL || strlen(p->given_shm) < MAX_PATH);
	CHECK(p->given_observe == NULL ||
	    strlen(p->given_observe) < MAX_PATH);
	if (l->critical_ns != CB_NONE)
		CHECK(l->warning_ns == CB_NONE || (l->warning_ns >= 0 &&
		    l->warning_ns <= l->critical_ns));
	return CB_OK;
}

void
cb_gather(struct cb_paths *p, struct cb_facts *f)
{
	(void)p, (void)f;
	end_with(CB_OK, "%s", "");
}

void
cb_gather_release(struct cb_facts *f)
{
	(void)f;
}

void
cb_table_print(FILE *out, const struct cb_facts *f,
    const struct cb_verdict *v, bool has_colour)
{
	(void)out, (void)f, (void)v, (void)has_colour;
}

void
cb_json_print(const struct cb_facts *f, const struct cb_verdict *v)
{
	(void)f, (void)v;
}

void
cb_metrics_print(FILE *out, const struct cb_facts *f)
{
	(void)out, (void)f;
}

void
cb_plugin_print(const struct cb_facts *f, const struct cb_limits *l,
    const struct cb_verdict *v)
{
	(void)f, (void)l, (void)v;
}

enum cb_severity
cb_http_serve(struct cb_paths *p)
{
	return check_options(p, &(struct cb_limits){ CB_NONE, CB_NONE });
}

enum cb_severity
cb_watch(struct cb_paths *p, const struct cb_limits *l, bool has_screen,
    bool has_colour)
{
	(void)has_screen, (void)has_colour;
	return check_options(p, l);
}

enum cb_severity
cb_wait(struct cb_paths *p, const struct cb_limits *l, int64_t timeout_ns)
{
	CHECK(timeout_ns == CB_NONE || timeout_ns >= 0);
	return check_options(p, l);
}

/* A monitor's page, or a terminal, shows what is said. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = { data, size };
	int status = end_run(&f, end_main);

	CHECK(status == CB_OK || status == CB_UNKNOWN);
	CHECK(status == CB_UNKNOWN || end_words[0] == '\0');
	for (const char *p = end_words; *p != '\0'; p++)
		CHECK(*p >= ' ' && *p <= '~');
	return 0;
}
