#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# What cb-daemon gives up, and what others cannot make it do: cb-daemon(8),
# Confinement, and SECURITY.md.
#
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own
# shellcheck disable=SC2034,SC2154 # rig.bash's variables, and bats's

bats_require_minimum_version 1.5.0
load rig

setup()
{
	rig_open
}

teardown()
{
	rig_show_logs
	rig_close
}

needs_root()
{
	((EUID == 0)) || skip "only root may be another user"
}

# has PID FIELD VALUE: of /proc/PID/status.
has()
{
	[[ $(awk -v "field=$2:" '$1 == field { $1 = ""; print $0 " " }' \
	    "/proc/$1/status" | tr -s ' ') == "${3:+ $3} " ]]
}

# The last it does before its loop.
is_confined()
{
	has "${RIG_PID[daemon]}" NoNewPrivs 1
}

# Unless it was built without a filter.
is_filtered()
{
	is_sanitized || has "${RIG_PID[daemon]}" Seccomp 2
}

has_no_capability()
{
	local set

	# Only who has some may empty the bounding set.
	for set in CapInh CapPrm CapEff CapAmb ${1-}; do
		has "${RIG_PID[daemon]}" "$set" 0000000000000000 || return
	done
}

# Everybody may enter the rig, whose programs are copies.
open_rig()
{
	cp "$CB_DAEMON" "$RIG/cb-daemon"
	chmod 711 "$RIG"
}

daemon_is_synchronized()
{
	wait_until 5 has_logged "status synchronized, was unknown"
}

#
# What is given up
#

@test "no capabilities, no new privileges, and a filter" {
	fake_start good
	daemon_start
	daemon_is_synchronized
	is_confined
	is_filtered
	((EUID != 0)) || has_no_capability CapBnd
}

@test "an unprivileged daemon is confined as well" {
	fake_start good
	open_rig
	chmod 777 "$RIG/client" "$RIG/client/chronyd.sock"
	mkdir -m 1777 "$RUN"
	spawn daemon "${UNPRIVILEGED[@]}" "$RIG/cb-daemon" -d --run-dir "$RUN" \
	    --chrony-socket "$RIG/client/chronyd.sock"
	daemon_is_synchronized
	is_confined
	is_filtered
	has_no_capability
}

@test "root becomes the user who has chronyd's directory" {
	local CHRONY_USER uid gid

	needs_root
	uid=$(id -u nobody) gid=$(id -g nobody)
	truth_start 0
	chmod 711 "$RIG"
	CHRONY_USER=nobody
	private_dir client
	chown "$uid:$gid" "$RIG/client"
	client_start
	wait_until 5 client_is_synchronised
	vmclock_make
	daemon_watch --shm-v1
	daemon_is_synchronized
	has "${RIG_PID[daemon]}" Uid "$uid $uid $uid $uid"
	has "${RIG_PID[daemon]}" Gid "$gid $gid $gid $gid"
	has "${RIG_PID[daemon]}" Groups ""
	has_no_capability CapBnd
	# All of it works as that user, too.
	vmclock_make 16 8 1
	wait_until 5 has_logged "disruption: marker 1, was 0"
	wait_until 5 has_logged "status synchronized, was unknown" 2
	stop client
	wait_until 5 has_logged "no sample"
	client_start
	wait_until 5 has_logged "chronyd answers"
	stop daemon
	run -1 grep cb-daemon <(ls "$RIG/client")
	# What root has left behind is no hindrance.
	daemon_watch --shm-v1
	daemon_is_synchronized
	[[ $(stat -c %u "$RUN/observe") == 0 ]]
	(($(grep -c observe "$RIG/daemon.log") == 0))
}

@test "root that cannot tell whom to become: one line, exit 1" {
	needs_root
	run -1 --separate-stderr timeout 5 "$CB_DAEMON" -d --run-dir "$RUN" \
	    --chrony-socket "$RIG/nothing/chronyd.sock"
	[[ -z $output && $stderr == "cb-daemon: cannot become the user who\
 has chronyd's directory: No such file or directory" ]]
	[[ ! -e $RUN/observe ]]
}

