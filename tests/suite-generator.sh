#!/bin/sh
# SPDX-License-Identifier: MIT
# thpd-generator on directory trees: for which units it writes drop-ins, and when it writes none. What
# systemd makes of them is shown in tests/container/suites/generator.sh.
set -u
LC_ALL=C
export LC_ALL

# shellcheck source=tests/lib.sh
. "${srcdir:?}/tests/lib.sh"
generator=${builddir:?the build tree}/thpd-generator
tree=$tmp/tree
out=$tree/run/systemd/generator

# systemd VERSION: process 1 of the tree
systemd() {
	mkdir -p "$tree/proc/1"
	printf '%s\n' '7f5a1c000000-7f5a1c028000 r--p 00000000 fe:00 100    /usr/lib/x86_64-linux-gnu/libc.so.6' \
		"7f5a1d000000-7f5a1d100000 r-xp 00000000 fe:00 101    /usr/lib/x86_64-linux-gnu/systemd/libsystemd-core-$1.so" \
		>"$tree/proc/1/maps"
}

# host RELEASE: a tree with a kernel and systemd 262, and nothing else
host() {
	rm -rf "$tree"
	mkdir -p "$tree/proc/sys/kernel" "$tree/etc/thpd" "$tree/usr/lib/systemd/system" \
		"$tree/etc/systemd/system" "$tree/sys/kernel/mm/transparent_hugepage" "$out"
	echo "$1" >"$tree/proc/sys/kernel/osrelease"
	echo app4 >"$tree/proc/sys/kernel/hostname"
	echo 'always [madvise] never' >"$tree/sys/kernel/mm/transparent_hugepage/enabled"
	systemd 262
}

# units NAME...: unit files of the vendor's
units() {
	for unit; do
		printf '[%s]\nDescription=%s\n' Unit "$unit" >"$tree/usr/lib/systemd/system/$unit"
	done
}

# policy TEXT
policy() {
	printf '%s\n' "$1" >"$tree/etc/thpd/thpd.conf"
}

# dropins: what was written, one line each: PLACE MODE, or PLACE - for one that says nothing
dropins() {
	find "$out" -type f | sort | while read -r file; do
		place=${file#"$out"/}
		mode=$(sed -n 's/^MemoryTHP=//p' "$file")
		[ "$place" = "${place%%/*}/50-thpd.conf" ] || echo "unexpected: $place"
		echo "${place%%.d/*} ${mode:--}"
	done
}

generate() {
	rm -rf "$out"
	mkdir -p "$out"
	run 0 "$generator" --root "$tree" /run/systemd/generator /run/systemd/generator.early \
		/run/systemd/generator.late
}

# writes NAME WANTED: the generator is content, silent, and has written the drop-ins WANTED
writes() {
	if ! generate || [ -s "$tmp/out" ] || [ -s "$tmp/err" ]; then
		fail "$1" "$run_detail"
		return
	fi
	is "$1" "$(dropins)" "$2"
}

# refuses NAME PATTERN: it has written nothing, and said so in one line, with exit status 0
refuses() {
	if ! generate || [ -s "$tmp/out" ] || [ "$(wc -l <"$tmp/err")" != 1 ] || ! grep -q "$2" "$tmp/err"; then
		fail "$1" "$run_detail"
		return
	fi
	is "$1" "$(dropins)" ""
}

host 6.18.0
units redis.service nginx.service
policy "host { service 'redis.service' { thp = disable } }"
writes "a service by its name" "redis.service disable"
is "the drop-in says where it comes from" "$(cat "$out/redis.service.d/50-thpd.conf")" \
	"# Written by thpd-generator(8) for /etc/thpd/thpd.conf:1
[Service]
MemoryTHP=disable"
is "and can be read by everybody" "$(find "$out" -perm 644 -type f | wc -l)" 1
policy "host { service 'quadlet.service' { thp = madvise } }"
writes "one without a file: another generator may make it" "quadlet.service madvise"
policy "host { enabled = always }"
writes "no rule, no drop-in" ""
rm "$tree/etc/thpd/thpd.conf"
writes "no policy, no drop-in" ""
rmdir "$tree/etc/thpd"
writes "nor without its directory" ""

# Which systemd: only process 1 tells.
host 6.18.0
policy "host { service 'redis.service' { thp = disable } }"
for version in 252 257.13 259~rc1 26; do
	systemd $version
	writes "systemd $version: nothing" ""
done
for version in 260 262.1-1.fc44 300~devel; do
	systemd $version
	writes "systemd $version: a drop-in" "redis.service disable"
done
sed -i 's/-core-/-shared-/' "$tree/proc/1/maps"
writes "by its other library" "redis.service disable"
echo '7f5a1c000000-7f5a1c028000 r--p 00000000 fe:00 100  /sbin/init' >"$tree/proc/1/maps"
writes "process 1 is another one: nothing" ""
rm "$tree/proc/1/maps"
writes "it cannot be told: nothing" ""

# Kernels without the flag for madvise.
host 6.12.0
policy "madvise_fallback = disable
host { service 'a.service' { thp = madvise }
service 'b.service' { thp = madvise  madvise_fallback = inherit }
service 'c.service' { thp = disable } }"
writes "an older kernel: what madvise falls back to" "a.service disable
c.service disable"
policy "host { service 'a.service' { thp = madvise } service 'c.service' { thp = disable } }"
refuses "and nothing at all where it falls back to nothing, as with apply" 'thpd.conf:1: .*madvise needs Linux 6.18'

# What is not for systemd to do.
host 6.18.0
policy "host {
service 'a.service' { thp = disable  exe = '*/a' }
service 'b.service' { thp = disable  user = 'b' }
service 'c.service' { thp = disable  comm = 'c' }
service 'd.service' { thp = disable  apply = verify }
service 'e.service' { thp = disable  start = no }
service 'f.service' { thp = inherit }
service 'docker-*.scope' { thp = disable }
service 'g.service' { thp = disable  apply = start  start = gate }
service 'h.service' { thp = system } }"
writes "rules that are narrowed, or leave starts alone, write nothing" "g.service disable
h.service system"
policy "on_drift = report
host { service 'a.service' { thp = disable } }"
writes "nor does a policy that only reports" ""

