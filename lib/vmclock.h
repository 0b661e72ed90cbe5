/* SPDX-License-Identifier: ISC */
/*
 * The VMClock: a page that the hypervisor writes, from which a virtual machine
 * learns that its clock may have jumped.  A plain file with the same bytes
 * serves as well.  Little-endian, whatever the CPU.
 */
#ifndef CB_VMCLOCK_H
#define CB_VMCLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CB_VMCLOCK_MAGIC	UINT32_C(0x4b4c4356)	/* "VCLK" */
#define CB_VMCLOCK_VERSION	1
/* The oldest devices are this long, and have all that we read. */
#define CB_VMCLOCK_MIN_SIZE	104

struct cb_vmclock_page {
	uint32_t magic;
	uint32_t size;			/* bytes that are valid */
	uint16_t version;
	uint8_t counter_id;
	uint8_t time_type;
	_Atomic uint32_t seq_count;	/* odd: a write is in progress */
	_Atomic uint32_t disruption_marker[2];	/* lower half first */
};

_Static_assert(offsetof(struct cb_vmclock_page, seq_count) == 0x0c, "seq");
_Static_assert(offsetof(struct cb_vmclock_page, disruption_marker) == 0x10,
    "marker");

/* Map the device or file; NULL, with errno, EPROTO: it is no VMClock. */
const struct cb_vmclock_page *cb_vmclock_open(const char *path);
void cb_vmclock_close(const struct cb_vmclock_page *);

/*
 * Read the marker by the rule of all readers: whole, or not at all.  *seq is
 * what seq_count was; while it still is, the marker is the same.  False when
 * it is being written for longer than a reader can wait.
 */
bool cb_vmclock_read_marker(const struct cb_vmclock_page *, uint32_t *seq,
    uint64_t *marker);

#endif
