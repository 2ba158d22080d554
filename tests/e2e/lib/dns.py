"""DNS messages to and from octets: enough to ask, to answer, and to lie in any field. Reading is strict: what it accepts is well formed."""

import random
import socket
import struct

TYPES = {
    "A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "HINFO": 13, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "NAPTR": 35, "DNAME": 39,
    "OPT": 41, "DS": 43, "RRSIG": 46, "NSEC": 47, "DNSKEY": 48, "SVCB": 64, "HTTPS": 65, "TKEY": 249, "TSIG": 250, "IXFR": 251, "AXFR": 252,
    "MAILB": 253, "MAILA": 254, "ANY": 255,
}
TYPE_NAMES = {number: name for name, number in TYPES.items()}
RCODES = {"NOERROR": 0, "FORMERR": 1, "SERVFAIL": 2, "NXDOMAIN": 3, "NOTIMP": 4, "REFUSED": 5, "BADVERS": 16, "BADCOOKIE": 23}
RCODE_NAMES = {number: name for name, number in RCODES.items()}
CLASSES = {"IN": 1, "CH": 3, "NONE": 254, "ANY": 255}

QR, AA, TC, RD, RA, AD, CD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0020, 0x0010
OPT_NSID, OPT_ECS, OPT_COOKIE, OPT_KEEPALIVE, OPT_PADDING, OPT_EDE = 3, 8, 10, 11, 12, 15
COMPRESSED = {2, 5, 6, 12, 15}  # types whose names may be compressed (RFC 3597 4)


class Malformed(Exception):
    pass


def type_number(rtype):
    if isinstance(rtype, int):
        return rtype
    if rtype in TYPES:
        return TYPES[rtype]
    return int(rtype.removeprefix("TYPE"))


def type_name(number):
    return TYPE_NAMES.get(number, f"TYPE{number}")


def pack_name(name):
    """Presentation format (with \\DDD escapes) to wire format, letters as they are."""
    if name in (".", ""):
        return b"\0"
    out, label, i = bytearray(), bytearray(), 0
    name = name[:-1] if name.endswith(".") and not name.endswith("\\.") else name
    while i < len(name):
        c = name[i]
        if c == "\\" and name[i + 1:i + 4].isdigit() and len(name[i + 1:i + 4]) == 3:
            label.append(int(name[i + 1:i + 4]))
            i += 4
        elif c == "\\":
            label += name[i + 1].encode()
            i += 2
        elif c == ".":
            out += bytes([len(label)]) + label
            label = bytearray()
            i += 1
        else:
            label += c.encode()
            i += 1
    return bytes(out + bytes([len(label)]) + label + b"\0")


def label_text(label):
    out = ""
    for octet in label:
        c = chr(octet)
        out += "\\" + c if c in '.\\"();@$' else c if 0x21 <= octet <= 0x7E else f"\\{octet:03d}"
    return out


def unpack_name(data, pos):
    """(text without trailing dot, position after it). Pointers must go backwards."""
    labels, after, limit, octets = [], None, pos, 1
    while True:
        if pos >= len(data):
            raise Malformed("name runs past the end")
        length = data[pos]
        if length == 0:
            return ".".join(labels) or ".", after if after is not None else pos + 1
        if length & 0xC0 == 0xC0:
            if pos + 1 >= len(data):
                raise Malformed("pointer runs past the end")
            target = (length & 0x3F) << 8 | data[pos + 1]
            after = pos + 2 if after is None else after
            if target >= limit:
                raise Malformed("pointer does not go backwards")
            pos = limit = target
            continue
        if length & 0xC0:
            raise Malformed("reserved label type")
        octets += length + 1
        if octets > 255 or pos + 1 + length > len(data):
            raise Malformed("name too long or cut")
        labels.append(label_text(data[pos + 1:pos + 1 + length]))
        pos += 1 + length


def pack_text(value):
    """A TXT value: str or list of str/bytes, each a character-string."""
    parts = value if isinstance(value, (list, tuple)) else [value]
    out = b""
    for part in parts:
        part = part.encode() if isinstance(part, str) else part
        out += bytes([len(part)]) + part
    return out


