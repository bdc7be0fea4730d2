# SPDX-License-Identifier: MIT
"""On what machine a benchmark was run: the same words in the JSON of all of them.

usage: machine.py                                      NAME=VALUE a line
       machine.py BENCHMARK OUT.json... -- COMMAND...  runs it, and says it in what it has left

The load average is that of before. Environment: srcdir; builddir, where thpd is built.
"""

import json
import os
import subprocess
import sys
import time


def said(*command):
    """The first line that it says; nothing where there is no such program."""
    try:
        out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    except OSError:
        return ""
    return out.strip().partition("\n")[0]


def field(path, name):
    with open(path) as file:
        return next((line.partition(":")[2].strip() for line in file if line.startswith(name)), "")


def machine():
    found = {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "cpu": field("/proc/cpuinfo", "model name"),
        "cpus": os.cpu_count(),
        "memory_kb": int(field("/proc/meminfo", "MemTotal:").split()[0]),
        "kernel": os.uname().release,
        "arch": os.uname().machine,
        "load_average": "%.2f %.2f %.2f" % os.getloadavg(),
        "thpd": said(os.path.join(os.environ.get("builddir", "."), "thpctl"), "--version").rpartition(" ")[2],
    }
    commit = said("git", "-C", os.environ.get("srcdir", "."), "describe", "--always", "--dirty")
    return {**found, "commit": commit} if commit else found


def run(benchmark, outs, command):
    here = machine()
    # Of an earlier run.
    for path in outs:
        if os.path.exists(path):
            os.unlink(path)
    status = subprocess.call(command)
    for path in outs:
        if not os.path.exists(path):
            print("%s: no figures: there is no %s" % (benchmark, path), file=sys.stderr)
            return status or 1
        with open(path) as file:
            result = json.load(file)
        result.update({"schema": "thpd.bench/1", "benchmark": benchmark, "machine": here})
        with open(path, "w") as file:
            json.dump(result, file, indent=2)
            file.write("\n")
    return status


def main(args):
    if not args:
        for name, value in machine().items():
            print("%s=%s" % (name, value))
        return 0
    if "--" not in args[2:-1]:
        print(__doc__, file=sys.stderr)
        return 2
    at = args.index("--")
    return run(args[0], args[1:at], args[at + 1 :])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
