#!/bin/sh
# SPDX-License-Identifier: MIT
# Boots of hosts on which something is not as it should be: each comes to its end, what is wrong is named,
# and the units tell the truth. A boot looks at its own trouble and prepares the next one's.
# shellcheck source=tests/vm/inside.sh
. "${srcdir:?}/tests/vm/inside.sh"

# states: of the two units that are enabled, with their exit statuses
states() {
	for u in thpd-apply thpd; do
		echo "$u $(property $u ActiveState) $(property $u ExecMainStatus)"
	done | xargs
}
# booted TROUBLE: what is so in each of these boots
booted() {
	is "$1: the boot has come to its end" "$(systemctl is-active multi-user.target sysinit.target | xargs)" "active active"
	is "$1: no job hangs" "$(systemctl list-jobs --plain --no-legend |
		awk '$4 == "running" && $2 != "thpd-test.service"')" ""
	is "$1: a service that a rule is for runs" "$(systemctl is-active demo)" active
	echo "# $1: $(states)"
}
# said UNIT PATTERN: whether its journal has it, in this boot
said() {
	journalctl --sync
	journalctl -b --no-pager -o cat -u "$1" >"$tmp/said"
	grep -qE "$2" "$tmp/said"
}
says() {
	if said "$2" "$3"; then pass "$1"; else fail "$1" "no '$3' in:" "$(tail -n 20 "$tmp/said")"; fi
}
# rules LINE...: a policy with a setting and a rule; the rule is narrowed, so that systemd itself cannot
# do what it says
rules() {
	policy "$(printf '%s\n' "$@")
host {
	khugepaged { pages_to_scan = 1234 }
	service 'demo.service' { exe = '/srv/demo'  thp = ${mode:-disable} }
}"
}
# early NAME COMMAND: a unit that does it before thpd is started, and after the journal is, and has gone to
# the disk, which makes room in /run
early() {
	printf '%s\n' '[Unit]' DefaultDependencies=no After=systemd-journal-flush.service After=local-fs.target \
		Before=thpd-apply.service thpd.service thpd-helper.socket thpd-starts.socket \
		'[Service]' Type=oneshot RemainAfterExit=yes "ExecStart=/bin/sh -c '$2'" \
		'[Install]' WantedBy=sysinit.target >"/etc/systemd/system/early-$1.service"
	systemctl -q --no-reload enable "early-$1.service"
}
no_more() {
	systemctl -q --no-reload disable "early-$1.service"
}
demo_flag() {
	flag "$(pid_of demo)"
}
# newer MAJOR MINOR: whether the kernel is as new
newer() {
	uname -r | awk -F '[.-]' -v a="$1" -v b="$2" '{ exit !($1 > a || ($1 == a && $2 >= b)) }'
}

case $boot in
1)
	cp "$helpers/asker" /srv/demo
	printf '%s\n' '[Service]' 'ExecStart=/srv/demo sleep' '[Install]' WantedBy=multi-user.target \
		>/etc/systemd/system/demo.service
	check "enabled for the next boot" systemctl enable thpd-apply thpd demo
	mode=madvise rules
	next_boot
	;;
2)
	booted madvise
	if newer 6 18; then
		is "madvise: the kernel can do it" "$(states)" "thpd-apply active 0 thpd active 0"
		exits "madvise: verified" 0 thpctl verify
		check "madvise: the process has it" sh -c 'thpctl --json verify | grep -q except_advised'
	else
		is "madvise: an older kernel cannot, and nothing is changed" \
			"$(states) $(setting khugepaged/pages_to_scan)" "thpd-apply failed 2 thpd failed 2 4096"
		says "madvise: which is said, with file and line" thpd-apply '/etc/thpd/thpd.conf:4: error: .*6\.18'
		says "madvise: by the daemon, too" thpd '/etc/thpd/thpd.conf:4: .*needs Linux 6\.18'
	fi
	mode=madvise rules "madvise_fallback = disable"
	exits "madvise: with a fallback it is taken" 0 systemctl restart thpd-apply thpd
	is "madvise: and all is well" "$(states)" "thpd-apply active 0 thpd active 0"
	exits "madvise: verified" 0 thpctl verify
	if ! newer 6 18; then
		is "madvise: it falls back to disable" "$(demo_flag)" 0
	fi
	rules
	mkdir -p /etc/sysctl.d
	echo kernel.yama.ptrace_scope=3 >/etc/sysctl.d/yama.conf
	next_boot
	;;
