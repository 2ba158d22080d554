#!/usr/bin/env python3
"""Questions as Ethernet frames (option xdp), over a veth pair between two network namespaces: one holds the program, one asks."""

import contextlib
import functools
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

from lib import *
from lib.daemon import BINARY, SLOW

HERE = pathlib.Path(__file__).resolve().parent
ASK = """
import sys, pathlib
sys.path.insert(0, sys.argv[1])
from lib import *
host, name, rtype, tcp = sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5] == "tcp"
m = (ask_tcp if tcp else ask_udp)(host, 53, name, rtype, timeout=8)
print(m.rcode, *m.addresses)
"""

# An upstream: each question gets one address.
UPSTREAM = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.93.7.2", 5353))
while True:
    q, peer = s.recvfrom(4096)
    end = q.index(0, 12) + 5
    s.sendto(q[:2] + bytes([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]) + q[12:end] + bytes([0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 0, 0, 4, 198, 51, 100, 1]), peer)
"""


def ip(*args):
    subprocess.run(["ip", *args], check=True, capture_output=True)


@contextlib.contextmanager
def network(mtu=1500):
    """Two namespaces; 10.93.7.1 and fd93::1 with the program, .2 and ::2 with who asks."""
    tag = f"{random.getrandbits(24):06x}"
    server, client = f"sks{tag}", f"skc{tag}"
    made = []
    try:
        for ns in (server, client):
            ip("netns", "add", ns)
            made.append(ns)
        ip("-n", server, "link", "add", "in0", "mtu", str(mtu), "type", "veth", "peer", "name", "out0", "mtu", str(mtu), "netns", client)
        for ns, device, n in ((server, "in0", 1), (client, "out0", 2)):
            ip("-n", ns, "addr", "add", f"10.93.7.{n}/24", "dev", device)
            ip("-n", ns, "addr", "add", f"fd93::{n}/64", "dev", device, "nodad")
            ip("-n", ns, "link", "set", device, "up")
            ip("-n", ns, "link", "set", "lo", "up")
        yield server, client
    finally:
        for ns in made:
            subprocess.run(["ip", "netns", "del", ns], capture_output=True)


class Inside:
    """The program in a namespace."""

    def __init__(self, namespace, *args, xdp="in0", listen=("10.93.7.1:53", "[fd93::1]:53")):
        self.state = state_dir()
        addresses = [x for a in listen for x in ("--listen", a)]
        self.process = subprocess.Popen(["ip", "netns", "exec", namespace, BINARY, "run", "--state-dir", self.state, "--http", "off", "--user", "none",
                                         *addresses, "--xdp", xdp, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.log, self.ready = [], False
        for line in self.process.stdout:
            self.log.append(line)
            if " ready" in line:
                self.ready = True
                break

    def udp_packets(self):
        """What the kernel's own stack has received there."""
        with open(f"/proc/{self.process.pid}/net/snmp") as f, open(f"/proc/{self.process.pid}/net/snmp6") as g:
            rows = [line.split() for line in f if line.startswith("Udp:")]
            v6 = next(int(line.split()[1]) for line in g if line.startswith("Udp6InDatagrams"))
        return int(dict(zip(*rows))["InDatagrams"]) + v6

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        rest = self.process.communicate(timeout=10 * SLOW)[0]
        shutil.rmtree(self.state, ignore_errors=True)
        eq(self.process.returncode, 0 if self.ready else 1)
        check("warning: sandbox" not in rest, rest)


def ask(client, name, rtype="A", host="10.93.7.1", way="udp"):
    p = subprocess.run(["ip", "netns", "exec", client, sys.executable, "-c", ASK, str(HERE), host, name, rtype, way], capture_output=True, text=True, timeout=30)
    check(p.returncode == 0, p.stderr)
    return p.stdout.split()


@functools.cache
def obstacle():
    """Why it cannot be tried here, or None."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        return "needs root and iproute2"
    try:
        with network() as (server, _), Inside(server, "--list", "none") as s:
            if not s.ready:
                return "this kernel gives no AF_XDP: " + s.log[-1].strip()
    except subprocess.CalledProcessError as e:
        return f"no network namespaces: {e.stderr}"
    return None


def require_rights():
    why = obstacle()
    if why:
        skip(why)


def list_file(folder):
    path = pathlib.Path(folder) / "list"
    path.write_text("ads.example\n")
    return str(path)


@test
def blocked_names_are_answered_past_the_kernel():
    require_rights()
    folder = state_dir()
    with network() as (server, client), Inside(server, "--list", list_file(folder), "--record", "nas.home.arpa A 192.168.7.9") as s:
        for _ in range(100):
            if ask(client, "ads.example") == ["NOERROR", "0.0.0.0"]:
                break
            time.sleep(0.1)
        before = s.udp_packets()
        for host in ("10.93.7.1", "fd93::1"):
            eq(ask(client, "ads.example", host=host), ["NOERROR", "0.0.0.0"])
            eq(ask(client, "ads.example", "AAAA", host=host), ["NOERROR", "::"])
            eq(ask(client, "nas.home.arpa", host=host), ["NOERROR", "192.168.7.9"])
        eq(s.udp_packets(), before)
        eq(ask(client, "ads.example", way="tcp"), ["NOERROR", "0.0.0.0"])
    shutil.rmtree(folder)


@test
def answers_of_upstreams_go_back_to_who_asked():
    require_rights()
    with network() as (server, client):
        upstream = subprocess.Popen(["ip", "netns", "exec", client, sys.executable, "-c", UPSTREAM])
        try:
            with Inside(server, "--list", "none", "--upstream", "10.93.7.2:5353") as s:
                eq(ask(client, "www.example.com"), ["NOERROR", "198.51.100.1"])
                before = s.udp_packets()
                eq(ask(client, "www.example.com"), ["NOERROR", "198.51.100.1"])
                eq(ask(client, "www.example.com", host="fd93::1"), ["NOERROR", "198.51.100.1"])
                eq(s.udp_packets(), before)  # out of the cache
        finally:
            upstream.kill()
            upstream.wait()


@test
def what_cannot_be_is_said():
    require_rights()
    folder = state_dir()
    with network() as (server, _):
        for args, words in ((["--xdp", "nowhere0"], "found no interface nowhere0"), (["--xdp", "in0", "--listen", "0.0.0.0:53"], "on all addresses only")):
            listen = [] if "--listen" in args else ["--listen", "10.93.7.1:53"]
            p = subprocess.run(["ip", "netns", "exec", server, BINARY, "run", "--state-dir", folder, "--http", "off", "--user", "none", *listen, *args],
                               capture_output=True, text=True, timeout=20 * SLOW)
            check(p.returncode != 0 and words in p.stdout + p.stderr, p.stdout + p.stderr)
    shutil.rmtree(folder)


run()
