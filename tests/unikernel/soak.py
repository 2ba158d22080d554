#!/usr/bin/env python3
"""The image under mixed load for a while, then quiet: every pool must be back where it was, and the heap too.

    soak.py MINUTES [BOARD]        SINKHOLE_IMAGE names another image

Questions over UDP and TCP, blocked, cached and new; connections dropped half-way; pages and API with sessions; rules made and removed; lists that
change and are fetched in gzip; upstreams silent for a while. Prints a line a minute and TAP at the end.
"""

import pathlib
import random
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from lib import *
from lib.unikernel import Unikernel

MINUTES, BOARD = float(sys.argv[1]), (sys.argv[2:] + ["virt"])[0]
del sys.argv[1:]
WATCHED = ("sinkhole_machine_pool_used", "sinkhole_machine_heap_bytes", "sinkhole_machine_heap_blocks", "sinkhole_machine_streams",
           "sinkhole_machine_dns_tcp_connections", "sinkhole_machine_upstream_sockets", "sinkhole_machine_http_connections")


def watched(s):
    return {k: v for k, v in s.metrics().items() if k.startswith(WATCHED)}


def ask_some(s, rng, counts):
    name = rng.choice([f"ads{rng.randrange(2000)}.example", f"cached{rng.randrange(200)}.example", f"new{rng.getrandbits(40)}.example"])
    tcp, asked = rng.random() < 0.2, time.monotonic()
    try:
        reply = s.ask(name, rng.choice(["A", "AAAA", "HTTPS"]), tcp=tcp, timeout=10)
        counts["answered"] += 1
        counts["wrong"] += name.startswith("ads") and not (reply.ede and reply.ede[0] == 15)
    except (OSError, TimeoutError, AttributeError) as e:
        counts["lost"] += 1
        print(f"# lost: {name} over {'TCP' if tcp else 'UDP'} at {asked - s.started:.1f} s, after {time.monotonic() - asked:.1f} s: {e!r}", flush=True)


def drop_half_way(s, rng):
    port = rng.choice([s.port, s.http_port])
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as c:
            c.sendall(rng.choice([b"\0\x40abc", b"POST /api/auth HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{", b"", b"\xff" * 700]))
    except OSError:
        pass


def use_the_page(s, rng):
    s.api.get(rng.choice(["/", "/api/stats/summary", "/api/queries?length=100", "/api/padd", "/metrics", "/api/history", "/api/sinkhole/log"]))
    name = f"own{rng.randrange(50)}.example"
    if s.api.post("/api/domains/deny/exact", {"domain": name}).status == 201 and rng.random() < 0.7:
        s.api.delete(f"/api/domains/deny/exact/{name}")


def worker(s, stop, seed, counts):
    rng = random.Random(seed)
    while not stop.is_set():
        ask_some(s, rng, counts)
        if rng.random() < 0.01:
            drop_half_way(s, rng)


@test(seconds=int(MINUTES * 60) + 600)
def pools_are_where_they_were_after_a_long_mixed_load():
    blocked = [f"ads{i}.example" for i in range(2000)]
    rng, stop, counts = random.Random(1), threading.Event(), {"answered": 0, "wrong": 0, "lost": 0}
    with ListServer() as lists, Upstream() as up:
        url = lists.put("/l.txt", "\n".join(blocked) + "\n", gzip=True)
        with Unikernel(lists=[url], upstream=up, board=BOARD) as s:
            s.wait_blocked("ads7.example")
            for i in range(200):
                s.ask(f"cached{i}.example")
            for i in range(50):  # what is made once is made before the first look
                use_the_page(s, rng)
            s.ask("first.example", tcp=True)
            before = watched(s)
            threads = [threading.Thread(target=worker, args=(s, stop, i, counts)) for i in range(3)]
            for t in threads:
                t.start()
            ends, minute = time.monotonic() + MINUTES * 60, 0
            while time.monotonic() < ends:
                minute += 1
                until = time.monotonic() + 60
                while time.monotonic() < min(until, ends):
                    use_the_page(s, rng)
                    time.sleep(0.5)
                lists.put("/l.txt", "\n".join(blocked + [f"more{minute}-{i}.example" for i in range(500)]) + "\n", gzip=True)
                s.api.post("/api/action/gravity")
                up.silent = minute % 5 == 0
                m = s.metrics()
                print(f"# {minute} min: {counts}, heap {m['sinkhole_machine_heap_bytes'] / 2**20:.1f} MiB in {m['sinkhole_machine_heap_blocks']:.0f} blocks", flush=True)
                up.silent = False
            stop.set()
            for t in threads:
                t.join()
            for rule in s.api.get("/api/domains/deny/exact").json["domains"]:
                s.api.delete(f"/api/domains/deny/exact/{rule['domain']}")
            lists.put("/l.txt", "\n".join(blocked) + "\n", gzip=True)
            s.api.post("/api/action/gravity")
            check(counts["wrong"] == 0, f"{counts}: blocked names were let through")
            check(counts["lost"] <= counts["answered"] // 20000, f"{counts}")

            def back():
                now = watched(s)
                off = {k: (before[k], v) for k, v in now.items() if v > before[k] * 1.02 + (8 if "TCP_PCB" in k or "blocks" in k else 65536 if "heap_bytes" in k else 3)}
                if off:
                    fail(f"more than before: {off}")
                return True

            wait_until(back, 180, "pools are back", 5)
            eq(s.metrics()["sinkhole_machine_heap_refused_total"], 0)
            eq(s.ask("after.example", tcp=True).rcode, "NOERROR")


run()
