/* SPDX-License-Identifier: ISC */
/*
 * The VMClock: a page that the hypervisor writes, from which a virtual machine
 * learns that its clock may have jumped, and perhaps what time it is.  A plain
 * file with the same bytes serves as well.  Little-endian, whatever the CPU.
 */
#ifndef CB_VMCLOCK_H
#define CB_VMCLOCK_H

#include <sys/types.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CB_VMCLOCK_MAGIC	UINT32_C(0x4b4c4356)	/* "VCLK" */
#define CB_VMCLOCK_VERSION	1
/* The oldest devices are this long, and end before vm_generation_counter. */
#define CB_VMCLOCK_MIN_SIZE	104

enum cb_vmclock_time_type {
	CB_VMCLOCK_UTC,
	CB_VMCLOCK_TAI,
	CB_VMCLOCK_MONOTONIC
	/* 3 and 4 are smeared, and not to be used. */
};

enum cb_vmclock_status {
	CB_VMCLOCK_UNKNOWN,
	CB_VMCLOCK_INITIALIZING,
	CB_VMCLOCK_SYNCHRONIZED,
	CB_VMCLOCK_FREERUNNING,
	CB_VMCLOCK_UNRELIABLE
};

#define CB_VMCLOCK_TAI_OFFSET_VALID		(UINT64_C(1) << 0)
#define CB_VMCLOCK_DISRUPTION_SOON		(UINT64_C(1) << 1)
#define CB_VMCLOCK_DISRUPTION_IMMINENT		(UINT64_C(1) << 2)
#define CB_VMCLOCK_PERIOD_ESTERROR_VALID	(UINT64_C(1) << 3)
#define CB_VMCLOCK_PERIOD_MAXERROR_VALID	(UINT64_C(1) << 4)
#define CB_VMCLOCK_TIME_ESTERROR_VALID		(UINT64_C(1) << 5)
#define CB_VMCLOCK_TIME_MAXERROR_VALID		(UINT64_C(1) << 6)
#define CB_VMCLOCK_TIME_MONOTONIC		(UINT64_C(1) << 7)
#define CB_VMCLOCK_VM_GEN_COUNTER_PRESENT	(UINT64_C(1) << 8)
#define CB_VMCLOCK_NOTIFICATION_PRESENT		(UINT64_C(1) << 9)

/*
 * The device, byte for byte: each number little-endian.
 */
struct cb_vmclock_abi {
	uint32_t magic;
	uint32_t size;			/* bytes that are valid */
	uint16_t version;
	uint8_t counter_id;		/* counter.h */
	uint8_t time_type;		/* enum cb_vmclock_time_type */
	/* What is above is constant, what is below under seq_count. */
	uint32_t seq_count;		/* odd: a write is in progress */
	uint64_t disruption_marker;
	uint64_t flags;
	uint8_t pad[2];
	uint8_t clock_status;		/* enum cb_vmclock_status */
	uint8_t leap_second_smearing_hint;
	int16_t tai_offset_sec;
	uint8_t leap_indicator;
	uint8_t counter_period_shift;
	uint64_t counter_value;
	/* These three in 1 / 2^(64 + counter_period_shift) s. */
	uint64_t counter_period_frac_sec;
	uint64_t counter_period_esterror_rate_frac_sec;
	uint64_t counter_period_maxerror_rate_frac_sec;
	uint64_t time_sec;
	uint64_t time_frac_sec;		/* in 1 / 2^64 s */
	uint64_t time_esterror_nanosec;
	uint64_t time_maxerror_nanosec;
	uint64_t vm_generation_counter;
};

#define CB_VMCLOCK_AT(field, offset) _Static_assert( \
	offsetof(struct cb_vmclock_abi, field) == (offset), #field)

