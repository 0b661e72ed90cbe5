/* SPDX-License-Identifier: ISC */
/*
 * A program that somebody wrote for a C library of ClockBound's: it is compiled
 * with that one's header, as C and as C++, and is linked with that one.
 *
 * usage: client PATH VMCLOCK [forever]
 *
 * Out comes a line "EARLIEST LATEST STATUS" a reading, one or a hundred a
 * second; or "open error KIND" or "now error KIND", with errno and what failed
 * where a system call did, and exit status 1 but in a reading among many.
 */
#ifdef __cplusplus
extern "C" {	/* which ClockBound's header leaves to its users */
#endif
#include <clockbound.h>
#ifdef __cplusplus
}
#endif

#include <stdio.h>
#include <time.h>

/* 3.x has other functions by the same names, and this. */
#ifdef CLOCKBOUND_ERROR_DETAIL_SIZE
#define OPEN	clockbound_open_with
#define NOW(ctx, now, err)	clockbound_now(ctx, now, err)
#define DETAIL(err)	(err)->errno, (err)->detail
#else
#define OPEN	clockbound_vmclock_open
#define NOW(ctx, now, err)	clockbound_now(ctx, now)
#define DETAIL(err)	(err)->sys_errno, (err)->detail
#endif

static int
print_error(const char *call, const clockbound_err *err)
{
	printf("%s error %d", call, (int)err->kind);
	if (err->kind == CLOCKBOUND_ERR_SYSCALL)
		printf(" %d %s", DETAIL(err));
	printf("\n");
	return 1;
}

static int
print_reading(clockbound_ctx *ctx)
{
	clockbound_now_result now;
	clockbound_err const *failed;
#ifdef CLOCKBOUND_ERROR_DETAIL_SIZE
	clockbound_err err;
#endif

	failed = NOW(ctx, &now, &err);
	if (failed != NULL)
		return print_error("now", failed);
	printf("%lld.%09ld %lld.%09ld %d\n", (long long)now.earliest.tv_sec,
	    now.earliest.tv_nsec, (long long)now.latest.tv_sec,
	    now.latest.tv_nsec, (int)now.clock_status);
	return 0;
}

int
main(int argc, char *argv[])
{
	struct timespec pause = { 0, 10000000 };
	clockbound_ctx *ctx;
	clockbound_err err;
	int failed;

	if (argc != 3 && argc != 4) {
		fputs("usage: client PATH VMCLOCK [forever]\n", stderr);
		return 2;
	}
	ctx = OPEN(argv[1], argv[2], &err);
	if (ctx == NULL)
		return print_error("open", &err);
	do {
		failed = print_reading(ctx);
		fflush(stdout);
		if (argc == 4)
			nanosleep(&pause, NULL);
	} while (argc == 4);
#ifdef CLOCKBOUND_ERROR_DETAIL_SIZE
	clockbound_close(ctx, &err);
#else
	clockbound_close(ctx);
#endif
	return failed;
}
