/* SPDX-License-Identifier: ISC */
/*
 * cb-now's format strings and questions, about any reading.
 */
#include "../../cmd/cb-now/cb-now.h"
#include "output.h"
#include "ts.h"

void
cb_finish_output(void)
{
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	output_open();
	return 0;
}

static struct timespec
take_time(struct fuzz *f)
{
	return (struct timespec){ .tv_sec = fuzz_number(f),
		.tv_nsec = (long)fuzz_upto(f, CB_NS_PER_S - 1) };
}

static struct cb_reading
take_reading(struct fuzz *f)
{
	struct cb_reading r = {
		.earliest = take_time(f), .latest = take_time(f),
		.middle = take_time(f), .half = take_time(f),
		.age = take_time(f)
	};

	r.status = (clockbound_clock_status)(fuzz_byte(f) % 4);
	r.trusted = cb_shm_is_trusted(r.status);
	return r;
}

static void
check_format(const char *format, const struct cb_reading *r)
{
	const char *wrong;
	size_t at;
	int len;

	wrong = cb_format_check(format, &len);
	if (wrong != NULL) {
		at = (size_t)(wrong - format);
		CHECK(at < strlen(format));
		CHECK(len > 0 && at + (size_t)len <= strlen(format));
		return;
	}
	output_begin();
	cb_format_print(format, r);
	CHECK(strchr(output_end(), '\n') != NULL);
	if (strpbrk(format, "%\\") == NULL)
		CHECK(strncmp(output_text, format, strlen(format)) == 0);
}

static void
check_question(struct fuzz *f, struct cb_reading *r)
{
	uint8_t asked = fuzz_byte(f);
	struct cb_question q = {
		.has_after = asked & 1, .has_before = asked & 2,
		.has_within = asked & 4, .after = take_time(f),
		.before = take_time(f), .within = take_time(f)
	};
	int answer = cb_question_answer(&q, r);

	CHECK((answer == CB_EXIT_NOT_TRUSTED) == !r->trusted);
	if (answer != CB_EXIT_YES)
		return;
	CHECK(!q.has_after || cb_ts_is_before(&q.after, &r->earliest));
	CHECK(!q.has_before || cb_ts_is_before(&r->latest, &q.before));
	CHECK(!q.has_within || !cb_ts_is_before(&q.within, &r->half));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = { data, size };
	struct cb_reading r = take_reading(&f);
	char *format;

	check_question(&f, &r);
	format = fuzz_text(&f);
	check_format(format, &r);
	free(format);
	return 0;
}
