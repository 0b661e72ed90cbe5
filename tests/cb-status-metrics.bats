#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# cb-status(1): its metrics, and the one request of HTTP that it answers.
#
# shellcheck disable=SC2034,SC2154 # rig.bash's variables, and bats's

bats_require_minimum_version 1.5.0
load rig

PAGE=$BATS_TEST_DIRNAME/../man/cb-status.1

setup()
{
	rig_open
	TELL=("$CB_STATUS" -s "$RUN" --vmclock "$VMCLOCK")
}

teardown()
{
	[[ -n ${BATS_TEST_COMPLETED-} ]] || rig_show_logs
	rig_close
}

synchronized()
{
	truth_start 0
	client_start
	wait_until 5 client_is_synchronised
	vmclock_make
	daemon_watch
	wait_until 10 now_says SYNCHRONIZED
}

metrics()
{
	"${TELL[@]}" -o openmetrics >"$RIG/metrics"
}

# value SAMPLE: of the last metrics.
value()
{
	sed -n "s/^clockbound_$1 //p" "$RIG/metrics"
}

@test "every metric is in the page, and the other way" {
	synchronized
	metrics
	diff <(sed -n 's/^# TYPE clockbound_\([a-z_]*\) .*/\1/p' \
	    "$RIG/metrics" | sort -u) \
	    <(sed -n '/^\.Ss Metrics/,/^\.Ss/p' "$PAGE" |
	    grep -oE '\b[a-z]+(_[a-z]+)+\b|^\.It Va status Ns' |
	    sed 's/^\.It Va status Ns/status/; /^free_running$/d' | sort -u |
	    grep -vx clockbound_)
}

@test "promtool finds no fault with them, whatever the state" {
	needs prometheus promtool
	metrics
	promtool check metrics <"$RIG/metrics"
	(($(value segment_readable) == 0 && $(value daemon_up) == 0))
	[[ -z $(value half_width_seconds) ]]
	synchronized
	metrics
	promtool check metrics <"$RIG/metrics"
	(($(value 'status{status="synchronized"}') == 1))
	(($(value 'status{status="unknown"}') == 0))
	(($(value segment_readable) == 1 && $(value daemon_up) == 1))
	stop client
	wait_until 5 test ! -S "$RIG/client/chronyd.sock"
	wait_ticks 2
	metrics
	promtool check metrics <"$RIG/metrics"
	(($(value chrony_answers) == 0))
	(($(value 'status{status="free_running"}') == 1))
}

@test "the parts of the budget sum up to the half-width" {
	synchronized
	is_sum()
	{
		metrics
		awk '/^clockbound_budget_seconds/ { sum += $2 }
		    /^clockbound_half_width_seconds/ { half = $2 }
		    END { d = sum - half; exit !(d < 2e-9 && d > -2e-9) }' \
		    "$RIG/metrics"
	}
	wait_until 5 is_sum
}

@test "sources of one name are one series" {
	synchronized
	"$RIG_TOOLS/look" "$RUN/observe" |
	    jq -c '.sources += .sources | .daemon.interval_ns = 5000000000' \
	    >"$RIG/object"
	spawn serve "$RIG_TOOLS/serve" "$RIG/liar" cat "$RIG/object"
	wait_until 5 test -S "$RIG/liar"
	"${TELL[@]}" -o openmetrics --observe "$RIG/liar" >"$RIG/metrics"
	(($(grep -c ^clockbound_source_selected "$RIG/metrics") == 1))
	[[ -z $(grep -v '^#' "$RIG/metrics" | cut -d' ' -f1 | sort |
	    uniq -d) ]]
}

#
# HTTP
#

# http_start: PORT
http_start()
{
	spawn http "$RIG_TOOLS/serve" 0 "${TELL[@]}" --http
	wait_until 5 test -s "$RIG/http.log"
	PORT=$(<"$RIG/http.log")
}

# request TEXT, as printf has it: ANSWER.
request()
{
	local fd

	exec {fd}<>"/dev/tcp/127.0.0.1/$PORT"
	printf '%b' "$1" >&"$fd"
	ANSWER=$(timeout 10 cat <&"$fd")
	exec {fd}>&-
}

# answers_with STATUS TEXT
answers_with()
{
	request "$2"
	echo "$2: $ANSWER"
	[[ $ANSWER == "HTTP/1.1 $1"*$'\r\nConnection: close\r\n\r'* ]]
}

