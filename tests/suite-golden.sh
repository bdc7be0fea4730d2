#!/bin/sh
# SPDX-License-Identifier: MIT
# What every fixture host is told, word for word: tests/fixtures/golden/HOST.VERB.txt holds standard
# output, standard error and exit status, HOST.plan.json the plan for programs. UPDATE_GOLDEN=1 writes
# these files anew; read them before they are kept. Then apply and restore on a copy of each host.
set -u
LC_ALL=C
export LC_ALL

# shellcheck source=tests/lib.sh
. "${srcdir:?}/tests/lib.sh"

hosts=$srcdir/tests/fixtures/hosts
golden=$srcdir/tests/fixtures/golden
if [ -n "${UPDATE_GOLDEN:-}" ]; then
	mkdir -p "$golden"
fi
# The copies stand below the current directory, so that no other path can be in what is printed.
cd "$tmp" || exit 1

# thpctl_text VERB: what thpctl prints for $host, with the exit status
thpctl_text() {
	run 0 timeout 20 "$THPCTL" --root "$host" "$@" || true
	cat "$tmp/out"
	echo '-- stderr'
	cat "$tmp/err"
	echo "-- exit $run_status"
}

# compare NAME: holds ./now against the golden file of that name, or becomes it
compare() {
	if [ -n "${UPDATE_GOLDEN:-}" ]; then
		cp now "$golden/$1"
	fi
	if [ ! -e "$golden/$1" ]; then
		fail "$1" "no such golden file; UPDATE_GOLDEN=1 writes it"
	elif cmp -s "$golden/$1" now; then
		pass "$1"
	else
		fail "$1" "$(diff -u "$golden/$1" now)"
	fi
}

# outcome NAME: how many settings of the report in $tmp/out have this outcome
outcome() {
	sed -n '/^  "settings": \[/,/^  \]/p' "${2:-$tmp/out}" | grep -c "\"outcome\": \"$1\""
}

