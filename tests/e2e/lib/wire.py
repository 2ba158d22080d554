"""A cable to the bare-metal image in QEMU, on which frames are made by hand: clients with addresses and hardware addresses of their own."""

import queue
import socket
import struct
import threading
import time

from .daemon import free_port
from .dns import Message, make_query
from .tap import fail

MY_MAC = bytes.fromhex("525400aabbcc")


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp(data, length=None, port=53):
    return struct.pack("!HHHH", 5353, port, 8 + len(data) if length is None else length, 0) + data


class Wire:
    """The other end of the guest's cable: frames as datagrams."""

    def __init__(self, me="10.9.0.1", guest="10.9.0.2", id="n0", mac=MY_MAC):
        self.me, self.guest, self.my_mac = socket.inet_aton(me), socket.inet_aton(guest), mac
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port, self.guest_port = self.socket.getsockname()[1], free_port(("127.0.0.1",))
        self.netdev = f"socket,id={id},udp=127.0.0.1:{self.port},localaddr=127.0.0.1:{self.guest_port}"
        self.mac = b"\xff" * 6

    def close(self):
        self.socket.close()

    def next_frame(self, seconds):
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(65535)
        except socket.timeout:
            return None

    def send(self, frame, pad=True):
        self.socket.sendto(frame.ljust(60, b"\0") if pad else frame, ("127.0.0.1", self.guest_port))

    def frame(self, payload, kind=0x0800):
        return self.mac + self.my_mac + struct.pack("!H", kind) + payload

    def arp(self, operation):
        return struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, operation, self.my_mac, self.me, self.mac, self.guest)

    def ipv4(self, payload, protocol=17, **change):
        head = bytearray(struct.pack("!BBHHHBBH4s4s", 0x45, 0, change.get("length", 20 + len(payload)), 1, change.get("fragment", 0), 64, protocol, 0,
                                     self.me, self.guest))
        head[0] = change.get("version_ihl", 0x45)
        head[10:12] = struct.pack("!H", change.get("sum", checksum(bytes(head))))
        return bytes(head) + payload

    def tcp(self, source, port, seq, ack, flags, data=b""):
        segment = struct.pack("!HHIIBBHHH", source, port, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 0x50, flags, 8192, 0, 0) + data
        pseudo = self.me + self.guest + struct.pack("!BBH", 0, 6, len(segment))
        segment = segment[:16] + struct.pack("!H", checksum(pseudo + segment)) + segment[18:]
        self.send(self.frame(self.ipv4(segment, protocol=6)))

    def receive(self, seconds, wanted):
        """The first frame that is wanted; ARP questions for us are answered meanwhile."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            frame = self.next_frame(max(0.01, deadline - time.monotonic()))
            if frame is None:
                return None
            if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\1" and frame[38:42] == self.me:
                self.send(self.frame(self.arp(2), 0x0806))
            found = wanted(frame)
            if found is not None:
                return found
        return None

    def meet(self):
        for _ in range(50):
            self.send(self.frame(self.arp(1), 0x0806))
            mac = self.receive(0.2, lambda f: f[6:12] if f[12:14] == b"\x08\x06" and f[28:32] == self.guest else None)
            if mac:
                self.mac = mac
                return
        fail("the guest does not answer ARP")

    def exchange(self, data, tries=5):
        """Octets of a message to those of its answer, by UDP; None if there is none."""
        for _ in range(tries):
            self.send(self.frame(self.ipv4(udp(data))))
            mine = lambda f: f[12:14] == b"\x08\x00" and f[23] == 17 and f[30:34] == self.me and f[34:36] == b"\0\x35" and f[42:44] == data[:2]
            answer = self.receive(2, lambda f: f[42:] if mine(f) else None)
            if answer:
                return answer
        return None

    def ask(self, name):
        data = self.exchange(make_query(name, "A").pack())
        return Message.parse(data) if data else fail(f"no answer for {name}")


def user(id, dns, http):
    """QEMU's own network, with the guest's ports at ours."""
    return f"user,id={id},restrict=off,hostfwd=udp:127.0.0.1:{dns}-:53,hostfwd=tcp:127.0.0.1:{dns}-:53,hostfwd=tcp:127.0.0.1:{http}-:80"


class Crowd(Wire):
    """
    Clients with addresses of their own beside QEMU's own network, which must not see their frames: it would carry them out into the world. So
    this is a switch, with the guest at one end, that network at the other, and one client at a time between them.
    """

    def __init__(self, guest, dns, http):
        super().__init__(guest=guest)
        self.beyond = Wire(id="s0")
        self.machine = ["-netdev", user("u0", dns, http), "-netdev", "hubport,id=h0,hubid=0,netdev=u0", "-netdev", self.beyond.netdev,
                        "-netdev", "hubport,id=h1,hubid=0,netdev=s0"]
        self.macs, self.frames = set(), queue.SimpleQueue()
        threading.Thread(target=self._carry, args=(self.socket, self._from_guest), daemon=True).start()
        threading.Thread(target=self._carry, args=(self.beyond.socket, lambda frame: self.send(frame, pad=False)), daemon=True).start()

    def close(self):
        super().close()
        self.beyond.close()

    def become(self, me, mac):
        """Another device of the house; the guest is told."""
        self.me, self.my_mac = socket.inet_aton(me), mac
        self.macs.add(mac)
        self.meet()

    def next_frame(self, seconds):
        try:
            return self.frames.get(timeout=seconds)
        except queue.Empty:
            return None

    def _carry(self, end, give):
        while True:
            try:
                give(end.recv(65535))
            except OSError:
                return

    def _from_guest(self, frame):
        mine, everybody = frame[:6] in self.macs, frame[0] & 1
        if mine or everybody:
            self.frames.put(frame)
        if not mine:
            self.beyond.send(frame, pad=False)
