#!/bin/sh
# SPDX-License-Identifier: MIT
# What the daemon says to others than people at a terminal: its metrics, held against promtool and
# against rules of our own; and its log: the catalog of the journal has an entry for each event, and
# `journalctl -x` shows it beside the message.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
LC_ALL=C
export LC_ALL

: "${builddir:?the build tree}"
catalog=$srcdir/catalog/thpd.catalog

# without NAME WHAT: skips for want of WHAT, which must not happen under CI
without() {
	if [ "${CI:-}" = true ]; then
		fail "$1" "there is no $2"
	else
		skip "$1" "needs $2"
	fi
}

# --- metrics

samples=$builddir/tests/unit/test-daemon
if [ ! -x "$samples" ]; then
	without "metrics" "$samples"
else
	"$samples" metrics >"$tmp/thpd.prom"
	if command -v promtool >/dev/null; then
		check "promtool finds no fault, and nothing to be bettered" \
			sh -c "promtool check metrics <'$tmp/thpd.prom' >'$tmp/out' 2>&1 &&
				! grep . '$tmp/out'"
		sed 's/_total\b//' "$tmp/thpd.prom" >"$tmp/bad.prom"
		check "promtool does find faults" \
			sh -c "! promtool check metrics <'$tmp/bad.prom'"
	else
		without "promtool finds no fault" promtool
	fi
	# What would make node_exporter's textfile collector refuse the file, or all files.
	is "types are those of the text format" \
		"$(sed -n 's/^# TYPE [^ ]* //p' "$tmp/thpd.prom" | sort -u | tr '\n' ' ')" \
		"counter gauge "
	is "no sample has a time of its own" "$(grep -v '^#' "$tmp/thpd.prom" |
		grep -vE '^[a-z_]+(\{[a-z]+="([^"\\]|\\["n\\])*"(,[a-z]+="([^"\\]|\\["n\\])*")*\})? [0-9.]+$')" ""
	is "no sample stands twice" "$(grep -v '^#' "$tmp/thpd.prom" | sed 's/ [^ ]*$//' | sort |
		uniq -d)" ""
	is "no family is declared twice" "$(grep '^# TYPE' "$tmp/thpd.prom" | sort | uniq -d)" ""
	is "every sample follows its declaration" "$(awk '
		/^# HELP/ { help = $3; next }
		/^# TYPE/ { type = $3; if (type != help) print "TYPE without HELP", type; next }
		{ sub(/[{ ].*/, ""); if ($0 != type) print $0 " under " type }' "$tmp/thpd.prom")" ""
	is "counters alone end in _total" "$(sed -n 's/^# TYPE //p' "$tmp/thpd.prom" | awk '
		($1 ~ /_total$/) != ($2 == "counter")')" ""
	is "all names begin with thpd_" "$(grep -v '^#' "$tmp/thpd.prom" | grep -v '^thpd_')" ""
	is "it is all ASCII" "$(tr -d '\n -~' <"$tmp/thpd.prom")" ""
	is "thpd(8) has every metric, and no other" \
		"$(sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' "$tmp/thpd.prom" | sort)" \
		"$(sed -n 's/^\.It Li \(thpd_[a-z_]*\).*/\1/p' "$srcdir/man/thpd.8" | sort)"
fi

# --- the catalog

sed -n 's/^#define MSG_[A-Z_]* "\([0-9a-f]*\)"$/\1/p' "$srcdir/src/app/log.h" | sort >"$tmp/ids"
sed -n 's/^-- \([0-9a-f]*\)$/\1/p' "$catalog" | sort >"$tmp/explained"
is "every event has an entry in the catalog, and there is no other" \
	"$(cat "$tmp/explained")" "$(cat "$tmp/ids")"
is "there are events, each with an id of its own" \
	"$(grep -cE '^[0-9a-f]{32}$' "$tmp/ids") $(uniq -d "$tmp/ids")" \
	"$(grep -c '^#define MSG_' "$srcdir/src/app/log.h") "
is "every entry has a subject, and says whose it is" \
	"$(grep -c '^Subject: ' "$catalog") $(grep -c '^Defined-By: thpd$' "$catalog")" \
	"$(wc -l <"$tmp/ids") $(wc -l <"$tmp/ids")"
is "no line of the catalog is too wide" "$(awk 'length > 80' "$catalog" | grep -v '^# ')" ""

samples=$builddir/tests/unit/test-log
if [ ! -x "$samples" ]; then
	without "log" "$samples"
	finish
fi
"$samples" export >"$tmp/export"
is "the test sends one event of each kind" "$(sed -n 's/^MESSAGE_ID=//p' "$tmp/export" | sort)" \
	"$(cat "$tmp/ids")"
# Each entry of the test has all fields that the text for its id asks for.
is "events have the fields that the catalog quotes" "$(awk '
	FNR == NR && /^-- / { id = $2 }
	FNR == NR {
		while (match($0, /@[A-Z_]+@/)) {
			want[id] = want[id] " " substr($0, RSTART + 1, RLENGTH - 2)
			$0 = substr($0, RSTART + RLENGTH)
		}
		next
	}
	/^$/ {
		n = split(want[fields["MESSAGE_ID"]], names, " ")
		for (i = 1; i <= n; i++)
			if (!(names[i] in fields))
				print fields["MESSAGE"] ": no " names[i]
		split("", fields)
		next
	}
	{ name = $0; sub(/=.*/, "", name); sub(/^[^=]*=/, ""); fields[name] = $0 }
	' "$catalog" "$tmp/export")" ""

root=$tmp/root
mkdir -p "$root/usr/lib/systemd/catalog" "$root/var/lib/systemd/catalog"
cp "$catalog" "$root/usr/lib/systemd/catalog/"
if ! command -v journalctl >/dev/null; then
	without "the catalog compiles" journalctl
	finish
fi
check "the catalog compiles" sh -c \
	"out=\$(journalctl --update-catalog --root='$root' 2>&1) && [ -z \"\$out\" ]"
is "with all of its entries" "$(journalctl --root="$root" --list-catalog 2>&1 |
	sed 's/ .*//' | sort)" "$(cat "$tmp/ids")"

