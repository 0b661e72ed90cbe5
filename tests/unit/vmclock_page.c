/* SPDX-License-Identifier: ISC */
/*
 * Snapshots of a VMClock: each field from its bytes, whole or not at all, and
 * no wait without an end; and the writer of simulated ones.
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "counter.h"
#include "held.h"
#include "test.h"
#include "system.h"
#include "ts.h"
#include "vmclock.h"

#define WRITES_SEEN	1000
#define DEADLINE_NS	(30 * CB_NS_PER_S)

static int64_t
mono_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return cb_ts_ns(&ts);
}

static struct cb_vmclock_abi
empty(uint32_t size)
{
	return (struct cb_vmclock_abi){
		.magic = htole32(CB_VMCLOCK_MAGIC),
		.size = htole32(size),
		.version = htole16(1)
	};
}

/* Each byte is its offset, but for the size and the sign of tai_offset_sec. */
static void
each_field_is_decoded_from_its_bytes(void)
{
	struct cb_vmclock_abi abi;
	struct cb_vmclock v;
	uint8_t bytes[sizeof(abi)];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	bytes[4] = 112;
	bytes[5] = bytes[6] = bytes[7] = 0;
	bytes[0x24] = 0xfe;
	bytes[0x25] = 0xff;
	memcpy(&abi, bytes, sizeof(abi));
	cb_vmclock_decode(&abi, &v);
	CHECK_EQ(v.size, 112);
	CHECK_EQ(v.counter_id, 0x0a);
	CHECK_EQ(v.time_type, 0x0b);
	CHECK_EQ(v.seq_count, 0x0f0e0d0c);
	CHECK_EQ(v.disruption_marker, 0x1716151413121110);
	CHECK_EQ(v.flags, 0x1f1e1d1c1b1a1918);
	CHECK_EQ(v.clock_status, 0x22);
	CHECK_EQ(v.leap_second_smearing_hint, 0x23);
	CHECK_EQ(v.tai_offset_sec, -2);
	CHECK_EQ(v.leap_indicator, 0x26);
	CHECK_EQ(v.counter_period_shift, 0x27);
	CHECK_EQ(v.counter_value, 0x2f2e2d2c2b2a2928);
	CHECK_EQ(v.counter_period_frac_sec, 0x3736353433323130);
	CHECK_EQ(v.counter_period_esterror_rate_frac_sec,
	    0x3f3e3d3c3b3a3938);
	CHECK_EQ(v.counter_period_maxerror_rate_frac_sec,
	    0x4746454443424140);
	CHECK_EQ(v.time_sec, 0x4f4e4d4c4b4a4948);
	CHECK_EQ(v.time_frac_sec, 0x5756555453525150);
	CHECK_EQ(v.time_esterror_nanosec, 0x5f5e5d5c5b5a5958);
	CHECK_EQ(v.time_maxerror_nanosec, 0x6766656463626160);
	/* Bit 8 of the flags is 0x19's: set. */
	CHECK(v.has_generation);
	CHECK_EQ(v.vm_generation_counter, 0x6f6e6d6c6b6a6968);
}

static void
what_the_device_does_not_have_is_absent(void)
{
	static const struct {
		uint32_t size;
		uint64_t flags;
		bool has_generation;
	} rows[] = {
		{ 104, CB_VMCLOCK_VM_GEN_COUNTER_PRESENT, false },
		{ 111, CB_VMCLOCK_VM_GEN_COUNTER_PRESENT, false },
		{ 112, CB_VMCLOCK_VM_GEN_COUNTER_PRESENT, true },
		{ 112, ~CB_VMCLOCK_VM_GEN_COUNTER_PRESENT, false },
		{ 4096, CB_VMCLOCK_VM_GEN_COUNTER_PRESENT, true },
		{ 4096, 0, false },
		{ UINT32_MAX, CB_VMCLOCK_VM_GEN_COUNTER_PRESENT, true }
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cb_vmclock_file f;
		struct cb_vmclock_abi abi = empty(rows[i].size), copy;
		struct cb_vmclock v = { 0 };
		uint64_t counter;
		char name[32];
		int fd;

		snprintf(name, sizeof(name), "size %u, flags %llx",
		    (unsigned)rows[i].size, (unsigned long long)rows[i].flags);
		test_row = name;
		abi.flags = htole64(rows[i].flags);
		abi.time_maxerror_nanosec = htole64(5);
		abi.vm_generation_counter = htole64(UINT64_MAX);
		/* Beyond the device there may be anything. */
		fd = open("vmclock", O_WRONLY | O_CREAT, 0644);
		CHECK(write(fd, &abi, sizeof(abi)) == sizeof(abi));
		close(fd);
		if (!CHECK(cb_vmclock_open(&f, "vmclock")))
			continue;
		CHECK(cb_vmclock_read(f.page, 0, &v));
		CHECK_EQ(v.has_generation, rows[i].has_generation);
		CHECK(v.vm_generation_counter == (rows[i].has_generation ?
		    UINT64_MAX : 0));
		CHECK_EQ(v.time_maxerror_nanosec, 5);
		CHECK(cb_vmclock_read_abi(f.page, 0, &copy, &counter));
		CHECK(copy.vm_generation_counter == (rows[i].size < 112 ? 0 :
		    UINT64_MAX));
		cb_vmclock_close(&f);
	}
	test_row = "";
	unlink("vmclock");
}

