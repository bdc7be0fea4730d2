#!/bin/sh
# SPDX-License-Identifier: MIT
# The daemon under systemd: enabled and started as an administrator does, foreign writes, reloads good and
# bad, services that start, ends of its parts.
# shellcheck source=tests/container/inside.sh
. "${srcdir:?}/tests/container/inside.sh"

status_text() {
	property thpd StatusText
}
# journal UNIT PATTERN: whether it is there
said() {
	journalctl -b --no-pager -o cat -u thpd.service --sync >/dev/null 2>&1
	journalctl -b --no-pager -o cat -u thpd.service | grep -q -- "$1"
}
settled() {
	[ "$(setting "$1")" = "$2" ]
}

no_generator
enabled=$(other enabled)
policy "verify_interval = 3600
host {
	enabled = $enabled
	service 'demo*.service' { thp = disable }
}"
check "enabled and started" systemctl enable --now thpd-apply.service thpd.service
is "the daemon runs" "$(property thpd ActiveState) $(property thpd SubState)" "active running"
is "the setting is applied" "$(setting enabled)" "$enabled"
check "its status has a line" test -n "$(status_text)"
check "its helper runs" systemctl is-active -q thpd-helper.service
check "thpctl status says that it runs" sh -c 'thpctl status | grep -q "^daemon  running since"'
is "no unit has failed" "$(systemctl --failed --plain --no-legend)" ""
is "verified clean" "$(systemd-analyze verify --man=no /lib/systemd/system/thpd*.service /lib/systemd/system/thpd*.socket \
	/lib/systemd/system/thpd*.path 2>&1 | grep thpd)" ""

# --- foreign writes

wrong=$(other enabled)
sh -c "echo $wrong >$thp/enabled; sleep 0.3"
check "a foreign write is undone" eventually settled enabled "$enabled"
short="who undoes it has short slices, with nothing in the sandbox against it"
if [ -e /proc/self/sched ] && [ "$(printf '%s\n' 6.12 "$(uname -r)" | sort -V | head -n 1)" = 6.12 ]; then
	check "$short" sh -c "grep -q 'slice.* 100000$' \
		\$(grep -lx thpd-drift /proc/$(pid_of thpd)/task/*/comm | sed 's/comm$/sched/')"
else
	skip "$short" "this kernel gives nobody slices of his own, or does not tell"
fi
check "and said, with who wrote" eventually said "enabled was set to '$wrong' by sh (pid "
check "with the fields for programs" sh -c \
	"journalctl -b --no-pager -o json -u thpd.service | grep '\"THP_KEY\":\"enabled\"' | grep '\"MESSAGE_ID\"' | grep -q '\"THP_COMM\":\"sh\"'"

# --- reloads

cp /etc/thpd/thpd.conf /t/good.conf
policy "host { enabled = sometimes }"
check "a bad policy fails the reload" sh -c '! systemctl reload thpd 2>/dev/null'
is "and the daemon runs on" "$(property thpd ActiveState)" active
check "the status says why" sh -c "systemctl show -p StatusText thpd | grep -q 'refused.*unknown word'"
check "so does the journal" eventually said "policy refused, the last good one stays in force"
echo "$wrong" >$thp/enabled
check "the old policy is in force" eventually settled enabled "$enabled"
cp /t/good.conf /etc/thpd/thpd.conf
check "a good one is loaded" systemctl reload thpd
check "and the status says no more of the bad one" sh -c '! systemctl show -p StatusText thpd | grep -q refused'
policy "host { enabled = sometimes }"
kill -HUP "$(pid_of thpd)"
check "a bad one by SIGHUP is refused, too" eventually sh -c "systemctl show -p StatusText thpd | grep -q refused"
cp /t/good.conf /etc/thpd/thpd.conf
check "reloaded" systemctl reload thpd

# --- services

unit demo.service <<-U
	[Service]
	ExecStart=sleep 1000
U
unit demo@.service <<-U
	[Service]
	ExecStart=sleep 1000
U
unit demo-filtered.service <<-U
	[Service]
	ExecStart=sleep 1000
	DynamicUser=yes
	SystemCallFilter=@system-service
	SystemCallFilter=~prctl
U
unit other.service <<-U
	[Service]
	ExecStart=sleep 1000
U
systemctl daemon-reload
has_flag() {
	[ "$(flag "$(pid_of "$1")")" = 0 ]
}
for u in demo demo@a demo@b demo-filtered; do
	check "$u starts" systemctl start "$u"
	check "$u has the flag" eventually has_flag "$u"
