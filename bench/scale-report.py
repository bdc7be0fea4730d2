# SPDX-License-Identifier: MIT
"""Makes of what scale.sh has written down one JSON, a table, and what gnuplot draws.

usage: scale-report.py report RAW OUT.json
       scale-report.py data SCALE.json DIRECTORY

RAW has `machine`, NAME=VALUE a line; spawn.AXIS.SIZE[.first].json of spawn.c; cpu.AXIS.CURVE.SIZE, a
sample in microseconds a line; rules.json of plan-scale.sh; `foreign`, RATE WHO NAME=VALUE... a line; and
of perf, profile.NAME and objects.NAME. Nothing is left out or weighted.
"""

import glob
import json
import math
import os
import statistics
import sys

LABELS = {
    "apply": "thpctl apply, nothing to do",
    "verify": "thpctl verify",
    "status": "thpctl status",
    "first": "thpctl apply, no flag set yet",
    "plan": "thpctl plan",
    "quick": "cycle of thpd: all as it was",
    "whole": "cycle of thpd: all looked at",
    "floor": "floor: what it has to read",
    "floor-host": "floor: status of every process",
    "floor-first": "floor: each stopped, let go",
    "floor-opened": "floor: opened, read, closed",
    "floor-kept": "floor: read, kept open",
}
# The floor that stands beside a curve.
FLOORS = {
    "apply": "floor",
    "verify": "floor",
    "status": "floor",
    "plan": "floor",
    "first": "floor-first",
    "quick": "floor-kept",
    "whole": "floor-opened",
}
ITEMS = {"processes": "process", "services": "service", "files": "file", "rules": "rule"}


def quantile(values, q):
    values = sorted(values)
    at = q * (len(values) - 1)
    low = int(at)
    high = min(low + 1, len(values) - 1)
    return values[low] + (at - low) * (values[high] - values[low])


def pairs(words):
    return {name: float(value) for name, _, value in (word.partition("=") for word in words)}


def read_machine(raw):
    with open(os.path.join(raw, "machine")) as file:
        words = (line.strip().partition("=") for line in file)
        return {key: int(value) if value.isdigit() else value for key, _, value in words if key}


def read_points(raw):
    """{axis: {curve: {size: point}}}, in microseconds; the spread is from the tenth to the ninetieth"""
    axes = {}

    def add(axis, curve, size, median, p10, p90, n):
        point = {"size": size, "median_us": median, "p10_us": p10, "p90_us": p90, "n": n}
        axes.setdefault(axis, {}).setdefault(curve, {})[size] = point

    def add_commands(axis, result, curve_of):
        for c in result["commands"]:
            curve, at = curve_of(c["label"])
            if curve:
                add(axis, curve, at, c["median_us"], c["p10_us"], c["p90_us"], result["rounds"])

    def rules(label):
        name, _, count = label.partition("-")
        return ({"rules": "plan", "floor": "floor"}.get(name), int(count) if count.isdigit() else 0)

    for path in glob.glob(os.path.join(raw, "spawn.*.json")):
        _, axis, size = os.path.basename(path).split(".")[:3]
        with open(path) as file:
            add_commands(axis, json.load(file), lambda label: (label, int(size)))
    for path in glob.glob(os.path.join(raw, "cpu.*")):
        _, axis, curve, size = os.path.basename(path).split(".")
        with open(path) as file:
            us = [float(line) for line in file]
        add(axis, curve, int(size), statistics.median(us), quantile(us, 0.1), quantile(us, 0.9), len(us))
    path = os.path.join(raw, "rules.json")
    if os.path.exists(path):
        with open(path) as file:
            add_commands("rules", json.load(file), rules)
    return axes


