// Text on its ground in both colour schemes, by the formula of WCAG 2.2 (relative luminance, contrast ratio): 4.5 at least.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const css = readFileSync(new URL("../../web/src/style.css", import.meta.url), "utf8");
const [light = "", dark = ""] = [...css.matchAll(/:root\s*\{([^}]*)\}/g)].map((m) => m[1]);

function colours(block: string): Map<string, string> {
  return new Map([...block.matchAll(/(--[a-z-]+):\s*(#[0-9a-f]{6})/g)].map((m) => [m[1]!, m[2]!]));
}

function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((i) => {
    const c = parseInt(hex.slice(i, i + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p) as [number, number];
  return (x + 0.05) / (y + 0.05);
}

const pairs: [string, string[]][] = [
  ["--text", ["--ground", "--panel", "--raised", "--warn-soft", "--forwarded-soft"]],
  ["--muted", ["--ground", "--panel", "--raised"]],
  ["--on-accent", ["--accent"]],
  ["--blocked", ["--panel", "--blocked-soft"]],
  ["--forwarded", ["--forwarded-soft"]],
  ["--cached-text", ["--cached-soft"]],
  ["--warn", ["--panel", "--warn-soft"]],
  ["--ground", ["--text"]],
];

for (const [name, block] of [
  ["light", light],
  ["dark", dark],
] as const) {
  test(`${name}: text can be read`, () => {
    const c = colours(block);
    for (const [text, grounds] of pairs) {
      for (const ground of grounds) {
        const ratio = contrast(c.get(text)!, c.get(ground)!);
        assert.ok(ratio >= 4.5, `${text} on ${ground}: ${ratio.toFixed(2)}`);
      }
    }
  });

  // Borders of fields and graphical marks: 3 (WCAG 1.4.11).
  test(`${name}: edges and marks can be seen`, () => {
    const c = colours(block);
    for (const mark of ["--edge", "--accent", "--blocked", "--forwarded"]) {
      const ratio = contrast(c.get(mark)!, c.get("--panel")!);
      assert.ok(ratio >= 3, `${mark}: ${ratio.toFixed(2)}`);
    }
  });
}