# Patterns, and units that are not known yet.
host 6.18.0
units redis.service redis-a.service redis@.service nginx.service other@.service
policy "host { service '*.service' { thp = disable } }"
writes "all services: the type's drop-in" "service disable"
policy "host { service '*' { thp = disable } }"
writes "all units: each type's" "mount disable
service disable
socket disable
swap disable"
policy "host { service 'redis*.service' { thp = disable } }"
writes "a pattern: the units it matches, and all instances" "redis-a.service disable
redis.service disable
redis@.service disable"
policy "host { service 'redis-*.service' { thp = disable } }"
writes "a prefix with a dash has a place of its own" "redis-.service disable"
policy "host { service 'new@*.service' { thp = disable } }"
writes "so has a template, known or not" "new@.service disable"
policy "host { service 'redis@[ab]*.service' { thp = disable } }"
writes "some instances have not" ""
mkdir -p "$tree/etc/systemd/system/multi-user.target.wants"
for instance in a1 c1; do
	ln -s /usr/lib/systemd/system/redis@.service "$tree/etc/systemd/system/multi-user.target.wants/redis@$instance.service"
done
writes "but those that are enabled are known" "redis@a1.service disable"

# The last rule that matches wins.
policy "host {
service '*.service' { thp = disable }
service 'redis*.service' { thp = madvise }
service 'redis@a1.service' { thp = inherit }
service 'nginx.service' { thp = disable  start = no } }"
writes "a narrower rule may be for services that are not known: no drop-in for the type" "other@.service disable
redis-a.service madvise
redis.service madvise
redis@.service madvise
redis@a1.service -"
policy "host {
service '*.service' { thp = disable }
service 'redis-*.service' { thp = madvise }
service 'redis@*.service' { thp = system }
service 'redis@a1.service' { thp = inherit }
service 'nginx.service' { thp = disable  start = no } }"
writes "with places of their own, narrower ones keep away the wider" "nginx.service -
redis-.service madvise
redis@.service system
redis@a1.service -
service disable"
policy "host {
service 'redis.service' { thp = madvise }
service '*.service' { thp = disable } }"
writes "a wider rule behind a narrower one" "service disable"
policy "host {
service 'redis.service' { thp = disable }
service 'nginx.service' { thp = disable }
service '*.service' { thp = madvise  exe = '*/redis-cli' } }"
writes "some processes by another rule: nothing" ""