def fit(points):
    """Least squares through the medians, and the slope on paper with two logarithmic scales: of the whole
    curve, and of its last piece, where what there is without any item weighs least."""
    if len(points) < 2:
        return None
    xs, ys = [p["size"] for p in points], [p["median_us"] for p in points]
    mx, my = statistics.fmean(xs), statistics.fmean(ys)
    sxx = sum((x - mx) ** 2 for x in xs)
    sxy = sum((x - mx) * (y - my) for x, y in zip(xs, ys))
    syy = sum((y - my) ** 2 for y in ys)
    lx, ly = [math.log(x) for x in xs], [math.log(max(y, 0.1)) for y in ys]
    mlx, mly = statistics.fmean(lx), statistics.fmean(ly)
    slope = sum((x - mlx) * (y - mly) for x, y in zip(lx, ly)) / sum((x - mlx) ** 2 for x in lx)
    return {
        "base_us": my - sxy / sxx * mx,
        "per_item_us": sxy / sxx,
        "r2": sxy**2 / (sxx * syy) if syy > 0 else 0.0,
        "log_slope": slope,
        "log_slope_last": (ly[-1] - ly[-2]) / (lx[-1] - lx[-2]),
    }


def make_curves(axes):
    curves = []
    for axis in ITEMS:
        for curve in LABELS:
            sizes = axes.get(axis, {}).get(curve)
            if not sizes:
                continue
            points = [sizes[size] for size in sorted(sizes)]
            floor = FLOORS.get(curve)
            under = axes[axis].get(floor, {})
            for p in points:
                if p["size"] in under:
                    p["to_floor"] = p["median_us"] / max(under[p["size"]]["median_us"], 0.1)
            one = {"axis": axis, "curve": curve, "label": LABELS[curve], "points": points, "fit": fit(points)}
            if under:
                one["floor"] = floor
            curves.append(one)
    return curves


def make_foreign(raw):
    path = os.path.join(raw, "foreign")
    if not os.path.exists(path):
        return []
    out = []
    with open(path) as file:
        for line in file:
            rate, who, *words = line.split()
            f = pairs(words)
            one = {
                "asked": int(rate),
                "who": who,
                "seconds": f["seconds"],
                "right_after_s": f["right_after_s"],
                "writes_per_second": f["writes"] / f["seconds"],
                "cores": f["cpu_ns"] / 1e9 / (f["seconds"] + f["right_after_s"]),
                "wrong": f["wrong"],
                "stood_median_us": f.get("median_us"),
                "stood_most_us": f.get("most_us"),
            }
            if "repairs" in f:
                one["repairs_a_file"] = f["repairs"] / f["files"]
            out.append(one)
    return out


def read_profiles(raw):
    """{name: {"objects": [...], "symbols": [...]}}"""

    def rows(kind, name, columns):
        path = os.path.join(raw, "%s.%s" % (kind, name))
        if not os.path.exists(path):
            return []
        with open(path) as file:
            cells = [line.split(None, columns) for line in file if line.strip()]
        return [dict(zip(("percent", "object", "symbol"), [float(c[0].rstrip("%"))] + [w.strip() for w in c[1:]])) for c in cells]

    names = sorted(path.rsplit(".", 1)[1] for path in glob.glob(os.path.join(raw, "profile.*")))
    return {name: {"objects": rows("objects", name, 1), "symbols": rows("profile", name, 2)} for name in names}


