// The dashboard as a person uses it. Runs against the mock or, with BASE_URL, against a daemon (env.mjs says how).
import { readFile } from "node:fs/promises";
import { launch, login, ready, startEnvironment, visits } from "./env.mjs";
import { api, features, names, number, overflow, rowOf, rows, shoot, tab, total } from "./look.mjs";
import { assert, runAll, skip, test, until } from "./tap.mjs";

const env = await startEnvironment();
const browser = await launch();

const door = "a wrong password is refused in words, the right one opens, and scripts cannot read the cookie";
test(door, async ({ fresh, remember }) => {
  const page = await fresh();
  await page.goto("/");
  await page.fill("#password", "not the password");
  await page.keyboard.press("Enter");
  await until(async () => (await page.locator("[role=alert]").innerText()).includes("not the password"), "refusal");
  await shoot(page, "login", {});
  await page.fill("#password", env.password);
  await page.keyboard.press("Enter");
  await ready(page);
  assert.equal(await page.evaluate(() => document.cookie.includes("sid=")), false);
  await remember(page);
  await page.reload();
  await ready(page);
});

test("the server sends the policy that the page is made for", async ({ page }) => {
  const r = await page.request.get("/");
  const csp = r.headers()["content-security-policy"] ?? "";
  for (const part of [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "frame-ancestors 'none'",
  ])
    assert.ok(csp.includes(part), `${part} in ${csp}`);
  assert.ok(!csp.includes("unsafe"), csp);
});

test("totals are the API's", async ({ page }) => {
  await until(async () => {
    const s = (await api(page, "stats/summary")).json.queries;
    return (await total(page, 0)) === s.total && (await total(page, 1)) === s.blocked;
  }, "queries and blocked of stats/summary");
  for (const note of await page.locator("#totals .note").allInnerTexts())
    assert.match(note, /last|present/, "each number says its time");
});

/** Seconds of "2 minutes 5 seconds", "the last minute". */
function secondsOf(words) {
  const units = { second: 1, minute: 60, hour: 3600, day: 86400 };
  return [...words.matchAll(/(\d*) ?(second|minute|hour|day)s?/g)].reduce((n, [, m, unit]) => n + Number(m || 1) * units[unit], 0);
}

test("no window in words is longer than the program runs, and totals say how long it is", async ({ page }) => {
  if (env.mock) skip("the mock has run for a month");
  const read = () =>
    page.evaluate(() => ({
      running: [...document.querySelectorAll(".facts div")].find((d) => d.firstChild.textContent === "Running").textContent,
      windows: [...document.querySelectorAll(".note, .facts small")].map((e) => e.textContent).filter((t) => /in the last/.test(t)),
      totals: document.querySelector("#totals .note").textContent,
    }));
  await until(async () => (await read()).windows.length >= 8, "notes of all panels");
  const set = env.bareMetal ? 1 : 0; // its clock is set while it runs, and seconds are whole
  for (let i = 0; i < 3; i++) {
    const { running, windows, totals } = await read();
    const ran = secondsOf(running);
    for (const w of windows.filter((w) => !/24 hours/.test(w))) assert.ok(secondsOf(w) <= ran + set, `${w}, running ${running}`);
    if (ran < 600) assert.ok(secondsOf(totals) >= ran - 2, `${totals}, running ${running}`);
    await page.waitForTimeout(1100);
  }
});

test("a query shows in the totals and in the log by itself", async ({ page }) => {
  const before = [await total(page, 0), await total(page, 1)];
  const name = `n${Date.now()}.${env.blockedName}`;
  assert.equal((await env.ask(env.blockedName)).blocked, true);
  await env.ask(name);
  await until(async () => (await total(page, 0)) >= before[0] + 2 && (await total(page, 1)) >= before[1] + 1, "totals");
  await until(async () => (await rowOf(page, name).count()) === 1, "row");
  const row = rowOf(page, env.blockedName).filter({ hasNotText: name }).first();
  assert.match(await row.innerText(), /Blocked/);
});

