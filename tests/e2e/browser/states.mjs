// The page when things are missing or wrong: what the mock can be told to do and a daemon cannot. Always on the mock.
import { join } from "node:path";
import { launch, login, ready, screenshots, startEnvironment, Visit } from "./env.mjs";
import { assert, runAll, test, until } from "./tap.mjs";

delete process.env.BASE_URL;
const browser = await launch();

const word = (page) => page.locator(".strip h1").innerText();
const rows = (page) => page.locator("table.log tbody tr:not(.day)");

/** A page on a mock of its own, logged in unless told otherwise. */
async function at(visit, options = {}, { enter = true } = {}) {
  const env = await startEnvironment(options);
  visit.env = env;
  visit.envs.push(env);
  const page = await visit.newPage();
  if (enter) await login(page, env);
  return { page, env, world: env.mock };
}

test("without an events stream the page polls", async (visit) => {
  const { page, env } = await at(visit, { without: ["events"] });
  assert.equal(await page.locator(".live").innerText(), "Every 5 s");
  const name = `polled${Date.now()}.example`;
  await env.ask(name);
  await until(async () => (await rows(page).filter({ hasText: name }).count()) === 1, "row");
});

test("a server that has nothing beyond the contract gets a page without the rest", async (visit) => {
  const { page } = await at(visit, { without: ["sinkhole", "lists", "domains"] });
  assert.equal(await word(page), "Protecting");
  assert.equal(await page.locator("#lists, #tab-rules").count(), 0);
  assert.equal(await page.getByRole("group", { name: "Time shown" }).count(), 0);
  assert.ok((await page.locator(".facts").innerText()).includes("450,751"));
  await rows(page).first().locator("td.what button").click();
  await until(async () => (await page.locator("dialog.side").innerText()).includes("cannot say which rule decides"), "says so");
  assert.equal(await page.locator("dialog.side .change").count(), 0);
});

test("a server that goes away and comes back", async (visit) => {
  const { page, world } = await at(visit);
  world.down = true;
  for (const s of world.streams) s.destroy();
  await until(async () => (await word(page)) === "No answer", "says so");
  assert.match(await page.locator(".strip p").first().innerText(), /last that were known/);
  assert.equal(await page.locator("#pause").count(), 0);
  assert.equal(await page.title(), "No answer · sinkhole");
  await page.screenshot({ path: join(screenshots, "offline.png") });
  world.down = false;
  await page.getByRole("button", { name: "Try now" }).click();
  await until(async () => (await word(page)) === "Protecting", "back");
});

test("nothing there yet", async (visit) => {
  const { page } = await at(visit, { empty: true });
  assert.equal(await word(page), "No rules yet");
  for (const [id, text] of [
    ["timeline", "No queries"],
    ["top-blocked", "Nothing has been blocked"],
    ["top-clients", "No device"],
    ["lists", "No list is set"],
    ["log", "No queries yet"],
    ["rules", "None yet"],
  ]) {
    assert.ok((await page.locator("#" + id).innerText()).includes(text), id);
  }
  await page.screenshot({ path: join(screenshots, "empty.png"), fullPage: true });
});

test("a slow server shows shapes first, then numbers", async (visit) => {
  const { page, world } = await at(visit);
  world.slow = 700;
  await page.reload();
  await page.locator(".skeleton-number").first().waitFor();
  assert.equal(await word(page), "…");
  await page.screenshot({ path: join(screenshots, "loading.png") });
  world.slow = 0;
  await ready(page);
  assert.equal(await page.locator(".skeleton-number").count(), 0);
});

test("a session that ended leads to the door, and back to the same filter", async (visit) => {
  const { page, world } = await at(visit);
  await page.fill("#search", "wikipedia");
  await until(() => page.url().includes("q=wikipedia"), "filter");
  world.sessions.clear();
  for (const s of world.streams) s.destroy();
  await page.waitForSelector("#password", { timeout: 15_000 });
  await page.fill("#password", "mock");
  await page.keyboard.press("Enter");
  await ready(page);
  assert.equal(await page.inputValue("#search"), "wikipedia");
});

test("too many wrong passwords are answered in words", async (visit) => {
  const { page, world } = await at(visit, {}, { enter: false });
  world.failures = 99;
  await page.goto("/");
  await page.fill("#password", "x");
  await page.keyboard.press("Enter");
  await until(async () => (await page.locator("[role=alert]").innerText()).includes("Too many attempts"), "words");
});

