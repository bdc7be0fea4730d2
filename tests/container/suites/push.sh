#!/bin/sh
# SPDX-License-Identifier: MIT
# Policies pushed by dropping files, good and bad, while thpd-reload.path watches; and by the host's role
# alone.
# shellcheck disable=SC2119,SC2317 # called by way of eventually
# shellcheck source=tests/container/inside.sh
. "${srcdir:?}/tests/container/inside.sh"

# settled KEY VALUE
settled() {
	[ "$(setting "$1")" = "$2" ]
}
# results: how thpd-reload.service has ended
result_is() {
	[ "$(property thpd-reload Result)" = "$1" ]
}
# said UNIT TEXT: in this boot
said() {
	journalctl -b --no-pager -o cat -u "$1" | grep -q -- "$2"
}
# drop FILE TEXT: as config management does, by a rename
drop() {
	printf '%s\n' "$2" >"/etc/thpd/.new" && mv /etc/thpd/.new "/etc/thpd/$1"
}

was=$(setting enabled)
defrag=$(setting defrag)
check "the units are enabled and started before there is a policy of the administrator's" \
	systemctl enable --now thpd-apply thpd thpd-reload.path
is "they run" "$(systemctl is-active thpd-apply thpd thpd-reload.path | sort -u)" active

enabled=$(other enabled)
mkdir -p /etc/thpd/conf.d
drop conf.d/50-site.conf "host { enabled = $enabled }"
check "a file in conf.d comes into force" eventually settled enabled "$enabled"
check "and the reload is a success" eventually result_is success

drop conf.d/50-site.conf "host { enabled = sometimes }"
check "a bad one fails thpd-reload.service" eventually result_is exit-code
is "visibly" "$(systemctl is-failed thpd-reload)" failed
check "file and line are in the journal" eventually said thpd \
	'policy refused, the last good one stays in force: /etc/thpd/conf.d/50-site.conf:1: enabled'
exits "and in systemctl status" 0 systemctl status --no-pager --full thpd
check "with what was expected" grep -q 'Status:.*refused.*unknown word' "$tmp/out"
exits "thpctl verify names it" 2 thpctl verify
check "by file and line" grep -q '^/etc/thpd/conf.d/50-site.conf:1: error' "$tmp/err"
sh -c "echo $was >$thp/enabled; sleep 0.2"
check "the old one is in force" eventually settled enabled "$enabled"
is "and no process was lost" "$(property thpd NRestarts)" 0

wanted=$(other defrag)
drop conf.d/50-site.conf "host { enabled = $enabled  defrag = $wanted }"
check "a good one after it comes into force" eventually settled defrag "$wanted"
check "and clears the failure" eventually result_is success
check "from the status, too" eventually sh -c '! systemctl show -p StatusText thpd | grep -q refused'
rm /etc/thpd/conf.d/50-site.conf
drop conf.d/60-other.conf "host { enabled = $was }"
check "one file goes, another comes" eventually settled enabled "$was"

# The role alone. Both roles are the library's.
rm /etc/thpd/conf.d/60-other.conf
echo mongodb-8 >/etc/thpd/role
check "a word in /etc/thpd/role" eventually settled enabled always
check "is the whole of the role" eventually settled defrag defer+madvise
check "and told as that" eventually sh -c 'thpctl status | grep -q "^role  *mongodb-8 (/etc/thpd/role)"'
echo mongo >/etc/thpd/role
check "a role that there is none of is refused" eventually said thpd "^/etc/thpd/role:1: there is no role 'mongo'"
is "and the other one is in force" "$(setting enabled) $(setting defrag)" "always defer+madvise"
echo mongodb-7 >/etc/thpd/role
check "another one comes into force" eventually settled enabled never
rm /etc/thpd/role
check "without one the host has none" eventually sh -c 'thpctl status | grep -q "^role  *no role"'
check "and thpd runs on" systemctl is-active -q thpd thpd-reload.path

# Whenever the second of two changes comes, it is the one that holds.
for after in 0.6 1.0 1.1; do
	drop conf.d/50-site.conf "host { enabled = $enabled }"
	sleep $after
	drop conf.d/50-site.conf "host { enabled = $was }"
	sleep 1.5
	eventually settled enabled "$was" || fail "two changes, $after s apart"
done
pass "of two changes the second one holds"

# Without the daemon.
exits "the daemon is stopped" 0 systemctl stop thpd
drop conf.d/50-site.conf "host { enabled = $enabled }"
check "a file comes into force by thpd-apply.service" eventually settled enabled "$enabled"
is "the daemon stays stopped" "$(systemctl is-active thpd)" inactive
exits "so it is, too" 0 systemctl stop thpd-apply
drop conf.d/50-site.conf "host { enabled = $was }"
sleep 2
is "with both stopped nothing happens" "$(setting enabled) $(systemctl is-active thpd thpd-apply | sort -u)" "$enabled inactive"
check "and that is no failure" result_is success

systemctl stop thpd-reload.path thpd-reload-soon thpd-reload
exits "restored" 0 thpctl restore
is "all is as it was" "$(setting enabled) $(setting defrag)" "$was $defrag"
finish
