#!/usr/bin/env python3
"""Starts, stops, reloads: what is saved answers first, and nothing is lost on the way."""

import os
import shutil
import signal
import socket
import threading
import time

from lib import *
from lib.daemon import SLOW

LIST = "".join(f"ads{i}.example\n" for i in range(2000))


class Saved:
    """A state directory with the image of one list, whose server is gone."""

    def __enter__(self):
        self.state = state_dir()
        with ListServer() as lists, Upstream() as up:
            self.url = lists.put("/list.txt", LIST)
            with Sinkhole(lists=[self.url], upstream=up, state=self.state) as s:
                s.wait_blocked("ads7.example")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.state, ignore_errors=True)


@test
def saved_image_answers_first_with_lists_unreachable():
    with Saved() as saved, Upstream() as up:
        check(os.path.exists(os.path.join(saved.state, "blocklist.img")))
        with Sinkhole(lists=[saved.url], upstream=up, state=saved.state) as s:
            r = s.ask("ads7.example")  # the first question of all
            eq(r.addresses, ["0.0.0.0"])
            eq(r.ede[0], 15)
            check(s.ready_seconds < 1.0 * SLOW, f"ready after {s.ready_seconds:.2f} s")
            eq(s.ask("www.example").rcode, "NOERROR")


@test
def first_blocked_answer_comes_at_once_after_kill():
    with Saved() as saved, Upstream() as up:
        s = Sinkhole(lists=[saved.url], upstream=up, state=saved.state)
        s.process.kill()
        s.process.wait()
        started = time.monotonic()
        again = Sinkhole(lists=[saved.url], upstream=up, state=saved.state)
        with again:
            eq(again.ask("ads7.example").addresses, ["0.0.0.0"])
            took = time.monotonic() - started
            check(took < 1.0 * SLOW, f"{took:.2f} s from start to the first blocked answer")


