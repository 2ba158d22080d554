// The query log as a file.
import { csvField, visible } from "./text.ts";
import type { Query } from "./types.ts";

const columns = [
  "time",
  "domain",
  "type",
  "status",
  "client_ip",
  "client_name",
  "reply",
  "reply_s",
  "upstream",
  "alias",
  "list_id",
];

export function toCsv(rows: Query[]): string {
  const lines = rows.map((q) =>
    [
      new Date(q.time * 1000).toISOString(),
      visible(q.domain),
      q.type,
      q.status,
      q.client.ip,
      q.client.name === null ? null : visible(q.client.name),
      q.reply.type,
      q.reply.time,
      q.upstream,
      q.cname === null ? null : visible(q.cname),
      q.list_id,
    ]
      .map(csvField)
      .join(","),
  );
  return [columns.join(","), ...lines, ""].join("\r\n");
}

export function toJsonLines(rows: Query[]): string {
  return rows.map((q) => JSON.stringify(q) + "\n").join("");
}

/** Has the browser save what is at an address. */
export function follows(url: string, name = ""): void {
  const a = document.createElement("a");
  a.href = url;
  a.download = name;
  a.click();
}

export function download(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  follows(url, name);
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
