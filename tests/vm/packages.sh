#!/bin/sh
# SPDX-License-Identifier: ISC
#
# QEMU 10 or later, a kernel 6.13 or later and busybox, out of Debian's
# packages, unpacked into a directory.  Nothing is installed, and of the
# machine's own package manager only the name of its mirror is used.
# usage: packages.sh DIR
#
# Exit status 77 where they cannot be had, with one line that says why.

set -eu

cannot() {
	echo "no virtual machine to test in: $1" >&2
	exit 77
}

[ $# = 1 ] || { echo "usage: packages.sh DIR" >&2; exit 2; }
[ ! -e "$1/complete" ] || exit 0

[ "$(uname -m)" = x86_64 ] || cannot "this is not an x86-64"
for command in apt-get dpkg flock xz; do
	command -v $command >/dev/null || cannot "there is no $command"
done
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -e $keyring ] || cannot "there is no $keyring"
debian=$("${0%/*}/debian.sh")
codename=${debian% *}
mirror=${debian#* }

mkdir -p "$1"
dir=$(cd "$1" && pwd)
exec 9>"$dir/lock"
flock 9
[ ! -e "$dir/complete" ] || exit 0
rm -rf "$dir/qemu" "$dir/kernel" "$dir/apt"

# use NAME STATUS SUITE...: a package manager's state of our own; what STATUS
# says is installed need not be fetched.
use() {
	state=$dir/apt/$1
	status=$2
	shift 2
	mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
	for suite in "$@"; do
		echo "deb [signed-by=$keyring] $mirror $suite main"
	done >"$state/sources"
	cat >"$state/conf" <<-EOF
	Dir::Etc::sourcelist "$state/sources";
	Dir::Etc::sourceparts "/dev/null";
	Dir::Etc::preferences "/dev/null";
	Dir::Etc::preferencesparts "/dev/null";
	Dir::State "$state";
	Dir::State::status "$status";
	Dir::Cache "$state/cache";
	APT::Install-Recommends "false";
	APT::Sandbox::User "root";
	Debug::NoLocking "true";
	Acquire::Languages "none";
	EOF
	APT_CONFIG=$state/conf
	export APT_CONFIG
	apt-get update -qq || cannot "$mirror: its lists cannot be had"
}

depends() {
	apt-cache depends --no-recommends --no-suggests "$1" |
	    sed -n "s/^ *Depends: \($2\)$/\1/p"
}

echo "Fetching a virtual machine's parts into $dir" >&2
case $codename in
bookworm)
	use qemu /var/lib/dpkg/status bookworm bookworm-updates \
	    bookworm-backports
	release="-t bookworm-backports"
	;;
*)
	use qemu /var/lib/dpkg/status "$codename"
	release=
	;;
esac
# shellcheck disable=SC2086 # two words, or none
apt-get install -qq -y --download-only --reinstall $release \
    qemu-system-x86 qemu-utils busybox-static >"$dir/apt/log" 2>&1 ||
    cannot "QEMU's packages cannot be had: $(tail -n 1 "$dir/apt/log")"
for deb in "$state"/cache/archives/*.deb; do
	dpkg -x "$deb" "$dir/qemu"
done

: >"$dir/apt/nothing"
use kernel "$dir/apt/nothing" trixie-backports
image=$(depends linux-image-cloud-amd64 'linux-image-[0-9].*')
[ -n "$image" ] || cannot "there is no kernel in trixie-backports"
parts=$(depends "$image" 'linux-\(binary\|modules\)-.*')
# shellcheck disable=SC2086 # one word a package
(cd "$state/cache/archives" && apt-get download -qq ${parts:-$image}) ||
    cannot "$image cannot be had"
for deb in "$state"/cache/archives/*.deb; do
	dpkg -x "$deb" "$dir/kernel"
done

rm -rf "$dir/apt"
: >"$dir/complete"
