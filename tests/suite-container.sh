#!/bin/sh
# SPDX-License-Identifier: MIT
# Under a real systemd as PID 1: tests/container/suites/*.sh, each in a container of its own.
#
# THPD_TEST_TREE: host (the default), bookworm, trixie, forky; see tests/container/run
exec "${srcdir:?}/tests/container/run" --tree "${THPD_TEST_TREE:-host}" --env "THPD_STORMS=${THPD_STORMS:-}" \
	"$srcdir"/tests/container/suites/*.sh
