/* SPDX-License-Identifier: ISC */
/*
 * The fields of a VMClock, by the names that its ABI has for them: text goes
 * in and numbers come out, and the other way.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cb-vmclock.h"
#include "counter.h"
#include "system.h"

static const struct cb_field_name counter_ids[] = {
	{ CB_COUNTER_ARM_VCNT, "arm_vcnt" },
	{ CB_COUNTER_X86_TSC, "x86_tsc" },
	{ CB_COUNTER_INVALID, "invalid" },
	{ 0, NULL }
};

static const struct cb_field_name time_types[] = {
	{ CB_VMCLOCK_UTC, "utc" },
	{ CB_VMCLOCK_TAI, "tai" },
	{ CB_VMCLOCK_MONOTONIC, "monotonic" },
	{ 3, "invalid_smeared" },
	{ 4, "invalid_maybe_smeared" },
	{ 0, NULL }
};

static const struct cb_field_name flags[] = {
	{ CB_VMCLOCK_TAI_OFFSET_VALID, "tai_offset_valid" },
	{ CB_VMCLOCK_DISRUPTION_SOON, "disruption_soon" },
	{ CB_VMCLOCK_DISRUPTION_IMMINENT, "disruption_imminent" },
	{ CB_VMCLOCK_PERIOD_ESTERROR_VALID, "period_esterror_valid" },
	{ CB_VMCLOCK_PERIOD_MAXERROR_VALID, "period_maxerror_valid" },
	{ CB_VMCLOCK_TIME_ESTERROR_VALID, "time_esterror_valid" },
	{ CB_VMCLOCK_TIME_MAXERROR_VALID, "time_maxerror_valid" },
	{ CB_VMCLOCK_TIME_MONOTONIC, "time_monotonic" },
	{ CB_VMCLOCK_VM_GEN_COUNTER_PRESENT, "vm_gen_counter_present" },
	{ CB_VMCLOCK_NOTIFICATION_PRESENT, "notification_present" },
	{ 0, NULL }
};

static const struct cb_field_name statuses[] = {
	{ CB_VMCLOCK_UNKNOWN, "unknown" },
	{ CB_VMCLOCK_INITIALIZING, "initializing" },
	{ CB_VMCLOCK_SYNCHRONIZED, "synchronized" },
	{ CB_VMCLOCK_FREERUNNING, "freerunning" },
	{ CB_VMCLOCK_UNRELIABLE, "unreliable" },
	{ 0, NULL }
};

static const struct cb_field_name smearing_hints[] = {
	{ 0, "strict" },
	{ 1, "noon_linear" },
	{ 2, "utc_sls" },
	{ 0, NULL }
};

static const struct cb_field_name leap_indicators[] = {
	{ 0, "none" },
	{ 1, "pre_pos" },
	{ 2, "pre_neg" },
	{ 3, "pos" },
	{ 4, "post_pos" },
	{ 5, "post_neg" },
	{ 0, NULL }
};

#define FIELD(name, kind, names) \
	{ #name, offsetof(struct cb_vmclock_abi, name), \
	    sizeof(((struct cb_vmclock_abi *)0)->name), kind, names }
#define NUMBER(name)		FIELD(name, CB_FIELD_NUMBER, NULL)
#define NAMED(name, names)	FIELD(name, CB_FIELD_NAME, names)

const struct cb_field cb_fields[CB_FIELDS + 1] = {
	FIELD(magic, CB_FIELD_HEX, NULL),
	NUMBER(size),
	NUMBER(version),
	NAMED(counter_id, counter_ids),
	NAMED(time_type, time_types),
	NUMBER(seq_count),
	NUMBER(disruption_marker),
	FIELD(flags, CB_FIELD_FLAGS, flags),
	NAMED(clock_status, statuses),
	NAMED(leap_second_smearing_hint, smearing_hints),
	FIELD(tai_offset_sec, CB_FIELD_SIGNED, NULL),
	NAMED(leap_indicator, leap_indicators),
	NUMBER(counter_period_shift),
	NUMBER(counter_value),
	NUMBER(counter_period_frac_sec),
	NUMBER(counter_period_esterror_rate_frac_sec),
	NUMBER(counter_period_maxerror_rate_frac_sec),
	NUMBER(time_sec),
	NUMBER(time_frac_sec),
	NUMBER(time_esterror_nanosec),
	NUMBER(time_maxerror_nanosec),
	NUMBER(vm_generation_counter),
	{ NULL, 0, 0, CB_FIELD_NUMBER, NULL }
};

const struct cb_field *
cb_field_find(const char *name, size_t len)
{
	for (const struct cb_field *f = cb_fields; f->name != NULL; f++)
		if (strlen(f->name) == len && memcmp(f->name, name, len) == 0)
			return f;
	return NULL;
}

uint64_t
cb_field_get(const struct cb_field *f, const struct cb_vmclock_abi *abi)
{
	uint64_t value = 0;

	memcpy(&value, (const uint8_t *)abi + f->offset, f->size);
	value = le64toh(value);
	if (f->kind == CB_FIELD_SIGNED)
		return (uint64_t)(int64_t)(int16_t)value;
	return value;
}

void
cb_field_put(const struct cb_field *f, struct cb_vmclock_abi *abi,
    uint64_t value)
{
	value = htole64(value);
	memcpy((uint8_t *)abi + f->offset, &value, f->size);
}

bool
cb_field_is_within(const struct cb_field *f, uint32_t size)
{
	return f->offset + f->size <= size;
}

static uint64_t
max_of(const struct cb_field *f)
{
	if (f->kind == CB_FIELD_SIGNED)
		return INT16_MAX;
	return UINT64_MAX >> (64 - 8 * f->size);
}

/* Decimal, or hexadecimal after 0x; no sign, no blanks, all of the text. */
static bool
parse_unsigned(const char *text, uint64_t max, uint64_t *value)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;

	if (*digits == '\0' || digits[strspn(digits, hex ?
	    "0123456789abcdefABCDEF" : "0123456789")] != '\0')
		return false;
	errno = 0;
	*value = strtoull(digits, NULL, hex ? 16 : 10);
	return errno == 0 && *value <= max;
}

