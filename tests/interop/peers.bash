# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# What the tests beside ClockBound's own libraries and programs have in common.

load ../rig

INTEROP=$RIG_ROOT/tests/interop
# shellcheck disable=SC2034 # tests do use it
OURS=$RIG_ROOT/lib/libclockbound.so

# What their C interface calls the statuses.
# shellcheck disable=SC2034
{
	UNKNOWN=0
	SYNCHRONIZED=1
	FREE_RUNNING=2
	DISRUPTED=3
}

# reference NAME: the path of that part, in PEER; or the test is skipped.
reference()
{
	run --separate-stderr "$INTEROP/reference.sh" "$1"
	# shellcheck disable=SC2034,SC2154 # bats's; tests do use it
	case $status in
	0)	PEER=$output ;;
	77)	skip "${stderr_lines[-1]}" ;;
	*)	echo "$stderr" >&2
		return 1 ;;
	esac
}

# Is there a shm1 that says anything?
has_counter()
{
	local source

	source=$(cat /sys/devices/system/clocksource/*0/current_clocksource)
	[[ $source == tsc || $source == arch_sys_counter ]]
}

needs_counter()
{
	has_counter || skip "the kernel keeps time by no counter"
}

# build_client NAME DIR [OPTION...]: client.c for the library in DIR, whose
# header is there too.
build_client()
{
	local name=$1 dir=$2

	shift 2
	"${CC:-cc}" -O2 -Wall -Wextra -Werror "$@" -I"$dir" -o "$RIG/$name" \
	    "$INTEROP/client.c" -L"$dir" -lclockbound
}

# read_forever NAME CLIENT DIR PATH: a client that reads PATH by the library in
# DIR, from now on.
read_forever()
{
	spawn "$1" env LD_LIBRARY_PATH="$3" "$RIG/$2" "$4" "$VMCLOCK" forever
}

# reader_says NAME STATUS: its last reading.
reader_says()
{
	[[ $(tail -n 1 "$RIG/$1.log") == *" $2" ]]
}

# readers_say STATUS NAME...
readers_say()
{
	local name

	for name in "${@:2}"; do
		wait_until 10 reader_says "$name" "$1" || return
	done
}

# ClockBound's programs know fixed paths.  In a mount namespace these are the
# rig's: INSIDE is to be put before a command that shall see them.  chronyd has
# to be in there too, since it answers to a path.
namespace_open()
{
	local chronyd=$RIG/chronyd

	((EUID == 0)) || skip "only root may mount"
	private_dir client
	mkdir "$RUN" "$RIG/dev"
	ln -s "$VMCLOCK" "$RIG/dev/vmclock0"
	# shellcheck disable=SC2016 # for the shell in there
	spawn namespace unshare --mount sh -ec '
		mount -t tmpfs none /var/run
		mkdir /var/run/chrony /var/run/clockbound
		mount --bind "$1" /var/run/chrony
		mount --bind "$2" /var/run/clockbound
		mount --bind "$3" /dev
		echo mounted
		exec sleep infinity' sh "$RIG/client" "$RUN" "$RIG/dev"
	wait_until 5 namespace_is_settled
	grep -qx mounted "$RIG/namespace.log" ||
	    skip "$(tail -n 1 "$RIG/namespace.log")"
	INSIDE=(nsenter "--mount=/proc/${RIG_PID[namespace]}/ns/mnt")
	mv "$chronyd" "$chronyd.real"
	printf '#!/bin/sh\nexec %s "$@"\n' "${INSIDE[*]} $chronyd.real" \
	    >"$chronyd"
	chmod 755 "$chronyd"
}

namespace_is_settled()
{
	grep -qx mounted "$RIG/namespace.log" || ! is_running namespace
}
