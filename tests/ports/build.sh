#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Build the programs, the library, and where they can be run the tests, for
# another system, in a directory.  A warning is an error.
# usage: build.sh TARGET PARTS DIR
#
# PARTS is what parts.sh has made.  The directory is a copy of this tree then.

set -eu

[ $# = 3 ] || { echo "usage: build.sh TARGET PARTS DIR" >&2; exit 2; }
cd "$(dirname "$0")/../.."
parts=$2
dir=$3

cpp=
static=
shared=
make="all tests"
case $1 in
musl)		machine=x86_64-linux-musl static=-static ;;
aarch64)	machine=aarch64-linux-gnu.2.36 ;;
armhf)		machine=arm-linux-gnueabihf.2.36
		cpp="-D_TIME_BITS=64 -D_FILE_OFFSET_BITS=64" ;;
armhf-time32)	machine=arm-linux-gnueabihf.2.36 ;;
s390x)		machine=s390x-linux-gnu.2.36 ;;
freebsd-amd64)	machine=x86_64-freebsd make=all ;;
freebsd-arm64)	machine=aarch64-freebsd make=all ;;
openbsd-amd64)	machine=x86_64-openbsd make=all ;;
openbsd-arm64)	machine=aarch64-openbsd make=all ;;
macos-amd64)	machine=x86_64-macos make=all shared=-dynamiclib ;;
macos-arm64)	machine=aarch64-macos make=all shared=-dynamiclib ;;
*)		echo "build.sh: $1: no such target" >&2
		exit 2 ;;
esac

# The compiler keeps whatever it has made, for ever.
export ZIG_GLOBAL_CACHE_DIR="$parts/zig-cache"
exec 8>"$parts/zig-cache.lock"
if flock -n 8 && [ -d "$ZIG_GLOBAL_CACHE_DIR" ] &&
    [ "$(du -sm "$ZIG_GLOBAL_CACHE_DIR" | cut -f 1)" -gt 3000 ]; then
	rm -rf "$ZIG_GLOBAL_CACHE_DIR"
fi
flock -s 8
cc="$parts/zig/ziglang/zig cc -target $machine"
ar="$parts/zig/ziglang/zig ar"

# compile LIBRARY FLAG... FILE...
compile() {
	library=$1
	shift
	mkdir -p "$dir/$library"
	[ ! -e "$dir/$library/lib.a" ] || return 0
	# shellcheck disable=SC2086 # a word an option
	(cd "$dir/$library" && : >jansson_private_config.h &&
	    $cc -w -O2 $cpp -I. -c "$@" && $ar rcs lib.a ./*.o)
}

# Whatever is made of something has no dot in its name, or one of these.
mkdir -p "$dir"
find LICENSE Makefile dist lib cmd man tests -path tests/vm -prune -o \
    -type f \( -name LICENSE -o -name Makefile -o -name '*.*' \) \
    ! -name '*.o' ! -name '*.a' ! -name '*.so' -print |
    tar -cf - -T - | tar -xf - -C "$dir"

json=$parts/jansson
compile json -DHAVE_STDINT_H -DHAVE_UNISTD_H -DHAVE_SCHED_YIELD \
    -I"$json/android" -I"$json/src" "$json"/src/*.c
set --
case $machine in
*-linux-*)
	bsd=$parts/libbsd
	overlay="-DLIBBSD_OVERLAY -I$bsd/include/bsd"
	set -- "$bsd/src/arc4random.c" "$bsd/src/strlcpy.c" \
	    "$bsd/src/strtoi.c" "$bsd/src/strtonum.c" "$bsd/src/progname.c"
	compile bsd -D_GNU_SOURCE -I"$bsd/include" \
	    -DLIBBSD_OVERLAY -I"$bsd/include/bsd" "$@"
	set -- "BSD_CFLAGS=$overlay -Wno-gnu-include-next" \
	    "BSD_LIBS=$dir/bsd/lib.a" ;;
*)	set -- BSD_CFLAGS= BSD_LIBS= ;;
esac
# shellcheck disable=SC2086 # a word a goal
exec make -s -C "$dir" CC="$cc" AR="$ar" CFLAGS="-O2 -Werror" \
    CPPFLAGS="$cpp" LDFLAGS="$static" STATIC="$static" \
    JSON_CFLAGS="-isystem $json/android -isystem $json/src" \
    JSON_LIBS="$dir/json/lib.a" SECCOMP= "$@" ${shared:+SHARED=$shared} $make
