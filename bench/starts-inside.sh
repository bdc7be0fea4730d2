#!/bin/sh
# SPDX-License-Identifier: MIT
# The part of bench/starts.sh that runs in the container.
# shellcheck source=tests/container/inside.sh
. "${srcdir:?}/tests/container/inside.sh"
: "${MODE:?}" "${ROUNDS:?}" "${PARALLEL:?}"

starts=$srcdir/tests/container/starts
rm -f "/t/out/starts-$MODE.json"
case $MODE in
none) kinds=$("$starts/units" 5) ;;
exec) kinds=$("$starts/units" 50 "$(command -v thpctl)" exec --thp=disable --) ;;
watch | gate)
	kinds=$("$starts/units" 50)
	systemctl daemon-reload
	policy "host { service 'starts-*.service' { thp = disable  start = $MODE } }"
	systemctl start thpd
	;;
esac
# shellcheck disable=SC2086 # a list
exits "starts" 0 "$starts/run" -j "/t/out/starts-$MODE.json" -n "$ROUNDS" -p "$PARALLEL" $kinds
sed 's/^/# /' "$tmp/out"
finish
