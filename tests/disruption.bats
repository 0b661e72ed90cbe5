#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# cb-daemon(8) and cb-now(1) when the clock may have jumped: a VMClock,
# signals; and the error bound of a PHC.  rig.bash says how true time is known.
#
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own
# shellcheck disable=SC2034,SC2154 # rig.bash's variables, and bats's

bats_require_minimum_version 1.5.0
load rig

MS=1000000

# Of the VMClock: offset and size of a field.
FLAGS="24 8"
CLOCK_STATUS="34 1"
VM_GENERATION="104 8"

# Of the segment.
STATUS_DISRUPTED=3

setup()
{
	rig_open
}

teardown()
{
	[[ -n ${BATS_TEST_COMPLETED-} ]] || rig_show_logs
	rig_close
}

segment_marker()
{
	segment_field 56 u8
}

segment_status()
{
	segment_field 68 d4
}

# told COMMAND: how often the fake was.
told()
{
	grep -cFx -- "$1" "$RIG/client.log"
}

# was_told COMMAND [COUNT]
was_told()
{
	(($(told "$1") == ${2:-1}))
}

was_told_often()
{
	(($(told "$1") >= $2))
}

# statuses TEXT...: these changes of status were logged, and no others.
statuses()
{
	diff -u <(printf 'cb-daemon: status %s\n' "$@") \
	    <(grep '^cb-daemon: status ' "$RIG/daemon.log")
}

# stays STATUS TICKS: all readings say so, until that much is published.
stays()
{
	local from status=$1

	from=$(generation)
	while ! has_ticked "$from" "$2"; do
		read_now
		is_right
		says "$status"
	done
}

# recovers: the first trusted line says synchronized.
recovers()
{
	watch_until 15 is_trusted
	says SYNCHRONIZED
}

#
# Starts
#

@test "cold start, marker 0: no disruption, chronyd is not reset" {
	vmclock_make
	fake_start good
	daemon_watch
	watch_until 5 says SYNCHRONIZED
	wait_ticks 3
	has_logged "disruption" 0
	was_told RESET_SOURCES 0
	was_told BURST 0
	statuses "synchronized, was unknown"
	(($(segment_marker) == 0 && $(segment_field 72 u1) == 1))
}

@test "cold start, marker 1: disrupted first, then true time is held" {
	vmclock_make 16 8 1
	truth_start $((5 * MS))
	client_start
	wait_until 5 client_is_synchronised
	daemon_watch
	watch_until 10 has_trusted 100
	says SYNCHRONIZED
	watch_until 10 is_within $((7 * MS))
	statuses "disrupted, was unknown" "unknown, was disrupted" \
	    "synchronized, was unknown"
	has_logged "disruption: marker 1, was 0"
	has_logged "chronyd has forgotten what it measured"
	(($(segment_marker) == 1))
}

@test "cold start, marker 1: one RESET_SOURCES and one BURST" {
	vmclock_make 16 8 1
	fake_start good
	daemon_watch
	watch_until 5 says SYNCHRONIZED
	wait_ticks 3
	was_told RESET_SOURCES
	was_told BURST
}

@test "warm restart, the same marker: nothing is reset, generation goes on" {
	vmclock_make 16 8 7
	fake_start good
	daemon_watch
	watch_until 5 says SYNCHRONIZED
	was_told RESET_SOURCES
	for signal in TERM KILL; do
		stop daemon "$signal" || true
		last=$(generation)
		inode=$(stat -c %i "$SEGMENT")
		daemon_watch
		watch_until 5 has_ticked "$last" 3
		watch_until 5 says SYNCHRONIZED
		has_logged "disrupt" 0
		(($(segment_marker) == 7))
		[[ $(stat -c %i "$SEGMENT") == "$inode" ]]
	done
	was_told RESET_SOURCES
	was_told BURST
}

