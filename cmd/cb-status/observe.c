/* SPDX-License-Identifier: ISC */
/*
 * A path goes in; what a daemon says on its observation socket comes out,
 * every key of it checked.  Anybody may listen by that name: no answer may do
 * more harm than being called useless.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cb-status.h"
#include "system.h"
#include "ts.h"

#define FORMAT		1
/* It is served at once, unless many ask: 16 are, from tick to tick. */
#define ANSWER_NS	(2 * CB_NS_PER_S)
#define CONNECT_MS	10
/* Far more than 64 sources take. */
#define MAX_ANSWER	((size_t)1024 * 1024)
/* The sum of two of them fits. */
#define MAX_NUMBER	(INT64_MAX / 2)
/* What cb-daemon takes for one: a stale segment is told by it. */
#define MIN_INTERVAL_NS	1000000
#define MAX_INTERVAL_NS	(5 * CB_NS_PER_S)

enum kind {
	TEXT,
	TEXT_OR_NULL,
	BOOL,
	INTERVAL,
	COUNT,			/* not negative */
	COUNT_OR_NULL,
	NUMBER,
	NUMBER_OR_NULL
};

struct key {
	const char *name;
	enum kind kind;
	size_t offset;
};

#define AT(field)	offsetof(struct cb_observed, field)
#define IN(field)	offsetof(struct cb_source, field)
#define OF(field)	offsetof(struct cb_budget, field)

static const struct key daemon_keys[] = {
	{ "pid", COUNT, AT(pid) },
	{ "version", TEXT, AT(version) },
	{ "started_ns", NUMBER, AT(started_ns) },
	{ "uptime_ns", COUNT, AT(uptime_ns) },
	{ "source", TEXT, AT(method) },
	{ "max_drift_ppb", COUNT, AT(max_drift_ppb) },
	{ "interval_ns", INTERVAL, AT(interval_ns) },
	{ "chrony_socket", TEXT, AT(chrony_socket) },
	{ "phc_trouble", TEXT_OR_NULL, AT(phc_trouble) },
	{ NULL, TEXT, 0 }
};

static const struct key status_keys[] = {
	{ "name", TEXT, AT(status) },
	{ "since_ns", NUMBER, AT(since_ns) },
	{ "age_ns", COUNT, AT(since_age_ns) },
	{ "as_of_ns", COUNT, AT(as_of_ns) },
	{ "earliest_ns", NUMBER_OR_NULL, AT(earliest_ns) },
	{ "latest_ns", NUMBER_OR_NULL, AT(latest_ns) },
	{ "frequency_exceeds_drift", BOOL, AT(frequency_exceeds_drift) },
	{ NULL, TEXT, 0 }
};

static const struct key tracking_keys[] = {
	{ "answered", BOOL, AT(answered) },
	{ "trouble", TEXT_OR_NULL, AT(trouble) },
	{ NULL, TEXT, 0 }
};

static const struct key report_keys[] = {
	{ "ref_id", TEXT, AT(ref_id) },
	{ "ref_name", TEXT_OR_NULL, AT(ref_name) },
	{ "leap", TEXT_OR_NULL, AT(leap) },
	{ "stratum", COUNT, AT(stratum) },
	{ "ref_time_ns", NUMBER, AT(ref_time_ns) },
	{ "offset_ns", NUMBER, AT(offset_ns) },
	{ "frequency_ppb", NUMBER, AT(frequency_ppb) },
	{ "root_delay_ns", NUMBER, AT(root_delay_ns) },
	{ "root_dispersion_ns", NUMBER, AT(root_dispersion_ns) },
	{ "estimate_ns", NUMBER, AT(estimate_ns) },
	{ NULL, TEXT, 0 }
};

static const struct key source_keys[] = {
	{ "name", TEXT_OR_NULL, IN(name) },
	{ "mode", TEXT_OR_NULL, IN(mode) },
	{ "state", TEXT_OR_NULL, IN(state) },
	{ "poll", NUMBER, IN(poll) },
	{ "reachability", COUNT, IN(reachability) },
	{ "measured_age_ns", COUNT_OR_NULL, IN(measured_age_ns) },
	{ "earliest_ns", NUMBER_OR_NULL, IN(earliest_ns) },
	{ "latest_ns", NUMBER_OR_NULL, IN(latest_ns) },
	{ "contradictions", COUNT, IN(contradictions) },
	{ NULL, TEXT, 0 }
};

