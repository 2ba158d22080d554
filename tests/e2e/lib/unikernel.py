"""The bare-metal image under QEMU, with the interface of daemon.Sinkhole, so that the same cases run against both.

The guest sees this machine's loopback as 10.0.2.2; its ports 53 and 80 are forwarded from free ports here. $SINKHOLE_TARGET chooses the
board (virt, raspi3); $SINKHOLE_IMAGE the image, else build/unikernel-BOARD/kernel8.img.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from .api import Api
from .client import check_reply
from .daemon import PASSWORD, ROOT, Sinkhole, free_port
from .dns import Edns, make_query
from .timeserver import TimeServer
from .wire import Crowd, user

HOST = "10.0.2.2"
MACHINES = {
    "virt": ["-M", "virt", "-cpu", "cortex-a53", "-m", "256", "-device", "virtio-net-device,netdev=n0,id=nic0", "-device", "virtio-rng-device"],
    "raspi3": ["-M", "raspi3b", "-device", "usb-net,netdev=n0,id=nic0"],
}


def seen_by_guest(text):
    return str(text).replace("127.0.0.1", HOST).replace("localhost", HOST)


def make_disk(path, files, mib=16, slots_kib=1024, lists_kib=4096):
    """A disk that is one FAT volume: files by name, and the preallocated state.bin and lists.bin unless their size is 0."""
    with open(path, "wb") as f:
        f.truncate(mib << 20)
    subprocess.run(["mkfs.fat", "-n", "SINKHOLE", path], check=True, capture_output=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, kib in (("state.bin", slots_kib), ("lists.bin", lists_kib)):
            if kib:
                with open(f"{folder}/{name}", "wb") as f:
                    f.truncate(kib << 10)
        for name, content in files.items():
            with open(f"{folder}/{name}", "wb") as f:
                f.write(content.encode() if isinstance(content, str) else content)
        names = sorted(os.listdir(folder))
        subprocess.run(["mcopy", "-i", path, *(f"{folder}/{n}" for n in names), "::"], check=True, capture_output=True, env={**os.environ, "MTOOLS_SKIP_CHECK": "1"})


class Qmp:
    """QEMU's control socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        for _ in range(200):
            try:
                self.socket.connect(path)
                break
            except OSError:
                time.sleep(0.02)
        self.file = self.socket.makefile("rw")
        self.file.readline()
        self.call("qmp_capabilities")

    def call(self, command, **arguments):
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            reply = json.loads(self.file.readline())
            if "return" in reply or "error" in reply:
                return reply