static bool
parse_signed(const char *text, uint64_t *value)
{
	if (*text != '-')
		return parse_unsigned(text, INT16_MAX, value);
	if (!parse_unsigned(text + 1, -(int64_t)INT16_MIN, value))
		return false;
	*value = -*value;
	return true;
}

static bool
parse_name(const struct cb_field_name *names, const char *text, size_t len,
    uint64_t *value)
{
	for (; names->name != NULL; names++)
		if (strlen(names->name) == len &&
		    memcmp(names->name, text, len) == 0) {
			*value = names->value;
			return true;
		}
	return false;
}

/* Names with commas in between. */
static bool
parse_flags(const struct cb_field_name *names, const char *text,
    uint64_t *value)
{
	uint64_t bit;
	size_t len;

	*value = 0;
	if (strcmp(text, "none") == 0)
		return true;
	for (;; text += len + 1) {
		len = strcspn(text, ",");
		if (!parse_name(names, text, len, &bit))
			return false;
		*value |= bit;
		if (text[len] == '\0')
			return true;
	}
}

bool
cb_field_parse(const struct cb_field *f, const char *text, uint64_t *value)
{
	if (f->kind == CB_FIELD_SIGNED)
		return parse_signed(text, value);
	if (parse_unsigned(text, max_of(f), value))
		return true;
	if (f->kind == CB_FIELD_NAME)
		return parse_name(f->names, text, strlen(text), value);
	return f->kind == CB_FIELD_FLAGS &&
	    parse_flags(f->names, text, value);
}

static void
append(char text[CB_FIELD_TEXT], const char *more)
{
	size_t len = strlen(text);

	snprintf(text + len, CB_FIELD_TEXT - len, "%s", more);
}

void
cb_field_expected(const struct cb_field *f, char text[CB_FIELD_TEXT])
{
	snprintf(text, CB_FIELD_TEXT, "a number from %d to %" PRIu64,
	    f->kind == CB_FIELD_SIGNED ? INT16_MIN : 0, max_of(f));
	if (f->kind == CB_FIELD_NAME)
		append(text, ", or one of");
	else if (f->kind == CB_FIELD_FLAGS)
		append(text, ", none, or with commas in between");
	else
		return;
	for (const struct cb_field_name *n = f->names; n->name != NULL; n++) {
		append(text, " ");
		append(text, n->name);
	}
}

const char *
cb_field_name_of(const struct cb_field_name *names, uint64_t value)
{
	for (; names->name != NULL; names++)
		if (names->value == value)
			return names->name;
	return NULL;
}

void
cb_field_format(const struct cb_field *f, uint64_t value,
    char text[CB_FIELD_TEXT])
{
	if (f->kind == CB_FIELD_SIGNED)
		snprintf(text, CB_FIELD_TEXT, "%" PRId64, (int64_t)value);
	else if (f->kind == CB_FIELD_HEX || f->kind == CB_FIELD_FLAGS)
		snprintf(text, CB_FIELD_TEXT, "0x%" PRIx64, value);
	else
		snprintf(text, CB_FIELD_TEXT, "%" PRIu64, value);
}

/* Bits without a name are shown as a number. */
static void
decode_flags(const struct cb_field *f, uint64_t value,
    char text[CB_FIELD_TEXT])
{
	const char *comma = "";
	char rest[32];

	*text = '\0';
	for (const struct cb_field_name *n = f->names; n->name != NULL; n++) {
		if ((value & n->value) == 0)
			continue;
		append(text, comma);
		append(text, n->name);
		value &= ~n->value;
		comma = ",";
	}
	snprintf(rest, sizeof(rest), "%s0x%" PRIx64, comma, value);
	if (value != 0)
		append(text, rest);
	else if (*comma == '\0')
		append(text, "none");
}

void
cb_field_decode(const struct cb_field *f, uint64_t value,
    char text[CB_FIELD_TEXT])
{
	const char *name = NULL;

	if (f->kind == CB_FIELD_FLAGS) {
		decode_flags(f, value, text);
		return;
	}
	if (f->kind == CB_FIELD_NAME) {
		name = cb_field_name_of(f->names, value);
		if (name == NULL)
			name = "not assigned";
	}
	snprintf(text, CB_FIELD_TEXT, "%s", name == NULL ? "" : name);
}
