#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# cb-vmclock(1): what it shows, what it writes, what it sees, what it refuses.
#
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own

bats_require_minimum_version 1.5.0
load rig

CB_VMCLOCK=$RIG_ROOT/cmd/cb-vmclock/cb-vmclock

# name offset bytes, as the device's interface has them.
FIELDS="magic 0 4
size 4 4
version 8 2
counter_id 10 1
time_type 11 1
seq_count 12 4
disruption_marker 16 8
flags 24 8
clock_status 34 1
leap_second_smearing_hint 35 1
tai_offset_sec 36 2
leap_indicator 38 1
counter_period_shift 39 1
counter_value 40 8
counter_period_frac_sec 48 8
counter_period_esterror_rate_frac_sec 56 8
counter_period_maxerror_rate_frac_sec 64 8
time_sec 72 8
time_frac_sec 80 8
time_esterror_nanosec 88 8
time_maxerror_nanosec 96 8
vm_generation_counter 104 8"

setup()
{
	rig_open
	DEVICE=$RIG/vmclock
	"$CB_VMCLOCK" create "$DEVICE"
}

teardown()
{
	[[ -n ${BATS_TEST_COMPLETED-} ]] || rig_show_logs
	rig_close
}

set_fields()
{
	"$CB_VMCLOCK" set "$DEVICE" "$@"
}

# row FIELD: VALUE and MEANING as the table has them.
row()
{
	local name line

	VALUE=
	while IFS= read -r line; do
		read -r name VALUE MEANING <<<"$line"
		[[ $name != "$1" ]] || return 0
	done < <("$CB_VMCLOCK" show "$DEVICE")
	echo "no row $1"
	return 1
}

