#!/usr/bin/env python3
"""Upstreams that fail in every way: the other one is tried, TCP when an answer was cut, nothing hangs, nothing is left behind."""

import os
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time

from lib import *
from lib.client import receive_exact
from lib.daemon import SLOW


def daemon(upstream, *args, **kw):
    kw.setdefault("http", False)
    return Sinkhole(lists=[], upstream=upstream, args=list(args), **kw)


def timed(s, name, **kw):
    started = time.monotonic()
    reply = s.ask(name, **kw)
    return reply, time.monotonic() - started


BROKEN = {
    "silent": lambda up: setattr(up, "silent", True),
    "servfail": lambda up: setattr(up, "rcode", "SERVFAIL"),
    "refused": lambda up: setattr(up, "rcode", "REFUSED"),
    "notimp": lambda up: setattr(up, "rcode", "NOTIMP"),
    "closed": lambda up: up.close(),
}


@test(seconds=120)
def one_bad_upstream_of_two_is_not_noticed():
    for kind, spoil in BROKEN.items():
        with Upstream() as bad, Upstream() as good, daemon([bad, good]) as s:
            spoil(bad)
            slow = 0
            for i in range(12):
                reply, seconds = timed(s, f"{kind}{i}.example")
                eq((reply.rcode, len(reply.addresses)), ("NOERROR", 1), kind)
                check(seconds < 2 * SLOW, f"{kind}: {seconds:.2f} s")
                slow += seconds > 0.25 * SLOW
            check(slow <= 5, f"{kind}: {slow} of 12 were slow")


@test(seconds=120)
def two_bad_upstreams_end_in_servfail_in_time():
    for kind, spoil in BROKEN.items():
        with Upstream() as a, Upstream() as b, daemon([a, b]) as s:
            s.ask("known.example")
            spoil(a)
            spoil(b)
            reply, seconds = timed(s, f"{kind}.example")
            eq(reply.rcode, "SERVFAIL", kind)
            if kind in ("silent", "closed"):
                check(reply.ede and reply.ede[0] in (22, 23), f"{kind}: EDE {reply.ede}")
            check(seconds < 7.5 * SLOW, f"{kind}: {seconds:.2f} s")
            eq(s.ask("known.example").rcode, "NOERROR", "cached names are unaffected")


@test
def an_upstream_that_comes_back_is_used_again():
    with Upstream() as up, daemon(up) as s:
        up.silent = True
        eq(s.ask("gone.example").rcode, "SERVFAIL")
        up.silent = False
        started = time.monotonic()
        wait_until(lambda: s.ask(f"back{time.monotonic()}.example", timeout=2 * SLOW).rcode == "NOERROR", 5 * SLOW)
        check(time.monotonic() - started < 3 * SLOW, "within two seconds")


@test
def slow_answers_are_delivered():
    with Upstream() as up, daemon(up) as s:
        s.ask("warm.example")
        for delay in (0.3, 1.0, 2.5):
            up.answer(f"slow{delay}.example", "A", "198.51.100.3", delay=delay)
            reply, seconds = timed(s, f"slow{delay}.example")
            eq(reply.addresses, ["198.51.100.3"], f"after {delay} s")


@test
def a_cut_answer_is_fetched_over_tcp():
    with Upstream() as up, daemon(up) as s:
        up.answer("cut.example", "TXT", *[["y" * 200]] * 1, *[[f"{i:03d}" * 60] for i in range(20)], truncate=True)
        eq(len(s.ask("cut.example", "TXT", tcp=True).answer), 21)
        eq({q.transport for q in up.asked("cut.example")}, {"udp", "tcp"})


@test(seconds=180)
def tcp_that_misbehaves_is_bounded():
    with Upstream() as up, daemon(up) as s:
        up.answer("warm.example", "TXT", ["x"], truncate=True)
        s.ask("warm.example", "TXT")
        files = s.open_files()
        for how in ("reset", "close", "cut", "zero", "short", "wrong-id", "hang"):
            up.answer(f"{how}.example", "TXT", ["x"], truncate=True, tcp=how)
            result = []
            t = threading.Thread(target=lambda: result.append(timed(s, f"{how}.example", rtype="TXT")))
            t.start()
            for i in range(5):
                reply, seconds = timed(s, f"beside{how}{i}.example")
                eq(reply.rcode, "NOERROR", how)
                check(seconds < 0.5 * SLOW, f"{how}: others wait {seconds:.2f} s")
            t.join()
            reply, seconds = result[0]
            eq(reply.rcode, "SERVFAIL", how)
            check(seconds < 7.5 * SLOW, f"{how}: {seconds:.2f} s")
            eq(s.ask(f"after{how}.example").rcode, "NOERROR")
        up.answer("bytes.example", "TXT", ["z" * 100], truncate=True, tcp="bytes")
        eq(len(s.ask("bytes.example", "TXT").answer), 1)
        wait_until(lambda: s.open_files() <= files + 2, 40, lambda: f"{s.open_files()} files, {files} before")


