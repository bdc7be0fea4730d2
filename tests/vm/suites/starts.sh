#!/bin/sh
# SPDX-License-Identifier: MIT
# Services that are enabled at boot, and what they tell of their flag at their first instruction: gated,
# watched, and such that no rule names. The generator is masked before the third boot: in that one it has
# systemd itself give it to them, where systemd can, and changes nothing where it cannot.
# shellcheck source=tests/vm/inside.sh
. "${srcdir:?}/tests/vm/inside.sh"
# shellcheck source=tests/container/order.sh
. "$srcdir/tests/container/order.sh"

kinds="gate gate-user gate-filtered watch other"
count=3
# told KIND: what those of this kind told, in this boot
told() {
	cat /srv/told/"$1"@* 2>/dev/null
}
# enabled_at_boot KIND LINE...: some of a template, added to $units
enabled_at_boot() {
	kind=$1
	shift
	cp "$helpers/starter" "/srv/$kind"
	printf '%s\n' '[Service]' Type=oneshot EnvironmentFile=/srv/msec "$@" "StandardOutput=append:/srv/told/%p@%i" \
		"ExecStart=/srv/$kind $kind once \${MSEC}" '[Install]' WantedBy=multi-user.target \
		>"/etc/systemd/system/$kind@.service"
	units="$units $(seq -f "$kind@%g" -s ' ' $count)"
}
began() {
	mkdir -p /srv/told
	rm -f /srv/told/*
	# How long who has no flag goes on asking; who is not to have one does not wait for it.
	echo "MSEC=$1" >/srv/msec
}

case $boot in
1)
	began 0
	units=
	enabled_at_boot gate
	enabled_at_boot gate-user User=nobody
	enabled_at_boot gate-filtered DynamicUser=yes SystemCallFilter=@system-service
	enabled_at_boot watch
	enabled_at_boot other
	policy "host {
	khugepaged { pages_to_scan = 1234 }
	service 'gate*@*.service' { thp = disable  start = gate }
	service 'watch@*.service' { thp = disable  start = watch }
}"
	no_generator
	systemctl daemon-reload
	# shellcheck disable=SC2046 # a list
	systemctl start $(printf '%s@1 ' $kinds)
	for kind in $kinds; do
		is "$kind: without thpd there is no flag" "$(told "$kind" | awk '{ print $2, $4 }')" "0 0"
	done
	# shellcheck disable=SC2086 # a list
	check "enabled for the next boot" systemctl enable thpd-apply thpd $units
	began 30000
	# Who is never to have the flag would ask all this time.
	sed -i 's/\${MSEC}/0/' /etc/systemd/system/other@.service
	next_boot
	;;
esac

is "the settings are set" "$(setting khugepaged/pages_to_scan)" 1234
for kind in gate gate-user gate-filtered; do
	is "$kind: enabled at boot, each has the flag at its first instruction" \
		"$(told $kind | awk '{ print $2 }' | uniq -c | xargs)" "$count 1"
done
is "watched, each has it at last" "$(told watch | awk '{ print ($2 == 1 || $4 == 1) }' | uniq -c | xargs)" "$count 1"
echo "# watch: late by, in us (0: first instruction): $(told watch |
	awk '{ print $2 ? 0 : int(($5 - $3) / 1000) }' | xargs)"
is "who is not named has none" "$(told other | awk '{ print $2, $4 }' | uniq -c | xargs)" "$count 0 0"

done_at=$(started_at thpd.service)
check "the journal says when the daemon was ready" test "${done_at:-0}" -gt 0
ordinary_services >"$tmp/ordinary"
is "no service but those of early boot began before" "$(awk -v at="${done_at:-0}" '$1 < at' "$tmp/ordinary")" ""
check "which is said of all these" test "$(grep -c '@' "$tmp/ordinary")" -ge $((count * 5))
echo "# settings at $(started_at thpd-apply.service) us, the daemon at $done_at us, the first ordinary service:" \
	"$(head -n 1 "$tmp/ordinary")"
parts="thpd thpd-apply thpd-helper thpd-starts"
if [ "$boot" = 3 ] && [ -n "$native_thp" ]; then
	is "systemd is asked to do it" "$(property gate@1 MemoryTHP) $(property other@1 MemoryTHP)" "disable inherit"
	is "no start is left to be watched" "$(property thpd-starts ActiveState)" inactive
	parts="thpd thpd-apply"
elif [ "$boot" = 3 ]; then
	is "an older systemd: no drop-ins are written" "$(find /run/systemd/generator* -name '*-thpd.conf')" ""
	exits "the plan" 0 thpctl plan
	is "does not speak of any" "$(grep drop-in "$tmp/out")" ""
fi
for part in $parts; do
	is "$part is there" "$(property "$part" ActiveState) $(property "$part" Result)" "active success"
done
# shellcheck disable=SC2046 # a list
exits "systemd-analyze verify finds nothing" 0 systemd-analyze verify --man=no $(ls /usr/lib/systemd/system/thpd*)
is "no ordering cycle" "$(journalctl -b --no-pager | grep -i 'ordering cycle')" ""
is "nothing has failed" "$(systemctl --failed --plain --no-legend)" ""
exits "the host is in compliance" 0 thpctl verify

# Starts in a running system, also by another PID 1.
began 30000
exits "started again" 0 systemctl restart gate@1 watch@1
exits "daemon-reexec" 0 systemctl daemon-reexec
exits "and after that" 0 systemctl restart gate@2 watch@2
is "the gate works" "$(told gate | awk '{ print $2 }' | xargs)" "1 1"
is "so does the watch" "$(told watch | awk '{ print ($2 == 1 || $4 == 1) }' | xargs)" "1 1"
if [ "$boot" = 2 ]; then
	rm /etc/systemd/system-generators/thpd-generator
	began 30000
	next_boot
fi
finish
