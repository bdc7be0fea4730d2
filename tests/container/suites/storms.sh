#!/bin/sh
# SPDX-License-Identifier: MIT
# The daemon and its parts under storms: killed at random while services start, reloaded while the policy
# changes, cycle after cycle, foreign writes without end, stopped, without memory; and then with nothing
# to do at all.
#
# THPD_STORMS=full: the full lengths, some 40 minutes in all; else each is cut short.
# THPD_STORMS_PARTS: which (kills reloads cycles writes hostile stops limits idle interval)
# shellcheck disable=SC2317 # the parts are called by their names
# shellcheck disable=SC2013,SC2046,SC2086 # lists of words, and numbers
# shellcheck source=tests/container/inside.sh
. "${srcdir:?}/tests/container/inside.sh"

# length FULL SHORT
length() {
	if [ "${THPD_STORMS:-}" = full ]; then echo "$1"; else echo "$2"; fi
}
parts="${THPD_STORMS_PARTS:-kills reloads cycles writes hostile stops limits idle interval}"
daemon="thpd thpd-helper thpd-starts"
group=/sys/fs/cgroup/system.slice

# pids UNIT...: of their processes, read without asking systemd
pids() {
	for pids_unit; do
		cat "$group/$pids_unit.service/cgroup.procs" 2>/dev/null
	done
}
# random N: 0 to N - 1
random() {
	echo $(($(od -An -N4 -tu4 /dev/urandom) % $1))
}
# nap MILLISECONDS
nap() {
	sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"
}
# counter NAME: of the daemon's report
counter() {
	sed -n "s/^ *\"$1\": \([0-9]*\),*$/\1/p" /run/thpd/report.json | head -n 1
}
# cpu_us UNIT...: what their processes have used of a processor, those that have ended, too
cpu_us() {
	for cpu_unit; do
		cat "$group/$cpu_unit.service/cpu.stat" 2>/dev/null
	done | awk '$1 == "usage_usec" { n += $2 } END { printf "%.0f\n", n }'
}
# switches UNIT...: how often all their threads were put on a processor or taken off it
switches() {
	for switch_pid in $(pids "$@"); do
		cat "/proc/$switch_pid/task"/*/status
	done | awk '/ctxt_switches/ { n += $2 } END { print n + 0 }'
}
# pss PID: in kB
pss() {
	awk '$1 == "Pss:" { print $2 }' "/proc/$1/smaps_rollup"
}
# own PID: what of it is nobody else's, and in no file: in kB
own() {
	awk '$1 == "Pss_Anon:" { print $2 }' "/proc/$1/smaps_rollup"
}
descriptors() {
	find "/proc/$1/fd" -type l 2>/dev/null | wc -l
}
# one_more_sample: own memory and descriptors of the daemon, to $tmp/samples
one_more_sample() {
	sample_pid=$(pids thpd | head -n 1)
	echo "$(own "$sample_pid") $(descriptors "$sample_pid") $sample_pid" >>"$tmp/samples"
}
# flat WHAT TOLERANCE_KB: the last tenth of the samples against the second one
flat() {
	awk '{ m[NR] = $1; f[NR] = $2 }
		END {
			t = int(NR / 10) > 0 ? int(NR / 10) : 1
			for (i = 1; i <= t; i++) {
				a += m[t + i]; b += m[NR - t + i]; c += f[t + i]; d += f[NR - t + i]
			}
			printf "%.0f %.0f %.1f %.1f %d\n", a / t, b / t, c / t, d / t, NR
		}' "$tmp/samples" >"$tmp/flat"
	read -r m0 m1 f0 f1 n <"$tmp/flat"
	echo "# $1: own memory $m0 kB, then $m1 kB; $f0 descriptors, then $f1; $n samples"
	is "$1: it is one process all the time" "$(awk '{ print $3 }' "$tmp/samples" | sort -u | wc -l)" 1
	check "$1: memory is flat" test "$m1" -le $((m0 + $2))
	check "$1: descriptors are flat" awk "BEGIN { exit !($f1 - $f0 < 2) }"
	: >"$tmp/samples"
}
has_flag() {
	[ "$(flag "$(pid_of "$1")" 2>/dev/null)" = 0 ]
}
all_have_flags() {
	for flag_pid in $(cat "$group"/system-storm.slice/storm@*.service/cgroup.procs); do
		[ "$(flag "$flag_pid" 2>/dev/null)" = 0 ] || return 1
	done
}
daemon_runs() {
	[ "$(property thpd ActiveState)/$(property thpd SubState)" = active/running ]
}
# instances FROM TO
instances() {
	seq -f 'storm@%g.service' "$1" "$2"
}
# storm_of_starts: restarts services until $tmp/storm is gone; a line in $tmp/starts for each start that
# went well, one in $tmp/failed for each that did not
storm_of_starts() {
	while [ -e "$tmp/storm" ]; do
		for storm in 1 2 3 4 5; do
			if timeout 20 systemctl restart "storm@$storm" "gated@$storm"; then
				echo "$storm" >>"$tmp/starts"
			else
				echo "$storm" >>"$tmp/failed"
			fi
		done
	done
}
begin_storm() {
	: >"$tmp/starts"
	: >"$tmp/failed"
	: >"$tmp/storm"
	storm_of_starts &
	storm_pid=$!
}
end_storm() {
	rm -f "$tmp/storm"
	wait $storm_pid
}
# none_harmed WHAT: every service that was ever started is well
none_harmed() {
	echo "# $1: $(wc -l <"$tmp/starts") times two services started"
	check "$1: services were started" test -s "$tmp/starts"
	is "$1: every start went well" "$(cat "$tmp/failed")" ""
	is "$1: all are running, by their first start" "$(systemctl show -p ActiveState,Result,NRestarts \
		'storm@*' 'gated@*' | sed '/^$/d' | sort -u | tr '\n' ' ')" \
		"ActiveState=active NRestarts=0 Result=success "
	is "$1: none has crashed" "$(journalctl -b --no-pager -o cat |
		grep -E '^(storm|gated)@.*(dumped core|Failed with result|status=[0-9]*/(SEGV|ILL|BUS|TRAP|SYS|KILL))')" ""
}
# well WHAT: after all that, all works
well() {
	check "$1: the daemon runs" eventually daemon_runs
	check "$1: all services have the flag" eventually all_have_flags
	systemctl restart storm@1 gated@1
	check "$1: one that starts gets it" eventually has_flag storm@1
	check "$1: one that is held at its start gets it, too" eventually has_flag gated@1
}

