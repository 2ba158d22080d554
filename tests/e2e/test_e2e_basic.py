#!/usr/bin/env python3
"""What a household sees: blocked names, allowed names, EDNS, special names, local records, conditional forwarding, the cache."""

import os
import struct
import tempfile
import time

from lib import *
from lib.daemon import SLOW

LIST = "||ads.example^\n0.0.0.0 exact.example\n@@||ok.ads.example^\n"


class House:
    """One daemon with one list and one upstream for all tests that can share it."""

    def __init__(self, *args, config=None):
        self.lists, self.upstream = ListServer(), Upstream()
        self.url = self.lists.put("/house-list.txt", LIST)
        self.daemon = Sinkhole(lists=[self.url], upstream=self.upstream, args=args, config=config)

    def __enter__(self):
        self.daemon.wait_blocked("exact.example")
        self.upstream.queries.clear()  # what was asked before the list was there
        return self.daemon, self.upstream

    def __exit__(self, *args):
        self.daemon.__exit__(*args)
        self.upstream.close()
        self.lists.close()


def transports(s):
    """Each way to ask: (tcp, host)."""
    hosts = ["127.0.0.1"] + (["::1"] if s.ipv6 else [])
    return [(tcp, host) for tcp in (False, True) for host in hosts]


@test
def blocked_names_get_null_addresses_by_every_transport():
    with House() as (s, up):
        for tcp, host in transports(s):
            for name in ("ads.example", "deep.below.ads.example", "exact.example", "ADS.Example"):
                a, aaaa = s.ask(name, "A", tcp=tcp, host=host), s.ask(name, "AAAA", tcp=tcp, host=host)
                eq(a.addresses, ["0.0.0.0"], f"{name} tcp={tcp} {host}")
                eq(aaaa.addresses, ["::"], f"{name} tcp={tcp} {host}")
                eq((a.rcode, a.ttl, a.name), ("NOERROR", 60, name))
                check(a.ra, "RA is set")
                for rtype in ("HTTPS", "TXT", "MX", "TYPE65280"):
                    r = s.ask(name, rtype, tcp=tcp, host=host)
                    eq((r.rcode, r.answer), ("NOERROR", []), f"{name} {rtype}")
                    eq([x.type for x in r.authority], ["SOA"], f"{name} {rtype}")
        eq(up.asked("ads.example") + up.asked("exact.example"), [], "blocked names never leave the house")


@test
def exact_rules_do_not_block_below_and_allow_rules_win():
    with House() as (s, up):
        eq(s.ask("sub.exact.example").addresses[0][:11], "198.51.100.")
        eq(s.ask("ok.ads.example").addresses[0][:11], "198.51.100.")
        eq(s.ask("x.ok.ads.example").addresses[0][:11], "198.51.100.")
        eq(s.ask("xads.example").addresses[0][:11], "198.51.100.")


@test
def extended_error_names_the_list():
    with House() as (s, up):
        r = s.ask("ads.example")
        eq(r.ede[0], 15)
        contains(r.ede[1], "house-list")
        r = s.ask("ads.example", edns=None)
        eq(r.edns, None, "no OPT record to a client without EDNS")
        eq(r.addresses, ["0.0.0.0"])


@test
def block_modes_answer_as_they_say():
    rows = [
        ("nxdomain", "NXDOMAIN", [], []),
        ("nodata", "NOERROR", [], []),
        ("refused", "REFUSED", [], []),
        ("192.0.2.80,2001:db8::80", "NOERROR", ["192.0.2.80"], ["2001:db8::80"]),
    ]
    for mode, rcode, v4, v6 in rows:
        with House("--block-mode", mode, "--block-ttl", "17") as (s, up):
            for tcp, host in transports(s):
                a, aaaa, https = (s.ask("x.ads.example", t, tcp=tcp, host=host) for t in ("A", "AAAA", "HTTPS"))
                eq((a.rcode, a.addresses), (rcode, v4), mode)
                eq((aaaa.rcode, aaaa.addresses), (rcode, v6), mode)
                eq((https.rcode, https.answer), (rcode, []), mode)
                eq(a.ede[0], 15, mode)
                if v4:
                    eq(a.ttl, 17)
                if mode in ("nxdomain", "nodata"):
                    eq([(x.type, x.ttl) for x in a.authority], [("SOA", 17)], mode)


