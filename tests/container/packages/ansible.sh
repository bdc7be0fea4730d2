#!/bin/sh
# SPDX-License-Identifier: MIT
# A policy pushed by the role in packaging/ansible, with the distribution's Ansible and a local connection:
# changes once, nothing with --check, nothing for a policy that is bad, or bad on this host.
# shellcheck disable=SC2119,SC2317 # called by way of eventually
# shellcheck source=tests/container/inside.sh
. "${srcdir:?}/tests/container/inside.sh"

systemctl -q disable --now tuned redis-server postgresql 2>/dev/null
export HOME=/root ANSIBLE_ROLES_PATH="$srcdir/packaging/ansible" ANSIBLE_NOCOLOR=1 ANSIBLE_LOCALHOST_WARNING=False
export LC_ALL=C.UTF-8

# play STATUS [OPTION...]: the variables are in $tmp/vars.yml
play() {
	play_status=$1
	shift
	run "$play_status" ansible-playbook -i localhost, -c local "$@" -e "@$tmp/vars.yml" "$tmp/site.yml"
}
# recap: "ok=N changed=N ..." of the last one
recap() {
	sed -n 's/^localhost .*\(changed=[0-9]*\).*\(failed=[0-9]*\).*/\1 \2/p' "$tmp/out"
}
# plays NAME STATUS RECAP [OPTION...]
plays() {
	plays_name=$1 plays_recap=$3
	play_wanted=$2
	shift 3
	if play "$play_wanted" "$@" && recap | grep -Eqx "$plays_recap"; then
		pass "$plays_name"
	else
		fail "$plays_name" "wanted: $plays_recap" "$run_detail" "$(tail -n 40 "$tmp/out")"
	fi
}
# state: all that a play could have changed
state() {
	find /etc/thpd /etc/systemd/system -name '*thp*' -exec ls -ld --time-style=full-iso {} + 2>/dev/null
	find /etc/thpd -type f -exec cksum {} + 2>/dev/null
	for unit in thpd-apply thpd; do
		systemctl show -p ActiveState,UnitFileState,ExecMainPID,StatusText "$unit"
	done
	setting enabled
	setting defrag
	ls -d /tmp/thpd-* 2>/dev/null
}
# unchanged NAME: since the last `state >"$tmp/state"`
unchanged() {
	state >"$tmp/now"
	is "$1" "$(diff "$tmp/state" "$tmp/now")" ""
}
vars() {
	cat >"$tmp/vars.yml"
}

cat >"$tmp/site.yml" <<-'P'
	- hosts: all
	  gather_facts: false
	  roles: [thpd]
P
was=$(setting enabled)
was_defrag=$(setting defrag)
enabled=$(other enabled)
defrag=$(other defrag)
vars <<-V
	thpd_policies:
	  - name: 40-roles.conf
	    content: |
	      role 'pushed' { defrag = $defrag }
	  - name: 50-site.conf
	    content: |
	      host_role = pushed
	      host { enabled = $enabled }
V
state >"$tmp/state"
plays "--check on a fresh host would change something" 0 'changed=[1-9] failed=0' --check --diff
unchanged "and changes nothing"
plays "the first run changes something" 0 'changed=[1-9] failed=0'
is "the policy is in force" "$(setting enabled) $(setting defrag)" "$enabled $defrag"
is "the units are enabled and run" "$(systemctl is-enabled thpd-apply thpd | sort -u)
$(systemctl is-active thpd-apply thpd | sort -u)" "enabled
active"
is "the files are root's" "$(stat -c '%U %a' /etc/thpd/conf.d/50-site.conf)" "root 644"
state >"$tmp/state"
plays "the second run changes nothing" 0 'changed=0 failed=0'
unchanged "indeed"

vars <<-V
	thpd_policies:
	  - name: 40-roles.conf
	    content: |
	      role 'pushed' { defrag = $was_defrag }
	  - name: 50-site.conf
	    content: |
	      host_role = pushed
	      host { enabled = sometimes }
V
for option in --check ''; do
	# shellcheck disable=SC2086 # an option or none
	plays "a bad policy fails the play${option:+ with $option}" 2 'changed=0 failed=1' $option
	check "with file and line" grep -q '/etc/thpd/conf.d/50-site.conf:2: error: enabled' "$tmp/out"
	unchanged "nothing has changed, the good file of the two included"
done
# Good by itself, and bad with the rest of the policy.
vars <<-V
	thpd_policies:
	  - name: 40-roles.conf
	    state: absent
V
plays "to remove what another file needs fails the play" 2 'changed=0 failed=1'
check "and says so" grep -q "there is no role 'pushed'" "$tmp/out"
unchanged "nothing has changed then, too"
vars <<-V
	thpd_role: no-such
V
plays "so does the name of a role that there is none of" 2 'changed=0 failed=1'
check "which is told" grep -q "there is no role 'no-such'" "$tmp/out"
unchanged "and still nothing has changed"

# What only this host refuses: no other one does, so `thpctl check` does not.
vars <<-V
	thpd_policies:
	  - name: 40-roles.conf
	    content: |
	      role 'pushed' { defrag = $was_defrag }
	  - name: 60-kernel.conf
	    content: |
	      missing = error
	      host { anon '1048576kB' { enabled = always } }