# has FIELD VALUE [MEANING]
has()
{
	row "$1"
	echo "$1: $VALUE $MEANING; expected ${*:2}"
	[[ $VALUE == "$2" && ($# == 2 || $MEANING == "$3") ]]
}

# bytes_at OFFSET COUNT: in hexadecimal, the last first.
bytes_at()
{
	local bytes byte

	BYTES=
	read -ra bytes < <(od -An -v -w8 -t x1 -j "$1" -N "$2" "$DEVICE")
	for byte in "${bytes[@]}"; do
		BYTES=$byte$BYTES
	done
}

# refuses TEXT WORD...: one line that says TEXT, exit 2, the device as it was.
refuses()
{
	local text=$1 before

	shift
	before=$(cksum "$DEVICE")
	run -2 --separate-stderr timeout 10 "$CB_VMCLOCK" "$@"
	echo "$*: $stderr (expected: $text)"
	[[ -z $output ]]
	[[ $stderr == *"cb-vmclock: "*"$text"* && $stderr != *$'\n'* ]]
	[[ $(cksum "$DEVICE") == "$before" ]]
}

# has_lines NAME COUNT: so many lines came from what was spawned.
has_lines()
{
	(($(wc -l <"$RIG/$1.log") >= $2))
}

# is_watching: it has looked once, and sleeps until it looks again.
is_watching()
{
	local pid=${RIG_PID[watch]}

	grep -qs "$DEVICE" "/proc/$pid/maps" &&
	    grep -qs '^State:.S' "/proc/$pid/status"
}

# watch_start [OPTION...]
watch_start()
{
	spawn watch "$CB_VMCLOCK" watch "$@" "$DEVICE"
	wait_until 5 is_watching
}

@test "create makes a device with a marker and nothing else, byte for byte" {
	diff <(od -An -v -t x1 "$DEVICE") - <<-EOF
	$(printf ' 56 43 4c 4b 70 00 00 00 01 00 ff 00 02 00 00 00')
	$(printf ' 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00')
	$(for _ in 1 2 3 4 5; do
		printf ' 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00\n'
	done)
	EOF
	[[ $(stat -c %A "$DEVICE") == -rw-r--r-- ]]
}

@test "show prints every field, then counter and time, in columns" {
	run -0 --separate-stderr "$CB_VMCLOCK" show "$DEVICE"
	[[ -z $stderr ]]
	diff <(printf '%s\n' "${lines[@]}" | sed '/^counter /d') - <<-'EOF'
	magic                                  0x4b4c4356
	size                                   112                   bytes
	version                                1
	counter_id                             255                   invalid
	time_type                              0                     utc
	seq_count                              2
	disruption_marker                      1
	flags                                  0x0                   none
	clock_status                           0                     unknown
	leap_second_smearing_hint              0                     strict
	tai_offset_sec                         0                     not valid
	leap_indicator                         0                     none
	counter_period_shift                   0
	counter_value                          0
	counter_period_frac_sec                0                     0.000000000 ns
	counter_period_esterror_rate_frac_sec  0                     not valid
	counter_period_maxerror_rate_frac_sec  0                     not valid
	time_sec                               0                     1970-01-01T00:00:00 utc
	time_frac_sec                          0                     0.000000000 s
	time_esterror_nanosec                  0                     not valid
	time_maxerror_nanosec                  0                     not valid
	vm_generation_counter                  0                     not valid
	time_at_counter                        -                     no counter
	EOF
	# show is what is done where no command is named.
	diff <("$CB_VMCLOCK" "$DEVICE" | sed '/^counter /d') \
	    <(printf '%s\n' "${lines[@]}" | sed '/^counter /d')
}

@test "one table of fields: in show, in --help and in the manual page" {
	names=$(cut -d' ' -f1 <<<"$FIELDS")
	diff <(echo "$names") <("$CB_VMCLOCK" "$DEVICE" | cut -d' ' -f1 |
	    head -n 22)
	diff <(echo "$names") <("$CB_VMCLOCK" --help |
	    sed '1,/^FIELD/d; s/ *//')
	diff <(echo "$names") <(sed -n '/^\.Ss Fields/,/^\.Sh/s/^\.It Cm //p' \
	    "$RIG_ROOT/man/cb-vmclock.1")
	# And all names of values.
	for field in counter_id time_type flags clock_status \
	    leap_second_smearing_hint leap_indicator; do
		run -2 "$CB_VMCLOCK" set "$DEVICE" "$field=?"
		for word in ${output##*one of}; do
			[[ $word =~ ^[a-z0-9_]+$ ]] || continue
			grep -qw "$word" "$RIG_ROOT/man/cb-vmclock.1"
		done
	done
}

@test "every field takes the numbers that fit it, little-endian, in its place" {
	while read -r name offset size; do
		max=$(printf 'f%.0s' $(seq $((2 * size))))
		[[ $name != tai_offset_sec ]] || max=7fff
		# A device that is none any more cannot be set.
		"$CB_VMCLOCK" create "$RIG/other"
		before=$(od -An -v -t x1 "$RIG/other")
		for value in 0 "0x$max" "0X${max^^}" 000000000000000000018; do
			case $value in
			0) number=0 ;;
			*18) number=18 ;;
			*) number=0x$max ;;
			esac
			expected=$(printf "%0$((2 * size))x" "$number")
			DEVICE=$RIG/new
			"$CB_VMCLOCK" create "$DEVICE" "$name=$value"
			bytes_at "$offset" "$size"
			echo "create $name=$value: $BYTES, not $expected"
			[[ $BYTES == "$expected" ]]
			DEVICE=$RIG/set
			"$CB_VMCLOCK" create "$DEVICE"
			set_fields "$name=$value"
			bytes_at "$offset" "$size"
			echo "set $name=$value: $BYTES, not $expected"
			[[ $BYTES == "$expected" ]]
			# Nothing else has changed, but seq_count.
			cmp -l "$RIG/set" "$RIG/other" >"$RIG/diff" || true
			while read -r at _; do
				((at > offset && at <= offset + size ||
				    at > 12 && at <= 16 || at > 112))
			done <"$RIG/diff"
			rm "$RIG/new" "$RIG/set"
		done
	done <<<"$FIELDS"
}

@test "every field refuses the numbers that do not fit it" {
	before=$(cksum "$DEVICE")
	while read -r name _ size; do
		case $size in
		1) max=255 over=256 ;;
		2) max=65535 over=65536 ;;
		4) max=4294967295 over=0x100000000 ;;
		8) max=18446744073709551615 over=18446744073709551616 ;;
		esac
		expected="$name=%s: expected a number from 0 to $max"
		below=-1
		if [[ $name == tai_offset_sec ]]; then
			over=32768 below=-32769
			expected="$name=%s: expected a number from -32768"
			expected+=" to 32767"
		fi
		for value in "$over" "$below" "" " 1" "1 " +1 0x 0xg 1.5 1e3 \
		    99999999999999999999999 -0x -- ','; do
			code=0
			text=$("$CB_VMCLOCK" set "$DEVICE" "$name=$value" \
			    2>&1) || code=$?
			echo "$name=$value: $text ($code)"
			((code == 2))
			# As the start of what names may follow.
			[[ $text == "cb-vmclock: ${expected/\%s/$value}"* ]]
			[[ $text != *$'\n'* ]]
		done
	done <<<"$FIELDS"
	[[ $(cksum "$DEVICE") == "$before" ]]
}