def pack_rdata(rtype, value):
    """What a person would write, as octets. Octets stay as they are."""
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    number = type_number(rtype)
    if number == 1:
        return socket.inet_pton(socket.AF_INET, value)
    if number == 28:
        return socket.inet_pton(socket.AF_INET6, value)
    if number in (2, 5, 12, 39):
        return pack_name(value)
    if number == 15:
        preference, host = value.split()
        return struct.pack("!H", int(preference)) + pack_name(host)
    if number == 16:
        return pack_text(value)
    if number == 6:
        mname, rname, *numbers = value.split()
        return pack_name(mname) + pack_name(rname) + struct.pack("!5I", *map(int, numbers))
    if number == 33:
        priority, weight, port, host = value.split()
        return struct.pack("!3H", int(priority), int(weight), int(port)) + pack_name(host)
    raise ValueError(f"no text form for {type_name(number)}; give octets")


def show_rdata(number, data, pos, length):
    """Octets as a person would write them; strict: all must be used."""
    end = pos + length
    raw = data[pos:end]
    try:
        if number == 1:
            return socket.inet_ntop(socket.AF_INET, raw)
        if number == 28:
            return socket.inet_ntop(socket.AF_INET6, raw)
    except ValueError:
        raise Malformed(f"{type_name(number)} with {length} octets")
    if number in (2, 5, 12, 39):
        text, at = unpack_name(data[:end], pos)
    elif number == 15:
        text, at = unpack_name(data[:end], pos + 2)
        text = f"{struct.unpack('!H', raw[:2])[0]} {text}"
    elif number == 16:
        strings, at = [], pos
        while at < end:
            if at + 1 + data[at] > end:
                raise Malformed("TXT string runs past its record")
            strings.append('"' + data[at + 1:at + 1 + data[at]].decode("latin-1") + '"')
            at += 1 + data[at]
        text = " ".join(strings)
    elif number == 13:
        first = raw[1:1 + raw[0]].decode("latin-1")
        second = raw[2 + raw[0]:].decode("latin-1")
        return f'"{first}" "{second}"'
    elif number == 6:
        mname, at = unpack_name(data[:end], pos)
        rname, at = unpack_name(data[:end], at)
        if end - at != 20:
            raise Malformed("SOA length")
        text = f"{mname} {rname} " + " ".join(map(str, struct.unpack("!5I", data[at:end])))
        at = end
    elif number == 33:
        text, at = unpack_name(data[:end], pos + 6)
        text = "%d %d %d " % struct.unpack("!3H", raw[:6]) + text
    else:
        return f"\\# {length} {raw.hex()}"
    if at != end:
        raise Malformed(f"{type_name(number)} rdata has another length than its content")
    return text


class Record:
    """One record: name and type as text, ttl, raw octets of rdata, and rdata as text."""

    def __init__(self, name, rtype, value, ttl=300, klass=1):
        self.name, self.type, self.ttl, self.klass = name, type_name(type_number(rtype)), ttl, klass
        self.raw = pack_rdata(rtype, value)
        self.text = value if isinstance(value, str) else f"\\# {len(self.raw)} {self.raw.hex()}"

    def pack(self):
        return pack_name(self.name) + struct.pack("!HHIH", type_number(self.type), self.klass, self.ttl & 0xFFFFFFFF, len(self.raw)) + self.raw

    def __repr__(self):
        return f"{self.name} {self.ttl} {self.type} {self.text}"


class Edns:
    """An OPT record: options is a list of (code, octets)."""

    def __init__(self, size=1232, do=False, version=0, ext_rcode=0, options=(), flags=0):
        self.size, self.do, self.version, self.ext_rcode, self.options = size, do, version, ext_rcode, list(options)
        self.flags = flags | (0x8000 if do else 0)

    def option(self, code):
        return next((data for number, data in self.options if number == code), None)

    def pack(self):
        rdata = b"".join(struct.pack("!HH", code, len(data)) + data for code, data in self.options)
        return b"\0" + struct.pack("!HHBBHH", 41, self.size, self.ext_rcode, self.version, self.flags, len(rdata)) + rdata


