#!/bin/sh
# SPDX-License-Identifier: MIT
# thpctl on the settings of this very machine, which are saved before and put back after. Needs root and
# a kernel whose settings can be written. Does nothing where thpd has been at work in this boot.
set -u
LC_ALL=C
export LC_ALL

# shellcheck source=tests/lib.sh
. "${srcdir:?}/tests/lib.sh"

thp=/sys/kernel/mm/transparent_hugepage
state=/run/thpd
name="the settings of this machine"

# value FILE: the selected word, or the number
value() {
	sed 's/.*\[\(.*\)\].*/\1/' "$thp/$1" 2>/dev/null
}

# put FILE VALUE; builtins of the shell, for one write(2)
put() {
	printf '%s' "$2" 2>/dev/null >"$thp/$1"
}

[ "$(id -u)" = 0 ] || unfit "needs root"
[ -d "$thp" ] || unfit "this kernel has no transparent huge pages"
put enabled "$(value enabled)" || unfit "$thp cannot be written"
if [ -e "$state/original.json" ]; then
	fail "$name" "$state/original.json exists: thpd has changed settings in this boot, which" \
		"a test must not undo. Put them back first (thpctl restore), or restart the machine."
	finish
fi

cd "$tmp" || exit 1
(cd "$thp" && find . -type f -perm -u+w | sed 's|^\./||' | sort) >keys
while read -r key; do
	echo "$key $(value "$key")"
done <keys >saved

made_state=
[ -d "$state" ] || made_state=1

# Several times, for one file may stand in another's way.
put_back() {
	for _ in 1 2 3 4; do
		again=
		while read -r key saved; do
			[ "$(value "$key")" = "$saved" ] || put "$key" "$saved" || again=1
		done <"$tmp/saved"
		[ -n "$again" ] || break
	done
	if [ -n "$made_state" ]; then
		rm -rf "$state"
	else
		rm -f "$state/original.json" "$state"/.original.json.*
	fi
}
trap 'wait; put_back; rm -rf "$tmp"' EXIT
trap 'exit 129' HUP

snapshot() {
	(cd "$thp" && while read -r key; do
		echo "$key: $(cat "$key")"
	done) <keys
}
snapshot >before

# A value for each file that differs from the present one: KEY VALUE. deny and force are for tests of
# the kernel, and stand in the way of others.
pmd_pages=$(($(cat $thp/hpage_pmd_size) / $(getconf PAGESIZE)))
while read -r key now; do
	case $key in
	use_zero_page | shrink_underused | khugepaged/defrag)
		echo "$key $((1 - now))"
		;;
	khugepaged/max_ptes_*)
		echo "$key $((now > 0 ? now - 1 : now + 1))"
		;;
	khugepaged/*)
		echo "$key $((now + 1))"
		;;
	*)
		for word in $(tr -d '[]' <"$thp/$key"); do
			case $word in
			"$now" | deny | force)
				;;
			*)
				echo "$key $word"
				break
				;;
			esac
		done
		;;
	esac
done <saved >wanted

# policy <KEYS-AND-VALUES >FILE: a role of its own, that this machine's real role does not matter
policy() {
	echo "role 'test' {"
	while read -r key word; do
		case $key in
		khugepaged/*)
			echo "    $key = '$word'" >>khugepaged
			;;
		hugepages-*)
			size=${key%%/*}
			echo "        ${key#*/} = '$word'" >>"size-${size#hugepages-}"
			;;
		*)
			echo "    $key = '$word'"
			;;
		esac
	done
	if [ -e khugepaged ]; then
		echo "    khugepaged {"
		sed 's|khugepaged/|    |' khugepaged
		echo "    }"
	fi
	for f in size-*; do
		[ -e "$f" ] || continue
		echo "    anon '${f#size-}' {"
		cat "$f"
		echo "    }"
	done
	echo "}"
	rm -f khugepaged size-*
}
policy <wanted >policy.conf
policy <saved >saved.conf
n=$(wc -l <wanted | tr -d ' ')
total=$(wc -l <keys | tr -d ' ')

ctl() {
	timeout 60 "$THPCTL" --role test --policy "$@"
}

outcome() {
	grep -c "^      \"outcome\": \"$1\"" out
}

unchanged() {
	snapshot >now
	check "$1" diff before now
}

# holds NAME FILE: every setting has the value that FILE says, as the shell reads it
holds() {
	while read -r key word; do
		[ "$(value "$key")" = "$word" ] || echo "$key: $(value "$key") instead of $word"
	done <"$2" >wrong
	if [ -s wrong ]; then
		fail "$1" "$(cat wrong)"
	else
		pass "$1"
	fi
}

# restored NAME: restore puts everything back, and forgets
restored() {
	exits "$1: restore" 0 "$THPCTL" restore
	unchanged "$1: every file is as before"
	check "$1: nothing is left saved" test ! -e $state/original.json
}

