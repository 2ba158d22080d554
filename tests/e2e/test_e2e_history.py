#!/usr/bin/env python3
"""The query history on the disk: what is written, asked, kept and forgotten, and what becomes of it when the disk does not do its part."""

import csv
import io
import json
import os
import re
import sqlite3
import time

from lib import *
from lib.daemon import SLOW, state_dir

OFTEN = ["--history-interval", "1s"]


def database(s):
    return s.api.get("/api/sinkhole/database").json["database"]


def wait_written(s, queries):
    return wait_until(lambda: (lambda d: d if d["queries"] >= queries else None)(database(s)), 20 * SLOW, f"{queries} queries are on the disk")


def rows_of(s, query=""):
    r = s.api.get("/api/queries" + query, timeout=60)
    eq(r.status, 200, repr(r))
    return r.json["queries"]


class Kept:
    """A state directory that lives longer than a daemon."""

    def __enter__(self):
        self.dir = state_dir()
        self.upstream = Upstream()
        return self

    def daemon(self, *args, **kw):
        return Sinkhole(upstream=self.upstream, state=self.dir, args=[*OFTEN, *args], **kw)

    def file(self, name="history.db"):
        return os.path.join(self.dir, name)

    def __exit__(self, *_):
        import shutil

        self.upstream.close()
        shutil.rmtree(self.dir, ignore_errors=True)


@test
def queries_outlive_a_restart_and_pages_go_on_in_the_file():
    with Kept() as k:
        with k.daemon() as s:
            for i in range(30):
                s.ask(f"old{i}.example")
        with k.daemon() as s:
            for i in range(5):
                s.ask(f"new{i}.example")
            wait_until(lambda: len(rows_of(s)) == 35, 10 * SLOW, "35 rows")
            rows = rows_of(s)
            eq([r["domain"] for r in rows], [f"new{i}.example" for i in reversed(range(5))] + [f"old{i}.example" for i in reversed(range(30))])
            ids = [r["id"] for r in rows]
            eq(ids, sorted(ids, reverse=True), "ids go on over the restart")
            old = rows[-1]
            eq((old["type"], old["status"], old["reply"]["type"], old["client"]["ip"]), ("A", "FORWARDED", "IP", "127.0.0.1"))
            check(old["upstream"] and "#" in old["upstream"], old)
            check(abs(old["time"] - time.time()) < 120, old)
            # Pages by the id of their last row, across the end of the memory.
            seen, cursor = [], ids[0]
            while cursor >= ids[-1]:
                page = rows_of(s, f"?length=7&cursor={cursor}")
                seen += [r["id"] for r in page]
                cursor = page[-1]["id"] - 1
            eq(seen, ids)
            eq([r["id"] for r in rows_of(s, "?start=3&length=4")], ids[3:7])
            eq([r["id"] for r in rows_of(s, "?start=20&length=4")], ids[20:24])
            eq(len(rows_of(s, "?disk=false")), 5, "memory alone")
            eq([r["domain"] for r in rows_of(s, "?domain=old7*&disk=true")], ["old7.example"])
            eq(rows_of(s, "?domain=nothing.example&disk=true"), [])
            eq(len(rows_of(s, "?client_ip=127.0.0.*&disk=true")), 35)
            eq(rows_of(s, "?client_ip=192.0.2.1&disk=true"), [])
            eq(len(rows_of(s, "?type=A&status=FORWARDED&reply=IP&disk=true")), 35)
            eq(rows_of(s, "?type=AAAA&disk=true"), [])
            eq(len(rows_of(s, f"?upstream={old['upstream'].replace('#', '%23')}&disk=true")), 35)
            eq(rows_of(s, f"?until={int(time.time()) - 3600}&disk=true"), [])


@test
def suggestions_know_what_was_asked_before_a_restart():
    with Kept() as k:
        with k.daemon() as s:
            for i in range(40):
                s.ask(f"old{i}.example")
            s.ask("www.example", source="127.0.1.9")
            wait_written(s, 41)
        with k.daemon("--log-entries", "1000") as s:
            s.ask("new.example")
            said = wait_until(lambda: (lambda w: w if "new.example" in w["domain"] else None)(s.api.get("/api/queries/suggestions").json["suggestions"]), 10 * SLOW)
            old = [d for d in said["domain"] if d.startswith("old")]
            eq(len(old), 40, said)
            eq(len(set(said["domain"])), len(said["domain"]), "each once")
            check({"127.0.0.1", "127.0.1.9"} <= set(said["client_ip"]), said)
            check(any(u.startswith("127.0.0.1#") for u in said["upstream"]), said)
            check(rows_of(s, "?domain=" + old[0]), "a suggestion finds something")


