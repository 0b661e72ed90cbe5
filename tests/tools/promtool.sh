#!/bin/sh
# SPDX-License-Identifier: ISC
#
# promtool, out of Debian's package, which is unpacked into the user's cache:
# to install it would start a server.
# usage: promtool.sh ARGUMENT...
#
# Exit status 77 where it cannot be had, with one line that says why.

set -eu

! command -v promtool >/dev/null || exec promtool "$@"

dir=${XDG_CACHE_HOME:-$HOME/.cache}/clockbound-tools/promtool
mkdir -p "$dir"
exec 9>"$dir/lock"
flock 9
if [ ! -x "$dir/usr/bin/promtool" ]; then
	(cd "$dir" && apt-get download -qq prometheus &&
	    dpkg --fsys-tarfile prometheus_*.deb |
	    tar -xf - ./usr/bin/promtool) >"$dir/log" 2>&1 || {
		echo "no promtool: $(tail -n 1 "$dir/log")" >&2
		exit 77
	}
	rm -f "$dir"/prometheus_*.deb
fi
exec "$dir/usr/bin/promtool" "$@" 9>&-
