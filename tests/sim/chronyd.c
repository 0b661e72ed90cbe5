/* SPDX-License-Identifier: ISC */
/*
 * Servers and a chronyd: what it measures, and what it makes of that, whenever
 * it likes, also between two of our questions.
 */
#include <stdlib.h>
#include <string.h>

#include "world.h"

fix
chronyd_cooked_then(const struct meas *m)
{
	fix d = w.at.raw - m->raw;

	/* Backwards at its present rate, but for jumps nobody told it of. */
	return w.at.cooked - d + times(d, w.freq_ppb) - (w.jumps - m->jumps);
}

void
chronyd_slew(int64_t ns)
{
	/* As fast as chronyd slews: 8.3 %, or as adjtime(2) does. */
	int64_t fastest = w.steer_ppb != 0 ? S / ADJTIME_PPB : 12;
	int64_t length = between(S, 4 * S);

	if (llabs(ns) > length / fastest)
		length = fastest * llabs(ns);
	w.real_ppb = -w.freq_ppb + (int64_t)((fix)ns * S / length);
	/*
	 * Its timer may be late, and goes by the clocks that it has: of a rate
	 * that ramps meanwhile a millisecond is left to that.
	 */
	length += between(0, w.max_wander_ppb == 0 ? 10 * MS : 9 * MS);
	w.slew_end_ns = w.now_ns + length -
	    to_ns(times(FIX(length), w.drift_ppb));
	befallen[SLEW]++;
}

/* CLOCK_REALTIME goes to where chronyd believes true time to be. */
static void
correct(void)
{
	int64_t left = to_ns(w.at.cooked - w.at.real);
	bool may_step = w.steps && !w.slept;

	w.slew_end_ns = NEVER;
	w.real_ppb = w.slews || w.steps ? -w.freq_ppb : 0;
	if (may_step && (!w.slews || llabs(left) > between(1, 1000) * MS)) {
		w.at.real = w.at.cooked;
		w.moved = true;
		w.stepped |= !w.quiet_steps;
		befallen[STEP]++;
	} else if (w.slews) {
		chronyd_slew(left);
	}
}

/* What it says of its estimate: as wide as one that is right would have it. */
static void
tell_estimate(const struct server *s, int64_t off)
{
	w.root_delay_ns = 2 * (s->last.err_ns - s->err_ns);
	w.root_dispersion_ns = s->err_ns + llabs(off);
	w.skew_ppb = cb_ts_max(1000, llabs(w.freq_ppb - w.drift_ppb));
	w.update_raw = s->last.raw;
}

/*
 * chronyd has made up its mind: another frequency, another idea of true time,
 * and a slew or a step towards that.
 */
static void
update(const struct server *s)
{
	fix d = w.at.raw - s->last.raw;
	int64_t error = s->last.err_ns / 2, off, last;

	draw_from(CHRONYD);
	off = between(-error, error);
	if (w.holds_still)
		w.freq_ppb = between(-1000, 1000);
	else if (!one_in(4))
		w.freq_ppb = w.drift_ppb + between(-1000, 1000);
	else
		w.freq_ppb = between(-w.limit_ppb, w.limit_ppb);
	w.at.cooked = s->last.server + d - times(d, w.freq_ppb) + FIX(off);
	last = to_ns(w.ref_time);
	w.ref_time = w.at.cooked - FIX(between(0, S));
	w.update_interval_ns = w.synced ? llabs(to_ns(w.ref_time) - last) : 0;
	w.synced = true;
	keep_untold();
	w.local = false;
	befallen[UPDATE] += w.asking;
	tell_estimate(s, off);
	correct();
	if (!leap_is_close())
		w.announces = w.leaps = leap_is_announced();
}

static bool
is_lying(const struct server *s)
{
	return s->lies_ns <= w.now_ns;
}

static int64_t
distance(const struct server *s)
{
	return s->delay_ns / 2 + s->err_ns;
}

static bool
is_candidate(const struct server *s)
{
	return s->n_samples >= w.needed && !is_lying(s);
}

/* The nearest one; or, where it may switch, any. */
static size_t
choose(void)
{
	bool switches = is_on(SWITCH);
	size_t best = w.n;

	for (size_t i = 0; i < w.n; i++)
		if (is_candidate(&w.servers[i]) &&
		    (best == w.n || (switches ? one_in(3) :
		    distance(&w.servers[i]) < distance(&w.servers[best]))))
			best = i;
	return best;
}

