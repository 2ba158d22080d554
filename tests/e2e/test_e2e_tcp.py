#!/usr/bin/env python3
"""DNS over TCP as clients do it, well or badly: pieces, pipelines, half-closed, idle, slow, many at once, and no files left."""

import os
import socket
import struct
import tempfile
import threading
import time

import lib.daemon
from lib import *
from lib.client import receive_tcp
from lib.daemon import SLOW

LIST = "0.0.0.0 ads.example\n"


def connect(s, timeout=5.0):
    return socket.create_connection(("127.0.0.1", s.port), timeout=timeout * SLOW)


def framed(name, rtype="A", number=None):
    query = make_query(name, rtype)
    if number is not None:
        query.id = number
    octets = query.pack()
    return query, struct.pack("!H", len(octets)) + octets


def read_reply(c):
    octets = receive_tcp(c)
    return None if octets is None else Message.parse(octets)


def at_end(c, seconds):
    """Does the server close within so many seconds?"""
    c.settimeout(seconds)
    try:
        return c.recv(1) == b""
    except ConnectionResetError:
        return True
    except socket.timeout:
        return False


def daemon(upstream, **kw):
    kw.setdefault("http", False)
    return Sinkhole(lists=[], upstream=upstream, **kw)


def cpu_seconds(s):
    with open(f"/proc/{s.pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@test
def takes_questions_octet_by_octet():
    with Upstream() as up, daemon(up) as s, connect(s) as c:
        for name in ("one.example", "two.example"):
            query, octets = framed(name)
            for octet in octets:
                c.sendall(bytes([octet]))
                time.sleep(0.002)
            reply = read_reply(c)
            eq((reply.id, reply.rcode, len(reply.addresses)), (query.id, "NOERROR", 1))


@test
def answers_a_pipeline():
    with Upstream() as up, daemon(up) as s, connect(s) as c:
        queries = [framed(f"name{i}.example", number=i) for i in range(150)]
        c.sendall(b"".join(octets for _, octets in queries))
        got = {read_reply(c).id for _ in queries}
        eq(got, set(range(150)))


@test
def answers_in_the_order_in_which_they_are_ready():
    with Upstream() as up, daemon(up) as s, connect(s) as c:
        up.answer("slow.example", "A", "198.51.100.1", delay=0.5)
        slow, slow_octets = framed("slow.example", number=1)
        fast, fast_octets = framed("fast.example", number=2)
        c.sendall(slow_octets + fast_octets)
        eq([read_reply(c).id, read_reply(c).id], [2, 1])


@test
def answers_after_the_client_has_closed_its_side():
    with Upstream() as up, daemon(up) as s, connect(s) as c:
        up.answer("late.example", "A", "198.51.100.7", delay=0.4)
        c.sendall(framed("late.example", number=7)[1])
        c.shutdown(socket.SHUT_WR)
        eq(read_reply(c).addresses, ["198.51.100.7"])
        check(at_end(c, 2 * SLOW), "and then the connection ends")


@test
def ends_connections_with_nonsense_lengths():
    with Upstream() as up, daemon(up) as s:
        for octets in (b"\0\0", b"\0\1x", b"\0\x0b" + b"x" * 11):
            with connect(s) as c:
                c.sendall(octets)
                check(at_end(c, 3 * SLOW), f"{octets!r} ends it")
        with connect(s) as c:  # a header and nothing else is a message, if a bad one
            c.sendall(b"\0\x0c" + b"\x12\x34" + b"\0" * 10)
            eq(read_reply(c).rcode, "FORMERR")


@test
def large_answers_come_whole():
    with Upstream() as up, daemon(up) as s, connect(s) as c:
        up.answer("big.example", "TXT", *[["x" * 250] for _ in range(220)], truncate=True)
        query, octets = framed("big.example", "TXT")
        c.sendall(octets)
        eq(len(read_reply(c).answer), 220)


@test
def idle_connections_end_after_their_time():
    with Upstream() as up, daemon(up, args=["--tcp-idle", "2s"]) as s, connect(s) as c:
        c.sendall(framed("a.example")[1])
        read_reply(c)
        started = time.monotonic()
        check(at_end(c, 6 * SLOW), "it ends")
        took = time.monotonic() - started
        check(1.5 < took < 4 * SLOW, f"after two seconds, not {took:.1f}")


@test
def slow_senders_are_cut():
    with Upstream() as up, daemon(up) as s, connect(s) as c:
        _, octets = framed("slowly.example")
        started = time.monotonic()
        for octet in octets[:-1]:
            try:
                c.sendall(bytes([octet]))
            except OSError:
                break
            if at_end(c, 0.7):
                break
        took = time.monotonic() - started
        check(9 < took < 13 * SLOW, f"cut after ten seconds, not {took:.1f}")


@test
def silent_readers_are_cut_and_harm_nobody():
    with Upstream() as up, daemon(up) as s:
        up.answer("big.example", "TXT", *[["x" * 250] for _ in range(200)], ttl=3600, truncate=True)
        s.ask("big.example", "TXT", tcp=True)
        with connect(s) as c:
            c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            c.setblocking(False)
            octets, started = framed("big.example", "TXT")[1], time.monotonic()
            cut = False
            while time.monotonic() - started < 20 * SLOW and not cut:
                try:
                    c.send(octets * 20)
                except BlockingIOError:
                    pass
                except OSError:
                    cut = True
                time.sleep(0.05)
                if int((time.monotonic() - started) * 2) % 2 == 0:
                    eq(s.ask("other.example").rcode, "NOERROR")
            check(cut, "it was cut")


@test
def a_crowd_of_idle_clients_keeps_nobody_out():
    with Upstream() as up, daemon(up, args=["--tcp-connections", "32" if Sinkhole.bare_metal else "64", "--tcp-per-client", "64"]) as s:
        crowd = [connect(s) for _ in range(40 if s.bare_metal else 200)]  # QEMU's network takes one at a time, up to a second each
        try:
            for i in range(20):
                started = time.monotonic()
                eq(s.ask(f"new{i}.example", tcp=True).rcode, "NOERROR")
                eq(s.ask(f"udp{i}.example").rcode, "NOERROR")
                check(time.monotonic() - started < 2 * SLOW, "without delay")
        finally:
            for c in crowd:
                c.close()


@test
def one_client_cannot_take_all_connections():
    with Upstream() as up, daemon(up, args=["--tcp-connections", "64", "--tcp-per-client", "4", "--workers", "1"]) as s:
        mine = [connect(s) for _ in range(12)]
        try:
            time.sleep(0.3)
            ended = [c for c in mine if at_end(c, 0.05)]
            check(len(ended) >= 4, f"{len(ended)} of 12 were closed")
            for c in mine[-2:]:
                c.settimeout(5)
                c.sendall(framed("x.example")[1])
                check(read_reply(c) is not None, "the newest ones live")
        finally:
            for c in mine:
                c.close()


@test(seconds=120)
def dropped_connections_leave_nothing_behind():
    if Sinkhole.bare_metal:
        skip("QEMU's network takes one connection at a time, a second each; the machine's test sends ten thousand as frames")
    with Upstream() as up, daemon(up, args=["--tcp-per-client", "512"]) as s:
        octets = framed("x.example")[1]
        for _ in range(50):
            with connect(s) as c:
                c.sendall(octets)
                read_reply(c)
        wait_until(lambda: s.open_files() == s.open_files(), 1)
        time.sleep(0.3)
        files, memory = s.open_files(), s.memory_kib()
        for i in range(2000):
            c = connect(s)
            if i % 4 == 1:
                c.sendall(octets[:5])
            elif i % 4 == 2:
                c.sendall(octets)
            elif i % 4 == 3:
                c.sendall(octets)
                c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            c.close()
        wait_until(lambda: s.open_files() <= files, 15 * SLOW, lambda: f"{s.open_files()} files, {files} before")
        check(s.memory_kib() < memory * 1.1 + 1024 * (SLOW > 1) * 50, f"{memory} KiB before, {s.memory_kib()} after")
        eq(s.ask("after.example", tcp=True).rcode, "NOERROR")


@test(seconds=90)
def at_the_limit_of_files_udp_goes_on():
    if Sinkhole.bare_metal:
        skip("there are no files to run out of; the pools of TCP have their own test")
    if SLOW > 1:
        skip("sanitizers need files of their own")
    with tempfile.TemporaryDirectory() as folder:
        wrapper = os.path.join(folder, "few-files")
        with open(wrapper, "w") as f:
            f.write(f'#!/bin/sh\nulimit -n 64\nexec {lib.daemon.BINARY} "$@"\n')
        os.chmod(wrapper, 0o755)
        real, lib.daemon.BINARY = lib.daemon.BINARY, wrapper
        try:
            up = Upstream()
            s = daemon(up, args=["--workers", "1"], ipv6=False)
        finally:
            lib.daemon.BINARY = real
    crowd, stop = [], threading.Event()

    def press():
        while not stop.is_set():
            try:
                crowd.append(socket.create_connection(("127.0.0.1", s.port), timeout=1))
            except OSError:
                pass
            if len(crowd) > 300:
                crowd.pop(0).close()
            time.sleep(0.002)

    presser = threading.Thread(target=press)
    try:
        presser.start()
        time.sleep(1)
        mark, before = s.log_mark(), cpu_seconds(s)
        for i in range(30):
            eq(s.ask(f"limit{i}.example").rcode, "NOERROR")
            time.sleep(0.1)
        spent = cpu_seconds(s) - before
        check(spent < 1.5, f"{spent:.2f} CPU seconds in three: it spins")
        check(s.log_mark() - mark < 20, "and does not flood the log")
        eq(s.ask("during.example", tcp=True).rcode, "NOERROR")
        stop.set()
        presser.join()
        for c in crowd:
            c.close()
        wait_until(lambda: s.ask("again.example", tcp=True).rcode == "NOERROR", 5)
    finally:
        stop.set()
        s.__exit__(None, None, None)
        up.close()


@test
def parallel_clients_get_their_own_answers():
    with Upstream() as up, daemon(up, args=["--workers", "2", "--tcp-per-client", "512"]) as s:
        wrong = []

        def client(number):
            with connect(s, 20) as c:
                for i in range(40):
                    query, octets = framed(f"n{number * 7 + i}.example")
                    c.sendall(octets)
                    reply = read_reply(c)
                    if reply is None or reply.id != query.id or reply.questions != query.questions:
                        wrong.append((number, i, reply))
                        return

        threads = [threading.Thread(target=client, args=(i,)) for i in range(24)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        eq(wrong, [])


run()