@test
def allowed_names_are_forwarded_and_cached():
    with House() as (s, up):
        up.answer("www.example", "A", "198.51.100.9", "198.51.100.10", ttl=100)
        for tcp, host in transports(s):
            r = s.ask("www.example", tcp=tcp, host=host)
            eq(sorted(r.addresses), ["198.51.100.10", "198.51.100.9"])
            check(0 < r.ttl <= 100, f"ttl {r.ttl}")
            eq(r.ede, None)
        eq(len(up.asked("www.example", "A")), 1, "asked once, then from the cache")
        s.ask("WWW.EXAMPLE")
        eq(len(up.asked("www.example", "A")), 1, "case makes no difference")
        up.answer("gone.example", "*", rcode="NXDOMAIN")
        for _ in range(3):
            r = s.ask("gone.example")
            eq(r.rcode, "NXDOMAIN")
        eq(len(up.asked("gone.example")), 1, "negative answers are cached")
        s.ask("gone.example", "AAAA")
        eq(len(up.asked("gone.example")), 1, "NXDOMAIN holds for every type")


@test
def ttls_are_aged():
    with House() as (s, up):
        up.answer("aging.example", "A", "198.51.100.9", ttl=100)
        eq(s.ask("aging.example").ttl, 100)
        time.sleep(2.2)
        check(97 <= s.ask("aging.example").ttl <= 98, "two seconds older")


@test
def questions_to_upstreams_are_hard_to_forge():
    with House() as (s, up):
        for i in range(60):
            s.ask(f"n{i}.forge.example")
        asked = [q for q in up.asked() if q.name.lower().endswith("forge.example")]
        check(len({q.id for q in asked}) > 55, "fresh IDs")
        check(len({q.peer[1] for q in asked}) > 55, "fresh source ports")
        check(any(q.name != q.name.lower() for q in asked), "mixed case")
        for q in asked:
            eq(q.edns.size, 1232)
            eq([o for o in q.edns.options if o[0] == OPT_ECS], [], "no client subnet")


@test
def edns_is_correct():
    with House() as (s, up):
        r = s.ask("ads.example", edns=Edns(version=1))
        eq((r.rcode, r.edns.version, r.answer), ("BADVERS", 0, []))
        r = s.ask("www.example", edns=Edns(options=[(65001, b"xyz"), (OPT_PADDING, b"\0" * 20)]))
        eq(r.rcode, "NOERROR")
        check(r.edns.option(65001) is None, "unknown options are not echoed")
        check(s.ask("www.example", do=True).edns.do, "DO is copied")
        check(not s.ask("www.example").edns.do, "DO is copied")
        eq(s.ask("www.example").edns.size, 1232)
        r = s.ask("www.example", edns=Edns(options=[(OPT_COOKIE, b"12345678")]))
        cookie = r.edns.option(OPT_COOKIE)
        eq((cookie[:8], len(cookie)), (b"12345678", 24), "server cookie")
        query = make_query("www.example", edns=Edns())
        twice = query.pack() + Edns().pack()
        twice = twice[:10] + struct.pack("!H", 2) + twice[12:]
        eq(Message.parse(exchange_udp("127.0.0.1", s.port, twice)).rcode, "FORMERR", "two OPT records")


@test
def large_answers_are_cut_on_udp_and_whole_on_tcp():
    with House() as (s, up):
        up.answer("big.example", "TXT", *[[c * 200] * 5 for c in "abcdef"], truncate=True)
        r = s.ask("big.example", "TXT", edns=Edns(1232))
        check(r.tc and not r.answer, "TC, and no partial answer")
        eq(len(s.ask("big.example", "TXT", tcp=True).answer), 6)
        up.answer("middle.example", "TXT", *[[c * 200] for c in "abc"])
        check(s.ask("middle.example", "TXT", edns=None).tc, "512 octets without EDNS")
        eq(len(s.ask("middle.example", "TXT", edns=Edns(1232)).answer), 3)
        eq(len(s.ask("middle.example", "TXT", edns=None, tcp=True).answer), 3)


@test
def any_and_odd_questions_are_answered_here():
    with House() as (s, up):
        r = s.ask("www.example", "ANY")
        check(r.texts and r.answer[0].type == "HINFO" or r.tc, lambda: f"RFC 8482: {r}")
        for rtype in ("AXFR", "IXFR", "MAILB", "MAILA", "TKEY"):
            check(s.ask("www.example", rtype).rcode in ("REFUSED", "NOTIMP", "FORMERR"), rtype)
        eq(s.ask("version.bind", "TXT", klass=3).rcode, "REFUSED")
        eq(up.asked("www.example", "ANY") + up.asked("version.bind"), [])
        for opcode, expected in ((1, "NOTIMP"), (2, "NOTIMP"), (4, "NOTIMP"), (5, "NOTIMP"), (15, "NOTIMP")):
            query = make_query("www.example", flags=RD | opcode << 11)
            r = Message.parse(exchange_udp("127.0.0.1", s.port, query.pack()))
            eq((r.rcode, r.opcode), (expected, opcode))


