#!/bin/sh
# SPDX-License-Identifier: MIT
# Manual pages and completions: well-formed, and in step with what thpctl and the policy know.
# Environment: THPCTL (default ./thpctl), THPD_KEYS (the policy's keys; default: those in
# src/policy/policy-keys.c), CI=true (a missing mandoc or bash is a failure). Prints TAP.

set -u
LC_ALL=C
export LC_ALL

THPCTL=${THPCTL:-./thpctl}
case $THPCTL in
/*) ;;
*) THPCTL=$PWD/$THPCTL ;;
esac
cd "$(dirname "$0")/.." || exit 1

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

n=0
failed=0

ok() {
	n=$((n + 1))
	echo "ok $n - $1"
}

not_ok() {
	n=$((n + 1))
	failed=1
	echo "not ok $n - $1"
}

skip() {
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

# Skips $1 because of $2, which must not happen where CI=true.
skip_unless_ci() {
	if [ "${CI:-}" = true ]; then
		not_ok "$1"
		echo "# $2"
	else
		skip "$1" "$2"
	fi
}

# $1: ok if the file $2 is empty; else its lines are what is wrong.
check_empty() {
	if [ -s "$2" ]; then
		not_ok "$1"
		sed 's/^/# /' "$2"
	else
		ok "$1"
	fi
}

# $1: ok if the sorted list $2 has something, and all of it is in the sorted list $3.
check_subset() {
	if [ -s "$2" ]; then
		comm -23 "$2" "$3" | sed 's/^/missing: /' >"$tmp/missing"
	else
		echo 'nothing found to compare' >"$tmp/missing"
	fi
	check_empty "$1" "$tmp/missing"
}

# Options among the words of the standard input, one a line, sorted.
option_words() {
	tr -c 'a-zA-Z-' '[\n*]' | grep -E '^(-[a-zA-Z]|--[a-z][a-z-]*)$' | sort -u
}

# --- the pages are well-formed

for page in man/*.[1-9]; do
	if ! command -v mandoc >/dev/null; then
		skip_unless_ci "$page: mandoc lint" 'mandoc is not installed'
		continue
	fi
	mandoc -T lint -W warning "$page" >"$tmp/lint" 2>&1
	status=$?
	[ "$status" -eq 0 ] || echo "mandoc: exit status $status" >>"$tmp/lint"
	check_empty "$page: mandoc lint" "$tmp/lint"
done

# --- the pages that units name are there

grep -h '^Documentation=' units/* | tr ' =' '\n\n' | sed -n 's/^man:\(.*\)(\([1-9]\))$/\1.\2/p' |
	sort -u >"$tmp/unit-pages"
(cd man && ls) | sort >"$tmp/pages"
check_subset 'the pages that units name are there' "$tmp/unit-pages" "$tmp/pages"

# --- what thpctl knows: verbs and options in the left column of --help

if "$THPCTL" --help >"$tmp/help" 2>"$tmp/help.err"; then
	ok 'thpctl --help'
else
	not_ok 'thpctl --help'
	sed 's/^/# /' "$tmp/help.err"
fi
sed -n 's/^  *\([^ ].*\)$/\1/p' "$tmp/help" | sed 's/   *.*//' >"$tmp/left"
sed -n 's/^  \([a-z][a-z-]*\).*/\1/p' "$tmp/help" | grep -vx thpctl | sort -u >"$tmp/verbs"
option_words <"$tmp/left" >"$tmp/options"

# --- thpctl(8): verbs are ".It Cm VERB" in the subsection Verbs, options ".It Fl q , \-quiet"

sed -n '/^\.Ss Verbs/,/^\.Sh/s/^\.It Cm \([a-z-]*\).*/\1/p' man/thpctl.8 |
	sort -u >"$tmp/man-verbs"
sed -n 's/\\-/-/g; s/^\.It Fl //p' man/thpctl.8 | awk '{
	for (i = 1; i <= NF && $i != "Ar" && $i != "Ns"; i++)
		if ($i != ",")
			print "-" $i
}' | sort -u >"$tmp/man-options"

check_subset 'thpctl(8) has every verb' "$tmp/verbs" "$tmp/man-verbs"
check_subset 'thpctl(8) has every option' "$tmp/options" "$tmp/man-options"
check_subset 'thpctl(8) has no verb that thpctl does not know' "$tmp/man-verbs" "$tmp/verbs"
check_subset 'thpctl(8) has no option that thpctl does not know' "$tmp/man-options" "$tmp/options"

# --- thpd.conf(5): every key is an ".It Cm KEY"

if [ -n "${THPD_KEYS:-}" ]; then
	# shellcheck disable=SC2086 # a list of words
	printf '%s\n' $THPD_KEYS
else
	sed -n 's/^[[:space:]]*{ "\([a-z_]*\)",.*/\1/p' src/policy/policy-keys.c