@test "no filter can be set: one line, exit 1, and --no-seccomp does without" {
	local without=$BATS_TEST_DIRNAME/unit/sandbox

	! is_sanitized || skip "built without the filter"
	fake_start good
	run -1 --separate-stderr timeout 5 "$without" "$CB_DAEMON" -d \
	    --run-dir "$RUN" --chrony-socket "$RIG/client/chronyd.sock"
	[[ -z $output && $stderr == "cb-daemon: cannot filter system calls\
 (--no-seccomp does without): "* && $stderr != *$'\n'* ]]
	[[ ! -e $RUN/observe ]]
	spawn daemon "$without" "$CB_DAEMON" -d --run-dir "$RUN" --no-seccomp \
	    --chrony-socket "$RIG/client/chronyd.sock"
	daemon_is_synchronized
	is_confined
	has_no_capability
}

@test "stopped and continued amid a wait, it goes on" {
	fake_start good
	daemon_start
	daemon_is_synchronized
	for _ in {1..20}; do
		kill -STOP "${RIG_PID[daemon]}"
		wait_until 5 has "${RIG_PID[daemon]}" State "T (stopped)"
		kill -CONT "${RIG_PID[daemon]}"
		wait_ticks 1
	done
	stop daemon
}

#
# The run directory, and who else may do what in it
#

@test "everybody may read and ask, nobody may write, lock or replace" {
	local file

	fake_start good
	umask 077
	daemon_start --shm-v1
	daemon_is_synchronized
	[[ $(stat -c %a "$RUN" "$RUN"/{shm,shm0,shm1,lock,observe} | xargs) == \
	    "755 644 644 644 600 666" ]]
	needs_root
	chmod 711 "$RIG"
	for file in shm shm0 shm1; do
		run -0 "${UNPRIVILEGED[@]}" cat "$RUN/$file"
		run -1 "${UNPRIVILEGED[@]}" dd of="$RUN/$file" if=/dev/zero
	done
	# Who may read it could lock it, and keep a daemon from its start.
	run -1 "${UNPRIVILEGED[@]}" cat "$RUN/lock"
	for file in shm shm0 shm1 lock observe; do
		run -1 "${UNPRIVILEGED[@]}" rm -f "$RUN/$file"
		run -1 "${UNPRIVILEGED[@]}" mv "$RUN/$file" "$RUN/other"
	done
	run -1 "${UNPRIVILEGED[@]}" touch "$RUN/other"
	wait_ticks 2
}

@test "a run directory where anybody may replace files is not used" {
	mkdir -m 777 "$RUN"
	run -1 --separate-stderr timeout 5 "$CB_DAEMON" -d --run-dir "$RUN" \
	    --chrony-socket "$RIG/nothing"
	[[ $stderr == "cb-daemon: $RUN: cannot use a directory where anybody\
 may replace files: Operation not permitted" ]]
	[[ -z $(ls "$RUN") ]]
}

@test "a hard link in a segment's place is not written on" {
	local file

	fake_start good
	daemon_start --shm-v1
	daemon_is_synchronized
	stop daemon
	# Each as good a segment as there is, and somebody else's as well.
	mkdir "$RIG/victims"
	for file in shm shm0 shm1; do
		ln "$RUN/$file" "$RIG/victims/$file"
		cp "$RUN/$file" "$RIG/$file.before"
	done
	daemon_start --shm-v1
	daemon_is_synchronized
	wait_ticks 2
	for file in shm shm0 shm1; do
		cmp "$RIG/victims/$file" "$RIG/$file.before"
		[[ ! $RUN/$file -ef $RIG/victims/$file ]]
	done
}

