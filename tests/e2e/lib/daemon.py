"""The program under test, on free loopback ports with a state directory of its own."""

import collections
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

from . import client
from .api import Api

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = os.path.abspath(os.environ.get("SINKHOLE_BIN") or ROOT / "build/release/sinkhole")
PASSWORD = "correct horse battery staple"
SLOW = 4 if os.environ.get("SINKHOLE_SLOW") else 1  # sanitizers: times are longer


_given = collections.deque(maxlen=64)


def free_port(hosts=("127.0.0.1", "::1")):
    """A port that is free for UDP and TCP on all hosts, outside the range that the kernel gives to clients; not one that was given out just before."""
    for _ in range(200):
        port, held = random.randrange(20000, 32000), []
        if port in _given:
            continue
        try:
            for host in hosts:
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    s = socket.socket(client.family_of(host), kind)
                    held.append(s)
                    s.bind((host, port))
            _given.append(port)
            return port
        except OSError:
            continue
        finally:
            for s in held:
                s.close()
    raise RuntimeError("no free port")


def state_dir():
    return tempfile.mkdtemp(prefix="sinkhole-test-")


def environment(extra=None):
    env = {k: v for k, v in os.environ.items() if not k.startswith("SINKHOLE_")}
    env.update(extra or {})
    return env


def cli(*args, stdin=None, env=None, timeout=30 * SLOW, cwd=None):
    """Runs the program once; gives subprocess.CompletedProcess with text."""
    return subprocess.run([BINARY, *map(str, args)], input=stdin, capture_output=True, text=True, timeout=timeout, env=environment(env), cwd=cwd)


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


class Sinkhole:
    """
    lists      URLs or paths; [] for none at all, None to leave the option away
    upstream   Upstream, list of them, None (a port where nothing listens), or False to leave the option away
    args       further arguments
    config     text of a configuration file
    state      a state directory to use and to leave (else one is made and removed)
    prefix     a command that starts the program given behind it, and becomes it
    """

    me = "127.0.0.1"  # what the program sees this machine as
    bare_metal = False
    crowd = False  # the test asks from several addresses: bare metal then gets a wire with clients on it

    @staticmethod
    def neighbour(n):
        """The address of a client, 2 to 9, to ask from (source)."""
        return f"127.0.0.{n}"

    def __init__(self, lists=(), upstream=None, args=(), config=None, state=None, env=None, wait=True, http=True, ipv6=None, cwd=None, prefix=()):
        self.keep_state = state is not None
        self.state = state or state_dir()
        self.port, self.http_port = free_port(), free_port()
        self.ipv6 = has_ipv6() if ipv6 is None else ipv6
        self.password = PASSWORD
        password_file = os.path.join(self.state, "test-password")
        with open(os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(PASSWORD + "\n")
        self.config_path = os.path.join(self.state, "test.conf")
        with open(self.config_path, "w") as f:
            f.write(config or "")
        command = [*prefix, BINARY, "run", "--config", self.config_path, "--state-dir", self.state, "--listen", f"127.0.0.1:{self.port}"]
        if self.ipv6:
            command += ["--listen", f"[::1]:{self.port}"]
        command += ["--http", f"127.0.0.1:{self.http_port}" if http else "off", "--password-file", password_file, "--user", "none"]
        if lists is not None:
            for item in lists or ["none"]:
                command += ["--list", str(item)]
        upstreams = upstream if isinstance(upstream, (list, tuple)) else [upstream]
        for item in upstreams if upstream is not False else []:
            command += ["--upstream", getattr(item, "address", None) or item or f"127.0.0.1:{free_port(('127.0.0.1',))}"]
        self.command = command + [str(a) for a in args]
        self.log, self._log_lock = [], threading.Lock()
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        errors="replace", env=environment(env), cwd=cwd)
        self.started = time.monotonic()
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        self.api = Api("127.0.0.1", self.http_port, PASSWORD)
        if wait:
            try:
                self.wait_ready()
            except BaseException:
                self.kill()
                raise

    url = property(lambda self: f"http://127.0.0.1:{self.http_port}")
    pid = property(lambda self: self.process.pid)

    # ---- log ----

    def _read_log(self):
        for line in self.process.stdout:
            with self._log_lock:
                self.log.append(line.rstrip("\n"))

    def log_text(self):
        with self._log_lock:
            return "\n".join(self.log)

    def wait_log(self, part, seconds=10.0, after=0):
        """The first line (from index `after`) that holds `part`."""
        deadline = time.monotonic() + seconds * SLOW
        while True:
            with self._log_lock:
                for line in self.log[after:]:
                    if part in line:
                        return line
            ended = self.process.poll() is not None and not self._reader.is_alive()
            if ended or time.monotonic() > deadline:
                state = f"it ended with {self.process.poll()}" if ended else f"not in {seconds * SLOW:.0f} s"
                raise AssertionError(f"no {part!r} in the log ({state}):\n{self.log_text()}")
            time.sleep(0.01)

    def wait_ready(self, seconds=15.0):
        self.wait_log("ready", seconds)
        self.ready_seconds = time.monotonic() - self.started

    def log_mark(self):
        with self._log_lock:
            return len(self.log)

    # ---- questions ----

    def ask(self, name, rtype="A", tcp=False, host="127.0.0.1", **kw):
        kw.setdefault("timeout", 8.0 * SLOW)
        return (client.ask_tcp if tcp else client.ask_udp)(host, self.port, name, rtype, **kw)

    def wait_blocked(self, name, seconds=45.0, rtype="A"):
        """Lists arrive after `ready`: asks until the name is blocked (EDE 15)."""
        deadline = time.monotonic() + seconds * SLOW
        while True:
            reply = self.ask(name, rtype)
            if reply.ede and reply.ede[0] == 15:
                return reply
            if time.monotonic() > deadline:
                raise AssertionError(f"{name} was not blocked in {seconds * SLOW:.0f} s: {reply}\n{self.log_text()}")
            time.sleep(0.05)

    def cli(self, *args, **kw):
        """The program as a client of this daemon."""
        env = {"SINKHOLE_PASSWORD": PASSWORD, **kw.pop("env", {})}
        return cli(args[0], "--server", self.url, *args[1:], env=env, **kw)

    # ---- life ----

    def signal(self, number):
        self.process.send_signal(number)

    def reload(self):
        self.signal(signal.SIGHUP)

    def stop(self, seconds=30.0):
        """SIGTERM; gives the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(seconds * SLOW)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"did not stop in {seconds * SLOW:.0f} s after SIGTERM:\n{self.log_text()}")
        self._reader.join(5)
        return status

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(5)
        if not self.keep_state:
            shutil.rmtree(self.state, ignore_errors=True)

    def open_files(self):
        """File descriptors that are open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def memory_kib(self):
        """Resident memory."""
        with open(f"/proc/{self.pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        ended_early = self.process.poll()
        try:
            status = self.stop()
            if kind is None and ended_early is not None:
                raise AssertionError(f"the daemon ended by itself with {ended_early}:\n{self.log_text()}")
            if kind is None and status != 0:
                raise AssertionError(f"the daemon stopped with {status}:\n{self.log_text()}")
        finally:
            if kind is not None:
                print("\n".join("# log: " + line for line in self.log_text().splitlines()[-60:]), flush=True)
            self.kill()
