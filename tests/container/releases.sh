# SPDX-License-Identifier: MIT
# What the releases of Debian have of which the tests tell apart; sourced by what runs suites in them.
# shellcheck shell=sh

# at_least LEAST VERSION
at_least() {
	[ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

# of_release TREE systemd|linux VERSION: whether that is what the tree is taken for; what was kept from long
# ago, or has come since, may be something else
of_release() {
	case $1:$2:$3 in
	bookworm:systemd:252 | trixie:systemd:257 | bookworm:linux:6.1.* | trixie:linux:6.12.*) ;;
	forky:systemd:*) at_least 260 "$3" ;;
	forky:linux:*) at_least 6.18 "$3" ;;
	*) false ;;
	esac
}