void
chronyd_select(void)
{
	size_t best, was = w.n;

	draw_from(CHRONYD);
	for (size_t i = 0; i < w.n; i++)
		if (w.servers[i].state == CB_CHRONY_SELECTED)
			was = i;
	best = choose();
	befallen[SWITCH] += was < w.n && best < w.n &&
	    distance(&w.servers[best]) > distance(&w.servers[was]);
	for (size_t i = 0; i < w.n; i++) {
		struct server *s = &w.servers[i];

		if (s->n_samples < w.needed)
			s->state = CB_CHRONY_NOT_SELECTABLE;
		else if (best == w.n)
			/* It waits for others, and nobody has compared it. */
			s->state = CB_CHRONY_NOT_COMBINED;
		else if (is_lying(s))
			s->state = CB_CHRONY_FALSETICKER;
		else
			s->state = i == best ? CB_CHRONY_SELECTED :
			    (int)between(CB_CHRONY_JITTERY,
			    CB_CHRONY_NOT_COMBINED);
	}
}

/* A reply has come: its sample, or in interleaved mode the one before it. */
void
server_reply(struct server *s)
{
	struct meas new = s->flying;

	drawn_from = &s->random;
	if (s->interleaved) {
		new = s->held;
		s->held = s->flying;
	}
	s->reply_ns = NEVER;
	if (!new.has || leap_is_close())
		return;
	new.orig = (uint32_t)next_random();
	s->last = new;
	s->n_samples++;
	if (s->state != CB_CHRONY_SELECTED || is_lying(s) || one_in(16))
		chronyd_select();
	drawn_from = &s->random;
	if (s->state == CB_CHRONY_SELECTED && !one_in(8))
		update(s);
}

static int64_t
poll_of(const struct server *s)
{
	return s->poll < 0 ? S >> -s->poll : S << s->poll;
}

/* A sample is the middle of a window, told at its end. */
static void
sample_refclock(struct server *s, int64_t off)
{
	s->flying = (struct meas){ .has = true, .ns = w.now_ns,
	    .raw = w.at.raw,
	    .jumps = w.jumps, .server = utc_at(w.at.tau) + FIX(off),
	    .err_ns = s->err_ns };
	s->reply_ns = w.now_ns + between(0, poll_of(s) / 2);
}

/*
 * The packets of one exchange: T1 and T4 by the cooked clock, T2 and T3 by the
 * server's, which is off by as much as it admits.
 */
static void
exchange(struct server *s, int64_t off)
{
	int64_t path = s->delay_ns + between(0, s->jitter_ns);
	int64_t there = s->asymmetry < 0 ? 0 : s->asymmetry > 0 ? path :
	    between(0, path);
	int64_t stay = s->mode == CB_CHRONY_PEER ? between(0, poll_of(s)) :
	    between(0, 20 * MS - 1);
	fix raw4, delay;

	if (!is_on(ASYMMETRY))
		there = path / 2;
	/* One drift rate: an exchange is no longer than the rates last. */
	s->reply_ns = w.now_ns + path + stay;
	raw4 = clocks_at(s->reply_ns).raw;
	s->flying = (struct meas){ .has = true, .ns = w.now_ns,
	    .jumps = w.jumps };
	s->flying.raw = (w.at.raw + raw4) / 2;
	s->flying.server = utc_at(w.at.tau) + FIX(there + off + stay / 2 +
	    (is_lying(s) ? between(1, 100) * MS : 0));
	delay = raw4 - w.at.raw;
	delay = delay - times(delay, w.freq_ppb) - FIX(stay);
	s->flying.err_ns = cb_ts_max(to_ns(delay), 0) / 2 + 1 + s->err_ns;
	/* UTC leapt between its time stamps: no delay comes out of that. */
	if (w.now_ns < w.leap_ns && w.leap_ns <= s->reply_ns)
		s->reply_ns = NEVER;
	/* The oscillator must not jump under it: not all of it was drawn. */
	else if (w.jump_ns <= s->reply_ns)
		w.jump_ns = s->reply_ns + 1;
	befallen[ASYMMETRY] += is_on(ASYMMETRY);
	befallen[LIE] += is_lying(s);
}

