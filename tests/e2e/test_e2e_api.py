#!/usr/bin/env python3
"""The HTTP API of the real program, as its clients use it: tier A of the contract (docs/api.md), and who is let in."""

import os
import socket
import stat
import threading
import time

from lib import *
from lib.daemon import PASSWORD, SLOW, cli

LIST = "ads.example\n||tracker.example^\n"


class House:
    """One daemon with a list and some queries behind it: 4 blocked, 3 forwarded, 2 from the cache."""

    def __init__(self, traffic=True, args=()):
        self.traffic = traffic
        self.lists, self.upstream = ListServer(), Upstream()
        self.url = self.lists.put("/list.txt", LIST)
        self.daemon = Sinkhole(lists=[self.url], upstream=self.upstream, args=args)

    def __enter__(self):
        s = self.daemon
        try:
            wait_until(lambda: s.api.get("/api/stats/summary").json["gravity"]["domains_being_blocked"] == 2, 45 * SLOW, "two rules are in force")
            if self.traffic:
                for name in ("ads.example", "ads.example", "x.tracker.example", "ads.example"):
                    eq(s.ask(name).addresses, ["0.0.0.0"])
                for name in ("one.example", "two.example", "three.example", "one.example", "one.example"):
                    eq(s.ask(name).rcode, "NOERROR")
                wait_until(lambda: s.api.get("/api/stats/summary").json["queries"]["total"] >= 9, 5 * SLOW, "nine queries are counted")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return s

    def __exit__(self, *args):
        try:
            self.daemon.__exit__(*args)
        finally:
            self.upstream.close()
            self.lists.close()


def has_types(o, where="", **keys):
    """o has these keys with values of these types, no others are looked at."""
    for key, kind in keys.items():
        check(key in o, f"{where}{key} is missing in {sorted(o)}")
        kinds = kind if isinstance(kind, tuple) else (kind,)
        check(type(o[key]) in kinds, f"{where}{key} is {o[key]!r}, expected {kinds}")


NULL = type(None)


def good(r, status=200):
    """A JSON reply of the contract: type, took."""
    eq(r.status, status, repr(r))
    contains(r.header("Content-Type"), "application/json")
    check(isinstance(r.json.get("took"), float), f"took: {r}")
    return r.json


def is_error(r, status, key=None):
    eq(r.status, status, repr(r))
    has_types(r.json, error=dict, took=float)
    has_types(r.json["error"], key=str, message=str, hint=(str, NULL, dict))
    if key:
        eq(r.json["error"]["key"], key)


# ---- who is let in ----

@test
def without_a_session_everything_is_401():
    with House(traffic=False) as s:
        for path in ("/api/info/version", "/api/stats/summary", "/api/dns/blocking", "/api/queries", "/api/padd", "/api/history", "/api/sinkhole/rules", "/api/domains"):
            is_error(s.api.request("GET", path), 401, "unauthorized")
        for path in ("/api/dns/blocking", "/api/domains/deny/exact", "/api/action/gravity"):
            eq(s.api.request("POST", path, {"blocking": False}).status, 401, path)
        eq(s.ask("ads.example").addresses, ["0.0.0.0"], "and nothing happened")


