/* SPDX-License-Identifier: ISC */
/*
 * A C library of ClockBound's, 2.x or 3.x, or ours, opened at run time, so
 * that two of them fit into one process.  A path goes in, readings come out.
 */
#ifndef PEER_H
#define PEER_H

#include <dlfcn.h>
#include <err.h>
#include <stdbool.h>
#include <string.h>

#include "clockbound.h"

/* The error of 3.x, which each call fills in. */
struct peer_err3 {
	clockbound_err_kind kind;
	int sys_errno;
	char detail[128];
};

struct peer {
	clockbound_ctx *ctx;
	clockbound_ctx *(*open)(const char *, const char *, clockbound_err *);
	const clockbound_err *(*now)(clockbound_ctx *,
	    clockbound_now_result *);
	/* The same of 3.x; NULL with 2.x. */
	clockbound_ctx *(*open3)(const char *, const char *,
	    struct peer_err3 *);
	struct peer_err3 *(*now3)(clockbound_ctx *, clockbound_now_result *,
	    struct peer_err3 *);
};

/* C knows no way from the one kind of pointer to the other. */
static inline void
peer_find(void *library, const char *name, void *function)
{
	void *symbol = dlsym(library, name);

	memcpy(function, &symbol, sizeof(symbol));
}

static inline struct peer
peer_load(const char *path)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	struct peer p = { .ctx = NULL };

	if (library == NULL)
		errx(2, "%s", dlerror());
	peer_find(library, "clockbound_vmclock_open", &p.open);
	peer_find(library, "clockbound_now", &p.now);
	peer_find(library, "clockbound_open_with", &p.open3);
	peer_find(library, "clockbound_now", &p.now3);
	return p;
}

static inline clockbound_err_kind
peer_open(struct peer *p, const char *path, const char *vmclock)
{
	struct peer_err3 err3;
	clockbound_err err;

	if (p->open3 != NULL)
		p->ctx = p->open3(path, vmclock, &err3);
	else
		p->ctx = p->open(path, vmclock, &err);
	if (p->ctx != NULL)
		return CLOCKBOUND_ERR_NONE;
	return p->open3 != NULL ? err3.kind : err.kind;
}

static inline clockbound_err_kind
peer_now(const struct peer *p, clockbound_now_result *now)
{
	struct peer_err3 err3;
	const clockbound_err *err;

	if (p->open3 != NULL)
		return p->now3(p->ctx, now, &err3) == NULL ?
		    CLOCKBOUND_ERR_NONE : err3.kind;
	err = p->now(p->ctx, now);
	return err == NULL ? CLOCKBOUND_ERR_NONE : err->kind;
}

#endif