test("the log holds still while it is paused, and follows again", async ({ page }) => {
  await page.keyboard.press("l");
  await until(async () => (await page.locator(".live").innerText()).startsWith("Paused"), "paused log");
  const name = `held${Date.now()}.${env.allowedName}`;
  await env.ask(name);
  await page.waitForTimeout(1500);
  assert.equal(await rowOf(page, name).count(), 0);
  await page.keyboard.press("l");
  await until(async () => (await rowOf(page, name).count()) === 1, "row after following");
});

test("text, minus, outcome and device filter the log, and the URL holds them", async ({ page }) => {
  await env.ask(env.blockedName);
  await env.ask(env.allowedName);
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.id), "search");
  const word = env.blockedName.split(".")[0];
  await page.keyboard.type(word);
  await until(
    async () => (await rows(page).count()) > 0 && (await names(page).allInnerTexts()).every((t) => t.includes(word)),
    "only names with the word",
  );
  assert.ok(page.url().includes(`?q=${word}`), page.url());
  await page.reload();
  await ready(page);
  assert.equal(await page.inputValue("#search"), word);
  await until(async () => (await names(page).allInnerTexts()).every((t) => t.includes(word)), "the same after a reload");
  await page.fill("#search", `-${word}`);
  await until(
    async () => (await rows(page).count()) > 0 && (await names(page).allInnerTexts()).every((t) => !t.includes(word)),
    "only names without the word",
  );
  await page.getByRole("button", { name: "Clear" }).click();
  await page.getByRole("group", { name: "Outcome" }).getByRole("button", { name: "Blocked" }).click();
  await until(
    async () =>
      (await rows(page).count()) > 0 &&
      (await page.locator("table.log td.outcome").allInnerTexts()).every((t) => t.startsWith("Blocked")),
    "only blocked",
  );
  await page.fill("#search", "no-such-name-anywhere");
  await until(
    async () => (await page.locator("#log .state").innerText()).includes("No query matches"),
    "says that nothing matches",
  );
  await page.getByRole("button", { name: "Clear the filter" }).click();
  await until(async () => (await rows(page).count()) > 0, "rows again");
  assert.equal(new URL(page.url()).search, "");
});

test("a device and a type are picked, shown as chips, kept in the URL and taken away", async ({ page }) => {
  if (env.mock) skip("the mock's devices are its own");
  const from = "127.0.1.31";
  const name = `chip${Date.now()}.${env.blockedName}`;
  for (const [n, type, at] of [
    [name, "A", from],
    [name, "AAAA", from],
    [name, "A", "127.0.1.32"],
  ])
    await env.ask(n, type, at);
  await page.fill("#search", name);
  await until(async () => (await rows(page).count()) === 3, "three rows");
  await rows(page).filter({ hasText: from }).first().locator("td.client button").click();
  await until(async () => (await rows(page).count()) === 2, "of one device");
  assert.equal(new URL(page.url()).searchParams.get("client"), from);
  await page.locator("#log").getByLabel("Record type").selectOption("AAAA");
  await until(async () => (await rows(page).count()) === 1, "of one type");
  await page.reload();
  await ready(page);
  await until(async () => (await rows(page).count()) === 1, "the same after a reload");
  await page.getByRole("button", { name: "Type: AAAA. Remove" }).click();
  await page.getByRole("button", { name: `Device: ${from}. Remove` }).click();
  await until(async () => (await rows(page).count()) === 3, "all three");
});

test("older queries come on demand, each once", async ({ page }) => {
  for (let i = 0; i < 40; i++) await env.ask(`older${i}.${env.blockedName}`);
  await page.reload();
  await ready(page);
  const first = await rows(page).count();
  await page.getByRole("button", { name: "Show older" }).click();
  await until(async () => (await rows(page).count()) > first, "more rows");
  const texts = (await names(page).allInnerTexts()).filter((t) => t.startsWith("older"));
  assert.equal(new Set(texts).size, texts.length);
});

