/* SPDX-License-Identifier: ISC */
/*
 * The reader beside a VMClock: a disruption that is visible is never followed
 * by a trusted reading, until the daemon has handled it.
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clockbound.h"
#include "segment.h"
#include "system.h"
#include "test.h"
#include "vmclock.h"

#define DISRUPTIONS	2000
#define DEADLINE_NS	(30 * CB_NS_PER_S)

/* The device's bytes, as its interface has them. */
static void
write_file(const char *path, uint32_t magic, uint32_t size, uint16_t version,
    size_t length)
{
	uint8_t bytes[4096] = { 0 };
	uint64_t marker = htole64(7);
	int fd;

	magic = htole32(magic);
	size = htole32(size);
	version = htole16(version);
	memcpy(bytes, &magic, 4);
	memcpy(bytes + 4, &size, 4);
	memcpy(bytes + 8, &version, 2);
	memcpy(bytes + 16, &marker, 8);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	CHECK(write(fd, bytes, length) == (ssize_t)length);
	close(fd);
}

static struct cb_vmclock_page *
map_file(const char *path)
{
	int fd = open(path, O_RDWR);
	void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
	    0);

	close(fd);
	return CHECK(map != MAP_FAILED) ? map : NULL;
}

/* What a hypervisor does, by the rule of all writers. */
static void
begin_write(struct cb_vmclock_page *page)
{
	atomic_store(&page->seq_count,
	    htole32(le32toh(page->seq_count) | 1));
}

static void
end_write(struct cb_vmclock_page *page)
{
	atomic_store(&page->seq_count,
	    htole32(le32toh(page->seq_count) + 1));
}

static void
disrupt(struct cb_vmclock_page *page, uint64_t marker)
{
	begin_write(page);
	atomic_store(&page->disruption_marker[0], htole32((uint32_t)marker));
	atomic_store(&page->disruption_marker[1],
	    htole32((uint32_t)(marker >> 32)));
	end_write(page);
}

/* What a daemon does when it has handled this marker. */
static void
handle(struct cb_shm_writer *w, uint64_t marker)
{
	struct cb_shm_v2 v2 = body_of(mono_now(), 1000, 50000,
	    CLOCKBOUND_STA_SYNCHRONIZED);

	struct cb_shm_v3 v3 = counted_body_of(1000, 50000,
	    CLOCKBOUND_STA_SYNCHRONIZED);

	v2.disruption_support = v3.disruption_support = 1;
	v2.disruption_marker = v3.disruption_marker = marker;
	cb_shm_write(w, &v2);
	cb_shm_write_v3(w, &v3);
}

static clockbound_clock_status
status_now(clockbound_ctx *ctx)
{
	clockbound_now_result now;

	return CHECK(clockbound_now(ctx, &now) == NULL) ? now.clock_status :
	    CLOCKBOUND_STA_UNKNOWN;
}

static bool
is_trusted(clockbound_ctx *ctx)
{
	return status_now(ctx) == CLOCKBOUND_STA_SYNCHRONIZED;
}

