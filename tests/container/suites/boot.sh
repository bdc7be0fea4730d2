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

# stamps MESSAGE-ID: "MICROSECONDS UNIT" of each such message of systemd's
stamps() {
	journalctl -b --no-pager -o export _PID=1 MESSAGE_ID="$1" | awk -F = '
		$1 == "__MONOTONIC_TIMESTAMP" { at = $2 }
		$1 == "UNIT" { print at, $2 }'
}
started=39f53479d3a045ac8e11786248231fbf
starting=7d4958e842da4a758f6c1cdc7b36dcc5

case $boot in
2)
	is "the boot has changed a setting" "$(setting enabled) $(property thpd-apply Result)" "$enabled success"
	for n in 1 2; do
		is "witness $n found it changed" "$(sed 's/.*\[\(.*\)\].*/\1/' /t/witness$n)" "$enabled"
	done
	is "it was another one before" "$([ "$enabled" != "$was" ] && echo yes)" yes

	done_at=$(stamps $started | awk '$2 == "thpd-apply.service" { print $1 }')
	check "the journal says when the settings stood" test "${done_at:-0}" -gt 0
	{ stamps $starting && stamps $started; } | sort -n | awk '$2 ~ /\.service$/' >"$tmp/starts"
	ordinary=0
	while read -r at unit; do
		[ "$(property "$unit" DefaultDependencies)" = yes ] || continue
		ordinary=$((ordinary + 1))
		[ $ordinary -gt 1 ] || first=$at first_unit=$unit
		[ "$at" -ge "$done_at" ] || echo "$unit at $at, before $done_at"
	done <"$tmp/starts" >"$tmp/early"
	is "no service but those of early boot began before" "$(cat "$tmp/early")" ""
	check "which is said of the witnesses at least" test $ordinary -ge 4
	echo "# settings at $done_at us; the first of $ordinary messages of ordinary services: ${first:-none}," \
		"${first_unit:-}"
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
