#!/bin/sh
# SPDX-License-Identifier: MIT
# thpd-generator in the boot and in each daemon-reload: from systemd 260 on, services have their flag from
# systemd, before anything of thpd runs; an older one is not touched. A bad policy holds no boot.
# shellcheck source=tests/container/inside.sh
. "${srcdir:?}/tests/container/inside.sh"

[ -x "$helpers/starter" ] || {
	skip "services that systemd gives their flag" "needs a machine that the injector knows"
	finish
}
generated=/run/systemd/generator

# service NAME [LINE...]: one that tells the flag of its first instruction
service() {
	service_name=$1
	shift
	printf '%s\n' '[Unit]' StartLimitIntervalSec=0 '[Service]' Type=oneshot "$@" StandardOutput=append:/t/told \
		"ExecStart=/t/helpers/starter %n once 0" '[Install]' WantedBy=multi-user.target \
		>"/etc/systemd/system/$service_name"
}
# told UNIT: what its last start had at the first instruction
told() {
	awk -v unit="$1" '$1 == unit { flag = $2 } END { print flag }' /t/told
}
# start UNIT: starts it once more, and prints that
start() {
	systemctl restart "$1"
	told "$1"
}
dropins() {
	find $generated -name '*thpd*' | sed "s|^$generated/||" | sort | tr '\n' ' '
}
# lines: of the generator, in the journal of this boot
lines() {
	journalctl -b --no-pager -o cat -t thpd-generator
}

if [ "$boot" = 1 ]; then
	service gen-plain.service
	service gen-sandboxed.service DynamicUser=yes ProtectSystem=strict PrivateTmp=yes
	service gen-template@.service
	service gen-narrowed.service
	service other.service
	printf '%s\n' '[Socket]' ListenStream=/run/gen.sock Service=gen-plain.service StandardOutput=append:/t/told \
		"ExecStartPre=/t/helpers/starter %n once 0" >/etc/systemd/system/gen.socket
	ln -s gen-plain.service /etc/systemd/system/gen-alias.service
	policy "host {
	service 'gen-*.service' { thp = disable }
	service 'gen-template@*.service' { thp = madvise  madvise_fallback = disable }
	service 'gen-narrowed.service' { thp = system  user = 'nobody' }
	service 'gen.socket' { thp = disable }
	service 'mount' { thp = disable  unit = 'tmp.mount' }
}"
	# By hand: systemd is not asked to look, and nothing of thpd is enabled.
	check "they are enabled" systemctl enable gen-plain gen-sandboxed gen-template@one gen-narrowed other
	: >/t/told
	next_boot
fi
advised=3
[ "$(printf '%s\n' 6.18 "$(uname -r)" | sort -V | head -n 1)" = 6.18 ] || advised=1

if [ "$boot" = 2 ]; then
	is "the boot is complete" "$(systemctl is-active multi-user.target)" active
	is "nothing has failed" "$(systemctl --failed --plain --no-legend)" ""
	is "the generator has nothing to say" "$(lines)" ""
	if [ -z "$native_thp" ]; then
		is "an older systemd: no drop-ins" "$(dropins)" ""
		is "and no flags" "$(told gen-plain.service) $(told gen-template@one.service)" "0 0"
		check "nor after daemon-reload" systemctl daemon-reload
		is "none are written" "$(dropins)$(lines)" ""
		systemd-run --quiet --unit=gen-sleeps /bin/sleep 1000
		exits "the plan has a start to watch" 1 thpctl plan
		check "and says so" grep -q '^gen-sleeps.service .* watch .* drifted ' "$tmp/out"
		is "it speaks of no drop-in" "$(grep drop-in "$tmp/out")" ""
		systemctl stop gen-sleeps
	fi
fi

