// What the tests run against: the mock API of web/dev, or with BASE_URL a daemon that runs already.
//
//   BASE_URL       http://127.0.0.1:8080
//   PASSWORD       its password
//   DNS            127.0.0.1:5300, where it answers
//   BLOCKED_NAME   a name that one of its lists blocks
//   ALLOWED_NAME   a name that its upstream knows
//   MORE_NAME      a name that is on one list alone
//   MORE_LIST      part of that list's address
//   ANOTHER        an upstream that gives other addresses, as an option has it
//   LISTS          a server, at an address that lists may come from, that gives what was PUT to it
//   BARE_METAL     it is the bare-metal image
//   SCREENSHOTS    folder for pictures, default build/screenshots
//   CHROMIUM       browser, default the one in the PATH
//   ONLY           run tests whose name has this in it
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { startMock } from "../../../web/dev/mock.mjs";
import { ask as askDns } from "./dns.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "../../..");

export const screenshots = process.env.SCREENSHOTS ?? join(root, "build/screenshots");
mkdirSync(screenshots, { recursive: true });

export async function launch() {
  const executablePath = process.env.CHROMIUM ?? execFileSync("which", ["chromium"], { encoding: "utf8" }).trim();
  const args = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ];
  return chromium.launch({ executablePath, args });
}

function daemon() {
  const at = process.env.DNS ?? "127.0.0.1:5300";
  const [host, port] = [at.slice(0, at.lastIndexOf(":")).replace(/^\[|\]$/g, ""), Number(at.slice(at.lastIndexOf(":") + 1))];
  return {
    url: process.env.BASE_URL.replace(/\/$/, ""),
    password: process.env.PASSWORD ?? "",
    blockedName: process.env.BLOCKED_NAME ?? "ads.example",
    allowedName: process.env.ALLOWED_NAME ?? "www.example",
    moreName: process.env.MORE_NAME ?? "metrics.example",
    moreList: process.env.MORE_LIST ?? "more.txt",
    mock: null,
    bareMetal: Boolean(process.env.BARE_METAL),
    putList: async (path, text) => {
      const r = await fetch(process.env.LISTS + path, { method: "PUT", body: text });
      if (!r.ok) throw new Error(`${path}: ${r.status}`);
      return process.env.LISTS + path;
    },
    ask: (name, type, from) => askDns(host, port, name, type, from), // from: the address that asks
    close: async () => {},
  };
}

export async function startEnvironment(options = {}) {
  if (process.env.BASE_URL) return daemon();
  const mock = await startMock({ rate: 0, count: 2000, web: join(root, "build/web"), ...options });
  const blocked = new Set(["GRAVITY", "DENYLIST", "REGEX"]);
  return {
    url: mock.url,
    password: "mock",
    blockedName: "ads.doubleclick.example",
    allowedName: "www.wikipedia.org",
    mock: mock.world,
    ask: async (name, type = "A") => {
      const domain = Array.isArray(name) ? name.join(".") : name;
      const r = await fetch(mock.url + "/mock/ask", { method: "POST", body: JSON.stringify({ domain, type }) });
      return { blocked: blocked.has((await r.json()).status) };
    },
    close: mock.close,
  };
}

/** The browser during one test. What it complains about, and each request that leaves the server, fails the test. */
export class Visit {
  constructor(browser, env) {
    Object.assign(this, { browser, env, contexts: [], trouble: [] });
  }

  async newPage(options = {}) {
    const context = await this.browser.newContext({ viewport: { width: 1280, height: 900 }, baseURL: this.env.url, ...options });
    this.contexts.push(context);
    context.on("console", (m) => {
      const text = m.text();
      if ((m.type() === "error" || m.type() === "warning") && !/Failed to load resource/.test(text))
        this.trouble.push(`console: ${text}`);
    });
    context.on("weberror", (e) => this.trouble.push(`error: ${e.error().message}`));
    context.on("dialog", (d) => {
      this.trouble.push(`dialog: ${d.message()}`);
      void d.dismiss();
    });
    context.on("request", (r) => {
      if (!r.url().startsWith(this.env.url + "/") && !/^(blob|data):/.test(r.url())) this.trouble.push(`request: ${r.url()}`);
    });
    return context.newPage();
  }

  verify() {
    if (this.trouble.length > 0) throw new Error(`the browser complained:\n${this.trouble.join("\n")}`);
  }

  async failed(name) {
    const page = this.contexts.at(-1)?.pages()[0];
    await page?.screenshot({ path: join(screenshots, `failed-${name.replace(/[^a-z0-9]+/gi, "-")}.png`) }).catch(() => {});
  }

  async close() {
    for (const c of this.contexts) await c.close();
  }
}

export async function login(page, env) {
  await page.goto(env.url + "/" + (new URL(page.url(), env.url).search ?? ""));
  await page.waitForSelector("#password, #totals");
  if (await page.locator("#password").count()) {
    await page.fill("#password", env.password);
    await page.keyboard.press("Enter");
  }
  await ready(page);
}

/** What each test gets: a page that is logged in, but for the test with the name `door`, and ways to open others. */
export function visits(browser, env, door) {
  let state; // cookies and storage of the first login, so that each test need not log in
  return async (name) => {
    const made = new Visit(browser, env);
    made.open = (options) => made.newPage({ storageState: state, ...options });
    made.fresh = () => made.newPage();
    made.remember = async (page) => void (state = await page.context().storageState());
    if (name !== door) {
      made.page = await made.open();
      await login(made.page, env);
      if (state === undefined) await made.remember(made.page);
    }
    return made;
  };
}

/** Until the page shows numbers and the log has been read. */
export async function ready(page) {
  await page.waitForSelector("#totals .value:not(:has(.skeleton-number))");
  await page.waitForSelector("#log table, #log .state");
}