@test
def login_gives_a_session_and_logout_ends_it():
    with House(traffic=False) as s:
        r = s.api.request("GET", "/api/auth")
        eq(r.status, 401)
        eq(r.json["session"]["valid"], False)
        r = s.api.request("POST", "/api/auth", {"password": "wrong_password"})
        eq(r.status, 401)
        eq((r.json["session"]["valid"], r.json["session"]["message"]), (False, "password incorrect"))
        eq(s.api.request("POST", "/api/auth", {}).status, 400)
        eq(s.api.request("POST", "/api/auth", b"{").status, 400)
        j = good(s.api.request("POST", "/api/auth", {"password": PASSWORD, "totp": None}))["session"]
        has_types(j, valid=bool, totp=bool, sid=str, csrf=str, validity=int, message=str)
        eq((j["valid"], j["totp"], j["message"]), (True, False, "password correct"))
        sid = j["sid"]
        ways = [({"sid": sid}, None, ""), ({"X-FTL-SID": sid}, None, ""), ({}, {"sid": sid}, ""), ({}, None, "?sid=" + sid.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")),
                ({"Cookie": f"sid={sid}", "X-CSRF-TOKEN": j["csrf"]}, None, ""), ({"Cookie": f"a=b; sid={sid}", "X-FTL-CSRF": j["csrf"]}, None, "")]
        for headers, body, query in ways:
            eq(s.api.request("GET", "/api/stats/summary" + query, body, headers).status, 200, f"{headers} {body} {query}")
        eq(s.api.request("GET", "/api/stats/summary", None, {"Cookie": f"sid={sid}"}).status, 401, "a cookie alone is not enough")
        eq(s.api.request("GET", "/api/stats/summary", None, {"Authorization": f"Bearer {PASSWORD}"}).status in (200, 401), True)
        r = s.api.request("DELETE", "/api/auth", None, {"X-FTL-SID": sid})
        eq((r.status, r.body), (204, b""))
        eq(s.api.request("GET", "/api/stats/summary", None, {"X-FTL-SID": sid}).status, 401)
        eq(s.api.request("DELETE", "/api/auth").status, 401)


@test
def one_time_passwords_are_a_second_step():
    with House(traffic=False) as s:
        if s.bare_metal:
            s.wait_log("time is known")
        eq(good(s.api.get("/api/sinkhole/totp"))["totp"], {"supported": True, "enabled": False})
        key = good(s.api.post("/api/sinkhole/keys", {"name": "phone"}), 201)["key"]["secret"]
        new = good(s.api.get("/api/auth/totp"))["totp"]
        contains(new["uri"], f"secret={new['secret']}")
        contains(new["uri"], "otpauth://totp/")
        before = time.time() - 30 # the code of the period before is good too, and leaves the present one unused
        eq(s.api.put("/api/sinkhole/totp", {"secret": new["secret"], "totp": (code_of(new["secret"], before) + 1) % 1000000}).status, 400)
        eq(good(s.api.put("/api/sinkhole/totp", {"secret": new["secret"], "totp": code_of(new["secret"], before)}))["totp"]["enabled"], True)
        is_error(s.api.request("POST", "/api/auth", {"password": PASSWORD}), 400, "bad_request")
        is_error(s.api.request("POST", "/api/auth", {"password": PASSWORD, "totp": code_of(new["secret"], before)}), 401, "unauthorized")
        eq(good(s.api.request("POST", "/api/auth", {"password": PASSWORD, "totp": code_of(new["secret"])}))["session"]["totp"], True)
        is_error(s.api.request("POST", "/api/auth", {"password": PASSWORD, "totp": code_of(new["secret"])}), 401, "unauthorized")
        eq(good(s.api.request("POST", "/api/auth", {"password": key, "totp": None}))["session"]["message"], "app-password correct")
        eq(s.api.request("GET", "/api/stats/summary", None, {"Authorization": f"Bearer {PASSWORD}"}).status, 401)
        eq(s.api.request("GET", "/api/stats/summary", None, {"Authorization": f"Bearer {key}"}).status, 200)
        is_error(s.api.request("DELETE", "/api/sinkhole/totp", None, {"Authorization": f"Bearer {key}"}), 403)
        # The machine's own command line goes on without, and can switch it off; bare metal has none.
        if not s.bare_metal:
            eq(cli("stats", "--server", s.url, "--state-dir", s.state).returncode, 0)
            r = cli("password", "--no-totp", "--server", s.url, "--state-dir", s.state)
            eq((r.returncode, r.stdout), (0, "one-time passwords are off; the password alone is enough\n"), r.stderr)
            eq(good(s.api.get("/api/sinkhole/totp"))["totp"]["enabled"], False)
        eq(good(s.api.delete("/api/sinkhole/totp"))["totp"]["enabled"], False)
        eq(s.api.request("POST", "/api/auth", {"password": PASSWORD}).status, 200)


@test
def the_session_cookie_is_safe():
    with House(traffic=False) as s:
        r = s.api.request("POST", "/api/auth", {"password": PASSWORD})
        cookie = r.header("Set-Cookie")
        for part in ("sid=", "HttpOnly", "SameSite=", "Path=/"):
            contains(cookie, part)


@test
def guessing_is_slowed_down():
    with House(traffic=False) as s:
        statuses = [s.api.request("POST", "/api/auth", {"password": f"guess{i}"}).status for i in range(8)]
        check(429 in statuses, f"{statuses}")
        eq(statuses[0], 401)
        eq(s.ask("ads.example").addresses, ["0.0.0.0"], "queries do not notice")


@test
def many_sessions_are_never_refused():
    with House(traffic=False) as s:
        for _ in range(20 if SLOW == 1 else 10):
            eq(s.api.request("POST", "/api/auth", {"password": PASSWORD}).status, 200)


@test
def other_origins_and_hosts_change_nothing():
    with House(traffic=False) as s:
        session = s.api.login().json["session"]
        browser = {"Cookie": f"sid={session['sid']}", "X-CSRF-TOKEN": session["csrf"]}
        eq(s.api.request("POST", "/api/dns/blocking", {"blocking": True}, browser).status, 200, "the page itself may")
        for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "null"}):
            r = s.api.request("POST", "/api/dns/blocking", {"blocking": False}, {**browser, **headers})
            check(r.status in (400, 401, 403), f"{headers}: {r}")
        for path in ("/", "/api/stats/summary", "/api/auth"):
            r = s.api.request("GET", path, None, {**browser, "Host": "evil.example"})
            check(r.status in (400, 403, 421), f"a name that is not ours (rebinding): {r}")
        eq(s.api.get("/api/dns/blocking").json["blocking"], "enabled")
        eq(s.api.get("/api/stats/summary", headers={"Origin": "http://evil.example"}).header("Access-Control-Allow-Origin"), None)