@test "warm restart, marker changed while nobody looked: disrupted" {
	vmclock_make 16 8 7
	fake_start good
	daemon_watch
	watch_until 5 says SYNCHRONIZED
	stop daemon
	vmclock_disrupt 8
	read_now
	is_right
	says UNKNOWN
	daemon_watch
	recovers
	statuses "disrupted, was unknown" "unknown, was disrupted" \
	    "synchronized, was unknown"
	has_logged "disruption: marker 8, was 7"
	was_told RESET_SOURCES 2
	(($(segment_marker) == 8))
}

@test "killed -9 while disrupted: the next one goes on with the disruption" {
	vmclock_make
	fake_start keep
	daemon_watch
	watch_until 5 says SYNCHRONIZED
	vmclock_disrupt 5
	wait_until 5 now_says DISRUPTED
	stop daemon KILL || true
	read_now
	is_right
	says DISRUPTED
	daemon_watch
	stays DISRUPTED 5
	has_logged "disruption: not handled by the run before this"
	stop daemon KILL || true
	stop client KILL || true
	fake_start good
	daemon_watch
	watch_until 5 says SYNCHRONIZED
	has_logged "disruption: not handled by the run before this"
	statuses "disrupted, was unknown" "unknown, was disrupted" \
	    "synchronized, was unknown"
	was_told RESET_SOURCES
}

#
# A change of the marker
#

@test "the very next read after each of 20 marker changes is not trusted" {
	vmclock_make
	fake_start good
	daemon_watch
	wait_until 5 now_says SYNCHRONIZED
	# It does not look any more.
	kill -s STOP "${RIG_PID[daemon]}"
	for ((i = 1; i <= 20; i++)); do
		vmclock_disrupt "$i"
		read_now
		is_right
		says UNKNOWN || says DISRUPTED
		# As it was: this one is told apart by nobody but the daemon.
		vmclock_disrupt 0
		read_now
		is_trusted
	done
	kill -s CONT "${RIG_PID[daemon]}"
}

@test "a marker change: the segment has it, disrupted, within one interval" {
	vmclock_make
	fake_start keep
	daemon_watch
	wait_until 5 now_says SYNCHRONIZED
	for ((i = 1; i <= 5; i++)); do
		vmclock_disrupt $((i << 40 | i))
		from=$(generation)
		# The first write may have been under way.
		wait_until 5 has_ticked "$from" 2
		(($(segment_marker) == (i << 40 | i)))
		(($(segment_status) == STATUS_DISRUPTED))
	done
	has_logged "disruption: marker" 5
}

@test "a marker change: disrupted, unknown, and true time is held again" {
	vmclock_make
	truth_start $((5 * MS))
	client_start
	daemon_watch
	watch_until 10 says SYNCHRONIZED
	for marker in 1 2 3; do
		vmclock_disrupt "$marker"
		read_now
		is_right
		says UNKNOWN || says DISRUPTED
		recovers
		has_logged "status unknown, was disrupted" "$marker"
		TRUSTED=0
		watch_until 10 has_trusted 100
		watch_until 10 is_within $((7 * MS))
		(($(segment_marker) == marker))
		has_logged "status disrupted, was synchronized" "$marker"
		has_logged "chronyd has forgotten what it measured" "$marker"
	done
}

@test "a clock that is 45 ms off after a migration: no line is trusted that is wrong" {
	vmclock_make
	truth_start $((5 * MS))
	client_start
	daemon_watch
	watch_until 10 says SYNCHRONIZED
	watch_until 10 is_within $((7 * MS))
	# Nothing that was true may arrive after the change.
	stop truth KILL || true
	stop truth-feed KILL || true
	vmclock_disrupt 1
	RIG_SERVERS=()
	TRUTH_NS=$((-40 * MS))
	read_now
	is_right
	says UNKNOWN || says DISRUPTED
	truth_start "$TRUTH_NS"
	watch_until 15 says SYNCHRONIZED
	TRUSTED=0
	watch_until 10 has_trusted 100
	watch_until 10 is_within $((42 * MS))
}

