/* SPDX-License-Identifier: ISC */
/*
 * The reader's side of the segment: a path goes in, checked snapshots come
 * out.  Nothing that a file holds may crash the caller or be believed
 * unchecked.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "counter.h"
#include "shm.h"
#include "ts.h"
#include "wide.h"

/* Tries to copy a body that changes meanwhile: with a copy at hand, without. */
#define TRIES_AGAIN	4
#define TRIES_FIRST	1000

static const struct {
	uint16_t version;
	uint32_t size;		/* of a segment */
	size_t status;		/* where it is in the body */
} layouts[] = {
	{ 0, 0, 0 },
	{ 1, CB_SHM_V1_SIZE, offsetof(struct cb_shm_v1, clock_status) },
	{ 2, CB_SHM_V2_SIZE, offsetof(struct cb_shm_v2, clock_status) },
	{ CB_SHM_V3_VERSION, CB_SHM_V3_SIZE,
	    offsetof(struct cb_shm_v3, clock_status) }
};

/* 1, 2, 3, or 0: a layout that nobody here knows. */
static unsigned
layout_of(uint16_t version)
{
	if (version == 1 || version == 2)
		return version;
	return version >> 8 == 3 && (version & UINT8_MAX) >= 3 ? 3 : 0;
}

static unsigned
layout(const struct cb_shm_header *h)
{
	return layout_of(atomic_load_explicit(&h->version,
	    memory_order_relaxed));
}

static clockbound_err_kind
check_header(const struct cb_shm_header *h, off_t size)
{
	if (h->magic[0] != CB_SHM_MAGIC0 || h->magic[1] != CB_SHM_MAGIC1 ||
	    atomic_load_explicit(&h->version, memory_order_relaxed) == 0 ||
	    atomic_load_explicit(&h->generation, memory_order_relaxed) == 0)
		return CLOCKBOUND_ERR_SEGMENT_NOT_INITIALIZED;
	if (layout(h) == 0)
		return CLOCKBOUND_ERR_SEGMENT_VERSION_NOT_SUPPORTED;
	if (h->segsize < layouts[layout(h)].size ||
	    h->segsize > (uint64_t)size)
		return CLOCKBOUND_ERR_SEGMENT_MALFORMED;
	return CLOCKBOUND_ERR_NONE;
}

/* Can this CPU read a segment of that version? */
static bool
has_counter_for(uint16_t version)
{
	return layout_of(version) != 3 || CB_COUNTER_ID != CB_COUNTER_INVALID;
}

static clockbound_err_kind
check_mapped(const struct cb_shm_segment *s, off_t size)
{
	clockbound_err_kind kind = check_header(&s->header, size);

	if (kind == CLOCKBOUND_ERR_NONE && !has_counter_for(s->header.version))
		return CLOCKBOUND_ERR_SEGMENT_VERSION_NOT_SUPPORTED;
	return kind;
}

bool
cb_shm_read_open(struct cb_shm_reader *r, const char *path,
    clockbound_err *err)
{
	struct stat st;
	void *map = MAP_FAILED;
	int fd;

	*r = (struct cb_shm_reader){
		.fault = CLOCKBOUND_ERR_SEGMENT_NOT_INITIALIZED
	};
	*err = (clockbound_err){ .kind = CLOCKBOUND_ERR_SYSCALL };
	/* O_NONBLOCK: a FIFO by that name must not hold the caller up. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1) {
		err->detail = "open";
		goto fail;
	}
	if (fstat(fd, &st) == -1) {
		err->detail = "fstat";
		goto fail;
	}
	if (st.st_size < (off_t)sizeof(struct cb_shm_header)) {
		err->kind = CLOCKBOUND_ERR_SEGMENT_NOT_INITIALIZED;
		goto fail;
	}
	/* Within the first page, so that a shorter file reads as zeros. */
	map = mmap(NULL, sizeof(*r->segment), PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		err->detail = "mmap";
		goto fail;
	}
	err->kind = check_mapped(map, st.st_size);
	if (err->kind != CLOCKBOUND_ERR_NONE)
		goto fail;
	close(fd);
	r->segment = map;
	r->layout = layout(&r->segment->header);
	r->bound.is_counted = r->layout == 3;
	r->dev = st.st_dev;
	r->ino = st.st_ino;
	return true;
fail:
	if (err->kind == CLOCKBOUND_ERR_SYSCALL)
		err->sys_errno = errno;
	if (map != MAP_FAILED)
		munmap(map, sizeof(*r->segment));
	if (fd != -1)
		close(fd);
	return false;
}

void
cb_shm_read_close(struct cb_shm_reader *r)
{
	if (r->segment != NULL)
		munmap((void *)(uintptr_t)r->segment, sizeof(*r->segment));
	r->segment = NULL;
}

bool
cb_shm_read_is_replaced(const struct cb_shm_reader *r, const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 &&
	    (st.st_dev != r->dev || st.st_ino != r->ino);
}

