#!/usr/bin/env python3
"""Rules beyond names: regular expressions, services, safe search, addresses in answers, export and import."""

import json
import os
import re
import shutil

from lib import *

LIST = "0.0.0.0 plain.example\n/^ad[0-9]+\\.list\\./\n@@/^ad7\\.list\\./\n/(a+)+$/\n"


def blocked(s, name):
    eq(s.ask(name).addresses, ["0.0.0.0"], name)


@test
def expressions_of_lists_are_in_force_and_explained():
    with ListServer() as lists, Upstream() as up, Sinkhole(lists=[lists.put("/l.txt", LIST)], upstream=up) as s:
        s.wait_blocked("plain.example")
        blocked(s, "ad12.list.example")
        check(s.ask("ad7.list.example").addresses != ["0.0.0.0"], "the list's own exception")
        s.wait_log("4: the regular expression is left out: takes more than")
        j = s.api.get("/api/sinkhole/check?domain=ad12.list.example").json
        d = j["decided_by"]
        eq((j["verdict"], d["source"], d["rule"], d["regex"], d["line"], d["action"]), ("blocked", "list", "^ad[0-9]+\\.list\\.", True, 2, "block"))
        j = s.api.get("/api/sinkhole/check?domain=ad7.list.example").json
        eq((j["verdict"], j["decided_by"]["line"], len(j["others"])), ("allowed", 3, 1))
        out = s.cli("check", "ad12.list.example").stdout
        contains(out, "line 2: blocks what matches ^ad[0-9]+\\.list\\.")
        wait_until(lambda: s.api.get("/api/stats/summary").json["queries"]["status"]["REGEX"] == 1, 5, "it is counted")
        contains(s.api.get("/metrics").body.decode(), "sinkhole_regex_asked_total")


@test
def own_expressions_come_and_go():
    with Upstream() as up, Sinkhole(upstream=up) as s:
        check(s.ask("ad12.own.example").addresses != ["0.0.0.0"], "not yet")
        r = s.api.post("/api/domains/deny/regex", {"domain": "^ad[0-9]+\\.own\\.", "comment": "mine"})
        eq((r.status, r.json["domains"][0]["active"], r.json["processed"]["errors"]), (201, True, []))
        blocked(s, "ad12.own.example")
        eq(s.api.post("/api/domains/allow/regex", {"domain": "ad12"}).status, 201)
        check(s.ask("ad12.own.example").addresses != ["0.0.0.0"], "allowed again")
        blocked(s, "ad13.own.example")
        d = s.api.get("/api/sinkhole/check?domain=ad13.own.example").json["decided_by"]
        eq((d["source"], d["rule"], d["regex"]), ("rule", "^ad[0-9]+\\.own\\.", True))
        eq(s.api.delete("/api/domains/deny/regex/%5Ead%5B0-9%5D%2B%5C.own%5C.").status, 204)
        check(s.ask("ad13.own.example").addresses != ["0.0.0.0"], "gone")


@test
def the_command_line_adds_and_removes_expressions():
    with Upstream() as up, Sinkhole(upstream=up) as s:
        eq(s.cli("deny", "--regex", "^ad[0-9]+\\.").returncode, 0)
        blocked(s, "ad1.example")
        r = s.cli("deny", "--regex", "(a+)+$")
        eq(r.returncode, 1)
        contains(r.stderr, "takes more than")
        eq(s.cli("deny", "--regex", "--remove", "^ad[0-9]+\\.").returncode, 0)
        check(s.ask("ad1.example").addresses != ["0.0.0.0"], "taken back")
        eq(s.cli("deny", "--regex", "--subtree", "x").returncode, 2)