@test "one RESET_SOURCES and one BURST for each change of the marker" {
	vmclock_make
	fake_start good
	daemon_watch
	watch_until 5 says SYNCHRONIZED
	for marker in 1 2; do
		vmclock_disrupt "$marker"
		recovers
		wait_ticks 3
		was_told RESET_SOURCES "$marker"
		was_told BURST "$marker"
	done
}

@test "a marker that goes back to an old value: disrupted again" {
	vmclock_make 16 8 9
	fake_start good
	daemon_watch
	watch_until 5 says SYNCHRONIZED
	vmclock_disrupt 8
	recovers
	vmclock_disrupt 9
	recovers
	has_logged "disruption: marker 9, was 8"
	was_told RESET_SOURCES 3
}

@test "another VM generation under the same marker: disrupted" {
	# shellcheck disable=SC2086 # offset and size
	vmclock_make 16 8 7 $FLAGS 256 $VM_GENERATION 41
	fake_start good
	daemon_watch
	watch_until 5 says SYNCHRONIZED
	was_told RESET_SOURCES
	# shellcheck disable=SC2086
	vmclock_set $VM_GENERATION 42
	wait_until 5 was_told RESET_SOURCES 2
	watch_until 5 has_logged "status synchronized, was unknown" 2
	has_logged "disruption: marker 7, was 7; another VM generation"
	statuses "disrupted, was unknown" "unknown, was disrupted" \
	    "synchronized, was unknown" "disrupted, was synchronized" \
	    "unknown, was disrupted" "synchronized, was unknown"
}

@test "a VM generation without its flag means nothing" {
	# shellcheck disable=SC2086
	vmclock_make $VM_GENERATION 41
	fake_start good
	daemon_watch
	watch_until 5 says SYNCHRONIZED
	# shellcheck disable=SC2086
	vmclock_set $VM_GENERATION 42
	stays SYNCHRONIZED 5
	was_told RESET_SOURCES 0
}

#
# chronyd, amid a disruption
#

@test "chronyd absent: disrupted however long, true time is held when it is back" {
	vmclock_make
	truth_start $((5 * MS))
	client_start
	daemon_watch
	watch_until 10 says SYNCHRONIZED
	stop client KILL || true
	vmclock_disrupt 1
	wait_until 5 now_says DISRUPTED
	stays DISRUPTED 40
	# It is served all the while.
	kill -s USR1 "${RIG_PID[daemon]}"
	kill -s USR2 "${RIG_PID[daemon]}"
	wait_until 1 has_logged "SIGUSR2: end"
	client_start
	# The pause of 10 s ends when it answers.
	watch_until 6 says SYNCHRONIZED
	TRUSTED=0
	watch_until 10 has_trusted 100
	has_logged "chronyd has forgotten what it measured"
}

@test "chronyd refuses RESET_SOURCES: disrupted until it does not" {
	vmclock_make
	fake_start keep
	daemon_watch
	watch_until 5 says SYNCHRONIZED
	vmclock_disrupt 1
	wait_until 5 was_told_often RESET_SOURCES 30
	stays DISRUPTED 20
	# 30 attempts, then a pause.
	was_told RESET_SOURCES 30
	was_told BURST 0
	fake_flip
	watch_until 15 says SYNCHRONIZED
	was_told RESET_SOURCES 31
	was_told BURST
}

@test "chronyd does not answer RESET_SOURCES: disrupted until it does" {
	vmclock_make
	fake_start deaf
	daemon_watch
	watch_until 5 says SYNCHRONIZED
	vmclock_disrupt 1
	wait_until 5 was_told_often RESET_SOURCES 3
	stays DISRUPTED 5
	was_told BURST 0
	fake_flip
	watch_until 15 says SYNCHRONIZED
	was_told BURST
}

