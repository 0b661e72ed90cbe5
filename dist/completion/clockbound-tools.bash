# SPDX-License-Identifier: ISC
# shellcheck shell=bash
#
# Completion for bash: installed once for each program, by its name.  Options,
# commands and fields are what the program's --help says, so that this never
# knows less or more than the program itself.

# A line of an option begins with it, or with two and a comma.
_clockbound_options()
{
	local one='(-[[:alnum:]]|--[[:alnum:]-]+)'

	"$1" --help 2>/dev/null | sed -nE "s/^ +$one(, $one)?.*/\1 \3/p"
}

# Commands are in the usage, and a field has a line of its own.
_clockbound_operands()
{
	"$1" --help 2>/dev/null | sed -nE 's/^  ([a-z_]+)$/\1=/p
	    s/^(usage:)? +'"${1##*/}"' \[?([a-z]+).*/\2/p'
}

_clockbound_tools()
{
	local words

	case $3 in
	--trust) words="free-running synchronized" ;;
	--clock-error-bound-source) words="chrony chrony-tracking" ;;
	-i | --phc-interface)
		[[ $1 != *cb-daemon ]] || words=$(ls /sys/class/net) ;;
	-o | --output) words="table json openmetrics plugin" ;;
	esac
	if [[ -z ${words-} && $2 == -* ]]; then
		words=$(_clockbound_options "$1")
	elif [[ -z ${words-} ]]; then
		words=$(_clockbound_operands "$1")
	fi
	mapfile -t COMPREPLY < <(compgen -W "${words-}" -- "$2")
	[[ ${COMPREPLY[*]-} != *= ]] || compopt -o nospace
}

# Anything else is a file.
complete -o default -F _clockbound_tools cb-daemon cb-now cb-status cb-vmclock
