/* SPDX-License-Identifier: ISC */
/*
 * A table a second, and the half-width of the last minutes as a chart below
 * it.  Where standard output is no screen: a line a second.
 */
#include <sys/ioctl.h>
#include <sys/select.h>

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cb-status.h"
#include "stamp.h"
#include "ts.h"

#define HISTORY		512	/* looks, and columns at most */
#define CHART_ROWS	6
#define CHART_LINES	((size_t)(CHART_ROWS + 2))
#define SCALE		10	/* columns */

/* Another screen, no cursor, no wrapping; and back. */
#define ENTER		"\033[?1049h\033[?25l\033[?7l"
#define LEAVE		"\033[?7h\033[?25h\033[?1049l"
#define HOME		"\033[H"
#define CLEAR_LINE	"\033[K"
#define CLEAR_REST	"\033[J"

struct watch {
	struct cb_paths *paths;
	const struct cb_limits *limits;
	bool has_colour;
	bool has_screen;
	bool has_keys;
	struct termios before;
	int64_t history[HISTORY];	/* CB_NONE: it was not to be trusted */
	size_t n;
	struct cb_facts facts;
	struct cb_verdict verdict;
};

static volatile sig_atomic_t caught;

static void
on_signal(int signo)
{
	if (signo != SIGWINCH)
		caught = signo;
}

/*
 * They come while pselect(2) waits, and never else.  One that was ignored stays
 * so: nohup(1) has asked for that.
 */
static void
catch_signals(sigset_t *while_waiting)
{
	static const int signals[] = {
		SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH
	};
	struct sigaction sa = { .sa_handler = on_signal }, before;
	sigset_t blocked;

	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		sigaction(signals[i], NULL, &before);
		if (before.sa_handler == SIG_IGN)
			continue;
		sigaction(signals[i], &sa, NULL);
		sigaddset(&blocked, signals[i]);
	}
	sigprocmask(SIG_BLOCK, &blocked, while_waiting);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigdelset(while_waiting, signals[i]);
}

/* Keys come one by one.  A stopped program could not clean up: no Ctrl-Z. */
static void
open_screen(struct watch *w)
{
	struct termios t;

	w->has_keys = w->has_screen &&
	    tcgetattr(STDIN_FILENO, &w->before) == 0;
	if (w->has_keys) {
		t = w->before;
		t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		t.c_cc[VSUSP] = _POSIX_VDISABLE;
		tcsetattr(STDIN_FILENO, TCSADRAIN, &t);
	}
	if (w->has_screen)
		fputs(ENTER, stdout);
}

static void
close_screen(struct watch *w)
{
	if (w->has_screen)
		fputs(LEAVE, stdout);
	fflush(stdout);
	if (w->has_keys)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &w->before);
}

static void
look(struct watch *w)
{
	if (w->n == HISTORY)
		memmove(w->history, w->history + 1,
		    --w->n * sizeof(w->history[0]));
	cb_gather(w->paths, &w->facts);
	cb_judge(&w->facts, w->limits, &w->verdict);
	w->history[w->n++] = cb_judge_is_trusted(&w->facts.segment) ?
	    w->facts.segment.half_ns : CB_NONE;
}

/*
 * The chart.
 */

/* The logarithm to base 2, in thousandths, straight between powers. */
static int64_t
log_of(int64_t n)
{
	int64_t power = 0;

	n = cb_ts_max(n, 1);
	while (n >> power > 1)
		power++;
	return 1000 * power + (power < 40 ?
	    (n - (INT64_C(1) << power)) * 1000 >> power :
	    ((n >> 20) - (INT64_C(1) << (power - 20))) * 1000 >>
	    (power - 20));
}

static bool
find_range(const int64_t *from, size_t n, int64_t *lo, int64_t *hi)
{
	*lo = INT64_MAX;
	*hi = CB_NONE;
	for (size_t i = 0; i < n; i++) {
		if (from[i] == CB_NONE)
			continue;
		*lo = cb_ts_min(*lo, from[i]);
		*hi = cb_ts_max(*hi, from[i]);
	}
	return *hi != CB_NONE;
}

/* The height that a column has, from 1 to CHART_ROWS. */
static int64_t
height_of(int64_t n, int64_t lo, int64_t hi)
{
	if (log_of(hi) == log_of(lo))
		return 1;
	return 1 + (log_of(n) - log_of(lo)) * (CHART_ROWS - 1) /
	    (log_of(hi) - log_of(lo));
}

static void
print_chart_row(FILE *out, const int64_t *from, size_t n, int64_t lo,
    int64_t hi, int row)
{
	char scale[CB_FIGURE] = "";

	if (row == CHART_ROWS)
		cb_figure_up(hi, scale);
	else if (row == 1)
		cb_figure_down(lo, scale);
	fprintf(out, "%*s |", SCALE - 2, scale);
	for (size_t i = 0; i < n; i++)
		putc(from[i] == CB_NONE ? '?' :
		    height_of(from[i], lo, hi) >= row ? '#' : ' ', out);
	putc('\n', out);
}

