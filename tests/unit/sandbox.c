/* SPDX-License-Identifier: ISC */
/*
 * The daemon's sandbox: system calls that the loop has no use for are tried in
 * a process each, and must end it.
 *
 * usage: sandbox
 *	  sandbox COMMAND [ARGUMENT...]		where nothing can be filtered
 */
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cb-daemon.h"
#include "test.h"

#ifdef CB_SECCOMP
#include <seccomp.h>

/* In a directory of root's: whoever this is remains. */
static const struct cb_options options = { .chrony_socket = "/chronyd.sock" };

/* Were one let through, it would do no harm with these. */
struct call {
	const char *name;
	long number;
	long arg[6];
};

#define CALL(name, ...)	{ #name, SYS_##name, { __VA_ARGS__ } }
#define AS_CALL(as, name, ...)	{ as, SYS_##name, { __VA_ARGS__ } }
#define ANON		(MAP_PRIVATE | MAP_ANONYMOUS)
#define HERE		AT_FDCWD
#define PATH		(long)"/nothing/here"

static const struct call forbidden[] = {
	CALL(execve, PATH),
	CALL(execveat, HERE, PATH),
	CALL(clone, SIGCHLD),
	CALL(kill, 0, 0),
	CALL(tgkill, 1, 1, 0),
	CALL(ptrace, 0),
	CALL(process_vm_readv, 1),
	CALL(clock_settime, CLOCK_REALTIME),
	CALL(settimeofday, 0),
	CALL(adjtimex, 0),
	CALL(clock_adjtime, CLOCK_REALTIME),
	CALL(timerfd_settime, -1),
	AS_CALL("an IPv4 socket", socket, AF_INET, SOCK_DGRAM),
	AS_CALL("an IPv6 socket", socket, AF_INET6, SOCK_STREAM),
	AS_CALL("a netlink socket", socket, AF_NETLINK, SOCK_RAW),
	CALL(listen, -1),
	CALL(sendmsg, -1),
	AS_CALL("open to write", openat, HERE, PATH, O_WRONLY),
	AS_CALL("open to read and write", openat, HERE, PATH, O_RDWR),
	AS_CALL("create", openat, HERE, PATH, O_RDONLY | O_CREAT),
	AS_CALL("truncate by open", openat, HERE, PATH, O_RDONLY | O_TRUNC),
	CALL(ftruncate, -1),
	CALL(fchmod, -1),
	CALL(fchmodat, HERE, PATH),
	CALL(fchownat, HERE, PATH),
	CALL(linkat, HERE, PATH, HERE, PATH),
	CALL(symlinkat, PATH, HERE, PATH),
	CALL(renameat2, HERE, PATH, HERE, PATH),
	CALL(mkdirat, HERE, PATH),
	CALL(mknodat, HERE, PATH),
	CALL(ioctl, -1),
	AS_CALL("a file lock", fcntl, -1, F_SETLK),
	CALL(memfd_create, 0),
	AS_CALL("map to execute", mmap, 0, 4096, PROT_READ | PROT_EXEC, ANON,
	    -1),
	CALL(mprotect, 0, 0, PROT_READ | PROT_EXEC),
	CALL(prctl, -1),
	CALL(setuid, -1),
	CALL(setgid, -1),
	CALL(capset, 0),
	CALL(seccomp, -1),
	CALL(unshare, 0),
	CALL(setns, -1),
	CALL(mount, 0),
	CALL(chroot, PATH),
	CALL(bpf, -1),
	CALL(init_module, 0),
	CALL(keyctl, -1)
};

/* A clock that the vDSO cannot read, and a stop amid a call, end up here. */
static const struct call allowed[] = {
	CALL(clock_gettime, CLOCK_MONOTONIC_RAW),
	CALL(clock_getres, CLOCK_MONOTONIC_COARSE),
	CALL(gettimeofday, 0),
	CALL(restart_syscall, 0),
	CALL(sched_yield, 0),
	CALL(getrandom, 0),
	AS_CALL("a file's flags", fcntl, -1, F_SETFL, O_NONBLOCK),
	AS_CALL("open to read", openat, HERE, PATH, O_RDONLY | O_CLOEXEC |
	    O_NONBLOCK),
	AS_CALL("a Unix socket", socket, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC),
	AS_CALL("map to read", mmap, 0, 4096, PROT_READ, ANON, -1)
};

/* In a sandbox, in a process of its own: its wait status. */
static int
try_call(const struct call *c)
{
	const struct rlimit none = { 0, 0 };
	const char *what;
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &none);
		if (!cb_sandbox_enter(&options, &what))
			_exit(1);
		syscall(c->number, c->arg[0], c->arg[1], c->arg[2], c->arg[3],
		    c->arg[4], c->arg[5]);
		_exit(0);
	}
	CHECK(pid != -1 && waitpid(pid, &status, 0) == pid);
	return status;
}

static void
test_forbidden(void)
{
	int status;

	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++) {
		test_row = forbidden[i].name;
		status = try_call(&forbidden[i]);
		CHECK_EQ(WIFSIGNALED(status) ? WTERMSIG(status) : 0, SIGSYS);
	}
}

static void
test_allowed(void)
{
	int status;

	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		test_row = allowed[i].name;
		status = try_call(&allowed[i]);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
}

/* As a kernel that knows of no filters answers, or an emulator of one. */
static void
without(char *command[])
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (filter == NULL ||
	    seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS),
	    SCMP_SYS(seccomp), 0) != 0 ||
	    seccomp_rule_add(filter, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(prctl),
	    1, SCMP_A0(SCMP_CMP_EQ, PR_SET_SECCOMP, 0)) != 0 ||
	    seccomp_load(filter) != 0)
		errx(77, "no filter can be set here at all");
	execvp(command[0], command);
	err(2, "%s", command[0]);
}

int
main(int argc, char *argv[])
{
	int status;

	if (argc > 1)
		without(argv + 1);
	status = try_call(&allowed[0]);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
		test_skip("no filter can be set here");
	else {
		test_forbidden();
		test_allowed();
	}
	return test_done();
}

#else

int
main(void)
{
	test_skip("built without libseccomp");
	return test_done();
}

#endif
