#!/bin/sh
# SPDX-License-Identifier: MIT
# thpd-apply.service under a real systemd as PID 1: this machine's own /usr booted in a container, with
# the real files of the host's kernel bound in. About a second for each boot.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

thp=/sys/kernel/mm/transparent_hugepage
needs=
[ "$(id -u)" = 0 ] || needs="root"
command -v systemd-nspawn >/dev/null || needs="${needs:+$needs, }systemd-nspawn"
[ -w $thp/enabled ] || needs="${needs:+$needs, }a writable $thp"
# In a chroot, mounts cannot be made private.
possible=yes
unshare --mount --propagation private true 2>/dev/null || {
	possible=
	needs="${needs:+$needs, }mounts of its own"
}
if [ -n "$needs" ]; then
	if [ "${CI:-}" = true ] && [ "$(id -u)" = 0 ] && [ -w $thp/enabled ] && [ -n "$possible" ]; then
		fail "boot in a container" "needs $needs"
	else
		skip "boot in a container" "needs $needs"
	fi
	finish
fi

enabled=$(sed 's/.*\[\(.*\)\].*/\1/' $thp/enabled)
defrag=$(sed 's/.*\[\(.*\)\].*/\1/' $thp/defrag)
cgroup=
nspawn=

end_boot() {
	if [ -n "$nspawn" ]; then
		kill "$nspawn" 2>/dev/null
		wait "$nspawn" 2>/dev/null
	fi
	nspawn=
	[ -z "$cgroup" ] || find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null
	cgroup=
}
restore_host() {
	end_boot
	echo "$enabled" >$thp/enabled
	echo "$defrag" >$thp/defrag
	rm -rf "$tmp"
}
trap restore_host EXIT

mkdir -p "$tmp/t/units"
sed "s|^\(Exec[A-Za-z]*\)=[^ ]*|\1=/t/thpctl|" "$UNITS/thpd-apply.service" \
	>"$tmp/t/units/thpd-apply.service"
cp "$THPCTL" "$tmp/t/thpctl"
# An ordinary service that tells what it found when it began.
cat >"$tmp/t/units/witness.service" <<'E'
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'cat /sys/kernel/mm/transparent_hugepage/enabled >/t/witness'
E
cat >"$tmp/t/units/look.service" <<'E'
[Unit]
After=multi-user.target witness.service
Wants=witness.service
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
ExecStart=/bin/sh /t/look
StandardOutput=file:/t/log
StandardError=file:/t/log
E
cat >"$tmp/t/look" <<'E'
systemctl show thpd-apply witness -p Id,ActiveState,Result,ExecMainStatus,ExecMainStartTimestampMonotonic,ExecMainExitTimestampMonotonic >/t/show
systemctl status thpd-apply --no-pager --full >/t/status
journalctl --no-pager -b -p warning >/t/journal
cp /run/thpd/original.json /t/ 2>/dev/null
cat /sys/kernel/mm/transparent_hugepage/enabled >/t/enabled
/t/thpctl restore >/t/restore 2>&1
echo $? >/t/restore.status
E