@test "chronyd stays at its last update after a marker change: unknown" {
	vmclock_make
	fake_start stuck
	daemon_watch
	watch_until 5 says SYNCHRONIZED
	vmclock_disrupt 1
	wait_until 5 has_logged "chronyd has forgotten what it measured"
	wait_until 5 now_says UNKNOWN
	stays UNKNOWN 20
	fake_flip
	watch_until 5 says SYNCHRONIZED
}

@test "chronyd stays at its last update, cold start with marker 1: unknown" {
	vmclock_make 16 8 1
	fake_start stuck
	daemon_watch
	wait_until 5 has_logged "chronyd has forgotten what it measured"
	wait_until 5 now_says UNKNOWN
	stays UNKNOWN 20
	fake_flip
	watch_until 5 says SYNCHRONIZED
}

@test "chronyd stays at its last update, warm restart, another marker: unknown" {
	vmclock_make
	fake_start stuck
	daemon_watch
	watch_until 5 says SYNCHRONIZED
	stop daemon
	vmclock_disrupt 1
	daemon_watch
	wait_until 5 has_logged "chronyd has forgotten what it measured"
	wait_until 5 now_says UNKNOWN
	stays UNKNOWN 20
	fake_flip
	watch_until 5 says SYNCHRONIZED
}

#
# What else the VMClock says
#

@test "clock_status unreliable: unknown while it is, each logged once" {
	vmclock_make
	fake_start good
	daemon_watch
	watch_until 5 says SYNCHRONIZED
	# shellcheck disable=SC2086
	vmclock_set $CLOCK_STATUS 4
	watch_until 5 says UNKNOWN
	stays UNKNOWN 5
	has_logged "the VMClock is unreliable"
	# shellcheck disable=SC2086
	vmclock_set $CLOCK_STATUS 2
	watch_until 5 says SYNCHRONIZED
	wait_ticks 2
	has_logged "the VMClock is unreliable"
	has_logged "the VMClock can be relied on"
	was_told RESET_SOURCES 0
}

@test "seq_count odd for long: unknown, and back" {
	vmclock_make
	fake_start good
	daemon_watch
	watch_until 5 says SYNCHRONIZED
	vmclock_poke 12 4 4711
	watch_until 5 says UNKNOWN
	wait_until 5 has_logged "the VMClock is unreliable or cannot be read"
	stays UNKNOWN 5
	(($(segment_status) == 0))
	vmclock_poke 12 4 4712
	watch_until 5 says SYNCHRONIZED
	was_told RESET_SOURCES 0
}

@test "flags soon and imminent: logged once each, status as it was" {
	vmclock_make
	fake_start good
	daemon_watch
	watch_until 5 says SYNCHRONIZED
	# shellcheck disable=SC2086
	vmclock_set $FLAGS 2
	wait_until 5 has_logged "announces a disruption within about a day"
	has_logged "within about an hour" 0
	# shellcheck disable=SC2086
	vmclock_set $FLAGS 6
	wait_until 5 has_logged "announces a disruption within about an hour"
	stays SYNCHRONIZED 5
	has_logged "within about a day"
	has_logged "within about an hour"
	statuses "synchronized, was unknown"
}

# names_both_ways_out: there is no use in this VMClock.
names_both_ways_out()
{
	run -1 --separate-stderr timeout 5 "$CB_DAEMON" --run-dir "$RUN" \
	    --vmclock "$VMCLOCK" --chrony-socket "$RIG/nothing"
	echo "$stderr"
	[[ -z $output && $stderr == *"$VMCLOCK"* ]]
	[[ $stderr == *--vmclock* ]]
	[[ $stderr == *--disable-clock-disruption-support* ]]
	[[ ! -e $RUN ]]
}

@test "VMClock missing, short, malformed: exit 1, both ways out are named" {
	names_both_ways_out
	for size in 0 16 103; do
		vmclock_make
		truncate -s "$size" "$VMCLOCK"
		names_both_ways_out
	done
	# Magic, size, version.
	for change in "0 4 0" "0 1 0" "4 4 15" "4 4 103" "8 2 0" "8 2 2"; do
		# shellcheck disable=SC2086 # three arguments
		vmclock_make $change
		names_both_ways_out
	done
	rm "$VMCLOCK"
	mkdir "$VMCLOCK"
	names_both_ways_out
}

