/* SPDX-License-Identifier: ISC */
/*
 * Segments of all versions and a VMClock, which change under live readers: are
 * written over, cut and replaced, while clocks go on.  A reader has a directory
 * of two segments and one of them alone.
 */
#include <sys/mman.h>

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "bytes.h"
#include "counter.h"
#include "fuzz.h"
#include "system.h"
#include "ts.h"

/*
 * The clocks.
 */
static struct {
	struct timespec real, mono;
	uint64_t counter;
} clocks;

static int
fake_gettime(clockid_t id, struct timespec *ts)
{
	*ts = id == CLOCK_REALTIME ? clocks.real : clocks.mono;
	return 0;
}

#define clock_gettime		fake_gettime
#define cb_counter_read()	clocks.counter
#include "../../lib/now.c"

/*
 * The files: each name is a link to a descriptor, and so may be given another
 * file in no time.
 */
enum { SHM1, SHM0, VMCLOCK, FILES };

/* Of each file there are two, by turns. */
static struct {
	int named, spare;
	unsigned char *at, *spare_at;
} files[FILES];

static char dir[64], paths[FILES][80];

/* More than a segment, less than a page. */
#define FILE_SIZE	256

static int
make_file(unsigned char **at)
{
	int fd = memfd_create("fuzz", 0);
	void *map;

	if (fd == -1 || ftruncate(fd, FILE_SIZE) == -1)
		abort();
	map = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		abort();
	*at = map;
	return fd;
}

static void
remove_names(void)
{
	for (size_t i = 0; i < FILES; i++)
		unlink(paths[i]);
	rmdir(dir);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char *const names[] = { "shm1", "shm0", "vmclock" };
	const char *tmp = getenv("TMPDIR");
	char target[32];

	(void)argc, (void)argv;
	snprintf(dir, sizeof(dir), "%s/fuzz.XXXXXX", tmp == NULL ? "/tmp" :
	    tmp);
	if (mkdtemp(dir) == NULL)
		abort();
	atexit(remove_names);
	for (size_t i = 0; i < FILES; i++) {
		files[i].named = make_file(&files[i].at);
		files[i].spare = make_file(&files[i].spare_at);
		snprintf(paths[i], sizeof(paths[i]), "%s/%s", dir, names[i]);
		snprintf(target, sizeof(target), "/proc/self/fd/%d",
		    files[i].named);
		if (symlink(target, paths[i]) == -1)
			abort();
	}
	return 0;
}

/* Another file has the name; who has the one before mapped keeps it. */
static void
replace_file(size_t i)
{
	int fd = dup(files[i].named);
	unsigned char *at = files[i].at;

	if (fd == -1 || dup2(files[i].spare, files[i].named) == -1 ||
	    dup2(fd, files[i].spare) == -1)
		abort();
	close(fd);
	files[i].at = files[i].spare_at;
	files[i].spare_at = at;
}

static void
resize_file(size_t i, off_t size)
{
	if (ftruncate(files[i].named, size) == -1)
		abort();
}

/* Were there such bytes ever, in this run? */
static bool was_trustworthy;

static void
look_at_bytes(void)
{
	for (size_t i = SHM1; i <= SHM0; i++)
		was_trustworthy |= bytes_may_be_trusted(files[i].at) ||
		    bytes_may_be_trusted(files[i].spare_at);
}

/* Whoever is waited for ends what it writes, but for one that has died. */
static bool has_died;

int
sched_yield(void)
{
	static unsigned yields;

	if (has_died || ++yields % 4 != 0)
		return 0;
	for (size_t i = 0; i < FILES; i++)
		files[i].at[i == VMCLOCK ? 12 : 14] &= 0xfe;
	look_at_bytes();
	return 0;
}

/*
 * A segment as a daemon would write it, but for what the input makes of it.
 */
