/* SPDX-License-Identifier: ISC */
/*
 * Once all is open: what the daemon can do goes in, what the loop does comes
 * out.  Root, capabilities and all other system calls are given up for good.
 */
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <linux/capability.h>
#endif
#ifdef CB_SECCOMP
#include <seccomp.h>
#endif

#include "cb-daemon.h"

/*
 * Root becomes the user that chronyd runs as: its socket's directory is that
 * user's.  Root without capabilities would still be root to whoever listens on
 * a socket, such as the service manager.
 */
static bool
become_owner(const char *chrony_socket)
{
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	struct stat st;

	strlcpy(path, chrony_socket, sizeof(path));
	if (stat(dirname(path), &st) == -1)
		return false;
	return st.st_uid == 0 || (setgroups(0, NULL) == 0 &&
	    setgid(st.st_gid) == 0 && setuid(st.st_uid) == 0);
}

#ifdef __linux__

/* Who may not do that cannot gain any either: there are no new privileges. */
static void
empty_bounding_set(void)
{
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != -1;
	    cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

/* A service manager that has left us none may not let us ask for that. */
static bool
drop_capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct has[_LINUX_CAPABILITY_U32S_3];
	static const struct __user_cap_data_struct
	    none[_LINUX_CAPABILITY_U32S_3];

	return syscall(SYS_capget, &header, has) == 0 &&
	    (memcmp(has, none, sizeof(has)) == 0 ||
	    syscall(SYS_capset, &header, none) == 0);
}

static bool
gain_nothing(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

#else

static void
empty_bounding_set(void)
{
}

static bool
drop_capabilities(void)
{
	return true;
}

static bool
gain_nothing(void)
{
	return true;
}

#endif

#ifdef CB_SECCOMP

/*
 * What the loop calls, and the end.  C libraries and CPUs have other names for
 * the same; those that this one lacks are left out.  Where the vDSO does not
 * read a clock, the kernel is asked.
 */
static const char *const calls[] = {
	/* clocks and sleep */
	"clock_getres", "clock_getres_time64", "clock_gettime",
	"clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64",
	"gettimeofday", "nanosleep", "poll", "ppoll", "ppoll_time64",
	"_newselect", "pselect6", "pselect6_time64", "sched_yield", "select",
	"time",
	/* signals: they stop a call, and start it again */
	"restart_syscall", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
	"sigreturn",
	/* files: the VMClock, sysfs, the run directory, the log */
	"close", "fstat", "fstat64", "fstatat64", "lstat", "lstat64",
	"newfstatat", "pread64", "read", "stat", "stat64", "statx", "write",
	"writev",
	/* sockets: chronyd, those who observe, the service manager */
	"accept", "accept4", "bind", "connect", "recv", "recvfrom", "send",
	"sendto", "setsockopt", "umask", "unlink", "unlinkat",
	/* memory, a C library's locks, random numbers, the end */
	"brk", "exit", "exit_group", "futex", "futex_time64", "getpid",
	"getrandom", "madvise", "mremap", "munmap"
};

/* These only with arguments that have just such bits under the mask. */
static const struct {
	const char *call;
	struct scmp_arg_cmp bits;
} calls_with[] = {
#define BITS(arg, mask, bits)	{ (arg), SCMP_CMP_MASKED_EQ, (mask), (bits) }
#define WRITES			(O_ACCMODE | O_CREAT | O_TRUNC)
	{ "fcntl", BITS(1, UINT32_MAX, F_SETFD) },
	{ "fcntl", BITS(1, UINT32_MAX, F_SETFL) },
	{ "fcntl64", BITS(1, UINT32_MAX, F_SETFD) },
	{ "fcntl64", BITS(1, UINT32_MAX, F_SETFL) },
	{ "mmap", BITS(2, PROT_EXEC, 0) },
	{ "mmap2", BITS(2, PROT_EXEC, 0) },
	{ "open", BITS(1, WRITES, O_RDONLY) },
	{ "openat", BITS(2, WRITES, O_RDONLY) },
	{ "socket", BITS(0, UINT32_MAX, AF_UNIX) }
};

static int
add_rules(scmp_filter_ctx filter)
{
	int error = 0;

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]) && error == 0;
	    i++)
		error = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
		    seccomp_syscall_resolve_name(calls[i]), 0);
	for (size_t i = 0; i < sizeof(calls_with) / sizeof(calls_with[0]) &&
	    error == 0; i++)
		error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW,
		    seccomp_syscall_resolve_name(calls_with[i].call), 1,
		    &calls_with[i].bits);
	return error;
}

/*
 * Whatever is not listed ends the daemon: readers then age what was published.
 * One that went on after a call that did nothing could publish what is wrong.
 */
static bool
filter_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int error = filter == NULL ? -EOPNOTSUPP : add_rules(filter);

	/* As a binary tree: a tick has some thirty calls. */
	if (error == 0)
		error = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (error == 0)
		error = seccomp_load(filter);
	seccomp_release(filter);
	errno = -error;
	return error == 0;
}

#else

static bool
filter_calls(void)
{
	return true;
}

#endif

bool
cb_sandbox_enter(const struct cb_options *o, const char **what)
{
	empty_bounding_set();
	*what = "become the user who has chronyd's directory";
	if (geteuid() == 0 && !become_owner(o->chrony_socket))
		return false;
	*what = "give up capabilities";
	if (!drop_capabilities() || !gain_nothing())
		return false;
	*what = "filter system calls (--no-seccomp does without)";
	return o->no_seccomp || filter_calls();
}