@test "devices of 104 bytes and of a page: a marker change is seen" {
	fake_start good
	for size in 104 4096; do
		vmclock_make 4 4 "$size"
		truncate -s "$size" "$VMCLOCK"
		daemon_watch
		watch_until 5 says SYNCHRONIZED
		vmclock_disrupt "$size"
		recovers
		has_logged "disruption: marker $size, was 0"
		stop daemon
		rm "$SEGMENT"
	done
}

@test "a reader without access to the VMClock: unknown" {
	vmclock_make
	fake_start good
	daemon_watch
	wait_until 5 now_says SYNCHRONIZED
	cp "$CB_NOW" "$RIG/cb-now"
	chmod 711 "$RIG"
	chmod 644 "$VMCLOCK"
	run -0 "${UNPRIVILEGED[@]}" "$RIG/cb-now" -s "$SEGMENT" \
	    --vmclock "$VMCLOCK"
	[[ $output == *" SYNCHRONIZED" ]]
	chmod 000 "$VMCLOCK"
	run -3 "${UNPRIVILEGED[@]}" "$RIG/cb-now" -s "$SEGMENT" \
	    --vmclock "$VMCLOCK"
	[[ $output == *" UNKNOWN" ]]
	run -3 "$CB_NOW" -s "$SEGMENT" --vmclock "$RIG/nothing"
	[[ $output == *" UNKNOWN" ]]
}

@test "a VMClock deleted while it is watched: unknown, until it is back" {
	vmclock_make
	fake_start good
	daemon_watch
	watch_until 5 says SYNCHRONIZED
	mv "$VMCLOCK" "$RIG/aside"
	watch_until 5 says UNKNOWN
	wait_until 5 has_logged "the VMClock is unreliable or cannot be read"
	stays UNKNOWN 3
	mv "$RIG/aside" "$VMCLOCK"
	watch_until 5 says SYNCHRONIZED
	was_told RESET_SOURCES 0
}

@test "a VMClock replaced while it is watched: disrupted by another marker only" {
	vmclock_make
	fake_start good
	daemon_watch
	watch_until 5 says SYNCHRONIZED
	cp "$VMCLOCK" "$RIG/other"
	mv "$RIG/other" "$VMCLOCK"
	stays SYNCHRONIZED 3
	was_told RESET_SOURCES 0
	VMCLOCK=$RIG/other vmclock_make 16 8 9
	mv "$RIG/other" "$VMCLOCK"
	wait_until 5 has_logged "disruption: marker 9, was 0"
	wait_until 5 was_told RESET_SOURCES
	# It is the new one that is watched now.
	vmclock_disrupt 10
	wait_until 5 has_logged "disruption: marker 10, was 9"
}

@test "a VMClock cut short while it is watched: unknown, until it is whole" {
	vmclock_make
	fake_start good
	daemon_watch
	watch_until 5 says SYNCHRONIZED
	cp "$VMCLOCK" "$RIG/aside"
	for size in 103 11 0; do
		truncate -s "$size" "$VMCLOCK"
		wait_until 5 now_says UNKNOWN
		wait_ticks 3
		is_running daemon
		(($(segment_status) == 0))
		cp "$RIG/aside" "$VMCLOCK"
		wait_until 5 now_says SYNCHRONIZED
	done
	was_told RESET_SOURCES 0
}

