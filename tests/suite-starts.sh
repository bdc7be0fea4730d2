#!/bin/sh
# SPDX-License-Identifier: MIT
# thpd-starts: programs get their flag as they start, and nothing that becomes of it keeps one from
# starting. Needs root and a cgroup v2 hierarchy; units are groups with their names, and
# tests/helpers/starts-launch stands for the service manager.
#
# ROUNDS	how often each program is started
# KILLS		how often thpd-starts is killed, for each of some programs
set -u
LC_ALL=C
export LC_ALL

# shellcheck source=tests/lib.sh
. "${srcdir:?}/tests/lib.sh"

: "${builddir:?}" "${tmp:?}"
: "${ROUNDS:=30}" "${KILLS:=5}"
: "${THPD_STARTS:=$builddir/thpd-starts}"
helpers=$builddir/tests/helpers

[ "$(id -u)" = 0 ] || unfit "needs root"
[ "$(cat /proc/sys/kernel/yama/ptrace_scope 2>/dev/null || echo 0)" -lt 3 ] || unfit "Yama forbids ptrace"
[ -x "$helpers/starts-target" ] || unfit "$helpers/starts-target is missing"
groups=
for dir in /sys/fs/cgroup /sys/fs/cgroup/unified; do
	[ ! -f "$dir/cgroup.controllers" ] || groups=$dir/thpd-test-$$.slice
done
[ -n "$groups" ] || unfit "no cgroup v2 hierarchy"
mkdir "$groups" 2>/dev/null || unfit "$groups cannot be made"
mkdir "$groups/a.service" "$groups/b.service"

gate=
guard=
client=
queued=$(cat /proc/sys/fs/fanotify/max_queued_events 2>/dev/null)
limited=
# shellcheck disable=SC2317 # called by way of trap
clean_up() {
	for process in $gate $guard $client; do
		kill -KILL "$process" 2>/dev/null
	done
	[ -z "$queued" ] || echo "$queued" >/proc/sys/fs/fanotify/max_queued_events
	sleep 0.3
	rmdir "$groups"/*.service "$groups" ${limited:+"$limited"} 2>/dev/null
	rm -rf "$tmp"
}
trap clean_up EXIT

# Somewhere where set-user-ID works, and others may run programs.
chmod 755 "$tmp"
mkdir "$tmp/root"
cp "$helpers/starts-target" "$tmp/plain"
for copy in suid interpreter other replaced root/target; do
	cp "$tmp/plain" "$tmp/$copy"
done
chmod 4755 "$tmp/suid"
cp "$helpers/starts-target-libc" "$tmp/dynamic"
[ ! -x "$helpers/starts-target32" ] || cp "$helpers/starts-target32" "$tmp/plain32"
printf '#!%s\n' "$tmp/other" >"$tmp/script"
printf '#!%s\n' "$tmp/interpreter" >"$tmp/script2"
chmod 755 "$tmp/script" "$tmp/script2"

# start [OPTION...]: starts thpd-starts; sets $guard and $gate, its two processes
start() {
	rm -f "$tmp/socket"
	# shellcheck disable=SC2086 # words
	${with:-} "$THPD_STARTS" --listen="$tmp/socket" "$@" 2>"$tmp/starts.err" &
	guard=$!
	gate=
	start_tries=0
	while [ -z "$gate" ] && [ $start_tries -lt 500 ]; do
		start_tries=$((start_tries + 1))
		sleep 0.01
		gate=$(ps -o pid= --ppid "$guard" | tr -d ' ')
	done
}

# table [MODE FLAG UNIT PATH]...: sends a table, and waits until it holds; answers are in $tmp/events
table() {
	: >"$tmp/events"
	table_tries=0
	while [ ! -S "$tmp/socket" ] && [ $table_tries -lt 500 ]; do
		table_tries=$((table_tries + 1))
		sleep 0.01
	done
	"$helpers/starts-drive" "$tmp/socket" "$@" >"$tmp/events" 2>&1 &
	client=$!
	table_tries=0
	while [ "$(grep -c ^state "$tmp/events")" -lt $(($# > 0 ? 2 : 1)) ] && [ $table_tries -lt 500 ]; do
		table_tries=$((table_tries + 1))
		sleep 0.01
	done
}

# gone: ends the client
gone() {
	kill "$client" 2>/dev/null
	wait "$client" 2>/dev/null
	client=
}

# stop: ends thpd-starts and its client
stop() {
	kill -KILL "$gate" "$guard" 2>/dev/null
	wait "$guard" 2>/dev/null
	guard=
	gate=
	gone
}

# launch HOW ROUNDS JOBS UNIT PROGRAM [EUID]: leaves what is to be said in $said; succeeds if all ran
launch() {
	said=$(timeout 60 "$helpers/starts-launch" "$1" "$2" "$3" "$groups/$4/cgroup.procs" "$tmp/$5" \
		${6:+"$6"} 2>"$tmp/launch.err")
	launched=$?
	[ $launched = 0 ]
}

# figure NAME: of what was said
figure() {
	printf '%s\n' "${said%% whole*}" | sed -n "s/.*\\b$1=\\([0-9-]*\\).*/\\1/p"
}