/* A valid device, open both ways. */
struct pair {
	struct cb_vmclock_writer w;
	struct cb_vmclock_file f;
};

static bool
open_pair(struct pair *p)
{
	struct cb_vmclock_abi abi = empty(112);

	if (!CHECK(cb_vmclock_create("vmclock", &abi)) ||
	    !CHECK(cb_vmclock_write_open(&p->w, "vmclock")))
		return false;
	return CHECK(cb_vmclock_open(&p->f, "vmclock"));
}

static void
close_pair(struct pair *p)
{
	cb_vmclock_write_close(&p->w);
	cb_vmclock_close(&p->f);
	unlink("vmclock");
}

static void
no_wait_is_without_end(void)
{
	static const struct {
		int64_t wait_ns, least_ns;
	} rows[] = {
		{ -1, 0 }, { 0, 0 }, { 20000000, 20000000 },
		{ INT64_MAX, CB_VMCLOCK_WAIT_NS }
	};
	struct cb_vmclock_abi abi = empty(112);
	struct cb_vmclock v;
	uint64_t marker;
	struct pair p;
	uint32_t seq;

	if (!open_pair(&p))
		return;
	abi.seq_count = htole32(7);
	CHECK(cb_vmclock_write(&p.w, &abi, true));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t start = mono_now(), took;

		errno = 0;
		CHECK(!cb_vmclock_read(p.f.page, rows[i].wait_ns, &v));
		CHECK_EQ(errno, CB_VMCLOCK_ETORN);
		took = mono_now() - start;
		CHECK(took >= rows[i].least_ns);
		/* With room for a machine that is busy. */
		CHECK(took < rows[i].least_ns + CB_NS_PER_S);
	}
	CHECK(!cb_vmclock_read_marker(p.f.page, &seq, &marker));
	/* The next write ends it. */
	CHECK(cb_vmclock_write(&p.w, &abi, false));
	CHECK(cb_vmclock_read(p.f.page, 0, &v));
	CHECK_EQ(v.seq_count, 8);
	close_pair(&p);
}

static void
what_is_a_vmclock_no_more_is_not_read(void)
{
	struct cb_vmclock_abi abi = empty(112);
	struct cb_vmclock v;
	uint64_t marker;
	struct pair p;
	uint32_t seq;

	if (!open_pair(&p))
		return;
	CHECK(cb_vmclock_read_marker(p.f.page, &seq, &marker));
	abi.version = htole16(2);
	CHECK(cb_vmclock_write(&p.w, &abi, false));
	CHECK(!cb_vmclock_read(p.f.page, 0, &v));
	CHECK_EQ(errno, CB_VMCLOCK_EVERSION);
	CHECK(!cb_vmclock_read_marker(p.f.page, &seq, &marker));
	/* A file that was cut short reads as zeros. */
	CHECK(truncate("vmclock", 3) == 0);
	CHECK(!cb_vmclock_read(p.f.page, 0, &v));
	CHECK_EQ(errno, CB_VMCLOCK_EMAGIC);
	CHECK(!cb_vmclock_read_marker(p.f.page, &seq, &marker));
	close_pair(&p);
}