fi | sort -u >"$tmp/keys"
sed -n 's/^\.It Cm \([a-z_]*\).*/\1/p' man/thpd.conf.5 | sort -u >"$tmp/man-keys"
sed -n 's/^\.It Cm \([a-z_]*\) No =.*/\1/p' man/thpd.conf.5 | sort -u >"$tmp/man-set"

check_subset 'thpd.conf(5) has every key' "$tmp/keys" "$tmp/man-keys"
check_subset 'thpd.conf(5) has no key that the policy does not know' "$tmp/man-set" "$tmp/keys"

# --- completion for zsh

zsh_file=completions/zsh/_thpctl
sed -n '/verbs=(/,/^[[:space:]]*)/s/^[[:space:]]*.\([a-z-]*\):.*/\1/p' "$zsh_file" |
	sort -u >"$tmp/zsh-verbs"
sed -n "s/^[[:space:]]*'\([^[]*\)\[.*/\1/p" "$zsh_file" | option_words >"$tmp/zsh-options"

check_subset 'zsh completes every verb' "$tmp/verbs" "$tmp/zsh-verbs"
check_subset 'zsh completes every option' "$tmp/options" "$tmp/zsh-options"
check_subset 'zsh completes no verb that thpctl does not know' "$tmp/zsh-verbs" "$tmp/verbs"
check_subset 'zsh completes no option that thpctl does not know' "$tmp/zsh-options" "$tmp/options"
if command -v zsh >/dev/null; then
	zsh -n "$zsh_file" >"$tmp/zsh-n" 2>&1 || echo 'zsh -n failed' >>"$tmp/zsh-n"
	check_empty 'zsh accepts the syntax' "$tmp/zsh-n"
else
	skip 'zsh accepts the syntax' 'zsh is not installed'
fi

# --- thpd: its options are in its page and completions, and no others

sed -n 's/\\-/-/g; s/^\.It Fl //p' man/thpd.8 | awk '{
	for (i = 1; i <= NF && $i != "Ar" && $i != "Ns"; i++)
		if ($i != ",")
			print "-" $i
}' | sort -u >"$tmp/thpd-options"
sed -n "s/^[[:space:]]*'\([^[]*\)\[.*/\1/p" completions/zsh/_thpd | tr -d '()' |
	option_words >"$tmp/zsh-options"
check_subset 'zsh completes every option of thpd' "$tmp/thpd-options" "$tmp/zsh-options"
check_subset 'zsh completes no option that thpd does not have' "$tmp/zsh-options" \
	"$tmp/thpd-options"
