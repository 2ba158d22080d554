#!/usr/bin/env python3
"""What compiler and linker were told, looked at in the program that was built."""

import os
import re
import subprocess

from lib import *
from lib.daemon import SLOW


def readelf(*args):
    try:
        return subprocess.run(["readelf", "-W", *args, BINARY], capture_output=True, text=True, errors="replace", check=True).stdout
    except FileNotFoundError:
        skip("readelf (binutils) is not installed")


def release_only():
    if SLOW != 1 or "release" not in BINARY:
        skip("flags of the release build")


def symbols():
    return {re.sub(r"@.*", "", line.split()[7]) for line in readelf("--dyn-syms").splitlines() if len(line.split()) > 7}


@test
def it_can_be_loaded_anywhere():
    header, dynamic = readelf("-h"), readelf("-d")
    contains(header, "DYN (Position-Independent Executable file)")
    check(re.search(r"FLAGS_1.*\bPIE\b", dynamic), dynamic)
    check("TEXTREL" not in dynamic, "text is never relocated")


@test
def what_the_loader_wrote_is_read_only():
    release_only()
    check("GNU_RELRO" in readelf("-l"), "RELRO")
    check(re.search(r"BIND_NOW|FLAGS_1.*\bNOW\b", readelf("-d")), "all symbols are bound at the start, so the whole table is read-only")


@test
def no_memory_is_both_written_and_run():
    segments = [line.split() for line in readelf("-l").splitlines() if re.match(r"\s+(LOAD|GNU_STACK)\s", line)]
    check(any(s[0] == "GNU_STACK" for s in segments), "the stack's rights are stated")
    for s in segments:
        flags = "".join(s[6:-1])
        check(not ("W" in flags and "E" in flags), f"{' '.join(s)}")
        check(s[0] != "GNU_STACK" or "E" not in flags, "the stack holds no code")


@test
def stacks_and_buffers_are_watched():
    release_only()
    found = symbols()
    check("__stack_chk_fail" in found, "stack protector")
    checked = sorted(s for s in found if s.endswith("_chk"))
    check(len(checked) >= 6, f"_FORTIFY_SOURCE: {checked}")
    for plain in ("gets", "strcpy", "strcat", "sprintf", "vsprintf", "mktemp", "tmpnam", "system", "popen", "execve", "execvp", "dlopen"):
        check(plain not in found, f"{plain} is not used")


@test
def no_folder_is_searched_for_libraries():
    check(not re.search(r"RPATH|RUNPATH", readelf("-d")), "the loader looks in the system's folders only")


@test
def control_flow_is_marked():
    release_only()
    header = readelf("-h")
    if "X86-64" in header:
        contains(readelf("-n"), "SHSTK")
        main = subprocess.run(["objdump", "-d", "--no-show-raw-insn", "--disassemble=daemon_run", BINARY], capture_output=True, text=True).stdout
        check("endbr64" in main, "functions begin with a landing mark (CET)")
    elif "AArch64" in header:
        code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", "--disassemble=daemon_run", BINARY], capture_output=True, text=True).stdout
        check(re.search(r"\b(paciasp|bti)\b", code), "return addresses are signed")
    else:
        skip("nothing of the kind on this machine")


@test
def the_build_leaves_no_paths_of_its_machine():
    release_only()
    with open(BINARY, "rb") as f:
        text = f.read()
    section = readelf("-p", ".rodata")
    for home in {os.path.expanduser("~") + "/", str(ROOT) + "/"} - {"/"}:
        check(home not in section, f"{home} is in the program's strings")
    check(b"BEGIN PRIVATE KEY" not in text, "no key")


run()