class Message:
    """A message. Built by make_query or make_reply, or read by Message.parse."""

    def __init__(self, id=0, flags=0):
        self.id, self.flags = id, flags
        self.questions, self.answer, self.authority, self.additional = [], [], [], []
        self.edns = None

    # What tests look at.
    rcode = property(lambda self: RCODE_NAMES.get((self.edns.ext_rcode << 4 if self.edns else 0) | self.flags & 15, str(self.flags & 15)))
    tc = property(lambda self: bool(self.flags & TC))
    ra = property(lambda self: bool(self.flags & RA))
    aa = property(lambda self: bool(self.flags & AA))
    opcode = property(lambda self: self.flags >> 11 & 15)
    name = property(lambda self: self.questions[0][0])
    type = property(lambda self: type_name(self.questions[0][1]))
    klass = property(lambda self: self.questions[0][2])
    addresses = property(lambda self: [r.text for r in self.answer if r.type in ("A", "AAAA")])
    texts = property(lambda self: [f"{r.type} {r.text}" for r in self.answer])
    ttl = property(lambda self: self.answer[0].ttl)

    @property
    def ede(self):
        """(code, text) of the Extended DNS Error, or None."""
        data = self.edns.option(OPT_EDE) if self.edns else None
        return (struct.unpack("!H", data[:2])[0], data[2:].decode()) if data is not None else None

    def pack(self):
        out = struct.pack("!6H", self.id, self.flags, len(self.questions), len(self.answer), len(self.authority), len(self.additional) + (self.edns is not None))
        for name, rtype, klass in self.questions:
            out += pack_name(name) + struct.pack("!HH", rtype, klass)
        for record in self.answer + self.authority + self.additional:
            out += record.pack()
        return out + (self.edns.pack() if self.edns else b"")

    @staticmethod
    def parse(data):
        if len(data) < 12:
            raise Malformed("shorter than a header")
        id, flags, questions, *counts = struct.unpack("!6H", data[:12])
        m, pos = Message(id, flags), 12
        for _ in range(questions):
            name, pos = unpack_name(data, pos)
            if pos + 4 > len(data):
                raise Malformed("question is cut")
            m.questions.append((name, *struct.unpack("!HH", data[pos:pos + 4])))
            pos += 4
        for section, count in zip((m.answer, m.authority, m.additional), counts):
            for _ in range(count):
                pos = m._parse_record(data, pos, section)
        if pos != len(data):
            raise Malformed(f"{len(data) - pos} octets behind the message")
        return m

    def _parse_record(self, data, pos, section):
        name, pos = unpack_name(data, pos)
        if pos + 10 > len(data):
            raise Malformed("record is cut")
        number, klass, ttl, length = struct.unpack("!HHIH", data[pos:pos + 10])
        pos += 10
        if pos + length > len(data):
            raise Malformed("rdata runs past the end")
        if number == 41:
            if section is not self.additional or self.edns is not None or name != ".":
                raise Malformed("OPT out of place")
            self.edns = Edns(klass, bool(ttl & 0x8000), ttl >> 16 & 255, ttl >> 24, parse_options(data[pos:pos + length]), ttl & 0xFFFF)
        else:
            record = Record(name, number, data[pos:pos + length], ttl, klass)
            record.text = show_rdata(number, data, pos, length)
            section.append(record)
        return pos + length

    def __repr__(self):
        lines = [f"{self.rcode} id {self.id} flags {self.flags:#06x}" + (f" ede {self.ede}" if self.ede else "")]
        lines += [f"  ? {name} {type_name(rtype)}" for name, rtype, _ in self.questions]
        lines += [f"  {mark} {r}" for mark, section in (("=", self.answer), ("~", self.authority), ("+", self.additional)) for r in section]
        return "\n".join(lines)


def parse_options(rdata):
    options, pos = [], 0
    while pos < len(rdata):
        if pos + 4 > len(rdata):
            raise Malformed("EDNS option is cut")
        code, length = struct.unpack("!HH", rdata[pos:pos + 4])
        if pos + 4 + length > len(rdata):
            raise Malformed("EDNS option runs past its record")
        options.append((code, rdata[pos + 4:pos + 4 + length]))
        pos += 4 + length
    return options


def make_query(name, rtype="A", klass=1, id=None, flags=RD, edns=None):
    m = Message(random.randrange(65536) if id is None else id, flags)
    m.questions = [(name, type_number(rtype), klass)]
    m.edns = edns
    return m


def make_reply(query, answer=(), authority=(), additional=(), rcode="NOERROR", flags=0):
    m = Message(query.id, QR | RA | query.flags & (RD | CD) | RCODES[rcode] & 15 | flags)
    m.questions = list(query.questions)
    m.answer, m.authority, m.additional = list(answer), list(authority), list(additional)
    if query.edns is not None:
        m.edns = Edns(1232, do=query.edns.do, ext_rcode=RCODES[rcode] >> 4)
    return m


def soa(zone="example", ttl=60):
    return Record(zone, "SOA", f"ns.{zone}. hostmaster.{zone}. 1 7200 900 1209600 {ttl}", ttl)
