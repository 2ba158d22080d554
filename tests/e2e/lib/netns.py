"""A wire of one's own: the test and the daemon in one network name space, what is on the other end in a second one.

    wire = Wire()                       # 192.0.2.1 here, 192.0.2.2 there, both ends up
    up = wire.there(lambda: Upstream(host="192.0.2.2"))     # its sockets are over there
    wire.ip("link set here down"); wire.ip("link set there down", there=True)

enter() must come before anything else: it starts the test program anew in a name space. Needs root, or user name spaces for everybody.
"""

import ctypes
import os
import shlex
import socket
import struct
import subprocess
import sys
import threading
import time

from .tap import skip

CLONE_NEWNET = 0x40000000
HERE, THERE = "192.0.2.1", "192.0.2.2"
MARK = "SINKHOLE_TEST_NAMESPACE"
libc = ctypes.CDLL(None, use_errno=True)


def enter():
    """Into a name space with nothing but loopback; gives False if there can be none."""
    if os.environ.get(MARK) == "in":
        return True
    if os.environ.get(MARK) == "no":
        return False
    command = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
    can = subprocess.run([*command, "ip", "link", "set", "lo", "up"], capture_output=True).returncode == 0
    os.environ[MARK] = "in" if can else "no"
    if can:
        os.execvp(command[0], [*command, "sh", "-c", 'ip link set lo up; exec "$@"', "sh", sys.executable, *sys.argv])
    return False


class Wire:
    def __init__(self):
        if os.environ.get(MARK) != "in":
            skip("no network name spaces here")
        self.peer = subprocess.Popen(["unshare", "--net", "sleep", "600"])
        self._wait_namespace()
        self.fd = os.open(f"/proc/{self.peer.pid}/ns/net", os.O_RDONLY)
        self.ip(f"link add here type veth peer name there netns {self.peer.pid}")
        self.ip("link set lo up", there=True)
        for name, address, there in (("here", HERE, False), ("there", THERE, True)):
            self.ip(f"addr add {address}/24 dev {name}", there)
            self.ip(f"link set {name} up", there)
        time.sleep(0.1)

    def _wait_namespace(self):
        own = os.readlink("/proc/self/ns/net")
        for _ in range(200):
            try:
                if os.readlink(f"/proc/{self.peer.pid}/ns/net") != own:
                    return
            except OSError:
                pass
            time.sleep(0.01)
        raise RuntimeError("no second name space")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ip("link del here", check=False)
        os.close(self.fd)
        self.peer.kill()
        self.peer.wait()

    def ip(self, arguments, there=False, check=True):
        command = ["nsenter", "--net", "-t", str(self.peer.pid)] if there else []
        done = subprocess.run([*command, "ip", *shlex.split(arguments)], capture_output=True, text=True)
        if check and done.returncode != 0:
            raise RuntimeError(f"ip {arguments}: {done.stderr}")

    def there(self, f):
        """Calls f in the other name space: sockets that it makes belong there."""
        result = []

        def run():
            if libc.setns(self.fd, CLONE_NEWNET) != 0:
                result.append(OSError(ctypes.get_errno(), "setns"))
                return
            try:
                result.append(f())
            except BaseException as e:  # noqa: BLE001: it is raised again below
                result.append(e)
        t = threading.Thread(target=run)
        t.start()
        t.join()
        if isinstance(result[0], BaseException):
            raise result[0]
        return result[0]

    def capture(self):
        """A socket that sees each IPv4 packet that arrives on the other end."""
        s = self.there(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)))
        s.bind(("there", 0x0800))
        s.settimeout(0.2)
        return s


class Packet:
    """An IPv4 packet with UDP in it."""

    def __init__(self, data):
        head = (data[0] & 15) * 4
        flags, = struct.unpack("!H", data[6:8])
        self.dont_fragment, self.fragment = bool(flags & 0x4000), bool(flags & 0x2000 or flags & 0x1FFF)
        self.udp = data[9] == 17
        self.source, self.target = socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20])
        if self.udp:
            self.source_port, self.target_port = struct.unpack("!2H", data[head:head + 4])
            self.payload = data[head + 8:]


def packets(capture):
    out = []
    try:
        while True:
            data, _ = capture.recvfrom(65535)
            out.append(Packet(data))
    except OSError:
        return out
