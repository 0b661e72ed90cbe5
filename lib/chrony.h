/* SPDX-License-Identifier: ISC */
/*
 * chronyd's command protocol, version 6 (chrony 4.0 and later): the reports
 * that a clock's bound is worked out from.
 *
 * chrony.c is the codec: bytes in, numbers out, nothing else.
 * chrony_socket.c carries the bytes.
 */
#ifndef CB_CHRONY_H
#define CB_CHRONY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#define CB_CHRONY_DEFAULT_SOCKET	"/var/run/chrony/chronyd.sock"

enum cb_chrony_command {
	CB_CHRONY_BURST = 3,		/* measure all sources, soon */
	CB_CHRONY_N_SOURCES = 14,
	CB_CHRONY_SOURCE_DATA = 15,
	CB_CHRONY_TRACKING = 33,
	CB_CHRONY_RESET_SOURCES = 66	/* forget what they measured */
};

/* The largest request and reply that we use. */
#define CB_CHRONY_MAX_LEN	104

/* The reference ID of chronyd's `local` directive. */
#define CB_CHRONY_REF_ID_LOCAL	UINT32_C(0x7F7F0101)

enum cb_chrony_leap {
	CB_CHRONY_LEAP_NORMAL,
	CB_CHRONY_LEAP_INSERT,
	CB_CHRONY_LEAP_DELETE,
	CB_CHRONY_LEAP_UNSYNCHRONISED
};

/*
 * A number off the wire, where every value has 24 bits and may have been
 * rounded either way: the value is within err of what chronyd meant.
 */
struct cb_chrony_value {
	int64_t v;
	int64_t err;
};

struct cb_chrony_tracking {
	uint32_t ref_id;
	uint8_t address[20];		/* as on the wire */
	uint16_t stratum;
	uint16_t leap;			/* enum cb_chrony_leap, or above it */
	int64_t ref_time_ns;		/* UTC, by the cooked clock */
	struct cb_chrony_value correction_ns;	/* cooked - CLOCK_REALTIME */
	struct cb_chrony_value freq_ppb;	/* positive: runs fast */
	int64_t root_delay_ns;		/* these four rounded up */
	int64_t root_dispersion_ns;
	int64_t last_update_interval_ns;
	int64_t estimate_ns;	/* |correction| + dispersion + delay / 2 */
	/* For people to look at: not checked, and nothing rests on them. */
	int64_t last_offset_ns;
	int64_t rms_offset_ns;
	int64_t skew_ppb;
};

enum cb_chrony_state {
	CB_CHRONY_SELECTED,		/* * */
	CB_CHRONY_NOT_SELECTABLE,	/* ? */
	CB_CHRONY_FALSETICKER,		/* x */
	CB_CHRONY_JITTERY,		/* ~ */
	CB_CHRONY_COMBINED,		/* + */
	CB_CHRONY_NOT_COMBINED		/* - */
};

enum cb_chrony_mode {
	CB_CHRONY_CLIENT,
	CB_CHRONY_PEER,
	CB_CHRONY_REFCLOCK
};

#define CB_CHRONY_NO_SAMPLE	UINT32_MAX

struct cb_chrony_source {
	uint8_t address[20];		/* as on the wire; a refclock's ID */
	uint16_t mode;			/* enum cb_chrony_mode */
	uint16_t state;			/* enum cb_chrony_state */
	int16_t poll;			/* log2 s */
	uint16_t stratum;
	uint16_t reachability;		/* of the last 8 polls, a bit each */
	uint32_t since_sample_s;	/* or CB_CHRONY_NO_SAMPLE */
	uint32_t orig_meas;		/* as on the wire: only ever compared */
	struct cb_chrony_value meas_ns;	/* cooked clock - source */
	int64_t meas_err_ns;		/* rounded up */
	int64_t phc_err_ns;		/* what of it we have added */
};

struct cb_chrony_request {
	uint16_t command;
	uint16_t reply_type;
	size_t reply_len;
	size_t len;
	uint8_t bytes[CB_CHRONY_MAX_LEN];
};

/* index is SOURCE_DATA's, 0 for the others. */
void cb_chrony_encode(struct cb_chrony_request *, enum cb_chrony_command,
    uint32_t index, uint32_t sequence);

/* What a datagram is to a request. */
enum cb_chrony_match {
	CB_CHRONY_REPLY,	/* its reply, whole */
	CB_CHRONY_REFUSAL,	/* its reply: *status says why not */
	CB_CHRONY_BAD,		/* its reply, but not as it should be */
	CB_CHRONY_STRAY		/* nothing of ours */
};

#define CB_CHRONY_STATUS_NO_SOURCE	4

enum cb_chrony_match cb_chrony_match(const struct cb_chrony_request *,
    const uint8_t *reply, size_t len, uint16_t *status);

/* False when a field holds what no chronyd would say. */
bool cb_chrony_decode_tracking(const uint8_t reply[104],
    struct cb_chrony_tracking *);
bool cb_chrony_decode_source(const uint8_t reply[76],
    struct cb_chrony_source *);
uint32_t cb_chrony_decode_n_sources(const uint8_t reply[32]);

/* A chrony float in units of 1 / scale: 10^9 makes nanoseconds of seconds. */
struct cb_chrony_value cb_chrony_decode_float(uint32_t wire, int64_t scale);

/*
 * chrony_socket.c
 */
struct cb_chrony {
	int fd;			/* -1: not open */
	int64_t timeout_ns;	/* that the socket has; -1: none */
	uint32_t random[64];	/* sequence numbers in store */
	size_t n_random;
	struct sockaddr_un own;	/* bound, unlinked at the end */
};

/* Is there room in a socket's address for path, and for our own beside it? */
bool cb_chrony_is_path(const char *path);
/*
 * Bind a socket of our own beside chronyd's, as its clients must, and connect
 * to that.  On failure false, with errno, and in *what the step.
 */
bool cb_chrony_open(struct cb_chrony *, const char *path, const char **what);
void cb_chrony_close(struct cb_chrony *);

/*
 * Ask, and wait for the answer at most timeout_ns.  True when reply holds it,
 * and *status is 0, or chronyd refused and said why in *status.  Otherwise
 * false, with errno; ETIMEDOUT: nothing came; EBADMSG: nothing well formed.
 */
bool cb_chrony_ask(struct cb_chrony *, enum cb_chrony_command,
    uint32_t index, int64_t timeout_ns, uint8_t reply[CB_CHRONY_MAX_LEN],
    uint16_t *status);

#endif
