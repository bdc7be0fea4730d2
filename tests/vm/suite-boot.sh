#!/bin/sh
# SPDX-License-Identifier: MIT
# Boots of real kernels with a real systemd: the suites of tests/container that are about a boot, and
# tests/vm/suites/*.sh, each on a disk of its own.
#
# THPD_TEST_TREE: bookworm, trixie, forky (the default); see tests/vm/run
exec "${srcdir:?}/tests/vm/run" --tree "${THPD_TEST_TREE:-forky}" \
	"$srcdir/tests/container/suites/boot.sh" "$srcdir"/tests/vm/suites/*.sh
