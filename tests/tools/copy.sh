#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Copy the tree into an empty directory, as git would give it: nothing that was
# built is in it.
# usage: copy.sh DIR
#
# Exit status 77 where there is no git to ask, with one line that says so.

set -eu

cd "$(dirname "$0")/../.."
if [ ! -e .git ] || ! command -v git >/dev/null; then
	echo "no git's tree: what belongs to it is not known"
	exit 77
fi
git ls-files -co --exclude-standard -z | xargs -0 tar -cf - | tar -xf - -C "$1"
