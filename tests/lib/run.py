#!/usr/bin/env python3
"""Runs test programs and counts what they say.

    run.py [OPTION | LABEL=COMMAND]...

Programs print TAP (version 13). Options hold for the programs behind them:

    --jobs N      run N of them at a time (default 1); programs before and behind another --jobs wait for each other
    --time S      kill one after S seconds (default 120)
    --env N=V     set a variable
    --status      the program prints no TAP: its exit status is one test
    --tap         back to TAP
    --only TEXT   leave out all programs without TEXT in their label

A program that prints no plan, fewer results than planned, ends with an error though all its tests passed, is killed by a signal or
runs too long counts as failed. Output of failed programs is shown in full. The last line is "N passed, N failed" and, if any
were skipped, ", N skipped"; the reasons stand above it. Exit status 1 if anything failed, or if nothing ran.
"""

import concurrent.futures
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time

RESULT = re.compile(r"^(not )?ok\b(?:\s+(\d+))?(?:\s*-?\s*(.*))?$")
PLAN = re.compile(r"^1\.\.(\d+)(?:\s*#\s*skip\w*\s*(.*))?$", re.IGNORECASE)
SKIP = re.compile(r"#\s*skip\w*\s*:?\s*(.*)$", re.IGNORECASE)
SHOWN_LINES = 400  # of the output of a failed program, at its end


class Program:
    def __init__(self, label, command, seconds, env, tap):
        self.label, self.command, self.seconds, self.env, self.tap = label, command, seconds, env, tap
        self.passed = self.failed = 0
        self.skipped, self.failures, self.output, self.took = [], [], "", 0.0

    def run(self):
        started = time.monotonic()
        status, late = self._run()
        self.took = time.monotonic() - started
        if self.tap:
            self._count(status, late)
        elif status == 0:
            self.passed = 1
        else:
            self._fail(f"killed after {self.seconds} s" if late else describe(status))

    def _run(self):
        try:
            process = subprocess.Popen(self.command, shell=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                       env={**os.environ, **self.env}, start_new_session=True)
        except OSError as e:
            self.output = str(e)
            return 127, False
        try:
            data, late = process.communicate(timeout=self.seconds)[0], False
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            data, late = process.communicate()[0], True
        try:
            os.killpg(process.pid, signal.SIGKILL)  # what it left behind
        except ProcessLookupError:
            pass
        self.output = data.decode("utf-8", "replace")
        return process.returncode, late

    def _fail(self, why):
        self.failed += 1
        self.failures.append(why)

    def _count(self, status, late):
        plan, seen = None, 0
        for line in self.output.splitlines():
            planned = PLAN.match(line)
            if planned:
                plan = int(planned.group(1))
                if plan == 0:
                    self.skipped.append(planned.group(2) or "no reason given")
                continue
            if line.startswith("Bail out!"):
                self._fail(line)
                continue
            result = RESULT.match(line)
            if not result:
                continue
            seen += 1
            name, skip = result.group(3) or f"test {seen}", SKIP.search(line)
            if result.group(1) and not skip:  # cmocka writes "not ok # SKIP": the directive counts
                self._fail(name)
            elif skip:
                self.skipped.append(": ".join(filter(None, [name.split("#")[0].strip(" -"), skip.group(1) or "no reason given"])))
            else:
                self.passed += 1
        if late:
            self._fail(f"killed after {self.seconds} s")
        elif status < 0:
            self._fail(describe(status))
        if plan is None:
            if not late:
                self._fail("no plan (1..N): it did not run to its end, or prints no TAP")
        elif seen < plan:
            if not late:
                self._fail(f"{plan - seen} of {plan} tests did not run")
        elif seen > plan:
            self._fail(f"{seen} tests ran, {plan} were planned")
        if status > 0 and not self.failed:
            self._fail(f"all tests passed, but it ended with {describe(status)}")


def describe(status):
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


def report(program, lock):
    with lock:
        mark = "FAIL" if program.failed else "ok  " if program.passed or not program.skipped else "skip"
        counts = f"{program.passed} passed" + (f", {program.failed} failed" if program.failed else "") + (f", {len(program.skipped)} skipped" if program.skipped else "")
        print(f"{mark} {program.label:<44} {counts}  {program.took:.1f} s", flush=True)
        if program.failed:
            lines = program.output.splitlines()
            print(f"---- {program.label}: {program.command}")
            if len(lines) > SHOWN_LINES:
                print(f"... {len(lines) - SHOWN_LINES} lines")
            print("\n".join(lines[-SHOWN_LINES:]))
            for why in program.failures:
                print(f"---- failed: {why}")
            print(flush=True)


def parse(args):
    """[(jobs, [Program])]"""
    groups, seconds, env, tap, only, i = [(1, [])], 120, {}, True, "", 0
    while i < len(args):
        arg = args[i]
        if arg in ("--jobs", "--time", "--env", "--only"):
            i += 1
            if i >= len(args):
                sys.exit(f"run.py: {arg} needs a value")
            if arg == "--env":
                name, _, value = args[i].partition("=")
                env = {**env, name: value}
            elif arg == "--time":
                seconds = int(args[i])
            elif arg == "--only":
                only = args[i]
            else:
                groups.append((int(args[i]), []))
        elif arg in ("--status", "--tap"):
            tap = arg == "--tap"
        elif "=" in arg and not arg.startswith("-"):
            label, _, command = arg.partition("=")
            if only in label:
                groups[-1][1].append(Program(label, command, seconds, env, tap))
        else:
            sys.exit(f"run.py: found {shlex.quote(arg)}, expected LABEL=COMMAND or an option")
        i += 1
    return groups


def main():
    groups, lock, started = parse(sys.argv[1:]), threading.Lock(), time.monotonic()

    def run(program):
        program.run()
        report(program, lock)

    for jobs, programs in groups:
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            list(pool.map(run, programs))
    programs = [p for _, group in groups for p in group]
    passed, failed = sum(p.passed for p in programs), sum(p.failed for p in programs)
    skipped = [(p.label, why) for p in programs for why in p.skipped]
    if not programs:
        sys.exit("run.py: nothing to run")
    print()
    for label, why in skipped:
        print(f"skipped: {label}: {why}")
    for p in programs:
        for why in p.failures:
            print(f"failed: {p.label}: {why}")
    print(f"{len(programs)} programs in {time.monotonic() - started:.0f} s")
    print(f"{passed} passed, {failed} failed" + (f", {len(skipped)} skipped" if skipped else ""), flush=True)
    sys.exit(1 if failed or passed + len(skipped) == 0 else 0)


if __name__ == "__main__":
    main()
