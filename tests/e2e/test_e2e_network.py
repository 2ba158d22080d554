#!/usr/bin/env python3
"""A network that comes, goes, changes, loses: on a wire between two name spaces."""

import concurrent.futures
import os
import random
import socket
import time

from lib import *
from lib import client
from lib.daemon import SLOW
from lib.netns import HERE, THERE, Wire, enter, packets


def timed(f, wanted, seconds):
    """How long until f() gives what is wanted; each try is short."""
    started = time.monotonic()
    while True:
        try:
            if f() == wanted:
                return time.monotonic() - started
        except (TimeoutError, OSError):
            pass
        check(time.monotonic() - started < seconds, f"not in {seconds} s")
        time.sleep(0.02)


def fresh(s, timeout=1.0):
    """Asks for a name that was not asked for before."""
    return s.ask(f"n{random.getrandbits(40):x}.link.example", timeout=timeout).rcode


@test(seconds=120)
def a_link_that_goes_and_comes_is_used_again_within_two_seconds():
    """O7. Our end goes down: no route. The other end goes down: packets vanish."""
    with Wire() as wire:
        up = wire.there(lambda: Upstream(host=THERE))
        with Sinkhole(upstream=f"{THERE}:{up.port}", args=["--serve-stale", "off"]) as s:
            eq(s.ask("before.link.example").rcode, "NOERROR")
            for there, name in ((False, "here"), (True, "there")):
                for away in (0.5, 6.0):
                    wire.ip(f"link set {name} down", there)
                    until = time.monotonic() + away
                    while time.monotonic() < until:
                        try:
                            eq(fresh(s, 0.4), "SERVFAIL", "without a link")
                        except TimeoutError:
                            pass
                        time.sleep(0.05)
                    eq(s.ask("before.link.example", timeout=1.0).rcode, "NOERROR", "what is known is answered")
                    wire.ip(f"link set {name} up", there)
                    if not there:
                        wire.ip(f"route replace 192.0.2.0/24 dev here src {HERE}", check=False)
                    took = timed(lambda: fresh(s, 0.5), "NOERROR", 8 * SLOW)
                    print(f"# {name} away for {away} s: {took:.2f} s after it came back", flush=True)
                    check(took <= 2.5 * SLOW, f"{took:.2f} s")
        up.close()


def established(s):
    """Sockets of the daemon's TCP connections."""
    found = 0
    for fd in os.listdir(f"/proc/{s.pid}/fd"):
        try:
            found += os.readlink(f"/proc/{s.pid}/fd/{fd}").startswith("socket")
        except FileNotFoundError:
            pass
    return found


@test(seconds=150)
def clients_that_vanish_are_let_go_within_a_minute():
    """D7: DNS over TCP and HTTP; no FIN comes, no reset, and idle connections might stay for ten minutes."""
    with Wire() as wire, Upstream() as up:
        port = free_port()
        with Sinkhole(upstream=up, args=["--listen", f"{HERE}:{port}", "--tcp-idle", "10m", "--http", f"{HERE}:{port + 1}"]) as s:
            before = established(s)
            held = [wire.there(lambda: socket.create_connection((HERE, port), timeout=3)) for _ in range(20)]
            held += [wire.there(lambda: socket.create_connection((HERE, port + 1), timeout=3)) for _ in range(5)]
            wait_until(lambda: established(s) >= before + 25, 5 * SLOW, "they are open")
            wire.ip("link set there down", there=True)
            started = time.monotonic()
            wait_until(lambda: established(s) <= before, 80, "they were not let go", step=0.5)
            print(f"# {time.monotonic() - started:.0f} s", flush=True)
            check(time.monotonic() - started <= 60 * min(SLOW, 1.3), "within a minute")
            for c in held:
                c.close()