test("a row says why, by keyboard, and gives the focus back", async ({ page }) => {
  if (!(await features(page)).has("check")) skip("this server has no sinkhole/check");
  await env.ask(env.blockedName);
  const button = rowOf(page, env.blockedName).first().locator("td.what button");
  await page.locator("table.log").hover(); // holds the rows still
  const asked = await button.innerText();
  await button.focus();
  await page.keyboard.press("Enter");
  const panel = page.locator("dialog.side");
  await until(async () => /Blocked\s+by/.test(await panel.locator(".story").innerText()), "verdict");
  const check = (await api(page, `sinkhole/check?domain=${env.blockedName}`)).json;
  assert.equal(check.verdict, "blocked");
  const text = await panel.innerText();
  assert.ok(text.includes(check.decided_by.list) && text.includes(check.decided_by.rule), text);
  await page.waitForTimeout(300);
  await shoot(page, "why", {});
  await page.keyboard.press("Escape");
  await until(async () => (await panel.getAttribute("open")) === null, "closed");
  assert.equal(await page.evaluate(() => document.activeElement.closest("table.log td.what")?.innerText), asked);
});

test("allowing from the panel takes effect at once, and taking it back too", async ({ page }) => {
  await env.ask(env.blockedName);
  await rowOf(page, env.blockedName).first().locator("td.what button").click();
  await page.getByRole("button", { name: "Allow always" }).click();
  await until(
    async () => (await page.locator("dialog.side .change").innerText()).includes("You allow this name"),
    "rule is shown",
  );
  assert.equal((await env.ask(env.blockedName)).blocked, false);
  await page.getByRole("button", { name: "Remove the rule" }).click();
  await until(async () => !(await page.locator("dialog.side .change").innerText()).includes("You allow"), "rule is gone");
  assert.equal((await env.ask(env.blockedName)).blocked, true);
});

test("a timed rule ends by itself", async ({ page }) => {
  if (!(await features(page)).has("timed_rules")) skip("this server has no timed rules");
  const r = await api(page, "domains/allow/exact", "POST", {
    domain: env.blockedName,
    comment: null,
    groups: [0],
    enabled: true,
    timer: 3,
  });
  assert.equal(r.status, 201);
  assert.equal((await env.ask(env.blockedName)).blocked, false);
  await until(async () => (await env.ask(env.blockedName)).blocked, "blocked again");
  await until(
    async () => !(await api(page, "domains/allow/exact")).json.domains.some((d) => d.domain === env.blockedName),
    "rule is gone",
  );
});

test("p pauses and resumes, and the answers follow", async ({ page }) => {
  await page.keyboard.press("p");
  await page.locator("[role=menu]").waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  await until(async () => (await page.locator(".strip h1").innerText()) === "Paused", "paused");
  assert.match(await page.locator(".strip p").first().innerText(), /back in [45]:\d\d/);
  await until(async () => (await page.title()) === "Paused · sinkhole", "title");
  assert.equal((await env.ask(env.blockedName)).blocked, false);
  await shoot(page, "paused", {});
  await page.keyboard.press("p");
  await until(async () => (await page.locator(".strip h1").innerText()) === "Protecting", "protecting");
  assert.equal((await env.ask(env.blockedName)).blocked, true);
});

test("own rules: add, refuse nonsense, switch off, remove, take back", async ({ page }) => {
  const name = `mine${Date.now()}.example`;
  const row = page.locator("#rules tbody tr").filter({ hasText: name });
  await page.fill("#rule-name", `https://${name}/path`);
  await page.locator("#rules").getByRole("button", { name: "Block", exact: true }).click();
  await row.waitFor();
  assert.equal((await env.ask(name)).blocked, true);
  await row.getByRole("switch").click();
  await until(async () => !(await env.ask(name)).blocked, "off");
  await row.getByRole("button", { name: "Remove" }).click();
  await until(async () => (await row.count()) === 0, "removed");
  await page.getByRole("button", { name: "Undo" }).last().click();
  await row.waitFor();
  await row.getByRole("button", { name: "Remove" }).click();
  await until(async () => (await row.count()) === 0, "removed again");
  await page.fill("#rule-name", "not a name..at all");
  await page.locator("#rules").getByRole("button", { name: "Allow", exact: true }).click();
  await until(async () => (await page.locator(".toast.bad").innerText()).startsWith("Not added"), "refused in words");
});

