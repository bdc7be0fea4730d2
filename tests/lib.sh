# SPDX-License-Identifier: MIT
# What the shell suites share; sourced. Prints TAP.
# shellcheck shell=sh

: "${THPCTL:?the path of the thpctl to test}" "${srcdir:?the path of the source tree}"

tap_count=0
tap_failed=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
umask 022

# pass NAME
pass() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1"
}

# fail NAME [DETAIL...]
fail() {
	tap_count=$((tap_count + 1))
	tap_failed=$((tap_failed + 1))
	echo "not ok $tap_count - $1"
	shift
	for tap_detail; do
		printf '%s\n' "$tap_detail" | sed 's/^/# /'
	done
}

# skip NAME REASON; what this machine can run may not skip under CI
skip() {
	tap_count=$((tap_count + 1))
	echo "ok $tap_count - $1 # SKIP $2"
}

# cannot NAME REASON: a skip, which under CI must not be
cannot() {
	if [ "${CI:-}" = true ]; then
		fail "$1" "$2"
	else
		skip "$1" "$2"
	fi
}

# unfit REASON: ends the suite; under CI a machine is needed that can
unfit() {
	cannot "${0##*/}" "$1"
	finish
}

# check NAME COMMAND...: passes when the command succeeds
check() {
	check_name=$1
	shift
	if check_out=$("$@" 2>&1); then
		pass "$check_name"
	else
		fail "$check_name" "command: $*" "$check_out"
	fi
}

# is NAME FOUND WANTED
is() {
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		fail "$1" "wanted: $3" "found:  $2"
	fi
}

# run STATUS COMMAND...: leaves standard output in $tmp/out, standard error in $tmp/err, and in
# $run_detail what to say when something about them is wrong; succeeds when the exit status is STATUS
run() {
	run_wanted=$1
	shift
	run_status=0
	"$@" >"$tmp/out" 2>"$tmp/err" </dev/null || run_status=$?
	run_detail="command: $*
exit status $run_status, wanted $run_wanted
$(head -c 2000 "$tmp/out")
$(head -c 2000 "$tmp/err")"
	[ "$run_status" = "$run_wanted" ]
}

# exits NAME STATUS COMMAND...: passes when the exit status is STATUS; leaves what run leaves
exits() {
	exits_name=$1
	shift
	if run "$@"; then
		pass "$exits_name"
	else
		fail "$exits_name" "$run_detail"
	fi
}

# eventually COMMAND...: waits until it succeeds; false after 30 s, more where much is going on
eventually() {
	tries=600
	until "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.05
	done
}

# unprivileged COMMAND...: as nobody where we are root, else as we are
# shellcheck disable=SC2317 # called by way of run
unprivileged() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
	else
		"$@"
	fi
}

# plan at the end of a suite
finish() {
	echo "1..$tap_count"
	[ "$tap_failed" = 0 ]
	exit
}

# add_tap NAME STATUS TAP CONSOLE: the results of a suite that ran elsewhere, to those from before; a plan
# that was not kept is a failure, told with the end of what is in the files
add_tap() {
	add_plan=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$3")
	add_ran=$(grep -cE '^(not )?ok ' "$3")
	add_bad=$(grep -c '^not ok ' "$3")
	awk -v n="$tap_count" -v name="$1" '
		/^1\.\./ { next }
		/^(not )?ok / { sub(/ok [0-9]* - /, "ok " ++n " - " name ": ") }
		{ print }' "$3"
	tap_count=$((tap_count + add_ran))
	tap_failed=$((tap_failed + add_bad))
	if [ "$add_plan" != "$add_ran" ] || { [ "$2" != 0 ] && [ "$add_bad" = 0 ]; }; then
		fail "$1: comes to its end" "planned '$add_plan', ran $add_ran, exit status $2" \
			"$(tail -n 20 "$3")" "$(tail -n 20 "$4" | tr -d '\r')"
	fi
}

# copy_host NAME TO: a fixture host, as a tree that may be trusted. Its symbolic links are made here, for
# an archive made by `make dist` would have what they point to.
copy_host() {
	cp -R "$srcdir/tests/fixtures/hosts/$1" "$2" && chmod -R u+w,go-w "$2" &&
		while read -r link_host link_path link_target; do
			[ "$link_host" = "$1" ] || continue
			mkdir -p "$2/${link_path%/*}" && ln -s "$link_target" "$2/$link_path"
		done <"$srcdir/tests/fixtures/hosts/LINKS"
}
