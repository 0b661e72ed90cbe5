#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# What a distributor and an operator need: dist/, and a service manager.
#
# shellcheck disable=SC2030,SC2031 # each test is a shell of its own
# shellcheck disable=SC2016 # jq's variables

bats_require_minimum_version 1.5.0
load rig

PROGRAMS=(cb-daemon cb-now cb-status cb-vmclock)

setup()
{
	rig_open
	cd "$RIG_ROOT" || return
}

teardown()
{
	[[ -n ${BATS_TEST_COMPLETED-} ]] || rig_show_logs
	rig_close
}

#
# The service manager is told
#

# manager_start [NAME]: the daemon is to tell it, by its environment.
manager_start()
{
	spawn manager "$RIG_TOOLS/manager" "${1-$RIG/notify}"
	export NOTIFY_SOCKET=${1-$RIG/notify}
	[[ $1 == @* ]] || wait_until 5 test -S "$NOTIFY_SOCKET"
}

# was_told LINE [COUNT]: as often as that, or more.
was_told()
{
	(($(grep -cxF -- "$1" "$RIG/manager.log") >= ${2-1}))
}

@test "READY when the first tick has published, STATUS when it changes" {
	manager_start "$RIG/notify"
	daemon_start
	wait_until 5 was_told READY=1
	(($(generation) >= 2))
	read_now
	says UNKNOWN
	truth_start 0
	client_start
	wait_until 10 was_told STATUS=synchronized
	stop client
	wait_until 10 was_told "STATUS=free running"
	stop daemon
	wait_until 5 was_told STOPPING=1
	diff "$RIG/manager.log" - <<-EOF
		READY=1
		STATUS=unknown
		STATUS=synchronized
		STATUS=free running
		STOPPING=1
	EOF
}

is_abstract_there()
{
	grep -qF "$NOTIFY_SOCKET" /proc/net/unix
}

@test "a manager's socket may have an abstract name" {
	manager_start "@${RIG##*/}"
	wait_until 5 is_abstract_there
	daemon_start
	wait_until 5 was_told READY=1
}

@test "the watchdog is fed at half of its time, and not more often" {
	manager_start "$RIG/notify"
	export WATCHDOG_USEC=400000
	now_us
	from=$NOW_US
	daemon_start --interval 10
	wait_until 10 was_told WATCHDOG=1 5
	stop daemon
	told=$(grep -cxF WATCHDOG=1 "$RIG/manager.log")
	now_us
	((told <= 1 + (NOW_US - from) / 200000))
}

@test "a watchdog of another process is not fed" {
	manager_start "$RIG/notify"
	export WATCHDOG_USEC=20000 WATCHDOG_PID=1
	daemon_start
	wait_ticks 5
	was_told READY=1
	run ! was_told WATCHDOG=1
}

@test "a manager that cannot be told is no reason to end" {
	export NOTIFY_SOCKET=$RIG/none
	daemon_start
	wait_ticks 3
	has_logged "the service manager cannot be told: No such file"
	stop daemon
	export NOTIFY_SOCKET=notify WATCHDOG_USEC=soon
	daemon_start
	wait_ticks 3
	has_logged "NOTIFY_SOCKET notify: expected the path of a socket"
	has_logged "WATCHDOG_USEC soon: invalid: expected microseconds"
}

#
# The files
#

# install_all [VARIABLE=VALUE...]: at $RIG/usr, and the names in the files are
# those.  A DESTDIR keeps the machine's own linker out of it.
install_all()
{
	make install DESTDIR=/ PREFIX="$RIG/usr" "$@" >/dev/null
	# A unit's program has to be there, built or not.
	for program in "${PROGRAMS[@]}"; do
		[[ -e $RIG/usr/bin/$program || -e $RIG/usr/sbin/$program ]] ||
		    install /bin/true "$RIG/usr/bin/$program"
	done
}

UNITS=(cb-daemon.service cb-status-metrics.socket cb-status-metrics@.service)

@test "systemd takes the units as they are, and finds them hardened" {
	needs systemd systemd-analyze
	install_all
	cd "$RIG/usr/lib/systemd/system"
	[[ $(echo *) == "${UNITS[*]}" ]]
	run systemd-analyze verify --man=no "${UNITS[@]/#/./}"
	echo "$output"
	((status == 0))
	[[ -z $output ]]
	for service in *.service; do
		systemd-analyze security --offline=true --threshold=15 \
		    "./$service"
	done
}

