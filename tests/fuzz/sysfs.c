/* SPDX-License-Identifier: ISC */
/*
 * What sysfs says: of a network interface's device, its PHC's error, and the
 * kernel's clocksource.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "fuzz.h"

enum { UEVENT = 100, BOUND, CLOCKSOURCE_TEXT };

/* The input's texts: a file each. */
static struct fuzz texts[3];
static unsigned opened[3];

static int
fake_open(const char *path)
{
	static const char slots[] = "/sys/bus/pci/devices/";
	static const char end[] = "/phc_error_bound";
	int fd;

	if (strcmp(path, "/sys/class/net/eth0/device/uevent") == 0)
		fd = UEVENT;
	else if (strncmp(path, "/sys/devices/", 13) == 0)
		fd = CLOCKSOURCE_TEXT;
	else {
		/* A slot is a name, and no way to another place. */
		CHECK(strncmp(path, slots, sizeof(slots) - 1) == 0);
		path += sizeof(slots) - 1;
		CHECK(*path != '/' && strchr(path, '/') != NULL);
		CHECK(strcmp(strchr(path, '/'), end) == 0);
		fd = BOUND;
	}
	opened[fd - UEVENT]++;
	return fd;
}

/* From the beginning, as much as there is. */
static ssize_t
fake_read(int fd, void *buf, size_t size)
{
	const struct fuzz *text = &texts[fd - UEVENT];
	size_t n = size < text->left ? size : text->left;

	if (n > 0)
		memcpy(buf, text->at, n);
	return (ssize_t)n;
}

static int
fake_close(int fd)
{
	opened[fd - UEVENT]--;
	return 0;
}

#define open(path, flags)		fake_open(path)
#define pread(fd, buf, size, at)	fake_read(fd, buf, size)
#define read(fd, buf, size)		fake_read(fd, buf, size)
#define close(fd)			fake_close(fd)
#include "../../lib/phc.c"
#include "../../cmd/cb-daemon/clocks.c"

static void
check_phc(void)
{
	struct cb_phc p = { .sysfs = "/sys", .interface = "eth0", .fd = -1 };
	const char *what;
	int64_t ns, again;

	errno = 0;
	ns = cb_phc_read(&p, &what);
	CHECK(ns <= 1000000000);
	CHECK(strcmp(what, "uevent") == 0 ||
	    strcmp(what, "phc_error_bound") == 0);
	if (ns < 0) {
		CHECK(errno == EBADMSG);
		CHECK(p.fd == -1);
	} else {
		again = cb_phc_read(&p, &what);
		CHECK(again == ns);
	}
	cb_phc_close(&p);
	CHECK(opened[0] == 0 && opened[1] == 0);
}

static void
check_clocksource(size_t size)
{
	char *name = malloc(size);

	if (name == NULL)
		abort();
	if (cb_clocks_source(name, size)) {
		CHECK(strlen(name) < size && strchr(name, '\n') == NULL);
		if (cb_clocks_is_counter(name))
			CHECK(texts[2].left >= strlen(name));
	}
	free(name);
	CHECK(opened[2] == 0);
}

static void
check_ref_id(const struct fuzz *f)
{
	char *text = fuzz_text(f);
	uint32_t id;

	if (cb_phc_parse_ref_id(text, &id))
		CHECK(id >> 24 == (unsigned char)text[0] ||
		    strlen(text) < 4);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = { data, size };
	size_t n;

	for (size_t i = 0; i < 3; i++) {
		n = (size_t)(fuzz_byte(&f) | (i == 0 ? fuzz_byte(&f) << 8 :
		    0));
		n = n < f.left ? n : f.left;
		texts[i] = (struct fuzz){ f.at, n };
		f.at += n;
		f.left -= n;
	}
	check_phc();
	check_clocksource(32);
	check_ref_id(&texts[1]);
	return 0;
}
