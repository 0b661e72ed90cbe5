/* SPDX-License-Identifier: ISC */
/*
 * Simulated devices: assignments go in, a file with these fields comes out.
 * Everything is checked before anything is written.
 */
#include <sys/select.h>

#include <err.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "cb-vmclock.h"
#include "counter.h"
#include "ts.h"

struct changes {
	bool given[CB_FIELDS];
	uint64_t value[CB_FIELDS];
};

static void
parse_assignment(struct changes *c, const char *text)
{
	size_t len = strcspn(text, "=");
	const struct cb_field *f = cb_field_find(text, len);
	char expected[CB_FIELD_TEXT];
	size_t i;

	if (text[len] != '=')
		errx(CB_EXIT_UNUSABLE, "%s: expected FIELD=VALUE", text);
	if (f == NULL)
		errx(CB_EXIT_UNUSABLE, "%s: no such field; cb-vmclock --help "
		    "names them", text);
	i = (size_t)(f - cb_fields);
	if (c->given[i])
		errx(CB_EXIT_UNUSABLE, "%s: %s is given twice", text,
		    f->name);
	c->given[i] = true;
	if (!cb_field_parse(f, text + len + 1, &c->value[i])) {
		cb_field_expected(f, expected);
		errx(CB_EXIT_UNUSABLE, "%s: expected %s", text, expected);
	}
}

static struct changes
parse_assignments(char *const assignments[])
{
	struct changes c = { .given = { false } };

	for (; *assignments != NULL; assignments++)
		parse_assignment(&c, *assignments);
	return c;
}

static uint64_t
get(const struct cb_vmclock_abi *abi, const char *name)
{
	return cb_field_get(cb_field_find(name, strlen(name)), abi);
}

static void
put(struct cb_vmclock_abi *abi, const char *name, uint64_t value)
{
	cb_field_put(cb_field_find(name, strlen(name)), abi, value);
}

static bool
is_given(const struct changes *c, const char *name)
{
	return c->given[cb_field_find(name, strlen(name)) - cb_fields];
}

/* What would be lost is an error.  No device is too small to be tried. */
static void
apply(const struct changes *c, struct cb_vmclock_abi *abi, const char *path)
{
	uint32_t size;

	for (size_t i = 0; i < CB_FIELDS; i++)
		if (c->given[i])
			cb_field_put(&cb_fields[i], abi, c->value[i]);
	size = (uint32_t)get(abi, "size");
	for (size_t i = 0; i < CB_FIELDS; i++)
		if (c->given[i] && size >= CB_VMCLOCK_MIN_SIZE &&
		    !cb_field_is_within(&cb_fields[i], size))
			errx(CB_EXIT_UNUSABLE, "%s: %s=%" PRIu64 ": beyond "
			    "the device's size, %" PRIu32 "; expected size "
			    "112 or more", path, cb_fields[i].name,
			    c->value[i], size);
}

static void
open_writer(struct cb_vmclock_writer *w, const char *path,
    struct cb_vmclock_abi *abi)
{
	if (!cb_vmclock_write_open(w, path))
		cb_fail_path(path, errno);
	cb_vmclock_write_peek(w, abi);
}

static void
write_and_close(struct cb_vmclock_writer *w, const char *path,
    const struct cb_vmclock_abi *abi, bool set_seq)
{
	if (!cb_vmclock_write(w, abi, set_seq))
		cb_fail_path(path, errno);
	cb_vmclock_write_close(w);
}

/*
 * What a hypervisor without a clock of its own gives: a marker, no time.  It
 * was written once: readers of ClockBound's own never look at one that was not.
 */
int
cb_create(const struct cb_options *o, const struct cb_operands *w)
{
	struct changes c = parse_assignments(w->assignments);
	struct cb_vmclock_abi abi = { 0 };

	(void)o;
	put(&abi, "magic", CB_VMCLOCK_MAGIC);
	put(&abi, "size", sizeof(abi));
	put(&abi, "version", CB_VMCLOCK_VERSION);
	put(&abi, "counter_id", CB_COUNTER_INVALID);
	put(&abi, "seq_count", 2);
	put(&abi, "disruption_marker", 1);
	apply(&c, &abi, w->path);
	if (!cb_vmclock_create(w->path, &abi))
		cb_fail_path(w->path, errno);
	return CB_EXIT_OK;
}

int
cb_set(const struct cb_options *o, const struct cb_operands *w)
{
	struct changes c = parse_assignments(w->assignments);
	struct cb_vmclock_writer writer;
	struct cb_vmclock_abi abi;

	(void)o;
	open_writer(&writer, w->path, &abi);
	apply(&c, &abi, w->path);
	write_and_close(&writer, w->path, &abi, is_given(&c, "seq_count"));
	return CB_EXIT_OK;
}

static volatile sig_atomic_t stopped_by;

static void
on_signal(int signo)
{
	stopped_by = signo;
}

static const int stop_signals[] = { SIGHUP, SIGINT, SIGTERM };

/* Held back from here on, but while we wait. */
static void
hold_signals(sigset_t *old)
{
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t held;

	sigemptyset(&held);
	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < 3; i++) {
		sigaddset(&held, stop_signals[i]);
		sigaction(stop_signals[i], &sa, NULL);
	}
	sigprocmask(SIG_BLOCK, &held, old);
	for (size_t i = 0; i < 3; i++)
		sigdelset(old, stop_signals[i]);
}

static void
wait_for(int64_t ns, const sigset_t *mask)
{
	struct timespec ts = {
		.tv_sec = (time_t)(ns / CB_NS_PER_S),
		.tv_nsec = (long)(ns % CB_NS_PER_S)
	};

	pselect(0, NULL, NULL, NULL, &ts, mask);
}

/* Whoever has said something else in the meantime is right. */
static void
restore_status(const char *path, uint64_t status)
{
	struct cb_vmclock_writer writer;
	struct cb_vmclock_abi abi;

	open_writer(&writer, path, &abi);
	if (abi.clock_status == CB_VMCLOCK_UNRELIABLE) {
		put(&abi, "clock_status", status);
		write_and_close(&writer, path, &abi, false);
	}
}

/* As if a signal had ended us at once: so says the exit status. */
static void
die_of_signal(const sigset_t *mask)
{
	signal((int)stopped_by, SIG_DFL);
	raise((int)stopped_by);
	sigprocmask(SIG_SETMASK, mask, NULL);
}

int
cb_disrupt(const struct cb_options *o, const struct cb_operands *w)
{
	struct cb_vmclock_writer writer;
	struct cb_vmclock_abi abi;
	struct cb_vmclock v;
	sigset_t mask;

	if (o->for_ns != -1)
		hold_signals(&mask);
	open_writer(&writer, w->path, &abi);
	cb_vmclock_decode(&abi, &v);
	put(&abi, "disruption_marker", v.disruption_marker + 1);
	if (v.has_generation)
		put(&abi, "vm_generation_counter",
		    v.vm_generation_counter + 1);
	if (o->for_ns != -1)
		put(&abi, "clock_status", CB_VMCLOCK_UNRELIABLE);
	write_and_close(&writer, w->path, &abi, false);
	if (o->for_ns == -1)
		return CB_EXIT_OK;
	wait_for(o->for_ns, &mask);
	restore_status(w->path, v.clock_status);
	if (stopped_by != 0)
		die_of_signal(&mask);
	return CB_EXIT_OK;
}
