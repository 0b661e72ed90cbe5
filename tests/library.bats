#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# libclockbound as others get it: what is in it, how it is found, and that a
# program which lives on with it is never let down.
#
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own
# shellcheck disable=SC2154 # bats's

bats_require_minimum_version 1.5.0
load rig

# All that a program may call.
PUBLIC=(
	clockbound_after
	clockbound_at
	clockbound_before
	clockbound_bound_ns
	clockbound_close
	clockbound_now
	clockbound_open
	clockbound_open_options
	clockbound_read
	clockbound_status_name
	clockbound_strerror
	clockbound_vmclock_open
	clockbound_wait_until
)
# All that the library may call.  Of these only calloc and free know a heap,
# and clockbound_now() calls neither (tests/unit/guest.c).
CALLED=(
	calloc clock_gettime close errno_location free fstat memcpy mmap munmap
	nanosleep open sched_yield snprintf stat strerror strlen sysconf
)
# How all other names begin that a program which is linked with the static
# library cannot have.
INTERNAL=cb_

setup()
{
	rig_open
	cd "$RIG_ROOT" || return
}

teardown()
{
	[[ -n ${BATS_TEST_COMPLETED-} ]] || rig_show_logs
	rig_close
}

#
# What is in it
#

# Symbols as nm prints them, without their versions.
names()
{
	awk 'NF > 1 && $(NF - 1) ~ /^[A-Z]$/ && $(NF - 1) != "A" {
	    print $NF }' |
	    sed 's/@.*//' | sort -u
}

@test "the shared library exports the public names and nothing else" {
	diff <(nm -D --defined-only lib/libclockbound.so | names) \
	    <(printf '%s\n' "${PUBLIC[@]}" | sort)
}

@test "the header declares them, and nothing else" {
	diff <(echo '#include "clockbound.h"' | gcc -E -P -Ilib - |
	    grep -o 'clockbound_[a-z_]*(' | tr -d '(' | sort -u) \
	    <(printf '%s\n' "${PUBLIC[@]}" | sort)
}

@test "each has a page by its name" {
	for name in "${PUBLIC[@]}"; do
		grep -qx "\.Nm $name\( ,\)\?" man/clockbound.3
	done
	make install PREFIX=/usr DESTDIR="$RIG" >/dev/null
	diff <(cd "$RIG/usr/share/man/man3" && ls) \
	    <(printf '%s.3\n' clockbound "${PUBLIC[@]}" | sort)
}

@test "the static library has them, and takes no name but cb_ ones" {
	diff <(nm -g --defined-only lib/libclockbound.a | names |
	    grep -vE "^$INTERNAL") <(printf '%s\n' "${PUBLIC[@]}" | sort)
}

@test "it calls nothing that prints, exits, or makes threads" {
	! is_sanitized || skip "sanitizers put into it what is looked for"
	# By whatever name a hardened build or another word size calls it.
	nm -D --undefined-only lib/libclockbound.so | awk '$1 == "U"' | names |
	    sed -E 's/^_*//; s/(_chk|64|_time64)$//' |
	    grep -vx stack_chk_fail >"$RIG/calls"
	[[ -s $RIG/calls ]]
	run grep -vxF "$(printf '%s\n' "${CALLED[@]}")" "$RIG/calls"
	echo "$output"
	[[ -z $output ]]
}

@test "it needs nothing but the C library, and asks nothing of the linker" {
	! is_sanitized || skip "sanitizers put into it what is looked for"
	readelf -dW lib/libclockbound.so >"$RIG/dynamic"
	[[ $(grep -c '(NEEDED)' "$RIG/dynamic") == 1 ]]
	grep -q '(NEEDED).*\[libc\.' "$RIG/dynamic"
	grep -q '(SONAME).*\[libclockbound\.so\.0\]' "$RIG/dynamic"
	run ! grep -E 'TEXTREL|RPATH|RUNPATH|NODELETE' "$RIG/dynamic"
	readelf -lW lib/libclockbound.so >"$RIG/segments"
	[[ $(awk '$1 == "GNU_STACK" { print $7 }' "$RIG/segments") == RW ]]
}