@test(seconds=60)
def a_changed_address_is_served_and_its_network_let_in():
    """Our address changes under a running daemon that listens on all; by default only connected networks may ask."""
    with Wire() as wire, Upstream() as up:
        port = free_port()
        with Sinkhole(upstream=up, args=["--listen", f"0.0.0.0:{port}"]) as s:

            def ask(server, name):
                return wire.there(lambda: client.ask_udp(server, port, name, timeout=0.5).rcode)
            eq(ask(HERE, "one.example"), "NOERROR")
            wire.ip("addr add 198.51.100.2/24 dev there", there=True)
            wire.ip("route add 198.51.100.0/24 dev here")  # reachable, but not a network of ours
            eq(wire.there(lambda: client.ask_udp(HERE, port, "two.example", timeout=1.0, source="198.51.100.2").rcode), "REFUSED")
            wire.ip(f"addr del {HERE}/24 dev here")
            wire.ip("addr add 198.51.100.1/24 dev here")
            took = timed(lambda: ask("198.51.100.1", "three.example"), "NOERROR", 5 * SLOW)
            print(f"# let in after {took:.2f} s", flush=True)
            check(took <= 2.5 * SLOW, f"{took:.2f} s")
            wire.ip("addr add 192.0.2.9/24 dev here")
            timed(lambda: ask("192.0.2.9", "four.example"), "NOERROR", 5 * SLOW)


@test(seconds=60)
def what_goes_out_is_never_fragmented():
    """P7 on the wire: questions and answers with DF, an EDNS size of at most 1232, and a forged "packet too big" changes nothing."""
    with Wire() as wire:
        up = wire.there(lambda: Upstream(host=THERE))
        big = [f"{'x' * 200}{i}" for i in range(20)]
        up.answer("big.example", "TXT", *big)
        port = free_port()
        with Sinkhole(upstream=f"{THERE}:{up.port}", args=["--listen", f"{HERE}:{port}"]):
            capture = wire.capture()
            for i in range(20):
                eq(wire.there(lambda: client.ask_udp(HERE, port, f"q{i}.df.example", timeout=3.0).rcode), "NOERROR")
            cut = wire.there(lambda: client.exchange_udp(HERE, port, make_query("big.example", "TXT", edns=Edns(size=4096)).pack(), 3.0))
            check(Message.parse(cut).tc, "4 kB do not come by UDP")
            whole = wire.there(lambda: client.ask_tcp(HERE, port, "big.example", "TXT"))
            eq(len(whole.answer), 20)
            seen = [p for p in packets(capture) if p.udp and p.source == HERE]
            questions = [p for p in seen if p.target_port == up.port]
            answers = [p for p in seen if p.source_port == port]
            check(len(questions) >= 20 and len(answers) >= 21, f"{len(questions)} questions, {len(answers)} answers")
            for p in seen:
                check(p.dont_fragment and not p.fragment, f"{p.source_port} -> {p.target_port} without DF")
                check(len(p.payload) <= 1232, f"{len(p.payload)} octets")
            check(all(Message.parse(p.payload).edns.size <= 1232 for p in questions), "EDNS size of questions")
            capture.close()
        up.close()


@test(seconds=120)
def a_quarter_of_packets_lost_each_way_is_borne():
    """U4: 25 % of the questions to the upstream and 25 % of its answers are lost; a client asks once and waits five seconds."""
    COUNT = 400
    with Upstream() as up, Sinkhole(upstream=up, args=["--rate-limit", "off"]) as s:
        up.lose(0.25)

        def ask(i):
            try:
                return s.ask(f"lossy{i}.example", timeout=5.0).rcode
            except TimeoutError:
                return "nothing"
        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            found = list(pool.map(ask, range(COUNT)))
        good = found.count("NOERROR")
        print(f"# {good} of {COUNT}; {len(up.asked())} questions arrived at the upstream", flush=True)
        check(good >= COUNT * 0.99, f"{good} of {COUNT}: {sorted(set(found))}")


enter()
run()
