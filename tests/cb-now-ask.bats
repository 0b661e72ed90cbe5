#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# cb-now(1): its formats, questions and streams.

bats_require_minimum_version 1.5.0
load rig

setup()
{
	rig_open
	fake_start good
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	stop daemon
}

teardown()
{
	[[ -n ${BATS_TEST_COMPLETED-} ]] || rig_show_logs
	rig_close
}

# now OPTION...
now()
{
	"$CB_NOW" -s "$SEGMENT" "$@"
}

# set_bound SECONDS: the half-width from now on.
set_bound()
{
	poke "$SEGMENT" 48 8 $(($1 * 1000000000))
	poke "$SEGMENT" 64 4 0
}

set_status()
{
	poke "$SEGMENT" 68 4 "$1"
}

# asks STATUS OPTION...: it ends with that, and prints nothing.
asks()
{
	echo "expected of ${*:2}: $1"
	run -"$1" --separate-stderr "$CB_NOW" -s "$SEGMENT" "${@:2}"
	[[ -z $output && -z $stderr ]]
}

# at SECONDS: TIME, that far from now.
at()
{
	now_us
	TIME=$((NOW_US / 1000000 + $1))
}

@test "-i is the line with times by RFC 3339" {
	run -0 --separate-stderr now -i
	local time='[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}'
	[[ $output =~ ^$time\.[0-9]{9}Z\ $time\.[0-9]{9}Z\ SYNCHRONIZED$ ]]
	[[ $(date -ud "${output%% *}" +%s) -ge $(($(date +%s) - 5)) ]]
}

@test "a conversion has one value in all of its forms" {
	set_bound 2
	run -0 now -f '%e %Ne %Ie %l %Nl %Il %m %Nm %Im %h %Nh %s %v %%'
	echo "$output"
	read -r e ne ie l nl il m nm im h nh s v percent <<<"$output"
	[[ ${e/./} == "$ne" && ${l/./} == "$nl" && ${m/./} == "$nm" ]]
	[[ $(date -ud "$ie" +%s.%N) == "$e" ]]
	[[ $(date -ud "$il" +%s.%N) == "$l" ]]
	[[ $(date -ud "$im" +%s.%N) == "$m" ]]
	((nm - ne == 2000000000 && nl - nm == 2000000000))
	[[ $h == 2.000000000 && $nh == 2000000000 ]]
	[[ $s == SYNCHRONIZED && $v == true && $percent == % ]]
}

@test "%e is one number" {
	run -0 now -f %e
	[[ $output =~ ^[0-9]+\.[0-9]{9}$ ]]
}

@test "text, escapes and an empty format" {
	run -0 now -f 'a\tb\n\\%%c'
	[[ $output == $'a\tb\n\\%c' ]]
	[[ $(now -f '' | od -An -c) == *'\n' ]]
	[[ $(now -f 'é\n' | wc -l) == 2 ]]
}

@test "the age is that of the segment's last update" {
	poke "$SEGMENT" 16 8 $(($(segment_field 16 d8) - 100))
	run -0 now -f '%a %Na'
	read -r s ns <<<"$output"
	[[ ${s/./} == "$ns" ]]
	((ns >= 100 * 1000000000 && ns < 110 * 1000000000))
}

@test "the age follows a segment that is replaced" {
	poke "$SEGMENT" 16 8 $(($(segment_field 16 d8) - 100))
	spawn stream "$CB_NOW" -s "$SEGMENT" -I 10ms -f '%Na %s'
	wait_until 5 grep -q '^1[0-9]\{11\} ' "$RIG/stream.log"
	rm "$SEGMENT"
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	: >"$RIG/stream.log"
	wait_until 5 grep -q '^[0-9]\{1,9\} SYNC' "$RIG/stream.log"
}

