#!/usr/bin/env python3
"""
All measurements as Markdown tables, each figure beside a baseline taken in the same run.

    bench/bench.py [--quick] [--parts micro,packets,tail,memory,history,page] [--seconds S] [--rounds N]

micro      the bench programs: parse, build, look-ups, cache, engine in memory
packets    the whole program under load: processor seconds a million queries, queries a second, latency
tail       latency at half load, and while the lists are swapped
history    latency at half load while questions go over 30 days of history, 5 million rows; only when asked for
page       processor time with ten open pages at 1000 questions a second, wants Chromium; only when asked for
memory     resident memory, start to the first blocked answer, peak during a refresh

Rounds of all servers alternate; the median of the rounds counts. Peers from Debian (dnsmasq, unbound) take part when they are installed. The list
is $SINKHOLE_SHARED/data/domains/hagezi-3p-stevenblack.txt.gz where it is there, else as many made-up names.
"""

import argparse
import contextlib
import gzip
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import servers
from lib import ListServer
from servers import LOAD, PEERS, ROOT

MICRO = ["dns", "match", "parse", "cache", "pipeline", "reply", "stats", "history"]
MADE_UP = 140626
CACHED = 5000
UNIQUE_PCT = 15  # of the mix; a fifth is blocked, the rest cached
SHARED = pathlib.Path(os.environ.get("SINKHOLE_SHARED") or ROOT / "../shared")


def say(*lines):
    print(*lines, sep="\n", flush=True)


def table(head, rows):
    say("", "| " + " | ".join(head) + " |", "|" + "---|" * len(head))
    for row in rows:
        say("| " + " | ".join(str(c) for c in row) + " |")


def times(value, base):
    return f"{value / base:.2f}" if base else "-"


def load_average():
    return "{:.1f}".format(os.getloadavg()[0])


class Names:
    """The list as text, and files of names to ask for."""

    def __init__(self, folder):
        path = SHARED / "data/domains/hagezi-3p-stevenblack.txt.gz"
        if path.exists():
            with gzip.open(path, "rt", errors="replace") as f:
                self.listed = [n for n in (line.strip() for line in f) if n and n[0] != "#"]
        else:
            r = random.Random(1)
            self.listed = [f"{r.getrandbits(40):x}.{r.getrandbits(24):x}.example" for _ in range(MADE_UP)]
        order = list(self.listed)
        random.Random(2).shuffle(order)
        cached = [f"host{i}.site{i % 37}.cached-example.net" for i in range(CACHED)]
        self.probe = order[0]
        self.list = self._write(folder, "list", self.listed)
        self.blocked = self._write(folder, "blocked", order)
        self.cached = self._write(folder, "cached", cached)
        r = random.Random(3)
        share = 20 / (100 - UNIQUE_PCT)
        self.mixed = self._write(folder, "mixed", [order[i] if r.random() < share else r.choice(cached) for i in range(len(order))])

    def _write(self, folder, name, lines):
        path = pathlib.Path(folder) / name
        path.write_text("".join(n + "\n" for n in lines))
        return str(path)


def blast(server, *args, seconds):
    """One round. A machine that stands still for longer than a round is said, and the round taken anew."""
    command = [str(LOAD / "dnsblast"), "--json", "--pid", str(server.pid), "--seconds", str(seconds), *map(str, args), "127.0.0.1", str(server.port)]
    for _ in range(3):
        with servers.load_core():
            out = subprocess.run(command, capture_output=True, text=True, timeout=seconds * 4 + 60)
        if out.returncode == 0:
            return json.loads(out.stdout)
        print(f"a round without an answer: {server.name} {' '.join(map(str, args))}: {out.stderr or out.stdout}", file=sys.stderr)
    raise RuntimeError(f"dnsblast against {server.name}: {out.stderr or out.stdout}")


def median(samples, key):
    return statistics.median(s[key] for s in samples)


@contextlib.contextmanager
def running(names, peers=True, bare=False):
    """Echo first, then the others, on one core; the upstream on the generator's. bare: this program a second time, without the history on disk."""
    with contextlib.ExitStack() as stack:
        with servers.load_core():
            upstream = stack.enter_context(servers.echo(answers=True))
        with servers.server_core():
            all_of = [stack.enter_context(servers.echo()), stack.enter_context(servers.sinkhole([names.list], upstream))]
            servers.wait_answer(all_of[1].port, names.probe, wanted=servers.NULL)
            if bare:
                all_of.append(stack.enter_context(servers.sinkhole([names.list], upstream, ["--history", "off"])))
                all_of[2].name = "sinkhole, no history"
                servers.wait_answer(all_of[2].port, names.probe, wanted=servers.NULL)
            all_of += [stack.enter_context(make(names.listed, upstream, names.probe)) for make in PEERS.values()] if peers else []
        yield all_of


