/* SPDX-License-Identifier: ISC */
/*
 * Version 1: what of version 2 is in it, the file that it is written to, and
 * what becomes of one that nobody writes any more.
 */
#include <sys/stat.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cb-daemon.h"
#include "segment.h"
#include "shm.h"
#include "test.h"

#define U	CLOCKBOUND_STA_UNKNOWN
#define SYNC	CLOCKBOUND_STA_SYNCHRONIZED
#define FREE	CLOCKBOUND_STA_FREE_RUNNING
#define DIS	CLOCKBOUND_STA_DISRUPTED

static void
numbers_are_those_of_version_2(void)
{
	static const struct {
		const char *name;
		clockbound_clock_status status, told;
		bool watches;
		int64_t lasts_s;
	} rows[] = {
		{ "synchronized", SYNC, SYNC, false, 1000 },
		{ "free running", FREE, FREE, false, 1000 },
		{ "unknown", U, U, false, 1000 },
		{ "a VMClock, synchronized", SYNC, SYNC, true, 5 },
		{ "a VMClock, free running", FREE, FREE, true, 5 },
		{ "a VMClock, unknown", U, U, true, 5 },
		{ "disrupted", DIS, U, true, 5 }
	};
	const struct cb_bound b = {
		.as_of = 1700 * CB_NS_PER_S + 123456789,
		.bound_ns = 45678,
		.drift_ppb = 50123
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cb_shm_v1 v1;
		struct cb_shm_v2 v2;

		test_row = rows[i].name;
		memset(&v1, 0x55, sizeof(v1));
		cb_publish_v2(&b, rows[i].status, rows[i].watches, 7, &v2);
		cb_publish_v1(&v2, &v1);
		CHECK_EQ(v1.as_of_s, 1700);
		CHECK_EQ(v1.as_of_ns, 123456789);
		CHECK_EQ(v1.void_after_s, 1700 + rows[i].lasts_s);
		CHECK_EQ(v1.void_after_ns, 0);
		CHECK_EQ(v1.bound_ns, 45678);
		CHECK_EQ(v1.max_drift_ppb, 50123);
		CHECK_EQ(v1.clock_status, rows[i].told);
		CHECK_EQ(v1.reserved, 0);
		CHECK_EQ(v1.zero, 0);
	}
	test_row = "";
}

static size_t
read_bytes(const char *path, uint8_t *bytes, size_t size)
{
	FILE *f = fopen(path, "r");
	size_t n;

	if (!CHECK(f != NULL))
		/* cppcheck-suppress resourceLeak ; where CHECK() fails it is NULL */
		return 0;
	n = fread(bytes, 1, size, f);
	fclose(f);
	return n;
}

static bool
open_writer(struct cb_shm_writer *w, bool wants_v1)
{
	const char *what;
	pid_t holder;

	if (!CHECK(cb_shm_write_open(w, ".", &what, &holder)))
		return false;
	if (wants_v1)
		return CHECK(cb_shm_write_open_v1(w, &what));
	cb_shm_write_end_v1(w);
	return true;
}

static ino_t
inode_of(const char *path)
{
	struct stat st;

	return CHECK(lstat(path, &st) == 0) ? st.st_ino : 0;
}

static void
segment_is_version_1_byte_for_byte(void)
{
	static const uint8_t golden[72] = {
		0x4E, 0x5A, 0x4D, 0x41, 0x00, 0x02, 0x42, 0x43,	/* magic */
		0x48, 0x00, 0x00, 0x00,			/*  8 segsize */
		0x01, 0x00,				/* 12 version */
		0x04, 0x00,				/* 14 generation */
		0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11,
		0x28, 0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21,
		0x38, 0x37, 0x36, 0x35, 0x34, 0x33, 0x32, 0x31,
		0x48, 0x47, 0x46, 0x45, 0x44, 0x43, 0x42, 0x41,
		0x58, 0x57, 0x56, 0x55, 0x54, 0x53, 0x52, 0x51,
		0x64, 0x63, 0x62, 0x61,			/* 56 max_drift */
		0x00, 0x00, 0x00, 0x00,
		0x02, 0x00, 0x00, 0x00,			/* 64 free running */
		0x00, 0x00, 0x00, 0x00
	};
	const struct cb_shm_v1 v1 = {
		.as_of_s = 0x1112131415161718,
		.as_of_ns = 0x2122232425262728,
		.void_after_s = 0x3132333435363738,
		.void_after_ns = 0x4142434445464748,
		.bound_ns = 0x5152535455565758,
		.max_drift_ppb = 0x61626364,
		.clock_status = FREE
	};
	const uint16_t one = 1;
	uint8_t bytes[sizeof(golden) + 1];
	struct cb_shm_writer w;

	if (*(const uint8_t *)&one != 1) {
		test_skip("bytes are typed out for little-endian machines");
		return;
	}
	if (!open_writer(&w, true))
		return;
	cb_shm_write_v1(&w, &v1);
	CHECK_EQ(read_bytes("shm", bytes, sizeof(bytes)), sizeof(golden));
	for (size_t i = 0; i < sizeof(golden); i++)
		if (!CHECK_EQ(bytes[i], golden[i]))
			fprintf(stderr, "at offset %zu\n", i);
	cb_shm_write_close(&w);
	CHECK(unlink("shm") == 0);
}

