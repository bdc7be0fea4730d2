#!/bin/sh
# SPDX-License-Identifier: MIT
# What thpd-generator adds to a boot and to each daemon-reload: with 500 and 2,000 unit files.
#
# Usage: generator.sh [ROUNDS]   (any user; 50 rounds unless told)
# Environment: GENERATOR, SPAWN, builddir - the programs; BENCH_OUT - a directory for the result as JSON.
#
# Works on directory trees that look like hosts: nothing of the running one is read or written.
set -eu

: "${GENERATOR:?the path of the thpd-generator to measure}" "${SPAWN:?the path of bench/spawn}"
rounds=${1:-50}
# As /run: in memory.
tmp=$(mktemp -d -p /dev/shm)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
umask 022

# host N: N unit files, of which a tenth are templates, with a wanted instance each, and a tenth have links
host() {
	root=$tmp/$1
	mkdir -p "$root/proc/1" "$root/proc/sys/kernel" "$root/etc/thpd" "$root/run/systemd/generator" \
		"$root/usr/lib/systemd/system" "$root/etc/systemd/system/multi-user.target.wants"
	echo bench >"$root/proc/sys/kernel/hostname"
	echo 6.18.0 >"$root/proc/sys/kernel/osrelease"
	echo '7f00-7f01 r-xp 0 00:00 1 /usr/lib/systemd/libsystemd-core-262.so' >"$root/proc/1/maps"
	n=0
	while [ $n -lt "$1" ]; do
		case $n in
		*3)
			name=app-$n@.service
			ln -s /usr/lib/systemd/system/$name "$root/etc/systemd/system/multi-user.target.wants/app-$n@one.service"
			;;
		*) name=app-$n.service ;;
		esac
		printf '[Unit]\nDescription=Application %s\n[Service]\nExecStart=/usr/bin/app %s\nUser=app\nRestart=on-failure\n' \
			$n $n >"$root/usr/lib/systemd/system/$name"
		case $n in *7) ln -s $name "$root/usr/lib/systemd/system/other-$n.service" ;; esac
		n=$((n + 1))
	done
}

# policy N NAME TEXT
policy() {
	mkdir -p "$tmp/$1-$2"
	cp -a "$tmp/$1/." "$tmp/$1-$2"
	printf '%s\n' "$3" >"$tmp/$1-$2/etc/thpd/thpd.conf"
	set -- "$1" "$2" "$("$GENERATOR" --root "$tmp/$1-$2" /run/systemd/generator 2>&1)"
	[ -z "$3" ] || { echo "generator.sh: $3" >&2 && exit 1; }
	find "$tmp/$1-$2/run/systemd/generator" -type f | wc -l >"$tmp/$1-$2.dropins"
}

for n in 500 2000; do
	host $n
	policy $n none 'host { }'
	policy $n some "host { service 'app-1*.service' { thp = disable } service 'app-44.service' { thp = madvise } }"
	policy $n slices "host { service 'batch.slice' { thp = madvise } service 'app-1*.service' { thp = disable } }"
	# Each unit has one of its own, for `*4.service` has no place in systemd's list.
	policy $n each "host { service '*.service' { thp = disable } service '*4*.service' { thp = madvise } }"
	mkdir -p "$tmp/$n-old"
	cp -a "$tmp/$n-some/." "$tmp/$n-old"
	sed -i s/262/259/ "$tmp/$n-old/proc/1/maps"
	echo 0 >"$tmp/$n-old.dropins"
done

set --
[ -z "${BENCH_OUT:-}" ] || mkdir -p "$BENCH_OUT"
[ -z "${BENCH_OUT:-}" ] || set -- --output "$BENCH_OUT/generator.json"
set -- "$@" --rounds "$rounds" --warm-up 3 --reference 500-old
for n in 500 2000; do
	for kind in old none some slices each; do
		set -- "$@" :run $n-$kind "$GENERATOR" --root "$tmp/$n-$kind" /run/systemd/generator \
			:before sh -c "rm -rf $tmp/$n-$kind/run/systemd/generator/*"
	done
done
echo
echo "== thpd-generator: unit files - policy =="
"$SPAWN" "$@"
echo
for file in "$tmp"/*.dropins; do
	echo "$(basename "$file" .dropins): $(cat "$file") drop-ins"
done
