#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# cb-status(1): what it says of a real daemon and chronyd, in each of its
# forms, and of what is broken.
#
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own
# shellcheck disable=SC2034,SC2154 # rig.bash's variables, and bats's

bats_require_minimum_version 1.5.0
load rig

PAGE=$BATS_TEST_DIRNAME/../man/cb-status.1

setup()
{
	rig_open
}

teardown()
{
	[[ -n ${BATS_TEST_COMPLETED-} ]] || rig_show_logs
	rig_close
}

synchronized()
{
	truth_start "${1-0}"
	client_start
	wait_until 5 client_is_synchronised
	vmclock_make
	daemon_watch
	wait_until 10 now_says SYNCHRONIZED
}

# A segment that a daemon wrote, which has ended.
left_behind()
{
	fake_start good
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	stop daemon
}

# A segment that was written this much earlier: as if.
age_segment()
{
	for offset in 16 32; do
		poke "$SEGMENT" $offset 8 \
		    $(($(segment_field $offset d8) - $1))
	done
}

# status OPTION...: OUT, ERR and CODE.
status()
{
	CODE=0
	OUT=$("$CB_STATUS" -s "$RUN" --vmclock "$VMCLOCK" "$@" \
	    2>"$RIG/stderr") || CODE=$?
	ERR=$(<"$RIG/stderr")
}

# exits CODE TEXT OPTION...: the JSON's verdict, and its line has the text.
exits()
{
	local code=$1 text=$2

	shift 2
	status -j "$@"
	((CODE == code)) && [[ -z $ERR ]] &&
	    jq -e --arg text "$text" --argjson code "$code" \
	    '.verdict | .exit_status == $code and
	    (.line | contains($text))' <<<"$OUT" >"$RIG/answer"
}

# is CODE TEXT OPTION...: the same, and says what it was instead.
is()
{
	exits "$@" || {
		echo "expected $1 and: $2"
		echo "exit $CODE: $OUT $ERR"
		false
	}
}

holds()
{
	jq -e "$1" <<<"$OUT" >"$RIG/answer" || {
		echo "not so: $1 in $OUT"
		false
	}
}

@test "a synchronized time is OK, in all its parts" {
	synchronized 5000000
	wait_until 5 exits 0 "synchronized, within" -s "$SEGMENT"
	holds '.segment.half_width_ns >= .segment.bound_ns'
	holds '.daemon.status.as_of_ns == .segment.as_of_ns'
	holds '.daemon.budget.bound_ns == .segment.bound_ns'
	holds '.segment.half_width_ns >= 5000000'
	holds '.largest.part == "offset" and .largest.ns > 4000000'
	holds '.vmclock.marker == "0" and .verdict.findings == []'
	holds '.segment.counted == false and .other == null'
}

