/* SPDX-License-Identifier: ISC */
/*
 * What the daemon knows goes in; one JSON object comes out for whoever
 * connects to a socket in the run directory, clockbound-observe(5).
 *
 * There is no state per connection.  Nothing is read, all is written at once
 * into the socket's buffer, and the connection closed: nobody can hold up the
 * daemon by being slow, or by being many.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "cb-daemon.h"
#include "system.h"
#include "ts.h"

#define NAME		"observe"
#define FORMAT		1
#define BACKLOG		64
/* CB_MAX_SOURCES of them, and room to spare. */
#define BUFFER_SIZE	(256 * 1024)
#define ADDRESS_TEXT	64
#define TROUBLE_TEXT	128
/* What a bound has for readers that cut their growth off. */
#define ROUNDING_NS	1

/* What has no name in there is null. */
#define NAME_OF(names, i) \
	((size_t)(i) < sizeof(names) / sizeof((names)[0]) ? \
	    (names)[(size_t)(i)] : NULL)

static void
put_int(json_t *o, const char *key, int64_t n)
{
	json_object_set_new(o, key, json_integer(n));
}

static void
put_bool(json_t *o, const char *key, bool is)
{
	json_object_set_new(o, key, json_boolean(is));
}

static void
put_null(json_t *o, const char *key)
{
	json_object_set_new(o, key, json_null());
}

/* Null where there is no text.  Bytes of a path need not be UTF-8. */
static void
put_text(json_t *o, const char *key, const char *text)
{
	char ascii[4096];
	size_t i;

	if (text == NULL) {
		put_null(o, key);
		return;
	}
	if (json_object_set_new(o, key, json_string(text)) == 0)
		return;
	for (i = 0; i < sizeof(ascii) - 1 && text[i] != '\0'; i++)
		ascii[i] = (unsigned char)text[i] > '~' ? '?' : text[i];
	ascii[i] = '\0';
	json_object_set_new(o, key, json_string(ascii));
}

/* As text: many a reader keeps numbers in doubles, which have 53 bits. */
static void
put_u64(json_t *o, const char *key, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, n);
	put_text(o, key, text);
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

/* Up to four characters; chronyd leaves out what cannot be printed, too. */
static void
format_ref_id(uint32_t id, char text[ADDRESS_TEXT])
{
	for (int shift = 24; shift >= 0; shift -= 8) {
		unsigned char c = (unsigned char)(id >> shift);

		if (c > ' ' && c <= '~')
			*text++ = (char)c;
	}
	*text = '\0';
}

/* Its family is behind it; a name that is not yet resolved has a number. */
static const char *
format_address(const uint8_t a[20], uint32_t ref_id, char text[ADDRESS_TEXT])
{
	switch (a[16] << 8 | a[17]) {
	case 1:
		return inet_ntop(AF_INET, a, text, ADDRESS_TEXT);
	case 2:
		return inet_ntop(AF_INET6, a, text, ADDRESS_TEXT);
	case 3:
		snprintf(text, ADDRESS_TEXT, "ID#%010" PRIu32, get32(a));
		return text;
	default:
		format_ref_id(ref_id, text);
		return text;
	}
}

static const char *
format_source(const struct cb_chrony_source *m, char text[ADDRESS_TEXT])
{
	if (m->mode != CB_CHRONY_REFCLOCK)
		return format_address(m->address, 0, text);
	format_ref_id(get32(m->address), text);
	return text;
}

static json_t *
make_daemon(const struct cb_daemon *d, const struct cb_instant *now)
{
	const struct cb_options *w = &d->options;
	char id[ADDRESS_TEXT];
	json_t *o = json_object();

	put_int(o, "pid", getpid());
	put_text(o, "version", CB_VERSION);
	put_int(o, "started_ns", d->observe.started.real);
	put_int(o, "uptime_ns", now->as_of - d->observe.started.as_of);
	put_text(o, "source", d->source->name);
	put_int(o, "max_drift_ppb", w->max_drift_ppb);
	put_int(o, "max_wander_ppt", w->max_wander);
	put_int(o, "interval_ns", w->interval_ns);
	put_text(o, "run_dir", w->run_dir);
	put_text(o, "chrony_socket", w->chrony_socket);
	put_bool(o, "disruption_support", w->disruption_support);
	format_ref_id(w->phc_ref_id, id);
	put_text(o, "phc_ref_id", w->has_phc ? id : NULL);
	put_text(o, "phc_interface", d->phc.interface);
	put_text(o, "phc_trouble", d->phc_trouble[0] != '\0' ?
	    d->phc_trouble : NULL);
	return o;
}

