/* SPDX-License-Identifier: ISC */
/*
 * Standard output, as a text in memory.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include "fuzz.h"

static char *output_text;
static size_t output_size;

/* Once. */
static inline void
output_open(void)
{
	stdout = open_memstream(&output_text, &output_size);
	if (stdout == NULL)
		abort();
}

static inline void
output_begin(void)
{
	fflush(stdout);
	rewind(stdout);
}

/* What was printed since. */
static inline const char *
output_end(void)
{
	putchar('\0');
	fflush(stdout);
	return output_text;
}

/* Nothing that a terminal might take for an order. */
static inline void
output_check_printable(const char *text)
{
	for (; *text != '\0'; text++)
		CHECK((*text >= ' ' && *text <= '~') || *text == '\n');
}

#endif