void
server_ask(struct server *s)
{
	int64_t off;

	drawn_from = &s->random;
	off = s->asymmetry == 0 ? between(-s->err_ns, s->err_ns) :
	    s->asymmetry * s->err_ns;
	if (!is_on(ASYMMETRY))
		off = 0;
	s->poll_ns = w.now_ns + poll_of(s) + between(0, poll_of(s) / 8);
	if (w.now_ns < s->silent_ns)
		return;
	if (s->mode == CB_CHRONY_REFCLOCK)
		sample_refclock(s, off);
	else
		exchange(s, off);
}

/* As often as the daemon looks, but as a rule more seldom. */
static int
draw_poll(void)
{
	int least = -4;

	while (least < 4 && (S << 4 >> (4 - least)) < w.interval_ns)
		least++;
	return (int)between(one_in(4) ? least : least + 3,
	    one_in(4) ? 11 : 8);
}

void
server_make(struct server *s)
{
	static const enum cb_chrony_mode modes[] = {
		CB_CHRONY_CLIENT, CB_CHRONY_CLIENT, CB_CHRONY_CLIENT,
		CB_CHRONY_PEER, CB_CHRONY_REFCLOCK
	};

	*s = (struct server){
		.random = next_random(),
		.id = w.ids++,
		.mode = modes[between(0, 4)],
		.state = CB_CHRONY_NOT_SELECTABLE,
		.poll = draw_poll(),
		.interleaved = one_in(2),
		.delay_ns = between(0, one_in(3) ? 200 * MS : 100 * US),
		.jitter_ns = one_in(2) ? 0 : between(0, 20 * MS),
		.err_ns = one_in(2) ? 0 : between(0, 5 * MS),
		.asymmetry = (int)between(-1, 1),
		.poll_ns = w.now_ns + between(0, 2 * S),
		.reply_ns = NEVER,
		.lies_ns = NEVER
	};
	if (s->mode == CB_CHRONY_REFCLOCK)
		s->interleaved = false;
}

/* Sources come and go; those behind them get other indexes. */
void
chronyd_churn(void)
{
	draw_from(CHRONYD);
	w.churn_ns = w.now_ns + between(S, 3000 * S);
	if (w.n > 1 && one_in(2)) {
		size_t gone = (size_t)between(0, (int64_t)w.n - 1);

		w.n--;
		memmove(&w.servers[gone], &w.servers[gone + 1],
		    (w.n - gone) * sizeof(w.servers[0]));
	} else if (w.n < MAX_SERVERS) {
		server_make(&w.servers[w.n++]);
	}
	chronyd_select();
	befallen[CHURN]++;
}

/*
 * T4 has the jump and T1 has not, so half of it is in the offset and half in
 * the error, unless the delay is then negative.
 */
void
chronyd_disturb(fix jump)
{
	for (size_t i = 0; i < w.n; i++) {
		struct server *s = &w.servers[i];

		if (s->reply_ns == NEVER)
			continue;
		s->flying.jumps += jump / 2;
		s->flying.err_ns += to_ns(jump / 2);
		if (s->mode == CB_CHRONY_REFCLOCK || s->flying.err_ns <= 0)
			s->reply_ns = NEVER;
	}
}

void
chronyd_lose(void)
{
	for (size_t i = 0; i < w.n; i++)
		if (w.servers[i].mode != CB_CHRONY_REFCLOCK)
			w.servers[i].reply_ns = NEVER;
}

void
chronyd_forget(void)
{
	for (size_t i = 0; i < w.n; i++) {
		w.servers[i].last.has = w.servers[i].held.has = false;
		w.servers[i].n_samples = 0;
	}
	chronyd_lose();
	chronyd_select();
	w.synced = w.local = false;
	if (!leap_is_close())
		w.announces = w.leaps = false;
	w.stale = true;
}

void
chronyd_restart(void)
{
	w.announces = w.leaps = false;
	chronyd_forget();
	for (size_t i = 0; i < w.n; i++) {
		w.servers[i].poll_ns = w.now_ns + between(0, 2 * S);
		w.servers[i].reply_ns = NEVER;
	}
	/* A slew that was under way is ended. */
	w.slew_end_ns = NEVER;
	if (w.slews || w.steps)
		w.real_ppb = -w.freq_ppb;
	keep_untold();
	befallen[RESTART]++;
}
