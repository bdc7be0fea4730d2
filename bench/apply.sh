#!/bin/sh
# SPDX-License-Identifier: MIT
# Holds `thpctl apply` against what it replaces: a shell one-liner and systemd-tmpfiles.
#
# Usage: apply.sh [ROUNDS]   (as root; 1000 rounds unless told)
# Environment: THPCTL, SPAWN - the programs; srcdir - the source tree; CC - for the floors;
# BENCH_OUT - a directory for the results as JSON.
#
# Runs in a mount namespace of its own: the shipped policy lies in /usr/lib/thpd, /run is empty, and
# neither /etc/thpd nor /usr/local/lib/thpd holds anything. The kernel's own two files are the
# host's: what they held is written back at the end, whatever the end is.
set -eu

: "${THPCTL:?the path of the thpctl to measure}" "${SPAWN:?the path of bench/spawn}"
: "${srcdir:?the path of the source tree}"
rounds=${1:-1000}
knobs=/sys/kernel/mm/transparent_hugepage

fail() {
	echo "apply.sh: $*" >&2
	exit 1
}

# The word that the kernel has selected in a file
selected() {
	sed 's/.*\[\(.*\)\].*/\1/' "$knobs/$1"
}

# --- outside: check, save, enter the namespace, put back -----------------------------------
if [ "${BENCH_INSIDE:-}" != yes ]; then
	[ "$(id -u)" = 0 ] || fail "needs root: it writes below $knobs"
	[ -w "$knobs/enabled" ] || fail "this kernel has no transparent huge pages"
	if [ -n "${BENCH_OUT:-}" ]; then
		mkdir -p "$BENCH_OUT"
		BENCH_OUT=$(cd "$BENCH_OUT" && pwd)
	fi
	# They are what two runs would fight for.
	exec 9<"$knobs"
	flock --timeout 1200 9 || fail "another run does not end"
	enabled=$(selected enabled)
	defrag=$(selected defrag)
	made=
	tmp=$(mktemp -d)
	# shellcheck disable=SC2317 # the trap below reaches it
	put_back() {
		echo "$enabled" >"$knobs/enabled"
		echo "$defrag" >"$knobs/defrag"
		# Mounts were those of the namespace; what is left here is the empty mount point.
		[ -z "$made" ] || rmdir "$made"
		rm -rf "$tmp"
	}
	trap put_back EXIT
	# What is under way must be over before the files are put back.
	child=
	trap 'kill $child; wait; exit 130' INT
	trap 'kill $child; wait; exit 143' TERM HUP
	if [ ! -d /usr/lib/thpd ]; then
		mkdir /usr/lib/thpd
		made=/usr/lib/thpd
	fi
	status=0
	BENCH_INSIDE=yes BENCH_TMP=$tmp BENCH_OUT=${BENCH_OUT:-} \
		unshare --mount --propagation private -- "$0" "$rounds" &
	child=$!
	wait "$child" || status=$?
	exit "$status"
fi

# --- inside --------------------------------------------------------------------------------
child=
trap 'kill $child; wait; exit 143' INT TERM HUP
tmp=$BENCH_TMP
umask 022

# The shipped policy as it is installed: root's, and writable by root alone.
mkdir "$tmp/policy"
cp "$srcdir/conf/thpd.conf" "$tmp/policy/"
mount --bind "$tmp/policy" /usr/lib/thpd
for dir in /etc/thpd /usr/local/lib/thpd; do
	[ ! -d "$dir" ] || mount -t tmpfs tmpfs "$dir"
