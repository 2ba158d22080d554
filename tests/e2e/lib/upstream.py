"""An upstream resolver that does as it is told: answers, waits, drops, repeats, lies in any field, misbehaves on TCP.

    up = Upstream()
    up.answer("www.example", "A", "198.51.100.9", ttl=60)
    up.answer("slow.example", "A", "198.51.100.9", delay=0.5)
    up.answer("liar.example", "A", "198.51.100.9", change=lambda m: setattr(m, "id", m.id ^ 1), honest_after=0.02)
    up.answer("big.example", "TXT", ["x" * 200] * 20, truncate=True)      # TC on UDP, whole on TCP
    up.on("odd.example", "A", lambda q: [b"any octets"])                   # full control
    up.silent = True                                                        # as if it were dead

Names without a script get 198.51.100.x, 2001:db8::x, or NODATA. `up.queries` holds what was asked.
"""

import random
import socket
import struct
import threading
import time
import zlib

from .client import receive_exact
from .dns import TC, Malformed, Message, Record, make_reply, soa


class Query:
    def __init__(self, message, raw, transport, peer):
        self.message, self.raw, self.transport, self.peer, self.time = message, raw, transport, peer, time.monotonic()
        self.name, self.type, self.id, self.edns = message.name, message.type, message.id, message.edns

    def __repr__(self):
        return f"{self.transport} {self.name} {self.type}"


class Script:
    """How one question is answered."""

    def __init__(self, values=(), ttl=300, rcode="NOERROR", delay=0.0, drop=False, copies=1, truncate=False, change=None, honest_after=None,
                 records=None, authority=None, additional=(), wrong_port=False, tcp="ok", only_udp=False, raw=None, times=None):
        self.values, self.ttl, self.rcode, self.delay, self.drop, self.copies = values, ttl, rcode, delay, drop, copies
        self.truncate, self.change, self.honest_after = truncate, change, honest_after
        self.records, self.authority, self.additional = records, authority, additional
        self.wrong_port, self.tcp, self.only_udp, self.raw, self.left = wrong_port, tcp, only_udp, raw, times


