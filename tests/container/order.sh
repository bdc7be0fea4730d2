# SPDX-License-Identifier: MIT
# Who began when in this boot, by the journal's monotonic time stamps; sourced by suites about boots.
# shellcheck shell=sh

: "${tmp:?}"
started=39f53479d3a045ac8e11786248231fbf
starting=7d4958e842da4a758f6c1cdc7b36dcc5

# stamps MESSAGE-ID: "MICROSECONDS UNIT" of each such message of systemd's
stamps() {
	journalctl -b --no-pager -o export _PID=1 MESSAGE_ID="$1" | awk -F = '
		$1 == "__MONOTONIC_TIMESTAMP" { at = $2 }
		$1 == "UNIT" { print at, $2 }'
}

# started_at UNIT: when it was there, the first time
started_at() {
	stamps $started | awk -v unit="$1" '$2 == unit { print $1; exit }'
}

# ordinary_services: "MICROSECONDS UNIT", in this order, of what is said of services that are not part of
# early boot
ordinary_services() {
	{ stamps $starting && stamps $started; } | sort -n | grep '\.service$' >"$tmp/services"
	# shellcheck disable=SC2046 # a list
	systemctl show -p Id -p DefaultDependencies $(cut -d ' ' -f 2 "$tmp/services" | sort -u) | awk -F = '
		$1 == "Id" { id = $2 }
		$1 == "DefaultDependencies" { ordinary = $2 }
		id != "" && ordinary != "" { print id, ordinary; id = ordinary = "" }' |
		awk 'NR == FNR { ordinary[$1] = $2; next } ordinary[$2] == "yes"' - "$tmp/services"
}
