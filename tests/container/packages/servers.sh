#!/bin/sh
# SPDX-License-Identifier: MIT
# Redis and PostgreSQL by the distribution's units, and Redis in scopes, some of them podman's: matched by
# unit, and by program.
# shellcheck disable=SC2119,SC2317 # called by way of eventually
# shellcheck source=tests/container/inside.sh
. "${srcdir:?}/tests/container/inside.sh"

systemctl -q disable --now tuned 2>/dev/null
# What podman keeps lies on a file system that is an overlay already: there is no second one over it.
printf '[storage]\ndriver = "vfs"\nrunroot = "/run/containers/storage"\ngraphroot = "/var/lib/containers/storage"\n' \
	>/etc/containers/storage.conf
systemctl reset-failed 'podman*' 2>/dev/null

# processes UNIT: of its group and those below
processes() {
	find "/sys/fs/cgroup$(property "$1" ControlGroup)" -name cgroup.procs -exec cat {} + 2>/dev/null
}
# programs UNIT PROGRAM: those that run it
programs() {
	for pid in $(processes "$1"); do
		case $(readlink "/proc/$pid/exe") in */"$2") echo "$pid" ;; esac
	done
}
# all UNIT PROGRAM FLAG: there is one, and each has it
all() {
	all_found=$(programs "$1" "$2")
	[ -n "$all_found" ] || return 1
	for pid in $all_found; do
		[ "$(flag "$pid")" = "$3" ] || return 1
	done
}
redis=$(basename "$(readlink -f /usr/bin/redis-server)")
for cluster in /etc/postgresql/*/main; do
	pg=postgresql@$(basename "${cluster%/main}")-main.service
done
answers() {
	[ "$(redis-cli "$@" ping)" = PONG ] && su postgres -c 'psql -Atqc "select 1"' | grep -q '^1$'
}

# shellcheck disable=SC2086
check "the servers start" systemctl restart redis-server postgresql "$pg"
is "they run" "$(systemctl is-active redis-server "$pg" | sort -u)" active
check "they answer" eventually answers
check "without thpd Redis has no flag" all redis-server.service "$redis" 1
check "nor has any process of PostgreSQL's" all "$pg" postgres 1

policy "verify_interval = 3600
host {
	service 'redis-server.service' { thp = disable }
	service 'postgresql@*.service' { thp = disable }
}"
check "thpd is started" systemctl enable --now thpd-apply thpd
check "by unit: Redis as it runs" eventually all redis-server.service "$redis" 0
check "by unit: PostgreSQL as it runs" eventually all "$pg" postgres 0
check "they go on" answers
for unit in redis-server.service "$pg"; do
	check "$unit is restarted" systemctl restart "$unit"
done
check "Redis has the flag again" eventually all redis-server.service "$redis" 0
check "and PostgreSQL" eventually all "$pg" postgres 0
su postgres -c 'psql -Atqc "select pg_sleep(60)"' >/dev/null 2>&1 &
sleep 0.5
check "with its processes for connections" all "$pg" postgres 0
exits "status" 0 thpctl status
check "knows them" grep -Eq "^$pg +disable +([6-9]|[1-9][0-9])/\1 .* ok\$" "$tmp/out"
exits "verify is content" 0 thpctl verify

# By program, wherever it runs; nobody else in these units.
systemctl stop thpd
thpctl restore >/dev/null
policy "verify_interval = 3600
host {
	service 'redis anywhere' { unit = { '*.service', '*.scope' }  exe = '*/$redis'  thp = disable }
	service 'databases'      { unit = 'postgresql@*'  exe = '/usr/lib/postgresql/*/bin/postgres'  thp = disable }
}"
check "thpd is started with rules for programs" systemctl start thpd
check "by program: Redis" eventually all redis-server.service "$redis" 0
check "by program: PostgreSQL" eventually all "$pg" postgres 0
systemd-run --quiet --scope --unit=box sh -c '/usr/bin/redis-server --port 7001 --save "" --daemonize no & exec sleep 1000' \
	>/dev/null 2>&1 &
check "in a scope, too" eventually all box.scope "$redis" 0
check "where the other process has none" all box.scope sleep 1

# Containers of podman's, of a directory: no image is fetched.
mkdir -p /srv/box
for dir in bin lib lib64 sbin; do
	[ ! -L /$dir ] || cp -P /$dir /srv/box/
done
mkdir -p /srv/box/usr /srv/box/dev /srv/box/proc /srv/box/sys /srv/box/tmp /srv/box/etc /srv/box/run
# container NAME PORT: starts Redis in one; $box is its scope, or nothing
container() {
	podman run --detach --name="$1" --rootfs --network=host --cgroup-manager=systemd --pids-limit=0 --privileged \
		--volume=/usr:/usr:ro /srv/box /usr/bin/redis-server --port "$2" --save '' >"$tmp/podman" 2>&1
	box=$(systemctl list-units --plain --no-legend 'libpod-*.scope' | awk '!/conmon/ { print $1 }')
	[ -n "$box" ] || fail "podman runs a container" "$(cat "$tmp/podman")"
}
container box 7002
check "$box: by program" eventually all "$box" "$redis" 0
exits "status" 0 thpctl status
check "names the container" grep -Eq "^$box +disable +1/1 .* ok\$" "$tmp/out"
podman rm --force --time=0 box >/dev/null 2>&1
systemctl stop box.scope

# By the unit alone: all that is in it.
systemctl stop thpd
thpctl restore >/dev/null
policy "verify_interval = 3600
host {
	service 'libpod-*.scope' { thp = disable }
	service 'box-*.scope'    { thp = disable }
}"
check "thpd is started with rules for scopes alone" systemctl start thpd
container box-by-unit 7003
check "$box: by unit" eventually all "$box" "$redis" 0
for scope in box-named:7004 not-named:7005; do
	systemd-run --quiet --scope --unit="${scope%:*}" \
		sh -c "sleep 1000 & exec redis-server --port ${scope#*:} --save ''" >/dev/null 2>&1 &
done
check "another scope: by unit" eventually all box-named.scope "$redis" 0
check "all that is in it" eventually all box-named.scope sleep 0
check "one that no rule names has none" eventually all not-named.scope "$redis" 1
exits "status has both" 0 thpctl status
check "the container" grep -Eq "^$box +disable +1/1 .* ok\$" "$tmp/out"
check "and the scope" grep -Eq '^box-named.scope +disable +2/2 .* ok$' "$tmp/out"
exits "all is as the policy has it" 0 thpctl verify

podman rm --force --time=0 box-by-unit >/dev/null 2>&1
systemctl stop box-named.scope not-named.scope thpd redis-server postgresql "$pg"
thpctl restore >/dev/null
is "none has failed" "$(systemctl --failed --plain --no-legend | grep -v systemd-)" ""
finish
