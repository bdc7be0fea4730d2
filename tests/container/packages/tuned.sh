#!/bin/sh
# SPDX-License-Identifier: MIT
# tuned from the distribution, started behind thpd with a profile that wants other values: what thpd wants
# stays, and the log says who was it.
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
check "thpd has put back what tuned has set" eventually said \
	"^enabled was set to '$theirs' by tuned \(pid [0-9]+, [^)]*, of tuned.service\); repaired to '$enabled'"
check "all of it" eventually said \
	"^defrag was set to '$their_defrag' by tuned \(pid [0-9]+, [^)]*, of tuned.service\); repaired to '$defrag'"
is "it is in force" "$(setting enabled) $(setting defrag)" "$enabled $defrag"
is "with its unit for programs" "$(journalctl -b --no-pager -o json -u thpd.service |
	grep -c '"THP_BY_UNIT":"tuned.service"')" 2
journalctl -b --no-pager -o cat -u thpd.service | grep ' was set to ' | sed 's/^/# /'
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
finish
