"""A time server (SNTP, RFC 4330) that does as it is told.

    clock = TimeServer(unix=2000000000)       # or None: the time of this machine
    clock.change = lambda reply: reply[:20]   # octets of an answer before they go out, or None for none
"""

import socket
import struct
import threading
import time

EPOCH = 2208988800  # seconds from 1900 to 1970


class TimeServer:
    def __init__(self, unix=None, change=None):
        self.unix, self.change, self.asked = unix, change, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                question, peer = self.socket.recvfrom(2048)
            except OSError:
                return
            if peer is None:  # closed while it waited
                return
            self.asked.append(question)
            now = (self.unix if self.unix is not None else time.time()) + EPOCH
            stamp = struct.pack("!II", int(now) & 0xFFFFFFFF, 0)
            reply = bytearray(struct.pack("!BBBbII4s", 0x24, 2, 6, -20, 0, 0, b"TEST") + stamp + question[40:48] + stamp + stamp)
            for part in [self.change(reply)] if self.change else [reply]:
                if part is not None:
                    self.socket.sendto(part, peer)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
