// One DNS question over UDP, from octets: names in tests need not be names that a library would send.
import dgram from "node:dgram";
import { randomInt } from "node:crypto";

const types = { A: 1, AAAA: 28, TXT: 16, HTTPS: 65, PTR: 12, MX: 15, SRV: 33 };

/** name: text with dots, or an array of labels (text or octets) that may hold anything. */
export function question(name, type) {
  const labels = (Array.isArray(name) ? name : name.split(".").filter((l) => l !== "")).map((l) => Buffer.from(l));
  const head = Buffer.from([0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  head.writeUInt16BE(randomInt(65536), 0);
  const tail = Buffer.alloc(5);
  tail.writeUInt16BE(types[type], 1);
  tail.writeUInt16BE(1, 3);
  return Buffer.concat([head, ...labels.flatMap((l) => [Buffer.from([l.length]), l]), tail]);
}

/** Asks and gives {rcode, answers, alias, blocked, data}; data: the first record's; blocked: it is a null address. from: who asks. */
export function ask(host, port, name, type = "A", from = undefined, timeoutMs = 4000) {
  return new Promise((done, fail) => {
    const query = question(name, type);
    const socket = dgram.createSocket(host.includes(":") ? "udp6" : "udp4");
    const timer = setTimeout(() => {
      socket.close();
      fail(new Error(`no answer for ${name}`));
    }, timeoutMs);
    socket.on("message", (m) => {
      if (m.readUInt16BE(0) !== query.readUInt16BE(0)) return;
      clearTimeout(timer);
      socket.close();
      const answers = m.readUInt16BE(6);
      // Our question comes back as it is, so the answer's record begins after it; its name is a pointer of two octets.
      const data = answers > 0 ? m.subarray(query.length + 12, query.length + 16) : Buffer.alloc(0);
      const alias = answers > 0 && m.readUInt16BE(query.length + 2) === 5; // the first record is a CNAME
      done({ rcode: m[3] & 15, answers, alias, data: [...data], blocked: answers > 0 && type === "A" && data.every((o) => o === 0) });
    });
    socket.bind(0, from, () => socket.send(query, port, host));
  });
}