@test "tai_offset_sec has a sign" {
	for row in -32768:8000 -1:ffff -0x25:ffdb 32767:7fff 37:0025; do
		set_fields "tai_offset_sec=${row%:*}" flags=tai_offset_valid
		bytes_at 36 2
		[[ $BYTES == "${row#*:}" ]]
		has tai_offset_sec "$((${row%:*}))" ""
		[[ $("$CB_VMCLOCK" -j "$DEVICE" | jq .tai_offset_sec) == \
		    "$((${row%:*}))" ]]
	done
}

@test "values by name" {
	while read -r field names; do
		for pair in $names; do
			set_fields "$field=${pair%:*}"
			has "$field" "${pair#*:}" "${pair%:*}"
			[[ $("$CB_VMCLOCK" -j "$DEVICE" |
			    jq -r ".${field}_name") == "${pair%:*}" ]]
		done
		set_fields "$field=77"
		has "$field" 77 "not assigned"
		[[ $("$CB_VMCLOCK" -j "$DEVICE" |
		    jq ".$field, .${field}_name" | xargs) == "77 null" ]]
	done <<-EOF
	counter_id arm_vcnt:0 x86_tsc:1 invalid:255
	time_type utc:0 tai:1 monotonic:2 invalid_smeared:3 invalid_maybe_smeared:4
	clock_status unknown:0 initializing:1 synchronized:2 freerunning:3 unreliable:4
	leap_second_smearing_hint strict:0 noon_linear:1 utc_sls:2
	leap_indicator none:0 pre_pos:1 pre_neg:2 pos:3 post_pos:4 post_neg:5
	EOF
}

@test "flags by name, in a list or as a number" {
	bit=1
	for name in tai_offset_valid disruption_soon disruption_imminent \
	    period_esterror_valid period_maxerror_valid time_esterror_valid \
	    time_maxerror_valid time_monotonic vm_gen_counter_present \
	    notification_present; do
		set_fields "flags=$name"
		has flags "$(printf 0x%x $bit)" "$name"
		bit=$((bit * 2))
	done
	set_fields flags=notification_present,disruption_soon
	has flags 0x202 disruption_soon,notification_present
	set_fields flags=0x8000000000000001
	has flags 0x8000000000000001 tai_offset_valid,0x8000000000000000
	[[ $("$CB_VMCLOCK" -j "$DEVICE" | jq -c .flags_names) == \
	    '["tai_offset_valid"]' ]]
	set_fields flags=0x400
	has flags 0x400 0x400
	set_fields flags=none
	has flags 0x0 none
	[[ $("$CB_VMCLOCK" -j "$DEVICE" | jq -c .flags_names) == '[]' ]]
}

@test "show -j is JSON, and keeps all digits" {
	set_fields disruption_marker=18446744073709551615 seq_count=4294967294 \
	    flags=0xffffffffffffffff time_sec=9007199254740993
	"$CB_VMCLOCK" show -j "$DEVICE" >"$RIG/json"
	diff <(cut -d' ' -f1 <<<"$FIELDS") \
	    <(jq -r 'keys_unsorted[]' "$RIG/json" |
	    grep -vE '_names?$|^counter$|^time_at_counter$')
	jq -e '.disruption_marker == "18446744073709551615" and
	    .seq_count == 4294967294 and .flags == "18446744073709551615" and
	    (.flags_names | length) == 10 and
	    .time_sec == "9007199254740993" and .size == 112 and
	    .time_at_counter == null' "$RIG/json"
	diff "$RIG/json" <("$CB_VMCLOCK" --json "$DEVICE" |
	    sed "s/\"counter\": \"[0-9]*\"/$(grep -o '"counter": "[0-9]*"' \
	    "$RIG/json")/")
}

@test "devices of 104, 112 and 4096 bytes" {
	"$CB_VMCLOCK" create "$DEVICE" size=104 flags=vm_gen_counter_present
	(($(stat -c %s "$DEVICE") == 104))
	has vm_generation_counter - "beyond the device's size"
	"$CB_VMCLOCK" -j "$DEVICE" | jq -e '.vm_generation_counter == null'
	refuses "vm_generation_counter=1: beyond the device's size, 104" \
	    set "$DEVICE" vm_generation_counter=1
	refuses "vm_generation_counter=1: beyond the device's size, 111" \
	    create "$DEVICE" vm_generation_counter=1 size=111
	for size in 112 4096; do
		set_fields size=$size vm_generation_counter=5
		(($(stat -c %s "$DEVICE") == size))
		has vm_generation_counter 5 ""
	done
	set_fields flags=none
	has vm_generation_counter 5 "not valid"
	# It may say that it is short; nothing is cut off.
	set_fields size=104
	has vm_generation_counter - "beyond the device's size"
	(($(stat -c %s "$DEVICE") == 4096))
	"$CB_VMCLOCK" create "$DEVICE" size=0xffffffff
	(($(stat -c %s "$DEVICE") == $(getconf PAGESIZE)))
	has size 4294967295
}