# ---- Parts. ----

def micro(opt):
    env = {**os.environ, "SINKHOLE_SHARED": str(SHARED), **({"SINKHOLE_BENCH_ROUNDS": "2"} if opt.quick else {})}
    say("", "## Functions")
    for name in MICRO:
        say("", f"### {name}", "")
        subprocess.run([str(LOAD.parent / f"bench_{name}")], env=env, check=True)
        sys.stdout.flush()


def packets(opt, names):
    loads = {"blocked": ["--names", names.blocked], "cached": ["--names", names.cached], "uncached": ["--unique", "new.example"],
             "mix": ["--names", names.mixed, "--unique", "mix.example", "--share", UNIQUE_PCT]}
    samples = {}
    with running(names, peers=not opt.quick, bare=not opt.quick) as all_of:
        for server in all_of[1:]:
            blast(server, "--names", names.cached, seconds=0.5)
        for _ in range(opt.rounds):
            for load, args in loads.items():
                for server in list(all_of):
                    try:
                        samples.setdefault((server.name, load), []).append(blast(server, *args, seconds=opt.seconds))
                    except RuntimeError as e:  # a peer that ends does not end the bench
                        if server.name not in PEERS:
                            raise
                        say("", f"{server.name} does not answer any more and is left out: {e}")
                        all_of.remove(server)
        say("", "## Packets", "", f"Median of {opt.rounds} rounds of {opt.seconds} s, window of 256 questions, load average {load_average()}.")
        for load in loads:
            base = median(samples["echo", load], "cpu_s_per_million")
            rows = []
            for server in all_of:
                s = samples[server.name, load]
                cpu = median(s, "cpu_s_per_million")
                rows.append([server.name, f"{cpu:.2f}", times(cpu, base), f"{median(s, 'qps'):.0f}", *(f"{median(s, p):.0f}" for p in ("p50_us", "p99_us", "p999_us")),
                             sum(x["lost"] for x in s)])
            table([load, "CPU s a million", "× echo", "queries a second", "p50 µs", "p99 µs", "p99.9 µs", "lost"], rows)


def swap_lists(server, stop, counted):
    """The list with another last line, over and over: each time the image is built anew and handed to the worker."""
    while not stop.is_set():
        with open(counted["path"], "w") as f:
            f.write(counted["text"] + f"swap{counted['swaps']}.swapped.example\n")
        server.reload()
        counted["swaps"] += 1
        stop.wait(0.7)


def tail(opt, names):
    with running(names, peers=False) as (echo, ours):
        rate = int(median([blast(ours, "--names", names.blocked, seconds=opt.seconds) for _ in range(3)], "qps") / 2)
        samples = {"echo": [], "sinkhole": []}
        for _ in range(opt.rounds):
            for server in (echo, ours):
                samples[server.name].append(blast(server, "--names", names.blocked, "--rate", rate, seconds=opt.seconds))
        swapping = {"echo": [], "sinkhole": []}
        counted = {"path": names.list, "text": pathlib.Path(names.list).read_text(), "swaps": 0}
        for _ in range(opt.rounds):
            stop = threading.Event()
            thread = threading.Thread(target=swap_lists, args=(ours, stop, counted))
            thread.start()
            for server in (echo, ours):
                swapping[server.name].append(blast(server, "--names", names.blocked, "--rate", rate, seconds=opt.seconds))
            stop.set()
            thread.join()
    say("", "## Latency at half load", "", f"{rate} blocked questions a second, median of {opt.rounds} rounds of {opt.seconds} s; {counted['swaps']} swaps of the lists, "
        f"built on the server's core at lowest priority, during both servers' rounds; load average {load_average()}.")
    rows = []
    for what, both in (("quiet", samples), ("during swaps", swapping)):
        for name in both:
            s = both[name]
            rows.append([what, name, *(f"{median(s, p):.0f}" for p in ("p50_us", "p99_us", "p999_us")), times(median(s, "p999_us"), median(both["echo"], "p999_us")),
                         sum(x["lost"] for x in s)])
    table(["", "", "p50 µs", "p99 µs", "p99.9 µs", "p99.9 × echo", "lost"], rows)


