#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Check a model in all that it can do.  Prints how many states that were, how
# long it took, and "holds" or "is found wrong".
# usage: spin.sh MODEL.pml [-DNAME=VALUE ...]
#
# Exit status 0: holds; 1: does not; 2: not all was looked at.

set -eu

model=$(realpath "$1")
shift
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
begin=$(date +%s%N)
# spin leaves its files where it is.
cd "$dir"
if ! spin "$@" -a "$model" >spin.out 2>&1; then
	cat spin.out >&2
	exit 2
fi
# Most models are small: optimizing takes longer than it saves.
cc -O0 -w -DSAFETY -DMEMLIM=2048 -o pan pan.c || exit 2
./pan -m100000 >pan.out 2>&1 || :
states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.out)
took=$((($(date +%s%N) - begin) / 100000000))
printf '%.0f states, %d.%d s: ' "$states" $((took / 10)) $((took % 10))
if grep -q 'assertion violated' pan.out; then
	echo "is found wrong"
	exit 1
elif grep -Eq 'Search not completed|too small|out of memory' pan.out ||
    ! grep -q 'errors: 0' pan.out; then
	echo "was not checked"
	cat pan.out >&2
	exit 2
fi
echo "holds"
