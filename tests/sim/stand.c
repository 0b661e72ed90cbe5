/* SPDX-License-Identifier: ISC */
/*
 * What stands in for clocks.c, chrony_socket.c and log.c: the daemon's own
 * questions go in, and the world answers, while time goes by in it.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tally.h"

/* Others run meanwhile; or it is stopped in the middle of what it does. */
static int64_t
be_held_up(void)
{
	return between(0, is_on(LATE) && one_in(16) ? 3 * S : MS);
}

static int64_t
look(fix clock_of(const struct clocks *))
{
	struct clocks c;

	draw_from(QUESTIONS);
	pass(one_in(2000) ? be_held_up() : between(15, 40));
	c = clocks_at(w.now_ns);
	return to_ns(clock_of(&c));
}

static fix
raw_of(const struct clocks *c)
{
	return w.steer_ppb != 0 ? c->mono : c->raw;
}

static fix
real_of(const struct clocks *c)
{
	return c->real;
}

static fix
mono_of(const struct clocks *c)
{
	return c->mono;
}

void
cb_clocks_read(struct cb_instant *i)
{
	struct clocks c;

	i->as_of = look(coarse_of);
	i->asleep = w.asleep_ns;
	i->raw_lo = look(raw_of);
	(void)look(raw_of);
	c = clocks_at(w.now_ns);
	i->counter = counter_at(&c);
	i->real = look(real_of);
	i->raw_hi = look(raw_of);
	/* Stopped for good: from this reading on there is nothing untold. */
	if (w.dead)
		w.untold = false;
}

int64_t
cb_clocks_tick(void)
{
	return COARSE_TICK;
}

int64_t
cb_clocks_mono(void)
{
	return look(mono_of);
}

int64_t
cb_clocks_steer(void)
{
	return w.steer_ppb;
}

bool
cb_clocks_tell_sleep(void)
{
	return true;
}

int
cb_clocks_open_steps(void)
{
	return 0;
}

/* Whoever is told that it was set reads the clock again. */
bool
cb_clocks_was_stepped(int fd)
{
	bool was = w.stepped;

	(void)fd;
	if (was)
		w.jumped = false;
	w.stepped = w.moved = w.slept = false;
	return was;
}

bool
cb_clocks_source(char *name, size_t size)
{
	snprintf(name, size, w.other_clocksource ? "other" : "model");
	return w.steer_ppb == 0;
}

bool
cb_clocks_is_counter(const char *name)
{
	return strcmp(name, "model") == 0;
}

bool
cb_chrony_open(struct cb_chrony *c, const char *path, const char **what)
{
	(void)path, (void)what;
	c->fd = 0;
	return true;
}

void
cb_chrony_close(struct cb_chrony *c)
{
	c->fd = -1;
}

static void
put(uint8_t *p, size_t bytes, uint64_t v)
{
	while (bytes-- > 0) {
		p[bytes] = (uint8_t)v;
		v >>= 8;
	}
}

/* Rounded to the nearest of 24 bits. */
static void
put_float(uint8_t *p, double x)
{
	int exponent;
	int32_t coefficient;

	if (x == 0)
		return;
	x = frexp(x, &exponent);
	coefficient = (int32_t)(x * (1 << 24) + (x < 0 ? -0.5 : 0.5));
	if (coefficient == 1 << 24) {
		coefficient >>= 1;
		exponent++;
	}
	put(p, 4, (uint32_t)(exponent + 1) << 25 |
	    ((uint32_t)coefficient & 0x1ffffff));
}

static void
put_seconds(uint8_t *p, fix ns)
{
	put_float(p, (double)ns / 4294967296.0 / 1e9);
}

/* Of its own clock it says that it is perfect. */
static void
put_estimate(uint8_t *p)
{
	fix since = w.at.raw - w.update_raw;

	put_float(p + 88, (double)w.skew_ppb / 1000);
	if (w.local) {
		put(p + 28, 4, CB_CHRONY_REF_ID_LOCAL);
		return;
	}
	put_seconds(p + 92, FIX(w.root_delay_ns));
	/* maxclockerror, 1 ppm, is the rest of the rate. */
	put_seconds(p + 96, FIX(w.root_dispersion_ns) +
	    times(since, w.skew_ppb + 1000));
}

