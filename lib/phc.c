/* SPDX-License-Identifier: ISC */
/*
 * A network interface goes in, its PHC's error bound comes out.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "phc.h"

#define SLOT_KEY	"PCI_SLOT_NAME="

/* A text file of sysfs; -1 with errno, EBADMSG when it is longer than that. */
static ssize_t
read_text(int fd, char *buf, size_t size)
{
	ssize_t n = pread(fd, buf, size - 1, 0);

	if (n == (ssize_t)size - 1) {
		errno = EBADMSG;
		return -1;
	}
	if (n >= 0)
		buf[n] = '\0';
	return n;
}

/* The PCI slot that the interface's device is in. */
static bool
find_slot(const struct cb_phc *p, char *slot, size_t size)
{
	char path[PATH_MAX], text[4096], *line, *rest = text;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/class/net/%s/device/uevent",
	    p->sysfs, p->interface);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return false;
	n = read_text(fd, text, sizeof(text));
	close(fd);
	if (n < 0)
		return false;
	while ((line = strsep(&rest, "\n")) != NULL)
		if (strncmp(line, SLOT_KEY, sizeof(SLOT_KEY) - 1) == 0) {
			line += sizeof(SLOT_KEY) - 1;
			/* It becomes a part of a path. */
			if (*line == '\0' || strchr(line, '/') != NULL ||
			    strlcpy(slot, line, size) >= size)
				break;
			return true;
		}
	errno = EBADMSG;
	return false;
}

static bool
open_bound(struct cb_phc *p, const char **what)
{
	char path[PATH_MAX], slot[64];

	*what = "uevent";
	if (!find_slot(p, slot, sizeof(slot)))
		return false;
	*what = "phc_error_bound";
	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/phc_error_bound",
	    p->sysfs, slot);
	p->fd = open(path, O_RDONLY | O_CLOEXEC);
	return p->fd != -1;
}

int64_t
cb_phc_read(struct cb_phc *p, const char **what)
{
	const char *reason;
	char text[32];
	int64_t ns;

	if (p->fd == -1 && !open_bound(p, what))
		return -1;
	*what = "phc_error_bound";
	if (read_text(p->fd, text, sizeof(text)) < 0)
		goto fail;
	text[strcspn(text, "\n")] = '\0';
	ns = strtonum(text, 0, 1000000000, &reason);
	if (reason == NULL)
		return ns;
	errno = EBADMSG;
fail:
	/* The device may have gone, and another may have come. */
	cb_phc_close(p);
	return -1;
}

void
cb_phc_close(struct cb_phc *p)
{
	int saved = errno;

	if (p->fd != -1)
		close(p->fd);
	p->fd = -1;
	errno = saved;
}

bool
cb_phc_parse_ref_id(const char *text, uint32_t *ref_id)
{
	size_t len = strlen(text);

	*ref_id = 0;
	if (len < 1 || len > 4)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] <= ' ' || text[i] > '~')
			return false;
		*ref_id = *ref_id << 8 | (unsigned char)text[i];
	}
	return true;
}
