#!/bin/sh
# SPDX-License-Identifier: MIT
# Real services under load, on this machine: redis-server, PostgreSQL, a JVM and a Go program, in groups
# that look like units of systemd's. Their flags are set and cleared all the while, by the injector
# itself and by thpctl; then what stands in the way, flags that come and go, and memory given back.
# Needs root, cgroups and the programs. Sets the host to `always` for some seconds, and puts back what it
# found; does nothing where thpd has been at work in this boot.
#
# ROUNDS=N: how often each process is set and cleared (50).
set -u
LC_ALL=C
export LC_ALL

# shellcheck source=tests/lib.sh
. "${srcdir:?}/tests/lib.sh"
: "${ROUNDS:=50}"

drive=${DRIVE:-${builddir:-.}/tests/helpers/drive}
jobs=$srcdir/tests/helpers/redis-jobs.py
thp=/sys/kernel/mm/transparent_hugepage
state=/run/thpd
cgroup=/sys/fs/cgroup
slice=thpdtest.slice
redis='redis-server@thpdtest.service'
database=postgresql@thpdtest.service
jvm=jvm@thpdtest.service
golang=go@thpdtest.service
clients=clients@thpdtest.service # no rule is about this one

# --- what is needed

[ "$(id -u)" = 0 ] || unfit "needs root"
[ -w $thp/enabled ] || unfit "this kernel has no transparent huge pages that can be set"
[ -x "$drive" ] || unfit "needs $drive"
for file in original.json flags.json; do
	[ ! -e $state/$file ] || unfit "$state/$file exists: thpd has been at work in this boot"
done
postgres=$(command -v postgres || ls /usr/lib/postgresql/*/bin/postgres 2>/dev/null | tail -n 1)
[ -z "$postgres" ] || PATH=${postgres%/*}:$PATH
for program in redis-server redis-cli redis-benchmark postgres initdb pgbench psql java javac go python3 strace setpriv; do
	command -v "$program" >/dev/null || unfit "needs $program; packaging/install-deps --tests gets it"
done

# Other runs that change settings have their turn.
exec 9<$thp
flock --timeout 300 9 || unfit "another run does not end"

# shellcheck source=tests/groups.sh
. "$srcdir/tests/groups.sh"
# What a killed run has left goes, unless somebody is in it.
for group in $groups; do
	[ -z "$(cat "$group/cgroup.procs" "$group"/*/cgroup.procs 2>/dev/null)" ] ||
		unfit "$group has processes: is another run under way?"
	[ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} \;
	mkdir "$group" 2>/dev/null || unfit "$group cannot be made"
	[ ! -e "$group/cgroup.subtree_control" ] || echo +memory >"$group/cgroup.subtree_control" 2>/dev/null
done

# --- how it is put back

settings="enabled khugepaged/scan_sleep_millisecs khugepaged/max_ptes_none"
value() {
	sed 's/.*\[\(.*\)\].*/\1/' "$thp/$1"
}
cd "$tmp" || exit 1
for key in $settings; do
	echo "$key $(value "$key")"
done >settings
put_back_settings() {
	while read -r key was; do
		[ "$(value "$key")" = "$was" ] || echo "$was" >"$thp/$key"
	done <"$tmp/settings"
}

made_state=
[ -d $state ] || made_state=1

# members UNIT: the processes of a unit, or of all with '*'
members() {
	cat "$units"/$1/cgroup.procs 2>/dev/null
}

# end_unit UNIT: ends the processes that were started in it, which are all that are there
end_unit() {
	for sig in TERM KILL; do
		for pid in $(members "$1"); do
			kill -s $sig "$pid" 2>/dev/null
		done
		eventually empty "$1" && break
	done
}
empty() {
	[ -z "$(members "$1")" ]
}

put_back() {
	touch "$tmp/stop"
	end_unit '*'
	wait
	put_back_settings
	"$THPCTL" restore >/dev/null 2>&1
	if [ -n "$made_state" ]; then
		rm -rf $state
	fi
	for group in $groups; do
		find "$group" -depth -type d -exec rmdir {} \;
	done
	rm -rf "$tmp"
}
trap put_back EXIT
trap 'exit 129' HUP

# --- services

for group in $groups; do
	for unit in $redis $database $jvm $golang $clients; do
		mkdir "$group/$unit"
	done
done

# in_unit UNIT COMMAND...: becomes the command, in the unit; for a subshell of its own
in_unit() {
	for group in $groups; do
		echo 0 >"$group/$1/cgroup.procs" || exit
	done
	shift
	exec "$@"
}