def table(result):
    out = []
    for axis in ITEMS:
        of_axis = [c for c in result["curves"] if c["axis"] == axis]
        if not of_axis:
            continue
        sizes = sorted({p["size"] for c in of_axis for p in c["points"]})
        out.append("\n%-34s" % ("us, by number of " + axis) + "".join("%24d" % size for size in sizes)
                   + "%16s, us   slope (last)" % ("one " + ITEMS[axis]))
        for c in of_axis:
            at = {p["size"]: p for p in c["points"]}
            cells = ["%.0f (%.0f-%.0f)" % tuple(at[s][k] for k in ("median_us", "p10_us", "p90_us")) if s in at else "-" for s in sizes]
            end = "%20.2f   %.2f (%.2f)" % tuple(c["fit"][k] for k in ("per_item_us", "log_slope", "log_slope_last")) if c["fit"] else ""
            out.append("%-34s" % c["label"] + "".join("%24s" % cell for cell in cells) + end)
    if result["foreign"]:
        out.append("\n%-34s%12s%12s%14s%16s%18s%14s%16s" % (
            "foreign writes", "a second", "for, s", "% of a core", "repairs a file", "stood, us: median", "most", "wrong, % of it"))
    for f in result["foreign"]:
        out.append("%-34s%12.0f%12.0f%14.2f%16s%18.0f%14.0f%16.2f" % (
            {"thpd": "thpd", "floor": "floor: seen, read, written"}[f["who"]],
            f["writes_per_second"], f["seconds"], 100 * f["cores"],
            "%.1f" % f["repairs_a_file"] if "repairs_a_file" in f else "-",
            f["stood_median_us"] or 0, f["stood_most_us"] or 0, 100 * f["wrong"]))
        if f["who"] == "thpd":
            out.append("%-34s all right again %.1f s after the last write" % ("", f["right_after_s"]))
    for name, profile in result["profiles"].items():
        out.append("\nmost of %s: %s" % (
            {"quick": "a cycle that finds all as it was", "whole": "a cycle that looks at all",
             "apply": "thpctl apply, nothing to do"}[name],
            ", ".join("%(object)s %(percent).0f %%" % o for o in profile["objects"])))
        out += ["%7.2f %%  %s  %s" % (r["percent"], r["object"], r["symbol"]) for r in profile["symbols"]]
    if not result["profiles"]:
        out.append("\nno profile: perf is not there, or may not be used")
    return "\n".join(out)


def report(raw, path):
    result = {
        "schema": "thpd.bench/1",
        "benchmark": "scale",
        "machine": read_machine(raw),
        "curves": make_curves(read_points(raw)),
        "foreign": make_foreign(raw),
        "profiles": read_profiles(raw),
    }
    with open(path, "w") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
    print(table(result))
    m = result["machine"]
    print("\n%s, %s CPUs, load average %s; Linux %s; thpd %s" % (m["cpu"], m["cpus"], m["load_average"], m["kernel"], m["thpd"]))


def write_data(path, directory):
    with open(path) as file:
        result = json.load(file)

    def write(name, rows):
        with open(os.path.join(directory, name), "w") as out:
            out.writelines("\t".join(str(word) for word in row) + "\n" for row in rows)

    listed = {axis: [] for axis in ITEMS}
    for c in result["curves"]:
        name = "%s.%s" % (c["axis"], c["curve"])
        write(name, [(p["size"], p["median_us"] / 1e3, p["p10_us"] / 1e3, p["p90_us"] / 1e3) for p in c["points"]])
        f = c["fit"]
        slope = "  %s us a %s; %.2f" % (short(f["per_item_us"]), ITEMS[c["axis"]], f["log_slope"]) if f else ""
        listed[c["axis"]].append((name, c["label"] + slope))
    for axis, rows in listed.items():
        write("curves." + axis, rows)
        sizes = [p["size"] for c in result["curves"] if c["axis"] == axis for p in c["points"]]
        if sizes:
            write("range." + axis, [("[%g:%g]" % (min(sizes) / 1.2, max(sizes) * 1.2),)])
    for who in ("thpd", "floor"):
        write("foreign." + who, [
            (f["writes_per_second"], 100 * f["cores"], 100 * f["wrong"]) for f in result["foreign"] if f["who"] == who])
    m = result["machine"]
    write("caption", [
        ("%s, %s CPUs, %.0f GB, load average %s; Linux %s; thpd %s; %s." % (
            m["cpu"], m["cpus"], m["memory_kb"] / 1e6, m["load_average"].split()[0], m["kernel"], m["thpd"], m["date"][:10]),),
        ("Medians, 10th to 90th percentile. Key: cost of one more; slope on this paper (both least squares), 1 is linear.",),
        ("thpd: %.0f s at each rate, and until all is right again; a setting that is fought about rests, twice as long each time." % (
            max((f["seconds"] for f in result["foreign"]), default=0)),),
    ])


def short(us):
    return "%.2f" % us if abs(us) < 1 else "%.1f" % us


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("report", "data"):
        sys.exit(__doc__)
    {"report": report, "data": write_data}[sys.argv[1]](sys.argv[2], sys.argv[3])