def ask_history(server, stop, asked):
    """One question after the other: sums and names over 30 days, rows that are rare."""
    now = int(time.time())
    paths = [f"/api/stats/database/top_domains?from={now - 30 * 86400}&until={now}", "/api/queries?domain=nobody-asks.example&disk=true",
             f"/api/history/database?from={now - 30 * 86400}&until={now}"]
    while not stop.is_set():
        path = paths[asked["count"] % len(paths)]
        started = time.monotonic()
        server.api.get(path, timeout=120)
        asked["count"] += 1
        asked["seconds"].append((path.split("?")[0], time.monotonic() - started))


def claim_share():
    """The scheduler shares processors among sessions first: others' work on this machine would count as ours."""
    with contextlib.suppress(OSError):
        if os.getpid() != os.getpgid(0):
            os.setsid()
        pathlib.Path("/proc/self/autogroup").write_text("-20")


def history(opt, names):
    claim_share()
    rows, days = (500_000, 30) if opt.quick else (5_000_000, 30)
    with tempfile.TemporaryDirectory(prefix="sinkhole-bench-") as state, contextlib.ExitStack() as stack:
        subprocess.run([str(LOAD.parent / "bench_history"), f"{state}/history.db", str(rows), str(days)], check=True, stdout=subprocess.DEVNULL)
        size = os.path.getsize(f"{state}/history.db")
        with servers.load_core():
            upstream = stack.enter_context(servers.echo(answers=True))
        with servers.server_core():
            ours = stack.enter_context(servers.sinkhole([names.list], upstream, state=state))
            servers.wait_answer(ours.port, names.probe, wanted=servers.NULL)
        ours.api.login()
        rate = int(median([blast(ours, "--names", names.blocked, seconds=opt.seconds) for _ in range(3)], "qps") / 2)
        samples, asked = {"quiet": [], "with questions": []}, {"count": 0, "seconds": []}
        for _ in range(opt.rounds):
            samples["quiet"].append(blast(ours, "--names", names.blocked, "--rate", rate, seconds=opt.seconds))
            stop = threading.Event()
            thread = threading.Thread(target=ask_history, args=(ours, stop, asked))
            with servers.load_core():
                thread.start()
            samples["with questions"].append(blast(ours, "--names", names.blocked, "--rate", rate, seconds=opt.seconds))
            stop.set()
            thread.join()
        idle = {}
        for _ in range(2):
            stop = threading.Event()
            asked = {"count": 0, "seconds": []}
            threading.Timer(12, stop.set).start()
            ask_history(ours, stop, asked)
            for path, seconds in asked["seconds"]:
                idle.setdefault(path, []).append(seconds)
    say("", "## Latency while the history is asked", "", f"{rows} rows over {days} days, {size / 1e6:.0f} MB; {rate} blocked questions a second, median of {opt.rounds} rounds of "
        f"{opt.seconds} s; load average {load_average()}.")
    table(["", "p50 µs", "p99 µs", "p99.9 µs", "p99.9 × quiet", "lost"],
          [[what, *(f"{median(s, p):.0f}" for p in ("p50_us", "p99_us", "p999_us")), times(median(s, "p999_us"), median(samples["quiet"], "p999_us")), sum(x["lost"] for x in s)]
           for what, s in samples.items()])
    table(["question, without load", "seconds"], [[path, f"{statistics.median(s):.2f}"] for path, s in idle.items()])


PAGES, PAGE_RATE = 10, 1000