@test
def last_good_copies_make_a_lost_or_corrupt_image_again():
    for damage in ("lost", "flipped", "cut", "empty"):
        with Saved() as saved, Upstream() as up:
            path = os.path.join(saved.state, "blocklist.img")
            data = bytearray(open(path, "rb").read())
            if damage == "lost":
                os.unlink(path)
            else:
                data[len(data) // 2] ^= 1
                with open(path, "wb") as f:
                    f.write({"flipped": data, "cut": data[:len(data) // 2], "empty": b""}[damage])
            with Sinkhole(lists=[saved.url], upstream=up, state=saved.state) as s:
                eq(s.wait_blocked("ads7.example").addresses, ["0.0.0.0"], damage)


@test
def refused_new_versions_leave_the_last_good_one_in_force():
    bad = [
        dict(status=404),
        dict(status=500),
        dict(body="<!DOCTYPE html><html><body>not found</body></html>", type="text/html"),
        dict(body=""),
        dict(body=LIST, cut=True),
        dict(body=LIST, cut=True, chunked=True),
        dict(body="ads1.example\n" * 3),  # far fewer names than before
        dict(reset=True),
        dict(redirect="file:///etc/hosts"),
        dict(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nads1.example\n"),
        dict(raw=b"\0\1\2 this is not HTTP"),
    ]
    state = state_dir()
    try:
        with ListServer() as lists, Upstream() as up:
            url = lists.put("/list.txt", LIST)
            with Sinkhole(lists=[url], upstream=up, state=state) as s:
                s.wait_blocked("ads7.example")
                for page in bad:
                    page = dict(page)
                    before = len(lists.asked("/list.txt"))
                    lists.put("/list.txt", page.pop("body", b""), etag=False, **page)
                    s.reload()
                    wait_until(lambda: len(lists.asked("/list.txt")) > before, 10 * SLOW, f"the list is asked for again: {page}")
                    time.sleep(0.15)
                    eq(s.ask("ads7.example").addresses, ["0.0.0.0"], str(page))
                lists.put("/list.txt", LIST + "new.example\n")
                s.reload()
                s.wait_blocked("new.example")
    finally:
        shutil.rmtree(state, ignore_errors=True)


@test
def unchanged_lists_are_not_sent_again():
    with ListServer() as lists, Upstream() as up:
        url = lists.put("/list.txt", LIST)
        with Sinkhole(lists=[url], upstream=up) as s:
            s.wait_blocked("ads7.example")
            s.reload()
            wait_until(lambda: len(lists.asked("/list.txt")) > 1, 10 * SLOW, "it is asked for again")
            check("If-None-Match" in lists.asked("/list.txt")[-1], "conditional request")
            time.sleep(0.2)
            eq(s.ask("ads7.example").addresses, ["0.0.0.0"])


@test
def sighup_takes_a_new_list_and_configuration():
    with ListServer() as lists, Upstream() as up:
        one, two = lists.put("/one.txt", "one.example\n"), lists.put("/two.txt", "two.example\n")
        config = f"list = {one}\nblock-mode = null\n"
        with Sinkhole(lists=None, upstream=up, config=config) as s:
            s.wait_blocked("one.example")
            with open(s.config_path, "w") as f:
                f.write(f"list = {one}\nlist = {two}\nblock-mode = nxdomain\n")
            s.reload()
            eq(s.wait_blocked("two.example").rcode, "NXDOMAIN")
            eq(s.ask("one.example").rcode, "NXDOMAIN")
            with open(s.config_path, "w") as f:
                f.write(f"list = {one}\n")
            s.reload()
            wait_until(lambda: s.ask("two.example").ede is None, 10 * SLOW, "the list that was taken out no longer blocks")


@test
def sighup_with_a_broken_configuration_changes_nothing():
    with ListServer() as lists, Upstream() as up:
        config = f"list = {lists.put('/one.txt', 'one.example')}\n"
        with Sinkhole(lists=None, upstream=up, config=config) as s:
            s.wait_blocked("one.example")
            with open(s.config_path, "w") as f:
                f.write("list = none\nblock-mode = sometimes\n")
            mark = s.log_mark()
            s.reload()
            line = s.wait_log("sometimes", after=mark)
            contains(line, f"{s.config_path}:2: found \"sometimes\", expected null, nxdomain, nodata, refused or ADDR4,ADDR6")
            eq(s.ask("one.example").addresses, ["0.0.0.0"])


@test
def sighup_keeps_the_cache():
    with Upstream() as up, Sinkhole(lists=[], upstream=up) as s:
        s.ask("kept.example")
        mark = s.log_mark()
        s.reload()
        time.sleep(0.5)
        s.ask("kept.example")
        eq(len(up.asked("kept.example")), 1)


@test(seconds=120)
def no_query_is_lost_while_lists_are_swapped():
    with ListServer() as lists, Upstream() as up:
        url = lists.put("/list.txt", LIST)
        with Sinkhole(lists=[url], upstream=up, args=["--rate-limit", "off"]) as s:
            s.wait_blocked("ads7.example")
            stop, results = threading.Event(), []

            def asker(number):
                sent = lost = wrong = 0
                while not stop.is_set():
                    sent += 1
                    try:
                        r = s.ask(f"ads{(sent * 7 + number) % 1000}.example", timeout=2 * SLOW)
                        wrong += r.addresses != ["0.0.0.0"]
                    except TimeoutError:
                        lost += 1
                results.append((sent, lost, wrong))

            threads = [threading.Thread(target=asker, args=(n,)) for n in range(4)]
            for t in threads:
                t.start()
            for i in range(12):
                before = len(lists.asked("/list.txt"))
                lists.put("/list.txt", LIST + f"version{i}.example\n")
                s.reload()
                s.wait_blocked(f"version{i}.example")
            stop.set()
            for t in threads:
                t.join()
            sent = sum(r[0] for r in results)
            check(sent > 200, f"only {sent} queries were sent")
            eq((sum(r[1] for r in results), sum(r[2] for r in results)), (0, 0), f"lost, wrong of {sent}")


@test
def a_storm_of_signals_does_no_harm():
    with Upstream() as up, Sinkhole(lists=[], upstream=up) as s:
        s.ask("storm.example")
        for _ in range(300):
            s.signal(signal.SIGHUP)
            time.sleep(0.002)
        for i in range(20):
            eq(s.ask(f"after{i}.storm.example").rcode, "NOERROR")


@test
def it_starts_before_the_network():
    with Sinkhole(lists=["http://127.0.0.1:9/never"], upstream="192.0.2.1:53") as s:
        eq(s.ask("localhost").addresses, ["127.0.0.1"])
        r = s.ask("www.example", timeout=9 * SLOW)
        eq(r.rcode, "SERVFAIL")
        check(r.ede and r.ede[0] in (22, 23), f"{r.ede}")


@test
def two_with_one_state_directory_are_told_apart():
    state = state_dir()
    try:
        with Upstream() as up, Sinkhole(lists=[], upstream=up, state=state):
            second = Sinkhole(lists=[], upstream=up, state=state, wait=False)
            try:
                wait_until(lambda: second.process.poll() is not None or "ready" in second.log_text(), 10 * SLOW)
                if second.process.poll() is None:
                    contains(second.log_text(), "state")  # it says so and goes on without saving
                else:
                    check(second.process.poll() in (1, 2), f"exit status {second.process.poll()}")
            finally:
                second.kill()
    finally:
        shutil.rmtree(state, ignore_errors=True)


@test
def a_port_that_is_taken_is_an_error_in_one_line():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        r = cli("run", "--config", "/dev/null", "--listen", f"127.0.0.1:{port}", "--http", "off", "--state-dir", "/tmp/none-such", "--user", "none", "--list", "none")
        eq(r.returncode, 1)
        contains(r.stderr + r.stdout, f"127.0.0.1:{port}")


run()