static void
counter_is_read_with_the_rest(void)
{
	uint64_t before = cb_counter_read(), after;
	struct cb_vmclock v = { 0 };
	struct pair p;

	if (!open_pair(&p))
		return;
	CHECK(cb_vmclock_read(p.f.page, 0, &v));
	after = cb_counter_read();
	CHECK(before <= v.counter && v.counter <= after);
	CHECK(CB_COUNTER_ID == CB_COUNTER_INVALID || after > before);
	close_pair(&p);
}

static void
seq_count_goes_on_and_wraps(void)
{
	static const struct {
		uint32_t from, to;
	} rows[] = {
		{ 0, 2 }, { 1, 2 }, { 2, 4 }, { UINT32_MAX - 1, 0 },
		{ UINT32_MAX, 0 }
	};
	struct cb_vmclock_abi abi = empty(112), now;
	struct pair p;

	if (!open_pair(&p))
		return;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		abi.seq_count = htole32(rows[i].from);
		CHECK(cb_vmclock_write(&p.w, &abi, true));
		cb_vmclock_write_peek(&p.w, &now);
		CHECK_EQ(le32toh(now.seq_count), rows[i].from);
		CHECK(cb_vmclock_write(&p.w, &abi, false));
		cb_vmclock_write_peek(&p.w, &now);
		CHECK_EQ(le32toh(now.seq_count), rows[i].to);
	}
	close_pair(&p);
}

/* All fields that a torn copy would show. */
static struct cb_vmclock_abi
filled(uint64_t n)
{
	struct cb_vmclock_abi abi = empty(112);

	abi.disruption_marker = htole64(n);
	abi.flags = htole64(n | CB_VMCLOCK_VM_GEN_COUNTER_PRESENT);
	abi.counter_value = htole64(n);
	abi.time_sec = htole64(n);
	abi.time_maxerror_nanosec = htole64(n);
	abi.vm_generation_counter = htole64(n);
	return abi;
}

static bool
is_whole(const struct cb_vmclock *v)
{
	uint64_t n = v->disruption_marker;

	return v->counter_value == n && v->time_sec == n && v->flags ==
	    (n | CB_VMCLOCK_VM_GEN_COUNTER_PRESENT) &&
	    v->time_maxerror_nanosec == n && v->vm_generation_counter == n;
}

static void
no_torn_copy_is_ever_accepted(void)
{
	int64_t end = mono_now() + DEADLINE_NS;
	unsigned torn = 0, seen = 0;
	uint64_t marker, last = 0;
	struct cb_vmclock v;
	struct pair p;
	uint32_t seq;
	int status;
	pid_t pid;

	if (!open_pair(&p))
		return;
	pid = fork();
	if (pid == 0) {
		signal(SIGALRM, SIG_DFL);
		alarm(60);
		for (uint64_t n = 1;; n++) {
			struct cb_vmclock_abi abi = filled(n << 32 | n);

			cb_vmclock_write(&p.w, &abi, false);
			/* Where there is one CPU, readers have a turn too. */
			if (n % 16 == 0)
				sched_yield();
		}
	}
	while (seen < WRITES_SEEN && mono_now() < end) {
		if (cb_vmclock_read_marker(p.f.page, &seq, &marker))
			torn += marker >> 32 != (marker & UINT32_MAX);
		if (!cb_vmclock_read(p.f.page, CB_VMCLOCK_WAIT_NS, &v) ||
		    v.disruption_marker == 0)
			continue;
		torn += !is_whole(&v);
		seen += v.disruption_marker != last;
		last = v.disruption_marker;
	}
	CHECK_EQ(torn, 0);
	CHECK_EQ(seen, WRITES_SEEN);
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	    WTERMSIG(status) == SIGKILL);
	close_pair(&p);
}

static void
a_device_grows_and_never_shrinks(void)
{
	static const struct {
		uint32_t size;
		off_t length;
	} rows[] = {
		{ 104, 104 }, { 112, 112 }, { 104, 112 }, { 4096, 4096 },
		{ 112, 4096 }, { UINT32_MAX, 4096 }
	};
	struct cb_vmclock_abi abi = empty(104), now;
	struct cb_vmclock_writer w;
	struct stat st;

	CHECK(cb_vmclock_create("vmclock", &abi));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!CHECK(cb_vmclock_write_open(&w, "vmclock")))
			return;
		abi.size = htole32(rows[i].size);
		abi.vm_generation_counter = htole64(i);
		CHECK(cb_vmclock_write(&w, &abi, false));
		CHECK(stat("vmclock", &st) == 0);
		CHECK_EQ(st.st_size, rows[i].length);
		cb_vmclock_write_peek(&w, &now);
		CHECK(now.size == abi.size);
		cb_vmclock_write_close(&w);
	}
	unlink("vmclock");
}