# detail: what there is to be said of a failure
detail() {
	printf '%s\n' "$said" "exit status $launched"
	head -n 5 "$tmp/launch.err"
	tail -n 5 "$tmp/events"
	cat "$tmp/starts.err"
}

# flagged NAME MODE: passes when all of $ROUNDS have run right, and had their flag in time. Of a program
# that waits for a CPU in its window the time says nothing, so a few may be late.
flagged() {
	flagged_name="$1: $(printf '%s' "$said" | sed 's/starts=[0-9]* //; s/broken.*window/window/; s/ whole.*//')"
	if [ $launched != 0 ] || [ "$(figure flagged)" != "$ROUNDS" ]; then
		fail "$flagged_name" "$(detail)"
	elif [ "$2" = gate ] && [ "$(figure first)" != "$ROUNDS" ]; then
		fail "$flagged_name" "$(detail)"
	elif [ "$(figure p50)" -ge 1000 ] || [ "$(figure p90)" -ge 10000 ]; then
		fail "$flagged_name" "$(detail)"
	else
		pass "$flagged_name"
	fi
}

# unflagged NAME: passes when all have run right, and none had a flag
unflagged() {
	if [ $launched = 0 ] && [ "$(figure flagged)" = 0 ]; then
		pass "$1"
	else
		fail "$1" "$(detail)"
	fi
}

# state NAME: of the last one told
state() {
	sed -n "s/^state.* $1=\\([0-9]*\\).*/\\1/p" "$tmp/events" | tail -n 1
}

# soon COMMAND...: waits up to 2 s until it succeeds
soon() {
	soon_tries=0
	until "$@"; do
		soon_tries=$((soon_tries + 1))
		[ $soon_tries -lt 200 ] || return 1
		sleep 0.01
	done
}

# ms: milliseconds since some time
ms() {
	echo $(($(date +%s%N) / 1000000))
}

# entries MODE: a table of all programs
entries() {
	for entry in plain dynamic plain32 script suid root/target replaced; do
		[ ! -e "$tmp/$entry" ] || printf '%s 1 a.service %s\n' "$1" "$tmp/$entry"
	done
}

for mode in gate watch; do
	start
	# shellcheck disable=SC2046 # words
	table $(entries $mode)
	if [ $mode = gate ]; then
		is "gate: the self-test succeeds" "$(sed -n 's/^state gate=\([0-9]\).*/\1/p' "$tmp/events" | head -n 1)" 0
		is "gate: all programs are marked" "$(state refused)" 0
	fi
	while IFS=: read -r how program what euid; do
		[ -e "$tmp/$program" ] || [ "$how" = chroot ] || continue
		launch "$how" "$ROUNDS" 1 a.service "$program" "$euid"
		flagged "$mode: $what" $mode
	done <<-END
		plain:plain:a static program
		plain:dynamic:a dynamic program
		plain:plain32:a 32-bit program
		plain:script:a script
		user:suid:set-user-ID, by another user:0
		user:plain:by another user:65534
		seccomp:plain:behind a filter that answers EPERM
		seccomp-kill:plain:behind a filter that kills
		vfork:plain:by vfork
		thread:plain:by another thread
		chroot:root:in a root directory of its own
		flagged:plain:which has the flag
		fails:plain:after an exec that fails
	END
	launch plain 5 1 b.service plain
	unflagged "$mode: the same program in another unit is left alone"
	launch plain "$ROUNDS" 8 a.service plain
	flagged "$mode: many at a time" $mode

	cp "$tmp/plain" "$tmp/new"
	mv "$tmp/new" "$tmp/replaced"
	soon sh -c "[ \$(grep -c ^state '$tmp/events') -ge 3 ]"
	launch plain "$ROUNDS" 1 a.service replaced
	flagged "$mode: replaced by rename" $mode

	gone
	launch plain "$ROUNDS" 1 a.service plain
	: >"$tmp/events"
	flagged "$mode: thpd is gone" $mode
	table
	check "$mode: another thpd is told so" soon test "$(state unreported)" -ge "$ROUNDS"
	stop
done