if [ "$boot" = 2 ] && [ -n "$native_thp" ]; then
	is "drop-ins are written" "$(dropins)" "gen-.service.d/50-thpd.conf gen-narrowed.service.d/50-thpd.conf \
gen-template@.service.d/50-thpd.conf gen.socket.d/50-thpd.conf tmp.mount.d/50-thpd.conf "
	for unit in gen-plain.service gen-sandboxed.service; do
		is "$unit has the flag at its first instruction, from the boot on" "$(told $unit)" 1
		is "$unit: as systemd says, too" "$(property $unit MemoryTHP)" disable
	done
	is "the template's instance has its own" "$(told gen-template@one.service)" $advised
	is "one that is narrowed is left alone" \
		"$(told gen-narrowed.service) $(property gen-narrowed MemoryTHP)" "0 inherit"
	is "one without a rule, too" "$(told other.service) $(property other MemoryTHP)" "0 inherit"
	is "a socket's command has it" "$(start gen.socket)" 1
	is "a mount is to have it" "$(property tmp.mount MemoryTHP)" disable
	systemctl stop gen.socket
	is "an instance that nobody knew" "$(start gen-template@new.service)" $advised
	check "a unit that comes without a file" systemd-run --quiet --wait --unit=gen-transient \
		-p StandardOutput=append:/t/told /t/helpers/starter gen-transient.service once 0
	is "has it, too" "$(told gen-transient.service)" 1
	systemd-run --quiet --unit=gen-sleeps /bin/sleep 1000
	check "the plan is content when it has begun" eventually run 0 thpctl plan
	check "and says what systemd does" grep -q '^gen-sleeps.service .* drop-in .* ok ' "$tmp/out"

	# Each daemon-reload, and no restart.
	pid=$(pid_of gen-sleeps)
	policy "host { service 'gen-*.service' { thp = system } }"
	is "another policy is not read by itself" "$(property gen-plain MemoryTHP)" disable
	check "daemon-reload" systemctl daemon-reload
	is "it is then" "$(property gen-plain MemoryTHP) $(property gen-template@one MemoryTHP)" "system system"
	is "what runs goes on as it is" "$(pid_of gen-sleeps) $(flag "$pid")" "$pid 0"
	is "the next start has the new flag" "$(start gen-plain.service)" 0

	# The administrator has the last word.
	policy "host { service '*.service' { thp = disable } }"
	mkdir -p /etc/systemd/system/gen-plain.service.d /etc/systemd/system/other.service.d
	printf '[Service]\nMemoryTHP=system\n' >/etc/systemd/system/gen-plain.service.d/override.conf
	ln -s /dev/null /etc/systemd/system/other.service.d/50-thpd.conf
	systemctl daemon-reload
	is "all services have a drop-in" "$(dropins)" "service.d/50-thpd.conf "
	is "but a later one of the administrator's holds" "$(property gen-plain MemoryTHP)" system
	is "and one of the same name" "$(property other MemoryTHP)" inherit
	is "others have it" "$(start gen-sandboxed.service)" 1
	rm -r /etc/systemd/system/gen-plain.service.d /etc/systemd/system/other.service.d
	is "a unit's other name is no other unit" "$(start gen-alias.service)$(told gen-plain.service)" 0
	systemctl daemon-reload
	is "nor after a reload" "$(start gen-alias.service)$(told gen-plain.service)" 1

	# The daemon does not do again what systemd has done.
	policy "host { service 'gen-plain.service' { thp = disable }
	service 'gen-narrowed.service' { thp = disable  comm = 'starter' } }"
	systemctl daemon-reload
	check "thpd is started" systemctl start thpd.service
	for _ in 1 2 3; do
		systemctl restart gen-plain.service
	done
	systemctl restart gen-narrowed.service
	# shellcheck disable=SC2317 # called by way of eventually
	watched() {
		thpctl status | grep -q 'starts: 1 watched'
	}
	check "it has watched the one start that systemd gives nothing" eventually watched
	exits "and has read back the others" 0 thpctl verify
	# What systemd has set is looked at as everything else is.
	printf '[Service]\nExecStart=/t/helpers/asker sleep\n' >/etc/systemd/system/gen-asks.service
	policy "host { service 'gen-*.service' { thp = disable } }"
	systemctl daemon-reload
	systemctl start gen-asks
	# shellcheck disable=SC2317 # called by way of eventually
	cleared() {
		[ "$(flag "$(pid_of gen-asks)")" = 1 ]
	}
	# shellcheck disable=SC2317
	has_it() {
		[ "$(flag "$(pid_of gen-asks)")" = 0 ]
	}
	is "a service that goes on is to have it from systemd" "$(property gen-asks MemoryTHP)" disable
	check "and has it" eventually has_it
	# clear: it does so itself, once it has come to that
	clear() {
		eventually sh -c "journalctl -b -u gen-asks -o cat | grep -q '^ready $(pid_of gen-asks)'"
		kill -USR2 "$(pid_of gen-asks)"
	}
	systemctl stop thpd.service
	clear
	check "and clears it" eventually cleared
	exits "which verify sees" 1 thpctl verify
	check "and thpd mends" systemctl start thpd.service
	check "at once" eventually has_it

	# A policy that is loaded is systemd's, too: nobody has to think of daemon-reload.
	policy "host { defrag = $(setting defrag) }"
	check "a policy without the rule is loaded" systemctl reload thpd.service
	is "systemd has it no more" "$(dropins)$(property gen-plain MemoryTHP) $(start gen-plain.service)" "inherit 0"
	check "the journal says so" sh -c "journalctl -b -o cat -u thpd | grep -q 'systemd reloads its units, for .*gen-.service.d'"
	policy "host { service 'gen-*.service' { thp = disable } }"
	check "one with a rule again" systemctl reload thpd.service
	is "is in force before anything starts" "$(property gen-plain MemoryTHP) $(start gen-plain.service)" "disable 1"
	since=$(journalctl -b -o cat -u thpd | grep -c "systemd reloads")
	check "and once more" systemctl reload thpd.service
	is "needs no reload of systemd's" "$(journalctl -b -o cat -u thpd | grep -c "systemd reloads")" "$since"
	systemctl stop thpd.service
	policy "host { service 'gen-plain.service' { thp = disable } }"
	run 1 thpctl plan
	check "without thpd, plan says what is to be done" grep -q 'warning: .*daemon-reload' "$tmp/err"
	exits "doctor finds it" 1 thpctl doctor
	check "by name" grep -q "^$generated/gen-.*/50-thpd.conf: warning: .*daemon-reload" "$tmp/out"
	check "thpd sees to it as it starts" systemctl start thpd.service
	is "so systemd has it" "$(dropins)" "gen-plain.service.d/50-thpd.conf "
	mkdir -p /etc/systemd/system-generators
	ln -s /dev/null /etc/systemd/system-generators/thpd-generator
	check "with the generator masked" systemctl reload thpd.service
	is "there are no drop-ins" "$(dropins)" ""
	exits "and nothing for doctor to find in that" 0 sh -c '! thpctl doctor | grep daemon-reload'
	rm /etc/systemd/system-generators/thpd-generator
	check "stopped" systemctl stop thpd.service thpd-starts.service thpd-helper.service gen-asks
	thpctl restore >/dev/null
