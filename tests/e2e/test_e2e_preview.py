#!/usr/bin/env python3
"""What a list would have blocked, before it is switched on: of the history, or of the log in memory where none is kept."""

import time

from lib import *
from lib.daemon import SLOW

Sinkhole.crowd = True
NINE = Sinkhole.neighbour(9)


def tried(s, url, seconds=20):
    r = s.api.post("/api/sinkhole/lists/preview", {"url": url})
    eq(r.status, 202, repr(r))
    id = r.json["preview"]["id"]

    def done():
        p = s.api.get("/api/sinkhole/lists/preview").json["preview"]
        eq(p["id"], id)
        return p if p["state"] in ("done", "failed") else None

    return wait_until(done, seconds * SLOW, "the preview ends")


class Previewing:
    def __init__(self, *args):
        self.args = args

    def __enter__(self):
        host = own_address()
        if not host:
            skip("this machine has no address but loopback")
        self.lists, self.here, self.upstream = ListServer(host), ListServer(), Upstream()
        self.daemon = Sinkhole(upstream=self.upstream, args=["--history-interval", "1s", *self.args],
                               lists=[self.here.put("/have.txt", "known.example\nready.example\n")])
        return self

    def __exit__(self, *args):
        try:
            self.daemon.__exit__(*args)
        finally:
            for server in (self.lists, self.here, self.upstream):
                server.close()


@test
def a_list_is_tried_on_what_was_asked():
    for args, source in (((), "memory"),) if Sinkhole.bare_metal else (((), "history"), (("--history", "off"), "memory")):
        with Previewing(*args) as p:
            s = p.daemon
            s.wait_blocked("ready.example")
            eq(s.api.get("/api/sinkhole/lists/preview").json["preview"], None)
            for name, n in (("ads.example", 5), ("x.tracker.example", 3), ("fine.example", 4), ("mine.example", 2), ("known.example", 1)):
                for _ in range(n):
                    s.ask(name)
            s.ask("ads.example", source=NINE)
            eq(s.api.post("/api/domains/allow/exact", {"domain": "mine.example"}).status, 201)
            time.sleep(0.5)
            url = p.lists.put("/new.txt", "||ads.example^\n||tracker.example^\n||known.example^\nmine.example\nmine.example\nnever-asked.example\nthis is no rule\n")
            r = tried(s, url)
            eq((r["state"], r["error"], r["url"]), ("done", None, url), str(r))
            eq((r["list"]["rules"], r["list"]["new_rules"], r["list"]["duplicates"], r["list"]["rejected"]), (5, 4, 1, 1), str(r["list"]))
            result = r["result"]
            eq((result["source"], result["partial"], result["would_block"], result["names"], result["clients_hit"]), (source, False, 9, 2, 2), str(result))
            check(result["queries"] >= 15, result["queries"])
            window = result["until"] - result["from"]
            check(window == 7 * 86400 if source == "history" else 0 <= window < 60, "the log in memory begins with the first question")
            eq([(d["domain"], d["count"], [(c["ip"], c["count"]) for c in d["clients"]]) for d in result["domains"]],
               [("ads.example", 6, [(Sinkhole.me, 5), (NINE, 1)]), ("x.tracker.example", 3, [(Sinkhole.me, 3)])])
            eq([(c["ip"], c["count"]) for c in result["clients"]], [(Sinkhole.me, 8), (NINE, 1)])
            check(not (s.ask("ads.example").ede or (0,))[0] == 15, "nothing is switched on")
            eq(len(s.api.get("/api/lists").json["lists"]), 1)
            eq(s.api.delete("/api/sinkhole/lists/preview").status, 204)
            eq(s.api.get("/api/sinkhole/lists/preview").json["preview"], None)


@test
def a_list_that_cannot_be_tried_says_why():
    with Previewing() as p:
        s = p.daemon
        for url, why in (("ftp://lists.example/x", "http"), *([] if s.bare_metal else [("http://127.0.0.1/list", None)]), ("/etc/passwd", None), ("", None)):
            r = s.api.post("/api/sinkhole/lists/preview", {"url": url})
            eq(r.status, 400, url)
            if why:
                contains(r.json["error"]["hint"], why)
        eq(s.api.post("/api/sinkhole/lists/preview", {}).status, 400)
        r = tried(s, p.lists.base + "/missing")
        eq((r["state"], r["list"], r["result"]), ("failed", None, None))
        contains(r["error"], "404")
        r = tried(s, p.lists.put("/page.html", "<html><body>Not a list</body></html>" * 20, type="text/html"))
        eq(r["state"], "failed", str(r))
        check(r["error"], r)


@test
def a_preview_is_replaced_and_dropped_without_waiting():
    with Previewing() as p:
        s = p.daemon
        slow = p.lists.put("/slow.txt", "a.example\n" * 1000, hang=30)
        quick = p.lists.put("/quick.txt", "b.example\n")
        eq(s.api.post("/api/sinkhole/lists/preview", {"url": slow}).json["preview"]["state"], "fetching")
        start = time.monotonic()
        eq(tried(s, quick)["list"]["rules"], 1)
        eq(s.api.post("/api/sinkhole/lists/preview", {"url": slow}).status, 202)
        eq(s.api.delete("/api/sinkhole/lists/preview").status, 204)
        check(time.monotonic() - start < 15 * SLOW, "nobody waited for the slow one")
        eq(s.api.post("/api/sinkhole/lists/preview", {"url": slow}).status, 202)
    # and the daemon stops while one is under way


run()
