#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Which Debian this machine is, and where its packages come from: a line of
# two words.  Exit status 77 where it is none, with a line that says so.

set -eu

codename=$(. /etc/os-release && echo "$ID ${VERSION_CODENAME-}")
case $codename in
"debian "?*) codename=${codename#debian } ;;
*)	echo "no virtual machine to test in: its packages are Debian's, and" \
	    "this is not Debian" >&2
	exit 77 ;;
esac
mirror=$(grep -rhoE 'https?://[^] ]+/debian/?( |$)' /etc/apt/sources.list \
    /etc/apt/sources.list.d 2>/dev/null | sed -n '1{s/ //;s,/$,,;p}')
echo "$codename ${mirror:-http://deb.debian.org/debian}"
