# SPDX-License-Identifier: MIT
# What the suites in tests/container/suites share; sourced by them, in the container. To what
# tests/lib.sh has, which is sourced here, comes:
#
#	$helpers	the programs of tests/helpers
#	$TREE		the tree's name, as given to tests/container/run
#	$boot		1 in the first boot, 2 in the one that next_boot has asked for, ...
#
# The container has what the tree has of journal, D-Bus and so on; the machine's own kernel with its THP
# settings, which can be written; ptrace and fanotify. It has no udev and no network of its own, and
# has_memory tells whether systemd can limit and account memory: on a machine whose memory controller is
# in a hierarchy of version 1, it cannot.
# shellcheck shell=sh

: "${srcdir:?}" "${helpers:?}" "${TREE:?}"
# shellcheck source=tests/lib.sh
. "$srcdir/tests/lib.sh"

thp=/sys/kernel/mm/transparent_hugepage
boot=1
# shellcheck source=/dev/null # what next_boot has written
[ ! -e /t/state ] || . /t/state

# next_boot [OPTION...]: ends this boot; the suite begins again in another one, with $boot one higher, and
# what it has counted goes on. The files of the tree stay. Options are systemd-nspawn's, for that boot; or
# the first is `uninstall`: `make uninstall` is run in between, and /t/left then lists what has become
# different since before the installation.
next_boot() {
	printf '%s\n' "boot=$((boot + 1))" "tap_count=$tap_count" "tap_failed=$tap_failed" >/t/state
	echo "$*" >/t/next
	exit 0
}

has_memory() {
	grep -qw memory /sys/fs/cgroup/cgroup.controllers
}

# setting KEY: as the kernel has it
setting() {
	sed 's/.*\[\(.*\)\].*/\1/' "$thp/$1"
}

# property UNIT NAME
property() {
	systemctl show --value -p "$2" "$1"
}

# pid_of UNIT: its main process
pid_of() {
	property "$1" MainPID
}

# flag PID: THP_enabled as the kernel shows it: 0 when all huge pages are disabled
flag() {
	sed -n 's/^THP_enabled:[[:space:]]*//p' "/proc/$1/status"
}

# unit NAME: writes a unit from standard input, for this boot
unit() {
	mkdir -p /run/systemd/system
	cat >"/run/systemd/system/$1"
}

# Whether systemd itself can give a service its flag: from 260 on.
# shellcheck disable=SC2034 # for the suites
native_thp=
# shellcheck disable=SC2034 # for the suites
[ "$(systemctl --version | awk 'NR == 1 { print int($2) }')" -lt 260 ] || native_thp=yes
# no_generator: who wants to see the daemon set flags has nobody else set them
no_generator() {
	mkdir -p /etc/systemd/system-generators
	ln -sf /dev/null /etc/systemd/system-generators/thpd-generator
}

# policy TEXT: as the administrator's
policy() {
	mkdir -p /etc/thpd
	printf '%s\n' "$1" >/etc/thpd/thpd.conf
}

# other KEY: a value of `enabled` or `defrag` that is not the present one
other() {
	if [ "$(setting "$1")" = never ]; then echo madvise; else echo never; fi
}
