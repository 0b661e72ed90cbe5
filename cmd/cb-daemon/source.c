/* SPDX-License-Identifier: ISC */
/*
 * Where the bound comes from, one row a source: asks it between two readings
 * of the clocks and fills daemon->sample.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cb-daemon.h"
#include "ts.h"

/* The longest wait for a reply; at most half the interval. */
#define REPLY_NS	INT64_C(50000000)
/* Times to start over when chronyd updates between its replies. */
#define TRIES		3
/* A tick that has taken this long asks no more. */
#define TICK_NS		CB_NS_PER_S
/* How often all sources are asked, for those that were added. */
#define SWEEP_NS	(10 * CB_NS_PER_S)

static bool
missing(struct cb_daemon *d, const char *why)
{
	d->sample.input = CB_INPUT_MISSING;
	snprintf(d->trouble, sizeof(d->trouble), "%s: %s",
	    d->options.chrony_socket, why);
	return false;
}

static bool
open_chrony(struct cb_daemon *d)
{
	const char *what;
	char why[128];

	if (d->chrony.fd != -1)
		return true;
	d->sweep = true;
	d->opened++;
	if (cb_chrony_open(&d->chrony, d->options.chrony_socket, &what))
		return true;
	snprintf(why, sizeof(why), "cannot %s: %s%s", what, strerror(errno),
	    errno == EACCES ? " (root and chronyd's own user may)" : "");
	return missing(d, why);
}

/*
 * One question.  A chronyd that was restarted refuses our old connection:
 * connect again, within the same tick.  Whatever else goes wrong, the socket
 * is made anew for the next question; its name may have been removed.
 */
static bool
ask(struct cb_daemon *d, enum cb_chrony_command command, uint32_t index,
    uint8_t *reply, uint16_t *status)
{
	int64_t timeout = cb_ts_min(REPLY_NS, d->options.interval_ns / 2);
	bool connected = d->chrony.fd != -1;

	if (cb_clocks_mono() > d->deadline_mono)
		return missing(d, "answers too slowly");

	for (;;) {
		if (!open_chrony(d))
			return false;
		if (cb_chrony_ask(&d->chrony, command, index, timeout, reply,
		    status))
			return true;
		cb_chrony_close(&d->chrony);
		if (!connected || errno != ECONNREFUSED)
			break;
		connected = false;
	}
	return missing(d, errno == ETIMEDOUT ? "no answer in time" :
	    errno == EBADMSG ? "not an answer of chrony 4.0 or later" :
	    strerror(errno));
}

/* As ask(), where a refusal is not an answer either. */
static bool
ask_firmly(struct cb_daemon *d, enum cb_chrony_command command,
    uint32_t index, uint8_t *reply)
{
	char why[64];
	uint16_t status;

	if (!ask(d, command, index, reply, &status))
		return false;
	if (status == 0)
		return true;
	snprintf(why, sizeof(why), "refused command %d with status %u",
	    (int)command, status);
	return missing(d, why);
}

/* A raw clock that is steered may have any frequency that steering gives it. */
static bool
ask_tracking(struct cb_daemon *d, struct cb_chrony_tracking *t)
{
	uint8_t reply[CB_CHRONY_MAX_LEN];

	if (!ask_firmly(d, CB_CHRONY_TRACKING, 0, reply))
		return false;
	if (!cb_chrony_decode_tracking(reply, t))
		return missing(d, "tracking report out of range");
	t->freq_ppb.err += cb_clocks_steer();
	return true;
}

/* The error of the PHC itself; -1 while its driver does not tell. */
static int64_t
phc_error(struct cb_daemon *d)
{
	const char *what;
	int64_t ns = cb_phc_read(&d->phc, &what);

	d->phc_trouble[0] = '\0';
	if (ns < 0)
		snprintf(d->phc_trouble, sizeof(d->phc_trouble),
		    "%s of interface %s: %s", what, d->phc.interface,
		    errno == EBADMSG ? "not as expected" : strerror(errno));
	return ns;
}

static bool
is_phc(const struct cb_daemon *d, const struct cb_chrony_source *m)
{
	const uint8_t *a = m->address;

	return d->options.has_phc && m->mode == CB_CHRONY_REFCLOCK &&
	    ((uint32_t)a[0] << 24 | (uint32_t)a[1] << 16 |
	    (uint32_t)a[2] << 8 | a[3]) == d->options.phc_ref_id;
}

