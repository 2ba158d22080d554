#!/usr/bin/env python3
"""
Everything at once for a long time: steady queries (blocked, cached, never asked before), reloads, lists that change or break, TCP clients that
come and go or misbehave, API requests, rules, groups and clients that are made and taken back, an upstream that fails now and then, packets of rubbish. Memory, descriptors and latency are sampled.
Ends with status 1 if something grows, if queries are lost, or if the process goes beyond what `sinkhole config --limits` says.

    tests/soak/soak.py [TIME] [--rate N]         TIME: 1800, 30m, 2h

Programs: $SINKHOLE_BIN, and bench/load beside it (make soak builds them).
"""

import argparse
import json
import os
import pathlib
import random
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from lib import ListServer, Sinkhole, Upstream, cli, free_port, make_query  # noqa: E402
from lib.daemon import BINARY  # noqa: E402

LOAD = pathlib.Path(BINARY).resolve().parent / "bench/load"
SLICE = 10  # seconds between two samples
GROWTH = 1.05  # of memory, from the second quarter to the last one, beside GROWTH_KIB
GROWTH_KIB = 2048
LOST_MAX = 1e-4
LATENCY_FACTOR = 3  # of p99, against that of a server which only reflects, measured at the same time
LATENCY_FLOOR_US = 5000  # below this nothing is said