@test "links where a segment is made, locked or asked for are not followed" {
	local file

	fake_start good
	mkdir "$RUN"
	for file in shm0.new shm1.new shm.new observe; do
		echo precious >"$RIG/$file"
		ln -s "$RIG/$file" "$RUN/$file"
	done
	daemon_start --shm-v1
	daemon_is_synchronized
	has_logged "$RUN/observe: no such socket can be made: File exists"
	stop daemon
	for file in shm0.new shm1.new shm.new observe; do
		[[ $(<"$RIG/$file") == precious ]]
	done
	rm "$RUN/observe"
	ln -s "$RIG/nowhere" "$RUN/observe"
	rm "$RUN/lock"
	ln -s "$RIG/observe" "$RUN/lock"
	run -1 --separate-stderr timeout 5 "$CB_DAEMON" -d --run-dir "$RUN" \
	    --chrony-socket "$RIG/nothing"
	[[ $stderr == *"cannot open the file lock: "* ]]
	rm "$RUN/lock"
	ln -s "$RIG/nowhere" "$RUN/lock"
	run -1 timeout 5 "$CB_DAEMON" -d --run-dir "$RUN" \
	    --chrony-socket "$RIG/nothing"
	[[ ! -e $RIG/nowhere && $(<"$RIG/observe") == precious ]]
}

@test "another user's segment is not written on, be it by root" {
	local fd

	needs_root
	fake_start good
	daemon_start
	daemon_is_synchronized
	stop daemon
	chown 65534 "$SEGMENT"
	cp "$SEGMENT" "$RIG/before"
	exec {fd}<"$SEGMENT"
	daemon_start
	daemon_is_synchronized
	cmp "/dev/fd/$fd" "$RIG/before"
	[[ ! /dev/fd/$fd -ef $SEGMENT ]]
	exec {fd}<&-
}

@test "another user's segment in a sticky directory is not written on" {
	needs_root
	fake_start good
	open_rig
	chmod 777 "$RIG/client" "$RIG/client/chronyd.sock"
	mkdir -m 1777 "$RUN"
	daemon_start
	daemon_is_synchronized
	stop daemon
	rm -f "$RUN/lock"
	cp "$RUN/shm0" "$RIG/before"
	chmod 666 "$RUN/shm0"
	run -1 --separate-stderr timeout 5 "${UNPRIVILEGED[@]}" "$RIG/cb-daemon" -d \
	    --run-dir "$RUN" --chrony-socket "$RIG/client/chronyd.sock"
	[[ $stderr == "cb-daemon: $RUN: cannot create shm0: "* ]]
	cmp "$RUN/shm0" "$RIG/before"
}

#
# Readers, and what others may have put in a file's place
#

# answers_soon COMMAND...: soon, by itself, and without a word of trust.
answers_soon()
{
	run timeout 5 "$@"
	echo "$* ($status): $output"
	((status != 0 && status < 100))
	[[ $output != *[\ \"]SYNCHRONIZED* ]]
}

@test "readers find no file but a trap: an answer, soon, and no trust" {
	local trap

	vmclock_make
	fake_start good
	daemon_watch
	daemon_is_synchronized
	mkfifo "$RIG/fifo"
	mkdir "$RIG/directory"
	truncate -s 1T "$RIG/giant"
	ln -s loop "$RIG/loop"
	spawn silent "$RIG_TOOLS/serve" "$RIG/silent" cat
	wait_until 5 test -S "$RIG/silent"
	run -0 "$CB_NOW" -s "$RUN" --vmclock "$VMCLOCK"
	for trap in fifo directory giant loop silent; do
		trap=$RIG/$trap
		answers_soon "$CB_NOW" -s "$trap" --vmclock "$VMCLOCK"
		answers_soon "$CB_NOW" -s "$RUN" --vmclock "$trap"
		answers_soon "$CB_STATUS" -s "$trap" --vmclock "$VMCLOCK"
		answers_soon "$CB_STATUS" -s "$RUN" --vmclock "$trap"
		run timeout 5 "$CB_STATUS" -s "$RUN" --vmclock "$VMCLOCK" \
		    --observe "$trap"
		((status <= 1))
	done
}

@test "a socket that says a little now and then is not waited for" {
	fake_start good
	daemon_start
	daemon_is_synchronized
	spawn serve "$RIG_TOOLS/serve" "$RIG/liar" sh -c \
	    'while printf " "; do sleep 0.05; done'
	wait_until 5 test -S "$RIG/liar"
	run -1 timeout 5 "$CB_STATUS" -s "$RUN" --observe "$RIG/liar"
	[[ $output == *"no answer in time"* ]]
}
