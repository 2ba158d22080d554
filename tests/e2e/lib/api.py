"""A client for the HTTP API: logs in once, sends its session with each request. Each JSON answer is held against the OpenAPI document."""

import base64
import hmac
import http.client
import json
import struct
import time

from . import openapi


def code_of(secret, at=None):
    """RFC 6238, as a telephone does it."""
    mac = hmac.new(base64.b32decode(secret), struct.pack(">Q", int(at or time.time()) // 30), "sha1").digest()
    return (struct.unpack(">I", mac[mac[-1] & 15:][:4])[0] & 0x7FFFFFFF) % 1000000


class HttpReply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    def header(self, name):
        return next((v for k, v in self.headers if k.lower() == name.lower()), None)

    def __repr__(self):
        return f"HTTP {self.status} {self.body[:300]!r}"


class Api:
    def __init__(self, host, port, password=None):
        self.host, self.port, self.password, self.sid, self.csrf = host, port, password, None, None

    def request(self, method, path, body=None, headers=None, timeout=10.0):
        """Raw: no session is added. body: octets, or something that becomes JSON."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers)
            r = connection.getresponse()
            reply = HttpReply(r.status, r.getheaders(), r.read())
            openapi.check_answer(method, path, reply.status, reply.header("Content-Type"), reply.body)
            return reply
        finally:
            connection.close()

    def login(self):
        r = self.request("POST", "/api/auth", {"password": self.password})
        session = r.json["session"]
        if not session["valid"]:
            raise AssertionError(f"login failed: {r}")
        self.sid, self.csrf = session["sid"], session.get("csrf")
        return r

    def call(self, method, path, body=None, headers=None, timeout=10.0):
        """With a session; logs in when there is none yet."""
        if self.sid is None:
            self.login()
        return self.request(method, path, body, {"X-FTL-SID": self.sid or "", **(headers or {})}, timeout)

    def get(self, path, **kw):
        return self.call("GET", path, **kw)

    def post(self, path, body=None, **kw):
        return self.call("POST", path, body, **kw)

    def put(self, path, body=None, **kw):
        return self.call("PUT", path, body, **kw)

    def delete(self, path, **kw):
        return self.call("DELETE", path, **kw)
