"""Tests as functions, results as TAP. A failed check raises; run() prints the traceback below the failed line."""

import signal
import sys
import time
import traceback

_tests = []
TEST_SECONDS = 60


class Skip(Exception):
    pass


class Failed(AssertionError):
    pass


def test(f=None, *, seconds=TEST_SECONDS):
    """Marks a test; its name says the behaviour."""
    if f is None:
        return lambda g: test(g, seconds=seconds)
    _tests.append((f, seconds))
    return f


def skip(reason):
    raise Skip(reason)


def fail(text):
    raise Failed(text)


def check(condition, text="condition does not hold"):
    if not condition:
        raise Failed(text() if callable(text) else text)


def eq(found, expected, text=""):
    if found != expected:
        raise Failed(f"{text + ': ' if text else ''}found {found!r}, expected {expected!r}")


def contains(text, part):
    if part not in text:
        raise Failed(f"{part!r} is not in {text!r}")


def wait_until(f, seconds=10.0, text="it did not happen in time", step=0.05):
    """Calls f until it gives something true, which is returned. f may raise meanwhile."""
    deadline, last = time.monotonic() + seconds, None
    while True:
        try:
            result = f()
            if result:
                return result
        except Failed as e:
            last = e
        except OSError as e:
            last = e
        if time.monotonic() > deadline:
            raise Failed(f"{text}{f' ({last})' if last else ''}")
        time.sleep(step)


def _alarm(*_):
    raise Failed("the test took too long")


def run():
    """Runs the tests (those whose name contains an argument, if there are arguments) and exits."""
    chosen = [t for t in _tests if not sys.argv[1:] or any(a in t[0].__name__ for a in sys.argv[1:])]
    print(f"1..{len(chosen)}", flush=True)
    failed = 0
    signal.signal(signal.SIGALRM, _alarm)
    for number, (f, seconds) in enumerate(chosen, 1):
        signal.alarm(seconds)
        try:
            f()
            line = f"ok {number} - {f.__name__}"
        except Skip as e:
            line = f"ok {number} - {f.__name__} # SKIP {e}"
        except BaseException as e:  # also SystemExit of a helper: the test did not end as it should
            if isinstance(e, KeyboardInterrupt):
                raise
            failed += 1
            line = f"not ok {number} - {f.__name__}\n" + "".join("# " + text + "\n" for text in traceback.format_exc().splitlines())
        finally:
            signal.alarm(0)
        print(line.rstrip("\n"), flush=True)
    sys.exit(1 if failed else 0)
