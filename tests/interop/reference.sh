#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Print the path of a part of ClockBound itself, the peer that ours has to
# get along with.  It is built at the first call, out of the crate registry,
# in the user's cache; nothing of it ever comes into this tree.  The daemon of
# 3.0 steers the system's clock: it is not among them.
# usage: reference.sh NAME
#
#	ffi-2		a directory: libclockbound.so, .a and clockbound.h
#	ffi-3		the same of 3.0
#	daemon-2	the program clockbound
#	cbctl		the program of that name, of 3.0
#
# Exit status 77 where it cannot be had, with one line that says why.

set -eu

cannot() {
	echo "no $name of ClockBound's: $1" >&2
	exit 77
}

name=${1-}
library="release/libclockbound.so release/libclockbound.a"
case $name in
ffi-2)	crate=clock-bound-ffi version=2.0.3 made=$library ;;
ffi-3)	crate=clock-bound-ffi version=3.0.0-rc.0 made=$library ;;
daemon-2)
	crate=clock-bound-d version=2.0.3 made=release/clockbound ;;
cbctl)	crate=clock-bound version=3.0.0-rc.0 made=release/cbctl ;;
*)	echo "usage: reference.sh ffi-2|ffi-3|daemon-2|cbctl" >&2
	exit 2 ;;
esac
options=
[ "$name" != cbctl ] || options="--all-features --bin cbctl"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/clockbound-tools/reference
dir=$cache/$crate-$version
work=$cache/$name.work
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9

# cargo_log WORD...: what it prints is for the log.
cargo_log() {
	cargo "$@" 9>&- 2>"$work/log" ||
	    cannot "$(grep -m 1 '^error' "$work/log" ||
	    tail -n 1 "$work/log")"
}

# A package that needs the crate makes cargo fetch it.  In it are the versions
# of all that it needs in turn, as its authors had them.
if [ ! -d "$dir" ]; then
	command -v cargo >/dev/null || cannot "there is no cargo"
	echo "Building $crate $version into $dir" >&2
	trap 'rm -rf "$work"' EXIT
	trap 'exit 130' INT TERM
	rm -rf "$work"
	mkdir -p "$work/need/src" "$work/made"
	: >"$work/need/src/lib.rs"
	printf '[package]\nname = "need"\n[dependencies]\n%s = "=%s"\n' \
	    "$crate" "$version" >"$work/need/Cargo.toml"
	cargo_log metadata --format-version 1 \
	    --manifest-path "$work/need/Cargo.toml" >"$work/metadata"
	source=$(grep -o "\"/[^\"]*/$crate-$version/Cargo.toml\"" \
	    "$work/metadata" | head -n 1 | tr -d '"')
	cp -R "${source%/*}" "$work/source"
	# shellcheck disable=SC2086 # words are meant to be split
	cargo_log build --release --locked $options \
	    --target-dir "$work/target" \
	    --manifest-path "$work/source/Cargo.toml"
	# shellcheck disable=SC2086
	(cd "$work/target" && cp $made "$work/made")
	cp "$work/source/LICENSE"* "$work/made"
	[ ! -d "$work/source/include" ] ||
	    cp "$work/source/include/clockbound.h" "$work/made"
	mv "$work/made" "$dir"
fi
case $made in
*.so*)	echo "$dir" ;;
*)	echo "$dir/${made#release/}" ;;
esac
