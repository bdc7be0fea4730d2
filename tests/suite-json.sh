#!/bin/sh
# SPDX-License-Identifier: MIT
# Holds what --json prints against src/model/report.schema.json: every verb on every fixture host, faulty
# policies, trouble, and services as the unit tests have them. Needs python3 with jsonschema.
set -u
LC_ALL=C
export LC_ALL

# shellcheck source=tests/lib.sh
. "${srcdir:?}/tests/lib.sh"

schema=$srcdir/src/model/report.schema.json
if ! python3 -c 'import jsonschema' 2>"$tmp/err"; then
	if [ "${CI:-}" = true ]; then
		fail "python3 with jsonschema is there" "$(cat "$tmp/err")"
	else
		skip "the reports keep to their schema" "needs python3 with jsonschema"
	fi
	finish
fi
cd "$tmp" || exit 1
mkdir reports

# report NAME STATUS ARGUMENT...: runs thpctl --json and keeps what it prints
report() {
	report_name=$1
	report_status=$2
	shift 2
	if run "$report_status" timeout 20 "$THPCTL" --json "$@"; then
		cp out "reports/$report_name.json"
	else
		fail "$report_name" "$run_detail"
	fi
}

new_tree() {
	rm -rf tree
	copy_host "$1" tree
	mkdir -p tree/run
}

