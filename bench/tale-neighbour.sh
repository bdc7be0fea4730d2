#!/bin/sh
# SPDX-License-Identifier: MIT
# The neighbour: what programs that live from huge pages keep of their speed on a host `always` when thpd cures a
# Redis beside them. In pairs, one with thpd and one without, a few seconds apart, in turn which comes first: what
# else moves the machine falls on both. See bench/README.md.
#
# Usage: tale-neighbour.sh [PAIRS]   (as root; 120 unless told: ten minutes)
#
# Environment: srcdir, builddir, BENCH_OUT; CHASE_MIB (2048; powers of two), CHASE_SECONDS (0.5), JVM_SECONDS (0.5).
# JAVA=no leaves the JVM out.
#
# Many pairs of short samples: what moves the machine comes and goes within seconds to minutes, so the nearer the two
# of a pair are, the more of it falls on both; and the interval of the median shrinks with the root of their number.
set -eu

pairs=${1:-120}
: "${CHASE_MIB:=2048}" "${CHASE_SECONDS:=0.5}" "${JVM_SECONDS:=0.5}"
# shellcheck disable=SC2034 # for host.sh
needs_mib=$(((CHASE_MIB > 1300 ? CHASE_MIB : 1300) + 200))
# shellcheck source=bench/host.sh
. "${srcdir:?}/bench/host.sh"
make_jvm

# beside NAME: the neighbours beside a Redis, which thpd disables as it starts if it runs
beside() {
	start_redis "$1"
	[ "$1" != policy ] || until [ "$(flag $redis)" = 0 ]; do
		kill -0 $thpd 2>/dev/null || trouble "thpd has ended: $(cat "$tmp/thpd.log")"
		sleep 0.01
	done
	echo "flag=$(flag $redis)" >"$tmp/out"
	figures "$1" settled "$tmp/out"
	chase >"$tmp/out"
	figures "$1" chase "$tmp/out"
	if [ "$JAVA" != no ]; then
		jvm >"$tmp/out"
		figures "$1" jvm "$tmp/out"
	fi
	still_set
	end_redis "$1" $redis
}

with_thpd() {
	start_thpd
	thpd_ready
	beside policy
	end_thpd
	rm -rf /run/thpd
}

describe >"$raw/machine"
cat >>"$raw/machine" <<C
pairs=$pairs
chase_mib=$CHASE_MIB
chase_seconds=$CHASE_SECONDS
jvm_seconds=$JVM_SECONDS
C
take_settings
pin_settings defaults
setting enabled always
for round in $(seq "$pairs"); do
	started=
	if [ $((round % 2)) = 1 ]; then
		beside always
		with_thpd
	else
		with_thpd
		beside always
	fi
done
give_settings
python3 "$srcdir/bench/tale-report.py" neighbour "$raw" "$BENCH_OUT/tale-neighbour.json"