static void
put_segment(struct fuzz *f, unsigned char *p, unsigned layout)
{
	static const uint32_t sizes[] = { 72, 80, 104 };
	static const uint16_t versions[] = { 1, 2, 0x0303 };
	struct cb_shm_header h = {
		.magic = { CB_SHM_MAGIC0, CB_SHM_MAGIC1 },
		.segsize = sizes[layout], .version = versions[layout],
		.generation = (uint16_t)(2 + fuzz_byte(f))
	};
	struct cb_shm_v2 v2 = {
		.as_of_s = clocks.mono.tv_sec, .as_of_ns = clocks.mono.tv_nsec,
		.void_after_s = clocks.mono.tv_sec + 1000,
		.bound_ns = fuzz_upto(f, INT64_MAX),
		.max_drift_ppb = 50000, .clock_status = fuzz_byte(f) % 4,
		.disruption_support = fuzz_byte(f) & 1
	};
	struct cb_shm_v3 v3 = {
		.as_of_tsc = clocks.counter, .as_of_s = clocks.real.tv_sec,
		.as_of_ns = clocks.real.tv_nsec,
		.void_after_s = clocks.real.tv_sec + 1000,
		.period_frac = UINT64_C(1) << 63, .period_shift = 30,
		.bound_ns = v2.bound_ns, .max_drift_ppb = 50000,
		.clock_status = v2.clock_status,
		.disruption_support = v2.disruption_support
	};

	memcpy(p, &h, sizeof(h));
	if (layout == 2)
		memcpy(p + sizeof(h), &v3, sizeof(v3));
	else
		memcpy(p + sizeof(h), &v2, sizeof(v2));
	if (layout == 0) {
		memmove(p + 56, p + 64, 4);
		memset(p + 60, 0, 12);
		p[64] = (unsigned char)v2.clock_status;
	}
}

static void
put_vmclock(struct fuzz *f, unsigned char *p)
{
	const struct cb_vmclock_abi abi = {
		.magic = htole32(CB_VMCLOCK_MAGIC),
		.size = htole32(sizeof(abi)), .version = htole16(1),
		.seq_count = htole32(fuzz_byte(f)),
		.disruption_marker = htole64(fuzz_byte(f) & 1)
	};

	memcpy(p, &abi, sizeof(abi));
}

/*
 * What befalls.
 */

static void
overwrite(struct fuzz *f, unsigned char *p)
{
	size_t offset = fuzz_byte(f), n = 1 + fuzz_byte(f) % 16;

	if (offset + n <= FILE_SIZE)
		fuzz_take(f, p + offset, n);
}

static void
set_clocks(struct fuzz *f, bool far)
{
	/* Beyond CB_TS_MAX_S, which is in 2096, nothing is promised. */
	const int64_t most = CB_TS_MAX_S - 10000;

	if (!far) {
		int64_t ns = fuzz_upto(f, 100 * CB_NS_PER_S);
		struct timespec d = { ns / CB_NS_PER_S, ns % CB_NS_PER_S };

		clocks.real = cb_ts_add(&clocks.real, &d);
		clocks.mono = cb_ts_add(&clocks.mono, &d);
		clocks.counter += (uint64_t)fuzz_upto(f, INT64_C(1) << 40);
		return;
	}
	clocks.real = (struct timespec){ fuzz_upto(f, most),
	    (long)fuzz_upto(f, CB_NS_PER_S - 1) };
	clocks.mono = (struct timespec){ fuzz_upto(f, most),
	    (long)fuzz_upto(f, CB_NS_PER_S - 1) };
	clocks.counter = (uint64_t)fuzz_number(f);
}

/* Cut to no less than a byte: who reads beyond the end of a file is ended. */
static void
befall(struct fuzz *f)
{
	uint8_t what = fuzz_byte(f);
	size_t i = what % FILES;
	unsigned char *p = files[i].at;

	switch (what / FILES % 8) {
	case 0:
		overwrite(f, p);
		break;
	case 1:
		/* As a writer does. */
		p[14]++;
		overwrite(f, p);
		p[14]++;
		break;
	case 2:
		resize_file(i, 1 + fuzz_byte(f) % FILE_SIZE);
		resize_file(i, FILE_SIZE);
		break;
	case 3:
		replace_file(i);
		break;
	case 4:
	case 5:
		set_clocks(f, what / FILES % 8 == 5);
		break;
	default:
		if (i == VMCLOCK)
			put_vmclock(f, p);
		else
			put_segment(f, p, fuzz_byte(f) % 3);
	}
	look_at_bytes();
}

