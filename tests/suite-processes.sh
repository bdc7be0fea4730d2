#!/bin/sh
# SPDX-License-Identifier: MIT
# thpctl on running processes of this machine: in cgroups that look like units of systemd, each process
# of its own making. Needs root and a cgroup hierarchy to make directories in. All of it runs in
# namespaces of its own: no other process of the machine can be seen or touched, /run is another one, and
# whatever is started ends with the suite.
# shellcheck disable=SC2317 # functions are called by way of exits, until_true and trap
set -u
LC_ALL=C
export LC_ALL

# In which hierarchy thpctl looks for units: see src/sys/units.c.
find_hierarchy() {
	for base in /sys/fs/cgroup /sys/fs/cgroup/unified; do
		if [ -e $base/cgroup.controllers ] && [ -n "$(find $base -maxdepth 1 -name '*.slice')" ]; then
			return
		fi
	done
	for base in /sys/fs/cgroup /sys/fs/cgroup/unified; do
		[ ! -e $base/cgroup.controllers ] || return 0
	done
	base=/sys/fs/cgroup/systemd
	[ -e $base/cgroup.procs ]
}

if [ -z "${THPD_TEST_TAG:-}" ]; then
	# shellcheck source=tests/lib.sh
	. "${srcdir:?}/tests/lib.sh"
	case $(uname -m) in
	x86_64 | aarch64) ;;
	*) unfit "no remote prctl on $(uname -m)" ;;
	esac
	[ "$(id -u)" = 0 ] || unfit "needs root"
	find_hierarchy || unfit "there is no cgroup hierarchy"
	THPD_TEST_TAG=thpdtest$$
	export THPD_TEST_TAG
	mkdir "$base/$THPD_TEST_TAG.slice" 2>"$tmp/err" || unfit "$(cat "$tmp/err")"
	thp_enabled=/sys/kernel/mm/transparent_hugepage/enabled
	enabled=$(sed 's/.*\[\(.*\)\].*/\1/' $thp_enabled)
	# Groups can be removed when the last process in them has ended, which takes a moment.
	put_back() {
		[ "$(sed 's/.*\[\(.*\)\].*/\1/' "$thp_enabled")" = "$enabled" ] || echo "$enabled" >"$thp_enabled"
		for _ in 1 2 3 4 5 6 7 8 9 10; do
			find "$base/$THPD_TEST_TAG.slice" -depth -type d -exec rmdir {} + 2>/dev/null
			[ -d "$base/$THPD_TEST_TAG.slice" ] || break
			sleep 0.1
		done
	}
	trap 'put_back; rm -rf "$tmp"' EXIT
	unshare --mount --pid --fork --mount-proc --propagation private true 2>"$tmp/err" ||
		unfit "needs unshare: $(cat "$tmp/err")"
	unshare --mount --pid --fork --kill-child --mount-proc --propagation private /bin/sh "$0"
	exit
fi

# From here on as process 1 of a namespace.
# shellcheck source=tests/lib.sh
. "${srcdir:?}/tests/lib.sh"
find_hierarchy
tag=$THPD_TEST_TAG
top=$base/$tag.slice
asker=${builddir:?}/tests/helpers/asker
hog=$builddir/tests/helpers/hugehog
thp=/sys/kernel/mm/transparent_hugepage
flags=/run/thpd/flags.json
mount -t tmpfs tmpfs /run || unfit "/run cannot be another one"
chmod 711 "$tmp"
cd "$tmp" || exit 1

# Whether this kernel has the mode `madvise`, and whether it can be seen that it was refused.
advised=1
"$THPCTL" exec --thp=madvise true 2>err || advised=
enabled=$(sed 's/.*\[\(.*\)\].*/\1/' $thp/enabled)

# rules TEXT: the policy from now on
rules() {
	printf "role 'test' {\n%s\n}\n" "$1" >p.conf
}

ctl() {
	timeout 60 "$THPCTL" --role test --policy p.conf "$@"
}

# until COMMAND...: waits up to five seconds for it to succeed
until_true() {
	tries=0
	while ! "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 500 ] || return 1
		sleep 0.01
	done
}

ready() {
	grep -q '^ready.*' "$1.log" 2>/dev/null
}

# start NAME UNIT COMMAND...: starts it in that unit, waits until it says that it is ready, and leaves its
# pid in $pid; what it prints goes to NAME.log
start() {
	start_name=$1
	start_unit=$top/$2
	shift 2
	mkdir -p "$start_unit"
	: >"$start_name.log"
	sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$start_unit" "$@" >>"$start_name.log" 2>"$start_name.err" &
	pid=$!
	until_true ready "$start_name" || fail "$start_name is ready" "$(cat "$start_name.err")"
}

# child N NAME: the pid of the Nth child that it said it has
child() {
	sed -n 's/^ready //p' "$2.log" | cut -d ' ' -f $(($1 + 1))
}

# end PID...: kills, and waits
end() {
	kill -KILL "$@" 2>/dev/null
	for ended; do
		wait "$ended" 2>/dev/null
	done
}

