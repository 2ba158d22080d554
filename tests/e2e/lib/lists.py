"""A list server that does as it is told.

    lists = ListServer()
    url = lists.put("/ads.txt", "ads.example\\n")           # with an ETag; conditional requests get 304
    lists.put("/gone.txt", status=404)
    lists.put("/cut.txt", text, cut=True)                    # promises more than it sends
    lists.put("/zip.txt", text, gzip=True)
    lists.put("/slow.txt", text, hang=30)                    # or drip=0.1: seconds between octets
    lists.put("/away.txt", redirect="http://127.0.0.1:1/")
    lists.put("/odd.txt", raw=b"HTTP/1.1 999 ...")           # any octets, then close
"""

import gzip as gzip_module
import hashlib
import socket
import struct
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def own_address():
    """An address of this machine that lists may come from: not loopback, not link-local."""
    out = subprocess.run(["hostname", "-I"], capture_output=True, text=True).stdout.split()
    return next((a for a in out if "." in a and not a.startswith(("127.", "169.254."))), None)


class Page:
    def __init__(self, body=b"", status=200, type="text/plain", gzip=False, cut=False, hang=0.0, drip=0.0, redirect=None, raw=None, reset=False,
                 etag=True, chunked=False, headers=()):
        body = body.encode() if isinstance(body, str) else body
        self.etag = '"%s"' % hashlib.sha256(body).hexdigest()[:16] if etag else None
        self.body, self.gzip = gzip_module.compress(body) if gzip else body, gzip
        self.status, self.type, self.cut, self.hang, self.drip, self.redirect = status, type, cut, hang, drip, redirect
        self.raw, self.reset, self.chunked, self.headers = raw, reset, chunked, headers


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        try:
            self._serve()
        except OSError:
            self.close_connection = True

    def do_PUT(self):
        """A text put there by a test that is not in Python; GET gives it."""
        self.server.owner.put(self.path, self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _serve(self):
        owner = self.server.owner
        with owner.lock:
            owner.requests.append((self.path, dict(self.headers)))
            page = owner.pages.get(self.path)
        page = page() if callable(page) else page or Page(b"no such list\n", 404)
        if page.hang:
            owner.stopped.wait(page.hang)
        if page.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return
        if page.raw is not None:
            self.wfile.write(page.raw)
            self.close_connection = True
            return
        if page.etag and self.headers.get("If-None-Match") == page.etag and page.status == 200:
            self.send_response(304)
            self.send_header("ETag", page.etag)
            self.end_headers()
            return
        self.send_response(302 if page.redirect else page.status)
        if page.redirect:
            self.send_header("Location", page.redirect)
        self._headers(page)
        self._body(page)

    def _headers(self, page):
        self.send_header("Content-Type", page.type)
        if page.gzip:
            self.send_header("Content-Encoding", "gzip")
        if page.etag and page.status == 200:
            self.send_header("ETag", page.etag)
        if page.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(page.body) + (1000 if page.cut else 0)))
        for name, value in page.headers:
            self.send_header(name, value)
        self.end_headers()

    def _body(self, page):
        if page.chunked:
            half = len(page.body) // 2
            for part in (page.body[:half], page.body[half:]):
                if part:
                    self.wfile.write(b"%x\r\n" % len(part) + part + b"\r\n")
            if not page.cut:
                self.wfile.write(b"0\r\n\r\n")
        elif page.drip:
            for octet in page.body:
                self.wfile.write(bytes([octet]))
                self.wfile.flush()
                if self.server.owner.stopped.wait(page.drip):
                    break
        else:
            self.wfile.write(page.body)
        if page.cut:
            self.close_connection = True


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass  # clients that hang up are what tests want


class ListServer:
    def __init__(self, host="127.0.0.1", port=0):
        self.pages, self.requests, self.lock, self.stopped = {}, [], threading.Lock(), threading.Event()
        self._server = Server((host, port), Handler)
        self._server.owner = self
        self.port = self._server.server_address[1]
        self.base = f"http://{host}:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def put(self, path, body=b"", **page):
        """Sets what a path gives; returns its URL."""
        with self.lock:
            self.pages[path] = Page(body, **page)
        return self.base + path

    def asked(self, path):
        with self.lock:
            return [headers for p, headers in self.requests if p == path]

    def close(self):
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