class Upstream:
    def __init__(self, host="127.0.0.1", port=0):
        self.host, self.queries, self.silent, self.rcode, self.delay, self.scripts = host, [], False, None, 0.0, {}
        self.tcp_connections = 0
        self._lock, self._stopped = threading.Lock(), False
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        for _ in range(50):  # the same port for both transports
            self._udp = socket.socket(family, socket.SOCK_DGRAM)
            self._udp.bind((host, port))
            self.port = self._udp.getsockname()[1]
            self._tcp = socket.socket(family, socket.SOCK_STREAM)
            self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                self._tcp.bind((host, self.port))
                break
            except OSError:
                self._udp.close()
                self._tcp.close()
        self._tcp.listen(64)
        self._other = socket.socket(family, socket.SOCK_DGRAM)  # a port that nothing was sent to
        self._other.bind((host, 0))
        for f in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=f, daemon=True).start()

    # ---- what tests use ----

    address = property(lambda self: f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}")

    def answer(self, name, rtype, *values, **script):
        """Records of that type as text (or octets); see Script for what else can happen."""
        self.scripts[name.lower(), rtype] = Script(values, **script)

    def on(self, name, rtype, f):
        """f(query) gives a list of messages or octets to send, in order; a number in it is a pause in seconds."""
        self.scripts[name.lower(), rtype] = f

    def cname(self, name, target, rtype="A", value="198.51.100.77", ttl=300):
        """name is an alias of target, which has the value."""
        self.answer(name, rtype, records=[Record(name, "CNAME", target, ttl), Record(target, rtype, value, ttl)])

    def lose(self, share, seed=6):
        """That share of datagrams is lost, of questions and of answers."""
        r, receive, handle = random.Random(seed), self._udp, self._handle_udp

        class Lossy:
            def __getattr__(self, name):
                return getattr(receive, name)

            def sendto(self, octets, peer):
                return len(octets) if r.random() < share else receive.sendto(octets, peer)
        self._udp = Lossy()
        self._handle_udp = lambda data, peer: None if r.random() < share else handle(data, peer)

    def asked(self, name=None, rtype=None):
        with self._lock:
            return [q for q in self.queries if (name is None or q.name.lower() == name.lower()) and (rtype is None or q.type == rtype)]

    def close(self):
        self._stopped = True
        for s in (self._udp, self._tcp, self._other):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- how it works ----

    def _serve_udp(self):
        while not self._stopped:
            try:
                data, peer = self._udp.recvfrom(65535)
            except OSError:
                return
            threading.Thread(target=self._handle_udp, args=(data, peer), daemon=True).start()

    def _note(self, data, transport, peer):
        query = Query(Message.parse(data), data, transport, peer)
        with self._lock:
            self.queries.append(query)
        return query

    def _handle_udp(self, data, peer):
        try:
            query = self._note(data, "udp", peer)
        except Malformed:
            return
        if self.silent:
            return
        script = self._script(query)
        if callable(script):
            self._play(script(query), lambda octets: self._udp.sendto(octets, peer))
            return
        time.sleep(self.delay + script.delay)
        if script.drop or self.silent:
            return
        honest = self._build(query, script)
        sender = self._other if script.wrong_port else self._udp
        try:
            if script.raw is not None:
                sender.sendto(script.raw, peer)
                return
            reply = self._build(query, script)
            if script.truncate:
                reply.flags |= TC
                reply.answer = []
            if script.change:
                script.change(reply)
            for _ in range(script.copies):
                sender.sendto(reply.pack(), peer)
            if script.honest_after is not None:
                time.sleep(script.honest_after)
                self._udp.sendto(honest.pack(), peer)
        except OSError:
            pass

    def _script(self, query):
        script = self.scripts.get((query.name.lower(), query.type)) or self.scripts.get((query.name.lower(), "*"))
        if isinstance(script, Script) and script.left is not None:
            if script.left == 0:
                script = None
            else:
                script.left -= 1
        if script is None or isinstance(script, Script) and script.only_udp and query.transport != "udp":
            script = self._usual(query)
        return script

    def _usual(self, query):
        number = zlib.crc32(query.name.lower().encode()) % 250 + 1
        if self.rcode is not None:
            return Script(rcode=self.rcode)
        if query.type == "A":
            return Script((f"198.51.100.{number}",))
        if query.type == "AAAA":
            return Script((f"2001:db8::{number:x}",))
        return Script()

    def _build(self, query, script):
        rcode = self.rcode or script.rcode
        answer = script.records if script.records is not None else [Record(query.name, query.type, v, script.ttl) for v in script.values]
        authority = script.authority
        if authority is None:
            authority = [soa("example")] if not answer and rcode in ("NOERROR", "NXDOMAIN") else []
        return make_reply(query.message, [] if rcode in ("SERVFAIL", "REFUSED") else answer, authority, script.additional, rcode)

    def _play(self, steps, send):
        for step in steps:
            if isinstance(step, (int, float)):
                time.sleep(step)
                continue
            try:
                send(step.pack() if isinstance(step, Message) else step)
            except OSError:
                return

    def _serve_tcp(self):
        while not self._stopped:
            try:
                s, peer = self._tcp.accept()
            except OSError:
                return
            with self._lock:
                self.tcp_connections += 1
            threading.Thread(target=self._handle_tcp, args=(s, peer), daemon=True).start()

    def _handle_tcp(self, s, peer):
        with s:
            s.settimeout(30)
            try:
                while True:
                    head = receive_exact(s, 2)
                    data = receive_exact(s, struct.unpack("!H", head)[0]) if head else None
                    if not data or not self._answer_tcp(s, self._note(data, "tcp", peer)):
                        return
            except (OSError, Malformed):
                pass

    def _answer_tcp(self, s, query):
        """False: close now."""
        def send(octets):
            s.sendall(struct.pack("!H", len(octets)) + octets)

        if self.silent:
            time.sleep(10)
            return False
        script = self._script(query)
        if callable(script):
            self._play(script(query), send)
            return True
        time.sleep(self.delay + script.delay)
        reply = self._build(query, script)
        if script.change and script.honest_after is None:
            script.change(reply)
        octets = reply.pack()
        how = script.tcp
        if how == "ok":
            send(octets)
        elif how == "bytes":
            for octet in struct.pack("!H", len(octets)) + octets:
                s.sendall(bytes([octet]))
                time.sleep(0.001)
        elif how == "reset":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        elif how == "close":
            return False
        elif how == "hang":
            time.sleep(20)
            return False
        elif how == "cut":
            s.sendall(struct.pack("!H", len(octets)) + octets[:len(octets) // 2])
            return False
        elif how == "zero":
            s.sendall(b"\0\0")
        elif how == "short":
            s.sendall(b"\0\5abcde")
        elif how == "wrong-id":
            send(struct.pack("!H", query.id ^ 0xFFFF) + octets[2:])
        else:
            raise ValueError(f"tcp={how!r} is not known")
        return True
