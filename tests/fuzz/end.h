/* SPDX-License-Identifier: ISC */
/*
 * What ends a program ends a run instead, and leaves its exit status and its
 * last words.  To be included before the program's own text.
 */
#ifndef END_H
#define END_H

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include "fuzz.h"

static jmp_buf end_jump;
static int end_status;
static char end_words[16384];

static inline _Noreturn __attribute__((format(printf, 2, 3))) void
end_with(int status, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(end_words, sizeof(end_words), format, ap);
	va_end(ap);
	end_status = status;
	longjmp(end_jump, 1);
}

#define exit(status)		end_with(status, "%s", "")
#define err(status, ...)	end_with(status, __VA_ARGS__)
#define errx(status, ...)	end_with(status, __VA_ARGS__)
#define main			end_main

int end_main(int, char *[]);

/* What a program prints is for nobody. */
int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	return freopen("/dev/null", "w", stdout) == NULL;
}

#define END_WORDS	32

/* The input's words, each up to a null, to a program's main. */
static inline int
end_run(struct fuzz *f, int (*program)(int, char *[]))
{
	char *text = fuzz_text(f), *argv[END_WORDS + 2];
	int volatile status;
	int argc = 0;
	static char name[] = "program";

	argv[argc++] = name;
	for (size_t at = 0; at < f->left && argc <= END_WORDS;
	    at += strlen(text + at) + 1)
		argv[argc++] = text + at;
	argv[argc] = NULL;
	end_words[0] = '\0';
	opterr = 0;
	/* glibc's way to begin anew. */
	optind = 0;
	if (setjmp(end_jump) == 0)
		status = program(argc, argv);
	else
		status = end_status;
	free(text);
	return status;
}

#endif