remote=$(find /lib/systemd /usr/lib/systemd -name systemd-journal-remote 2>/dev/null | head -n 1)
if [ -z "$remote" ]; then
	without "journalctl -x explains" systemd-journal-remote
elif ! unshare --mount true 2>/dev/null; then
	skip "journalctl -x explains" "cannot have a mount namespace"
else
	"$remote" --output="$tmp/thpd.journal" - <"$tmp/export" >"$tmp/out" 2>&1
	# journalctl knows one place for the catalog only.
	# shellcheck disable=SC2016 # for sh
	unshare --mount sh -c '
		mount --bind "$1/var/lib/systemd/catalog" /var/lib/systemd/catalog &&
			journalctl --no-pager -x --file "$2"' sh "$root" "$tmp/thpd.journal" \
		>"$tmp/explained" 2>"$tmp/err"
	is "journalctl -x explains every entry" "$(grep -c '^-- Subject: \|^░░ Subject: ' "$tmp/explained")" \
		"$(wc -l <"$tmp/ids")"
	check "with what the event is about" \
		grep -q 'Subject: Somebody sets enabled again and again$' "$tmp/explained"
	is "and leaves no field open" "$(grep -E '@[A-Z_]+@' "$tmp/explained")" ""
fi

# --- lines, where there is no journal

"$samples" stderr 2>"$tmp/lines"
is "each entry is a line with its priority" "$(grep -cE '^<[3-6]>thpd: [ -~]+$' "$tmp/lines")" \
	"$(wc -l <"$tmp/ids")"
is "and nothing else" "$(wc -l <"$tmp/lines")" "$(wc -l <"$tmp/ids")"
if script -qec "'$samples' stderr" "$tmp/typescript" </dev/null >/dev/null 2>&1; then
	is "on a terminal without the priority" \
		"$(grep -c '^thpd: ' "$tmp/typescript")" "$(wc -l <"$tmp/ids")"
else
	without "on a terminal" script
fi

finish
