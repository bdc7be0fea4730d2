# SPDX-License-Identifier: MIT
"""Makes of what tale.sh, tale-oom.sh or tale-neighbour.sh has written down one JSON, a table, and verdicts.

usage: tale-report.py tale|oom|neighbour RAW OUT.json
       tale-report.py data TALE.json DIRECTORY     what gnuplot draws

RAW has `machine`, NAME=VALUE a line; `figures`, ROUND CONDITION PHASE NAME=VALUE... a line (of the
neighbour a round is a pair); of the tale also `marks`, ROUND CONDITION PHASE SECONDS, and for each Redis
samples.ROUND.CONDITION, what memlog.c prints. Nothing is left out or weighted: medians are over rounds, ratios are taken within a round first.
"""

import json
import math
import os
import re
import statistics
import sys

CONDITIONS = ("never", "always", "late", "policy")
SLACK = 1.3  # how near to the run that was never damaged is "back"
KEEPS = 0.97  # of its speed, a neighbour


def number(text):
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return text


def pairs(words):
    return {key: number(value) for key, _, value in (word.partition("=") for word in words)}


def lines(raw, name):
    with open(os.path.join(raw, name)) as file:
        return [line.strip() for line in file if line.strip()]


def read_machine(raw):
    words = (line.partition("=") for line in lines(raw, "machine"))
    return {key: int(value) if value.isdigit() else value for key, _, value in words}


def read_figures(raw):
    """{round: {condition: {phase: {name: value}}}}, in the order of the rounds"""
    rounds = {}
    for line in lines(raw, "figures"):
        at, condition, phase, *words = line.split()
        here = rounds.setdefault(int(at), {}).setdefault(condition, {}).setdefault(phase, {})
        here.update(pairs(words))
    return rounds


def read_series(raw, at, condition):
    """One run over time, beginning with its burst: marks, and rows of s and four kB."""
    marks = {}
    for line in lines(raw, "marks"):
        mark_round, name, phase, seconds = line.split()
        if int(mark_round) == at and (name == condition or (name, condition) == ("late", "always")):
            marks[phase if name == condition else "late_" + phase] = float(seconds)
    begin = marks["burst"]
    rows = [[float(word) for word in line.split()] for line in lines(raw, "samples.%d.%s" % (at, condition))]
    return {
        "marks": {name: round(seconds - begin, 2) for name, seconds in marks.items()},
        "rows": [[round(row[0] - begin, 2)] + [int(kb) for kb in row[1:]] for row in rows if len(row) == 5],
    }


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "n": len(values)}


def summary(rounds):
    """Every figure that is a number, over all rounds."""
    found = {}
    for conditions in rounds:
        for condition, phases in conditions["conditions"].items():
            for phase, figures in phases.items():
                for name, value in figures.items():
                    if isinstance(value, (int, float)):
                        found.setdefault("%s.%s.%s" % (condition, phase, name), []).append(value)
    return {name: spread(values) for name, values in found.items()}


def each_ratio(rounds, over, under, phase, name):
    return [r["conditions"][over][phase][name] / r["conditions"][under][phase][name] for r in rounds]


def ratios(rounds, over, under, phase, name):
    return spread(each_ratio(rounds, over, under, phase, name))


def back_after(one):
    """Seconds from the start of thpd until both figures are near those of `policy`, and stay there for as
    long as there are samples; None when they do not."""
    wanted = one["conditions"]["policy"]["settled"]
    series = one["series"]["always"]
    start, since = series["marks"]["late_thpd"], None
    for at, rss, _, charged, _ in series["rows"]:
        if at < start:
            continue
        near = rss <= SLACK * wanted["rss_kb"] and charged <= SLACK * wanted["charged_kb"]
        since = None if not near else at if since is None else since
    return None if since is None else round(since - start, 2)


def target(name, wanted, found, met):
    """met: whether; or a word for why nobody can say"""
    verdict = met if isinstance(met, str) else "met" if met else "MISSED"
    return {"name": name, "wanted": wanted, "found": found, "verdict": verdict}


def gives_zeroes_back(kernel):
    """Whether a huge page that is split leaves its zero-filled pages to the kernel: from Linux 6.12 on."""
    major, minor = re.match(r"(\d+)\.(\d+)", kernel).groups()
    return (int(major), int(minor)) >= (6, 12)