# A program of its own: each exec of a program that is watched is heard, whoever runs it.
mkdir -p /srv
cp "$(command -v sleep)" /srv/storm
unit storm@.service <<-U
	[Unit]
	StartLimitIntervalSec=0
	[Service]
	Type=exec
	ExecStart=/srv/storm 100000
U
unit gated@.service <<-U
	[Unit]
	StartLimitIntervalSec=0
	[Service]
	Type=exec
	ExecStart=/srv/storm 100000
	DynamicUser=yes
	SystemCallFilter=@system-service
U
services="service 'storm@*.service' { thp = disable }
	service 'gated@*.service' { thp = disable start = gate }"
mkdir -p /run/systemd/system/thpd.service.d
printf '%s\n' '[Service]' RestartSec=50ms >/run/systemd/system/thpd.service.d/storm.conf
systemctl daemon-reload
policy "verify_interval = 3600
host { $services }"
systemctl start thpd
systemctl start $(instances 1 10) gated@1
well "before"

# killed: the daemon so often, at any moment of its life, and its helpers in between
kills() {
	n=$(length 1000 10)
	begin_storm
	killed=0
	others=0
	while [ $killed -lt "$n" ]; do
		case $(random 5) in
		0) part=thpd-helper ;;
		1) part=thpd-starts ;;
		*) part=thpd ;;
		esac
		victim=$(pids $part | tail -n 1)
		# The helper is there only when it is needed, the daemon not at once.
		if [ -n "$victim" ] && kill -KILL "$victim" 2>/dev/null; then
			if [ $part = thpd ]; then killed=$((killed + 1)); else others=$((others + 1)); fi
		fi
		nap "$(random 150)"
	done
	end_storm
	echo "# $n kills of the daemon, $others of the others; thpd was restarted $(property thpd NRestarts) times," \
		"thpd-starts $(property thpd-starts NRestarts) times"
	none_harmed "killed"
	is "killed: no unit has failed" "$(systemctl --failed --plain --no-legend)" ""
	well "killed"
}