static void
print_chart(FILE *out, const struct watch *w, size_t columns)
{
	size_t room = columns > SCALE + 1 ? columns - SCALE - 1 : 1;
	size_t n = w->n < room ? w->n : room;
	const int64_t *from = w->history + w->n - n;
	int64_t lo, hi;

	fprintf(out, "\nhalf-width, the last %zu s, log scale\n", n);
	if (!find_range(from, n, &lo, &hi)) {
		fprintf(out, "not known\n");
		return;
	}
	for (int row = CHART_ROWS; row > 0; row--)
		print_chart_row(out, from, n, lo, hi, row);
}

/*
 * The screen.
 */

/* As many lines as there is room for; each clears what was there. */
static size_t
put_lines(const char *text, const char *end, size_t row, size_t rows)
{
	for (; text < end && row < rows; row++) {
		size_t len = strcspn(text, "\n");

		printf("%s%.*s" CLEAR_LINE, row == 0 ? "" : "\r\n", (int)len,
		    text);
		text += len + (text[len] == '\n');
	}
	return row;
}

/* The end of the table gives way to the chart, unless there is no room. */
static void
put_screen(const char *table, const char *chart, const char *end, size_t rows)
{
	size_t room = rows >= 2 * CHART_LINES ? rows - CHART_LINES : rows;

	fputs(HOME, stdout);
	put_lines(chart, end, put_lines(table, chart, 0, room), rows);
	fputs(CLEAR_REST, stdout);
	cb_finish_output();
}

static void
draw(struct watch *w)
{
	struct winsize size = { 0 };
	char *text = NULL;
	size_t len, chart;
	FILE *out = open_memstream(&text, &len);

	/* Some terminals do not know, and say 0. */
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == -1 ||
	    size.ws_row == 0 || size.ws_col == 0)
		size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
	if (out == NULL)
		return;
	cb_table_print(out, &w->facts, &w->verdict, w->has_colour);
	fflush(out);
	chart = len;
	print_chart(out, w, size.ws_col);
	if (fclose(out) == 0)
		put_screen(text, text + chart, text + len, size.ws_row);
	free(text);
}

static void
print_line(const struct watch *w)
{
	char line[CB_LINE], date[CB_STAMP_TEXT];
	struct timespec ts = cb_stamp_of_ns(w->facts.real_ns);

	cb_judge_line(&w->facts, &w->verdict, line);
	cb_stamp_format_date(&ts, 0, date);
	printf("%s %s %s\n", date,
	    cb_judge_name_severity(w->verdict.severity), line);
	cb_finish_output();
}

static void
show(struct watch *w)
{
	if (w->has_screen)
		draw(w);
	else
		print_line(w);
}

/*
 * False when it is over: q, or a signal.  Neither is seen elsewhere, so there
 * is a look for them even where the end has passed.
 */
static bool
wait_until(struct watch *w, int64_t end_mono, const sigset_t *mask)
{
	int64_t left;
	fd_set fds;
	char key;

	do {
		struct timespec ts;
		int n;

		left = cb_ts_max(end_mono - cb_ts_clock(CLOCK_MONOTONIC), 0);
		ts = cb_stamp_of_ns(left);
		FD_ZERO(&fds);
		if (w->has_keys)
			FD_SET(STDIN_FILENO, &fds);
		n = pselect(STDIN_FILENO + 1, &fds, NULL, NULL, &ts, mask);
		if (caught != 0)
			return false;
		if (n == -1 && w->has_screen)
			draw(w);	/* it has another size */
		if (n > 0 && (read(STDIN_FILENO, &key, 1) != 1 || key == 'q'))
			return false;
	} while (left > 0);
	return true;
}

enum cb_severity
cb_watch(struct cb_paths *paths, const struct cb_limits *l,
    bool has_screen, bool has_colour)
{
	struct watch *w = calloc(1, sizeof(*w));
	enum cb_severity severity;
	int64_t next;
	sigset_t mask;

	if (w == NULL)
		err(CB_UNKNOWN, "malloc");
	w->paths = paths;
	w->limits = l;
	w->has_screen = has_screen;
	w->has_colour = has_colour;
	catch_signals(&mask);
	open_screen(w);
	next = cb_ts_clock(CLOCK_MONOTONIC);
	do {
		look(w);
		show(w);
		cb_gather_release(&w->facts);
		next = cb_ts_max(next, cb_ts_clock(CLOCK_MONOTONIC) -
		    CB_NS_PER_S) + CB_NS_PER_S;
	} while (wait_until(w, next, &mask));
	close_screen(w);
	severity = w->verdict.severity;
	free(w);
	/* Who sent it is told that it was heard. */
	if (caught != 0) {
		signal((int)caught, SIG_DFL);
		sigprocmask(SIG_SETMASK, &mask, NULL);
		raise((int)caught);
	}
	return severity;
}
