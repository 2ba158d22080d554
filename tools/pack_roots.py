#!/usr/bin/env python3
"""PEM certificates to a C array: each certificate in DER after its length as four octets, big-endian (unikernel/net/tls.h)."""
import base64
import re
import struct
import sys

if len(sys.argv) != 2:
    sys.exit("usage: pack_roots.py BUNDLE.pem > roots.c")
with open(sys.argv[1], encoding="ascii") as bundle:
    pems = re.findall(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", bundle.read(), re.S)
if not pems:
    sys.exit(f"{sys.argv[1]}: no certificate found, expected PEM")
data = b"".join(struct.pack(">I", len(der)) + der for der in map(base64.b64decode, pems))
print("/* Made by tools/pack_roots.py. */\n#include \"net/roots.h\"\n")
print(f"const uint32_t root_certificates_len = {len(data)};")
print("const uint8_t root_certificates[] = {")
for i in range(0, len(data), 24):
    print("    " + ", ".join(f"{b}" for b in data[i:i + 24]) + ",")
print("};")