test("lists are added, switched off and removed; nonsense is refused in words", async ({ page }) => {
  if (!(await features(page)).has("lists")) skip("this server's lists cannot be changed");
  const address = `https://lists.invalid/${Date.now()}.txt`;
  const row = page.locator("#lists tbody tr").filter({ hasText: address });
  await page.fill("#list-address", address);
  await page.getByRole("button", { name: "Add list" }).click();
  await row.waitFor();
  await row.getByRole("switch").click();
  await until(async () => (await row.innerText()).includes("switched off"), "off");
  await row.getByRole("button", { name: "Remove" }).click();
  await until(async () => (await row.count()) === 0, "removed");
  await page.fill("#list-address", "gopher://x");
  await page.getByRole("button", { name: "Add list" }).click();
  await until(async () => (await page.locator(".toast.bad").innerText()).startsWith("Not changed"), "refused in words");
});

test("local names are added and removed", async ({ page }) => {
  if ((await page.locator("#tab-local").count()) === 0) skip("this server has no local records");
  await tab(page, "local");
  for (const [name, target, kind] of [
    [`box${Date.now()}.home.arpa`, "192.0.2.44", "address"],
    [`alias${Date.now()}.home.arpa`, "nas.home.arpa", "alias"],
  ]) {
    const row = page.locator("#local tbody tr").filter({ hasText: name });
    await page.fill("#local-name", name);
    await page.fill("#local-target", target);
    await page.locator("#local").getByRole("button", { name: "Add" }).click();
    await row.waitFor();
    assert.match(await row.innerText(), new RegExp(kind));
    await row.getByRole("button", { name: "Remove" }).click();
    await until(async () => (await row.count()) === 0, "removed");
  }
});

test("a backup is saved and restored, and a bad one is refused in words", async ({ page }) => {
  if (!(await features(page)).has("owner")) skip("this server keeps no backups");
  await tab(page, "backup");
  const name = `kept${Date.now()}.example`;
  await api(page, "domains/deny/exact", "POST", { domain: name, comment: null, groups: [0], enabled: true });
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save a backup" }).click()]);
  const text = await readFile(await file.path(), "utf8");
  assert.ok(text.includes(name) && !text.includes("took"));
  await api(page, `domains/deny/exact/${name}`, "DELETE");
  assert.equal((await env.ask(name)).blocked, false);
  await page.setInputFiles("#restore", { name: "backup.json", mimeType: "application/json", buffer: Buffer.from(text) });
  await until(async () => (await page.locator(".toast").last().innerText()).startsWith("Restored"), "restored");
  assert.equal((await env.ask(name)).blocked, true);
  await tab(page, "rules");
  await page.locator("#rules tbody tr").filter({ hasText: name }).waitFor();
  await tab(page, "backup");
  for (const bad of ["no json", '{"own": 7}']) {
    await page.setInputFiles("#restore", { name: "bad.json", mimeType: "application/json", buffer: Buffer.from(bad) });
    await until(async () => (await page.locator(".toast.bad").last().innerText()).startsWith("Not restored"), "refused");
  }
  assert.equal((await env.ask(name)).blocked, true);
  await api(page, `domains/deny/exact/${name}`, "DELETE");
});

test("the password form refuses what does not match, and says how it went", async ({ page }) => {
  if (!(await features(page)).has("owner")) skip("this server's password cannot be changed");
  await tab(page, "access");
  await page.fill("#new-password", "one thing and");
  await page.fill("#new-password-again", "another thing");
  await page.getByRole("button", { name: "Change password" }).click();
  await until(async () => (await page.locator(".toast.bad").last().innerText()).includes("not the same"), "mismatch");
  if (!env.mock) return;
  await page.fill("#new-password", "a longer word");
  await page.fill("#new-password-again", "a longer word");
  await page.getByRole("button", { name: "Change password" }).click();
  await until(async () => (await page.locator(".toast").last().innerText()).includes("password is changed"), "changed");
  assert.equal(env.mock.password, "a longer word");
  env.mock.password = env.password;
});

test("the top lists are the API's", async ({ page }) => {
  const want = (await api(page, "stats/top_domains?blocked=true&count=10")).json.domains;
  await page.reload();
  await ready(page);
  await page.locator("#top-blocked li").first().waitFor();
  const names = await page.locator("#top-blocked li button").allInnerTexts();
  assert.deepEqual([...names].sort(), want.map((d) => d.domain).sort());
});