chmod 755 .

# What was started last is known by a name from then on.
call() {
	echo $! >"$1.pid"
}
pid_of() {
	cat "$tmp/$1.pid"
}

owner=nobody
! id postgres >/dev/null 2>&1 || owner=postgres
mkdir -m 700 database
chown $owner database
as_owner() {
	setpriv --reuid=$owner --regid="$(id -g $owner)" --clear-groups "$@"
}

rcli() {
	redis-cli -s "$tmp/redis.sock" "$@"
}
sql() {
	psql -XqAt -h "$tmp/database" -U postgres -d postgres "$@"
}

start_redis() {
	cat >redis.conf <<-E
		port 0
		unixsocket $tmp/redis.sock
		dir $tmp
		logfile $tmp/redis.log
		save ""
		appendonly no
		disable-thp no
	E
	(in_unit $redis redis-server redis.conf) &
	call redis
	eventually rcli ping >/dev/null 2>&1
}

start_database() {
	as_owner initdb -N -A trust -U postgres --no-locale -E UTF8 -D database/data >initdb.log 2>&1 || return
	cat >>database/data/postgresql.conf <<-E
		listen_addresses = ''
		unix_socket_directories = '$tmp/database'
		fsync = off
		shared_buffers = 64MB
		log_min_messages = warning
	E
	(in_unit $database setpriv --reuid=$owner --regid="$(id -g $owner)" --clear-groups \
		postgres -D database/data) >database.log 2>&1 &
	call database
	eventually sql -c 'select 1' >/dev/null 2>&1 &&
		pgbench -h "$tmp/database" -U postgres -q -i -s 5 postgres >pgbench-init.log 2>&1
}

start_jvm() {
	javac -d . "$srcdir/tests/helpers/Load.java" >javac.log 2>&1 || return
	(in_unit $jvm java -Xmx256m -cp . Load "$tmp/stop") >jvm.out 2>jvm.err &
	call jvm
	eventually test -s jvm.out
}

start_golang() {
	GOCACHE=$tmp/go-cache GOFLAGS='' GO111MODULE=off GOPROXY=off go build -o load \
		"$srcdir/tests/helpers/load.go" >go.log 2>&1 || return
	(in_unit $golang ./load go.sock "$tmp/stop") >go.out 2>go.err &
	call golang
	eventually test -s go.out
}

