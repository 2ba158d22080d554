// What tests read off the page and do to it.
import { join } from "node:path";
import { screenshots } from "./env.mjs";

/** The API as the page sees it. */
export const api = (page, path, method = "GET", body) =>
  page.evaluate(
    async ([p, m, b]) => {
      const csrf = localStorage.getItem("sinkhole.csrf");
      const r = await fetch("/api/" + p, {
        method: m,
        headers: csrf ? { "X-CSRF-TOKEN": csrf } : {},
        body: b && JSON.stringify(b),
      });
      return { status: r.status, json: r.headers.get("Content-Type")?.includes("json") ? await r.json() : null };
    },
    [path, method, body],
  );

export const number = (text) => Number(text.replace(/[^0-9.]/g, ""));
export const total = async (page, i) => number(await page.locator("#totals .value").nth(i).innerText());
export const rows = (page) => page.locator("table.log tbody tr:not(.day)");
export const names = (page) => page.locator("table.log td.what");
export const rowOf = (page, name) => rows(page).filter({ has: page.locator("td.what", { hasText: name }) });
export const overflow = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

export const tab = (page, id) => page.locator(`#tab-${id}`).click();

export async function features(page) {
  const r = await api(page, "sinkhole/status");
  return new Set(r.json?.features ?? []);
}

/** Where a picture of that name goes. */
export const picture = (name) => join(screenshots, name + ".png");

export const shoot = (page, name, options = { fullPage: true }) => page.screenshot({ path: picture(name), ...options });
