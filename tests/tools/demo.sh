#!/usr/bin/env bash
# SPDX-License-Identifier: ISC
#
# A bounded timestamp, from a real chronyd to a shell, in about 11 seconds:
# what `make demo` runs.  All of it is private: two chronyds on loopback, a
# directory of its own, and nobody's clock is touched.  Exit status 0 only
# when every single reading was right.
#
# shellcheck disable=SC2119 # functions of the rig whose arguments may lack

# shellcheck source=tests/rig.bash
. "${BASH_SOURCE[0]%/*}/../rig.bash"

AHEAD_NS=5000000
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

# Every reading that comes here has been checked against the true time.
verdict()
{
	if says UNKNOWN; then
		echo "no claim"
	else
		echo "inside"
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

trap rig_close EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
rig_open || exit

say "A chronyd on loopback serves the true time, which is 5 ms ahead of" \
    "this machine's clock.  cb-daemon starts; there is no chronyd yet that" \
    "it could ask.  What cb-now prints, and where true time is:"
truth_start "$AHEAD_NS" || give_up "the server's chronyd did not start"
daemon_start || give_up "cb-daemon did not start"
wait_until 5 has_ticked 2 1 || give_up "cb-daemon did not publish"
show_head
show_until has_shown 2

say "A second chronyd starts here and follows the first; cb-daemon asks it." \
    "The clock stays 5 ms wrong: it is the interval that is right."
client_start || give_up "the client's chronyd did not start"
show_until says SYNCHRONIZED
show_until has_shown 3

say "Now cb-daemon is killed.  With nobody to tell how the clock does, the" \
    "interval grows, so that true time stays inside; after 5 s the status" \
    "says so as well."
stop daemon KILL
show_until says FREE_RUNNING
SHOWN=0
show_until has_shown 1

say "$READINGS readings in all; $TRUSTED made a claim, and each time true" \
    "time was inside."
