#!/bin/sh
# SPDX-License-Identifier: MIT
# thpctl on services that systemd runs: static, templates, sandboxed ones, a scope.
# shellcheck source=tests/container/inside.sh
. "${srcdir:?}/tests/container/inside.sh"

# write_unit NAME LINE...: a service that tells its own flag, into a file, when it is asked
write_unit() {
	write_name=$1
	shift
	{
		printf '%s\n' '[Service]' "StandardOutput=append:/t/flags-%n" "$@"
		case $* in *ExecStart=*) ;; *) echo "ExecStart=/t/helpers/asker sleep" ;; esac
	} | unit "$write_name"
}
write_unit test-plain.service
write_unit test-template@.service 'ExecStart=/t/helpers/asker children 3'
write_unit test-dynamic.service DynamicUser=yes ProtectSystem=strict ProtectHome=yes
write_unit test-filtered.service SystemCallFilter=@system-service NoNewPrivileges=yes User=nobody
write_unit test-other.service
write_unit test-stopped.service
systemctl daemon-reload
services="test-plain test-template@a test-template@b test-dynamic test-filtered"
# shellcheck disable=SC2086 # a list
check "they start" systemctl start $services test-other
systemd-run --quiet --scope --unit=test-scope /t/helpers/asker sleep >/t/flags-test-scope.scope 2>&1 &

# ready UNIT: it has said so
ready() {
	grep -qs '^ready' "/t/flags-$1"
}
all="test-scope.scope"
for service in $services; do
	all="$all $service.service"
done
for unit in $all test-other.service; do
	eventually ready "$unit" || fail "$unit is ready" "$(cat "/t/flags-$unit")"
done

# processes UNIT: as systemd's own group has them
processes() {
	find "/sys/fs/cgroup$(property "$1" ControlGroup)" -name cgroup.procs -exec cat {} +
}
# flags UNIT: those of all its processes, as the kernel shows them
flags() {
	for pid in $(processes "$1"); do
		flag "$pid"
	done | sort | uniq -c | awk '{ printf "%s%d times %s", (NR > 1 ? ", " : ""), $1, $2 }'
}
# own UNIT: what its first process says of itself
answers() {
	[ "$(grep -c '^flag' "/t/flags-$1")" -gt "$2" ]
}
own() {
	own_before=$(grep -c '^flag' "/t/flags-$1")
	kill -USR1 "$(sed -n 's/^ready \([0-9]*\).*/\1/p' "/t/flags-$1" | tail -n 1)"
	eventually answers "$1" "$own_before"
	tail -n 1 "/t/flags-$1"
}
# count UNIT: processes it should have
count() {
	case $1 in *template*) echo 4 ;; *) echo 1 ;; esac
}

policy "host {
    service 'test-plain.service' { thp = disable }
    service 'test-template@*.service' { thp = disable }
    service 'test-dynamic.service' { thp = disable }
    service 'test-filtered.service' { thp = disable }
    service 'test-stopped.service' { thp = disable }
    service 'test-*.scope' { thp = disable }
}"
exits "plan says that there is something to do" 1 thpctl plan
for unit in $all; do
	check "plan names $unit" grep -qF "$unit" "$tmp/out"
	is "$unit is as it started" "$(flags "$unit"), $(own "$unit")" "$(count "$unit") times 1, flag 0"
done
exits "verify finds the host out of compliance" 1 thpctl verify
exits "status" 0 thpctl status
for unit in $all; do
	check "status shows $unit" grep -qF "$unit" "$tmp/out"
done

exits "apply" 0 thpctl apply
for unit in $all; do
	is "$unit: all of it is set" "$(flags "$unit"), $(own "$unit")" "$(count "$unit") times 0, flag 1"
done
is "who is not named is left alone" "$(flags test-other.service), $(own test-other.service)" \
	"1 times 1, flag 0"
exits "nothing is left to do" 0 thpctl plan
exits "verify finds it so" 0 thpctl verify
exits "by the unit, too" 0 systemctl restart thpd-apply
is "all services have lived on" "$(for unit in $all; do systemctl is-active "$unit"; done | sort -u)" active

rm /t/flags-test-plain.service
exits "a restarted service has no flag" 0 systemctl restart test-plain
eventually ready test-plain.service
exits "which verify sees" 1 thpctl verify
exits "and systemctl reload mends" 0 systemctl reload thpd-apply
is "it is set again" "$(flags test-plain.service)" "1 times 0"
exits "thpctl exec in ExecStart=" 0 systemd-run --quiet --wait --pipe -- "$(command -v thpctl)" exec --thp=disable \
	-- grep THP_enabled /proc/self/status
is "sets what it starts" "$(tr -d '[:space:]' <"$tmp/out")" "THP_enabled:0"

exits "restore" 0 thpctl restore
for unit in $all; do
	is "$unit is as it was" "$(flags "$unit"), $(own "$unit")" "$(count "$unit") times 1, flag 0"
done
systemctl stop test-scope.scope
# shellcheck disable=SC2086 # a list
systemctl stop $services test-other
is "none has failed" "$(systemctl --failed --plain --no-legend)" ""
finish