@test "the time at this CPU's counter, and why there is none" {
	row counter
	[[ $VALUE != - ]] || skip "this CPU has no counter"
	kind=$MEANING counter=$VALUE
	# A tick of 2^-30 s, one tick in 2^20 wrong; the counter goes on.
	set_fields "counter_id=$kind" clock_status=synchronized \
	    counter_value="$counter" counter_period_shift=29 \
	    counter_period_frac_sec=0x8000000000000000 time_sec=2000000000 \
	    time_frac_sec=0x8000000000000000
	row time_at_counter
	[[ $VALUE =~ ^2000000[0-9]{3}\.[0-9]{9}$ ]]
	((${VALUE/./} >= 2000000000500000000))
	[[ $MEANING =~ ^2033-05-18T[0-9:]{8}\ utc,\ no\ bound$ ]]
	has time_frac_sec 9223372036854775808 "0.500000000 s"
	has counter_period_frac_sec 9223372036854775808 "0.931322575 ns"

	flags=time_maxerror_valid,period_maxerror_valid
	# Nothing grows, but for the decimals that are cut off.
	set_fields "flags=$flags" time_maxerror_nanosec=500
	row time_at_counter
	[[ $MEANING == *" utc, within 501 ns" ]]
	set_fields \
	    counter_period_maxerror_rate_frac_sec=$((1 << 43))
	has counter_period_maxerror_rate_frac_sec $((1 << 43)) "953 ppb"
	row time_at_counter
	[[ $MEANING =~ \ utc,\ within\ ([0-9]+)\ ns$ ]]
	elapsed=$((${VALUE/./} - 2000000000500000000))
	error=$((500 + elapsed / (1 << 20)))
	((BASH_REMATCH[1] > error && BASH_REMATCH[1] <= error + 3))

	set_fields time_type=tai tai_offset_sec=37 \
	    "flags=$flags,tai_offset_valid"
	"$CB_VMCLOCK" -j "$DEVICE" | jq -e '.time_at_counter |
	    .scale == "utc" and (.sec | tonumber) >= 1999999963 and
	    .nsec < 1000000000 and (.maxerror_nsec | tonumber) > 500'
	set_fields "flags=$flags"
	row time_at_counter
	[[ $MEANING == *" tai, within "* ]]
	set_fields time_type=monotonic flags=none
	row time_at_counter
	[[ $MEANING == "monotonic, no bound" ]]
	"$CB_VMCLOCK" -j "$DEVICE" | jq -e '.time_at_counter |
	    .scale == "monotonic" and .maxerror_nsec == null'
	# It may be before 1970.
	set_fields time_type=tai time_sec=0 flags=tai_offset_valid \
	    tai_offset_sec=32767
	row time_at_counter
	[[ $VALUE =~ ^-3[0-9]{4}\.[0-9]{9}$ ]]
	[[ $MEANING =~ ^1969-12-31T ]]

	while IFS=: read -r assignment why; do
		cp "$DEVICE" "$RIG/saved"
		set_fields "$assignment"
		has time_at_counter - "$why"
		cp "$RIG/saved" "$DEVICE"
	done <<-EOF
	counter_id=invalid:no counter
	counter_id=7:no counter
	time_type=invalid_smeared:smeared, or of an unknown type
	clock_status=unreliable:its status is not to be relied upon
	clock_status=unknown:its status is not to be relied upon
	counter_period_frac_sec=0:its period is 0
	counter_value=0x7fffffffffffffff:the counter is before counter_value
	time_sec=0xffffffffffffffff:beyond all time
	EOF
	other=x86_tsc
	[[ $kind != x86_tsc ]] || other=arm_vcnt
	set_fields "counter_id=$other"
	has time_at_counter - "the counter of another kind of CPU"
}

@test "set is all or nothing" {
	refuses "nope=1: no such field; cb-vmclock --help names them" \
	    set "$DEVICE" disruption_marker=9 nope=1
	refuses "time_type=256: expected a number" \
	    set "$DEVICE" disruption_marker=9 time_type=256
	refuses "clock_status=3: clock_status is given twice" \
	    set "$DEVICE" clock_status=2 clock_status=3
	refuses "disruption_marker: expected FIELD=VALUE" \
	    set "$DEVICE" flags=1 disruption_marker
	refuses "=1: no such field" set "$DEVICE" =1
	refuses "marker=1: no such field" set "$DEVICE" marker=1
	refuses "magic =1: no such field" set "$DEVICE" "magic =1"
	refuses "nope=1: no such field" create "$RIG/new" flags=1 nope=1
	[[ ! -e $RIG/new ]]
	set_fields disruption_marker=9 clock_status=2 time_type=1
	has disruption_marker 9
	has clock_status 2 synchronized
	has time_type 1 tai
	# In one write.
	has seq_count 4
}

