#!/bin/sh
# SPDX-License-Identifier: MIT
# The injector against processes that check themselves: tests/helpers/victim.c, one kind for each way in
# which a process can be waiting, working, or be particular. Needs root and x86-64.
#
# ROUNDS	how often the flag of each is set or cleared
# KILLS		how often the injecting process, and the tracer, are killed at a random moment, for each; of 32-bit
#		ones a fifth
# KINDS		the kinds; default all
set -u
LC_ALL=C
export LC_ALL

# shellcheck source=tests/lib.sh
. "${srcdir:?}/tests/lib.sh"

: "${builddir:?}" "${tmp:?}"
: "${ROUNDS:=100}" "${KILLS:=20}"
helpers=$builddir/tests/helpers

[ "$(uname -m)" = x86_64 ] || unfit "the victims are written for x86-64"
[ "$(id -u)" = 0 ] || unfit "needs root"
[ "$(cat /proc/sys/kernel/yama/ptrace_scope 2>/dev/null || echo 0)" -lt 3 ] || unfit "Yama forbids ptrace"
[ -x "$helpers/victim" ] || unfit "$helpers/victim is missing"

# Each kind, and how a victim of it is disturbed on purpose, to see that it would notice; see
# tests/helpers/drive-spoil.c. Not here: seccomp-norestart, whose filter allows sleeps and forbids their
# restart, so that any stop kills it; vfork-child, which is below.
cat >"$tmp/kinds" <<-END
	accept return:-4
	accepttimeo detach
	alarm gap
	broken return:0
	connect return:-4
	deadleader return:-4
	epoll detach
	eventfd return:-4
	exec return:-4
	faults swallow
	fcntl return:-4
	flock return:-4
	fork return:-4
	futex return:-4
	int80 vector
	io_getevents detach
	io_uring detach
	mq return:-4
	msgrcv return:-4
	nanosleep return:0
	pause return:-4
	pipe return:-4
	pipewrite detach
	poll return:-4
	poll-readonly detach
	ppoll return:-4
	recv return:-4
	recvtimeo detach
	registers vector
	registers-spin vector
	restart return:-4
	rseq rseq
	seccomp return:-4
	seccomp-errno return:-4
	select return:-4
	semtimedop detach
	sendfile detach
	sendto return:-4
	signals swallow
	sigsuspend return:-4
	sigtimedwait detach
	sockwrite detach
	spin register
	stopped continue
	strict return:-4
	tcpwrite detach
	threads return:-4
	timerfd return:-4
	vdso register
	vfork return:-4
	wait4 return:-4
	waitall detach
END

# A SIGKILL of the tracer itself (one of its caller leaves it at work) in the very moment in which the thread
# makes the borrowed call: a filter, whose suspension ends with the tracer, kills for prctl(2); and a signal
# that comes then is handled, but the call that it should have broken is made again.
no_tracer_kills="seccomp strict alarm broken pause sigsuspend"

limit=$((60 + ROUNDS / 20 + KILLS / 2))

# Known limits. A process that writes large blocks all the time can be interrupted within one, between
# the look at it and the stop: it sees a short count, as after any stop; the same when io_uring_enter(2)
# begins to submit and wait just then, which is counted as EINTR. And a process whose threads have children
# that end all the time: SIGCHLD, which is ignored by default, is not while the thread that made the child
# is traced, and wakes another thread out of epoll_wait(2).
short_counts='pipewrite sendfile sockwrite tcpwrite waitall'
eintr_kinds='io_uring deadleader threads'

# tolerated KIND STATUS: whether what the victim says is one of these
tolerated() {
	if [ "$2" = 3 ]; then
		echo "$eintr_kinds" | grep -qw -- "$1"
	elif [ "$2" = 1 ]; then
		echo "$short_counts" | grep -qw -- "$1" &&
			! grep '^anomaly' "$work/err" | grep -qv '(short)$'
	else
		false
	fi
}

# begin VICTIM KIND: starts a victim, waits until it works; sets $monitor, $pid
begin() {
	: >"$work/out"
	"$helpers/$1" "$2" --seconds $((limit + 30)) >"$work/out" 2>"$work/err" &
	monitor=$!
	pid=
	while [ -z "$pid" ]; do
		sleep 0.02
		pid=$(sed -n 's/^ready //p' "$work/out")
		[ -n "$pid" ] || kill -0 $monitor 2>/dev/null || break
	done
}