static void
what_is_no_vmclock_is_refused(void)
{
	static const struct {
		const char *name;
		uint32_t magic, size;
		uint16_t version;
		size_t length;
		int error;
	} rows[] = {
		{ "104 bytes", CB_VMCLOCK_MAGIC, 104, 1, 104, 0 },
		{ "112 bytes", CB_VMCLOCK_MAGIC, 112, 1, 112, 0 },
		{ "a page", CB_VMCLOCK_MAGIC, 4096, 1, 4096, 0 },
		{ "a padded file", CB_VMCLOCK_MAGIC, 112, 1, 4096, 0 },
		{ "the whole structure of a page", CB_VMCLOCK_MAGIC, 4096, 1,
		    112, 0 },
		{ "111 bytes said", CB_VMCLOCK_MAGIC, 111, 1, 104, 0 },
		{ "another magic", 0x4b4c4357, 112, 1, 112,
		    CB_VMCLOCK_EMAGIC },
		{ "version 0", CB_VMCLOCK_MAGIC, 112, 0, 112,
		    CB_VMCLOCK_EEMPTY },
		{ "version 2", CB_VMCLOCK_MAGIC, 112, 2, 112,
		    CB_VMCLOCK_EVERSION },
		{ "version 256", CB_VMCLOCK_MAGIC, 112, 256, 112,
		    CB_VMCLOCK_EVERSION },
		{ "size 103", CB_VMCLOCK_MAGIC, 103, 1, 112,
		    CB_VMCLOCK_ESIZE },
		{ "size 0", CB_VMCLOCK_MAGIC, 0, 1, 112, CB_VMCLOCK_ESIZE },
		{ "103 bytes", CB_VMCLOCK_MAGIC, 112, 1, 103,
		    CB_VMCLOCK_ESHORT },
		{ "104 bytes that say 112", CB_VMCLOCK_MAGIC, 112, 1, 104,
		    CB_VMCLOCK_ESHORT },
		{ "no bytes", CB_VMCLOCK_MAGIC, 112, 1, 0,
		    CB_VMCLOCK_ESHORT }
	};
	struct cb_vmclock_file f;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t seq = 1;
		uint64_t marker = 0;

		test_row = rows[i].name;
		write_file("vmclock", rows[i].magic, rows[i].size,
		    rows[i].version, rows[i].length);
		CHECK_EQ(cb_vmclock_open(&f, "vmclock") ? 0 : errno,
		    rows[i].error);
		if (f.page == NULL)
			continue;
		CHECK(cb_vmclock_read_marker(f.page, &seq, &marker));
		CHECK_EQ(seq, 0);
		CHECK_EQ(marker, 7);
		cb_vmclock_close(&f);
	}
	test_row = "missing";
	CHECK(!cb_vmclock_open(&f, "none"));
	CHECK_EQ(errno, ENOENT);
	test_row = "a device that is none";
	CHECK(!cb_vmclock_open(&f, "/dev/zero"));
	CHECK_EQ(errno, CB_VMCLOCK_EMAGIC);
	test_row = "";
	unlink("vmclock");
}

static void
status_holds_for_the_marker_that_was_handled(struct cb_shm_writer *w)
{
	const uint64_t high = UINT64_C(1) << 32;
	struct cb_vmclock_page *page;
	clockbound_ctx *ctx;

	write_file("vmclock", CB_VMCLOCK_MAGIC, 112, 1, 112);
	page = map_file("vmclock");
	handle(w, 7);
	ctx = clockbound_vmclock_open("shm0", "vmclock", NULL);
	if (!CHECK(ctx != NULL) || page == NULL)
		return;
	CHECK(is_trusted(ctx));
	/* A write that changes nothing. */
	disrupt(page, 7);
	CHECK(is_trusted(ctx));
	/* Seen at the very next reading, until it is handled. */
	disrupt(page, 8);
	CHECK_EQ(status_now(ctx), CLOCKBOUND_STA_UNKNOWN);
	handle(w, 8);
	CHECK(is_trusted(ctx));
	disrupt(page, 8 + high);
	CHECK_EQ(status_now(ctx), CLOCKBOUND_STA_UNKNOWN);
	handle(w, 8 + high);
	CHECK(is_trusted(ctx));
	/* In the middle of a write, and for as long as that lasts. */
	begin_write(page);
	CHECK_EQ(status_now(ctx), CLOCKBOUND_STA_UNKNOWN);
	CHECK_EQ(status_now(ctx), CLOCKBOUND_STA_UNKNOWN);
	end_write(page);
	handle(w, 8 + high);
	CHECK(is_trusted(ctx));
	clockbound_close(ctx);
	munmap(page, 4096);
	unlink("vmclock");
}

/* While the daemon goes on saying that it has handled 7. */
static bool
comes_to(struct cb_shm_writer *w, clockbound_ctx *ctx, bool trusted)
{
	int64_t end = mono_now() + DEADLINE_NS;

	do
		handle(w, 7);
	while (is_trusted(ctx) != trusted && mono_now() < end);
	return is_trusted(ctx) == trusted;
}

