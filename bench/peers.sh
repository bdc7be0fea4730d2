#!/bin/sh
# SPDX-License-Identifier: MIT
# thpd beside what else sets these files, in one run, below a real systemd that has MemoryTHP=, with the
# distribution's tuned: how long until the files are right, what stays in memory, how long a foreign write
# stands, and what there is for a single service.
#
# usage: bench/peers.sh [ROUNDS]
#
# TREE: as tests/container/run --tree; systemd 260 or later.
set -eu
: "${srcdir:?}" "${builddir:?}" "${THPCTL:?}" "${BENCH_OUT:?}"

mkdir -p "$BENCH_OUT"
SUITE_LIMIT=${SUITE_LIMIT:-1800} "$srcdir/tests/container/run" --tree "${TREE:-forky}" \
	--with ansible-core,podman,postgresql,redis-server,tuned --out "$BENCH_OUT" --env "ROUNDS=${1:-20}" \
	"$srcdir/bench/peers-inside.sh" | sed -n 's/^# //p; s/^ok .* # SKIP //p; /^not ok/,$p'
test -s "$BENCH_OUT/peers.json"