@test
def pages_by_start_and_cursor_reach_the_end_of_the_file():
    """As a client goes on until recordsFiltered is reached, or a page is not full."""
    with Kept() as k:
        with k.daemon() as s:
            for i in range(23):
                s.ask(f"old{i}.example")
        with k.daemon() as s:
            for i in range(10):
                s.ask(f"new{i}.example")
            wait_until(lambda: len(rows_of(s)) == 33, 10 * SLOW)
            now = int(time.time()) + 5
            for size in (5, 10, 11, 33, 100):
                for condition in ("", "&client_ip=127.0.0.1"):
                    seen, cursor = [], None
                    while True:
                        r = s.api.get(f"/api/queries?from={now - 86400}&until={now}&length={size}&start={len(seen)}{condition}" + (f"&cursor={cursor}" if cursor else "")).json
                        seen += [q["domain"] for q in r["queries"]]
                        cursor = cursor or r["cursor"]
                        if len(r["queries"]) < size or len(seen) >= r["recordsFiltered"]:
                            break
                    eq((len(seen), len(set(seen))), (33, 33), f"pages of {size}{condition}")


@test
def the_home_automation_asks_its_sums_by_the_day():
    with Kept() as k:
        with k.daemon() as s:
            s.ask("one.example")
            wait_written(s, 1)
            now = int(time.time())
            day = f"from={now - 86400}&until={now + 600}&blocked=0&count=10"
            eq(s.api.get(f"/api/stats/database/top_clients?{day}").json["clients"][0]["count"], 1)
            eq(s.api.get(f"/api/stats/database/top_domains?{day}").json["domains"], [{"domain": "one.example", "count": 1}])
            eq(s.api.get(f"/api/stats/database/top_domains?{day.replace('blocked=0', 'blocked=1')}").json["domains"], [])


@test
def sums_over_the_file_equal_what_was_sent():
    with Kept() as k:
        lists = ListServer()
        try:
            url = lists.put("/list.txt", "ads.example\n")
            with k.daemon(lists=[url]) as s:
                s.wait_blocked("ads.example")
                time.sleep(0.5)
                before = s.api.get("/api/stats/summary").json["queries"]["total"]
                for i in range(12):
                    s.ask("ads.example")
                    s.ask("one.example", "AAAA" if i % 2 else "A")
                    if i % 3 == 0:
                        s.ask("two.example")
                total = before + 28
                wait_until(lambda: s.api.get("/api/stats/summary").json["queries"]["total"] == total, 10 * SLOW)
                memory = s.api.get("/api/stats/summary").json["queries"]
                wait_written(s, total)
                d = s.api.get("/api/stats/database/summary").json
                eq((d["sum_queries"], d["sum_blocked"], d["total_clients"]), (total, memory["blocked"], 1))
                eq(s.api.get("/api/stats/database/query_types").json["types"], memory["types"])
                d = s.api.get("/api/stats/database/top_domains?count=1").json
                eq((d["domains"], d["total_queries"]), ([{"domain": "one.example", "count": 12}], total))
                d = s.api.get("/api/stats/database/top_domains?blocked=true").json
                eq(d["domains"], [{"domain": "ads.example", "count": memory["blocked"]}])
                d = s.api.get("/api/stats/database/top_clients").json
                eq([(c["ip"], c["count"]) for c in d["clients"]], [("127.0.0.1", total)])
                d = s.api.get("/api/stats/database/upstreams").json
                eq(d["forwarded_queries"], memory["forwarded"])
                eq({u["ip"]: u["count"] for u in d["upstreams"]}["blocklist"], memory["blocked"])
                real = [u for u in d["upstreams"] if u["port"] > 0]
                eq((len(real), real[0]["ip"], f"{real[0]['ip']}:{real[0]['port']}"), (1, "127.0.0.1", k.upstream.address))
                h = s.api.get("/api/history/database").json["history"]
                eq((sum(x["total"] for x in h), sum(x["blocked"] for x in h)), (total, memory["blocked"]))
                d = s.api.get("/api/history/database/clients").json
                eq(d["clients"]["127.0.0.1"]["total"], total)
                eq(sum(x["data"].get("127.0.0.1", 0) for x in d["history"]), total)
                # Nothing of another time.
                eq(s.api.get(f"/api/stats/database/summary?until={int(time.time()) - 7200}").json["sum_queries"], 0)
                eq(s.api.get(f"/api/stats/database/top_domains?until={int(time.time()) - 7200}").json["domains"], [])
                eq(s.api.get("/api/history/database?from=4000000000").json["history"], [])
                info = s.api.get("/api/info/database").json
                check(info["queries"] >= total and info["size"] > 0 and info["sqlite_version"], info)
        finally:
            lists.close()