/* True time - CLOCK_REALTIME, now. */
static void
put_interval(json_t *o, bool has, const struct cb_interval *at,
    const struct cb_instant *now)
{
	if (!has) {
		put_null(o, "earliest_ns");
		put_null(o, "latest_ns");
		return;
	}
	put_int(o, "earliest_ns", at->lo - (now->real - now->raw_lo));
	put_int(o, "latest_ns", at->hi - (now->real - now->raw_hi));
}

static json_t *
make_status(const struct cb_daemon *d, const struct cb_instant *now)
{
	static const char *const names[] = {
		"unknown", "synchronized", "free_running", "disrupted"
	};
	const struct cb_estimate *e = &d->estimate;
	struct cb_interval at = cb_estimate_at(&e->interval, now->raw_hi,
	    e->drift_ppb);
	json_t *o = json_object();

	put_text(o, "name", NAME_OF(names, d->status));
	put_int(o, "since_ns", d->since.real);
	put_int(o, "age_ns", now->as_of - d->since.as_of);
	put_int(o, "as_of_ns", d->sample.before.as_of);
	if (d->has_bound) {
		put_int(o, "bound_ns", d->bound.bound_ns);
		put_int(o, "max_drift_ppb", d->bound.drift_ppb);
	} else {
		put_null(o, "bound_ns");
		put_null(o, "max_drift_ppb");
	}
	put_interval(o, e->has_interval, &at, now);
	put_bool(o, "frequency_exceeds_drift",
	    (d->events & CB_EVENT_FAST) != 0);
	return o;
}

static json_t *
make_report(const struct cb_chrony_tracking *t)
{
	static const char *const leaps[] = {
		"normal", "insert", "delete", "unsynchronized"
	};
	char text[ADDRESS_TEXT];
	json_t *o = json_object();

	snprintf(text, sizeof(text), "%08" PRIX32, t->ref_id);
	put_text(o, "ref_id", text);
	put_text(o, "ref_name", format_address(t->address, t->ref_id, text));
	put_int(o, "stratum", t->stratum);
	put_text(o, "leap", NAME_OF(leaps, t->leap));
	put_int(o, "ref_time_ns", t->ref_time_ns);
	put_int(o, "offset_ns", t->correction_ns.v);
	put_int(o, "last_offset_ns", t->last_offset_ns);
	put_int(o, "rms_offset_ns", t->rms_offset_ns);
	put_int(o, "frequency_ppb", t->freq_ppb.v);
	put_int(o, "skew_ppb", t->skew_ppb);
	put_int(o, "root_delay_ns", t->root_delay_ns);
	put_int(o, "root_dispersion_ns", t->root_dispersion_ns);
	put_int(o, "update_interval_ns", t->last_update_interval_ns);
	put_int(o, "estimate_ns", t->estimate_ns);
	return o;
}

static json_t *
make_tracking(const struct cb_daemon *d, const struct cb_instant *now)
{
	bool answered = d->sample.input != CB_INPUT_MISSING;
	json_t *o = json_object();

	put_bool(o, "answered", answered);
	put_text(o, "trouble", answered ? NULL : d->trouble);
	if (!d->heard) {
		put_null(o, "heard_age_ns");
		put_null(o, "report");
		return o;
	}
	put_int(o, "heard_age_ns", now->as_of - d->last_heard);
	json_object_set_new(o, "report", make_report(&d->last_tracking));
	return o;
}

/* The measurement heard of last, used or not. */
static void
put_measurement(json_t *o, const struct cb_known *k,
    const struct cb_instant *now)
{
	const struct cb_chrony_source *m = &k->last;

	if (m->since_sample_s == CB_CHRONY_NO_SAMPLE) {
		put_null(o, "measured_age_ns");
		put_null(o, "offset_ns");
		put_null(o, "error_ns");
		return;
	}
	put_int(o, "measured_age_ns", m->since_sample_s * CB_NS_PER_S +
	    now->raw_lo - k->seen_raw);
	put_int(o, "offset_ns", m->meas_ns.v);
	put_int(o, "error_ns", m->meas_err_ns);
}

