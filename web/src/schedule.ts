// Weekly times as the server writes them: "mon-fri,sun 21:00-06:30 services tiktok roblox".

export const dayNames = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

export type Action = "block" | "pause" | "services" | "lists";

export interface Schedule {
  days: boolean[]; // Monday first: the days on which it begins
  from: string; // "21:00"
  to: string; // "06:30"; not after `from`: on the next day
  action: Action;
  what: string[]; // of services and lists
}

function readDays(text: string): boolean[] | null {
  const days = dayNames.map(() => false);
  if (text === "daily") return days.map(() => true);
  for (const part of text.split(",")) {
    const [from = "", to = from] = part.split("-");
    const [a, b] = [dayNames.indexOf(from), dayNames.indexOf(to)];
    if (a < 0 || b < 0) return null;
    for (let d = a; ; d = (d + 1) % 7) {
      days[d] = true;
      if (d === b) break;
    }
  }
  return days;
}

/** Null: not in a form that this page can edit. */
export function parseSchedule(text: string): Schedule | null {
  const m = /^(\S+)\s+(\d\d?:\d\d)-(\d\d?:\d\d)(?:\s+(block|pause|services|lists))?(.*)$/i.exec(text.trim());
  const days = m && readDays(m[1]!.toLowerCase());
  if (!m || !days) return null;
  const what = m[5]!.split(/[\s,]+/).filter((w) => w !== "");
  return {
    days,
    from: m[2]!.padStart(5, "0"),
    to: m[3]!.padStart(5, "0"),
    action: (m[4]?.toLowerCase() ?? "block") as Action,
    what,
  };
}

export function formatSchedule(s: Schedule): string {
  const days = s.days.every(Boolean) ? "daily" : dayNames.filter((_, i) => s.days[i]).join(",");
  return [`${days} ${s.from}-${s.to} ${s.action}`, ...s.what].join(" ");
}

/** "Mon–Fri", "Mon, Wed", "every day" */
export function dayWords(days: boolean[]): string {
  if (days.every(Boolean)) return "every day";
  const name = (i: number) => dayNames[i]!.charAt(0).toUpperCase() + dayNames[i]!.slice(1);
  const out: string[] = [];
  for (let i = 0; i < 7; i++) {
    if (!days[i]) continue;
    let j = i;
    while (j < 6 && days[j + 1]) j++;
    out.push(j > i + 1 ? `${name(i)}–${name(j)}` : j > i ? `${name(i)}, ${name(j)}` : name(i));
    i = j;
  }
  return out.join(", ") || "never";
}