/*
 * What is promised.
 */

static void
check_answer(const clockbound_now_result *now)
{
	CHECK(now->earliest.tv_nsec >= 0 &&
	    now->earliest.tv_nsec < CB_NS_PER_S);
	CHECK(now->latest.tv_nsec >= 0 && now->latest.tv_nsec < CB_NS_PER_S);
	CHECK(!cb_ts_is_before(&now->latest, &now->earliest));
	CHECK(now->clock_status <= CLOCKBOUND_STA_DISRUPTED);
	CHECK(was_trustworthy || !cb_shm_is_trusted(now->clock_status));
}

static void
check_error(const clockbound_err *e)
{
	char text[128];

	CHECK(e->kind > CLOCKBOUND_ERR_SYSCALL &&
	    e->kind <= CLOCKBOUND_ERR_SEGMENT_VERSION_NOT_SUPPORTED);
	CHECK(strlen(clockbound_strerror(e, text, sizeof(text))) > 0);
}

/* Of one moment: the answer's width may be that of a later one. */
static void
check_same(const clockbound_now_result *now, const clockbound_segment *s,
    const clockbound_reading *r)
{
	clockbound_now_result at;

	if (clockbound_at(s, r, &at) != CLOCKBOUND_ERR_NONE) {
		CHECK(!cb_shm_is_trusted(now->clock_status));
		return;
	}
	check_answer(&at);
	if (!cb_shm_is_trusted(now->clock_status))
		return;
	CHECK(!cb_ts_is_before(&at.earliest, &now->earliest));
	CHECK(!cb_ts_is_before(&now->latest, &at.latest));
}

static bool
ask_now(clockbound_ctx *ctx, clockbound_now_result *now)
{
	const clockbound_err *e = clockbound_now(ctx, now);

	if (e != NULL)
		check_error(e);
	else
		check_answer(now);
	return e == NULL;
}

/* From what was known before, and from what has just been read. */
static void
read_time(clockbound_ctx *ctx)
{
	clockbound_now_result now;
	clockbound_segment s;
	clockbound_reading r;
	const clockbound_err *e;

	if (ctx == NULL)
		return;
	ask_now(ctx, &now);
	e = clockbound_read(ctx, &r, &s);
	if (e != NULL)
		check_error(e);
	else if (ask_now(ctx, &now))
		check_same(&now, &s, &r);
}

static void
begin(void)
{
	was_trustworthy = false;
	for (size_t i = 0; i < FILES; i++) {
		memset(files[i].at, 0, FILE_SIZE);
		memset(files[i].spare_at, 0, FILE_SIZE);
	}
	clocks.real = (struct timespec){ 1700000000, 0 };
	clocks.mono = (struct timespec){ 1000, 0 };
	clocks.counter = UINT64_C(1) << 40;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = { data, size };
	uint8_t options = fuzz_byte(&f);
	const clockbound_options o = {
		.shm_path = (options & 1) != 0 ? paths[options >> 1 & 1] : dir,
		.vmclock_path = paths[VMCLOCK],
		.max_bound_ns = (options & 4) != 0 ? CB_NS_PER_S : 0,
		.max_age_ns = (options & 8) != 0 ? CB_NS_PER_S : 0
	};
	clockbound_ctx *ctx;

	begin();
	has_died = fuzz_byte(&f) > 250;
	for (int i = options >> 4; i >= 0; i--)
		befall(&f);
	ctx = clockbound_open_options(&o, NULL);
	read_time(ctx);
	for (int i = 0; ctx != NULL && i < 16 && f.left > 0; i++) {
		befall(&f);
		read_time(ctx);
	}
	clockbound_close(ctx);
	return 0;
}