static json_t *
make_source(const struct cb_estimate *e, const struct cb_known *k,
    const struct cb_instant *now)
{
	static const char *const modes[] = { "server", "peer", "refclock" };
	static const char *const states[] = {
		"selected", "not_selectable", "falseticker", "jittery",
		"combined", "not_combined"
	};
	struct cb_interval at = cb_estimate_known_at(e, k, now->raw_hi);
	char text[ADDRESS_TEXT];
	json_t *o = json_object();

	put_text(o, "name", format_source(&k->last, text));
	put_text(o, "mode", NAME_OF(modes, k->last.mode));
	put_text(o, "state", NAME_OF(states, k->state));
	put_int(o, "stratum", k->last.stratum);
	put_int(o, "poll", k->last.poll);
	put_int(o, "reachability", k->last.reachability);
	put_int(o, "heard_age_ns", now->raw_lo - k->seen_raw);
	put_measurement(o, k, now);
	put_interval(o, k->has_interval, &at, now);
	put_int(o, "contradictions", k->contradictions);
	put_int(o, "settling", k->settling);
	return o;
}

static json_t *
make_sources(const struct cb_estimate *e, const struct cb_instant *now)
{
	json_t *a = json_array();

	for (size_t i = 0; i < e->n_known; i++)
		json_array_append_new(a, make_source(e, &e->known[i], now));
	return a;
}

static json_t *
make_disruption(const struct cb_daemon *d)
{
	static const char *const states[] = {
		"reliable", "unknown", "disrupted"
	};
	static const char *const phases[] = { "none", "reset", "burst" };
	const struct cb_watch *w = &d->watch;
	json_t *o = json_object();

	put_text(o, "state", NAME_OF(states, d->disruption));
	put_text(o, "phase", NAME_OF(phases, w->phase));
	put_bool(o, "forced", w->forced);
	put_bool(o, "gated", w->gated);
	put_bool(o, "holding", d->estimate.holding);
	put_u64(o, "marker", w->marker);
	return o;
}

/* As it is at this moment, which need not be what has been handled. */
static json_t *
make_device(const struct cb_vmclock *v)
{
	static const char *const statuses[] = {
		"unknown", "initializing", "synchronized", "freerunning",
		"unreliable"
	};
	json_t *o = json_object();

	put_u64(o, "marker", v->disruption_marker);
	if (v->has_generation)
		put_u64(o, "generation", v->vm_generation_counter);
	else
		put_null(o, "generation");
	put_text(o, "status", NAME_OF(statuses, v->clock_status));
	put_bool(o, "disruption_soon",
	    (v->flags & CB_VMCLOCK_DISRUPTION_SOON) != 0);
	put_bool(o, "disruption_imminent",
	    (v->flags & CB_VMCLOCK_DISRUPTION_IMMINENT) != 0);
	return o;
}

static json_t *
make_vmclock(const struct cb_daemon *d)
{
	struct cb_vmclock v;
	json_t *o;

	if (!d->options.disruption_support)
		return json_null();
	o = json_object();
	put_text(o, "path", d->options.vmclock);
	put_bool(o, "unreliable", d->watch.unreliable);
	json_object_set_new(o, "device",
	    d->watch.vmclock.page != NULL &&
	    cb_vmclock_read(d->watch.vmclock.page, 0, &v) ?
	    make_device(&v) : json_null());
	return o;
}

static json_t *
make_counts(const struct cb_counts *c)
{
	json_t *o = json_object();

	put_int(o, "ticks", c->ticks);
	put_int(o, "missed_samples", c->missed);
	put_int(o, "disruptions", c->disruptions);
	put_int(o, "forced_disruptions", c->forced);
	put_int(o, "steps", c->steps);
	put_int(o, "sleeps", c->sleeps);
	put_int(o, "clocksource_changes", c->clocksources);
	put_int(o, "leap_seconds", c->leap_seconds);
	put_int(o, "contradictions", c->contradictions);
	put_int(o, "restarts", c->restarts);
	put_int(o, "disagreements", c->disagreements);
	put_int(o, "wander_breaks", c->wander_breaks);
	put_int(o, "longest_gap_ns", c->longest_gap_ns);
	put_int(o, "connections_served", c->served);
	put_int(o, "connections_cut", c->cut);
	return o;
}

