#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What of the library and of the pure files the unit programs and a while in
# model worlds run through: lines, branches, and which are missing.
# Fails where that is less than 95 % of the lines, or 85 % of the branches.
# usage: coverage.sh

set -eu

cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

# A copy: the objects of the tree are no good for it.
tests/tools/copy.sh "$dir"
cd "$dir"
# disruption.c is not pure, but is tried as if it were.
set -- cmd/cb-status/judge.o
for name in disruption estimate narrow period publish status; do
	set -- "$@" "cmd/cb-daemon/$name.o"
done
for file in lib/*.c; do
	set -- "$@" "${file%.c}.o" "${file%.c}.failing.o"
done
# Branches as they were written, and threads count too.
make -s -j "$(nproc)" CC=gcc \
    CFLAGS="-O0 -g --coverage -fprofile-update=atomic" "$@"
make -s -j "$(nproc)" CC=gcc LDFLAGS=--coverage tests

# Two of them try the order of memory, and nothing that is counted.
# shellcheck disable=SC2016 # the other sh's
{
	find tests/unit -type f -perm -u+x ! -name guest ! -name order \
	    ! -name seqlock ! -name vectors
	echo tests/unit/guest 10000
	echo tests/unit/vectors tests/vectors/vectors.txt
	echo tests/sim/sim -n 1e6 1
} | xargs -P "$(nproc)" -L 1 sh -c '
	"$@" >"$1.out" 2>&1 || [ $? = 77 ] ||
	    { cat "$1.out"; echo "$1 failed"; exit 1; }' sh

gcovr --json counts.json
gcovr -a counts.json
gcovr -a counts.json --branches --fail-under-line 95 --fail-under-branch 85
