// Keys for the whole page: / searches, p pauses or resumes, l stops and follows the log, ? shows the keys.
import { signal } from "@preact/signals";
import { follow, following } from "./log.ts";

export const helpOpen = signal(false);

export const keyWords: [string, string][] = [
  ["/", "search the queries"],
  ["p", "pause or resume protection"],
  ["l", "hold or follow the query log"],
  ["↑ ↓", "step through the rows of the log"],
  ["← →", "step through the timeline; Enter picks a time"],
  ["Esc", "close, clear"],
  ["?", "show these keys"],
];

const writes = (t: EventTarget | null): boolean =>
  t instanceof HTMLElement && (t.isContentEditable || /^(INPUT|SELECT|TEXTAREA)$/.test(t.tagName));

function press(id: string): void {
  const b = document.getElementById(id);
  b?.focus();
  b?.click();
}

export function startKeys(): void {
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing || writes(e.target) || document.querySelector("dialog[open]")) return;
    if (e.key === "/") document.getElementById("search")?.focus();
    else if (e.key === "p") press(document.getElementById("resume") ? "resume" : "pause");
    else if (e.key === "l") follow(!following.value);
    else if (e.key === "?") helpOpen.value = true;
    else return;
    e.preventDefault();
  });
}