@test "-j is a JSON object, which keeps all digits" {
	set_bound 2
	run -0 --separate-stderr now -j
	[[ ${#lines[@]} == 1 ]]
	jq -e '(keys_unsorted | join(" ")) == "earliest latest middle " +
	    "earliest_ns latest_ns middle_ns half_width_ns age_ns status " +
	    "trusted" and .half_width_ns == 2000000000 and .trusted == true and
	    .status == "SYNCHRONIZED" and (.age_ns | type) == "number" and
	    (.earliest_ns | type) == "string"' <<<"$output"
	ns=$(jq -r .earliest_ns <<<"$output")
	[[ $(date -ud "$(jq -r .earliest <<<"$output")" +%s%N) == "$ns" ]]
}

@test "the widest bound there is can be printed in every form" {
	poke "$SEGMENT" 48 8 $((0x7fffffffffffffff))
	poke "$SEGMENT" 64 4 999999999
	run -0 now -i
	[[ $output == 17*T*Z\ 23*T*Z\ SYNCHRONIZED ]]
	run -0 now -f '%Ne %h'
	[[ $output == -*\ 92233* ]]
	now -j | jq -e '.half_width_ns > 9.2e18'
}

@test "the last of several formats counts" {
	run -0 now -j -f %s
	[[ $output == SYNCHRONIZED ]]
	run -0 now -f %s -i
	[[ $output == *Z\ *Z\ SYNCHRONIZED ]]
}

@test "--after: yes when earliest is past it, and no while it may not be" {
	set_bound 1000
	at -2000; asks 0 --after "$TIME"
	at -500; asks 1 --after "$TIME"
	at 500; asks 1 --after "$TIME"
	at 2000; asks 1 --after "$TIME"
	asks 0 --after 1969-07-20T20:17:40Z
	asks 1 --after 9999-12-31T23:59:59Z
}

@test "--before: yes when latest has not reached it, no when it may have" {
	set_bound 1000
	at 2000; asks 0 --before "$TIME"
	at 500; asks 1 --before "$TIME"
	at -500; asks 1 --before "$TIME"
	at -2000; asks 1 --before "$TIME"
}

@test "a time is told in seconds, by @, by RFC 3339, with any offset" {
	set_bound 1000
	at -2000
	for time in "$TIME" "$TIME.999999999" "@$TIME" \
	    "$(date -ud "@$TIME" +%Y-%m-%dT%H:%M:%S)Z" \
	    "$(TZ=UTC+8 date -d "@$TIME" --rfc-3339=ns)" \
	    "$(TZ=UTC-13:45 date -d "@$TIME" --rfc-3339=seconds)" \
	    "$(date -ud "@$TIME" +%Y-%m-%dt%H:%M:%S.5z)"; do
		asks 0 --after "$time"
		asks 1 --before "$time"
	done
}

@test "what was printed can be asked about" {
	set_bound 1000
	for form in '' I; do
		asks 1 --before "$(now -f "%${form}e")"
		asks 1 --after "$(now -f "%${form}l")"
		asks 1 --after "$(now -f "%${form}m")"
	done
}

@test "--within: is the half-width at most this?" {
	set_bound 2
	asks 0 --within 2
	asks 0 --within 2s
	asks 0 --within 0.04m
	asks 1 --within 1.999999999
	asks 1 --within 1999999us
	asks 0 --within 2000000000ns
	asks 1 --within 0
}

@test "all questions must be yes" {
	set_bound 2
	asks 0 --after 0 --before 9999-01-01T00:00:00Z --within 2
	asks 1 --after 0 --before 9999-01-01T00:00:00Z --within 1
	asks 1 --after 0 --before 1
}

@test "a question prints nothing unless a format is asked for" {
	asks 0 --after 0
	run -1 --separate-stderr now --before 0 -f %s
	[[ $output == SYNCHRONIZED && -z $stderr ]]
}

@test "no question is answered by what must not be trusted" {
	for number in 0 3; do
		set_status "$number"
		asks 3 --after 0
		asks 3 --before 9999-01-01T00:00:00Z
		asks 3 --before 0
		asks 3 --within 1h
	done
	set_status 0
	run -3 now -f '%s %v'
	[[ $output == "UNKNOWN false" ]]
}

@test "--trust=synchronized does not trust FREE_RUNNING" {
	set_status 2
	asks 0 --after 0
	asks 0 --after 0 --trust=free-running
	asks 3 --after 0 --trust=synchronized
	run -3 now --trust synchronized -f '%s %v'
	[[ $output == "FREE_RUNNING false" ]]
	set_status 1
	asks 0 --after 0 --trust=synchronized
}

@test "a stream has -c lines, and the exit status of the last" {
	run -0 --separate-stderr now -c 3 -I 1ms
	((${#lines[@]} == 3))
	[[ -z $stderr && ${lines[2]} == *SYNCHRONIZED ]]
	run -1 now -c 2 -I 1ms --before 0 -f %s
	((${#lines[@]} == 2))
	set_status 3
	run -3 now -c 2 -I 1ms
	((${#lines[@]} == 2))
}

# has_lines COUNT: of the stream.
has_lines()
{
	(($(wc -l <"$RIG/stream.log") >= $1))
}

# stream_start OPTION...: a shell's background jobs do not hear SIGINT.
stream_start()
{
	spawn stream env --default-signal=INT "$CB_NOW" -s "$SEGMENT" "$@"
}

@test "a stream of -I alone goes on, each line as soon as it is there" {
	stream_start -I 10ms
	wait_until 5 has_lines 5
	is_running stream
}

@test "-c alone is a line a second" {
	run -0 now -c 2 -f %Nm
	((lines[1] - lines[0] >= 900000000))
}

@test "SIGINT ends a stream with the status of its last line, and no word" {
	for row in 1:0 3:3; do
		set_status "${row%:*}"
		stream_start -I 1h
		wait_until 5 has_lines 1
		status=0
		stop stream INT || status=$?
		((status == ${row#*:}))
		[[ $(wc -l <"$RIG/stream.log") == 1 ]]
	done
}

@test "a reader who has gone ends a stream the same way" {
	for row in 1:0 0:3; do
		set_status "${row%:*}"
		run -0 --separate-stderr bash -c "'$CB_NOW' -s '$SEGMENT' \
		    -I 1ms | head -n 2 >'$RIG/out'; echo \${PIPESTATUS[0]}"
		[[ $output == "${row#*:}" && -z $stderr ]]
		run -0 --separate-stderr bash -c "trap '' PIPE; '$CB_NOW' -s \
		    '$SEGMENT' -I 1ms | head -n 1; echo \${PIPESTATUS[0]}"
		[[ ${lines[1]} == "${row#*:}" && -z $stderr ]]
	done
}

@test "a background job's stream does not hear SIGINT" {
	spawn stream env --ignore-signal=INT "$CB_NOW" -s "$SEGMENT" -I 10ms
	wait_until 5 has_lines 1
	kill -s INT "${RIG_PID[stream]}"
	: >"$RIG/stream.log"
	wait_until 5 has_lines 2
	is_running stream
}

# median_phase TIME...: MEDIAN, how late they are by a rhythm of 20 ms.
median_phase()
{
	local time phases

	for time in "$@"; do
		# Half a step more: those before the first one are no step late.
		phases+=$(((time - times[0] + 10000000) % 20000000))$'\n'
	done
	MEDIAN=$(sort -n <<<"${phases%?}" | sed -n "$((($# + 1) / 2))p")
}

@test "a stream keeps its rhythm" {
	mapfile -t times < <(now -c 100 -I 20ms -f %Nm)
	median_phase "${times[@]:0:20}"
	early=$MEDIAN
	median_phase "${times[@]:80}"
	echo "$early $MEDIAN"
	# Sleeping from line to line is 8 ms late by then.
	((MEDIAN - early < 5000000 && early - MEDIAN < 5000000))
}

@test "a stream that was stopped leaves out what it has missed" {
	stream_start -I 50ms -f %Nm
	wait_until 5 has_lines 2
	kill -s STOP "${RIG_PID[stream]}"
	before=$(wc -l <"$RIG/stream.log")
	now_us
	resumed=$((NOW_US + 500000))
	is_time() { now_us; ((NOW_US >= resumed)); }
	wait_until 5 is_time
	kill -s CONT "${RIG_PID[stream]}"
	wait_until 5 has_lines $((before + 4))
	mapfile -t times <"$RIG/stream.log"
	# A burst would have brought them all at once.
	((times[before + 3] - times[before] >= 90000000))
}
