// A text as a QR code: byte mode, error correction level L, versions 1 to 9 (ISO/IEC 18004). Enough for 230 octets.

interface Shape {
  data: number; // codewords of data in all
  check: number; // of correction, a block
  blocks: number;
  align: number[]; // centres of alignment patterns
}

const shapes: Shape[] = [
  { data: 19, check: 7, blocks: 1, align: [] },
  { data: 34, check: 10, blocks: 1, align: [6, 18] },
  { data: 55, check: 15, blocks: 1, align: [6, 22] },
  { data: 80, check: 20, blocks: 1, align: [6, 26] },
  { data: 108, check: 26, blocks: 1, align: [6, 30] },
  { data: 136, check: 18, blocks: 2, align: [6, 34] },
  { data: 156, check: 20, blocks: 2, align: [6, 22, 38] },
  { data: 194, check: 24, blocks: 2, align: [6, 24, 42] },
  { data: 232, check: 30, blocks: 2, align: [6, 26, 46] },
];

/** Product in GF(256) with x^8 + x^4 + x^3 + x^2 + 1. */
function times(a: number, b: number): number {
  let p = 0;
  for (let i = 7; i >= 0; i--) p = (p << 1) ^ ((p >> 7) * 0x11d) ^ (((b >> i) & 1) * a);
  return p;
}

/** Reed-Solomon: what is left of data · x^n divided by the product of (x - 2^i), i < n. */
function correction(data: number[], n: number): number[] {
  const generator = new Array<number>(n).fill(0);
  generator[n - 1] = 1;
  for (let i = 0, root = 1; i < n; i++, root = times(root, 2))
    for (let j = 0; j < n; j++) generator[j] = times(generator[j]!, root) ^ (generator[j + 1] ?? 0);
  const rest = new Array<number>(n).fill(0);
  for (const d of data) {
    const factor = d ^ rest.shift()!;
    rest.push(0);
    generator.forEach((g, j) => (rest[j]! ^= times(g, factor)));
  }
  return rest;
}

/** The octets in the order in which they are drawn: blocks of data interleaved, then their corrections. */
function codewords(text: Uint8Array, s: Shape): number[] {
  const bits: number[] = [];
  const put = (v: number, n: number) => {
    for (let i = n - 1; i >= 0; i--) bits.push((v >> i) & 1);
  };
  put(4, 4);
  put(text.length, 8);
  text.forEach((o) => put(o, 8));
  put(0, Math.min(4, s.data * 8 - bits.length));
  while (bits.length % 8 !== 0) bits.push(0);
  const data: number[] = [];
  for (let i = 0; i < bits.length; i += 8) data.push(bits.slice(i, i + 8).reduce((v, b) => 2 * v + b, 0));
  for (let pad = 0xec; data.length < s.data; pad ^= 0xec ^ 0x11) data.push(pad);
  const size = s.data / s.blocks;
  const blocks = Array.from({ length: s.blocks }, (_, i) => data.slice(i * size, (i + 1) * size));
  const checks = blocks.map((b) => correction(b, s.check));
  const woven = (of: number[][]) => of[0]!.flatMap((_, i) => of.map((b) => b[i]!));
  return [...woven(blocks), ...woven(checks)];
}