# --- everything, once
is "nearly every file can have another value" "$((n >= total - 1 && n >= 5))" 1
exits "plan" 1 ctl policy.conf --json plan
is "plan announces every file" "$(outcome drifted)" "$n"
unchanged "plan changes nothing"
exits "apply" 0 ctl policy.conf --json apply
is "apply: every file is changed" "$(outcome changed)" "$n"
holds "apply: every file holds it" wanted
exits "verify" 0 ctl policy.conf --json verify
is "verify: every file is ok" "$(outcome ok)" "$n"
exits "second apply" 0 ctl policy.conf --json apply
is "second apply: every file is ok" "$(outcome ok) $(outcome changed)" "$n 0"
is "the originals are saved, root alone can write them" \
	"$(stat -c '%U %A' $state/original.json)" "root -rw-r--r--"
is "all of them" "$(grep -c '^    "' $state/original.json)" "$n"

# --- three go astray
: >astray
for key in enabled khugepaged/pages_to_scan khugepaged/scan_sleep_millisecs; do
	was=$(sed -n "s|^$key ||p" saved)
	echo "$was" >$thp/$key
	echo "$key $(sed -n "s|^$key ||p" wanted) $was drifted" >>astray
done
exits "verify finds drift" 1 ctl policy.conf --json verify
sed -n -e 's/^      "key": "\(.*\)",$/\1/p' -e 's/^      "wanted": "\(.*\)",$/\1/p' \
	-e 's/^      "found": "\(.*\)",$/\1/p' -e 's/^      "outcome": "\(.*\)",$/\1/p' out |
	paste -d ' ' - - - - | grep -v ' ok$' >found
check "exactly these three, with what is found and wanted" diff astray found
snapshot >astray.before
exits "verify again" 1 ctl policy.conf verify
is "in text: three lines" "$(grep -c ' drifted ' out)" 3
snapshot >now
check "verify repairs nothing" diff astray.before now
exits "apply repairs" 0 ctl policy.conf --json apply
is "exactly three" "$(outcome changed) $(outcome ok)" "3 $((n - 3))"
holds "every file holds it again" wanted
restored "after drift"
exits "restore again" 0 "$THPCTL" restore
is "has nothing to do" "$(grep -c '^nothing to restore' out)" 1

# --- what the kernel would refuse
# refused NAME LINE TEXT: plan and apply name file and line, exit 2 and leave everything alone
refused() {
	printf '%s\n' "role 'test' {" "    enabled = $(sed -n 's/^enabled //p' wanted)" "    $3" "}" >refused.conf
	for verb in plan apply; do
		exits "$1: $verb" 2 ctl refused.conf $verb
		check "$1: $verb names the line" grep -q "^refused.conf:3: error: .*$2" err
	done
	unchanged "$1: nothing was changed"
	check "$1: nothing was saved" test ! -e $state/original.json
}
refused "a number too large for the kernel" max_ptes_none "khugepaged { max_ptes_none = $pmd_pages }"
refused "a number that the kernel refuses" pages_to_scan "khugepaged { pages_to_scan = 0 }"
refused "a word that nobody knows" defrag "defrag = sometimes"

# --- at the same time
parallel=1
while [ $parallel -le 20 ]; do
	(
		status=0
		ctl policy.conf --json apply >"parallel.$parallel" 2>&1 || status=$?
		echo "$status" >>statuses
	) &
	parallel=$((parallel + 1))
done
wait
is "20 at the same time: all succeed" "$(sort statuses | uniq -c | tr -d ' ')" 200
is "one of them changes each file" "$(cat parallel.* | grep -c '^      "outcome": "changed"')" "$n"
holds "20 at the same time: every file holds it" wanted
is "20 at the same time: the first values are saved" "$(grep -c '^    "' $state/original.json)" "$n"

rm -f statuses parallel.*
parallel=1
while [ $parallel -le 20 ]; do
	(
		status=0
		if [ $((parallel % 2)) = 0 ]; then
			ctl policy.conf --json apply >"parallel.$parallel" 2>&1 || status=$?
		else
			ctl saved.conf --json apply >"parallel.$parallel" 2>&1 || status=$?
		fi
		echo "$status" >>statuses
	) &
	parallel=$((parallel + 1))
done
wait
is "two policies at the same time: all succeed" "$(sort statuses | uniq -c | tr -d ' ')" 200
is "two policies at the same time: each is applied whole" \
	"$(cat parallel.* | grep '^      "outcome": ' | grep -vc '"changed"\|"ok"')" 0
run 0 ctl policy.conf --json verify || true
new=$(outcome ok)
run 0 ctl saved.conf --json verify || true
old=$((total - $(outcome ok)))
is "two policies at the same time: the end is one of them, not a mixture" "$new" "$old"
check "namely one of them" test "$new" = 0 -o "$new" = "$n"
restored "at the same time"

