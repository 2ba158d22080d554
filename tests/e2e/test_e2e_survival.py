#!/usr/bin/env python3
"""Killed at any moment, reloaded a thousand times, started with too little: what was promised is kept."""

import json
import os
import random
import re
import shutil
import socket
import subprocess
import threading
import time

from lib import *
from lib import client
from lib.daemon import BINARY, SLOW

LOAD = os.path.join(os.path.dirname(os.path.abspath(BINARY)), "bench/load")


class Pair:
    """Lists whose versions name themselves twice, at the beginning and at the end: a mixture is seen."""

    def __init__(self, lists):
        self.lists, self.version = lists, 0
        self.url = self.put(0)

    def put(self, version):
        self.version = version
        middle = "".join(f"n{i}.list.example\n" for i in range(3000))
        return self.lists.put("/list.txt", f"first{version}.example\n{middle}last{version}.example\n")


def one_version(s, versions):
    """The version in force: both of its names, and no name of another one."""
    found = {v: [s.ask(f"{word}{v}.example").addresses == ["0.0.0.0"] for word in ("first", "last")] for v in versions}
    whole = [v for v, (a, b) in found.items() if a and b]
    check(len(whole) == 1 and all(a == b for a, b in found.values()), f"{found}")
    return whole[0]


@test(seconds=180)
def killed_at_random_under_load_it_keeps_every_promise():
    """A rule that was acknowledged is there; the list is whole, old or new; passwords and statistics are readable; blocking comes at once."""
    r, state, rounds = random.Random(int(os.environ.get("SINKHOLE_SEED", "6"))), state_dir(), 14 // SLOW + 2
    promised = []
    try:
        with ListServer() as lists, Upstream() as up:
            pair = Pair(lists)

            def start():
                return Sinkhole(lists=[pair.url], upstream=up, state=state, ipv6=False, args=["--workers", "2", "--rate-limit", "off", "--history-interval", "1s"])
            with start() as s:
                s.wait_blocked("first0.example")
            for turn in range(1, rounds + 1):
                s, stop = start(), threading.Event()

                def ask():
                    while not stop.is_set():
                        try:
                            s.ask(f"load{r.getrandbits(20)}.example", timeout=0.5)
                        except (OSError, client.Malformed):
                            pass

                def edit():
                    while not stop.is_set():
                        name = f"r{turn}-{len(promised)}.rule.example"
                        try:
                            if s.api.post("/api/domains/deny/exact", {"domain": name}).status == 201:
                                promised.append(name)
                        except Exception:  # noqa: BLE001: the daemon is killed under this thread
                            return
                threads = [threading.Thread(target=f) for f in (ask, ask, edit)]
                for t in threads:
                    t.start()
                pair.put(turn)
                s.reload()
                time.sleep(r.uniform(0.0, 0.6) * SLOW)
                s.process.kill()
                s.process.wait()
                stop.set()
                for t in threads:
                    t.join()
                with start() as again:
                    log = again.log_text()
                    for word in ("damaged", "checksum", "starting without", "start anew"):
                        check(word not in log, log)
                    for name in promised[-20:] + promised[:5]:
                        eq(again.ask(name).addresses, ["0.0.0.0"], f"{name} of {len(promised)}")
                    pair.version = one_version(again, range(max(0, turn - 3), turn + 1))
                left = [f for _, _, files in os.walk(state) for f in files if f.endswith((".tmp", ".bad"))]
                eq(left, [])
        check(len(promised) > rounds, f"only {len(promised)} rules")
        print(f"# killed {rounds} times, {len(promised)} rules kept", flush=True)
    finally:
        shutil.rmtree(state, ignore_errors=True)


def blast(port, seconds, results, key, *args):
    done = subprocess.run([os.path.join(LOAD, "dnsblast"), "--json", "--seconds", str(seconds), "--rate", "1000", *args, "127.0.0.1", str(port)],
                          capture_output=True, text=True)
    results[key] = json.loads(done.stdout)


