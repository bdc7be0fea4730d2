# SPDX-License-Identifier: MIT
# What the benchmarks of the tale, and of scale, have in common; sourced. A host of their own as far as may
# be: a mount namespace with an empty /run for thpd, groups that look like units of systemd's, and the
# settings of huge pages, which are the host's and are put back however it ends.
#
# needs: the programs that it needs; needs_mib: memory; settings: those that are put back
# shellcheck shell=sh

: "${srcdir:?}" "${builddir:?}" "${BENCH_OUT:?a directory for the results}"
thp=/sys/kernel/mm/transparent_hugepage
cgroup=/sys/fs/cgroup
slice=thpdbench.slice
: "${needs:=redis-server redis-cli python3}"
: "${settings:=enabled defrag use_zero_page shrink_underused khugepaged/defrag khugepaged/scan_sleep_millisecs
	khugepaged/alloc_sleep_millisecs khugepaged/pages_to_scan khugepaged/max_ptes_none
	$(cd $thp && ls -d hugepages-*/enabled 2>/dev/null)}"

trouble() {
	echo "${0##*/}: $*" >&2
	exit 1
}

if [ -z "${BENCH_INSIDE:-}" ]; then
	[ "$(id -u)" = 0 ] || trouble "needs root"
	[ -w $thp/enabled ] || trouble "this kernel has no transparent huge pages that can be set"
	for program in $needs; do
		command -v $program >/dev/null ||
			trouble "needs $program; packaging/install-deps --tests gets it"
	done
	case $needs in *redis*)
		redis-server --version | grep -q malloc=jemalloc ||
			trouble "this redis-server has no jemalloc, which the tale is of: $(redis-server --version)"
		;;
	esac
	free_mib=$(($(sed -n 's/^MemAvailable:[[:space:]]*\([0-9]*\) kB/\1/p' /proc/meminfo) / 1024))
	[ $free_mib -ge "${needs_mib:-0}" ] || trouble "needs $needs_mib MiB of memory; $free_mib are free"
	[ ! -e /run/thpd/original.json ] || trouble "thpd has been at work in this boot: thpctl restore"
	BENCH_INSIDE=1 exec unshare --mount --propagation private "$0" "$@"
fi
mount -t tmpfs -o mode=755 tmpfs /run

# One such run at a time: its groups have the names they have.
exec 8<$cgroup
flock --timeout 3600 8 || trouble "another run does not end"

mkdir -p "$BENCH_OUT"
BENCH_OUT=$(cd "$BENCH_OUT" && pwd)
tmp=$(mktemp -d)
chmod 755 "$tmp"
raw=$tmp/raw
mkdir "$raw"

# shellcheck source=tests/groups.sh
. "$srcdir/tests/groups.sh"
# shellcheck disable=SC2034 # of tale-oom.sh
limit=memory.max
# shellcheck disable=SC2034
[ "$memory" = "$units" ] || limit=memory.limit_in_bytes

# value FILE: of a setting
value() {
	sed 's/.*\[\(.*\)\].*/\1/' "$thp/$1"
}
exec 9<$thp

# take_settings: they are what two runs would fight for. For a round at a time: others wait.
take_settings() {
	flock --timeout 1200 9 || trouble "another run does not end"
	for key in $settings; do
		[ ! -e "$thp/$key" ] || echo "$key $(value "$key")"
	done >"$tmp/settings"
	min_free=$(cat /proc/sys/vm/min_free_kbytes)
}

# give_settings: as they were
give_settings() {
	[ -e "$tmp/settings" ] || return 0
	while read -r key was; do
		[ "$(value "$key")" = "$was" ] || echo "$was" >"$thp/$key"
	done <"$tmp/settings"
	# Switching huge pages on raises it.
	echo "$min_free" >/proc/sys/vm/min_free_kbytes
	rm -f "$tmp/settings" "$tmp"/wanted.*
	flock --unlock 9
}

# end PID...: ends what we have started, and waits for it
end() {
	for pid; do
		kill -TERM "$pid" 2>/dev/null
		for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
			kill -0 "$pid" 2>/dev/null || break
			sleep 0.1
		done
		kill -KILL "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done || :
}

started=
put_back() {
	# shellcheck disable=SC2086 # a list
	end $started
	give_settings
	for group in $groups; do
		[ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} +
	done
	rm -rf "$tmp"
}
trap put_back EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