3)
	booted "Yama 3"
	is "Yama 3: is in force" "$(cat /proc/sys/kernel/yama/ptrace_scope)" 3
	is "Yama 3: the settings are set" "$(setting khugepaged/pages_to_scan)" 1234
	is "Yama 3: both units are up, for a process that could not be set is reported" "$(states)" \
		"thpd-apply active 0 thpd active 0"
	is "Yama 3: the process has no flag" "$(demo_flag)" 1
	exits "Yama 3: apply cannot" 1 thpctl apply
	check "Yama 3: and says why" grep -qi 'denied.*yama' "$tmp/out"
	check "Yama 3: so does the daemon's report" eventually grep -qi yama /run/thpd/report.json
	rm /etc/sysctl.d/yama.conf
	early sys 'mount -o remount,ro /sys'
	next_boot
	;;
4)
	booted "/sys read-only"
	check "/sys read-only: is so" sh -c "! echo 1 2>/dev/null >$thp/khugepaged/pages_to_scan"
	is "/sys read-only: apply fails, the daemon reports" "$(states)" "thpd-apply failed 1 thpd active 0"
	says "/sys read-only: named" thpd-apply 'pages_to_scan.*(denied|failed).*Read-only'
	is "/sys read-only: the service is set all the same" "$(demo_flag)" 0
	exits "/sys read-only: not in compliance" 1 thpctl verify
	no_more sys
	early run 'dd if=/dev/zero of=/run/full bs=64k 2>/dev/null; dd if=/dev/zero of=/run/full2 bs=1 2>/dev/null; exit 0'
	next_boot
	;;
5)
	booted "/run full"
	is "/run full: is so" "$(df --output=avail /run | tail -n 1 | xargs)" 0
	is "/run full: apply refuses, the daemon runs on" "$(states)" "thpd-apply failed 2 thpd active 0"
	# Now and then systemd makes room for a small file.
	check "/run full: nothing is changed that could not be put back" sh -c "grep -qw 4096 /run/thpd/original.json ||
		grep -qw 4096 $thp/khugepaged/pages_to_scan"
	says "/run full: named" thpd-apply 'No space left'
	says "/run full: by the daemon, too" thpd 'No space left'
	rm /run/full /run/full2
	exits "/run full: mended by a restart" 0 systemctl restart thpd-apply
	check "/run full: and the daemon by itself" eventually sh -c 'systemctl is-active -q thpd'
	is "/run full: the settings are set" "$(setting khugepaged/pages_to_scan)" 1234
	no_more run
	chown 1 /etc/thpd/thpd.conf
	chmod 600 /etc/thpd/thpd.conf
	next_boot
	;;
6)
	booted unreadable
	is "unreadable: nothing is changed" "$(states) $(setting khugepaged/pages_to_scan)" \
		"thpd-apply failed 2 thpd failed 2 4096"
	for u in thpd-apply thpd; do
		says "unreadable: $u names it" $u '/etc/thpd/thpd.conf'
	done
	rules
	chown 0 /etc/thpd/thpd.conf
	chmod 644 /etc/thpd/thpd.conf
	dpkg --purge --force-depends dbus dbus-daemon dbus-bin dbus-system-bus-common dbus-session-bus-common \
		>"$tmp/out" 2>&1 || fail "D-Bus can be removed" "$(cat "$tmp/out")"
	next_boot
	;;
7)
	booted "no D-Bus"
	is "no D-Bus: it is gone" "$(command -v dbus-daemon)$(ls -d /run/dbus/system_bus_socket 2>/dev/null)" ""
	is "no D-Bus: all is well" "$(states)" "thpd-apply active 0 thpd active 0"
	exits "no D-Bus: verified" 0 thpctl verify
	is "no D-Bus: the service has its flag" "$(demo_flag)" 0
	exits "no D-Bus: a start" 0 systemctl restart demo
	check "no D-Bus: is seen" eventually sh -c '[ "$(sed -n "s/^THP_enabled:[[:space:]]*//p" \
		"/proc/$(systemctl show --value -p MainPID demo)/status")" = 0 ]'
	# A processor without large pages: hugepage_init() (mm/huge_memory.c) asks for X86_FEATURE_PSE, and
	# leaves the kernel without a directory for the settings, as one that is built without them.
	next_boot clearcpuid=pse
	;;
8)
	booted "no THP"
	is "no THP: the kernel has none" "$(ls -d $thp 2>/dev/null)" ""
	is "no THP: both units are up" "$(states) $(property thpd NRestarts)" "thpd-apply active 0 thpd active 0 0"
	says "no THP: named" thpd-apply 'warning.*: this kernel has no transparent huge pages'
	says "no THP: per setting, too" thpd-apply 'pages_to_scan .*absent'
	check "no THP: the daemon's report has it" grep -q '"outcome": "absent"' /run/thpd/report.json
	is "no THP: the service has its flag" "$(demo_flag)" 0
	exits "no THP: apply says the same" 0 thpctl apply
	exits "no THP: and verify" 0 thpctl --quiet verify
	cat "$tmp/out" "$tmp/err" | sed 's/^/# /'
	;;
esac
finish
