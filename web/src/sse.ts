// A reader for text/event-stream over fetch: unlike EventSource it can send the CSRF header and see a 404.

export interface ServerEvent {
  event: string;
  data: string;
}

/** Takes chunks of text as they come, gives whole events. Comments, ids and retry times are skipped. */
export class SseParser {
  #rest = "";
  #event = "";
  #data: string[] = [];

  push(chunk: string): ServerEvent[] {
    const out: ServerEvent[] = [];
    // A CR at the end may be half of a CRLF: wait for what follows.
    const text = this.#rest + chunk;
    const held = text.endsWith("\r") ? 1 : 0;
    const lines = text.slice(0, text.length - held).split(/\r\n|\r|\n/);
    this.#rest = (lines.pop() ?? "") + (held ? "\r" : "");
    for (const line of lines) {
      if (line === "") {
        if (this.#data.length > 0) out.push({ event: this.#event || "message", data: this.#data.join("\n") });
        this.#event = "";
        this.#data = [];
      } else {
        this.#field(line);
      }
    }
    return out;
  }

  #field(line: string): void {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") this.#event = value;
    if (name === "data") this.#data.push(value);
  }
}
