#!/bin/sh
# SPDX-License-Identifier: MIT
# The settings stand before the first service that is not part of early boot; the role comes from a
# credential; a bad policy holds no boot.
# shellcheck source=tests/container/inside.sh
. "${srcdir:?}/tests/container/inside.sh"

case $boot in
1)
	# Two that begin as soon as a service can, and tell what they found.
	for n in 1 2; do
		cat >/etc/systemd/system/witness$n.service <<-E
			[Unit]
			Description=Witness $n
			[Service]
			Type=oneshot
			ExecStart=/bin/cat $thp/enabled
			StandardOutput=file:/t/witness$n
			[Install]
			WantedBy=basic.target multi-user.target
		E
	done
	enabled=$(other enabled)
	policy "host { enabled = $enabled }
role 'from-credential' { defrag = $(other defrag) }"
	check "enabled for the next boot" systemctl enable thpd-apply witness1 witness2
	echo "$enabled $(setting enabled) $(other defrag) $(setting defrag)" >/t/wanted
	next_boot
	;;
esac
read -r enabled was defrag defrag_was </t/wanted

# shellcheck source=tests/container/order.sh
. "$srcdir/tests/container/order.sh"

case $boot in
2)
	is "the boot has changed a setting" "$(setting enabled) $(property thpd-apply Result)" "$enabled success"
	for n in 1 2; do
		is "witness $n found it changed" "$(sed 's/.*\[\(.*\)\].*/\1/' /t/witness$n)" "$enabled"
	done
	is "it was another one before" "$([ "$enabled" != "$was" ] && echo yes)" yes

	done_at=$(started_at thpd-apply.service)
	check "the journal says when the settings stood" test "${done_at:-0}" -gt 0
	ordinary_services >"$tmp/ordinary"
	is "no service but those of early boot began before" "$(awk -v at="${done_at:-0}" '$1 < at' "$tmp/ordinary")" ""
	check "which is said of the witnesses at least" test "$(wc -l <"$tmp/ordinary")" -ge 4
	echo "# settings at $done_at us; the first of $(wc -l <"$tmp/ordinary") messages of ordinary services:" \
		"$(head -n 1 "$tmp/ordinary")"
	is "no ordering cycle" "$(journalctl -b --no-pager | grep -i 'ordering cycle')" ""
	is "nothing has failed" "$(systemctl --failed --plain --no-legend)" ""

	check "the original value is saved" grep -q "\"enabled\": \"$was\"" /run/thpd/original.json
	exits "restore" 0 thpctl restore
	is "brings it back" "$(setting enabled)" "$was"
	next_boot --set-credential=thpd.role:from-credential
	;;
3)
	exits "the role comes from a system credential" 0 systemctl status --no-pager --full thpd-apply
	check "which is said" grep -q 'role .*from-credential.*credential' "$tmp/out"
	is "and is in force" "$(setting enabled) $(setting defrag)" "$enabled $defrag"
	exits "restore in another boot" 0 thpctl restore
	is "brings back all of it" "$(setting enabled) $(setting defrag)" "$was $defrag_was"
	policy "host { enabled = sometimes }"
	next_boot
	;;
4)
	is "a bad policy does not hold the boot" "$(systemctl is-active multi-user.target)" active
	is "it fails the unit" "$(systemctl is-failed thpd-apply) $(property thpd-apply ExecMainStatus)" "failed 2"
	exits "visibly" 3 systemctl status --no-pager --full thpd-apply
	check "with file and line" grep -q '/etc/thpd/thpd.conf:1: error: enabled' "$tmp/out"
	is "and changes nothing" "$(setting enabled) $(setting defrag)" "$was $defrag_was"
	;;
esac
finish
