#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# A chronyd that keeps the daemon busy, or waiting, for ever, and others in
# the place of its replies.  What else it may say is in cb-daemon.bats.
#
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own
# shellcheck disable=SC2034,SC2154 # rig.bash's variables, and bats's

bats_require_minimum_version 1.5.0
load faults

# is_lost REASON: free running at once, unknown after 5 s, in time all along.
is_lost()
{
	watch_until 5 says FREE_RUNNING
	# Half of the time is spent on waiting for a reply, and no more.
	keeps_on_time 20 70
	says FREE_RUNNING
	watch_until 10 says UNKNOWN
	keeps_on_time 20 70
	has_logged "no sample: $RIG/client/chronyd.sock: $1"
	fake_flip
	watch_until 5 says SYNCHRONIZED
	has_logged "chronyd answers"
	truth_was_held
}

# begins_good MODE [MS]: and is flipped to that.
begins_good()
{
	fake_start "$@"
	fake_flip
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	truth_watch
	fake_flip
}

@test "thousands of stale replies a second: free running, unknown, in time" {
	begins_good flood
	is_lost "not an answer of chrony 4.0 or later"
}

@test "never an answer: free running, unknown, in time" {
	begins_good silent
	is_lost "no answer in time"
}

@test "a stale reply now and then: they do not prolong the wait" {
	begins_good drip 10
	is_lost "not an answer of chrony 4.0 or later"
}

@test "each answer is just in time, for ever: right, and no tick is too long" {
	fake_start slow 30
	daemon_start --interval 100
	wait_until 5 now_says SYNCHRONIZED
	# It is asked three times a tick, and more where it has measured.
	ticks=$(generation)
	watch_until 20 has_ticked "$ticks" 30
	is_trusted
	# A tick may take a second, and this machine may be late as well.
	gap=$("$RIG_TOOLS/look" "$RUN/observe" |
	    jq .counts.longest_gap_ns)
	echo "longest gap: $gap ns"
	((gap < 2000000000))
}

@test "64 sources, each of them slow: the tick ends after a second" {
	fake_start many 20
	fake_flip
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	fake_flip
	watch_until 20 says FREE_RUNNING
	# What is logged is why the first tick had none.
	wait_until 20 has_trouble "answers too slowly"
	ticks=$(generation)
	watch_until 20 has_ticked "$ticks" 5
	gap=$("$RIG_TOOLS/look" "$RUN/observe" |
	    jq .counts.longest_gap_ns)
	echo "longest gap: $gap ns"
	((gap < 1500000000))
	stop daemon
}

# Of the last tick.
has_trouble()
{
	[[ $("$RIG_TOOLS/look" "$RUN/observe" | jq -r .tracking.trouble) == \
	    *": $1" ]]
}

@test "every reply comes many times over: it is as good as one" {
	fake_start twice
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	keeps_on_time 20 70
	says SYNCHRONIZED
	has_logged "no sample" 0
}

#
# The reply path
#

@test "replies from another socket are not heard" {
	begins_good other
	is_lost "no answer in time"
}

# taken COMMAND...: that makes something where the daemon's reply socket is to
# be, before there is a daemon; the name is its last argument.
taken()
{
	clear_failures
	poke "$RIG/failures" 12 4 $((0x1234abcd))
	fake_start good
	chmod 711 "$RIG"
	chmod 777 "$RIG/client"
	# shellcheck disable=SC2016 # expanded by the inner shell
	spawn daemon sh -c 'until [ -e "$1" ]; do sleep 0.01; done
		shift; exec "$@"' sh "$RIG/go" \
	    "$FAULTS/cb-daemon" -d --run-dir "$RUN" \
	    --chrony-socket "$RIG/client/chronyd.sock"
	OWN=$RIG/client/cb-daemon.${RIG_PID[daemon]}.1234abcd.sock
	"$@" "$OWN"
	: >"$RIG/go"
	wait_until 5 has_logged "no sample: $RIG/client/chronyd.sock:\
 cannot bind a socket of our own beside it: Address already in use"
	keeps_on_time 20 30
	says UNKNOWN
}

by_another()
{
	"${UNPRIVILEGED[@]}" "$@"
}

squat()
{
	cp "$RIG_TOOLS/fake-chronyd" "$RIG/squatter"
	spawn squatter "${UNPRIVILEGED[@]}" "$RIG/squatter" "$1" good
	wait_until 5 test -S "$1"
}

# Another name is tried at each tick: when it is free, all is well.
frees_itself()
{
	poke "$RIG/failures" 12 4 0
	watch_until 5 says SYNCHRONIZED
	has_logged "chronyd answers"
	stop daemon
}

@test "another user's file in the reply path: said once, left alone" {
	needs_root "make files of others"
	taken by_another touch
	frees_itself
	[[ -f $OWN && $(stat -c %u "$OWN") == 65534 ]]
}

@test "another user's link in the reply path is not followed" {
	needs_root "make files of others"
	taken by_another ln -s "$RIG/nowhere"
	frees_itself
	[[ -L $OWN && ! -e $RIG/nowhere ]]
}

@test "another user's socket in the reply path: nothing is heard from there" {
	needs_root "make files of others"
	taken squat
	frees_itself
	[[ -S $OWN ]]
}

@test "the reply socket taken away and bound by another: no answer, then anew" {
	local own

	fake_start good
	daemon_start
	wait_until 5 now_says SYNCHRONIZED
	for _ in 1 2 3; do
		own=("$RIG/client/cb-daemon."*.sock)
		[[ -S ${own[0]} ]]
		# It steals each reply to that name, and says nothing.
		spawn thief "$RIG_TOOLS/fake-chronyd" "${own[0]}" silent
		wait_until 5 is_renamed "${own[0]}"
		watch_until 5 says SYNCHRONIZED
		stop thief KILL || true
	done
	(($(log_count "no answer in time") == 3))
}

is_renamed()
{
	local own=("$RIG/client/cb-daemon."*.sock)

	[[ -S ${own[0]} && ${own[0]} != "$1" ]]
}
