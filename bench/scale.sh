#!/bin/sh
# SPDX-License-Identifier: MIT
# What thpd costs against the size of what it looks after: processes on the host, services, files in the
# policy, foreign writes per second; beside each the floor, the bare system calls (floor.c).
#
# Usage: scale.sh [short]   (as root; some 8 minutes, short 3)
#
# Environment: THPCTL, SPAWN, CROWD, FLOOR, FOREIGN - the programs; srcdir, builddir; BENCH_OUT - a
# directory for scale.json, where plan-scale.json has the figures for rules; SCALE_PROCESSES,
# SCALE_SERVICES, SCALE_FILES, SCALE_RATES - sizes (files: `all`; rates: 0 is as fast as one can);
# SCALE_ROUNDS - of each command; SCALE_CYCLES - of the daemon; SCALE_SECONDS - of foreign writes.
#
# Processes, groups and mounts are its own, and go at the end, whatever the end is. The settings are the
# host's: those that are written are put back.
set -eu
LC_ALL=C
export LC_ALL

: "${THPCTL:?}" "${SPAWN:?}" "${CROWD:?}" "${FLOOR:?}" "${FOREIGN:?}"
if [ "${1:-}" = short ]; then
	: "${SCALE_PROCESSES:=100 2000}" "${SCALE_SERVICES:=10 300}" "${SCALE_FILES:=1 all}" "${SCALE_RATES:=100 0}"
	: "${SCALE_SECONDS:=10}"
fi
: "${SCALE_PROCESSES:=100 500 1000 5000 20000}" "${SCALE_SERVICES:=10 100 500 1000 2000}"
: "${SCALE_FILES:=1 5 20 all}" "${SCALE_RATES:=10 100 1000 0}" "${SCALE_ROUNDS:=15}" "${SCALE_CYCLES:=5}"
: "${SCALE_SECONDS:=20}"
# Of the processes on the host, so many are of services that a rule is about.
matched=10
# Not those by which the kernel does more than to remember them.
written='max_ptes_none max_ptes_swap max_ptes_shared pages_to_scan'
thp=/sys/kernel/mm/transparent_hugepage

# shellcheck disable=SC2034 # for host.sh
needs=python3
settings=$(cd $thp && find . -type f -perm -200 | sed 's,^\./,,' | sort)
# shellcheck source=bench/host.sh
. "${srcdir:?}/bench/host.sh"
crowd_slice=$units/${slice%.slice}-crowd.slice
mkdir "$crowd_slice"
describe >"$raw/machine"

# say WHAT: how far we are
say() {
	echo "scale: $*" >&2
}

# policy RULE [FILES]: RULE: what narrows the rule for services, `-` nothing, `none` no rule; the values of
# the files are those they have
policy() {
	{
		echo "verify_interval = 1"
		echo "host {"
		for key in ${2:-}; do
			echo "$key $(value "$key")"
		done | sort | awk '
			{ split($1, part, "/"); name = part[2] ? part[2] : $1; group = part[2] ? part[1] : "" }
			group != last && last { print "}" }
			group != last && group { sub(/^hugepages-/, "anon \047", part[1]) && sub(/$/, "\047", part[1]); print part[1], "{" }
			{ print name, "= \047" $2 "\047"; last = group }
			END { if (last) print "}" }'
		case $1 in
		none) ;;
		-) echo "service 'crowd-*.service' { thp = disable }" ;;
		*) echo "service 'crowd-*.service' { thp = disable $1 }" ;;
		esac
		echo "}"
	} >"$tmp/policy.conf"
}

crowd_begin() {
	: >"$tmp/crowd"
	"$CROWD" "$crowd_slice" "$1" "$2" >"$tmp/crowd" 8<&- 9<&- &
	last
	crowd=$!
	until [ -s "$tmp/crowd" ]; do
		kill -0 $crowd 2>/dev/null || trouble "the host could not be filled"
		sleep 0.05
	done
}
crowd_end() {
	kill -TERM "$crowd"
	wait "$crowd"
}

