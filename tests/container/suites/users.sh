#!/bin/sh
# SPDX-License-Identifier: MIT
# Services of users' own managers: whatever they are called, they belong to user@UID.service, and have a
# flag when a rule is for that, or for the slice that it is in.
# shellcheck disable=SC2119,SC2317 # called by way of eventually
# shellcheck source=tests/container/inside.sh
. "${srcdir:?}/tests/container/inside.sh"

# There is no PAM in all trees, and nobody logs in.
export XDG_RUNTIME_DIR=/run/user/0
mkdir -p /run/systemd/system/user@0.service.d /run/systemd/user $XDG_RUNTIME_DIR
printf '[Service]\nPAMName=\nEnvironment=XDG_RUNTIME_DIR=%s\n' $XDG_RUNTIME_DIR \
	>/run/systemd/system/user@0.service.d/plain.conf
unit child.service <<-U
	[Service]
	ExecStart=/bin/sleep 1000
U
cp /run/systemd/system/child.service /run/systemd/user/
no_generator
systemctl daemon-reload

# user_flag: of the user's child.service
user_flag() {
	flag "$(systemctl --user show --value -p MainPID child)"
}
user_has() {
	[ "$(user_flag)" = "$1" ]
}
system_has() {
	[ "$(flag "$(pid_of child)")" = "$1" ]
}
# begin RULE: with the daemon of that policy, and a user's manager of which nothing has a flag yet
begin() {
	systemctl stop thpd
	thpctl restore >/dev/null
	systemctl stop user@0
	policy "verify_interval = 3600
host { service '$1' { thp = disable } }"
	systemctl start thpd
	run 0 systemctl start user@0
	is "$1: a user's manager is there" "$(property user@0 ActiveState)" active
	run 0 systemctl --user restart child || fail "$1: a user's service starts" "$run_detail"
	systemctl restart child
}

begin 'child.service'
check "a rule for a service: the system's one has the flag" eventually system_has 0
sleep 1.5 # all cycles that are to come after a start
is "a user's one of that name has none" "$(user_flag)" 1
exits "which is as the policy has it" 0 thpctl verify

for rule in 'user@*.service' 'user-*.slice'; do
	begin "$rule"
	check "$rule: the user's service has the flag" eventually user_has 0
	check "it is started again" systemctl --user restart child
	check "and has it" eventually user_has 0
	is "the system's service has none" "$(flag "$(pid_of child)")" 1
	exits "status" 0 thpctl status
	check "has it below the user's manager" grep -Eq '^user@0.service +disable +([2-9])/\1 .* ok$' "$tmp/out"
	exits "verify is content" 0 thpctl verify
done

systemctl stop child user@0 thpd
thpctl restore >/dev/null
is "none has failed" "$(systemctl --failed --plain --no-legend | grep -v systemd-)" ""
finish
