"""The end-to-end harness: the real program on loopback, an upstream and a list server that do as they are told, clients, TAP.

    from lib import *

    @test
    def listed_name_is_blocked():
        with ListServer() as lists, Upstream() as upstream, Sinkhole(lists=[lists.put("/ads.txt", "ads.example\\n")], upstream=upstream) as s:
            s.wait_blocked("ads.example")
            eq(s.ask("ads.example", "A").addresses, ["0.0.0.0"])

    run()

Everything is Python's standard library. The program under test is $SINKHOLE_BIN, else build/release/sinkhole.
"""

import os

from .api import Api, HttpReply, code_of
from .daemon import BINARY, ROOT, Sinkhole, cli, free_port, state_dir
from .dns import *
from .client import ask_tcp, ask_udp, exchange_tcp, exchange_udp
from .lists import ListServer, own_address
from .tap import Skip, check, contains, eq, fail, run, skip, test, wait_until
from .timeserver import TimeServer
from .upstream import Upstream

if os.environ.get("SINKHOLE_TARGET"):
    # The same cases against the bare-metal image of that board.
    from .unikernel import Unikernel as Sinkhole