@test "SIGUSR1: disrupted until SIGUSR2, both are logged" {
	vmclock_make
	fake_start good
	daemon_watch
	watch_until 5 says SYNCHRONIZED
	kill -s USR1 "${RIG_PID[daemon]}"
	watch_until 5 says DISRUPTED
	stays DISRUPTED 20
	was_told RESET_SOURCES
	has_logged "SIGUSR1: disruption, until SIGUSR2"
	has_logged "SIGUSR2: end" 0
	kill -s USR2 "${RIG_PID[daemon]}"
	watch_until 5 says SYNCHRONIZED
	has_logged "SIGUSR2: end of the disruption by SIGUSR1"
	statuses "synchronized, was unknown" "disrupted, was synchronized" \
	    "unknown, was disrupted" "synchronized, was unknown"
}

has_narrow_bound()
{
	(($(segment_field 48 d8) < 7 * MS))
}

@test "the clock jumps between SIGUSR1 and SIGUSR2: no line is trusted that is wrong" {
	vmclock_make
	truth_start $((5 * MS))
	client_start
	daemon_watch
	watch_until 10 says SYNCHRONIZED
	kill -s USR1 "${RIG_PID[daemon]}"
	wait_until 5 has_logged "chronyd has forgotten what it measured"
	wait_until 10 has_narrow_bound
	# The jump, which nobody but SIGUSR1 and SIGUSR2 tells of.
	stop truth KILL || true
	stop truth-feed KILL || true
	RIG_SERVERS=()
	TRUTH_NS=$((-40 * MS))
	kill -s USR2 "${RIG_PID[daemon]}"
	from=$(generation)
	watch_until 5 has_ticked "$from" 5
}

@test "SIGUSR1 is served at once, however long the interval" {
	vmclock_make
	fake_start good
	daemon_watch --interval 5000
	wait_until 2 now_says SYNCHRONIZED
	kill -s USR1 "${RIG_PID[daemon]}"
	wait_until 2 now_says DISRUPTED
	kill -s USR2 "${RIG_PID[daemon]}"
	wait_until 2 has_logged "status unknown, was disrupted"
}

@test "SIGUSR1 and SIGUSR2 at once: there was a disruption all the same" {
	vmclock_make
	fake_start good
	daemon_watch
	watch_until 5 says SYNCHRONIZED
	kill -s STOP "${RIG_PID[daemon]}"
	kill -s USR1 "${RIG_PID[daemon]}"
	kill -s USR2 "${RIG_PID[daemon]}"
	kill -s CONT "${RIG_PID[daemon]}"
	watch_until 5 has_logged "status disrupted, was synchronized"
	watch_until 5 has_logged "status synchronized, was unknown" 2
	was_told RESET_SOURCES
}

#
# PHC
#

# phc_make: a network interface eth9 with a PHC.
phc_make()
{
	SYSFS=$RIG/sys
	mkdir -p "$SYSFS/class/net/eth9/device" \
	    "$SYSFS/bus/pci/devices/0000:00:05.0"
	printf '%s\n' DRIVER=ena PCI_CLASS=20000 PCI_SLOT_NAME=0000:00:05.0 \
	    >"$SYSFS/class/net/eth9/device/uevent"
	PHC_ERROR=$SYSFS/bus/pci/devices/0000:00:05.0/phc_error_bound
}

# Its chronyd, 5 ms behind.
phc_client_start()
{
	TRUTH_NS=$((5 * MS))
	feed client "$TRUTH_NS"
	chronyd_start client "port 0" \
	    "refclock SOCK $RIG/client/refclock.sock refid PHC0 poll -2 filter 4 precision 1e-9"
	wait_until 5 has_selected client PHC0
}

phc_daemon_start()
{
	daemon_start -r PHC0 -i eth9 --sysfs "$SYSFS"
}

@test "-r without -i and -i without -r: exit 2, the other one is named" {
	run -2 --separate-stderr timeout 2 "$CB_DAEMON" -d --run-dir "$RUN" \
	    -r PHC0
	[[ -z $output && $stderr == *"--phc-interface"* ]]
	[[ $stderr != *$'\n'* && ! -e $RUN ]]
	run -2 --separate-stderr timeout 2 "$CB_DAEMON" -d --run-dir "$RUN" \
	    -i eth9
	[[ -z $output && $stderr == *"--phc-ref-id"* ]]
	[[ $stderr != *$'\n'* && ! -e $RUN ]]
	for id in "" PHC01; do
		run -2 --separate-stderr timeout 2 "$CB_DAEMON" -d \
		    --run-dir "$RUN" -r "$id" -i eth9
		[[ $stderr == *"--phc-ref-id"* && ! -e $RUN ]]
	done
}