# write_policy N GOOD: two settings that always change together, in one file as one step. Numbers below
# 1000 are of good policies.
write_policy() {
	number=$((10000 + $1))
	[ "$2" = yes ] || number=$((20000 + $1))
	bad=
	case $2$(($1 % 5)) in
	yes*) ;;
	no0) bad="khugepaged { max_ptes_none = 100000000 }" ;;
	no1) bad="enabled = sometimes" ;;
	no2) bad="no_such_key = 1" ;;
	no3) bad="service 'storm@*.service' { thp = perhaps }" ;;
	no4) bad="khugepaged {" ;;
	esac
	cat >/etc/thpd/next <<-P
		verify_interval = 3600
		host {
			khugepaged { scan_sleep_millisecs = $number  alloc_sleep_millisecs = $((number + 30000)) }
			$services
			$bad
		}
	P
	mv /etc/thpd/next /etc/thpd/thpd.conf
}
# sample_settings: until $tmp/sample is gone. One that is found between two writes is no fault, one that
# lasts is.
sample_settings() {
	while [ -e "$tmp/sample" ]; do
		tries=0
		last=
		while :; do
			now="$(setting khugepaged/scan_sleep_millisecs) $(setting khugepaged/alloc_sleep_millisecs)"
					set -- $now
			[ "$1" -lt 20000 ] || echo "of a bad policy: $now" >>"$tmp/mixed"
			[ $(($1 + 30000)) != "$2" ] || break
			[ "$now" = "$last" ] || tries=0
			last=$now
			tries=$((tries + 1))
			if [ $tries -gt 50 ]; then
				echo "lasts: $now" >>"$tmp/mixed"
				break
			fi
			sleep 0.01
		done
		echo "$now" >>"$tmp/sampled"
	done
}
reloads() {
	n=$(length 1000 50)
	write_policy 0 yes
	check "reloads: the first policy is good" thpd --reload
	: >"$tmp/mixed"
	: >"$tmp/sampled"
	: >"$tmp/sample"
	: >"$tmp/wrong"
	: >"$tmp/samples"
	sample_settings &
	sampler=$!
	for i in $(seq 1 "$n"); do
		good=yes
		[ $((i % 2)) = 0 ] || good=no
		write_policy "$i" $good
		if [ $((i / 2 % 2)) = 0 ]; then
			kill -HUP "$(pids thpd)"
		else
			status=0
			thpd --reload >/dev/null 2>&1 || status=$?
			case $good$status in
			yes0 | no1) ;;
			*) echo "reload $i, good: $good: $status" >>"$tmp/wrong" ;;
			esac
		fi
		[ $((i % (n / 50))) != 0 ] || { nap 20; one_more_sample; }
	done
	thpd --reload >/dev/null 2>&1
	[ $((n % 2)) = 0 ] && last_good=$n || last_good=$((n - 1))
	is "reloads: at the end the last good policy is in force" \
		"$(setting khugepaged/scan_sleep_millisecs) $(setting khugepaged/alloc_sleep_millisecs)" \
		"$((10000 + last_good)) $((40000 + last_good))"
	rm "$tmp/sample"
	wait $sampler
	echo "# reloads: $(counter reloads) good, $(counter reloads_failed) refused," \
		"$(sort -u "$tmp/sampled" | wc -l) policies seen in $(wc -l <"$tmp/sampled") samples"
	is "reloads: no policy was applied in parts" "$(cat "$tmp/mixed")" ""
	is "reloads: each answer was right" "$(cat "$tmp/wrong")" ""
	flat "reloads" 128
	write_policy 0 yes
	thpd --reload
}

# Each reload has a cycle, and services that come up and go have some.
cycles() {
	n=$(length 10000 60)
	every=$(length 150 5)
	first=$(counter cycles)
	: >"$tmp/samples"
	begin_storm
	asked=0
	until [ $(($(counter cycles) - first)) -ge "$n" ]; do
		for i in 1 2 3 4 5; do
			thpd --reload || echo "reload" >>"$tmp/failed"
		done
		asked=$((asked + 5))
		# Some 200 samples; the first ones are of a daemon that is still growing into its work.
		[ $((asked % every)) != 0 ] || one_more_sample
		[ $asked -lt $((n * 2)) ] || break
	done
	end_storm
	echo "# cycles: $(($(counter cycles) - first)), with $asked reloads among them"
	check "cycles: so many there were" test $(($(counter cycles) - first)) -ge "$n"
	none_harmed "cycles"
	flat "cycles" 128
	well "cycles"
}

