#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# The observation socket: what clockbound-observe(5) says is there, its numbers
# are those of chronyd and of the segment, and nobody who connects does harm.
#
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own
# shellcheck disable=SC2034,SC2154 # rig.bash's variables, and bats's

bats_require_minimum_version 1.5.0
load rig

MS=1000000
PAGE=$BATS_TEST_DIRNAME/../man/clockbound-observe.5

setup()
{
	rig_open
	LOOK=$RIG_TOOLS/look
	SOCKET=$RUN/observe
}

teardown()
{
	[[ -n ${BATS_TEST_COMPLETED-} ]] || rig_show_logs
	rig_close
}

# look: OBJECT, as it is now.
look()
{
	OBJECT=$("$LOOK" "$SOCKET")
}

# get FILTER: of the last object.
get()
{
	jq -r "$1" <<<"$OBJECT"
}

# holds FILTER: so it is in the last object.
holds()
{
	jq -e "$1" <<<"$OBJECT" >"$RIG/answer" || {
		echo "not so: $1"
		false
	}
}

# Condition of wait_until: so it is now.
looks()
{
	look && jq -e "$1" <<<"$OBJECT" >"$RIG/answer"
}

# synchronized OFFSET_NS [OPTION-OF-THE-DAEMON...]
synchronized()
{
	truth_start "$1"
	client_start
	wait_until 5 client_is_synchronised
	vmclock_make
	daemon_watch "${@:2}"
	wait_until 10 now_says SYNCHRONIZED
}

#
# What is in it
#

# Every key with those above it, as the page has them.
keys_of_page()
{
	awk '
	/^\.Ss / { above = $2 "."; print $2 }
	/^\.It Va / {
		for (i = 3; i <= NF; i++)
			if ($i != ",")
				print above $i
	}' "$PAGE" | sort -u
}

keys_of_object()
{
	get 'paths | map(strings) | join(".") | select(. != "")' | sort -u
}

@test "every key of the page is in the object, and every key is in the page" {
	local absent=none

	synchronized 0
	look
	# Elsewhere shm1 has no more than what is said of it.
	if [[ $(get .shm1) == null ]]; then
		absent='^shm1\.'
	elif [[ $(get .shm1.trouble) != null ]]; then
		absent='^shm1\.budget\.'
	fi
	diff <(keys_of_page | grep -v "$absent") <(keys_of_object)
}

@test "an object is one line, and all numbers are integers" {
	synchronized 0
	"$LOOK" "$SOCKET" >"$RIG/object"
	(($(wc -l <"$RIG/object") == 1))
	look
	holds '[.. | numbers] | all(. == floor)'
	holds '.format == 1'
}

@test "what is not known is null, and every key is there all the same" {
	daemon_start
	wait_until 5 looks '.counts.ticks > 2'
	holds '.status.name == "unknown" and .status.bound_ns == null'
	holds '.status.earliest_ns == null and .budget == null'
	holds '.tracking.report == null and .tracking.heard_age_ns == null'
	holds '.sources == [] and .vmclock == null'
	holds '.shm1 == null or .shm1.budget == null'
	holds '.counts.missed_samples == .counts.ticks'
}

# The bound, and the segment's of the same tick.
is_the_segments()
{
	look &&
	    (($(get .status.bound_ns) == $(segment_field 48 d8))) &&
	    (($(get .status.as_of_ns) % 1000000000 ==
	    $(segment_field 24 d8))) &&
	    (($(get .status.max_drift_ppb) == $(segment_field 64 u4)))
}

@test "status and bound are the segment's" {
	# Long enough to look at both.
	synchronized $((5 * MS)) --interval 1000
	wait_until 10 is_the_segments
}