done
case $tmp in
/run/*) fail "TMPDIR must not lie in /run, which is hidden from here" ;;
esac
mount -t tmpfs -o mode=0755 tmpfs /run

cat >"$tmp/thp.conf" <<END
w $knobs/enabled - - - - madvise
w $knobs/defrag - - - - madvise
END
recipe="echo madvise > $knobs/enabled; echo madvise > $knobs/defrag"
spoil="echo always > $knobs/enabled; echo always > $knobs/defrag"

# Programs as they lie after a boot: out of the page cache once, and read back in as they run. A
# file that was just written has larger folios there, whose pages are mapped cheaper, and one fresh
# from the linker smaller ones; so the same program is also measured as just installed.
for label in thpctl thpctl-new; do
	cp "$THPCTL" "$tmp/$label"
done
sync "$tmp/thpctl"
dd if="$tmp/thpctl" iflag=nocache count=0 2>"$tmp/dd" ||
	fail "dd cannot drop a file from the page cache: $(head -n 1 "$tmp/dd")"

# The floors: a process that does nothing, with and without a dynamic loader.
echo 'int main(void) { return 0; }' >"$tmp/empty.c"
for floor in dynamic static; do
	flag=
	[ "$floor" = dynamic ] || flag=-static
	# shellcheck disable=SC2086 # CC and the flag may be several words, or none
	${CC:-cc} -O2 $flag -o "$tmp/empty-$floor" "$tmp/empty.c" 2>"$tmp/cc" ||
		echo "apply.sh: no empty-$floor: $(head -n 1 "$tmp/cc")" >&2
done

# compare STATE WHAT BEFORE: every command, each with the same preparation, "" for none
compare() {
	state=$1
	what=$2
	before=$3
	set --
	[ -z "$BENCH_OUT" ] || set -- --output "$BENCH_OUT/apply-$state.json"
	set -- "$@" --rounds "$rounds" --reference sh
	for label in sh tmpfiles thpctl thpctl-new empty-dynamic empty-static; do
		case $label in
		sh) set -- "$@" :run sh sh -c "$recipe" ;;
		tmpfiles)
			command -v systemd-tmpfiles >/dev/null || continue
			set -- "$@" :run tmpfiles systemd-tmpfiles --create "$tmp/thp.conf"
			;;
		thpctl*) set -- "$@" :run "$label" "$tmp/$label" apply ;;
		*)
			[ -x "$tmp/$label" ] || continue
			set -- "$@" :run "$label" "$tmp/$label"
			;;
		esac
		[ -z "$before" ] || set -- "$@" :before sh -c "$before"
	done
	echo
	echo "== $state: $what =="
	"$SPAWN" "$@" >"$tmp/$state" &
	child=$!
	wait "$child" || fail "$state could not be measured"
	child=
	cat "$tmp/$state"
}

compare steady 'both files hold what they should, originals are saved' ''
compare first 'first apply of a boot: nothing saved yet' 'rm -rf /run/thpd'
compare repair 'something else has changed both files' "$spoil"

# --- the targets ---------------------------------------------------------------------------
# The ratio within the rounds (column 7) counts; it is the steadier one.
echo
awk '
	function target(name, found, limit, unit) {
		printf "%-6s  %-44s %8.3f%s  (target: at most %s%s)\n",
			found <= limit ? "met" : "MISSED", name, found, unit, limit, unit
	}
	FNR == 1 { state = FILENAME; sub(/.*\//, "", state) }
	$1 == "thpctl-new" { new = $7 }
	$1 == "thpctl" { to_sh = $7; median = $2; if ($8 > rss) rss = $8; seen = 1 }
	$1 == "tmpfiles" { tmpfiles = $2 }
	$1 == "empty-static" {
		target(state ": thpctl to sh", to_sh, 1.0, "")
		target(state ": the same just installed", new, 1.0, "")
		if (tmpfiles) target(state ": thpctl to systemd-tmpfiles", median / tmpfiles, 0.2, "")
		printf "        %-44s %8.0f us\n", state ": thpctl above an empty static process", median - $2
	}
	END { if (seen) target("peak resident memory of thpctl, at most", rss / 1024, 4, " MB") }
' "$tmp/steady" "$tmp/first" "$tmp/repair"
