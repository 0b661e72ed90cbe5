#!/usr/bin/env bats
# SPDX-License-Identifier: ISC
#
# What tools say that read the code.  Each must also find a fault that was put
# there for it, or it was not asked.
#
# shellcheck disable=SC2154 # bats's

bats_require_minimum_version 1.5.0

setup()
{
	cd "$BATS_TEST_DIRNAME/../.." || return
	DIR=$(mktemp -d)
}

teardown()
{
	rm -rf "$DIR"
}

# plant LINE...: a source file of these.
plant()
{
	printf '%s\n' '#include <stdlib.h>' "$@" >"$DIR/fault.c"
}

# each COMMAND... -- FILE...: on its own, as many at a time as there are
# processors.
each()
{
	local command=()

	while [[ $1 != -- ]]; do
		command+=("$1")
		shift
	done
	shift
	printf '%s\0' "$@" | xargs -0 -n 1 -P "$(nproc)" "${command[@]}"
}

# What it takes to read any source file, of all that make would say for one.
flags()
{
	printf '%s\n' lib/*.c cmd/*/*.c tests/*/*.c | sed 's/c$/o/' |
	    xargs make -nsB | tr -d "'" |
	    grep -oE -- ' -(std=|D|I|isystem )[^ ]+' | sort -u
}

# shellcheck disable=SC2046 # words are meant to be split
analyse()
{
	each gcc $(flags) -O2 -fanalyzer -Werror -S -o /dev/null -- "$@"
}

# With several files at a time its checker of va_list is misled.
# shellcheck disable=SC2016 # the inner shell's
# shellcheck disable=SC2046 # words are meant to be split
tidy()
{
	each bash -c 'clang-tidy --quiet "${@: -1}" -- "${@:1:$#-1}"' tidy \
	    $(flags) -- "$@" 2>&1 | sed '/warnings\? generated\.$/d'
	((PIPESTATUS[0] == 0))
}

# Its "style" is left out: KNF has another.
cpp()
{
	cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --force \
	    --enable=warning,performance,portability \
	    -D__SIZEOF_INT128__=16 -Ilib -Icmd/cb-daemon -Icmd/cb-now \
	    -Icmd/cb-status -j "$(nproc)" "$@"
}

# Every file that a shell reads.
shell_files()
{
	printf '%s\n' dist/completion/*.bash
	grep -rlE --exclude='*.[cho]' \
	    '^(#!.*[ /](sh|bash|bats|openrc-run)|# shellcheck shell=.*)$' \
	    .ci dist tests
}

@test "gcc's analyser finds nothing" {
	analyse lib/*.c cmd/*/*.c tests/*/*.c
}

@test "clang-tidy finds nothing in the library and the programs" {
	tidy lib/*.c cmd/*/*.c
}

@test "cppcheck finds nothing" {
	cpp lib cmd tests
}

@test "shellcheck finds nothing" {
	mapfile -t files < <(shell_files)
	((${#files[@]} > 40))
	shellcheck -x "${files[@]}"
	for script in dist/openrc/* dist/freebsd/*; do
		sh -n "$script"
	done
}

@test "gcc's analyser finds memory that was not given" {
	plant 'char *f(void);' \
	    'char *f(void) { char *p = malloc(8); *p = 1; return p; }'
	run ! analyse "$DIR/fault.c"
	[[ $output == *-Werror=analyzer-possible-null-dereference* ]]
}

@test "clang-tidy finds a size that is a pointer's" {
	cp .clang-tidy "$DIR"
	plant 'int f(const char *s);' \
	    'int f(const char *s) { return s[sizeof(s) / sizeof(s[0]) - 1]; }'
	run ! tidy "$DIR/fault.c"
	[[ $output == *bugprone-sizeof-expression* ]]
}

@test "cppcheck finds an index beyond its array" {
	plant 'int f(void);' \
	    'int f(void) { int a[4] = { 0 }; return a[4]; }'
	run ! cpp "$DIR/fault.c"
	[[ $output == *arrayIndexOutOfBounds* ]]
}

@test "shellcheck finds a word that is split" {
	echo "rm \$1/file" >"$DIR/fault.sh"
	run ! shellcheck -s sh "$DIR/fault.sh"
	[[ $output == *SC2086* ]]
}
