#!/usr/bin/env python3
"""Hostile HTTP clients in numbers (hardening H1, H2, H7): silent, slow, greedy. The page and DNS go on for the others, and all is given back."""

import os
import random
import resource
import socket
import threading
import time

from lib import *
from lib.daemon import SLOW

PAGE_SECONDS = 1.0  # H2: how long a page may take meanwhile


def raise_files(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        skip(f"only {hard} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))


def connect(s, source="127.0.0.1"):
    c = socket.socket()
    c.bind((source, 0))
    c.settimeout(5 * SLOW)
    c.connect(("127.0.0.1", s.http_port))
    return c


def page_seconds(s, path="/"):
    started = time.monotonic()
    eq(s.api.request("GET", path, timeout=10 * SLOW).status, 200, path)
    return time.monotonic() - started


def files(s):
    return len(os.listdir(f"/proc/{s.pid}/fd"))


def worst_of(s, count=10):
    """The slowest page, and DNS at the same time."""
    worst = 0
    for i in range(count):
        worst = max(worst, page_seconds(s))
        eq(s.ask(f"h{random.getrandbits(30)}.example", timeout=2.0 * SLOW).rcode, "NOERROR")
    return worst


def settles(s, before, seconds=20):
    wait_until(lambda: files(s) <= before + 4, seconds * SLOW, "descriptors were not given back", step=0.2)


@test(seconds=120)
def a_thousand_silent_clients_do_not_delay_a_page():
    """From one address and from many; connections that say nothing, and ones that stop within the first line."""
    raise_files(4096)
    with Upstream() as up, Sinkhole(upstream=up) as s:
        s.api.login()
        before = files(s)
        held = []
        for i in range(1000):
            c = connect(s, f"127.0.{i % 50}.{1 + i % 5}")
            if i % 2:
                c.send(b"GET /api/stats/summ")
            held.append(c)
            if i % 100 == 99:
                check(page_seconds(s) < PAGE_SECONDS * SLOW, f"behind {i + 1} silent clients")
        worst = worst_of(s)
        print(f"# slowest page behind 1000: {worst * 1000:.0f} ms; {files(s)} descriptors", flush=True)
        check(worst < PAGE_SECONDS * SLOW, f"{worst:.2f} s")
        check(files(s) < before + 512, f"{files(s)} descriptors: more than the connections that are allowed")
        for c in held:
            c.close()
        settles(s, before)


@test(seconds=120)
def slow_readers_and_writers_do_not_delay_a_page():
    """Slowloris: 240 clients that send a header octet now and then; others that ask and do not read; bodies that never end."""
    raise_files(4096)
    with Upstream() as up, Sinkhole(upstream=up) as s:
        s.api.login()
        before = files(s)
        stop, held = threading.Event(), [connect(s, f"127.0.3.{1 + i % 200}") for i in range(240)]
        for i, c in enumerate(held):
            c.setblocking(False)
            if i % 3 == 0:
                c.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
            elif i % 3 == 1:
                c.send(b"POST /api/auth HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 200000\r\n\r\n{")
            else:
                c.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 40)  # pipelined, and nothing is read

        def drip():
            while not stop.wait(0.25):
                for c in held[::3] + held[1::3]:
                    try:
                        c.send(b"a")
                    except OSError:
                        pass
        t = threading.Thread(target=drip)
        t.start()
        try:
            until, worst = time.monotonic() + 6, 0
            while time.monotonic() < until:
                worst = max(worst, worst_of(s, 2))
            print(f"# slowest page: {worst * 1000:.0f} ms", flush=True)
            check(worst < PAGE_SECONDS * SLOW, f"{worst:.2f} s")
        finally:
            stop.set()
            t.join()
        for c in held:
            c.close()
        settles(s, before)


@test(seconds=180)
def greedy_requests_are_bounded():
    """H1: what is read is what counts, not what is declared; each gets its status or a closed connection, and memory stays."""
    raise_files(4096)

    def answer(s, octets, rest=b"", each=65536):
        with connect(s) as c:
            try:
                c.sendall(octets)
                for at in range(0, len(rest), each):
                    c.sendall(rest[at:at + each])
                return c.recv(4096)[:12]
            except TimeoutError:
                return b"HTTP/1.1 nothing"  # neither an answer nor an end
            except OSError:
                return b""
    head = b"POST /api/auth HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    rows = {  # why: (what is sent first, what is sent then, statuses that are right; b"" is a closed connection)
        "a line of 64 kB": (b"GET /" + b"a" * 65536 + b" HTTP/1.1\r\n\r\n", b"", (b"414", b"431", b"")),
        "a field of 64 kB": (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 65536 + b"\r\n\r\n", b"", (b"431", b"")),
        "5000 fields": (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"".join(b"X%d: 1\r\n" % i for i in range(5000)) + b"\r\n", b"", (b"431", b"400", b"")),
        "a body that is declared as 1 TB": (head + b"Content-Length: 1099511627776\r\n\r\n", b"x" * 1000, (b"413", b"")),
        "a body of 8 MB": (head + b"Content-Length: 8388608\r\n\r\n", b"x" * 8388608, (b"413", b"")),
        "chunks without end": (head + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65536 + b"\r\n" + (b"10000\r\n" + b"x" * 65536 + b"\r\n") * 80, (b"413", b"")),
        "a chunk of 2^64": (head + b"Transfer-Encoding: chunked\r\n\r\n", b"ffffffffffffffff\r\n" + b"x" * 6000000, (b"413", b"400", b"")),
        "both lengths": (head + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", b"0\r\n\r\n", (b"400", b"")),
        "deep JSON": (head + b"Content-Length: 200000\r\n\r\n", b"[" * 200000, (b"400", b"")),
    }
    with Upstream() as up, Sinkhole(upstream=up) as s:
        s.api.login()
        before, memory = files(s), None
        for turn in range(6 if SLOW == 1 else 2):
            for why, (first, rest, right) in rows.items():
                found = answer(s, first, rest)[9:12]
                check(found in right, f"{why}: {found!r}")
            memory = memory or s.memory_kib()
        check(page_seconds(s) < PAGE_SECONDS * SLOW)
        after = s.memory_kib()
        check(SLOW > 1 or after <= memory + 12288, f"{memory} KiB, then {after} KiB")
        settles(s, before)


@test(seconds=90)
def three_thousand_requests_cost_no_memory():
    """H7. Warm first: pools and tables fill once."""
    with Upstream() as up, Sinkhole(upstream=up) as s:
        s.api.login()
        paths = ["/api/stats/summary", "/api/queries", "/metrics", "/", "/api/history", "/nothing"]

        def ask(count):
            for i in range(count):
                s.api.get(paths[i % len(paths)])
        ask(600)
        before = s.memory_kib()
        ask(3000 // SLOW)
        after = s.memory_kib()
        print(f"# {before} KiB, then {after} KiB", flush=True)
        check(SLOW > 1 or after <= before * 1.03 + 1024, f"{before} KiB, then {after} KiB")


run()