class Unikernel(Sinkhole):
    """
    lists, upstream, args, config, http    as daemon.Sinkhole; args and config become words of the kernel command line
    state      a folder: the machine's card is in it, and stays
    initrd     a file that is handed over (a compiled list image)
    disk       a file that is the SD card or the virtio disk
    machine    further arguments of QEMU
    kernel     another image
    """

    me = HOST
    bare_metal = True
    pid = 1

    @staticmethod
    def neighbour(n):
        return f"10.0.2.10{n}"

    def __init__(self, lists=(), upstream=None, args=(), config=None, state=None, env=None, wait=True, http=True, ipv6=None, cwd=None,
                 board=None, initrd=None, disk=None, machine=(), kernel=None, netdev="", words=(), nic=None):
        del ipv6, cwd
        self.board = board or os.environ.get("SINKHOLE_TARGET", "virt")
        self.folder = tempfile.mkdtemp(prefix="sinkhole-qemu-")
        self.keep_state, self.state, self.ipv6 = True, state, False
        self.port, self.http_port = free_port(("127.0.0.1",)), free_port(("127.0.0.1",))
        self.words = ["sinkhole.probe=off", f"sinkhole.password={PASSWORD}", *words]
        self.files, self.cut = {}, False
        self._settings(lists, upstream, args, config)
        if env and "SSL_CERT_FILE" in env:  # authorities of one's own are a file of the card here
            with open(env["SSL_CERT_FILE"], "rb") as f:
                self.files["roots.pem"] = f.read()
        self.clock = None
        if not any(w.startswith("sinkhole.ntp=") for w in self.words):
            self.clock = TimeServer()
            self.words.append(f"sinkhole.ntp={seen_by_guest(self.clock.address)}")
        if state and not disk:
            disk = f"{state}/disk.img"
            if not os.path.exists(disk):
                make_disk(disk, self.files)
        elif self.files and not disk:
            disk = f"{self.folder}/disk.img"
            make_disk(disk, self.files, slots_kib=0, lists_kib=0)
        self.wire = Crowd("10.0.2.15", self.port, self.http_port) if self.crowd else None
        if self.wire:
            nic, machine = self.wire.netdev, [*machine, *self.wire.machine]
        nic = nic or user("n0", self.port, self.http_port) + netdev
        kernel = kernel or os.environ.get("SINKHOLE_IMAGE") or str(ROOT / f"build/unikernel-{self.board}/kernel8.img")
        command = ["qemu-system-aarch64", *MACHINES[self.board], "-kernel", kernel, "-display", "none", "-no-reboot", "-serial", "stdio",
                   "-monitor", "none", "-qmp", f"unix:{self.folder}/qmp,server=on,wait=off", "-netdev", nic,
                   "-append", " ".join(f'"{w}"' if " " in w else w for w in self.words), *map(str, machine)]
        if initrd:
            command += ["-initrd", str(initrd)]
        if disk and self.board == "virt":
            command += ["-drive", f"file={disk},if=none,id=d0,format=raw,cache=writeback", "-device", "virtio-blk-device,drive=d0"]
        elif disk:
            command += ["-drive", f"file={disk},if=sd,format=raw,cache=writeback"]
        self.command = command
        self.log, self._log_lock = [], threading.Lock()
        self.started = time.monotonic()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        self.password = PASSWORD
        self.api = Api("127.0.0.1", self.http_port, PASSWORD)
        if wait:
            try:
                self.wait_ready()
            except BaseException:
                self.kill()
                raise

    def ask(self, name, rtype="A", tcp=False, host="127.0.0.1", source=None, mac=None, **kw):
        """source: an address of the guest's network; mac: of the device that has it."""
        if source is None:
            return super().ask(name, rtype, tcp, host, **kw)
        self.wire.become(source, bytes.fromhex(mac.replace(":", "")) if mac else bytes([2, 0, *socket.inet_aton(source)]))
        query = make_query(name, rtype, edns=Edns())
        return check_reply(query, self.wire.exchange(query.pack()))

    def _settings(self, lists, upstream, args, config):
        def word(name, value):
            self.words.append(f"sinkhole.{name}={seen_by_guest(value)}")

        if lists is not None:
            for item in lists or ["none"]:
                word("list", item)
        upstreams = upstream if isinstance(upstream, (list, tuple)) else [upstream]
        for item in upstreams if upstream is not False else []:
            word("upstream", getattr(item, "address", None) or item or f"127.0.0.1:{free_port(('127.0.0.1',))}")
        args = [str(a) for a in args]
        for name, value in zip(args[::2], args[1::2]):
            if name == "--hosts-file":
                with open(value, "rb") as f:
                    value = f"hosts{len(self.files)}.txt"
                    self.files[value] = f.read()
            if name == "--password-file":
                self.words = [w for w in self.words if not w.startswith("sinkhole.password=")]
                continue
            word(name.removeprefix("--"), value)
        for path in re.findall(r"^services-file = (/\S+)", config or "", re.M):
            with open(path, "rb") as f:
                self.files[os.path.basename(path)] = f.read()
        if config:
            self.files["sinkhole.conf"] = seen_by_guest(config)

    qmp = property(lambda self: self._qmp())

    def _qmp(self):
        if not hasattr(self, "_qmp_socket"):
            self._qmp_socket = Qmp(f"{self.folder}/qmp")
        return self._qmp_socket

    def _read_log(self):
        for line in self.process.stdout:
            with self._log_lock:
                self.log.append(line.rstrip("\r\n"))

    def wait_ready(self, seconds=20.0):
        """The first address comes after `ready`: only then is anybody answered."""
        self.wait_log("ready", seconds)
        self.wait_log("address 10.0.2.15", seconds)
        self.ready_seconds = time.monotonic() - self.started

    def ready_ms(self):
        return int(re.search(r"ready after (\d+) ms", self.wait_log("ready after")).group(1))

    def open_files(self):
        """What the daemon has file descriptors for: sockets in use."""
        m = self.metrics()
        return int(sum(m[f'sinkhole_machine_pool_used{{pool="{p}"}}'] for p in ("TCP_PCB", "UDP_PCB")))

    def memory_kib(self):
        return int(self.metrics()["sinkhole_machine_heap_bytes"]) // 1024

    def metrics(self):
        """The numbers of /metrics by their full name with labels."""
        r = self.api.get("/metrics")
        assert r.status == 200, r
        rows = (line.rsplit(" ", 1) for line in r.body.decode().splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in rows}

    def stop(self, seconds=10.0):
        """Pulls the plug."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(5)
        return 0

    def kill(self):
        self.stop()
        if self.clock:
            self.clock.close()
        if self.wire:
            self.wire.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def power_cut(self):
        self.cut = True
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self._reader.join(5)

    def __exit__(self, kind, value, traceback):
        ended = self.process.poll()
        try:
            if kind is None and ended is not None and not self.cut:
                raise AssertionError(f"the machine ended by itself with {ended}:\n{self.log_text()}")
            if kind is None and ("FAULT" in self.log_text() or "BROKEN" in self.log_text()):
                raise AssertionError(f"the machine broke:\n{self.log_text()}")
        finally:
            if kind is not None:
                print("\n".join("# uart: " + line for line in self.log_text().splitlines()[-60:]), flush=True)
            self.kill()
