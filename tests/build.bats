#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# What is built, installed and documented.

setup() {
	cd "$BATS_TEST_DIRNAME/.." || return
	DIR=$(mktemp -d)
}

teardown() {
	rm -rf "$DIR"
}

# To build in.
copy_tree() {
	[ -z "${CB_REPORTS-}" ] ||
	    skip "nothing of it is run, and sanitizers see what runs"
	tests/tools/copy.sh "$DIR"
}

build_with() {
	copy_tree
	make -C "$DIR" all tests CC="$1" CFLAGS="-O2 -Werror" >/dev/null
}

@test "gcc builds everything without a warning" {
	build_with gcc
}

@test "clang builds everything without a warning" {
	build_with clang
}

@test "make clean leaves nothing that make has made" {
	copy_tree
	(cd "$DIR" && find . -type f | sort) >"$DIR.before"
	make -C "$DIR" all tests >/dev/null
	make -C "$DIR" clean >/dev/null
	(cd "$DIR" && find . -type f | sort) >"$DIR.after"
	run diff "$DIR.before" "$DIR.after"
	rm -f "$DIR.before" "$DIR.after"
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "make install puts all in its place, make uninstall takes it away" {
	make install PREFIX=/usr DESTDIR="$DIR" >/dev/null
	(cd "$DIR" && find . ! -type d | sort) >"$DIR/list"
	diff "$DIR/list" - <<-EOF
		./list
		./usr/bin/cb-now
		./usr/bin/cb-status
		./usr/bin/cb-vmclock
		./usr/include/clockbound.h
		./usr/lib/libclockbound.a
		./usr/lib/libclockbound.so
		./usr/lib/libclockbound.so.0
		./usr/lib/pkgconfig/clockbound.pc
		./usr/lib/systemd/system/cb-daemon.service
		./usr/lib/systemd/system/cb-status-metrics.socket
		./usr/lib/systemd/system/cb-status-metrics@.service
		./usr/lib/udev/rules.d/60-clockbound.rules
		./usr/sbin/cb-daemon
		./usr/share/bash-completion/completions/cb-daemon
		./usr/share/bash-completion/completions/cb-now
		./usr/share/bash-completion/completions/cb-status
		./usr/share/bash-completion/completions/cb-vmclock
		./usr/share/clockbound-tools/freebsd/cb_daemon
		./usr/share/clockbound-tools/grafana/clockbound.json
		./usr/share/clockbound-tools/openrc/cb-daemon
		./usr/share/clockbound-tools/prometheus/clockbound.rules.yml
		./usr/share/man/man1/cb-now.1
		./usr/share/man/man1/cb-status.1
		./usr/share/man/man1/cb-vmclock.1
		./usr/share/man/man3/clockbound.3
		./usr/share/man/man3/clockbound_after.3
		./usr/share/man/man3/clockbound_at.3
		./usr/share/man/man3/clockbound_before.3
		./usr/share/man/man3/clockbound_bound_ns.3
		./usr/share/man/man3/clockbound_close.3
		./usr/share/man/man3/clockbound_now.3
		./usr/share/man/man3/clockbound_open.3
		./usr/share/man/man3/clockbound_open_options.3
		./usr/share/man/man3/clockbound_read.3
		./usr/share/man/man3/clockbound_status_name.3
		./usr/share/man/man3/clockbound_strerror.3
		./usr/share/man/man3/clockbound_vmclock_open.3
		./usr/share/man/man3/clockbound_wait_until.3
		./usr/share/man/man5/clockbound-observe.5
		./usr/share/man/man5/clockbound-shm.5
		./usr/share/man/man7/clockbound.7
		./usr/share/man/man8/cb-daemon.8
		./usr/share/zsh/site-functions/_clockbound-tools
	EOF
	rm "$DIR/list"
	make uninstall PREFIX=/usr DESTDIR="$DIR" >/dev/null
	run find "$DIR" ! -type d
	[ -z "$output" ]
}

@test "the manual's examples compile" {
	awk -v dir="$DIR" '
		/^#include/ && !file { file = dir "/example" ++n ".c" }
		/^\.Ed/ { file = "" }
		file { gsub(/\\e/, "\\"); print >file }' man/clockbound.3
	for example in "$DIR"/example*.c; do
		gcc -std=gnu11 -Wall -Wextra -Werror -Ilib -c \
		    -o "${example%.c}.o" "$example"
	done
	gcc -o "$DIR/example" "$DIR/example1.o" lib/libclockbound.a
	[ -f "$DIR/example5.o" ] && [ ! -f "$DIR/example6.o" ]
}

@test "the manual pages are clean" {
	cd man # where they find each other
	run mandoc -T lint -W style ./*.[1-8]
	echo "$output"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

# Options as a page's .It lines tell them, and as the program's usage does.
options_of_page() {
	sed -n 's/^\.It \(Fl .*\)/\1/p' "$1" | tr -d '\134' |
	    grep -o 'Fl [[:alnum:]-]*' | sed 's/Fl /-/' | sort -u
}

options_of_usage() {
	"$1" --help | sed -n '3,$p' |
	    grep -oE '(^|[ ,])--?[[:alnum:]][[:alnum:]-]*' | tr -d ' ,' |
	    sort -u
}

@test "every option is in its page, and every page's option is one" {
	for p in cb-daemon.8 cb-now.1 cb-status.1 cb-vmclock.1; do
		diff <(options_of_page man/$p) \
		    <(options_of_usage "cmd/${p%.*}/${p%.*}")
	done
}
