#!/usr/bin/env bash
# SPDX-License-Identifier: ISC
#
# make bench: what everything costs, as a table, in a minute and a half.  The
# README beside this says how to read it.
#
# A row that misses its target says so, and is no failure: only what cannot be
# measured is.  What a machine has no tool for is left out, and said.
#
#	chronyd "server" <- chronyd "one"   <- cb-daemon, loop
#	                 <- chronyd "eight" <- cb-daemon, loop

set -euo pipefail
export LC_ALL=C

# shellcheck source=../rig.bash source-path=SCRIPTDIR
source "${BASH_SOURCE[0]%/*}/../rig.bash"

BENCH=$RIG_ROOT/tests/bench
WINDOW_S=40
STARTS=20
ROUNDS=20
RUNS=50
READERS=(2 4 8)
SHARERS=(1 8)

# What the programs say: "NAME VALUE" lines, by FILE.NAME.
declare -A VALUE

load()
{
	local name value

	while read -r name value; do
		VALUE[$1.$name]=$value
	done <"$RIG/$1.log"
}

# measure NAME COMMAND...
measure()
{
	"${@:2}" >"$RIG/$1.log"
	load "$1"
}

#
# The rig: sources are looked at as rarely as in life, after a first burst.
#

# follow NAME COUNT: a chronyd with this many sources, and its daemon.
follow()
{
	local options="minpoll 4 maxpoll 4 iburst" lines=() i

	for ((i = 1; i <= $2; i++)); do
		lines+=("server 127.0.0.$i port $RIG_PORT $options")
	done
	chronyd_start "$1" "port 0" "${lines[@]}"
	spawn "daemon-$1" "$CB_DAEMON" -d --run-dir "$RIG/run-$1" \
	    --chrony-socket "$RIG/$1/chronyd.sock"
}

# has_selectable NAME COUNT
has_selectable()
{
	(($(ask "$1" sources | grep -c '^.,[*+-],') == $2))
}

is_trusted()
{
	"$CB_NOW" -s "$RIG/run-$1" >"$RIG/answer" 2>&1
}

close_rig()
{
	local status=$?

	((status == 0)) || rig_show_logs >&2
	rig_close
}

open_rig()
{
	trap close_rig EXIT
	trap 'exit 1' HUP INT TERM
	rig_open
	# It listens on all of 127.0.0.0/8, and follows nobody.
	chronyd_start server "local stratum 1" "allow 127.0.0.0/8" \
	    "port $RIG_PORT"
	follow one 1
	follow eight 8
	wait_until 20 has_selectable one 1
	wait_until 20 has_selectable eight 8
	wait_until 5 is_trusted one
	wait_until 5 is_trusted eight
}

#
# Measurements
#

# The originals to measure beside, where they can be had.
find_originals()
{
	local dir

	ORIGINALS=()
	if dir=$("$RIG_ROOT/tests/interop/reference.sh" ffi-2); then
		ORIGINALS+=(-2 "$dir/libclockbound.so")
	fi
	if dir=$("$RIG_ROOT/tests/interop/reference.sh" ffi-3); then
		ORIGINALS+=(-3 "$dir/libclockbound.so")
	fi
}

bench_now()
{
	local readers

	measure now "$BENCH/now" -v "${ORIGINALS[@]}" "$RIG/run-now"
	measure plain "$BENCH/now" "${ORIGINALS[@]}" "$RIG/run-now"
	measure written "$BENCH/now" -vw "${ORIGINALS[@]}" "$RIG/run-now"
	for readers in "${READERS[@]}"; do
		measure "readers-$readers" "$BENCH/now" -v -n "$readers" \
		    "$RIG/run-now"
	done
	for readers in "${SHARERS[@]}"; do
		measure "sharers-$readers" "$BENCH/now" -ov -n "$readers" \
		    "$RIG/run-now"
	done
	if [[ -x $BENCH/now-musl ]]; then
		measure musl "$BENCH/now-musl" -v "$RIG/run-now"
	else
		echo "no rows of musl: there is no musl-gcc" >&2
	fi
}

