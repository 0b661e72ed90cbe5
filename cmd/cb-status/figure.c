/* SPDX-License-Identifier: ISC */
/*
 * Nanoseconds go in; text for a person comes out, to three digits.
 */
#include <inttypes.h>
#include <string.h>

#include "cb-status.h"

#define S	UINT64_C(1000000000)

static const struct unit {
	uint64_t ns;
	uint64_t below;		/* from here on the next one serves better */
	const char *name;
} units[] = {
	{ 1, 1000, "ns" },
	{ 1000, 1000000, "us" },
	{ 1000000, S, "ms" },
	{ S, 1000 * S, "s" },
	{ 60 * S, 60 * S * 100, "min" },
	{ 3600 * S, 3600 * S * 48, "h" },
	{ 86400 * S, UINT64_MAX, "d" }
};

static const struct unit *
unit_of(uint64_t ns)
{
	const struct unit *u = units;

	while (ns >= u->below)
		u++;
	return u;
}

/* How many decimals make three digits. */
static int
decimals_of(uint64_t ns, const struct unit *u)
{
	if (u->ns == 1 || ns >= 100 * u->ns)
		return 0;
	return ns >= 10 * u->ns ? 1 : 2;
}

static uint64_t
round_to(uint64_t ns, uint64_t step, bool outward)
{
	return (ns + (outward ? step - 1 : 0)) / step * step;
}

static char *
format(int64_t ns, bool outward, char text[CB_FIGURE])
{
	static const uint64_t tens[] = { 1, 10, 100 };
	uint64_t size = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
	const struct unit *u = unit_of(size);
	int decimals;
	size_t len;

	size = round_to(size, u->ns / tens[decimals_of(size, u)], outward);
	/* 999.6 us may have become 1.00 ms. */
	u += size >= u->below;
	decimals = decimals_of(size, u);
	snprintf(text, CB_FIGURE, "%s%" PRIu64, ns < 0 ? "-" : "",
	    size / u->ns);
	len = strlen(text);
	if (decimals > 0)
		len += (size_t)snprintf(text + len, CB_FIGURE - len,
		    ".%0*" PRIu64, decimals,
		    size % u->ns / (u->ns / tens[decimals]));
	snprintf(text + len, CB_FIGURE - len, " %s", u->name);
	return text;
}

char *
cb_figure_up(int64_t ns, char text[CB_FIGURE])
{
	return format(ns, ns >= 0, text);
}

char *
cb_figure_down(int64_t ns, char text[CB_FIGURE])
{
	return format(ns, ns < 0, text);
}