@test
def expressions_that_cannot_be_used_are_refused_with_the_reason():
    with Upstream() as up, Sinkhole(upstream=up) as s:
        for pattern, says in (("(ads", "missing closing parenthesis"), ("(a+)+$", "takes more than"), ("ads;querytype=A", "querytype"), ("(*UTF)x", "at the start"), ("x" * 1025, "1024")):
            r = s.api.post("/api/domains/deny/regex", {"domain": ["good.example", pattern]})
            eq(r.status, 201, pattern)
            eq([e["item"] for e in r.json["processed"]["errors"]][-1], pattern)
            contains(r.json["processed"]["errors"][-1]["error"], says)
        eq(len(s.api.get("/api/domains/deny/regex").json["domains"]), 1)
        doc = s.api.get("/api/sinkhole/rules").json
        doc["own"].append({"id": 99, "type": "deny", "kind": "regex", "domain": "(a+)+$"})
        r = s.api.put("/api/sinkhole/rules", doc)
        eq(r.status, 400)
        contains(r.json["error"]["hint"], "own[1].domain: takes more than")


@test
def a_restart_and_the_command_line_alone_know_them():
    with ListServer() as lists, Upstream() as up:
        url, state = lists.put("/l.txt", LIST), state_dir()
        with Sinkhole(lists=[url], upstream=up, state=state) as s:
            s.wait_blocked("plain.example")
            s.api.post("/api/domains/deny/regex", {"domain": "^mine\\."})
            blocked(s, "mine.example")
        if not Sinkhole.bare_metal:  # its state is not where a command line could read it
            out = cli("check", "--offline", "--state-dir", state, "mine.example", "ad3.list.example", "ad7.list.example", "www.example").stdout
            contains(out, "mine.example: blocked\n  by      own rule: blocks what matches ^mine\\.\n")
            check(re.search(r"ad3\.list\.example: blocked\n  by .*line 2: blocks what matches", out), out)
            contains(out, "ad7.list.example: allowed")
            contains(out, "www.example: allowed")
        with Sinkhole(lists=[url], upstream=up, state=state) as again:
            blocked(again, "mine.example")
            blocked(again, "ad3.list.example")
        shutil.rmtree(state)


@test
def without_the_sandbox_they_are_machine_code():
    if Sinkhole.bare_metal:
        skip("bare metal makes no machine code: PCRE2's interpreter alone is in the image")
    with Upstream() as up, Sinkhole(upstream=up, args=["--sandbox", "off"]) as s:
        s.api.post("/api/domains/deny/regex", {"domain": "^ad[0-9]+\\."})
        s.wait_log("1 regular expressions in force, ")
        blocked(s, "ad1.example")

# ---- services and safe search ----

def services(s):
    return {x["id"]: x["blocked"] for x in s.api.get("/api/sinkhole/services").json["services"]}


@test
def services_are_blocked_by_configuration_and_by_the_api():
    with Upstream() as up, Sinkhole(upstream=up, args=["--block-service", "tiktok"]) as s:
        blocked(s, "www.tiktok.com")
        check(s.ask("www.youtube.com").addresses != ["0.0.0.0"], "not told to")
        eq((services(s)["tiktok"], services(s)["youtube"]), (True, False))
        d = s.api.get("/api/sinkhole/check?domain=www.tiktok.com").json["decided_by"]
        eq((d["source"], d["list"], d["rule"], d["subtree"]), ("service", "tiktok", "tiktok.com", True))
        contains(s.cli("check", "www.tiktok.com").stdout, "blocked service tiktok: blocks tiktok.com and all names below")
    with Upstream() as up, Sinkhole(upstream=up) as s:
        eq(s.api.put("/api/sinkhole/services/youtube", {"blocked": True}).status, 200)
        blocked(s, "www.youtube.com")
        eq(s.api.put("/api/sinkhole/services/tiktok", {"blocked": True}).status, 200)
        blocked(s, "www.youtube.com")
        blocked(s, "www.tiktok.com")
        s.api.post("/api/dns/blocking", {"blocking": False})
        check(s.ask("www.youtube.com").addresses != ["0.0.0.0"], "paused")
        s.api.post("/api/dns/blocking", {"blocking": True})
        eq(s.api.put("/api/sinkhole/services/youtube", {"blocked": False}).status, 200)
        check(s.ask("www.youtube.com").addresses != ["0.0.0.0"], "no longer")
        blocked(s, "www.tiktok.com")
        eq(s.api.put("/api/sinkhole/services/nowhere", {"blocked": True}).status, 404)
        eq(s.api.put("/api/sinkhole/services/tiktok", {"blocked": 1}).status, 400)
        r = s.api.put("/api/sinkhole/settings", {"settings": {"block-service": "tiktok nowhere"}})
        eq(r.status, 400)
        contains(r.body.decode(), "nowhere")
        s.api.put("/api/sinkhole/services/tiktok", {"blocked": False})
        eq(any(services(s).values()), False)