static void
a_vmclock_that_comes_and_goes_is_followed(struct cb_shm_writer *w)
{
	struct cb_vmclock_page *page;
	clockbound_ctx *ctx;

	handle(w, 7);
	ctx = clockbound_vmclock_open("shm0", "vmclock", NULL);
	if (!CHECK(ctx != NULL))
		return;
	CHECK_EQ(status_now(ctx), CLOCKBOUND_STA_UNKNOWN);
	write_file("vmclock", CB_VMCLOCK_MAGIC, 112, 1, 112);
	CHECK(comes_to(w, ctx, true));
	CHECK(rename("vmclock", "away") == 0);
	CHECK(comes_to(w, ctx, false));
	CHECK(rename("away", "vmclock") == 0);
	CHECK(comes_to(w, ctx, true));
	/* Another one of that name; it knows another disruption. */
	write_file("other", CB_VMCLOCK_MAGIC, 112, 1, 112);
	page = map_file("other");
	if (page == NULL)
		return;
	disrupt(page, 8);
	munmap(page, 4096);
	CHECK(rename("other", "vmclock") == 0);
	CHECK(comes_to(w, ctx, false));
	/* No file is read beyond its end. */
	write_file("vmclock", CB_VMCLOCK_MAGIC, 112, 1, 112);
	CHECK(comes_to(w, ctx, true));
	CHECK(truncate("vmclock", 50) == 0);
	CHECK(comes_to(w, ctx, false));
	clockbound_close(ctx);
	unlink("vmclock");
}

/*
 * Hypervisor and daemon are one process here, the reader is another: after a
 * marker has become visible, and before it is handled, nothing is trusted.
 */
struct shared {
	_Atomic uint64_t visible;	/* the last marker that came, */
	_Atomic uint64_t seen;		/* was read after that, */
	_Atomic bool ended;
};

static void
disrupt_again_and_again(struct shared *s, struct cb_shm_writer *w,
    struct cb_vmclock_page *page)
{
	unsigned random = 12345;

	for (uint64_t marker = 8; marker < 8 + DISRUPTIONS; marker++) {
		random = random * 1103515245 + 12345;
		for (unsigned i = random >> 20; i > 0; i--)
			handle(w, marker - 1);
		disrupt(page, marker);
		s->visible = marker;
		while (s->seen != marker)
			sched_yield();
		handle(w, marker);
	}
	s->ended = true;
}

static void
no_reading_is_trusted_between_a_disruption_and_its_end(
    struct cb_shm_writer *w, const char *path)
{
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned trusted = 0, disruptions = 0, missed = 0;
	struct cb_vmclock_page *page;
	clockbound_ctx *ctx;
	uint64_t visible;
	pid_t pid;
	int status;

	write_file("vmclock", CB_VMCLOCK_MAGIC, 112, 1, 112);
	page = map_file("vmclock");
	handle(w, 7);
	test_row = path;
	ctx = clockbound_vmclock_open(path, "vmclock", NULL);
	if (!CHECK(s != MAP_FAILED) || page == NULL || !CHECK(ctx != NULL))
		return;
	pid = fork();
	if (pid == 0) {
		signal(SIGALRM, SIG_DFL);
		alarm(60);
		disrupt_again_and_again(s, w, page);
		_exit(0);
	}
	while (!s->ended) {
		visible = s->visible;
		if (visible == s->seen) {
			trusted += is_trusted(ctx);
			continue;
		}
		for (int i = 0; i < 5; i++)
			missed += is_trusted(ctx);
		disruptions++;
		s->seen = visible;
	}
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	CHECK_EQ(missed, 0);
	CHECK_EQ(disruptions, DISRUPTIONS);
	CHECK(trusted >= DISRUPTIONS);
	clockbound_close(ctx);
	munmap(page, 4096);
	munmap(s, sizeof(*s));
	unlink("vmclock");
	test_row = "";
}

int
main(void)
{
	char dir[] = "/tmp/cb-vmclock.XXXXXX";
	struct cb_shm_writer w;
	const char *what;
	pid_t holder;

	signal(SIGALRM, SIG_DFL);
	alarm(120);
	if (!CHECK(mkdtemp(dir) != NULL) || !CHECK(chdir(dir) == 0))
		return test_done();
	what_is_no_vmclock_is_refused();
	if (CHECK(cb_shm_write_open(&w, ".", &what, &holder))) {
		status_holds_for_the_marker_that_was_handled(&w);
		a_vmclock_that_comes_and_goes_is_followed(&w);
		no_reading_is_trusted_between_a_disruption_and_its_end(&w,
		    "shm0");
		/* Version 3, where there is a counter. */
		no_reading_is_trusted_between_a_disruption_and_its_end(&w,
		    ".");
		cb_shm_write_close(&w);
	}
	unlink("shm0");
	unlink("shm1");
	unlink("lock");
	CHECK(rmdir(dir) == 0);
	return test_done();
}
