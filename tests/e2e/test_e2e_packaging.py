#!/usr/bin/env python3
"""What an installation gets: files, the service's confinement, completion, the hardening of the program."""

import os
import re
import shutil
import subprocess
import tempfile

from lib import *
from lib.daemon import BINARY, ROOT


def run_in_tree(*args, **kw):
    return subprocess.run(args, cwd=ROOT, capture_output=True, text=True, timeout=120, **kw)


def need(program):
    if shutil.which(program) is None:
        skip(f"there is no {program} here")


@test
def install_puts_everything_in_place():
    need("make")
    with tempfile.TemporaryDirectory() as folder:
        def install():
            # The program that is tested is the one that is installed; nothing is built here.
            r = run_in_tree("make", "-s", "-o", BINARY, f"PROGRAM={BINARY}", "install", f"DESTDIR={folder}", "PREFIX=/usr")
            eq(r.returncode, 0, r.stderr + r.stdout)

        install()
        for path in ("usr/bin/sinkhole", "usr/share/man/man8/sinkhole.8", "usr/share/man/man5/sinkhole.conf.5", "usr/lib/systemd/system/sinkhole.service",
                     "usr/lib/sysusers.d/sinkhole.conf", "usr/share/bash-completion/completions/sinkhole", "etc/sinkhole/sinkhole.conf", "usr/share/doc/sinkhole/config.md"):
            check(os.path.isfile(os.path.join(folder, path)), path)
        installed = os.path.join(folder, "usr/bin/sinkhole")
        eq(subprocess.run([installed, "version"], capture_output=True, text=True).stdout, cli("version").stdout)
        with open(os.path.join(folder, "usr/lib/systemd/system/sinkhole.service")) as f:
            contains(f.read(), "ExecStart=/usr/bin/sinkhole run\n")
        conf = os.path.join(folder, "etc/sinkhole/sinkhole.conf")
        with open(conf, "w") as f:
            f.write("# changed\n")
        install()
        with open(conf) as f:
            eq(f.read(), "# changed\n", "a changed configuration is left as it is")
        check(os.path.isfile(conf + ".example"))


@test
def the_service_is_confined():
    need("systemd-analyze")
    with tempfile.TemporaryDirectory() as folder:
        unit = os.path.join(folder, "sinkhole.service")
        with open(os.path.join(ROOT, "packaging/systemd/sinkhole.service")) as f, open(unit, "w") as out:
            out.write(f.read().replace("@BINDIR@/sinkhole", BINARY).replace("Documentation=", "#"))
        r = run_in_tree("systemd-analyze", "security", "--offline=true", unit)
        found = re.search(r"Overall exposure level.*?: ([0-9.]+)", r.stdout)
        if found is None:
            skip("systemd-analyze cannot look at a file here")
        check(float(found.group(1)) <= 1.6, found.group(0))


def complete(*words):
    script = f'source {ROOT}/packaging/completions/sinkhole.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sinkhole; printf "%s\\n" "${{COMPREPLY[@]}}"'
    r = subprocess.run(["bash", "-c", script, "bash", BINARY, *words], capture_output=True, text=True, timeout=20)
    eq(r.stderr, "")
    return r.stdout.split()


@test
def bash_completes_commands_and_options():
    need("bash")
    eq(complete("che"), ["check"])
    eq(complete("re"), ["resume", "restore"])
    eq(complete("log", "--fo"), ["--follow"])
    eq(complete("--cache"), ["--cache-entries"])
    eq(complete("help", "que"), ["query"])
    eq(complete("--block-mode", "no"), ["nodata"])
    check("check" in complete("config", ""))


@test
def the_program_is_hardened():
    need("readelf")
    if "release" not in BINARY:
        skip("only release builds are hardened")
    headers = run_in_tree("readelf", "-hldW", BINARY).stdout
    contains(headers, "DYN (Position-Independent Executable")
    contains(headers, "BIND_NOW")
    check(re.search(r"GNU_RELRO", headers))
    check(re.search(r"GNU_STACK\s+\S+\s+\S+\s+\S+\s+\S+\s+\S+\s+RW\s", headers), "the stack cannot be executed")
    check("RPATH" not in headers and "RUNPATH" not in headers)
    symbols = run_in_tree("readelf", "--dyn-syms", "-W", BINARY).stdout
    contains(symbols, "__stack_chk_fail")
    contains(symbols, "_chk@")
    if shutil.which("objdump"):  # the mark in the notes is lost by Debian's start-up files, so the code is looked at
        code = run_in_tree("objdump", "-d", "--no-show-raw-insn", BINARY).stdout
        check(len(re.findall(r"\t(?:endbr64|bti|paciasp)", code)) > 500, "functions begin with a landing pad")
    check("system@" not in symbols and "popen@" not in symbols, "it starts no other program")


run()
