"""Runs browser tests of the dashboard against the real program, or with SINKHOLE_TARGET against the bare-metal image: its output is ours.

    run_page.py [--keep] [SPEC]      --keep: leave the daemon running afterwards, to look at the page by hand; SPEC: page.mjs if not given
"""

import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from lib import ListServer, Sinkhole, Upstream, own_address  # noqa: E402

BLOCKED, ALLOWED, MORE = "ads.example", "www.example", "metrics.example"

# A group that the page finds in the configuration, whose values it cannot take away.
CONFIG = "[group office]\nclient = 127.0.1.90\nservice = tiktok\nschedule = mon 03:00-03:01 block\n"


def main():
    spec = next((a for a in sys.argv[1:] if a != "--keep"), "page.mjs")
    text = f"# Title: Test list\n0.0.0.0 {BLOCKED}\n0.0.0.0 tracker.example\n"
    with ListServer() as lists, ListServer(own_address() or "127.0.0.1") as others, Upstream() as upstream, Upstream() as another:
        urls = [lists.put("/ads.hosts", text), lists.put("/more.txt", f"||{BLOCKED}^\n||{MORE}^\n")]
        upstream.answer(ALLOWED, "A", "198.51.100.9")
        another.answer(ALLOWED, "A", "198.51.100.77")
        with Sinkhole(lists=urls, upstream=upstream, config=CONFIG) as s:
            s.wait_blocked(BLOCKED)
            environment = {**os.environ, "BASE_URL": s.url, "PASSWORD": s.password, "DNS": f"127.0.0.1:{s.port}", "BLOCKED_NAME": BLOCKED,
                           "ALLOWED_NAME": ALLOWED, "MORE_NAME": MORE, "MORE_LIST": "more.txt", "ANOTHER": another.address.replace("127.0.0.1", s.me), "BARE_METAL": "1" if s.bare_metal else "", "LISTS": others.base if own_address() else ""}
            status = subprocess.run(["node", str(HERE / spec)], env=environment).returncode
            if "--keep" in sys.argv:
                print(f"# {s.url} password {s.password}; Enter ends", flush=True)
                sys.stdin.readline()
    return status


if __name__ == "__main__":
    sys.exit(main())