@test
def exports_hold_all_rows():
    with Kept() as k:
        with k.daemon() as s:
            for i in range(40):
                s.ask(f"old{i}.example")
        with k.daemon() as s:
            s.ask("=cmd.example")
            s.ask('quo\\"te.example')
            wait_until(lambda: len(rows_of(s)) == 42, 10 * SLOW)
            r = s.api.get("/api/sinkhole/queries/export?format=jsonl")
            eq(r.header("Content-Disposition"), 'attachment; filename="queries.jsonl"')
            lines = [json.loads(line) for line in r.body.decode().splitlines()]
            eq(lines, rows_of(s, "?length=1000"))
            r = s.api.get("/api/sinkhole/queries/export")
            contains(r.header("Content-Type"), "text/csv")
            table = list(csv.DictReader(io.StringIO(r.body.decode())))
            eq([row["domain"].lstrip("'") for row in table], [q["domain"] for q in lines])
            eq(table[1]["domain"], "'=cmd.example", "no formula for a spreadsheet")
            eq(set(table[5]), {"time", "domain", "type", "status", "client_ip", "client_name", "reply", "reply_s", "upstream", "alias", "list_id", "id"})
            eq(len(list(csv.reader(io.StringIO(s.api.get("/api/sinkhole/queries/export?domain=old1*").body.decode())))), 12)
            eq(s.api.get("/api/sinkhole/queries/export?format=xml").status, 400)
            # As a link in a page: with the cookie alone.
            r = s.api.request("GET", "/api/sinkhole/queries/export?length=3&format=jsonl", None, {"Cookie": f"sid={s.api.sid}"})
            eq((r.status, len(r.body.splitlines())), (200, 3))


@test
def a_killed_process_loses_only_what_was_not_written():
    with Kept() as k:
        s = k.daemon()
        for i in range(20):
            s.ask(f"n{i}.example")
        wait_written(s, 20)
        s.process.kill()
        s.process.wait()
        with k.daemon() as s:
            eq(len(rows_of(s, "?disk=true")), 20)
            s.ask("after.example")
            wait_written(s, 21)
            eq(database(s)["problem"], None)


@test
def the_file_is_plain_sqlite_with_small_rows():
    with Kept() as k:
        with k.daemon() as s:
            for i in range(300):
                s.ask(f"name{i % 10}.example")
        eq(sorted(f for f in os.listdir(k.dir) if f.startswith("history")), ["history.db"], "closed cleanly")
        db = sqlite3.connect(f"file:{k.file()}?mode=ro", uri=True)
        eq(db.execute("PRAGMA integrity_check").fetchone()[0], "ok")
        eq(db.execute("SELECT count(*) FROM query").fetchone()[0], 300)
        eq(db.execute("SELECT count(*) FROM name").fetchone()[0], 10, "each name once")
        eq(db.execute("SELECT text, count(*) FROM query JOIN name ON name.id=query.name GROUP BY 1 ORDER BY 1 LIMIT 1").fetchone(), ("name0.example", 30))
        eq(db.execute("PRAGMA auto_vacuum").fetchone()[0], 2)
        eq(db.execute("SELECT sum(count) FROM slot_kind").fetchone()[0], 300)
        db.close()
        eq(os.stat(k.file()).st_mode & 0o777, 0o600)


@test
def a_damaged_file_is_set_aside_and_a_new_one_begun():
    for damage in (lambda path: open(path, "wb").write(b"this is no database at all" * 400), lambda path: open(path, "r+b").write(b"\xff" * 3000),
                   lambda path: os.truncate(path, 5000)):
        with Kept() as k:
            with k.daemon() as s:
                for i in range(50):
                    s.ask(f"n{i}.example")
            damage(k.file())
            with k.daemon() as s:
                eq(s.ask("during.example").rcode, "NOERROR")
                wait_written(s, 1)
                s.wait_log("history.db: damaged")
                check(os.path.exists(k.file("history.db.bad")), os.listdir(k.dir))
                messages = s.api.get("/api/info/messages").json["messages"]
                check(any("history.db.bad" in m["plain"] for m in messages), messages)
                eq(s.api.get("/api/info/messages/count").json["count"], len(messages))
                eq(rows_of(s, "?disk=true")[0]["domain"], "during.example")
            eq(sqlite3.connect(k.file()).execute("PRAGMA integrity_check").fetchone()[0], "ok")


@test
def damage_that_shows_late_is_set_aside_too():
    with Kept() as k:
        with k.daemon() as s:
            for i in range(400):
                s.ask(f"a-rather-long-name-{i}-so-that-there-are-pages.example")
        size = os.path.getsize(k.file())
        with open(k.file(), "r+b") as f: # everything but the first pages, which opening looks at
            f.seek(9 * 4096)
            f.write(os.urandom(size - 9 * 4096))
        with k.daemon() as s:
            s.api.get("/api/stats/database/top_domains", timeout=30)
            s.api.get("/api/queries?disk=true", timeout=30)
            for i in range(3):
                s.ask(f"during{i}.example")
                time.sleep(1.1)
            wait_until(lambda: os.path.exists(k.file("history.db.bad")), 20 * SLOW, "it was set aside")
            s.ask("later.example")
            wait_until(lambda: database(s)["writable"] and database(s)["queries"] > 0, 20 * SLOW)