THPD=${THPD:-${THPCTL%/*}/thpd}
if [ -x "$THPD" ]; then
	"$THPD" --help 2>&1 | sed -n 's/^  *\(-.*\)$/\1/p' | sed 's/   *.*//' | option_words \
		>"$tmp/thpd-help"
	check_subset 'thpd(8) has every option' "$tmp/thpd-help" "$tmp/thpd-options"
	check_subset 'thpd(8) has no option that thpd does not have' "$tmp/thpd-options" \
		"$tmp/thpd-help"
fi

# --- completion for bash, run

finish() {
	echo "1..$n"
	exit "$failed"
}

if ! command -v bash >/dev/null; then
	skip_unless_ci 'bash completion' 'bash is not installed'
	finish
fi

# Prints what bash offers for the last of the words, one a line. $prelude is run before.
prelude=
program=thpctl
complete_words() {
	# shellcheck disable=SC2016 # for bash
	PRELUDE=$prelude PROGRAM=$program bash --noprofile --norc -c '
		eval "$PRELUDE"
		. "$1" || exit
		shift
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*"
		COMP_POINT=${#COMP_LINE}
		"$(complete -p "$PROGRAM" | sed "s/.*-F \([^ ]*\).*/\1/")"
		[ ${#COMPREPLY[@]} -eq 0 ] || printf "%s\n" "${COMPREPLY[@]}"
	' bash "completions/bash/$program" "$@" 2>&1
}

# $1: what is shown, $2: what is expected (sorted, with spaces between), then the words.
check_complete() {
	title="bash: $1"
	expected=$2
	shift 2
	got=$(complete_words "$@" | sort | tr '\n' ' ')
	if [ "${got% }" = "$expected" ]; then
		ok "$title"
	else
		not_ok "$title"
		echo "# words:    $*"
		echo "# expected: $expected"
		echo "# got:      ${got% }"
	fi
}

complete_words thpctl '' | sort -u >"$tmp/bash-verbs"
{
	complete_words thpctl -
	complete_words thpctl exec -
	complete_words thpctl status -
	complete_words thpctl reclaim -
} | sed 's/=$//' | sort -u >"$tmp/bash-options"

check_subset 'bash completes every verb' "$tmp/verbs" "$tmp/bash-verbs"
check_subset 'bash completes every option' "$tmp/options" "$tmp/bash-options"
check_subset 'bash completes no verb that thpctl does not know' "$tmp/bash-verbs" "$tmp/verbs"
check_subset 'bash completes no option that thpctl does not know' "$tmp/bash-options" \
	"$tmp/options"

root=$tmp/root
mkdir -p "$root/etc/thpd/roles" "$root/run/thpd/roles" "$root/usr/lib/thpd/roles" \
	"$root/etc/thpd/conf.d" "$tmp/bin"
touch "$root/etc/thpd/thpd.conf" "$root/usr/lib/thpd/roles/cache.conf" \
	"$root/usr/lib/thpd/roles/cluster.conf" "$root/usr/lib/thpd/roles/masked.conf" \
	"$root/run/thpd/roles/today.conf" "$root/etc/thpd/roles/cache.conf" \
	"$root/etc/thpd/roles/README"
ln -s /dev/null "$root/etc/thpd/roles/masked.conf"
printf '#!/bin/sh\n' >"$tmp/bin/thpd-sample-command"
chmod +x "$tmp/bin/thpd-sample-command"
PATH=$PATH:$tmp/bin

check_complete 'a verb' restore thpctl res
check_complete 'verbs that begin alike' 'reclaim restore' thpctl re
check_complete 'a verb behind options' plan thpctl --json --role cache -q pl
check_complete 'nothing behind a verb without arguments' '' thpctl plan ''
check_complete 'an option behind the verb' --json thpctl verify --j
check_complete 'roles, masked ones left out' 'cache cluster today' \
	thpctl --root "$root" --role ''
check_complete 'a role, --root and --role with =' 'cache cluster' \
	thpctl --root = "$root" plan --role = c
check_complete 'a role, = not splitting words' --role=today \
	thpctl "--root=$root" --role=t
check_complete 'directories for --root' "$root/etc $root/run $root/usr" thpctl --root "$root/"
check_complete 'no files for --root' '' thpctl --root "$root/etc/thpd/th"
check_complete 'files for --policy' "$root/etc/thpd/thpd.conf" \
	thpctl --policy "$root/etc/thpd/th"
check_complete 'files for check' "$root/etc/thpd/thpd.conf" thpctl check "$root/etc/thpd/th"
check_complete 'files for check below --root' '/etc/thpd/conf.d/' \
	thpctl --root "$root" check /etc/thpd/c
check_complete '--thp' --thp= thpctl exec --t
check_complete 'no --thp but for exec' '' thpctl apply --t
check_complete '--unit' --unit= thpctl status --u
check_complete '--max-rate' --max-rate= thpctl reclaim --max
check_complete 'no option of another verb' '' thpctl status --dry
check_complete 'a process' $$ thpctl reclaim --pid = $$
check_complete 'no rates' '' thpctl reclaim --max-rate = 1
check_complete 'modes' 'disable inherit madvise system' thpctl exec --thp =
check_complete 'a mode' madvise thpctl exec --thp = m
check_complete 'a command' thpd-sample-command thpctl exec thpd-sample
check_complete 'a command behind --' thpd-sample-command thpctl exec --thp = disable -- thpd-sample
check_complete 'no options of ours behind the command' '' thpctl exec thpd-sample-command --js
check_complete 'files behind the command' "$root/etc" thpctl exec thpd-sample-command "$root/e"
# shellcheck disable=SC2034 # used by complete_words
prelude='systemctl() { printf "%s\n" "redis-server.service loaded active running x" "cron.service loaded"; }'
check_complete 'units' 'cron.service redis-server.service' thpctl reclaim ''
check_complete 'a unit' redis-server.service thpctl reclaim r
check_complete 'a unit for --unit' cron.service thpctl status --unit = c
check_complete 'a unit, = not splitting words' --unit=cron.service thpctl status --unit=cr
# shellcheck disable=SC2034
prelude='systemctl() { return 1; }'
check_complete 'no units without systemd' '' thpctl reclaim ''
for helper in _command_offset _comp_command_offset; do
	# shellcheck disable=SC2034 # used by complete_words
	prelude="$helper() { COMPREPLY=(\"word \$1\"); }"
	check_complete "a command with $helper" 'word 5' thpctl exec --thp = madvise cmd --js
done

program=thpd
prelude=
complete_words thpd - | sort -u >"$tmp/bash-options"
check_subset 'bash completes every option of thpd' "$tmp/thpd-options" "$tmp/bash-options"
check_subset 'bash completes no option that thpd does not have' "$tmp/bash-options" \
	"$tmp/thpd-options"
check_complete 'thpd: an option' --reload thpd --re
check_complete 'thpd: files for --policy' "$root/etc/thpd/thpd.conf" \
	thpd --policy "$root/etc/thpd/th"
check_complete 'thpd: files for --policy, with =' "$root/etc/thpd/thpd.conf" \
	thpd --policy = "$root/etc/thpd/th"
check_complete 'thpd: = not splitting words' "--policy=$root/etc/thpd/thpd.conf" \
	thpd "--policy=$root/etc/thpd/th"

finish
