#!/bin/sh
# SPDX-License-Identifier: MIT
# Services of all kinds, and what they tell of their flag at their first instruction: without thpd, with
# `thpctl exec`, and with `thpctl apply` while they run.
# shellcheck source=tests/container/inside.sh
. "${srcdir:?}/tests/container/inside.sh"

[ -x "$helpers/starter" ] || {
	skip "services of all kinds" "needs a machine that the injector knows"
	finish
}
starts=$srcdir/tests/container/starts
# counts KIND: how many had it at their first instruction, later, never
counts() {
	awk -v kind="$1" '$1 == kind { print $2, $3, $4 }' "$tmp/out"
}

rm -rf /etc/thpd
kinds=$("$starts/units" 5)
# shellcheck disable=SC2086 # a list
exits "services of all kinds start" 0 "$starts/run" -n 2 $kinds
for kind in $kinds; do
	is "$kind: without thpd there is no flag" "$(counts "$kind")" "0 0 2"
done

kinds=$("$starts/units" 5 "$(command -v thpctl)" exec --thp=disable --)
# shellcheck disable=SC2086
exits "the same behind thpctl exec" 0 "$starts/run" -j "$tmp/json" -n 3 -p 3 $kinds
for kind in $kinds; do
	is "$kind: it has the flag at its first instruction" "$(counts "$kind")" "3 0 0"
done
is "the figures are there as JSON" "$(grep -c '"first_instruction": 3,' "$tmp/json")" \
	"$(echo "$kinds" | wc -l)"

# One that asks for long enough sees it come.
"$starts/units" 30000 >"$tmp/kinds"
policy "host { service 'starts-*.service' { thp = disable } }"
: >/srv/starts/told
systemctl start starts-notify@late.service --no-block
eventually sh -c 'pgrep -f "^/srv/starts/notify " >/dev/null'
exits "thpctl apply while it runs" 0 thpctl apply
eventually test -s /srv/starts/told
is "is seen later than at the first instruction" \
	"$(awk '{ print $2, $4, ($5 > $3 ? "later" : "not later") }' /srv/starts/told)" "0 1 later"
systemctl stop starts-notify@late.service
thpctl restore >/dev/null
is "none has failed" "$(systemctl list-units --failed --plain --no-legend 'starts-*')" ""
finish