@test "the parts of the bound sum up to it" {
	synchronized $((5 * MS))
	for ((i = 0; i < 20; i++)); do
		wait_ticks 1
		look
		holds '.status.name == "synchronized"'
		holds '.status.bound_ns == .budget.bound_ns'
		holds '(.budget.parts | add) == .budget.bound_ns'
	done
	holds '.budget.source == .sources[0].name'
	holds '.budget.end == "latest"'
	holds "(.budget.parts.offset_ns - 5 * $MS | fabs) < $MS"
	holds '.budget.parts.error_ns > 0 and .budget.parts.drift_ns > 0'
}

# A signed integer of shm1: version 3.
shm1_field()
{
	od -An -j "$1" -N 8 -t d8 "$RUN/shm1" | tr -d ' '
}

is_shm1s()
{
	look && (($(get .shm1.budget.bound_ns) == $(shm1_field 72))) &&
	    (($(get '.shm1.as_of_ns % 1000000000') / 100000 ==
	    $(shm1_field 32) / 100000))
}

@test "shm1 has a budget of its own, without what the clock adds" {
	truth_start $((5 * MS))
	server_start other $((5 * MS))
	client_start
	wait_until 5 client_is_synchronised
	daemon_start --interval 1000
	wait_until 5 looks '.counts.ticks > 1'
	if [[ $(get .shm1.trouble) != null ]]; then
		holds '.shm1.budget == null'
		skip "$(get .shm1.trouble)"
	fi
	wait_until 10 is_shm1s
	for ((i = 0; i < 3; i++)); do
		wait_ticks 1
		look
		holds '.shm1.budget | (.parts | add) == .bound_ns'
		# What other measurements leave, and how clocks are read.
		holds '.shm1.budget.parts.offset_ns < 20000'
		holds '.shm1.budget.bound_ns < .budget.bound_ns / 2'
		holds '.shm1.budget.parts | .error_ns > 0 and .drift_ns > 0 and
		    .slew_ns == 0 and .coarse_ns == 0 and .correction_ns == 0'
		holds '[.sources[].name] - [.shm1.budget.source] | length == 1'
	done
}

@test "a source's interval holds true time" {
	synchronized $((-5 * MS))
	for ((i = 0; i < 20; i++)); do
		wait_ticks 1
		look
		holds ".sources[0] | .earliest_ns <= -5 * $MS and
		    .latest_ns >= -5 * $MS"
		holds ".status | .earliest_ns <= -5 * $MS and
		    .latest_ns >= -5 * $MS"
	done
}

# What chronyc says before and after the object, where all are of one update.
is_chronycs()
{
	local before f

	before=$(ask client tracking)
	look
	[[ $(ask client tracking | cut -d, -f 1-4) == \
	    "$(cut -d, -f 1-4 <<<"$before")" ]] || return
	IFS=, read -r -a f <<<"$before"
	# To the microsecond: jq has no more digits.
	holds ".tracking.report |
	    .ref_id == \"${f[0]}\" and .ref_name == \"${f[1]}\" and
	    .stratum == ${f[2]} and
	    (.ref_time_ns / 1e9 - ${f[3]} | fabs) < 1e-6 and
	    (.offset_ns / 1e9 - ${f[4]} | fabs) < 1e-6 and
	    (.last_offset_ns / 1e9 - ${f[5]} | fabs) < 1e-8 and
	    (.rms_offset_ns / 1e9 - ${f[6]} | fabs) < 1e-8 and
	    (.frequency_ppb / 1e3 - ${f[7]} | fabs) < 1e-2 and
	    (.skew_ppb / 1e3 - ${f[9]} | fabs) < 1e-2 and
	    (.root_delay_ns / 1e9 - ${f[10]} | fabs) < 1e-8 and
	    (.update_interval_ns / 1e9 - ${f[12]} | fabs) < 0.1 and
	    .leap == \"${f[13],}\""
}

@test "what chronyd says of itself is what chronyc tells" {
	truth_start $((5 * MS))
	RIG_SERVERS=("${RIG_SERVERS[0]/maxpoll -4/maxpoll 0}")
	client_start
	daemon_start --interval 10
	wait_until 10 now_says SYNCHRONIZED
	wait_until 10 is_chronycs
	holds '.tracking.answered and .tracking.trouble == null'
	holds '.sources[0].state == "selected"'
	holds '.sources[0].mode == "server"'
	holds '.sources[0].name == .tracking.report.ref_name'
}