test("the timeline adds up, is read by keyboard, and picks a time for the log", async ({ page }) => {
  await env.ask(env.allowedName);
  await page.reload();
  await ready(page);
  const slider = page.getByRole("slider");
  await slider.waitFor();
  const sum = (await api(page, "history")).json.history.reduce((n, s) => n + s.total, 0);
  const shown = number(await page.locator(".readout b").first().innerText());
  assert.ok(Math.abs(shown - sum) <= 50, `${shown} shown, ${sum} in the history`);
  await slider.focus();
  await page.keyboard.press("End");
  const words = await slider.getAttribute("aria-valuetext");
  assert.match(words, /^\d\d:\d\d to \d\d:\d\d: [\d,]+ queries, [\d,]+ blocked$/);
  await page.keyboard.press("Enter");
  await until(() => /from=\d+&until=\d+/.test(page.url()), "URL has the time");
  await page.getByRole("button", { name: "Show all times" }).click();
  await until(() => !page.url().includes("from="), "URL is clean");
  await page.locator(".as-table summary").click();
  assert.ok((await page.locator(".as-table tbody tr").count()) >= 1);
});

test("dragging over the timeline picks a span", async ({ page }) => {
  const over = page.locator(".chart .u-over");
  await over.scrollIntoViewIfNeeded();
  const box = await over.boundingBox();
  await page.mouse.move(box.x + box.width * 0.5, box.y + 60);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.9, box.y + 70, { steps: 5 });
  await page.mouse.up();
  await until(() => /from=\d+&until=\d+/.test(page.url()), "URL has the span");
  const from = Number(new URL(page.url()).searchParams.get("from"));
  const until_ = Number(new URL(page.url()).searchParams.get("until"));
  assert.ok(until_ - from > 3600, "a long span");
  await until(async () => {
    const times = await page.locator("table.log time").evaluateAll((all) => all.map((t) => Date.parse(t.dateTime) / 1000));
    return times.every((t) => t >= from && t < until_);
  }, "only rows of the span");
  if ((await features(page)).has("ranges")) {
    const want = (await api(page, `stats/top_domains?blocked=true&count=10&from=${from}&until=${until_}`)).json.domains;
    const counts = () => page.locator("#top-blocked .top-value").allInnerTexts();
    await until(
      async () => JSON.stringify((await counts()).map(number)) === JSON.stringify(want.map((d) => d.count)),
      "the top lists are of the span",
    );
    assert.match(await page.locator("#top-blocked .note").innerText(), /\d\d:\d\d to/);
  }
  await page.mouse.click(box.x + box.width * 0.3, box.y + 60);
  await until(() => Number(new URL(page.url()).searchParams.get("from")) < from, "a click picks one bar instead");
});

test("names that try to be markup are text everywhere", async ({ page }) => {
  const label = (s) => Buffer.from(s, "latin1");
  const long = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(57), "com"];
  const names = env.mock
    ? [
        "<script>alert(1)</script>.com",
        "<img src=x onerror=alert(1)>.com",
        "\"'`&lt;.com",
        "a\u0000\u001b[31mb.com",
        "\u202egnp.com",
        long.join("."),
      ]
    : [
        [label("<script>alert(1)<"), label("script>"), "com"],
        [label("<img src=x onerror=alert(1)>"), "com"],
        [label("\"'`&lt;"), "com"],
        [label("a\0\x1b[31mb"), "com"],
        [Buffer.from("\u202egnp"), "com"],
        long,
      ];
  for (const n of names) await env.ask(n).catch(() => {}); // a refusal is an answer too; it must not hurt the page
  await until(async () => (await rowOf(page, long.join(".")).count()) >= 1, "the long name is in the log");
  assert.equal(await page.evaluate(() => document.querySelectorAll("#app script, #app img, #app b b, #app iframe").length), 0);
  const text = await page.locator("table.log").innerText();
  assert.doesNotMatch(text, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
  if (env.mock)
    for (const want of ["<script>alert(1)</script>.com", "a\\x00\\x1b[31mb.com", "\\u202egnp.com"])
      assert.ok(text.includes(want), want);
  assert.equal(await overflow(page), 0);
  await page.locator("#log").scrollIntoViewIfNeeded();
  await shoot(page, "hostile", {});
  await rowOf(page, long.join(".")).first().locator("td.what button").click();
  await page.waitForTimeout(400);
  assert.equal((await page.locator("#why-title").innerText()).replace(/\s/g, ""), long.join("."));
});