static const struct key disruption_keys[] = {
	{ "phase", TEXT, AT(phase) },
	{ "forced", BOOL, AT(forced) },
	{ "gated", BOOL, AT(gated) },
	{ NULL, TEXT, 0 }
};

static const struct key vmclock_keys[] = {
	{ "unreliable", BOOL, AT(unreliable) },
	{ NULL, TEXT, 0 }
};

static const struct key count_keys[] = {
	{ "ticks", COUNT, AT(ticks) },
	{ "missed_samples", COUNT, AT(missed_samples) },
	{ "disruptions", COUNT, AT(disruptions) },
	{ "forced_disruptions", COUNT, AT(forced_disruptions) },
	{ "steps", COUNT, AT(steps) },
	{ "sleeps", COUNT, AT(sleeps) },
	{ "clocksource_changes", COUNT, AT(clocksource_changes) },
	{ "leap_seconds", COUNT, AT(leap_seconds) },
	{ "contradictions", COUNT, AT(contradictions) },
	{ "disagreements", COUNT, AT(disagreements) },
	{ "longest_gap_ns", COUNT, AT(longest_gap_ns) },
	{ NULL, TEXT, 0 }
};

static const struct key shm1_keys[] = {
	{ "trouble", TEXT_OR_NULL, AT(shm1_trouble) },
	{ "as_of_ns", COUNT, AT(shm1_as_of_ns) },
	{ NULL, TEXT, 0 }
};

static const struct key budget_keys[] = {
	{ "bound_ns", COUNT, OF(bound_ns) },
	{ "source", TEXT_OR_NULL, OF(source) },
	{ "poll", NUMBER, OF(poll) },
	{ "measured_age_ns", NUMBER, OF(age_ns) },
	{ NULL, TEXT, 0 }
};

static const struct key part_keys[] = {
	{ "offset_ns", NUMBER, OF(parts[CB_PART_OFFSET]) },
	{ "error_ns", NUMBER, OF(parts[CB_PART_ERROR]) },
	{ "phc_error_ns", NUMBER, OF(parts[CB_PART_PHC_ERROR]) },
	{ "drift_ns", NUMBER, OF(parts[CB_PART_DRIFT]) },
	{ "reading_ns", NUMBER, OF(parts[CB_PART_READING]) },
	{ "leap_ns", NUMBER, OF(parts[CB_PART_LEAP]) },
	{ "slew_ns", NUMBER, OF(parts[CB_PART_SLEW]) },
	{ "coarse_ns", NUMBER, OF(parts[CB_PART_COARSE]) },
	{ "correction_ns", NUMBER, OF(parts[CB_PART_CORRECTION]) },
	{ "rounding_ns", NUMBER, OF(parts[CB_PART_ROUNDING]) },
	{ NULL, TEXT, 0 }
};

/* Whatever a terminal might take for an order is not for it to see. */
static void
copy_printable(const char *from, char to[CB_TEXT])
{
	size_t i;

	for (i = 0; i < CB_TEXT - 1 && from[i] != '\0'; i++)
		to[i] = from[i] < ' ' || from[i] > '~' ? '?' : from[i];
	to[i] = '\0';
}

static const char *
expected_of(enum kind kind)
{
	switch (kind) {
	case TEXT:
		return "a text";
	case TEXT_OR_NULL:
		return "a text or null";
	case BOOL:
		return "true or false";
	case INTERVAL:
		return "an integer from 1000000 to 5000000000";
	case COUNT:
		return "an integer from 0 on";
	case COUNT_OR_NULL:
		return "an integer from 0 on, or null";
	case NUMBER:
		return "an integer";
	case NUMBER_OR_NULL:
		break;
	}
	return "an integer or null";
}

static bool
take_number(const json_t *v, int64_t least, int64_t *n)
{
	*n = json_integer_value(v);
	return json_is_integer(v) && *n >= least && *n <= MAX_NUMBER;
}

static bool
take_text(const json_t *v, char text[CB_TEXT])
{
	if (!json_is_string(v))
		return false;
	copy_printable(json_string_value(v), text);
	return true;
}

