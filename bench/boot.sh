#!/bin/sh
# SPDX-License-Identifier: MIT
# What thpd-apply and thpd take of a boot, beside an empty oneshot in the same place and beside tuned: by
# systemd's own clock, in boots of a container.
#
# usage: bench/boot.sh [BOOTS]
#
# TREE: as tests/container/run --tree; not host, which has no tuned.
set -eu
: "${srcdir:?}" "${builddir:?}" "${THPCTL:?}" "${BENCH_OUT:?}"

mkdir -p "$BENCH_OUT"
SUITE_LIMIT=${SUITE_LIMIT:-1800} "$srcdir/tests/container/run" --tree "${TREE:-trixie}" \
	--with ansible-core,podman,postgresql,redis-server,tuned --out "$BENCH_OUT" --env "BOOTS=${1:-20}" \
	"$srcdir/bench/boot-inside.sh" | sed -n 's/^# //p; s/^ok .* # SKIP //p; /^not ok/,$p'
test -s "$BENCH_OUT/boot.json"