/* Who has named one that is not there may mean another, which lacks it now. */
static void
look_for_phc(struct cb_daemon *d)
{
	const struct cb_sample *s = &d->sample;

	for (size_t i = 0; i < s->n_sources; i++)
		if (is_phc(d, &s->sources[i]))
			return;
	if (d->options.has_phc && s->complete)
		snprintf(d->phc_trouble, sizeof(d->phc_trouble),
		    "no refclock of chronyd's has that reference ID");
}

/*
 * chronyd knows how far its refclock is from the PHC, not how far that is from
 * true time.  Where nobody says, its measurements prove nothing.
 */
static void
add_phc_error(struct cb_daemon *d, struct cb_chrony_source *m)
{
	int64_t ns;

	if (!is_phc(d, m))
		return;
	ns = phc_error(d);
	if (ns < 0)
		m->since_sample_s = CB_CHRONY_NO_SAMPLE;
	else
		m->meas_err_ns += m->phc_err_ns = ns;
}

/* Add a source's report to the sample.  *exists is false when there is none. */
static bool
ask_source(struct cb_daemon *d, uint32_t index, bool *exists)
{
	struct cb_sample *s = &d->sample;
	uint8_t reply[CB_CHRONY_MAX_LEN];
	uint16_t status;

	if (!ask(d, CB_CHRONY_SOURCE_DATA, index, reply, &status))
		return false;
	*exists = status == 0;
	if (status == CB_CHRONY_STATUS_NO_SOURCE)
		return true;
	if (status != 0)
		return missing(d, "refused a source report");
	if (!cb_chrony_decode_source(reply, &s->sources[s->n_sources]))
		return missing(d, "source report out of range");
	add_phc_error(d, &s->sources[s->n_sources]);
	if (s->sources[s->n_sources].state == CB_CHRONY_SELECTED)
		d->selected = index;
	s->n_sources++;
	return true;
}

/* All that chronyd has: at the start, and when they have changed. */
static bool
ask_all(struct cb_daemon *d)
{
	struct cb_sample *s = &d->sample;
	uint8_t reply[CB_CHRONY_MAX_LEN];
	bool exists = true;

	s->n_sources = 0;
	d->selected = -1;
	d->swept = true;
	if (!ask_firmly(d, CB_CHRONY_N_SOURCES, 0, reply))
		return false;
	d->n_sources = cb_chrony_decode_n_sources(reply);
	s->complete = d->n_sources <= CB_MAX_SOURCES;
	for (uint32_t i = 0; i < d->n_sources && i < CB_MAX_SOURCES; i++) {
		if (!ask_source(d, i, &exists))
			return false;
		s->complete = s->complete && exists;
	}
	return true;
}

/*
 * The selected source and one of the others in turn.  While none is selected
 * the turn goes on to the place behind the last: new sources are found there.
 */
static bool
ask_some(struct cb_daemon *d)
{
	int64_t selected = d->selected;
	uint32_t places = d->n_sources + (selected == -1);
	bool exists = true;

	if (selected != -1) {
		d->selected = -1;
		if (!ask_source(d, (uint32_t)selected, &exists))
			return false;
		if (d->selected != selected)
			return ask_all(d);
		if (d->n_sources == 1)
			return true;
	}
	if (++d->next == selected)
		d->next++;
	if (d->next >= places)
		d->next = selected == 0;
	if (!ask_source(d, d->next, &exists))
		return false;
	/* Sources come and go, and become selected. */
	return (d->selected == selected && exists) || ask_all(d);
}

static bool
has_news(const struct cb_daemon *d)
{
	for (size_t i = 0; i < d->sample.n_sources; i++)
		if (cb_estimate_is_new(&d->estimate, &d->sample.sources[i]))
			return true;
	return false;
}

/* Has chronyd done nothing between two of its reports? */
static bool
is_same(const struct cb_chrony_tracking *a, const struct cb_chrony_tracking *b)
{
	return a->ref_time_ns == b->ref_time_ns && a->leap == b->leap &&
	    a->freq_ppb.v == b->freq_ppb.v;
}

/*
 * Replies describe one instant only if nothing happened in between.  Each
 * update of chronyd's changes ref_time: with a measurement in hand that will
 * be used, tracking is asked for again.
 */
static bool
ask_once(struct cb_daemon *d, bool *settled)
{
	struct cb_sample *s = &d->sample;
	struct cb_chrony_tracking first;
	unsigned opened;

	s->n_sources = 0;
	s->complete = d->swept = false;
	cb_clocks_read(&s->before);
	s->told = s->before;
	if (!ask_tracking(d, &s->tracking))
		return false;
	opened = d->opened;
	if (!(d->sweep ? ask_all(d) : ask_some(d)))
		return false;
	if (has_news(d)) {
		first = s->tracking;
		cb_clocks_read(&s->told);
		if (!ask_tracking(d, &s->tracking))
			return false;
		*settled = is_same(&first, &s->tracking);
	} else {
		*settled = true;
	}
	/* Another chronyd may have answered than the one before. */
	*settled &= d->opened == opened;
	return true;
}

