// Numbers, times and windows in words.

const whole = new Intl.NumberFormat("en");

export function count(n: number): string {
  return whole.format(Math.round(n));
}

/** For narrow places: 48,211 · 1.24 M · 18.3 k above a hundred thousand. */
export function compact(n: number): string {
  if (n < 100_000) return count(n);
  const [unit, name] = n < 999_500 ? [1e3, "k"] : n < 999_500_000 ? [1e6, "M"] : [1e9, "G"];
  const v = n / unit;
  return v.toFixed(v < 10 ? 2 : v < 100 ? 1 : 0) + " " + name;
}

export function percent(part: number, all: number): string {
  if (all <= 0) return "0 %";
  const p = (100 * part) / all;
  if (p > 0 && p < 0.1) return "< 0.1 %";
  if (p > 99.9 && p < 100) return "> 99.9 %";
  return (p >= 99.95 || p === 0 ? p.toFixed(0) : p.toFixed(1)) + " %";
}

export function rate(perSecond: number): string {
  if (perSecond === 0) return "0";
  if (perSecond < 0.05) return "< 0.1";
  return perSecond < 100 ? perSecond.toFixed(1) : count(perSecond);
}

export function octets(n: number): string {
  if (n < 1024) return n + " B";
  const units = ["KB", "MB", "GB", "TB"];
  let i = -1;
  do {
    n /= 1024;
    i++;
  } while (n >= 1023.5 && i < units.length - 1);
  return (n < 10 ? n.toFixed(1) : n.toFixed(0)) + " " + units[i];
}

/** A latency: seconds in, ms or s in words out. */
export function latency(s: number): string {
  const ms = s * 1000;
  if (ms < 0.1) return "< 0.1 ms";
  if (ms < 10) return ms.toFixed(1) + " ms";
  return ms < 1000 ? ms.toFixed(0) + " ms" : s.toFixed(s < 10 ? 1 : 0) + " s";
}

function plural(n: number, unit: string): string {
  return count(n) + " " + unit + (n === 1 ? "" : "s");
}

/** "2 days 4 hours": the largest unit and, if it adds something, the next. */
export function duration(s: number): string {
  s = Math.max(0, Math.floor(s));
  const units: [number, string][] = [
    [86400, "day"],
    [3600, "hour"],
    [60, "minute"],
    [1, "second"],
  ];
  const i = units.findIndex(([len]) => s >= len);
  if (i < 0) return "0 seconds";
  const [len, unit] = units[i]!;
  const n = Math.floor(s / len);
  const next = units[i + 1];
  const rest = next ? Math.floor((s % len) / next[0]) : 0;
  return plural(n, unit) + (next && rest > 0 && n < 10 && i < 2 ? " " + plural(rest, next[1]) : "");
}

/** A countdown: 4:05 or 1:04:05. */
export function clock(s: number): string {
  s = Math.max(0, Math.ceil(s));
  const two = (n: number) => String(n).padStart(2, "0");
  const h = Math.floor(s / 3600);
  const m = Math.floor(s / 60) % 60;
  return h > 0 ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}

export function ago(then: number, now: number): string {
  if (then <= 0) return "never";
  const s = now - then;
  return s < 45 ? "just now" : duration(s < 3600 ? Math.max(60, s) : s).replace(/ \d+ (minute|hour)s?$/, "") + " ago";
}

const hm = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const hms = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short" });
const date = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

export const timeOfDay = (t: number): string => hm.format(t * 1000);
export const timeExact = (t: number): string => hms.format(t * 1000);
export const dayOf = (t: number): string => day.format(t * 1000);
export const dateOf = (t: number): string => date.format(t * 1000);

/** "14:00 to 14:10", with the days where they are needed. */
export function between(from: number, until: number, now: number): string {
  const sameDay = dayOf(from) === dayOf(until - 1);
  const today = sameDay && dayOf(from) === dayOf(now);
  const a = today ? timeOfDay(from) : `${dayOf(from)} ${timeOfDay(from)}`;
  return `${a} to ${sameDay ? timeOfDay(until) : `${dayOf(until)} ${timeOfDay(until)}`}`;
}

/**
 * The window of a number, in words that follow it: "in the last 24 hours". since: when counting began; a window that goes back to
 * then is told to the second, as "the last hour" would be longer than all there was.
 */
export function windowWords(from: number, until: number, since = -Infinity): string {
  const s = until - from;
  const spans: [number, string][] = [
    [3600, "in the last hour"],
    [86400, "in the last 24 hours"],
    [7 * 86400, "in the last 7 days"],
    [30 * 86400, "in the last 30 days"],
  ];
  const hit = spans.find(([len]) => Math.abs(s - len) <= len / 72 && until - since >= len);
  return hit ? hit[1] : `in the last ${duration(s).replace(/^1 (\w+)$/, "$1")}`;
}

/** "over the last minute", for means. */
export function meanWords(s: number): string {
  const one: Record<number, string> = { 1: "second", 60: "minute", 3600: "hour", 86400: "day" };
  return `over the last ${one[s] ?? duration(s)}`;
}