@test
def origins_and_hosts_that_are_named_may():
    with House(traffic=False, args=["--http-origin", "http://homer.lan:8080", "--http-host", "dns.example.net"]) as s:
        r = s.api.get("/api/stats/summary", headers={"Origin": "http://homer.lan:8080"})
        eq((r.status, r.header("Access-Control-Allow-Origin")), (200, "http://homer.lan:8080"))
        r = s.api.request("OPTIONS", "/api/stats/summary", None, {"Origin": "http://homer.lan:8080", "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "sid"})
        eq(r.status, 204)
        eq(s.api.get("/api/stats/summary", headers={"Host": "dns.example.net"}).status, 200)


# ---- tier A ----

@test
def summary_has_every_key():
    with House() as s:
        j = good(s.api.get("/api/stats/summary"))
        q = j["queries"]
        has_types(q, total=int, blocked=int, percent_blocked=float, unique_domains=int, forwarded=int, cached=int, frequency=float, types=dict, status=dict, replies=dict)
        eq((q["blocked"], q["forwarded"], q["cached"]), (4, 3, 2))
        eq(q["total"], 9)
        eq(round(q["percent_blocked"], 1), 44.4)
        eq(sorted(q["types"]), sorted(["A", "AAAA", "ANY", "SRV", "SOA", "PTR", "TXT", "NAPTR", "MX", "DS", "RRSIG", "DNSKEY", "NS", "SVCB", "HTTPS", "OTHER"]))
        for key in ("UNKNOWN", "GRAVITY", "FORWARDED", "CACHE", "REGEX", "DENYLIST", "EXTERNAL_BLOCKED_IP", "EXTERNAL_BLOCKED_NULL", "EXTERNAL_BLOCKED_NXRA", "GRAVITY_CNAME",
                    "REGEX_CNAME", "DENYLIST_CNAME", "RETRIED", "RETRIED_DNSSEC", "IN_PROGRESS", "DBBUSY", "SPECIAL_DOMAIN", "CACHE_STALE", "EXTERNAL_BLOCKED_EDE15"):
            check(isinstance(q["status"].get(key), int), key)
        eq((q["status"]["GRAVITY"], q["status"]["FORWARDED"], q["status"]["CACHE"]), (4, 3, 2))
        for key in ("UNKNOWN", "NODATA", "NXDOMAIN", "CNAME", "IP", "DOMAIN", "RRNAME", "SERVFAIL", "REFUSED", "NOTIMP", "OTHER", "DNSSEC", "NONE", "BLOB"):
            check(isinstance(q["replies"].get(key), int), key)
        eq(q["types"]["A"], 9)
        has_types(j["clients"], active=int, total=int)
        eq(j["clients"]["active"], 1)
        has_types(j["gravity"], domains_being_blocked=int, last_update=int)
        eq(j["gravity"]["domains_being_blocked"], 2)


@test
def blocking_is_paused_and_resumed():
    with House() as s:
        j = good(s.api.get("/api/dns/blocking"))
        eq((j["blocking"], j["timer"]), ("enabled", None))
        j = good(s.api.post("/api/dns/blocking", {"blocking": False, "timer": None}))
        eq((j["blocking"], j["timer"]), ("disabled", None))
        eq(s.ask("ads.example").ede, None, "the very next query sees it")
        eq(good(s.api.get("/api/dns/blocking"))["blocking"], "disabled")
        eq(good(s.api.post("/api/dns/blocking", {"blocking": True}))["blocking"], "enabled")
        eq(s.ask("ads.example").addresses, ["0.0.0.0"])
        j = good(s.api.post("/api/dns/blocking", {"blocking": False, "timer": 300}))
        check(isinstance(j["timer"], int) and 1 <= j["timer"] <= 300, f"{j}")
        eq(s.ask("x.tracker.example").ede, None)
        eq(good(s.api.post("/api/dns/blocking", {"blocking": False, "timer": 1}))["blocking"], "disabled")
        wait_until(lambda: s.ask("ads.example").ede is not None, 6 * SLOW, "blocking comes back by itself")
        eq(good(s.api.get("/api/dns/blocking"))["blocking"], "enabled")
        for body in ({"blocking": "yes"}, {"blocking": 1}, {}, b"[]", b"nonsense"):
            is_error(s.api.post("/api/dns/blocking", body), 400)
        r = s.api.post("/api/dns/blocking", b'{"blocking":true}', headers={"Content-Type": "application/x-www-form-urlencoded"})
        eq(r.status, 200, "bodies are JSON whatever they are called")


@test
def top_lists_count():
    with House() as s:
        j = good(s.api.get("/api/stats/top_domains?blocked=true"))
        eq(j["domains"], [{"domain": "ads.example", "count": 3}, {"domain": "x.tracker.example", "count": 1}])
        has_types(j, total_queries=int, blocked_queries=int)
        eq((j["total_queries"], j["blocked_queries"]), (9, 4))
        j = good(s.api.get("/api/stats/top_domains?blocked=false&count=1"))
        eq(j["domains"], [{"domain": "one.example", "count": 3}])
        eq(len(good(s.api.get("/api/stats/top_domains"))["domains"]), 3)
        j = good(s.api.get("/api/stats/top_clients"))
        eq([(c["ip"], c["count"]) for c in j["clients"]], [(s.me, 9)])
        check(isinstance(j["clients"][0]["name"], str))
        eq(good(s.api.get("/api/stats/top_clients?blocked=true"))["clients"][0]["count"], 4)


@test
def upstreams_are_listed():
    house = House()
    with house as s:
        j = good(s.api.get("/api/stats/upstreams"))
        rows = {u["ip"]: u for u in j["upstreams"]}
        for row in rows.values():
            has_types(row, ip=str, name=str, port=int, count=int, statistics=dict)
            has_types(row["statistics"], response=float, variance=float)
        eq((rows["blocklist"]["count"], rows["cache"]["count"], rows["blocklist"]["port"]), (4, 2, -1))
        eq((rows[s.me]["count"], rows[s.me]["port"]), (3, house.upstream.port))
        eq((j["forwarded_queries"], j["total_queries"]), (3, 9))


@test
def history_has_slots_of_ten_minutes():
    with House() as s:
        h = good(s.api.get("/api/history"))["history"]
        check(len(h) >= 1)
        for slot in h:
            has_types(slot, timestamp=int, total=int, cached=int, blocked=int, forwarded=int)
            eq(slot["timestamp"] % 300, 0, "aligned")
        eq([h[i + 1]["timestamp"] - h[i]["timestamp"] for i in range(len(h) - 1)], [600] * (len(h) - 1))
        eq(sum(x["total"] for x in h), 9)
        eq(sum(x["blocked"] for x in h), 4)


@test
def version_fits_every_client():
    with House(traffic=False) as s:
        v = good(s.api.get("/api/info/version"))["version"]
        for part in ("core", "web", "ftl"):
            has_types(v[part]["local"], branch=str, version=str, hash=str)
            check(v[part]["local"]["version"].startswith("v"))
            eq(v[part]["local"]["hash"], v[part]["remote"]["hash"], "no client shows an update")
        eq(v["docker"]["local"], None)


@test
def padd_gets_what_it_divides_by():
    with House() as s:
        for query in ("", "?full=false"):
            j = good(s.api.get("/api/padd" + query))
            has_types(j, recent_blocked=(str, NULL), top_domain=(str, NULL), top_blocked=(str, NULL), top_client=(str, NULL), active_clients=int, gravity_size=int, blocking=str,
                      queries=dict, cache=dict, system=dict, node_name=str, host_model=(str, NULL), sensors=dict, config=dict, pid=int)
            has_types(j["queries"], total=int, blocked=int, percent_blocked=float)
            has_types(j["cache"], size=int, inserted=int, evicted=int)
            has_types(j["config"], dhcp_active=bool, dns_port=int, dns_num_upstreams=int, dns_dnssec=bool, dns_revServer_active=bool, privacy_level=int)
            check(isinstance(j["system"]["cpu"]["nprocs"], int))
        eq((j["recent_blocked"], j["top_blocked"], j["top_domain"], j["gravity_size"]), ("ads.example", "ads.example", "one.example", 2))
        full = good(s.api.get("/api/padd"))
        for family in ("v4", "v6"):
            check(isinstance(full["iface"][family]["num_addrs"], int))
        check("version" in full)


@test
def ftl_info_is_there():
    with House(traffic=False) as s:
        j = good(s.api.get("/api/info/ftl"))["ftl"]
        has_types(j, database=dict, privacy_level=int, clients=dict, pid=int, uptime=int, dnsmasq=dict)
        eq(j["pid"], s.pid)
        check(all(isinstance(v, int) for v in j["dnsmasq"].values()) and len(j["dnsmasq"]) >= 26)


@test
def unknown_paths_are_404_and_odd_slashes_are_fine():
    with House(traffic=False) as s:
        is_error(s.api.get("/api/no/such/thing"), 404, "not_found")
        for path in ("/api/stats/summary/", "/api//stats/summary", "//api/stats/summary"):
            eq(s.api.get(path).status, 200, path)
        eq(s.api.get("/api/stats/summary?n=1&unknown=x").status, 200)


@test
def health_and_metrics():
    with House() as s:
        eq(s.api.request("GET", "/healthz").status, 200)
        eq(s.api.request("GET", "/readyz").status, 200)
        r = s.api.get("/metrics")
        eq(r.status, 200)
        check(any(line.startswith("sinkhole_") for line in r.body.decode().splitlines()))


# ---- the page ----

@test
def the_page_is_served_with_a_strict_policy():
    with House(traffic=False) as s:
        r = s.api.request("GET", "/")
        eq(r.status, 200)
        contains(r.header("Content-Type"), "text/html")
        policy = r.header("Content-Security-Policy")
        for part in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"):
            contains(policy, part)
        check("unsafe-inline" not in policy)
        eq((r.header("X-Content-Type-Options"), r.header("Referrer-Policy")), ("nosniff", "no-referrer"))
        for path in ("/../../../../etc/passwd", "/..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/etc/passwd", "/etc/passwd"):
            r = s.api.request("GET", path)
            check(b"root:" not in r.body, path)


@test
def hostile_names_stay_harmless_everywhere():
    with House(traffic=False) as s:
        s.ask("<script>alert\\(1\\)</script>.example")
        s.ask("quote\\\"new\\010line.example")
        wait_until(lambda: s.api.get("/api/stats/summary").json["queries"]["total"] >= 2, 5 * SLOW)
        for path in ("/api/queries", "/api/stats/top_domains", "/api/padd"):
            r = s.api.get(path)
            good(r)
            check(b"<script" not in r.body, path)
            check(all(c >= 0x20 for c in r.body.replace(b"\n", b"")), path)
        metrics = s.api.get("/metrics").body.decode()
        check(all(line.startswith("#") or line == "" or " " in line for line in metrics.splitlines()))


# ---- limits ----

@test
def smuggling_and_nonsense_get_400_or_a_closed_connection():
    heads = [
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"POST /api/auth HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"POST /api/auth HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
    ]
    with House(traffic=False) as s:
        for head in heads:
            with socket.create_connection(("127.0.0.1", s.http_port), timeout=12 * SLOW) as c:
                c.sendall(head)
                try:
                    c.shutdown(socket.SHUT_WR)
                    reply = c.recv(4096)
                except ConnectionResetError:
                    reply = b""
                check(reply == b"" or reply.split(b" ")[1][:1] in (b"4", b"5"), f"{head}: {reply[:80]}")
        big = s.api.request("POST", "/api/auth", b"x" * (300 * 1024), timeout=20)
        check(big.status in (400, 413), f"{big.status}")
        eq(s.api.request("GET", "/healthz").status, 200)


@test
def silent_connections_do_not_keep_others_out():
    with House(traffic=False) as s:
        held = []
        try:
            for _ in range(48 if s.bare_metal else 200):  # more than there are slots; QEMU's network takes one at a time, up to a second each
                try:
                    held.append(socket.create_connection(("127.0.0.1", s.http_port), timeout=2))
                except OSError:
                    break
            started = time.monotonic()
            eq(s.api.request("GET", "/healthz", timeout=15).status, 200)
            check(time.monotonic() - started < 1.5 * SLOW, "within a second")
            eq(s.ask("ads.example").addresses, ["0.0.0.0"])
        finally:
            for c in held:
                c.close()


# ---- what is kept ----

@test
def own_rules_hold_at_once_and_over_a_restart():
    state = state_dir()
    with ListServer() as lists, Upstream() as up:
        url = lists.put("/list.txt", LIST)
        with Sinkhole(lists=[url], upstream=up, state=state) as s:
            s.wait_blocked("ads.example")
            eq(s.api.post("/api/domains/allow/exact", {"domain": "ads.example", "comment": "mine"}).status, 201)
            eq(s.ask("ads.example").ede, None)
            eq(s.api.post("/api/domains/deny/exact", {"domain": ["one.example", "two.example"]}).status, 201)
            eq(s.ask("one.example").addresses, ["0.0.0.0"])
            items = good(s.api.get("/api/domains"))["domains"]
            eq(sorted((d["domain"], d["type"], d["kind"]) for d in items), [("ads.example", "allow", "exact"), ("one.example", "deny", "exact"), ("two.example", "deny", "exact")])
            eq(s.api.delete("/api/domains/deny/exact/two.example").status, 204)
            eq(s.api.delete("/api/domains/deny/exact/two.example").status, 404)
            eq(s.ask("two.example").ede, None)
            if not s.bare_metal:
                mode = stat.S_IMODE(os.stat(os.path.join(state, "rules.json")).st_mode)
                eq(mode & 0o077, 0, "rules.json is the owner's alone")
        with Sinkhole(lists=[url], upstream=up, state=state) as s:
            eq(s.ask("ads.example").ede, None)
            eq(s.ask("one.example").addresses, ["0.0.0.0"])


@test
def the_first_start_makes_a_password_and_tells_it_once():
    state = state_dir()
    with Upstream() as up:
        http = free_port()
        args = ["--http", f"127.0.0.1:{http}", "--password-file", ""]
        s = Sinkhole(lists=[], upstream=up, state=state, args=args[2:])
        with s:
            line = s.wait_log("assword", 5)
            password = line.split()[-1].strip("\"'.")
            s.api.password = password
            s.api.login()
            text = s.log_text()
            check(text.count(password) == 1, "told once")
        for name in os.listdir(state):
            path = os.path.join(state, name)
            if os.path.isfile(path) and "test" not in name:
                check(password.encode() not in open(path, "rb").read(), f"{name} does not hold it in clear")
        with Sinkhole(lists=[], upstream=up, state=state, args=args[2:]) as s:
            check(password not in s.log_text())
            s.api.password = password
            s.api.login()


run()
