#!/usr/bin/env python3
"""Started as root it binds and then is nobody: no user, no group, no capability, no way back, in all threads. And it still works."""

import os
import pwd
import shutil
import tempfile

from lib import *
from lib.daemon import SLOW


def status_of(pid, task):
    with open(f"/proc/{pid}/task/{task}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def need_root():
    if os.geteuid() != 0:
        skip("needs root to start with")


def start(user, **kw):
    up = Upstream()
    state = tempfile.mkdtemp(prefix="sinkhole-privileges-")
    s = Sinkhole(lists=None, upstream=up, state=state, args=["--user", user], **kw)
    return up, state, s


def finish(up, state, s):
    if s.process.poll() is None:
        s.__exit__(None, None, None)
    s.kill()
    up.close()
    shutil.rmtree(state, ignore_errors=True)


@test
def root_is_given_up_in_all_threads():
    need_root()
    up, state, s = start("nobody")
    try:
        s.wait_blocked("doubleclick.net")
        nobody = pwd.getpwnam("nobody")
        tasks = os.listdir(f"/proc/{s.pid}/task")
        check(len(tasks) >= 4, f"{len(tasks)} threads")
        for task in tasks:
            status = status_of(s.pid, task)
            eq(set(status["Uid"].split()), {str(nobody.pw_uid)}, status["Name"])
            eq(set(status["Gid"].split()), {str(nobody.pw_gid)}, status["Name"])
            eq(status["Groups"].split(), [], status["Name"])
            for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                eq(int(status[kind], 16), 0, f"{kind} of {status['Name']}")
            eq(status["NoNewPrivs"], "1", status["Name"])
    finally:
        finish(up, state, s)


@test
def without_root_it_still_keeps_its_state():
    need_root()
    up, state, s = start("nobody")
    try:
        s.wait_blocked("doubleclick.net")
        s.api.post("/api/domains/deny/exact", {"domain": "own.example"})
        eq(s.ask("own.example").addresses, ["0.0.0.0"])
        s.reload()
        s.wait_log("read again")
        eq(s.stop(), 0)
        for name in ("blocklist.img", "rules.json", "stats.bin"):
            path = os.path.join(state, name)
            check(os.path.exists(path), name)
            eq(os.stat(path).st_uid, pwd.getpwnam("nobody").pw_uid, name)
            eq(os.stat(path).st_mode & 0o077, 0, f"{name} is nobody else's to read")
    finally:
        finish(up, state, s)


@test
def files_made_by_root_before_are_taken_over():
    need_root()
    up, state, s = start("none")
    s.wait_blocked("doubleclick.net")
    finish(up, "/nonexistent", s)
    eq(os.stat(os.path.join(state, "blocklist.img")).st_uid, 0)
    up = Upstream()
    s = Sinkhole(lists=None, upstream=up, state=state, args=["--user", "nobody"])
    try:
        eq(s.ask("doubleclick.net").addresses, ["0.0.0.0"], "from the saved image")
        eq(os.stat(os.path.join(state, "blocklist.img")).st_uid, pwd.getpwnam("nobody").pw_uid)
    finally:
        finish(up, state, s)


@test
def a_user_that_is_not_there_is_an_error():
    need_root()
    with Upstream() as up:
        s = Sinkhole(lists=[], upstream=up, args=["--user", "no-such-user"], wait=False)
        try:
            eq(s.process.wait(10 * SLOW), 2)
            contains(s.log_text(), 'found "no-such-user", expected a user of this machine')
        finally:
            s.kill()


run()