# end: ends the victim; sets $status
end() {
	kill $monitor 2>/dev/null
	wait $monitor
	status=$?
	monitor=
}

# report RESULT NAME [DETAIL...]
report() {
	report_result=$1
	shift
	printf '%s\t%s\n' "$report_result" "$1"
	shift
	for report_detail; do
		printf '%s\n' "$report_detail" | head -n 20 | sed 's/^/#/'
	done
}

# unnoticed NAME STATUSES VICTIM KIND VERB ARGUMENT...: passes when the driver succeeds, and the victim's
# exit status is one of STATUSES
unnoticed() {
	what=$1
	statuses=$2
	victim=$3
	kind=$4
	verb=$5
	shift 5
	victims=0
	driven=4
	# Killed tracers leave stubs, and a victim has room for some ten of them: then for another one.
	while [ $driven = 4 ] && [ $# -gt 0 ]; do
		begin "$victim" "$kind"
		timeout "$limit" "$helpers/drive" "$verb" "$pid" "$@" >"$work/drive" 2>&1
		driven=$?
		end
		victims=$((victims + 1))
		if tolerated "$kind" $status; then
			statuses="$statuses $status"
			what="${what% (known limit)} (known limit)"
		fi
		echo "$statuses" | grep -qw $status || break
		[ $driven = 4 ] || break
		killed=$(sed -n 's/^kills=\([0-9]*\) .*/\1/p' "$work/drive")
		from=$(sed -n 's/^next=//p' "$work/drive")
		case $verb in
		kill) [ "${killed:-0}" -gt 0 ] && set -- $(($1 - killed)) "$2" && [ "$1" -gt 0 ] || driven=0 ;;
		points) [ "${from:-0}" -gt "${2:-0}" ] || [ $victims -lt 50 ] && set -- "$1" "$from" || driven=1 ;;
		esac
	done
	figures="$victims victims: $(tail -n 1 "$work/drive" | sed 's/.* \(points=\)/\1/'), $(tail -n 1 "$work/out")"
	if [ $driven = 0 ] && echo "$statuses" | grep -qw $status; then
		report ok "$what: $figures"
	else
		report "not ok" "$what" "$victim $kind; drive $verb $pid $*" "drive: exit status $driven" \
			"$(cat "$work/drive")" "victim: exit status $status" "$(cat "$work/out" "$work/err")"
	fi
}

# noticed NAME VICTIM KIND HOW: passes when the victim complains
noticed() {
	count=20
	[ "$4" != rseq ] || count=100
	begin "$2" "$3"
	task=$pid
	case $3 in
	threads | deadleader)
		# Whichever thread; the first ones have no call that would be broken.
		# shellcheck disable=SC2012 # numbers
		task=$(ls "/proc/$pid/task" | sed -n 5p)
		;;
	esac
	timeout "$limit" "$helpers/drive" spoil "$task" "$4" $count >"$work/drive" 2>&1
	sleep 0.1
	end
	if [ $status = 1 ] || [ $status = 3 ]; then
		report ok "$1"
	else
		report "not ok" "$1" "$2 $3; drive spoil $task $4" "$(cat "$work/drive")" \
			"victim: exit status $status" "$(cat "$work/out" "$work/err")"
	fi
}

# try VICTIM KIND HOW: all tests of one kind
try() {
	label=$2
	kills=$KILLS
	if [ "$1" = victim32 ]; then
		label="$2, 32-bit"
		kills=$(((KILLS + 4) / 5))
	fi
	begin "$1" "$2"
	end
	if [ $status = 77 ]; then
		report skip "$label" "$(sed -n 's/^skipped: //p' "$work/err")"
		return
	fi
	noticed "$label: notices when it is disturbed" "$1" "$2" "$3"
	unnoticed "$label: rounds" 0 "$1" "$2" rounds "$ROUNDS"
	unnoticed "$label: kills" 0 "$1" "$2" kill "$kills" MAIN
	# A call that the kernel does not restart, and whose tracer dies before it has seen to that, ends
	# with EINTR.
	if ! echo "$no_tracer_kills" | grep -qw -- "$2"; then
		unnoticed "$label: kills of the tracer" "0 3" "$1" "$2" kill "$kills" TRACER
		unnoticed "$label: fault points" "0 3" "$1" "$2" points 1
	fi
	# As on a busy machine. Takes 0.2 s each.
	if [ "$KILLS" -ge 500 ]; then
		unnoticed "$label: the tracer stands still" "0 3" "$1" "$2" freeze $((kills / 10))
	fi
}

