#!/usr/bin/env python3
"""Devices: who they are by leases, by the word of a router, by asking it; one is one row."""

import os
import shutil
import tempfile

from lib import *
from lib import client, netns
from lib.dns import Edns, Message

netns.enter()

MAC = "3c:22:fb:01:02:03"
LAPTOP = [(65001, bytes.fromhex("3c22fb010203"))]


def told(s, name, options, source=None):
    """An answer to a question with options in its OPT."""
    return s.ask(name, edns=Edns(options=options), source=source)


def is_blocked(reply):
    return reply.ede is not None and reply.ede[0] == 15


def devices(s):
    return {d["hwaddr"]: d for d in s.api.get("/api/network/devices?max_devices=50").json["devices"]}


@test
def a_lease_names_a_device_and_joins_its_addresses():
    folder = tempfile.mkdtemp(prefix="leases-")
    path = os.path.join(folder, "dnsmasq.leases")
    with open(path, "w") as f:
        f.write(f"0 {MAC} 127.0.0.5 Laptop *\n0 {MAC} 127.0.0.6 * *\n")
    try:
        with Upstream() as up, Sinkhole(upstream=up, args=["--lease-file", path]) as s:
            for source in ("127.0.0.5", "127.0.0.6", "127.0.0.6", "127.0.0.7"):
                s.ask("www.example", source=source)
            wait_until(lambda: devices(s).get(MAC, {}).get("numQueries") == 3, 15, "they are counted")
            d = devices(s)[MAC]
            eq((d["name"], d["name_source"], d["numQueries"]), ("laptop", "lease", 3))
            eq(sorted(a["ip"] for a in d["ips"]), ["127.0.0.5", "127.0.0.6"])
            wait_until(lambda: len(s.api.get("/api/stats/top_clients").json["clients"]) == 2, 15, "all of them")
            top = s.api.get("/api/stats/top_clients").json["clients"]
            eq([(c["name"], c["count"]) for c in top], [("laptop", 3), ("", 1)])
            eq(s.api.post("/api/domains/deny/exact", {"domain": "www.example", "client": "laptop"}).status, 201)
            check(is_blocked(s.ask("www.example", source="127.0.0.5")), "a rule for the name")
            check(is_blocked(s.ask("www.example", source="127.0.0.6")), "… is for all addresses of the device")
            check(not is_blocked(s.ask("www.example", source="127.0.0.7")), "… and for no other")
            with open(path + ".new", "w") as f:  # as dnsmasq does it
                f.write(f"0 {MAC} 127.0.0.7 Phone *\n")
            os.replace(path + ".new", path)
            wait_until(lambda: devices(s).get(MAC, {}).get("name") == "phone", 15, "the change is noticed")
            wait_until(lambda: not is_blocked(s.ask("www.example", source="127.0.0.5")), 15, "the rule is for nobody now")
    finally:
        shutil.rmtree(folder)


@test
def a_trusted_router_tells_who_asks_and_nothing_of_it_goes_upstream():
    config = "client-id-from = 127.0.0.5\n[group kids]\nclient = " + MAC + "\nschedule = daily 00:00-24:00 block\n"
    with Upstream() as up, Sinkhole(upstream=up, config=config) as s:
        check(is_blocked(told(s, "a.example", LAPTOP, source="127.0.0.5")), "the device's group")
        check(not is_blocked(told(s, "b.example", LAPTOP, source="127.0.0.6")), "from anybody else it is ignored")
        check(not is_blocked(told(s, "c.example", [(65001, b"\2\0\0\0\0\1"), (8, bytes.fromhex("00012000c0a80107"))], source="127.0.0.5")), "another device")
        wait_until(lambda: len(s.api.get("/api/queries").json["queries"]) == 3, 15, "they are in the log")
        seen = {q["domain"]: q["client"]["ip"] for q in s.api.get("/api/queries").json["queries"]}
        eq(seen, {"a.example": "fe80::3e22:fbff:fe01:203", "b.example": "127.0.0.6", "c.example": "192.168.1.7"})
        eq(sorted(q.name.lower() for q in up.queries), ["b.example", "c.example"])
        for q in up.queries:
            eq([o for o in q.edns.options if o[0] in (8, 65001, 65073, 65074)] if q.edns else [], [], q.name)
        j = s.api.get(f"/api/sinkhole/check?domain=a.example&client={MAC}").json
        eq((j["verdict"], j["client"]["group"]), ("blocked", "kids, Default"))


@test
def the_router_that_a_route_names_is_asked_for_a_name():
    with Upstream() as up, Upstream() as router, netns.Wire() as wire:
        router.answer("2.2.0.192.in-addr.arpa", "PTR", "never.example")
        router.answer("5.0.77.10.in-addr.arpa", "PTR", "tv.lan")
        wire.ip("addr add 10.77.0.5/32 dev lo")
        port = free_port()
        args = ["--listen", f"10.77.0.5:{port}", "--route", f"10.77.0.0/16=127.0.0.1:{router.port}"]
        with Sinkhole(upstream=up, args=args) as s:
            client.ask_udp("10.77.0.5", port, "www.example", source="10.77.0.5")
            wait_until(lambda: any(d["name"] == "tv.lan" and d["name_source"] == "router" for d in devices(s).values()), 30, "it has a name")
            eq({q.name.lower() for q in router.queries}, {"5.0.77.10.in-addr.arpa"}, "asked for nothing else")


run()