@test "the files name the programs where they are installed, and the user" {
	install_all CHRONY_USER=somebody
	cd "$RIG/usr"
	run ! grep -rE '@[A-Z_]+@' lib share/clockbound-tools
	grep -qx "ExecStart=$PWD/sbin/cb-daemon \$CB_DAEMON_OPTIONS" \
	    lib/systemd/system/cb-daemon.service
	grep -q "^ExecStart=$PWD/bin/cb-status " \
	    lib/systemd/system/cb-status-metrics@.service
	grep -qx "command=$PWD/sbin/cb-daemon" \
	    share/clockbound-tools/openrc/cb-daemon
	grep -rlw somebody lib/systemd share/clockbound-tools >"$RIG/found"
	(($(wc -l <"$RIG/found") == 3))
}

# built PROGRAM: its path, or nothing.
built()
{
	find cmd -type f -path "*/$1/$1" -perm -u+x
}

# options_of PATH: as its usage tells them.
options_of()
{
	"$1" --help | sed '1,2d' |
	    grep -oE '(^|[ ,])--?[[:alnum:]][[:alnum:]-]*' | tr -d ' ,' |
	    sort -u
}

# What bash would be given: COMPREPLY, a line each.
bash_completes()
{
	bash -c '. dist/completion/clockbound-tools.bash
	    compopt() { :; }
	    _clockbound_tools "$@"
	    printf "%s\n" "${COMPREPLY[@]}"' - "$@" | sort -u
}

# What _arguments would be given, without what stands around an option.
zsh_completes()
{
	zsh -f -o extendedglob -c '
	    _call_program() { shift; "$@"; }
	    _arguments() { print -l -- "$@"; }
	    fpath=(dist/completion $fpath)
	    autoload -U _clockbound-tools
	    service=${1:t} words=("$@")
	    _clockbound-tools' - "$@" |
	    sed -nE '3,${s/^(\([^)]*\))?(-[[:alnum:]-]+).*/\2/p}' |
	    sed -E 's/-$//' | sort -u
}

@test "bash completes every option of every program, and no other" {
	for program in "${PROGRAMS[@]}"; do
		path=$(built "$program")
		[[ -n $path ]] || continue
		diff <(options_of "$path") \
		    <(bash_completes "$path" - "$program")
	done
}

@test "bash completes values, commands and fields" {
	vmclock=$(built cb-vmclock)
	[[ $(bash_completes cb-now f --trust) == free-running ]]
	[[ $(bash_completes "$vmclock" d cb-vmclock) == disrupt* ]]
	[[ $(bash_completes "$vmclock" disruption_m set) == \
	    disruption_marker= ]]
	[[ -z $(bash_completes "$(built cb-now)" /tm cb-now) ]]
}

@test "zsh completes every option of every program, and no other" {
	needs zsh zsh
	for program in "${PROGRAMS[@]}"; do
		path=$(built "$program")
		[[ -n $path ]] || continue
		diff <(options_of "$path") <(zsh_completes "$path")
	done
}

@test "the alerts are rules, and say what they are to say" {
	needs prometheus promtool
	promtool check rules dist/prometheus/clockbound.rules.yml
	promtool test rules tests/clockbound.rules.test.yml
}

# Fails when one of these says false.
dashboard_has()
{
	jq -e "$1" dist/grafana/clockbound.json >/dev/null || {
		echo "not so: $1" >&2
		return 1
	}
}

@test "the dashboard is one: IDs, places and data sources" {
	dashboard_has '.title and .uid and .schemaVersion >= 36'
	dashboard_has '[.panels[].id] |
	    length > 5 and length == (unique | length)'
	dashboard_has 'all(.panels[]; .title != "" and (.targets | length > 0)
	    and ([.targets[].refId] | length == (unique | length)))'
	dashboard_has '[.panels[] | .datasource, .targets[].datasource] |
	    unique == [{type: "prometheus", uid: "${datasource}"}]'
	dashboard_has 'any(.templating.list[];
	    .name == "datasource" and .type == "datasource")'
	dashboard_has 'all(.panels[].gridPos; .x >= 0 and .x + .w <= 24)'
	dashboard_has '[.panels[].gridPos | range(.x; .x + .w) as $x |
	    range(.y; .y + .h) as $y | [$x, $y]] |
	    length == (unique | length)'
}

@test "every expression of the dashboard is PromQL" {
	needs prometheus promtool
	jq '{groups: [{name: "dashboard", rules: [.panels[].targets[].expr |
	    gsub("\\$__rate_interval"; "5m") |
	    {record: "dashboard", expr: ("count(" + . + ") or vector(0)")}]}]}
	    | .groups[0].rules |= (to_entries |
	    map(.value + {labels: {nr: (.key | tostring)}}))' \
	    dist/grafana/clockbound.json >"$RIG/rules.yml"
	promtool check rules "$RIG/rules.yml"
}