@test
def one_connection_serves_many_questions():
    with Upstream() as up, daemon(f"tcp://{up.address}", "--workers", "1") as s:
        threads = [threading.Thread(target=lambda i=i: s.ask(f"many{i}.example")) for i in range(60)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        eq(len({q.name for q in up.asked()}), 60)
        check(all(q.transport == "tcp" for q in up.asked()))
        check(up.tcp_connections <= 8, f"{up.tcp_connections} connections for 60 questions")


class OneAnswerEach:
    """A server that closes each connection after one answer, whatever else it was asked."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = f"tcp://127.0.0.1:{self.socket.getsockname()[1]}"
        self.connections = 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                c, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.answer, args=(c,), daemon=True).start()

    def answer(self, c):
        with c:
            head = receive_exact(c, 2)
            data = receive_exact(c, struct.unpack("!H", head)[0]) if head else None
            if data:
                query = Message.parse(data)
                time.sleep(0.02)
                octets = make_reply(query, [Record(query.name, "A", "198.51.100.9", 60)], [], (), "NOERROR").pack()
                c.sendall(struct.pack("!H", len(octets)) + octets)

    def close(self):
        self.socket.close()


@test
def a_server_that_answers_once_a_connection_is_put_up_with():
    server = OneAnswerEach()
    try:
        with daemon(server.address, "--workers", "1") as s:
            good = []
            for round in range(4):
                threads = [threading.Thread(target=lambda i=i: good.append(s.ask(f"r{round}n{i}.example").rcode)) for i in range(8)]
                for t in threads:
                    t.start()
                for t in threads:
                    t.join()
            check(good.count("NOERROR") >= 30, f"{good.count('NOERROR')} of 32 answered")
    finally:
        server.close()


def certificates(folder):
    """A root and a server certificate for dns.test.example and 127.0.0.1."""
    run_openssl = lambda *a: subprocess.run(["openssl", *a], cwd=folder, check=True, capture_output=True)
    run_openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "root.key", "-out", "root.pem",
                "-days", "2", "-subj", "/CN=test root")
    run_openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "server.key", "-out", "server.csr",
                "-subj", "/CN=dns.test.example")
    with open(os.path.join(folder, "ext"), "w") as f:
        f.write(f"subjectAltName=DNS:dns.test.example,IP:127.0.0.1,IP:{Sinkhole.me}\n")
    run_openssl("x509", "-req", "-in", "server.csr", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-out", "server.pem", "-days", "2",
                "-extfile", "ext")


def over_http(manner, answer):
    """The octets of an HTTP answer, and whether the connection goes on. Manners are first labels of names that tests ask for."""
    ok, dns = "200 OK", "application/dns-message"
    head = lambda status, type, *more: "\r\n".join([f"HTTP/1.1 {status}", f"Content-Type: {type}", *more, "", ""]).encode()
    sized = lambda status=ok, type=dns, *more, body=answer: head(status, type, f"Content-Length: {len(body)}", *more) + body
    rows = {
        "chunked": head(ok, dns, "Transfer-Encoding: chunked") + b"5\r\n" + answer[:5] + b"\r\n%x\r\n" % len(answer[5:]) + answer[5:] + b"\r\n0\r\n\r\n",
        "interim": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + sized(),
        "parameter": sized(ok, "Application/DNS-Message; charset=x"),
        "closing": sized(ok, dns, "Connection: close"),
        "unsized": head(ok, dns, "Connection: close") + answer,
        "status": sized("500 No"),
        "teapot": sized("404 Not Found"),
        "type": sized(ok, "text/html"),
        "empty": sized(body=b""),
        "long": sized(body=answer + bytes(70000)),
        "noise": b"\0\1\2 SSH-2.0\r\n\r\n",
        "headers": b"HTTP/1.1 200 OK\r\n" + b"X-Filler: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n" * 8000,
        "twice": sized() + sized(),
    }
    return rows.get(manner, sized()), manner not in ("closing", "unsized", "noise", "headers", "long")


class TlsServer:
    """TLS in front of an Upstream's TCP port, counting connections and resumptions. `http` makes it an HTTP/1.1 server of RFC 8484, which answers in the
    manner that a name's first label tells (over_http); `answers` is how many a connection gives before it ends."""

    def __init__(self, folder, upstream, http=False, answers=1 << 30):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(os.path.join(folder, "server.pem"), os.path.join(folder, "server.key"))
        self.upstream, self.http, self.answers = upstream, http, answers
        self.connections, self.resumed, self.names, self.paths, self.hosts = 0, 0, [], [], []
        self.context.sni_callback = lambda s, name, c: self.names.append(name)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                c, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.handle, args=(c,), daemon=True).start()

    def handle(self, raw):
        try:
            with self.context.wrap_socket(raw, server_side=True) as c:
                self.connections += 1
                self.resumed += c.session_reused
                for _ in range(self.answers):
                    if not (self.answer_http(c) if self.http else self.answer_stream(c)):
                        break
                c.unwrap()
        except (OSError, ssl.SSLError):
            pass

    def ask(self, octets):
        with socket.create_connection(("127.0.0.1", self.upstream.port)) as back:
            back.sendall(struct.pack("!H", len(octets)) + octets)
            return receive_exact(back, struct.unpack("!H", receive_exact(back, 2))[0])

    def answer_stream(self, c):
        head = receive_exact(c, 2)
        if not head:
            return False
        answer = self.ask(receive_exact(c, struct.unpack("!H", head)[0]))
        c.sendall(struct.pack("!H", len(answer)) + answer)
        return True

    def read_line(self, c):
        line = b""
        while not line.endswith(b"\r\n"):
            octet = c.recv(1)
            if not octet:
                return b""
            line += octet
        return line.strip()

    def answer_http(self, c):
        line = self.read_line(c)
        if not line:
            return False
        self.paths.append(line.decode().split()[:2])
        headers = {}
        while (header := self.read_line(c)):
            name, value = header.decode().split(":", 1)
            headers[name.lower()] = value.strip()
        self.hosts.append(headers.get("host"))
        if headers.get("content-type") != "application/dns-message":
            return False
        body = receive_exact(c, int(headers["content-length"]))
        octets, goes_on = over_http(Message.parse(body).name.split(".")[0].rstrip("0123456789"), self.ask(body))
        c.sendall(octets)
        return goes_on

    def close(self):
        self.socket.close()