# What a call executes, the VMClock's check included, but for clock_gettime(),
# which is another under valgrind: it has no vDSO there.
count_instructions()
{
	valgrind --tool=callgrind --callgrind-out-file="$RIG/callgrind" \
	    --toggle-collect=clockbound_now "$BENCH/now" -v -s "$1" \
	    "${ORIGINALS[@]}" "$RIG/run-now" >"$RIG/valgrind.log" 2>&1
	callgrind_annotate --threshold=100 --auto=no "$RIG/callgrind" \
	    2>"$RIG/annotate.log" | awk -v calls="$(awk '$1 == "calls" \
	    { print $2 }' "$RIG/valgrind.log")" '
	    /^ *[0-9,]+ \([ 0-9.]+%\)/ && !/PROGRAM TOTALS/ &&
	    !/[^:]:clock_gettime[@ ]/ { gsub(",", "", $1); sum += $1 }
	    END { print "count", sum / calls }'
}

bench_instructions()
{
	local name

	if ! command -v valgrind >/dev/null; then
		echo "no counts of instructions: there is no valgrind" >&2
		return
	fi
	for name in shm0 shm1 ffi-2 ffi-3; do
		[[ -n ${VALUE[now.$name]-} ]] || continue
		measure "$name" count_instructions "$name"
	done
}

# The commands take turns; of each command the median of its medians.
bench_processes()
{
	local names=(cb-now date chronyc true) i round

	for ((round = 0; round < ROUNDS; round++)); do
		hyperfine -N --style none --warmup 5 --runs "$RUNS" \
		    --export-csv "$RIG/process.$round" \
		    "$CB_NOW -s $RIG/run-one" "date +%s.%N" \
		    "chronyc -h $RIG/one/chronyd.sock tracking" \
		    "true" >"$RIG/hyperfine.log" 2>&1
	done
	for i in "${!names[@]}"; do
		for ((round = 0; round < ROUNDS; round++)); do
			awk -F, -v line=$((i + 2)) \
			    'NR == line { print $4 * 1000 }' \
			    "$RIG/process.$round"
		done | sort -g | awk -v name="${names[i]}" \
		    '{ v[NR] = $1 } END { print name, v[int((NR + 1) / 2)] }'
	done >"$RIG/process.log"
	load process
}

bench_start()
{
	measure "start-$1" "$BENCH/start" "$STARTS" "$RIG/run-start" \
	    "$CB_DAEMON" -d --run-dir "$RIG/run-start" \
	    --chrony-socket "$RIG/$1/chronyd.sock"
}

# status_field NAME FIELD: of its daemon's process.
status_field()
{
	awk -v field="$2:" '$1 == field { print $2 }' \
	    "/proc/${RIG_PID[daemon-$1]}/status"
}

# The daemons and the bare loops, all of them in the same time.
bench_loops()
{
	local name kind start

	now_us
	start=$NOW_US
	for name in one eight; do
		for kind in voluntary nonvoluntary; do
			VALUE[$name.$kind]=$(status_field "$name" \
			    "${kind}_ctxt_switches")
		done
		spawn "loop-$name" "$BENCH/loop" "$RIG/$name/chronyd.sock" \
		    "$WINDOW_S" "${RIG_PID[daemon-$name]}"
	done
	for name in one eight; do
		wait "${RIG_PID[loop-$name]}"
		unset "RIG_PID[loop-$name]"
		now_us
		for kind in voluntary nonvoluntary; do
			VALUE[$name.$kind]=$(per_second $(($(status_field \
			    "$name" "${kind}_ctxt_switches") -
			    VALUE[$name.$kind])) $((NOW_US - start)))
		done
		VALUE[$name.rss]=$(status_field "$name" VmRSS)
		load "loop-$name"
	done
}

# per_second COUNT MICROSECONDS
per_second()
{
	awk -v n="$1" -v us="$2" 'BEGIN { printf "%.1f", n * 1e6 / us }'
}

#
# The table
#

processor_name()
{
	awk -F ': ' '/^(model name|CPU part)/ { print $2; found = 1; exit }
	    END { if (!found) print "-" }' /proc/cpuinfo
}

print_machine()
{
	local dir=/sys/devices/system/clocksource/clocksource0

	printf '%-12s %s\n' \
	    "clocksource" "$(cat $dir/current_clocksource 2>&1)" \
	    "processor" "$(nproc) x $(processor_name)" \
	    "kernel" "$(uname -srm)" \
	    "load" "$(cut -d ' ' -f 1-3 /proc/loadavg)"
}

