#!/bin/sh
# SPDX-License-Identifier: MIT
# Beside the packages of others: tests/container/packages/*.sh, each in a container of its own.
#
# THPD_TEST_TREE: bookworm, trixie (the default), forky; see tests/container/run
exec "${srcdir:?}/tests/container/run" --tree "${THPD_TEST_TREE:-trixie}" \
	--with ansible-core,podman,postgresql,redis-server,tuned "$srcdir"/tests/container/packages/*.sh
