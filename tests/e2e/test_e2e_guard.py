#!/usr/bin/env python3
"""The update guard: updates of lists that look wrong wait for a person, over restarts too; what is in force stays."""

import json
import os
import shutil

from lib import *
from lib.daemon import state_dir

NAMES = 3000
FIRST = "".join(f"0.0.0.0 ads{i}.example\n" for i in range(NAMES))
WRONG = "".join(f"0.0.0.0 ads{i}.example\n" for i in range(100, NAMES)) + "||google.com^\n||co.uk^\n0.0.0.0 new.example\n"


def blocked(s, name):
    return s.ask(name).addresses == ["0.0.0.0"]


def item(s):
    return s.api.get("/api/lists").json["lists"][0]


def held(s):
    r = s.api.get(f"/api/sinkhole/lists/{item(s)['id']}/held")
    return r.json["held"] if r.status == 200 else None


def wait_held(s):
    wait_until(lambda: (held(s) or {}).get("compared"), text="there is no update that is held back and compared")
    return held(s)


def update_until(s, text):
    """An update that is under way is joined, so one may not be enough."""
    wait_until(lambda: text in s.cli("update").stdout, text=f"no update says: {text}")


def first_then_wrong(s, lists):
    s.wait_blocked("ads1.example")
    lists.put("/list", WRONG)
    update_until(s, "held back")
    eq(s.cli("update").returncode, 1)
    return wait_held(s)


@test
def a_wrong_update_waits_and_is_taken_after_a_restart():
    if Sinkhole.bare_metal:
        skip("bare metal keeps nothing of an update that is held back: it is not compared, a yes fetches it again, and there is no lasting no")
    lists, up, state = ListServer(), Upstream(), state_dir()
    url = lists.put("/list", FIRST)
    try:
        with Sinkhole(lists=[url], upstream=up, state=state) as s:
            h = first_then_wrong(s, lists)
            eq((h["added"], h["removed"]), (3, 100))
            eq((h["rules_before"], h["rules"]), (NAMES, NAMES - 100 + 3))
            eq(h["counts"], {"suffix": 1, "popular": 1, "used": 0})
            eq(sorted(n["name"] for n in h["names"]), ["co.uk", "google.com"])
            eq(len(h["removed_rules"]), 50)
            eq({r["name"] for r in h["added_rules"]}, {"google.com", "co.uk", "new.example"})
            contains(s.log_text(), "sinkhole update --accept")
            eq(blocked(s, "ads1.example"), True)
            eq(blocked(s, "www.google.com"), False)
            message = s.api.get("/api/info/messages").json["messages"][0]
            eq(message["type"], "LIST_HELD")
            contains(message["plain"], "google.com")
            eq(any(f.endswith("-held.gz") for f in os.listdir(os.path.join(state, "lists"))), True)
        lists.put("/list", raw=b"")  # the server is of no use any more
        with Sinkhole(lists=[url], upstream=up, state=state) as s:
            eq(blocked(s, "ads1.example"), True)
            eq(blocked(s, "www.google.com"), False)
            h = wait_held(s)
            eq((h["added"], h["removed"]), (3, 100))
            contains(h["reason"], "public suffix (co.uk")
            review = s.cli("update", "--review")
            eq(review.returncode, 0)
            contains(review.stdout, "! google.com and all below: one of the most-used names")
            contains(review.stdout, "+ new.example")
            contains(review.stdout, "- 50 more")
            eq(json.loads(s.cli("update", "--review", "--json").stdout)["held"][0]["held"]["added"], 3)
            eq(s.cli("update", "--accept", url).returncode, 0)
            s.wait_blocked("www.google.com")
            wait_until(lambda: not blocked(s, "ads1.example"), text="a worker still has the old list")  # each takes the new one by itself
            eq(blocked(s, "ads200.example"), True)
            wait_until(lambda: not item(s)["needs_confirm"], text="an update still waits")
            eq(held(s), None)
            eq(any(f.endswith("-held.gz") for f in os.listdir(os.path.join(state, "lists"))), False)
        with Sinkhole(lists=[url], upstream=up, state=state) as s:
            eq(blocked(s, "www.google.com"), True)
    finally:
        lists.close()
        up.close()
        shutil.rmtree(state, ignore_errors=True)


@test
def a_no_is_remembered():
    if Sinkhole.bare_metal:
        skip("bare metal keeps nothing of an update that is held back: it is not compared, a yes fetches it again, and there is no lasting no")
    lists, up, state = ListServer(), Upstream(), state_dir()
    url = lists.put("/list", FIRST)
    try:
        with Sinkhole(lists=[url], upstream=up, state=state) as s:
            first_then_wrong(s, lists)
            eq(s.cli("update", "--refuse", str(item(s)["id"])).returncode, 0)
            wait_until(lambda: not item(s)["needs_confirm"], text="an update still waits")
            eq(s.cli("update").returncode, 0)
            eq(held(s), None)
            eq(s.cli("update", "--review").stdout, "no update is held back\n")
        with Sinkhole(lists=[url], upstream=up, state=state) as s:
            eq(s.cli("update").returncode, 0)
            eq(held(s), None)
            eq(blocked(s, "ads1.example"), True)
            lists.put("/list", FIRST + "0.0.0.0 more.example\n")
            eq(s.cli("update").returncode, 0)
            s.wait_blocked("more.example")
    finally:
        lists.close()
        up.close()
        shutil.rmtree(state, ignore_errors=True)