def of(s, form="%.1f"):
    one = form % s["median"]
    return one if s["n"] == 1 else "%s (%s to %s)" % (one, form % s["min"], form % s["max"])


def tale_targets(rounds, machine):
    rss = ratios(rounds, "always", "policy", "settled", "rss_kb")
    charged = ratios(rounds, "always", "policy", "settled", "charged_kb")
    used = ratios(rounds, "always", "policy", "settled", "used_kb")
    back = [r["late_back_seconds"] for r in rounds]
    late = [r["conditions"]["late"] for r in rounds]
    later = max(
        r["conditions"]["late"]["later"][name] / r["conditions"]["policy"]["settled"][name]
        for r in rounds
        for name in ("rss_kb", "charged_kb")
    )
    after = min(r["series"]["always"]["marks"]["late_end"] - r["series"]["always"]["marks"]["late_thpd"] for r in rounds)
    errors = sum(p.get("errors", 0) for r in rounds for c in r["conditions"].values() for p in c.values())
    able = gives_zeroes_back(machine["kernel"])
    unable = "cannot"  # this kernel
    worst = spread([c["reclaim"]["max_us"] / 1000 for c in late])
    own = max(c["reclaim"]["late_max_us"] for c in late) / 1000
    n = len(rounds)
    flagged = [
        sum(1 - r["conditions"][c]["reclaimed" if c == "late" else "settled"]["flag"] for r in rounds) for c in CONDITIONS
    ]
    targets = [
        target(
            "the flag is set: %s" % ", ".join(CONDITIONS),
            "%d, %d, %d, %d times" % (0, 0, n, n),
            "%d, %d, %d, %d" % tuple(flagged),
            flagged == [0, 0, n, n],
        ),
        target("settled RSS, always to policy", ">= 20", of(rss), rss["min"] >= 20),
        target("settled and charged to the unit, always to policy", ">= 20", of(charged), charged["min"] >= 20),
        target("used_memory, always to policy", "0.95 to 1.05", of(used, "%.3f"), 0.95 <= used["min"] <= used["max"] <= 1.05),
        target(
            "started late: both within 1.3 times of policy, after the start of thpd",
            "<= 2 s",
            "not back" if None in back else of(spread(back), "%.2f") + " s",
            (None not in back and max(back) <= 2) if able else unable,
        ),
        target("the same after %.0f s" % after, "<= 1.3", "%.2f" % later, later <= SLACK if able else unable),
        target("no error seen by any client", "0", str(errors), errors == 0),
        target(
            "longest answer while memory is given back",
            "<= 50 ms",
            "%s ms; the client itself was up to %.1f ms late" % (of(worst), own),
            worst["max"] <= 50,
        ),
    ]
    if machine["variant"] == "fast" and all("seconds" in r for r in rounds):
        took = spread([r["seconds"] for r in rounds])
        targets.append(target("a round", "< 90 s", of(took, "%.0f") + " s", took["max"] < 90))
    return targets


ROWS = (
    ("RSS, full queue, MB", "full.rss_kb", 1024, "%.0f"),
    ("RSS after the purge, MB", "purged.rss_kb", 1024, "%.1f"),
    ("charged after the purge, MB", "purged.charged_kb", 1024, "%.1f"),
    ("RSS settled, MB", "settled.rss_kb", 1024, "%.1f"),
    ("of it in huge pages, MB", "settled.huge_kb", 1024, "%.1f"),
    ("charged settled, MB", "settled.charged_kb", 1024, "%.1f"),
    ("used_memory settled, MB", "settled.used_kb", 1024, "%.2f"),
    ("jobs accepted, 1/s", "burst.per_second", 1, "%.0f"),
    ("  p99, ms", "burst.p99_us", 1000, "%.2f"),
    ("  p99.9, ms", "burst.p999_us", 1000, "%.2f"),
    ("jobs taken, 1/s", "drain.per_second", 1, "%.0f"),
    ("  p99.9, ms", "drain.p999_us", 1000, "%.2f"),
    ("BGSAVE: fork, ms", "save.fork_us", 1000, "%.1f"),
    ("  copied on write, MB", "save.cow_kb", 1024, "%.1f"),
    ("  p99.9 meanwhile, ms", "save.p999_us", 1000, "%.2f"),
    ("steady client: p99.9, ms", "settle.p999_us", 1000, "%.2f"),
    ("pointer chase, ns a step", "chase.cpu_ns", 1, "%.0f"),
    ("  fastest tenth", "chase.fast_ns", 1, "%.0f"),
    ("JVM, ns a row", "jvm.cpu_ns", 1, "%.1f"),
    ("  fastest tenth", "jvm.fast_ns", 1, "%.1f"),
)


