#!/bin/sh
# SPDX-License-Identifier: MIT
# The units: accepted by systemd, ordered without a cycle, confined, each line with its reason.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

unit=$UNITS/thpd-apply.service

# Every setting of [Service] and [Unit] that confines or orders follows a comment that says why.
is "every line of the unit has a reason above it" "$(awk '
	/^#/ { reason = 1; next }
	/^\[/ { section = $0; reason = (section != "[Service]"); next }
	/^$/ { reason = 0; next }
	section == "[Service]" && !reason && !/^(Type|ExecStart)=/ { print FNR ": " $0 }
	' "$unit")" ""

if ! command -v systemd-analyze >/dev/null; then
	if [ "${CI:-}" = true ]; then
		fail "systemd accepts the unit" "systemd-analyze is missing"
	else
		skip "systemd accepts the unit" "no systemd-analyze here"
	fi
	finish
fi

mkdir -p "$tmp/units"
# The program may not be installed on this machine; what stands in for it is there.
sed "s|^Exec\([A-Za-z]*\)=[^ ]*|Exec\1=$THPCTL|" "$unit" >"$tmp/units/thpd-apply.service"
mkdir "$tmp/units/sysinit.target.wants"
ln -s ../thpd-apply.service "$tmp/units/sysinit.target.wants/"

# verify DIR: what systemd says of a boot with the unit in DIR enabled, about this unit or a cycle
verify() {
	SYSTEMD_UNIT_PATH=$1: systemd-analyze verify --man=no --recursive-errors=yes \
		default.target thpd-apply.service 2>&1 | grep -E 'thpd-apply|cycle'
}
is "systemd-analyze verify finds nothing" "$(verify "$tmp/units")" ""

cp -R "$tmp/units" "$tmp/cycle"
sed -i '/^DefaultDependencies=no/d' "$tmp/cycle/thpd-apply.service"
found=$(verify "$tmp/cycle")
case $found in
*cycle*) pass "and would find the cycle that default dependencies make" ;;
*) fail "and would find the cycle that default dependencies make" "$found" ;;
esac

is "it stands before sysinit.target, for which every ordinary service waits" \
	"$(sed -n 's/^Before=//p' "$unit" | tr ' ' '\n' | grep -c '^sysinit.target$')" 1

# Who has a seccomp filter himself may not suspend a service's: none of what brings one may stand there.
filters='SystemCallFilter SystemCallArchitectures SystemCallLog RestrictAddressFamilies RestrictNamespaces
RestrictRealtime RestrictSUIDSGID RestrictFileSystems LockPersonality MemoryDenyWriteExecute PrivateDevices
ProtectClock ProtectHostname ProtectKernelLogs ProtectKernelModules ProtectKernelTunables'
found=
for directive in $filters; do
	found="$found$(sed -n "s/^\($directive\)=.*/ \1/p" "$unit")"
done
is "nothing in it brings a seccomp filter" "$found" ""

if systemd-analyze security --help 2>&1 | grep -q -e --offline; then
	check "its exposure is 7 at most, which is what that costs" systemd-analyze security --no-pager \
		--offline=yes --threshold=70 "$tmp/units/thpd-apply.service"
else
	skip "its exposure is 7 at most, which is what that costs" \
		"systemd-analyze here cannot look at a unit offline"
fi

finish
