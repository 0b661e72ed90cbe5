/* SPDX-License-Identifier: ISC */
/*
 * A VMClock's path goes in; its disruption marker, or all of it, comes out.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "counter.h"
#include "system.h"
#include "ts.h"
#include "vmclock.h"

/* A hypervisor writes in well under a microsecond, unless it is stopped. */
#define TRIES		1000
/* For a reader of the marker, who may ask again. */
#define TRIES_MARKER	100
/* Who has not finished by then was stopped: sleep between looks. */
#define SLEEP_NS	100000

const char *
cb_vmclock_strerror(int error)
{
	switch (error) {
	case CB_VMCLOCK_ESHORT:
		return "too short for a VMClock, which has 104 bytes or more";
	case CB_VMCLOCK_EMAGIC:
		return "not a VMClock: it does not begin with VCLK";
	case CB_VMCLOCK_ESIZE:
		return "not a VMClock: its size is given as less than 104";
	case CB_VMCLOCK_EEMPTY:
		return "not a VMClock yet: its version is 0";
	case CB_VMCLOCK_EVERSION:
		return "a VMClock of another version than 1";
	case CB_VMCLOCK_EREGULAR:
		return "not a regular file: only simulated VMClocks are "
		    "written to";
	case CB_VMCLOCK_ETORN:
		return "being written for more than 100 ms: seq_count is odd, "
		    "or changes all the time";
	default:
		return strerror(error);
	}
}

static inline uint32_t
load(const _Atomic uint32_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

/* The first three words: 0, or what is wrong with them. */
static int
check_constant(const _Atomic uint32_t *word)
{
	uint32_t version = le32toh(load(&word[2])) & UINT16_MAX;

	if (le32toh(load(&word[0])) != CB_VMCLOCK_MAGIC)
		return CB_VMCLOCK_EMAGIC;
	if (le32toh(load(&word[1])) < CB_VMCLOCK_MIN_SIZE)
		return CB_VMCLOCK_ESIZE;
	if (version == 0)
		return CB_VMCLOCK_EEMPTY;
	return version == CB_VMCLOCK_VERSION ? 0 : CB_VMCLOCK_EVERSION;
}

/* The device allows one page to be mapped, neither less nor more. */
static size_t
page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* What of the structure the device has. */
static size_t
usable_size(uint32_t size)
{
	return size < sizeof(struct cb_vmclock_abi) ? CB_VMCLOCK_MIN_SIZE :
	    sizeof(struct cb_vmclock_abi);
}

/* Beyond the end of a file nothing is mapped; a device has no size. */
static bool
is_short(const struct stat *st, size_t size)
{
	return S_ISREG(st->st_mode) && st->st_size < (off_t)size;
}

/* Map it: 0, or what is wrong. */
static int
open_page(struct cb_vmclock_file *f, int fd)
{
	struct stat st;
	void *map;
	int error;

	if (fstat(fd, &st) == -1)
		return errno;
	if (is_short(&st, CB_VMCLOCK_MIN_SIZE))
		return CB_VMCLOCK_ESHORT;
	map = mmap(NULL, page_size(), PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return errno;
	f->page = map;
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	error = check_constant(f->page->constant);
	if (error != 0)
		return error;
	f->size = usable_size(le32toh(load(&f->page->word[1])));
	return is_short(&st, f->size) ? CB_VMCLOCK_ESHORT : 0;
}

bool
cb_vmclock_open(struct cb_vmclock_file *f, const char *path)
{
	int fd, error;

	f->page = NULL;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1)
		return false;
	error = open_page(f, fd);
	close(fd);
	if (error == 0)
		return true;
	cb_vmclock_close(f);
	errno = error;
	return false;
}

bool
cb_vmclock_is_current(const struct cb_vmclock_file *f, const char *path)
{
	struct stat st;

	return f->page != NULL && stat(path, &st) == 0 &&
	    st.st_dev == f->dev && st.st_ino == f->ino &&
	    !is_short(&st, f->size);
}

bool
cb_vmclock_follow(struct cb_vmclock_file *f, const char *path)
{
	if (cb_vmclock_is_current(f, path))
		return true;
	cb_vmclock_close(f);
	return cb_vmclock_open(f, path);
}

void
cb_vmclock_close(struct cb_vmclock_file *f)
{
	if (f->page != NULL)
		munmap((void *)(uintptr_t)f->page, page_size());
	f->page = NULL;
}

/*
 * The rule of all readers, as in seqlock.h: an even seq_count; acquire; the
 * fields; an acquire fence; the same seq_count.
 */
static inline uint32_t
begin_read(const struct cb_vmclock_page *page)
{
	return atomic_load_explicit(&page->seq_count, memory_order_acquire);
}

static inline bool
is_whole(const struct cb_vmclock_page *page, uint32_t seq)
{
	atomic_thread_fence(memory_order_acquire);
	return le32toh(seq) % 2 == 0 && seq == load(&page->seq_count);
}

bool
cb_vmclock_read_marker(const struct cb_vmclock_page *page, uint32_t *seq,
    uint64_t *marker)
{
	uint32_t low, high;
	int fault;

	for (int i = 0; i < TRIES_MARKER; i++) {
		*seq = begin_read(page);
		low = load(&page->disruption_marker[0]);
		high = load(&page->disruption_marker[1]);
		/* A file that was cut short reads as zeros. */
		fault = check_constant(page->constant);
		if (is_whole(page, *seq)) {
			*marker = (uint64_t)le32toh(high) << 32 | le32toh(low);
			return fault == 0;
		}
		sched_yield();
	}
	return false;
}

static int64_t
mono_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return cb_ts_ns(&ts);
}