@test "it runs nothing before main() or after, and has no variables" {
	! is_sanitized || skip "sanitizers put into it what is looked for"
	# In the objects: the compiler adds its own to every shared library.
	readelf -SW lib/libclockbound.a >"$RIG/sections"
	grep -q '\.text' "$RIG/sections"
	run ! grep -E '\.(init|fini|ctors|dtors|tbss|tdata)' "$RIG/sections"
	# Of .data.rel.ro there is some: constants that hold addresses.
	size -A lib/libclockbound.a >"$RIG/sizes"
	awk '$1 ~ /^\.(data|bss)$/ && $2 > 0 { exit 1 }' "$RIG/sizes"
}

#
# How it is found
#

# A program that opens a segment and says what comes of it.
program()
{
	cat <<-'END'
	#include <stdio.h>
	#include <clockbound.h>

	int
	main(int argc, char *argv[])
	{
		clockbound_err err = { CLOCKBOUND_ERR_NONE, 0, NULL };
		clockbound_now_result now;
		clockbound_ctx *ctx;

		ctx = clockbound_open(argv[argc - 1], &err);
		if (ctx == NULL) {
			printf("error %d\n", (int)err.kind);
			return 1;
		}
		if (clockbound_now(ctx, &now) == NULL)
			printf("status %d\n", (int)now.clock_status);
		clockbound_close(ctx);
		return 0;
	}
	END
}

# Warnings that are errors, as a strict user has them.
STRICT=(-Wall -Wextra -Wpedantic -Werror)

