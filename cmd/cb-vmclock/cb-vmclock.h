/* SPDX-License-Identifier: ISC */
/*
 * cb-vmclock(1): one table of the device's fields, and the commands on it.
 */
#ifndef CB_VMCLOCK_CMD_H
#define CB_VMCLOCK_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmclock.h"

/* The exit codes are an interface: cb-vmclock(1). */
enum {
	CB_EXIT_OK = 0,
	CB_EXIT_TIMEOUT = 1,
	CB_EXIT_UNUSABLE = 2	/* usage, path, or standard output */
};

/*
 * field.c
 *
 * The table: text and numbers.
 */
enum cb_field_kind {
	CB_FIELD_NUMBER,
	CB_FIELD_HEX,		/* a number, shown in hexadecimal */
	CB_FIELD_SIGNED,
	CB_FIELD_NAME,		/* a number that may have a name */
	CB_FIELD_FLAGS		/* bits that may have names */
};

struct cb_field_name {
	uint64_t value;		/* of flags: the bit */
	const char *name;	/* NULL: the end */
};

struct cb_field {
	const char *name;	/* the ABI's; NULL: the end */
	size_t offset;
	size_t size;
	enum cb_field_kind kind;
	const struct cb_field_name *names;
};

#define CB_FIELDS	22

extern const struct cb_field cb_fields[CB_FIELDS + 1];

/* Long enough for every text that these make. */
#define CB_FIELD_TEXT	512

const struct cb_field *cb_field_find(const char *name, size_t len);
/* A signed one is extended to 64 bits. */
uint64_t cb_field_get(const struct cb_field *, const struct cb_vmclock_abi *);
void cb_field_put(const struct cb_field *, struct cb_vmclock_abi *,
    uint64_t value);
/* Does a device of this size have it? */
bool cb_field_is_within(const struct cb_field *, uint32_t size);
bool cb_field_parse(const struct cb_field *, const char *text,
    uint64_t *value);
/* What parse takes, in words. */
void cb_field_expected(const struct cb_field *, char text[CB_FIELD_TEXT]);
/* NULL: none. */
const char *cb_field_name_of(const struct cb_field_name *, uint64_t value);
void cb_field_format(const struct cb_field *, uint64_t value,
    char text[CB_FIELD_TEXT]);
/* The name or names, or what stands for them. */
void cb_field_decode(const struct cb_field *, uint64_t value,
    char text[CB_FIELD_TEXT]);

/*
 * The commands: their exit status comes out.
 */
struct cb_options {
	bool json;		/* these with -1 where they are not given: */
	int64_t count;
	int64_t timeout_ns;
	int64_t for_ns;
};

/* What a command works on: its path, and FIELD=VALUE up to a NULL. */
struct cb_operands {
	const char *path;
	char **assignments;
};

int cb_show(const struct cb_options *, const struct cb_operands *);
int cb_create(const struct cb_options *, const struct cb_operands *);
int cb_set(const struct cb_options *, const struct cb_operands *);
int cb_disrupt(const struct cb_options *, const struct cb_operands *);
int cb_watch(const struct cb_options *, const struct cb_operands *);

/*
 * cb-vmclock.c
 */
/* One line that says what is wrong with the path, and exit. */
_Noreturn void cb_fail_path(const char *path, int error);
/* What was printed has arrived, or exit. */
void cb_finish_output(void);

#endif