# Slices: a file that names one may put the unit anywhere.
host 6.18.0
units a.service b.service t@.service
printf '[Service]\nSlice=batch.slice\n' >"$tree/usr/lib/systemd/system/b.service"
policy "host {
service 'a.service' { thp = disable }
service 'b.service' { thp = disable }
service 'new.service' { thp = disable }
service 'batch.slice' { thp = madvise } }"
writes "a later rule for a slice that the unit may be in" "a.service disable"
mkdir "$tree/etc/systemd/system/a.service.d"
printf '[Service]\n Slice = batch.slice\n' >"$tree/etc/systemd/system/a.service.d/slice.conf"
writes "by a drop-in, too" ""
rm -r "$tree/etc/systemd/system/a.service.d"
policy "host {
service 'batch.slice' { thp = madvise }
service 'b.service' { thp = disable }
service 'system-t.slice' { thp = disable } }"
writes "an earlier one is no matter; instances have a slice" "b.service disable
t@.service disable"

# Names that are links.
host 6.18.0
units mariadb.service real@.service systemd-hostnamed.service
ln -s mariadb.service "$tree/usr/lib/systemd/system/mysql.service"
ln -s /usr/lib/systemd/system/mysql.service "$tree/etc/systemd/system/mysqld.service"
ln -s real@.service "$tree/usr/lib/systemd/system/also@.service"
ln -s /usr/lib/systemd/system/systemd-hostnamed.service \
	"$tree/etc/systemd/system/dbus-org.freedesktop.hostname1.service"
ln -s /opt/kept/elsewhere.service "$tree/etc/systemd/system/linked.service"
policy "host { service 'm*.service' { thp = disable } service 'also@*.service' { thp = disable }
service 'linked*.service' { thp = disable } }"
writes "the unit's own name counts, as for its processes" "linked.service disable
mariadb.service disable"
policy "host { service 'dbus-*.service' { thp = disable } }"
writes "a wider place does not reach it by its other name" "dbus-.service disable
systemd-hostnamed.service -"
mkdir -p "$tree/etc/systemd/system/x.target.wants"
ln -s /usr/lib/systemd/system/also@.service "$tree/etc/systemd/system/x.target.wants/also@1.service"
policy "host { service 'real@[0-9].service' { thp = disable } }"
writes "an instance by the other name of its template" "real@1.service disable"

host 6.18.0
units a.service b.service c.service
ln -s /dev/null "$tree/etc/systemd/system/a.service"
: >"$tree/etc/systemd/system/b.service"
policy "host { service 'a.service' { thp = disable } service '[abc].service' { thp = disable } }"
writes "masked units are left out" "c.service disable"

# Sockets, mounts, swaps.
units a.socket tmp.mount dev-sda2.swap b.swap a.timer
policy "host { service 'tmp.mount' { thp = disable } service 'a.so*' { thp = disable }
service 'any' { thp = disable  unit = 'b.swap' }
service 'dev-*' { thp = system } }"
writes "other types" "a.socket disable
b.swap disable
dev-.mount system
dev-.service system
dev-.socket system
dev-.swap system
tmp.mount disable"
is "each in its section" "$(cat "$out"/*/50-thpd.conf | grep '^\[' | sort | uniq -c | tr -s ' \n' ' ')" \
	" 2 [Mount] 1 [Service] 2 [Socket] 2 [Swap] "

# Where the role comes from: as for thpctl.
host 6.18.0
policy "host { service 'a.service' { thp = disable } }
role 'one' { service 'one.service' { thp = disable } }
role 'two' { service 'two.service' { thp = disable } }
role 'app' { hosts = 'app*'  service 'app.service' { thp = disable } }"
writes "the role by the name of the host" "a.service disable
app.service disable"
echo one >"$tree/etc/thpd/role"
writes "by its file" "a.service disable
one.service disable"
echo 'quiet thpd.role=two' >"$tree/proc/cmdline"
writes "by the kernel's command line" "a.service disable
two.service disable"
: >"$tree/proc/cmdline"
mkdir -p "$tree/run/credentials/@system"
printf two >"$tree/run/credentials/@system/thpd.role"
writes "by a credential" "a.service disable
two.service disable"
rm -r "$tree/run/credentials"
echo three >"$tree/etc/thpd/role"
refuses "one that does not exist" "role.*'three'"

