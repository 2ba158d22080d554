#!/usr/bin/env python3
"""
Instructions that the HOT functions take, counted by callgrind, against recorded budgets: a guard against drift. Seconds would depend on the machine.

    check.py PROGRAM CC [--record]

Each count_NAME of PROGRAM (hot.c) is one test: it fails when a call takes more than DRIFT_PCT percent above its row in budgets.tsv (compiler and
processor, name, instructions a call). Skipped, with the reason, where there is no valgrind or no row for this compiler. --record writes the rows
of this compiler anew. A real gain is recorded as well, so that it is not lost again.
"""

import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

DRIFT_PCT = 3
BUDGETS = pathlib.Path(__file__).with_name("budgets.tsv")


def compiler(cc):
    """gcc-12/x86_64"""
    text = subprocess.run([*cc.split(), "--version"], capture_output=True, text=True).stdout
    kind = "clang" if "clang" in text else "gcc"
    version = re.search(r"(\d+)\.\d+\.\d+", text)
    return f"{kind}-{version.group(1) if version else '?'}/{platform.machine()}"


def count(program):
    """Instructions a call of each count_NAME, with all that it calls; the program prints how often each one did its work."""
    with tempfile.TemporaryDirectory(prefix="sinkhole-count-") as folder:
        run = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", program], capture_output=True, text=True,
                             env={**os.environ, "SINKHOLE_SHARED": "/nonexistent"})
        if run.returncode != 0:
            raise RuntimeError(run.stdout + run.stderr)
        calls = {name: int(n) for name, n in (line.split() for line in run.stdout.splitlines())}
        told = subprocess.run(["callgrind_annotate", "--inclusive=yes", "--threshold=100", "--auto=no", f"{folder}/out"], capture_output=True, text=True, check=True)
        total = {name: int(n.replace(",", "")) for n, name in re.findall(r"^ *([\d,]+) .*:count_(\w+)", told.stdout, re.M)}
        return {name: total[name] / calls[name] for name in calls}


def budgets():
    rows = {}
    for line in BUDGETS.read_text().splitlines() if BUDGETS.exists() else []:
        if line and line[0] != "#":
            kind, name, number = line.split("\t")
            rows.setdefault(kind, {})[name] = float(number)
    return rows


def record(kind, counted):
    rows = {**budgets(), kind: counted}
    with open(BUDGETS, "w") as f:
        f.write("# compiler and processor, HOT function (count_NAME of hot.c), instructions a call; written by `make instructions-record`\n")
        for k in sorted(rows):
            f.writelines(f"{k}\t{name}\t{number:.1f}\n" for name, number in sorted(rows[k].items()))


def main():
    program, cc = sys.argv[1:3]
    if not shutil.which("valgrind"):
        print("1..0 # skip no valgrind")
        return
    kind = compiler(cc)
    if "--record" in sys.argv:
        counted = count(program)
        old = budgets().get(kind, {})
        record(kind, counted)
        for name, n in sorted(counted.items()):
            print(f"{name:20} {n:8.1f}" + (f"  was {old[name]:.1f}" if name in old else ""))
        return
    wanted = budgets().get(kind)
    if not wanted:
        print(f"1..0 # skip no budget for {kind}: make instructions-record")
        return
    counted = count(program)
    print(f"1..{len(wanted)}")
    for number, (name, most) in enumerate(sorted(wanted.items()), 1):
        n = counted.get(name)
        good = n is not None and n <= most * (1 + DRIFT_PCT / 100)
        print(f"{'ok' if good else 'not ok'} {number} - {name}: {'not counted' if n is None else f'{n:.1f}'} instructions a call, recorded {most:.1f}")
        if not good:
            print("# find out why; `make instructions-record` writes what is meant to be")
    sys.exit(0)


main()