for dir in "$srcdir"/tests/fixtures/hosts/*/; do
	host=$(basename "$dir")
	new_tree "$host"
	changes=1
	valid=0
	findings=0
	case $host in
	nothp-*)
		changes=0
		findings=1
		;;
	linux-6.18)
		# A file of its role library is broken on purpose.
		valid=1
		;;
	rhel7-* | conflicts-*)
		findings=1
		;;
	esac
	report "$host-check" "$valid" --root tree check
	report "$host-plan" "$changes" --root tree plan
	report "$host-verify" "$changes" --root tree verify
	report "$host-status" 0 --root tree status
	report "$host-doctor" "$findings" --root tree doctor
	# The processes of a tree are nobody's here, and stay as they are.
	rest=0
	case $host in
	*-services) rest=1 ;;
	esac
	report "$host-apply" $rest --root tree apply
	report "$host-apply-again" $rest --root tree apply
	report "$host-status-applied" 0 --root tree status
	report "$host-restore" 0 --root tree restore
	report "$host-restore-again" 0 --root tree restore
done

# What the daemon says of itself.
samples=${builddir:-}/tests/unit/test-daemon
if [ ! -x "$samples" ]; then
	if [ "${CI:-}" = true ]; then
		fail "the daemon's report" "there is no $samples"
	else
		skip "the daemon's report" "needs the unit tests"
	fi
elif run 0 "$samples" json; then
	cp out "reports/daemon.json"
	# status finds it, and the process that has left it; then another one, and then none.
	new_tree debian12-6.1
	mkdir -p tree/run/thpd tree/proc/812
	cp out tree/run/thpd/report.json
	stat='S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0'
	echo "812 (thpd) $stat 4711 0 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0" >tree/proc/812/stat
	printf 'State:\tS (sleeping)\nPPid:\t1\nTracerPid:\t0\nUid:\t0\t0\t0\t0\n' >tree/proc/812/status
	for name in late other gone damaged foreign empty; do
		state=not_running
		case $name in
		late) state=late ;;
		other) echo "812 (thpd) $stat 4712 0 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0" >tree/proc/812/stat ;;
		gone) rm -r tree/proc/812 ;;
		damaged) sed -i 's/"pid": 812/"pid": 1812.5/' tree/run/thpd/report.json ;;
		foreign)
			cp out tree/run/thpd/report.json
			chmod 666 tree/run/thpd/report.json
			;;
		empty)
			chmod 644 tree/run/thpd/report.json
			: >tree/run/thpd/report.json
			;;
		esac
		case $name in
		damaged | foreign | empty) state=unknown ;;
		esac
		cp "reports/daemon.json" out
		report "daemon-$name" 0 --root tree status
		is "status: daemon $name" "$(python3 -c 'import json, sys
print(json.load(open(sys.argv[1]))["daemon"]["state"])' "reports/daemon-$name.json")" $state
		cp "reports/daemon.json" out
	done
else
	fail "the daemon's report" "$run_detail"
fi

# Policies with faults, and trouble.
new_tree linux-6.18
mkdir tree/p
cat >tree/p/bad.conf <<-'END'
	host { enabled = sometimes }
	verify_intervall = 3
END
cat >tree/p/rejected.conf <<-'END'
	host { enabled = sometimes }
END
cat >tree/p/many.conf <<-'END'
	missing = warn
	host {
	    enabled = madvise
	    use_zero_page = 1
	    defrag = never
	    service 'a' { unit = 'a.service'  thp = disable  user = 'x"y' }
	}
	role 'r' {
	    enabled = never
	    anon '64kB' { enabled = always }
	    anon '4096kB' { enabled = always }
	    service 'b"\\c' { unit = 'a.service'  user = 'x"y'  thp = system  apply = start  start = gate  reclaim = yes }
	    service 'd.slice' { thp = inherit  apply = verify  comm = { 'x', 'y' }  exe = '/bin/*' }
	}
END
cat >tree/p/fallback.conf <<-'END'
	host { service 'a.service' { thp = madvise } }
END
cat >tree/p/number.conf <<-'END'
	host { khugepaged { max_ptes_none = 4096 } }
END
for verb in plan apply verify status; do
	report "bad-$verb" 2 --root tree --policy /p/bad.conf "$verb"
	report "no-policy-$verb" 2 --root tree --policy /p/none.conf "$verb"
	report "no-role-$verb" 2 --root tree --role nobody "$verb"
	report "number-$verb" 2 --root tree --policy /p/number.conf --role analytics "$verb"
done
report bad-doctor 1 --root tree --policy /p/bad.conf doctor
report no-policy-doctor 1 --root tree --policy /p/none.conf doctor
report bad-check 1 --root tree check /p/bad.conf
report two-checks 1 --root tree check /p/bad.conf /p/many.conf
report no-policy-check 2 --root tree check /p/none.conf
report many-check 0 --root tree check /p/many.conf
report many-plan 1 --root tree --policy /p/many.conf --role r plan
report many-apply 0 --root tree --policy /p/many.conf --role r apply
report many-status 0 --root tree --policy /p/many.conf --role r status
report many-restore 0 --root tree restore

thp=tree/sys/kernel/mm/transparent_hugepage
report found-again 1 --root tree --policy /p/many.conf --role r plan
echo 'not what a kernel says' >$thp/enabled
report unknown-plan 2 --root tree --policy /p/many.conf --role r plan
report unknown-verify 2 --root tree --policy /p/many.conf --role r verify
report unknown-apply 1 --root tree --policy /p/many.conf --role r apply
report unknown-restore 0 --root tree restore
echo 'always [madvise]' >$thp/enabled
report two-policies 2 --root tree --policy /p/many.conf --policy /p/none.conf plan
printf 'missing = warn\nhost { enabled = never }\n' >tree/p/word.conf
printf 'host { enabled = never }\n' >tree/p/word-error.conf
rm tree/run/credentials/@system/thpd.role
report word-warn 0 --root tree --policy /p/word.conf plan
report word-warn-verify 0 --root tree --policy /p/word.conf verify
report word-warn-apply 0 --root tree --policy /p/word.conf apply
report word-error 2 --root tree --policy /p/word-error.conf plan
report word-error-apply 2 --root tree --policy /p/word-error.conf apply
echo 6.1.0 >tree/proc/sys/kernel/osrelease
report fallback-plan 2 --root tree --policy /p/fallback.conf plan
: >tree/proc/sys/kernel/osrelease
: >tree/proc/sys/kernel/hostname
report no-names 0 --root tree --policy /p/word.conf status
rm -rf tree/etc/thpd tree/usr/lib/thpd
report empty-plan 2 --root tree plan
report empty-check 2 --root tree check
report empty-doctor 1 --root tree doctor

# A unit with a process.
group=tree/sys/fs/cgroup/system.slice/a.service
mkdir -p $group tree/proc/4194401
echo memory >tree/sys/fs/cgroup/cgroup.controllers
: >tree/sys/fs/cgroup/cgroup.procs
echo 4194401 >$group/cgroup.procs
echo '4194401 (a "b\) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0' \
	>tree/proc/4194401/stat
printf 'State:\tS (sleeping)\nPPid:\t1\nTracerPid:\t0\nUid:\t0\t0\t0\t0\nTHP_enabled:\t1\n' \
	>tree/proc/4194401/status
printf "host { service 'a.service' { thp = disable } }\n" >tree/p/service.conf
echo 6.18.0 >tree/proc/sys/kernel/osrelease
for verb in plan verify; do
	report "tree-service-$verb" 1 --root tree --policy /p/service.conf $verb
	is "its process is in the report of $verb" "$(grep -c '"pid": 4194401,' "reports/tree-service-$verb.json")" 1
done
report tree-service-status 0 --root tree --policy /p/service.conf status
report tree-service-none 0 --root tree --policy /p/service.conf status --unit 'b*'
echo '{ damaged' >tree/run/thpd/original.json

# The running host: what it holds is unknown here, the form is not.
printf 'host { enabled = madvise }\n' >live.conf
for verb in plan verify doctor; do
	run 0 timeout 20 "$THPCTL" --json --policy live.conf "$verb" || true
	cp out "reports/live-$verb.json"
done
report live-status 0 --policy live.conf status

# Services with processes in every state, which no tree has.
samples=${builddir:-}/tests/unit/test-report-services
for verb in plan apply verify status restore reclaim; do
	if [ ! -x "$samples" ]; then
		if [ "${CI:-}" = true ]; then
			fail "services: $verb" "there is no $samples"
		else
			skip "services: $verb" "needs the unit tests"
		fi
	elif run 0 "$samples" $verb; then
		cp out "reports/services-$verb.json"
	else
		fail "services: $verb" "$run_detail"
	fi
done

# judge PROGRAM FILE...: a line of "ok NAME" or "bad NAME: why" for each
cat >judge.py <<'END'
import copy, glob, json, os, sys
import jsonschema

schema = json.load(open(sys.argv[1]))
jsonschema.Draft7Validator.check_schema(schema)
validator = jsonschema.Draft7Validator(schema)


def say(name, problems):
    print(("bad %s: %s" % (name, " | ".join(problems)[:600])) if problems else "ok " + name)


def unique(pairs):
    if len(set(k for k, v in pairs)) != len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def walk(node, path=""):
    """Every object of the schema is closed and described."""
    if isinstance(node, list):
        for i, n in enumerate(node):
            yield from walk(n, "%s/%d" % (path, i))
    if not isinstance(node, dict):
        return
    if node.get("type") == "object" and "additionalProperties" not in node:
        yield path + " is open"
    for name, sub in node.get("properties", {}).items() if node.get("type") == "object" else ():
        if "description" not in sub and "$ref" not in sub:
            yield "%s/%s has no description" % (path, name)
    for k, n in node.items():
        if k not in ("enum", "const", "required"):
            yield from walk(n, path + "/" + k)


say("the schema is closed and described", list(walk(schema)))

def processes(report):
    for u in report.get("units", []) + [u for s in report.get("services", []) for u in s["units"]]:
        yield from u["processes"]


def tally(things):
    counted = {}
    for t in things:
        counted[t["outcome"]] = counted.get(t["outcome"], 0) + 1
    return counted


reports = {}
for path in sorted(glob.glob("reports/*.json")):
    name = os.path.basename(path)[:-5]
    text = open(path, encoding="utf-8").read()
    try:
        report = json.loads(text, object_pairs_hook=unique)
    except ValueError as e:
        say(name, [str(e)])
        continue
    problems = ["%s: %s" % ("/".join(map(str, e.absolute_path)), e.message)
                for e in validator.iter_errors(report)]
    if not text.endswith("}\n"):
        problems.append("does not end with a newline")
    if "counts" in report:
        counts = report["counts"]
        # What --unit leaves out counts, too.
        if counts["settings"] != tally(report["settings"]) or \
                (counts["processes"] != tally(processes(report))) != (name == "tree-service-none"):
            problems.append("counts are wrong")
    for s in report.get("services", ()):
        if name != "tree-service-none" and s["matched"] != sum(len(u["processes"]) for u in s["units"]):
            problems.append("%s has not the processes that it matches" % s["rule"])
    if report["exit_status"] == 2 and not any(f["severity"] == "error" for f in report["findings"]) \
            and not any(s["outcome"] == "unknown" for s in report.get("settings", ())) \
            and not any(p["outcome"] == "unknown" for p in processes(report)):
        problems.append("trouble, but nothing says why")
    say(name, problems)
    reports[name] = report

# What the reports are about has to occur in them, or all of this would prove little.
services = any(n.startswith("services-") for n in reports)
seen = {k: set() for k in ("outcome", "source", "severity", "mode", "verb", "exit_status", "flag",
                           "process outcome", "service outcome")}
for r in reports.values():
    seen["verb"].add(r["verb"])
    seen["exit_status"].add(r["exit_status"])
    seen["source"].add(r.get("role", {}).get("source"))
    seen["severity"].update(f["severity"] for f in r["findings"])
    seen["outcome"].update(s["outcome"] for s in r.get("settings", ()))
    seen["mode"].update(s["mode"] for s in r.get("services", ()))
    seen["service outcome"].update(s["outcome"] for s in r.get("services", ()))
    for p in processes(r):
        seen["process outcome"].add(p["outcome"])
        seen["flag"].update((p["wanted"], p["found"], p["now"]))
optional = ["overrides", "loses_to", "note", "now", "errno", "pattern", "role_library", "status"]
daemon = reports.get("daemon")
if daemon:
    optional += ["pid", "fault"]
if services:
    optional += ["units", "carried", "reclaim"]
for what, wanted in (
        ("verb", {"check", "plan", "apply", "verify", "status", "restore", "doctor"}),
        ("verb about services", {"reclaim"} if services else set()),
        ("flag", {"clear", "disable", "except_advised", None} if services else set()),
        ("process outcome", {"ok", "changed", "drifted", "denied", "gone"} if services else set()),
        ("service outcome", {"no_target"} | ({"ok", "drifted", "denied"} if services else set())),
        ("exit_status", {0, 1, 2}),
        ("source", {"none", "option", "kernel_command_line", "credential", "file", "host_role",
                    "hosts"}),
        ("severity", {"error", "warning", "note"}),
        ("outcome", {"ok", "changed", "drifted", "absent", "rejected", "unknown"}),
        ("mode", {"disable", "madvise", "system", "inherit"})):
    missing = wanted - seen[what.split(" about ")[0]]
    say("the reports have every %s" % what, ["no " + str(m) for m in missing])
say("the reports have optional members",
    ["no " + k for k in optional if '"%s":' % k not in json.dumps(list(reports.values()))])

# A report that is not one must not pass.
base = reports.get("many-plan")
applied = reports.get("many-apply")
status = reports.get("many-status")
byhosts = reports.get("rhel7-3.10-plan")
found = reports.get("bad-check")


def mutant(name, report, change):
    if report is None:
        return say("mutant: " + name, ["there is no report to begin with"])
    m = copy.deepcopy(report)
    change(m)
    say("mutant: " + name, [] if m != report and list(validator.iter_errors(m)) else ["it passes"])


def put(*path):
    def change(m):
        for p in path[:-2]:
            m = m[p]
        m[path[-2]] = path[-1]
    return change


def drop(*path):
    def change(m):
        for p in path[:-1]:
            m = m[p]
        del m[path[-1]]
    return change


mutant("a key more at the top", base, put("colour", "blue"))
mutant("a key more in host", base, put("host", "arch", "x"))
mutant("a key more in role", base, put("role", "why", "x"))
mutant("a key more in a setting", base, put("settings", 0, "was", "x"))
mutant("a key more in overrides", base, put("settings", 0, "overrides", "x", 1))
mutant("a key more in a service", base, put("services", 0, "pid", 1))
mutant("a key more in status", status, put("status", "swap_kb", 1))
mutant("a key more in a finding", found, put("findings", 0, "column", 1))
mutant("another outcome", base, put("settings", 0, "outcome", "fine"))
mutant("another outcome of a service", base, put("services", 0, "outcome", "OK"))
mutant("another outcome counted", base, put("counts", "settings", "fine", 1))
mutant("an outcome counted none times", base, put("counts", "settings", "failed", 0))
mutant("counts of something else", base, put("counts", "units", {}))
mutant("counts without processes", base, drop("counts", "processes"))
mutant("another severity", found, put("findings", 0, "severity", "fatal"))
mutant("another source", byhosts, put("role", "source", "dns"))
mutant("another mode", base, put("services", 0, "mode", "never"))
mutant("another thp", base, put("services", 0, "thp", ""))
mutant("another start", base, put("services", 0, "start", "later"))
mutant("another verb", base, put("verb", "exec"))
mutant("another schema", base, put("schema", "thpd.report/2"))
mutant("another exit status", base, put("exit_status", 3))
mutant("an exit status as text", base, put("exit_status", "1"))
mutant("a result of two lines", base, put("result", "a\nb"))
mutant("a number for a value", base, put("settings", 0, "wanted", 1))
mutant("a key outside the directory", base, put("settings", 0, "key", "/etc/passwd"))
mutant("line 0", base, put("settings", 0, "line", 0))
mutant("a file without a line", base, drop("settings", 0, "line"))
mutant("a changed setting without what it is now", applied,
       lambda m: [s.pop("now", None) for s in m["settings"]])
mutant("a drifted setting without what was found", base, put("settings", 0, "found", None))
mutant("a gauge below 0", status, put("status", "mem_total_kb", -1))
mutant("a role without a source", base, drop("role", "source"))
mutant("hosts without the pattern", byhosts, drop("role", "pattern"))
mutant("an option with a file", base, put("role", "file", "/etc/thpd/role"))
mutant("no settings", base, drop("settings"))
mutant("no role", base, drop("role"))
mutant("no host", base, drop("host"))
mutant("no findings", base, drop("findings"))
mutant("no status", status, drop("status"))
mutant("settings in a check", found, put("settings", []))
mutant("a rule that matches nothing and is ok", base, put("services", 0, "outcome", "ok"))
mutant("a rule without units", base, drop("services", 0, "units"))
mutant("a rule that matched fewer than none", base, put("services", 0, "matched", -1))
mutant("flags in a plan", base, put("carried", []))
mutant("units without rules in a plan", base, put("units", []))
mutant("memory given back in a plan", base, put("reclaim", {}))
mutant("a status without the daemon", status, drop("daemon"))
mutant("the daemon in a plan", base, put("daemon", {"state": "not_running"}))
if daemon:
    mutant("a key more in the daemon", daemon, put("daemon", "mood", "fine"))
    mutant("a key more in its parts", daemon, put("daemon", "parts", "gate", "ok"))
    mutant("another state of a part", daemon, put("daemon", "parts", "bus", "gone"))
    mutant("another state of the daemon", daemon, put("daemon", "state", "dead"))
    mutant("a daemon that runs and says nothing", daemon, put("daemon", {"state": "running"}))
    mutant("a daemon without a count", daemon, drop("daemon", "cycles"))
    mutant("a count below 0", daemon, put("daemon", "reloads", -1))
    mutant("a time that is never and not null", daemon, put("daemon", "policy_us", 0))
    mutant("a fault of a daemon that is trusted", daemon, put("daemon", "fault", "x"))
    mutant("a daemon not known without a fault", reports["daemon-damaged"], drop("daemon", "fault"))
    mutant("a daemon that is not trusted, and quoted", reports["daemon-late"],
           lambda m: m["daemon"].update(state="unknown", fault="x"))
if services:
    plan = reports["services-plan"]
    back = reports["services-reclaim"]
    glance = reports["services-status"]
    unit = ("services", 1, "units", 0)
    process = unit + ("processes", 0)
    mutant("a key more in a unit", plan, put(*unit, "name", "x"))
    mutant("a key more in a process", plan, put(*process, "threads", 1))
    mutant("a unit without processes", plan, put(*unit, "processes", []))
    mutant("a unit without what it is charged with", plan, drop(*unit, "current_kb"))
    mutant("less than nothing hidden", plan, put(*unit, "hidden_kb", -1))
    mutant("another flag", plan, put(*process, "found", "madvise"))
    mutant("a flag as a number", plan, put(*process, "wanted", 1))
    mutant("another outcome of a process", plan, put(*process, "outcome", "fine"))
    mutant("a process without its start", plan, drop(*process, "start"))
    mutant("process 0", plan, put(*process, "pid", 0))
    mutant("a size with a unit", plan, put(*process, "rss_kb", "12 MiB"))
    mutant("a changed process without what it is now", reports["services-restore"],
           put("units", 0, "processes", 0, "now", None))
    mutant("a service with processes that has no target", plan,
           put("services", 1, "outcome", "no_target"))
    mutant("a carried flag without the process it is from", glance, drop("carried", 0, "from"))
    mutant("a key more in who it is from", glance, put("carried", 0, "from", "exe", "x"))
    mutant("a key more in reclaim", back, put("reclaim", "rate", 1))
    mutant("a key more in a process of reclaim", back, put("reclaim", "processes", 0, "exe", "x"))
    mutant("a key more in a unit of reclaim", back, put("reclaim", "units", 0, "rss_kb", 1))
    mutant("a key more in the sums", back, put("reclaim", "total", "pids", 1))
    mutant("sums without what came back", back, drop("reclaim", "total", "given_back_kb"))
    mutant("another way with zeros", back, put("reclaim", "pages_mode", "fine"))
    mutant("no reclaim", back, drop("reclaim"))
    mutant("settings in a reclaim", back, put("settings", []))
mutant("a list for the object", {"x": 1}, lambda m: m.clear())
END
if ! python3 judge.py "$schema" >verdicts 2>err; then
	fail "the judge came to an end" "$(tail -n 5 err)"
fi
while read -r verdict name; do
	case $verdict in
	ok)
		pass "$name"
		;;
	*)
		fail "${name%%: *}" "$name"
		;;
	esac
done <verdicts

# Trouble is said in JSON, too.
run 2 "$THPCTL" --json --root tree --policy /p/word.conf status
is "damaged state is trouble" "$run_status" 2
check "and says so in a valid report" python3 -c '
import json, jsonschema, sys
report = json.load(open(sys.argv[1]))
jsonschema.validate(report, json.load(open(sys.argv[2])))
assert report["exit_status"] == 2 and "original.json" in report["findings"][0]["message"]
' out "$srcdir/src/model/report.schema.json"
mkdir -p latin1/conf.d
printf 'host { enabled = madvise }\n' >"latin1/conf.d/$(printf 'gr\374n').conf"
run 0 "$THPCTL" --json --policy latin1 check
is "a file name that is no UTF-8 is no trouble" "$run_status" 0
is "and is said as well as can be" "$(python3 -c '
import json, sys
print(json.load(open(sys.argv[1], encoding="utf-8"))["policy_files"])' out)" "['latin1/conf.d/gr?n.conf']"
run 0 "$THPCTL" --json --help
is "--help stays text" "$(head -c 6 out)" "Usage:"

finish