# policy_as_it_is: names every setting, with the value that it has
policy_as_it_is() {
	echo "verify_interval = 3600"
	echo "host {"
	for key in enabled defrag shmem_enabled use_zero_page shrink_underused; do
		[ ! -w $thp/$key ] || echo "$key = '$(setting $key)'"
	done
	echo "khugepaged {"
	for file in "$thp"/khugepaged/*; do
		key=${file##*/}
		case $key in
		full_scans | pages_collapsed) ;;
		*) echo "$key = '$(setting "khugepaged/$key")'" ;;
		esac
	done
	echo "}"
	for dir in "$thp"/hugepages-*; do
		echo "anon '${dir##*hugepages-}' {"
		for key in enabled shmem_enabled; do
			[ ! -e "$dir/$key" ] || echo "$key = '$(setting "${dir##*/}/$key")'"
		done
		echo "}"
	done
	echo "$services"
	echo "}"
}
all_settings() {
	find $thp -type f -perm -200 | sort | while read -r key; do
		echo "$key $(setting "${key#"$thp"/}")"
	done
}
# others FILE: values for it that are not its own, one a line
others() {
	if grep -q '\[' "$1"; then
		sed 's/\[[^]]*\] *//; s/ $//' "$1" | tr ' ' '\n' | grep -v force
	else
		read -r number <"$1"
		case $number in
		0) echo 1 ;;
		*) echo $((number - 1)) ;;
		esac
	fi
}
# writer N: so many writes to all files in turn
writer() {
	left=$1
	while [ "$left" -gt 0 ]; do
		while read -r file value; do
			[ "$left" -gt 0 ] || break
			echo "$value" >"$file"
			left=$((left - 1))
		done <"$tmp/values" 2>/dev/null
	done
}
as_before() {
	all_settings | cmp -s - "$tmp/before"
}
writes() {
	n=$(length 10000 400)
	policy_as_it_is >/etc/thpd/thpd.conf
	check "writes: a policy of all that there is" thpd --reload
	all_settings >"$tmp/before"
	sed 's/ .*//' "$tmp/before" | while read -r file; do
		others "$file" | sed "s|^|$file |"
	done >"$tmp/values"
	counted=$(counter foreign_writes)
	for i in 1 2 3 4; do
		writer $((n / 4)) &
		eval "writer$i=$!"
	done
	# shellcheck disable=SC2154 # as set there
	wait "$writer1" "$writer2" "$writer3" "$writer4"
	tries=1200
	until as_before || [ $tries = 0 ]; do
		tries=$((tries - 1))
		sleep 0.05
	done
	is "writes: $n from four writers to $(wc -l <"$tmp/before") files are undone" \
		"$(all_settings | diff "$tmp/before" - | head -n 6)" ""
	nap 1500
	echo "# writes: right $(((1200 - tries) * 50)) ms after the last one;" \
		"$(($(counter foreign_writes) - counted)) were seen one by one"
	check "writes: they are counted" test "$(counter foreign_writes)" -gt "$counted"
	check "writes: it stays so" as_before
}

# One that does not give up. The daemon is new, and knows of no fight.
hostile() {
	seconds=$(length 60 3)
	wanted=$(setting enabled)
	wrong=$(other enabled)
	policy "verify_interval = 3600
	host { enabled = $wanted
	$services }"
	systemctl restart thpd
	nap 2500
	journalctl --sync
	since=$(journalctl -b -q --no-pager -n 1 -o export | sed -n 's/^__CURSOR=//p')
	(
		while :; do echo "$wrong"; done >$thp/enabled
	) &
	foe=$!
	used=$(cpu_us $daemon)
	sleep "$seconds"
	used=$(($(cpu_us $daemon) - used))
	check "hostile: the status tells of it" sh -c 'thpctl --json status | grep -q "\"settings_backed_off\": 1"'
	check "hostile: and counts" test "$(counter foreign_writes)" -gt 5
	kill -KILL $foe
	wait $foe 2>/dev/null
	journalctl --sync
	journalctl -b -q --no-pager --after-cursor "$since" -o cat \
		-u thpd -u thpd-helper -u thpd-starts >"$tmp/entries"
	share=$(awk "BEGIN { printf \"%.3f\", $used / $seconds / 1e4 }")
	echo "# hostile: $seconds s: $share % of a core, $(wc -l <"$tmp/entries") entries"
	check "hostile: below 2 % of a core" awk "BEGIN { exit !($share < 2) }"
	check "hostile: below 10 entries a minute" test "$(wc -l <"$tmp/entries")" -lt \
		$((10 * (seconds + 59) / 60))
	is "hostile: that it is a fight is said once" \
		"$(grep -c 'enabled was repaired .* it is left for' "$tmp/entries")" 1
	tries=$((seconds * 40 + 100))
	until [ "$(setting enabled)" = "$wanted" ] || [ $tries = 0 ]; do
		tries=$((tries - 1))
		sleep 0.05
	done
	is "hostile: right when it is over" "$(setting enabled)" "$wanted"
	policy "verify_interval = 3600
	host { $services }"
	systemctl restart thpd
}

