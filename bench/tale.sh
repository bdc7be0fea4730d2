#!/bin/sh
# SPDX-License-Identifier: MIT
# The tale: a Redis that is a queue of ephemeral jobs, on hosts with huge pages, without, and with thpd;
# and a neighbour on the same host that lives from them. See bench/README.md.
#
# Usage: tale.sh [fast|defaults [ROUNDS]]   (as root; fast, 1 unless told)
#
#	fast		khugepaged is sped up; a round takes less than 90 s on a machine with nothing else to do
#	defaults	khugepaged as the kernel has it; fewer jobs, twenty minutes a round
#
# Environment: srcdir, builddir, BENCH_OUT; JOBS (52000; 20000), SEED (1), CHASE_MIB (2048; powers of two), CHASE_SECONDS (2),
# LATER (60): after how many seconds the last look is taken. JAVA=no leaves the JVM out.
#
# A round: each condition has a Redis of its own, the same load by the same seed, and then the neighbours.
#
#	always	host `always`
#	late	the same Redis, when the damage is done: thpd is started, `reclaim = once`. It stays for LATER
#		seconds, in which the other conditions are run, and is looked at again.
#	never	host `never`; thpd does not run
#	policy	host `always`, with thpd, which sets Redis alone as it starts
set -eu

variant=${1:-fast}
rounds=${2:-1}
# What late's Redis still has, and the most that comes beside it: a full queue and the file of its BGSAVE, or a
# neighbour.
: "${CHASE_MIB:=2048}"
# shellcheck disable=SC2034 # for host.sh
needs_mib=$((1500 + (CHASE_MIB > 2600 ? CHASE_MIB : 2600)))
# shellcheck source=bench/host.sh
. "${srcdir:?}/bench/host.sh"
: "${SEED:=1}" "${LATER:=60}"
keep=32
# Settled: RSS has not moved by a hundredth for `calm` seconds, and khugepaged has begun to look at all
# memory so many times anew; after `least` seconds, and at most after `most`.
case $variant in
fast) calm=2 scans=2 least=4 most=40 interval=100 && : "${JOBS:=52000}" ;;
defaults) calm=120 scans=2 least=120 most=4800 interval=250 && : "${JOBS:=20000}" ;;
*) trouble "fast or defaults, not $variant" ;;
esac
make_jvm

# mark NAME PHASE
mark() {
	echo "$round $1 $2 $(now)" >>"$raw/marks"
}

# jobs NAME VERB ARGUMENT...: the load; an error ends all
jobs() {
	jobs_name=$1
	jobs_verb=$2
	shift 2
	mark "$jobs_name" "$jobs_verb"
	"$builddir/bench/jobs" "$tmp/$jobs_name/redis.sock" "$jobs_verb" --seed "$SEED" --count "$JOBS" \
		--keep $keep "$@" >"$tmp/out" || trouble "wrong answers from redis: $(cat "$tmp/out")"
	figures "$jobs_name" "$jobs_verb" "$tmp/out"
}

# steady NAME PHASE ARGUMENT...: a client that goes on until end_steady
steady() {
	steady_name=$1
	steady_phase=$2
	shift 2
	"$builddir/bench/jobs" "$tmp/$steady_name/redis.sock" steady --seed "$SEED" --count "$JOBS" \
		"$@" >"$tmp/steady" 8<&- 9<&- &
	last
	steady=$!
}
end_steady() {
	kill -TERM $steady
	wait $steady || trouble "wrong answers from redis: $(cat "$tmp/steady")"
	figures "$steady_name" "$steady_phase" "$tmp/steady"
}

# memory NAME PHASE: the last sample, and what smaps_rollup says of huge pages
memory() {
	tail -n 1 "$raw/samples.$round.$1" | awk -v huge="$(sed -n \
		's/^AnonHugePages:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$redis/smaps_rollup")" \
		'{ print "rss_kb=" $2, "huge_kb=" huge, "charged_kb=" $4, "used_kb=" $5 }' >"$tmp/out"
	figures "$1" "$2" "$tmp/out"
}

# wait_settled NAME
wait_settled() {
	began=$(now)
	until_scan=$(($(value khugepaged/full_scans) + scans))
	[ "$(value enabled)" != never ] || until_scan=0 # it does not run
	until scanned=$(value khugepaged/full_scans) && awk -v began="$began" -v calm=$calm -v least=$least \
		-v most=$most -v scan=$((scanned >= until_scan)) '
		{ at[NR] = $1; rss[NR] = $2 }
		END {
			for (i = NR; i > 0 && at[i] > at[NR] - calm; i--)
				if (rss[i] < rss[NR] * 0.99 || rss[i] > rss[NR] * 1.01)
					moves = 1
			exit !(at[NR] - began > most || (at[NR] - began > least && !moves && scan))
		}' "$raw/samples.$round.$1"; do
		sleep 0.5
	done
}