@test
def what_is_held_back_is_taken_with_a_yes():
    lists, up = ListServer(), Upstream()
    with Sinkhole(lists=[lists.put("/list", FIRST)], upstream=up) as s:
        s.wait_blocked("ads1.example")
        lists.put("/list", WRONG)
        update_until(s, "held back")
        contains(str(item(s)), "google.com")
        eq((blocked(s, "ads1.example"), blocked(s, "www.google.com")), (True, False), "the old content stays")
        eq(s.api.post(f"/api/sinkhole/lists/{item(s)['id']}/confirm").status, 202)
        s.wait_blocked("www.google.com")
        wait_until(lambda: not item(s)["needs_confirm"], text="an update still waits")
        eq(blocked(s, "ads1.example"), False)
    lists.close()
    up.close()


@test
def an_update_that_lost_more_than_a_third_waits():
    lists, up = ListServer(), Upstream()
    url = lists.put("/list", FIRST)
    with Sinkhole(lists=[url], upstream=up) as s:
        s.wait_blocked("ads1.example")
        lists.put("/list", "".join(f"0.0.0.0 ads{i}.example\n" for i in range(2000)))
        eq(s.cli("update").returncode, 0)  # two thirds are enough
        wait_until(lambda: not blocked(s, "ads2999.example"), text="two thirds are not taken")
        lists.put("/list", "".join(f"0.0.0.0 ads{i}.example\n" for i in range(1333)))
        update_until(s, "only 1333 rules where 2000 were before")
        eq(blocked(s, "ads1999.example"), True)
    lists.close()
    up.close()


@test
def an_expression_that_fits_a_most_used_name_waits():
    if Sinkhole.bare_metal:
        skip("bare metal's guard looks at the names of an update, not at its expressions")
    lists, up = ListServer(), Upstream()
    first = FIRST + "/^track[0-9]+\\./\n"
    url = lists.put("/list", first)
    with Sinkhole(lists=[url], upstream=up) as s:
        s.wait_blocked("ads1.example")
        lists.put("/list", first + "/^beacons?[0-9]*\\./\n")  # fits none
        wait_until(lambda: s.cli("update").returncode == 0 and blocked(s, "beacon.shop.example"), text="a harmless expression is not taken")
        lists.put("/list", first + "/(^|\\.)goog/\n")
        update_until(s, "held back")
        h = wait_held(s)
        eq(bool(h["counts"]["popular"] > 0), True)
        eq(all("goog" in n["name"] and not n["below"] for n in h["names"]), True)
        contains(h["reason"], "of the most-used names")
        eq(bool(not blocked(s, "google.com")), True)
        eq(s.cli("update", "--accept", url).returncode, 0)
        wait_until(lambda: blocked(s, "google.com"), text="what was accepted is not in force")
        eq(bool(not s.cli("update").stdout.count("held back")), True)  # the copy in force has it now


@test
def a_list_that_a_person_adds_is_taken_with_a_word():
    lists, up = ListServer(), Upstream()
    url = lists.put("/no-google", "||google.com^\n||youtube.com^\n")
    with Sinkhole(lists=[url], upstream=up) as s:
        s.wait_blocked("www.google.com")
        wait_until(lambda: item(s)["notice"], text="there is no notice")
        contains(item(s)["notice"], "most-used names")
        eq(item(s)["needs_confirm"], False)
        eq(s.api.get("/api/info/messages").json["messages"][0]["type"], "LIST_NOTICE")
        eq(s.api.post(f"/api/sinkhole/lists/{item(s)['id']}/confirm").status, 202)
        wait_until(lambda: not item(s)["notice"], text="the notice stays after a yes")
    lists.close()
    up.close()


@test
def the_guard_is_off_where_a_person_says_so():
    lists, up = ListServer(), Upstream()
    spared, watched = lists.put("/spared", FIRST), lists.put("/watched", FIRST)
    with Sinkhole(lists=[spared, watched], upstream=up, args=["--update-unguarded", spared]) as s:
        s.wait_blocked("ads1.example")
        guards = {i["address"]: i["guard"] for i in s.api.get("/api/lists").json["lists"]}
        eq(guards, {spared.replace("127.0.0.1", s.me): False, watched.replace("127.0.0.1", s.me): True})
        lists.put("/spared", "||com^\n")
        lists.put("/watched", "||net^\n")
        update_until(s, "held back")
        s.wait_blocked("www.com")
        eq(blocked(s, "www.net"), False)
        waiting = [i["address"] for i in s.api.get("/api/lists").json["lists"] if i["needs_confirm"]]
        eq(waiting, [watched.replace("127.0.0.1", s.me)])
    with Sinkhole(lists=[watched], upstream=up, args=["--update-guard", "off"]) as s:
        s.wait_blocked("www.net")
        lists.put("/watched", "||org^\n")
        eq(s.cli("update").returncode, 0)
        s.wait_blocked("www.org")
    lists.close()
    up.close()


run()
