#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Run the tests in a directory, as many at a time as there are processors, and
# close with one line of counts.  Fails if one test does, or if none was run.
# usage: check.sh DIR

set -u

out=$(mktemp)
trap 'rm -f "$out"' EXIT
trap 'exit 130' INT TERM

PATH=$PATH:/usr/sbin:/sbin bats --tap --jobs "$(nproc)" "$1" | tee "$out"
awk '
	/^ok .* # skip/ { skipped++; next }
	/^ok / { passed++ }
	/^not ok / { failed++ }
	/^1\.\./ { planned = substr($0, 4) }
	END {
		ran = passed + failed + skipped
		# A test file that could not be run at all tells no result.
		if (ran < planned)
			failed += planned - ran
		printf "%d passed, %d failed, %d skipped\n", passed, failed,
		    skipped
		exit failed > 0 || passed == 0
	}' "$out"
