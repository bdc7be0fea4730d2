#!/bin/sh
# SPDX-License-Identifier: MIT
# The units: accepted by systemd, ordered without a cycle, confined, each line with its reason.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

# Services are made by configure, the rest stands in the tree.
files=
for name in thpd-apply.service thpd.service thpd-helper.service thpd-starts.service thpd-helper.socket \
	thpd-starts.socket thpd-parts.target thpd-sockets.target thpd-reload.path thpd-reload.service thpd-reload-soon.service; do
	if [ -e "$UNITS/$name" ]; then file=$UNITS/$name; else file=$srcdir/units/$name; fi
	files="$files $file"
	# Every setting but what the unit is for follows a comment that says why, with no gap.
	is "$name: every line has a reason above it" "$(awk '
		/^#/ { reason = 1; next }
		/^\[/ { section = $0; reason = (section !~ /Service|Socket/); next }
		/^$/ { reason = 0; next }
		section ~ /Service|Socket/ && !reason && !/^(Type|ExecStart|ListenSequentialPacket)=/ {
			print FNR ": " $0 }
		' "$file")" ""
	case $name in
	thpd-apply.service | thpd.service)
		is "$name: stands before sysinit.target, for which every ordinary service waits" \
			"$(sed -n 's/^Before=//p' "$file" | tr ' ' '\n' | grep -c '^sysinit.target$')" 1
		;;
	esac
done

# Who has a seccomp filter himself may not suspend a service's: none of what brings one may stand there.
filters='SystemCallFilter SystemCallArchitectures SystemCallLog RestrictAddressFamilies RestrictNamespaces
RestrictRealtime RestrictSUIDSGID RestrictFileSystems LockPersonality MemoryDenyWriteExecute PrivateDevices
ProtectClock ProtectHostname ProtectKernelLogs ProtectKernelModules ProtectKernelTunables'
for name in thpd-apply thpd-helper thpd-starts; do
	found=
	for directive in $filters; do
		found="$found$(sed -n "s/^\($directive\)=.*/ \1/p" "$UNITS/$name.service")"
	done
	is "$name.service: nothing in it brings a seccomp filter" "$found" ""
done
check "thpd.service has one" grep -q '^SystemCallFilter=' "$UNITS/thpd.service"
is "and no capability" "$(sed -n 's/^CapabilityBoundingSet=/set: /p' "$UNITS/thpd.service")" "set: "
is "who restarts for ever does so after a second, and not for a bad policy" \
	"$(grep -E '^(StartLimitIntervalSec|RestartSec|RestartPreventExitStatus)=' "$UNITS/thpd.service" |
		tr '\n' ' ')" "StartLimitIntervalSec=0 RestartSec=1s RestartPreventExitStatus=2 "

if ! command -v systemd-analyze >/dev/null; then
	if [ "${CI:-}" = true ]; then
		fail "systemd accepts the units" "systemd-analyze is missing"
	else
		skip "systemd accepts the units" "no systemd-analyze here"
	fi
	finish
fi

mkdir -p "$tmp/units/sysinit.target.wants" "$tmp/units/paths.target.wants"
for file in $files; do
	# The programs may not be installed on this machine; what stands in for them is there.
	sed "s|^Exec\([A-Za-z]*\)=[^ ]*|Exec\1=$THPCTL|" "$file" >"$tmp/units/${file##*/}"
done
ln -s ../thpd-apply.service ../thpd.service "$tmp/units/sysinit.target.wants/"
ln -s ../thpd-reload.path "$tmp/units/paths.target.wants/"

# verify DIR: what systemd says of a boot with the units in DIR enabled, about these units or a cycle
verify() {
	SYSTEMD_UNIT_PATH=$1: systemd-analyze verify --man=no --recursive-errors=yes \
		default.target thpd-apply.service thpd.service thpd-helper.service thpd-starts.service \
		thpd-reload.service thpd-reload-soon.service 2>&1 | grep -E 'thpd|cycle'
}
is "systemd-analyze verify finds nothing" "$(verify "$tmp/units")" ""

for name in thpd-apply thpd; do
	cp -R "$tmp/units" "$tmp/cycle-$name"
	sed -i '/^DefaultDependencies=no/d' "$tmp/cycle-$name/$name.service"
	found=$(verify "$tmp/cycle-$name")
	case $found in
	*cycle*) pass "and would find the cycle that $name makes with default dependencies" ;;
	*) fail "and would find the cycle that $name makes with default dependencies" "$found" ;;
	esac
done
echo 'RestartSecs=1' >>"$tmp/cycle-thpd/thpd-helper.service"
case $(verify "$tmp/cycle-thpd") in
*RestartSecs*) pass "and a setting that it does not know" ;;
*) fail "and a setting that it does not know" ;;
esac

# exposed UNIT TENTHS WHY: what systemd-analyze says of its sandbox, as it stands in CONTRIBUTING.md
exposed() {
	if ! systemd-analyze security --help 2>&1 | grep -q -e --offline; then
		skip "$1: its exposure is $2 tenths at most, $3" \
			"systemd-analyze here cannot look at a unit offline"
		return
	fi
	check "$1: its exposure is $2 tenths at most, $3" systemd-analyze security --no-pager \
		--offline=yes --threshold="$2" "$tmp/units/$1"
}
exposed thpd.service 19 "for it has nothing to do with processes"
exposed thpd-apply.service 70 "which is what it costs to have no filter"
exposed thpd-helper.service 70 "for the same reason"
exposed thpd-starts.service 75 "for it looks at files wherever they lie, too"

finish
