# SPDX-License-Identifier: MIT
"""Times thpd and others that set transparent_hugepage/enabled and defrag, below systemd.

usage: peers.py ROUNDS OUT.json
       peers.py data PEERS.json DRIFT.json DIRECTORY     what gnuplot draws

Every round has every peer once. Before each, both files are written to be `madvise` with nobody there
who would mind; timed is from before the command is started until both say `never`, which is looked at
without a pause. What stays in memory is the PSS of all processes of the peer's units, at the end of its
last round. A foreign write is one of `always` to `enabled` or `defrag`, by this program; it stands from
before its write(2) until the file is seen to say `never` again.
"""

import json
import os
import statistics
import subprocess
import sys
import time

THP = "/sys/kernel/mm/transparent_hugepage/"
FILES = [THP + "enabled", THP + "defrag"]
# Into each file; the eighth within a minute would be a fight to thpd, which then takes its time.
WRITES = 6
NEVER = 5.0

PEERS = {
    "sh": {"start": ["sh", "-c", "echo never >%s; echo never >%s" % tuple(FILES)]},
    "tmpfiles": {"start": ["systemd-tmpfiles", "--create", "/t/peers.tmpfiles"]},
    "tuned": {"start": ["systemctl", "start", "tuned"], "units": ["tuned"]},
    "thpctl apply": {"start": ["thpctl", "--quiet", "apply"]},
    "thpd": {"start": ["systemctl", "start", "thpd"], "units": ["thpd", "thpd-helper", "thpd-starts"]},
}


def selected(path):
    with open(path) as file:
        return file.read().split("[")[1].split("]")[0]


def put(path, word):
    with open(path, "w") as file:
        file.write(word)


def wait_for(word, since, limit, paths):
    """Seconds since then until the files say it; None: not within the limit."""
    while time.perf_counter() - since < limit:
        if all(selected(path) == word for path in paths):
            return time.perf_counter() - since
    return None


def run(*command):
    # That sockets stay is said at each stop.
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def set_once(peer):
    for path in FILES:
        put(path, "madvise")
    since = time.perf_counter()
    process = subprocess.Popen(peer["start"], stdout=subprocess.DEVNULL)
    took = wait_for("never", since, 60, FILES)
    if process.wait() != 0 or took is None:
        raise SystemExit("%s: exit status %d, files %s" % (
            " ".join(peer["start"]), process.returncode, [selected(path) for path in FILES]))
    return took * 1e3


def pids(units):
    found = []
    for unit in units:
        try:
            with open("/sys/fs/cgroup/system.slice/%s.service/cgroup.procs" % unit) as file:
                found += [int(line) for line in file]
        except FileNotFoundError:
            pass
    return found


def pss_kb(units):
    total = 0
    for pid in pids(units):
        with open("/proc/%d/smaps_rollup" % pid) as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return total


def repairs(writes):
    """How long each foreign write stood, in microseconds, by file; None for one that stood to the end."""
    times = {os.path.basename(path): [] for path in FILES}
    for _ in range(writes):
        for path in FILES:
            with open(path, "wb", buffering=0) as file:
                since = time.perf_counter()
                file.write(b"always")
                took = wait_for("never", since, NEVER, [path])
            times[os.path.basename(path)].append(took and took * 1e6)
            if took is None:
                put(path, "never")
            time.sleep(0.2)
    return times


def main_pid(unit):
    return int(subprocess.check_output(["systemctl", "show", "--value", "-p", "MainPID", unit]))


def has_flag(unit):
    with open("/proc/%d/status" % main_pid(unit)) as file:
        return "THP_enabled:\t0" in file.read()


def starts(unit, rounds):
    """How long `systemctl start` takes, in milliseconds, and how many had the flag when it was done."""
    times, flags = [], 0
    for _ in range(rounds):
        since = time.perf_counter()
        run("systemctl", "start", unit)
        times.append((time.perf_counter() - since) * 1e3)
        flags += has_flag(unit)
        run("systemctl", "stop", unit)
    return times, flags


def undone(unit):
    """What becomes of the flag of a process that clears it itself, after two seconds."""
    run("systemctl", "start", unit)
    time.sleep(1.5)
    os.kill(main_pid(unit), 12)  # SIGUSR2: tests/helpers/asker clears it
    time.sleep(2)
    flag = has_flag(unit)
    run("systemctl", "stop", unit)
    return flag


def spread(values):
    values = sorted(values)
    return {"median": statistics.median(values), "least": values[0], "most": values[-1], "n": len(values)}