@test(seconds=90)
def tls_upstreams_are_verified_and_resumed():
    with tempfile.TemporaryDirectory() as folder, Upstream() as up:
        certificates(folder)
        trust = {"SSL_CERT_FILE": os.path.join(folder, "root.pem")}
        server = TlsServer(folder, up)
        try:
            for address in (f"tls://dns.test.example@127.0.0.1:{server.port}", f"tls://127.0.0.1:{server.port}"):
                with daemon(address, "--workers", "1", env=trust) as s:
                    for i in range(10):
                        eq(s.ask(f"tls{i}-{server.connections}.example").rcode, "NOERROR", address)
            check(server.connections <= 4, f"{server.connections} connections")
            check("dns.test.example" in server.names, "the name was told (SNI)")
            rows = [("a name that it is not", f"tls://other.test.example@127.0.0.1:{server.port}", trust),
                    ("nobody who vouches for it", f"tls://dns.test.example@127.0.0.1:{server.port}", None)]
            for why, address, env in rows:
                with daemon(address, "--workers", "1", env=env) as s:
                    reply, seconds = timed(s, "refused.example")
                    eq(reply.rcode, "SERVFAIL", why)
            eq([q for q in up.asked("refused.example")], [], "nothing was told to it")
        finally:
            server.close()


@test(seconds=90)
def https_upstreams_are_verified():
    with tempfile.TemporaryDirectory() as folder, Upstream() as up:
        certificates(folder)
        trust = {"SSL_CERT_FILE": os.path.join(folder, "root.pem")}
        server = TlsServer(folder, up, http=True)
        try:
            for name in ("dns.test.example@", ""):
                with daemon(f"https://{name}127.0.0.1:{server.port}/dns-query", env=trust) as s:
                    for i in range(10):
                        eq(s.ask(f"doh{i}.example").rcode, "NOERROR")
            eq(set(map(tuple, server.paths)), {("POST", "/dns-query")})
            eq(set(server.hosts), {"dns.test.example", Sinkhole.me})
            check(server.connections <= 16, f"{server.connections} connections")
            for why, address, env in (("nobody vouches for it", "dns.test.example", None), ("a name that it is not", "other.test.example", trust)):
                with daemon(f"https://{address}@127.0.0.1:{server.port}/dns-query", env=env) as s:
                    eq(s.ask("refused.example").rcode, "SERVFAIL", why)
            eq(up.asked("refused.example"), [])
        finally:
            server.close()