static bool
take_value(const json_t *v, enum kind kind, void *to)
{
	switch (kind) {
	case TEXT_OR_NULL:
		*(char *)to = '\0';
		return json_is_null(v) || take_text(v, to);
	case TEXT:
		return take_text(v, to);
	case BOOL:
		*(bool *)to = json_is_true(v);
		return json_is_boolean(v);
	case INTERVAL:
		return take_number(v, MIN_INTERVAL_NS, to) &&
		    *(int64_t *)to <= MAX_INTERVAL_NS;
	case COUNT:
		return take_number(v, 0, to);
	case NUMBER:
		return take_number(v, -MAX_NUMBER, to);
	case COUNT_OR_NULL:
	case NUMBER_OR_NULL:
		break;
	}
	if (!json_is_null(v))
		return take_number(v, kind == COUNT_OR_NULL ? 0 :
		    -MAX_NUMBER, to);
	*(int64_t *)to = CB_NONE;
	return true;
}

static bool
take_keys(const json_t *o, const char *where, const struct key *keys,
    void *to, char trouble[CB_TEXT])
{
	for (const struct key *k = keys; k->name != NULL; k++)
		if (!take_value(json_object_get(o, k->name), k->kind,
		    (char *)to + k->offset)) {
			snprintf(trouble, CB_TEXT, "%s.%s: expected %s",
			    where, k->name, expected_of(k->kind));
			return false;
		}
	return true;
}

static bool
take_report(const json_t *tracking, struct cb_observed *o,
    char trouble[CB_TEXT])
{
	const json_t *report = json_object_get(tracking, "report");

	o->has_report = !json_is_null(report);
	return !o->has_report || take_keys(report, "tracking.report",
	    report_keys, o, trouble);
}

static bool
take_sources(const json_t *a, struct cb_observed *o, char trouble[CB_TEXT])
{
	o->n_sources = json_array_size(a);
	if (!json_is_array(a) || o->n_sources > CB_MAX_SOURCES) {
		snprintf(trouble, CB_TEXT, "sources: expected an array of "
		    "%d at most", CB_MAX_SOURCES);
		return false;
	}
	for (size_t i = 0; i < o->n_sources; i++)
		if (!take_keys(json_array_get(a, i), "sources", source_keys,
		    &o->sources[i], trouble))
			return false;
	return true;
}

static bool
take_budget(const json_t *budget, const char *where, struct cb_budget *b,
    char trouble[CB_TEXT])
{
	char parts[CB_TEXT];

	snprintf(parts, sizeof(parts), "%s.parts", where);
	b->is_known = !json_is_null(budget);
	return !b->is_known || (take_keys(budget, where, budget_keys, b,
	    trouble) && take_keys(json_object_get(budget, "parts"), parts,
	    part_keys, b, trouble));
}

static bool
take_shm1(const json_t *shm1, struct cb_observed *o, char trouble[CB_TEXT])
{
	return json_is_null(shm1) || (take_keys(shm1, "shm1", shm1_keys, o,
	    trouble) && take_budget(json_object_get(shm1, "budget"),
	    "shm1.budget", &o->shm1_budget, trouble));
}

static bool
check_format(const json_t *object, char trouble[CB_TEXT])
{
	const json_t *format = json_object_get(object, "format");

	if (json_is_integer(format) && json_integer_value(format) == FORMAT)
		return true;
	snprintf(trouble, CB_TEXT, "format: expected %d", FORMAT);
	return false;
}

bool
cb_observe_parse(const json_t *object, struct cb_observed *o,
    char trouble[CB_TEXT])
{
	const json_t *tracking = json_object_get(object, "tracking");
	const json_t *vmclock = json_object_get(object, "vmclock");

	memset(o, 0, sizeof(*o));
	return check_format(object, trouble) &&
	    take_keys(json_object_get(object, "daemon"), "daemon",
	    daemon_keys, o, trouble) &&
	    take_keys(json_object_get(object, "status"), "status",
	    status_keys, o, trouble) &&
	    take_keys(tracking, "tracking", tracking_keys, o, trouble) &&
	    take_report(tracking, o, trouble) &&
	    take_sources(json_object_get(object, "sources"), o, trouble) &&
	    take_keys(json_object_get(object, "disruption"), "disruption",
	    disruption_keys, o, trouble) &&
	    (json_is_null(vmclock) || take_keys(vmclock, "vmclock",
	    vmclock_keys, o, trouble)) &&
	    take_keys(json_object_get(object, "counts"), "counts",
	    count_keys, o, trouble) &&
	    take_budget(json_object_get(object, "budget"), "budget",
	    &o->budget, trouble) &&
	    take_shm1(json_object_get(object, "shm1"), o, trouble);
}