def cell(found, name, unit, form):
    s = found.get(name)
    if not s:
        return "-"
    return of({key: value if key == "n" else value / unit for key, value in s.items()}, form)


def table(found):
    shown = [c for c in CONDITIONS if c != "late"]
    out = ["%-28s" % "" + "".join(" %30s" % ("host " + c if c != "policy" else "always, with thpd") for c in shown)]
    for label, name, unit, form in ROWS:
        out.append("%-28s" % label + "".join(" %30s" % cell(found, c + "." + name, unit, form) for c in shown))
    for phase, label in (("reclaimed", "5 s after thpd came late"), ("later", "a minute after")):
        out.append(
            "%-28s RSS %s MB, charged %s MB"
            % (label, cell(found, "late.%s.rss_kb" % phase, 1024, "%.1f"), cell(found, "late.%s.charged_kb" % phase, 1024, "%.1f"))
        )
    return "\n".join(out)


def verdicts(targets):
    return "\n".join(
        "%-8s  %s: %s (wanted: %s)" % (t["verdict"], t["name"], t["found"], t["wanted"]) for t in targets
    )


def make_tale(raw):
    rounds = []
    for at, conditions in read_figures(raw).items():
        whole = conditions.pop("-", {}).get("round", {})
        series = {c: read_series(raw, at, c) for c in ("never", "always", "policy")}
        one = {"round": at, **whole, "conditions": conditions, "series": series}
        one["late_back_seconds"] = back_after(one)
        rounds.append(one)
    machine = read_machine(raw)
    return {
        "schema": "thpd.bench/1",
        "benchmark": "tale",
        "machine": machine,
        "targets": tale_targets(rounds, machine),
        "summary": summary(rounds),
        "rounds": rounds,
    }


def make_oom(raw):
    tries = [{"try": at, "conditions": c} for at, c in read_figures(raw).items()]
    killed = {c: sum(t["conditions"][c]["-"]["killed"] for t in tries) for c in ("always", "policy")}
    n = len(tries)
    return {
        "schema": "thpd.bench/1",
        "benchmark": "tale-oom",
        "machine": read_machine(raw),
        "targets": [
            target("killed under always", "%d of %d" % (n, n), "%d of %d" % (killed["always"], n), killed["always"] == n),
            target("killed under policy", "0 of %d" % n, "%d of %d" % (killed["policy"], n), killed["policy"] == 0),
        ],
        "tries": tries,
    }


def likely(values):
    """What the median of all that could be measured is between, 19 times in 20: two of the values, as far
    from the middle as so many throws of a coin come (the sign test); five or fewer tell nothing of that."""
    n, low, tail = len(values), 0, 0.5 ** len(values)
    if n <= 5:
        return -math.inf, math.inf
    while tail < 0.025:
        low += 1
        tail += math.comb(n, low) * 0.5**n
    return sorted(values)[low - 1], sorted(values)[n - low]


def neighbour_targets(rounds):
    flagged = [sum(1 - r["conditions"][c]["settled"]["flag"] for r in rounds) for c in ("always", "policy")]
    targets = [
        target(
            "the flag of Redis is set: without thpd, with it",
            "0, %d times" % len(rounds),
            "%d, %d" % tuple(flagged),
            flagged == [0, len(rounds)],
        )
    ]
    for job, name in (("chase", "pointer chase"), ("jvm", "JVM")):
        for key, what, over, under in (
            ("cpu_ns", "speed, median", "always", "policy"),
            ("fast_ns", "speed, fastest tenth", "always", "policy"),
            ("huge_kb", "memory in huge pages", "policy", "always"),
        ):
            if key not in rounds[0]["conditions"]["always"].get(job, {}):
                continue
            found = each_ratio(rounds, over, under, job, key)
            label = "%s: with thpd to without, %s" % (name, what)
            low, high = likely(found)
            text = "%.3f, with 95 %% %.3f to %.3f; %d pairs (%.2f to %.2f)" % (
                statistics.median(found), low, high, len(found), min(found), max(found))
            verdict = True if low >= KEEPS else False if high < KEEPS else "not told"
            targets.append(target(label, ">= %.2f" % KEEPS, text, verdict))
    return targets