@test "the PHC's error bound is added to the bound, true time is held" {
	phc_make
	echo 0 >"$PHC_ERROR"
	phc_client_start
	phc_daemon_start
	watch_until 10 is_within $((7 * MS))
	says SYNCHRONIZED
	without=$HALF_NS
	stop daemon
	rm "$SEGMENT"
	echo 3000000 >"$PHC_ERROR"
	phc_daemon_start
	watch_until 10 has_trusted 100
	watch_until 10 is_within $((10 * MS))
	echo "$without, $HALF_NS"
	((HALF_NS > 8 * MS && HALF_NS - without > 5 * MS / 2))
	"$RIG_TOOLS/look" "$RUN/observe" |
	    jq -e ".budget.parts.phc_error_ns == 3 * $MS"
	has_logged "PHC's measurements" 0
}

@test "a PHC's error bound is not added to another refclock" {
	phc_make
	echo 3000000 >"$PHC_ERROR"
	phc_client_start
	daemon_start -r PHC1 -i eth9 --sysfs "$SYSFS"
	watch_until 10 is_within $((7 * MS))
	says SYNCHRONIZED
	wait_until 5 has_logged "no refclock of chronyd's has that reference ID"
}

# error_is_not_known TEXT: the PHC is not used, said once, until it is known.
error_is_not_known()
{
	phc_daemon_start
	wait_until 5 has_logged "the PHC's measurements are not used: "
	stays UNKNOWN 10
	has_logged "the PHC's measurements are not used: $1"
	phc_make
	echo 3000000 >"$PHC_ERROR"
	watch_until 10 says SYNCHRONIZED
	has_logged "the PHC's measurements are used again"
	has_logged "the PHC's measurements are not used: "
	watch_until 10 is_within $((10 * MS))
	((HALF_NS > 8 * MS))
	stop daemon
	rm -f "$SEGMENT"
}

@test "no error bound of the PHC: its measurements are not used, said once" {
	phc_make
	phc_client_start
	error_is_not_known "phc_error_bound of interface eth9: No such file"
	rm -r "$SYSFS"
	error_is_not_known "uevent of interface eth9: No such file"
	echo DRIVER=ena >"$SYSFS/class/net/eth9/device/uevent"
	error_is_not_known "uevent of interface eth9: not as expected"
}

@test "a malformed error bound of the PHC: its measurements are not used" {
	phc_make
	phc_client_start
	for text in "" abc -1 1.5 "12 ns" 0x10 99999999999999999999; do
		echo "'$text'"
		echo "$text" >"$PHC_ERROR"
		error_is_not_known \
		    "phc_error_bound of interface eth9: not as expected"
	done
}

@test "an error bound of the PHC that is lost: the bound grows meanwhile" {
	phc_make
	echo 1000000 >"$PHC_ERROR"
	phc_client_start
	phc_daemon_start
	watch_until 10 is_within $((8 * MS))
	echo lost >"$PHC_ERROR"
	watch_until 5 has_logged "the PHC's measurements are not used: "
	before=$(segment_field 48 d8)
	from=$(generation)
	watch_until 10 has_ticked "$from" 20
	after=$(segment_field 48 d8)
	echo "$before, $after"
	# 50 ppm, for two seconds, about.
	((after > before + 50000))
	has_logged "the PHC's measurements are not used: "
	echo 1000000 >"$PHC_ERROR"
	watch_until 5 has_logged "the PHC's measurements are used again"
	watch_until 5 is_within $((8 * MS))
}