count=0
for dir in "$hosts"/*/; do
	host=$(basename "$dir")
	count=$((count + 1))
	copy_host "$host" "$host"
	# A host has /run; a fixture that holds nothing there has not.
	mkdir -p "$host/run"
	cp -R "$host" "$host.before"

	for verb in plan status verify doctor; do
		thpctl_text "$verb" >now
		compare "$host.$verb.txt"
	done
	run 0 "$THPCTL" --root "$host" --json plan || true
	sed -e 's/^\(  "version": \)".*"/\1"VERSION"/' -e 's/^\(  "root": \)".*"/\1"ROOT"/' \
		"$tmp/out" >now
	compare "$host.plan.json"
	check "$host: looking changes nothing" diff -r --no-dereference "$host.before" "$host"

	case $host in
	nothp-*)
		# Nothing can be set, and `missing = warn` says that this is fine.
		wanted_changed=0
		;;
	*)
		wanted_changed=$(outcome drifted now)
		[ "$wanted_changed" -gt 0 ] || fail "$host: has something to change"
		;;
	esac
	# The processes of a tree are nobody's here: what they have drifted from stays so.
	rest=0
	case $host in
	*-services) rest=1 ;;
	esac
	check "$host: apply" run $rest "$THPCTL" --root "$host" --json apply
	is "$host: apply changes what plan announced" "$(outcome changed)" "$wanted_changed"
	if [ "$(outcome changed)$(outcome ok)" != 00 ]; then
		check "$host: the values from before are saved" test -s "$host/run/thpd/original.json"
	fi
	check "$host: verify is content" run $rest "$THPCTL" --root "$host" --json verify
	is "$host: verify finds nothing drifted" "$(outcome drifted)" 0
	cp -R "$host" "$host.applied"
	check "$host: plan has nothing to change" run $rest "$THPCTL" --root "$host" plan
	check "$host: second apply" run $rest "$THPCTL" --root "$host" --json apply
	is "$host: second apply: nothing changed" "$(outcome changed)" 0
	check "$host: second apply leaves every file" diff -r --no-dereference "$host.applied" "$host"
	check "$host: restore" run 0 "$THPCTL" --root "$host" --json restore
	is "$host: restore puts back as many" "$(outcome changed)" "$wanted_changed"
	check "$host: original.json is gone" test ! -e "$host/run/thpd/original.json"
	rm -f "$host/run/thpd/lock"
	if [ -d "$host/run/thpd" ]; then
		rmdir "$host/run/thpd"
	fi
	check "$host: everything is as before" diff -r --no-dereference "$host.before" "$host"
	thpctl_text plan >now
	check "$host: plan says what it said at first" cmp "$golden/$host.plan.txt" now
	check "$host: restore again" run 0 "$THPCTL" --root "$host" restore
	check "$host: has nothing to do" grep -q '^nothing to restore' "$tmp/out"
done
is "there are fixture hosts" "$((count >= 7))" 1

# Left over from a host that is no more, a golden file would be compared with nothing.
for f in "$golden"/*; do
	host=$(basename "$f")
	host=${host%.*}
	[ -d "$hosts/${host%.*}" ] || fail "$(basename "$f") belongs to a fixture host"
done

# What README.md in the fixtures says of the hosts, whatever the golden files say.
# says HOST VERB PATTERN: the golden file has a line that matches
says() {
	check "$1 $2: $3" grep -Eq "$3" "$golden/$1.$2.txt"
}
# silent HOST VERB PATTERN: it has none
silent() {
	if [ -e "$golden/$1.$2.txt" ] && ! grep -E "$3" "$golden/$1.$2.txt" >"$tmp/out"; then
		pass "$1 $2: not: $3"
	else
		fail "$1 $2: not: $3" "$(cat "$tmp/out")"
	fi
}
says rhel7-3.10 plan "^role +oracle \(hosts 'ora-db\*' in /etc/thpd/conf.d/50-site.conf"
says rhel7-3.10 plan '^khugepaged/max_ptes_swap +- +0 +absent'
says debian11-5.10 plan '^role +documents-old \(host_role in /etc/thpd/thpd.conf:2\)'
silent debian11-5.10 plan '^hugepages-'
says debian12-6.1 plan '^role +cache \(/etc/thpd/role\)'
says debian12-6.1 plan '^khugepaged/scan_sleep_millisecs .*/etc/thpd/conf.d/90-local.conf:3$'
says debian12-6.1 plan '^redis-server.service .* once .*/etc/thpd/conf.d/90-local.conf:4$'
says debian12-6.1 plan '^analytics@\*.service +inherit .*falls back to inherit$'
says debian13-6.12 plan '^role +hypervisor \(thpd.role='
silent debian13-6.12 plan '^hugepages-8kB/enabled'
says linux-6.18 plan '^role +analytics \(credential /run/credentials/@system/thpd.role\)'
silent linux-6.18 plan 'unused.conf|20-masked.conf|/usr/lib/thpd/thpd.conf|use_zero_page'
says linux-6.18 plan '^hugepages-64kB/enabled +never +-> +inherit .*/etc/thpd/conf.d/50-site.conf:2$'
says nothp-6.1 plan '^role +no role'
says nothp-6.1 plan 'warning: this kernel has no transparent huge pages'

c=conflicts-6.12
says $c doctor '^/proc/cmdline: warning: transparent_hugepage=never '
says $c doctor '^/proc/cmdline: warning: thp_anon=64K:always '
says $c doctor '^/etc/default/grub:4: warning: .*transparent_hugepage='
says $c doctor '^/etc/default/grub:4: warning: .*thp_anon='
says $c doctor '^/usr/lib/tuned/throughput-performance/tuned.conf:9: warning: '
says $c doctor '^/etc/sysfs.conf:4: warning: '
says $c doctor '^/etc/sysfs.d/thp.conf:1: warning: '
says $c doctor '^/etc/tmpfiles.d/thp.conf:3: warning: '
says $c doctor '^/etc/rc.local:4: warning: '
says $c doctor '^/etc/systemd/system/disable-thp.service:9: warning: '
says $c doctor '^/proc/sys/kernel/yama/ptrace_scope: warning: '
says $c doctor '^/sys/kernel/security/lockdown: warning: '
silent $c doctor '^/etc/sysfs.conf:[0-35-9]|^/etc/sysfs.d/thp.conf:[02-9]|^/etc/tmpfiles.d/thp.conf:[0-24-9]'
silent $c doctor 'balanced|busy.service|run.conf|basic.target.wants'
# The line that asks whether the file can be written writes nothing.
silent $c doctor '^/etc/rc.local:3: '
# One fact, one finding.
is "nothp-6.1 doctor: that there is no THP is said once" \
	"$(grep -c 'this kernel has no transparent huge pages' "$golden/nothp-6.1.doctor.txt")" 1

finish
