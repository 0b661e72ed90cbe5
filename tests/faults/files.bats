#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# A run directory that is full, read-only, missing, not ours, or replaced.
# More of it is in cb-daemon.bats and privilege.bats.
#
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own
# shellcheck disable=SC2034,SC2154 # rig.bash's variables, and bats's

bats_require_minimum_version 1.5.0
load faults

# tmpfs OPTIONS: at the run directory, in a mount namespace of its own.
tmpfs()
{
	needs_root "mount a file system"
	unshare -m true || skip "no mount namespace can be made here"
	mkdir "$RUN"
	# shellcheck disable=SC2016 # expanded by the inner shell
	spawn holder unshare -m sh -ec 'mount -t tmpfs -o "$1" none "$2"
		echo mounted; exec sleep 1000' sh "$1" "$RUN"
	wait_until 5 grep -q mounted "$RIG/holder.log"
	SEGMENT=/proc/${RIG_PID[holder]}/root$RUN/shm0
}

inside()
{
	nsenter -m -t "${RIG_PID[holder]}" "$@"
}

fill()
{
	run inside dd if=/dev/zero of="$RUN/filler" bs=4096
	[[ $output == *"No space left on device"* ]]
}

# daemon_inside [OPTION...]
daemon_inside()
{
	private_dir client
	spawn daemon nsenter -m -t "${RIG_PID[holder]}" "$CB_DAEMON" -d \
	    --run-dir "$RUN" --chrony-socket "$RIG/client/chronyd.sock" "$@"
}

# refused MESSAGE: in there, with that one line.
refused()
{
	daemon_inside
	ends_with "$RUN: cannot $1"
	(($(wc -l <"$RIG/daemon.log") == 1))
}

goes_on()
{
	local ticks

	ticks=$(generation)
	watch_until 10 has_ticked "$ticks" 10
	says SYNCHRONIZED
}

#
# Full
#

@test "no room for a segment: one line, exit 1, and none is left half made" {
	tmpfs size=64k
	fill
	refused "create shm0: No space left on device"
	[[ $(inside ls "$RUN" | xargs) == "filler lock" ]]
}

@test "room for one segment alone: one line, exit 1, and that says unknown" {
	tmpfs size=64k
	fill
	inside truncate -s -4096 "$RUN/filler"
	refused "create shm1: No space left on device"
	[[ $(inside ls "$RUN" | xargs) == "filler lock shm0" ]]
	now_says UNKNOWN
	# Once there is room the next one goes on.
	fake_start good
	inside rm "$RUN/filler"
	daemon_inside
	watch_until 5 says SYNCHRONIZED
}

@test "no room for a file: one line, exit 1; for the socket: one warning" {
	local nodes

	for nodes in 2 4; do
		tmpfs "size=64k,nr_inodes=$nodes"
		inside touch "$RUN/filler"
		if ((nodes == 2)); then
			refused "open the file lock: No space left on device"
		else
			refused "create shm1: No space left on device"
		fi
		stop holder KILL || true
		rmdir "$RUN"
	done
	tmpfs size=64k,nr_inodes=4
	fake_start good
	daemon_inside
	wait_until 5 now_says SYNCHRONIZED
	has_logged "$RUN/observe: no such socket can be made: No space left on\
 device"
}

@test "full while it runs: it goes on, and so does the next one" {
	tmpfs size=64k
	fake_start good
	daemon_inside --shm-v1
	wait_until 5 now_says SYNCHRONIZED
	fill
	goes_on
	# Where there are segments no room is needed.
	stop daemon KILL || true
	daemon_inside --shm-v1
	wait_until 5 has_logged "status synchronized, was unknown"
	goes_on
}

@test "a segment that is a hole, and no room to fill it: one line, exit 1" {
	tmpfs size=64k
	inside truncate -s 80 "$SEGMENT"
	inside truncate -s 104 "$RUN/shm1"
	fill
	refused "create shm0: No space left on device"
}

#
# Read-only
#

@test "read-only at the start: one line, exit 1" {
	tmpfs size=64k
	inside mount -o remount,ro "$RUN"
	refused "open the file lock: Read-only file system"
	RUN=$RUN/a/b
	refused "make the directory: Read-only file system"
}

@test "nobody makes it read-only while it runs; after that: one line, exit 1" {
	local how

	tmpfs size=64k
	fake_start good
	daemon_inside
	wait_until 5 now_says SYNCHRONIZED
	for how in remount,ro remount,bind,ro; do
		run inside mount -o "$how" "$RUN"
		[[ $output == *busy* ]]
	done
	goes_on
	stop daemon KILL || true
	inside mount -o remount,ro "$RUN"
	read_now
	is_right
	refused "open the file lock: Read-only file system"
}

#
# Missing, not ours, replaced
#

# refuses DIRECTORY MESSAGE: one line, exit 1.
refuses()
{
	run -1 --separate-stderr timeout 5 "$CB_DAEMON" -d --chrony-socket \
	    "$RIG/client/chronyd.sock" --run-dir "$1"
	echo "$stderr"
	[[ -z $output && $stderr == "cb-daemon: $1: cannot $2" ]]
}

@test "a run directory that is no directory: one line, exit 1" {
	: >"$RIG/file"
	ln -s "$RIG/nowhere" "$RIG/dangling"
	ln -s loop "$RIG/loop"
	refuses "$RIG/file" "open the directory: Not a directory"
	refuses "$RIG/dangling" "open the directory: No such file or directory"
	refuses "$RIG/loop" "open the directory: Too many levels of symbolic\
 links"
	[[ ! -e $RIG/nowhere ]]
}

@test "a link to a directory is as good as that" {
	fake_start good
	mkdir "$RIG/elsewhere"
	ln -s "$RIG/elsewhere" "$RUN"
	daemon_start
	watch_until 5 says SYNCHRONIZED
	[[ -f $RIG/elsewhere/shm0 ]]
}

@test "another user's run directory: one line, exit 1" {
	needs_root "be another user"
	mkdir -m 755 "$RUN"
	cp "$CB_DAEMON" "$RIG/cb-daemon"
	chmod 711 "$RIG"
	run -1 --separate-stderr timeout 5 "${UNPRIVILEGED[@]}" \
	    "$RIG/cb-daemon" -d --run-dir "$RUN"
	[[ -z $output && $stderr == "cb-daemon: $RUN: cannot open the file\
 lock: Permission denied" ]]
	run -1 --separate-stderr timeout 5 "${UNPRIVILEGED[@]}" \
	    "$RIG/cb-daemon" -d --run-dir "$RUN/a"
	[[ $stderr == "cb-daemon: $RUN/a: cannot make the directory:\
 Permission denied" ]]
	[[ -z $(ls "$RUN") ]]
}

@test "a run directory that is replaced: one line, exit 1" {
	local how

	fake_start good
	# shellcheck disable=SC2016 # expanded when it is done
	for how in true 'mkdir $RUN' 'cp -r $RIG/old $RUN' \
	    'ln -s $RIG/empty $RUN'; do
		mkdir -p "$RIG/empty"
		daemon_start
		wait_until 5 now_says SYNCHRONIZED
		mv "$RUN" "$RIG/old"
		eval "$how"
		ends_with "$RUN: the segment was removed, replaced or cut"
		rm -rf "$RUN" "$RIG/old"
	done
}

@test "a file system mounted over the run directory: one line, exit 1" {
	tmpfs size=64k
	fake_start good
	daemon_inside
	wait_until 5 now_says SYNCHRONIZED
	inside mount -t tmpfs none "$RUN"
	ends_with "$RUN: the segment was removed, replaced or cut"
}
