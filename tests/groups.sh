# SPDX-License-Identifier: MIT
# Where systemd would keep its units, and where their memory is counted: the same choice as src/sys/units.c
# makes. Sourced, with $cgroup (/sys/fs/cgroup) and $slice; sets $units and $memory, the slice's group in either,
# and $groups, both or the one that they are.
# shellcheck shell=sh
# shellcheck disable=SC2034 # for who sources it

: "${cgroup:?}" "${slice:?}"
if [ -e "$cgroup/cgroup.controllers" ]; then
	units=$cgroup/$slice
elif [ -e "$cgroup/unified/cgroup.controllers" ]; then
	units=$cgroup/unified/$slice
else
	units=$cgroup/systemd/$slice
fi
memory=$units groups=$units
if [ -d "$cgroup/memory" ]; then
	memory=$cgroup/memory/$slice
	groups="$units $memory"
fi
