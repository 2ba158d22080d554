#!/usr/bin/env python3
"""Several workers are one resolver: equal questions are asked once, an answer known to one is known to all, whoever received the question."""

import os
import pathlib
import random
import socket
import threading
import time

from lib import *
from lib.daemon import SLOW

WORKERS = 4


def daemon(upstream, *args, **kw):
    kw.setdefault("http", False)
    return Sinkhole(lists=[], upstream=upstream, args=["--workers", str(WORKERS), "--tcp-per-client", "512", *args], **kw)


def spread(s, name, count, tcp=False, rtype="A"):
    """Ask from many source ports at once, so that all workers are asked."""
    replies, failures = [], []

    def one():
        try:
            replies.append(s.ask(name, rtype, tcp=tcp))
        except Exception as e:
            failures.append(e)

    threads = [threading.Thread(target=one) for _ in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    eq(failures, [])
    return replies


def questions(up, name):
    """How many; the same one sent again because no answer came in time (on a busy machine) is one."""
    return len({(q.id, q.peer) for q in up.asked(name)})


@test
def equal_questions_are_asked_once():
    with Upstream() as up, daemon(up) as s:
        for i in range(6):
            up.answer(f"slow{i}.example", "A", f"198.51.100.{i + 1}", delay=0.4)
            for reply in spread(s, f"slow{i}.example", 40, tcp=i % 2 == 1):
                eq((reply.rcode, reply.addresses), ("NOERROR", [f"198.51.100.{i + 1}"]))
            eq(questions(up, f"slow{i}.example"), 1, "questions upstream")


@test
def an_answer_is_known_to_all_workers():
    with Upstream() as up, daemon(up) as s:
        for i in range(20):
            s.ask(f"known{i}.example")
        up.silent = True
        for i in range(20):
            for reply in spread(s, f"known{i}.example", 8, tcp=i % 4 == 3):
                eq(reply.rcode, "NOERROR")
        check(all(len(up.asked(f"known{i}.example")) == 1 for i in range(20)))


@test
def answers_leave_from_the_address_that_was_asked():
    """Also when another worker than the one that received the question sends them, on a socket bound to all addresses."""
    with Upstream() as up:
        port = free_port(("0.0.0.0",))
        with daemon(up, "--listen", f"0.0.0.0:{port}") as s:
            for i in range(40):
                host = f"127.0.0.{i + 2}"
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as c:
                    c.settimeout(5 * SLOW)
                    c.connect((host, port))  # the kernel drops what comes from elsewhere
                    c.send(make_query(f"addr{i}.example", "A").pack())
                    eq(Message.parse(c.recv(4096)).rcode, "NOERROR", host)


@test
def clients_that_leave_do_not_disturb_others():
    with Upstream() as up, daemon(up) as s:
        up.answer("late.example", "A", "198.51.100.5", delay=0.3)
        octets = make_query("late.example", "A").pack()
        for _ in range(30):
            c = socket.create_connection(("127.0.0.1", s.port))
            c.sendall(len(octets).to_bytes(2, "big") + octets)
            c.close()
        for reply in spread(s, "late.example", 20, tcp=True):
            eq(reply.addresses, ["198.51.100.5"])
        eq(questions(up, "late.example"), 1)


@test
def ports_and_ids_are_random_whatever_the_worker():
    with Upstream() as up, daemon(up) as s:
        for i in range(300):
            s.ask(f"random{i}.example")
        asked = [q for q in up.asked() if q.name.lower().startswith("random")]
        eq(len({q.name.lower() for q in asked}), 300)
        ports, ids = {q.peer[1] for q in asked}, {q.id for q in asked}
        check(len(ports) >= 280 and len(ids) >= 280, f"{len(ports)} ports, {len(ids)} IDs")
        check(max(ports) - min(ports) > 18000, "from a wide range")


def worker_threads(s):
    """Worker number: thread."""
    names = {int(t.name): (t / "comm").read_text().strip() for t in pathlib.Path(f"/proc/{s.pid}/task").iterdir()}
    return {int(name[7:]): tid for tid, name in names.items() if name.startswith("worker-")}


def cores_of_workers(s):
    return {number: os.sched_getaffinity(tid) for number, tid in worker_threads(s).items()}


def wakings(s):
    """Worker number: how often it went to sleep."""
    text = {n: pathlib.Path(f"/proc/{s.pid}/task/{tid}/status").read_text() for n, tid in worker_threads(s).items()}
    return {n: int(t.split("\nvoluntary_ctxt_switches:")[1].split()[0]) for n, t in text.items()}


@test
def steered_questions_go_to_the_worker_of_the_core():
    """Sent on one core of loopback, all arrive at the worker of that core, whatever port they come from; without the option workers run anywhere."""
    ours = os.sched_getaffinity(0)
    with Upstream() as up, daemon(up, "--steer", "on") as s:
        for number, cores in cores_of_workers(s).items():
            mine = {c for c in ours if c % WORKERS == number}
            eq(cores, mine or ours, f"cores of worker {number}")
        for reply in spread(s, "steered.example", 40):
            eq(reply.rcode, "NOERROR")
        for reply in spread(s, "steered.example", 10, tcp=True):
            eq(reply.rcode, "NOERROR")
        eq(questions(up, "steered.example"), 1)
        for core in ours:
            before = wakings(s)
            os.sched_setaffinity(0, {core})
            try:
                for _ in range(60):
                    s.ask("steered.example")
            finally:
                os.sched_setaffinity(0, ours)
            slept = {n: w - before[n] for n, w in wakings(s).items()}
            check(max(slept, key=slept.get) == core % WORKERS and slept[core % WORKERS] >= 30 and sum(slept.values()) <= slept[core % WORKERS] + 15, f"on core {core}: {slept}")
    with Upstream() as up, daemon(up) as s:
        check(all(cores == ours for cores in cores_of_workers(s).values()), "not pinned")


@test
def a_burst_of_a_thousand_is_answered():
    with Upstream() as up, daemon(up) as s:
        s.ask("burst.example")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as c:
            c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            c.connect(("127.0.0.1", s.port))
            octets = bytearray(make_query("burst.example", "A").pack())
            for i in range(1000):
                octets[0:2] = i.to_bytes(2, "big")
                c.send(octets)
            c.settimeout(2 * SLOW)
            got = set()
            try:
                while len(got) < 1000:
                    got.add(c.recv(4096)[:2])
            except socket.timeout:
                pass
        eq(len(got), 1000)


def queues(s):
    """Octets that wait in each socket on which questions arrive, and what the workers do: for who reads of a failure."""
    with open("/proc/net/udp") as f:
        rows = [line.split() for line in f if line.split()[1].endswith(f":{s.port:04X}")]
    waiting = [(r[4], f"{r[-1]} dropped") for r in rows]
    threads = []
    for tid in os.listdir(f"/proc/{s.pid}/task"):
        with open(f"/proc/{s.pid}/task/{tid}/stat") as f:
            name, rest = f.read().rsplit(")", 1)
            threads.append(f"{name.split('(')[1]} {rest.split()[0]}")
    return f"tx:rx of the sockets: {waiting}; {threads}"


def burst(s, clients, turn, r):
    """A few questions from each of some clients at the same moment: listed, cached, and new ones. True for each that is answered."""
    waits = {}
    for c in r.sample(clients, r.randint(1, len(clients))):
        for i in range(r.choice((1, 1, 2, 8, 24))):
            name = r.choice(("listed.example", "known.example", f"b{turn}-{c.fileno()}-{i}.example"))
            q = make_query(name, "A")
            q.id = i + 1
            c.send(q.pack())
            waits.setdefault(c, set()).add(q.id)
    for c, ids in waits.items():
        deadline = time.monotonic() + 4 * SLOW
        while ids:
            try:
                c.settimeout(max(deadline - time.monotonic(), 0.01))
                ids.discard(int.from_bytes(c.recv(4096)[:2], "big"))
            except TimeoutError:
                raise AssertionError(f"turn {turn}: {len(ids)} questions of one client without an answer; {queues(s)}")


@test(seconds=240)
def no_worker_sleeps_over_a_burst():
    """Short bursts with pauses, so that workers fall asleep and are woken again and again, while lists, rules and configuration change."""
    r = random.Random(int(os.environ.get("SINKHOLE_SEED", "4")))
    turns = int(os.environ.get("SINKHOLE_BURSTS", "1500")) // SLOW
    with ListServer() as lists, Upstream() as up:
        url = lists.put("/l.txt", "listed.example\n")
        with Sinkhole(lists=[url], upstream=up, args=["--workers", str(WORKERS), "--rate-limit", "off"]) as s:
            s.wait_blocked("listed.example")
            s.api.login()
            clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(16)]
            try:
                for c in clients:
                    c.connect(("127.0.0.1", s.port))
                for turn in range(turns):
                    if turn % 50 == 10:
                        lists.put("/l.txt", "listed.example\n" + "".join(f"n{turn}-{i}.example\n" for i in range(500)))
                        s.reload()
                    if turn % 50 == 35:
                        eq(s.api.post("/api/domains/deny/exact", {"domain": f"r{turn}.rule.example"}).status, 201)
                    burst(s, clients, turn, r)
                    time.sleep(r.choice((0, 0, 0.0005, 0.002, 0.01, 0.03)))
            finally:
                for c in clients:
                    c.close()


run()