CB_VMCLOCK_AT(magic, 0x00);
CB_VMCLOCK_AT(size, 0x04);
CB_VMCLOCK_AT(version, 0x08);
CB_VMCLOCK_AT(counter_id, 0x0a);
CB_VMCLOCK_AT(time_type, 0x0b);
CB_VMCLOCK_AT(seq_count, 0x0c);
CB_VMCLOCK_AT(disruption_marker, 0x10);
CB_VMCLOCK_AT(flags, 0x18);
CB_VMCLOCK_AT(pad, 0x20);
CB_VMCLOCK_AT(clock_status, 0x22);
CB_VMCLOCK_AT(leap_second_smearing_hint, 0x23);
CB_VMCLOCK_AT(tai_offset_sec, 0x24);
CB_VMCLOCK_AT(leap_indicator, 0x26);
CB_VMCLOCK_AT(counter_period_shift, 0x27);
CB_VMCLOCK_AT(counter_value, 0x28);
CB_VMCLOCK_AT(counter_period_frac_sec, 0x30);
CB_VMCLOCK_AT(counter_period_esterror_rate_frac_sec, 0x38);
CB_VMCLOCK_AT(counter_period_maxerror_rate_frac_sec, 0x40);
CB_VMCLOCK_AT(time_sec, 0x48);
CB_VMCLOCK_AT(time_frac_sec, 0x50);
CB_VMCLOCK_AT(time_esterror_nanosec, 0x58);
CB_VMCLOCK_AT(time_maxerror_nanosec, 0x60);
CB_VMCLOCK_AT(vm_generation_counter, 0x68);
_Static_assert(sizeof(struct cb_vmclock_abi) == 0x70, "VMClock");

#define CB_VMCLOCK_WORDS (sizeof(struct cb_vmclock_abi) / sizeof(uint32_t))

/* The same bytes where others write to them: words, each read at once. */
struct cb_vmclock_page {
	union {
		_Atomic uint32_t word[CB_VMCLOCK_WORDS];
		struct {
			_Atomic uint32_t constant[3];
			_Atomic uint32_t seq_count;
			/* Lower half first. */
			_Atomic uint32_t disruption_marker[2];
		};
	};
};

_Static_assert(offsetof(struct cb_vmclock_page, seq_count) == 0x0c, "seq");
_Static_assert(offsetof(struct cb_vmclock_page, disruption_marker) == 0x10,
    "marker");
_Static_assert(sizeof(struct cb_vmclock_page) ==
    sizeof(struct cb_vmclock_abi), "page");

/*
 * vmclock.c
 *
 * What is no VMClock is told apart by errno.
 */
#define CB_VMCLOCK_ESHORT	EBADMSG		/* a file that ends too soon */
#define CB_VMCLOCK_EMAGIC	EPROTO		/* begins with something else */
#define CB_VMCLOCK_ESIZE	EMSGSIZE	/* says so of its size */
#define CB_VMCLOCK_EEMPTY	EAGAIN		/* version 0: not yet made */
#define CB_VMCLOCK_EVERSION	EPROTONOSUPPORT	/* one that we do not know */
#define CB_VMCLOCK_EREGULAR	EOPNOTSUPP	/* to be written, and no file */
#define CB_VMCLOCK_ETORN	ETIMEDOUT	/* being written all the time */

/* In words: one of these, or strerror(3). */
const char *cb_vmclock_strerror(int error);

/* No reader waits longer than this for a write to end, nor does Linux. */
#define CB_VMCLOCK_WAIT_NS	INT64_C(100000000)

/* A device or a file, mapped. */
struct cb_vmclock_file {
	const struct cb_vmclock_page *page;	/* NULL: there is none */
	size_t size;			/* that a file must have */
	dev_t dev;
	ino_t ino;
};

/* False, with errno, and no page. */
bool cb_vmclock_open(struct cb_vmclock_file *, const char *path);
/*
 * The path may have come to name another one, or none, and a file may have
 * been cut short, which ends whoever reads beyond its end.
 */
bool cb_vmclock_is_current(const struct cb_vmclock_file *, const char *path);
/* Look, and open it anew where it is not. */
bool cb_vmclock_follow(struct cb_vmclock_file *, const char *path);
void cb_vmclock_close(struct cb_vmclock_file *);

/*
 * Read the marker by the rule of all readers: whole, or not at all.  *seq is
 * what seq_count was; while it still is, the marker is the same.  False when
 * it is being written for longer than a reader can wait, or is a VMClock's no
 * more.
 */
