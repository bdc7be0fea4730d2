#!/bin/sh
# SPDX-License-Identifier: MIT
# The part of bench/boot.sh that runs in the container.
# shellcheck disable=SC2086,SC2119 # a list; the next boot has no options
# shellcheck source=tests/container/inside.sh
. "${srcdir:?}/tests/container/inside.sh"
: "${BOOTS:?}"

units="empty thpd-apply thpd tuned systemd-tmpfiles-setup"
if [ "$boot" = 1 ]; then
	systemctl -q disable redis-server postgresql
	systemctl -q enable tuned thpd-apply thpd
	# The same place, the same kind, and nothing to do.
	cat >/etc/systemd/system/empty.service <<-U
		[Unit]
		DefaultDependencies=no
		Before=sysinit.target shutdown.target
		Conflicts=shutdown.target
		After=local-fs.target systemd-tmpfiles-setup.service
		[Service]
		Type=oneshot
		RemainAfterExit=yes
		ExecStart=/bin/true
		[Install]
		WantedBy=sysinit.target
	U
	systemctl -q enable empty
	policy "host { enabled = $(other enabled)  defrag = $(other defrag) }"
	next_boot
fi

# From `starting` to `started`, in microseconds; and of the whole boot, from the first unit to this one.
for unit in $units; do
	from=$(property "$unit" InactiveExitTimestampMonotonic)
	to=$(property "$unit" ActiveEnterTimestampMonotonic)
	echo "$unit $((to - from))"
done >>/t/figures
begun=$(systemctl show --value -p UserspaceTimestampMonotonic)
for target in sysinit.target multi-user.target; do
	echo "$target $(($(property $target ActiveEnterTimestampMonotonic) - begun))"
done >>/t/figures
systemctl is-active -q $units || fail "all of them are active" "$(systemctl status --no-pager $units)"
[ "$boot" -gt "$BOOTS" ] || next_boot

sort -k1,1 -k2,2n /t/figures | awk -v boots="$BOOTS" '
	function done() {
		if (n)
			printf "%s %d %d %d\n", name, v[int((n + 1) / 2)], v[int((n * 9 + 9) / 10)], v[1]
	}
	$1 != name { done(); name = $1; n = 0 }
	{ v[++n] = $2 }
	END { done() }' >"$tmp/sums"
{
	echo "systemd $(systemctl --version | awk 'NR == 1 { print $2 }'), $BOOTS boots; milliseconds:"
	printf '%-24s %8s %8s %8s\n' "" median p90 least
	awk '{ printf "%-24s %8.1f %8.1f %8.1f\n", $1, $2 / 1000, $3 / 1000, $4 / 1000 }' "$tmp/sums"
	echo "systemd-analyze blame, of the last boot:"
	systemd-analyze --no-pager blame | grep -E ' (thpd|empty|tuned|systemd-tmpfiles-setup)[-a-z]*\.'
} | sed 's/^/# /'
awk -v boots="$BOOTS" 'BEGIN { printf "{\n  \"schema\": \"thpd.bench/1\",\n  \"boots\": %d,\n  \"units\": {", boots }
	{ printf "%s\n    \"%s\": { \"median_us\": %d, \"p90_us\": %d, \"least_us\": %d }", (NR > 1 ? "," : ""), $1, $2, $3, $4 }
	END { print "\n  }\n}" }' "$tmp/sums" >/t/out/boot.json
thpctl restore >/dev/null
pass "figures"
finish
