#!/bin/sh
# SPDX-License-Identifier: MIT
# From `make install` to `make uninstall`, under systemd.
# shellcheck source=tests/container/inside.sh
. "${srcdir:?}/tests/container/inside.sh"

if [ "$boot" = 1 ]; then
	units=$(ls /usr/lib/systemd/system/thpd*)
	# shellcheck disable=SC2086 # a list
	exits "systemd-analyze verify finds nothing" 0 systemd-analyze verify --man=no $units
	is "and says nothing about our units" "$(grep -i thp "$tmp/out" "$tmp/err")" ""
	is "nothing is enabled by the installation" "$(find /etc -name '*thp*')" ""

	original=$(setting enabled)
	enabled=$(other enabled)
	policy "host { enabled = $enabled }"
	exits "systemctl enable --now" 0 systemctl enable --now thpd-apply
	is "the settings are applied" "$(setting enabled)" "$enabled"
	is "the unit is active" "$(systemctl is-active thpd-apply)" active
	exits "systemctl status is content" 0 systemctl status --no-pager --full thpd-apply
	check "and says what was done" grep -q 'enabled.*changed' "$tmp/out"
	check "the original values are saved" test -s /run/thpd/original.json

	was=$(other enabled)
	echo "$was" >$thp/enabled
	policy "host { enabled = sometimes }"
	exits "a bad policy fails the restart" 1 systemctl restart thpd-apply
	is "and the unit" "$(systemctl is-failed thpd-apply) $(property thpd-apply ExecMainStatus)" "failed 2"
	is "it changes nothing" "$(setting enabled)" "$was"
	check "the reason is in the journal" sh -c "journalctl --no-pager -u thpd-apply |
		grep '/etc/thpd/thpd.conf:1: error: enabled'"
	exits "systemctl status shows the failure" 3 systemctl status --no-pager --full thpd-apply
	check "with file and line" grep -q '/etc/thpd/thpd.conf:1: error: enabled' "$tmp/out"

	policy "host { enabled = $enabled }"
	exits "a good policy mends it" 0 systemctl restart thpd-apply
	is "the settings are back" "$(setting enabled)" "$enabled"
	echo "$was" >$thp/enabled
	exits "systemctl reload applies again" 0 systemctl reload thpd-apply
	is "and so it does" "$(setting enabled)" "$enabled"

	exits "systemctl disable --now" 0 systemctl disable --now thpd-apply
	exits "thpctl restore" 0 thpctl restore
	is "the original values are back" "$(setting enabled)" "$original"
	is "nothing stays in /run but a lock" "$(ls -A /run/thpd)" "lock"
	rm -r /etc/thpd
	next_boot uninstall
fi

is "after make uninstall, /usr is as before" "$(grep '^/usr/' /t/left)" ""
is "nothing of ours is in /etc or /var" "$(grep -i thp /t/left)" ""
is "no unit of ours is known" "$(systemctl list-units --all --plain --no-legend 'thpd-[!t]*')" ""
is "nothing has failed" "$(systemctl --failed --plain --no-legend)" ""
finish