# end_all: everything in our units
end_all() {
	find "$top" -name cgroup.procs -exec cat {} + | grep -v '^[01]$' >pids
	while read -r ended; do
		kill -KILL "$ended" 2>/dev/null
	done <pids
	wait
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		find "$top" -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null && break
		sleep 0.05
	done
	rm -f $flags
}

# enabled_of PID...: what /proc/PID/status says of each, 0 when it is disabled
enabled_of() {
	for of; do
		sed -n 's/^THP_enabled:[[:space:]]*//p' "/proc/$of/status" 2>/dev/null || echo "$of is gone"
	done | tr '\n' ' ' | sed 's/ $//'
}

# shows WANTED PID...: whether that is what enabled_of says
shows() {
	shows_wanted=$1
	shift
	[ "$(enabled_of "$@")" = "$shows_wanted" ]
}

# clear PID...: how many of them are not disabled
clear() {
	printf '/proc/%s/status\n' "$@" | xargs grep -h '^THP_enabled:.*1' 2>/dev/null | wc -l | tr -d ' '
}

# counted: how many askers have which flag: THP_enabled as in /proc/PID/status, and the number
counted() {
	grep -hE '^(Name|THP_enabled):' /proc/[0-9]*/status 2>/dev/null | awk '
		$1 == "Name:" { ours = $2 == "asker" }
		$1 == "THP_enabled:" && ours { n[$2]++ }
		END { print n[0] + 0, n[1] + 0 }'
}

state_of() {
	sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status"
}

stopped() {
	[ "$(state_of "$1")" = T ]
}

answers() {
	[ "$(grep -c '^flag' "$1.log")" -gt "$2" ]
}

# asks NAME PID: what the process itself says that its flag is
asks() {
	asked=$(grep -c '^flag' "$1.log")
	kill -USR1 "$2"
	until_true answers "$1" "$asked" || echo "no answer from $1"
	sed -n 's/^flag //p' "$1.log" | tail -n 1
}

# tells FLAG NAME PID: whether that is what it answers
tells() {
	[ "$(asks "$2" "$3")" = "$1" ]
}

# says PID: what the report in out says of a process: its outcome, and why
says() {
	sed -nE "s/^    $1 [^ ]*  ([^ ]| [^ ])*  //p" out
}