# boot POLICY [NSPAWN-OPTION...]: boots with POLICY as /etc/thpd/thpd.conf; what it saw is in $tmp/t
boot() {
	boot_policy=$1
	shift
	(cd "$tmp/t" && rm -f witness show status journal original.json enabled restore log)
	printf '%s\n' "$boot_policy" >"$tmp/t/thpd.conf"
	cgroup_root=/sys/fs/cgroup
	[ "$(stat -f -c %T $cgroup_root)" = cgroup2fs ] || cgroup_root=/sys/fs/cgroup/unified
	cgroup=$cgroup_root/thpd-test-$$
	mkdir -p "$cgroup"
	# nspawn wants a /run in memory, and systemd a cgroup tree of version 2.
	# shellcheck disable=SC2016 # expanded by the inner shell
	timeout --kill-after=5 60 unshare --mount --propagation private sh -c '
		echo $$ >"$1/cgroup.procs" && t=$2 && shift 2 &&
		mount -t tmpfs tmpfs /run && umount -R -l /sys/fs/cgroup &&
		mount -t cgroup2 cgroup2 /sys/fs/cgroup &&
		SYSTEMD_SECCOMP=0 exec systemd-nspawn --quiet --register=no --keep-unit --boot \
			--capability=all --volatile=yes --directory=/ --console=pipe \
			--bind=/sys/kernel/mm/transparent_hugepage --bind="$t:/t" \
			--bind-ro="$t/thpd.conf:/etc/thpd/thpd.conf" \
			--bind-ro="$t/units/thpd-apply.service:/run/systemd/system/thpd-apply.service" \
			--bind-ro="$t/units/thpd-apply.service:/run/systemd/system/sysinit.target.wants/thpd-apply.service" \
			--bind-ro="$t/units/witness.service:/run/systemd/system/witness.service" \
			--bind-ro="$t/units/look.service:/run/systemd/system/look.service" \
			"$@" systemd.wants=look.service
	' sh "$cgroup" "$tmp/t" "$@" >"$tmp/console" 2>&1 </dev/null &
	nspawn=$!
	boot_status=0
	wait "$nspawn" || boot_status=$?
	nspawn=
	end_boot
}

# prop UNIT NAME: a property as systemd reported it
prop() {
	awk -v RS= -v unit="Id=$1.service" 'index($0, unit)' "$tmp/t/show" | sed -n "s/^$2=//p"
}

# selected FILE: the word in brackets
selected() {
	sed 's/.*\[\(.*\)\].*/\1/' "$1"
}

other=always
[ "$enabled" != always ] || other=never
echo never >$thp/defrag
echo "$other" >$thp/enabled
policy="host { enabled = $enabled  defrag = madvise }
role 'from-credential' { defrag = defer }"

boot "$policy"
if [ "$boot_status" != 0 ] || [ ! -s "$tmp/t/show" ]; then
	fail "boot in a container" "exit status $boot_status" "$(tail -n 20 "$tmp/console")"
	finish
fi
pass "boot in a container"
is "the unit has done its work" "$(prop thpd-apply ActiveState) $(prop thpd-apply Result)" \
	"active success"
is "the policy is in force" "$(selected "$tmp/t/enabled")" "$enabled"
is "an ordinary service found it in force" "$(selected "$tmp/t/witness")" "$enabled"
check "because it began later than the unit ended" test \
	"$(prop witness ExecMainStartTimestampMonotonic)" -ge \
	"$(prop thpd-apply ExecMainExitTimestampMonotonic)"
check "what the unit did is in systemctl status" grep -q "enabled.*$other.*$enabled.*changed" \
	"$tmp/t/status"
check "the original value is saved" grep -q "\"enabled\": \"$other\"" "$tmp/t/original.json"
is "restore brings it back" "$(cat "$tmp/t/restore.status") $(selected $thp/enabled)" "0 $other"
is "no ordering cycle in the journal" "$(grep -i cycle "$tmp/t/journal")" ""

boot "$policy" --set-credential=thpd.role:from-credential
check "the role comes from a system credential" grep -q 'role .*from-credential.*credential' \
	"$tmp/t/status"
check "and is in force" grep -q 'defrag.*defer .*changed' "$tmp/t/status"

boot "host { enabled = sometimes }"
is "a bad policy does not hold the boot" "$boot_status" 0
is "it fails the unit, visibly" "$(prop thpd-apply ActiveState) $(prop thpd-apply ExecMainStatus)" \
	"failed 2"
check "with file and line in systemctl status" grep -q '/etc/thpd/thpd.conf:1: error: enabled' \
	"$tmp/t/status"
is "and changes nothing" "$(selected "$tmp/t/enabled")" "$other"

finish
