/* SPDX-License-Identifier: ISC */
/*
 * The library beside tests/vectors/vectors.txt: the segments, readings and
 * answers that its README describes.
 *
 * usage: vectors [FILE]
 */
#include <endian.h>
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clockbound.h"
#include "counter.h"
#include "segment.h"
#include "shm.h"
#include "test.h"
#include "ts.h"
#include "vmclock.h"

#define OK	CLOCKBOUND_ERR_NONE

struct vector {
	char name[100];
	uint8_t bytes[256];	/* the segment, as a file */
	size_t size;
	struct timespec real;
	struct timespec mono;
	uint64_t counter;
	bool has_vmclock;	/* or a path that is none, where it matters */
	bool has_marker;
	uint64_t marker;
	bool is_over;		/* of what is expected all is there: */
	clockbound_err_kind error;
	bool has_interval;
	struct timespec earliest;
	struct timespec latest;
	clockbound_clock_status status;
	bool fits;		/* each time is one that this machine has */
};

static const char *const errors[] = {
	"NONE", "SYSCALL", "SEGMENT_NOT_INITIALIZED", "SEGMENT_MALFORMED",
	"CAUSALITY_BREACH", "SEGMENT_VERSION_NOT_SUPPORTED"
};

static const char *const statuses[] = {
	"UNKNOWN", "SYNCHRONIZED", "FREE_RUNNING", "DISRUPTED"
};

/*
 * The file
 */

static int
find(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return (int)i;
	errx(1, "%s: unknown", name);
}

/* Each is a field, or zeros, in the order of a little-endian machine. */
static void
parse_group(struct vector *v, const char *hex)
{
	const uint16_t one = 1;
	bool is_little = *(const uint8_t *)&one == 1;
	size_t n = strlen(hex) / 2;

	if (v->size + n > sizeof(v->bytes))
		errx(1, "%s: too long", v->name);
	for (size_t i = 0; i < n; i++) {
		unsigned byte;

		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			errx(1, "%s: %s: not hexadecimal", v->name, hex);
		v->bytes[v->size + (is_little ? i : n - 1 - i)] =
		    (uint8_t)byte;
	}
	v->size += n;
}

static struct timespec
parse_time(struct vector *v, const char *text)
{
	struct timespec ts = { 0, 0 };
	int64_t s;

	if (sscanf(text, "%" SCNd64 " %ld", &s, &ts.tv_nsec) != 2)
		errx(1, "%s: %s: not a time", v->name, text);
	ts.tv_sec = (time_t)s;
	v->fits &= ts.tv_sec == s;
	return ts;
}

static void
parse_line(struct vector *v, char *line)
{
	char *text = line, *key = strsep(&text, " "), *hex;

	if (text == NULL)
		errx(1, "%s: %s: no value", v->name, line);
	if (strcmp(key, "case") == 0) {
		*v = (struct vector){ .fits = true };
		snprintf(v->name, sizeof(v->name), "%s", text);
	} else if (strcmp(key, "segment") == 0)
		while ((hex = strsep(&text, " ")) != NULL)
			parse_group(v, hex);
	else if (strcmp(key, "real") == 0)
		v->real = parse_time(v, text);
	else if (strcmp(key, "mono") == 0)
		v->mono = parse_time(v, text);
	else if (strcmp(key, "counter") == 0)
		v->counter = strtoull(text, NULL, 10);
	else if (strcmp(key, "vmclock") == 0) {
		v->has_vmclock = true;
		v->has_marker = strcmp(text, "none") != 0;
		v->marker = strtoull(text, NULL, 10);
	} else if (strcmp(key, "earliest") == 0) {
		v->has_interval = true;
		v->earliest = parse_time(v, text);
	} else if (strcmp(key, "latest") == 0)
		v->latest = parse_time(v, text);
	else if (strcmp(key, "status") == 0) {
		v->is_over = true;
		v->status = (clockbound_clock_status)find(statuses, 4, text);
	} else if (strcmp(key, "error") == 0) {
		v->is_over = true;
		v->error = (clockbound_err_kind)find(errors, 6, text);
	} else
		errx(1, "%s: %s: unknown", v->name, key);
}

