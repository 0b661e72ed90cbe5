#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# A report fails the suite: each kind of fault, put there for it, is reported
# to a directory of its own.
#
# shellcheck disable=SC2154 # bats's

bats_require_minimum_version 1.5.0
load setup_suite

setup()
{
	DIR=$(mktemp -d)
}

teardown()
{
	rm -rf "$DIR"
}

# reported STATEMENTS PATTERN: by what either compiler makes of them, where n is
# 1; nobody looks at what that prints or how it ends.
reported()
{
	local cc CB_REPORTS

	printf '%s\n' '#include <limits.h>' '#include <stdlib.h>' \
	    "int main(int n, char **v) { $1 return (v == NULL); }" \
	    >"$DIR/fault.c"
	for cc in gcc clang; do
		CB_REPORTS=$DIR/$cc
		mkdir "$CB_REPORTS"
		setup_suite
		teardown_suite
		"$cc" -o "$DIR/fault" "$DIR/fault.c"
		"$DIR/fault" >"$DIR/out" 2>&1 || :
		run ! teardown_suite
		[[ $output == *$2* ]]
	done
}

@test "an access beyond what was given is reported" {
	reported 'char *volatile p = malloc(8); p[n + 7] = 1; free(p);' \
	    'heap-buffer-overflow'
}

@test "memory that is given back by nobody is reported" {
	reported 'void *volatile p = malloc(8); p = NULL;' \
	    'detected memory leaks'
}

@test "a sum that does not fit is reported" {
	reported 'volatile int sum = INT_MAX; sum = sum + n;' \
	    '@(signed integer overflow|AddressSanitizer: ILL)'
}
