#!/bin/sh
# SPDX-License-Identifier: MIT
# tuned from the distribution, started behind thpd with a profile that wants other values: what thpd wants
# stays, and the log says who was it. By hand, and in a boot, of which systemd-analyze tells who took how
# much.
# shellcheck disable=SC2119,SC2317 # called by way of eventually
# shellcheck source=tests/container/inside.sh
. "${srcdir:?}/tests/container/inside.sh"

settled() {
	[ "$(setting "$1")" = "$2" ]
}
said() {
	journalctl -b --no-pager -o cat -u thpd.service | grep -Eq -- "$1"
}
profile_is() {
	tuned-adm active 2>/dev/null | grep -q "profile: $1\$"
}

# repaired WHEN: what tuned has set was put back, of either setting, and tuned is named
repaired() {
	check "$1 thpd has put back what tuned has set" eventually said \
		"^enabled was set to '$theirs' by tuned \(pid [0-9]+, [^)]*, of tuned.service\); repaired to '$enabled'"
	check "$1 all of it" eventually said \
		"^defrag was set to '$their_defrag' by tuned \(pid [0-9]+, [^)]*, of tuned.service\); repaired to '$defrag'"
	is "$1 it is in force" "$(setting enabled) $(setting defrag)" "$enabled $defrag"
	journalctl -b --no-pager -o cat -u thpd.service | grep ' was set to ' | sed 's/^/# /'
}
# took UNIT: microseconds from `starting` to `started`, in this boot
took() {
	echo $(($(property "$1" ActiveEnterTimestampMonotonic) - $(property "$1" InactiveExitTimestampMonotonic)))
}

finished() {
	[ "$(systemctl show --value -p FinishTimestampMonotonic)" != 0 ]
}

if [ "$boot" = 2 ]; then
	read -r enabled defrag theirs their_defrag </t/wanted
	is "after a boot all are there" "$(systemctl is-active tuned thpd-apply thpd | sort -u)" active
	check "and tuned has its profile" eventually profile_is theirs
	repaired "in the boot"
	exits "verify is content after it" 0 thpctl verify

	systemd-analyze --no-pager blame >"$tmp/blame"
	grep -E ' (thpd|tuned|test-empty|systemd-tmpfiles-setup)[-a-z]*\.service' "$tmp/blame" | sed 's/^/# /'
	check "the boot has an end" eventually finished
	exits "systemd-analyze has a critical chain" 0 \
		systemd-analyze --no-pager critical-chain sysinit.target thpd-apply.service test-empty.service
	sed 's/^/# /' "$tmp/out"
	for unit in thpd-apply tuned test-empty; do
		check "systemd-analyze has $unit" grep -q " $unit.service" "$tmp/blame"
	done
	apply=$(took thpd-apply) empty=$(took test-empty)
	echo "# thpd-apply $apply us, tuned $(took tuned) us, an empty oneshot $empty us"
	check "thpd-apply takes less of it than tuned" test "$apply" -lt "$(took tuned)"
	check "and not eight times what one takes that does nothing" test "$apply" -lt $((empty * 8))
	systemctl stop tuned thpd
	thpctl restore >/dev/null
	finish
fi

systemctl -q disable --now tuned redis-server postgresql 2>/dev/null
enabled=$(setting enabled)
defrag=$(setting defrag)
theirs=$(other enabled)
their_defrag=$(other defrag)
# Where profiles lie: since tuned 2.23 in a directory of their own.
profiles=/etc/tuned
[ ! -d /etc/tuned/profiles ] && [ ! -d /usr/lib/tuned/profiles ] || profiles=/etc/tuned/profiles
mkdir -p $profiles/theirs
cat >$profiles/theirs/tuned.conf <<E2
[main]
summary=Other values
[vm]
transparent_hugepages=$theirs
[sysfs]
$thp/defrag=$their_defrag
E2
echo theirs >/etc/tuned/active_profile
echo manual >/etc/tuned/profile_mode

# It really does set them, where nobody minds.
check "tuned starts" systemctl start tuned
check "with its profile" eventually profile_is theirs
check "it sets its value of enabled" eventually settled enabled "$theirs"
check "and of defrag" eventually settled defrag "$their_defrag"
systemctl stop tuned
echo "$enabled" >$thp/enabled
echo "$defrag" >$thp/defrag

policy "verify_interval = 3600
host { enabled = $enabled  defrag = $defrag }"
check "thpd is enabled and started" systemctl enable --now thpd-apply thpd
exits "doctor finds tuned's profile" 1 thpctl doctor
check "and names its line" grep -q "^$profiles/theirs/tuned.conf:4: warning" "$tmp/out"
# Later than thpd, as in each boot: it is in multi-user.target.
check "tuned starts later" systemctl start tuned
check "with the same profile" eventually profile_is theirs
repaired "then"
is "with its unit for programs" "$(journalctl -b --no-pager -o json -u thpd.service |
	grep -c '"THP_BY_UNIT":"tuned.service"')" 2
is "tuned has not noticed" "$(systemctl is-active tuned) $(systemctl is-active thpd)" "active active"

# Stopped, tuned puts back what it takes for the values from before, which are not the policy's either.
systemctl restart tuned
eventually profile_is theirs
systemctl stop tuned
check "after its end, too" eventually settled enabled "$enabled"
is "nobody fights on" "$(sleep 1; setting enabled) $(setting defrag)" "$enabled $defrag"
exits "verify is content" 0 thpctl verify

systemctl stop thpd
thpctl restore >/dev/null

# What is in the place of thpd-apply, and does nothing.
cat >/etc/systemd/system/test-empty.service <<-U
	[Unit]
	DefaultDependencies=no
	Before=sysinit.target shutdown.target
	Conflicts=shutdown.target
	After=local-fs.target systemd-tmpfiles-setup.service
	[Service]
	Type=oneshot
	RemainAfterExit=yes
	ExecStart=/bin/true
	[Install]
	WantedBy=sysinit.target
U
# This suite is not to be part of that boot, which would have no end before.
mkdir -p /etc/systemd/system/thpd-test.service.d
printf '[Service]\nType=exec\n' >/etc/systemd/system/thpd-test.service.d/exec.conf
check "all are enabled for the next boot" systemctl enable tuned thpd-apply thpd test-empty
echo "$enabled $defrag $theirs $their_defrag" >/t/wanted
next_boot
