#!/usr/bin/env python3
"""An authority for tests and certificates of servers at 10.0.2.2, good and bad ones, with openssl.

    make_ca.py FOLDER      writes ca.pem and good, name, expired, future, recent, stranger each as .pem (key and chain)
"""

import pathlib
import subprocess
import sys

CONFIG = """
[ca]
default_ca = c
[c]
dir = {folder}
new_certs_dir = {folder}
database = {folder}/index-{ca}.txt
rand_serial = yes
default_md = sha256
policy = p
unique_subject = no
[p]
commonName = supplied
[root]
basicConstraints = critical,CA:TRUE
keyUsage = keyCertSign,cRLSign
{leaves}"""

LEAVES = [  # name, authority, whom it is for, from, to
    ("good", "ca", "IP:10.0.2.2", "20200101000000Z", "20490101000000Z"),
    ("name", "ca", "DNS:other.example,IP:10.0.2.99", "20200101000000Z", "20490101000000Z"),
    ("expired", "ca", "IP:10.0.2.2", "20200101000000Z", "20210101000000Z"),
    ("future", "ca", "IP:10.0.2.2", "20480101000000Z", "20490101000000Z"),
    ("recent", "ca", "IP:10.0.2.2", "20300101000000Z", "20310101000000Z"),
    ("stranger", "other", "IP:10.0.2.2", "20200101000000Z", "20490101000000Z"),
]


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)


def key_and_request(folder, name, common_name):
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{folder}/{name}.key",
            "-out", f"{folder}/{name}.csr", "-subj", f"/CN={common_name}")


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    leaves = "".join(f"[leaf-{name}]\nbasicConstraints = CA:FALSE\nsubjectAltName = {alt}\n" for name, _, alt, _, _ in LEAVES)
    for ca in ("ca", "other"):
        (folder / f"index-{ca}.txt").write_text("")
        (folder / f"{ca}.cnf").write_text(CONFIG.format(folder=folder, ca=ca, leaves=leaves))
        key_and_request(folder, ca, f"Test authority {ca}")
        openssl("ca", "-batch", "-config", f"{folder}/{ca}.cnf", "-selfsign", "-keyfile", f"{folder}/{ca}.key", "-in", f"{folder}/{ca}.csr",
                "-out", f"{folder}/{ca}.pem", "-extensions", "root", "-startdate", "20200101000000Z", "-enddate", "20490101000000Z", "-notext")
    for name, ca, _, start, end in LEAVES:
        key_and_request(folder, name, f"Test server {name}")
        openssl("ca", "-batch", "-config", f"{folder}/{ca}.cnf", "-cert", f"{folder}/{ca}.pem", "-keyfile", f"{folder}/{ca}.key",
                "-in", f"{folder}/{name}.csr", "-out", f"{folder}/{name}.crt", "-extensions", f"leaf-{name}", "-startdate", start, "-enddate", end, "-notext")
        (folder / f"{name}.pem").write_text((folder / f"{name}.key").read_text() + (folder / f"{name}.crt").read_text())


main()