@test(seconds=180)
def https_answers_are_read_as_http_says():
    good = ("plain", "chunked", "interim", "parameter", "closing", "unsized")
    bad = ("status", "teapot", "type", "empty", "long", "noise", "headers")
    with tempfile.TemporaryDirectory() as folder, Upstream() as up:
        certificates(folder)
        server = TlsServer(folder, up, http=True)
        try:
            with daemon(f"https://dns.test.example@127.0.0.1:{server.port}/q", env={"SSL_CERT_FILE": os.path.join(folder, "root.pem")}) as s:
                for manner in (*good, *good):
                    eq(s.ask(f"{manner}{len(server.paths)}.example").rcode, "NOERROR", manner)
                for manner in bad:
                    reply, seconds = timed(s, f"{manner}.example")
                    eq(reply.rcode, "SERVFAIL", manner)
                    check(seconds < 7.5 * SLOW, f"{manner}: {seconds:.2f} s")
                    wait_until(lambda: s.ask(f"after{manner}{len(server.paths)}.example").rcode == "NOERROR", 10 * SLOW, manner)
                s.ask("twice.example")  # an answer nobody asked for, behind a good one: whichever way it ends, what follows is answered
                wait_until(lambda: s.ask(f"aftertwice{len(server.paths)}.example").addresses[:1] != [], 10 * SLOW, "twice")
                many = [threading.Thread(target=lambda i=i: s.ask(f"many{i}.example")) for i in range(40)]
                for t in many:
                    t.start()
                for t in many:
                    t.join()
                eq(len({q.name for q in up.asked() if q.name.startswith("many")}), 40)
        finally:
            server.close()


@test(seconds=90)
def tls_sessions_are_taken_up_again():
    """A server that ends each connection after three answers: those after the first need no new handshake with certificates."""
    with tempfile.TemporaryDirectory() as folder, Upstream() as up:
        certificates(folder)
        trust = {"SSL_CERT_FILE": os.path.join(folder, "root.pem")}
        for scheme, path in (("tls", ""), ("https", "/dns-query")):
            server = TlsServer(folder, up, http=scheme == "https", answers=3)
            try:
                with daemon(f"{scheme}://dns.test.example@127.0.0.1:{server.port}{path}", "--workers", "1", env=trust) as s:
                    for i in range(12):
                        eq(s.ask(f"{scheme}{i}.example").rcode, "NOERROR")
                print(f"# {scheme}: {server.connections} connections, {server.resumed} resumed", flush=True)
                check(server.connections >= 4 and server.resumed >= server.connections - 2, f"{scheme}: {server.resumed} of {server.connections} resumed")
            finally:
                server.close()


@test(seconds=90)
def encrypted_upstreams_can_come_later():
    """Certificates are loaded and threads are started after privileges and system calls were given up."""
    if Sinkhole.bare_metal:
        skip("a machine without privileges to give up and without SIGHUP")
    with tempfile.TemporaryDirectory() as folder, Upstream() as plain, Upstream() as up:
        certificates(folder)
        env = {"SSL_CERT_FILE": os.path.join(folder, "root.pem")}
        tls, https = TlsServer(folder, up), TlsServer(folder, up, http=True)
        try:
            with Sinkhole(lists=[], upstream=False, http=False, env=env, config=f"upstream = {plain.address}\n") as s:
                eq(s.ask("first.example").rcode, "NOERROR")
                for name, address in (("tls", f"tls://dns.test.example@127.0.0.1:{tls.port}"),
                                      ("https", f"https://dns.test.example@127.0.0.1:{https.port}/dns-query")):
                    with open(s.config_path, "w") as f:
                        f.write(f"upstream = {address}\n")
                    mark = s.log_mark()
                    s.reload()
                    s.wait_log("read again", after=mark)
                    for i in range(5):
                        eq(s.ask(f"{name}{i}.example").rcode, "NOERROR", address)
                    check(up.asked(f"{name}0.example"), "it came by the new way")
                eq(len(plain.asked()), 1, "and not by the old one")
        finally:
            tls.close()
            https.close()


@test
def system_upstreams_are_found():
    """Not told of any upstream it takes the machine's, or two public ones; it starts in any case."""
    if Sinkhole.bare_metal:
        skip("it takes those of DHCP, which QEMU's own network names: not to be asked by tests")
    with daemon(False) as s:
        line = s.wait_log("upstreams: ")
        check(":53" in line, line)


run()
