# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# A truth rig out of real parts, for the tests and the demo.
#
# A chronyd that runs with -x never touches the clock.  So one whose only
# source is a refclock that we feed an offset D serves time that is D away
# from this machine's, a second one follows it, and true time is known at
# every instant: it is CLOCK_REALTIME + D.
#
#	feed-sock -> chronyd "truth" -> chronyd "client" -> cb-daemon -> cb-now
#
# rig_open comes first and rig_close last, whatever happens in between.
# Nothing here waits for a time to pass: every wait is for a condition and
# has a deadline.

RIG_ROOT=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
RIG_TOOLS=$RIG_ROOT/tests/tools
CB_DAEMON=$RIG_ROOT/cmd/cb-daemon/cb-daemon
CB_NOW=$RIG_ROOT/cmd/cb-now/cb-now
# shellcheck disable=SC2034 # tests do use it
CB_STATUS=$RIG_ROOT/cmd/cb-status/cb-status
# shellcheck disable=SC2034 # the demo does, and tests
CB_VMCLOCK=$RIG_ROOT/cmd/cb-vmclock/cb-vmclock

# What to put before a command that is to have no more rights than anybody.
# shellcheck disable=SC2034 # tests do
UNPRIVILEGED=(env)
if ((EUID == 0)); then
	# shellcheck disable=SC2034
	UNPRIVILEGED=(setpriv --reuid=65534 --regid=65534 --clear-groups)
fi

# chronyd is there, and not in everybody's path.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# needs PACKAGE PROGRAM: it is found by its name from then on, or the test is
# skipped.
needs()
{
	local path

	run "$RIG_TOOLS/unpacked.sh" "$@"
	# shellcheck disable=SC2154 # bats's
	((status == 0)) || skip "$output"
	path=$output
	PATH=${path%/*}:$PATH
}

# tests/sanitize: of what was built nothing is as it is for users.
is_sanitized()
{
	[[ -n ${CB_REPORTS-} ]]
}

# A private directory, by a short name: a socket's has 107 bytes at most.
#
# chronyd binds its port with SO_REUSEADDR, so that a second one on the same
# port takes the first one's packets without a word: no port is known to be
# free.  Addresses of our own out of 127.0.0.0/8, by process ID, keep rigs
# apart that run side by side; the port does where process IDs are not those
# of one machine.
rig_open()
{
	[[ -x $CB_DAEMON && -x $CB_NOW ]] || {
		echo "not built: run make all tests" >&2
		return 1
	}
	RIG=$(mktemp -d /tmp/cb.XXXXXX) || return
	# A copy: the packaged one may be confined to its own directories.
	cp "$(command -v chronyd)" "$RIG/chronyd" || return
	RUN=$RIG/run
	SEGMENT=$RUN/shm0
	VMCLOCK=$RIG/vmclock
	RIG_PORT=$((20000 + RANDOM % 10000))
	RIG_SERVERS=()
	declare -gA RIG_PID=()
	TRUTH_NS=0 TRUTH_PPM=0 TRUTH_T0=0
	TRUSTED=0
}

# rig_address N: that of the rig's server N, which is 0, 1 or 2.
rig_address()
{
	ADDRESS=127.$((($1 + 1) << 6 | ($$ >> 16 & 63)))
	ADDRESS+=.$(($$ >> 8 & 255)).$(($$ & 255))
}

rig_close()
{
	[[ -n ${RIG-} ]] || return 0
	if ((${#RIG_PID[@]} > 0)); then
		kill -KILL "${RIG_PID[@]}" 2>/dev/null || true
		wait "${RIG_PID[@]}" 2>/dev/null || true
	fi
	# Tests take rights away.
	chmod -R u+rwX "$RIG"
	rm -rf "$RIG"
	RIG=
}

# What everybody had to say, for the report of a failure.
rig_show_logs()
{
	local log

	for log in "$RIG"/*.log; do
		[[ -s $log ]] || continue
		echo "--- ${log##*/}"
		tail -n 30 "$log"
	done
}

#
# Waiting
#

now_us()
{
	# The locale has a say in what stands before the microseconds.
	NOW_US=${EPOCHREALTIME/[.,]/}
}

