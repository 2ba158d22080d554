"""One life of the daemon with a system call that fails on the way: start, answers, log-in, a rule, a list that changes, reload, end,
and a plain start behind it. What must hold whichever call it was:

  - it refuses to start and says why, or it answers; it never ends by itself, nor hangs when told to stop;
  - once a fault is over, everything works again: rules are taken, lists are renewed, the page is there;
  - what was saved before is there at the next start; no file is damaged, none left over;
  - no descriptor is lost, and no fault makes it spin or flood its log.

    with Machine() as m:
        problems = m.play("fsync", "EIO", "2")      # the second; "2+": and all that follow; "KILL": killed in place of the call
"""

import http.client
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

from . import daemon
from .api import Api
from .client import Malformed
from .daemon import ROOT, SLOW, Sinkhole
from .lists import ListServer
from .upstream import Upstream

ALLOC = os.environ.get("SINKHOLE_ALLOC") or str(ROOT / "build/release/tests/faults/alloc.so")
INJECT = os.environ.get("SINKHOLE_INJECT") or str(ROOT / "build/release/tests/faults/inject")

# What can fail, and how. CALL@WHERE: on such descriptors only, as others cannot fail in that way; epoll_ctl when it adds. (brk gives no error: the
# kernel answers with the old end.)
KINDS = {
    "openat": ["EMFILE", "EACCES"], "read@/": ["EIO"], "pread64@/": ["EIO"], "write@/": ["ENOSPC", "EINTR"], "pwrite64@/": ["ENOSPC"], "writev@/": ["ENOSPC"],
    "fsync": ["EIO"], "fdatasync": ["EIO"], "renameat": ["ENOSPC"], "rename": ["EROFS"], "unlinkat": ["EROFS"], "unlink": ["EROFS"], "ftruncate": ["EIO"],
    "fallocate": ["ENOSPC"], "mkdirat": ["ENOSPC"], "mkdir": ["EROFS"], "flock": ["EIO"], "newfstatat": ["EIO"], "fstat": ["EIO"], "statx": ["EIO"],
    "getdents64": ["EIO"], "lseek@/": ["EIO"], "utimensat": ["EROFS"], "readlink": ["EIO"], "readlinkat": ["EIO"], "access": ["EACCES"], "fcntl": ["EMFILE"], "dup": ["EMFILE"],
    "mmap": ["ENOMEM"], "mprotect": ["ENOMEM"], "mremap": ["ENOMEM"], "madvise": ["EINVAL"],
    "socket": ["EMFILE", "EACCES"], "bind": ["EADDRINUSE"], "listen": ["EADDRINUSE"], "connect": ["ENETUNREACH", "EADDRNOTAVAIL"], "accept4": ["EMFILE", "ECONNABORTED"],
    "setsockopt": ["ENOPROTOOPT"], "getsockopt": ["ENOBUFS"], "getsockname": ["ENOBUFS"], "getpeername": ["ENOTCONN"], "shutdown": ["ENOTCONN"],
    "recvmmsg": ["ENOMEM", "EINTR"], "sendmmsg": ["ENOBUFS", "EPERM"], "recvmsg": ["ENOMEM"], "sendmsg": ["ENOBUFS"], "recvfrom": ["ECONNRESET", "EINTR"], "sendto": ["EPIPE", "ENOBUFS"],
    "read@socket": ["ECONNRESET"], "write@socket": ["EPIPE"], "writev@socket": ["EPIPE"], "read@pipe": ["EINTR"], "write@pipe": ["EAGAIN"], "sendfile": ["EIO"],
    "epoll_create1": ["EMFILE"], "epoll_ctl@1=1": ["ENOMEM"], "ppoll": ["EINTR", "ENOMEM"], "epoll_wait": ["EINTR"], "epoll_pwait": ["EINTR"], "poll": ["EINTR", "ENOMEM"],
    "eventfd2": ["EMFILE"], "timerfd_create": ["EMFILE"], "signalfd4": ["EMFILE"], "inotify_init1": ["EMFILE"], "inotify_add_watch": ["ENOSPC"], "pipe2": ["EMFILE"], "socketpair": ["EMFILE"],
    "getrandom": ["EIO"], "clone3": ["EAGAIN"], "clone": ["EAGAIN"], "setpriority": ["EPERM"], "prctl": ["EPERM"], "capset": ["EPERM"], "seccomp": ["ENOSYS", "EINVAL"],
    "landlock_create_ruleset": ["ENOSYS"], "landlock_add_rule": ["EINVAL"], "landlock_restrict_self": ["EPERM"], "sched_getaffinity": ["EINVAL"], "prlimit64": ["EPERM"],
    "sysinfo": ["EFAULT"], "uname": ["EFAULT"], "ioctl": ["EINVAL"],
}
# What may go on failing for ever: a full or broken disk, no descriptors, no memory, no entropy, no threads.
LASTING = {"write@/": "ENOSPC", "fsync": "EIO", "renameat": "EROFS", "unlinkat": "EROFS", "openat": "EMFILE", "socket": "EMFILE", "accept4": "EMFILE", "mmap": "ENOMEM",
           "getrandom": "EIO", "clone3": "EAGAIN", "read@/": "EIO", "inotify_add_watch": "ENOSPC", "connect": "ENETUNREACH", "epoll_ctl@1=1": "ENOSPC", "setsockopt": "ENOPROTOOPT", "poll": "ENOMEM"}