test("the log is saved as CSV and as JSON lines", async ({ page }) => {
  await env.ask(env.blockedName);
  await page.fill("#search", env.blockedName);
  await until(async () => (await rows(page).count()) > 0, "rows");
  for (const [button, check] of [
    ["Save as CSV", (t) => assert.match(t, new RegExp(`^time,domain,[^\r]*\r\n[^\r]*,"?${env.blockedName}"?,"?A"?,`))],
    [
      "Save as JSON lines",
      (t) =>
        assert.ok(
          t
            .trim()
            .split("\n")
            .every((l) => JSON.parse(l).domain.includes(env.blockedName)),
        ),
    ],
  ]) {
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: button }).click()]);
    check(await readFile(await download.path(), "utf8"));
  }
});

test("every control has a name, every field a label, headings go down one by one", async ({ page }) => {
  const bad = await page.evaluate(() => {
    const out = [];
    for (const e of document.querySelectorAll("button, a, input, select, [role=slider], [role=switch]")) {
      if (e.ariaHidden === "true") continue;
      const labels = "labels" in e && e.labels ? [...e.labels].map((l) => l.textContent).join(" ") : "";
      const by = e.getAttribute("aria-labelledby") ? document.getElementById(e.getAttribute("aria-labelledby"))?.textContent : "";
      if (!(e.getAttribute("aria-label") || labels.trim() || by || e.textContent.trim())) out.push(e.outerHTML.slice(0, 120));
    }
    let level = 0;
    for (const h of document.querySelectorAll("h1, h2, h3, h4")) {
      const n = Number(h.tagName[1]);
      if (n > level + 1) out.push(`h${n} after h${level}: ${h.textContent}`);
      level = n;
    }
    if (document.documentElement.lang !== "en") out.push("no lang");
    const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
    for (const id of new Set(ids)) if (ids.filter((x) => x === id).length > 1) out.push(`id ${id} twice`);
    return out;
  });
  assert.deepEqual(bad, []);
});

test("the page fits a phone of 360 pixels and of 320", async ({ open }) => {
  for (const width of [360, 320]) {
    const page = await open({ viewport: { width, height: 760 }, deviceScaleFactor: 2, hasTouch: true });
    await login(page, env);
    await page.waitForTimeout(300);
    assert.equal(await overflow(page), 0, `at ${width}`);
    const small = await page.evaluate(
      () =>
        [...document.querySelectorAll("button:not(.link), select, input:not(.hidden)")].filter(
          (e) => e.offsetParent && e.getBoundingClientRect().height < 20,
        ).length,
    );
    assert.equal(small, 0, "controls that no finger meets");
    if (width === 360) await shoot(page, "phone");
    await rows(page).first().locator("td.what button").click();
    await page.waitForTimeout(400);
    assert.equal(await overflow(page), 0, `panel at ${width}`);
    if (width === 360) await shoot(page, "phone-why", {});
    await page.keyboard.press("Escape");
  }
});

test("pictures in light and dark", async ({ open }) => {
  for (const colorScheme of ["light", "dark"]) {
    const page = await open({ colorScheme });
    await login(page, env);
    await page.waitForTimeout(500);
    await shoot(page, colorScheme);
    const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    assert.equal(ground, colorScheme === "light" ? "rgb(244, 245, 242)" : "rgb(15, 19, 20)");
  }
});

test("logging out ends the session", async ({ fresh }) => {
  const page = await fresh();
  await login(page, env);
  await page.getByRole("button", { name: "Log out" }).click();
  await page.waitForSelector("#password");
  assert.equal((await api(page, "stats/summary")).status, 401);
  await page.reload();
  await page.waitForSelector("#password");
});

const failed = await runAll(visits(browser, env, door), (made) => made.close());
await browser.close();
await env.close();
process.exit(failed > 0 ? 1 : 0);