# What goes on all the time, each with a file for its errors.
start_load() {
	(in_unit $clients sh -c 'while :; do
		for test in set get incr lpush lpop sadd hset zadd; do
			[ ! -e stop ] || exit 0
			redis-benchmark -s redis.sock -c 20 -n 3000 -r 10000 -d 256 --csv -t $test ||
				echo "exit status $?" >&2
		done
	done') >benchmark.out 2>benchmark.err &
	call benchmark
	(in_unit $clients python3 "$jobs" redis.sock check stop) >check.out 2>check.err &
	call check
	(in_unit $clients pgbench -h "$tmp/database" -U postgres -n -c 4 -T 3600 postgres) \
		>pgbench.out 2>pgbench.err &
	call pgbench
	# A new backend for each transaction, and a signal to the postmaster when it ends.
	(in_unit $clients pgbench -h "$tmp/database" -U postgres -n -S -C -R 50 -T 3600 postgres) \
		>connect.out 2>connect.err &
	call connect
	sleep 1
}

# Ends the load; each tells what became of it.
stop_load() {
	touch stop
	kill -s ALRM "$(pid_of pgbench)" "$(pid_of connect)" # as when their time is over
	for service in benchmark check pgbench connect jvm golang; do
		wait "$(pid_of $service)"
		echo "$service $?"
	done >statuses
}

for service in redis database jvm golang; do
	if start_$service; then
		pass "$service: started"
	else
		fail "$service: started" "$(tail -n 20 initdb.log pgbench-init.log database.log redis.log \
			javac.log jvm.err go.log go.err 2>&1)"
		finish
	fi
done
wc -l <redis.log >redis.log.known
wc -l <database.log >database.log.known
start_load

cat >policy.conf <<E
role 'test' {
    service '$redis' { thp = disable }
    service 'database' { unit = 'postgresql@thpdtest*'  user = '$owner'  thp = disable }
    service 'runtimes' { unit = { '$jvm', '$golang' }  thp = disable }
}
E
ctl() {
	timeout 60 "$THPCTL" --role test --policy "$tmp/policy.conf" "$@"
}
# flag PID: as the kernel shows it
flag() {
	sed -n 's/^THP_enabled:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null
}
# flags UNIT...: those that its processes have, each once; what ends meanwhile has none
flags() {
	for unit; do
		for pid in $(members "$unit"); do
			flag "$pid"
		done
	done | sort -u | tr '\n' ' '
}

# --- throughput with one set a second, and without

# count: how much each service has done until now: NAME SECONDS OPERATIONS
now() {
	read -r up _ </proc/uptime
	echo "$up"
}
count() {
	echo "redis $(now) $(rcli info stats | sed -n 's/^total_commands_processed:\([0-9]*\).*/\1/p')"
	echo "database $(now) $(sql -c 'select pg_current_xact_id()')"
	tail -n 1 jvm.out | awk '{ print "jvm", $1 / 1000, $2 }'
	tail -n 1 go.out | awk '{ print "golang", $1 / 1000, $2 }'
}
# window NAME COMMAND...: appends "NAME SERVICE RATE" to rates
window() {
	window_name=$1
	shift
	count >count.0
	"$@"
	count >count.1
	paste -d ' ' count.0 count.1 |
		awk -v name="$window_name" '{ printf "%s %s %.0f\n", name, $1, ($6 - $3) / ($5 - $2) }' >>rates
}
# rates NAME SERVICE: in the order of their windows
rates() {
	awk -v name="$1" -v service="$2" '$1 == name && $2 == service { printf "%s ", $3 }' rates
}
# ratio NAME SERVICE: the best window against the best one without
ratio() {
	awk -v name="$1" -v service="$2" '$2 == service && $3 > best[$1] { best[$1] = $3 }
		END { printf "%.2f", best[name] / (best["without"] ? best["without"] : 1) }' rates
}
# as_good SERVICE: false when the best window with injections is worse than the worst one without, and by
# much. Others work on this machine, too, but that they would do that by chance is 1 in 924.
as_good() {
	awk -v service="$1" '
		$2 != service { next }
		$1 == "with" { if ($3 > with) with = $3 }
		$1 == "without" { if ($3 > best) best = $3; if (!worst || $3 < worst) worst = $3 }
		END { exit !with || (with < worst && with < best * 0.8) }' rates
}

: >ctl.wrong
# one VERB...: a run of thpctl that must succeed
one() {
	ctl "$@" >ctl.out 2>&1 || { echo "exit status $?: $*" && cat ctl.out; } >>ctl.wrong
}
one_a_second() {
	case $verb in
	apply) verb=restore ;;
	*) verb=apply ;;
	esac
	one $verb
	sleep 1
}
verb=restore
for _ in 1 2 3 4 5 6; do
	window without sleep 1
	window with one_a_second
done
is "thpctl apply and restore under load: every run succeeds" "$(head -n 40 ctl.wrong)" ""
for service in redis database jvm golang; do
	echo "# $service: $(rates without $service)operations/s without, $(rates with $service)with" \
		"a set each second: $(ratio with $service)"
	check "$service: throughput within the noise" as_good $service
done

# --- every process, set and cleared

# drive_one PID: figures of the driver, or that the process did not stay
gone() {
	[ ! -d "/proc/$1" ]
}
drive_one() {
	drive_comm=$(tr ' ' _ <"/proc/$1/comm") || return
	drive_figures=$("$drive" rounds "$1" $((2 * ROUNDS)) 2>&1) || ! eventually gone "$1" ||
		drive_figures=ended
	echo "$1 $drive_comm $(echo "$drive_figures" | tr '\n' ' ')"
}
# drive_unit UNIT: all of its processes, at the same time
drive_unit() {
	for pid in $(members "$1"); do
		drive_one "$pid" 2>/dev/null &
	done
	wait
}
for unit in $redis $database $jvm $golang; do
	drive_unit $unit >"rounds.$unit" &
	call "rounds.$unit"
done
for unit in $redis $database $jvm $golang; do
	wait "$(pid_of "rounds.$unit")"
done

