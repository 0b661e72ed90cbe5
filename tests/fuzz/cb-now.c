/* SPDX-License-Identifier: ISC */
/*
 * cb-now's command line.
 */
#include "end.h"
#include "../../cmd/cb-now/cb-now.c"

/* In the place of what the options are for. */
void
cb_reading_open(struct cb_segment *s, const char *vmclock)
{
	CHECK(*s->path != '\0' && *vmclock != '\0');
}

void
cb_reading_close(struct cb_segment *s)
{
	(void)s;
}

int
cb_wait_run(struct cb_wait *w, struct cb_segment *s, const char *format)
{
	(void)s, (void)format;
	CHECK(w->timeout_ns >= -1);
	return CB_EXIT_YES;
}

int
cb_stream_run(const struct cb_stream *t, struct cb_segment *s,
    const char *format)
{
	int len;

	(void)s;
	CHECK(t->count > 0 && t->interval_ns > 0);
	CHECK(format != NULL || has_question(&t->question));
	CHECK(format == NULL || cb_format_check(format, &len) == NULL);
	return CB_EXIT_YES;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = { data, size };
	int status = end_run(&f, end_main);

	CHECK(status == CB_EXIT_YES || status == CB_EXIT_UNUSABLE);
	CHECK(status == CB_EXIT_UNUSABLE || end_words[0] == '\0');
	return 0;
}
