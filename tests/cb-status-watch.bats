#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# cb-status(1): its view on a terminal, which is tmux's, and on none.
#
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own
# shellcheck disable=SC2034,SC2154 # rig.bash's variables, and bats's

bats_require_minimum_version 1.5.0
load rig

setup()
{
	command -v tmux >/dev/null || skip "no tmux: Debian's tmux has it"
	rig_open
	vmclock_make
	fake_start good
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
}

teardown()
{
	[[ -n ${RIG-} ]] || return 0
	tmux -S "$RIG/tmux" kill-server 2>/dev/null || true
	[[ -n ${BATS_TEST_COMPLETED-} ]] || rig_show_logs
	rig_close
}

tm()
{
	tmux -S "$RIG/tmux" "$@" 3>&-
}

# A shell of 80 columns and 40 rows.
terminal_start()
{
	tm -f /dev/null new-session -d -x 80 -y 40 env PS1='ready$ ' \
	    bash --norc --noprofile
	wait_until 10 shows 'ready$'
	tm send-keys "stty -a >'$RIG/before'" Enter
	wait_until 10 test -s "$RIG/before"
}

shows()
{
	[[ $(tm capture-pane -p) == *"$1"* ]]
}

# shows_seconds N: the chart has N of them, or more.
shows_seconds()
{
	[[ $(tm capture-pane -p) =~ the\ last\ ([0-9]+)\ s ]] &&
	    ((BASH_REMATCH[1] >= $1))
}

watch_start()
{
	tm send-keys "clear; '$CB_STATUS' -s '$RUN' --watch" Enter
	wait_until 10 shows "log scale"
}

# has_left CODE: the terminal is as it was, and the shell's screen is back.
# A shell drops the rest of its line when a command dies of Ctrl-C.
has_left()
{
	wait_until 10 shows 'ready$'
	tm send-keys "echo exit=\$?" Enter
	wait_until 10 shows "exit=$1"
	run ! shows "half-width, the last"
	rm -f "$RIG/after"
	tm send-keys "stty -a >'$RIG/after'" Enter
	wait_until 10 test -s "$RIG/after"
	diff <(sed 's/rows .*;//' "$RIG/before") \
	    <(sed 's/rows .*;//' "$RIG/after")
	[[ $(tm display-message -p '#{cursor_flag}#{alternate_on}#{wrap_flag}') == 101 ]]
}

@test "the table is there with a chart, and q ends it" {
	terminal_start
	watch_start
	shows "OK         within"
	shows "daemon     pid ${RIG_PID[daemon]}"
	tm resize-window -x 80 -y 24
	wait_until 10 shows_seconds 3
	shows "|###"
	tm send-keys q
	has_left 0
}

@test "Ctrl-C and SIGTERM end it, and leave the terminal clean" {
	terminal_start
	watch_start
	tm send-keys C-c
	has_left 130
	watch_start
	pid=$(tm display-message -p '#{pane_pid}')
	kill "$(pgrep -P "$pid" cb-status)"
	has_left 143
}

@test "it can be ended while the daemon is stuck" {
	terminal_start
	watch_start
	kill -s STOP "${RIG_PID[daemon]}"
	wait_until 15 shows "stopped or stuck"
	tm send-keys q
	has_left 2
	watch_start
	tm send-keys C-c
	has_left 130
}

@test "it fits a window of another size at once, however small" {
	terminal_start
	watch_start
	for size in "60 12" "20 5" "1 1" "200 50" "80 40"; do
		tm resize-window -x "${size% *}" -y "${size#* }"
		fits()
		{
			[[ $(tm display-message -p '#{pane_width} #{pane_height}') == "$size" ]] &&
			    [[ $(tm capture-pane -p | head -1) == O* ]]
		}
		wait_until 10 fits
	done
	wait_until 10 shows "log scale"
	tm send-keys q
	has_left 0
}

@test "the status that is lost is seen while it watches" {
	terminal_start
	watch_start
	kill -s USR1 "${RIG_PID[daemon]}"
	stop daemon KILL || true
	wait_until 10 shows "WARNING"
	shows "nobody listens at"
	wait_until 15 shows "CRITICAL"
	tm send-keys q
	has_left 2
}

@test "there is colour on a terminal, but not with NO_COLOR" {
	terminal_start
	tm send-keys "clear; '$CB_STATUS' -s '$RUN'; echo exit=\$?" Enter
	wait_until 10 shows "exit=0"
	[[ $(tm capture-pane -pe) == *$'\033['*OK* ]]
	tm send-keys "clear; NO_COLOR=1 '$CB_STATUS' -s '$RUN'; echo end=\$?" \
	    Enter
	wait_until 10 shows "end=0"
	[[ $(tm capture-pane -pe) != *$'\033['*OK* ]]
}

@test "a terminal that is dumb, or of no name, gets lines" {
	terminal_start
	for term in TERM=dumb TERM= "-u TERM"; do
		tm send-keys "clear; env $term '$CB_STATUS' -s '$RUN' --watch" \
		    Enter
		wait_until 10 shows "Z OK synchronized, within"
		[[ $(tm display-message -p '#{alternate_on}') == 0 ]]
		tm send-keys C-c
		wait_until 10 shows 'ready$'
	done
}

# has_lines N
has_lines()
{
	(($(wc -l <"$RIG/lines") >= $1))
}

@test "a signal that was ignored stays so" {
	(
		trap '' HUP
		exec "$CB_STATUS" -s "$RUN" --watch
	) >"$RIG/lines" 3>&- &
	pid=$!
	wait_until 10 has_lines 1
	kill -s HUP "$pid"
	wait_until 10 has_lines 3
	kill "$pid"
	wait "$pid" || (($? == 143))
}

@test "where there is no terminal: a line a second" {
	"$CB_STATUS" -s "$RUN" --watch >"$RIG/lines" 3>&- &
	pid=$!
	wait_until 10 has_lines 3
	kill "$pid"
	wait "$pid" || true
	line='^20[0-9-]{8}T[0-9:]{8}Z OK synchronized, within [0-9.]+ [a-z]+ of true time$'
	while read -r got; do
		echo "$got"
		[[ $got =~ $line ]]
	done <"$RIG/lines"
	(($(cut -d' ' -f1 "$RIG/lines" | sort -u | wc -l) >= 3))
}