def make_neighbour(raw):
    rounds = [{"round": at, "conditions": c} for at, c in read_figures(raw).items()]
    return {
        "schema": "thpd.bench/1",
        "benchmark": "tale-neighbour",
        "machine": read_machine(raw),
        "targets": neighbour_targets(rounds),
        "summary": summary(rounds),
        "rounds": rounds,
    }


def without_flats(rows):
    """Rows that a line needs: where it bends by more than a 300th of its height, and the ends."""
    highest = max(max(row[1:4]) for row in rows)
    kept = rows[:1]
    for before, row in zip(rows, rows[1:]):
        if max(abs(a - b) for a, b in zip(row[1:4], kept[-1][1:4])) > highest / 300:
            kept += [before, row] if before is not kept[-1] else [row]
    return kept + rows[-1:]


def write_data(path, directory):
    """Text for gnuplot: the memory of one round over time, and the medians."""
    with open(path) as file:
        tale = json.load(file)

    def write(name, rows):
        with open(os.path.join(directory, name), "w") as out:
            out.writelines(" ".join(str(word) for word in row) + "\n" for row in rows)

    first = tale["rounds"][0]
    marks = first["series"]["always"]["marks"]
    for condition, series in first["series"].items():
        rows = series["rows"]
        if condition == "always":
            damaged = sum(row[0] < marks["late_thpd"] for row in rows)
            write("late", without_flats(rows[damaged - 1 :]))
            rows = rows[:damaged]
        write(condition, without_flats(rows))
    write("marks", [("%s=%s" % (name, marks[name]),) for name in sorted(marks)])
    found = tale["summary"]
    for name, key, unit in (
        ("rss", "settled.rss_kb", 1024),
        ("charged", "settled.charged_kb", 1024),
        ("chase", "chase.cpu_ns", 1),
        ("jvm", "jvm.cpu_ns", 1),
        ("burst", "burst.per_second", 1000),
        ("burst999", "burst.p999_us", 1000),
        ("fork", "save.fork_us", 1000),
        ("save999", "save.p999_us", 1000),
    ):
        rows = []
        for at, condition in enumerate(("never", "always", "policy")):
            s = found.get("%s.%s" % (condition, key))
            if s:
                rows.append((at, s["median"] / unit, s["min"] / unit, s["max"] / unit))
        write(name, rows)
    m = tale["machine"]
    where = "%s, %d CPUs, %.0f GB, load average %s; Linux %s; Redis %s; thpd %s; %s." % (
        m["cpu"], m["cpus"], m["memory_kb"] / 1e6, m["load_average"].split()[0], m["kernel"], m["redis"], m["thpd"], m["date"][:10])
    what = "%d jobs, %.1f GB; khugepaged %s; charged: by cgroup version %d; %s." % (
        m["jobs"],
        first["conditions"]["always"]["burst"]["bytes"] / 1e9,
        "sped up" if m["variant"] == "fast" else "as the kernel has it",
        m["cgroup_memory"],
        "1 round" if len(tale["rounds"]) == 1 else "%d rounds, the first over time" % len(tale["rounds"]),
    )
    write("caption", [(where,), (what,)])


def main(args):
    makers = {"tale": make_tale, "oom": make_oom, "neighbour": make_neighbour}
    if len(args) != 3 or args[0] not in (*makers, "data"):
        print(__doc__, file=sys.stderr)
        return 2
    if args[0] == "data":
        write_data(args[1], args[2])
        return 0
    result = makers[args[0]](args[1])
    with open(args[2], "w") as out:
        json.dump(result, out, indent=None if args[0] == "tale" else 1)
        out.write("\n")
    print()
    if args[0] == "tale":
        print(table(result["summary"]))
        print()
    print(verdicts(result["targets"]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