/* Try once to copy it. */
static bool
copy_page(const struct cb_vmclock_page *page, _Atomic uint32_t *to,
    uint64_t *counter)
{
	uint32_t seq = begin_read(page);

	/* On aarch64 this branch keeps the counter behind the load. */
	if (le32toh(seq) % 2 != 0)
		return false;
	for (size_t i = 0; i < CB_VMCLOCK_WORDS; i++)
		atomic_store_explicit(&to[i], load(&page->word[i]),
		    memory_order_relaxed);
	*counter = cb_counter_read();
	cb_counter_fence();
	return is_whole(page, seq);
}

/* A time-out of 0 reads no clock. */
static bool
wait_and_copy(const struct cb_vmclock_page *page, int64_t wait_ns,
    _Atomic uint32_t *to, uint64_t *counter)
{
	const struct timespec pause = { .tv_nsec = SLEEP_NS };
	int64_t end;

	if (copy_page(page, to, counter))
		return true;
	if (wait_ns <= 0)
		return false;
	end = mono_ns() + cb_ts_min(wait_ns, CB_VMCLOCK_WAIT_NS);
	for (int i = 0; mono_ns() < end; i++) {
		if (i < TRIES)
			sched_yield();
		else
			nanosleep(&pause, NULL);
		if (copy_page(page, to, counter))
			return true;
	}
	return false;
}

bool
cb_vmclock_read_abi(const struct cb_vmclock_page *page, int64_t wait_ns,
    struct cb_vmclock_abi *abi, uint64_t *counter)
{
	struct cb_vmclock_page copy;
	size_t size;
	int error;

	if (wait_and_copy(page, wait_ns, copy.word, counter))
		error = check_constant(copy.constant);
	else
		error = CB_VMCLOCK_ETORN;
	if (error != 0) {
		errno = error;
		return false;
	}
	memcpy(abi, &copy, sizeof(*abi));
	size = usable_size(le32toh(abi->size));
	memset((uint8_t *)abi + size, 0, sizeof(*abi) - size);
	return true;
}

void
cb_vmclock_decode(const struct cb_vmclock_abi *abi, struct cb_vmclock *v)
{
	*v = (struct cb_vmclock){
		.size = le32toh(abi->size),
		.counter_id = abi->counter_id,
		.time_type = abi->time_type,
		.seq_count = le32toh(abi->seq_count),
		.disruption_marker = le64toh(abi->disruption_marker),
		.flags = le64toh(abi->flags),
		.clock_status = abi->clock_status,
		.leap_second_smearing_hint = abi->leap_second_smearing_hint,
		.tai_offset_sec = (int16_t)le16toh(
		    (uint16_t)abi->tai_offset_sec),
		.leap_indicator = abi->leap_indicator,
		.counter_period_shift = abi->counter_period_shift,
		.counter_value = le64toh(abi->counter_value),
		.counter_period_frac_sec =
		    le64toh(abi->counter_period_frac_sec),
		.counter_period_esterror_rate_frac_sec =
		    le64toh(abi->counter_period_esterror_rate_frac_sec),
		.counter_period_maxerror_rate_frac_sec =
		    le64toh(abi->counter_period_maxerror_rate_frac_sec),
		.time_sec = le64toh(abi->time_sec),
		.time_frac_sec = le64toh(abi->time_frac_sec),
		.time_esterror_nanosec = le64toh(abi->time_esterror_nanosec),
		.time_maxerror_nanosec = le64toh(abi->time_maxerror_nanosec)
	};
	v->has_generation = v->size >= sizeof(*abi) &&
	    (v->flags & CB_VMCLOCK_VM_GEN_COUNTER_PRESENT) != 0;
	if (v->has_generation)
		v->vm_generation_counter =
		    le64toh(abi->vm_generation_counter);
}

bool
cb_vmclock_read(const struct cb_vmclock_page *page, int64_t wait_ns,
    struct cb_vmclock *v)
{
	struct cb_vmclock_abi abi;
	uint64_t counter;

	if (!cb_vmclock_read_abi(page, wait_ns, &abi, &counter))
		return false;
	cb_vmclock_decode(&abi, v);
	v->counter = counter;
	return true;
}