bool cb_vmclock_read_marker(const struct cb_vmclock_page *, uint32_t *seq,
    uint64_t *marker);

/*
 * All of it, by the same rule, and the CPU's counter at that instant.  Waits
 * for a write to end for wait_ns, of which CB_VMCLOCK_WAIT_NS at most count; 0
 * tries once.  Bytes beyond the device's size are 0.  False, with errno.
 */
bool cb_vmclock_read_abi(const struct cb_vmclock_page *, int64_t wait_ns,
    struct cb_vmclock_abi *, uint64_t *counter);

/* In this machine's byte order. */
struct cb_vmclock {
	uint32_t size;
	uint8_t counter_id;
	uint8_t time_type;
	uint32_t seq_count;
	uint64_t disruption_marker;
	uint64_t flags;
	uint8_t clock_status;
	uint8_t leap_second_smearing_hint;
	int16_t tai_offset_sec;
	uint8_t leap_indicator;
	uint8_t counter_period_shift;
	uint64_t counter_value;
	uint64_t counter_period_frac_sec;
	uint64_t counter_period_esterror_rate_frac_sec;
	uint64_t counter_period_maxerror_rate_frac_sec;
	uint64_t time_sec;
	uint64_t time_frac_sec;
	uint64_t time_esterror_nanosec;
	uint64_t time_maxerror_nanosec;
	bool has_generation;		/* else the next is 0 */
	uint64_t vm_generation_counter;
	uint64_t counter;		/* the CPU's, when this was read */
};

/* From bytes alone. */
void cb_vmclock_decode(const struct cb_vmclock_abi *, struct cb_vmclock *);
/* Both: snapshot and decode. */
bool cb_vmclock_read(const struct cb_vmclock_page *, int64_t wait_ns,
    struct cb_vmclock *);

/*
 * vmclock_notify.c
 *
 * A descriptor to poll for reading, which is readable once the hypervisor has
 * written; -1 where the device does not notify.
 */
int cb_vmclock_notify_open(const char *path);
void cb_vmclock_notify_close(int *fd);
/* After it was readable, before the page is read; -1 where it is no good. */
void cb_vmclock_notify_rearm(int *fd);

/*
 * vmclock_time.c
 *
 * The time that it tells.
 */
struct cb_vmclock_time {
	/* UTC; TAI where the offset is not known; or since whenever. */
	enum cb_vmclock_time_type scale;
	int64_t sec;
	uint64_t frac_sec;		/* in 1 / 2^64 s, rounded down */
	/* Rounded up.  UINT64_MAX: more than that. */
	uint64_t maxerror_ns;
	/* Both of its parts are told: it is a bound. */
	bool is_bound;
};

/* The time at a value of the counter; NULL, or why there is none. */
const char *cb_vmclock_time_at(const struct cb_vmclock *, uint64_t counter,
    struct cb_vmclock_time *);
/* frac / 2^64 of n, rounded down. */
uint64_t cb_vmclock_time_scale(uint64_t frac, uint64_t n);

/*
 * vmclock_write.c
 *
 * Simulated devices: regular files, and nothing else.
 */
struct cb_vmclock_writer {
	struct cb_vmclock_page *page;	/* mapped */
	int fd;				/* locked against other writers */
};

/* Waits for another writer to end.  False, with errno. */
bool cb_vmclock_write_open(struct cb_vmclock_writer *, const char *path);
void cb_vmclock_write_close(struct cb_vmclock_writer *);
/* What is there now, whole or left torn by a writer that is gone. */
void cb_vmclock_write_peek(const struct cb_vmclock_writer *,
    struct cb_vmclock_abi *);
/*
 * Write it in place.  seq_count goes on by itself, or with set_seq becomes
 * what abi says: it may be left odd, to see what readers make of that.
 */
bool cb_vmclock_write(struct cb_vmclock_writer *,
    const struct cb_vmclock_abi *, bool set_seq);
/*
 * A new file, whole before it has its name.  What had that name must have been
 * a VMClock or empty; who has it open goes on seeing it.
 */
bool cb_vmclock_create(const char *path, const struct cb_vmclock_abi *);

#endif
