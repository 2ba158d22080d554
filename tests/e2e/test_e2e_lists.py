#!/usr/bin/env python3
"""Lists from hostile servers and on failing disks: queries go on, memory stays bounded, the last good copy stays in force."""

import gzip
import http.server
import os
import pty
import random
import resource
import select
import shutil
import socket
import ssl
import subprocess
import threading
import time

from lib import *
from lib.daemon import BINARY, SLOW, environment, free_port

NAMES = 20000
LIST = "".join(f"0.0.0.0 ads{i}.example\n" for i in range(NAMES))


class RawServer:
    """Answers every connection with what a function yields, until the peer goes away."""

    def __init__(self, pieces):
        self.pieces, self.asked = pieces, 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d/list" % self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                s, _ = self._socket.accept()
            except OSError:
                return
            self.asked += 1
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        try:
            s.recv(65536)
            for piece in self.pieces():
                s.sendall(piece)
        except OSError:
            pass
        s.close()

    def close(self):
        self._socket.close()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
GZIP = HEAD + b"Content-Encoding: gzip\r\n"


def whole(head, body):
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def endless(first, piece):
    yield first
    while True:
        yield piece


def drip(first, data):
    yield first
    for octet in data:
        time.sleep(0.05)
        yield bytes([octet])


def hang(first):
    yield first
    time.sleep(60)


BOMB = gzip.compress(bytes(200 << 20))
ENDLESS_NAMES = chunk("".join(f"{random.Random(i).getrandbits(100):x}.example\n" for i in range(3000)).encode())

