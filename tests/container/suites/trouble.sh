#!/bin/sh
# SPDX-License-Identifier: MIT
# Boots in which something is wrong: the settings read only, no room in /run, a policy that cannot be read,
# no D-Bus. Each comes up, says what it was, and with the right state of the units.
# shellcheck disable=SC2119,SC2317 # called by way of eventually
# shellcheck source=tests/container/inside.sh
. "${srcdir:?}/tests/container/inside.sh"

# trouble COMMAND: is run in the next boots, before thpd's units
trouble() {
	cat >/etc/systemd/system/trouble.service <<-U
		[Unit]
		DefaultDependencies=no
		Before=thpd-apply.service thpd.service thpd-helper.socket thpd-starts.socket
		[Service]
		Type=oneshot
		ExecStart=/bin/sh -ec '$1'
		[Install]
		WantedBy=sysinit.target
	U
	systemctl -q enable trouble
}
# states: of both units, and what the programs ended with
states() {
	for state_unit in thpd-apply thpd; do
		echo "$state_unit $(property $state_unit ActiveState) $(property $state_unit ExecMainStatus)"
	done | tr '\n' ' '
}
settled() {
	[ "$(setting enabled)" = "$enabled" ]
}
# says UNIT REGEX: in this boot's journal
says() {
	check "$name: $1 says so" eventually sh -c \
		"journalctl -b --no-pager -o cat -u $1 | grep -Eq -- \"\$1\"" - "$2"
}
# came_up STATES
came_up() {
	is "$name: the boot succeeds" "$(systemctl is-active multi-user.target)" active
	is "$name: the units are in the right state" "$(states)" "$1"
	is "$name: and no other one has failed" "$(systemctl --failed --plain --no-legend | awk '$1 !~ /^(thpd|dbus|systemd-logind)/')" ""
}
case $boot in
1)
	echo "$(setting enabled) $(other enabled)" >/t/values
	read -r was enabled </t/values
	policy "host { enabled = $enabled }"
	systemctl -q enable thpd-apply thpd
	trouble "mount --bind $thp $thp; mount -o remount,bind,ro $thp"
	next_boot
	;;
esac
read -r was enabled </t/values
case $boot in
2)
	name="settings that cannot be written"
	came_up "thpd-apply failed 1 thpd active 0 "
	is "$name: they are as they were" "$(setting enabled)" "$was"
	says thpd-apply "^enabled .* denied .* Read-only file system"
	says thpd "^not as the policy wants it: enabled denied"
	is "$name: systemctl status has it" "$(property thpd StatusText)" \
		"not all applied: 1 setting denied; all values read back"
	mount -o remount,bind,rw $thp
	check "$name: and when they can be, one restart is enough" systemctl restart thpd-apply
	is "$name: they are set" "$(setting enabled)" "$enabled"
	systemctl stop thpd
	thpctl restore >/dev/null
	trouble "mkdir -p /run/thpd; mount -t tmpfs -o size=4k,mode=755 tmpfs /run/thpd; echo >/run/thpd/full"
	next_boot
	;;
3)
	name="no room in /run"
	came_up "thpd-apply failed 2 thpd active 0 "
	says thpd-apply "original.json: the present values cannot be saved, nothing was changed: No space left"
	says thpd "No space left on device"
	is "$name: what could not be put back is not changed" "$(setting enabled)" "$was"
	check "$name: systemctl status has it" sh -c 'systemctl show -p StatusText thpd | grep -q "No space left"'
	rm /run/thpd/full
	check "$name: when there is some, one reload is enough" systemctl reload thpd
	check "$name: then it is set" eventually settled
	systemctl stop thpd
	thpctl restore >/dev/null
	trouble true
	chown nobody /etc/thpd/thpd.conf
	next_boot
	;;
4)
	name="a policy of nobody's"
	came_up "thpd-apply failed 2 thpd failed 2 "
	is "$name: nothing was changed" "$(setting enabled)" "$was"
	for unit in thpd-apply thpd; do
		says $unit "^/etc/thpd/thpd.conf: (error: )?not owned by root"
	done
	is "$name: thpd is not started again and again" "$(property thpd NRestarts)" 0
	chown root /etc/thpd/thpd.conf
	systemctl -q mask dbus.service dbus.socket
	next_boot
	;;
5)
	name="no D-Bus"
	came_up "thpd-apply active 0 thpd active 0 "
	is "$name: there is none" "$(systemctl is-active dbus)" inactive
	is "$name: the setting is in force" "$(setting enabled)" "$enabled"
	echo "$was" >$thp/enabled
	check "$name: and kept" eventually settled
	unit nobus.service <<-U
		[Service]
		ExecStart=sleep 1000
	U
	systemctl daemon-reload
	policy "host { enabled = $enabled  service 'nobus.service' { thp = disable } }"
	check "$name: a reload works" systemctl reload thpd
	systemctl start nobus
	check "$name: a service gets its flag" eventually sh -c "grep -q '^THP_enabled:.*0' /proc/$(pid_of nobus)/status"
	check "$name: no way is lost" sh -c '! thpctl status | grep -q lost'
	systemctl stop nobus thpd
	thpctl restore >/dev/null
	;;
esac
finish
