/* SPDX-License-Identifier: ISC */
/*
 * Two libraries read one segment at one instant, and what they say is compared
 * to the nanosecond.  The segments are any that a daemon may write; the clocks
 * stand where we put them: clock_gettime() is ours, and the CPU's counter
 * traps into ours.
 *
 * usage: exact OURS THEIRS SEGMENTS FILE
 *
 * THEIRS says which version of segment is written to FILE.  Out comes
 *
 *	readings N, earliest A to B, latest A to B
 *
 * where A to B, in nanoseconds, is how far their end is inside of ours.  The
 * exit status is 0 where that is within what rounding leaves, and statuses and
 * errors are the same; 77 where this CPU's counter cannot be made to trap.
 */
#include <sys/mman.h>
#include <sys/prctl.h>

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>
#include <unistd.h>

#include "peer.h"
#include "shm.h"
#include "ts.h"

/*
 * We round outwards; they drop what is below a nanosecond, of the growth, and
 * with version 3 of the time as well.
 */
#define V2_NS	1
#define V3_NS	2

#define READINGS	4	/* of a segment, later and later */

/* What the clocks say. */
static struct timespec real, mono;
static volatile uint64_t counter;

/* How far the other's end is inside of ours. */
struct range {
	int64_t least;
	int64_t most;
};

static struct range earliest = { INT64_MAX, INT64_MIN };
static struct range latest = { INT64_MAX, INT64_MIN };

static uint64_t state = 1;

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	*ts = id == CLOCK_REALTIME ? real : mono;
	return 0;
}

/* An instruction that reads the counter: stand in for it. */
static void
read_counter(int sig, siginfo_t *info, void *context)
{
	(void)info;
#ifdef __x86_64__
	greg_t *reg = ((ucontext_t *)context)->uc_mcontext.gregs;
	const uint8_t *at = (const uint8_t *)reg[REG_RIP];

	if (at[0] == 0x0f && at[1] == 0x31) {	/* rdtsc */
		reg[REG_RAX] = (greg_t)(counter & UINT32_MAX);
		reg[REG_RDX] = (greg_t)(counter >> 32);
		reg[REG_RIP] += 2;
		return;
	}
#else
	(void)context;
#endif
	signal(sig, SIG_DFL);
}

static void
trap_counter(void)
{
	struct sigaction action = { .sa_sigaction = read_counter,
		.sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &action, NULL);
#ifdef __x86_64__
	if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV) == 0)
		return;
#endif
	errx(77, "this CPU's counter cannot be made to trap");
}

