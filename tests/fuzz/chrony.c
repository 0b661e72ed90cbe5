/* SPDX-License-Identifier: ISC */
/*
 * What chronyd replies, while clocks go on or are set: the daemon's own
 * questions, its estimate, and what of that is published.  Datagrams and clocks
 * come from the input; whether they are replies at all does, too.
 */
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <unistd.h>

#include "../../cmd/cb-daemon/cb-daemon.h"
#include "fuzz.h"
#include "system.h"

static struct fuzz input;
static struct cb_instant now;
static uint8_t request[CB_CHRONY_MAX_LEN];

/*
 * The system.
 */

static ssize_t
fake_send(int fd, const void *bytes, size_t len, int flags)
{
	(void)fd, (void)flags;
	if (fuzz_byte(&input) == 0xff) {
		errno = ECONNREFUSED;
		return -1;
	}
	memcpy(request, bytes, len);
	return (ssize_t)len;
}

/* The header of the reply that is waited for. */
static void
make_header(uint8_t *reply, size_t *len)
{
	uint16_t command = (uint16_t)(request[4] << 8 | request[5]);
	struct cb_chrony_request rq;

	cb_chrony_encode(&rq, (enum cb_chrony_command)command, 0, 0);
	*len = rq.reply_len;
	reply[0] = 6;
	reply[1] = 2;
	memcpy(reply + 4, request + 4, 2);
	reply[6] = (uint8_t)(rq.reply_type >> 8);
	reply[7] = (uint8_t)rq.reply_type;
	memset(reply + 8, 0, 2);
	memcpy(reply + 16, request + 8, 4);
}

static ssize_t
fake_recv(int fd, void *buf, size_t size, int flags)
{
	uint8_t kind = fuzz_byte(&input), *reply = buf;
	size_t len = kind % 128;

	(void)fd, (void)flags;
	if (input.left == 0 || kind == 0xff) {
		errno = EAGAIN;
		return -1;
	}
	if (len > size)
		len = size;
	fuzz_take(&input, reply, size);
	if (kind < 128)
		make_header(reply, &len);
	/* Refused. */
	if (kind > 120 && kind < 128)
		reply[9] = kind - 120;
	return (ssize_t)len;
}

static mode_t
fake_umask(mode_t mask)
{
	return mask;
}

static int
fake_call(void)
{
	return 0;
}

#define send			fake_send
#define recv			fake_recv
#define bind(...)		fake_call()
#define connect(...)		fake_call()
#define setsockopt(fd, level, name, value, size) \
				((void)(value), fake_call())
#define umask			fake_umask
#define unlink(...)		fake_call()
#define close(...)		fake_call()
#define cb_system_socket(...)	fake_call()
#define cb_ts_clock(id)		cb_clocks_mono()
#include "../../lib/chrony_socket.c"

/*
 * The clocks: those that nobody sets go on.
 */

static void
pass(int64_t ns)
{
	now.raw_lo += ns;
	now.as_of += ns;
	now.real += ns;
}

int64_t
cb_clocks_mono(void)
{
	return now.raw_lo;
}

int64_t
cb_clocks_steer(void)
{
	return 0;
}

/* No kernel lets the clock be set to a time that its nanoseconds leave. */
#define LAST_REAL	INT64_C(8277292036000000000)
#define YEAR		(INT64_C(365) * 86400 * CB_NS_PER_S)

void
cb_clocks_read(struct cb_instant *i)
{
	uint8_t what = fuzz_byte(&input);

	pass(what % 8 == 7 ? fuzz_upto(&input, YEAR / 100) : 50 * what);
	if (what / 8 == 31)
		now.real = fuzz_upto(&input, LAST_REAL);
	else if (what / 8 == 30)
		now.real += fuzz_upto(&input, CB_NS_PER_S) - CB_NS_PER_S / 2;
	if (now.real < 0 || now.real > LAST_REAL)
		now.real = 0;
	now.raw_hi = now.raw_lo + what;
	now.counter += 1000 * (uint64_t)what;
	*i = now;
	now.raw_lo = now.raw_hi;
}

/*
 * What is promised.
 */

static void
check_interval(const struct cb_interval *i)
{
	CHECK(i->lo <= i->hi);
	CHECK(i->raw <= now.raw_hi);
}

