#!/usr/bin/env bash
# SPDX-License-Identifier: ISC
#
# A bounded timestamp, from a real chronyd to a shell, through a live
# migration, in about 15 seconds: what `make demo` runs.  All of it is private:
# two chronyds on loopback, a simulated VMClock, a directory of its own, and
# nobody's clock is touched.  Exit status 0 only when every single reading was
# right.
#
# shellcheck disable=SC2119 # functions of the rig whose arguments may lack

# shellcheck source=tests/rig.bash
. "${BASH_SOURCE[0]%/*}/../rig.bash"

AHEAD_NS=5000000
BEHIND_NS=-40000000
SECOND_NS=1000000000

READINGS=0	# of cb-now, and how many of them were shown
SHOWN=0
NEXT_NS=0	# when another one is to be shown

give_up()
{
	printf '\ndemo: %s\n' "$1" >&2
	rig_show_logs >&2
	exit 1
}

# One paragraph, one line each.
say()
{
	printf '\n'
	printf '%s\n' "$@"
	printf '\n'
	SHOWN=0
}

# The half-width in a unit that suits it.
half_width()
{
	if ((HALF_NS < SECOND_NS)); then
		printf '%d.%03d ms' $((HALF_NS / 1000000)) \
		    $((HALF_NS / 1000 % 1000))
	else
		printf '%d days' $((HALF_NS / SECOND_NS / 86400))
	fi
}

# What the daemon has logged of the disruption.
show_log()
{
	printf '\n'
	sed -n '/^cb-daemon: disruption/,$p' "$RIG/daemon.log" |
	    grep -E 'disruption|forgotten|status' | sed 's/^/  /'
}

# Every reading that comes here has been checked against the true time.
verdict()
{
	if is_trusted; then
		echo "inside"
	else
		echo "no claim"
	fi
}

show_head()
{
	printf '  %-20s %-20s %-12s %11s  %s\n' \
	    earliest latest status half-width "true time"
}

# What cb-now printed, and what we know of it.
show()
{
	printf '  %-54s %11s  %s\n' "$LINE" "$(half_width)" "$(verdict)"
	((++SHOWN))
	NEXT_NS=$((MIDDLE + SECOND_NS))
}

has_shown()
{
	((SHOWN >= $1))
}

is_due_or()
{
	((++READINGS))
	((MIDDLE >= NEXT_NS)) || "$@"
}

# show_until CONDITION...: a line a second, and one as soon as it holds.  All
# the readings in between, some hundred a second, are checked too.
show_until()
{
	while :; do
		watch_until 10 is_due_or "$@" ||
		    give_up "this should not have happened"
		show
		if "$@"; then
			break
		fi
	done
}

# To another host, where true time is elsewhere, with nothing on its way.
migrate()
{
	kill -s STOP "${RIG_PID[client]}"
	stop truth KILL
	stop truth-feed KILL
	RIG_SERVERS=()
	"$CB_VMCLOCK" disrupt "$VMCLOCK" || give_up "no disruption"
	TRUTH_NS=$BEHIND_NS
}

trap rig_close EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
rig_open || exit

say "A chronyd on loopback serves the true time, which is 5 ms ahead of" \
    "this machine's clock.  cb-daemon starts; there is no chronyd yet that" \
    "it could ask.  What cb-now prints, and where true time is:"
truth_start "$AHEAD_NS" || give_up "the server's chronyd did not start"
"$CB_VMCLOCK" create "$VMCLOCK" disruption_marker=0 ||
    give_up "cb-vmclock made no VMClock"
daemon_watch || give_up "cb-daemon did not start"
wait_until 5 has_ticked 2 1 || give_up "cb-daemon did not publish"
show_head
show_until has_shown 2

say "A second chronyd starts here and follows the first; cb-daemon asks it." \
    "The clock stays 5 ms wrong: it is the interval that is right."
client_start || give_up "the client's chronyd did not start"
show_until says SYNCHRONIZED
show_until has_shown 2

say "The machine is migrated while it runs: now its clock is 40 ms ahead, and" \
    "nothing that was measured holds any more.  chronyd is held up.  A" \
    "hypervisor tells of it in the VMClock; here cb-vmclock disrupt does:"
migrate
read_now
is_right || give_up "this should not have happened: $LINE"
((++READINGS))
is_trusted && give_up "the reading after a disruption was trusted: $LINE"
show
show_until says DISRUPTED

say "chronyd goes on.  cb-daemon has it forget all that it measured, and" \
    "trusts what it measures from then on; its log says what became of it."
truth_start "$BEHIND_NS" || give_up "the server's chronyd did not start"
kill -s CONT "${RIG_PID[client]}"
show_until says SYNCHRONIZED
wait_until 5 has_logged "status synchronized" 2
show_log

say "Now cb-daemon is killed.  With nobody to tell how the clock does, the" \
    "interval grows, so that true time stays inside; after 5 s the status" \
    "says so as well."
stop daemon KILL
show_until says FREE_RUNNING
SHOWN=0
show_until has_shown 1

say "$READINGS readings in all; $TRUSTED made a claim, and each time true" \
    "time was inside."

say "What cb-status makes of that, and what to do about it:"
"$CB_STATUS" -s "$RUN" --vmclock "$VMCLOCK" || :