@test
def malformed_questions_get_formerr_or_nothing():
    with House() as (s, up):
        good = make_query("www.example").pack()
        rows = [
            (good[:11], None),                                            # shorter than a header
            (good[:2] + struct.pack("!H", 0x8180) + good[4:], None),      # a response
            (good[:4] + struct.pack("!H", 0) + good[6:], "FORMERR"),      # no question
            (good[:4] + struct.pack("!H", 2) + good[6:], "FORMERR"),      # two
            (good + b"junk", "FORMERR"),
            (good[:-3], "FORMERR"),
            (good[:12] + b"\xc0\x0c\0\1\0\1", "FORMERR"),                 # a name that points at itself
        ]
        for octets, expected in rows:
            reply = exchange_udp("127.0.0.1", s.port, octets, timeout=0.4 if expected is None else 4)
            eq(Message.parse(reply).rcode if reply else None, expected, octets.hex())
        eq(s.ask("ads.example").addresses, ["0.0.0.0"], "and it goes on")


@test
def special_names_never_leave_the_house():
    with House() as (s, up):
        eq(s.ask("localhost").addresses, ["127.0.0.1"])
        eq(s.ask("x.localhost", "AAAA").addresses, ["::1"])
        for name in ("x.invalid", "x.onion", "x.local", "printer.home.arpa", "use-application-dns.net", "mask.icloud.com", "mask-h2.icloud.com"):
            eq(s.ask(name).rcode, "NXDOMAIN", name)
        eq((s.ask("_dns.resolver.arpa", "SVCB").rcode, s.ask("_dns.resolver.arpa", "SVCB").answer), ("NOERROR", []))
        for name in ("1.1.168.192.in-addr.arpa", "1.0.0.10.in-addr.arpa", "1.0.0.127.in-addr.arpa", "1.0.16.172.in-addr.arpa"):
            check(s.ask(name, "PTR").rcode in ("NXDOMAIN", "NOERROR"), name)
        eq([q for q in up.asked() if not q.name.lower().endswith("example")], [])
        s.ask("1.2.0.9.in-addr.arpa", "PTR")
        eq(len(up.asked("1.2.0.9.in-addr.arpa")), 1, "public reverse names are forwarded")


@test
def switches_for_special_names():
    with House("--block-icloud-relay", "off", "--block-canary", "off") as (s, up):
        for name in ("use-application-dns.net", "mask.icloud.com"):
            eq(s.ask(name).rcode, "NOERROR", name)
            eq(len(up.asked(name)), 1, name)


@test
def local_records_are_answered_here():
    config = """
record = printer.home.arpa A 192.168.1.9
record = printer.home.arpa AAAA fd00::9
record = alias.home.arpa CNAME printer.home.arpa
record = www.alias.example CNAME www.example
record = txt.home.arpa TXT "hello world"
record = *.lab.home.arpa A 192.168.1.10
record = ads.example A 192.168.1.11
local-ttl = 33
"""
    with House(config=config) as (s, up):
        r = s.ask("printer.home.arpa")
        eq((r.addresses, r.ttl), (["192.168.1.9"], 33))
        eq(s.ask("printer.home.arpa", "AAAA").addresses, ["fd00::9"])
        eq((s.ask("printer.home.arpa", "TXT").rcode, s.ask("printer.home.arpa", "TXT").answer), ("NOERROR", []))
        eq(s.ask("alias.home.arpa").texts, ["CNAME printer.home.arpa", "A 192.168.1.9"])
        r = s.ask("www.alias.example")
        eq(r.texts[0], "CNAME www.example")
        eq(len(r.addresses), 1, "an alias is followed to where it leads")
        eq(s.ask("txt.home.arpa", "TXT").texts, ['TXT "hello world"'])
        eq(s.ask("any.lab.home.arpa").addresses, ["192.168.1.10"])
        eq(s.ask("nothing.home.arpa").rcode, "NXDOMAIN")
        eq(s.ask("ads.example").addresses, ["192.168.1.11"], "a record of one's own stands above the lists")


@test
def hosts_files_are_answered_here():
    with tempfile.NamedTemporaryFile("w", suffix=".hosts", delete=False) as f:
        f.write("192.168.1.20 nas.home.arpa nas # the big one\nfd00::20 nas.home.arpa\n\nnonsense\n")
    try:
        with House("--hosts-file", f.name, "--local-domain", "home.arpa") as (s, up):
            eq(s.ask("nas.home.arpa").addresses, ["192.168.1.20"])
            eq(s.ask("nas.home.arpa", "AAAA").addresses, ["fd00::20"])
            eq(s.ask("nas").addresses, ["192.168.1.20"])
            eq(s.ask("20.1.168.192.in-addr.arpa", "PTR").texts, ["PTR nas.home.arpa"])
    finally:
        os.unlink(f.name)


