#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Copy the tree into an empty directory, without anything that was built.
# usage: copy.sh DIR

set -eu

cd "$(dirname "$0")/../.."
# A repository that holds nothing, as the tree may be none: all that .gitignore
# does not name is new to it.
git=$(mktemp -d)
trap 'rm -rf "$git"' EXIT
trap 'exit 130' INT TERM
git init -q --bare "$git"
git --git-dir="$git" --work-tree=. ls-files -o --exclude-standard -z \
    >"$git/files"
tar --null -T "$git/files" -cf - | tar -xf - -C "$1"