@test "GET /metrics is answered, and what else comes is told no" {
	synchronized
	http_start
	for line in "GET /metrics HTTP/1.1" "GET /metrics HTTP/1.0" \
	    "GET /metrics?x=y HTTP/1.1"; do
		answers_with "200 OK" "$line\r\nHost: x\r\n\r\n"
		[[ $ANSWER == *"text/plain; version=0.0.4"* ]]
		[[ $ANSWER == *$'\nclockbound_segment_readable 1\n'* ]]
	done
	answers_with "200 OK" "GET /metrics HTTP/1.1\n\n"
	answers_with "200 OK" "HEAD /metrics HTTP/1.1\r\n\r\n"
	[[ $ANSWER != *clockbound_* && $ANSWER != *"Content-Length: 0"* ]]
	answers_with 404 "GET / HTTP/1.1\r\n\r\n"
	answers_with 404 "GET /metricsx HTTP/1.1\r\n\r\n"
	answers_with 404 "GET /metric HTTP/1.1\r\n\r\n"
	answers_with 405 "POST /metrics HTTP/1.1\r\n\r\nx=y"
	[[ $ANSWER == *$'\r\nAllow: GET, HEAD\r\n'* ]]
	answers_with 405 "get /metrics HTTP/1.1\r\n\r\n"
	for line in "" "GET" "GET " "GET /metrics" "GET metrics HTTP/1.1" \
	    "GET /metrics HTTP/2.0" " /metrics HTTP/1.1" "\0001\0377"; do
		answers_with 400 "$line\r\n\r\n"
	done
}

@test "a request without an end is given up: by size, by time" {
	http_start
	answers_with 400 "GET /metrics HTTP/1.1\r\n$(printf 'x%.0s' {1..9000})"
	answers_with 400 "GET /metrics HTTP/1.1\r\n"
}

#
# Prometheus
#

# query SAMPLE: what Prometheus says of it.
query()
{
	promtool query instant "http://127.0.0.1:$PROMETHEUS" \
	    "clockbound_$1" 2>&1
}

# has_both SAMPLE: from node_exporter and over HTTP.
has_both()
{
	local answer

	answer=$(query "$1")
	[[ $answer == *'job="textfile"'* && $answer == *'job="http"'* ]]
}

exports_textfile()
{
	(PORT=$EXPORTER request "GET /metrics HTTP/1.0\r\n\r\n"
	[[ $ANSWER == *clockbound_half_width_seconds* ]]) 2>/dev/null
}

# free_port: PORT, which nobody has at the moment.
free_port()
{
	# Not what the last one said.
	rm -f "$RIG/port.log"
	spawn port "$RIG_TOOLS/serve" 0 true
	wait_until 5 test -s "$RIG/port.log"
	PORT=$(<"$RIG/port.log")
	stop port || true
}

@test "Prometheus and its node_exporter take them, and answer a query" {
	needs prometheus prometheus
	needs prometheus-node-exporter prometheus-node-exporter
	synchronized
	mkdir "$RIG/textfiles"
	"${TELL[@]}" -o openmetrics >"$RIG/textfiles/clockbound.prom"
	free_port
	EXPORTER=$PORT
	spawn exporter prometheus-node-exporter --collector.disable-defaults \
	    --collector.textfile --web.listen-address="127.0.0.1:$EXPORTER" \
	    --collector.textfile.directory="$RIG/textfiles"
	wait_until 20 exports_textfile
	http_start
	cat >"$RIG/prometheus.yml" <<-EOF
		global:
		  scrape_interval: 1s
		  scrape_timeout: 1s
		scrape_configs:
		- job_name: textfile
		  static_configs:
		  - targets: ["127.0.0.1:$EXPORTER"]
		- job_name: http
		  scrape_interval: 1s
		  scrape_timeout: 1s
		  static_configs:
		  - targets: ["127.0.0.1:$PORT"]
	EOF
	free_port
	PROMETHEUS=$PORT
	spawn prometheus prometheus --config.file="$RIG/prometheus.yml" \
	    --storage.tsdb.path="$RIG/tsdb" \
	    --web.listen-address="127.0.0.1:$PROMETHEUS"
	wait_until 30 has_both 'status{status="synchronized"}'
	[[ $(query 'status{status="synchronized"}') == *"=> 1 @"* ]]
	has_both half_width_seconds
	has_both 'budget_seconds{part="drift"}'
	has_both ticks_total
}
