#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# cb-daemon(8) beside a real chronyd, and beside one that does what a real
# one will not.  rig.bash says how true time is known.
#
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own

bats_require_minimum_version 1.5.0
load rig

MS=1000000

setup()
{
	rig_open
}

teardown()
{
	[[ -n ${BATS_TEST_COMPLETED-} ]] || rig_show_logs
	rig_close
}

#
# True time is in the interval
#

# truth_holds OFFSET_NS: from the first trusted line on, and the interval
# comes to be about as narrow as the clock's distance from true time admits.
truth_holds()
{
	local distance=${1#-}

	truth_start "$1"
	daemon_start
	read_now
	says UNKNOWN
	client_start
	watch_until 10 has_trusted 200
	says SYNCHRONIZED
	watch_until 10 is_within $((distance + 2 * MS))
	((HALF_NS > distance))
	has_logged "status synchronized, was unknown"
	has_logged "status"
}

@test "a clock that is right: every trusted line holds true time" {
	truth_holds 0
}

@test "a clock 5 ms behind: every trusted line holds true time" {
	truth_holds $((5 * MS))
}

@test "a clock 5 ms ahead: every trusted line holds true time" {
	truth_holds $((-5 * MS))
}

@test "a clock that drifts by 40 ppm: every trusted line holds true time" {
	truth_start 0 40
	daemon_start
	client_start
	watch_until 10 has_trusted 1
	watch_until 10 has_wandered 120000
	says SYNCHRONIZED
	watch_until 10 is_within $((2 * MS))
}

@test "a refclock PHC0 as chronyd's source: true time is held" {
	TRUTH_NS=$((5 * MS))
	feed client "$TRUTH_NS"
	daemon_start
	samples="poll -2 filter 4 precision 1e-9"
	chronyd_start client "port 0" \
	    "refclock SOCK $RIG/client/refclock.sock refid PHC0 $samples"
	watch_until 10 has_trusted 200
	says SYNCHRONIZED
	watch_until 10 is_within $((7 * MS))
	[[ $(ask client tracking) == 50484330,PHC0,* ]]
}

@test "three servers, one 20 ms off: true time is held" {
	server_start a 0
	server_start liar $((20 * MS))
	server_start b 0
	daemon_start
	# One against one tells nobody which is right.
	client_start "minsources 2"
	watch_until 10 has_trusted 200
	says SYNCHRONIZED
	watch_until 10 is_within $((2 * MS))
	[[ $(ask client sources) == *$'\n'^,x,* ]]
}

@test "a killed server: free running after 9 s, true time is still held" {
	truth_start $((5 * MS))
	client_start
	daemon_start
	watch_until 10 says SYNCHRONIZED
	stop truth KILL || true
	now_us
	killed=$NOW_US
	watch_until 15 says FREE_RUNNING
	now_us
	# 8 update intervals of a second at least and a second more, from a
	# reference time that chronyd makes up to a second older.
	((NOW_US - killed > 7000000))
	TRUSTED=0
	watch_until 5 has_trusted 100
	says FREE_RUNNING
	has_logged "status free running, was synchronized"
}

@test "chronyc offline and reset sources: free running, true time is held" {
	truth_start $((5 * MS))
	client_start
	daemon_start
	watch_until 10 says SYNCHRONIZED
	ask client offline
	ask client reset sources
	watch_until 2 says FREE_RUNNING
	watch_until 5 has_trusted 200
	says FREE_RUNNING
	ask client online
	watch_until 10 says SYNCHRONIZED
	has_logged "status free running, was synchronized"
	has_logged "status synchronized, was free running"
}

@test "chronyd restarted: one line when it goes, one when it is back" {
	truth_start $((5 * MS))
	client_start
	daemon_start
	watch_until 10 says SYNCHRONIZED
	stop client TERM
	watch_until 5 has_logged "no sample: "
	watch_until 5 says FREE_RUNNING
	client_start
	watch_until 10 says SYNCHRONIZED
	has_logged "chronyd answers"
	# This one leaves a dead socket behind.
	stop client KILL || true
	watch_until 5 has_logged "no sample: " 2
	client_start
	watch_until 10 says SYNCHRONIZED
	has_logged "no sample: " 2
	has_logged "chronyd answers" 2
}

@test "chronyd restarted between two looks: the same tick connects again" {
	fake_start good
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	# The loop is held up while chronyd goes and comes.
	kill -s STOP "${RIG_PID[daemon]}"
	stop client KILL || true
	fake_start good
	kill -s CONT "${RIG_PID[daemon]}"
	wait_ticks 3
	now_says SYNCHRONIZED
	has_logged "no sample" 0
	has_logged "status"
}

@test "chronyd on its own clock (local): never trusted, said once" {
	client_start "local stratum 10"
	daemon_start --interval 10
	from=$(generation)
	watch_until 10 has_ticked "$from" 50
	((TRUSTED == 0))
	[[ $(ask client tracking) == 7F7F0101,* ]]
	has_logged "follows its own clock (local): not synchronized"
	has_logged "status" 0
}

@test "chronyd falls back on its own clock: free running, not synchronized" {
	fake_start local
	fake_flip
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	fake_flip
	wait_until 5 now_says FREE_RUNNING
	fake_flip
	wait_until 5 now_says SYNCHRONIZED
	has_logged "follows its own clock (local): not synchronized"
	has_logged "chronyd no longer follows its own clock"
}

@test "synchronised, but nothing measured: not trusted" {
	fake_start unmeasured
	daemon_start --interval 50
	from=$(generation)
	watch_until 10 has_ticked "$from" 20
	((TRUSTED == 0))
	says UNKNOWN
	fake_flip
	watch_until 5 says SYNCHRONIZED
}

@test "the first publication beside a synchronised chronyd is trusted" {
	fake_start good
	# The second is too late to be seen here.
	daemon_start --interval 5000
	wait_until 2 has_ticked 2 1
	read_now
	is_right
	says SYNCHRONIZED
}

#
# chrony-tracking
#

# parse_tracking LINE: what the reference publishes a bound of.
parse_tracking()
{
	local field

	IFS=, read -r -a field <<<"$1"
	REF_TIME=${field[3]}
	OFFSET=${field[4]#-}
	OFFSET=$((10#${OFFSET/./}))
	DELAY=$((10#${field[10]/./}))
	DISPERSION=$((10#${field[11]/./}))
}

# The bound of a tick, and chronyc's numbers from before and after it, where
# those are of one update.
read_both()
{
	parse_tracking "$(ask client tracking)"
	before=("$REF_TIME" "$OFFSET" "$DELAY" "$DISPERSION")
	wait_ticks 2
	bound=$(segment_field 48 d8)
	parse_tracking "$(ask client tracking)"
	[[ $REF_TIME == "${before[0]}" ]]
}

# least_and_most A B
least_and_most()
{
	LEAST=$((LEAST + ($1 < $2 ? $1 : $2)))
	MOST=$((MOST + ($1 > $2 ? $1 : $2)))
}

# Nanoseconds are all that chronyc prints: each number may be half of one off,
# and the sum was rounded up.
bound_is_the_formulas()
{
	LEAST=0 MOST=0
	least_and_most "$OFFSET" "${before[1]}"
	least_and_most "$DISPERSION" "${before[3]}"
	least_and_most $((DELAY / 2)) $((before[2] / 2))
	echo "bound $bound, expected from $LEAST to $MOST"
	((bound >= LEAST - 2 && bound <= MOST + 4))
}

@test "chrony-tracking: |offset| + dispersion + delay / 2, as chronyc says" {
	truth_start $((5 * MS))
	client_start
	wait_until 5 client_is_synchronised
	daemon_start --clock-error-bound-source chrony-tracking --interval 1
	wait_until 5 now_says SYNCHRONIZED
	for ((i = 0; i < 10; i++)); do
		wait_until 10 read_both
		bound_is_the_formulas
	done
	(($(segment_field 64 u4) == 50000))
}

@test "chrony-tracking: a lost chronyd leaves its last numbers to grow" {
	fake_start good
	daemon_start --clock-error-bound-source chrony-tracking
	wait_until 5 now_says SYNCHRONIZED
	bound=$(segment_field 48 d8)
	stop client KILL || true
	wait_until 5 now_says FREE_RUNNING
	wait_ticks 1
	(($(segment_field 48 d8) == bound))
}

@test "chrony-tracking: the numbers of a local reference mean nothing" {
	fake_start local
	fake_flip
	daemon_start --clock-error-bound-source chrony-tracking
	wait_until 5 now_says SYNCHRONIZED
	bound=$(segment_field 48 d8)
	fake_flip
	wait_until 5 now_says FREE_RUNNING
	wait_ticks 1
	(($(segment_field 48 d8) == bound))
}

@test "--max-drift-rate is what readers are told" {
	fake_start good
	daemon_start --max-drift-rate 7 \
	    --clock-error-bound-source chrony-tracking
	wait_until 5 now_says SYNCHRONIZED
	(($(segment_field 64 u4) == 7000))
}

#
# A chronyd that is not as it should be
#

# outage_is_logged_once REASON MODE [MS]: chronyd is like that from the start,
# then good, then like that again, then good.
outage_is_logged_once()
{
	local reason=$1

	shift
	fake_start "$@"
	daemon_start --interval 60
	wait_until 5 has_logged "no sample: "
	wait_ticks 2
	now_says UNKNOWN
	fake_flip
	wait_until 5 now_says SYNCHRONIZED
	fake_flip
	wait_until 5 now_says FREE_RUNNING
	is_right
	wait_ticks 2
	fake_flip
	wait_until 5 now_says SYNCHRONIZED
	is_right
	stop daemon
	sed -n 2p "$RIG/daemon.log" | grep -F \
	    "no sample: $RIG/client/chronyd.sock: $reason"
	log_is "no sample" "chronyd answers" \
	    "status synchronized, was unknown" \
	    "no sample" "status free running, was synchronized" \
	    "chronyd answers" "status synchronized, was free running" \
	    "SIGTERM: the segment stays as it is, and ages"
}

# log_is TEXT...: these lines after the first and no others; "no sample"
# stands for itself and its reason.
log_is()
{
	diff -u <(printf 'cb-daemon: %s\n' "$@") \
	    <(tail -n +2 "$RIG/daemon.log" | sed 's/no sample: .*/no sample/')
}

@test "a silent chronyd: one line when it begins, one when it ends" {
	outage_is_logged_once "no answer" silent
}

@test "a refusing chronyd: one line when it begins, one when it ends" {
	outage_is_logged_once "refused command 33 with status 2" refuse
}

@test "a chronyd that sends garbage: one line, and one when it ends" {
	outage_is_logged_once "not an answer" garbage
}

@test "replies cut short: one line, and one when they end" {
	outage_is_logged_once "not an answer" short
}

@test "replies of a wrong length: one line, and one when they end" {
	outage_is_logged_once "not an answer of chrony 4.0 or later" length
}

@test "replies to what was not asked: one line, and one when they end" {
	outage_is_logged_once "not an answer" wrong
}

@test "a flood of strays: one line, and one when it ends" {
	outage_is_logged_once "not an answer" flood
}

@test "numbers out of range: one line, and one when they end" {
	outage_is_logged_once "tracking report out of range" range
}

@test "an update in the future: one line, and one when it ends" {
	outage_is_logged_once "last update in the future" future
}

@test "a chronyd that answers too late: one line, and one when it ends" {
	outage_is_logged_once "no answer" slow 200
}

@test "a slow chronyd and stray replies do no harm" {
	for mode in "slow 10" stray; do
		# shellcheck disable=SC2086 # a mode and its argument
		fake_start $mode
		daemon_start
		watch_until 5 has_trusted 100
		says SYNCHRONIZED
		stop daemon
		has_logged "no sample" 0
		stop client KILL || true
	done
}

@test "ticks that last longer than the interval: signals are served" {
	fake_start slow 40
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	wait_ticks 3
	stop daemon
	has_logged "SIGTERM"
}

@test "no chronyd: one line when it is missed, one when it is there" {
	private_dir client
	daemon_start
	wait_ticks 3
	now_says UNKNOWN
	fake_start good
	wait_until 5 now_says SYNCHRONIZED
	stop client KILL || true
	wait_until 5 now_says FREE_RUNNING
	wait_ticks 3
	fake_start good
	wait_until 5 now_says SYNCHRONIZED
	stop daemon
	log_is "no sample" "chronyd answers" \
	    "status synchronized, was unknown" \
	    "no sample" "status free running, was synchronized" \
	    "chronyd answers" "status synchronized, was free running" \
	    "SIGTERM: the segment stays as it is, and ages"
	socket=$RIG/client/chronyd.sock
	has_logged "$socket: cannot connect: No such file or directory"
	has_logged "$socket: cannot connect: Connection refused"
}

@test "a socket directory that is not ours to write to: said once" {
	fake_start good
	cp "$CB_DAEMON" "$RIG/cb-daemon"
	mkdir -m 1777 "$RUN"
	chmod 711 "$RIG"
	chmod 555 "$RIG/client"
	spawn daemon "${UNPRIVILEGED[@]}" "$RIG/cb-daemon" -d --run-dir "$RUN" \
	    --chrony-socket "$RIG/client/chronyd.sock"
	wait_until 5 has_logged "cannot bind a socket of our own beside it"
	has_logged "beside it: Permission denied"
	wait_ticks 3
	now_says UNKNOWN
	chmod 777 "$RIG/client"
	wait_until 5 now_says SYNCHRONIZED
	log_is "no sample" "chronyd answers" \
	    "status synchronized, was unknown"
}

@test "a chronyd that falls silent: free running for 5 s, then unknown" {
	fake_start silent
	fake_flip
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	fake_flip
	watch_until 5 says FREE_RUNNING
	now_us
	lost=$NOW_US
	watch_until 10 says UNKNOWN
	now_us
	((NOW_US - lost > 4500000))
	has_logged "no sample"
	has_logged "status unknown, was free running"
}

#
# The run directory
#

@test "SIGTERM and SIGINT: exit 0, the segment stays, no socket does" {
	for signal in TERM INT; do
		fake_start good
		daemon_start
		wait_until 5 has_logged "status synchronized, was unknown"
		ls "$RIG/client/cb-daemon.${RIG_PID[daemon]}."*.sock
		cp "$SEGMENT" "$RIG/before"
		stop daemon "$signal"
		has_logged "SIG$signal: the segment stays as it is, and ages"
		read_now
		says SYNCHRONIZED
		is_right
		[[ $(ls "$RIG/client") == chronyd.sock ]]
		stop client KILL || true
	done
}

@test "without its daemon a segment ages to free running after 5 s" {
	fake_start good
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	stop daemon KILL || true
	now_us
	killed=$NOW_US
	watch_until 10 says FREE_RUNNING
	now_us
	# The last tick was up to an interval before that.
	((NOW_US - killed > 4500000))
	first=$HALF_NS
	watch_until 5 has_trusted $((TRUSTED + 50))
	((HALF_NS > first))
}

@test "killed -9 again and again: the generation goes on, readers too" {
	fake_start good
	last=0
	for ((i = 0; i < 10; i++)); do
		daemon_start --interval 20
		wait_until 5 has_ticked "$last" 2
		watch_until 5 says SYNCHRONIZED
		stop daemon KILL || true
		read_now
		is_right
		((last < $(generation)))
		last=$(generation)
		((last % 2 == 0 && last > 0))
	done
	[[ $(stat -c %h "$SEGMENT") == 1 ]]
}

@test "killed in the middle of a write: the next one takes over from there" {
	fake_start good
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	stop daemon KILL || true
	inode=$(stat -c %i "$SEGMENT")
	poke "$SEGMENT" 14 2 4711
	run -2 "$CB_NOW" -s "$SEGMENT"
	daemon_start --interval 5000
	wait_until 5 now_says SYNCHRONIZED
	(($(generation) == 4712))
	[[ $(stat -c %i "$SEGMENT") == "$inode" ]]
}

@test "the generation rolls over to 2, never to 0" {
	fake_start good
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	stop daemon
	poke "$SEGMENT" 14 2 65532
	daemon_start
	# 65534, and on to 2.
	while (($(generation) != 2)); do
		watch_until 5 says SYNCHRONIZED
		(($(generation) != 0))
		(($(generation) % 2 == 0 || $(generation) > 65532))
	done
}

@test "a second daemon in the run directory: exit 1, the first one is named" {
	fake_start good
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	inode=$(stat -c %i "$SEGMENT")
	run -1 --separate-stderr timeout 5 "$CB_DAEMON" -d --run-dir "$RUN" \
	    --chrony-socket "$RIG/client/chronyd.sock"
	[[ -z $output && $stderr != *$'\n'* ]]
	[[ $stderr == *"$RUN"*"process ${RIG_PID[daemon]},"* ]]
	wait_ticks 2
	now_says SYNCHRONIZED
	[[ $(stat -c %i "$SEGMENT") == "$inode" ]]
}

@test "a usable segment is written on in place" {
	fake_start good
	daemon_start
	wait_ticks 3
	stop daemon
	inode=$(stat -c %i "$SEGMENT")
	last=$(generation)
	daemon_start
	wait_until 5 has_ticked "$last" 1
	[[ $(stat -c %i "$SEGMENT") == "$inode" ]]
	[[ $(stat -c %a "$SEGMENT") == 644 ]]
}

# replaces_segment: what is there now is replaced as a whole, and is itself
# left as it was for those that have it mapped.
replaces_segment()
{
	local inode old

	inode=$(stat -c %i "$SEGMENT")
	cp "$SEGMENT" "$RIG/before"
	exec {old}<"$SEGMENT"
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	stop daemon
	[[ $(stat -c %i "$SEGMENT") != "$inode" ]]
	(($(stat -c %s "$SEGMENT") == 80))
	cmp "$RIG/before" "/dev/fd/$old"
	exec {old}<&-
}

@test "a segment that is taken from under its daemon: one line, exit 1" {
	fake_start good
	for loss in "rm -f" "mv -f $RIG/other" "rm -rf $RUN"; do
		daemon_start
		wait_until 5 now_says SYNCHRONIZED
		cp "$SEGMENT" "$RIG/other"
		$loss "$SEGMENT"
		wait_until 5 has_logged "the segment was removed, replaced"
		status=0
		reap daemon || status=$?
		((status == 1))
	done
}

@test "a segment of another version or shape is replaced by a new file" {
	fake_start good
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	stop daemon
	cp "$SEGMENT" "$RIG/good"
	for change in "12 2 1" "12 2 9" "12 2 0" "0 4 0" "4 4 0" "8 4 79" \
	    "8 4 104"; do
		echo "offset, size, value: $change"
		# shellcheck disable=SC2086 # three arguments
		poke "$SEGMENT" $change
		replaces_segment
	done
	for size in 0 72 104; do
		echo "$size bytes"
		truncate -s "$size" "$SEGMENT"
		replaces_segment
	done
}

@test "a link or a FIFO in the segment's place is not followed" {
	fake_start good
	mkdir "$RUN"
	echo precious >"$RIG/file"
	ln -s "$RIG/file" "$SEGMENT"
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	stop daemon
	[[ ! -L $SEGMENT && $(<"$RIG/file") == precious ]]
	rm "$SEGMENT"
	mkfifo "$SEGMENT"
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	[[ -f $SEGMENT ]]
}

@test "the run directory is made, with those above it" {
	RUN=$RIG/a/b/c
	SEGMENT=$RUN/shm0
	fake_start good
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	[[ $(stat -c %a "$RUN") == 755 ]]
}

@test "a run directory that cannot be made: one line, exit 1" {
	: >"$RIG/file"
	run -1 --separate-stderr timeout 5 "$CB_DAEMON" -d \
	    --run-dir "$RIG/file/run"
	[[ -z $output && $stderr != *$'\n'* ]]
	[[ $stderr == *"$RIG/file/run: cannot "*": Not a directory" ]]
}

#
# Signals, options, the log
#

@test "SIGUSR1, SIGUSR2 without disruption support: ignored with a warning" {
	fake_start good
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	kill -s USR1 "${RIG_PID[daemon]}"
	wait_until 5 has_logged "SIGUSR1 ignored"
	kill -s USR2 "${RIG_PID[daemon]}"
	wait_until 5 has_logged "SIGUSR2 ignored"
	wait_ticks 2
	now_says SYNCHRONIZED
	has_logged "status"
}

@test "no VMClock: exit 1, both ways out are named, nothing is made" {
	run -1 --separate-stderr timeout 5 "$CB_DAEMON" --run-dir "$RUN" \
	    --vmclock "$RIG/vmclock"
	[[ -z $output && $stderr == *"$RIG/vmclock"* ]]
	[[ $stderr == *--vmclock* ]]
	[[ $stderr == *--disable-clock-disruption-support* ]]
	[[ ! -e $RUN ]]
}

# refuses_option TEXT OPTION...: one line that says TEXT, exit 2.
refuses_option()
{
	local text=$1

	shift
	run -2 --separate-stderr timeout 2 "$CB_DAEMON" -d \
	    --run-dir "$RUN" --chrony-socket "$RIG/nothing" "$@"
	echo "$*: $stderr"
	[[ -z $output ]]
	[[ $stderr == *"cb-daemon: "*"$text"* && $stderr != *$'\n'* ]]
	[[ ! -e $RUN ]]
}

@test "numbers out of range: option, value and range are named, exit 2" {
	for value in 0 -1 5001 99999999999999999999 1.5 ten ""; do
		refuses_option "--interval ${value:-''}: " --interval "$value"
		[[ $stderr == *"from 1 to 5000" ]]
	done
	for value in 0 -50 1001 1e3 ppm ""; do
		refuses_option "--max-drift-rate ${value:-''}: " -m "$value"
		[[ $stderr == *"from 1 to 1000" ]]
	done
}

@test "an unknown source: the known ones are named, exit 2" {
	for value in chron ntpd ""; do
		refuses_option "-source $value: expected chrony or chrony-tracking" \
		    --clock-error-bound-source "$value"
	done
}

@test "options that lack a value, are unknown or too many: exit 2" {
	refuses_option "requires an argument" -m
	for option in max-drift-rate max-wander run-dir chrony-socket vmclock \
	    interval clock-error-bound-source; do
		refuses_option "requires an argument" "--$option"
	done
	refuses_option "option" -x
	refuses_option "unrecognized option" --nope
	refuses_option "'--json-output' doesn't allow an argument" \
	    --json-output=yes
	refuses_option "extra: no operand expected" extra
	refuses_option "-j: no operand expected" -- -j
}

@test "paths that cannot be one: exit 2" {
	refuses_option "--chrony-socket" --chrony-socket ""
	refuses_option "--run-dir" --run-dir ""
	refuses_option "--vmclock" --vmclock ""
	# A socket of our own has to fit in beside it.
	refuses_option "too long" --chrony-socket "/$(printf '%090d' 0)/s"
}

@test "--help and --version go to standard output" {
	for option in --help -h; do
		run -0 --separate-stderr "$CB_DAEMON" "$option"
		[[ $output == "usage: cb-daemon "* && -z $stderr ]]
		for word in max-drift-rate max-wander json-output run-dir vmclock \
		    disable-clock-disruption-support chrony-socket \
		    clock-error-bound-source interval help version; do
			[[ $output == *"--$word"* ]]
		done
	done
	for option in --version -V; do
		run -0 --separate-stderr "$CB_DAEMON" "$option"
		[[ $output =~ ^cb-daemon\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
		[[ -z $stderr ]]
	done
}

@test "standard output full or closed: one line, exit 2" {
	for option in --help --version; do
		for output in '>/dev/full' '>&-'; do
			run -2 --separate-stderr bash -c \
			    "'$CB_DAEMON' $option $output"
			echo "$option $output: $stderr"
			[[ $stderr == "cb-daemon: standard output: "* ]]
			[[ $stderr != *$'\n'* ]]
		done
	done
}

@test "standard output and error closed: the log goes nowhere else" {
	fake_start good
	spawn daemon bash -c 'exec "$@" >&- 2>&-' bash "$CB_DAEMON" -d \
	    --run-dir "$RUN" --chrony-socket "$RIG/client/chronyd.sock"
	wait_until 5 now_says SYNCHRONIZED
	stop daemon
	[[ ! -s $RUN/lock ]]
}

@test "-j: every line of the log is a JSON object, whatever is in it" {
	RUN=$RIG/$'a "quoted\\" \tname'
	SEGMENT=$RUN/shm0
	private_dir client
	daemon_start -j
	wait_until 5 has_logged "no sample"
	fake_start good
	wait_until 5 now_says SYNCHRONIZED
	kill -s USR1 "${RIG_PID[daemon]}"
	wait_until 5 has_logged "SIGUSR1"
	stop daemon
	jq -e '(.time | test("^[0-9-]{10}T[0-9:]{8}[.][0-9]{6}Z$")) and
	    (.level == "info" or .level == "warning") and
	    (.message | type == "string")' "$RIG/daemon.log"
	(($(jq -s length "$RIG/daemon.log") == $(wc -l <"$RIG/daemon.log")))
	jq -s -e --arg run "$RUN" '.[0].message | endswith($run)' \
	    "$RIG/daemon.log"
	(($(jq -r .level "$RIG/daemon.log" | grep -c warning) == 2))
}
