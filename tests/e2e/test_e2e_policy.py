#!/usr/bin/env python3
"""Groups, clients, schedules and pauses in the real program. Clients are addresses of loopback, and a device on a wire; on bare metal all are devices on a wire."""

import contextlib
import shutil
import tempfile

from lib import *
from lib import netns

if not Sinkhole.bare_metal:
    netns.enter()

Sinkhole.crowd = True
KIDS, GUEST, OTHER, NIGHT, MORE = (Sinkhole.neighbour(n) for n in (9, 8, 7, 6, 5))
CONFIG = f"""
[group kids]
client = {KIDS}
block-mode = nxdomain
list = LISTS/games.txt
[group free]
client = {GUEST}
with-default = off
[group night]
client = {NIGHT}
schedule = daily 00:00-24:00 block
"""


def is_blocked(s, name, source, **kw):
    reply = s.ask(name, source=source, **kw)
    return reply.ede is not None and reply.ede[0] == 15


@test
def groups_of_the_file_choose_lists_and_answers():
    with ListServer() as lists, Upstream() as up:
        lists.put("/games.txt", "games.example\n")
        config = CONFIG.replace("LISTS", lists.put("/ads.txt", "ads.example\n").rsplit("/", 1)[0])
        with Sinkhole(lists=[lists.put("/ads.txt", "ads.example\n")], upstream=up, config=config) as s:
            s.wait_blocked("ads.example")
            wait_until(lambda: is_blocked(s, "games.example", KIDS), 15, "the group's list is there")
            check(not is_blocked(s, "games.example", OTHER), "for nobody else")
            eq(s.ask("ads.example", source=KIDS).rcode, "NXDOMAIN")
            eq(s.ask("ads.example", source=OTHER).addresses, ["0.0.0.0"])
            check(not is_blocked(s, "ads.example", GUEST), "without Default nothing is blocked")
            check(is_blocked(s, "www.example", NIGHT), "at this time everything is")
            eq(s.api.post("/api/domains/allow/exact", {"domain": "www.example", "groups": [0]}).status, 201)
            check(not is_blocked(s, "www.example", NIGHT), "but what an own rule allows")


@test
def a_decision_is_told_step_by_step():
    with ListServer() as lists, Upstream() as up:
        config = CONFIG.replace("LISTS", lists.put("/games.txt", "games.example\n").rsplit("/", 1)[0])
        with Sinkhole(upstream=up, config=config) as s:
            wait_until(lambda: is_blocked(s, "games.example", KIDS), 15, "the group's list is there")
            j = s.api.get(f"/api/sinkhole/check?domain=games.example&client={KIDS}").json
            eq((j["verdict"], j["client"]["group"], j["answer"]), ("blocked", "kids, Default", "NXDOMAIN"))
            eq([w["verdict"] for w in j["without"]], ["allowed"])
            eq(s.api.get(f"/api/sinkhole/check?domain=games.example&client={OTHER}").json["verdict"], "allowed")
            out = s.cli("check", "--client", NIGHT, "games.example").stdout
            contains(out, "in force: night: daily 00:00-24:00 block")
            eq(s.cli("check", "--client", "nobody", "games.example").returncode, 1, "a name that nobody has")


@test
def a_group_and_a_client_are_paused_over_a_restart():
    with ListServer() as lists, Upstream() as up:
        url = lists.put("/ads.txt", "ads.example\n")
        config = CONFIG.replace("LISTS", lists.put("/games.txt", "games.example\n").rsplit("/", 1)[0])
        state = tempfile.mkdtemp()
        with Sinkhole(lists=[url], upstream=up, config=config, state=state) as s:
            s.wait_blocked("ads.example")
            eq(s.cli("pause", "--group", "kids", "1h").returncode, 0)
            eq(s.cli("pause", "--client", OTHER).returncode, 0)
            check(not is_blocked(s, "ads.example", KIDS) and not is_blocked(s, "ads.example", OTHER), "paused")
            check(is_blocked(s, "ads.example", MORE), "not for others")
            eq(s.api.get("/api/dns/blocking").json["blocking"], "enabled")
        with Sinkhole(lists=[url], upstream=up, config=config, state=state) as s:
            wait_until(lambda: is_blocked(s, "ads.example", MORE), 15, "the list is there")
            check(not is_blocked(s, "ads.example", KIDS) and not is_blocked(s, "ads.example", OTHER), "still paused")
            eq(s.cli("resume", "--group", "kids").returncode, 0)
            check(is_blocked(s, "ads.example", KIDS), "on again")
            eq(s.api.post("/api/sinkhole/pause", {"group": "nobody"}).status, 404)
        shutil.rmtree(state, ignore_errors=True)


