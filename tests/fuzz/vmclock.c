/* SPDX-License-Identifier: ISC */
/*
 * VMClock files of any bytes and any length: opened, read by the rule of all
 * readers, told the time by, and shown.
 */
#include <sys/mman.h>

#include <sched.h>
#include <unistd.h>

#include "output.h"
#include "../../cmd/cb-vmclock/show.c"

static int fd;
static char path[32];

int
sched_yield(void)
{
	return 0;
}

void
cb_finish_output(void)
{
}

void
cb_fail_path(const char *name, int error)
{
	(void)name, (void)error;
	abort();
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	fd = memfd_create("fuzz", 0);
	if (fd == -1)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	output_open();
	return 0;
}

static bool
is_known(int error)
{
	return error == CB_VMCLOCK_ESHORT || error == CB_VMCLOCK_EMAGIC ||
	    error == CB_VMCLOCK_ESIZE || error == CB_VMCLOCK_EEMPTY ||
	    error == CB_VMCLOCK_EVERSION || error == CB_VMCLOCK_ETORN;
}

/* Does a say an earlier time than b, or the same with less of an error? */
static bool
is_before(const struct cb_vmclock_time *a, const struct cb_vmclock_time *b)
{
	return (a->sec < b->sec || (a->sec == b->sec &&
	    a->frac_sec <= b->frac_sec)) && a->maxerror_ns <= b->maxerror_ns;
}

static void
check_time(const struct cb_vmclock *v, uint64_t counter, uint64_t ticks)
{
	struct cb_vmclock_time t, later;

	if (cb_vmclock_time_at(v, counter, &t) != NULL)
		return;
	CHECK(t.scale <= CB_VMCLOCK_MONOTONIC);
	if (counter + ticks - v->counter_value < ticks ||
	    cb_vmclock_time_at(v, counter + ticks, &later) != NULL)
		return;
	CHECK(is_before(&t, &later));
}

/* What is no number is in quotes, and all that opens is closed. */
static void
check_json(const char *text)
{
	int depth = 0;

	for (; *text != '\0'; text++) {
		depth += *text == '{' || *text == '[';
		depth -= *text == '}' || *text == ']';
		if (*text == '"') {
			text = strchr(text + 1, '"');
			CHECK(text != NULL);
		}
		CHECK(depth > 0 || strcmp(text, "}\n") == 0 ||
		    strcmp(text, "\n") == 0);
	}
	CHECK(depth == 0);
}

static void
check_show(const struct cb_vmclock_abi *abi, uint64_t counter, bool json)
{
	struct view v = { .abi = *abi, .fields.counter = counter };
	const char *text;

	set_time(&v);
	output_begin();
	if (json)
		print_json(&v);
	else
		print_table(&v);
	text = output_end();
	output_check_printable(text);
	if (json)
		check_json(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = { data, size };
	uint64_t counter = (uint64_t)fuzz_number(&f), at, marker;
	uint64_t ticks = (uint64_t)fuzz_upto(&f, INT64_MAX);
	bool json = fuzz_byte(&f) & 1;
	struct cb_vmclock_file file;
	struct cb_vmclock_abi abi;
	struct cb_vmclock v;
	uint32_t seq;

	if (ftruncate(fd, 0) == -1 ||
	    pwrite(fd, f.at, f.left, 0) != (ssize_t)f.left)
		abort();
	if (!cb_vmclock_open(&file, path)) {
		CHECK(is_known(errno));
		return 0;
	}
	CHECK(f.left >= CB_VMCLOCK_MIN_SIZE && memcmp(f.at, "VCLK", 4) == 0);
	CHECK(cb_vmclock_is_current(&file, path));
	if (!cb_vmclock_read_abi(file.page, 0, &abi, &at))
		CHECK(errno == CB_VMCLOCK_ETORN);
	else {
		CHECK(cb_vmclock_read_marker(file.page, &seq, &marker));
		cb_vmclock_decode(&abi, &v);
		CHECK(v.disruption_marker == marker && v.seq_count % 2 == 0);
		check_time(&v, counter, ticks);
		check_show(&abi, counter, json);
	}
	cb_vmclock_close(&file);
	return 0;
}
