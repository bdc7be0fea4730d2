#!/bin/sh
# SPDX-License-Identifier: MIT
# Boots of real kernels with a real systemd: tests/vm/suites/*.sh, each on a disk of its own.
#
# THPD_TEST_TREE: bookworm, trixie, forky (the default); see tests/vm/run
exec "${srcdir:?}/tests/vm/run" --tree "${THPD_TEST_TREE:-forky}" \
	"$srcdir"/tests/vm/suites/*.sh
