#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Install the packages that are missing for the purposes named.
# usage: deps.sh PURPOSE ...

set -eu

# A package, and a file, command or library of clang's that shows it is there.
packages() {
	case $1 in
	build)	echo "gcc:gcc libc6-dev:/usr/include/stdio.h make:make" \
		    "pkg-config:pkg-config libbsd-dev:/usr/include/bsd/bsd.h" \
		    "libjansson-dev:/usr/include/jansson.h" \
		    "libseccomp-dev:/usr/include/seccomp.h" ;;
	demo)	echo "chrony:chronyd" ;;
	check)	echo "bats:bats parallel:parallel mandoc:mandoc jq:jq g++:g++" \
		    "clang:clang shellcheck:shellcheck tmux:tmux zsh:zsh" \
		    "systemd:systemd-analyze python3:python3 git:git" ;;
	fuzz)	echo "libclang-rt-dev:libclang_rt.fuzzer-$(uname -m).a" ;;
	vm)	echo "xz-utils:xz debootstrap:debootstrap" \
		    "e2fsprogs:mke2fs" ;;
	model)	echo "spin:spin" ;;
	lint)	echo "clang-tidy:clang-tidy cppcheck:cppcheck" ;;
	valgrind) echo "valgrind:valgrind" ;;
	ports)	echo "xz-utils:xz python3-pip:pip3" ;;
	coverage) echo "gcc:gcov gcovr:gcovr git:git" ;;
	bench)	echo "hyperfine:hyperfine valgrind:valgrind" \
		    "musl-tools:musl-gcc" ;;
	*)	echo "deps.sh: $1: no such purpose" >&2
		exit 2 ;;
	esac
}

is_there() {
	case $1 in
	/*)	test -e "$1" ;;
	*.a)	test -e "$(clang --print-file-name="$1" 2>/dev/null)" ;;
	*)	command -v "$1" >/dev/null ;;
	esac
}

# chronyd and its like are where a user's shell may not look.
PATH=$PATH:/usr/sbin:/sbin
missing=
for purpose in "$@"; do
	pairs=$(packages "$purpose") || exit
	for pair in $pairs; do
		is_there "${pair#*:}" || missing="$missing ${pair%%:*}"
	done
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
	as_root=sudo
fi
if ! command -v apt-get >/dev/null || ! command -v ${as_root:-env} >/dev/null
then
	echo "Please install what these packages of Debian's hold:$missing" >&2
	exit 1
fi
echo "Installing:$missing"
case $missing in
*chrony*)
	echo "chrony takes the place of another time daemon, and runs as a" \
	    "service from then on; systemctl disable --now chrony ends it." ;;
esac
export DEBIAN_FRONTEND=noninteractive
# An index that is too old, or none at all, is the usual cause of a failure.
# shellcheck disable=SC2086 # words are meant to be split
$as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
    { $as_root apt-get update -qq &&
    $as_root apt-get install -y -qq --no-install-recommends $missing; }
