#!/usr/bin/env python3
"""Faults of the machine at system calls: a sample of what `make faults` does with each call in turn, and files that cannot be read."""

import json
import os
import random
import shutil

from lib import *
from lib.daemon import SLOW
from lib.faults import INJECT, KILLS, KINDS, LASTING, Machine

SAMPLE = 2  # occurrences of a kind


def plays(machine, points):
    """Lives, each with its fault; all problems at the end."""
    found, met = [], 0
    for call, error, when in points:
        problems, failed = machine.play(call, error, when)
        met += bool(failed)
        if problems:
            found.append(f"{call}:{error}:{when} ({'; '.join(failed[:2])})\n  " + "\n  ".join(problems))
    print(f"# {len(points)} lives, {met} met their fault", flush=True)
    check(not found, "\n".join(found))
    check(met >= len(points) * 2 // 3, f"{met} of {len(points)} met their fault")


def machine():
    if SLOW > 1:
        skip("a sanitizer's run-time makes calls of its own")
    if not os.path.exists(INJECT):
        skip(f"no {INJECT}: make fault-programs")
    return Machine()


def sample(counts, before, calls, seed):
    r = random.Random(seed)
    for call, error in calls:
        first, last = before.get(call, 0) + 1, counts.get(call, 0)
        for when in sorted(r.sample(range(first, last + 1), min(SAMPLE, last - first + 1))) if last >= first else ():
            yield call, error, when


@test(seconds=400)
def any_call_that_fails_once_costs_nothing_but_itself():
    with machine() as m:
        counts, before = m.count()
        seed = os.environ.get("SINKHOLE_SEED", "6")
        plays(m, [(c, e, str(n)) for c, e, n in sample(counts, before, [(c, errors[0]) for c, errors in KINDS.items()], seed)])


@test(seconds=200)
def calls_that_go_on_failing_leave_it_refusing_or_answering():
    with machine() as m:
        counts, before = m.count()
        plays(m, [(c, e, f"{n}+") for c, e, n in sample(counts, before, LASTING.items(), 7)])


@test(seconds=200)
def killed_at_any_step_it_keeps_what_was_saved():
    with machine() as m:
        counts, before = m.count()
        plays(m, [(c, "KILL", str(n)) for c, _, n in sample(counts, before, [(c, "KILL") for c in KILLS for _ in range(2)], 8)])


@test
def rules_that_cannot_be_read_are_not_written_over():
    """A directory in the file's place stands for a disk that gives errors."""
    state = state_dir()
    rules = os.path.join(state, "rules.json")
    with Upstream() as up:
        with Sinkhole(upstream=up, state=state) as s:
            eq(s.api.post("/api/domains/deny/exact", {"domain": "denied.example"}).status, 201)
        os.rename(rules, rules + ".away")
        os.mkdir(rules)
        with Sinkhole(upstream=up, state=state) as s:
            contains(s.log_text(), "rules.json: Is a directory; starting without it, and changes are refused")
            eq(s.ask("denied.example").rcode, "NOERROR")
            eq(s.api.post("/api/domains/deny/exact", {"domain": "other.example"}).status, 500)
            check(os.path.isdir(rules), "left as it was")
        os.rmdir(rules)
        os.rename(rules + ".away", rules)
        with Sinkhole(upstream=up, state=state) as s:
            eq(s.ask("denied.example").addresses, ["0.0.0.0"])


@test
def a_flipped_octet_in_the_rules_is_noticed():
    """S4: also in a comment; a document that a person edited is taken, with a word, and sealed again by the next change."""
    state = state_dir()
    rules = os.path.join(state, "rules.json")
    word = "not as it was saved (checksum)"
    try:
        with Upstream() as up:
            with Sinkhole(upstream=up, state=state) as s:
                eq(s.api.post("/api/domains/deny/exact", {"domain": "denied.example", "comment": "the telly"}).status, 201)
            with Sinkhole(upstream=up, state=state) as s:
                check(word not in s.log_text(), s.log_text())
            with open(rules) as f:
                text = f.read()
            contains(text, "telly")
            with open(rules, "w") as f:
                f.write(text.replace("telly", "tellx"))
            with Sinkhole(upstream=up, state=state) as s:
                contains(s.log_text(), word)
                eq(s.ask("denied.example").addresses, ["0.0.0.0"])
                eq(s.api.post("/api/domains/deny/exact", {"domain": "other.example"}).status, 201)
            with Sinkhole(upstream=up, state=state) as s:
                check(word not in s.log_text(), s.log_text())
            old = json.loads(open(rules).read())  # as versions before had it: JSON without the field
            check(old.pop("checksum"), "the file says its sum")
            with open(rules, "w") as f:
                json.dump(old, f)
            with Sinkhole(upstream=up, state=state) as s:
                check(word not in s.log_text(), s.log_text())
                eq(s.ask("other.example").addresses, ["0.0.0.0"])
    finally:
        shutil.rmtree(state, ignore_errors=True)


@test(seconds=120)
def rules_never_grow_beyond_what_a_start_takes():
    """A change that would make the document longer than 4 MiB is refused, and what is there stays."""
    state = state_dir()
    rules = os.path.join(state, "rules.json")
    own = [{"id": i + 1, "type": "deny", "kind": "exact", "domain": f"n{i}.example", "comment": "x" * 500, "enabled": True} for i in range(4500)]
    with open(rules, "w") as f:
        json.dump({"version": 1, "own": own}, f)
    try:
        with Upstream() as up:
            with Sinkhole(upstream=up, state=state) as s:
                eq(s.ask("n4499.example").addresses, ["0.0.0.0"])
                taken = 0
                for i in range(400):
                    names = [f"m{i}-{k}.example" for k in range(20)]
                    s.api.post("/api/domains/deny/exact", {"domain": names, "comment": "y" * 500})
                    if s.ask(names[0]).addresses != ["0.0.0.0"]:
                        break
                    taken += 1
                check(0 < taken < 150, f"{taken} changes were taken")
                contains(s.log_text(), "rules.json was not saved")
                check(os.path.getsize(rules) <= 4 << 20, f"{os.path.getsize(rules)} octets")
            with Sinkhole(upstream=up, state=state) as s:
                eq(s.ask("n4499.example").addresses, ["0.0.0.0"])
                eq(s.ask(f"m{taken - 1}-19.example").addresses, ["0.0.0.0"])
                check("starting without" not in s.log_text(), s.log_text())
    finally:
        shutil.rmtree(state, ignore_errors=True)


@test
def passwords_that_cannot_be_read_are_not_made_anew():
    state = state_dir()
    with Upstream() as up:
        os.mkdir(os.path.join(state, "passwords"))
        s = Sinkhole(upstream=up, state=state, wait=False)
        eq(s.process.wait(10 * SLOW), 1)
        s._reader.join(5)
        contains(s.log_text(), "the file of passwords cannot be read: Is a directory")
        check(os.path.isdir(os.path.join(state, "passwords")), "left as it was")


run()