# wait_until SECONDS COMMAND...: a machine that is busy has thrice as many.
wait_until()
{
	local deadline -

	# bats looks at each command of a function; nobody waits for that here.
	set +T
	now_us
	deadline=$((NOW_US + $1 * 3000000))
	shift
	until "$@"; do
		now_us
		if ((NOW_US > deadline)); then
			echo "waited in vain for: $*" >&2
			return 1
		fi
		sleep 0.01
	done
}

#
# Processes
#

# spawn NAME COMMAND...: its output goes to NAME.log.  A function will not do:
# it would be a shell that we kill, not what the shell runs.  File descriptor
# 3 is bats's, which waits for all that have it.
spawn()
{
	local name=$1

	shift
	# Before it is looked at for what the new one says.
	: >"$RIG/$name.log"
	exec "$@" >"$RIG/$name.log" 2>&1 3>&- &
	RIG_PID[$name]=$!
}

is_gone()
{
	! kill -0 "$1" 2>/dev/null
}

is_running()
{
	! is_gone "${RIG_PID[$1]}"
}

# reap NAME: wait for its end, return its exit status.
reap()
{
	local pid=${RIG_PID[$1]}

	wait_until 5 is_gone "$pid" || kill -KILL "$pid"
	unset "RIG_PID[$1]"
	wait "$pid"
}

# stop NAME [SIGNAL].  The shell's own word on a process killed is not wanted.
stop()
{
	{
		kill -s "${2:-TERM}" "${RIG_PID[$1]}"
		reap "$1"
	} 2>/dev/null
}

# descriptors NAME: so many it has open.
descriptors()
{
	local open=("/proc/${RIG_PID[$1]}/fd/"*)

	echo "${#open[@]}"
}

# memory_kb NAME FIELD: RssAnon is all that it touches but for files' pages.
memory_kb()
{
	awk -v field="$2:" '$1 == field { print $2 }' \
	    "/proc/${RIG_PID[$1]}/status"
}

# cpu_ns NAME: what it has had of processors.
cpu_ns()
{
	cut -d ' ' -f 1 "/proc/${RIG_PID[$1]}/schedstat"
}

#
# chronyd
#

# chronyd trusts no directory that others can write to.
private_dir()
{
	mkdir -p "$RIG/$1"
	chmod 700 "$RIG/$1"
}

# ask NAME WORD...: what chronyc has to say, in its CSV format.
ask()
{
	chronyc -h "$RIG/$1/chronyd.sock" -c "${@:2}" 2>&1
}

answers()
{
	ask "$1" tracking >"$RIG/answer"
}

# has_selected NAME SOURCE
has_selected()
{
	[[ $'\n'$(ask "$1" sources) == *$'\n'?,\*,"$2",* ]]
}

# chronyd_start NAME [LINE-OF-CONFIGURATION...]: as CHRONY_USER, or as we are.
chronyd_start()
{
	local name=$1 dir=$RIG/$1

	shift
	private_dir "$name"
	printf '%s\n' "cmdport 0" "bindcmdaddress $dir/chronyd.sock" \
	    "pidfile $dir/pid" "$@" >"$dir/conf"
	spawn "$name" "$RIG/chronyd" -d -x -U -u "${CHRONY_USER:-$(id -un)}" \
	    -f "$dir/conf"
	wait_until 5 answers "$name"
}

# feed NAME OFFSET_NS [PPM T0_NS [PPB_PER_S]]: what its refclock says of true
# time.
feed()
{
	private_dir "$1"
	spawn "$1-feed" "$RIG_TOOLS/feed-sock" "$RIG/$1/refclock.sock" \
	    "${@:2}"
}

# server_start NAME OFFSET_NS [PPM T0_NS [PPB_PER_S]]: when it returns the
# server has the offset that it is to serve, and it never had another one.
server_start()
{
	local name=$1 polls="minpoll -6 maxpoll -4 iburst xleave"
	local samples="poll -4 filter 4 precision 1e-9"

	feed "$@"
	rig_address "${#RIG_SERVERS[@]}"
	RIG_SERVERS+=("server $ADDRESS port $RIG_PORT $polls")
	chronyd_start "$name" \
	    "refclock SOCK $RIG/$name/refclock.sock refid TRUE $samples" \
	    "maxclockerror 50" "allow 127.0.0.0/8" \
	    "bindaddress $ADDRESS" "port $RIG_PORT"
	wait_until 5 has_selected "$name" TRUE
}

