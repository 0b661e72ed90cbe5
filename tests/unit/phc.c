/* SPDX-License-Identifier: ISC */
/*
 * A PHC's error bound, in a sysfs that is made here: what a driver may say,
 * and what is in the way.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "phc.h"
#include "test.h"

#define DEVICE	"class/net/eth9/device"
#define SLOT	"bus/pci/devices/0000:00:05.0"
#define UEVENT	DEVICE "/uevent"
#define BOUND	SLOT "/phc_error_bound"
#define SIXTEEN	"0123456789abcdef"
#define GOOD	"DRIVER=ena\nPCI_SLOT_NAME=0000:00:05.0\nMODALIAS=x\n"

static struct cb_phc phc = { ".", "eth9", -1 };

/* Each of them, and those above it. */
static const char *const dirs[] = {
	"class", "class/net", "class/net/eth9", DEVICE, "bus", "bus/pci",
	"bus/pci/devices", SLOT
};
#define DIRS	(sizeof(dirs) / sizeof(dirs[0]))

static void
put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void
check_fails(int error, const char *file)
{
	const char *what = "";

	CHECK_EQ(cb_phc_read(&phc, &what), -1);
	CHECK_EQ(errno, error);
	CHECK(strcmp(what, file) == 0);
	CHECK_EQ(phc.fd, -1);
}

static void
only_a_number_of_nanoseconds_is_believed(void)
{
	static const struct {
		const char *text;
		int64_t ns;
	} rows[] = {
		{ "0\n", 0 }, { "12345\n", 12345 }, { "12345", 12345 },
		{ "1000000000\n", 1000000000 }, { "1000000001\n", -1 },
		{ "-1\n", -1 }, { "", -1 }, { "\n", -1 }, { "5 ns\n", -1 },
		{ "99999999999999999999\n", -1 },
		{ "00000000000000000000000000000012", -1 }
	};
	const char *what;

	put(UEVENT, GOOD);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		test_row = rows[i].text;
		put(BOUND, rows[i].text);
		if (rows[i].ns == -1)
			check_fails(EBADMSG, "phc_error_bound");
		else
			CHECK_EQ(cb_phc_read(&phc, &what), rows[i].ns);
	}
	test_row = "";
	/* What is open is read anew each time. */
	put(BOUND, "1\n");
	CHECK_EQ(cb_phc_read(&phc, &what), 1);
	put(BOUND, "2\n");
	CHECK_EQ(cb_phc_read(&phc, &what), 2);
	errno = EDOM;
	cb_phc_close(&phc);
	cb_phc_close(&phc);
	CHECK_EQ(errno, EDOM);
	CHECK_EQ(phc.fd, -1);
}

static void
a_slot_is_one_name_and_short(void)
{
	static const char *const rows[] = {
		"", "DRIVER=ena\n", "PCI_SLOT_NAME=\n",
		"PCI_SLOT_NAME=../../../../etc\n", "XPCI_SLOT_NAME=0\n",
		/* More than any has: 64 characters. */
		"PCI_SLOT_NAME=" SIXTEEN SIXTEEN SIXTEEN SIXTEEN "\n"
	};
	char text[4096];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		test_row = rows[i];
		put(UEVENT, rows[i]);
		check_fails(EBADMSG, "uevent");
	}
	test_row = "more than is read of it";
	memset(text, '\n', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	put(UEVENT, text);
	check_fails(EBADMSG, "uevent");
	test_row = "";
}

static void
what_is_not_there_is_named(void)
{
	put(UEVENT, GOOD);
	unlink(BOUND);
	check_fails(ENOENT, "phc_error_bound");
	unlink(UEVENT);
	check_fails(ENOENT, "uevent");
	/* Drivers whose attributes are no files, as far as we can tell. */
	CHECK(mkdir(UEVENT, 0755) == 0);
	check_fails(EISDIR, "uevent");
	CHECK(rmdir(UEVENT) == 0);
	put(UEVENT, GOOD);
	CHECK(mkdir(BOUND, 0755) == 0);
	check_fails(EISDIR, "phc_error_bound");
	CHECK(rmdir(BOUND) == 0);
	unlink(UEVENT);
}

static void
a_ref_id_has_one_to_four_characters(void)
{
	static const struct {
		const char *text;
		bool valid;
		uint32_t id;
	} rows[] = {
		{ "PHC0", true, 0x50484330 }, { "P", true, 0x50 },
		{ "~!", true, 0x7e21 }, { "", false, 0 },
		{ "PHC01", false, 0 }, { "P C", false, 0 },
		{ "P\x7f", false, 0 }, { "\xc3\xa4", false, 0 }
	};
	uint32_t id;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		test_row = rows[i].text;
		CHECK_EQ(cb_phc_parse_ref_id(rows[i].text, &id),
		    rows[i].valid);
		if (rows[i].valid)
			CHECK_EQ(id, rows[i].id);
	}
	test_row = "";
}

int
main(void)
{
	char dir[] = "/tmp/cb-phc.XXXXXX";

	if (!CHECK(mkdtemp(dir) != NULL) || !CHECK(chdir(dir) == 0))
		return test_done();
	for (size_t i = 0; i < DIRS; i++)
		CHECK(mkdir(dirs[i], 0755) == 0);
	only_a_number_of_nanoseconds_is_believed();
	a_slot_is_one_name_and_short();
	what_is_not_there_is_named();
	a_ref_id_has_one_to_four_characters();
	for (size_t i = DIRS; i > 0; i--)
		CHECK(rmdir(dirs[i - 1]) == 0);
	CHECK(rmdir(dir) == 0);
	return test_done();
}