@test
def a_group_that_is_renamed_keeps_its_pause():
    with ListServer() as lists, Upstream() as up:
        config = f"[group night]\nclient = {NIGHT}\n"
        with Sinkhole(lists=[lists.put("/ads.txt", "ads.example\n")], upstream=up, config=config) as s:
            s.wait_blocked("ads.example")
            eq(s.api.post("/api/groups", {"name": "kids"}).status, 201)
            kids = s.api.get("/api/groups/kids").json["groups"][0]["id"]
            eq(s.api.post("/api/clients", {"client": KIDS, "groups": [0, kids]}).status, 201)
            eq(s.cli("pause", "1h", "--group", "kids").returncode, 0)
            wait_until(lambda: not is_blocked(s, "ads.example", KIDS), 15, "the group is paused")
            eq(s.api.put("/api/groups/kids", {"name": "children"}).status, 200)
            check(not is_blocked(s, "ads.example", KIDS), "and so it is by its new name")
            check(is_blocked(s, "ads.example", OTHER), "and nobody else")
            eq(s.api.delete("/api/groups/children").status, 204)
            eq(s.api.post("/api/groups", {"name": "children"}).status, 201)
            children = s.api.get("/api/groups/children").json["groups"][0]["id"]
            eq(s.api.put(f"/api/clients/{KIDS}", {"groups": [0, children]}).status, 200)
            check(is_blocked(s, "ads.example", KIDS), "a new group of that name is not paused")
            eq(s.api.put("/api/sinkhole/groups/night", {"block_mode": "nxdomain"}).status, 200)
            r = s.api.put("/api/groups/night", {"name": "evening"})
            eq(r.status, 400)
            contains(r.body.decode(), "the configuration has this group")


@test
def groups_of_the_page_are_in_force_at_once():
    with ListServer() as lists, Upstream() as up:
        url = lists.put("/ads.txt", "ads.example\n")
        with Sinkhole(lists=[url], upstream=up) as s:
            s.wait_blocked("ads.example")
            group = s.api.post("/api/groups", {"name": "page"}).json["groups"][0]["id"]
            eq(s.api.post("/api/clients", {"client": KIDS, "groups": [group]}).status, 201)
            check(not is_blocked(s, "ads.example", KIDS), "no list is the group's")
            eq(s.api.post("/api/domains/deny/exact", {"domain": "www.example", "groups": [group]}).status, 201)
            check(is_blocked(s, "www.example", KIDS) and not is_blocked(s, "www.example", OTHER), "a rule of the group")
            r = s.api.put("/api/sinkhole/groups/page", {"schedules": ["daily 00:00-24:00 block"]})
            eq((r.status, [g["now"] for g in r.json["groups"]]), (200, ["as usual", "blocks"]))
            check(is_blocked(s, "any.example", KIDS), "at this time everything is blocked")


@test
def groups_have_upstreams_of_their_own():
    with Upstream() as house, Upstream() as other:
        config = f"[group kids]\nclient = {KIDS}\nupstream = {other.address}\n"
        house.answer("two.example", "A", "198.51.100.1")
        other.answer("two.example", "A", "198.51.100.2")
        with Sinkhole(upstream=house, config=config) as s:
            for _ in range(2):  # asked for, then from the cache: neither gets what the other got
                eq(s.ask("two.example", source=KIDS).addresses, ["198.51.100.2"])
                eq(s.ask("two.example", source=OTHER).addresses, ["198.51.100.1"])
            eq((len(house.asked("two.example")), len(other.asked("two.example"))), (1, 1))
            other.silent = True
            s.ask("three.example", source=OTHER)
            eq(other.asked("three.example"), [])


@test
def services_and_safe_search_of_a_group():
    with Upstream() as up:
        config = (f"[group kids]\nclient = {KIDS}\nsafe-search = on\nschedule = daily 00:00-24:00 services tiktok\n"
                  f"[group guests]\nclient = {GUEST}\nservice = roblox\n")
        up.answer("forcesafesearch.google.com", "A", "198.51.100.120")
        up.answer("www.google.com", "A", "198.51.100.4")
        with Sinkhole(upstream=up, config=config) as s:
            check(is_blocked(s, "www.tiktok.com", KIDS), "a service at this time")
            check(not is_blocked(s, "www.tiktok.com", GUEST) and not is_blocked(s, "www.tiktok.com", OTHER), "for no other")
            check(is_blocked(s, "www.roblox.com", GUEST) and not is_blocked(s, "www.roblox.com", KIDS), "a service always")
            eq(s.ask("www.google.com", source=OTHER).addresses, ["198.51.100.4"])
            eq(s.ask("www.google.com", source=KIDS).addresses, ["198.51.100.120"])
            eq(s.ask("www.google.com", source=OTHER).addresses, ["198.51.100.4"])


@contextlib.contextmanager
def device(mac, config):
    """The program and a device in its network: (program, ask as it from an address, give it another one)."""
    with Upstream() as up:
        if Sinkhole.bare_metal:
            with Sinkhole(upstream=up, config=config) as s:
                yield s, lambda source: s.ask("www.example", source=source, mac=mac), "10.0.2.77", "10.0.2.78", lambda address: None
            return
        with netns.Wire() as wire:
            wire.ip(f"link set there address {mac}", there=True)
            port = free_port()
            with Sinkhole(upstream=up, config=config, args=["--listen", f"0.0.0.0:{port}"]) as s:
                yield (s, lambda source: wire.there(lambda: client.ask_udp(netns.HERE, port, "www.example", timeout=1, source=source)), netns.THERE, "192.0.2.77",
                       lambda address: wire.ip(f"addr add {address}/24 dev there", there=True))


@test
def a_device_is_known_by_its_hardware_address():
    mac = "02:00:00:00:00:99"
    with device(mac, f"[group tv]\nclient = {mac}\nschedule = daily 00:00-24:00 block\n") as (s, ask, first, second, add):
        wait_until(lambda: (r := ask(first)).ede is not None and r.ede[0] == 15, 20, "its address is learnt")
        add(second)
        wait_until(lambda: (r := ask(second)).ede is not None and r.ede[0] == 15, 20, "and its next one")
        check(not is_blocked(s, "www.example", None if s.bare_metal else "127.0.0.1"), "for no other")


run()