# truth_start OFFSET_NS [PPM]: a server, and what it says is true.
truth_start()
{
	now_us
	TRUTH_NS=$1 TRUTH_PPM=${2:-0} TRUTH_T0=$((NOW_US * 1000))
	server_start truth "$TRUTH_NS" "$TRUTH_PPM" "$TRUTH_T0"
}

# client_start [LINE-OF-CONFIGURATION...]: it follows all of the servers.
client_start()
{
	chronyd_start client "port 0" "${RIG_SERVERS[@]}" "$@"
}

client_is_synchronised()
{
	[[ $(ask client sources) == *,\*,* ]]
}

# fake_start MODE [MS]: the client is a fake.
fake_start()
{
	private_dir client
	spawn client "$RIG_TOOLS/fake-chronyd" "$RIG/client/chronyd.sock" "$@"
	wait_until 5 test -S "$RIG/client/chronyd.sock"
}

# From its mode to good, or back.
fake_flip()
{
	kill -s USR1 "${RIG_PID[client]}"
}

#
# cb-daemon
#

# daemon_watch [OPTION...]: it watches the rig's VMClock.
daemon_watch()
{
	# Root becomes the user who has it.
	private_dir client
	spawn daemon "$CB_DAEMON" --vmclock "$VMCLOCK" --run-dir "$RUN" \
	    --chrony-socket "$RIG/client/chronyd.sock" "$@"
	wait_until 5 test -e "$SEGMENT"
}

# daemon_start [OPTION...]: it does without one.
daemon_start()
{
	daemon_watch -d "$@"
}

# log_count TEXT: lines of the daemon's log that hold it.
log_count()
{
	grep -cF -- "$1" "$RIG/daemon.log"
}

# has_logged TEXT [COUNT]
has_logged()
{
	(($(log_count "$1") == ${2:-1}))
}

# segment_field OFFSET FORMAT-OF-OD
segment_field()
{
	local field

	field=$(od -An -j "$1" -N "${2:1}" -t "$2" "$SEGMENT")
	echo $((field))
}

generation()
{
	segment_field 14 u2
}

# has_ticked FROM TICKS: has this much been published since?
has_ticked()
{
	(($(generation) >= $1 + 2 * $2))
}

# wait_ticks COUNT
wait_ticks()
{
	wait_until 10 has_ticked "$(generation)" "$1"
}

# poke FILE OFFSET SIZE VALUE: write an integer in this machine's byte order.
poke()
{
	local file=$1 offset=$2 size=$3 value=$4 bytes='' byte i

	for ((i = 0; i < size; i++)); do
		printf -v byte '\\x%02x' $((value >> 8 * i & 255))
		if is_little_endian; then
			bytes+=$byte
		else
			bytes=$byte$bytes
		fi
	done
	printf '%b' "$bytes" |
	    dd of="$file" bs=1 seek="$offset" conv=notrunc status=none
}

is_little_endian()
{
	(($(printf '\1\0' | od -An -t u2) == 1))
}

#
# A simulated VMClock
#

# little_endian SIZE VALUE: BYTES, for printf's %b.
little_endian()
{
	local byte i

	BYTES=
	for ((i = 0; i < $1; i++)); do
		printf -v byte '\\x%02x' $(($2 >> 8 * i & 255))
		BYTES+=$byte
	done
}

# vmclock_poke OFFSET SIZE VALUE: whoever reads meanwhile.
vmclock_poke()
{
	little_endian "$2" "$3"
	printf '%b' "$BYTES" |
	    dd of="$VMCLOCK" bs=1 seek="$1" conv=notrunc status=none
}

