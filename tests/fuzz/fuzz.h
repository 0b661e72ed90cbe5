/* SPDX-License-Identifier: ISC */
/*
 * A fuzz target is a function.  Bytes go in; a promise that is broken is the
 * end, as is whatever the sanitizers find.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libFuzzer's names: once, and with each input. */
int LLVMFuzzerInitialize(int *, char ***);
int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

#define CHECK(what) \
	((what) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #what))

static inline _Noreturn void
fuzz_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
	abort();
}

/* What is left of the input; behind its end there are zeros. */
struct fuzz {
	const uint8_t *at;
	size_t left;
};

static inline void
fuzz_take(struct fuzz *f, void *to, size_t size)
{
	size_t n = size < f->left ? size : f->left;

	memset(to, 0, size);
	if (n > 0)
		memcpy(to, f->at, n);
	f->at += n;
	f->left -= n;
}

static inline uint8_t
fuzz_byte(struct fuzz *f)
{
	uint8_t byte;

	fuzz_take(f, &byte, 1);
	return byte;
}

static inline int64_t
fuzz_number(struct fuzz *f)
{
	int64_t number;

	fuzz_take(f, &number, sizeof(number));
	return number;
}

/* From 0 to most: small numbers and large ones are as likely. */
static inline int64_t
fuzz_upto(struct fuzz *f, int64_t most)
{
	uint64_t n = (uint64_t)fuzz_number(f);

	n >>= fuzz_byte(f) % 64;
	return (int64_t)(n % ((uint64_t)most + 1));
}

/* The rest of the input as a text, to be freed; a null may be in it. */
static inline char *
fuzz_text(const struct fuzz *f)
{
	char *text = malloc(f->left + 1);

	if (text == NULL)
		abort();
	if (f->left > 0)
		memcpy(text, f->at, f->left);
	text[f->left] = '\0';
	return text;
}

#endif
