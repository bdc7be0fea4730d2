#!/bin/sh
# SPDX-License-Identifier: MIT
# The kill: a Redis under a memory limit that its data never come near, on a host `always`, and with thpd.
#
# Usage: tale-oom.sh [TRIES]   (as root; 3 of each unless told; about a minute)
#
# Environment: srcdir, builddir, BENCH_OUT; LIMIT_MIB (900), SEED (1).
#
# A queue of small jobs comes, 640 MB of them, and goes, but for the records of one job in 32. khugepaged,
# sped up, has its time. Then there are jobs of 3 MB, 150 of them, for which there is no room between what
# is left of the others: they need memory of their own.
set -eu

tries=${1:-3}
: "${LIMIT_MIB:=900}" "${SEED:=1}"
# shellcheck disable=SC2034 # for host.sh
needs_mib=$((LIMIT_MIB + 200))
# shellcheck source=bench/host.sh
. "${srcdir:?}/bench/host.sh"
small=32000 large=150 keep=32

# jobs VERB ARGUMENT...
jobs() {
	jobs_verb=$1
	shift
	"$builddir/bench/jobs" "$tmp/$name/redis.sock" "$jobs_verb" --seed "$SEED" "$@" >"$tmp/out" 2>"$tmp/err"
}

# kills: how many the kernel has made in the unit
kills() {
	cat "$unit/memory.oom_control" "$unit/memory.events" 2>/dev/null |
		sed -n 's/^oom_kill \([0-9]*\)$/\1/p'
}

charged() {
	charged_file=$unit/memory.current
	[ -e "$charged_file" ] || charged_file=$unit/memory.usage_in_bytes
	echo $(($(cat "$charged_file") / 1024))
}

used() {
	rcli $name info memory | tr -d '\r' | awk -F : '$1 == "used_memory" { printf "%d\n", $2 / 1024 }'
}

# try NAME: one Redis, until it has done its jobs or is killed
try() {
	name=$1
	unit=$memory/redis-server@$name.service
	for group in $groups; do
		mkdir -p "$group/redis-server@$name.service"
	done
	echo $((LIMIT_MIB << 20)) >"$unit/$limit"
	# What could be swapped would not be killed.
	[ ! -e "$unit/memory.swap.max" ] || echo 0 >"$unit/memory.swap.max"
	before=$(kills)
	start_redis "$name"
	jobs burst --count $small --keep $keep || trouble "killed too early: $(cat "$tmp/err")"
	peak=$(used)
	jobs drain --count $small --keep $keep || trouble "$(cat "$tmp/err")"
	rcli "$name" memory purge >/dev/null
	sleep 5
	settled=$(charged) used=$(used) rss=$(sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$redis/status")
	status=0
	jobs burst --first $small --count $large --keep 1 --min 3000000 --max 3000000 || status=$?
	killed=$(($(kills) - before))
	[ $status = 0 ] || [ $killed -gt 0 ] || trouble "neither done nor killed: $(cat "$tmp/err")"
	echo "$try $name - killed=$killed peak_used_kb=$peak settled_used_kb=$used settled_rss_kb=$rss" \
		"settled_charged_kb=$settled limit_kb=$((LIMIT_MIB << 10))" | tee -a "$raw/figures" >&2
	still_set
	end_redis "$name" $redis
}

describe >"$raw/machine"
for try in $(seq "$tries"); do
	take_settings
	pin_settings fast
	setting enabled always
	try always
	start_thpd
	thpd_ready
	try policy
	end_thpd
	rm -rf /run/thpd
	give_settings
	started=
done
echo "limit_mib=$LIMIT_MIB" >>"$raw/machine"
python3 "$srcdir/bench/tale-report.py" oom "$raw" "$BENCH_OUT/tale-oom.json"
