#!/bin/sh
# SPDX-License-Identifier: MIT
# From `make install` to `make uninstall`, under systemd.
# shellcheck disable=SC2317 # called by way of eventually
# shellcheck source=tests/container/inside.sh
. "${srcdir:?}/tests/container/inside.sh"

has_flag() {
	[ "$(flag "$(pid_of "$1")")" = 0 ]
}
# processes: which of our programs run, however they were started
processes() {
	cat /proc/[0-9]*/comm 2>/dev/null | grep '^thp' | sort -u | xargs
}
# active: our units that are not inactive
active() {
	systemctl list-units --all --plain --no-legend 'thpd*' |
		awk '$1 != "thpd-test.service" && $3 != "inactive" { print $1, $3 }'
}
none_active() {
	[ -z "$(active)" ]
}

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

	# All of it, with a service of the policy.
	unit install-demo.service <<-U
		[Service]
		ExecStart=sleep 1000
	U
	systemctl daemon-reload
	policy "host {
		enabled = $enabled
		service 'install-demo.service' { thp = disable }
	}"
	no_generator
	exits "systemctl enable --now, all of it" 0 systemctl enable --now thpd-apply thpd thpd-reload.path
	systemctl start install-demo
	check "a service of the policy has its flag" eventually has_flag install-demo
	is "thpd and its parts run" "$(systemctl is-active thpd-apply thpd thpd-helper.socket thpd-helper \
		thpd-starts.socket thpd-starts thpd-reload.path | uniq -c | xargs)" "7 active"
	is "in processes of their own" "$(processes)" "thpd thpd-helper thpd-starts"
	is "nothing has failed" "$(systemctl --failed --plain --no-legend)" ""

	exits "systemctl disable --now" 0 systemctl disable --now thpd-apply thpd thpd-reload.path
	check "no unit of ours is active any more" eventually none_active
	is "no process of ours runs" "$(processes)" ""
	is "no link is left" "$(find /etc/systemd -name '*thp*' ! -path '*/system-generators/*')" ""
	systemctl restart install-demo
	sleep 0.5
	is "a start has no flag any more" "$(flag "$(pid_of install-demo)")" 1
	systemctl stop install-demo
	exits "thpctl restore" 0 thpctl restore
	is "the original values are back" "$(setting enabled)" "$original"
	is "nothing stays in /run but locks and the last report" "$(find /run/thpd -mindepth 1 -printf '%f\n' |
		sort | xargs)" "daemon.lock lock report.json"
	rm -r /etc/thpd /etc/systemd/system-generators
	next_boot uninstall
fi

is "after make uninstall, /usr is as before" "$(grep '^/usr/' /t/left)" ""
is "nothing of ours is in /etc or /var" "$(grep -i thp /t/left)" ""
is "no unit of ours is known" "$(systemctl list-units --all --plain --no-legend 'thpd*' | grep -v '^thpd-test\.')" ""
is "nothing has failed" "$(systemctl --failed --plain --no-legend)" ""
finish