/* The next case; false at the end of the file. */
static bool
read_vector(FILE *f, struct vector *v)
{
	char line[256];

	*v = (struct vector){ .is_over = false };
	while (!v->is_over) {
		if (fgets(line, sizeof(line), f) == NULL) {
			CHECK(v->name[0] == '\0' && !ferror(f));
			return false;
		}
		line[strcspn(line, "\n")] = '\0';
		if (line[0] != '\0' && line[0] != '#')
			parse_line(v, line);
	}
	return true;
}

/*
 * What the library makes of it
 */

/* That a segment is of no use does not depend on the clocks. */
static bool
is_of_no_use(const struct vector *v)
{
	return v->error != OK && v->error != CLOCKBOUND_ERR_CAUSALITY_BREACH;
}

static void
write_segment(const uint8_t *bytes, size_t size)
{
	int fd = open("segment", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
	    0644);

	CHECK(write(fd, bytes, size) == (ssize_t)size);
	CHECK(close(fd) == 0);
}

static bool
is_counted(const struct vector *v)
{
	struct cb_shm_header h;

	memcpy(&h, v->bytes, sizeof(h));
	return h.version >> 8 == 3;
}

/* Is all there that the header tells of?  Else it is so in a file alone. */
static bool
is_whole(const struct vector *v)
{
	struct cb_shm_header h;

	memcpy(&h, v->bytes, sizeof(h));
	return h.segsize <= v->size;
}

static bool
lacks_counter(const struct vector *v)
{
	return is_counted(v) && CB_COUNTER_ID == CB_COUNTER_INVALID;
}

/* By arithmetic alone, which needs no counter. */
static clockbound_err_kind
answer_at(const struct vector *v, clockbound_now_result *now)
{
	clockbound_reading reading = { v->real, v->mono, v->counter };
	clockbound_segment segment = { .bytes = { 0 } };

	if (!CHECK(v->size <= sizeof(segment)))
		return CLOCKBOUND_ERR_SYSCALL;
	memcpy(&segment, v->bytes, v->size);
	return clockbound_at(&segment, &reading, now);
}

/* As old as it is in the vector, but now. */
static void
move_to_now(const struct vector *v, uint8_t *body)
{
	struct cb_shm_v2 v2;
	struct cb_shm_v3 v3;
	int64_t as_of;

	if (is_counted(v)) {
		memcpy(&v3, body, sizeof(v3));
		v3.as_of_tsc += cb_counter_read() - v->counter;
		memcpy(body, &v3, sizeof(v3));
		return;
	}
	memcpy(&v2, body, sizeof(v2));
	as_of = mono_now() - cb_ts_ns(&v->mono) + v2.as_of_s * CB_NS_PER_S +
	    v2.as_of_ns;
	v2.void_after_s += cb_ts_floor_s(as_of) - v2.as_of_s;
	v2.as_of_s = cb_ts_floor_s(as_of);
	v2.as_of_ns = as_of - v2.as_of_s * CB_NS_PER_S;
	memcpy(body, &v2, sizeof(v2));
}

static void
make_vmclock(const struct vector *v)
{
	struct cb_vmclock_abi abi = {
		.magic = htole32(CB_VMCLOCK_MAGIC),
		.size = htole32(sizeof(abi)),
		.version = htole16(1),
		.disruption_marker = htole64(v->marker)
	};

	unlink("vmclock");
	if (v->has_marker)
		CHECK(cb_vmclock_create("vmclock", &abi));
}

