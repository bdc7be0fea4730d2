#!/bin/sh
# SPDX-License-Identifier: MIT
# A host whose /proc hides processes, as hardening guides have it: hidepid=2, with a group that may see them.
# The daemon is root, but has no capability to look past that, and is not of that group. Its unit has a /proc of
# its own, which hides nothing: MountAPIVFS=, which ProtectKernelTunables= brings, systemd.exec(5).
# shellcheck source=tests/container/inside.sh
. "${srcdir:?}/tests/container/inside.sh"

no_generator
echo "hidepid:x:4242:" >>/etc/group
unit test-hidden.service <<-U
	[Service]
	User=nobody
	ExecStart=/t/helpers/asker sleep
U
policy "verify_interval = 1
host {
	service 'test-hidden.service' { thp = disable }
}"
# bare COMMAND...: as root without capabilities and groups, as thpd is
bare() {
	setpriv --clear-groups --inh-caps=-all --bounding-set=-all -- "$@"
}
flagged() {
	[ "$(flag "$(pid_of test-hidden)")" = "$1" ]
}
check "a service starts" systemctl start test-hidden
check "/proc can be hardened" mount -o remount,hidepid=2,gid=hidepid /proc
pid=$(pid_of test-hidden)
exits "root without capabilities does not see its process" 1 bare test -e "/proc/$pid"
exits "with them it does" 0 test -e "/proc/$pid"

check "the daemon starts" systemctl start thpd
check "it sees the process, and sets it" eventually flagged 0
check "it reports it" eventually sh -c 'grep -q "\"outcome\": \"ok\"" /run/thpd/report.json'
check "a service that is started again" systemctl restart test-hidden
check "is set" eventually flagged 0
exits "verify agrees" 0 thpctl verify
exits "status" 0 thpctl status
check "status has the daemon" grep -q "daemon  running" "$tmp/out"

name="who may not see it"
exits "$name: verify" 2 bare "$(command -v thpctl)" verify
check "$name: is told that it cannot be read" grep -q "unknown .*cannot be read: Permission denied" "$tmp/out"
exits "$name: status" 0 setpriv --clear-groups --reuid=nobody --regid=nogroup -- "$(command -v thpctl)" status
check "$name: is not told that there is no daemon" grep -q "daemon  not known: its process is hidden" "$tmp/out"

# A start makes thpd write down anew what it has set, and whoever has ended is left out then. It writes once a
# second, and what is left when it is stopped.
check "started once more" systemctl restart test-hidden
check "it is set" eventually flagged 0
check "what thpd set is on record" sh -c "systemctl stop thpd; cat /run/thpd/flags.json; grep -q '\"pid\": *$(pid_of test-hidden)\b' /run/thpd/flags.json"
exits "and can be put back" 0 thpctl restore
check "as it was" flagged 1
finish
