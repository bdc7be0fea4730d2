#!/bin/sh
# SPDX-License-Identifier: MIT
# The life of a service, with the daemon beside it: its program replaced while it runs, its unit changed,
# the manager reloaded and executed anew, the first instance of a template, users' services; the daemon's
# own programs replaced, and its end.
# shellcheck disable=SC2119,SC2317 # called by way of eventually
# shellcheck source=tests/container/inside.sh
. "${srcdir:?}/tests/container/inside.sh"

has_flag() {
	[ "$(flag "$(pid_of "$1")")" = 0 ]
}
# runs UNIT EXE: its main process is that
runs() {
	[ "$(readlink "/proc/$(pid_of "$1")/exe")" = "$2" ]
}
# starts_in_time NAME UNIT: it is started and has its flag within a second
starts_in_time() {
	systemctl restart "$2"
	in_time=20
	until has_flag "$2" || [ $in_time = 0 ]; do
		in_time=$((in_time - 1))
		sleep 0.05
	done
	is "$1" "$(flag "$(pid_of "$2")")" 0
}
# counts WORD: of the daemon's "starts:"
counts() {
	thpctl status | sed -n "s/.*starts:.* \([0-9][0-9]*\) $1.*/\1/p"
}
# replace FILE: by another one, as a package's upgrade does
replace() {
	cp "$1" "$1.new" && mv "$1.new" "$1"
}
# is_new UNIT FILE: its processes run what is installed now
is_new() {
	is_old=$(while read -r is_pid; do
		[ "$(stat -L -c %d:%i "/proc/$is_pid/exe")" = "$(stat -c %d:%i "$2")" ] || echo "$is_pid"
	done <"/sys/fs/cgroup$(property "$1" ControlGroup)/cgroup.procs") && [ -z "$is_old" ]
}
# started_at_once NAME UNIT: a start right now, by the gate
started_at_once() {
	at_once=$(counts gated)
	starts_in_time "$1" "$2"
	sleep 1.5
	is "it was held for it" "$(counts gated)" $((at_once + 1))
}
all_stopped() {
	[ -z "$(systemctl list-units --plain --no-legend --state=active,activating,deactivating \
		'thpd.*' 'thpd-helper.*' 'thpd-starts.*')" ]
}
quiet_settled() {
	[ "$(setting enabled)" = "$enabled" ]
}

no_generator
enabled=$(other enabled)
wrong=$(setting enabled)
cp /usr/bin/sleep /usr/local/bin/life-a
cp /usr/bin/sleep /usr/local/bin/life-b
cp /usr/bin/sleep /usr/local/bin/life-c
for u in life-plain:a life-gate:a life@:b life-gate@:c; do
	unit "${u%:*}.service" <<-U
		[Unit]
		StartLimitIntervalSec=0
		[Service]
		ExecStart=/usr/local/bin/life-${u#*:} 1000
	U
done
systemctl daemon-reload
policy "verify_interval = 3600
host {
	enabled = $enabled
	service 'life-*.service' { thp = disable }
	service 'life@*.service' { thp = disable }
	service 'life-gate*.service' { thp = disable  start = gate }
}"
check "enabled and started" systemctl enable --now thpd-apply thpd
starts_in_time "a service starts with its flag" life-plain
# A start before the table is in force, on a busy machine, is another matter.
sleep 1.5
escaped=$(counts escaped)

# The service's program is replaced, by a rename: the old inode is not what starts next.
replace /usr/local/bin/life-a
check "the old program runs on" runs life-plain "/usr/local/bin/life-a (deleted)"
is "with its flag" "$(flag "$(pid_of life-plain)")" 0
sleep 1
watched=$(counts watched)
starts_in_time "the new program has it, too" life-plain
check "it is the new one" runs life-plain /usr/local/bin/life-a
starts_in_time "and behind the gate" life-gate
sleep 1.5
is "both were seen as they started" "$(($(counts watched) - watched + $(counts gated))) $(counts escaped)" "2 $escaped"

# The unit names another program.
mkdir -p /run/systemd/system/life-plain.service.d
printf '[Service]\nExecStart=\nExecStart=/usr/local/bin/life-b 1000\n' \
	>/run/systemd/system/life-plain.service.d/other.conf
check "daemon-reload" systemctl daemon-reload
sleep 0.5
watched=$(counts watched)
starts_in_time "a changed unit has its flag" life-plain
check "with the other program" runs life-plain /usr/local/bin/life-b
sleep 1.5
is "seen as it started" "$(($(counts watched) - watched)) $(counts escaped)" "1 $escaped"

check "daemon-reexec" systemctl daemon-reexec
sleep 1
starts_in_time "then a start has its flag" life-plain
check "without a loss" sh -c '! thpctl status | grep -q lost'

# The first instance of a template: no unit of this name was known before.
starts_in_time "the first instance of a template" life@first
starts_in_time "another one" life@second
starts_in_time "the first one behind the gate" life-gate@first
sleep 1.5
gated=$(counts gated)
for n in 1 2 3 4 5 6 7 8; do
	systemctl start "life-gate@new$n"
done
sleep 1.5
is "instances that nobody knew are held behind it, each" "$(($(counts gated) - gated))" 8
starts_in_time "the same one again" life-gate@first
systemctl stop life@first
starts_in_time "one that was stopped, and is no unit any more" life@first

# Users' own managers have units of the same names; only a rule for them is about them.
# There is no PAM in all trees, and nobody logs in.
mkdir -p /run/systemd/system/user@0.service.d /run/user/0
printf '[Service]\nPAMName=\nEnvironment=XDG_RUNTIME_DIR=/run/user/0\n' >/run/systemd/system/user@0.service.d/plain.conf
systemctl daemon-reload
is "a user's service of that name is left alone" "$(
	mkdir -p /run/systemd/user
	cp /run/systemd/system/life-gate.service /run/systemd/user/life-gate.service
	if systemctl start user@0.service 2>"$tmp/err" && XDG_RUNTIME_DIR=/run/user/0 systemctl --user start life-gate; then
		sleep 1.5
		flag "$(XDG_RUNTIME_DIR=/run/user/0 systemctl --user show --value -p MainPID life-gate)"
	else
		cat "$tmp/err"
	fi)" 1

