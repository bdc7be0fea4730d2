#!/bin/sh
# SPDX-License-Identifier: MIT
# The instruments of `make bench-tale` and `make bench-scale`, on a tiny load: that they see what is there,
# and errors. What they measure is no part of the tests. Needs redis-server and make.
set -u
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
: "${builddir:?}"

for program in redis-server redis-cli make python3; do
	command -v $program >/dev/null || unfit "needs $program; packaging/install-deps --tests gets it"
done
unset MAKEFLAGS MFLAGS MAKELEVEL # an outer make's
exits "the instruments build" 0 make -s -C "$builddir" bench/jobs bench/memlog bench/chase \
	bench/floor bench/foreign
bench=$builddir/bench

redis-server --port 0 --unixsocket "$tmp/sock" --dir "$tmp" --save "" --logfile "$tmp/log" &
redis=$!
trap 'kill $redis 2>/dev/null; wait $redis; rm -rf "$tmp"' EXIT
rcli() {
	redis-cli -s "$tmp/sock" "$@"
}
check "redis starts" eventually rcli ping

# jobs VERB ARGUMENT...
jobs() {
	timeout 60 "$bench/jobs" "$tmp/sock" "$@" --count 1000 --keep 10
}
# figure NAME: of what a program has printed
figure() {
	tr ' ' '\n' <"$tmp/out" | sed -n "s/^$1=//p"
}

"$bench/memlog" "$tmp/sock" $redis "$tmp" 20 >"$tmp/samples" &
memlog=$!
exits "jobs: burst" 0 jobs burst --max 4096
bytes=$(figure bytes)
is "jobs: burst: all are there" "$(figure requests) $(figure errors) $(rcli llen queue) $(rcli dbsize)" \
	"1000 0 1000 1001"
exits "jobs: steady" 0 jobs steady --seconds 1 --rate 500
check "jobs: steady: it asks as often as it should, or less" \
	awk -v n="$(figure requests)" -v errors="$(figure errors)" 'BEGIN { exit !(n > 10 && n <= 501 && errors == 0) }'
check "jobs: quantiles are in order" awk -v a="$(figure p50_us)" -v b="$(figure p99_us)" -v c="$(figure p999_us)" \
	-v d="$(figure max_us)" 'BEGIN { exit !(0 < a && a <= b && b <= c && c <= d) }'
exits "jobs: drain" 0 jobs drain --max 4096
is "jobs: drain: what was pushed is taken, but for one record in 10" \
	"$(figure bytes) $(figure errors) $(rcli llen queue) $(rcli dbsize)" "$bytes 0 0 100"
exits "jobs: burst again" 0 jobs burst --seed 2 --max 4096 --first 1
is "jobs: burst beside other records: no error" "$(figure errors)" 0
kill $memlog
wait $memlog
rcli lset queue 500 other >/dev/null
exits "jobs: a payload that is not what it was is an error" 1 jobs drain --seed 2 --max 4096 --first 1
is "jobs: the only one" "$(figure errors)" 1

is "memlog: samples of five numbers, resident memory among them" \
	"$(awk 'NF != 5 || $2 < 1000' "$tmp/samples")" ""
check "memlog: what redis says is known" awk -v bytes="$bytes" '$5 > most { most = $5 }
	END { exit !(NR > 10 && most > bytes / 1024) }' "$tmp/samples"
exits "chase" 0 "$bench/chase" 16 0.1
check "chase: a step takes its time" awk -v ns="$(figure cpu_ns)" 'BEGIN { exit !(ns > 0.1 && ns < 100000) }'
exits "chase: only powers of two" 2 "$bench/chase" 15 0.1

# --- the report, from what a run has written

