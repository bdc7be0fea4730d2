#!/bin/sh
# SPDX-License-Identifier: MIT
# How long services of many kinds run without their THP flag after they were started by a real systemd,
# in a container; see tests/container/starts.
#
# usage: bench/starts.sh [ROUNDS [MODE...]]
#
# MODE: none, without thpd; exec, behind `thpctl exec`; watch and gate, set by thpd in these ways. TREE:
# as tests/container/run --tree. PARALLEL: how many at a time (1).
set -eu
: "${srcdir:?}" "${builddir:?}" "${THPCTL:?}" "${BENCH_OUT:?}"
rounds=${1:-1000}
[ $# = 0 ] || shift
[ $# -gt 0 ] || set -- none exec

mkdir -p "$BENCH_OUT"
for mode; do
	echo "== $mode, $rounds starts of each kind =="
	SUITE_LIMIT=${SUITE_LIMIT:-7200} "$srcdir/tests/container/run" --tree "${TREE:-host}" --out "$BENCH_OUT" \
		--env "MODE=$mode" --env "ROUNDS=$rounds" --env "PARALLEL=${PARALLEL:-1}" \
		"$srcdir/bench/starts-inside.sh" | sed -n 's/^# //p; s/^ok .* # SKIP //p; /^not ok/,$p'
	test -s "$BENCH_OUT/starts-$mode.json"
done