fi

if [ "$boot" = 2 ]; then
	policy "host { service 'gen-*.service' { thp = disable  other = 1 } }"
	check "a bad policy: daemon-reload goes on" systemctl daemon-reload
	is "no drop-ins are left" "$(dropins)" ""
	is "and nothing of them in systemd" "$(property gen-plain MemoryTHP)" "${native_thp:+inherit}"
	if [ -n "$native_thp" ]; then
		is "one line says why" "$(lines | wc -l) $(lines | grep -c '/etc/thpd/thpd.conf:1: .*other')" "1 1"
		is "as a warning" "$(journalctl -b --no-pager -o export -t thpd-generator |
			sed -n 's/^PRIORITY=//p')" 4
	fi
	: >/t/told
	[ -e /t/has-kmsg ] || next_boot
	# There is no journal so early: it takes over what the kernel's log has, also from other runs.
	word=wrong$(date +%s)
	echo "$word" >/t/word
	policy "host { service 'gen-*.service' { thp = disable  $word = 1 } }"
	next_boot --bind=/dev/kmsg
fi

# Boot 3: the bad policy is there from the beginning.
is "a bad policy: the boot is complete" "$(systemctl is-active multi-user.target)" active
is "nothing has failed" "$(systemctl --failed --plain --no-legend)" ""
is "no drop-ins" "$(dropins)" ""
is "services are started as ever" "$(told gen-plain.service)" 0
if [ -e /t/has-kmsg ]; then
	is "one line in the journal says why" \
		"$(lines | grep -c "/etc/thpd/thpd.conf:1: .*$(cat /t/word)")" "$((${#native_thp} / 3))"
else
	skip "one line in the journal says why" "this machine has no /dev/kmsg"
fi
finish