static bool
ask_chrony(struct cb_daemon *d)
{
	struct cb_sample *s = &d->sample;
	bool settled = false;

	for (int i = 0; i < TRIES && !settled; i++) {
		if (!ask_once(d, &settled))
			return false;
		/* A sweep that is thrown away is made again. */
		d->sweep |= d->swept && !settled;
	}
	if (!settled) {
		/* What it says of itself holds; its measurements wait. */
		s->n_sources = 0;
		s->complete = false;
	} else if (d->swept) {
		look_for_phc(d);
		d->swept_raw = s->before.raw_lo;
		d->sweep = !s->complete && d->n_sources <= CB_MAX_SOURCES;
	} else if (s->before.raw_lo - d->swept_raw >= SWEEP_NS) {
		d->sweep = true;
	}
	return true;
}

static bool
is_in_range(const struct cb_instant *i)
{
	return i->real >= 0 && i->real / CB_NS_PER_S <= CB_TS_MAX_S;
}

/* It may have been set from a time that is none to one that is, meanwhile. */
static void
finish_sample(struct cb_daemon *d, bool answered)
{
	struct cb_sample *s = &d->sample;

	cb_clocks_read(&s->after);
	if (!answered)
		return;
	if (!is_in_range(&s->before) || !is_in_range(&s->told) ||
	    !is_in_range(&s->after)) {
		missing(d, "CLOCK_REALTIME out of range");
		return;
	}
	s->input = cb_status_input(&s->tracking,
	    s->after.real + s->tracking.correction_ns.v);
	if (s->input == CB_INPUT_MISSING)
		missing(d, "last update in the future");
}

static void
sample_chrony(struct cb_daemon *d)
{
	d->deadline_mono = cb_clocks_mono() + TICK_NS;
	finish_sample(d, ask_chrony(d));
}

static bool
bound_chrony(struct cb_daemon *d)
{
	d->events = cb_estimate_update(&d->estimate, &d->sample);
	return cb_publish_bound(&d->estimate, &d->sample, d->tick_ns,
	    &d->bound);
}

static bool
add_phc_estimate(struct cb_daemon *d, struct cb_chrony_tracking *t)
{
	int64_t ns;

	if (!d->options.has_phc || t->ref_id != d->options.phc_ref_id)
		return true;
	ns = phc_error(d);
	t->estimate_ns += ns;
	return ns >= 0 || missing(d, "the PHC's error bound is not known");
}

static void
sample_tracking(struct cb_daemon *d)
{
	d->deadline_mono = cb_clocks_mono() + TICK_NS;
	d->sample.n_sources = 0;
	cb_clocks_read(&d->sample.before);
	finish_sample(d, ask_tracking(d, &d->sample.tracking) &&
	    add_phc_estimate(d, &d->sample.tracking));
}

/*
 * chronyd's own estimate, as it came last, growing from then on.  While it
 * follows its own clock its numbers mean nothing.
 */
static bool
bound_tracking(struct cb_daemon *d)
{
	const struct cb_sample *s = &d->sample;

	if (s->input != CB_INPUT_MISSING &&
	    s->tracking.ref_id != CB_CHRONY_REF_ID_LOCAL) {
		d->bound = (struct cb_bound){ .as_of = s->before.as_of,
		    .bound_ns = s->tracking.estimate_ns,
		    .drift_ppb = d->options.max_drift_ppb };
		d->was_bound = true;
	}
	return d->was_bound;
}

static const struct cb_source sources[] = {
	{ "chrony", sample_chrony, bound_chrony },
	{ "chrony-tracking", sample_tracking, bound_tracking }
};

const struct cb_source *
cb_source_find(const char *name)
{
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		if (strcmp(sources[i].name, name) == 0)
			return &sources[i];
	return NULL;
}

bool
cb_source_command(struct cb_daemon *d, enum cb_chrony_command command,
    uint16_t *status)
{
	enum cb_input input = d->sample.input;
	uint8_t reply[CB_CHRONY_MAX_LEN];
	bool answered;

	d->deadline_mono = cb_clocks_mono() + TICK_NS;
	answered = ask(d, command, 0, reply, status);
	/* This was no sample. */
	d->sample.input = input;
	return answered;
}

void
cb_source_close(struct cb_daemon *d)
{
	cb_chrony_close(&d->chrony);
	cb_phc_close(&d->phc);
}