# What is not marked, or not as wanted.
start
ln -s "$tmp/plain" "$tmp/link"
table gate 1 a.service /bin/sh watch 1 a.service /proc/self/exe watch 1 a.service "$tmp" \
	gate 1 a.service "$tmp/absent/program" watch 1 a.service "$tmp/link"
is "refused, and why" "$(sed -n 's/^refused //p' "$tmp/events" | tr '\n' ';')" \
	"0 wanted=1 got=2 vital to the host;1 wanted=0 got=2 vital to the host;2 wanted=0 got=2 not a file;3 wanted=1 got=2 absent;"
mkdir "$tmp/absent"
cp "$tmp/plain" "$tmp/absent/program"
soon sh -c "grep -q '^state.* gated=1 ' '$tmp/events'"
launch plain "$ROUNDS" 1 a.service absent/program
flagged "a program that comes later" gate
cp "$tmp/plain" "$tmp/plain2"
ln -sf "$tmp/plain2" "$tmp/link2"
mv "$tmp/link2" "$tmp/link"
soon sh -c "[ \$(grep -c ^state '$tmp/events') -ge 4 ]"
launch plain "$ROUNDS" 1 a.service plain2
flagged "a link that leads elsewhere" watch
gone

# A file that comes into a directory on the way to a program wakes for a moment; so not in /tmp.
table gate 1 a.service "$tmp/plain"
sleep 0.2
before=$(cat /proc/"$gate"/task/*/status /proc/"$guard"/status | grep ctxt)
sleep 1
is "nothing to do: no wake-ups" "$(cat /proc/"$gate"/task/*/status /proc/"$guard"/status | grep ctxt)" "$before"

chmod 666 "$tmp/socket"
check "only root is listened to" sh -c "setpriv --reuid=65534 --clear-groups timeout 5 \
	'$helpers/starts-drive' '$tmp/socket' | grep -q '^end'"
stop

# A thpd of another version is not listened to: it may have one of its own in our place.
start
table gate 1 a.service "$tmp/plain"
gone
exits "another version is refused" 0 timeout 10 "$helpers/starts-drive" "$tmp/socket" version 7
check "the connection is closed" grep -q '^end Connection reset by peer' "$tmp/out"
launch plain "$ROUNDS" 1 a.service plain
: >"$tmp/events"
flagged "gate: after that" gate
stop
start --give-way
table gate 1 a.service "$tmp/interpreter"
gone
(sleep 0.1; exec timeout 10 "$helpers/starts-drive" "$tmp/socket" version 7 >/dev/null) &
launch plain $((ROUNDS * 10)) 4 a.service script2
is "gate: gives way to another version in the middle of starts: they go on" "$launched" 0
wait "$guard"
is "gate: it has ended without an error" "$? $(cat "$tmp/starts.err")" "0 "
guard=
gate=

# The kernel opens a script's interpreter with a lock that a tracer needs.
start
table gate 1 a.service "$tmp/script2" gate 1 a.service "$tmp/interpreter"
launch plain "$ROUNDS" 1 a.service script2
flagged "gate: a script and its interpreter" gate
table gate 1 a.service "$tmp/interpreter"
launch plain "$ROUNDS" 1 a.service script2
flagged "gate: an interpreter alone, whose start is let go after 10 ms" watch
soon sh -c "[ \$(grep -c '^event gate ok' '$tmp/events') -ge $ROUNDS ]"
is "gate: none of them waited much longer" "$(sed -n 's/.*waited_us=//p' "$tmp/events" |
	awk '$1 > 100000' | wc -l)" 0
stop

# The same, never answered: a timer ends who does not answer.
for how in "" guard both; do
	start --bound=60000
	table gate 1 a.service "$tmp/interpreter"
	begin=$(ms)
	(
		sleep 0.05
		[ "$how" = "" ] || kill -STOP "$guard"
		[ "$how" != both ] || kill -STOP "$gate"
	) &
	launch plain 1 1 a.service script2
	took=$(($(ms) - begin))
	wait $!
	if [ $launched = 0 ] && [ $took -ge 150 ] && [ $took -lt 1000 ]; then
		pass "gate: hangs${how:+, stopped with SIGSTOP: $how}; the start goes on after $took ms"
	else
		fail "gate: hangs${how:+, stopped: $how}" "took $took ms" "$(detail)"
	fi
	kill -CONT "$guard" "$gate" 2>/dev/null
	check "gate: its process is gone${how:+ ($how)}" soon sh -c "! kill -0 $gate 2>/dev/null"
	stop
done

# One that is stopped while it has nothing to do is ended by the other process.
start
table gate 1 a.service "$tmp/plain"
kill -STOP "$gate"
launch plain 5 1 a.service plain
is "gate: stopped with SIGSTOP: starts go on" "$launched" 0
check "gate: stopped with SIGSTOP: ends" soon sh -c "! kill -0 $guard 2>/dev/null"
stop