@test "names that are none are refused, with those that there are" {
	refuses "clock_status=fast: expected a number from 0 to 255, or one of\
 unknown initializing synchronized freerunning unreliable" \
	    set "$DEVICE" clock_status=fast
	refuses "clock_status=Unknown: expected" set "$DEVICE" \
	    clock_status=Unknown
	refuses "flags=soon: expected a number from 0 to 18446744073709551615,\
 none, or with commas in between tai_offset_valid disruption_soon" \
	    set "$DEVICE" flags=soon
	for value in "disruption_soon," ,disruption_soon disruption_soon,,1 \
	    "disruption_soon, disruption_imminent" disruption_soon,1 none,1 \
	    disruption; do
		refuses "flags=$value: expected" set "$DEVICE" "flags=$value"
	done
}

@test "seq_count goes on, wraps, and may be left odd" {
	set_fields flags=1
	has seq_count 4
	set_fields seq_count=4294967294
	set_fields flags=2
	has seq_count 0
	set_fields seq_count=7
	refuses "$DEVICE: being written for more than 100 ms" show "$DEVICE"
	refuses "$DEVICE: being written for more than 100 ms" watch "$DEVICE"
	set_fields flags=3
	has seq_count 8
}

@test "disrupt: a new marker, and a new generation where there is one" {
	set_fields vm_generation_counter=4
	"$CB_VMCLOCK" disrupt "$DEVICE"
	has disruption_marker 2
	has vm_generation_counter 4
	set_fields flags=vm_gen_counter_present disruption_marker=0xffffffffffffffff
	"$CB_VMCLOCK" disrupt "$DEVICE"
	has disruption_marker 0
	has vm_generation_counter 5
	has clock_status 0 unknown
	has seq_count 10
	"$CB_VMCLOCK" create "$DEVICE" size=104 flags=vm_gen_counter_present
	"$CB_VMCLOCK" disrupt "$DEVICE"
	has disruption_marker 2
}

is_status()
{
	row clock_status
	[[ $MEANING == "$1" ]]
}

@test "disrupt --for: unreliable for so long, then what it was" {
	set_fields clock_status=synchronized
	run -0 --separate-stderr "$CB_VMCLOCK" disrupt "$DEVICE" --for 0.05
	[[ -z $output && -z $stderr ]]
	has clock_status 2 synchronized
	has disruption_marker 2
	has seq_count 8
	# On either side.
	"$CB_VMCLOCK" disrupt --for=0 "$DEVICE"
	has disruption_marker 3
	spawn disrupt "$CB_VMCLOCK" disrupt "$DEVICE" --for 100
	wait_until 5 is_status unreliable
	has disruption_marker 4
	stop disrupt KILL || true
	has clock_status 4 unreliable
}

