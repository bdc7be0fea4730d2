#!/bin/sh
# SPDX-License-Identifier: MIT
# What it costs to give back the memory that huge pages waste, per GiB; and what the process sees of it.
#
# Usage: reclaim.sh [MIB]   (as root; 1024 MiB of huge pages unless told)
# Environment: PAGES, HUGEHOG - the programs; BENCH_OUT - a directory for the result as JSON.
#
# A process fills huge pages, and goes on reading, verifying and writing what it uses of them, while a
# second thread of it faults in pages and maps and unmaps memory, which needs the locks that a reclaim
# takes too. The same without a reclaim is what to compare with. Nothing of the host is changed; the huge
# pages are madvised, so `enabled` must not be never.
set -eu

: "${PAGES:?the path of bench/pages}" "${HUGEHOG:?the path of tests/helpers/hugehog}"
mib=${1:-1024}
[ "$(id -u)" = 0 ] || {
	echo "reclaim.sh: needs root: it looks into another process" >&2
	exit 1
}
tmp=$(mktemp -d)
hog=
trap '[ -z "$hog" ] || kill -KILL "$hog" 2>/dev/null; rm -rf "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# hog ARGUMENT...: starts the process, and waits until its huge pages are there
hog() {
	"$HUGEHOG" --mib "$mib" --probe --rest 100 "$@" >"$tmp/hog" 2>"$tmp/err" &
	hog=$!
	until grep -q ready "$tmp/hog"; do
		sleep 0.05
		kill -0 "$hog" 2>/dev/null || {
			cat "$tmp/err" >&2
			exit 1
		}
	done
}

# finish: ends it; what it saw is left in $tmp/hog. It fails when a value was not what it should be.
finish() {
	kill -TERM "$hog"
	wait "$hog" || {
		cat "$tmp/hog" "$tmp/err" >&2
		echo "reclaim.sh: the process found wrong values" >&2
		exit 1
	}
	hog=
}

# of FILE NAME: a value that bench/pages printed
of() {
	awk -v name="$2" '$1 == name { print $2 }' "$tmp/$1"
}

# seen WHAT KEY: a value that the process printed
seen() {
	sed -n "s/^$1 .*$2=\([0-9.]*\).*/\1/p" "$tmp/hog"
}

# row LABEL: what the process saw
row() {
	printf '%-28s' "$1" >>"$tmp/rows"
	for what in touch fault map; do
		printf ' %8s %8s %8s' "$(seen $what p99_us)" "$(seen $what p999_us)" \
			"$(seen $what worst_us)" >>"$tmp/rows"
	done
	echo >>"$tmp/rows"
}

# measure LABEL RATE ARGUMENTS...: one process, one reclaim
measure() {
	label=$1
	rate=$2
	shift 2
	hog "$@"
	# shellcheck disable=SC2086 # the rate may be "0 all"
	"$PAGES" "$hog" $rate >"$tmp/pages"
	finish
	row "$label"
	awk -v label="$label" -v mib="$mib" '
		{ v[$1] = $2 }
		END {
			gib = mib / 1024
			back = v["rss_before_kb"] - v["rss_after_kb"]
			hidden = v["hidden_kb"] - v["hidden_after_kb"]
			printf "%-28s %8.2f %9.2f %9.2f %8.2f %8.3f %9.1f %9.1f\n", label,
				v["find_ms"] / gib, v["find_hidden_ms"] / gib, v["sample_ms"],
				v["probe_ms"] / gib, v["reclaim_ms"] / 1000 / gib,
				back / 1024 / gib, hidden / 1024 / gib
		}' "$tmp/pages" >>"$tmp/costs"
	back=$((($(of pages rss_before_kb) - $(of pages rss_after_kb)) * 1000 / (mib * 1024)))
	printf '%s\t%s\t%s\n' "$label" "$(tr '\n' ' ' <"$tmp/pages")" \
		"$(sed 1d "$tmp/hog" | tr '\n' ' ')" >>"$tmp/raw"
}

hog
sleep 2
finish
row 'nothing done'
measure 'one byte in 2 MiB' 0
empty=$back
measure 'the same at 1 GiB/s' 1024
measure 'half of the pages' 0 --used 50
measure 'all of the pages' 0 --used 100
measure 'all of the pages, split' '0 all' --used 100
measure 'partly mapped' 0 --mode hidden

echo
echo "== what it costs, per GiB =="
printf '%-28s %8s %9s %9s %8s %8s %9s %9s\n' 'in use' find_ms hidden_ms sample_ms probe_ms \
	total_s rss_MiB hidden_MiB
cat "$tmp/costs"
echo
echo "== what the process sees, us: 99 %, 99.9 %, worst =="
printf '%-28s %26s %26s %26s\n' '' 'touch its memory' 'fault a new page' 'mmap and munmap'
cat "$tmp/rows"
echo
[ "$empty" -ge 990 ] && verdict=met || verdict=MISSED
printf '%-6s  %-44s %d.%d %%\n' "$verdict" 'more than 99 % of empty huge pages comes back' \
	$((empty / 10)) $((empty % 10))

[ -z "${BENCH_OUT:-}" ] || {
	mkdir -p "$BENCH_OUT"
	awk -F '\t' -v mib="$mib" '
		BEGIN { printf "{\n  \"schema\": \"thpd.bench/1\",\n  \"mib\": %d,\n  \"reclaims\": [", mib }
		{
			printf "%s\n    {\"label\": \"%s\"", (NR > 1 ? "," : ""), $1
			n = split($2, word, " ")
			for (i = 1; i < n; i += 2)
				printf ", \"%s\": %s", word[i], word[i + 1]
			n = split($3, word, " ")
			what = "checked"
			for (i = 1; i <= n; i++) {
				if (split(word[i], pair, "=") == 2)
					printf ", \"%s_%s\": %s", what, pair[1], pair[2]
				else
					what = word[i]
			}
			printf "}"
		}
		END { print "\n  ]\n}" }' "$tmp/raw" >"$BENCH_OUT/reclaim.json"
}
