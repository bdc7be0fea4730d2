#!/bin/sh
# SPDX-License-Identifier: MIT
# Power cuts while the policy is pushed, as config management pushes: the new file is written beside the
# old one, renamed over it, and the daemon is told. The next boot has the old policy or the new one, whole.
# That is so of one file: several are several renames.
# shellcheck source=tests/vm/inside.sh
. "${srcdir:?}/tests/vm/inside.sh"

cuts=4
# push N: policies that cannot be mistaken for each other, of some size
push() {
	file=/etc/thpd/thpd.conf
	{
		echo "host { khugepaged { pages_to_scan = $((10000 + $1)) }"
		seq 100 | sed "s/.*/service 'push-$1-&@*.service' { thp = disable }/"
		echo '}'
	} >$file.new
	# With and without: the file system looks after the order.
	[ $(($1 % 2)) = 0 ] || sync $file.new
	mv $file.new $file
}

case $boot in
1)
	mkdir -p /etc/thpd
	push 0
	check "enabled for the next boot" systemctl enable thpd-apply thpd
	next_boot
	;;
esac

applied=$(setting khugepaged/pages_to_scan)
n=$((applied - 10000))
pushed=$(cat /srv/pushed 2>/dev/null || echo 0)
[ "$boot" = 2 ] || {
	# One that was pushed and not yet noted, or noted and not yet on the disk.
	check "boot $boot: the policy is one of those pushed: $n, noted $pushed" test $n -ge "$pushed"
}
is "boot $boot: and it is whole" "$(thpctl --verbose plan | grep -c "push-$n-[0-9]*@\*.service")" 100
is "boot $boot: all is in force" "$(property thpd-apply Result) $(property thpd ActiveState) $(property thpd NRestarts)" \
	"success active 0"
exits "boot $boot: verified" 0 thpctl --quiet verify
is "boot $boot: the boot has come to its end" "$(systemctl is-active multi-user.target) $(systemctl --failed --plain --no-legend)" "active "
[ "$boot" -le $((cuts + 1)) ] || finish

power_cut 500 8000
while :; do
	n=$((n + 1))
	push $n
	systemctl reload thpd
	# What is noted has been in force before.
	echo $n >/srv/pushed.new && sync /srv/pushed.new && mv /srv/pushed.new /srv/pushed
done
