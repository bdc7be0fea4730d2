#!/bin/sh
# SPDX-License-Identifier: MIT
# How the time of `thpctl plan` grows with the policy: 100 to 10,000 service rules.
#
# Usage: plan-scale.sh [ROUNDS]   (any user; 50 rounds unless told)
# Environment: THPCTL, SPAWN, FLOOR (floor.c) - the programs; BENCH_OUT - a directory for the result as JSON.
#
# Works on a directory tree that looks like a host: nothing of the running one is read or written.
set -eu

: "${THPCTL:?the path of the thpctl to measure}" "${SPAWN:?the path of bench/spawn}" "${FLOOR:?}"
rounds=${1:-50}
files=100
sizes='100 1000 2000 5000 10000'

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
umask 022

# A host that holds what the policies want, so that a plan has nothing to change and exits with 0.
root=$tmp/root
knobs=$root/sys/kernel/mm/transparent_hugepage
mkdir -p "$knobs" "$root/proc/sys/kernel"
echo 'always [madvise] never' >"$knobs/enabled"
echo 'always defer defer+madvise [madvise] never' >"$knobs/defrag"
echo 2097152 >"$knobs/hpage_pmd_size"
echo bench >"$root/proc/sys/kernel/hostname"
echo 6.18.0 >"$root/proc/sys/kernel/osrelease"

# policy NAME RULES FILES: RULES rules, spread evenly over FILES files of a conf.d
policy() {
	dir=$root/$1/conf.d
	mkdir -p "$dir"
	awk -v rules="$2" -v files="$3" -v dir="$dir" 'BEGIN {
		for (f = 0; f < files; f++) {
			file = sprintf("%s/%03d.conf", dir, f)
			print "host {\n\tenabled = madvise\n\tdefrag = madvise" >file
			for (i = 0; i < rules / files; i++) {
				n = f * rules / files + i
				printf "\tservice \047app-%d@*.service\047 {\n", n >file
				printf "\t\texe = \047/opt/app-%d/bin/*\047\n", n >file
				print "\t\tthp = disable\n\t}" >file
			}
			print "}" >file
			close(file)
		}
	}'
}

set --
[ -z "${BENCH_OUT:-}" ] || mkdir -p "$BENCH_OUT"
[ -z "${BENCH_OUT:-}" ] || set -- --output "$BENCH_OUT/plan-scale.json"
set -- "$@" --rounds "$rounds" --warm-up 3 --reference rules-10000
for n in $sizes; do
	policy "rules-$n" "$n" "$files"
	set -- "$@" :run "rules-$n" "$THPCTL" --root "$root" --policy "/rules-$n" -q plan \
		:run "floor-$n" "$FLOOR" "$root/rules-$n/conf.d"/*
done
policy one-file 10000 1
set -- "$@" :run one-file "$THPCTL" --root "$root" --policy /one-file -q plan

# What is timed must have read all the rules, or the figures mean nothing.
found=$("$THPCTL" --root "$root" --policy /rules-10000 check)
case $found in
*'10000 service rules'*) ;;
*)
	echo "plan-scale.sh: expected 10000 service rules, thpctl found: $found" >&2
	exit 1
	;;
esac

echo
echo "== plan: rules in $files files; one-file has 10,000 in one =="
"$SPAWN" "$@" >"$tmp/table"
cat "$tmp/table"
echo
# A straight line through the medians of rules-N. "Linear" is that it explains nearly all of the
# difference, and that a rule does not cost more in a large policy than in a middling one.
awk '
	function target(name, good, found) {
		printf "%-6s  %-44s %s\n", good ? "met" : "MISSED", name, found
	}
	$1 ~ /^rules-/ {
		x = substr($1, 7) + 0; y = $2; at[x] = y
		n++; sx += x; sy += y; sxx += x * x; sxy += x * y; syy += y * y
	}
	$1 == "one-file" { one = $2 }
	$1 ~ /^(rules-|one-file)/ && $8 > rss { rss = $8 }
	END {
		slope = (n * sxy - sx * sy) / (n * sxx - sx * sx)
		base = (sy - slope * sx) / n
		r2 = (n * sxy - sx * sy) ^ 2 / ((n * sxx - sx * sx) * (n * syy - sy * sy))
		late = (at[10000] - at[5000]) / 5000
		early = (at[5000] - at[1000]) / 4000
		printf "        least squares: %.2f us + %.3f us a rule, R^2 = %.5f\n", base, slope, r2
		printf "        a rule between 1,000 and 5,000: %.3f us, between 5,000 and 10,000: %.3f us\n",
			early, late
		target("linear (R^2 at least 0.99, growth at most 1.25)",
			r2 >= 0.99 && late <= 1.25 * early,
			sprintf("R^2 %.5f, growth %.2f", r2, late / early))
		target("10,000 rules in 100 files below 100 ms", at[10000] < 100000,
			sprintf("%.1f ms", at[10000] / 1000))
		target("10,000 rules in one file below 100 ms", one < 100000,
			sprintf("%.1f ms", one / 1000))
		printf "        peak resident memory: %.1f MB\n", rss / 1024
	}
' "$tmp/table"
