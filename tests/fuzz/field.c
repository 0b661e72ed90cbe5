/* SPDX-License-Identifier: ISC */
/*
 * FIELD=VALUE: what is taken is in the device then, and its text is taken
 * again.
 */
#include "end.h"
#include "../../cmd/cb-vmclock/change.c"

void
cb_fail_path(const char *path, int error)
{
	errx(CB_EXIT_UNUSABLE, "%s: %d", path, error);
}

static void
check_field(const struct cb_field *f, const struct cb_vmclock_abi *abi,
    uint64_t expected)
{
	char text[CB_FIELD_TEXT];
	uint64_t again;

	CHECK(cb_field_get(f, abi) == expected);
	cb_field_format(f, expected, text);
	CHECK(cb_field_parse(f, text, &again) && again == expected);
	cb_field_decode(f, expected, text);
	if (f->names != NULL && strcmp(text, "not assigned") != 0 &&
	    strstr(text, "0x") == NULL)
		CHECK(cb_field_parse(f, text, &again) && again == expected);
	cb_field_expected(f, text);
	CHECK(strlen(text) < CB_FIELD_TEXT - 1);
}

/* In the place of a program: its operands are assignments. */
static int
assign(int argc, char *argv[])
{
	struct changes c = parse_assignments(argv + 1);
	struct cb_vmclock_abi abi = { 0 };

	(void)argc;
	put(&abi, "size", sizeof(abi));
	apply(&c, &abi, "device");
	for (size_t i = 0; i < CB_FIELDS; i++)
		if (c.given[i])
			check_field(&cb_fields[i], &abi, c.value[i]);
	return CB_EXIT_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz f = { data, size };

	if (end_run(&f, assign) != CB_EXIT_OK) {
		CHECK(end_status == CB_EXIT_UNUSABLE);
		CHECK(end_words[0] != '\0');
	}
	return 0;
}