# commands AXIS SIZE FLOOR-ARGUMENT...: whole processes, in turn
commands() {
	out=$raw/spawn.$1.$2.json
	shift 2
	"$THPCTL" --policy "$tmp/policy.conf" -q apply >"$tmp/apply" ||
		trouble "thpctl apply: $(cat "$tmp/apply")"
	"$SPAWN" --rounds "$SCALE_ROUNDS" --warm-up 2 --output "$out" \
		:run apply "$THPCTL" --policy "$tmp/policy.conf" -q apply \
		:run verify "$THPCTL" --policy "$tmp/policy.conf" -q verify \
		:run status "$THPCTL" --policy "$tmp/policy.conf" status \
		:run floor "$FLOOR" "$@" \
		:run floor-host "$FLOOR" /proc >/dev/null
}

# first SIZE: flags that are not set yet; each round they are taken away again
first() {
	"$SPAWN" --rounds 5 --warm-up 1 --output "$raw/spawn.services.$1.first.json" \
		:run first "$THPCTL" --policy "$tmp/policy.conf" -q apply \
		:before "$THPCTL" --policy "$tmp/policy.conf" -q restore \
		:run floor-first "$FLOOR" -s "$crowd_slice" >/dev/null
}

# family PID: and all that it has started
family() {
	echo "$1"
	for child in $(cat "/proc/$1/task"/*/children); do
		family "$child"
	done
}
# cpu_ns PID...: what all their threads have had of a processor
cpu_ns() {
	for cpu_pid; do
		cat "/proc/$cpu_pid/task"/*/schedstat
	done | awk '{ n += $1 } END { printf "%.0f\n", n }'
}
# counter NAME: of the daemon's report
counter() {
	sed -n "s/^ *\"$1\": \([0-9]*\),*$/\1/p" /run/thpd/report.json | head -n 1
}
# cycles N: waits for the end of so many
cycles() {
	cycles_end=$(($(counter cycles) + $1))
	while [ "$(counter cycles)" -lt $cycles_end ]; do
		sleep 0.03
	done
}
# sample FILE: what each of some cycles takes of a processor, in microseconds
sample() {
	# shellcheck disable=SC2046 # a list
	set -- "$1" $(family $thpd)
	sample_out=$1
	shift
	cycles 1
	was=$(cpu_ns "$@") was_n=$(counter cycles)
	for _ in $(seq "$SCALE_CYCLES"); do
		cycles 1
		is=$(cpu_ns "$@") is_n=$(counter cycles)
		echo $(((is - was) / 1000 / (is_n - was_n)))
		was=$is was_n=$is_n
	done >"$sample_out"
}
# told FIELDS LINES: of a profile
told() {
	perf report -i "$tmp/perf.data" --stdio --no-children -g none -F "$1" 2>"$tmp/perf.err" |
		sed '/^#/d; /^$/d; s/  *$//' | head -n "$2"
}
# profile NAME COMMAND...: the ten functions in which it is most, and in whose code
profile() {
	command -v perf >/dev/null || return 0
	profile_name=$1
	shift
	perf record -q -F 4999 -o "$tmp/perf.data" "$@" >/dev/null 2>"$tmp/perf.err" || {
		say "no profile $profile_name: $(head -n 1 "$tmp/perf.err")"
		return 0
	}
	told overhead,dso,sym 10 >"$raw/profile.$profile_name"
	told overhead,dso 4 >"$raw/objects.$profile_name"
}
# profile_daemon NAME: for four cycles
profile_daemon() {
	profile "$1" -p "$(family $thpd | tr '\n' ',' | sed 's/,$//')" -- sleep 4
}

# daemon AXIS SIZE: one cycle after the other, with a rule for units, and with one that narrows it
# and so has all looked at in each cycle
daemon() {
	start_thpd
	thpd_ready
	cycles 2
	sample "$raw/cpu.$1.quick.$2"
	[ "$2" != "${profile_quick:-}" ] || profile_daemon quick
	if [ "$1" != files ]; then
		policy "comm = '*'"
		kill -HUP $thpd
		cycles 2
		sample "$raw/cpu.$1.whole.$2"
		[ "$2" != "${profile_whole:-}" ] || profile_daemon whole
	fi
	end_thpd
}

# floors AXIS SIZE PATH...: the same without a process for each look: opened each time, and kept open; not one
# after the other without a pause, for which nothing would have to come from memory
floors() {
	floors_axis=$1 floors_size=$2
	shift 2
	"$FLOOR" -p 100 -n "$SCALE_CYCLES" "$@" >"$raw/cpu.$floors_axis.floor-opened.$floors_size"
	"$FLOOR" -k -p 100 -n "$SCALE_CYCLES" "$@" >"$raw/cpu.$floors_axis.floor-kept.$floors_size"
}

# point AXIS SIZE SERVICES OTHERS
point() {
	say "$2 $1"
	crowd_begin "$3" "$4"
	policy -
	commands "$1" "$2" "$crowd_slice"
	[ "$1" = processes ] || first "$2"
	if [ "$1 $2" = "services $last_size" ]; then
		profile apply -- sh -c 'for i in 1 2 3 4 5; do "$@"; done' sh "$THPCTL" --policy "$tmp/policy.conf" -q apply
	fi
	floors "$1" "$2" "$crowd_slice"
	daemon "$1" "$2"
	crowd_end
	rm -rf /run/thpd
}

# files SIZE
files() {
	say "$1 files"
	n=$1
	[ "$n" != all ] || n=$(echo "$settings" | wc -l)
	# shellcheck disable=SC2086 # a list
	some=$(printf '%s\n' $settings | sort -r | head -n "$n")
	policy none "$some"
	paths=$(echo "$some" | sed "s,^,$thp/,")
	# shellcheck disable=SC2086
	commands files "$n" $paths
	# shellcheck disable=SC2086
	floors files "$n" $paths
	daemon files "$n"
	rm -rf /run/thpd
}

# write_at RATE WHO SECONDS PID...: somebody writes until then, and these undo it, until all is right again
write_at() {
	write_rate=$1 write_who=$2 write_seconds=$3
	shift 3
	cpu_before=$(cpu_ns "$@")
	# shellcheck disable=SC2086 # a list
	line=$("$FOREIGN" "$write_rate" "$write_seconds" $assigned) ||
		trouble "what somebody has written is not undone ($write_who, $write_rate a second)"
	# With the cycle that follows a foreign write.
	[ "$write_who" = floor ] || sleep 1.3
	echo "$write_rate $write_who files=$(echo "$assigned" | wc -w) $line cpu_ns=$(($(cpu_ns "$@") - cpu_before))"
}
# foreign RATE
foreign() {
	say "$1 foreign writes a second (0: as many as one can)"
	start_thpd
	thpd_ready
	sleep 0.3
	was=$(counter settings_repaired)
	# shellcheck disable=SC2046
	line=$(write_at "$1" thpd "$SCALE_SECONDS" $(family $thpd))
	echo "$line repairs=$(($(counter settings_repaired) - was))" >>"$raw/foreign"
	end_thpd
	rm -rf /run/thpd
	# It does the same for ever.
	# shellcheck disable=SC2086
	"$FLOOR" -r $assigned &
	last
	floor=$!
	sleep 0.2
	write_at "$1" floor 2 $floor >>"$raw/foreign"
	end $floor
}

last_size=${SCALE_SERVICES##* }
profile_whole=
for size in $SCALE_PROCESSES; do
	[ "$size" -ge $matched ] || trouble "at least $matched processes"
	point processes "$size" $matched $((size - matched))
done
for size in $SCALE_SERVICES; do
	[ "$size" != "$last_size" ] || profile_quick=$size profile_whole=$size
	point services "$size" "$size" 0
done
profile_quick=
profile_whole=

take_settings
# The first of them twice, what the second finds stays: the host has just been emptied.
for size in "${SCALE_FILES%% *}" $SCALE_FILES; do
	files "$size"
done
keys=
assigned=
for key in $written; do
	keys="$keys khugepaged/$key"
	assigned="$assigned $thp/khugepaged/$key=$(value "khugepaged/$key")"
done
policy none "$keys"
sed -i 's/^verify_interval = 1$/verify_interval = 60/' "$tmp/policy.conf"
for rate in $SCALE_RATES; do
	foreign "$rate"
done
give_settings

[ ! -s "$BENCH_OUT/plan-scale.json" ] || cp "$BENCH_OUT/plan-scale.json" "$raw/rules.json"
python3 "$srcdir/bench/scale-report.py" report "$raw" "$BENCH_OUT/scale.json"