@test
def services_are_blocked_for_single_groups():
    config = "[group kids]\nclient = 127.0.0.1\nservice = roblox\n[group guests]\nclient = 192.0.2.7\n"
    with Upstream() as up, Sinkhole(upstream=up, config=config) as s:
        def groups_of(service):
            return {x["id"]: x["groups"] for x in s.api.get("/api/sinkhole/services").json["services"]}[service]
        blocked(s, "www.roblox.com")
        eq((groups_of("roblox"), groups_of("tiktok")), (["kids"], []))
        eq(s.api.put("/api/sinkhole/services/tiktok", {"blocked": True, "group": "guests"}).status, 200)
        check(s.ask("www.tiktok.com").addresses != ["0.0.0.0"], "for others only")
        eq(s.api.put("/api/sinkhole/services/tiktok", {"blocked": True, "group": "kids"}).status, 200)
        blocked(s, "www.tiktok.com")
        blocked(s, "www.roblox.com")
        eq(sorted(groups_of("tiktok")), ["guests", "kids"])
        eq(s.api.put("/api/sinkhole/services/tiktok", {"blocked": False, "group": "kids"}).status, 200)
        check(s.ask("www.tiktok.com").addresses != ["0.0.0.0"], "taken back")
        eq(groups_of("tiktok"), ["guests"])
        r = s.api.put("/api/sinkhole/services/roblox", {"blocked": False, "group": "kids"})
        eq(r.status, 400)
        contains(r.body.decode(), "the configuration blocks it")
        blocked(s, "www.roblox.com")
        eq(s.api.put("/api/sinkhole/services/roblox", {"blocked": True, "group": "nobody"}).status, 404)


@test
def safe_search_answers_with_the_name_that_stands_in():
    with Upstream() as up, Sinkhole(upstream=up, config="safe-search = on\n") as s:
        up.answer("forcesafesearch.google.com", "A", "198.51.100.120")
        r = s.ask("www.google.de")
        eq((r.addresses, "forcesafesearch.google.com" in str(r)), (["198.51.100.120"], True))
        eq(s.api.get("/api/sinkhole/services").json["safe_search"]["on"], True)
        eq(s.api.put("/api/sinkhole/settings", {"settings": {"safe-search": "off"}}).status, 200)
        check(s.ask("www.google.de").addresses != ["198.51.100.120"], "off")


@test
def a_file_stands_in_for_the_services_inside():
    state = state_dir()
    path = os.path.join(state, "services.conf")
    with open(path, "w") as f:
        f.write("[mine] My own\nmine.example\n")
    with Upstream() as up, Sinkhole(upstream=up, state=state, config=f"services-file = {path}\nblock-service = mine\n") as s:
        blocked(s, "www.mine.example")
        eq(list(services(s)), ["mine"])
        if s.bare_metal:
            shutil.rmtree(state)
            return  # files of the card are read at the start
        with open(path, "w") as f:
            f.write("[mine] My own\nmine.example\nother.example\n")
        s.reload()
        s.wait_blocked("other.example")
        with open(path, "w") as f:
            f.write("[mine] My own\nmine example\n")
        s.reload()
        s.wait_log(f"{path}:2: found \"mine\", expected a domain name")
        blocked(s, "www.mine.example")
    r = cli("config", "check", "--services-file", path)
    eq(r.returncode, 2)
    contains(r.stderr, f"{path}:2: found \"mine\"")
    eq(cli("run", "--services-file", path).returncode, 2)
    r = cli("config", "services", "--json", "--block-service", "tiktok")
    eq([x["id"] for x in json.loads(r.stdout) if x["blocked"]], ["tiktok"])
    shutil.rmtree(state)