@test(seconds=420)
def reloads_under_load_lose_nothing_and_delay_nothing():
    """SIGHUP, new lists, rules: as many as $SINKHOLE_RELOADS (60) one after the other, at a thousand queries a second; against a server that only reflects."""
    if SLOW > 1 or not os.path.exists(os.path.join(LOAD, "dnsblast")):
        skip("no bench/load beside this program")
    reloads, results = int(os.environ.get("SINKHOLE_RELOADS", "60")), {}
    seconds = int(reloads * 0.22) + 3
    port = free_port(("127.0.0.1",))
    reflect = subprocess.Popen([os.path.join(LOAD, "reflect"), "--answer", "127.0.0.1", str(port)])
    try:
        with ListServer() as lists:
            pair = Pair(lists)
            with Sinkhole(lists=[pair.url], upstream=f"127.0.0.1:{port}", args=["--rate-limit", "off", "--workers", "2"]) as s:
                s.wait_blocked("first0.example")
                s.api.login()
                names = os.path.join(s.state, "names")
                with open(names, "w") as f:
                    f.writelines(f"n{i}.list.example\ncached{i % 500}.example\n" for i in range(1500))
                threads = [threading.Thread(target=blast, args=(s.port, seconds, results, "daemon", "--names", names)),
                           threading.Thread(target=blast, args=(port, seconds, results, "reflected"))]
                mark = s.log_mark()
                for t in threads:
                    t.start()
                time.sleep(0.5)
                for i in range(1, reloads + 1):
                    if i % 5 == 0:
                        pair.put(i)
                    if i % 7 == 0:
                        eq(s.api.post("/api/domains/deny/exact", {"domain": f"r{i}.rule.example"}).status, 201)
                    s.reload()
                    time.sleep(0.21)
                for t in threads:
                    t.join()
                read = sum("was read again" in line for line in s.log[mark:])
                daemon, reflected = results["daemon"], results["reflected"]
                print(f"# {read} reloads; {daemon['sent']} queries, {daemon['lost']} lost; p99 {daemon['p99_us']:.0f} us, p99.9 {daemon['p999_us']:.0f} us; "
                      f"reflected: {reflected['p99_us']:.0f} us, {reflected['p999_us']:.0f} us", flush=True)
                check(read >= reloads * 0.9, f"{read} reloads of {reloads}")
                eq(daemon["lost"], 0)
                late = 50000 + 3 * reflected["p999_us"]
                check(daemon["p999_us"] < late, f"p99.9 {daemon['p999_us']:.0f} us, reflected {reflected['p999_us']:.0f} us")
                eq(s.ask("n7.list.example").addresses, ["0.0.0.0"])
                eq(s.ask(f"r{reloads // 7 * 7}.rule.example").addresses, ["0.0.0.0"])
    finally:
        reflect.kill()
        reflect.wait()


def told(what, s, f):
    """Does f; if it fails, says with which limit, and what the program said."""
    try:
        return f()
    except Exception as e:
        raise AssertionError(f"with {what}: {e!r}; {s.process.poll()=}\n{s.log_text()}") from e


def settled(s):
    """Waits until it is ready or ended by itself. True: it serves."""
    deadline = time.monotonic() + 15 * SLOW
    while s.process.poll() is None and "ready after" not in s.log_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    if s.process.poll() is None:
        return True
    s._reader.join(5)
    check(s.process.returncode in (1, 2, 127), f"ended with {s.process.returncode}")
    check(any(w in s.log_text() for w in ("error", "memory", "cannot")), "it ended without a word")
    return False


def serves_or_says_why(s):
    if not settled(s):
        return False
    eq(s.ask("www.example", timeout=3.0 * SLOW).rcode, "NOERROR")
    for i in range(20):
        eq(s.ask(f"w{i}.example", timeout=3.0 * SLOW).rcode, "NOERROR")
    try:
        s.api.get("/api/stats/summary")
    except OSError:
        pass
    s.reload()
    time.sleep(0.5)
    eq(s.ask("still.example", timeout=3.0 * SLOW).rcode, "NOERROR")
    check(s.log_mark() < 300, f"{s.log_mark()} lines of log")
    eq(s.stop(), 0)
    return True