static json_t *
make_parts(const struct cb_bound *bound, const struct cb_budget *b)
{
	json_t *o = json_object();

	put_int(o, "offset_ns", b->offset_ns);
	put_int(o, "error_ns", b->measured->err_ns);
	put_int(o, "phc_error_ns", b->measured->phc_err_ns);
	put_int(o, "drift_ns", b->drift_ns);
	put_int(o, "reading_ns", b->measured->reading_ns);
	put_int(o, "leap_ns", b->measured->leap_ns);
	put_int(o, "slew_ns", bound->slew_ns);
	put_int(o, "coarse_ns", bound->coarse_ns);
	put_int(o, "correction_ns", bound->correction_ns);
	put_int(o, "rounding_ns", ROUNDING_NS);
	return o;
}

static json_t *
make_budget(const struct cb_daemon *d, const struct cb_bound *bound,
    const struct cb_budget *b)
{
	char text[ADDRESS_TEXT];
	json_t *o = json_object();

	put_int(o, "bound_ns", bound->bound_ns);
	put_text(o, "source", format_source(&b->known->last, text));
	put_int(o, "poll", b->known->last.poll);
	put_text(o, "end", bound->is_hi ? "latest" : "earliest");
	put_int(o, "measured_age_ns",
	    d->sample.after.raw_hi - b->measured->raw);
	put_int(o, "drift_ppb", d->estimate.drift_ppb);
	json_object_set_new(o, "parts", make_parts(bound, b));
	return o;
}

static json_t *
make_budget_v2(const struct cb_daemon *d)
{
	struct cb_budget b;

	if (!d->has_bound ||
	    !cb_publish_budget(&d->estimate, &d->bound, &b))
		return json_null();
	return make_budget(d, &d->bound, &b);
}

/*
 * Its readers begin in the middle, from which both ends are as far.  The one
 * is told of whose measurement is the less certain by now.
 */
static json_t *
make_budget_v3(const struct cb_daemon *d)
{
	const struct cb_estimate *e = &d->estimate;
	struct cb_interval truth;
	struct cb_bound bound[2];
	struct cb_budget b[2];
	int i;

	if (d->v3.bound_ns >= CB_SHM_UNKNOWN_BOUND_NS)
		return json_null();
	truth = cb_estimate_at(&e->interval, d->sample.after.raw_hi,
	    e->drift_ppb);
	for (i = 0; i < 2; i++) {
		bound[i] = (struct cb_bound){
			.bound_ns = d->v3.bound_ns,
			.distance_ns = d->v3.bound_ns - ROUNDING_NS,
			.is_hi = i == 1,
			.end = i == 1 ? truth.hi : truth.lo
		};
		if (!cb_publish_budget(e, &bound[i], &b[i]))
			return json_null();
	}
	i = b[1].offset_ns < b[0].offset_ns;
	return make_budget(d, &bound[i], &b[i]);
}

/* Why nothing is known by the counter, while by the clock something is. */
static const char *
find_trouble(const struct cb_daemon *d, char text[TROUBLE_TEXT])
{
	const char *clocksource = d->watch.clocksource;

	if (d->v3.clock_status != CLOCKBOUND_STA_UNKNOWN ||
	    d->status == CLOCKBOUND_STA_UNKNOWN)
		return NULL;
	if (!cb_clocks_is_counter(clocksource)) {
		snprintf(text, TROUBLE_TEXT, "the kernel keeps time by %s",
		    clocksource[0] != '\0' ? clocksource :
		    "what it does not tell");
		return text;
	}
	return d->estimate.has_interval ?
	    "how fast the counter runs is not known yet" :
	    "chronyd's estimate is of the clock";
}

static json_t *
make_shm1(const struct cb_daemon *d)
{
	char text[TROUBLE_TEXT];
	json_t *o;

	if (d->writer.v3.segment == NULL)
		return json_null();
	o = json_object();
	put_text(o, "trouble", find_trouble(d, text));
	put_int(o, "as_of_ns", d->v3.as_of_s * CB_NS_PER_S + d->v3.as_of_ns);
	json_object_set_new(o, "budget", make_budget_v3(d));
	return o;
}

