#!/bin/sh
# SPDX-License-Identifier: MIT
# A kernel without transparent huge pages, as far as thpd can see: its units have an empty directory there.
# shellcheck source=tests/container/inside.sh
. "${srcdir:?}/tests/container/inside.sh"

for u in thpd-apply thpd; do
	mkdir -p /run/systemd/system/$u.service.d
	printf '%s\n' '[Service]' TemporaryFileSystem=/sys/kernel/mm >/run/systemd/system/$u.service.d/none.conf
done
unit demo.service <<-U
	[Service]
	ExecStart=sleep 1000
U
systemctl daemon-reload
was=$(setting enabled)
policy "host {
	enabled = $(other enabled)
	service 'demo.service' { thp = disable }
}"
has_flag() {
	[ "$(flag "$(pid_of demo)")" = 0 ]
}
check "a service runs" systemctl start demo
check "both units start" systemctl start thpd-apply thpd
is "the daemon runs, and has run all the time" "$(property thpd ActiveState) $(property thpd NRestarts)" "active 0"
check "that there are no settings is said" eventually sh -c "journalctl --no-pager -u thpd-apply |
	grep -q 'this kernel has no transparent huge pages'"
check "the report has it, too" eventually grep -q '"outcome": "absent"' /run/thpd/report.json
check "the service is set" eventually has_flag
check "also when it is started again" systemctl restart demo
check "by the daemon" eventually has_flag
check "a reload is taken" systemctl reload thpd
is "it runs on" "$(property thpd ActiveState) $(property thpd NRestarts)" "active 0"
is "nothing was written" "$(setting enabled)" "$was"
systemctl stop thpd
thpctl restore >/dev/null
finish