@test "a refclock has its name" {
	feed client 0
	chronyd_start client "port 0" \
	    "refclock SOCK $RIG/client/refclock.sock refid TRUE poll -2 filter 4 precision 1e-9"
	daemon_start
	wait_until 10 now_says SYNCHRONIZED
	look
	holds '.sources[0].name == "TRUE" and .sources[0].mode == "refclock"'
	holds '.tracking.report.ref_name == "TRUE"'
	holds '.budget.source == "TRUE"'
}

@test "as many sources as there is room for: all of them, whole" {
	for ((i = 1; i <= 64; i++)); do
		RIG_SERVERS+=("server 2001:db8:1111:2222:3333:4444:5555:$((i + 1000)) offline")
	done
	client_start
	daemon_start
	wait_until 5 looks '.sources | length == 64'
	holds '.counts.connections_cut == 0'
	holds '.sources[0] | .name[:10] == "2001:db8:1" and .offset_ns == null'
}

@test "a disruption is counted, and shows while it lasts" {
	synchronized 0
	vmclock_disrupt 9
	wait_until 10 looks '.counts.disruptions == 1'
	holds '.disruption.marker == "9" and .vmclock.device.marker == "9"'
	wait_until 10 looks '.status.name == "synchronized"'
	kill -s USR1 "${RIG_PID[daemon]}"
	wait_until 5 looks '.status.name == "disrupted"'
	holds '.counts.forced_disruptions == 1 and .disruption.forced'
	holds '.disruption.state == "disrupted" and .budget == null'
	kill -s USR2 "${RIG_PID[daemon]}"
	wait_until 10 looks '.status.name == "synchronized"'
	holds '.disruption.forced == false and .counts.disruptions == 1'
	holds '.status.age_ns < .daemon.uptime_ns'
}

@test "chronyd stopped: it says so, why, and what was heard last" {
	synchronized 0
	stop client
	wait_until 5 looks '.tracking.answered | not'
	holds '.counts.missed_samples > 0 and .tracking.report.stratum == 2'
	has_logged "no sample: $(get .tracking.trouble)"
	heard=$(get .tracking.heard_age_ns)
	wait_ticks 3
	look
	(($(get .tracking.heard_age_ns) > heard))
	holds '.status.name == "free_running"'
	holds '(.budget.parts | add) == .status.bound_ns'
}

@test "chrony-tracking: no sources and no budget, the rest is told" {
	fake_start good
	daemon_start --clock-error-bound-source chrony-tracking
	wait_until 5 looks '.status.name == "synchronized"'
	holds '.daemon.source == "chrony-tracking"'
	holds '.sources == [] and .budget == null'
	holds '.status.bound_ns == .tracking.report.estimate_ns'
	holds '.shm1 == null or (.shm1.budget == null and
	    (.shm1.trouble | type) == "string")'
}

@test "a path that is not UTF-8 does no harm" {
	RUN=$RIG/$'a\xffb'
	SOCKET=$RUN/observe SEGMENT=$RUN/shm0
	fake_start good
	daemon_start
	look
	holds '.daemon.run_dir | endswith("/a?b")'
}

#
# Who connects
#

is_unharmed()
{
	look
	get .counts
	holds '.counts.longest_gap_ns < 1000000000'
	kb=$(memory_kb daemon RssAnon)
	echo "$1 descriptors, $(descriptors daemon); $2 kB, $kb"
	(($(descriptors daemon) == $1))
	# A sanitizer keeps what was freed, to see it used.
	is_sanitized || ((kb < $2 + 400))
}

