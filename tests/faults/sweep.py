#!/usr/bin/env python3
"""
Lets each system call of the daemon fail in turn: each kind, each occurrence, once; then kinds that go on failing; then SIGKILL in place of each
call that touches what is kept; then memory that is not to be had. What must hold is written in tests/e2e/lib/faults.py. Prints a line for each kind and each problem, and counts.

    tests/faults/sweep.py [--most N] [--only CALL] [--show]

--most: at most so many occurrences of a kind, spread evenly from the first to the last (default: 60). Programs: $SINKHOLE_BIN, $SINKHOLE_INJECT.
"""

import argparse
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from lib.faults import KILLS, KINDS, LASTING, Machine  # noqa: E402


def spread(first, last, most):
    """Whole numbers from first to last, at most so many."""
    count = last - first + 1
    if count <= most:
        return list(range(first, last + 1))
    return sorted({first + i * (count - 1) // (most - 1) for i in range(most)})


def plan(counts, before, most):
    """(call, error, when): what happens before main() is the loader's."""
    for call, errors in KINDS.items():
        for when in spread(before.get(call, 0) + 1, counts.get(call, 0), most):
            for error in errors:
                yield call, error, str(when)
    for call, error in LASTING.items():
        for when in spread(before.get(call, 0) + 1, counts.get(call, 0), max(3, most // 3)):
            yield call, error, f"{when}+"
    for call in KILLS:
        for when in spread(before.get(call, 0) + 1, counts.get(call, 0), most):
            yield call, "KILL", str(when)


def plan_allocations(m, most):
    count, before = m.count_allocations()
    print(f"{count - before} allocations in a life", flush=True)
    for when in spread(before + 1, count, 8 * most):
        yield "malloc", "ENOMEM", str(when)
    for when in spread(before + 1, count, most):
        yield "malloc", "ENOMEM", f"{when}+"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--most", type=int, default=60)
    parser.add_argument("--only")
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    began, rows, bad = time.monotonic(), {}, 0
    with Machine() as m:
        counts, before = m.count()
        points = list(plan(counts, before, options.most)) + list(plan_allocations(m, options.most))
        for call, error, when in points:
            if options.only and call != options.only:
                continue
            problems, failed = m.play(call, error, when)
            lasting = "+" if when.endswith("+") else ""
            row = rows.setdefault((call, error + lasting), [0, 0, 0])
            row[0] += 1
            row[1] += bool(failed)
            row[2] += bool(problems)
            if options.show:
                print(call, error, when, "; ".join(failed[:2]), flush=True)
            if problems:
                bad += 1
                print(f"PROBLEM {call}:{error}:{when} ({'; '.join(failed[:3])})", *problems, sep="\n    ", flush=True)
    print(f"{'call':<26}{'error':<16}{'lives':>6}{'met':>6}{'problems':>10}")
    for (call, error), (lives, met, wrong) in rows.items():
        print(f"{call:<26}{error:<16}{lives:>6}{met:>6}{wrong:>10}")
    unused = [call for call in KINDS if counts.get(call, 0) <= before.get(call, 0)]
    print("not called: " + ", ".join(unused))
    lives, met = sum(r[0] for r in rows.values()), sum(r[1] for r in rows.values())
    print(f"{lives} lives in {time.monotonic() - began:.0f} s, {met} met their fault")
    print(f"{lives - bad} passed, {bad} failed")
    sys.exit(1 if bad or lives == 0 else 0)


main()
