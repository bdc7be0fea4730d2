#!/bin/sh
# SPDX-License-Identifier: MIT
# With the memory controller, which the containers of tests/container mostly lack: what a unit is charged
# with, and thpd within its own limits.
# shellcheck source=tests/vm/inside.sh
. "${srcdir:?}/tests/vm/inside.sh"

check "the memory controller is there" has_memory
# of UNIT FILE: of its group
of() {
	cat "/sys/fs/cgroup$(property "$1" ControlGroup)/$2"
}
# flags GROUP...: of the processes of groups, those that are equal counted
flags() {
	cat "$@" | sed 's|.*|/proc/&/status|' | xargs awk '/^THP_enabled:/ { print $2 }' | sort | uniq -c | xargs
}
event() {
	of "$1" "$2" | awk -v name="$3" '$1 == name { print $2 }'
}
is "a limit is kept by the kernel" "$(systemd-run --quiet --wait -p MemoryMax=16M -p MemorySwapMax=0 -u limited \
	tail /dev/zero; property limited Result)" oom-kill
systemctl reset-failed

# 64 MiB in huge pages, most of which the program has given back: nobody's RSS, but charged.
mib=64
unit hog.service <<-E
	[Service]
	ExecStart=$helpers/hugehog --mib $mib --mode hidden --rest 20000
	StandardOutput=append:/srv/hog
E
unit crowd.service <<-'E'
	[Service]
	ExecStart=/bin/sh -c 'for n in 1 2 3; do for m in $(seq 100); do sleep 10000 & done; done; echo >/srv/crowd; wait'
E
unit start@.service <<-'E'
	[Service]
	Type=exec
	ExecStart=sleep 10000
E
policy "verify_interval = 3600
host {
	service 'hog.service' { thp = disable }
	service 'crowd.service' { thp = disable }
	service 'start@*.service' { thp = disable  start = gate }
}"
no_generator
systemctl daemon-reload
check "they start" systemctl start hog crowd
eventually grep -qs ready /srv/hog || fail "the huge pages are there" "$(cat /srv/hog)"
eventually test -e /srv/crowd || fail "the crowd is there"

# hidden: of hog.service, in MiB, as thpctl status has it
hidden() {
	thpctl --json status --unit hog.service | awk '/"hidden_kb"/ { gsub(/[^0-9]/, "", $2); print int($2 / 1024); exit }'
}
charged=$(($(of hog.service memory.current) / 1048576))
check "the unit is charged with $charged MiB" test $charged -ge $mib
found=$(hidden)
check "of which $found MiB are in nobody's RSS, says thpctl status" test "${found:-0}" -ge $((mib * 3 / 4))

check "enabled and started" systemctl enable --now thpd-apply thpd
crowd=/sys/fs/cgroup$(property crowd ControlGroup)/cgroup.procs
is "a crowd of processes is set by thpd-apply, within its limits" "$(property thpd-apply Result) $(flags "$crowd")" \
	"success 301 0"
exits "and by the daemon: restored" 0 thpctl restore
exits "reloaded" 0 systemctl reload thpd
crowd_set() {
	[ "$(flags "$crowd")" = "301 0" ]
}
check "and set again" eventually crowd_set
# shellcheck disable=SC2046 # a list
exits "many starts at a time" 0 systemctl start $(seq -f 'start@%g.service' 30)
is "all with the flag" "$(flags /sys/fs/cgroup/system.slice/system-start.slice/*/cgroup.procs)" "30 0"
echo "# $(thpctl status | grep starts: | xargs)"

exits "reclaim" 0 thpctl reclaim hog.service
now=$(($(of hog.service memory.current) / 1048576))
check "gives back what nobody has: $now MiB are charged" test $now -le $((charged - mib * 3 / 4))
found=$(hidden)
check "and status says so: $found MiB" test "${found:-$mib}" -le 4

for part in thpd thpd-helper thpd-starts; do
	check "$part has a limit for memory, and one for tasks" test "$(of $part memory.max)" -gt 0 -a "$(of $part pids.max)" -gt 0
	is "$part has met neither" "$(event $part memory.events max) $(event $part memory.events oom_kill) $(
		event $part pids.events max)" "0 0 0"
	echo "# $part: at most $(($(of $part memory.peak) / 1024)) of $(($(of $part memory.max) / 1024)) KiB," \
		"now $(of $part pids.current) of $(of $part pids.max) tasks"
done
exits "verified" 0 thpctl verify
is "nothing has failed" "$(systemctl --failed --plain --no-legend)" ""
finish
