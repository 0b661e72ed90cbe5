#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# A real VMClock, in a guest that is put back to where it was: vm.bash.  The
# tests are steps of one guest's life, in this order.
#
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own
# shellcheck disable=SC2034,SC2153,SC2154 # the rig's variables, and bats's

bats_require_minimum_version 1.5.0
load ../rig
load vm

SECOND_NS=1000000000

setup_file()
{
	local code=0

	export BATS_NO_PARALLELIZE_WITHIN_FILE=true
	vm_open && guest "mkdir -m 750 /run/chrony && \
chronyd -u root -f /etc/chrony.conf" || code=$?
	export RIG WHY_NOT=
	((code == 77)) && WHY_NOT=$(tail -n 1 "$RIG/why")
	((code == 0 || code == 77)) || {
		rig_show_logs
		return "$code"
	}
}

teardown_file()
{
	vm_close
}

setup()
{
	[[ -z $WHY_NOT ]] || skip "$WHY_NOT"
	vm_attach
	TRUSTED=0
}

teardown()
{
	if [[ -z ${BATS_TEST_COMPLETED-} && -z $WHY_NOT ]]; then
		guest "cat /run/daemon.log" || true
		echo "$OUTPUT"
		rig_show_logs
	fi
}

is_trusted()
{
	says SYNCHRONIZED || says FREE_RUNNING
}

# is_synchronised [HALF_NS]: and as narrow as that.
is_synchronised()
{
	says SYNCHRONIZED && is_within "${1-$((SECOND_NS / 20))}"
}

# outputs LINE...: of the last command in the guest.
outputs()
{
	diff -u <(printf '%s\n' "$@") <(printf '%s' "$OUTPUT")
}

@test "the node: a page, to be mapped for reading only, that notifies nobody" {
	guest "vmclock-node /dev/vmclock0"
	outputs "open to read: done" "open to write: done" \
	    "mmap a page: done" "mmap a page to write: Permission denied" \
	    "mmap two pages: Invalid argument" \
	    "mmap the second page: Invalid argument" \
	    "poll at first: POLLHUP" "read: 4096 bytes" \
	    "poll after a read: POLLHUP"
}

@test "cb-vmclock shows the device, and does not write to it" {
	guest "cb-vmclock -j"
	jq -e '.disruption_marker == "1" and .size == 4096' <<<"$OUTPUT"
	code=0
	guest "cb-vmclock disrupt /dev/vmclock0" || code=$?
	((code == 2))
	[[ $OUTPUT == *"not a regular file: only simulated"* ]]
}

# as_nobody COMMAND
as_nobody()
{
	guest "su nobody -c '$1'"
}

@test "the node is root's, until everybody may read it" {
	code=0
	as_nobody "cb-vmclock" || code=$?
	((code == 2))
	outputs "cb-vmclock: /dev/vmclock0: Permission denied"
	code=0
	as_nobody "cb-daemon --run-dir /tmp/nobody" || code=$?
	((code == 1))
	outputs "cb-daemon: VMClock /dev/vmclock0: Permission denied" \
	    "cb-daemon: name another with --vmclock, or do without one: \
--disable-clock-disruption-support"
	guest "chmod a+r /dev/vmclock0"
	as_nobody "cb-vmclock"
	guest "chmod a-r /dev/vmclock0"
}

@test "cb-daemon starts beside the guest's chronyd, and true time is held" {
	guest "cb-daemon --run-dir /run/cb >/run/daemon.log 2>&1 &"
	wait_until 5 guest "test -e /run/cb/shm0"
	watch_until 30 is_synchronised
	watch_until 10 has_trusted 20
}

# switches: SWITCHES, how often the daemon has gone to sleep, and TICKS, how
# often it has published.
count_switches()
{
	local awk="/^voluntary/ { print \$2 }"
	local generation="hexdump -s 14 -n 2 -e '1/2 \"%u\n\"' /run/cb/shm0"

	guest "awk '$awk' /proc/\$(pidof cb-daemon)/status;$generation"
	SWITCHES=${OUTPUT%%$'\n'*}
	TICKS=$((${OUTPUT#*$'\n'} / 2))
}

has_ticked_since()
{
	count_switches
	((TICKS >= $1 + 20))
}

@test "a node that notifies nobody is not polled" {
	count_switches
	from=$SWITCHES from_ticks=$TICKS
	wait_until 20 has_ticked_since "$from_ticks"
	((SWITCHES - from <= 8 * (TICKS - from_ticks)))
}

is_later_than()
{
	now_us
	((NOW_US * 1000 > $1))
}

# take_apart FILE FROM_NS TO_NS: of readings made after the guest was put back
# at TO_NS, by a clock that has stood still since FROM_NS: TRUSTED and OTHERS.
take_apart()
{
	TRUSTED=0 OTHERS=0
	while read -r LINE; do
		parse_now || continue
		if ! is_trusted; then
			((MIDDLE <= $2 || MIDDLE >= $3)) || ((++OTHERS))
		elif ((EARLIEST > $2 && LATEST < $3)); then
			echo "trusted: $LINE"
			((++TRUSTED))
		fi
	done <"$1"
}

@test "put back by seconds: no reading is trusted until the clock is right" {
	guest "cb-vmclock watch -n 1 >/tmp/watch &"
	guest "(while :; do cb-now -s /run/cb; done) >/tmp/readings 2>&1 & loop=\$!"
	watch_until 10 has_trusted 3
	monitor_execute stop
	now_us
	saved=$((NOW_US * 1000))
	monitor "savevm before"
	monitor_execute cont
	wait_until 10 is_later_than $((saved + 3 * SECOND_NS))
	now_us
	loaded=$((NOW_US * 1000))
	monitor "loadvm before"
	# The very next reading.
	read_now
	echo "saved $saved, loaded $loaded, asked $SENT_NS: $LINE"
	is_right
	((CODE == 3 && MIDDLE < loaded - 2 * SECOND_NS))
	first=$STATUS
	watch_until 60 is_synchronised
	guest "kill \$loop; cat /tmp/readings"
	printf '%s' "$OUTPUT" >"$RIG/readings"
	take_apart "$RIG/readings" "$saved" "$loaded"
	echo "# first reading $first; of a clock that was wrong, trusted:" \
	    "$TRUSTED, not trusted: $OTHERS" >&3
	((TRUSTED == 0 && OTHERS > 10))
	guest "cut -d' ' -f2- /tmp/watch"
	outputs "disruption_marker 1 -> 2"
	has_logged "disruption: marker 2, was 1"
	guest "cat /run/daemon.log"
	printf '%s' "$OUTPUT" | sed 's/^/# /' >&3
}

@test "date -s: the bound takes in the step, and true time is held" {
	guest "date -s @\$((\$(date +%s) + 3))"
	wait_until 5 has_logged "CLOCK_REALTIME was set"
	watch_until 60 is_synchronised
}

@test "suspend to memory: unknown, and true time is held again" {
	guest "rtcwake -m mem -s 2"
	wait_until 5 has_logged "the machine has slept"
	watch_until 60 is_synchronised
}
