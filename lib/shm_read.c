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

#include "shm.h"
#include "ts.h"

/* Tries to copy a body that changes meanwhile: with a copy at hand, without. */
#define TRIES_AGAIN	4
#define TRIES_FIRST	1000

static clockbound_err_kind
check_header(const struct cb_shm_header *h, off_t size)
{
	uint16_t version;

	if (h->magic[0] != CB_SHM_MAGIC0 || h->magic[1] != CB_SHM_MAGIC1)
		return CLOCKBOUND_ERR_SEGMENT_NOT_INITIALIZED;
	version = atomic_load_explicit(&h->version, memory_order_relaxed);
	if (version == 0 || atomic_load_explicit(&h->generation,
	    memory_order_relaxed) == 0)
		return CLOCKBOUND_ERR_SEGMENT_NOT_INITIALIZED;
	if (version != 2)
		return CLOCKBOUND_ERR_SEGMENT_VERSION_NOT_SUPPORTED;
	if (h->segsize < sizeof(struct cb_shm_segment) ||
	    (off_t)h->segsize > size)
		return CLOCKBOUND_ERR_SEGMENT_MALFORMED;
	return CLOCKBOUND_ERR_NONE;
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
	err->kind = check_header(map, st.st_size);
	if (err->kind != CLOCKBOUND_ERR_NONE)
		goto fail;
	close(fd);
	r->segment = map;
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

clockbound_err_kind
cb_shm_read_parse(const struct cb_shm_v2 *v2, struct cb_shm_bound *out)
{
	struct cb_shm_bound parsed, *b = &parsed;

	if (!parse_time(v2->as_of_s, v2->as_of_ns, &b->as_of_mono) ||
	    !parse_time(v2->void_after_s, v2->void_after_ns,
	    &b->void_after_mono) || v2->bound_ns < 0 ||
	    v2->max_drift_ppb >= CB_SHM_DRIFT_LIMIT_PPB ||
	    v2->clock_status < CLOCKBOUND_STA_UNKNOWN ||
	    v2->clock_status > CLOCKBOUND_STA_DISRUPTED)
		return CLOCKBOUND_ERR_SEGMENT_MALFORMED;
	b->bound_ns = v2->bound_ns;
	b->disruption_marker = v2->disruption_marker;
	b->max_drift_ppb = v2->max_drift_ppb;
	b->status = (clockbound_clock_status)v2->clock_status;
	b->disruption_support = v2->disruption_support != 0;
	*out = parsed;
	return CLOCKBOUND_ERR_NONE;
}

clockbound_err_kind
cb_shm_read_anew(struct cb_shm_reader *r)
{
	const struct cb_shm_segment *s = r->segment;
	uint32_t words[CB_SHM_V2_WORDS];
	struct cb_shm_v2 v2;
	bool first = r->generation == 0;
	uint16_t version;

	version = atomic_load_explicit(&s->header.version,
	    memory_order_relaxed);
	if (version != 0 && version != 2)
		return CLOCKBOUND_ERR_SEGMENT_VERSION_NOT_SUPPORTED;
	if (version == 0)
		return r->fault;
	for (int i = 0; i < (first ? TRIES_FIRST : TRIES_AGAIN); i++) {
		if (cb_seqlock_read(&s->header.generation, s->body, words,
		    CB_SHM_V2_WORDS, &r->generation)) {
			memcpy(&v2, words, sizeof(v2));
			r->fault = cb_shm_read_parse(&v2, &r->bound);
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
	if (cb_shm_read_is_current(r))
		return r->fault;
	return cb_shm_read_anew(r);
}