# --- killed
# The moment is looked for in steps of its own, round about the end of a run, where it writes: later
# after each run that was killed, earlier after each that was not; every third run anywhere before.
killed=0
partly=0
lost=
run=1
moment=200
found_end=
while [ $run -le 50 ]; do
	at=$moment
	[ -z "$found_end" ] || [ $((run % 3)) != 0 ] || at=$((moment * (run % 17) / 17 + 1))
	status=0
	# In a shell of its own, because this one would talk about it.
	sh -c 'timeout -s KILL "$@"; exit $?' sh "$(printf '%d.%06d' $((at / 1000000)) $((at % 1000000)))" \
		"$THPCTL" --role test --policy policy.conf apply >out 2>err || status=$?
	[ "$status" != 137 ] || killed=$((killed + 1))
	if [ $at != $moment ]; then
		:
	elif [ "$status" != 137 ]; then
		found_end=1
		moment=$((moment - moment / 16 - 1))
	elif [ -n "$found_end" ]; then
		moment=$((moment + moment / 16 + 1))
	else
		moment=$((moment * 2))
	fi
	snapshot >now
	changed=$(diff before now | grep -c '^>')
	if [ "$changed" -gt 0 ] && [ "$changed" -lt "$n" ]; then
		partly=$((partly + 1))
	fi
	"$THPCTL" restore >out 2>err || lost="$lost; run $run: restore exits $?: $(cat err)"
	snapshot >now
	cmp -s before now || lost="$lost; run $run: $(diff before now | tr '\n' ' ')"
	run=$((run + 1))
done
echo "# of 50 runs $killed were killed, $partly of them in the middle of writing"
is "killed at any moment: restore brings everything back" "$(echo "$lost" | head -c 500)" ""
if [ "$killed" = 0 ]; then
	fail "killed at any moment: some were killed"
else
	pass "killed at any moment: some were killed"
fi
restored "after the kills"

# --- no place to print to: what is opened must not be taken for it
exits "apply without standard output" 1 sh -c 'exec "$@" >&-' sh "$THPCTL" --role test --policy policy.conf apply
is "the lock stays empty" "$(wc -c <$state/lock | tr -d ' ')" 0
restored "without standard output"

# --- in namespaces of its own: /sys cannot be written, /run cannot
# inside SCRIPT: a shell with private mounts, $@ being the way to call thpctl
# shellcheck disable=SC2317 # called by way of run
inside() {
	timeout 60 unshare -m --propagation private sh -c "$1" sh "$THPCTL" --role test --policy policy.conf
}
if run 0 inside 'mount -t tmpfs tmpfs /mnt'; then
	# shellcheck disable=SC2016 # the inner shell's
	exits "/sys read-only: apply" 1 inside \
		'mount --bind /sys /sys && mount -o remount,bind,ro /sys && "$@" --json apply'
	is "/sys read-only: every file is denied" "$(outcome denied)" "$n"
	unchanged "/sys read-only: nothing was changed"
	# shellcheck disable=SC2016
	exits "/sys read-only: doctor" 1 inside \
		'mount --bind /sys /sys && mount -o remount,bind,ro /sys && "$@" doctor'
	is "/sys read-only: doctor says so" "$(grep -c 'cannot be written even by root: Read-only' out)" 1
	restored "/sys read-only"

	# shellcheck disable=SC2016
	exits "/run full: apply" 2 inside 'mount -t tmpfs -o size=4k tmpfs /run
		dd if=/dev/zero of=/run/fill bs=4k count=1 2>/dev/null
		"$@" apply && exit 0
		status=$?
		test ! -e /run/thpd/original.json && ! ls /run/thpd/.original* && exit $status'
	check "/run full: it says so" grep -q 'cannot be saved, nothing was changed: No space left' err
	unchanged "/run full: nothing was changed"
	# shellcheck disable=SC2016
	exits "/run read-only: apply" 2 inside 'mount -t tmpfs -o ro tmpfs /run && "$@" apply'
	check "/run read-only: it says so" grep -q 'nothing was changed' err
	unchanged "/run read-only: nothing was changed"
	# shellcheck disable=SC2016
	exits "/run read-only: verify needs it not" 1 inside 'mount -t tmpfs -o ro tmpfs /run && "$@" verify'
	# shellcheck disable=SC2016
	exits "no state directory: apply" 2 inside 'mount -t tmpfs tmpfs /run
		ln -s nowhere /run/thpd && "$@" apply'
	unchanged "no state directory: nothing was changed"
elif [ "${CI:-}" = true ]; then
	fail "read-only and full file systems" "$run_detail"
else
	skip "read-only and full file systems" "needs unshare -m"
fi

put_back
unchanged "in the end everything is as before"
finish
