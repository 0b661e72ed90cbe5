/* SPDX-License-Identifier: ISC */
/*
 * A VMClock's path goes in; a line for each change that matters to a clock
 * comes out.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cb-vmclock.h"
#include "stamp.h"
#include "ts.h"

/* From look to look; and where the device notifies, for another one. */
#define LOOK_MS		10
#define NOTIFIED_MS	1000

struct watch {
	const char *path;
	struct cb_vmclock_file file;
	int fd;			/* that notifies; -1: look now and then */
	int64_t end_mono;	/* INT64_MAX: never */
	struct cb_vmclock_abi last;
};

static int64_t
mono_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return cb_ts_ns(&ts);
}

/* What a write may change that disturbs a clock, or foretells it. */
static const char *const watched[] = {
	"disruption_marker", "flags", "clock_status", "vm_generation_counter"
};

#define WATCHED	(sizeof(watched) / sizeof(watched[0]))

static bool
has_generation(const struct cb_vmclock_abi *abi)
{
	struct cb_vmclock v;

	cb_vmclock_decode(abi, &v);
	return v.has_generation;
}

static void
format_state(const struct cb_field *f, const struct cb_vmclock_abi *abi,
    char text[CB_FIELD_TEXT])
{
	uint64_t value = cb_field_get(f, abi);

	if (strcmp(f->name, "vm_generation_counter") == 0 &&
	    !has_generation(abi))
		strlcpy(text, "none", CB_FIELD_TEXT);
	else if (f->names == NULL || (f->kind == CB_FIELD_NAME &&
	    cb_field_name_of(f->names, value) == NULL))
		cb_field_format(f, value, text);
	else
		cb_field_decode(f, value, text);
}

static void
print_date(void)
{
	struct timespec ts;
	char date[CB_STAMP_TEXT];

	clock_gettime(CLOCK_REALTIME, &ts);
	cb_stamp_format_date(&ts, 6, date);
	fputs(date, stdout);
}

/* One line for all that has changed, if anything has. */
static bool
print_changes(const struct cb_vmclock_abi *from,
    const struct cb_vmclock_abi *to)
{
	char was[CB_FIELD_TEXT], is[CB_FIELD_TEXT];
	bool changed = false;

	for (size_t i = 0; i < WATCHED; i++) {
		const struct cb_field *f = cb_field_find(watched[i],
		    strlen(watched[i]));

		format_state(f, from, was);
		format_state(f, to, is);
		if (strcmp(was, is) == 0)
			continue;
		if (!changed)
			print_date();
		printf("%s %s %s -> %s", changed ? "," : "", f->name, was,
		    is);
		changed = true;
	}
	if (changed)
		putchar('\n');
	return changed;
}

/* Another device or file may have come to go by the name. */
static bool
follow(struct watch *w)
{
	if (cb_vmclock_is_current(&w->file, w->path))
		return true;
	cb_vmclock_notify_close(&w->fd);
	cb_vmclock_close(&w->file);
	if (!cb_vmclock_open(&w->file, w->path))
		return false;
	w->fd = cb_vmclock_notify_open(w->path);
	return true;
}

static void
start(struct watch *w)
{
	uint64_t unused;

	if (!follow(w) || !cb_vmclock_read_abi(w->file.page,
	    CB_VMCLOCK_WAIT_NS, &w->last, &unused))
		cb_fail_path(w->path, errno);
}

/* What is gone, or being written, is looked at again next time. */
static bool
has_changed(struct watch *w)
{
	struct cb_vmclock_abi abi;
	uint64_t unused;
	bool changed;

	if (!follow(w) ||
	    !cb_vmclock_read_abi(w->file.page, 0, &abi, &unused)) {
		if (errno != ENOENT && errno != CB_VMCLOCK_ETORN)
			cb_fail_path(w->path, errno);
		return false;
	}
	changed = print_changes(&w->last, &abi);
	w->last = abi;
	return changed;
}

/* In milliseconds, rounded up. */
static int
time_left(const struct watch *w, int most_ms)
{
	int64_t ms;

	if (w->end_mono == INT64_MAX)
		return most_ms;
	ms = (cb_ts_max(w->end_mono - mono_now(), 0) + 999999) / 1000000;
	return (int)cb_ts_min(ms, most_ms);
}

/* Until the device notifies, or it is time to look. */
static void
wait_for_change(struct watch *w)
{
	struct pollfd pfd = { .fd = w->fd, .events = POLLIN };

	if (poll(&pfd, 1, time_left(w, w->fd == -1 ? LOOK_MS :
	    NOTIFIED_MS)) > 0)
		cb_vmclock_notify_rearm(&w->fd);
}

int
cb_watch(const struct cb_options *o, const struct cb_operands *words)
{
	struct watch w = {
		.path = words->path, .fd = -1, .end_mono = INT64_MAX
	};
	int64_t seen = 0;

	if (o->timeout_ns != -1)
		w.end_mono = mono_now() + o->timeout_ns;
	start(&w);
	for (;;) {
		if (has_changed(&w)) {
			cb_finish_output();
			if (++seen == o->count)
				return CB_EXIT_OK;
		}
		if (mono_now() >= w.end_mono)
			return CB_EXIT_TIMEOUT;
		wait_for_change(&w);
	}
}