for group in $groups; do
	# What a killed run has left goes, unless somebody is in it.
	[ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || :
	[ ! -d "$group" ] || trouble "$group has processes"
	mkdir "$group"
	[ ! -e "$group/cgroup.subtree_control" ] ||
		echo +memory >"$group/cgroup.subtree_control" 2>/dev/null || :
done

# in_unit UNIT COMMAND...: becomes the command, in the unit; for a subshell of its own
in_unit() {
	for group in $groups; do
		mkdir -p "$group/$1"
		echo 0 >"$group/$1/cgroup.procs" || exit
	done
	shift
	exec 8<&- 9<&-
	exec "$@"
}

# last: remembers what was started last, so that it is ended
last() {
	started="$! $started"
}

now() {
	read -r up _ </proc/uptime
	echo "$up"
}

# start_redis NAME: in redis-server@NAME.service; leaves its pid in $redis
start_redis() {
	mkdir "$tmp/$1"
	cat >"$tmp/$1/redis.conf" <<-C
		port 0
		unixsocket $tmp/$1/redis.sock
		dir $tmp/$1
		logfile $tmp/$1/redis.log
		save ""
		appendonly no
		rdbcompression no
		disable-thp no
	C
	(in_unit "redis-server@$1.service" redis-server "$tmp/$1/redis.conf") &
	last
	redis=$!
	until redis-cli -s "$tmp/$1/redis.sock" ping >/dev/null 2>&1; do
		kill -0 $redis 2>/dev/null || trouble "redis-server does not start: $(cat "$tmp/$1/redis.log")"
		sleep 0.05
	done
}

# end_redis NAME PID: and its unit's groups, as systemd does; thpd sees a start by the new group
end_redis() {
	end "$2"
	for group in $groups; do
		rmdir "$group/redis-server@$1.service"
	done
	rm -rf "${tmp:?}/$1"
}

# rcli NAME COMMAND...
rcli() {
	rcli_name=$1
	shift
	redis-cli -s "$tmp/$rcli_name/redis.sock" "$@"
}

# figures CONDITION PHASE FILE: what a program has printed, NAME=VALUE, in this $round (its caller's)
: "${round:=0}"
figures() {
	echo "$round $1 $2 $(cat "$3")" >>"$raw/figures"
}

# The neighbours, in a unit that no rule is about; they print what they have found.
: "${JAVA:=}" "${CHASE_MIB:=2048}" "${CHASE_SECONDS:=2}" "${JVM_SECONDS:=1.5}"
chase() {
	(in_unit analytics.service "$builddir/bench/chase" "$CHASE_MIB" "$CHASE_SECONDS")
}
# make_jvm: to be called before, once; without a compiler, or with JAVA=no, there is none
make_jvm() {
	if [ "$JAVA" != no ] && command -v javac >/dev/null; then
		javac -d "$tmp" "$srcdir/bench/Groups.java"
	else
		JAVA=no
	fi
}
jvm() {
	(in_unit analytics.service java -Xms1200m -Xmx1200m -XX:+UseSerialGC -Xmn64m -cp "$tmp" Groups "$JVM_SECONDS")
}

# start_thpd: the daemon, with a policy for Redis alone unless there is another; leaves its pid in $thpd
start_thpd() {
	[ -e "$tmp/policy.conf" ] || cat >"$tmp/policy.conf" <<-C
		host {
		    service 'redis-server@*.service' { thp = disable  reclaim = once }
		}
	C
	rm -f /run/thpd/report.json
	"$builddir/thpd" --policy "$tmp/policy.conf" --helpers "$builddir" 8<&- 9<&- 2>>"$tmp/thpd.log" &
	last
	thpd=$!
}

# thpd_ready: waits for the report of its first cycle
thpd_ready() {
	until [ -s /run/thpd/report.json ]; do
		kill -0 $thpd 2>/dev/null || trouble "thpd does not start: $(cat "$tmp/thpd.log")"
		sleep 0.02
	done
}

end_thpd() {
	end $thpd
	cat "$tmp/thpd.log" >>"$raw/thpd.log"
	rm "$tmp/thpd.log"
}

# flag PID: of PR_SET_THP_DISABLE, as the kernel shows it; 0 when it is set
flag() {
	sed -n 's/^THP_enabled:[[:space:]]*//p' "/proc/$1/status"
}

# setting KEY VALUE: where this kernel has it
setting() {
	[ -e "$thp/$1" ] || return 0
	echo "$2" >"$thp/$1"
	echo "$1 $2" >"$tmp/wanted.$(echo "$1" | tr / -)"
}

# still_set: ends all when somebody else has written into a setting: the figures would mean nothing
still_set() {
	for file in "$tmp"/wanted.*; do
		read -r key wanted <"$file"
		[ "$(value "$key")" = "$wanted" ] ||
			trouble "somebody else has set $key to $(value "$key"); it was $wanted"
	done
}

# pin_settings fast|defaults: what decides the figures has the kernel's own values, whatever it had before; but
# with fast khugepaged rests for 20 ms instead of 10 s: what takes it 20 minutes otherwise is done in seconds
pin_settings() {
	for key in $(cd $thp && ls -d hugepages-*/enabled 2>/dev/null); do
		case $key in
		"hugepages-$(($(cat $thp/hpage_pmd_size) / 1024))kB/enabled") setting "$key" inherit ;;
		*) setting "$key" never ;;
		esac
	done
	setting defrag madvise
	setting use_zero_page 1
	setting shrink_underused 1
	setting khugepaged/defrag 1
	setting khugepaged/pages_to_scan 4096
	setting khugepaged/max_ptes_none 511
	if [ "$1" = fast ]; then
		setting khugepaged/scan_sleep_millisecs 20
		setting khugepaged/alloc_sleep_millisecs 100
	else
		setting khugepaged/scan_sleep_millisecs 10000
		setting khugepaged/alloc_sleep_millisecs 60000
	fi
}

# describe: the machine and the versions of what we need, for the report, as NAME=VALUE
describe() {
	python3 "$srcdir/bench/machine.py"
	if [ "$limit" = memory.max ]; then echo cgroup_memory=2; else echo cgroup_memory=1; fi
	case $needs in *redis*)
		cat <<-C
			redis=$(redis-server --version | sed 's/.*v=\([0-9.]*\) .*malloc=\([^ ]*\) .*/\1, \2/')
			java=$(java -version 2>&1 | sed -n '1s/.*"\(.*\)".*/\1/p')
		C
		;;
	esac
}
