// Text from the network, made safe to look at. JSX puts strings into text nodes, so markup in a name is never markup;
// what is left is characters that a reader cannot see or that move other characters about.

export interface Piece {
  text: string;
  escaped: boolean;
}

// C0, DEL and C1 controls; soft hyphen; Arabic letter mark; zero-width characters, marks and joiners; line and paragraph
// separators; bidi embeddings, overrides and isolates; invisible operators; BOM; interlinear marks; lone surrogates; tags.
const unseen =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\u{e0000}-\u{e0fff}]/u;

function escapeOne(c: string): string {
  const code = c.codePointAt(0) ?? 0;
  if (code < 0x100) return "\\x" + code.toString(16).padStart(2, "0");
  return code < 0x10000 ? "\\u" + code.toString(16).padStart(4, "0") : "\\u{" + code.toString(16) + "}";
}

/** Splits a string into what can be shown as it is and escapes for what cannot be seen. */
export function pieces(s: string): Piece[] {
  const out: Piece[] = [];
  for (const c of s) {
    const escaped = unseen.test(c);
    const text = escaped ? escapeOne(c) : c;
    const last = out[out.length - 1];
    if (last && last.escaped === escaped) last.text += text;
    else out.push({ text, escaped });
  }
  return out;
}

/** The same as one string, for titles, labels and files. */
export function visible(s: string): string {
  return pieces(s)
    .map((p) => p.text)
    .join("");
}

/** One field of a CSV file (RFC 4180); a cell that a spreadsheet would run as a formula gets a quote in front. */
export function csvField(v: string | number | null): string {
  if (v === null) return "";
  let s = String(v);
  if (typeof v === "string" && /^[=+\-@\t\r]/.test(s)) s = "'" + s;
  return /[",\r\n]/.test(s) ? '"' + s.replace(/"/g, '""') + '"' : s;
}