# installed [VARIABLE=VALUE...]: in $RIG/root, for pkg-config too.
installed()
{
	make install DESTDIR="$RIG/root" "$@" >/dev/null
	PC=$(find "$RIG/root" -name clockbound.pc)
	export PKG_CONFIG_PATH=${PC%/*} PKG_CONFIG_SYSROOT_DIR=$RIG/root
}

@test "the header is clean C and C++, of every standard" {
	fake_start good
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	# By C before 2011 it is POSIX that has struct timespec.
	for compile in "gcc -x c -std=c89 -D_POSIX_C_SOURCE=199309L" \
	    "gcc -x c -std=c99 -D_POSIX_C_SOURCE=199309L" \
	    "gcc -x c -std=c11" "clang -x c -std=c11" \
	    "gcc -x c++ -std=c++98" "gcc -x c++ -std=c++11" \
	    "gcc -x c++ -std=c++20" "clang -x c++ -std=c++11"; do
		echo "$compile"
		# shellcheck disable=SC2086 # words
		program | $compile "${STRICT[@]}" -Ilib -o "$RIG/program" - \
		    -x none lib/libclockbound.a
		[[ $("$RIG/program" "$RUN") == "status 1" ]]
	done
}

@test "pkg-config finds it, wherever it was installed" {
	for where in "PREFIX=/usr LIBDIR=/usr/lib/some-machine" \
	    "PREFIX=/opt/clock,bound+1.0/" "PREFIX="; do
		# shellcheck disable=SC2086 # words
		installed $where
		[[ $(pkg-config --modversion clockbound) == \
		    $(sed -n 's/^VERSION =\t//p' Makefile) ]]
		# shellcheck disable=SC2046 # words
		program | gcc -x c -o "$RIG/program" - \
		    $(pkg-config --cflags --libs clockbound)
		# shellcheck disable=SC2086
		LD_LIBRARY_PATH=${PC%/pkgconfig/*} run -1 "$RIG/program" "$RIG"
		[[ $output == "error 1" ]]
		# shellcheck disable=SC2086
		make uninstall DESTDIR="$RIG/root" $where >/dev/null
		run find "$RIG/root" ! -type d
		[[ -z $output ]]
		rm -r "$RIG/root"
	done
}

@test "a DESTDIR may have a space in it" {
	make install PREFIX=/usr DESTDIR="$RIG/a b" >/dev/null
	[[ -x $RIG/a\ b/usr/lib/libclockbound.so ]]
	run ! grep -r "a b" "$RIG/a b/usr/lib/pkgconfig"
	make uninstall PREFIX=/usr DESTDIR="$RIG/a b" >/dev/null
	run find "$RIG/a b" ! -type d
	[[ -z $output ]]
}

@test "a program that was linked with ClockBound 2.x's library runs on ours" {
	# That one has no soname, and its symbols have no version.
	printf 'void *%s(void) { return 0; }\n' clockbound_close \
	    clockbound_now clockbound_open clockbound_vmclock_open |
	    gcc -x c -shared -fPIC -o "$RIG/libclockbound.so" -
	program | gcc -x c -Ilib -o "$RIG/program" - -L"$RIG" -lclockbound
	readelf -dW "$RIG/program" >"$RIG/dynamic"
	grep -q '(NEEDED).*\[libclockbound\.so\]' "$RIG/dynamic"
	[[ $(LD_LIBRARY_PATH=$RIG "$RIG/program" "$RUN") == "error 0" ]]

	fake_start good
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	installed PREFIX=/usr
	LD_LIBRARY_PATH=$RIG/root/usr/lib run -0 "$RIG/program" "$RUN"
	[[ $output == "status 1" ]]
}

#
# A long life
#

@test "nothing is left of a million opens, and now() knows no heap" {
	run "$RIG_ROOT/tests/unit/guest"
	echo "$output"
	((status == 0))
}

# It lives on, and so does a child of its own.
reader_start()
{
	spawn reader "$RIG_TOOLS/reader" "$RUN" "$VMCLOCK" "$TRUTH_NS"
}

# last_told WHO WORD...
last_told()
{
	[[ $(grep "^$1 " "$RIG/reader.log" | tail -n 1) == "$*" ]]
}

both_told()
{
	is_running reader && last_told parent "$@" && last_told child "$@"
}

# Both read what this daemon writes, and no other has written.
daemon_is_heard()
{
	# Before that a signal may end it.
	wait_until 10 has_logged "status synchronized"
	wait_until 10 both_told status 1
	kill -s USR1 "${RIG_PID[daemon]}"
	wait_until 5 both_told status 3
	kill -s USR2 "${RIG_PID[daemon]}"
	wait_until 20 both_told status 1
}

@test "a reader and its child live on, whatever becomes of the segment" {
	vmclock_make
	truth_start 5000000
	client_start
	reader_start
	# Before there has ever been a daemon, and its directory.
	wait_until 5 last_told parent error 1
	daemon_watch
	daemon_is_heard

	echo "a restart"
	stop daemon
	daemon_watch
	daemon_is_heard

	echo "an upgrade: the files have another shape, and are replaced"
	stop daemon KILL || (($? == 137))
	inode=$(stat -c %i "$SEGMENT")
	for file in "$RUN"/shm?; do
		printf x >>"$file"
	done
	daemon_watch
	daemon_is_heard
	[[ $(stat -c %i "$SEGMENT") != "$inode" ]]

	echo "deleted under the daemon"
	rm "$RUN"/shm?
	gone=0
	reap daemon || gone=$?
	((gone == 1))
	daemon_watch
	daemon_is_heard

	echo "its directory as well"
	stop daemon
	rm -r "$RUN"
	daemon_watch
	daemon_is_heard

	echo "no shm1, and then again"
	stop daemon
	daemon_watch --clock-error-bound-source chrony-tracking
	daemon_is_heard
	stop daemon
	daemon_watch
	daemon_is_heard
}

@test "a reader lives on while its VMClock comes and goes" {
	vmclock_make
	truth_start -3000000
	client_start
	daemon_watch
	wait_until 10 now_says SYNCHRONIZED
	rm "$VMCLOCK"
	reader_start
	wait_until 5 last_told parent status 0
	vmclock_make
	wait_until 10 both_told status 1
	# From here on the readers look for themselves.
	kill -s STOP "${RIG_PID[daemon]}"
	cp "$VMCLOCK" "$RIG/another"
	rm "$VMCLOCK"
	wait_until 5 both_told status 0
	mv "$RIG/another" "$VMCLOCK"
	wait_until 5 both_told status 1
}