# A worker takes every so many-eth job.
worker() {
	work=$tmp/work.$1
	mkdir "$work"
	monitor=
	trap '[ -z "$monitor" ] || kill $monitor; exit 143' TERM INT
	job=0
	while read -r victim kind how; do
		job=$((job + 1))
		[ $((job % jobs)) = "$1" ] || continue
		try "$victim" "$kind" "$how" >"$tmp/result.$job" </dev/null
	done <"$tmp/jobs"
}

while read -r kind how; do
	if [ -n "${KINDS:-}" ]; then
		echo " $KINDS " | grep -qF " $kind " || continue
	fi
	echo "victim $kind $how"
	# Restartable sequences are the same in both; the one that is tested is written for 64 bits.
	[ "$kind" = rseq ] || [ ! -x "$helpers/victim32" ] || echo "victim32 $kind $how"
done <"$tmp/kinds" >"$tmp/jobs"
total=$(wc -l <"$tmp/jobs")

# Most of the time they wait.
jobs=$((2 * $(nproc)))
workers=
i=0
while [ $i -lt "$jobs" ]; do
	worker $i &
	workers="$workers $!"
	i=$((i + 1))
done
# shellcheck disable=SC2086 # a list
trap 'kill $workers 2>/dev/null; wait; exit 143' INT TERM
wait

# What the workers have found, in order.
replay() {
	result='' title='' detail=''
	while IFS= read -r line; do
		case $line in
		'#'*)
			detail="$detail${line#'#'}
"
			;;
		*)
			settle
			result=${line%%	*}
			title=${line#*	}
			;;
		esac
	done <"$1"
	settle
}

settle() {
	case $result in
	ok) pass "$title" ;;
	skip) skip "$title" "$detail" ;;
	"not ok") fail "$title" "$detail" ;;
	esac
	detail=
}

i=0
while [ $i -lt "$total" ]; do
	i=$((i + 1))
	if [ -s "$tmp/result.$i" ]; then
		replay "$tmp/result.$i"
	else
		fail "$(sed -n "${i}p" "$tmp/jobs")" "the worker died"
	fi
done

# Two of them at a time, on threads of one process: as after a SIGKILL of the caller of the first one.
work=$tmp
for kind in threads rseq; do
	[ -z "${KINDS:-}" ] || break
	begin victim $kind
	timeout 4 "$helpers/drive" flood "$pid" >"$work/drive" &
	timeout 3 "$helpers/drive" flood "$pid" >"$work/drive2"
	wait $!
	end
	if [ $status = 0 ] && grep -q '^ok=' "$work/drive" && grep -q '^ok=' "$work/drive2"; then
		pass "$kind: two at a time"
	else
		fail "$kind: two at a time" "$(cat "$work/drive" "$work/drive2")" \
			"victim: exit status $status" "$(cat "$work/out" "$work/err")"
	fi
done

# A child of vfork(2) uses its parent's memory: not to be touched, so that the parent finds no flag set.
work=$tmp
if [ -z "${KINDS:-}" ]; then
	begin victim vfork-child
	timeout 20 "$helpers/drive" set "$pid" disable >"$work/drive"
	is "vfork-child: is left alone" "$(sed 's/ .*//' "$work/drive")" shared
	end
	is "vfork-child: the parent has no flag" "$status" 0
	begin victim vfork-child
	timeout 20 "$helpers/drive" spoil "$pid" flag 1 >"$work/drive"
	end
	is "vfork-child: the parent would notice" "$status" 1
fi

if [ ! -x "$helpers/victim32" ]; then
	unfit "the compiler cannot make them"
fi
finish