# row WHAT FIGURE UNIT TARGET [BESIDE FIGURE]: the target is the ratio's, or
# the figure's where there is nothing beside it; "-" where there is none.
row()
{
	awk -v what="$1" -v figure="$2" -v unit="$3" -v target="$4" \
	    -v beside="${5--}" -v other="${6-}" '
	function number(x) { return sprintf(x < 100 ? "%.2f" : "%.0f", x) }
	BEGIN {
		ratio = other > 0 ? sprintf("%.2f", figure / other) : "-"
		judged = other > 0 ? ratio : figure
		if (other != "")
			beside = beside " " number(other)
		word = target != "-" && judged + 0 > target + 0 ? "MISSES" : ""
		printf "%-38s %8s %-4s %-24s %6s  %-8s %s\n", what,
		    number(figure), unit, beside, ratio,
		    target == "-" ? "-" : "<= " target, word
	}' | sed 's/ *$//'
}

# reading_row WHAT RUN SUBJECT TARGET: beside the clock in the same run.
reading_row()
{
	[[ -n ${VALUE[$2.$3]-} ]] || return 0
	row "$1" "${VALUE[$2.$3]}" ns "$4" clock_gettime "${VALUE[$2.clock]}"
}

# original_row WHAT RUN SUBJECT ORIGINAL NAME: beside ClockBound's library.
original_row()
{
	[[ -n ${VALUE[$2.$3]-} && -n ${VALUE[$2.$4]-} ]] || return 0
	row "$1" "${VALUE[$2.$3]}" ns - "$5" "${VALUE[$2.$4]}"
}

# print_reading SEGMENT TARGET ORIGINAL NAME
print_reading()
{
	local readers

	reading_row "clockbound_now() of $1" now "$1" "$2"
	original_row "" now "$1" "$3" "$4"
	reading_row "  no VMClock to be checked" plain "$1" "$2"
	original_row "" plain "$1" "$3" "$4"
	reading_row "  ${VALUE[written.writes_per_s]} writes a second" \
	    written "$1" "$2"
	original_row "" written "$1" "$3" "$4"
	for readers in "${READERS[@]}"; do
		reading_row "  $readers readers at once, each" \
		    "readers-$readers" "$1" "$2"
	done
	for readers in "${SHARERS[@]}"; do
		reading_row "  $readers of a shared context, each" \
		    "sharers-$readers" "$1" -
	done
	reading_row "  static, with musl" musl "$1" "$2"
	[[ -n ${VALUE[$1.count]-} ]] || return 0
	row "  instructions" "${VALUE[$1.count]}" "" 130
	[[ -n ${VALUE[$3.count]-} ]] || return 0
	row "" "${VALUE[$1.count]}" "" - "$4" "${VALUE[$3.count]}"
}

print_table()
{
	local name sources

	printf '\n%-38s %8s      %-24s %6s  %s\n' "" "figure" "beside" "ratio" \
	    "target"
	print_reading shm0 1.25 ffi-2 "ClockBound 2.0.3"
	print_reading shm1 1.05 ffi-3 "ClockBound 3.0-rc"
	row "cb-now, the process" "${VALUE[process.cb-now]}" ms \
	    1.00 true "${VALUE[process.true]}"
	row "" "${VALUE[process.cb-now]}" ms \
	    - "date +%s.%N" "${VALUE[process.date]}"
	row "" "${VALUE[process.cb-now]}" ms \
	    - "chronyc tracking" "${VALUE[process.chronyc]}"
	for name in one eight; do
		sources="$name source"
		[[ $name == one ]] || sources+=s
		row "cb-daemon, $sources: CPU an hour" \
		    "${VALUE[loop-$name.daemon_cpu_s_per_hour]}" s \
		    1.50 "bare loop" "${VALUE[loop-$name.cpu_s_per_hour]}"
		row "  wake-ups a second" "${VALUE[$name.voluntary]}" "" \
		    1.10 "bare loop" "${VALUE[loop-$name.wakeups_per_s]}"
		row "  preemptions a second" "${VALUE[$name.nonvoluntary]}" \
		    "" -
		row "  resident" "${VALUE[$name.rss]}" kB 2000
		row "  start to first trusted segment" \
		    "${VALUE[start-$name.start_ms]}" ms 2.00
	done
}

find_originals
open_rig
bench_now
bench_instructions
bench_processes
bench_start one
bench_start eight
bench_loops
print_machine
print_table