done
check "another one starts" systemctl start other
sleep 0.3
is "and has none" "$(flag "$(pid_of other)")" 1
check "restarted" systemctl restart demo
check "it has the flag again" eventually has_flag demo
check "starts were seen as such" sh -c 'thpctl status | grep -Eq "starts: [1-9][0-9]* watched"'

# --- its parts end

# The helper first: it ends with who is connected.
for part in thpd-helper thpd thpd-starts; do
	pid=$(pid_of $part)
	kill -KILL "$pid"
	check "$part: killed" eventually sh -c "[ \"\$(systemctl show --value -p MainPID $part)\" != $pid ]"
done
check "the daemon is there again" eventually sh -c '[ "$(systemctl show --value -p SubState thpd)" = running ]'
sleep 0.5
echo "$wrong" >$thp/enabled
check "and undoes a write" eventually settled enabled "$enabled"
systemctl restart demo
check "and sees a start" eventually has_flag demo
systemctl daemon-reexec
systemctl restart demo@a
check "also after a daemon-reexec" eventually has_flag demo@a

# --- the host gets its name late

name=$(cat /proc/sys/kernel/hostname)
policy "role 'late' {
	hosts = 'late-*'
	enabled = $enabled
}"
check "a policy for hosts of another name is loaded" systemctl reload thpd
is "it is of no role" "$(thpctl status | sed -n 's/^role  *\([^ ]*\).*/\1/p')" no
hostname late-1
check "renamed, it has the role" eventually sh -c "grep -q '\"name\": \"late\"' /run/thpd/report.json"
hostname "$name"
cp /t/good.conf /etc/thpd/thpd.conf
check "reloaded by its old name" systemctl reload thpd

# --- applied by hand before the daemon has the new policy

policy "host { enabled = $wrong }"
# It may have read its value back before the daemon has put back the other one.
check "apply says who puts back what it has set, and what to do" eventually sh -c \
	'thpctl apply | grep -q "enabled .* rejected .*put back at once; thpd runs.*systemctl reload thpd"'
check "it is as the daemon has it" eventually settled enabled "$enabled"
cp /t/good.conf /etc/thpd/thpd.conf

# --- a part that does not answer, or cannot be reached, holds up nothing else

helper=/sys/fs/cgroup/system.slice/thpd-helper.service/cgroup.procs
check "there is a helper" eventually grep -q . $helper
stopped=$(cat $helper)
# shellcheck disable=SC2086 # pids
kill -STOP $stopped
sh -c "echo $wrong >$thp/enabled"
check "with a stopped helper a write is undone" eventually settled enabled "$enabled"
# shellcheck disable=SC2086
kill -CONT $stopped
systemctl stop thpd thpd-helper.socket thpd-helper.service
systemctl -q mask --runtime thpd-helper.socket
echo "$wrong" >$thp/enabled
systemctl --no-block start demo@c # not seen as it starts: a cycle needs the helper for it
check "without a helper it starts" systemctl start thpd
check "and sets the settings" eventually settled enabled "$enabled"
check "and says what it has lost" eventually sh -c 'thpctl status | grep -q "lost.*thpd-helper"'
is "its watchdog is content" "$(property thpd NRestarts)" 0
systemctl -q unmask --runtime thpd-helper.socket
check "restarted with the helper" systemctl restart thpd

# halt: thpd-starts is stopped as a whole. Of its two processes the first one ends the other one when it
# sees that stopped: it is the first to stop, and the last to go on.
halt() {
	watching=$(pid_of thpd-starts)
	halted=$(grep -vx "$watching" /sys/fs/cgroup/system.slice/thpd-starts.service/cgroup.procs) &&
		kill -STOP "$watching" && kill -STOP "$halted"
}
go_on() {
	kill -CONT "$halted" && kill -CONT "$watching"
}
# too_early: how often the daemon was ready before it could meet starts
too_early() {
	journalctl --sync >/dev/null 2>&1
	journalctl -b --no-pager -o cat -u thpd.service | grep -c "^ready before starts are met: thpd-starts does not answer"
}
is "it has always waited for thpd-starts" "$(too_early)" 0
halt || fail "thpd-starts is stopped"
check "with a stopped thpd-starts it is restarted" timeout 5 systemctl restart thpd
check "and says that it was no time to wait" eventually sh -c '[ "$(journalctl -b --no-pager -o cat -u thpd.service |
	grep -c "^ready before starts are met: thpd-starts does not answer")" = 1 ]'