# rounds_of UNIT NAME [PROCESSES]: how much it came to; at least so many processes went through it
rounds_of() {
	tr '=' ' ' <"rounds.$1" | awk -v wanted=$((2 * ROUNDS)) -v name="$2" -v least="${3:-1}" '
		{
			for (i = 3; i < NF; i++)
				v[$i] = $(i + 1)
			rounds += v["ok"]; busy += v["busy"]
			if (v["ok"] == wanted)
				whole++
			else if ($3 == "ended")
				ended++
			else
				print "wrong: " $0
			if (v["stop_us_median"] > median) median = v["stop_us_median"]
			if (!low || (v["ok"] == wanted && v["stop_us_median"] < low)) low = v["stop_us_median"]
			if (v["p99"] > p99) p99 = v["p99"]
			if (v["max"] > max) max = v["max"]
			delete v
		}
		END {
			if (whole < least)
				printf "wrong: only %d processes\n", whole
			printf "# %s: %d rounds of %d processes, %d others ended meanwhile; %d times busy;",
				name, rounds, whole, ended, busy
			printf " stopped for %d to %d us in the median, p99 up to %d, %d at most\n", low,
				median, p99, max
		}' >"rounds.$2"
	grep '^#' "rounds.$2"
	is "$2: every process is set and cleared $ROUNDS times" "$(grep '^wrong' "rounds.$2")" ""
	check "$2: its main process is among them" grep -q "^$(pid_of "$2") .* ok=$((2 * ROUNDS)) " "rounds.$1"
}
rounds_of $redis redis
rounds_of $database database 10
rounds_of $jvm jvm
rounds_of $golang golang

# What has died is of no use to go on with.
survived() {
	for service in redis database jvm golang; do
		kill -0 "$(pid_of $service)" 2>/dev/null && continue
		fail "$service is still there" "$(tail -n 20 redis.log database.log jvm.err go.err)"
		finish
	done
}
survived

# --- a storm on each main process, without a pause
storm() {
	"$drive" flood "$(pid_of "$1")" >"storm.$1" 2>&1 &
	storm_pid=$!
	sleep 1
	kill $storm_pid
	wait $storm_pid
	"$drive" set "$(pid_of "$1")" system >/dev/null
}
for service in redis database jvm golang; do
	window "storm_$service" storm $service
	echo "# $service: $(rates "storm_$service" $service)operations/s under a storm" \
		"($(tr '\n' ' ' <"storm.$service")): $(ratio "storm_$service" $service)"
	check "$service: a storm is served" grep -q '^ok=[0-9][0-9]* .*errors=0$' "storm.$service"
done

survived

# --- nobody has noticed
stop_load
is "all loads and programs end well" "$(grep -v ' 0$' statuses)" ""
for service in benchmark check pgbench connect jvm golang; do
	file=$service.err
	[ $service != golang ] || file=go.err
	is "$service: no error" "$(grep -v '^pgbench (' $file | head -n 20)" ""
done
# told FILE: what a client has printed
told() {
	sed 's/\(.*\) \(.*\) \(.*\) \(.*\)/\1 answers, \2 wrong, the slowest after \3 ms, up to \4 ms late itself/' "$1"
}
echo "# redis-benchmark: $(grep -c '^"[A-Z]' benchmark.out) runs; client that checks: $(told check.out)"
check "benchmark: it has run" grep -q '^"SET","[0-9]' benchmark.out
is "benchmark: no error among the answers" "$(grep -i err benchmark.out)" ""
is "check: answers without an error" "$(awk '$1 > 1000 && $2 == 0 { print "yes" }' check.out)" yes
for service in pgbench connect; do
	is "$service: no transaction failed" \
		"$(sed -n 's/^number of failed transactions: \([0-9]*\) .*/\1/p' $service.out)" 0
	echo "# $service: $(sed -n 's/^number of transactions actually processed: \(.*\)/\1/p' $service.out)" \
		"transactions"
done
is "database: what was paid in is there" "$(sql -c 'select (select sum(abalance) from pgbench_accounts) =
	(select sum(delta) from pgbench_history) and (select sum(bbalance) from pgbench_branches) =
	(select sum(tbalance) from pgbench_tellers), count(*) from pgbench_history')" \
	"t|$(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' pgbench.out)"
for service in jvm go; do
	is "$service: verified itself" "$(tail -n 1 $service.out | awk '$2 > 1000 && $3 == 0 { print "yes" }')" yes
done
is "redis: nothing new in its log" "$(tail -n +$(($(cat redis.log.known) + 1)) redis.log | grep ' # ')" ""
is "database: nothing new in its log" "$(tail -n +$(($(cat database.log.known) + 1)) database.log)" ""

