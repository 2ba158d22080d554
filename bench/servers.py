"""The servers of the whole-program bench, each a process on a free loopback port: an echo, this program, and the Debian packages that are installed.

A server has .port, .pid, .name; with it as a context it runs and is ended. Server processes are started on the first core that this process may
use, what drives them on the last one.
"""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/e2e"))

from lib import Sinkhole, free_port, make_query  # noqa: E402
from lib.daemon import BINARY  # noqa: E402

LOAD = pathlib.Path(BINARY).resolve().parent / "bench/load"
CORES = sorted(os.sched_getaffinity(0))
QUESTION_S = 0.02  # how long one try at an answer waits


@contextlib.contextmanager
def on_core(core):
    """What is started in here inherits the core."""
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, set(CORES))


def server_core():
    return on_core(CORES[0])


def load_core():
    return on_core(CORES[-1])


def is_answered(port, name, wanted=None):
    """Does 127.0.0.1:port answer an A question; wanted: with this address (or without any address, for b'')?"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(QUESTION_S)
        s.connect(("127.0.0.1", port))
        try:
            s.send(make_query(name, "A", edns=None).pack())
            answer = s.recv(4096)
        except OSError:
            return False
    return wanted is None or (wanted in answer[12 + len(name) + 6:])


def wait_answer(port, name, seconds=60, wanted=None):
    started = time.monotonic()
    while not is_answered(port, name, wanted):
        if time.monotonic() - started > seconds:
            raise RuntimeError(f"no answer for {name} from port {port} in {seconds} s")
        time.sleep(0.001)
    return time.monotonic() - started


def memory_kib(pid, row="VmRSS"):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(row + ":"))


class Program:
    """A server in the foreground: command(port, folder) makes its command line."""

    def __init__(self, name, command, probe="www.example.com", wanted=None):
        self.name, self.port = name, free_port(("127.0.0.1",))
        self.folder = tempfile.mkdtemp(prefix="sinkhole-bench-")
        line = command(self.port, pathlib.Path(self.folder))
        started = time.monotonic()
        self.process = subprocess.Popen([str(a) for a in line], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pid = self.process.pid
        try:
            wait_answer(self.port, probe, wanted=wanted)
        except BaseException:
            self.close()
            raise
        self.ready_s = time.monotonic() - started

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def echo(answers=False):
    return Program("echo", lambda port, _: [LOAD / "reflect", *(["--answer"] if answers else []), "127.0.0.1", port])


NULL = b"\0\4\0\0\0\0"  # the data of an A record with the address 0.0.0.0
WORKER = ["--rate-limit", "1000000", "--workers", "1"]


def sinkhole(lists, upstream, args=(), **kw):
    """Query log and statistics on, as it comes; one worker."""
    s = Sinkhole(lists=lists, upstream=f"127.0.0.1:{upstream.port}", args=[*WORKER, *args], ipv6=False, **kw)
    s.name = "sinkhole"
    return s


def dnsmasq(names, upstream, probe):
    def command(port, folder):
        (folder / "hosts").write_text("".join(f"0.0.0.0 {n}\n" for n in names))
        return ["dnsmasq", "-k", "-C", "/dev/null", "-u", "root", "-p", port, "-a", "127.0.0.1", "--bind-interfaces", "-R", "-h", "-H", folder / "hosts",
                "-S", f"127.0.0.1#{upstream.port}", "-c", "10000", "-0", "10000", f"--pid-file={folder}/pid"]

    return Program("dnsmasq", command, probe, NULL)


def unbound(names, upstream, probe):
    def command(port, folder):
        zones = "".join(f'local-zone: "{n}" always_null\n' for n in names)
        (folder / "conf").write_text(f"""server:
            interface: 127.0.0.1@{port}\nusername: ""\nchroot: ""\npidfile: ""\ndirectory: "{folder}"\nuse-syslog: no\nnum-threads: 1\nmodule-config: "iterator"
            do-not-query-localhost: no\nmsg-cache-size: 64m\nrrset-cache-size: 128m\noutgoing-range: 8192\nnum-queries-per-thread: 4096\n{zones}
            forward-zone:\nname: "."\nforward-addr: 127.0.0.1@{upstream.port}\nremote-control:\ncontrol-enable: no\n""")
        return ["unbound", "-d", "-c", folder / "conf"]

    return Program("unbound", command, probe, NULL)


PEERS = {name: make for name, make in (("dnsmasq", dnsmasq), ("unbound", unbound)) if shutil.which(name)}