# What the kernel keeps time by, which is none where there is no such file.
needs_counter()
{
	grep -qxE 'tsc|arch_sys_counter' \
	    /sys/devices/system/clocksource/*0/current_clocksource ||
	    skip "the clocksource is no counter"
}

@test "a directory is shm1, which knows nothing of how far off the clock is" {
	needs_counter
	synchronized 5000000
	# The period of the first tick is a rough one.
	wait_ticks 5
	is_of_one_tick()
	{
		exits 0 "synchronized, within" && jq -e \
		    '.daemon.shm1.as_of_ns == .segment.as_of_ns' \
		    <<<"$OUT" >"$RIG/answer"
	}
	wait_until 5 is_of_one_tick
	holds ".segment.path == \"$RUN/shm1\" and .segment.counted"
	holds '.segment.half_width_ns >= .segment.bound_ns'
	holds '.segment.half_width_ns < 2500000'
	holds '.daemon.shm1.budget.bound_ns == .segment.bound_ns'
	holds '.largest.part | IN("drift", "error", "reading")'
	holds ".other.path == \"$SEGMENT\" and .other.counted == false"
	holds '.other.half_width_ns >= 5000000'
	# Limits are on what programs get from there.
	is 0 "synchronized" -c 2.5ms
	is 2 "above 2.50 ms; " -c 2.5ms -s "$SEGMENT"
	status
	[[ $OUT == *"segment    $RUN/shm1"$'\n'"shm0       synchronized within 5."*" ms, for those who read it alone"* ]]
	[[ $OUT == *"true time  4.9"* && $OUT != *"made of    offset 5"* ]]
	(($(wc -L <<<"$OUT") <= 80))
}

@test "shm0 stands in for shm1, and it is said why" {
	fake_start good
	daemon_start --clock-error-bound-source chrony-tracking
	wait_until 5 now_says SYNCHRONIZED
	wait_until 5 exits 1 "this is chronyd's own estimate"
	holds ".segment.path == \"$SEGMENT\""
	status
	[[ $OUT == *"segment    $SEGMENT"$'\n'"shm1       "* ]]
	stop daemon
	if [[ -e $RUN/shm1 ]]; then
		[[ $OUT == *"shm1       unknown: "* ]]
		# Its period is any: it is not what tells the age.
		poke "$RUN/shm1" 97 1 9
		is 2 "the time is unknown" -s "$RUN/shm1"
	fi
	rm -f "$RUN/shm1"
	status
	[[ $OUT == *$'\n'"shm1       missing"$'\n'* ]]
	: >"$RUN/shm1"
	status
	[[ $OUT == *$'\n'"shm1       not written to"$'\n'* ]]
	status -j
	holds '.other.readable == false and .other.fault == "not written to"'
	status -s "$SEGMENT"
	[[ $OUT != *shm1* ]]
}

# Aged by the counter, as age_segment does it by the clock.
age_shm1()
{
	local period ticks

	period=$(od -An -j 56 -N 8 -t u8 "$RUN/shm1")
	ticks=$(awk -v s="$1" -v p="$period" \
	    -v shift="$(od -An -j 97 -N 1 -t u1 "$RUN/shm1")" \
	    'BEGIN { printf "%.0f", s * 2 ^ (64 + shift) / p }')
	poke "$RUN/shm1" 16 8 \
	    $(($(od -An -j 16 -N 8 -t u8 "$RUN/shm1") - ticks))
}

@test "shm1 stands for a minute, but a daemon that is gone is told at once" {
	needs_counter
	left_behind
	is 0 "synchronized"
	holds '.segment.counted'
	status --wait=0
	((CODE == 0))
	# A quarter of the time, by the error of the period, and the drift.
	poke "$RUN/shm1" 64 8 $((1 << 62))
	poke "$RUN/shm1" 98 1 0
	status
	[[ $OUT == *"; grows by 25005"[0-9].[0-9][0-9][0-9]" ppm"* ]]
	status -o openmetrics
	[[ $OUT == *$'\n'"clockbound_max_drift_ratio 0.25005"* ]]
	age_shm1 20
	age_segment 20
	is 2 "nobody has written to $RUN/shm1 for 2"
	holds '.verdict.line | contains("cb-daemon is not running")'
	holds '.segment.status == "synchronized"'
	holds '.other.status == "free_running"'
	status
	[[ $OUT == *$'\n'"shm0       free running within "* ]]
	status --wait=0
	((CODE == 2))
	age_shm1 50
	is 2 "nobody has written to $RUN/shm1 for 7"
	holds '.segment.status == "free_running"'
	age_shm1 1000
	is 2 "nobody has written to $SEGMENT for 2"
	age_shm1 -2000
	age_segment -2000
	is 2 "$SEGMENT is "
	is 2 "$RUN/shm1 is ahead of the CPU's counter" -s "$RUN/shm1"
}

@test "the table has what is known, in 80 columns and without colour" {
	synchronized 5000000
	status -s "$SEGMENT"
	((CODE == 0))
	[[ -z $ERR && $OUT == "OK "*"within "*" of true time"* ]]
	for text in "status     synchronized since 20" "half-width 5." \
	    "bound      5." "true time  [45]." "made of    offset [45]." \
	    "mostly     [45]." "-> to narrow it: wait while chronyd" \
	    "chronyd    127." "offset [45]." "frequency " "estimate   [45]." \
	    "selected " "VMClock    $VMCLOCK: marker 0, handled 0" \
	    "daemon     pid ${RIG_PID[daemon]}, version " " ticks, " \
	    "longest gap " "0 disruptions"; do
		echo "expected: $text"
		# shellcheck disable=SC2053 # it is a pattern
		[[ $OUT == *$text* ]]
	done
	(($(wc -L <<<"$OUT") <= 80))
	[[ $OUT != *$'\033'* ]]
}

@test "without the socket it says less, and means the same" {
	synchronized
	status --observe "$RIG/none"
	((CODE == 0))
	[[ $OUT == "OK "* && $OUT == *"daemon     $RIG/none: No such file"* ]]
	[[ $OUT != *chronyd* ]]
	is 0 "synchronized" --observe "$RIG/none"
	holds '.daemon == null and .largest == null'
	holds '.trouble == "No such file or directory"'
	: >"$RIG/plain"
	long=$RIG/$(printf 'x%.0s' {1..100})
	for path in "$RIG/plain" "$RUN" "$RIG/plain/observe" "$long"; do
		is 0 "synchronized" --observe "$path"
		holds '.daemon == null'
	done
}

@test "limits are on the half-width, and the largest part is blamed" {
	synchronized 5000000
	is 1 "above 1.00 ms; " -w 1ms -c 1s -s "$SEGMENT"
	is 2 "the clock is that far from what was measured" -w 1us -c 4.9ms \
	    -s "$SEGMENT"
	is 0 "synchronized" -w 1s -c 2s
	status -q -c 1ms -s "$SEGMENT"
	((CODE == 2)) && [[ -z $OUT$ERR ]]
}

@test "a source that measures seldom is named, with the cure" {
	truth_start 0
	RIG_SERVERS=("${RIG_SERVERS[0]/minpoll -6 maxpoll -4/minpoll 6}")
	client_start
	wait_until 20 client_is_synchronised
	daemon_start -m 1000
	wait_until 10 now_says SYNCHRONIZED
	is_drift()
	{
		exits 1 "the measurement by $ADDRESS that sets it is" -w 1us
	}
	wait_until 10 is_drift
	holds '.verdict.findings[0].cure | startswith("set `minpoll 4 maxpoll 4")'
}

@test "a chronyd that is gone: free running, a warning, and why" {
	synchronized
	stop client
	wait_until 5 exits 1 "free running: chronyd does not answer at $RIG/client/chronyd.sock: cannot connect: No such file or directory; start chronyd"
	wait_until 10 exits 2 "the time is unknown: chronyd does not answer"
	is 2 "the time is unknown: chronyd"
}

@test "a chronyd that may not be asked: the cure is another user" {
	((EUID == 0)) || skip "only root can be told from others"
	synchronized
	stop daemon
	cp "$CB_DAEMON" "$RIG/cb-daemon"
	mkdir "$RIG/other"
	chmod 1777 "$RIG/other"
	chmod 711 "$RIG"
	RUN=$RIG/other
	spawn daemon "${UNPRIVILEGED[@]}" "$RIG/cb-daemon" -d --run-dir "$RUN" \
	    --chrony-socket "$RIG/client/chronyd.sock"
	wait_until 5 exits 2 "run cb-daemon as root or as chronyd's user"
}

@test "SIGUSR1 is critical until SIGUSR2, and says so" {
	synchronized
	kill -s USR1 "${RIG_PID[daemon]}"
	wait_until 5 exits 2 "disrupted: SIGUSR1 said that the clock is disrupted; send SIGUSR2 to cb-daemon (pid ${RIG_PID[daemon]})"
	kill -s USR2 "${RIG_PID[daemon]}"
	wait_until 10 exits 0 "synchronized"
	holds '.daemon.counts.forced_disruptions == 1'
}

@test "a disruption of the VMClock is seen, and so is that it is announced" {
	synchronized
	vmclock_set 24 8 2
	is 1 "the VMClock announces a disruption: soon"
	vmclock_set 24 8 6
	is 1 "the VMClock announces a disruption: imminent"
	vmclock_set 24 8 0
	kill -s STOP "${RIG_PID[daemon]}"
	vmclock_disrupt 7
	is 2 "tells of a disruption that cb-daemon has not handled" \
	    --observe "$RIG/none"
	kill -s CONT "${RIG_PID[daemon]}"
	wait_until 10 exits 0 "synchronized"
	holds '.segment.marker == "7" and .vmclock.marker == "7"'
	rm "$VMCLOCK"
	is 2 "$VMCLOCK cannot be read: No such file or directory"
}

@test "a daemon that has ended is named, at once and when it is long ago" {
	left_behind
	is 0 "synchronized"
	age_segment 70
	is 2 "nobody has written to $SEGMENT for 7" -s "$SEGMENT"
	holds '.verdict.line | contains("cb-daemon is not running")'
	age_segment 2000
	is 2 "nobody has written to $SEGMENT for 34." -s "$SEGMENT"
}

@test "a daemon that was killed leaves a socket where nobody listens" {
	fake_start good
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	stop daemon KILL || true
	is 1 "nobody listens at $RUN/observe; see that cb-daemon runs"
	age_segment 5
	is 2 "cb-daemon is not running" -s "$SEGMENT"
}

@test "a daemon that is stopped is told from one that has ended" {
	fake_start good
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	kill -s STOP "${RIG_PID[daemon]}"
	age_segment 5
	is 2 "cb-daemon is stopped or stuck" -s "$SEGMENT"
}

@test "a segment from before the boot, or of a clock that went back" -s "$SEGMENT" {
	left_behind
	age_segment -3600
	is 2 "ahead of CLOCK_MONOTONIC: that went back" -s "$SEGMENT"
	touch -d '2001-01-01' "$SEGMENT"
	is 2 "$SEGMENT is from before the last boot" -s "$SEGMENT"
	age_segment 3700
	touch -d '2001-01-01' "$SEGMENT"
	is 2 "$SEGMENT is from before the last boot" -s "$SEGMENT"
}

@test "what is no segment is critical, what cannot be opened unknown" {
	is 2 "there is no segment $RUN; start cb-daemon"
	mkdir "$RUN"
	is 2 "there is no segment $SEGMENT; start cb-daemon"
	: >"$SEGMENT"
	is 2 "not a segment that a daemon has written to"
	is 2 "its directory is none" -s "$SEGMENT/shm0"
	rm "$SEGMENT"
	ln -s shm0 "$SEGMENT"
	is 3 "cannot open $SEGMENT: "
	rm "$SEGMENT"
	left_behind
	rm -f "$RUN/shm1"
	poke "$SEGMENT" 12 2 9
	is 2 "a version that is not known here"
	poke "$SEGMENT" 12 2 2
	poke "$SEGMENT" 48 8 -1
	is 2 "malformed"
	holds '.segment.readable == false and .segment.fault == "malformed"'
}

@test "an unknown time has no half-width" {
	daemon_start
	wait_until 5 has_ticked 2 1
	status
	((CODE == 2))
	[[ $OUT == "CRITICAL "*"half-width not known"* ]]
	status -j
	holds '.segment | has("bound_ns") and .bound_ns == null and
	    has("half_width_ns") and .half_width_ns == null'
	status -o plugin
	[[ $OUT == *"| segment_age="* && $OUT != *bound=* ]]
	status -o openmetrics
	[[ $OUT == *"clockbound_segment_readable 1"* ]]
	[[ $OUT != *half_width_seconds* && $OUT != *bound_seconds* ]]
}

# serve_object FILE: what is in it, on a socket of a private daemon's.
serve_object()
{
	spawn serve "$RIG_TOOLS/serve" "$RIG/liar" cat "$1"
	wait_until 5 test -S "$RIG/liar"
}

# What a slow daemon says is good for 10 s.
good_object()
{
	"$RIG_TOOLS/look" "$RUN/observe" |
	    jq -c '.daemon.interval_ns = 5000000000'
}

# An answer of no use is a warning and no crash.
is_useless()
{
	is 1 "what $RIG/liar says is of no use: $1" --observe "$RIG/liar"
	holds '.daemon == null'
	for form in table openmetrics plugin; do
		status -o $form --observe "$RIG/liar"
		((CODE <= 1)) && [[ -z $ERR && $OUT != *$'\033'* ]]
	done
}

@test "nothing that a daemon says can do more than be of no use" {
	synchronized
	good_object >"$RIG/good"
	cp "$RIG/good" "$RIG/object"
	serve_object "$RIG/object"
	is 0 "synchronized" --observe "$RIG/liar"
	: >"$RIG/object"
	is_useless "an empty answer"
	head -c 300 "$RIG/good" >"$RIG/object"
	is_useless "an answer that is not JSON"
	head -c 100000 /dev/zero | tr '\0' '[' >"$RIG/object"
	is_useless "an answer that is not JSON"
	head -c 2000000 /dev/zero | tr '\0' ' ' >"$RIG/object"
	is_useless "File too large"
	jq -c '.format = 2' "$RIG/good" >"$RIG/object"
	is_useless "format: expected 1"
	jq -c '.counts.ticks = "many"' "$RIG/good" >"$RIG/object"
	is_useless "counts.ticks: expected an integer from 0 on"
	jq -c 'del(.tracking.report.stratum)' "$RIG/good" >"$RIG/object"
	is_useless "tracking.report.stratum: expected an integer from 0 on"
}

@test "what is said of another segment is of no use" {
	synchronized
	good_object | jq -c '.status.as_of_ns -= 11000000000 |
	    (.shm1 | objects | .as_of_ns) -= 11000000000' >"$RIG/object"
	serve_object "$RIG/object"
	is_useless "it speaks of another segment"
	is 1 "it speaks of another segment" --observe "$RIG/liar" \
	    -s "$SEGMENT"
}

@test "escapes in what a daemon says reach no terminal, and spoil no form" {
	synchronized
	good_object | jq -c '.tracking.trouble = "\u001b[2J|\n" | .tracking.answered = false |
	    .status.name = "\u001b[31m" | .daemon.version = "\u009b31m" |
	    .sources[0].name = "a\"b\\\nc" | .budget.source = "\u001b]0;x\u0007" |
	    .daemon.phc_trouble = "x|y\u001b[2J"' >"$RIG/object"
	serve_object "$RIG/object"
	for form in table openmetrics plugin json; do
		status -o $form --observe "$RIG/liar"
		[[ -n $OUT && $OUT != *[$'\033\007\233']* ]]
	done
	status -o plugin --observe "$RIG/liar"
	[[ $OUT == "CLOCKBOUND WARNING - the PHC's measurements are not used: x/y?"* ]]
	(($(wc -l <<<"$OUT") == 1 && $(tr -dc '|' <<<"$OUT" | wc -c) == 1))
	status -o openmetrics --observe "$RIG/liar"
	[[ $OUT == *'{source="a\"b\\?c"} 1'* ]]
}

@test "a chronyd that never updated the clock has no time of that" {
	synchronized
	last=clockbound_chrony_last_update_timestamp_seconds
	good_object >"$RIG/good"
	cp "$RIG/good" "$RIG/object"
	serve_object "$RIG/object"
	status -o openmetrics --observe "$RIG/liar"
	[[ $OUT == *"$last"* ]]
	for change in '.ref_time_ns = 0' '.leap = "unsynchronized"'; do
		jq -c ".tracking.report |= ($change)" "$RIG/good" \
		    >"$RIG/object"
		status -o openmetrics --observe "$RIG/liar"
		[[ $OUT == *clockbound_chrony_stratum* && $OUT != *"$last"* ]]
	done
}

@test "one that accepts and says nothing is waited for, and not for long" {
	synchronized
	spawn serve "$RIG_TOOLS/serve" "$RIG/liar" sleep 60
	wait_until 5 test -S "$RIG/liar"
	is 1 "no answer in time" --observe "$RIG/liar"
}

@test "-o plugin: one line, and performance data with the limits" {
	synchronized 5000000
	status -o plugin -w 50ms -c 0.1s -s "$SEGMENT"
	echo "$OUT"
	((CODE == 0))
	number='[0-9]+\.[0-9]{9}s'
	[[ $OUT =~ ^CLOCKBOUND\ OK\ -\ synchronized,\ within\ 5\.[0-9]+\ ms\ of\ true\ time\ \|\ half_width=$number\;0\.050000000\;0\.100000000\;0\ bound=$number\ segment_age=$number\ chrony_estimate=$number\ missed_samples=0c$ ]]
	stop daemon
	rm -f "$SEGMENT" "$RUN/shm1"
	status -o plugin
	((CODE == 2))
	[[ $OUT == "CLOCKBOUND CRITICAL - there is no segment $SEGMENT; "* ]]
}

# The top keys of the page's JSON section.
@test "every key of the JSON object is in the page, and the other way" {
	synchronized
	status -j
	diff <(sed -n '/^\.Ss JSON/,/^\.Ss/s/^\.It Va //p' "$PAGE" | sort) \
	    <(jq -r 'keys[]' <<<"$OUT" | sort)
	for key in $(jq -r '.verdict, .verdict.findings[], .segment,
	    .largest, .vmclock | keys[]' <<<"$OUT"); do
		echo "$key"
		sed -n '/^\.Ss JSON/,/^\.Ss/p' "$PAGE" |
		    grep -qE "^(\.Va )?$key( |$)|Va $key( |$)"
	done
	(($(wc -l <<<"$OUT") == 1))
}

@test "--wait: 0 when it is healthy, 2 in vain, 2 at once where it never is" {
	status --wait=0.1
	((CODE == 2))
	[[ $ERR == "cb-status: waited in vain: there is no segment "* ]]
	"$CB_STATUS" -s "$RUN/" --vmclock "$VMCLOCK" --wait=20 \
	    >"$RIG/waited" 2>&1 3>&- &
	waiter=$!
	synchronized
	wait "$waiter" || { cat "$RIG/waited"; false; }
	[[ ! -s $RIG/waited ]]
	status --wait=0 -w 1ns
	((CODE == 2))
	[[ $ERR == "cb-status: waited in vain: the half-width is "* ]]
	stop daemon
	rm -f "$RUN/shm1"
	poke "$SEGMENT" 12 2 9
	status --wait
	((CODE == 2))
	[[ $ERR == "cb-status: $SEGMENT: no use waiting: "*version* ]]
	status --wait -s "$SEGMENT/shm0"
	((CODE == 2))
	[[ $ERR == *"no use waiting: Not a directory" ]]
	status --wait -s /dev/null
	((CODE == 2))
	[[ $ERR == *"no use waiting: it is not a file" && $ERR != *$'\n'* ]]
	rm "$SEGMENT"
	mkdir "$SEGMENT"
	status --wait=20
	((CODE == 2))
	[[ $ERR == *"no use waiting: it is not a file" ]]
	is 2 "$SEGMENT is not a file; name the run directory"
}

# refuses TEXT OPTION...
refuses()
{
	local text=$1

	shift
	run -3 --separate-stderr "$CB_STATUS" "$@"
	echo "$*: $stderr"
	[[ -z $output ]]
	[[ $stderr == *"cb-status: "*"$text"* && $stderr != *$'\n'* ]]
}

@test "wrong options: one line, exit 3" {
	refuses "requires an argument" -s
	refuses "--shm '': expected a path" --shm=
	refuses "--observe '': expected a path" --observe ""
	refuses "--vmclock '': expected a path" --vmclock ""
	refuses "--warning 'soon': expected a number and a unit" -w soon
	refuses "--critical '1x': expected a number and a unit" -c 1x
	refuses "--critical '-1': expected a number and a unit" -c -1
	refuses "--wait 'for': expected a number and a unit" --wait=for
	refuses "--warning: expected no more than --critical" -w 2 -c 1
	refuses "--output 'xml': expected table, json, openmetrics or plugin" \
	    -o xml
	refuses "--warning '': expected a number and a unit" --warning ''
	refuses "--warning '?[2J?': expected" -w $'\033[2J\n'
	refuses "?[2J: no operand expected" $'\033[2J'
	refuses "--warning: not together with --http" --http -w 1
	refuses "--critical: not together with --output openmetrics" \
	    -o openmetrics -c 1
	refuses "--quiet: not together with --json" -j -q
	refuses "--http: not together with --output" -o plugin --http
	refuses "5s: no operand expected: a duration is --wait=" --wait 5s
	refuses "--watch: not together with --wait" --wait --watch
	refuses "option" -x
	refuses "unrecognized option" --nope
	refuses "extra: no operand expected" -j extra
}

@test "--help and --version go to standard output" {
	for option in --help -h; do
		run -0 --separate-stderr "$CB_STATUS" "$option"
		[[ $output == "usage: cb-status "* && -z $stderr ]]
	done
	for option in --version -V; do
		run -0 --separate-stderr "$CB_STATUS" "$option"
		[[ $output =~ ^cb-status\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
	done
}

@test "standard output full or closed: one line, exit 3" {
	for arguments in --help --version "" -j "-o openmetrics" "-o plugin" \
	    --watch; do
		for output in '>/dev/full' '>&-'; do
			run -3 --separate-stderr timeout 10 bash -c \
			    "'$CB_STATUS' -s '$RUN' $arguments $output"
			echo "$arguments $output: $stderr"
			[[ $stderr == "cb-status: standard output: "* ]]
			[[ $stderr != *$'\n'* ]]
		done
	done
}