# thpd's own programs are replaced under it, as by an upgrade: nothing happens until it is restarted.
parts="thpd:/usr/sbin/thpd thpd-helper:/usr/libexec/thpd/thpd-helper thpd-starts:/usr/libexec/thpd/thpd-starts"
for part in $parts; do
	replace "${part#*:}"
done
echo "$wrong" >$thp/enabled
check "with its programs replaced, a write is undone" eventually quiet_settled
starts_in_time "and a start has its flag" life-plain
pid=$(pid_of life-plain)
starts=$(pid_of thpd-starts)
check "a reload works" systemctl reload thpd
is "and nobody was replaced" "$(pid_of thpd-starts)" "$starts"
for again in "" ", again"; do
	check "restarted$again" systemctl restart thpd
	started_at_once "the next start is behind the gate$again" life-gate
	for part in $parts; do
		check "${part%:*}: it is the new program$again" is_new "${part%:*}" "${part#*:}"
	done
	is "nobody was missed$again" "$(thpctl status | grep -E 'lost|unusable')" ""
	is "the service was not disturbed$again" "$(pid_of life-plain) $(flag "$pid")" "$pid 0"
	[ -n "$again" ] || starts=$(pid_of thpd-starts)
done
is "what is not replaced goes on" "$(pid_of thpd-starts)" "$starts"
starts_in_time "and the next start has its flag" life-plain
echo "$wrong" >$thp/enabled
check "a write is undone" eventually quiet_settled

# In a storm of starts: each goes on.
: >"$tmp/storm"
storms=
for n in 1 2 3 4; do
	(while [ -e "$tmp/storm" ]; do systemctl restart "life-gate@storm$n" || echo "$n" >>"$tmp/broken"; done) &
	storms="$storms $!"
done
for _ in 1 2 3 4; do
	replace /usr/libexec/thpd/thpd-starts
	check "in a storm of starts: restarted" systemctl restart thpd
	check "in a storm of starts: thpd-starts is the new program" eventually is_new thpd-starts /usr/libexec/thpd/thpd-starts
done
rm "$tmp/storm"
# shellcheck disable=SC2086 # pids
wait $storms
is "each start went on" "$(cat "$tmp/broken" 2>/dev/null)" ""

# thpd is killed, and not there again for a while: starts go on being met.
mkdir -p /run/systemd/system/thpd.service.d
printf '[Service]\nRestartSec=3\n' >/run/systemd/system/thpd.service.d/later.conf
systemctl daemon-reload
starts=$(pid_of thpd-starts)
kill -KILL "$(pid_of thpd)"
starts_in_time "thpd is killed: a start has its flag" life-gate
is "there is no thpd meanwhile" "$(pid_of thpd)" 0
check "until it is started again" eventually systemctl is-active -q thpd
is "and met by the same thpd-starts" "$(pid_of thpd-starts)" "$starts"
starts_in_time "which sets the next one, too" life-gate
good=$(cat /etc/thpd/thpd.conf)
policy "host { enabled = sometimes }"
check "restarted with a bad policy, it does not start" sh -c '! systemctl restart thpd 2>/dev/null'
starts_in_time "starts are met by the last good one" life-gate
policy "$good"
check "restarted with the good one" systemctl restart thpd
is "still the same thpd-starts" "$(pid_of thpd-starts)" "$starts"

is "no unit has failed" "$(systemctl --failed --plain --no-legend | grep -v systemd-)" ""

check "stopped" systemctl stop thpd
check "nothing of it runs any more" eventually all_stopped
systemctl restart life-gate
sleep 0.3
is "and a start has no flag" "$(flag "$(pid_of life-gate)")" 1
thpctl restore >/dev/null
finish