class Soak:
    def __init__(self, seconds, rate):
        self.seconds, self.rate = seconds, rate
        self.stopped, self.errors, self.counts, self.lock = threading.Event(), [], {}, threading.Lock()
        self.random = random.Random(6)
        self.version = 0

    def count(self, what, n=1):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + n

    # ---- what goes on beside the queries ----

    def list_text(self):
        self.version += 1
        r = random.Random(self.version)
        return "".join(f"ads{i}.blocked.example\n" for i in range(20000)) + "".join(f"v{self.version}-{r.getrandbits(40):x}.changing.example\n" for _ in range(5000))

    def change_lists(self):
        """Mostly a new version; else what a broken server sends. The last good one must stay."""
        kind = self.version % 5
        if kind < 3:
            self.lists.put("/main.txt", self.list_text())
        elif kind == 3:
            self.version += 1
            self.lists.put("/main.txt", "<html><body>Not today</body></html>", type="text/html")
        else:
            self.version += 1
            self.lists.put("/main.txt", self.list_text(), cut=True)
        self.daemon.reload()
        self.count("reloads with another list")

    def reload(self):
        self.daemon.reload()
        self.count("reloads")

    def churn_tcp(self):
        for _ in range(20):
            try:
                with socket.create_connection(("127.0.0.1", self.daemon.port), timeout=2) as c:
                    how = self.random.randrange(5)
                    packet = make_query(f"tcp{self.random.getrandbits(20)}.fast.example", "A").pack()
                    if how == 0:
                        c.sendall(struct.pack("!H", len(packet)) + packet)
                        c.recv(4096)
                    elif how == 1:
                        c.sendall(b"\xff\xff" + packet)
                    elif how == 2:
                        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    elif how == 3:
                        c.sendall((struct.pack("!H", len(packet)) + packet) * 20)
                    else:
                        c.sendall(b"\0")
                self.count("TCP connections")
            except OSError:
                self.count("TCP connections refused")

    def hold_tcp(self):
        """A crowd that says nothing."""
        self.idle = [c for c in getattr(self, "idle", [])[-30:]]
        for _ in range(10):
            try:
                self.idle.append(socket.create_connection(("127.0.0.1", self.daemon.port), timeout=2))
            except OSError:
                pass
        self.count("idle TCP connections", 10)

    def poll_api(self):
        for path in ("/api/stats/summary", "/api/queries?length=100", "/api/stats/top_domains", "/api/history", "/api/info/system", "/api/lists",
                     f"/api/queries?disk=true&from={int(time.time()) - 600}&until={int(time.time())}&length=50",
                     f"/api/history/database?from={int(time.time()) - 3600}&until={int(time.time())}"):
            reply = self.daemon.api.get(path)
            if reply.status != 200:
                self.errors.append(f"{path}: {reply.status}")
        self.count("API requests", 8)

    def edit_rules(self):
        """A person at the page: a rule, a regular expression, a group with a client, and all of it taken back."""
        api, n = self.daemon.api, self.random.getrandbits(30)
        steps = [("POST", "/api/domains/deny/exact", {"domain": f"mine{n}.example"}), ("POST", "/api/domains/deny/regex", {"domain": f"^r{n}[0-9]+\\.example$"}),
                 ("POST", "/api/groups", {"name": f"g{n}"}), ("POST", "/api/clients", {"client": f"127.1.{n % 250}.{n // 250 % 250}", "groups": [0]}),
                 ("DELETE", f"/api/clients/127.1.{n % 250}.{n // 250 % 250}", None), ("DELETE", f"/api/groups/g{n}", None),
                 ("DELETE", f"/api/domains/deny/regex/{urllib.parse.quote(f'^r{n}[0-9]+' + chr(92) + '.example$', safe='')}", None),
                 ("DELETE", f"/api/domains/deny/exact/mine{n}.example", None)]
        for method, path, body in steps:
            reply = api.call(method, path, body)
            if reply.status not in (200, 201, 204):
                self.errors.append(f"{method} {path}: {reply}")
        self.count("changes of rules, groups and clients", len(steps))

    def break_upstream(self):
        """The faulty one of two changes what it does."""
        self.faulty.silent = self.random.random() < 0.3
        self.faulty.rcode = self.random.choice((None, None, "SERVFAIL", "REFUSED"))
        self.faulty.delay = self.random.choice((0.0, 0.0, 0.2))
        self.faulty.queries.clear()
        self.count("changes of the faulty upstream")

    def send_rubbish(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
            for _ in range(200):
                u.sendto(self.random.randbytes(self.random.randrange(1, 400)), ("127.0.0.1", self.daemon.port))
        self.count("packets of rubbish", 200)

    def every(self, period, f):
        def loop():
            while not self.stopped.wait(period):
                try:
                    f()
                except Exception as e:  # noqa: BLE001: whatever goes wrong is a finding
                    if not self.stopped.is_set():
                        self.errors.append(f"{f.__name__}: {e!r}")
        t = threading.Thread(target=loop, daemon=True)
        t.start()
        return t

    # ---- samples ----

    def blast(self, *args, port=None, seconds=SLICE):
        done = subprocess.run([str(LOAD / "dnsblast"), "--json", "--seconds", str(seconds), *map(str, args), "127.0.0.1", str(port or self.daemon.port)],
                              capture_output=True, text=True)
        return json.loads(done.stdout)

    def sample(self):
        """One slice of load: two streams for the daemon, and one for a server that only reflects, which tells how busy the machine is."""
        results, threads = {}, []
        streams = {"mixed": ("--names", self.names, "--rate", self.rate, "--sockets", 8, "--edns"),
                   "unique": ("--unique", "fast.example", "--rate", max(1, self.rate // 20))}
        for name, args in streams.items():
            threads.append(threading.Thread(target=lambda n=name, a=args: results.__setitem__(n, self.blast(*a))))
        reflected = {}
        threads.append(threading.Thread(target=lambda: reflected.update(self.blast("--rate", self.rate, "--sockets", 8, port=self.fast_port))))
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        files = len(os.listdir(f"/proc/{self.daemon.pid}/fd"))
        sample = {"rss": self.daemon.memory_kib(), "files": files, "p99": results["mixed"]["p99_us"], "base": reflected["p99_us"],
                  "sent": sum(r["sent"] for r in results.values()), "lost": sum(r["lost"] for r in results.values())}
        print(f"{time.monotonic() - self.began:6.0f} s  {sample['rss']:7} KiB  {files:4} files  p99 {sample['p99']:8.0f} us (reflected {sample['base']:8.0f})  "
              f"{sample['sent']:7} sent  {sample['lost']} lost", flush=True)
        return sample

    def run(self):
        with tempfile.TemporaryDirectory() as folder, ListServer() as self.lists, Upstream() as self.faulty:
            self.fast_port = port = free_port(("127.0.0.1",))
            fast = subprocess.Popen([str(LOAD / "reflect"), "--answer", "127.0.0.1", str(port)])
            self.names = os.path.join(folder, "names")
            with open(self.names, "w") as f:
                f.writelines(f"ads{i * 7}.blocked.example\ncached{i % 800}.fast.example\n" for i in range(2000))
            url = self.lists.put("/main.txt", self.list_text())
            args = ["--workers", "2", "--history-interval", "10s", "--rate-limit", "off", "--cache-entries", "20000", "--log-entries", "50000", "--tcp-per-client", "64"]
            bound = json.loads(cli("config", "--limits", "--json", *args, "--list", url).stdout)["memory"] >> 10
            try:
                with Sinkhole(lists=[url], upstream=[f"127.0.0.1:{port}", self.faulty], args=args) as self.daemon:
                    self.daemon.wait_blocked("ads7.blocked.example")
                    self.daemon.api.login()
                    samples = self.load()
                    return self.judge(samples, bound)
            finally:
                fast.kill()
                fast.wait()

    def load(self):
        jobs = [self.every(2, self.churn_tcp), self.every(7, self.hold_tcp), self.every(5, self.poll_api), self.every(4, self.edit_rules), self.every(9, self.break_upstream),
                self.every(3, self.send_rubbish), self.every(11, self.reload), self.every(30, self.change_lists)]
        self.began = time.monotonic()
        samples = []
        while time.monotonic() - self.began < self.seconds:
            samples.append(self.sample())
        self.stopped.set()
        for t in jobs:
            t.join(10)
        for c in getattr(self, "idle", []):
            c.close()
        time.sleep(12)  # idle connections end, sockets to upstreams are let go
        self.files_after = len(os.listdir(f"/proc/{self.daemon.pid}/fd"))
        return samples

    # ---- verdict ----

    def judge(self, samples, bound):
        n = len(samples)
        second, last = samples[n // 4:n // 2] or samples, samples[-max(1, n // 4):]
        rss = [statistics.median(s["rss"] for s in part) for part in (second, last)]
        p99, base = ([statistics.median(s[key] for s in part) for part in (second, last)] for key in ("p99", "base"))
        sent, lost = sum(s["sent"] for s in samples), sum(s["lost"] for s in samples)
        most = max(s["rss"] for s in samples)
        least_files = min(s["files"] for s in samples)
        problems = list(self.errors[:20])
        if rss[1] > rss[0] * GROWTH + GROWTH_KIB:
            problems.append(f"memory grows: {rss[0]:.0f} KiB in the second quarter, {rss[1]:.0f} KiB in the last")
        if most > bound:
            problems.append(f"memory beyond its bound: {most} KiB of {bound} KiB")
        if p99[1] > LATENCY_FLOOR_US and p99[1] / base[1] > LATENCY_FACTOR * max(1.0, p99[0] / base[0]):
            problems.append(f"latency grows: p99 {p99[0]:.0f} us, later {p99[1]:.0f} us; reflected {base[0]:.0f} us, later {base[1]:.0f} us")
        if self.files_after > least_files + 300:
            problems.append(f"descriptors grow: {least_files} at least, {self.files_after} at the end")
        if lost > sent * LOST_MAX:
            problems.append(f"{lost} of {sent} queries lost")
        print(f"{self.seconds} s: {sent} queries, {lost} lost; memory {rss[0]:.0f} -> {rss[1]:.0f} KiB, most {most}, bound {bound}; "
              f"p99 {p99[0]:.0f} -> {p99[1]:.0f} us (reflected {base[0]:.0f} -> {base[1]:.0f}); descriptors {least_files} at least, {self.files_after} after")
        print("with " + ", ".join(f"{v} {k}" for k, v in sorted(self.counts.items())))
        for p in problems:
            print("PROBLEM", p)
        print(f"{0 if problems else 1} passed, {1 if problems else 0} failed")
        return 1 if problems else 0


def seconds_of(text):
    """1800, 30m, 2h."""
    unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1:])
    return int(text[:-1]) * unit if unit else int(text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("seconds", metavar="TIME", type=seconds_of, nargs="?", default=1800)
    parser.add_argument("--rate", type=int, default=1000)
    options = parser.parse_args()
    sys.exit(Soak(options.seconds, options.rate).run())


main()