/* A file of another kind refuses a connection as a dead socket does. */
static int
refusal_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISSOCK(st.st_mode) ? ENOTSOCK :
	    ECONNREFUSED;
}

/* A full queue of connections is one to wait in. */
static bool
connect_to(int fd, const char *path, int64_t end_mono)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	if (strlcpy(sun.sun_path, path, sizeof(sun.sun_path)) >=
	    sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	while (connect(fd, (const struct sockaddr *)&sun,
	    sizeof(sun)) == -1) {
		if (errno == ECONNREFUSED)
			errno = refusal_of(path);
		if (errno != EAGAIN && errno != EINTR)
			return false;
		if (cb_ts_clock(CLOCK_MONOTONIC) >= end_mono) {
			errno = ETIMEDOUT;
			return false;
		}
		poll(NULL, 0, CONNECT_MS);
	}
	return true;
}

static bool
wait_for_bytes(int fd, int64_t end_mono)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int64_t left = end_mono - cb_ts_clock(CLOCK_MONOTONIC);

	if (left > 0 && poll(&pfd, 1, (int)(left / 1000000) + 1) != 0)
		return true;
	errno = ETIMEDOUT;
	return false;
}

/* All up to the end of the file; -1, with errno. */
static ssize_t
read_all(int fd, char *buf, size_t size, int64_t end_mono)
{
	size_t len = 0;
	ssize_t n;

	while (wait_for_bytes(fd, end_mono)) {
		n = read(fd, buf + len, size - len);
		if (n == 0)
			return (ssize_t)len;
		if (n == -1 && errno != EAGAIN && errno != EINTR)
			return -1;
		len += n == -1 ? 0 : (size_t)n;
		if (len == size) {
			errno = EFBIG;
			return -1;
		}
	}
	return -1;
}

static enum cb_answer
fail(int error, char trouble[CB_TEXT])
{
	snprintf(trouble, CB_TEXT, "%s", error == ETIMEDOUT ?
	    "no answer in time" : strerror(error));
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
	case ENOTSOCK:
		return CB_ANSWER_ABSENT;
	case ECONNREFUSED:
		return CB_ANSWER_REFUSED;
	case EACCES:
	case EPERM:
		return CB_ANSWER_DENIED;
	default:
		return CB_ANSWER_BROKEN;
	}
}

static enum cb_answer
read_object(int fd, int64_t end_mono, json_t **object, char trouble[CB_TEXT])
{
	char *buf = malloc(MAX_ANSWER);
	json_error_t error;
	ssize_t len;

	if (buf == NULL)
		return fail(errno, trouble);
	len = read_all(fd, buf, MAX_ANSWER, end_mono);
	if (len == -1) {
		free(buf);
		return fail(errno, trouble);
	}
	*object = json_loadb(buf, (size_t)len, JSON_REJECT_DUPLICATES,
	    &error);
	free(buf);
	if (*object != NULL)
		return CB_ANSWER_GOOD;
	snprintf(trouble, CB_TEXT, "%s", len == 0 ? "an empty answer" :
	    "an answer that is not JSON");
	return CB_ANSWER_BROKEN;
}

enum cb_answer
cb_observe_ask(const char *path, json_t **object, struct cb_observed *o,
    char trouble[CB_TEXT])
{
	int64_t end = cb_ts_clock(CLOCK_MONOTONIC) + ANSWER_NS;
	int fd = cb_system_socket(SOCK_STREAM, false);
	enum cb_answer answer;

	*object = NULL;
	*trouble = '\0';
	if (fd != -1 && connect_to(fd, path, end))
		answer = read_object(fd, end, object, trouble);
	else
		answer = fail(errno, trouble);
	if (fd != -1)
		close(fd);
	if (answer != CB_ANSWER_GOOD ||
	    cb_observe_parse(*object, o, trouble))
		return answer;
	json_decref(*object);
	*object = NULL;
	return CB_ANSWER_BROKEN;
}