/* From a file, and beside a VMClock. */
static clockbound_err_kind
answer_now(const struct vector *v, clockbound_now_result *now)
{
	const clockbound_err *failed;
	clockbound_err error;
	clockbound_ctx *ctx;
	uint8_t bytes[sizeof(v->bytes)];

	memcpy(bytes, v->bytes, v->size);
	if (v->has_vmclock)
		move_to_now(v, bytes + sizeof(struct cb_shm_header));
	write_segment(bytes, v->size);
	make_vmclock(v);
	ctx = clockbound_vmclock_open("segment", "vmclock", &error);
	if (ctx == NULL)
		return error.kind;
	failed = clockbound_now(ctx, now);
	error.kind = failed == NULL ? OK : failed->kind;
	clockbound_close(ctx);
	return error.kind;
}

/* A file that there is nothing wrong with, whatever the clocks say. */
static bool
can_be_opened(const struct vector *v)
{
	clockbound_ctx *ctx;
	bool opened;

	write_segment(v->bytes, v->size);
	ctx = clockbound_open("segment", NULL);
	opened = ctx != NULL;
	clockbound_close(ctx);
	return opened;
}

/* From one to a later other, where it is not much. */
static int64_t
between(const struct timespec *from, const struct timespec *to)
{
	int64_t s = (int64_t)to->tv_sec - from->tv_sec;

	return s > 1 || s < -1 ? INT64_MAX : s * CB_NS_PER_S + to->tv_nsec -
	    from->tv_nsec;
}

/*
 * Exact by CLOCK_REALTIME.  The projection of the counter may be wider, by
 * little, and narrower by nothing.
 */
static void
check_interval(const struct vector *v, const clockbound_now_result *now)
{
	int64_t most = is_counted(v) ?
	    3 + ((int64_t)v->latest.tv_sec - v->earliest.tv_sec) / 64 : 0;
	int64_t early = between(&now->earliest, &v->earliest);
	int64_t late = between(&v->latest, &now->latest);

	CHECK(early >= 0 && early <= most);
	CHECK(late >= 0 && late <= most);
	CHECK(now->earliest.tv_nsec >= 0 && now->earliest.tv_nsec <
	    CB_NS_PER_S);
	CHECK(now->latest.tv_nsec >= 0 && now->latest.tv_nsec < CB_NS_PER_S);
}

static void
check_answer(const struct vector *v, clockbound_err_kind kind,
    const clockbound_now_result *now)
{
	if (!CHECK_EQ(kind, v->error) || kind != OK)
		return;
	CHECK_EQ(now->clock_status, v->status);
	/* Beside a VMClock the time is another. */
	if (v->has_interval && !v->has_vmclock)
		check_interval(v, now);
}

static void
check_vector(const struct vector *v)
{
	clockbound_now_result now = { .clock_status =
		(clockbound_clock_status)99 };

	if (!v->has_vmclock && is_whole(v))
		check_answer(v, answer_at(v, &now), &now);
	if (lacks_counter(v))
		return;
	if (v->has_vmclock || is_of_no_use(v))
		check_answer(v, answer_now(v, &now), &now);
	else
		CHECK(can_be_opened(v));
}

/* What this machine cannot be asked. */
static bool
is_beyond(const struct vector *v)
{
	if (!v->fits)
		return true;
	return lacks_counter(v) && (v->has_vmclock || !is_whole(v));
}

int
main(int argc, char *argv[])
{
	const char *path = argc > 1 ? argv[1] : "tests/vectors/vectors.txt";
	char dir[] = "/tmp/cb-vectors.XXXXXX";
	FILE *f = fopen(path, "r");
	unsigned tried = 0, beyond = 0;
	struct vector v;

	if (f == NULL)
		err(1, "%s", path);
	if (mkdtemp(dir) == NULL || chdir(dir) == -1)
		err(1, "%s", dir);
	while (read_vector(f, &v)) {
		test_row = v.name;
		if (is_beyond(&v)) {
			beyond++;
			continue;
		}
		check_vector(&v);
		tried++;
	}
	test_row = "";
	fclose(f);
	printf("%u cases tried, %u beyond this machine\n", tried, beyond);
	CHECK(tried > 0);
	unlink("segment");
	unlink("vmclock");
	CHECK(rmdir(dir) == 0);
	return test_done();
}
