#!/bin/sh
# SPDX-License-Identifier: MIT
# On trees that look like hosts: what must not pass for being in order, and what must not get lost.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$tmp" || exit 1

thp=h/sys/kernel/mm/transparent_hugepage

# fresh POLICY: a host without any policy but this one
fresh() {
	rm -rf h
	copy_host linux-6.18 h
	rm -rf h/etc/thpd h/usr/lib/thpd h/run/credentials
	mkdir -p h/etc/thpd/conf.d h/usr/lib/thpd/roles h/run
	: >h/proc/cmdline
	printf '%s\n' "$1" >h/etc/thpd/thpd.conf
}

# on_h NAME STATUS ARGUMENT...: exits for a run of thpctl on the host
on_h() {
	on_h_name=$1 on_h_status=$2
	shift 2
	exits "$on_h_name" "$on_h_status" timeout 20 "$THPCTL" --root h "$@"
}

# says NAME REGEX: in what the last run printed
says() {
	if cat "$tmp/out" "$tmp/err" | grep -Eq -- "$2"; then
		pass "$1"
	else
		fail "$1" "wanted: $2" "$run_detail"
	fi
}

fresh 'host { enabled = always  defrag = never }'
on_h "apply" 0 apply
mv $thp away
on_h "restore where the settings are out of reach" 1 restore
check "keeps the values for another time" grep -q '"enabled": "madvise"' h/run/thpd/original.json
mv away $thp
on_h "restore where they are back" 0 restore
is "brings them back" "$(cat $thp/enabled)" "always [madvise] never"

fresh 'host { enabled = madvise }'
mv h/sys h/away
for verb in plan verify; do
	on_h "$verb without a sysfs" 2 $verb
done
on_h "apply without a sysfs" 1 apply
says "apply does not take it for a kernel without THP" 'unknown.*no sysfs'
mv h/away h/sys
rm -r $thp
on_h "verify on a kernel without THP" 0 verify
says "verify says so" 'no transparent huge pages'

fresh "host { enabled = madvise }
role 'mongo' { enabled = always }
role 'mongodb' { enabled = never }"
mkdir -p h/run/credentials/@system/thpd.role
on_h "a credential that cannot be read is no silence" 2 verify
says "and is named" '@system/thpd.role'
rmdir h/run/credentials/@system/thpd.role
{
	head -c 4079 /dev/zero | tr '\0' x
	echo ' thpd.role=mongodb'
} >h/proc/cmdline
on_h "a long kernel command line" 1 plan
says "is read to its end" 'role +mongodb \(thpd.role='

fresh 'host { enabled = madvise }'
rmdir h/etc/thpd/conf.d
ln -s /srv/not/mounted h/etc/thpd/conf.d
on_h "a conf.d that leads nowhere" 2 verify
says "is named" '/etc/thpd/conf.d: error'
rm h/etc/thpd/conf.d
echo 'host { enabled = never }' >h/etc/thpd/conf.d
on_h "a conf.d that is a file" 2 check
rm -r h/etc/thpd
ln -s /srv/not/mounted h/etc/thpd
echo 'host { enabled = madvise }' >h/usr/lib/thpd/thpd.conf
on_h "an /etc/thpd that leads nowhere" 2 verify
rm h/etc/thpd
mkdir -p h/etc/thpd
ln -s /dev/null h/etc/thpd/conf.d
on_h "a conf.d that is masked" 0 verify
chmod 777 h/usr/lib/thpd
on_h "a policy directory that everybody can write" 2 verify
says "is named, too" '/usr/lib/thpd: error: directory writable'

fresh "role 'a' { enabled = never }"
echo 'host_role = a' >h/new.conf
on_h "check of a file that relies on another one" 0 check /new.conf
says "says that it does" 'warning: valid only on top of the policy installed here'
cp h/new.conf h/thpd.conf
on_h "but not on the one that it will replace" 1 check /thpd.conf

fresh "role 'db' { service 'x.service' { start = gate } }"
on_h "a service without thp" 2 plan
echo "role 'db' { service 'x.service' { thp = disable } }" >h/usr/lib/thpd/roles/db.conf
on_h "that completes the library's, on a host of another role" 0 plan
on_h "on one of this role" 0 --role db plan
says "there it counts" 'x.service +disable +set now +gate'
on_h "check knows" 0 check

fresh 'host { enabled = madvise }'
rm $thp/enabled
mkfifo $thp/enabled
on_h "a FIFO in place of a setting does not hold a plan" 2 plan

fresh 'host { enabled = never }'
mkdir h/run/thpd
: >h/run/thpd/lock
# The lock is held until "go" is there; then the policy is another one.
flock h/run/thpd/lock sh -c 'touch held; while [ ! -e go ]; do sleep 0.05; done' &
holder=$!
while [ ! -e held ]; do sleep 0.05; done
"$THPCTL" --root h apply >"$tmp/waited" 2>&1 &
waiter=$!
sleep 0.5
echo 'host { enabled = always }' >h/etc/thpd/thpd.conf
touch go
wait "$holder" "$waiter"
is "apply that had to wait applies the policy of now" "$(cat $thp/enabled)" "[always] madvise never"

# finds FILE CONTENTS: doctor finds the one line, and nothing without it
finds() {
	fresh 'host { enabled = madvise }'
	on_h "doctor is content before $1" 0 doctor
	mkdir -p "h/${1%/*}"
	printf '%s\n' "$2" >"h/$1"
	on_h "doctor finds $1" 1 doctor
	says "doctor names $1" "^/$1:[12]: warning"
}
finds etc/systemd/system/mongod.service.d/thp.conf "[Service]
ExecStartPre=/bin/sh -c 'echo never >/sys/kernel/mm/transparent_hugepage/enabled'"
finds etc/default/grub.d/50-thp.cfg 'GRUB_CMDLINE_LINUX="transparent_hugepage=never"'
finds etc/kernel/cmdline 'root=/dev/sda1 transparent_hugepage=never'
finds etc/crontab '@reboot root echo never > /sys/kernel/mm/transparent_hugepage/enabled'
finds etc/sysfs.conf 'kernel/mm/transparent_hugepage/enabled = never'

finish
