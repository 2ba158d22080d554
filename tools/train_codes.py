#!/usr/bin/env python3
"""Makes src/blocklist/codes.inc: the code in which images store labels.

  train_codes.py NAMES... > src/blocklist/codes.inc      NAMES: text files (or .gz), one name a line, what follows a tab is ignored

Each character is coded by how likely it is after the one before it: one Huffman code for each of 38 characters and for the start of a label, at most
12 bits long. The longest code of each, all ones, belongs to no character, so that up to seven ones may fill the last octet without being taken for one.
The table is part of the image format: a new one needs a new BL_IMAGE_VERSION.
"""
import collections
import gzip
import random
import sys

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789-_"
SYMBOLS = ALPHABET + "."  # 38: '.' goes on to the next label of a run
LIMIT = 12
SAMPLE = 400000


def read_names(paths):
    names = set()
    for path in paths:
        with (gzip.open if path.endswith(".gz") else open)(path, "rt") as f:
            names.update(line.split("\t")[0].strip() for line in f)
    names.discard("")
    return names


def records(names):
    """The strings that the trie of these names would store: labels, with runs of only children joined by dots."""
    children = collections.defaultdict(set)
    for name in names:
        labels = name.split(".")
        for i in range(len(labels)):
            children[".".join(labels[i + 1:])].add(labels[i])
    out = []
    todo = [(sld, sld + "." + tld) for tld in children[""] for sld in children.get(tld, ())]
    while todo:
        text, full = todo.pop()
        while full not in names and len(children.get(full, ())) == 1:
            child = next(iter(children[full]))
            full = child + "." + full
            text += "." + child
        out.append(text)
        todo.extend((child, child + "." + full) for child in children.get(full, ()))
    return out


def lengths(frequency):
    """Package-merge: the best code lengths of at most LIMIT bits."""
    items = sorted((f, (s,)) for s, f in enumerate(frequency))
    packages = []
    for _ in range(LIMIT):
        merged = sorted(items + packages, key=lambda x: x[0])
        packages = [(a[0] + b[0], a[1] + b[1]) for a, b in zip(merged[::2], merged[1::2])]
    count = collections.Counter()
    for _, symbols in packages[:len(frequency) - 1]:
        count.update(symbols)
    return [count[s] for s in range(len(frequency))]


def main():
    strings = records(read_names(sys.argv[1:]))
    random.Random(1).shuffle(strings)
    rows = [[0] * len(SYMBOLS) for _ in range(len(ALPHABET) + 1)]  # the last row: start of a label
    start = len(ALPHABET)
    for text in strings[:SAMPLE]:
        context = start
        for c in text:
            s = SYMBOLS.index(c)
            rows[context][s] += 1
            context = start if c == "." else s
    print("/* Made by tools/train_codes.py. Row: the character before (row 38: the start of a label); column: the character, 38 being a dot;")
    print("   value: length << 12 | code. */")
    for row in rows:
        total = sum(row) + 1
        weights = [f * 1000000 // total + 20 for f in row] + [0]
        bits = lengths(weights)
        spare = len(SYMBOLS)
        assert max(bits) == bits[spare] >= 8
        code, last, codes = 0, 0, {}
        for length, symbol in sorted((b, s) for s, b in enumerate(bits)):
            code <<= length - last
            codes[symbol] = code
            code += 1
            last = length
        assert codes[spare] == (1 << bits[spare]) - 1 and code == 1 << last
        cells = ["0x%04x" % (bits[s] << 12 | codes[s]) for s in range(len(SYMBOLS))]
        print("{" + ", ".join(cells) + "},")


if __name__ == "__main__":
    main()
