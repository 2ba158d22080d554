// Names as people write them, made into what a rule takes.

/** What people type: a name with blanks, a scheme, a path or a final dot around it. */
export function tidyName(s: string): string {
  return s.trim().replace(/^[a-z]+:\/\//i, "").replace(/[/?#:].*$/, "").replace(/\.$/, "").toLowerCase();
}

/** A pattern for a name and all below it, as Pi-hole writes it. */
export function patternBelow(name: string): string {
  return `(\\.|^)${name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`;
}