test("no password: no door, and nothing to log out of", async (visit) => {
  const { page } = await at(visit, { password: null });
  assert.equal(await page.getByRole("button", { name: "Log out" }).count(), 0);
});

test("more queries than the stream carries end up in the log all the same", async (visit) => {
  const { page, world } = await at(visit);
  world.tick(200);
  const newest = () =>
    world.queries
      .slice(-25)
      .reverse()
      .map((q) => q.domain);
  await until(
    async () =>
      JSON.stringify((await page.locator("table.log td.what").allInnerTexts()).slice(0, 25)) === JSON.stringify(newest()),
    "the newest rows, none missing",
  );
});

test("rows do not move under the pointer", async (visit) => {
  const { page, env } = await at(visit);
  await rows(page).first().hover();
  const first = await rows(page).first().innerText();
  await env.ask("while.pointing.example");
  await until(async () => (await page.locator("#log .note").innerText()).startsWith("1 new"), "says that one waits");
  assert.equal(await rows(page).first().innerText(), first);
  await page.mouse.move(5, 5);
  await until(async () => (await rows(page).first().innerText()).includes("while.pointing.example"), "shown after");
});

test("a list that fails is told from one that is well", async (visit) => {
  const { page } = await at(visit);
  const row = page.locator("#lists tbody tr").filter({ hasText: "Phishing Army" });
  assert.match(await row.innerText(), /could not resolve host/);
  assert.match(await row.innerText(), /last good copy in use/);
  assert.match(await page.locator(".facts").innerText(), /1 could not be updated/);
  const waiting = page.locator("#lists tbody tr").filter({ hasText: "HaGeZi" });
  assert.match(await waiting.innerText(), /waits for you/);
  await waiting.getByRole("button", { name: "Look at it" }).click();
  const held = page.getByRole("dialog");
  await until(
    async () => /4,711 rules instead of 122,680[^]*Rules that go: 117,969/.test(await held.innerText()),
    "what it changes",
  );
  await held.getByRole("button", { name: "Take it" }).click();
  await until(async () => (await waiting.innerText()).includes("4,711"), "the new copy is in use");
  await page.getByText("9 lines not used").click();
  await until(async () => (await page.locator(".examples").innerText()).includes("<b>not a rule</b>"), "examples are text");
  await page.getByRole("button", { name: "Update now" }).click();
  await until(async () => (await page.locator(".toast").last().innerText()).startsWith("Lists updated"), "done");
});

test("hostile names in the top lists, the device list and the choice of devices are text", async (visit) => {
  const { page } = await at(visit, { hostile: true });
  await page.locator("#top-blocked li").first().waitFor();
  const text = await page.locator("main").innerText();
  for (const want of ["<script>alert(1)</script>.example", "<b>evil</b>\\u202eeman", "\\u202egnp.exe\\u202c.example"])
    assert.ok(text.includes(want), want);
  assert.equal(await page.evaluate(() => document.querySelectorAll("#app script, #app img").length), 0);
  const options = await page.locator("select option").allInnerTexts();
  assert.ok(options.some((o) => o.includes("<b>evil</b>")) && options.every((o) => !/[\u202a-\u202e]/.test(o)), String(options));
});

test("what came while the stream was cut is in the log after", async (visit) => {
  const { page, env, world } = await at(visit);
  for (const s of world.streams) s.destroy();
  await env.ask("while.away.example");
  await until(async () => (await rows(page).filter({ hasText: "while.away.example" }).count()) === 1, "row");
});

test("a stream of nonsense does not hurt the page", async (visit) => {
  const { page, world } = await at(visit, { count: 50 });
  for (const s of world.streams)
    s.write(
      "event: totals\ndata: {not json\n\nevent: nothing\ndata: 1\n\nevent: totals\ndata: null\n\nevent: queries\ndata: {}\n\n",
    );
  await page.waitForTimeout(500);
  world.tick(1);
  const last = world.queries[world.queries.length - 1].domain;
  await until(async () => (await rows(page).first().innerText()).includes(last), "still follows");
});

const failed = await runAll(
  async () => Object.assign(new Visit(browser, { url: "http://mock.invalid" }), { envs: [] }),
  async (visit) => {
    await visit.close();
    for (const env of visit.envs) await env.close();
  },
);
await browser.close();
process.exit(failed > 0 ? 1 : 0);
