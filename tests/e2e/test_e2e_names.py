#!/usr/bin/env python3
"""Names of the house over the wire: records by configuration and API, as dig and ldns read them; DNS64; names that the router knows."""

import shutil
import subprocess

from lib import *
from lib.daemon import cli

RECORDS = """
record = nas.home.arpa A 192.168.1.5
record = nas.home.arpa AAAA fd00::5
record = "*.apps.home.arpa 60 CNAME nas.home.arpa"
record = home.arpa MX 10 mail.home.arpa
record = mail.home.arpa A 192.168.1.3
record = _ipp._tcp.home.arpa SRV 0 5 631 nas.home.arpa
record = home.arpa TXT "v=1 one string" another
record = "nas.home.arpa HTTPS \\\\# 3 000100"
"""


def dig(s, *args):
    return subprocess.run(["dig", "@127.0.0.1", "-p", str(s.port), "+noall", "+answer", "+additional", "+time=5", "+tries=1", *args],
                          capture_output=True, text=True).stdout


@test
def dig_reads_every_type():
    if not shutil.which("dig"):
        skip("dig is not installed")
    up = Upstream()
    with Sinkhole(lists=[], upstream=up, config=RECORDS) as s:
        rows = [
            (("nas.home.arpa", "A"), ["nas.home.arpa. 300 IN A 192.168.1.5"]),
            (("photos.apps.home.arpa", "AAAA"), ["photos.apps.home.arpa. 60 IN CNAME nas.home.arpa.", "nas.home.arpa. 300 IN AAAA fd00::5"]),
            (("home.arpa", "MX"), ["home.arpa. 300 IN MX 10 mail.home.arpa.", "mail.home.arpa. 300 IN A 192.168.1.3"]),
            (("_ipp._tcp.home.arpa", "SRV"), ["_ipp._tcp.home.arpa. 300 IN SRV 0 5 631 nas.home.arpa.", "nas.home.arpa. 300 IN A 192.168.1.5",
                                              "nas.home.arpa. 300 IN AAAA fd00::5"]),
            (("home.arpa", "TXT"), ['home.arpa. 300 IN TXT "v=1 one string" "another"']),
            (("nas.home.arpa", "TYPE65"), ["nas.home.arpa. 300 IN HTTPS 1 ."]),
            (("-x", "192.168.1.5"), ["5.1.168.192.in-addr.arpa. 300 IN PTR nas.home.arpa."]),
            (("-x", "fd00::5"), ["5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa. 300 IN PTR nas.home.arpa."]),
        ]
        for question, want in rows:
            got = [" ".join(line.split()) for line in dig(s, *question).splitlines() if line]
            eq([line.replace("TYPE65 \\# 3 000100", "HTTPS 1 .") for line in got], want)
        eq(up.queries, [])
    up.close()


@test
def records_of_the_api_live_on():
    up, record = Upstream(), '_http._tcp.home.arpa SRV 0 5 80 nas.home.arpa'
    with Sinkhole(lists=[], upstream=up) as s:
        r = s.api.post("/api/sinkhole/records", {"record": [record, "nas.home.arpa A 192.168.1.5", "*.home.arpa TXT wild"]})
        eq(r.status, 201)
        eq(s.ask("_http._tcp.home.arpa", "SRV").texts, ["SRV 0 5 80 nas.home.arpa"])
        eq(s.ask("any.home.arpa", "TXT").texts, ['TXT "wild"'])
        eq(s.ask("x.nas.home.arpa", "A").rcode, "NXDOMAIN")
        eq(s.ask("_tcp.home.arpa", "A").rcode, "NOERROR")
        eq(s.api.post("/api/sinkhole/records", {"record": "nas.home.arpa WHAT 1"}).status, 400)
        backup = s.cli("backup").stdout
        contains(backup, record)
        eq(s.api.delete("/api/sinkhole/records/nas.home.arpa%20A%20192.168.1.5").status, 204)
        eq(s.ask("nas.home.arpa", "A").rcode, "NOERROR")  # the wildcard's, without an address
        eq(s.cli("restore", "-", stdin=backup).returncode, 0)
        eq(s.ask("nas.home.arpa", "A").addresses, ["192.168.1.5"])
        r = cli("query", "nas.home.arpa", "A", f"@127.0.0.1:{s.port}", "--short")  # read by ldns
        contains(r.stdout, "192.168.1.5")
    up.close()


@test
def an_ipv6_network_gets_addresses_of_its_translator():
    up = Upstream()
    up.answer("v4.example", "A", "198.51.100.1")
    up.answer("v4.example", "AAAA")
    with Sinkhole(lists=[], upstream=up, args=["--dns64", "on"]) as s:
        eq(s.ask("v4.example", "AAAA").addresses, ["64:ff9b::c633:6401"])
        eq(s.ask("ipv4only.arpa", "AAAA").addresses, ["64:ff9b::c000:aa", "64:ff9b::c000:ab"])
        r = cli("query", "v4.example", "AAAA", f"@127.0.0.1:{s.port}", "--short")
        contains(r.stdout, "64:ff9b::c633:6401")
    up.close()


@test
def the_router_is_asked_about_its_own():
    up, router = Upstream(), Upstream()
    router.answer("tv.fritz.box", "A", "192.168.178.20")
    router.answer("20.178.168.192.in-addr.arpa", "PTR", "tv.fritz.box")
    with Sinkhole(lists=[], upstream=up, config=f"route = fritz.box={router.address}\nroute = 192.168.178.0/24={router.address}\n") as s:
        eq(s.ask("tv.fritz.box").addresses, ["192.168.178.20"])
        eq(s.ask("20.178.168.192.in-addr.arpa", "PTR").texts, ["PTR tv.fritz.box"])
        eq(s.ask("20.179.168.192.in-addr.arpa", "PTR").rcode, "NXDOMAIN")
        eq(up.queries, [])
    up.close()
    router.close()


run()
