#!/usr/bin/env python3
"""Signals and ends: SIGHUP under load loses nothing, SIGTERM is quick, after SIGKILL all is as before."""

import os
import signal
import socket
import tempfile
import threading
import time

from lib import *
from lib.daemon import SLOW


class Load:
    """Asks over and over from several threads; remembers every failure."""

    def __init__(self, s, names, threads=2, tcp=False):
        self.s, self.names, self.failures, self.asked, self.tcp = s, names, [], 0, tcp
        self._stop, self.slowest = threading.Event(), 0.0
        self.threads = [threading.Thread(target=self.run) for _ in range(threads)]

    def run(self):
        i = 0
        while not self._stop.is_set():
            name, expected = self.names[i % len(self.names)]
            i += 1
            try:
                reply = self.s.ask(name, tcp=self.tcp, timeout=3 * SLOW)
                self.asked += 1
                self.slowest = max(self.slowest, getattr(reply, "seconds", 0))
                if expected is not None and reply.addresses != expected:
                    self.failures.append((name, str(reply)))
            except Exception as e:
                self.failures.append((name, repr(e)))

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for t in self.threads:
            t.join()


@test(seconds=90)
def a_storm_of_hangups_loses_nothing():
    with ListServer() as lists, Upstream() as up:
        url = lists.put("/ads.txt", "0.0.0.0 ads.example\n")
        with Sinkhole(lists=[url], upstream=up, http=False, args=["--rate-limit", "off"]) as s:
            s.wait_blocked("ads.example")
            s.ask("kept.example")
            kept = s.ask("kept.example").addresses
            with Load(s, [("ads.example", ["0.0.0.0"]), ("kept.example", kept), ("other.example", None)]) as load, \
                    Load(s, [("ads.example", ["0.0.0.0"])], threads=1, tcp=True) as tcp:
                for _ in range(1000):
                    s.reload()
                    time.sleep(0.01)
            eq(load.failures[:3] + tcp.failures[:3], [])
            check(load.asked > 500, f"only {load.asked} questions were asked")
            eq(len(up.asked("kept.example")), 1, "the cache was kept")
            s.wait_log("read again")


@test
def a_hangup_brings_new_lists_and_settings_into_force():
    with ListServer() as lists, Upstream() as up:
        url = lists.put("/ads.txt", "0.0.0.0 old.example\n")
        with Sinkhole(lists=[url], upstream=up, http=False, config="block-mode = null\n") as s:
            s.wait_blocked("old.example")
            lists.put("/ads.txt", "0.0.0.0 new.example\n0.0.0.0 newer.example\n")
            with open(s.config_path, "w") as f:
                f.write("block-mode = nxdomain\nrecord = nas.house.example A 192.168.1.9\n")
            s.reload()
            wait_until(lambda: s.ask("new.example").rcode == "NXDOMAIN", 10 * SLOW)
            eq(s.ask("old.example").rcode, "NOERROR")
            eq(s.ask("nas.house.example").addresses, ["192.168.1.9"])


@test
def a_bad_configuration_is_not_put_in_force():
    with Upstream() as up:
        with Sinkhole(lists=[], upstream=up, http=False, config="record = nas.house.example A 192.168.1.9\n") as s:
            with open(s.config_path, "w") as f:
                f.write("block-ttl = soon\n")
            mark = s.log_mark()
            s.reload()
            contains(s.wait_log("stays in force", after=mark), ":1:")
            eq(s.ask("nas.house.example").addresses, ["192.168.1.9"])


@test
def options_of_the_start_are_named_when_they_cannot_change():
    with Upstream() as up:
        with Sinkhole(lists=[], upstream=up, http=False, config="cache-entries = 1024\n") as s:
            with open(s.config_path, "w") as f:
                f.write("cache-entries = 2048\n")
            s.reload()
            s.wait_log("cache-entries: the new value takes effect at the next start")


@test
def a_changed_hosts_file_is_noticed():
    with Upstream() as up:
        state = os.path.join("/tmp", f"sinkhole-hosts-{os.getpid()}")
        with open(state, "w") as f:
            f.write("192.168.1.1 one.house.example\n")
        try:
            with Sinkhole(lists=[], upstream=up, http=False, args=["--hosts-file", state]) as s:
                eq(s.ask("one.house.example").addresses, ["192.168.1.1"])
                with open(state + ".new", "w") as f:
                    f.write("192.168.1.2 one.house.example\n")
                os.rename(state + ".new", state)
                wait_until(lambda: s.ask("one.house.example").addresses == ["192.168.1.2"], 5 * SLOW)
        finally:
            os.unlink(state)