@test "hundreds that never read, and a flood: the daemon goes on as it did" {
	synchronized 0
	# What it takes to make an object stays.
	wait_until 5 looks .format
	fds=$(descriptors daemon)
	kb=$(memory_kb daemon RssAnon)
	spawn hold "$LOOK" "$SOCKET" hold 300
	wait_until 20 grep -q held "$RIG/hold.log"
	keeps_on_time 20 20
	for i in 1 2 3; do
		spawn "flood$i" "$LOOK" "$SOCKET" flood
	done
	keeps_on_time 20 20
	says SYNCHRONIZED
	for i in 1 2 3; do
		stop "flood$i" KILL || true
	done
	stop hold KILL || true
	is_unharmed "$fds" "$kb"
	holds '.counts.connections_served >= 300'
}

@test "a flood does not keep signals out" {
	fake_start slow 40
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	for i in 1 2; do
		spawn "flood$i" "$LOOK" "$SOCKET" flood
	done
	wait_ticks 3
	stop daemon
	has_logged "SIGTERM"
}

@test "without a descriptor to spare it does not spin, and recovers" {
	fake_start good
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	# Those below are taken.
	prlimit --pid "${RIG_PID[daemon]}" --nofile=3:
	spawn look "$LOOK" "$SOCKET"
	keeps_on_time 10 20
	[[ ! -s $RIG/look.log ]]
	prlimit --pid "${RIG_PID[daemon]}" --nofile=256:
	reap look
	grep -q '"format":1' "$RIG/look.log"
}

@test "anybody may look" {
	fake_start good
	daemon_start
	cp "$LOOK" "$RIG/look"
	chmod 711 "$RIG"
	run -0 "${UNPRIVILEGED[@]}" "$RIG/look" "$SOCKET"
	[[ $output == "{"*"}" ]]
}

@test "connections that are gone before they are served are counted" {
	fake_start good
	daemon_start
	wait_until 5 looks .format
	kill -s STOP "${RIG_PID[daemon]}"
	spawn gone "$LOOK" "$SOCKET" hold 3
	wait_until 5 grep -q held "$RIG/gone.log"
	stop gone KILL || true
	kill -s CONT "${RIG_PID[daemon]}"
	wait_until 5 looks '.counts.connections_cut == 3'
	wait_ticks 2
	now_says SYNCHRONIZED
}

#
# The socket
#

@test "SIGTERM removes the socket, a killed daemon's is replaced" {
	fake_start good
	daemon_start
	wait_until 5 looks .format
	[[ -S $SOCKET && $(stat -c %a "$SOCKET") == 666 ]]
	stop daemon KILL || true
	[[ -S $SOCKET ]]
	run ! "$LOOK" "$SOCKET"
	daemon_start
	wait_until 5 looks .format
	(($(get .daemon.pid) == RIG_PID[daemon]))
	stop daemon
	[[ ! -e $SOCKET ]]
}

@test "what is no socket is not removed: one warning, and it goes on" {
	fake_start good
	mkdir "$RUN"
	echo precious >"$RIG/file"
	for make in "cp $RIG/file" "ln -s $RIG/file" "mkfifo" "mkdir"; do
		$make "$SOCKET"
		inode=$(stat -c %i "$SOCKET")
		daemon_start
		# Its first, after which it hears signals.
		wait_ticks 1
		wait_until 5 now_says SYNCHRONIZED
		has_logged "$SOCKET: no such socket can be made: File exists"
		stop daemon
		[[ $(stat -c %i "$SOCKET") == "$inode" ]]
		rm -r "$SOCKET"
	done
	[[ $(<"$RIG/file") == precious ]]
}

@test "a run directory too long for a socket: one warning, and it goes on" {
	RUN=$RIG/$(printf 'd%.0s' {1..100})
	SEGMENT=$RUN/shm0
	fake_start good
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	has_logged "/observe: no such socket can be made: File"
	wait_ticks 2
}

@test "a second daemon leaves the first one's socket alone" {
	fake_start good
	daemon_start
	run -1 timeout 5 "$CB_DAEMON" -d --run-dir "$RUN" \
	    --chrony-socket "$RIG/client/chronyd.sock"
	look
	(($(get .daemon.pid) == RIG_PID[daemon]))
}
