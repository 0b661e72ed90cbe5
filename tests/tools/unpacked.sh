#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Print the path of a program: the machine's, or the one in Debian's package,
# unpacked into the user's cache.  To install the package would start a server.
# usage: unpacked.sh PACKAGE PROGRAM
#
# Exit status 77 where it cannot be had, with one line that says why.

set -eu

package=$1
program=$2
! command -v "$program" || exit 0

dir=${XDG_CACHE_HOME:-$HOME/.cache}/clockbound-tools/$package
mkdir -p "$dir"
exec 9>"$dir/lock"
flock 9
if [ ! -x "$dir/usr/bin/$program" ]; then
	(cd "$dir" && apt-get download -qq "$package" &&
	    dpkg -x "$package"_*.deb .) >"$dir/log" 2>&1 || {
		echo "no $program: $(tail -n 1 "$dir/log")" >&2
		exit 77
	}
	rm -f "$dir/$package"_*.deb
fi
echo "$dir/usr/bin/$program"