/* xorshift64. */
static uint64_t
random_u64(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static int64_t
random_below(int64_t limit)
{
	return (int64_t)(random_u64() % (uint64_t)limit);
}

/* As often small as large. */
static int64_t
random_scale(int64_t limit)
{
	int64_t top = limit;

	for (int64_t i = random_below(40); i > 0 && top > 10; i--)
		top /= 2;
	return random_below(top);
}

static struct timespec
timespec_of(int64_t ns)
{
	return (struct timespec){ .tv_sec = ns / CB_NS_PER_S,
		.tv_nsec = ns % CB_NS_PER_S };
}

/*
 * Since as_of: up to 20 minutes; just before, at and after the end of a
 * status; or before as_of, by what is taken as equal, or more.  Left out is
 * where they differ by intent: a microsecond before as_of, to the nanosecond,
 * is not yet too much for ours; a counter that is behind is never too far
 * behind for 3.x.  A counter cannot be put on the very nanosecond at which a
 * status ends: a tick is a microsecond at most, so two are kept away.
 */
static int64_t
random_age(bool is_counted)
{
	static const int64_t edge_s[] = { 0, CB_SHM_FRESH_S, CB_SHM_V3_FRESH_S,
		CB_SHM_VOID_AFTER_S };
	int64_t edge = edge_s[random_below(4)] * CB_NS_PER_S;

	switch (random_below(4)) {
	case 0:
		return random_scale(1200 * CB_NS_PER_S);
	case 1:
		return edge + (is_counted ? 2000 : random_below(2));
	case 2:
		return cb_ts_max(0, edge - (is_counted ? 2000 : 1));
	default:
		return is_counted ? 0 : -(999 + random_below(2) * 2);
	}
}

/* In seconds; to what a segment holds. */
static void
encode_fraction(double value, uint64_t *frac, uint8_t *shift)
{
	*shift = value == 0 ? 0 : (uint8_t)floor(log2(1 / value));
	*frac = (uint64_t)ldexp(value, 64 + *shift);
}

static void
write_segment(struct cb_shm_segment *s, const void *body, size_t size)
{
	memcpy(s->body, body, size);
	s->header.generation += s->header.generation == UINT16_MAX - 1 ? 4 : 2;
}

static struct cb_shm_v2
random_v2(void)
{
	int64_t as_of = random_below(100000000 * CB_NS_PER_S) +
	    2 * CB_NS_PER_S;

	return (struct cb_shm_v2){
		.as_of_s = as_of / CB_NS_PER_S,
		.as_of_ns = as_of % CB_NS_PER_S,
		.void_after_s = as_of / CB_NS_PER_S + CB_SHM_VOID_AFTER_S,
		.bound_ns = random_scale(1000 * CB_NS_PER_S),
		.max_drift_ppb = (uint32_t)random_scale(1000000000),
		.clock_status = (int32_t)random_below(4)
	};
}

static struct cb_shm_v3
random_v3(void)
{
	/* A tick is 0.2 to 1000 ns long. */
	double period = exp2((double)random_below(1000000) * 12.3e-6) * 0.2e-9;
	int64_t as_of_s = 1000000 + random_below(3000000000);
	struct cb_shm_v3 v3 = {
		.as_of_tsc = random_u64() >> (1 + random_below(30)),
		.as_of_s = as_of_s,
		.as_of_ns = random_below(CB_NS_PER_S),
		.void_after_s = as_of_s + CB_SHM_VOID_AFTER_S,
		.bound_ns = random_scale(1000 * CB_NS_PER_S),
		.max_drift_ppb = (uint32_t)random_scale(1000000),
		.clock_status = (int32_t)random_below(4)
	};

	v3.void_after_ns = v3.as_of_ns;
	encode_fraction(period, &v3.period_frac, &v3.period_shift);
	encode_fraction((double)random_scale(100000) * 1e-9,
	    &v3.period_err_frac, &v3.period_err_shift);
	return v3;
}

static void
widen(struct range *r, int64_t ns)
{
	r->least = cb_ts_min(r->least, ns);
	r->most = cb_ts_max(r->most, ns);
}

/* One reading by both. */
static void
compare(const struct peer *ours, const struct peer *theirs, int64_t age)
{
	clockbound_now_result a, b;
	clockbound_err_kind kind = peer_now(ours, &a);
	clockbound_err_kind other = peer_now(theirs, &b);

	if (kind != other)
		errx(1, "error kinds %d and %d, %" PRId64 " ns after as_of",
		    (int)kind, (int)other, age);
	if (kind != CLOCKBOUND_ERR_NONE)
		return;
	if (a.clock_status != b.clock_status)
		errx(1, "statuses %d and %d, %" PRId64 " ns after as_of",
		    (int)a.clock_status, (int)b.clock_status, age);
	widen(&earliest, cb_ts_ns(&b.earliest) - cb_ts_ns(&a.earliest));
	widen(&latest, cb_ts_ns(&a.latest) - cb_ts_ns(&b.latest));
}

static struct cb_shm_segment *
new_segment(const char *path, bool is_counted)
{
	size_t size = is_counted ? CB_SHM_V3_SIZE : CB_SHM_V2_SIZE;
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
	struct cb_shm_segment *s;

	if (fd == -1 || ftruncate(fd, (off_t)size) == -1)
		err(1, "%s", path);
	s = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (s == MAP_FAILED)
		err(1, "%s", path);
	s->header.magic[0] = CB_SHM_MAGIC0;
	s->header.magic[1] = CB_SHM_MAGIC1;
	s->header.segsize = (uint32_t)size;
	s->header.version = is_counted ? CB_SHM_V3_VERSION : 2;
	s->header.generation = 2;
	return s;
}

static void
try_v2(const struct peer *ours, const struct peer *theirs,
    struct cb_shm_segment *s)
{
	struct cb_shm_v2 v2 = random_v2();
	int64_t as_of = v2.as_of_s * CB_NS_PER_S + v2.as_of_ns;
	int64_t age = INT64_MIN;

	write_segment(s, &v2, sizeof(v2));
	for (int i = 0; i < READINGS; i++) {
		age = cb_ts_max(age, random_age(false));
		real = timespec_of(3000 * CB_NS_PER_S +
		    random_below(4000000000) * CB_NS_PER_S +
		    random_below(CB_NS_PER_S));
		mono = timespec_of(as_of + age);
		compare(ours, theirs, age);
	}
}

static void
try_v3(const struct peer *ours, const struct peer *theirs,
    struct cb_shm_segment *s)
{
	struct cb_shm_v3 v3 = random_v3();
	double period = ldexp((double)v3.period_frac,
	    -64 - v3.period_shift) * 1e9;
	int64_t age = 0;

	write_segment(s, &v3, sizeof(v3));
	for (int i = 0; i < READINGS; i++) {
		age = cb_ts_max(age, random_age(true));
		counter = v3.as_of_tsc + (uint64_t)((double)age / period);
		compare(ours, theirs, age);
	}
}

static bool
is_within(const struct range *r, int64_t limit)
{
	return r->least >= 0 && r->most <= limit;
}

int
main(int argc, char *argv[])
{
	struct peer ours, theirs;
	struct cb_shm_segment *s;
	int64_t segments, limit;

	if (argc != 5)
		errx(2, "usage: exact OURS THEIRS SEGMENTS FILE");
	ours = peer_load(argv[1]);
	theirs = peer_load(argv[2]);
	segments = strtoll(argv[3], NULL, 10);
	limit = theirs.open3 != NULL ? V3_NS : V2_NS;
	s = new_segment(argv[4], theirs.open3 != NULL);
	if (peer_open(&ours, argv[4], "/none") != CLOCKBOUND_ERR_NONE ||
	    peer_open(&theirs, argv[4], "/none") != CLOCKBOUND_ERR_NONE)
		errx(1, "%s: cannot be opened", argv[4]);
	if (theirs.open3 != NULL)
		trap_counter();
	for (int64_t i = 0; i < segments; i++) {
		if (theirs.open3 != NULL)
			try_v3(&ours, &theirs, s);
		else
			try_v2(&ours, &theirs, s);
	}
	printf("readings %" PRId64 ", earliest %" PRId64 " to %" PRId64
	    ", latest %" PRId64 " to %" PRId64 "\n", segments * READINGS,
	    earliest.least, earliest.most, latest.least, latest.most);
	return !is_within(&earliest, limit) || !is_within(&latest, limit);
}