@test
def conditional_forwarding_goes_to_its_own_upstream():
    with Upstream() as router:
        router.answer("laptop.lan.example", "A", "192.168.1.30")
        router.answer("30.1.168.192.in-addr.arpa", "PTR", "laptop.lan.example")
        with House("--route", f"lan.example={router.address}", "--route", f"192.168.1.0/24={router.address}", "--rebind-allow", "lan.example") as (s, up):
            eq(s.ask("laptop.lan.example").addresses, ["192.168.1.30"])
            eq(s.ask("30.1.168.192.in-addr.arpa", "PTR").texts, ["PTR laptop.lan.example"])
            eq(up.asked("laptop.lan.example") + up.asked("30.1.168.192.in-addr.arpa"), [])
            s.ask("www.example")
            eq((len(up.asked("www.example")), len(router.asked("www.example"))), (1, 0))


@test
def private_addresses_for_public_names_are_refused():
    with House("--rebind-allow", "trusted.example") as (s, up):
        for name, value in (("evil.example", "192.168.1.1"), ("evil2.example", "127.0.0.1"), ("evil3.example", "10.0.0.1"), ("evil4.example", "0.0.0.0")):
            up.answer(name, "A", value)
            check(value not in s.ask(name).addresses, name)
        up.answer("a.trusted.example", "A", "192.168.1.1")
        eq(s.ask("a.trusted.example").addresses, ["192.168.1.1"])
        up.answer("evil.example", "AAAA", "fd00::1")
        eq(s.ask("evil.example", "AAAA").addresses, [])
    with House("--rebind-protection", "off") as (s, up):
        up.answer("evil.example", "A", "192.168.1.1")
        eq(s.ask("evil.example").addresses, ["192.168.1.1"])


@test
def cname_chains_are_judged():
    with House() as (s, up):
        up.cname("cloaked.example", "tracker.ads.example")
        r = s.ask("cloaked.example")
        eq(r.addresses, ["0.0.0.0"])
        eq(r.ede[0], 15)
        up.cname("fine.example", "target.example")
        eq(s.ask("fine.example").texts, ["CNAME target.example", "A 198.51.100.77"])
    with House("--cname-check", "off") as (s, up):
        up.cname("cloaked.example", "tracker.ads.example")
        eq(s.ask("cloaked.example").addresses, ["198.51.100.77"])


@test
def several_lists_and_allow_lists_work_together():
    with ListServer() as lists, Upstream() as up:
        urls = [lists.put("/one.txt", "one.example\nboth.example\n"), lists.put("/two.txt", "||two.example^\nboth.example\n", gzip=True)]
        allow = lists.put("/allow.txt", "allowed.two.example\n")
        with Sinkhole(lists=urls, upstream=up, args=["--allow-list", allow]) as s:
            s.wait_blocked("one.example")
            s.wait_blocked("x.two.example")
            eq(s.ask("both.example").addresses, ["0.0.0.0"])
            eq(s.ask("allowed.two.example").addresses[0][:11], "198.51.100.")


@test
def strangers_are_refused():
    with Upstream() as up, Sinkhole(lists=[], upstream=up, args=["--allow-from", "192.0.2.0/24"]) as s:
        eq(s.ask("www.example").rcode, "REFUSED")
        eq(up.asked("www.example"), [])
    with Upstream() as up, Sinkhole(lists=[], upstream=up, args=["--allow-from", f"{Sinkhole.me}/8", "--allow-from", "!127.0.0.9"]) as s:
        eq(s.ask("www.example").rcode, "NOERROR")
        if not s.bare_metal:  # QEMU's network shows all clients under one address
            eq(s.ask("www.example", source="127.0.0.9").rcode, "REFUSED")
    with Upstream() as up, Sinkhole(lists=[], upstream=up, args=["--allow-from", "0.0.0.0/0", "--allow-from", f"!{Sinkhole.me}"]) as s:
        eq(s.ask("www.example").rcode, "REFUSED", "the longer prefix decides")


@test
def the_starter_list_blocks_without_internet():
    with Upstream() as up, Sinkhole(lists=None, upstream=up) as s:
        r = s.wait_blocked("doubleclick.net")
        eq(r.addresses, ["0.0.0.0"])


@test
def sigterm_ends_it_fast_and_clean():
    with Upstream() as up:
        s = Sinkhole(lists=[], upstream=up)
        try:
            s.ask("www.example")
            started = time.monotonic()
            eq(s.stop(), 0)
            check(time.monotonic() - started < 1.5 * SLOW, "within a second")
        finally:
            s.kill()


run()