static void
tell_tracking(uint8_t *p)
{
	int64_t ref = to_ns(w.local ? w.at.cooked - FIX(S) : w.ref_time);
	bool synced = w.synced || w.local;

	put(p + 54, 2, !synced ? CB_CHRONY_LEAP_UNSYNCHRONISED :
	    !w.announces ? CB_CHRONY_LEAP_NORMAL : w.leap_by_ns < 0 ?
	    CB_CHRONY_LEAP_INSERT : CB_CHRONY_LEAP_DELETE);
	if (synced) {
		put(p + 56, 4, 0x7fffffff);
		put(p + 60, 4, (uint64_t)(ref / S));
		put(p + 64, 4, (uint64_t)(ref % S));
	}
	put_seconds(p + 68, w.at.cooked - w.at.real);
	put_float(p + 80, (double)w.freq_ppb / 1000);
	put_estimate(p);
	put_seconds(p + 100, FIX(w.update_interval_ns));
	w.untold = w.jumped = false;
	w.told_leap = synced && w.announces;
}

static void
tell_source(uint8_t *p, size_t index)
{
	const struct server *s = &w.servers[index];
	fix cooked = chronyd_cooked_then(&s->last);
	int64_t since = to_ns(w.at.cooked) / S - to_ns(cooked) / S;

	put(p + 28, 4, 0x7f000000 + s->id);
	put(p + 48, 2, (uint64_t)s->poll);
	put(p + 52, 2, (uint64_t)s->state);
	put(p + 54, 2, (uint64_t)s->mode);
	if (!s->last.has) {
		put(p + 60, 4, CB_CHRONY_NO_SAMPLE);
		return;
	}
	if (s->mode == CB_CHRONY_REFCLOCK && !w.old_refclock_age)
		since = to_ns(w.at.cooked - cooked) / S;
	put(p + 60, 4, (uint64_t)cb_ts_max(since, 0));
	put(p + 64, 4, s->last.orig);
	put_seconds(p + 68, cooked - s->last.server);
	put_seconds(p + 72, FIX(s->last.err_ns));
}

static void
answer(enum cb_chrony_command command, uint32_t index, uint8_t *reply,
    uint16_t *status)
{
	switch (command) {
	case CB_CHRONY_TRACKING:
		tell_tracking(reply);
		break;
	case CB_CHRONY_N_SOURCES:
		put(reply + 28, 4, w.n);
		break;
	case CB_CHRONY_RESET_SOURCES:
		chronyd_forget();
		break;
	case CB_CHRONY_BURST:
		for (size_t i = 0; i < w.n; i++)
			w.servers[i].poll_ns = w.now_ns + between(0, S);
		w.stale = true;
		break;
	case CB_CHRONY_SOURCE_DATA:
		if (index < w.n)
			tell_source(reply, index);
		else
			*status = CB_CHRONY_STATUS_NO_SOURCE;
		break;
	}
}

static void
travel(void)
{
	draw_from(QUESTIONS);
	pass(one_in(w.hold_ups) && is_on(UPDATE) ? between(0, 20 * MS) :
	    between(5 * US, 50 * US));
}

bool
cb_chrony_ask(struct cb_chrony *c, enum cb_chrony_command command,
    uint32_t index, int64_t timeout_ns, uint8_t reply[CB_CHRONY_MAX_LEN],
    uint16_t *status)
{
	(void)c;
	if (w.mute_until_ns > w.now_ns) {
		pass(timeout_ns);
		errno = ETIMEDOUT;
		return false;
	}
	travel();
	w.at = clocks_at(w.now_ns);
	memset(reply, 0, CB_CHRONY_MAX_LEN);
	*status = 0;
	draw_from(QUESTIONS);
	answer(command, index, reply, status);
	travel();
	return true;
}

void
cb_log_open(bool json)
{
	(void)json;
}

void
cb_log_info(const char *format, ...)
{
	(void)format;
}

void
cb_log_warn(const char *format, ...)
{
	if (strcmp(format, "%s") == 0) {
		va_list ap;

		va_start(ap, format);
		format = va_arg(ap, const char *);
		va_end(ap);
	}
	/* Where nobody lies, no assumption is ever broken. */
	if (!w.lies && !w.unannounced && !w.belied && w.unseen_ns == NEVER &&
	    strstr(format, "contradict") != NULL)
		tally_fail("%s", format);
}
