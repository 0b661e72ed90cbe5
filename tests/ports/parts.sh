#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What it takes to build for other systems and to run what was built, unpacked
# into a directory: a compiler, with their C libraries, by its package at PyPI;
# libbsd and jansson as sources, glibc and an emulator for other CPUs by
# Debian's packages.  Nothing is installed, and of the machine's own package
# manager only the name of its mirror is used.
# usage: parts.sh DIR
#
# Exit status 77 where they cannot be had, with one line that says why.

set -eu

ZIG=ziglang==0.17.1
SUITE=bookworm
SOURCES="libbsd jansson"
PACKAGES="qemu-user-static libc6-arm64-cross libc6-armhf-cross
    libc6-s390x-cross"

cannot() {
	echo "nothing to build for other systems with: $1" >&2
	exit 77
}

[ $# = 1 ] || { echo "usage: parts.sh DIR" >&2; exit 2; }
[ ! -e "$1/complete" ] || exit 0

[ "$(uname -m)" = x86_64 ] || cannot "this is not an x86-64"
for command in apt-get dpkg flock python3 xz; do
	command -v $command >/dev/null || cannot "there is no $command"
done
python3 -m pip --version >/dev/null 2>&1 || cannot "there is no pip"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -e $keyring ] || cannot "there is no $keyring"
debian=$("${0%/*}/../vm/debian.sh" 2>/dev/null) ||
    cannot "its packages are Debian's, and this is not Debian"
mirror=${debian#* }

mkdir -p "$1"
dir=$(cd "$1" && pwd)
exec 9>"$dir/lock"
flock 9
[ ! -e "$dir/complete" ] || exit 0
rm -rf "$dir/zig" "$dir/apt" "$dir/root" "$dir/libbsd" "$dir/jansson"
mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial" \
    "$dir/apt/packages" "$dir/root"

echo "Fetching what it takes to build for other systems into $dir" >&2
python3 -m pip install -q --disable-pip-version-check --no-compile \
    --root-user-action=ignore --target "$dir/zig" $ZIG >"$dir/log" 2>&1 ||
    cannot "$ZIG cannot be had: $(tail -n 1 "$dir/log")"

for kind in deb deb-src; do
	echo "$kind [signed-by=$keyring] $mirror $SUITE main"
done >"$dir/apt/sources"
cat >"$dir/apt/conf" <<-EOF
Dir::Etc::sourcelist "$dir/apt/sources";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "$dir/apt";
Dir::State::status "/dev/null";
Dir::Cache "$dir/apt/cache";
APT::Architecture "amd64";
APT::Sandbox::User "root";
Debug::NoLocking "true";
Acquire::Languages "none";
EOF
export APT_CONFIG="$dir/apt/conf"
cd "$dir/apt/packages"
# shellcheck disable=SC2086 # a word a package
{ apt-get update -qq && apt-get download -qq $PACKAGES &&
    apt-get source -qq --download-only $SOURCES; } >"$dir/log" 2>&1 ||
    cannot "$mirror: $(tail -n 1 "$dir/log")"
for deb in ./*.deb; do
	dpkg -x "$deb" "$dir/root"
done
find "$dir/root/usr/bin" -name 'qemu-*' ! -name qemu-aarch64-static \
    ! -name qemu-arm-static ! -name qemu-s390x-static -delete
for source in $SOURCES; do
	mkdir "$dir/$source"
	tar -xf ./"$source"_*.orig.tar.?z -C "$dir/$source" \
	    --strip-components 1
done

rm -rf "$dir/apt" "$dir/log"
: >"$dir/complete"