# save NAME: BGSAVE of the full queue, while records are written
save() {
	mark "$1" save
	steady "$1" save --rate 2000 --keep 1
	rcli "$1" bgsave >/dev/null
	while rcli "$1" info persistence | grep -q '^rdb_bgsave_in_progress:1'; do
		sleep 0.1
	done
	end_steady
	rcli "$1" info | tr -d '\r' | awk -F : '
		$1 == "latest_fork_usec" { printf "fork_us=%s ", $2 }
		$1 == "rdb_last_bgsave_status" { status = $2 }
		$1 == "rdb_last_bgsave_time_sec" { printf "save_seconds=%s ", $2 }
		$1 == "rdb_last_cow_size" { printf "cow_kb=%d ", $2 / 1024 }
		END { exit status != "ok" }' >"$tmp/out" || trouble "BGSAVE fails"
	figures "$1" save "$tmp/out"
	rm -f "$tmp/$1/dump.rdb" # it is in the page cache, and charged
}

# neighbours NAME: in a unit that no rule is about, beside the Redis that has settled
neighbours() {
	mark "$1" neighbours
	chase >"$tmp/out"
	figures "$1" chase "$tmp/out"
	if [ "$JAVA" != no ]; then
		jvm >"$tmp/out"
		figures "$1" jvm "$tmp/out"
	fi
	still_set
	mark "$1" end
}

# tale NAME: one condition, from an empty Redis to one that has settled
tale() {
	start_redis "$1"
	"$builddir/bench/memlog" "$tmp/$1/redis.sock" $redis "$memory/redis-server@$1.service" $interval \
		>"$raw/samples.$round.$1" 8<&- 9<&- &
	last
	memlog=$!
	jobs "$1" burst
	sleep 0.2
	memory "$1" full
	save "$1"
	jobs "$1" drain
	rcli "$1" memory purge >/dev/null
	sleep 0.5
	memory "$1" purged
	mark "$1" settle
	steady "$1" settle --keep $keep
	wait_settled "$1"
	end_steady
	memory "$1" settled
	still_set
	echo "$round $1 settled flag=$(flag $redis)" >>"$raw/figures"
	neighbours "$1"
}

# late: what thpd does for the Redis of `always`, and what its client sees of it
late() {
	ln -s always "$tmp/late"
	ln "$raw/samples.$round.always" "$raw/samples.$round.late"
	steady late reclaim --keep $keep
	sleep 1
	mark late thpd
	start_thpd
	thpd_ready
	mark late cycle
	sleep 5
	end_steady
	still_set
	memory late reclaimed
	echo "$round late reclaimed flag=$(flag $redis)" >>"$raw/figures"
}

# later SECONDS: until as long after the start of thpd, less what has gone by
later() {
	sleep "$(awk -v now="$(now)" -v seconds="$1" '$2 == "late" && $3 == "thpd" { at = $4 }
		END { left = at + seconds - now; print (left > 0 ? left : 0) }' "$raw/marks")"
}

describe >"$raw/machine"
cat >>"$raw/machine" <<C
variant=$variant
rounds=$rounds
jobs=$JOBS
seed=$SEED
keep=$keep
chase_mib=$CHASE_MIB
C
round=0
while [ $round -lt "$rounds" ]; do
	round=$((round + 1))
	take_settings
	pin_settings "$variant"
	echo "round $round of $rounds, load average $(cut -d ' ' -f 1-3 /proc/loadavg)" >&2
	begin=$(now)
	setting enabled always
	tale always
	late
	redis_late=$redis memlog_late=$memlog
	end_thpd

	setting enabled never
	tale never
	end $memlog
	end_redis never $redis

	setting enabled always
	start_thpd
	thpd_ready
	tale policy
	end $memlog
	end_redis policy $redis
	later "$LATER"
	redis=$redis_late
	memory late later
	mark late end
	end $memlog_late
	end_redis always $redis_late
	end_thpd
	rm -rf "$tmp/late" /run/thpd
	give_settings
	sleep 1 # others may wait for them
	started=
	echo "$round - round seconds=$(awk -v a="$begin" -v b="$(now)" 'BEGIN { print b - a }')" \
		"load=$(cut -d ' ' -f 1 /proc/loadavg)" >>"$raw/figures"
	# After each round: what is there is there, whatever becomes of the next one.
	python3 "$srcdir/bench/tale-report.py" tale "$raw" "$BENCH_OUT/tale-$variant.json" >"$tmp/table"
done
cat "$tmp/table"
