#!/bin/sh
# SPDX-License-Identifier: ISC
#
# All that `make check` runs, with AddressSanitizer, LeakSanitizer and
# UndefinedBehaviorSanitizer in everything that is compiled, also by a test.
# It is done in a copy of the tree, whose suite gets what else is here.
# usage: run.sh

set -eu

cd "$(dirname "$0")/../.."
dir=$(mktemp -d /tmp/cb.XXXXXX)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
# Daemons become other users, who report there as well.
chmod 755 "$dir"
mkdir "$dir/tree" "$dir/bin"
mkdir -m 1777 "$dir/reports"
tests/tools/copy.sh "$dir/tree"
cp tests/sanitize/*.bash tests/sanitize/*.bats "$dir/tree/tests"

# A compiler by its own name, which no one has to know of.  For these two kinds
# clang would have to be asked as clang++, and gcc has none.  Beside libasan
# gcc's libubsan reports to no file (PR94328): what it would say is an
# illegal instruction, which libasan reports.
for cc in gcc clang; do
	more=-fsanitize-undefined-trap-on-error
	[ "$cc" != clang ] || more=-fno-sanitize=function,vptr
	cat >"$dir/bin/$cc" <<-END
		#!/bin/sh
		exec $(command -v "$cc") -fsanitize=address,undefined \
		    -fno-sanitize-recover=all $more "\$@"
	END
	chmod 755 "$dir/bin/$cc"
done

# They are no static programs, and they do more than the filter of system
# calls lets a daemon do.
export PATH="$dir/bin:$PATH" CC=gcc STATIC='' SECCOMP='' \
    CFLAGS="-O1 -g -fno-omit-frame-pointer"
cd "$dir/tree"
make -s all tests
CB_REPORTS=$dir/reports tests/tools/check.sh tests
