/* SPDX-License-Identifier: ISC */
/*
 * How far a PTP hardware clock may be off, by its driver's own account: ENA's
 * and those that follow it tell in sysfs.
 */
#ifndef CB_PHC_H
#define CB_PHC_H

#include <stdbool.h>
#include <stdint.h>

#define CB_PHC_DEFAULT_SYSFS	"/sys"

struct cb_phc {
	const char *sysfs;
	const char *interface;
	int fd;			/* -1: not open */
};

/*
 * Nanoseconds, as the driver tells them now; negative with errno when it does
 * not (EBADMSG: it is no such number).  *what then names the file.  Opens what
 * is not open.
 */
int64_t cb_phc_read(struct cb_phc *, const char **what);
void cb_phc_close(struct cb_phc *);
/* "PHC0" as chronyd knows it: one to four characters, the first uppermost. */
bool cb_phc_parse_ref_id(const char *text, uint32_t *ref_id);

#endif
