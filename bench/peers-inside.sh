#!/bin/sh
# SPDX-License-Identifier: MIT
# The part of bench/peers.sh that runs in the container.
# shellcheck source=tests/container/inside.sh
. "${srcdir:?}/tests/container/inside.sh"
: "${ROUNDS:?}"

systemctl -q disable redis-server postgresql
systemctl stop redis-server postgresql thpd thpd-apply tuned
# What is started so often must not be stopped for it.
for unit in tuned thpd thpd-apply peer-native peer-watch peer-gate; do
	mkdir -p "/etc/systemd/system/$unit.service.d"
	printf '[Unit]\nStartLimitIntervalSec=0\n' >"/etc/systemd/system/$unit.service.d/often.conf"
done
mkdir -p /etc/tuned/profiles/peers /etc/tuned/peers
for dir in /etc/tuned/profiles/peers /etc/tuned/peers; do
	printf '[main]\nsummary=two files\n\n[vm]\ntransparent_hugepages=never\ntransparent_hugepage.defrag=never\n' \
		>$dir/tuned.conf
done
echo peers >/etc/tuned/active_profile
echo manual >/etc/tuned/profile_mode
printf 'w %s - - - - never\n' "$thp/enabled" "$thp/defrag" >/t/peers.tmpfiles
for kind in native watch gate; do
	printf '[Service]\nType=exec\nExecStart=%s sleep\n' "$helpers/asker" \
		>"/etc/systemd/system/peer-$kind.service"
done
echo MemoryTHP=disable >>/etc/systemd/system/peer-native.service
# The generator would have systemd do it.
rm -f /usr/lib/systemd/system-generators/thpd-generator
systemctl daemon-reload
policy "verify_interval = 1
host {
	enabled = never
	defrag = never
	service 'peer-watch.service' { thp = disable  start = watch }
	service 'peer-gate.service' { thp = disable  start = gate }
}"
if python3 "$srcdir/bench/peers.py" "$ROUNDS" /t/out/peers.json >"$tmp/out" 2>&1; then
	pass "figures"
else
	fail "figures" "$(cat "$tmp/out")"
fi
sed 's/^/# /' "$tmp/out"
systemctl stop thpd thpd-starts thpd-helper tuned 2>/dev/null
thpctl restore >/dev/null
finish