/* A line, which has no NUL behind it. */
static char *
make_line(const struct cb_daemon *d, size_t *len)
{
	struct cb_instant now;
	json_t *o;
	char *text;

	cb_clocks_read(&now);
	errno = 0;
	o = json_object();
	put_int(o, "format", FORMAT);
	json_object_set_new(o, "daemon", make_daemon(d, &now));
	json_object_set_new(o, "status", make_status(d, &now));
	json_object_set_new(o, "tracking", make_tracking(d, &now));
	json_object_set_new(o, "sources", make_sources(&d->estimate, &now));
	json_object_set_new(o, "disruption", make_disruption(d));
	json_object_set_new(o, "vmclock", make_vmclock(d));
	json_object_set_new(o, "counts", make_counts(&d->counts));
	json_object_set_new(o, "budget", make_budget_v2(d));
	json_object_set_new(o, "shm1", make_shm1(d));
	text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	/* What there was no memory for is left out of it: then all of it is. */
	if (text == NULL || errno == ENOMEM) {
		free(text);
		return NULL;
	}
	*len = strlen(text);
	text[(*len)++] = '\n';
	return text;
}

static bool
send_line(int fd, const char *text, size_t len)
{
	const int size = BUFFER_SIZE;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	return send(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL) ==
	    (ssize_t)len;
}

void
cb_observe_serve(struct cb_daemon *d)
{
	struct cb_observe *o = &d->observe;
	char *text = NULL;
	size_t len;
	int fd;

	for (; o->left > 0; o->left--) {
		fd = cb_system_accept(o->fd);
		if (fd == -1) {
			/* What else is wrong is as wrong when tried again. */
			if (errno != EAGAIN)
				o->left = 0;
			break;
		}
		if (text == NULL)
			text = make_line(d, &len);
		if (text != NULL && send_line(fd, text, len))
			d->counts.served++;
		else
			d->counts.cut++;
		close(fd);
	}
	free(text);
}

/* Nothing but a socket is ever removed. */
static bool
remove_socket(int dir_fd)
{
	struct stat st;

	if (fstatat(dir_fd, NAME, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EEXIST;
		return false;
	}
	return unlinkat(dir_fd, NAME, 0) == 0;
}

/*
 * Everybody may look, as everybody may read the segment and ask chronyd for
 * its numbers.  To connect takes the right to write.
 */
static bool
bind_for_all(int fd, const struct sockaddr_un *sun)
{
	mode_t mask = umask(0111);
	int bound = bind(fd, (const struct sockaddr *)sun, sizeof(*sun));
	int saved = errno;

	umask(mask);
	errno = saved;
	return bound == 0;
}

static bool
set_address(struct sockaddr_un *sun, const char *dir)
{
	int len;

	*sun = (struct sockaddr_un){ .sun_family = AF_UNIX };
	len = snprintf(sun->sun_path, sizeof(sun->sun_path), "%s/" NAME, dir);
	errno = ENAMETOOLONG;
	return len > 0 && (size_t)len < sizeof(sun->sun_path);
}

static int
open_socket(const struct cb_daemon *d)
{
	struct sockaddr_un sun;
	int fd, saved;

	/* The lock says that whoever made it is gone. */
	if (!set_address(&sun, d->options.run_dir) ||
	    !remove_socket(d->writer.dir_fd))
		return -1;
	fd = cb_system_socket(SOCK_STREAM, false);
	if (fd == -1)
		return -1;
	if (bind_for_all(fd, &sun) && listen(fd, BACKLOG) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

void
cb_observe_open(struct cb_daemon *d)
{
	/* Or jansson does at the first object, with what it finds. */
	json_object_seed(0);
	cb_clocks_read(&d->observe.started);
	d->since = d->observe.started;
	d->observe.fd = open_socket(d);
	if (d->observe.fd == -1)
		cb_log_warn("%s/" NAME ": no such socket can be made: %s",
		    d->options.run_dir, strerror(errno));
}

void
cb_observe_close(struct cb_daemon *d)
{
	if (d->observe.fd == -1)
		return;
	close(d->observe.fd);
	remove_socket(d->writer.dir_fd);
}
