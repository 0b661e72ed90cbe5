#!/bin/sh
# SPDX-License-Identifier: ISC
#
# A disk with a small Debian on it: systemd, udev and chrony.
# usage: root.sh DIR
#
# It is DIR/root.img.  Exit status 77 where it cannot be had, with one line
# that says why.

set -eu

cannot() {
	echo "no Debian to test in: $1" >&2
	exit 77
}

[ $# = 1 ] || { echo "usage: root.sh DIR" >&2; exit 2; }
[ ! -e "$1/root.img" ] || exit 0

[ "$(id -u)" = 0 ] || cannot "only root can make one"
PATH=$PATH:/usr/sbin:/sbin
for command in debootstrap mke2fs; do
	command -v $command >/dev/null || cannot "there is no $command"
done
debian=$("${0%/*}/debian.sh")

exec 9>"$1/lock"
flock 9
[ ! -e "$1/root.img" ] || exit 0
dir=$(mktemp -d "$1/root.XXXXXX")
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

echo "Fetching a small Debian into $1" >&2
# It mounts things there, which are to be gone with it.
unshare --mount debootstrap --variant=minbase \
    --include=systemd-sysv,udev,dbus,chrony \
    "${debian% *}" "$dir/root" "${debian#* }" >"$dir/log" 2>&1 9>&- ||
    cannot "$(tail -n 1 "$dir/log")"
cd "$dir/root"
rm -rf var/cache/apt/archives/*.deb var/lib/apt/lists/* usr/share/doc \
    usr/share/locale usr/share/man
mke2fs -q -t ext4 -d . "$dir/root.img" 400M
mv "$dir/root.img" "$1/root.img"