# --- the flag is as the kernel and the processes say
children() {
	awk -v pid="$1" '/^Pid:/ { me = $2 } /^PPid:/ && $2 == pid { print me }' /proc/[0-9]*/status 2>/dev/null
}
# What a new backend reads of itself.
backend_flag() {
	sql -c "select substring(pg_read_file('/proc/self/status') from 'THP_enabled:\s*(\d)')"
}
# What the child has that saves the data of redis.
saver() {
	saver_pid=$(children "$(pid_of redis)") && [ -n "$saver_pid" ]
}
saved() {
	[ "$(rcli info persistence | tr -d '\r' | sed -n 's/^rdb_bgsave_in_progress://p')" = 0 ]
}
saver_flag() {
	rcli config set rdb-key-save-delay 100 >/dev/null
	rcli bgsave >/dev/null
	eventually saver && flag "$saver_pid"
	eventually saved
}
exits "restore" 0 ctl restore
is "nothing is flagged" "$(flags $redis $database)" "1 "
is "nor is a new backend" "$(backend_flag)" 1
exits "apply" 0 ctl apply
check "apply: as many processes as there are" \
	grep -q "^applied: $(members '[rp]*' | wc -l) processes in 2 services changed" out
is "every process is flagged" "$(flags $redis $database)" "0 "
is "so is a backend that is forked later" "$(backend_flag)" 0
is "so is the child that redis forks to save" "$(saver_flag)" 0
is "it has saved well" "$(rcli info persistence | tr -d '\r' | sed -n 's/^rdb_last_bgsave_status://p')" ok
exits "apply once more" 0 ctl apply
is "it has nothing to say" "$(cat err)" ""
exits "verify" 0 ctl verify
is "asked by itself, redis says the same" "$("$drive" get "$(pid_of redis)" | cut -d ' ' -f 1-3)" \
	"ok before=1 now=1"

# --- somebody else traces a process
# client FILE: answers and errors and worst time of a client of redis, until end_client
client() {
	rm -f client.stop
	(in_unit $clients python3 "$jobs" redis.sock check client.stop) >"$1" 2>"$1.err" &
	call client
}
end_client() {
	touch client.stop
	wait "$(pid_of client)"
}
tracer() {
	sed -n 's/^TracerPid:[[:space:]]*//p' "/proc/$(pid_of redis)/status"
}
traced() {
	[ "$(tracer)" != 0 ]
}
exits "before strace comes: restore" 0 ctl restore
client traced
(in_unit $clients strace -f -o strace.out -p "$(pid_of redis)") 2>/dev/null &
call strace
check "strace has attached itself" eventually traced
exits "traced by strace: apply" 1 ctl apply
check "apply says who it is" grep -q "^  *$(pid_of redis) redis-server .* denied .*strace.* $(pid_of strace)\$" out
is "the flag is not set" "$(flag "$(pid_of redis)")" 1
is "the others are" "$(flags $database)" "0 "
is "strace is still there" "$(tracer)" "$(pid_of strace)"
exits "verify: it has not what it should" 1 ctl verify
kill "$(pid_of strace)"
wait "$(pid_of strace)" 2>/dev/null
end_client
exits "strace has gone: apply" 0 ctl apply
is "the flag is set" "$(flags $redis $database)" "0 "
check "strace has seen it work all the while" grep -q epoll_wait strace.out
is "nothing else happened to it: $(told traced)" "$(cut -d ' ' -f 2 traced) $(cat traced.err)" "0 "