@contextlib.contextmanager
def open_pages(server):
    """In Chromium, on the generator's core: what they show costs others, not the server."""
    env = {**os.environ, "BASE_URL": server.url, "PASSWORD": server.password, "PAGES": str(PAGES)}
    with servers.load_core():
        browser = subprocess.Popen(["node", str(ROOT / "tests/e2e/browser/open.mjs")], env=env, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        if browser.stdout.readline().strip() != "open":
            raise RuntimeError("the pages did not open")
        yield
    finally:
        browser.stdin.close()
        browser.wait(60)


def page(opt, names):
    claim_share()
    seconds = 10 if opt.quick else 35 # the page reads its panels anew each half minute
    with running(names, peers=False) as (_, ours):
        ask = lambda: blast(ours, "--names", names.mixed, "--rate", PAGE_RATE, seconds=seconds)
        ask()
        samples = {"no page": [], f"{PAGES} pages": []}
        for _ in range(min(opt.rounds, 3)):
            samples["no page"].append(ask())
            with open_pages(ours):
                samples[f"{PAGES} pages"].append(ask())
    say("", "## Open pages", "", f"{PAGE_RATE} questions a second, {PAGES} pages of Chromium, a context each; median of {min(opt.rounds, 3)} rounds of {seconds} s, alternating; all threads of the "
        f"program; load average {load_average()}.")
    base = median(samples["no page"], "cpu_s_per_million")
    table(["", "CPU, % of a core", "× no page", "p50 µs", "p99 µs", "lost"],
          [[what, f"{median(s, 'cpu_s_per_million') * median(s, 'qps') / 1e4:.2f}", times(median(s, "cpu_s_per_million"), base), *(f"{median(s, p):.0f}" for p in ("p50_us", "p99_us")),
            sum(x["lost"] for x in s)] for what, s in samples.items()])


def first_blocked(make):
    """Seconds from the start to the first blocked answer, and the server."""
    started = time.monotonic()
    server = make()
    return time.monotonic() - started, server


def memory(opt, names):
    rows = []
    count = len(names.listed)
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(servers.echo(answers=True))
        with servers.sinkhole([], upstream) as empty:
            before = servers.memory_kib(empty.pid)
        state = stack.enter_context(tempfile.TemporaryDirectory(prefix="sinkhole-bench-"))
        for what in ("from the list", "from the saved image"):
            def make():
                s = servers.sinkhole([names.list], upstream, state=state, wait=False)
                servers.wait_answer(s.port, names.probe, wanted=servers.NULL)
                return s

            seconds, server = first_blocked(make)
            with server:
                rows.append([f"sinkhole, {what}", before, servers.memory_kib(server.pid), f"{(servers.memory_kib(server.pid) - before) * 1024 / count:.1f}", f"{seconds:.3f}"])
        for name, make in PEERS.items():
            with make(names.listed[:1], upstream, names.listed[0]) as empty:
                before = servers.memory_kib(empty.pid)
            with make(names.listed, upstream, names.probe) as server:
                after = servers.memory_kib(server.pid)
                rows.append([name, before, after, f"{(after - before) * 1024 / count:.1f}", f"{server.ready_s:.3f}"])
    say("", "## Memory and start", "", f"{count} names.")
    table(["", "KiB without a list", "KiB with it", "octets a name", "seconds to the first blocked answer"], rows)
    refresh(names)


def refresh(names):
    """The peak while the same number of other names is built beside what is served."""
    with ListServer() as web, contextlib.ExitStack() as stack:
        upstream = stack.enter_context(servers.echo(answers=True))
        text = pathlib.Path(names.list).read_text()
        server = stack.enter_context(servers.sinkhole([web.put("/list", text)], upstream))
        servers.wait_answer(server.port, names.probe, wanted=servers.NULL)
        blast(server, "--names", names.cached, seconds=0.5)
        time.sleep(1)
        steady = servers.memory_kib(server.pid)
        pathlib.Path(f"/proc/{server.pid}/clear_refs").write_text("5")
        web.put("/list", text + "refreshed.refreshed.example\n")
        server.reload()
        servers.wait_answer(server.port, "refreshed.refreshed.example", wanted=servers.NULL)
        peak = servers.memory_kib(server.pid, "VmHWM")
        table(["refresh", "KiB", "× steady"], [["steady", steady, "1"], ["peak", peak, times(peak, steady)]])


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0], formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--quick", action="store_true", help="in less than a minute: fewer rounds, no peers")
    p.add_argument("--parts", default="micro,packets,tail,memory")
    p.add_argument("--seconds", type=float)
    p.add_argument("--rounds", type=int)
    opt = p.parse_args()
    opt.seconds = opt.seconds or (0.25 if opt.quick else 1.0)
    opt.rounds = opt.rounds or (3 if opt.quick else 7)
    say(f"{os.cpu_count()} cores, {os.uname().machine}, Linux {os.uname().release}; load average at the start {load_average()}; beside it: {', '.join(['echo', *PEERS])}")
    with tempfile.TemporaryDirectory(prefix="sinkhole-bench-") as folder:
        names = Names(folder)
        for part in opt.parts.split(","):
            {"micro": lambda: micro(opt), "packets": lambda: packets(opt, names), "tail": lambda: tail(opt, names), "memory": lambda: memory(opt, names), "history": lambda: history(opt, names), "page": lambda: page(opt, names)}[part]()


if __name__ == "__main__":
    main()