static void
check_estimate(const struct cb_estimate *e)
{
	CHECK(e->n_known <= CB_MAX_SOURCES);
	CHECK(e->drift_ppb >= e->max_drift_ppb);
	CHECK(e->slew_ppb >= 0 && e->correction_ns >= 0);
	for (size_t i = 0; i < e->n_known; i++)
		if (e->known[i].has_interval) {
			struct cb_interval at = cb_estimate_known_at(e,
			    &e->known[i], now.raw_hi);

			check_interval(&e->known[i].ends.interval);
			check_interval(&at);
		}
	if (e->has_interval)
		check_interval(&e->interval);
	if (e->has_cooked)
		CHECK(e->cooked.lo <= e->cooked.hi);
}

static void
check_budget(const struct cb_daemon *d)
{
	struct cb_budget parts;

	CHECK(d->bound.distance_ns >= 0);
	CHECK(d->bound.bound_ns > d->bound.distance_ns &&
	    d->bound.bound_ns <= CB_SHM_UNKNOWN_BOUND_NS);
	if (!cb_publish_budget(&d->estimate, &d->bound, &parts))
		return;
	CHECK(parts.offset_ns + parts.drift_ns + parts.measured->err_ns +
	    parts.measured->phc_err_ns + parts.measured->reading_ns +
	    parts.measured->leap_ns == d->bound.distance_ns);
}

/* Readers take what was published for what it is. */
static void
check_published(const struct cb_daemon *d, bool bound)
{
	struct cb_shm_bound b;
	struct cb_shm_v2 v2;
	struct cb_shm_v3 v3 = {
		.clock_status = CLOCKBOUND_STA_SYNCHRONIZED
	};

	cb_publish_v3(&d->estimate, &d->period, &d->sample.after, &v3);
	CHECK(cb_shm_read_parse_v3(&v3, &b) == CLOCKBOUND_ERR_NONE);
	CHECK(d->estimate.has_interval || !cb_shm_is_trusted(b.status));
	if (!bound)
		return;
	cb_publish_v2(&d->bound, CLOCKBOUND_STA_SYNCHRONIZED, false, 0, &v2);
	CHECK(cb_shm_read_parse(&v2, &b) == CLOCKBOUND_ERR_NONE);
	CHECK(b.bound_ns >= d->bound.bound_ns);
}

static void
tick(struct cb_daemon *d)
{
	struct cb_sample *s = &d->sample;
	bool bound;

	d->source->sample(d);
	CHECK(s->n_sources <= CB_MAX_SOURCES);
	CHECK((s->input == CB_INPUT_MISSING) == (d->trouble[0] != '\0'));
	d->trouble[0] = '\0';
	cb_period_update(&d->period, &s->before);
	bound = d->source->bound(d);
	check_estimate(&d->estimate);
	check_published(d, bound);
	if (bound && strcmp(d->source->name, "chrony") == 0)
		check_budget(d);
}

/* Between ticks: what befalls the clocks. */
static void
befall(struct cb_daemon *d, uint8_t what)
{
	pass(fuzz_upto(&input, YEAR / 10));
	cb_clocks_read(&d->sample.before);
	if ((what & 1) != 0)
		cb_estimate_settle(&d->estimate);
	if ((what & 2) != 0)
		cb_estimate_settle_refclocks(&d->estimate);
	if ((what & 4) != 0)
		cb_estimate_leap(&d->estimate);
	if ((what & 8) != 0)
		cb_estimate_step(&d->estimate, &d->sample.before);
	if ((what & 16) != 0)
		cb_estimate_forget(&d->estimate);
	d->estimate.holding = (what & 32) != 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cb_daemon d;
	uint8_t options;

	input = (struct fuzz){ data, size };
	options = fuzz_byte(&input);
	now = (struct cb_instant){ .as_of = CB_NS_PER_S,
		.raw_lo = CB_NS_PER_S,
		.real = INT64_C(1700000000) * CB_NS_PER_S };
	memset(&d, 0, sizeof(d));
	d.options.chrony_socket = "/chronyd.sock";
	d.options.interval_ns = CB_NS_PER_S / 10;
	d.chrony.fd = d.phc.fd = -1;
	d.selected = -1;
	d.tick_ns = 4000000;
	d.source = cb_source_find((options & 1) != 0 ? "chrony-tracking" :
	    "chrony");
	cb_estimate_init(&d.estimate, 1000 * (1 + (options >> 1) * 7));
	if ((options & 2) != 0)
		cb_estimate_believe(&d.estimate,
		    1 + fuzz_upto(&input, 10000000 - 1));
	for (int i = 0; i < 16 && input.left > 0; i++) {
		tick(&d);
		befall(&d, fuzz_byte(&input));
	}
	cb_source_close(&d);
	return 0;
}