def main(rounds, out):
    times = {name: [] for name in PEERS}
    rest = {}
    for at in range(rounds):
        for name, peer in PEERS.items():
            times[name].append(set_once(peer))
            if at == rounds - 1:
                time.sleep(2)
                stood = repairs(WRITES if name == "thpd" else 1)
                rest[name] = {"pss_kb": pss_kb(peer.get("units", [])), "repairs_us": stood}
            if "units" in peer:
                run("systemctl", "stop", *peer["units"])
    services = {}
    for kind, daemon in (("native", False), ("watch", True), ("gate", True)):
        if daemon:
            run("systemctl", "start", "thpd")
            time.sleep(2)
        took, flags = starts("peer-%s.service" % kind, rounds)
        services[kind] = {"start_ms": spread(took), "flags": flags,
                          "again_after_cleared": undone("peer-%s.service" % kind)}
        if daemon:
            run("systemctl", "stop", *PEERS["thpd"]["units"])
    result = {"schema": "thpd.bench/1",
              "systemd": subprocess.check_output(["systemctl", "--version"], text=True).split()[1],
              "tuned": subprocess.check_output(["tuned-adm", "--version"], text=True).split()[-1],
              "rounds": rounds,
              "peers": {name: {"set_ms": spread(times[name]), **rest[name]} for name in PEERS},
              "services": services}
    with open(out, "w") as file:
        json.dump(result, file, indent=2)
        file.write("\n")
    show(result)


def show(result):
    print("systemd %(systemd)s, tuned %(tuned)s, %(rounds)d rounds; a foreign write stands, us" % result)
    print("%-14s %22s %10s %22s %22s" % ("", "files right, ms", "PSS, kB", *map(os.path.basename, FILES)))
    for name, peer in result["peers"].items():
        print("%-14s %8.1f (%.1f to %.1f) %10s %22s %22s" % (
            name, peer["set_ms"]["median"], peer["set_ms"]["least"], peer["set_ms"]["most"],
            peer["pss_kb"] or "-",
            *("for ever (%g s)" % NEVER if None in us else "%.0f (%.0f to %.0f)" % (statistics.median(us), min(us), max(us))
              for us in peer["repairs_us"].values())))
    print("%-14s %22s %10s %26s" % ("a service by", "systemctl start, ms", "flag", "cleared: set again"))
    for kind, service in result["services"].items():
        print("%-14s %8.1f (%.1f to %.1f) %5d/%-4d %26s" % (
            {"native": "MemoryTHP="}.get(kind, "thpd, " + kind), service["start_ms"]["median"],
            service["start_ms"]["least"], service["start_ms"]["most"], service["flags"],
            service["start_ms"]["n"], "yes" if service["again_after_cleared"] else "no"))


LABELS = {"sh": "sh, two echos", "tmpfiles": "systemd-tmpfiles", "tuned": "tuned", "thpctl apply": "thpctl apply alone"}


def write_data(peers_path, drift_path, directory):
    """A line: name, median, least, most in microseconds; nothing behind the name: never."""
    with open(peers_path) as file:
        result = json.load(file)
    rows = []
    for name, peer in result["peers"].items():
        if any(None in us for us in peer["repairs_us"].values()):
            rows.append((LABELS.get(name, name),))
            continue
        for key, us in peer["repairs_us"].items():
            rows.append(("%s, %s" % (name, key), statistics.median(us), min(us), max(us)))
    drift = "no figures of bench-drift"
    m = result["machine"]
    if os.path.exists(drift_path):
        with open(drift_path) as file:
            found = json.load(file)
        for key in ("cpu", "cpus", "memory_kb", "kernel"):
            if found["machine"][key] != m[key]:
                raise SystemExit("%s and %s are not of one machine: %s %s, %s" % (
                    peers_path, drift_path, key, m[key], found["machine"][key]))
        rows.append(("thpd's repair thread alone", found["median_us"], found["median_us"], found["p99_us"]))
        rows.append(("floor: poll, read, write", found["floor_median_us"], found["floor_median_us"], found["floor_p99_us"]))
        drift = "the lowest two: bench-drift, %d files, %d writes each, to the 99th percentile" % (len(found["files"]), found["rounds"])
    lines = {"peers": ["\t".join(str(word) for word in row) for row in rows], "caption": [
        "%s, %s CPUs, load average %s; Linux %s; systemd %s; tuned %s; thpd %s; %s." % (
            m["cpu"], m["cpus"], m["load_average"].split()[0], m["kernel"], result["systemd"], result["tuned"], m["thpd"], m["date"][:10]),
        "Bar: median; line: least to most of %d writes, just below what thpd takes for a fight; never: for %g s; %s." % (WRITES, NEVER, drift)]}
    for name, text in lines.items():
        with open(os.path.join(directory, name), "w") as file:
            file.writelines(line + "\n" for line in text)


if sys.argv[1] == "data":
    write_data(*sys.argv[2:])
else:
    main(int(sys.argv[1]), sys.argv[2])