static clockbound_clock_status
status_of(struct cb_shm_reader *r)
{
	return CHECK_EQ(cb_shm_read(r), CLOCKBOUND_ERR_NONE) ?
	    r->bound.status : DIS;
}

/* A reader sees it through, mapped once, from the first daemon to the last. */
static void
file_is_written_on_until_nobody_asks_for_it(void)
{
	const struct cb_shm_v1 v1 = { .bound_ns = 5, .clock_status = SYNC };
	uint8_t before[72], after[72];
	struct cb_shm_writer w;
	struct cb_shm_reader r;
	clockbound_err err;
	ino_t inode;

	if (!open_writer(&w, true) ||
	    !CHECK(cb_shm_read_open(&r, "shm", &err)))
		return;
	inode = inode_of("shm");
	CHECK_EQ(status_of(&r), U);
	CHECK(!r.bound.is_counted && !r.bound.disruption_support);
	cb_shm_write_v1(&w, &v1);
	CHECK_EQ(status_of(&r), SYNC);
	CHECK_EQ(r.bound.bound_ns, 5);
	cb_shm_write_close(&w);

	/* As it was left, until there is something to say. */
	read_bytes("shm", before, sizeof(before));
	if (!open_writer(&w, true))
		return;
	read_bytes("shm", after, sizeof(after));
	CHECK(memcmp(before, after, sizeof(after)) == 0);
	CHECK_EQ(inode_of("shm"), inode);
	cb_shm_write_v1(&w, &v1);
	CHECK_EQ(status_of(&r), SYNC);
	CHECK(cb_shm_write_is_there(&w, "."));
	cb_shm_write_close(&w);

	if (!open_writer(&w, false))
		return;
	CHECK_EQ(status_of(&r), U);
	CHECK_EQ(r.bound.bound_ns, CB_SHM_UNKNOWN_BOUND_NS);
	CHECK_EQ(inode_of("shm"), inode);
	CHECK(w.v1.segment == NULL);
	/* It is ours no more. */
	cb_shm_write_v1(&w, &v1);
	CHECK_EQ(status_of(&r), U);
	CHECK(unlink("shm") == 0);
	CHECK(cb_shm_write_is_there(&w, "."));
	cb_shm_write_close(&w);
	cb_shm_read_close(&r);
}

static void
without_it_there_is_no_such_file(void)
{
	struct cb_shm_writer w;
	const char *what = "";
	uint8_t bytes[5];
	FILE *f;

	if (!open_writer(&w, false))
		return;
	CHECK(access("shm", F_OK) == -1);
	cb_shm_write_close(&w);

	/* What is no segment of ours is not touched, and replaced if asked. */
	f = fopen("shm", "w");
	if (!CHECK(f != NULL))
		/* cppcheck-suppress resourceLeak ; where CHECK() fails it is NULL */
		return;
	fputs("mine", f);
	fclose(f);
	if (!open_writer(&w, false))
		return;
	CHECK_EQ(read_bytes("shm", bytes, sizeof(bytes)), 4);
	CHECK(memcmp(bytes, "mine", 4) == 0);
	CHECK(cb_shm_write_open_v1(&w, &what));
	CHECK(cb_shm_write_is_there(&w, "."));
	CHECK(unlink("shm") == 0);
	CHECK(!cb_shm_write_is_there(&w, "."));
	cb_shm_write_close(&w);
	CHECK(mkdir("shm", 0755) == 0);
	if (!open_writer(&w, false))
		return;
	CHECK(!cb_shm_write_open_v1(&w, &what));
	CHECK(strcmp(what, "create shm") == 0);
	cb_shm_write_close(&w);
	CHECK(rmdir("shm") == 0);
}

int
main(void)
{
	char dir[] = "/tmp/cb-shm-v1.XXXXXX";

	if (mkdtemp(dir) == NULL || chdir(dir) == -1) {
		perror(dir);
		return 1;
	}
	numbers_are_those_of_version_2();
	segment_is_version_1_byte_for_byte();
	file_is_written_on_until_nobody_asks_for_it();
	without_it_there_is_no_such_file();
	unlink("shm0");
	unlink("shm1");
	unlink("lock");
	CHECK(rmdir(dir) == 0);
	return test_done();
}