/* Seconds and nanoseconds of a clock, where both are what a clock can show. */
static bool
parse_time(int64_t s, int64_t ns, int64_t *out)
{
	if (s < -CB_TS_MAX_S || s > CB_TS_MAX_S || ns < 0 ||
	    ns >= CB_NS_PER_S)
		return false;
	*out = s * CB_NS_PER_S + ns;
	return true;
}

static bool
parse_status(int32_t from, clockbound_clock_status *to)
{
	*to = (clockbound_clock_status)from;
	return from >= CLOCKBOUND_STA_UNKNOWN &&
	    from <= CLOCKBOUND_STA_DISRUPTED;
}

clockbound_err_kind
cb_shm_read_parse(const struct cb_shm_v2 *v2, struct cb_shm_bound *out)
{
	struct cb_shm_bound b = {
		.bound_ns = v2->bound_ns,
		.disruption_marker = v2->disruption_marker,
		.max_drift_ppb = v2->max_drift_ppb,
		.disruption_support = v2->disruption_support != 0
	};

	if (!parse_time(v2->as_of_s, v2->as_of_ns, &b.as_of) ||
	    !parse_time(v2->void_after_s, v2->void_after_ns, &b.void_after) ||
	    !parse_status(v2->clock_status, &b.status) || b.bound_ns < 0 ||
	    b.max_drift_ppb >= CB_SHM_DRIFT_LIMIT_PPB)
		return CLOCKBOUND_ERR_SEGMENT_MALFORMED;
	*out = b;
	return CLOCKBOUND_ERR_NONE;
}

/* Version 2 without a VMClock, and so without disruptions. */
clockbound_err_kind
cb_shm_read_parse_v1(const struct cb_shm_v1 *v1, struct cb_shm_bound *out)
{
	const struct cb_shm_v2 v2 = {
		.as_of_s = v1->as_of_s,
		.as_of_ns = v1->as_of_ns,
		.void_after_s = v1->void_after_s,
		.void_after_ns = v1->void_after_ns,
		.bound_ns = v1->bound_ns,
		.max_drift_ppb = v1->max_drift_ppb,
		.clock_status = v1->clock_status
	};

	if (v1->clock_status == CLOCKBOUND_STA_DISRUPTED)
		return CLOCKBOUND_ERR_SEGMENT_MALFORMED;
	return cb_shm_read_parse(&v2, out);
}

/* What has a counter has a time_t that holds whatever version 3 can tell. */
_Static_assert(CB_COUNTER_ID == CB_COUNTER_INVALID ||
    sizeof(time_t) == sizeof(int64_t), "time_t");

/* The time of both ends at as_of; the sum may leave 64 bits of nanoseconds. */
static struct timespec
add_times(int64_t s, int64_t ns, int64_t more_s, int64_t more_ns)
{
	bool carry = ns + more_ns >= CB_NS_PER_S;

	return (struct timespec){
		.tv_sec = (time_t)(s + more_s + carry),
		.tv_nsec = (long)(ns + more_ns - carry * CB_NS_PER_S)
	};
}

/*
 * The period in nanoseconds: as many of its bits as leave room for the sum of
 * it and its error, which is less than 2.
 */
static void
set_period(const struct cb_shm_v3 *v3, struct cb_shm_lines *l)
{
	struct cb_wide p = cb_wide_multiply(v3->period_frac,
	    (uint64_t)CB_NS_PER_S);
	bool lost;

	p = cb_wide_shift(p, v3->period_shift, &lost);
	for (l->shift = 0; p.high != 0 || p.low >> 61 != 0; l->shift++)
		p = cb_wide_shift(p, 1, &lost);
	l->period = (int64_t)p.low;
}

/* 2^64 / 10^9, rounded up: ppb times this is a fraction of 2^64. */
#define PER_PPB	UINT64_C(18446744074)

static void
set_slopes(const struct cb_shm_v3 *v3, struct cb_shm_lines *l)
{
	/* In 1 / 2^63: each is at most 1. */
	uint64_t rate = v3->max_drift_ppb * PER_PPB / 2 + 1 +
	    (v3->period_err_frac >> v3->period_err_shift) / 2 + 1;
	uint64_t period = (uint64_t)l->period + 1, late;
	int64_t width = (int64_t)cb_wide_multiply(period, rate).high * 2 + 2;

	l->early = l->period - width;
	l->late = -((int64_t)period + width);
	/* Both in 1 / 2^30 ns. */
	late = ((uint64_t)-l->late >> (34 - l->shift)) + 1;
	l->soon = l->early < 0 ? 0 : ((uint64_t)CB_NS_PER_S << 30) / late;
}

static void
set_lines(const struct cb_shm_v3 *v3, struct cb_shm_lines *l)
{
	int64_t s = v3->bound_ns / CB_NS_PER_S, ns = v3->bound_ns % CB_NS_PER_S;

	l->as_of_tsc = v3->as_of_tsc;
	l->latest = add_times(v3->as_of_s, v3->as_of_ns, s, ns);
	l->earliest = add_times(v3->as_of_s, v3->as_of_ns, -s - 1,
	    CB_NS_PER_S - ns);
	set_period(v3, l);
	set_slopes(v3, l);
}