def limited(kind, value, *args):
    """The program with a limit of the machine; asserts that it serves, or that it says why it does not. True: it serves."""
    state = state_dir()
    try:
        with ListServer() as lists, Upstream() as up:
            url = lists.put("/list.txt", "".join(f"n{i}.list.example\n" for i in range(20000)))
            s = Sinkhole(lists=[url], upstream=up, state=state, wait=False, prefix=["prlimit", f"--{kind}={value}"], args=["--workers", "2", *args])
            try:
                return told(f"{kind} {value}", s, lambda: serves_or_says_why(s))
            finally:
                s.kill()
    finally:
        shutil.rmtree(state, ignore_errors=True)


@test(seconds=240)
def with_too_little_memory_it_serves_or_says_why():
    """RLIMIT_AS from next to nothing to plenty."""
    if SLOW > 1:
        skip("sanitizers reserve more than any limit")
    served = {mib: limited("as", mib << 20) for mib in (8, 16, 24, 32, 48, 64, 96, 128, 160, 192, 224, 256, 320, 384, 512, 1024)}
    print(f"# serves from {min(m for m, ok in served.items() if ok)} MiB of address space on", flush=True)
    check(served[1024], f"{served}")


@test(seconds=180)
def with_few_descriptors_it_serves_or_says_why():
    if SLOW > 1:
        skip("times of sanitizers")
    served = {n: limited("nofile", f"{n}:{n}") for n in (4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 64, 96, 128)}
    print(f"# serves from {min(n for n, ok in served.items() if ok)} descriptors on", flush=True)
    check(served[64] and served[128], f"{served}")


def press(s, stop):
    """Clients who want all descriptors for themselves: TCP connections and pages that are held open."""
    crowd = []
    while not stop.is_set():
        for port in (s.port, s.http_port):
            try:
                crowd.append(socket.create_connection(("127.0.0.1", port), timeout=1))
            except OSError:
                pass
        while len(crowd) > 200:
            crowd.pop(0).close()
        time.sleep(0.002)
    for c in crowd:
        c.close()


def ask_crowded(s, lists):
    """Eight clients at a time, while lists are fetched and connections are made: each is answered."""
    failed = []

    def client_of(n):
        for i in range(5):
            try:
                eq(s.ask(f"c{n}-{i}.example", timeout=5.0).rcode, "NOERROR")
            except Exception as e:  # noqa: BLE001: told below
                failed.append((n, i, repr(e)))
    for turn in range(3):
        for i in range(12):
            lists.put(f"/list{i}.txt", "".join(f"n{i}-{turn}-{k}.list.example\n" for k in range(5000)))
        s.reload()
        threads = [threading.Thread(target=client_of, args=(turn * 8 + n,)) for n in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    eq(failed, [])


@test(seconds=120)
def the_least_of_descriptors_is_enough():
    """One fewer is refused, with figures; with just so many DNS has its own, whatever lists, pages, history and TCP clients take."""
    if SLOW > 1:
        skip("sanitizers need files of their own")
    state, stop = state_dir(), threading.Event()
    try:
        with ListServer() as lists, Upstream() as up:
            urls = [lists.put(f"/list{i}.txt", f"n{i}.list.example\n") for i in range(12)]
            up.delay = 0.02

            def start(n, **kw):
                return Sinkhole(lists=urls, upstream=up, state=state, prefix=["prlimit", f"--nofile={n}:{n}"], args=["--workers", "2", "--rate-limit", "off"], **kw)
            few = start(40, wait=False)
            told("40 descriptors", few, lambda: check(not settled(few), "it is ready"))
            least = int(re.search(r"found 40, expected at least (\d+) for 2 workers", few.log_text()).group(1))
            check(least <= 64, f"{least} descriptors are wanted")
            few = start(least - 1, wait=False)
            told(f"{least - 1} descriptors", few, lambda: check(not settled(few), "it is ready"))
            with start(least) as s:
                presser = threading.Thread(target=press, args=(s, stop))
                presser.start()
                try:
                    told(f"{least} descriptors", s, lambda: ask_crowded(s, lists))
                finally:
                    stop.set()
                    presser.join()
                check(s.open_files() <= least, f"{s.open_files()} of {least}")
                s.wait_blocked("n11-2-7.list.example", 60)
            print(f"# {least} descriptors are enough", flush=True)
    finally:
        shutil.rmtree(state, ignore_errors=True)


run()