# ---- addresses in answers ----

@test
def addresses_that_are_not_wanted_block_the_name():
    with Upstream() as up, Sinkhole(upstream=up, config="block-address = 198.51.100.201\n") as s:
        up.answer("one.example", "A", "198.51.100.201")
        up.answer("two.example", "A", "198.51.100.202")
        blocked(s, "one.example")
        eq(s.ask("two.example").addresses, ["198.51.100.202"])
        r = s.api.post("/api/sinkhole/addresses", {"address": ["198.51.100.202/31", "nonsense", "198.51.100.203/31"], "comment": "mine"})
        eq((r.status, [e["item"] for e in r.json["processed"]["errors"]]), (201, ["nonsense", "198.51.100.203/31"]))
        eq([(a["address"], a["comment"]) for a in r.json["addresses"]], [("198.51.100.202/31", "mine")])
        blocked(s, "two.example")
        eq(s.api.put("/api/sinkhole/addresses/198.51.100.202%2F31", {"enabled": False}).status, 200)
        eq(s.ask("two.example").addresses, ["198.51.100.202"])
        eq(s.api.delete("/api/sinkhole/addresses/198.51.100.202%2F31").status, 204)
        eq(s.api.delete("/api/sinkhole/addresses/198.51.100.202%2F31").status, 404)
        eq(s.cli("deny", "--address", "198.51.100.202").returncode, 0)
        blocked(s, "two.example")
        eq(s.cli("deny", "--address", "--remove", "198.51.100.202").returncode, 0)
        eq(s.ask("two.example").addresses, ["198.51.100.202"])
        eq(s.cli("deny", "--address", "x.example").returncode, 2)
    r = cli("config", "--block-address", "x.example")
    eq(r.returncode, 2)
    contains(r.stderr, "expected ADDR or ADDR/BITS")

# ---- export and import ----

@test
def own_rules_go_out_and_come_back():
    text = "deny ads.example  # a note\nallow *.ok.example\ndeny /^ad[0-9]+\\./\ndeny off.example off\n"
    folder = state_dir()
    with Upstream() as up, Sinkhole(upstream=up) as s:
        path = os.path.join(folder, "own.txt")
        with open(path, "w") as f:
            f.write("# mine\n" + text)
        eq(s.cli("rules", "import", path).stdout, "4 rules added, 0 were there already\n")
        blocked(s, "ads.example")
        blocked(s, "ad1.other.example")
        check(s.ask("off.example").addresses != ["0.0.0.0"], "it is off")
        eq(s.cli("rules", "import", path).stdout, "0 rules added, 4 were there already\n")
        out = s.cli("rules", "export").stdout
        eq(out.split("\n", 1)[1], text)
        eq(s.api.get("/api/sinkhole/own?format=text").body.decode(), out)
        json_path = os.path.join(folder, "own.json")
        eq(s.cli("rules", "export", "--json", "-o", json_path).returncode, 0)
        with open(path, "w") as f:
            f.write("one.example\nbad..example\n(a+)+$\n")
        r = s.cli("rules", "import", "--replace", path)
        eq(r.returncode, 1)
        contains(r.stderr, f"{path}:2: found \"bad..example\": a name with an empty label")
        contains(r.stderr, f"{path}:3: found \"(a+)+$\": takes more than")
        contains(r.stderr, "nothing was changed")
        eq(s.cli("rules", "export").stdout, out)
        with open(path, "w") as f:
            f.write("one.example\n")
        eq(s.cli("rules", "import", "--replace", path).returncode, 0)
        blocked(s, "one.example")
        check(s.ask("ads.example").addresses != ["0.0.0.0"], "replaced")
        eq(s.cli("rules", "import", "--replace", json_path).stdout, "4 rules added, 0 were there already\n")
        eq(s.cli("rules", "export").stdout, out)
        eq(s.cli("rules", "import", "/nonexistent").returncode, 1)
        eq(s.cli("rules", "move").returncode, 2)
        eq(s.api.post("/api/sinkhole/own", {"text": "x.example", "own": []}).status, 400)
    shutil.rmtree(folder)


run()