# A policy that apply refuses.
host 6.18.0
policy "host { service 'a.service' { thp = disable } }
host { enabled = sometimes }
other = yes"
refuses "a policy with faults: none of it" "thpd.conf:[23]: .*(and 1 more)"
policy "host { enabled = 'within_size'  service 'a.service' { thp = disable } }"
refuses "a word that no kernel has" "thpd.conf:1: enabled"
policy "host { service 'a.service' { thp = disable } }"
chmod 666 "$tree/etc/thpd/thpd.conf"
refuses "a file that may not be trusted" "thpd.conf: writable by everybody"
chmod 644 "$tree/etc/thpd/thpd.conf"
echo 'always [madvise]' >"$tree/sys/kernel/mm/transparent_hugepage/enabled"
policy "missing = error
host { enabled = never  service 'a.service' { thp = disable } }"
refuses "a word that this kernel has not" "enabled: this kernel has no 'never'"
exits "thpctl does not take it either" 2 "$THPCTL" --root "$tree" apply

# Nowhere to write.
host 6.18.0
policy "host { service '*.service' { thp = madvise } service 'a.service' { thp = disable } service 'z.service' { thp = disable } }"
rm -rf "$out"
check "no such directory: exit status 0" run 0 "$generator" --root "$tree" /run/systemd/generator
is "and one line" "$(wc -l <"$tmp/err") $(grep -c 'No such file' "$tmp/err")" "1 1"
mkdir -p "$out"
: >"$out/a.service.d"
check "one that cannot be made: exit status 0" run 0 "$generator" --root "$tree" /run/systemd/generator
is "one line" "$(wc -l <"$tmp/err")" 1
is "and nothing of the rest stays" "$(find "$out" | sed "s|^$out||")" "
/a.service.d"
rm "$out/a.service.d"
ln -s "$tmp" "$out/a.service.d"
check "a link out of the tree: exit status 0" run 0 "$generator" --root "$tree" /run/systemd/generator
is "and nothing is written there" "$(ls "$tmp/50-thpd.conf" 2>/dev/null)" ""

# By hand.
exits "without a directory: usage" 2 "$generator"
exits "--help" 0 "$generator" --help
exits "--version" 0 "$generator" --version
host 6.18.0
policy "host { service 'a.service' { thp = disable } }"
SYSTEMD_SCOPE=user run 0 "$generator" --root "$tree" /run/systemd/generator
is "a user's manager is none of its business" "$(dropins)" ""

# The plan says which services systemd takes care of.
rm -rf "$tree"
copy_host debian12-services "$tree"
mkdir -p "$out" "$tree/usr/lib/systemd/system"
systemd 262
units redis-server.service mongod.service postgresql@.service
exits "a host with services" 0 "$generator" --root "$tree" /run/systemd/generator
is "has drop-ins" "$(dropins)" "mongod.service disable
postgresql@.service system
redis-server.service disable"
# start_of UNIT: what the plan has in its column START
start_of() {
	"$THPCTL" --root "$tree" plan | awk -v unit="$1" '
		$1 == "UNIT" { at = index($0, "START") }
		$1 == unit { print substr($0, at, 7) }' | tr -d ' '
}
for unit in redis-server.service postgresql@15-main.service mongod.service; do
	is "plan: $unit has a drop-in" "$(start_of $unit)" drop-in
done
is "plan: another has none" "$(start_of report@daily.service)" watch
is "for programs, too" "$("$THPCTL" --root "$tree" --json plan | grep -c '"dropin": "')" 3
sed -i 's/=disable/=madvise/' "$out/redis-server.service.d/50-thpd.conf"
is "one that has another mode does not count" "$(start_of redis-server.service)" watch
mkdir -p "$tree/etc/systemd/system/mongod.service.d"
ln -s /dev/null "$tree/etc/systemd/system/mongod.service.d/50-thpd.conf"
is "nor one that the administrator has masked" "$(start_of mongod.service)" watch
finish