clockbound_err_kind
cb_shm_read_parse_v3(const struct cb_shm_v3 *v3, struct cb_shm_bound *out)
{
	struct cb_shm_bound b = {
		.bound_ns = v3->bound_ns,
		.disruption_marker = v3->disruption_marker,
		.max_drift_ppb = v3->max_drift_ppb,
		.disruption_support = v3->disruption_support != 0,
		.is_counted = true
	};

	if (!parse_time(v3->as_of_s, v3->as_of_ns, &b.as_of) ||
	    !parse_time(v3->void_after_s, v3->void_after_ns, &b.void_after) ||
	    !parse_status(v3->clock_status, &b.status) || b.bound_ns < 0 ||
	    b.max_drift_ppb >= CB_SHM_DRIFT_LIMIT_PPB ||
	    v3->period_frac == 0 || v3->period_shift > 63 ||
	    v3->period_err_shift > 63)
		return CLOCKBOUND_ERR_SEGMENT_MALFORMED;
	set_lines(v3, &b.lines);
	/* Its period may be any: another one is looked for at each reading. */
	if (!cb_shm_is_trusted(b.status))
		b.lines.soon = 0;
	*out = b;
	return CLOCKBOUND_ERR_NONE;
}

static clockbound_err_kind
parse_words(const uint32_t *words, unsigned layout, struct cb_shm_bound *out)
{
	struct cb_shm_v1 v1;
	struct cb_shm_v2 v2;
	struct cb_shm_v3 v3;

	switch (layout) {
	case 1:
		memcpy(&v1, words, sizeof(v1));
		return cb_shm_read_parse_v1(&v1, out);
	case 2:
		memcpy(&v2, words, sizeof(v2));
		return cb_shm_read_parse(&v2, out);
	default:
		memcpy(&v3, words, sizeof(v3));
		return cb_shm_read_parse_v3(&v3, out);
	}
}

clockbound_err_kind
cb_shm_read_anew(struct cb_shm_reader *r)
{
	const struct cb_shm_segment *s = r->segment;
	bool first = r->generation == 0;
	uint32_t words[CB_SHM_V3_WORDS] = { 0 };
	uint16_t version;
	size_t size;

	version = atomic_load_explicit(&s->header.version,
	    memory_order_relaxed);
	if (version == 0)
		return r->fault;
	if (r->layout == 0 || layout_of(version) != r->layout)
		return CLOCKBOUND_ERR_SEGMENT_VERSION_NOT_SUPPORTED;
	size = layouts[r->layout].size - sizeof(s->header);
	for (int i = 0; i < (first ? TRIES_FIRST : TRIES_AGAIN); i++) {
		if (cb_seqlock_read(&s->header.generation, s->body, words,
		    size / sizeof(words[0]), &r->generation)) {
			r->fault = parse_words(words, r->layout, &r->bound);
			/* It is the bound's, which is else left as it was. */
			if (r->fault == CLOCKBOUND_ERR_NONE)
				memcpy(r->words, words, sizeof(words));
			break;
		}
		/* The writer may be waiting for this very processor. */
		if (first)
			sched_yield();
	}
	return r->fault;
}

clockbound_err_kind
cb_shm_read(struct cb_shm_reader *r)
{
	if (cb_seqlock_is_current(&r->segment->header.generation,
	    r->generation))
		return r->fault;
	return cb_shm_read_anew(r);
}

void
cb_shm_read_copy(const struct cb_shm_reader *r,
    clockbound_clock_status status, clockbound_segment *out)
{
	const struct cb_shm_header h = {
		.magic = { CB_SHM_MAGIC0, CB_SHM_MAGIC1 },
		.segsize = layouts[r->layout].size,
		.version = layouts[r->layout].version,
		.generation = r->generation
	};
	char *to = (char *)out, *body = to + sizeof(h);
	int32_t written = (int32_t)status;

	*out = (clockbound_segment){ .bytes = { 0 } };
	memcpy(to, &h, sizeof(h));
	memcpy(body, r->words, sizeof(r->words));
	memcpy(body + layouts[r->layout].status, &written, sizeof(written));
}

clockbound_err_kind
cb_shm_read_parse_segment(const clockbound_segment *in,
    struct cb_shm_bound *out)
{
	uint32_t words[CB_SHM_V3_WORDS];
	struct cb_shm_header h;
	clockbound_err_kind kind;

	memcpy(&h, in, sizeof(h));
	memcpy(words, (const char *)in + sizeof(h), sizeof(words));
	kind = check_header(&h, sizeof(*in));
	if (kind != CLOCKBOUND_ERR_NONE)
		return kind;
	if (h.generation % 2 == 1)
		return CLOCKBOUND_ERR_SEGMENT_NOT_INITIALIZED;
	return parse_words(words, layout(&h), out);
}