# Where a process may be killed: between any two steps of what it keeps.
KILLS = ("openat", "write@/", "fsync", "renameat", "unlinkat", "utimensat", "ftruncate", "mkdirat", "pwrite64@/")

GOLDEN = "kept.list.example"  # on the list that was saved before
DENIED = "kept.rule.example"  # a person's rule that was saved before
BUSY_MAX = 0.8  # of one processor, in half a second without load
LOG_MAX = 400  # lines


class Report:
    """What tests/faults/inject wrote."""

    def __init__(self, path):
        self.failed, self.counts = [], {}
        try:
            lines = open(path, errors="replace").read().splitlines()
        except FileNotFoundError:
            lines = []
        for line in lines:
            words = line.split(" ")
            if words[0] == "failed":
                self.failed.append(" ".join(words[1:]))
            elif words[0] == "count":
                self.counts[words[1]] = int(words[2])


class Machine:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="sinkhole-faults-")
        self.lists, self.upstream, self.number, self.files = ListServer(), Upstream(), 0, None
        self.golden = os.path.join(self.folder, "golden")
        os.mkdir(self.golden)
        self.url = self.lists.put("/list.txt", self.list_text())
        with self.start(self.golden) as s:
            s.wait_blocked(GOLDEN)
            if s.api.post("/api/domains/deny/exact", {"domain": DENIED}).status != 201:
                raise AssertionError("no rule could be made")
            self.secret = s.api.post("/api/sinkhole/keys", {"name": "kept", "read_only": False}).json["key"]["secret"]
            s.ask("counted.example")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lists.close()
        self.upstream.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def list_text(self):
        return f"{GOLDEN}\nversion{self.number}.example\n" + "".join(f"n{i}.list.example\n" for i in range(500))

    def start(self, state, **kw):
        return Sinkhole(lists=[self.url], upstream=self.upstream, state=state, ipv6=False, args=["--workers", "2", "--serve-stale", "off", "--rate-limit", "off"], **kw)

    def copy(self):
        state = os.path.join(self.folder, "state")
        shutil.rmtree(state, ignore_errors=True)
        shutil.copytree(self.golden, state)
        return state

    # ---- counting ----

    def count(self):
        """How often each kind of call is made in a whole life, and before main() begins."""
        rules = ",".join(f"{kind}:EIO:0" for kind in KINDS)
        before, path = {}, os.path.join(self.folder, "report")
        subprocess.run([INJECT, path, rules, daemon.BINARY, "version"], stdout=subprocess.DEVNULL, check=True)
        before = self.wait_counts(path)
        problems, report = self.life(rules, "whole")
        if problems:
            raise AssertionError("the life without a fault has problems: " + "; ".join(problems))
        return report.counts, before

    def wait_counts(self, path):
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            counts = Report(path).counts
            if counts:
                return counts
            time.sleep(0.01)
        raise AssertionError("the injector wrote no counts")

    # ---- one life ----

    def play(self, call, error, when):
        """The problems found, and what failed; the second is empty if the call was not made that often."""
        kind = "killed" if error == "KILL" else "lasting" if when.endswith("+") else "once"
        if call == "malloc":
            problems, report = self.life(None, kind, alloc=when)
        else:
            problems, report = self.life(f"{call}:{error}:{when}", kind)
        return problems, report.failed

    def life(self, rules, kind, alloc=None):
        """kind: whole (no fault), once, lasting, killed. rules: for the injector; or alloc: for the allocator (FAULT_ALLOC)."""
        self.number += 1
        self.lists.put("/list.txt", self.list_text())
        state, path = self.copy(), os.path.join(self.folder, "report")
        if os.path.exists(path):
            os.unlink(path)
        if alloc is None:
            s = self.start(state, prefix=[INJECT, path, rules], wait=False)
        else:
            s = self.start(state, env={"LD_PRELOAD": ALLOC, "FAULT_ALLOC": alloc, "FAULT_REPORT": path}, wait=False)
        self.problems, self.kind, self.daemon, self.report_path = [], kind, s, path
        try:
            if self.wait_start():
                self.live()
            self.end()
        except (AssertionError, OSError) as e:
            self.problem(f"{type(e).__name__}: {e}")
        finally:
            s.kill()
        if kind == "whole":
            self.wait_counts(path)
        self.again(state)
        return self.problems, Report(path)

    def count_allocations(self):
        """Before main() begins (the loader and constructors), and in a whole life."""
        path = os.path.join(self.folder, "report")
        subprocess.run([daemon.BINARY, "version"], env={**os.environ, "LD_PRELOAD": ALLOC, "FAULT_ALLOC": "0", "FAULT_REPORT": path},
                       stdout=subprocess.DEVNULL, check=True)
        before = Report(path).counts["malloc"]
        problems, report = self.life(None, "whole", alloc="0")
        if problems:
            raise AssertionError("the life without a fault has problems: " + "; ".join(problems))
        return report.counts["malloc"], before

    def problem(self, text):
        self.problems.append(text)

    def gone(self):
        return self.daemon.process.poll() is not None

    def wait_start(self):
        """True if it is ready; if it refuses, it must say why."""
        s, deadline = self.daemon, time.monotonic() + 15 * SLOW
        while not self.gone() and "ready after" not in s.log_text():
            if time.monotonic() > deadline:
                self.problem("neither ready nor ended in 15 s")
                return False
            if "(seccomp)" in s.log_text() and time.monotonic() - s.started > 1 * SLOW and self.answers():
                break  # it may be the log line that failed
            time.sleep(0.005)
        if not self.gone():
            return True
        s._reader.join(5)
        status, log = s.process.returncode, s.log_text()
        if self.kind == "killed":
            return False
        if status not in (1, 2, 127):
            self.problem(f"ended with {status} at the start")
        elif not any(word in log.lower() for word in ("error", "cannot", "sinkhole:", "expected", "memory", "while loading")):
            self.problem("refused to start without a word")
        return False

    def answers(self):
        try:
            return self.daemon.ask(GOLDEN, timeout=0.2).addresses == ["0.0.0.0"]
        except (OSError, Malformed):
            return False

    def live(self):
        if self.kind == "killed":
            self.use_until_killed()
            return
        try:
            self.use()
        except (OSError, AssertionError, ValueError, KeyError, http.client.HTTPException) as e:
            if not self.gone() and self.kind != "lasting":
                self.problem(f"in use: {type(e).__name__}: {e}")
        if self.gone():
            self.problem(f"ended by itself with {self.daemon.process.poll()}")
            return
        self.expect_blocked(GOLDEN)
        self.expect_blocked(DENIED)
        if self.kind == "lasting":
            self.check_idle()
        elif not self.works():
            self.problem("the upstream's answers are not delivered any more")

    def use_until_killed(self):
        try:
            self.use()
        except (OSError, AssertionError, ValueError, KeyError, http.client.HTTPException):
            pass
        self.problems = []  # only what it finds at the next start counts

    def use(self):
        """What a house does. A step that meets the fault may fail; tried again, it must work."""
        s = self.daemon
        tries = 1 if self.kind == "lasting" else 4
        names = iter(f"t{i}.tcp.example" for i in range(9))
        self.attempt(tries, lambda: s.ask(next(names), tcp=True, timeout=2.0 * SLOW).rcode == "NOERROR", "a question over TCP")
        with socket.socket() as silent:
            silent.settimeout(2)
            silent.connect(("127.0.0.1", s.port))
            silent.sendall(b"\0")
        self.attempt(tries, self.change_rule, "a rule")
        self.attempt(tries, self.change_list, "a new list")
        self.attempt(tries, self.look, "the API's answers")

    def attempt(self, tries, step, what):
        last = None
        for _ in range(tries):
            if self.gone():
                return
            try:
                if step():
                    return
            except (OSError, AssertionError, ValueError, KeyError, Malformed, http.client.HTTPException) as e:
                last = e
        if self.kind != "lasting" and not self.gone():
            self.problem(f"{what}: not in {tries} tries ({last!r})")

    def session(self):
        """A session by the token of the command line, else by the password."""
        token = os.path.join(self.daemon.state, "cli.token")
        password = open(token).read().strip() if os.path.exists(token) else daemon.PASSWORD
        for p in (password, daemon.PASSWORD):
            api = Api("127.0.0.1", self.daemon.http_port, p)
            r = api.request("POST", "/api/auth", {"password": p}, timeout=3 * SLOW)
            if r.status == 200:
                api.sid = r.json["session"]["sid"]
                return api
        raise ConnectionError(f"log-in: {r}")

    def change_rule(self):
        api, name = self.session(), f"new{self.number}.rule.example"
        status = api.post("/api/domains/deny/exact", {"domain": name}, timeout=4 * SLOW).status
        return status == 201 or name in str(api.get("/api/domains", timeout=3 * SLOW).json)

    def change_list(self):
        self.daemon.reload()
        deadline, name = time.monotonic() + 2.5 * SLOW, f"version{self.number}.example"
        while time.monotonic() < deadline and not self.gone():
            r = self.daemon.ask(name, timeout=1.0 * SLOW)
            if r.ede and r.ede[0] == 15:
                return True
            time.sleep(0.02)
        return False

    def look(self):
        api = self.session()
        return all(api.get(path, timeout=3 * SLOW).status == 200 for path in ("/api/stats/summary", "/api/queries", "/api/info/system", "/api/lists", "/metrics", "/"))

    def expect_blocked(self, name):
        for _ in range(4):
            try:
                if self.daemon.ask(name, timeout=1.0 * SLOW).addresses == ["0.0.0.0"]:
                    return
            except (TimeoutError, ConnectionError):
                pass
        self.problem(f"{name} is not blocked any more")

    def works(self):
        for i in range(4):
            try:
                if self.daemon.ask(f"u{i}.works.example", timeout=2.5 * SLOW).rcode == "NOERROR":
                    return True
            except (TimeoutError, ConnectionError):
                pass
        return False

    def check_idle(self):
        def used():
            with open(f"/proc/{self.daemon.pid}/stat") as f:
                words = f.read().rsplit(")", 1)[1].split()
            return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
        before = used()
        time.sleep(0.5)
        if used() - before > 0.5 * BUSY_MAX:
            self.problem(f"it spins: {used() - before:.2f} s of processor in 0.5 s")
        if self.daemon.log_mark() > LOG_MAX:
            self.problem(f"{self.daemon.log_mark()} lines of log")

    # ---- the end, and a plain start behind it ----

    def end(self):
        s = self.daemon
        if self.gone():
            return
        if self.kind == "killed":
            s.process.kill()
            s.process.wait()
            return
        if self.kind in ("whole", "once"):
            self.check_files()
        status = s.stop(8)
        if status != 0:
            self.problem(f"stopped with {status}")

    def check_files(self):
        """Descriptors once connections are gone, against a life without a fault."""
        deadline, files = time.monotonic() + 3 * SLOW, 0
        while time.monotonic() < deadline:
            files = len(os.listdir(f"/proc/{self.daemon.pid}/fd"))
            if self.files is None or files <= self.files:
                break
            time.sleep(0.05)
        if self.kind == "whole":
            self.files = files + 3  # sockets to the upstream and a list's connection come and go
        elif self.files is not None and files > self.files:
            self.problem(f"{files} descriptors, {self.files} without a fault")

    def again(self, state):
        try:
            with self.start(state) as s:
                log = s.log_text()
                for word in ("checksum", "damaged", "starting without", "start anew", "corrupt"):
                    if word in log:
                        self.problem(f"next start: {next(line for line in log.splitlines() if word in line)}")
                if Api("127.0.0.1", s.http_port).request("POST", "/api/auth", {"password": self.secret}).status != 200:
                    self.problem("next start: an app password is lost")
                api = Api("127.0.0.1", s.http_port, daemon.PASSWORD)
                if api.get("/api/stats/summary").json["queries"]["total"] == 0:
                    self.problem("next start: the statistics are lost")
                for name in (GOLDEN, DENIED):
                    if s.ask(name).addresses != ["0.0.0.0"]:
                        self.problem(f"next start: {name} is not blocked")
        except (AssertionError, OSError) as e:
            self.problem(f"next start: {e}")
        left = [str(p.relative_to(state)) for p in pathlib.Path(state).rglob("*") if p.name.endswith((".tmp", ".bad"))]
        if left:
            self.problem(f"left over: {left}")
        if self.problems:
            self.problems.append("log:\n" + "\n".join(self.daemon.log[-25:]))
