# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# What sanitizers report goes to files, whoever it is that has done it, and
# whoever reads what that prints.  One file is a failure.

setup_suite()
{
	export ASAN_OPTIONS=log_path=$CB_REPORTS/asan:detect_leaks=1
	export UBSAN_OPTIONS=log_path=$CB_REPORTS/ubsan:print_stacktrace=1
	ASAN_OPTIONS+=:detect_stack_use_after_return=1:handle_sigill=1
}

teardown_suite()
{
	local report reports=("${CB_REPORTS:?}"/*)

	[[ -e ${reports[0]} ]] || return 0
	for report in "${reports[@]}"; do
		cat "$report"
	done
	return 1
}