static void
what_is_no_simulated_device_is_not_written(void)
{
	struct cb_vmclock_abi abi = empty(112);
	struct cb_vmclock_writer w;
	char text[200] = "not a VMClock";
	int fd;

	fd = open("text", O_WRONLY | O_CREAT, 0644);
	CHECK(write(fd, text, sizeof(text)) == sizeof(text));
	close(fd);
	CHECK(mkdir("dir", 0755) == 0 && mkfifo("fifo", 0644) == 0 &&
	    symlink("none", "link") == 0);
	CHECK(!cb_vmclock_write_open(&w, "text") &&
	    errno == CB_VMCLOCK_EMAGIC);
	CHECK(!cb_vmclock_create("text", &abi) &&
	    errno == CB_VMCLOCK_EMAGIC);
	CHECK(!cb_vmclock_write_open(&w, "dir") &&
	    errno == CB_VMCLOCK_EREGULAR);
	CHECK(!cb_vmclock_create("dir", &abi) &&
	    errno == CB_VMCLOCK_EREGULAR);
	CHECK(!cb_vmclock_write_open(&w, "fifo") &&
	    errno == CB_VMCLOCK_EREGULAR);
	CHECK(!cb_vmclock_create("fifo", &abi) &&
	    errno == CB_VMCLOCK_EREGULAR);
	CHECK(!cb_vmclock_write_open(&w, "/dev/null") &&
	    errno == CB_VMCLOCK_EREGULAR);
	CHECK(!cb_vmclock_create("/dev/null", &abi) &&
	    errno == CB_VMCLOCK_EREGULAR);
	CHECK(!cb_vmclock_create("link", &abi) &&
	    errno == CB_VMCLOCK_EREGULAR);
	CHECK(!cb_vmclock_write_open(&w, "none") && errno == ENOENT);
	CHECK(!cb_vmclock_create("none/vmclock", &abi) && errno == ENOENT);
	CHECK(w.fd == -1 && w.page == NULL);
	/* What was made for nothing is gone again: rmdir(2) says so. */
	unlink("text");
	unlink("fifo");
	unlink("link");
	rmdir("dir");
}

/* None that is no VMClock is left mapped. */
static void
what_is_wrong_with_a_vmclock_is_told_in_words(void)
{
	static const struct {
		size_t length;
		uint32_t magic, size;
		uint16_t version;
		int error;
		const char *words;
	} rows[] = {
		{ 103, CB_VMCLOCK_MAGIC, 112, 1, CB_VMCLOCK_ESHORT,
		    "too short" },
		{ 111, CB_VMCLOCK_MAGIC, 112, 1, CB_VMCLOCK_ESHORT,
		    "too short" },
		{ 112, CB_VMCLOCK_MAGIC + 1, 112, 1, CB_VMCLOCK_EMAGIC,
		    "does not begin with VCLK" },
		{ 112, CB_VMCLOCK_MAGIC, 103, 1, CB_VMCLOCK_ESIZE,
		    "less than 104" },
		{ 112, CB_VMCLOCK_MAGIC, 112, 0, CB_VMCLOCK_EEMPTY,
		    "its version is 0" },
		{ 112, CB_VMCLOCK_MAGIC, 112, 2, CB_VMCLOCK_EVERSION,
		    "another version" }
	};
	int maps = mappings("vmclock");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cb_vmclock_abi abi = empty(rows[i].size);
		struct cb_vmclock_file f;
		int fd = open("vmclock", O_WRONLY | O_CREAT | O_TRUNC, 0644);

		test_row = rows[i].words;
		abi.magic = htole32(rows[i].magic);
		abi.version = htole16(rows[i].version);
		CHECK(write(fd, &abi, rows[i].length) ==
		    (ssize_t)rows[i].length);
		close(fd);
		CHECK(!cb_vmclock_open(&f, "vmclock"));
		CHECK_EQ(errno, rows[i].error);
		CHECK(f.page == NULL);
		CHECK(strstr(cb_vmclock_strerror(rows[i].error),
		    rows[i].words) != NULL);
		CHECK_EQ(mappings("vmclock"), maps);
	}
	test_row = "";
	unlink("vmclock");
	CHECK(strstr(cb_vmclock_strerror(CB_VMCLOCK_EREGULAR),
	    "only simulated") != NULL);
	CHECK(strstr(cb_vmclock_strerror(CB_VMCLOCK_ETORN), "100 ms") !=
	    NULL);
	CHECK(strcmp(cb_vmclock_strerror(ENOENT), strerror(ENOENT)) == 0);
}

