# SPDX-License-Identifier: MIT
# What the suites in tests/vm/suites share; sourced by them, in the machine. All that the suites of
# tests/container have (see tests/container/inside.sh), but for next_boot, whose options are parameters
# for the kernel here. There are a kernel of the release's own, whose settings may be set to anything,
# the memory controller, and no network, no modules and no udev.
# shellcheck shell=sh

# shellcheck source=tests/container/inside.sh
. "${srcdir:?}/tests/container/inside.sh"

# power_cut FROM TO: the power is cut so many milliseconds from now, at random; the suite begins again in
# the next boot, with the same parameters. To be called when what is to be disturbed goes on.
power_cut() {
	printf '%s\n' "boot=$((boot + 1))" "tap_count=$tap_count" "tap_failed=$tap_failed" >/t/state
	sync
	echo "@cut $1 $2"
}
