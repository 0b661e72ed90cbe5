/* SPDX-License-Identifier: ISC */
/*
 * cb-now(1): a reading, and what is done with it.
 */
#ifndef CB_NOW_CMD_H
#define CB_NOW_CMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "clockbound.h"
#include "shm.h"

/* The exit codes are an interface: cb-now(1). */
enum {
	CB_EXIT_YES = 0,	/* or trusted */
	CB_EXIT_NO = 1,
	CB_EXIT_UNUSABLE = 2,	/* usage, segment, or standard output */
	CB_EXIT_NOT_TRUSTED = 3
};

/*
 * reading.c
 *
 * A segment's path -> readings.
 */
struct cb_reading {
	struct timespec earliest;
	struct timespec latest;
	struct timespec middle;
	struct timespec half;	/* of the width */
	struct timespec age;	/* of the segment's last update */
	clockbound_clock_status status;
	bool trusted;
};

struct cb_segment {
	const char *path;	/* what clockbound_open(3) takes */
	bool trusts_free_running;
	clockbound_ctx *ctx;
};

/* What is wrong with the path is one line, and the end. */
void cb_reading_open(struct cb_segment *, const char *vmclock);
void cb_reading_close(struct cb_segment *);
void cb_reading_read(struct cb_segment *, struct cb_reading *);
/* NULL, or what is wrong: then nothing is known, and nothing trusted. */
const clockbound_err *cb_reading_try(struct cb_segment *, struct cb_reading *);

/*
 * format.c
 *
 * A format and a reading -> a line.
 */
#define CB_FORMAT_LINE	"%e %l %s"
#define CB_FORMAT_DATES	"%Ie %Il %s"
#define CB_FORMAT_JSON \
	"{\"earliest\":\"%Ie\",\"latest\":\"%Il\",\"middle\":\"%Im\"," \
	"\"earliest_ns\":\"%Ne\",\"latest_ns\":\"%Nl\"," \
	"\"middle_ns\":\"%Nm\",\"half_width_ns\":%Nh,\"age_ns\":%Na," \
	"\"status\":\"%s\",\"trusted\":%v}"

/* The first thing that means nothing, and its length; NULL: all is well. */
const char *cb_format_check(const char *format, int *len);
/* The line has arrived, or that is the end. */
void cb_format_print(const char *format, const struct cb_reading *);

/*
 * question.c
 *
 * A reading -> an exit status.
 */
struct cb_question {
	bool has_after, has_before, has_within;
	struct timespec after;
	struct timespec before;
	struct timespec within;
};

int cb_question_answer(const struct cb_question *, const struct cb_reading *);

/*
 * stream.c
 *
 * Readings, a line each -> the exit status of the last one.
 */
struct cb_stream {
	struct cb_question question;
	int64_t count;
	int64_t interval_ns;
};

/* format may be NULL, here and below: nothing is printed. */
int cb_stream_run(const struct cb_stream *, struct cb_segment *,
    const char *format);

/*
 * wait.c
 *
 * Sleeps until a time has passed for certain -> an exit status.
 */
struct cb_wait {
	bool has_time;		/* false: latest of the first trusted one */
	struct timespec time;
	int64_t timeout_ns;	/* -1: there is none */
};

int cb_wait_run(struct cb_wait *, struct cb_segment *, const char *format);

/*
 * cb-now.c
 */
/* What was printed has arrived, or that is the end. */
void cb_finish_output(void);

#endif
