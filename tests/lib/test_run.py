#!/usr/bin/env python3
"""The runner itself: what must count as failed does."""

import os
import re
import subprocess
import sys

RUN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run.py")

# arguments, last line, exit status
ROWS = [
    (["a=printf '1..2\\nok 1 - x\\nok 2 - y\\n'"], "2 passed, 0 failed", 0),
    (["a=printf '1..2\\nok 1 - x\\nnot ok 2 - y\\n'; exit 1"], "1 passed, 1 failed", 1),
    (["a=printf '1..2\\nok 1 - x\\nok 2 - y # SKIP no browser\\n'"], "1 passed, 0 failed, 1 skipped", 0),
    (["a=printf '1..2\\nok 1 - x\\nnot ok 2 # SKIP y\\n'"], "1 passed, 0 failed, 1 skipped", 0),
    (["a=printf '1..0 # SKIP nothing here\\n'"], "0 passed, 0 failed, 1 skipped", 0),
    (["a=true"], "0 passed, 1 failed", 1),
    (["a=printf '1..2\\nok 1 - x\\n'"], "1 passed, 1 failed", 1),
    (["a=printf '1..1\\nok 1 - x\\nok 2 - y\\n'"], "2 passed, 1 failed", 1),
    (["a=printf '1..1\\nok 1 - x\\n'; exit 3"], "1 passed, 1 failed", 1),
    (["a=printf '1..1\\nok 1 - x\\n'; kill -SEGV $$"], "1 passed, 1 failed", 1),
    (["a=printf 'Bail out! no\\n'; exit 1"], "0 passed, 2 failed", 1),
    (["a=no-such-program-anywhere"], "0 passed, 1 failed", 1),
    (["--time", "1", "a=printf '1..1\\n'; sleep 30"], "0 passed, 1 failed", 1),
    (["--status", "a=true", "b=false", "--tap", "c=printf '1..1\\nok 1\\n'"], "2 passed, 1 failed", 1),
    (["--env", "X=7", "a=test $X = 7 && printf '1..1\\nok 1\\n'"], "1 passed, 0 failed", 0),
    (["--jobs", "2", "a=printf '1..1\\nok 1\\n'", "b=printf '1..1\\nnot ok 1\\n'; exit 1"], "1 passed, 1 failed", 1),
]

print(f"1..{len(ROWS) + 1}")
bad = 0
for number, (args, last, status) in enumerate(ROWS, 1):
    r = subprocess.run([sys.executable, RUN, *args], capture_output=True, text=True, timeout=60)
    fine = r.stdout.rstrip().splitlines()[-1] == last and r.returncode == status
    bad += not fine
    print(f"{'' if fine else 'not '}ok {number} - {args[-1].replace('#', '')[:60]!r}")
    if not fine:
        print("".join(f"# {line}\n" for line in r.stdout.splitlines()), end="")

r = subprocess.run([sys.executable, RUN, "a=printf '1..1\\nok 1 - x # SKIP no chromium\\n'"], capture_output=True, text=True)
fine = re.search(r"^skipped: a: x: no chromium$", r.stdout, re.M) is not None
print(f"{'' if fine else 'not '}ok {len(ROWS) + 1} - reasons of skipped tests are listed")
sys.exit(1 if bad or not fine else 0)