mkdir "$tmp/raw"
printf '%s\n' cpu=some cpus=2 memory_kb=1 kernel=6.18 variant=fast >"$tmp/raw/machine"
# round N ALWAYS-KB ALWAYS-NS: figures of a round, in which thpd was started after 20 s
round() {
	for row in "never 26000 390 1" "always $2 $3 1" "policy 26000 265 0"; do
		# shellcheck disable=SC2086 # four words
		set -- "$1" $row
		echo "$1 $2 settled rss_kb=$3 huge_kb=0 charged_kb=$3 used_kb=3000 flag=$5"
		echo "$1 $2 chase cpu_ns=$4 fast_ns=$4"
		echo "$1 $2 burst errors=0"
		echo "$1 $2 burst 100.0" >>"$tmp/raw/marks"
		echo "101.0 26000 0 26000 3000" >"$tmp/raw/samples.$1.$2"
	done
	echo "$1 late reclaim errors=0 max_us=900.5 late_max_us=10.0"
	echo "$1 late reclaimed flag=0"
	echo "$1 late later rss_kb=26000 charged_kb=27000"
	echo "$1 late thpd 120.0
$1 late end 180.0" >>"$tmp/raw/marks"
	printf '%s 900000 0 900000 3000\n' 119.9 121.0 >"$tmp/raw/samples.$1.always"
	printf '%s 27000 0 26000 3000\n' 121.5 130 >>"$tmp/raw/samples.$1.always"
}
report() {
	rm -f "$tmp/raw/marks"
	{
		round 1 900000 263
		round 2 "$1" 262
	} >"$tmp/raw/figures"
	run 0 python3 "$srcdir/bench/tale-report.py" tale "$tmp/raw" "$tmp/tale.json"
}
check "report: of two rounds" report 910000
is "report: all targets are met" "$(grep -c '^met ' "$tmp/out") $(grep -E '^(MISSED|cannot)' "$tmp/out")" "8 "
check "report: when both figures were back" grep -q 'after the start of thpd: 1.50 ' "$tmp/out"
is "report: it is JSON, of the schema that all benchmarks have" \
	"$(python3 -c 'import json, sys; t = json.load(open(sys.argv[1])); print(t["schema"], len(t["rounds"]),
		t["summary"]["always.settled.rss_kb"]["median"])' "$tmp/tale.json")" "thpd.bench/1 2 905000.0"
check "report: of a round in which it was not so" report 200000
is "report: that is said" "$(grep -c '^MISSED.*always to policy' "$tmp/out")" 2

# --- scale

mkdir "$tmp/groups" "$tmp/groups/one"
echo $$ >"$tmp/groups/one/cgroup.procs"
exits "floor: reads a group and its process, as often as it should" 0 \
	"$bench/floor" -k -n 3 "$tmp/groups" "$tmp/raw/machine"
is "floor: says of each time what it took" "$(grep -c '^[0-9.]*$' "$tmp/out")" 3
echo 5 >"$tmp/setting"
exits "foreign: it is an error that nobody undoes what it has written" 1 \
	"$bench/foreign" -p 0.2 50 0.5 "$tmp/setting=5"
is "foreign: it stays so" "$(cat "$tmp/setting")" 4
"$bench/floor" -r "$tmp/setting=5" &
floor=$!
check "floor: undoes what was written" eventually sh -c 'echo 4 >"$1"; sleep 0.05; [ "$(cat "$1")" = 5 ]' - "$tmp/setting"
exits "foreign: writes again" 0 "$bench/foreign" 50 0.5 "$tmp/setting=5"
check "foreign: sees that it is undone, and when" awk -v seen="$(figure seen)" -v us="$(figure median_us)" \
	'BEGIN { exit !(seen > 12 && us > 0 && us < 10000) }'
kill $floor
wait $floor
is "floor: has undone the last one, too" "$(cat "$tmp/setting")" 5

# Three sizes, 100 us and 2 us for each; a floor of 1 us for each.
mkdir "$tmp/scale"
cp "$tmp/raw/machine" "$tmp/scale/"
for size in 10 100 1000; do
	for us in 90 100 110; do
		echo $((us + 2 * size)) >>"$tmp/scale/cpu.services.quick.$size"
		echo $size >>"$tmp/scale/cpu.services.floor-kept.$size"
	done
done
echo '100 thpd files=4 writes=150 seen=3 median_us=40 most_us=50 wrong=0.1 right_after_s=0.5 seconds=1.5 cpu_ns=3000000' \
	repairs=30 >"$tmp/scale/foreign"
echo '60.00%  [kernel.kallsyms]  [k] vfs_read' >"$tmp/scale/profile.quick"
printf '%s\n' date=2026-01-01 load_average='0 0 0' thpd=1 >>"$tmp/scale/machine"
exits "scale: report" 0 python3 "$srcdir/bench/scale-report.py" report "$tmp/scale" "$tmp/scale.json"
is "scale: slope, what there is without any, and how far from the floor" "$(python3 -c 'import json, sys
quick, floor = json.load(open(sys.argv[1]))["curves"]
print(*["%.2f" % n for n in (quick["fit"]["per_item_us"], quick["fit"]["base_us"], floor["fit"]["log_slope"],
	quick["points"][2]["to_floor"])])' "$tmp/scale.json")" "2.00 100.00 1.00 2.10"
is "scale: what foreign writes take of a core, and how many repairs a file" "$(python3 -c 'import json, sys
f = json.load(open(sys.argv[1]))["foreign"][0]
print("%.4f %.1f" % (f["cores"], f["repairs_a_file"]))' "$tmp/scale.json")" "0.0015 7.5"
finish