# What a server may send in place of a list (hardening L3).
FAULTS = [
    ("404", lambda: [b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"]),
    ("500", lambda: [b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"]),
    ("truncated", lambda: [whole(HEAD, LIST.encode())[:100000]]),
    ("chunk cut", lambda: [HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(LIST.encode())]),
    ("no length", lambda: [HEAD + b"\r\n" + LIST.encode()]),
    ("HTML", lambda: [whole(HEAD, b"<!DOCTYPE html><html><body>" + b"<p>ads.example</p>\n" * 10000)]),
    ("empty", lambda: [whole(HEAD, b"")]),
    ("gzip cut", lambda: [whole(GZIP, gzip.compress(LIST.encode())[:-100])]),
    ("gzip bomb", lambda: [whole(GZIP, BOMB)]),
    ("gzip bomb in gzip", lambda: [whole(GZIP, gzip.compress(BOMB))]),
    ("redirect loop", lambda: [b"HTTP/1.1 302 Found\r\nLocation: /list\r\nContent-Length: 0\r\n\r\n"]),
    ("redirect to a file", lambda: [b"HTTP/1.1 302 Found\r\nLocation: file:///etc/hosts\r\nContent-Length: 0\r\n\r\n"]),
    ("redirect to gopher", lambda: [b"HTTP/1.1 302 Found\r\nLocation: gopher://127.0.0.1:9/x\r\nContent-Length: 0\r\n\r\n"]),
    ("closed", lambda: []),
    ("hang", lambda: hang(b"")),
    ("hang in the body", lambda: hang(whole(HEAD, LIST.encode())[:50000])),
    ("drip", lambda: drip(HEAD + b"Content-Length: 500000\r\n\r\n", b"ads.example\n" * 1000)),
    ("declared 10 GB", lambda: endless(HEAD + b"Content-Length: 10737418240\r\n\r\n", b"ads.example\n" * 5000)),
    ("endless names", lambda: endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", ENDLESS_NAMES)),
    ("binary", lambda: [whole(HEAD, random.Random(1).randbytes(3 << 20))]),
    ("binary after a list", lambda: [whole(HEAD, LIST.encode()[:5000] + random.Random(1).randbytes(3 << 20))]),
    ("a line of 8 MB", lambda: [whole(HEAD, b"x" * (8 << 20))]),
    ("a line of 8 MB in a list", lambda: [whole(HEAD, LIST.encode()[:5000] + b"x" * (8 << 20) + b"\n")]),
    ("header bomb", lambda: endless(b"HTTP/1.1 200 OK\r\n", b"X-Bomb: " + b"x" * 1000 + b"\r\n")),
    ("one header of 10 MB", lambda: [b"HTTP/1.1 200 OK\r\nX-Bomb: " + b"x" * (10 << 20)]),
    ("far fewer names", lambda: [whole(HEAD, b"ads1.example\nads2.example\n")]),
]


def peak_kib(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM:"))


def reset_peak(pid):
    with open(f"/proc/{pid}/clear_refs", "w") as f:
        f.write("5")


class Asker(threading.Thread):
    """Asks for blocked names all the time and counts what is lost or wrong."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.s, self.sent, self.lost, self.wrong, self.stopped, self.slowest = daemon, 0, 0, 0, threading.Event(), 0.0

    def run(self):
        while not self.stopped.is_set():
            self.sent += 1
            try:
                r = self.s.ask(f"ads{self.sent * 7 % 1000}.example", timeout=2 * SLOW)
                self.wrong += r.addresses != ["0.0.0.0"]
                self.slowest = max(self.slowest, r.seconds)
            except TimeoutError:
                self.lost += 1
            time.sleep(0.001)

    def finish(self):
        self.stopped.set()
        self.join()


@test(seconds=240)
def hostile_servers_disturb_nobody():
    pages = {"now": lambda: [whole(HEAD, LIST.encode())]}
    server = RawServer(lambda: pages["now"]())
    with Upstream() as up, Sinkhole(lists=[server.url], upstream=up, args=["--list-timeout", "4s", "--rate-limit", "off"]) as s:
        s.wait_blocked("ads7.example")
        time.sleep(0.5)
        before = s.memory_kib()
        asker = Asker(s)
        asker.start()
        worst = (0, "")
        for why, page in FAULTS:
            pages["now"] = page
            reset_peak(s.pid)
            asked, mark = server.asked, s.log_mark()
            s.reload()
            wait_until(lambda: server.asked > asked, 10 * SLOW, why)
            line = s.wait_log("the last good copy stays in force", 15, after=mark)
            worst = max(worst, (peak_kib(s.pid) - before, why))
            check(SLOW > 1 or peak_kib(s.pid) - before < 48 * 1024, f"{why}: {peak_kib(s.pid) - before} KiB more than before")
            check("list: " in line, line)
            eq(s.ask("ads7.example").addresses, ["0.0.0.0"], why)
        pages["now"] = lambda: [whole(HEAD, LIST.encode() + b"0.0.0.0 back.example\n")]
        s.reload()
        s.wait_blocked("back.example")
        asker.finish()
        eq((asker.lost, asker.wrong), (0, 0), f"lost and wrong of {asker.sent}")
        print(f"# {asker.sent} queries, slowest {asker.slowest * 1000:.0f} ms; most memory: {worst[0]} KiB more, {worst[1]}")
    server.close()


@test
def all_sources_and_formats_in_one_configuration():
    folder = state_dir()
    try:
        def put(name, data):
            path = os.path.join(folder, name)
            with open(path, "wb") as f:
                f.write(data)
            return path

        with ListServer() as lists, Upstream() as up:
            sources = [
                lists.put("/hosts", "0.0.0.0 hosts.example\n::1 six.example\n", gzip=True),
                lists.put("/list.gz", gzip.compress(b"*.wild.example\n"), type="application/gzip"),
                put("plain.txt", b"\xef\xbb\xbfplain.example\r\nb\xc3\xbccher.example\r\n"),
                put("packed.gz", gzip.compress(b"address=/dnsmasq.example/0.0.0.0\n")),
                "file://" + put("unbound.conf", b'local-zone: "unbound.example" always_null\n'),
                "rpz+" + put("zone", b"$TTL 60\n$ORIGIN rpz.example.\n@ SOA a. b. 1 2 3 4 5\nzone.example CNAME .\n"),
            ]
            allow = ["--allow-list", lists.put("/allow", "six.example\n")]
            with Sinkhole(lists=sources, upstream=up, args=allow) as s:
                for name in ("hosts", "x.wild", "plain", "xn--bcher-kva", "x.dnsmasq", "x.unbound", "zone"):
                    s.wait_blocked(name + ".example")
                check(s.ask("six.example").ede is None, "the allow list wins")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@test
def the_built_in_list_stands_in_until_a_list_comes():
    with ListServer() as lists, Upstream() as up:
        url = lists.put("/list.txt", status=503)
        with Sinkhole(lists=[url], upstream=up) as s:
            eq(s.wait_blocked("ad.doubleclick.net").addresses, ["0.0.0.0"])
            lists.put("/list.txt", "ads.example\n")
            s.wait_blocked("ads.example", seconds=20)  # by itself, a few seconds after the failure
            wait_until(lambda: s.ask("ad.doubleclick.net").ede is None, text="the built-in list steps back")  # each worker takes the new lists by itself


class TlsServer:
    """Serves one list over TLS, and at /down a redirect to plain HTTP."""

    def __init__(self, folder, plain_url):
        self.certificate, key = os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out",
                        self.certificate, "-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
                       check=True, capture_output=True)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = b"" if self.path == "/down" else b"tls.example\n"
                self.send_response(302 if self.path == "/down" else 200)
                if self.path == "/down":
                    self.send_header("Location", plain_url)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.handle_error = lambda *_: None
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.base = f"https://localhost:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@test
def certificates_are_checked_and_nothing_goes_from_https_to_http():
    if not shutil.which("openssl"):
        skip("no openssl to make a certificate with")
    folder = state_dir()
    try:
        with ListServer() as lists, Upstream() as up:
            plain = lists.put("/plain.txt", "plain.example\n")
            server = TlsServer(folder, plain)
            with Sinkhole(lists=[server.base + "/list", server.base + "/down"], upstream=up, env={"SSL_CERT_FILE": server.certificate}) as s:
                s.wait_blocked("tls.example")
                s.wait_log("redirect refused: from https to http")
            with Sinkhole(lists=[server.base + "/list"], upstream=up) as s:
                line = s.wait_log("there is no copy yet")
                check("certificate" in line.lower(), line)
                check(s.ask("tls.example").ede is None, "a list from who knows whom is not taken")
            eq(lists.asked("/plain.txt"), [])
            server.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@test
def a_full_disk_leaves_the_service_and_the_last_good_state():
    state = state_dir()
    try:
        with ListServer() as lists, Upstream() as up:
            url = lists.put("/list.txt", LIST)
            with Sinkhole(lists=[url], upstream=up, state=state) as s:
                s.wait_blocked("ads7.example")
                time.sleep(0.3)
                old = resource.prlimit(s.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
                lists.put("/list.txt", LIST + "new.example\n")
                s.reload()
                s.wait_blocked("new.example")  # from memory
                eq(s.ask("ads7.example").addresses, ["0.0.0.0"])
                contains(s.log_text(), "cannot be saved")
                resource.prlimit(s.pid, resource.RLIMIT_FSIZE, old)
            lists.put("/list.txt", status=500)
            with Sinkhole(lists=[url], upstream=up, state=state) as s:
                eq(s.ask("ads7.example").addresses, ["0.0.0.0"], "the saved image of before")
    finally:
        shutil.rmtree(state, ignore_errors=True)


@test(seconds=120)
def killed_at_any_moment_it_starts_from_something_whole():
    state = state_dir()
    versions = [LIST + f"version{v}.example\n" for v in range(2)]
    try:
        with ListServer() as lists, Upstream() as up:
            url = lists.put("/list.txt", versions[0])
            with Sinkhole(lists=[url], upstream=up, state=state) as s:
                s.wait_blocked("ads7.example")
            for round in range(8):
                s = Sinkhole(lists=[url], upstream=up, state=state)
                end = time.monotonic() + 0.05 + random.random() * 0.3
                while time.monotonic() < end:
                    lists.put("/list.txt", versions[random.randrange(2)])
                    s.reload()
                    time.sleep(0.02)
                s.process.kill()
                s.process.wait()
                with Sinkhole(lists=[url], upstream=up, state=state) as s:
                    eq(s.ask("ads7.example").addresses, ["0.0.0.0"], f"round {round}: the first answer")
                    check("cannot be used" not in s.log_text(), s.log_text())
                    check("damaged" not in s.log_text(), s.log_text())
                left = [f for f in os.listdir(state) + os.listdir(os.path.join(state, "lists")) if f.endswith(".tmp")]
                eq(left, [], "temporary files of the killed process")
    finally:
        shutil.rmtree(state, ignore_errors=True)


@test
def a_terminal_shows_a_live_line_and_a_pipe_does_not():
    with ListServer() as lists, Upstream() as up:
        url, slow = lists.put("/list.txt", LIST), lists.put("/slow.txt", LIST, hang=3)
        with Sinkhole(lists=[url, slow], upstream=up) as s:
            s.wait_blocked("ads7.example")
            check("\x1b[" not in s.log_text(), "no control sequences in a log file")
        state, password = state_dir(), None
        pid, fd = pty.fork()
        if pid == 0:
            os.execve(BINARY, [BINARY, "run", "--config", "/dev/null", "--state-dir", state, "--listen", f"127.0.0.1:{free_port(('127.0.0.1',))}",
                               "--http", "off", "--user", "none", "--upstream", "127.0.0.1:9", "--list", url, "--list", slow], environment())
        text, end = b"", time.monotonic() + 10 * SLOW
        while time.monotonic() < end and b"rules of 2 lists in force" not in text:
            if select.select([fd], [], [], 0.1)[0]:
                try:
                    text += os.read(fd, 65536)
                except OSError:
                    break
        os.kill(pid, 15)
        while True:
            try:
                if not os.read(fd, 65536):
                    break
            except OSError:
                break
        os.waitpid(pid, 0)
        os.close(fd)
        shutil.rmtree(state, ignore_errors=True)
        contains(text.decode(errors="replace"), "\r\x1b[Klists 0 of 2")
        contains(text.decode(errors="replace"), "lists 1 of 2, ")
        contains(text.decode(errors="replace"), "compiling")


run()