const masks: ((x: number, y: number) => boolean)[] = [
  (x, y) => (x + y) % 2 === 0,
  (_, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

/** value with the remainder of its division by the generator behind it. */
function coded(value: number, generator: number, bits: number): number {
  let rest = value;
  for (let i = 0; i < bits; i++) rest = (rest << 1) ^ ((rest >> (bits - 1)) * generator);
  return (value << bits) | rest;
}

class Picture {
  readonly dark: boolean[][];
  readonly fixed: boolean[][]; // patterns, not data

  constructor(readonly size: number) {
    const grid = () => Array.from({ length: size }, () => new Array<boolean>(size).fill(false));
    this.dark = grid();
    this.fixed = grid();
  }

  set(x: number, y: number, dark: boolean): void {
    if (x < 0 || y < 0 || x >= this.size || y >= this.size) return;
    this.dark[y]![x] = dark;
    this.fixed[y]![x] = true;
  }

  /** Concentric squares: finders (reach 4, with their quiet ring) and alignment patterns (reach 2). */
  eye(x: number, y: number, reach: number): void {
    for (let dy = -reach; dy <= reach; dy++)
      for (let dx = -reach; dx <= reach; dx++) {
        const ring = Math.max(Math.abs(dx), Math.abs(dy));
        this.set(x + dx, y + dy, reach === 4 ? ring !== 2 && ring !== 4 : ring !== 1);
      }
  }

  patterns(version: number, align: number[]): void {
    const last = this.size - 1;
    for (let i = 0; i < this.size; i++) {
      this.set(6, i, i % 2 === 0);
      this.set(i, 6, i % 2 === 0);
    }
    const corner = (a: number, b: number) => (a === 6 && b === 6) || (a === 6 && b === last - 6) || (a === last - 6 && b === 6);
    for (const a of align) for (const b of align) if (!corner(a, b)) this.eye(a, b, 2);
    this.eye(3, 3, 4);
    this.eye(last - 3, 3, 4);
    this.eye(3, last - 3, 4);
    if (version >= 7) {
      const bits = coded(version, 0x1f25, 12);
      for (let i = 0; i < 18; i++) {
        const dark = ((bits >> i) & 1) === 1;
        const [a, b] = [this.size - 11 + (i % 3), Math.floor(i / 3)];
        this.set(a, b, dark);
        this.set(b, a, dark);
      }
    }
    this.format(0);
  }

  /** Level L and the mask, twice. */
  format(mask: number): void {
    const bits = coded((1 << 3) | mask, 0x537, 10) ^ 0x5412;
    const bit = (i: number) => ((bits >> i) & 1) === 1;
    const last = this.size - 1;
    for (let i = 0; i < 15; i++) {
      const near = i < 6 ? i : i < 8 ? i + 1 : 14 - i + (i === 8 ? 1 : 0);
      if (i < 8) this.set(8, near, bit(i));
      else this.set(near, 8, bit(i));
      if (i < 8) this.set(last - i, 8, bit(i));
      else this.set(8, last - 14 + i, bit(i));
    }
    this.set(8, last - 7, true);
  }

  /** Two columns at a time from the right, up and down in turn, around the patterns. */
  data(words: number[]): void {
    let i = 0;
    for (let right = this.size - 1; right >= 1; right -= 2) {
      if (right === 6) right = 5;
      const up = ((right + 1) & 2) === 0;
      for (let step = 0; step < this.size; step++) {
        const y = up ? this.size - 1 - step : step;
        for (const x of [right, right - 1]) {
          if (this.fixed[y]![x]) continue;
          this.dark[y]![x] = i < words.length * 8 && ((words[i >> 3]! >> (7 - (i & 7))) & 1) === 1;
          i++;
        }
      }
    }
  }

  mask(n: number): void {
    const test = masks[n]!;
    this.dark.forEach((row, y) => row.forEach((_, x) => !this.fixed[y]![x] && test(x, y) && (row[x] = !row[x])));
  }

  /** How hard it is to read: runs, blocks, shapes like a finder, too much of one colour. */
  penalty(): number {
    let sum = 0;
    let all = 0;
    const line = (at: (i: number) => boolean) => {
      let text = "";
      for (let i = 0; i < this.size; i++) text += at(i) ? "1" : "0";
      for (const run of text.match(/0{5,}|1{5,}/g) ?? []) sum += run.length - 2;
      for (let i = 0; i + 11 <= this.size; i++) if (/^(10111010000|00001011101)/.test(text.slice(i, i + 11))) sum += 40;
    };
    for (let i = 0; i < this.size; i++) {
      line((x) => this.dark[i]![x]!);
      line((y) => this.dark[y]![i]!);
    }
    this.dark.forEach((row, y) =>
      row.forEach((d, x) => {
        all += d ? 1 : 0;
        const below = this.dark[y + 1];
        if (below && x + 1 < this.size && d === row[x + 1] && d === below[x] && d === below[x + 1]) sum += 3;
      }),
    );
    return sum + 10 * Math.floor(Math.abs((all * 20) / this.size ** 2 - 10));
  }
}

/** Rows of dark (true) and light squares, without the quiet zone of four. Null: too long. */
export function qr(text: string): boolean[][] | null {
  const octets = new TextEncoder().encode(text);
  const at = shapes.findIndex((s) => octets.length + 2 <= s.data);
  const s = shapes[at];
  if (!s) return null;
  const words = codewords(octets, s);
  let best: Picture | null = null;
  let least = Infinity;
  for (let m = 0; m < masks.length; m++) {
    const p = new Picture(21 + 4 * at);
    p.patterns(at + 1, s.align);
    p.data(words);
    p.mask(m);
    p.format(m);
    const hard = p.penalty();
    if (hard < least) [best, least] = [p, hard];
  }
  return best!.dark;
}