V
for run in first second third; do
	option=
	[ $run != third ] || option=--check
	# shellcheck disable=SC2086 # an option or none
	plays "a policy that this kernel cannot have fails the play, the $run time${option:+, with --check}" 2 \
		'changed=0 failed=1' $option
	check "with file and line, the $run time" grep -q '/etc/thpd/conf.d/60-kernel.conf:2: error: .*1048576kB' "$tmp/out"
	unchanged "nothing has changed, the good file of the two included, the $run time"
done
sed -i '/^thpd_policies:/i thpd_units: []' "$tmp/vars.yml"
plays "for files alone it is not held against the kernel" 0 'changed=[1-9] failed=0' --check
unchanged "--check has changed nothing then, too"

# The role that the host has been given, by whomever.
echo pushed >/etc/thpd/role
state >"$tmp/state"
vars <<-V
	thpd_policies:
	  - {name: 40-roles.conf, state: absent}
	  - {name: 50-site.conf, state: absent}
V
for run in first second; do
	plays "to remove the role that the host has fails the play, the $run time" 2 'changed=0 failed=1'
	check "and names the place, the $run time" grep -q "/etc/thpd/role:1: error: there is no role 'pushed'" "$tmp/out"
	unchanged "nothing has changed, the $run time"
done
echo 'thpd_role: ""' >>"$tmp/vars.yml"
plays "with the role it may go" 0 'changed=[1-9] failed=0' --check
rm /etc/thpd/role

# Refused since it was pushed: files that do not change are looked at, too.
vars <<-V
	thpd_policies:
	  - {name: 50-site.conf, content: "host_role = pushed\nhost { enabled = $enabled }\n"}
V
echo 'host { enabled = sometimes }' >/etc/thpd/conf.d/70-other.conf
state >"$tmp/state"
for run in first second; do
	plays "another file that is bad fails the play, the $run time" 2 'changed=0 failed=1'
	check "and is named, the $run time" grep -q '/etc/thpd/conf.d/70-other.conf:1: error' "$tmp/out"
done
unchanged "nothing has changed then"

# Links: to anywhere, to /dev/null, to nowhere.
mkdir -p /srv/policy
echo "host { khugepaged { pages_to_scan = 4097 } }" >/srv/policy/linked.conf
ln -sf /srv/policy/linked.conf /etc/thpd/conf.d/70-other.conf
mkdir -p /usr/lib/thpd/conf.d
echo 'host { enabled = sometimes }' >/usr/lib/thpd/conf.d/80-masked.conf
ln -s /dev/null /etc/thpd/conf.d/80-masked.conf
plays "a link to a policy elsewhere and a masked file: nothing to change" 0 'changed=0 failed=0'
vars <<-V
	thpd_policies:
	  - {name: 50-site.conf, content: "host_role = pushed\nhost { enabled = $enabled  defrag = $was_defrag }\n"}
V
plays "a push beside them" 0 'changed=2 failed=0'
is "is in force, and what the link leads to" "$(setting khugepaged/pages_to_scan)" 4097
is "they are what they were" "$(readlink /etc/thpd/conf.d/70-other.conf /etc/thpd/conf.d/80-masked.conf | xargs)" \
	"/srv/policy/linked.conf /dev/null"
rm /srv/policy/linked.conf
state >"$tmp/state"
plays "a link to nowhere fails the play" 2 'changed=0 failed=1'
check "and is named" grep -q '/etc/thpd/conf.d/70-other.conf: error' "$tmp/out"
unchanged "nothing has changed for it"
rm /etc/thpd/conf.d/[78]0-*.conf /usr/lib/thpd/conf.d/80-masked.conf

# What only the daemon is given cannot be seen before.
mkdir -p /run/systemd/system/thpd.service.d
printf '[Service]\nSetCredential=thpd.role:pushed\n' >/run/systemd/system/thpd.service.d/role.conf
systemctl daemon-reload
systemctl restart thpd
vars <<-V
	thpd_policies:
	  - {name: 50-site.conf, state: absent}
	  - {name: 40-roles.conf, state: absent}
V
plays "what the daemon refuses after all fails the play" 2 'changed=[1-9] failed=1'
plays "and the next one, which changes nothing" 2 'changed=0 failed=1'
check "with file and line of what is refused" grep -q "policy was refused.*there is no role 'pushed'" "$tmp/out"
rm -r /run/systemd/system/thpd.service.d
systemctl daemon-reload
systemctl restart thpd

# A new policy for a daemon that runs: the handler's part.
pid=$(pid_of thpd)
vars <<-V
	thpd_role: mongodb-8
V
plays "a role of the library by its name" 0 'changed=[1-9] failed=0'
check "the handler reloads" grep -q '^RUNNING HANDLER .*Reload thpd' "$tmp/out"
is "it is in force" "$(setting enabled) $(setting defrag)" "always defer+madvise"
is "and the daemon the same one" "$(pid_of thpd)" "$pid"
plays "that changes nothing the second time" 0 'changed=0 failed=0'
vars <<-V
	thpd_role: ''
V
plays "no role at all" 0 'changed=[1-9] failed=0'
check "the file is gone" test ! -e /etc/thpd/role

exits "restored" 0 sh -c 'systemctl stop thpd && thpctl restore'
is "all is as it was" "$(setting enabled) $(setting defrag)" "$was $was_defrag"
finish
