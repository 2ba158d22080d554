"""Asking over UDP and TCP. The answer must match the question and be well formed, or it is an error."""

import socket
import struct
import time

from .dns import Edns, Malformed, Message, make_query


def family_of(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def exchange_udp(host, port, data, timeout=5.0, source=None):
    """Octets to octets; None if nothing came in time."""
    with socket.socket(family_of(host), socket.SOCK_DGRAM) as s:
        if source:
            s.bind((source, 0))
        s.settimeout(timeout)
        s.connect((host, port))
        s.send(data)
        try:
            return s.recv(65535)
        except (socket.timeout, ConnectionRefusedError):
            return None


def receive_exact(s, count):
    out = b""
    while len(out) < count:
        part = s.recv(count - len(out))
        if not part:
            return None
        out += part
    return out


def receive_tcp(s):
    """One message with its length octets taken off, None at the end."""
    head = receive_exact(s, 2)
    return receive_exact(s, struct.unpack("!H", head)[0]) if head else None


def exchange_tcp(host, port, data, timeout=5.0):
    with socket.create_connection((host, port), timeout=timeout) as s:
        s.sendall(struct.pack("!H", len(data)) + data)
        return receive_tcp(s)


def check_reply(query, data):
    if data is None:
        raise TimeoutError(f"no answer for {query.name} {query.type}")
    reply = Message.parse(data)
    if not reply.flags & 0x8000 or reply.id != query.id:
        raise Malformed(f"not an answer to {query.name}: {reply}")
    if reply.questions and reply.questions != query.questions:
        raise Malformed(f"another question than {query.questions}: {reply.questions}")
    return reply


def ask_udp(host, port, name, rtype="A", edns=True, do=False, timeout=5.0, source=None, **kw):
    """edns: True for a plain OPT record, an Edns, or None. Further arguments as make_query's."""
    query = make_query(name, rtype, edns=Edns(do=do) if edns is True else edns or None, **kw)
    started = time.monotonic()
    reply = check_reply(query, exchange_udp(host, port, query.pack(), timeout, source))
    reply.seconds = time.monotonic() - started
    return reply


def ask_tcp(host, port, name, rtype="A", edns=True, do=False, timeout=5.0, **kw):
    query = make_query(name, rtype, edns=Edns(do=do) if edns is True else edns or None, **kw)
    return check_reply(query, exchange_tcp(host, port, query.pack(), timeout))