# --- a process clears its own flag
(in_unit $jvm python3 -c '
import ctypes, signal
signal.signal(signal.SIGUSR1, lambda *_: ctypes.CDLL(None).prctl(41, 0, 0, 0, 0))
print("ready", flush=True)
while True:
	signal.pause()') >own.out &
call own
own_flag_is() {
	[ "$(flag "$(pid_of own)")" = "$1" ]
}
check "a program of its own mind has started" eventually test -s own.out
exits "apply" 0 ctl apply
check "it has the flag" own_flag_is 0
kill -s USR1 "$(pid_of own)"
check "it clears it" eventually own_flag_is 1
exits "verify" 1 ctl --verbose verify
check "verify: it is drifted" grep -q "^  *$(pid_of own) python.* drifted" out
is "verify: it alone" "$(grep -c '^  *[0-9][0-9]* .* drifted' out)" 1
exits "apply again" 0 ctl apply
check "it has the flag again" own_flag_is 0

# --- flags from an ancestor, which no rule names
(in_unit $clients "$THPCTL" exec --thp=disable sh -c 'sleep 300 & echo $! >sleep.pid; wait') &
call carrier
check "a shell with a flag of its own has started" eventually test -s sleep.pid
exits "status" 0 ctl status
check "status: its child, and whom it has the flag from" \
	grep -q "^ *$(pid_of sleep)  *sleep .*disable  *$(pid_of carrier) sh\$" out
exits "doctor finds them, too" 1 ctl doctor
check "doctor: the child and the shell" grep -q "$(pid_of sleep).*$(pid_of carrier)" out
exits "restore" 0 ctl restore
is "restore: the flags that thpd has set are gone" "$(flags $redis $database $jvm)" "1 "
is "restore: others are not" "$(flag "$(pid_of sleep)") $(flag "$(pid_of carrier)")" "0 0"
for unit in $jvm $clients $database; do
	end_unit $unit
done

# --- memory that a service got and does not use
rss() {
	sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$(pid_of redis)/status"
}
larger_than() {
	[ "$(rss)" -gt "$1" ]
}
smaller_than() {
	[ "$(rss)" -lt "$1" ]
}
# sum KEY: of the report's totals
sum() {
	sed -n "s/^ *\"$1\": \([0-9]*\),\$/\1/p" out | tail -n 1
}
# charged NAME: what the unit is charged with has come down, if that is known
charged() {
	if [ -n "$(sum current_before_kb)" ]; then
		check "$1" test "$(sum current_after_kb)" -lt $((100 * 1024)) -a \
			"$(sum current_before_kb)" -gt $((250 * 1024))
	fi
}
reclaim() {
	timeout 60 "$THPCTL" --json reclaim "$@"
}
tale() {
	end_unit $redis
	wait "$(pid_of redis)"
	echo always >$thp/enabled
	echo 511 >$thp/khugepaged/max_ptes_none
	if start_redis; then
		pass "under always: redis starts again"
	else
		fail "under always: redis starts again" "$(cat redis.log)"
		return
	fi
	check "300 MB of jobs come" python3 "$jobs" redis.sock fill 300
	filled=$(rss)
	check "and go, but one of 100" python3 "$jobs" redis.sock drain 100
	drained=$(rss)
	echo 20 >$thp/khugepaged/scan_sleep_millisecs
	check "khugepaged fills up what was given back" eventually larger_than $((250 * 1024))
	echo "# redis: $filled kB with all jobs, $drained without, $(rss) when khugepaged had been there"

	exits "reclaim without a flag" 1 reclaim $redis
	check "reclaim says why not" grep -q '"note": "would be undone at once' out
	check "reclaim has left it alone" larger_than $((250 * 1024))
	exits "reclaim --force" 0 reclaim --force $redis
	check "reclaim --force gives it back" test "$(sum rss_after_kb)" -lt $((150 * 1024))
	echo "# by force: RSS $(sum rss_before_kb) -> $(sum rss_after_kb) kB"
	check "it is undone" eventually larger_than $((250 * 1024))

	client before
	sleep 1
	end_client
	client during
	sleep 0.5
	exits "apply" 0 ctl apply
	is "the flag is set" "$(flag "$(pid_of redis)")" 0
	check "that alone gives nothing back" larger_than $((250 * 1024))
	exits "reclaim" 0 reclaim $redis
	check "RSS goes down" smaller_than $((100 * 1024))
	charged "so does what the unit is charged with"
	echo "# reclaim: RSS $(sum rss_before_kb) -> $(sum rss_after_kb) kB, charged" \
		"$(sum current_before_kb) -> $(sum current_after_kb) kB"
	sleep 2
	check "and stays there" smaller_than $((100 * 1024))
	end_client
	for when in before during; do
		echo "# a client $when reclaim: $(told $when)"
		is "the data are intact $when reclaim" "$(cut -d ' ' -f 2 $when) $(cat $when.err)" "0 "
	done
	# Where others work on this machine, both sides wait for a CPU.
	check "no answer takes longer than 50 ms" awk '{ exit $3 > 50 + 2 * $4 }' during
	exits "verify" 0 ctl verify
	exits "restore" 0 ctl restore
	check "it was the flag that kept it small" eventually larger_than $((250 * 1024))
}
case $(uname -r) in
[0-5].* | 6.[0-9].* | 6.1[01].*)
	skip "reclaim on a real service" "needs Linux 6.12, which gives back pages of zeros"
	;;
*)
	if [ "$(cat $thp/hpage_pmd_size)" = 2097152 ]; then
		tale
	else
		skip "reclaim on a real service" "needs huge pages of 2 MiB"
	fi
	;;
esac
finish
