#!/usr/bin/env python3
"""Nothing to do costs nothing: no thread of the program wakes up when nobody asks."""

import os
import time

from lib import *

QUIET_S = 6  # until statistics of the first query are worked up and nothing is due any more
WATCHED_S = 10
UPKEEP = 2  # wake-ups of the control thread for what is due once a minute


def switches(pid):
    """How often each thread has run."""
    counts = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status") as f:
            rows = dict(line.split(":", 1) for line in f if ":" in line)
        counts[task] = (rows["Name"].strip(), int(rows["voluntary_ctxt_switches"]) + int(rows["nonvoluntary_ctxt_switches"]))
    return counts


@test
def nobody_wakes_up_without_a_reason():
    if os.environ.get("SINKHOLE_SLOW"):
        skip("run-times of sanitizers have threads of their own")
    with Upstream() as up, Sinkhole(lists=[], upstream=up) as s:
        s.ask("www.example.com", "A")
        s.api.request("GET", "/")
        time.sleep(QUIET_S)
        before = switches(s.pid)
        time.sleep(WATCHED_S)
        after = switches(s.pid)
        woken = {f"{after[t][0]} ({t})": after[t][1] - before[t][1] for t in after if t in before and after[t][1] != before[t][1]}
        check(set(before) == set(after), f"threads came or went: {before} {after}")
        check(sum(woken.values()) <= UPKEEP, f"woken in {WATCHED_S} s without a query: {woken}")


run()