@test
def a_full_disk_costs_rows_and_nothing_else():
    with Kept() as k:
        # The limit of file sizes is what a full disk is to a write.
        with k.daemon("--history-interval", "1s", prefix=["prlimit", "--fsize=300000"]) as s:
            answers = 0
            for i in range(4000):
                answers += s.ask(f"some-longer-name-to-fill-the-file-{i}.example").rcode == "NOERROR"
                if i % 100 == 0 and database(s)["problem"]:
                    break
            d = wait_until(lambda: (lambda d: d if d["problem"] and d["lost_queries"] > 0 else None)(database(s)), 20 * SLOW, "the problem and the loss are told")
            eq((d["writable"], answers), (False, i + 1))
            contains(s.wait_log("history.db"), "tried again")
            eq(s.ask("still.example").rcode, "NOERROR")
            check(any("history" in m["plain"].lower() for m in s.api.get("/api/info/messages").json["messages"]))
        with k.daemon() as s:
            s.ask("room.example")
            wait_until(lambda: database(s)["writable"] and database(s)["written_queries"] > 0, 20 * SLOW)
            eq(database(s)["problem"], None)


@test
def rows_go_with_age_and_size_and_on_demand():
    with Kept() as k:
        with k.daemon() as s:
            for i in range(10):
                s.ask(f"n{i}.example")
            wait_written(s, 10)
            eq(s.api.delete("/api/sinkhole/database").status, 204)
            eq((database(s)["queries"], rows_of(s, "?disk=true")), (0, []))
            s.ask("after.example")
            wait_written(s, 1)
            eq([r["domain"] for r in rows_of(s, "?disk=true")], ["after.example"])
        with open(k.file(), "rb") as f:
            check(b"n7.example" not in f.read(), "what was erased is not in the file")


@test
def history_off_leaves_no_file():
    with Kept() as k:
        with k.daemon("--history", "off") as s:
            s.ask("one.example")
            wait_until(lambda: len(rows_of(s)) == 1, 10 * SLOW)
            d = database(s)
            eq((d["supported"], d["enabled"]), (True, False))
            for path in ("summary", "query_types", "top_domains", "top_clients", "upstreams"):
                eq(s.api.get(f"/api/stats/database/{path}").status, 200, path)
            eq(s.api.get("/api/stats/database/summary").json["sum_queries"], 1, "from memory")
            eq(len(s.api.get("/api/history/database").json["history"]), 145)
            check("history" not in s.api.get("/api/sinkhole/status").json["features"])
        check(not os.path.exists(k.file()), os.listdir(k.dir))


@test
def privacy_holds_before_anything_is_kept():
    for level, ip, domain, ftl in (("anonymous", "127.0.0.0", "secret.example", 0), ("no-domains", "127.0.0.0", "", 2), ("nothing", None, None, 3)):
        with Kept() as k:
            with k.daemon("--privacy", level) as s:
                s.ask("secret.example")
                wait_until(lambda: s.api.get("/api/stats/summary").json["queries"]["total"] == 1, 10 * SLOW)
                rows = rows_of(s)
                eq([(r["client"]["ip"], r["domain"]) for r in rows], [(ip, domain)] if ip else [], level)
                eq(s.api.get("/api/info/ftl").json["ftl"]["privacy_level"], ftl, level)
                tops = s.api.get("/api/stats/top_domains").json["domains"]
                eq([t["domain"] for t in tops], ["secret.example"] if domain else [], level)
                eq([c["ip"] for c in s.api.get("/api/stats/top_clients").json["clients"]], [ip] if ip else [], level)
                if ip:
                    wait_written(s, 1)
            for name in ("history.db", "stats.bin"):
                with open(k.file(name), "rb") as f:
                    text = f.read()
                check((b"secret" in text) == (level == "anonymous"), f"{level}: {name}")
                check(not re.search(rb"127\.0\.0\.1(?!#)", text), f"{level}: {name}")


@test
def a_stricter_level_forgets_what_is_in_memory():
    with Kept() as k:
        with k.daemon() as s:
            s.ask("secret.example")
            wait_until(lambda: len(rows_of(s)) == 1, 10 * SLOW)
            eq(s.api.put("/api/sinkhole/settings", {"settings": {"privacy": "no-domains"}}).status, 200)
            eq(rows_of(s, "?disk=false"), [])
            eq(s.api.get("/api/stats/top_domains").json["domains"], [])
            eq(s.api.get("/api/stats/top_clients").json["clients"], [])
            eq(s.api.get("/api/stats/summary").json["queries"]["total"], 1, "sums stay")


run()