# --- the modes
modes="disable 1 system 0 inherit 0"
[ -z "$advised" ] || modes="$modes madvise 3"
# shellcheck disable=SC2086 # words
set -- $modes
while [ $# -gt 0 ]; do
	mode=$1
	flag=$2
	shift 2
	rules "service '$tag-a.service' { thp = $mode }"
	start a "$tag-a.service" "$asker" sleep
	a=$pid
	start b "$tag-a.service/sub/sub" "$asker" --own 1 sleep
	b=$pid
	start c "$tag-b.service" "$asker" sleep
	own=$flag
	[ "$mode" != inherit ] || own=1
	wanted=1
	[ "$mode" != inherit ] || wanted=0
	exits "$mode: plan" $wanted ctl -v plan
	is "$mode: plan changes nothing" "$(asks a "$a") $(asks b "$b")" "0 1"
	exits "$mode: apply" 0 ctl apply
	is "$mode: the processes say so" "$(asks a "$a") $(asks b "$b")" "$flag $own"
	is "$mode: the kernel says so" "$(enabled_of "$a" "$b")" "$((flag != 1)) $((own != 1))"
	is "$mode: others are left alone" "$(asks c "$pid")" 0
	exits "$mode: verify" 0 ctl -v verify
	is "$mode: verify: all is ok" "$(says "$a") $(says "$b")" "ok ok"
	exits "$mode: second apply" 0 ctl -v apply
	is "$mode: second apply: all is ok" "$(says "$a") $(says "$b")" "ok ok"
	exits "$mode: restore" 0 "$THPCTL" restore
	is "$mode: restored" "$(asks a "$a") $(asks b "$b")" "0 1"
	check "$mode: nothing is left on record" test ! -e $flags
	end_all
done

# --- drift
rules "service '$tag-a.service' { thp = disable }"
start a "$tag-a.service" "$asker" sleep
a=$pid
start b "$tag-a.service" "$asker" sleep
b=$pid
exits "drift: apply" 0 ctl apply
kill -USR2 "$a"
until_true shows 1 "$a"
exits "drift: verify finds it" 1 ctl -v verify
is "drift: the one that cleared it, and no other" "$(says "$a") $(says "$b")" "drifted ok"
is "drift: verify repairs nothing" "$(enabled_of "$a")" 1
exits "drift: status" 0 ctl status --failed
check "drift: status says so" grep -q "$tag-a.service .* 1/2 .*drifted" out
exits "drift: apply repairs" 0 ctl -v apply
is "drift: that one" "$(says "$a") $(says "$b")" "changed ok"
is "drift: it is set again" "$(asks a "$a")" 1
exits "drift: restore" 0 "$THPCTL" restore
is "drift: restored" "$(asks a "$a") $(asks b "$b")" "0 0"
if [ -n "$advised" ]; then
	rules "service '$tag-a.service' { thp = madvise }"
	exits "drift of madvise: apply" 0 ctl apply
	kill -USR2 "$a"
	exits "drift of madvise: verify finds it" 1 ctl -v verify
	is "drift of madvise: that one" "$(says "$a") $(says "$b")" "drifted ok"
	exits "drift of madvise: restore" 0 "$THPCTL" restore
fi
for apply in start verify; do
	rules "service '$tag-a.service' { thp = disable  apply = $apply }"
	exits "apply = $apply" 0 ctl -v apply
	is "apply = $apply leaves processes alone" "$(asks a "$a")" 0
	is "apply = $apply says so" "$(says "$a" | cut -d : -f 1)" "drifted  apply = $apply"
	check "apply = $apply: nothing is on record" test ! -e $flags
done
rules "service '$tag-a.service' { thp = disable }"
start d "$tag-a.service" "$asker" clearer
# On a busy machine it may not have come to that when apply looks again.
for _ in 1 2 3 4 5; do
	if run 1 ctl -v apply; then
		break
	fi
done
is "one that always clears it: apply ends" "$run_status" 1
is "one that always clears it: is not ok" "$(says "$pid" | cut -d ' ' -f 1)" drifted
is "one that always clears it: the others are set" "$(enabled_of "$a" "$b")" "0 0"
end_all

# --- which processes
cp "$asker" redis-server
start a "$tag-a.service" "$asker" sleep
a=$pid
start b "$tag-a.service" "$tmp/redis-server" sleep
b=$pid
start c "$tag-x.slice/$tag-c.scope" setpriv --reuid=1 --clear-groups "$tmp/redis-server" sleep
c=$pid
start d "$tag-x.slice/$tag-x-y.slice/$tag-d.service" setpriv --reuid=54321 --clear-groups "$asker" sleep
d=$pid
start e "$tag-x.slice/no unit" "$asker" sleep
e=$pid

# chosen NAME RULES A B C D E: apply sets these (0), and no others (1)
chosen() {
	rules "$2"
	exits "$1: apply" 0 ctl apply
	is "$1" "$(enabled_of "$a" "$b" "$c" "$d" "$e")" "$3"
	run 0 "$THPCTL" restore || fail "$1: restore" "$run_detail"
}
chosen "a unit" "service '$tag-a.service' { thp = disable }" "0 0 1 1 1"
chosen "a pattern of units" "service '$tag-[ac].s*' { thp = disable }" "0 0 0 1 1"
chosen "scopes" "service '$tag-*.scope' { thp = disable }" "1 1 0 1 1"
chosen "a slice, with everything below" "service '$tag-x.slice' { thp = disable }" "1 1 0 0 0"
chosen "a slice in a slice" "service '$tag-x-y.slice' { thp = disable }" "1 1 1 0 1"
chosen "a pattern of slices" "service '$tag*.slice' { thp = disable }" "0 0 0 0 0"
chosen "exe" "service 'r' { unit = '$tag.slice'  exe = '*/redis-server'  thp = disable }" "1 0 0 1 1"
chosen "comm" "service 'r' { unit = '$tag.slice'  comm = 'redis-*'  thp = disable }" "1 0 0 1 1"
chosen "user, a name" "service 'r' { unit = '$tag.slice'  user = '$(id -nu 1)'  thp = disable }" "1 1 0 1 1"
chosen "user, a number" "service 'r' { unit = '$tag.slice'  user = 54321  thp = disable }" "1 1 1 0 1"
chosen "user and exe" "service 'r' { unit = '$tag.slice'  user = root  exe = '*/redis-server'  thp = disable }" \
	"1 0 1 1 1"
chosen "the last rule wins" "service '$tag.slice' { thp = disable }
	service '$tag-a.service' { thp = inherit }
	service 'r' { unit = '$tag-a.service'  comm = 'redis-*'  thp = disable }
	service '$tag-c.scope' { thp = system }" "1 0 1 0 0"
chosen "a wide rule behind a narrow one" "service '$tag-a.service' { thp = disable }
	service '$tag.slice' { thp = system }" "1 1 1 1 1"

rules "service '$tag.slice' { thp = disable }
service '$tag-a.service' { thp = inherit }
service '$tag-none.service' { thp = disable }
service 'r' { unit = '$tag-none-*.scope'  exe = '/none'  thp = disable }"
exits "plan" 1 ctl plan
check "plan shows how many go by a later rule" grep -q '2 more processes go by a later rule' out
is "plan shows what matches nothing" "$(grep -c ' no_target ' out)" 2
exits "what matches nothing is no failure: apply" 0 ctl apply
exits "what matches nothing is no failure: verify" 0 ctl verify
check "but it is said" grep -q '2 service rules match nothing' out
"$THPCTL" restore >out 2>err

# Process 1, which is this shell, and thpctl itself, in a scope of ours.
mkdir -p "$top/$tag-e.scope"
was=$(sed -n 's/^0:://p' /proc/1/cgroup)
[ $base != /sys/fs/cgroup/systemd ] || was=$(sed -n 's/.*:name=systemd://p' /proc/1/cgroup)
rules "service '*.scope' { thp = disable }
service '*.slice' { thp = disable }
service '*' { thp = disable }"
inside() {
	timeout 60 sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$top/$tag-e.scope" \
		"$THPCTL" --role test --policy p.conf "$@"
}
echo 1 >"$top/$tag-e.scope/cgroup.procs"
exits "all units: apply" 0 inside -v apply
echo 1 >"$base$was/cgroup.procs" || fail "process 1 is back" "$was"
is "all units: every process of ours" "$(enabled_of "$a" "$b" "$c" "$d" "$e")" "0 0 0 0 0"
is "all units: not process 1" "$(enabled_of 1)" 1
is "all units: neither it nor thpctl is in the report" "$(grep -c '^    1 \|thpctl' out)" 0
end_all

# --- processes that fork, stop, end
rules "service '$tag-a.service' { thp = disable }"
for run in 1 2 3 4 5; do
	start "storm$run" "$tag-a.service" "$asker" storm
done
exits "forks without pause: apply" 0 ctl apply
counted >found
is "forks without pause: no process is without the flag" "$(cut -d ' ' -f 2 found)" 0
is "forks without pause: there are many" "$(($(cut -d ' ' -f 1 found) > 20))" 1
lost=
for run in 1 2 3 4 5 6 7 8 9 10; do
	"$THPCTL" -v restore >out 2>err ||
		lost="$lost; restore exits $?: $(grep -v 'ok$\|changed$\|gone$' out)"
	[ ! -e $flags ] || lost="$lost; left on record: $(head -c 200 $flags)"
	counted >found
	[ "$(cut -d ' ' -f 1 found)" = 0 ] || lost="$lost; restore leaves $(cut -d ' ' -f 1 found) with the flag"
	ctl -v apply >out 2>err || lost="$lost; apply exits $?: $(grep -v 'ok$\|changed$\|gone$' out)"
	counted >found
	[ "$(cut -d ' ' -f 2 found)" = 0 ] || lost="$lost; apply leaves $(cut -d ' ' -f 2 found) without"
done
is "forks without pause: ten times more, restored and applied" "$(echo "$lost" | head -c 1500)" ""
end_all

# Each forks a successor and ends: perhaps too fast to be met, but never to be said that all is well.
start chain "$tag-a.service" "$asker" chain 300
status=0
ctl apply >out 2>err || status=$?
counted >found
if [ "$status" = 0 ]; then
	is "each ends when it has forked: none is left, for apply says so" "$(cut -d ' ' -f 2 found)" 0
else
	pass "each ends when it has forked: apply says that some may be left"
fi
end_all

start a "$tag-a.service" "$asker" sleep
a=$pid
start b "$tag-a.service" "$asker" sleep
kill -STOP "$a"
until_true stopped "$a"
exits "a stopped process: apply" 0 ctl -v apply
is "a stopped process: is set" "$(says "$a") $(enabled_of "$a")" "changed 0"
is "a stopped process: stays stopped" "$(state_of "$a")" T
kill -CONT "$a"
is "a stopped process: goes on" "$(asks a "$a")" 1
end "$a"

start a "$tag-a.service" "$asker" zombie
exits "one that has ended: apply" 0 ctl -v apply
is "one that has ended: is there still" "$(state_of "$(child 1 a)")" Z
is "one that has ended: is gone, if anything" "$(says "$(child 1 a)" | grep -v '^gone')" ""
end_all

start a "$tag-a.service" "$asker" vfork
a=$pid
start b "$tag-a.service" "$asker" sleep
exits "vfork: apply" 1 ctl -v apply
is "vfork: the child is not touched" "$(says "$(child 1 a)" | cut -d ' ' -f 1) $(enabled_of "$(child 1 a)")" "failed 1"
check "vfork: and it is said why" grep -q "^    $(child 1 a) .*shares its parent's memory" out
is "vfork: nor is its parent" "$(says "$a" | cut -d ' ' -f 1) $(enabled_of "$a")" "failed 1"
is "vfork: the other one is set" "$(says "$pid")" changed
kill -KILL "$(child 1 a)"
until_true grep -q released a.log
exits "vfork: apply when it is over" 0 ctl -v apply
is "vfork: the parent is set" "$(says "$a") $(asks a "$a")" "changed 1"
end_all

# --- denied
start a "$tag-a.service" "$asker" sleep
a=$pid
start b "$tag-a.service" "$asker" sleep
b=$pid
"$asker" trace "$a" >tracer.log &
tracer=$!
until_true ready tracer
exits "traced: apply" 1 ctl -v apply
is "traced: denied, and by whom" "$(says "$a")" "denied  traced by asker, process $tracer"
is "traced: not set" "$(enabled_of "$a")" 1
is "traced: the other one is" "$(says "$b") $(enabled_of "$b")" "changed 0"
is "traced: the tracer has it still" "$(sed -n 's/^TracerPid:[[:space:]]*//p' "/proc/$a/status")" "$tracer"
exits "traced: verify" 1 ctl -v verify
is "traced: verify sees that it is not set" "$(says "$a" | cut -d ' ' -f 1)" drifted
end "$tracer"
is "traced: it goes on" "$(asks a "$a")" 0
end_all

start a "$tag-a.service" "$asker" sleep
a=$pid
"$asker" trace "$a" >tracer.log &
tracer=$!
until_true ready tracer
exits "nobody could be set: apply" 1 ctl apply
check "nobody could be set: nothing is on record" test ! -e $flags
end "$tracer"
# What it sets itself from then on is its own.
kill -HUP "$a"
until_true shows 0 "$a"
exits "nobody could be set: restore" 0 "$THPCTL" restore
is "nobody could be set: its own flag stays" "$(enabled_of "$a")" 0
end_all

start a "$tag-a.service" "$asker" sleep
a=$pid
exits "without privilege: apply" 2 unprivileged "$THPCTL" --role test --policy p.conf apply
check "without privilege: it says so" grep -q 'needs root' err
is "without privilege: nothing is set" "$(enabled_of "$a")" 1

# --- restore
end_all
rules "service '$tag-a.service' { thp = disable }"
start a "$tag-a.service" "$asker" sleep
a=$pid
start b "$tag-a.service" "$THPCTL" exec --thp=disable "$asker" sleep
b=$pid
start c "$tag-a.service" "$asker" children 1
c=$pid
c1=$(child 1 c)
exits "restore: apply" 0 ctl apply
start d "$tag-b.service" "$THPCTL" exec --thp=disable "$asker" sleep
d=$pid
is "restore: on record is what was set, for root alone" \
	"$(stat -c '%U %A' $flags) $(grep -o '"pid":[0-9]*' $flags | cut -d : -f 2 | sort -n | tr '\n' ' ')" \
	"root -rw------- $(printf '%s\n' "$a" "$c" "$c1" | sort -n | tr '\n' ' ')"
exits "restore" 0 "$THPCTL" restore
is "restore: clears what was set, and only that" "$(asks a "$a") $(asks b "$b") $(asks d "$d")" "0 1 1"
is "restore: also of children" "$(enabled_of "$c" "$c1")" "1 1"
exits "restore again" 0 "$THPCTL" restore
is "restore again has nothing to do" "$(grep -c '^nothing to restore' out)" 1
is "restore again changes nothing" "$(enabled_of "$a" "$b" "$d")" "1 0 0"
end_all

# born: has PID fork, as NAME, and leaves the pid of the child in $pid
born() {
	kill -WINCH "$2"
	until_true grep -q '^child [0-9]' "$1.log"
	pid=$(sed -n 's/^child //p' "$1.log")
}

# Children that were forked after apply have the flag from thpd, too.
start a "$tag-a.service" "$asker" sleep
a=$pid
start b "$tag-a.service" "$asker" sleep
b=$pid
start c "$tag-a.service" "$asker" sleep
c=$pid
exits "children: apply" 0 ctl apply
born a "$a"
a1=$pid
born b "$b"
b1=$pid
# From the next apply on, a child is known by itself: its parent may end.
exits "children: second apply" 0 ctl apply
end "$b"
echo "$c" >"$base$was/cgroup.procs"
is "children: they have the flag" "$(enabled_of "$a1" "$b1")" "0 0"
exits "children: restore" 0 "$THPCTL" restore
is "children: restored" "$(enabled_of "$a" "$a1")" "1 1"
is "a child whose parent has ended: restored" "$(enabled_of "$b1")" 1
is "a process that is in no unit any more: restored" "$(enabled_of "$c")" 1
kill -KILL "$c"
end_all
start a "$tag-a.service" "$asker" sleep
a=$pid
exits "children: apply" 0 ctl apply
born a "$a"
exits "the parent will have ended: second apply" 0 ctl apply
end "$a"
exits "the parent has ended: third apply" 0 ctl apply
exits "the parent has ended: restore" 0 "$THPCTL" restore
is "the parent has ended: restored" "$(enabled_of "$pid")" 1
end_all

if [ -n "$advised" ]; then
	start a "$tag-a.service" "$asker" --own 3 sleep
	a=$pid
	exits "from except_advised: apply" 0 ctl apply
	is "from except_advised: disabled" "$(asks a "$a")" 1
	exits "from except_advised: restore" 0 "$THPCTL" restore
	is "from except_advised: has it back" "$(asks a "$a")" 3
	rules "service '$tag-a.service' { thp = system }"
	exits "from except_advised to system: apply" 0 ctl apply
	is "from except_advised to system: clear" "$(asks a "$a")" 0
	exits "from except_advised to system: restore" 0 "$THPCTL" restore
	is "from except_advised to system: has it back" "$(asks a "$a")" 3
	# Twice, with another mode: what it had at first counts.
	rules "service '$tag-a.service' { thp = disable }"
	ctl apply >out 2>err
	rules "service '$tag-a.service' { thp = system }"
	exits "one mode after another: apply" 0 ctl apply
	is "one mode after another: clear" "$(asks a "$a")" 0
	exits "one mode after another: restore" 0 "$THPCTL" restore
	is "one mode after another: what was at first" "$(asks a "$a")" 3
	end_all
	# Had been disabled, was set to madvise, and has cleared that, or its child has: not thpd's any more.
	rules "service '$tag-a.service' { thp = madvise }"
	for who in itself "its child"; do
		start a "$tag-a.service" "$asker" --own 1 sleep
		a=$pid
		exits "cleared by $who: apply" 0 ctl apply
		[ "$who" = itself ] || born a "$a"
		kill -USR2 "$pid"
		until_true tells 0 a "$pid"
		exits "cleared by $who: restore" 0 "$THPCTL" restore
		is "cleared by $who: left alone" "$(asks a "$pid")" 0
		end_all
	done
fi

rules "service '$tag-a.service' { thp = disable }"
start a "$tag-a.service" "$asker" sleep
a=$pid
exits "damaged record: apply before" 0 ctl apply
cp $flags good
for damage in '' '{' '{"schema":"thpd.flags/2","processes":[]}' \
	'{"schema":"thpd.flags/1","processes":[{"pid":1,"start":0,"unit":"","set":1,"was":0}]}'; do
	printf '%s' "$damage" >$flags
	exits "damaged record: restore: $damage" 2 "$THPCTL" restore
	check "damaged record: it is said" grep -q 'flags.json is damaged' err
	start b "$tag-a.service" "$asker" sleep
	exits "damaged record: apply: $damage" 2 ctl apply
	is "damaged record: nothing is touched" "$(enabled_of "$a" "$pid")" "0 1"
	is "damaged record: it stays as it is" "$(cat $flags)" "$damage"
	end "$pid"
done
cp good $flags
exits "damaged record, mended: restore" 0 "$THPCTL" restore
is "damaged record, mended: restored" "$(enabled_of "$a")" 1
end_all

# --- killed
# The record is written before a process is touched: whatever was set by then can be cleared.
mkdir -p "$top/$tag-a.service"
start a "$tag-a.service" "$asker" children 49
all=$(sed -n 's/^ready //p' a.log)
# shellcheck disable=SC2086 # words
set -- $all
is "killed: there are fifty" $# 50
rules "service '$tag-a.service' { thp = disable }"
# The shortest of three: other work on the machine makes a run only longer.
took=
for run in 1 2 3; do
	this=$("$asker" time 1 "$THPCTL" --role test --policy p.conf apply | cut -d ' ' -f 1)
	if [ -z "$took" ] || [ "$this" -lt "$took" ]; then
		took=$this
	fi
	exits "killed: a whole run" 0 ctl verify
	"$THPCTL" restore >out 2>err
done
killed=0
partly=0
lost=
run=0
while [ $run -lt 50 ]; do
	moment=$((took * run / 50 + $(od -An -N2 -tu2 /dev/urandom) % (took / 50 + 1)))
	word=$("$asker" kill $moment "$THPCTL" --role test --policy p.conf apply)
	[ "$word" = ended ] || killed=$((killed + 1))
	set_now=$((50 - $(clear "$@")))
	if [ "$set_now" -gt 0 ] && [ "$set_now" -lt 50 ]; then
		partly=$((partly + 1))
	fi
	"$THPCTL" restore >out 2>err || lost="$lost; after $moment us: restore exits $?: $(cat out err)"
	found=$(clear "$@")
	[ "$found" = 50 ] || lost="$lost; after $moment us: only $found are clear"
	[ ! -e $flags ] || lost="$lost; after $moment us: left on record: $(head -c 200 $flags)"
	run=$((run + 1))
done
echo "# of 50 runs $killed were killed, $partly of them with some processes set; a run takes $took us"
is "killed at any moment: restore clears every flag" "$(echo "$lost" | head -c 500)" ""
is "killed at any moment: some were" "$((killed > 10 && partly > 0))" 1
is "killed at any moment: all are alive" "$(asks a "$1")" 0
exits "killed at any moment: apply afterwards" 0 ctl apply
exits "killed at any moment: verify" 0 ctl verify
end_all
if [ -n "$advised" ]; then
	start a "$tag-a.service" "$asker" --own 3 children 49
	# shellcheck disable=SC2046 # words
	set -- $(sed -n 's/^ready //p' a.log)
	lost=
	run=0
	while [ $run -lt 20 ]; do
		"$asker" kill $((took * run / 20 + took / 40)) "$THPCTL" --role test --policy p.conf apply >out
		"$THPCTL" restore >out 2>err || lost="$lost; restore exits $?: $(cat out err)"
		: >a.log
		kill -USR1 "$@"
		until_true answers a 49
		found=$(grep -c 'flag 3' a.log)
		[ "$found" = 50 ] || lost="$lost; run $run: $((50 - found)) have lost what they had"
		if [ "$found" != 50 ]; then
			end_all
			start a "$tag-a.service" "$asker" --own 3 children 49
			# shellcheck disable=SC2046 # words
			set -- $(sed -n 's/^ready //p' a.log)
		fi
		run=$((run + 1))
	done
	is "killed at any moment: what was there before is put back" "$(echo "$lost" | head -c 500)" ""
	end_all
fi

# --- status
# valid NAME: the report in out keeps to the schema
valid() {
	if python3 -c 'import jsonschema' 2>err; then
		check "$1" python3 -c '
import json, jsonschema, sys
jsonschema.validate(json.load(open(sys.argv[1])), json.load(open(sys.argv[2])))
' out "$srcdir/src/model/report.schema.json"
	elif [ "${CI:-}" = true ]; then
		fail "$1" "needs python3 with jsonschema"
	else
		skip "$1" "needs python3 with jsonschema"
	fi
}

# A thousand services, a tenth of them with one process each, and two not in order. To move a process takes
# the kernel 10 ms and more.
i=0
while [ $i -lt 1000 ]; do
	i=$((i + 1))
	echo "$top/$tag-m$i.service"
done >units
xargs mkdir <units
start a "$tag-a.service" "$asker" children 99
i=0
for pid in $(sed -n 's/^ready //p' a.log); do
	i=$((i + 1))
	echo "$pid" >"$top/$tag-m$i.service/cgroup.procs"
done
rules "service '$tag-m*.service' { thp = disable }"
exits "1,000 services: apply" 0 ctl apply
check "1,000 services: all are counted" grep -q '100 processes in 100 services' out
m7=$(cat "$top/$tag-m7.service/cgroup.procs")
m8=$(cat "$top/$tag-m8.service/cgroup.procs")
kill -USR2 "$m7" "$m8"
until_true shows "1 1" "$m7" "$m8"
exits "1,000 services: status" 0 ctl status
is "1,000 services: what is wrong comes first" "$(sed -n '/^UNIT/,$ p' out | sed -n '2,3 s/ .*//p' | tr '\n' ' ')" \
	"$tag-m7.service $tag-m8.service "
is "1,000 services: a line each" "$(grep -c "^$tag-m" out)" 100
is "1,000 services: no line is wide" "$(awk 'length > 150' out | head -n 1)" ""
exits "1,000 services: status --failed" 0 ctl status --failed
is "1,000 services: these two" "$(grep -o "^$tag-m[0-9]*" out | tr '\n' ' ')" "$tag-m7 $tag-m8 "
check "1,000 services: all count" grep -q '^100 services, 2 not in order' out
exits "1,000 services: status --unit" 0 ctl status --unit "$tag-m1?.service" --unit "$tag-m8.service"
is "1,000 services: these eleven" "$(grep -c "^$tag-m" out)" 11
exits "1,000 services: status --failed --unit" 0 ctl status --failed --unit "$tag-m7.*"
is "1,000 services: that one" "$(grep -c "^$tag-m" out)" 1
exits "1,000 services: status --empty" 0 ctl status --empty
exits "1,000 services: status --json" 0 ctl --json status --empty
valid "1,000 services: status --json keeps to the schema"
exits "1,000 services: plan --json" 1 ctl --json plan
valid "1,000 services: plan --json keeps to the schema"
exits "1,000 services: apply --json" 0 ctl --json apply
valid "1,000 services: apply --json keeps to the schema"
exits "1,000 services: verify --json" 0 ctl --json verify
valid "1,000 services: verify --json keeps to the schema"
took=$("$asker" time 5 "$THPCTL" --role test --policy p.conf status | cut -d ' ' -f 1)
echo "# status of 1,000 services takes $((took / 1000)) ms"
is "1,000 services: status takes less than a second" "$((took < 1000000))" 1
exits "1,000 services: restore --json" 0 "$THPCTL" --json restore
valid "1,000 services: restore --json keeps to the schema"
end_all

# --- a flag from an ancestor
rules "service '$tag-a.service' { thp = disable }"
start a "$tag-b.service" "$THPCTL" exec --thp=disable "$asker" children 1
run 1 ctl doctor
is "doctor has findings" $run_status 1
check "doctor names the process and the ancestor" \
	grep -q "process $(child 1 a) (asker) .*ancestor $pid (asker)" out
exits "status shows it, too" 0 ctl status
check "status names the ancestor" grep -qE "^ *$(child 1 a) +asker +.*disable +$pid asker" out
end_all
exits "doctor finds no flag when there is none" 0 sh -c '"$@"; test $? -lt 2' sh \
	"$THPCTL" --role test --policy p.conf doctor
is "doctor finds no flag when there is none: none" "$(grep -c 'huge pages disabled' out)" 0

# --- giving memory back
rss_of() {
	sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$1/status"
}

# rested NAME PID: it verifies all of its memory, and ends
rested() {
	kill -TERM "$2"
	wait "$2"
	is "$1: exit status of the process" $? 0
	is "$1: contents are what they were" "$(sed -n 's/.*\(wrong=.*\)/\1/p' "$start_name.log")" wrong=0
}

# hog OPTION...: 64 MiB in huge pages, one byte in each used
hog() {
	start hog "$tag-h.service" "$hog" --mib 64 --rest 1000 "$@"
}

"$hog" --mib 2 >hog.try 2>&1 &
pid=$!
sleep 0.2
kill -TERM $pid 2>/dev/null
wait $pid
if [ $? = 77 ]; then
	skip "memory is given back" "no huge pages to be had: $(head -n 1 hog.try)"
else
	hog
	exits "reclaim --dry-run" 0 "$THPCTL" reclaim --dry-run "$tag-h.service"
	is "reclaim --dry-run changes nothing" "$(($(rss_of "$pid") > 60000))" 1
	exits "reclaim of a unit" 0 "$THPCTL" reclaim "$tag-h.service"
	is "reclaim of a unit: memory came back" "$(($(rss_of "$pid") < 10000))" 1
	exits "reclaim again" 0 "$THPCTL" --json reclaim "$tag-h.service"
	valid "reclaim --json keeps to the schema"
	rested "reclaim of a unit" "$pid"

	hog
	exits "reclaim of a process" 0 "$THPCTL" --json reclaim --pid "$pid"
	valid "reclaim of a process: --json keeps to the schema"
	is "reclaim of a process: memory came back" "$(($(rss_of "$pid") < 10000))" 1
	rested "reclaim of a process" "$pid"

	hog --mode hidden
	exits "reclaim of a slice" 0 "$THPCTL" reclaim "$tag.slice"
	rested "reclaim of a slice" "$pid"

	# 64 MiB at 32 MiB a second: it is in the midst of it after half a second.
	for signal in INT TERM; do
		hog
		before=$(rss_of "$pid")
		"$THPCTL" reclaim --max-rate 32M "$tag-h.service" >out 2>err &
		ctl_pid=$!
		sleep 0.5
		kill -$signal $ctl_pid
		wait $ctl_pid
		is "reclaim, $signal midway: exit status" $? 1
		check "reclaim, $signal midway: it says so" grep -q '^interrupted: gave back' out
		after=$(rss_of "$pid")
		is "reclaim, $signal midway: a part came back" "$((after < before && after > 10000))" 1
		rested "reclaim, $signal midway" "$pid"
	done

	for when in once yes; do
		rules "service '$tag-h.service' { thp = disable  reclaim = $when }"
		hog --enable
		exits "reclaim = $when: apply" 0 ctl -v apply
		is "reclaim = $when: the flag is set" "$(enabled_of "$pid")" 0
		is "reclaim = $when: memory came back" "$(($(rss_of "$pid") < 10000))" 1
		exits "reclaim = $when: second apply" 0 ctl apply
		exits "reclaim = $when: restore" 0 "$THPCTL" restore
		rested "reclaim = $when" "$pid"
		hog
		exits "reclaim = $when, the flag is there: apply" 0 ctl apply
		[ $when = yes ] && wanted=1 || wanted=0
		is "reclaim = $when, the flag is there: memory came back, or not" \
			"$(($(rss_of "$pid") < 10000))" "$wanted"
		rested "reclaim = $when, the flag is there" "$pid"
	done

	rules "service '$tag-h.service' { thp = disable }"
	if echo always 2>/dev/null >$thp/enabled; then
		hog --enable
		exits "reclaim where it would be undone" 1 "$THPCTL" reclaim "$tag-h.service"
		check "reclaim where it would be undone: says why" grep -q 'would be undone at once' out
		is "reclaim where it would be undone: nothing is done" "$(($(rss_of "$pid") > 60000))" 1
		exits "reclaim --force" 0 "$THPCTL" reclaim --force "$tag-h.service"
		is "reclaim --force: memory came back" "$(($(rss_of "$pid") < 30000))" 1
		exits "reclaim, host always: apply" 0 ctl apply
		exits "reclaim, the flag is set" 0 "$THPCTL" reclaim "$tag-h.service"
		echo "$enabled" >$thp/enabled
		"$THPCTL" restore >out 2>err
		rested "reclaim, host always" "$pid"
	else
		skip "reclaim where it would be undone" "$thp/enabled cannot be written"
	fi
fi
exits "reclaim of no unit" 1 "$THPCTL" reclaim "$tag-none.service"
check "reclaim of no unit: it says so" grep -q "no unit '$tag-none.service'" err
exits "reclaim of no process" 1 "$THPCTL" reclaim --pid 4194304
check "reclaim of no process: it says so" grep -q "no process 4194304" err
exits "reclaim of process 1" 1 "$THPCTL" reclaim --pid 1
end_all

# --- what others there are does not matter
if [ "$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)" -lt 2097152 ]; then
	skip "verify of 100 among 10,000" "less than 2 GiB of memory is free"
else
	rules "service '$tag-a.service' { thp = disable }"
	start a "$tag-a.service" "$asker" children 99
	run 0 ctl apply || fail "100 processes: apply" "$run_detail"
	start b "$tag-b.service" "$asker" children 99
	few=$("$asker" time 11 "$THPCTL" --role test --policy p.conf verify)
	start c "$tag-b.service" "$asker" children 9899
	many=$("$asker" time 11 "$THPCTL" --role test --policy p.conf verify)
	echo "# verify of 100 processes takes, in us by the clock and of CPU: among 100 others $few," \
		"among 10,000 $many"
	# By the clock it would depend on what else this machine does.
	is "verify of 100 processes takes no longer among 10,000 others" \
		"$((${many#* } * 10 <= ${few#* } * 13))" 1
	end_all
fi

finish
