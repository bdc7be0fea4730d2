# SPDX-License-Identifier: MIT
"""A client of redis that checks what comes back.

usage: redis-jobs.py SOCKET fill MIB          pushes jobs, MIB of them in all
       redis-jobs.py SOCKET drain [EVERY]     takes them, but each EVERYth one (100), and the purge
       redis-jobs.py SOCKET check STOP        pushes, takes and reads until the file STOP exists

A job is a key whose value follows from its number. Prints one line: operations, errors, the worst time
in ms that an answer took, and by how many ms we were late ourselves, at worst, after a sleep: how busy
the machine is. Exit status 1 after errors.
"""

import os
import random
import socket
import sys
import time

BATCH = 500


def value(n):
    """A few hundred bytes to some kB, as allocators meet them."""
    word = b"job %09d " % n
    return word * (10 + n * 7919 % 400)


class Redis:
    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.file = self.sock.makefile("rb", 1 << 20)

    def send(self, *commands):
        out = []
        for command in commands:
            out.append(b"*%d\r\n" % len(command))
            for word in command:
                word = word if isinstance(word, bytes) else str(word).encode()
                out.append(b"$%d\r\n%s\r\n" % (len(word), word))
        self.sock.sendall(b"".join(out))

    def answer(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"$":
            if rest == b"-1":
                return None
            return self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self.answer() for _ in range(int(rest))]
        if kind == b":":
            return int(rest)
        if kind == b"+":
            return rest
        raise RuntimeError("redis answers %r" % line)

    def call(self, *command):
        self.send(command)
        return self.answer()


class Result:
    def __init__(self):
        self.operations = self.errors = 0
        self.worst = self.late = 0.0

    def expect(self, what, got, wanted):
        self.operations += 1
        if got != wanted:
            self.errors += 1
            if self.errors <= 10:
                print("%s: %.80r instead of %.80r" % (what, got, wanted), file=sys.stderr)

    def timed(self, redis, *command):
        begin = time.monotonic()
        got = redis.call(*command)
        self.worst = max(self.worst, time.monotonic() - begin)
        return got

    def sleep(self, seconds):
        begin = time.monotonic()
        time.sleep(seconds)
        self.late = max(self.late, time.monotonic() - begin - seconds)


def batches(redis, res, numbers, command, wanted):
    for at in range(0, len(numbers), BATCH):
        some = numbers[at : at + BATCH]
        redis.send(*[command(n) for n in some])
        for n in some:
            res.expect("job %d" % n, redis.answer(), wanted(n))


def fill(redis, res, mib):
    last, size = 0, 0
    while size < mib << 20:
        size += len(value(last))
        last += 1
    batches(redis, res, range(last), lambda n: ("SET", "job:%d" % n, value(n)), lambda n: b"OK")
    redis.call("SET", "jobs", last)


def drain(redis, res, every):
    last = int(redis.call("GET", "jobs"))
    gone = [n for n in range(last) if n % every]
    batches(redis, res, gone, lambda n: ("GETDEL", "job:%d" % n), value)
    redis.call("SET", "every", every)
    redis.call("MEMORY", "PURGE")


def check(redis, res, stop):
    last, every = int(redis.call("GET", "jobs") or 0), int(redis.call("GET", "every") or 1)
    i = 0
    while not os.path.exists(stop):
        # What was there before.
        if last:
            n = random.randrange(0, last, every)
            res.expect("job %d" % n, res.timed(redis, "GET", "job:%d" % n), value(n))
        # A queue, emptied by a call that waits.
        n = i * 13 % 100000
        res.expect("push", res.timed(redis, "LPUSH", "queue", value(n)), 1)
        res.expect("pop", res.timed(redis, "BRPOP", "queue", 5), [b"queue", value(n)])
        res.expect("set", res.timed(redis, "SET", "last", value(n), "PX", 60000), b"OK")
        res.expect("get", res.timed(redis, "GET", "last"), value(n))
        # One that waits in vain: not shorter than it should.
        if i % 200 == 0:
            begin = time.monotonic()
            res.expect("pop of nothing", redis.call("BRPOP", "queue", 0.02), None)
            if time.monotonic() - begin < 0.019:
                res.expect("time of a pop of nothing", time.monotonic() - begin, 0.02)
        i += 1
        res.sleep(0.001)
    if last:
        left = range(0, last, every)
        batches(redis, res, left, lambda n: ("GET", "job:%d" % n), value)


def main(args):
    redis, res = Redis(args[0]), Result()
    if args[1] == "fill":
        fill(redis, res, int(args[2]))
    elif args[1] == "drain":
        drain(redis, res, int(args[2]) if len(args) > 2 else 100)
    else:
        check(redis, res, args[2])
    print("%d %d %.1f %.1f" % (res.operations, res.errors, res.worst * 1000, res.late * 1000))
    return 1 if res.errors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