@test
def sigterm_is_quick_whatever_goes_on():
    for kind in ("idle", "load", "silent upstream", "tcp clients"):
        with Upstream() as up:
            s = Sinkhole(lists=[], upstream=up, http=False)
            try:
                up.silent = kind == "silent upstream"
                clients = [socket.create_connection(("127.0.0.1", s.port)) for _ in range(10)] if kind == "tcp clients" else []
                if kind in ("load", "silent upstream"):
                    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as c:
                        for i in range(200):
                            c.sendto(make_query(f"n{i}.example", "A").pack(), ("127.0.0.1", s.port))
                started = time.monotonic()
                eq(s.stop(), 0, kind)
                took = time.monotonic() - started
                check(took < 1.0 * SLOW, f"{kind}: {took:.2f} s")
                for c in clients:
                    c.close()
            finally:
                s.kill()


@test
def sigterm_answers_what_is_in_flight():
    with Upstream() as up:
        up.answer("flying.example", "A", "198.51.100.3", delay=0.2)
        s = Sinkhole(lists=[], upstream=up, http=False)
        try:
            result = []
            t = threading.Thread(target=lambda: result.append(s.ask("flying.example", timeout=2 * SLOW)))
            t.start()
            wait_until(lambda: up.asked("flying.example"), 2 * SLOW)
            eq(s.stop(), 0)
            t.join()
            eq(result[0].addresses, ["198.51.100.3"])
        finally:
            s.kill()


@test
def after_a_kill_it_blocks_at_once_and_without_network():
    with ListServer() as lists, Upstream() as up:
        url = lists.put("/ads.txt", "".join(f"0.0.0.0 ads{i}.example\n" for i in range(100000)))
        with tempfile.TemporaryDirectory() as state:
            first = Sinkhole(lists=[url], upstream=up, http=False, state=state)
            first.wait_blocked("ads99999.example")
            first.process.send_signal(signal.SIGKILL)
            first.process.wait()
            lists.close()
            started = time.monotonic()
            with Sinkhole(lists=[url], upstream=up, http=False, state=state) as s:
                eq(s.ask("ads5.example").addresses, ["0.0.0.0"], "the first answer")
                took = time.monotonic() - started
                check(took < 1.0 * SLOW, f"{took:.2f} s to the first blocked answer")
                eq(s.ask("ads99999.example").addresses, ["0.0.0.0"])


@test
def a_second_one_in_the_same_state_directory_is_refused():
    with Upstream() as up, Sinkhole(lists=[], upstream=up, http=False) as s:
        second = Sinkhole(lists=[], upstream=up, http=False, state=s.state, wait=False)
        try:
            eq(second.process.wait(10 * SLOW), 1)
            second.wait_log("another process uses it")
        finally:
            second.kill()


@test
def the_service_manager_is_told():
    with Upstream() as up, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        path = f"\0sinkhole-test-{os.getpid()}"
        manager.bind(path)
        manager.settimeout(5 * SLOW)
        env = {"NOTIFY_SOCKET": "@" + path[1:], "WATCHDOG_USEC": "400000"}
        with Sinkhole(lists=[], upstream=up, http=False, env=env) as s:
            contains(manager.recv(4096).decode(), "READY=1")
            eq([manager.recv(4096) for _ in range(3)], [b"WATCHDOG=1"] * 3)
        manager.settimeout(1)
        said = []
        try:
            while True:
                said.append(manager.recv(4096).decode())
        except socket.timeout:
            pass
        check(any("STOPPING=1" in text for text in said))


@test
def idle_means_asleep():
    """Hardening and speed: no wake-up without a reason."""
    def switches(s):
        total = 0
        for task in os.listdir(f"/proc/{s.pid}/task"):
            with open(f"/proc/{s.pid}/task/{task}/status") as f:
                total += sum(int(line.split()[1]) for line in f if "ctxt_switches" in line)
        return total

    if SLOW > 1:
        skip("run-times of sanitizers have threads of their own")
    with Upstream() as up, Sinkhole(lists=[], upstream=up, http=False) as s:
        s.ask("a.example")
        time.sleep(4)
        before = switches(s)
        time.sleep(4)
        check(switches(s) - before <= 8, f"{switches(s) - before} context switches in four idle seconds")


run()
