#!/bin/sh
# SPDX-License-Identifier: MIT
# A policy pushed by the role in packaging/ansible, with the distribution's Ansible and a local connection:
# changes once, nothing with --check, nothing for a bad policy.
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

# Each file is looked at again as it is installed: without the first look, that is what refuses.
mkdir -p "$tmp/without"
cp -R "$srcdir/packaging/ansible/thpd" "$tmp/without/"
echo '- meta: noop' >"$tmp/without/thpd/tasks/check.yml"
vars <<-V
	thpd_policies:
	  - {name: 50-site.conf, content: "host { enabled = sometimes }"}
V
ANSIBLE_ROLES_PATH=$tmp/without
plays "a bad file is refused as it is installed" 2 'changed=0 failed=1'
check "by validate:" grep -q 'failed to validate' "$tmp/out"
unchanged "and changes nothing"
ANSIBLE_ROLES_PATH=$srcdir/packaging/ansible

# A new policy for a daemon that runs: the handler's part.
pid=$(pid_of thpd)
vars <<-V
	thpd_role: mongodb-8
	thpd_policies:
	  - {name: 50-site.conf, state: absent}
	  - {name: 40-roles.conf, state: absent}
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