@test "disrupt --for ends early by a signal, and sets the status back" {
	for row in INT:130 TERM:143 HUP:129; do
		set_fields clock_status=freerunning
		spawn disrupt "$CB_VMCLOCK" disrupt "$DEVICE" --for 100
		wait_until 5 is_status unreliable
		code=0
		stop disrupt "${row%:*}" || code=$?
		((code == ${row#*:}))
		has clock_status 3 freerunning
	done
	# Whoever has set another one is right.
	spawn disrupt "$CB_VMCLOCK" disrupt "$DEVICE" --for 100
	wait_until 5 is_status unreliable
	set_fields clock_status=initializing
	stop disrupt || true
	has clock_status 1 initializing
}

@test "only simulated devices are written to" {
	mkdir "$RIG/dir"
	mkfifo "$RIG/fifo"
	ln -s none "$RIG/link"
	ln -s vmclock "$RIG/other"
	seq 100 >"$RIG/text"
	before=$(cksum "$RIG/text")
	for path in /dev/null /dev/zero "$RIG/dir" "$RIG/fifo"; do
		refuses "$path: not a regular file: only simulated VMClocks are\
 written to" set "$path" flags=1
		refuses "$path: not a regular file" disrupt "$path"
		refuses "$path: not a regular file" create "$path"
	done
	for path in "$RIG/link" "$RIG/other"; do
		refuses "$path: not a regular file" create "$path"
		[[ -L $path ]]
	done
	refuses "$RIG/text: not a VMClock: it does not begin with VCLK" \
	    set "$RIG/text" flags=1
	refuses "$RIG/text: not a VMClock" disrupt "$RIG/text"
	refuses "$RIG/text: not a VMClock" create "$RIG/text"
	[[ $(cksum "$RIG/text") == "$before" ]]
	refuses "$RIG/none: No such file or directory" set "$RIG/none" flags=1
	refuses "$RIG/none: No such file or directory" disrupt "$RIG/none"
	refuses "$RIG/none/vmclock: No such file or directory" \
	    create "$RIG/none/vmclock"
	head -c 103 "$DEVICE" >"$RIG/short"
	refuses "$RIG/short: too short for a VMClock" set "$RIG/short" flags=1
	# A link to one is one.
	"$CB_VMCLOCK" disrupt "$RIG/other"
	has disruption_marker 2
	[[ $(ls "$RIG") == "$(printf '%s\n' chronyd dir fifo link other short text \
	    vmclock)" ]]
}

@test "what may not be written is not" {
	cp "$CB_VMCLOCK" "$RIG/cb-vmclock"
	chmod 711 "$RIG"
	chmod 444 "$DEVICE"
	run -2 --separate-stderr "${UNPRIVILEGED[@]}" "$RIG/cb-vmclock" set \
	    "$DEVICE" flags=1
	[[ $stderr == "cb-vmclock: $DEVICE: Permission denied" ]]
	run -2 --separate-stderr "${UNPRIVILEGED[@]}" "$RIG/cb-vmclock" \
	    create "$RIG/new"
	[[ $stderr == "cb-vmclock: $RIG/new: Permission denied" ]]
	chmod 0 "$DEVICE"
	run -2 --separate-stderr "${UNPRIVILEGED[@]}" "$RIG/cb-vmclock" \
	    "$DEVICE"
	[[ $stderr == "cb-vmclock: $DEVICE: Permission denied" ]]
}

@test "show and watch tell what is no VMClock, and why" {
	while IFS=: read -r offset size value text; do
		rm "$DEVICE"
		"$CB_VMCLOCK" create "$DEVICE"
		for ((i = 0; i < size; i++)); do
			printf '%b' "\\x$(printf %x $((value >> 8 * i & 255)))"
		done | dd of="$DEVICE" bs=1 seek="$offset" conv=notrunc \
		    status=none
		refuses "$DEVICE: $text" show "$DEVICE"
		refuses "$DEVICE: $text" watch "$DEVICE"
	done <<-EOF
	0:4:1263289175:not a VMClock: it does not begin with VCLK
	4:4:103:not a VMClock: its size is given as less than 104
	4:4:0:not a VMClock: its size is given as less than 104
	8:2:0:not a VMClock yet: its version is 0
	8:2:2:a VMClock of another version than 1
	8:2:257:a VMClock of another version than 1
	EOF
	for size in 0 1 103; do
		rm "$DEVICE"
		"$CB_VMCLOCK" create "$DEVICE"
		truncate -s $size "$DEVICE"
		refuses "$DEVICE: too short for a VMClock" show "$DEVICE"
	done
	mkfifo "$RIG/fifo"
	refuses "$RIG/fifo: " show "$RIG/fifo"
	refuses "$RIG: " show "$RIG"
	refuses "$RIG/none: No such file or directory" show "$RIG/none"
	refuses "/dev/zero: not a VMClock" /dev/zero
	refuses "/dev/zero: not a VMClock" watch /dev/zero
}

@test "create replaces a VMClock or an empty file by a new one" {
	exec 4<"$DEVICE"
	"$CB_VMCLOCK" create "$DEVICE" disruption_marker=5
	has disruption_marker 5
	# Who has the old one open keeps it, whole.
	(($(od -An -t u1 -j 16 -N 1 <&4) == 1))
	exec 4<&-
	: >"$RIG/empty"
	"$CB_VMCLOCK" create "$RIG/empty"
	(($(stat -c %s "$RIG/empty") == 112))
}

write_many()
{
	for ((n = 2; n <= 1500; n++)); do
		"$CB_VMCLOCK" set "$DEVICE" disruption_marker=$n time_sec=$n \
		    time_maxerror_nanosec=$n
	done
}

disrupt_many()
{
	for ((n = 0; n < 500; n++)); do
		"$CB_VMCLOCK" disrupt "$RIG/two"
	done
}

@test "readers live through thousands of writes, and see none half done" {
	"$CB_VMCLOCK" create "$RIG/two"
	set_fields time_sec=1 time_maxerror_nanosec=1
	watch_start
	write_many 3>&- &
	writer=$!
	# Two at a time wait for each other: none is lost.
	disrupt_many 3>&- &
	disrupter=$!
	disrupt_many
	pattern=$'\ndisruption_marker +([0-9]+)\n.*\ntime_sec +([0-9]+) '
	pattern+=$'.*\ntime_maxerror_nanosec +([0-9]+) '
	reads=0
	while kill -0 "$writer" 2>/dev/null; do
		text=$("$CB_VMCLOCK" "$DEVICE")
		[[ $text =~ $pattern ]]
		((BASH_REMATCH[1] == BASH_REMATCH[2]))
		# Not valid by its flag, and written all the same.
		((BASH_REMATCH[1] == BASH_REMATCH[3]))
		((++reads))
	done
	wait "$writer"
	wait "$disrupter"
	echo "$reads reads"
	((reads >= 10))
	has disruption_marker 1500
	# One write here before those.
	has seq_count 3002
	DEVICE=$RIG/two
	has disruption_marker 1001
	is_running watch
	stop watch || true
	grep -q -- '-> 1500$' "$RIG/watch.log"
}

@test "watch prints a line a change, and ends after so many" {
	time='^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}Z '
	watch_start -n 6
	set_fields disruption_marker=7
	wait_until 5 has_lines watch 1
	set_fields flags=disruption_soon,vm_gen_counter_present
	wait_until 5 has_lines watch 2
	set_fields clock_status=synchronized time_sec=5
	wait_until 5 has_lines watch 3
	# One write, one line, whatever changes.
	set_fields flags=0x400 clock_status=77 disruption_marker=8
	wait_until 5 has_lines watch 4
	set_fields flags=vm_gen_counter_present vm_generation_counter=3
	wait_until 5 has_lines watch 5
	is_running watch
	"$CB_VMCLOCK" disrupt "$DEVICE"
	reap watch
	sed -E "s/$time//" "$RIG/watch.log"
	(($(grep -cE "$time" "$RIG/watch.log") == 6))
	diff <(sed -E "s/$time//" "$RIG/watch.log") - <<-'EOF'
	disruption_marker 1 -> 7
	flags none -> disruption_soon,vm_gen_counter_present, vm_generation_counter none -> 0
	clock_status unknown -> synchronized
	disruption_marker 7 -> 8, flags disruption_soon,vm_gen_counter_present -> 0x400, clock_status synchronized -> 77, vm_generation_counter 0 -> none
	flags 0x400 -> vm_gen_counter_present, vm_generation_counter none -> 3
	disruption_marker 8 -> 9, vm_generation_counter 3 -> 4
	EOF
}

@test "watch -n 1 ends at the first change" {
	watch_start --count 1 --timeout 100
	"$CB_VMCLOCK" disrupt "$DEVICE"
	reap watch
	(($(wc -l <"$RIG/watch.log") == 1))
}

@test "watch -t ends with exit status 1, and not before its time" {
	now_us
	start=$NOW_US
	run -1 --separate-stderr timeout 10 "$CB_VMCLOCK" watch -n 1 -t 0.25 \
	    "$DEVICE"
	now_us
	((NOW_US - start >= 250000 && NOW_US - start < 5000000))
	[[ -z $output && -z $stderr ]]
	run -1 timeout 10 "$CB_VMCLOCK" watch -t 0 "$DEVICE"
	# Also where there were changes, but not so many.
	watch_start -n 2 -t 1
	"$CB_VMCLOCK" disrupt "$DEVICE"
	code=0
	reap watch || code=$?
	((code == 1))
	(($(wc -l <"$RIG/watch.log") == 1))
}

@test "watch sleeps between its looks" {
	TIMEFORMAT=%U:%S
	used=$({ time timeout 10 "$CB_VMCLOCK" watch -t 1 "$DEVICE"; } 2>&1) || true
	IFS=: read -r user system <<<"$used"
	echo "$used"
	((10#${user/./} + 10#${system/./} < 200))
}

@test "watch tells nothing of what does not matter to a clock" {
	watch_start -n 1
	set_fields time_sec=9 counter_value=9 seq_count=40 leap_indicator=pos \
	    tai_offset_sec=37 vm_generation_counter=6
	"$CB_VMCLOCK" disrupt "$DEVICE"
	reap watch
	[[ $(cut -d' ' -f2- "$RIG/watch.log") == "disruption_marker 1 -> 2" ]]
}

@test "watch goes on through a write that stops half way" {
	watch_start -n 1
	set_fields seq_count=9 disruption_marker=5
	"$CB_VMCLOCK" watch -t 0.1 "$DEVICE" || true
	is_running watch
	[[ ! -s $RIG/watch.log ]]
	set_fields flags=none
	reap watch
	[[ $(cut -d' ' -f2- "$RIG/watch.log") == "disruption_marker 1 -> 5" ]]
}

@test "watch follows a simulated device to its new file" {
	watch_start -n 2
	"$CB_VMCLOCK" create "$DEVICE" disruption_marker=4
	wait_until 5 has_lines watch 1
	# One that is gone is waited for.
	mv "$DEVICE" "$RIG/away"
	"$CB_VMCLOCK" watch -t 0.1 "$RIG/away" || true
	is_running watch
	"$CB_VMCLOCK" disrupt "$RIG/away"
	mv "$RIG/away" "$DEVICE"
	reap watch
	diff <(cut -d' ' -f2- "$RIG/watch.log") - <<-EOF
	disruption_marker 1 -> 4
	disruption_marker 4 -> 5
	EOF
}

@test "a file that is cut short ends watch with one line" {
	for size in 103 8 0; do
		rm "$DEVICE"
		"$CB_VMCLOCK" create "$DEVICE"
		watch_start
		truncate -s "$size" "$DEVICE"
		code=0
		reap watch || code=$?
		((code == 2))
		[[ $(<"$RIG/watch.log") == \
		    "cb-vmclock: $DEVICE: too short for a VMClock"* ]]
	done
}

@test "wrong usage: one line, exit 2" {
	refuses "option" -x
	refuses "unrecognized option" show --nope
	refuses "requires an argument" watch -n
	refuses "requires an argument" disrupt "$DEVICE" --for
	refuses "argument" --json=1
	refuses "create: expected a path" create
	refuses "set: expected a path" set
	refuses "disrupt: expected a path" disrupt
	refuses "set '': expected a path" set "" flags=1
	refuses "show '': expected a path" ""
	refuses "set $DEVICE: expected FIELD=VALUE" set "$DEVICE"
	refuses "extra: no operand expected after the path" "$DEVICE" extra
	refuses "extra: no operand expected after the path" show "$DEVICE" extra
	refuses "flags=1: no operand expected after the path" disrupt \
	    "$DEVICE" flags=1
	refuses "extra: no operand expected after the path" watch "$DEVICE" \
	    extra
	refuses "--json: only show has it, and this is watch" watch -j "$DEVICE"
	refuses "--count: only watch has it, and this is show" -n 1 "$DEVICE"
	refuses "--timeout: only watch has it, and this is set" set "$DEVICE" \
	    flags=1 -t 1
	refuses "--for: only disrupt has it, and this is create" create \
	    "$DEVICE" --for 1
	refuses "--help: No such file or directory" -- --help
	for count in 0 -1 1x "" 2147483648; do
		refuses "--count $count: " watch -n "$count" "$DEVICE"
	done
	for time in -1 1x "" 1.0000000001 1000000000.1; do
		refuses "--timeout '$time': expected " watch -t "$time" \
		    "$DEVICE"
		refuses "--for '$time': expected " disrupt "$DEVICE" \
		    --for "$time"
	done
}

@test "options stand on either side of the operands, and end at --" {
	run -0 "$CB_VMCLOCK" "$DEVICE" -j
	[[ $output == "{"* ]]
	run -0 "$CB_VMCLOCK" -j show -- "$DEVICE"
	[[ $output == "{"* ]]
	run -1 "$CB_VMCLOCK" watch "$DEVICE" -t 0 -n 1
	cd "$RIG"
	"$CB_VMCLOCK" create -- --json
	run -0 "$CB_VMCLOCK" show -- --json
	# A file that is called like a command.
	"$CB_VMCLOCK" create set
	run -0 "$CB_VMCLOCK" show set
	run -0 "$CB_VMCLOCK" ./set
}

@test "--help and --version go to standard output" {
	for option in --help -h; do
		run -0 --separate-stderr "$CB_VMCLOCK" "$option"
		[[ $output == "usage: cb-vmclock "* && -z $stderr ]]
	done
	for option in --version -V; do
		run -0 --separate-stderr "$CB_VMCLOCK" "$option"
		[[ $output =~ ^cb-vmclock\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
		[[ -z $stderr ]]
	done
}

disrupt_on()
{
	"$CB_VMCLOCK" disrupt "$DEVICE"
	is_gone "${RIG_PID[watch]}"
}

@test "standard output full or closed: one line, exit 2" {
	for arguments in --help --version "$DEVICE" "-j $DEVICE"; do
		for output in '>/dev/full' '>&-'; do
			run -2 --separate-stderr bash -c \
			    "'$CB_VMCLOCK' $arguments $output"
			echo "$arguments $output: $stderr"
			[[ $stderr == "cb-vmclock: standard output: "* ]]
			[[ $stderr != *$'\n'* ]]
		done
	done
	spawn watch bash -c "exec '$CB_VMCLOCK' watch '$DEVICE' >/dev/full"
	wait_until 5 disrupt_on
	code=0
	reap watch || code=$?
	((code == 2))
	[[ $(<"$RIG/watch.log") == "cb-vmclock: standard output: No space"* ]]
}