go_on || fail "it goes on"
systemctl restart demo
check "starts are met" eventually has_flag demo
sed 's/thp = disable/thp = disable  start = gate/' /t/good.conf >/etc/thpd/thpd.conf
halt || fail "thpd-starts is stopped again"
systemctl restart --no-block thpd
sleep 3
is "with a rule that asks for the gate, it waits longer" "$(property thpd ActiveState)" activating
go_on || fail "it goes on again"
check "and not longer than it has to" eventually systemctl is-active -q thpd
is "which is nothing to be told" "$(too_early)" 1
cp /t/good.conf /etc/thpd/thpd.conf
check "without such a rule again" systemctl reload thpd

# --- rules that are gone, and a daemon that only reports

policy "verify_interval = 3600
on_drift = report
host {
	enabled = $enabled
	service 'demo*.service' { thp = disable }
}"
check "a policy that only reports is loaded" systemctl reload thpd
systemctl restart demo@a
sleep 0.3
is "no start is set" "$(flag "$(pid_of demo@a)")" 1
check "but told as drifted" eventually sh -c "thpctl status | grep -q 'demo@a.*drifted'"
cp /t/good.conf /etc/thpd/thpd.conf
check "a policy that sets is loaded" systemctl reload thpd
check "it sets what runs" eventually has_flag demo@a
policy "host { enabled = $enabled }"
check "starts are met again" eventually systemctl is-active -q thpd-starts
starts=$(pid_of thpd-starts)
pid=$(pid_of thpd)
kill -KILL "$pid"
# shellcheck disable=SC2317 # called by way of eventually
another() {
	[ "$(pid_of thpd)" != "$pid" ] && systemctl is-active -q thpd
}
check "killed, and started again without rules" eventually another
is "it is still the same thpd-starts" "$(pid_of thpd-starts)" "$starts"
systemctl restart demo@a
sleep 0.3
is "nobody goes on with the rules of before" "$(flag "$(pid_of demo@a)")" 1
cp /t/good.conf /etc/thpd/thpd.conf
check "with rules again" systemctl reload thpd
check "they hold" eventually has_flag demo@a

# --- a cycle that finds all as the last one left it looks at less, but misses nothing

unit demo-asks@.service <<-U
	[Service]
	ExecStart=$helpers/asker sleep
U
systemctl daemon-reload
systemctl start demo-asks@1 demo-asks@2
policy "verify_interval = 1
host {
	enabled = $enabled
	service 'demo*.service' { thp = disable }
}"
check "a policy with a short interval is loaded" systemctl reload thpd
cycles() {
	sed -n 's/^ *"cycles": \([0-9]*\),*$/\1/p' /run/thpd/report.json
}
enough_cycles() {
	[ "$(cycles)" -ge "$cycles_wanted" ]
}
# some_cycles: four more have been
some_cycles() {
	cycles_wanted=$(($(cycles) + 4))
	eventually enough_cycles
}
check "cycles follow each other" some_cycles
calm=$(find "/proc/$(pid_of thpd)/fd" -lname '/proc/*/status' | wc -l)
check "they keep open what they ask ($calm)" test "$calm" -ge 2
kill -USR2 "$(pid_of demo-asks@1)"
check "a process that clears its flag gets it again" eventually said "asker (pid $(pid_of demo-asks@1)) of demo-asks@1.service: its flag was set, but is clear now; set again"
check "really" eventually has_flag demo-asks@1
check "cycles follow each other again" some_cycles
mkdir "/sys/fs/cgroup$(property demo-asks@2 ControlGroup)/inner"
sleep 1000 &
stray=$!
echo $stray >"/sys/fs/cgroup$(property demo-asks@2 ControlGroup)/inner/cgroup.procs"
stray_has_flag() {
	[ "$(flag $stray)" = 0 ]
}
check "a process that is moved into a group below a service's gets it" eventually stray_has_flag
kill $stray
wait $stray
rmdir "/sys/fs/cgroup$(property demo-asks@2 ControlGroup)/inner"
cp /t/good.conf /etc/thpd/thpd.conf
check "the long interval again" systemctl reload thpd

check "stopped" systemctl stop thpd
is "without a failure" "$(property thpd Result)" success
check "thpctl status says so" sh -c 'thpctl status | grep -q "^daemon  not running"'
echo "$wrong" >$thp/enabled
sleep 0.3
is "it is really gone" "$(setting enabled)" "$wrong"
check "restore puts all back" thpctl restore
is "the flag of a running service, too" "$(flag "$(pid_of demo@b)")" 1
policy "host { enabled = sometimes }"
check "without a policy it does not start" sh -c '! systemctl start thpd 2>/dev/null'
is "and does not try again" "$(sleep 2; property thpd ActiveState) $(property thpd NRestarts)" "failed 0"
finish