# starts_within SECONDS WHAT: services start in spite of all
starts_within() {
	begun=$(date +%s%N)
	check "$2: services start" timeout "$1" systemctl restart storm@1 storm@2 storm@3 gated@1 gated@2
	echo "# $2: five services in $((($(date +%s%N) - begun) / 1000000)) ms"
}
# stop WHAT PID...
stop() {
	what=$1
	shift
	[ $# -gt 0 ] || return 0
	kill -STOP "$@"
	starts_within 10 "stopped: $what"
	kill -CONT "$@" 2>/dev/null
	well "stopped: $what, and gone on"
}
# Of thpd-starts, one process holds the starts and the other one watches it: who stops both at once, as the
# freezer does, has stopped what others wait for.
stops() {
	stop thpd $(pids thpd)
	stop thpd-helper $(pids thpd-helper)
	watching=$(pid_of thpd-starts)
	stop "who watches" "$watching"
	stop "who holds the starts" $(pids thpd-starts | grep -vx "$(pid_of thpd-starts)")
	stop "all but who watches" $(pids $daemon | grep -vx "$(pid_of thpd-starts)")
}
limits() {
	parts_limited="$daemon"
	[ "${THPD_STORMS:-}" != full ] || parts_limited="$daemon all"
	for part in $parts_limited; do
		[ $part != all ] || part=$daemon
		for pid in $(pids $part); do
			now=$(awk '$1 == "VmSize:" { print $2 * 1024 }' "/proc/$pid/status")
			prlimit --pid "$pid" --as="$now"
		done
		starts_within 10 "no more memory: $part"
		kill -HUP "$(pids thpd)"
		starts_within 10 "no more memory: $part, reloaded"
		systemctl kill -s KILL thpd
		kill -KILL $(pids thpd-helper thpd-starts) 2>/dev/null
		well "no more memory: $part, ended and restarted"
	done
}

idle() {
	seconds=$(length 600 1)
	policy "verify_interval = 0
	host { enabled = $(setting enabled) $services }"
	systemctl restart thpd
	# What comes with its start takes a moment, and longer on a busy machine.
	before=0
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		after=$(switches $daemon)
		[ "$before" != "$after" ] || break
		before=$after
		nap 1500
	done
	sleep "$seconds"
	after=$(switches $daemon)
	echo "# idle: $seconds s with $before switches before them"
	is "idle: $((after - before)) times was any of them woken" "$after" "$before"
	for pid in $(pids $daemon); do
		echo "# idle: $(cat "/proc/$pid/comm"): PSS $(pss "$pid") kB, $(awk '
			/^(Rss|Pss_Anon|Pss_File|Private_Dirty|Locked):/ { printf "%s %d, ", $1, $2 }' \
			"/proc/$pid/smaps_rollup")threads $(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l)"
		check "idle: $(cat "/proc/$pid/comm"): below 4 MB" test "$(pss "$pid")" -lt 4096
	done
}
interval() {
	services_wanted=$(length 500 30)
	every=$(length 10 1)
	seconds=$(length 103 3)
	policy "verify_interval = $every
	host { enabled = $(setting enabled) $services }"
	systemctl start $(instances 1 "$services_wanted")
	systemctl restart thpd
	nap 1500
	check "interval: all have the flag" eventually all_have_flags
	# The first notes what is there, for those that come.
	sleep $((every * 3))
	had=$(counter cycles)
	used=$(cpu_us $daemon)
	sleep "$seconds"
	used=$(($(cpu_us $daemon) - used))
	had=$(($(counter cycles) - had))
	[ $had -gt 0 ] || had=1
	share=$(awk "BEGIN { printf \"%.5f\", $used / $had / 60 / 1e4 }")
	echo "# interval: $services_wanted services, $had cycles in $seconds s: $((used / had)) us for each," \
		"$share % of a core at one a minute"
	check "interval: below 0.01 % at one a minute" awk "BEGIN { exit !($share < 0.01) }"
}

for part in $parts; do
	began=$(date +%s)
	$part
	# shellcheck disable=SC2154 # set above
	echo "# took $(($(date +%s) - began)) s; load $(cut -d ' ' -f 1 /proc/loadavg)"
done
finish