static void
what_is_in_the_way_of_a_new_device(void)
{
	struct cb_vmclock_abi abi = empty(112), now;
	struct cb_vmclock_writer w;
	char path[PATH_MAX];
	struct stat st;
	int fd = open("vmclock", O_WRONLY | O_CREAT, 0644);

	/* An empty file is nobody's; a short one may be somebody's. */
	CHECK(cb_vmclock_create("vmclock", &abi));
	CHECK(write(fd, "x", 1) == 1);
	close(fd);
	CHECK(truncate("vmclock", 103) == 0);
	CHECK(!cb_vmclock_create("vmclock", &abi));
	CHECK_EQ(errno, CB_VMCLOCK_ESHORT);
	CHECK(!cb_vmclock_write_open(&w, "vmclock"));
	CHECK_EQ(errno, CB_VMCLOCK_ESHORT);
	CHECK(!cb_vmclock_create("vmclock/vmclock", &abi));
	CHECK_EQ(errno, ENOTDIR);
	unlink("vmclock");
	/* A path that fits, and by its side none that does. */
	for (size_t i = 0; i < sizeof(path) - 1; i++)
		path[i] = "./"[i % 2];
	memcpy(path + sizeof(path) - 4, "/vm", 4);
	CHECK(!cb_vmclock_create(path, &abi));
	CHECK_EQ(errno, ENAMETOOLONG);
	/* Whatever it says of its size, there is room for all its fields. */
	abi = empty(8);
	CHECK(cb_vmclock_create("vmclock", &abi));
	CHECK(stat("vmclock", &st) == 0);
	CHECK_EQ(st.st_size, sizeof(abi));
	if (CHECK(cb_vmclock_write_open(&w, "vmclock"))) {
		cb_vmclock_write_peek(&w, &now);
		CHECK(now.size == abi.size);
		cb_vmclock_write_close(&w);
	}
	unlink("vmclock");
}

static void
a_new_file_leaves_the_old_to_its_readers(void)
{
	struct cb_vmclock_abi abi = filled(7);
	struct cb_vmclock v;
	struct pair p;

	if (!open_pair(&p))
		return;
	CHECK(cb_vmclock_create("vmclock", &abi));
	CHECK(cb_vmclock_read(p.f.page, 0, &v));
	CHECK_EQ(v.disruption_marker, 0);
	CHECK(cb_vmclock_follow(&p.f, "vmclock") &&
	    cb_vmclock_read(p.f.page, 0, &v));
	CHECK_EQ(v.disruption_marker, 7);
	close_pair(&p);
}

int
main(void)
{
	char dir[] = "/tmp/cb-vmclock-page.XXXXXX";

	signal(SIGALRM, SIG_DFL);
	alarm(120);
	if (!CHECK(mkdtemp(dir) != NULL) || !CHECK(chdir(dir) == 0))
		return test_done();
	each_field_is_decoded_from_its_bytes();
	what_the_device_does_not_have_is_absent();
	no_wait_is_without_end();
	what_is_a_vmclock_no_more_is_not_read();
	counter_is_read_with_the_rest();
	seq_count_goes_on_and_wraps();
	no_torn_copy_is_ever_accepted();
	a_device_grows_and_never_shrinks();
	what_is_no_simulated_device_is_not_written();
	what_is_wrong_with_a_vmclock_is_told_in_words();
	what_is_in_the_way_of_a_new_device();
	a_new_file_leaves_the_old_to_its_readers();
	CHECK(rmdir(dir) == 0);
	return test_done();
}