# With no other capabilities than its unit gives.
with="setpriv --bounding-set=-all,$(sed -n 's/^CapabilityBoundingSet=//p' "$srcdir/units/thpd-starts.service.in" |
	tr 'A-Z ' 'a-z,' | sed 's/cap_/+/g')"
start
with=
mkdir "$tmp/private"
cp "$tmp/suid" "$tmp/private/program"
chown -R 65534 "$tmp/private"
chmod 700 "$tmp/private" "$tmp/private/program"
table gate 1 a.service "$tmp/plain" gate 1 a.service "$tmp/suid" gate 1 a.service "$tmp/private/program"
for what in plain:65534 suid:0 private/program:65534; do
	launch user "$ROUNDS" 1 a.service "${what%:*}" "${what#*:}"
	flagged "gate: with the capabilities of its unit: ${what%:*}, by another user" gate
done
launch seccomp-kill "$ROUNDS" 1 a.service plain
flagged "gate: with the capabilities of its unit: behind a filter that kills" gate
stop

# And it does not outlive the one that watches it.
start
table gate 1 a.service "$tmp/plain"
kill -KILL "$guard"
check "gate: ends with the process that watches it" soon sh -c "! kill -0 $gate 2>/dev/null"
stop

# The queue of the kernel's is full.
if echo 4 >/proc/sys/fs/fanotify/max_queued_events 2>/dev/null; then
	start
	table watch 1 a.service "$tmp/plain"
	kill -STOP "$guard" "$gate"
	launch plain 20 1 a.service plain
	unflagged "watch: stopped, the queue full: starts go on"
	# Who watches it finds it alive.
	kill -CONT "$gate"
	sleep 0.1
	kill -CONT "$guard"
	check "watch: lost events are told" soon sh -c "grep -q 'overflows=[1-9]' '$tmp/events'"
	stop
	echo "$queued" >/proc/sys/fs/fanotify/max_queued_events
else
	skip "the queue is full" "its length cannot be set"
fi

# No memory: who waits for it is killed, or does without.
memory=/sys/fs/cgroup/memory
if [ -f $memory/memory.limit_in_bytes ]; then
	start
	table gate 1 a.service "$tmp/plain"
	limited=$memory/thpd-test-$$
	mkdir "$limited"
	echo "$gate" >"$limited/cgroup.procs"
	echo 4096 >"$limited/memory.limit_in_bytes"
	launch plain "$ROUNDS" 4 a.service plain
	is "gate: at its memory limit: starts go on ($(figure first) of $ROUNDS with their flag, failed charges: \
$(cat "$limited/memory.failcnt"))" "$launched" 0
	stop
	soon rmdir "$limited"
	limited=
else
	skip "gate: at its memory limit" "no memory controller of the kind that is needed here"
fi

# Killed in its self-test, in which it waits for itself.
i=0
while [ $i -lt $((KILLS * 10)) ]; do
	i=$((i + 1))
	"$THPD_STARTS" --listen="$tmp/socket" 2>/dev/null &
	guard=$!
	sleep "0.0$(($(od -An -N2 -tu2 /dev/urandom) % 50 + 10))"
	kill -KILL "$guard"
	wait "$guard" 2>/dev/null
	guard=
done
check "killed in its self-test $i times: can be started again" timeout 10 "$THPD_STARTS" --version
check "nobody is left" soon sh -c "! pgrep -f -- '^thpd-starts --say-flag'"

# Killed at any moment. A filter that kills is not among these: its suspension ends with the tracer.
for mode in gate watch; do
	for what in plain:plain plain:dynamic plain:script seccomp:plain thread:plain vfork:plain; do
		(
			launch "${what%:*}" $((KILLS * 40)) 4 a.service "${what#*:}"
			printf '%s\n' "$launched" "$said" "$(cat "$tmp/launch.err")" >"$tmp/storm"
		) &
		storm=$!
		kills=0
		caught=0
		while [ $kills -lt "$KILLS" ]; do
			kills=$((kills + 1))
			start
			table $mode 1 a.service "$tmp/${what#*:}"
			sleep "0.0$(($(od -An -N2 -tu2 /dev/urandom) % 90 + 10))"
			stop
			caught=$((caught + $(grep -c '^event.* ok ' "$tmp/events")))
		done
		wait $storm
		is "$mode, ${what%:*} ${what#*:}: killed $kills times, at least $caught caught: all ran right" \
			"$(head -n 1 "$tmp/storm")" 0
	done
done
finish
