#!/usr/bin/env python3
"""Each subcommand: what it prints, what it returns, how it complains."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

from lib import *
from lib.daemon import BINARY, PASSWORD, SLOW, environment

COMMANDS = ["run", "check", "query", "stats", "top", "log", "allow", "deny", "pause", "resume", "update", "compile", "rules", "backup", "restore", "password", "config", "version", "help"]


def complains(r, status, *parts):
    """Exit status, nothing on standard output, one line that says why (and perhaps where to read on)."""
    eq((r.returncode, r.stdout), (status, ""), r.stderr)
    lines = r.stderr.strip().splitlines()
    check(1 <= len(lines) <= 2, f"one line, and one where to read on: {lines}")
    check(len(lines) == 1 or lines[1].startswith("Try: sinkhole help"), str(lines))
    for part in parts:
        contains(lines[0], part)


def write(text, suffix=".conf"):
    f = tempfile.NamedTemporaryFile("w", suffix=suffix, delete=False)
    with f:
        f.write(text)
    return f.name


# ---- help, version, usage ----

@test
def help_lists_every_command():
    r = cli("help")
    eq((r.returncode, r.stderr), (0, ""))
    for name in COMMANDS:
        if name not in ("version", "help"):
            check(re.search(rf"^  {name} ", r.stdout, re.M), name)
    eq(cli("--help").stdout, r.stdout)
    eq(cli("-h").stdout, r.stdout)
    check(max(map(len, r.stdout.splitlines())) <= 100)


@test
def each_command_has_help():
    for name in COMMANDS:
        r = cli("help", name)
        eq((r.returncode, r.stderr), (0, ""), name)
        contains(r.stdout, f"usage: sinkhole {name}")
        eq(cli(name, "--help").stdout, r.stdout, name)
    r = cli("help", "options")
    for option in ("--list", "--upstream", "--block-mode", "--allow-from"):
        contains(r.stdout, f"  {option}")


@test
def words_for_the_shell_are_printed():
    eq(cli("help", "--words").stdout.split(), COMMANDS)
    words = cli("help", "log", "--words").stdout.split()
    for word in ("--follow", "--json", "--server", "--state-dir", "--help"):
        check(word in words, word)


@test
def the_version_is_that_of_the_tree():
    with open(os.path.join(ROOT, "VERSION")) as f:
        version = f.read().strip()
    eq(cli("version").stdout, f"sinkhole {version}\n")
    eq(cli("--version").stdout, f"sinkhole {version}\n")
    eq(json.loads(cli("version", "--json").stdout), {"version": version})


@test
def wrong_usage_is_told_in_one_line():
    rows = [
        (["frobnicate"], "\"frobnicate\""),
        (["help", "frobnicate"], "\"frobnicate\""),
        (["check"], "NAME"),
        (["check", "a..b"], "\"a..b\""),
        (["check", "x", "--follow"], "--follow"),
        (["query"], "NAME"),
        (["query", "x", "A", "y"], "\"y\""),
        (["query", "x", "FOO"], "\"FOO\""),
        (["query", "x", "@nowhere"], "\"nowhere\""),
        (["query", "a..b"], "\"a..b\""),
        (["config", "chek"], "\"chek\""),
        (["config", "--cache-entrys", "9"], "did you mean --cache-entries?"),
        (["config", "--cache-entries"], "without a value"),
        (["config", "--json=yes"], "takes none"),
        (["config", "-z"], "-z"),
        (["compile", "x"], "-o FILE"),
        (["pause", "soon"], "\"soon\""),
        (["pause", "0"], "\"0\""),
        (["log", "a", "b"], "\"b\""),
        (["log", "--count", "many"], "\"many\""),
        (["stats", "--count", "0"], "\"0\""),
        (["allow"], "NAME"),
        (["deny", "--subtree"], "NAME"),
        (["restore"], "FILE"),
        (["run", "now"], "\"now\""),
        (["stats", "--server", "ftp://x"], "ftp://x"),
    ]
    for args, part in rows:
        complains(cli(*args), 2, part)


# ---- configuration ----

@test
def config_prints_what_is_in_force_and_where_it_comes_from():
    path = write("cache-entries = 1000\nlist = /a\nlist = /b\n")
    try:
        r = cli("config", "--config", path, "--workers", "3", env={"SINKHOLE_BLOCK_TTL": "5m", "SINKHOLE_WORKERS": "2"})
        eq((r.returncode, r.stderr), (0, ""))
        contains(r.stdout, "# file, line 1\ncache-entries = 1000\n")
        contains(r.stdout, "list = /a\nlist = /b\n")
        contains(r.stdout, "# environment\nblock-ttl = 5m\n")
        contains(r.stdout, "# command line\nworkers = 3\n")
        printed = write(r.stdout)
        again = cli("config", "--config", printed)
        os.unlink(printed)
        eq([l for l in again.stdout.splitlines() if not l.startswith("#")], [l for l in r.stdout.splitlines() if not l.startswith("#")])
        all = json.loads(cli("config", "--config", path, "--json").stdout)
        eq(all["cache-entries"], {"value": "1000", "source": "file"})
        eq(all["list"], {"value": ["/a", "/b"], "source": "file"})
        eq(all["workers"], {"value": "auto", "source": "default"})
    finally:
        os.unlink(path)


@test
def configuration_errors_name_file_and_line():
    rows = [
        ("\nworkers = many\n", ":2: found \"many\", expected a number from 1 to 64, or auto"),
        ("lsit = /a\n", ":1: found \"lsit\", expected the name of an option (did you mean list?)"),
        ("list /a\n", ":1: found \"list /a\", expected name = value"),
        ("listen = localhost:53\n", ":1: found \"localhost:53\", expected ADDR:PORT or [ADDR6]:PORT"),
        ("ttl-max = 5m\nttl-min = 10m\n", ":2: ttl-min: found a time above ttl-max, expected at most ttl-max"),
        ("[groups kids]\n", ":1: found \"[groups kids]\""),
        ("workers = 2\nworkers = 3\n", ":2: found workers a second time (first on line 1)"),
    ]
    for text, message in rows:
        path = write(text)
        try:
            for args in (["config", "check", path], ["config", "--config", path], ["run", "--config", path], ["check", "x", "--config", path]):
                r = cli(*args)
                eq(r.returncode, 2, " ".join(args))
                contains(r.stderr, path + message)
        finally:
            os.unlink(path)


@test
def config_check_says_that_a_file_is_fine():
    for path in (os.path.join(ROOT, "conf/sinkhole.conf"),):
        eq(cli("config", "check", path).stdout, f"{path}: fine\n")
    complains(cli("config", "check", "/nonexistent/sinkhole.conf"), 2, "/nonexistent/sinkhole.conf: cannot be read: No such file or directory")


@test
def bad_options_and_environment_are_named():
    complains(cli("config", "--workers", "many"), 2, "--workers: found \"many\"")
    r = cli("config", env={"SINKHOLE_WORKERS": "many"})
    eq(r.returncode, 2)
    contains(r.stderr, "SINKHOLE_WORKERS: found \"many\", expected a number from 1 to 64, or auto")
    r = cli("config", env={"SINKHOLE_PORT_53_UDP": "udp://10.0.0.1:53"})  # as container platforms set it
    eq(r.returncode, 0)


@test
def the_environment_configures_everything():
    with Upstream() as up, ListServer() as lists:
        port = free_port()
        env = {"SINKHOLE_LISTEN": f"127.0.0.1:{port}", "SINKHOLE_HTTP": "off", "SINKHOLE_UPSTREAM": up.address, "SINKHOLE_USER": "none", "SINKHOLE_CONFIG": "/dev/null",
               "SINKHOLE_LIST": " ".join([lists.put("/a.txt", "a.example\n"), lists.put("/b.txt", "b.example\n")]), "SINKHOLE_BLOCK_MODE": "nxdomain"}
        state = state_dir()
        p = subprocess.Popen([BINARY], env=environment({**env, "SINKHOLE_STATE_DIR": state}), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for name in ("a.example", "b.example"):
                wait_until(lambda: ask_udp("127.0.0.1", port, name, timeout=0.5).rcode == "NXDOMAIN", 15 * SLOW, name)
        finally:
            p.terminate()
            eq(p.wait(10 * SLOW), 0)
            shutil.rmtree(state, ignore_errors=True)


# ---- without a running resolver ----

@test
def compile_makes_an_image():
    with ListServer() as lists, tempfile.TemporaryDirectory() as folder:
        image = os.path.join(folder, "blocklist.img")
        text = write("ads.example\ntracker.example\nbad..name\n", ".txt")
        try:
            r = cli("compile", "-o", image, lists.put("/adblock.txt", "||sub.example^\n@@||fine.sub.example^\n"), text)
            eq(r.returncode, 0, r.stderr)
            contains(r.stdout, f"{text}: 2 rules, 0 duplicates, 1 lines rejected")
            contains(r.stdout, "line 3: bad..name")
            contains(r.stdout, f"{image}: 4 rules in ")
            j = json.loads(cli("compile", "-o", image, text, "--json").stdout)
            eq((j["rules"], j["lists"][0]["rules"], j["lists"][0]["rejected"]), (2, 2, 1))
            r = cli("compile", "-o", image + "2", os.path.join(folder, "none.txt"))
            eq(r.returncode, 1)
            check(not os.path.exists(image + "2"), "nothing is written when no list could be loaded")
            complains(cli("compile", "-o", image, "ftp://x.example/"), 2, "ftp://x.example/")
        finally:
            os.unlink(text)


@test
def check_works_without_a_running_resolver():
    state = state_dir()
    try:
        with ListServer() as lists, Upstream() as up:
            urls = [lists.put("/one.txt", "# list one\nads.example\n"), lists.put("/two.txt", "||example^\n@@||fine.example^\n")]
            with Sinkhole(lists=urls, upstream=up, state=state) as s:
                s.wait_blocked("x.example")
        args = ("--offline", "--state-dir", state, "--config", "/dev/null")
        r = cli("check", *args, "ads.example", "FINE.example.", "www.other")
        eq((r.returncode, r.stderr), (0, ""))
        contains(r.stdout, "ads.example: blocked\n")
        contains(r.stdout, "one.txt, line 2: blocks ads.example\n")
        contains(r.stdout, "two.txt, line 1: blocks example and all names below\n")
        contains(r.stdout, "fine.example: allowed\n")
        contains(r.stdout, "two.txt, line 2: allows fine.example and all names below\n")
        contains(r.stdout, "www.other: allowed\n  no list and no rule speaks of it\n")
        j = json.loads(cli("check", *args, "ads.example", "www.other", "--json").stdout)
        eq([(x["domain"], x["verdict"]) for x in j], [("ads.example", "blocked"), ("www.other", "allowed")])
        eq(j[1]["decided_by"], None)
        # No --offline, but nobody there: the same.
        eq(cli("check", "--state-dir", state, "--config", "/dev/null", "--http", f"127.0.0.1:{free_port()}", "ads.example").stdout.splitlines()[0], "ads.example: blocked")
        complains(cli("check", "--offline", "--state-dir", "/nonexistent", "--config", "/dev/null", "x.example"), 1, "/nonexistent")
        check(not os.path.exists("/nonexistent"), "who asks makes no folder")
    finally:
        shutil.rmtree(state, ignore_errors=True)


@test
def check_without_a_running_resolver_knows_groups():
    state = state_dir()
    try:
        with ListServer() as lists, Upstream() as up:
            urls = [lists.put("/ads.txt", "ads.example\n")]
            games = lists.put("/games.txt", "games.example\n")
            text = f"[group kids]\nclient = 192.0.2.9\nlist = {games}\nschedule = mon-fri 21:00-06:30 block\nblock-mode = nxdomain\n"
            config = os.path.join(state, "groups.conf")
            with Sinkhole(lists=urls, upstream=up, state=state, config=text) as s:
                s.wait_blocked("ads.example")
                wait_until(lambda: s.api.get("/api/sinkhole/check?domain=games.example&client=192.0.2.9").json["verdict"] == "blocked", text="the group's list")
                eq(s.api.post("/api/groups", {"name": "office"}).status, 201)
                office = s.api.get("/api/groups/office").json["groups"][0]["id"]
                eq(s.api.post("/api/clients", {"client": "192.0.2.64/28", "groups": [0, office]}).status, 201)
                eq(s.api.post("/api/domains/deny/exact", {"domain": "news.example", "groups": [office]}).status, 201)
            with open(config, "w") as f:
                f.write("timezone = UTC0\n" + "".join(f"list = {u}\n" for u in urls) + text)
        args = ("--offline", "--state-dir", state, "--config", config, "--json")

        def verdicts(client, at, *names):
            r = cli("check", *args, "--client", client, "--at", at, *names)
            eq((r.returncode, r.stderr), (0, ""))
            return [x["verdict"] for x in json.loads(r.stdout)]

        noon, night = "2026-01-05 12:00", "2026-01-05 22:00"
        names = ("ads.example", "games.example", "news.example", "www.example")
        eq(verdicts("192.0.2.1", noon, *names), ["blocked", "allowed", "allowed", "allowed"])
        eq(verdicts("192.0.2.9", noon, *names), ["blocked", "blocked", "allowed", "allowed"])
        eq(verdicts("192.0.2.9", night, *names), ["blocked"] * 4)
        eq(verdicts("192.0.2.70", night, *names), ["blocked", "allowed", "blocked", "allowed"])
        r = cli("check", *args[:-1], "--client", "192.0.2.9", "--at", night, "www.example")
        contains(r.stdout, "groups    kids, Default")
        contains(r.stdout, "answer  nxdomain")
        complains(cli("check", *args, "--client", "kids-tablet", "www.example"), 2, "expected an address")
    finally:
        shutil.rmtree(state, ignore_errors=True)


@test
def query_asks_a_server():
    with Upstream() as up:
        up.answer("www.example", "A", "198.51.100.9", ttl=77)
        up.answer("big.example", "TXT", *[["x" * 200] * 5] * 2, truncate=True)
        up.answer("9.100.51.198.in-addr.arpa", "PTR", "www.example")
        server = "@" + up.address
        r = cli("query", "www.example", server)
        eq(r.returncode, 0, r.stderr)
        contains(r.stdout, "NOERROR")
        contains(r.stdout, "www.example. 77 IN A 198.51.100.9\n")
        eq(cli("query", "www.example", "A", server, "--short").stdout, "198.51.100.9\n")
        eq(cli("query", server, "198.51.100.9", "--short").stdout, "www.example.\n")
        contains(cli("query", "big.example", "TXT", server).stdout, "over TCP")
        eq([q.transport for q in up.asked("big.example")], ["udp", "tcp"])
        cli("query", "tcp.example", server, "--tcp", "--dnssec")
        eq([(q.transport, q.edns.do) for q in up.asked("tcp.example")], [("tcp", True)])
        j = json.loads(cli("query", "www.example", server, "--json").stdout)
        eq((j["rcode"], j["answer"]), ("NOERROR", [{"name": "www.example.", "ttl": 77, "type": "A", "value": "198.51.100.9"}]))
        up.answer("gone.example", "*", rcode="NXDOMAIN")
        eq(cli("query", "gone.example", server).returncode, 0, "NXDOMAIN is an answer")
        up.answer("lost.example", "A", "198.51.100.9", times=1, wrong_port=True)
    complains(cli("query", "www.example", f"@127.0.0.1:{free_port(('127.0.0.1',))}"), 1, "no answer from 127.0.0.1:")


@test
def query_asks_the_local_resolver_by_default():
    with Upstream() as up, Sinkhole(lists=[], upstream=up) as s:
        r = cli("query", "www.example", "--listen", f"127.0.0.1:{s.port}", "--config", "/dev/null", "--short")
        eq((r.returncode, r.stdout), (0, s.ask("www.example").addresses[0] + "\n"))


@test
def what_lies_in_answers_cannot_reach_the_terminal():
    with Upstream() as up:
        up.answer("evil.example", "TXT", ["\x1b[2J\x07evil\r\n"])
        r = cli("query", "evil.example", "TXT", "@" + up.address)
        check("\x1b" not in r.stdout and "\x07" not in r.stdout and "\r" not in r.stdout, repr(r.stdout))


# ---- with a running resolver ----

class House:
    """A daemon with two lists, one of which cannot be had, and some traffic."""

    def __init__(self, traffic=True):
        self.traffic = traffic
        self.lists, self.upstream = ListServer(), Upstream()
        self.daemon = Sinkhole(lists=[self.lists.put("/list.txt", "ads.example\n||tracker.example^\n"), self.lists.put("/gone.txt", status=404)], upstream=self.upstream)

    def __enter__(self):
        s = self.daemon
        wait_until(lambda: s.api.get("/api/stats/summary").json["gravity"]["domains_being_blocked"] == 2, 15 * SLOW, "two rules are in force")
        s.api.delete("/api/auth")
        s.api.sid = None
        s.ask("ads.example")
        for name in ("x.tracker.example", "one.example", "one.example", "two.example") if self.traffic else ():
            s.ask(name)
        if self.traffic:
            wait_until(lambda: json.loads(s.cli("stats", "--json").stdout)["summary"]["queries"]["total"] >= 5, 10 * SLOW)
        return s

    def __exit__(self, *args):
        try:
            self.daemon.__exit__(*args)
        finally:
            self.upstream.close()
            self.lists.close()


def fine(r):
    eq((r.returncode, r.stderr), (0, ""))
    return r.stdout


@test
def nobody_there_is_told_in_one_line():
    for args in (["stats"], ["log"], ["allow", "x.example"], ["pause"], ["update"], ["backup"]):
        r = cli(args[0], "--server", f"127.0.0.1:{free_port()}", *args[1:])
        complains(r, 1, f"sinkhole {args[0]}: http://127.0.0.1:")
    complains(cli("stats", "--http", "off", "--config", "/dev/null"), 1, "--server")


@test
def the_password_comes_from_three_places():
    with House(traffic=False) as s:
        complains(cli("stats", "--server", s.url, "--state-dir", "/nonexistent", "--config", "/dev/null"), 1, "needs a password")
        complains(cli("stats", "--server", s.url, "--state-dir", "/nonexistent", "--config", "/dev/null", env={"SINKHOLE_PASSWORD": "wrong one"}), 1, "wrong password")
        fine(cli("stats", "--server", s.url, "--config", "/dev/null", env={"SINKHOLE_PASSWORD": PASSWORD}))
        path = write(PASSWORD + "\n")
        fine(cli("stats", "--server", s.url, "--config", "/dev/null", "--password-file", path))
        os.unlink(path)
        fine(cli("stats", "--server", s.url, "--config", "/dev/null", "--state-dir", s.state))  # the token there
        fine(cli("stats", "--http", f"0.0.0.0:{s.http_port}", "--config", "/dev/null", "--state-dir", s.state))  # found by the configuration
        fine(cli("stats", "--config", "/dev/null", env={"SINKHOLE_PASSWORD": PASSWORD, "SINKHOLE_SERVER": s.url}))


@test
def the_token_is_the_owners_alone_and_changes():
    with House(traffic=False) as s:
        path = os.path.join(s.state, "cli.token")
        eq(os.stat(path).st_mode & 0o777, 0o600)
        eq(len(open(path).read()), 64)


@test
def commands_leave_no_session_behind():
    with House(traffic=False) as s:
        for _ in range(3):
            fine(s.cli("stats"))
        sessions = s.api.get("/api/auth/sessions").json["sessions"]
        eq(len(sessions), 1, "the one that asks")


@test
def stats_prints_numbers():
    with House() as s:
        out = fine(s.cli("stats"))
        for pattern in (r"^Queries +\d+  [\d.]+ a second$", r"^Blocked +2  [\d.]+ %$", r"^Rules +2  in 2 lists, updated \d+ s ago$", r"^Failed lists +1  ", r"^Blocking +on$", r"^Memory +[\d.]+  MiB$",
                        r"^ +1  x\.tracker\.example$", r"^ +2  one\.example$", r"^ +\d+  127\.0\.0\.1$", r"^ +\d+  127\.0\.0\.1 port \d+, [\d.]+ ms$"):
            check(re.search(pattern, out, re.M), lambda: f"{pattern} in\n{out}")
        j = json.loads(fine(s.cli("stats", "--json", "--count", "1")))
        eq(sorted(j), ["blocking", "status", "summary", "top_allowed", "top_blocked", "top_clients", "upstreams"])
        eq((len(j["top_allowed"]), j["top_allowed"][0]), (1, {"domain": "one.example", "count": 2}))


@test
def log_prints_queries_oldest_first():
    with House() as s:
        out = fine(s.cli("log")).splitlines()
        check(re.match(r"^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d  127\.0\.0\.1 +A +x\.tracker\.example  blocked \(.*list\.txt\)  [\d.]+ ms$", out[-4]), out[-4])
        check(re.search(r"one\.example  forwarded by 127\.0\.0\.1#\d+ ", out[-3]), out[-3])
        check(re.search(r"one\.example  from cache ", out[-2]), out[-2])
        contains(out[-1], "two.example")
        eq(len(fine(s.cli("log", "--count", "2")).splitlines()), 2)
        eq([("example" in l, "blocked" in l) for l in fine(s.cli("log", "--blocked")).splitlines()][-1], (True, True))
        check(all("one.example" in l for l in fine(s.cli("log", "one*")).splitlines()))
        lines = [json.loads(l) for l in fine(s.cli("log", "--json")).splitlines()]
        eq([(l["domain"], l["status"]) for l in lines[-4:]], [("x.tracker.example", "GRAVITY"), ("one.example", "FORWARDED"), ("one.example", "CACHE"), ("two.example", "FORWARDED")])


@test
def log_follows():
    with House() as s:
        p = subprocess.Popen([BINARY, "log", "--server", s.url, "--follow", "--json"], stdout=subprocess.PIPE, text=True, env=environment({"SINKHOLE_PASSWORD": PASSWORD}))
        try:
            for line in p.stdout:
                if json.loads(line)["domain"] == "two.example":
                    break
            s.ask("later.example")
            eq(json.loads(p.stdout.readline())["domain"], "later.example")
        finally:
            p.send_signal(signal.SIGINT)
            eq(p.wait(10 * SLOW), 0)
            p.stdout.close()


@test
def check_explains():
    with House(traffic=False) as s:
        out = fine(s.cli("check", "x.tracker.example", "www.example", "localhost"))
        check(re.search(r"^x\.tracker\.example: blocked\n  by      .*list\.txt, line 2: blocks tracker\.example and all names below\n  answer  ", out, re.M), out)
        contains(out, "www.example: allowed\n  no list and no rule speaks of it\n")
        contains(out, "localhost: answered here\n")
        fine(s.cli("pause"))
        contains(fine(s.cli("check", "ads.example")), "ads.example: blocked (but blocking is paused now)")
        j = json.loads(fine(s.cli("check", "ads.example", "--json")))
        eq((j[0]["verdict"], j[0]["paused"], j[0]["decided_by"]["line"]), ("blocked", True, 1))


@test
def rules_of_ones_own_are_made_and_taken_back():
    with House(traffic=False) as s:
        eq(fine(s.cli("allow", "ads.example", "--comment", "the shop")), "ads.example: allowed\n")
        eq(s.ask("ads.example").ede, None)
        eq(s.api.get("/api/domains").json["domains"][0]["comment"], "the shop")
        eq(fine(s.cli("deny", "--subtree", "Bad.Example.", "worse.example")), "bad.example and all names below: denied\nworse.example and all names below: denied\n")
        for name in ("bad.example", "x.bad.example", "x.worse.example"):
            eq(s.ask(name).addresses, ["0.0.0.0"], name)
        eq(s.ask("xbad.example").ede, None, "another name that ends alike")
        contains(fine(s.cli("check", "x.bad.example")), "own rule: blocks bad.example and all names below")
        eq(fine(s.cli("deny", "--subtree", "--remove", "bad.example")), "bad.example and all names below: rule taken back\n")
        eq(s.ask("x.bad.example").ede, None)
        complains(s.cli("deny", "--remove", "never.example"), 1)
        eq(json.loads(fine(s.cli("deny", "j.example", "--json")))["processed"]["success"], [{"item": "j.example"}])


@test
def pause_and_resume():
    with House(traffic=False) as s:
        eq(fine(s.cli("pause", "1h30m")), "blocking is paused for 5400 s\n")
        eq(s.ask("ads.example").ede, None)
        timer = s.api.get("/api/dns/blocking").json["timer"]
        check(5390 <= timer <= 5400, str(timer))
        eq(fine(s.cli("resume")), "blocking is on\n")
        eq(s.ask("ads.example").addresses, ["0.0.0.0"])
        eq(fine(s.cli("pause")), "blocking is paused until: sinkhole resume\n")
        check(re.search(r"^Blocking +paused$", fine(s.cli("stats")), re.M))
        eq(json.loads(fine(s.cli("resume", "--json"))), {"blocking": "enabled", "timer": None})


@test
def update_refreshes_the_lists():
    house = House(traffic=False)
    with house as s:
        house.lists.put("/list.txt", "ads.example\nnew.example\n")
        r = s.cli("update")
        eq(r.returncode, 1, "one list cannot be had")
        contains(r.stdout, "list.txt: 2 rules")
        contains(r.stdout, "gone.txt: HTTP status 404\n")
        eq(s.ask("new.example").addresses, ["0.0.0.0"], "in force when the command ends")
        house.lists.put("/gone.txt", "back.example\n")
        time.sleep(1.1)  # what was tried in this very second is told as new
        contains(fine(s.cli("update")), "gone.txt: 1 rules")


@test
def backup_and_restore():
    with House(traffic=False) as s, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "backup.json")
        fine(s.cli("deny", "kept.example"))
        fine(s.cli("backup", "-o", path))
        eq(os.stat(path).st_mode & 0o777, 0o600)
        text = open(path).read()
        check("took" not in json.loads(text))
        eq(json.loads(fine(s.cli("backup"))), json.loads(text))
        fine(s.cli("deny", "--remove", "kept.example"))
        eq(s.ask("kept.example").ede, None)
        eq(fine(s.cli("restore", path)), "restored\n")
        eq(s.ask("kept.example").addresses, ["0.0.0.0"])
        eq(s.cli("restore", "-", stdin=text).returncode, 0)
        with open(path, "w") as f:
            f.write(text[:-20])
        complains(s.cli("restore", path), 2, path + ":")
        with open(path, "w") as f:
            f.write(json.dumps({**json.loads(text), "own": [{"type": "deny", "kind": "exact", "domain": "a..b"}]}))
        complains(s.cli("restore", path), 1)
        eq(s.ask("kept.example").addresses, ["0.0.0.0"], "a bad backup changes nothing")
        complains(s.cli("restore", "/nonexistent/file"), 1, "No such file")
        complains(s.cli("restore", folder), 2, folder)
        complains(s.cli("restore"), 2, "found no file")
        complains(s.cli("restore", path, path), 2, "one FILE")
        complains(s.cli("restore", "-", stdin="[1]"), 2, "something else than an object")
        complains(s.cli("restore", "-", stdin='{"version": 1, "version": 1}'), 2, "-:1:")
        complains(s.cli("backup", "out.json"), 2, "expected -o FILE")
        complains(s.cli("backup", "-o", "/nonexistent/backup.json"), 1, "No such file")
        complains(s.cli("backup", "-o", folder), 1, "Is a directory")
        complains(s.cli("backup", "-o", os.path.join(folder, "x" * 5000)), 1)
        eq(sorted(os.listdir(folder)), ["backup.json"], "nothing is left of what failed")
        kept = os.path.join(s.state, "rules.json")  # the document as it lies there is a backup too
        eq(fine(s.cli("restore", kept)), "restored\n")
        eq(s.ask("kept.example").addresses, ["0.0.0.0"])


@test
def a_large_backup_is_restored():
    """9000 rules with comments: larger than any other request."""
    with House(traffic=False) as s, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "backup.json")
        document = json.loads(fine(s.cli("backup")))
        document["own"] = [{"id": i + 1, "type": "deny", "kind": "exact", "domain": f"n{i}.large.example", "comment": "x" * 100} for i in range(9000)]
        with open(path, "w") as f:
            json.dump(document, f)
        check(1_500_000 < os.path.getsize(path) < 4 << 20, f"{os.path.getsize(path)} octets")
        eq(fine(s.cli("restore", path)), "restored\n")
        eq(s.ask("n8999.large.example").addresses, ["0.0.0.0"])
        eq(len(json.loads(fine(s.cli("backup")))["own"]), 9000)


@test
def password_is_changed():
    state = state_dir()
    with Upstream() as up:
        with Sinkhole(lists=[], upstream=up, state=state, args=["--password-file", ""]) as s:
            s.api.password = s.wait_log("assword of the dashboard").split()[-1]
            old = {"SINKHOLE_PASSWORD": s.api.password}
            r = cli("password", "--server", s.url, "--config", "/dev/null", "--state-dir", "/nonexistent", env=old, stdin="short\n")
            eq(r.returncode, 2)
            complains(cli("password", "--server", s.url, "--config", "/dev/null", env=old, stdin=""), 2, "no password on standard input")
            complains(cli("password", "hunter2hunter2", "--server", s.url, "--config", "/dev/null", env=old), 2, "standard input")
            eq(fine(cli("password", "--server", s.url, "--config", "/dev/null", "--state-dir", "/nonexistent", env=old, stdin="a much better one\n")), "changed; other sessions have ended\n")
            complains(cli("stats", "--server", s.url, "--config", "/dev/null", "--state-dir", "/nonexistent", env=old), 1, "wrong password")
            fine(cli("stats", "--server", s.url, "--config", "/dev/null", env={"SINKHOLE_PASSWORD": "a much better one"}))
            check("a much better one" not in s.log_text())
    shutil.rmtree(state, ignore_errors=True)


@test
def top_shows_and_leaves():
    import pty
    with House() as s:
        leader, follower = pty.openpty()
        p = subprocess.Popen([BINARY, "top", "--server", s.url], stdin=follower, stdout=follower, stderr=follower, env=environment({"SINKHOLE_PASSWORD": PASSWORD, "TERM": "vt100"}))
        os.close(follower)
        seen = b""
        try:
            deadline = time.monotonic() + 10 * SLOW
            while seen.count(b"q: leave") < 2 and time.monotonic() < deadline:
                seen += os.read(leader, 65536)
            os.write(leader, b"q")
            eq(p.wait(10 * SLOW), 0)
        finally:
            p.kill()
            p.wait()
            os.close(leader)
        contains(seen, b"x.tracker.example")
        contains(seen, b"\x1b[H\x1b[2J")
    complains(cli("top"), 2, "needs a terminal")


@test
def hostile_names_cannot_reach_the_terminal():
    with House(traffic=False) as s:
        s.ask("\\027[2J\\007x.example")
        wait_until(lambda: "x.example" in s.cli("log").stdout, 10 * SLOW)
        for args in (["log"], ["stats"], ["log", "--json"]):
            out = fine(s.cli(*args))
            check("\x1b" not in out and "\x07" not in out, repr(out))


run()