# vmclock_make [OFFSET SIZE VALUE]...: a new file of 112 bytes, marker 0.
vmclock_make()
{
	rm -f "$VMCLOCK"
	truncate -s 112 "$VMCLOCK"
	vmclock_poke 0 4 0x4b4c4356
	vmclock_poke 4 4 112
	vmclock_poke 8 2 1
	vmclock_poke 10 1 255
	while (($# > 0)); do
		vmclock_poke "$1" "$2" "$3"
		shift 3
	done
}

# vmclock_set OFFSET SIZE VALUE, while seq_count is odd.  That is for no longer
# than readers wait: no process is started meanwhile.
vmclock_set()
{
	local seq begin value odd field even

	seq=$(od -An -j 12 -N 4 -t u4 --endian=little "$VMCLOCK")
	little_endian 4 $((seq + 1))
	begin=$BYTES
	little_endian "$2" "$3"
	value=$BYTES
	little_endian 4 $((seq + 2))
	exec {odd}<>"$VMCLOCK" {field}<>"$VMCLOCK" {even}<>"$VMCLOCK"
	head -c 12 <&"$odd" >/dev/null
	head -c "$1" <&"$field" >/dev/null
	head -c 12 <&"$even" >/dev/null
	printf '%b' "$begin" >&"$odd"
	printf '%b' "$value" >&"$field"
	printf '%b' "$BYTES" >&"$even"
	exec {odd}>&- {field}>&- {even}>&-
}

# vmclock_disrupt MARKER
vmclock_disrupt()
{
	vmclock_set 16 8 "$1"
}

#
# cb-now, and true time
#

# One reading: LINE as it came, EARLIEST, MIDDLE, LATEST and HALF_NS, the
# half-width, in nanoseconds, STATUS in words, CODE the exit status.  The
# middle is CLOCK_REALTIME at the moment that it was read.
read_now()
{
	CODE=0
	LINE=$("$CB_NOW" -s "$SEGMENT" --vmclock "$VMCLOCK" 2>&1) || CODE=$?
	parse_now
}

parse_now()
{
	local line='^([0-9]+)\.([0-9]{9}) ([0-9]+)\.([0-9]{9}) ([A-Z_]+)$'

	STATUS=
	[[ $LINE =~ $line ]] || return
	EARLIEST=${BASH_REMATCH[1]}${BASH_REMATCH[2]}
	LATEST=${BASH_REMATCH[3]}${BASH_REMATCH[4]}
	STATUS=${BASH_REMATCH[5]}
	MIDDLE=$(((EARLIEST + LATEST) / 2))
	HALF_NS=$(((LATEST - EARLIEST) / 2))
}

# How far true time has wandered off at the reading.
wandered_ns()
{
	WANDERED=$((TRUTH_PPM * (MIDDLE - TRUTH_T0) / 1000000))
}

holds_truth()
{
	wandered_ns
	TRUTH=$((MIDDLE + TRUTH_NS + WANDERED))
	((EARLIEST <= TRUTH && TRUTH <= LATEST))
}

# Does the last reading say what it may say?  A trusted one holds true time,
# the exit status is the status's.
is_right()
{
	case $STATUS in
	SYNCHRONIZED | FREE_RUNNING)
		((++TRUSTED))
		((CODE == 0)) && holds_truth
		;;
	UNKNOWN | DISRUPTED)
		((CODE == 3))
		;;
	*)
		false
		;;
	esac
}

# As wait_until, but reads the clock all the while, as fast as it can; one
# reading that is not right ends it.
watch_until()
{
	local deadline -

	set +T
	now_us
	deadline=$((NOW_US + $1 * 3000000))
	shift
	while read_now; is_right; do
		if "$@"; then
			return 0
		fi
		now_us
		if ((NOW_US > deadline)); then
			echo "watched in vain for: $*; last: $LINE" >&2
			return 1
		fi
	done
	echo "not right: $LINE (status $CODE); true time: ${TRUTH-}" >&2
	return 1
}

# Conditions of watch_until, on the reading that it has just made.
says()
{
	[[ $STATUS == "$1" ]]
}

is_trusted()
{
	says SYNCHRONIZED || says FREE_RUNNING
}

has_trusted()
{
	((TRUSTED >= $1))
}

is_within()
{
	((HALF_NS <= $1))
}

has_wandered()
{
	wandered_ns
	((WANDERED >= $1))
}

# Condition of wait_until, which makes a reading of its own.
now_says()
{
	read_now
	says "$1"
}

# keeps_on_time TICKS PERCENT: so many more ticks in not much more time than
# they take, for no more than so much of a processor; every reading is right.
keeps_on_time()
{
	local cpu from ticks

	now_us
	from=$NOW_US
	cpu=$(cpu_ns daemon)
	ticks=$(generation)
	watch_until 30 has_ticked "$ticks" "$1"
	now_us
	cpu=$((($(cpu_ns daemon) - cpu) / 10 / (NOW_US - from)))
	echo "$1 ticks in $((NOW_US - from)) us, $cpu % of a processor"
	((NOW_US - from < $1 * 200000 && cpu <= $2))
}
