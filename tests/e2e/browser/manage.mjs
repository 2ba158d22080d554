// What a person decides on the page, against the real program (env.mjs says how): each change is seen in answers.
import { createHmac } from "node:crypto";
import { readFile } from "node:fs/promises";
import jsQR from "jsqr";
import { launch, login, startEnvironment, visits } from "./env.mjs";
import { api, number, overflow, picture, rows, tab, total } from "./look.mjs";
import { assert, runAll, skip, test, until } from "./tap.mjs";

const env = await startEnvironment();
const browser = await launch();

const said = (page, words) =>
  until(async () => (await page.locator(".toast").allInnerTexts()).some((t) => t.includes(words)), `says ${words}`);
const gone = (locator, what) => until(async () => (await locator.count()) === 0, what);
const row = (page, part, text) => page.locator(`#${part} tbody tr`).filter({ hasText: text });

test("tabs go by arrow keys and by the address", async ({ page }) => {
  await tab(page, "rules");
  await page.keyboard.press("ArrowRight");
  const second = await page.evaluate(() => [document.activeElement.id, document.activeElement.ariaSelected]);
  assert.match(second[0], /^tab-/);
  assert.equal(second[1], "true");
  await page.keyboard.press("End");
  assert.equal(await page.evaluate(() => document.activeElement.id), "tab-backup");
  assert.equal(new URL(page.url()).hash, "#backup");
  await page.reload();
  await page.locator("#backup").waitFor();
  await page.evaluate(() => void (location.hash = "#rules"));
  await page.locator("#rules").waitFor();
});

test("an own rule with a comment and a time, edited", async ({ page }) => {
  const name = `timed${Date.now()}.example`;
  await tab(page, "rules");
  await page.fill("#rule-name", name);
  await page.fill("#rule-comment", "for <b>now</b>");
  await page.locator("#rules").getByLabel("How long it holds").selectOption("3600");
  await page.locator("#rules").getByRole("button", { name: "Block", exact: true }).click();
  const r = row(page, "rules", name);
  await r.waitFor();
  assert.match(await r.innerText(), /for <b>now<\/b>[^]*(59 minutes|1 hour) left/);
  assert.equal((await env.ask(name)).blocked, true);
  // Off and on again, and its time stays.
  const expires = async () => (await api(page, `domains/deny/exact/${name}`)).json.domains[0].expires;
  const before = await expires();
  await r.getByRole("switch").click();
  await until(async () => !(await env.ask(name)).blocked, "off");
  await r.getByRole("switch").click();
  await until(async () => (await env.ask(name)).blocked, "on");
  const after = await expires();
  assert.ok(Math.abs(after - before) <= 5, `ends at ${after}, not at ${before}`);
  await r.getByRole("button", { name: "Edit" }).click();
  const dialog = page.locator("dialog[open]");
  await dialog.getByLabel("Comment").fill("for good");
  await dialog.getByLabel("Holds").selectOption("");
  await dialog.getByRole("button", { name: "Save" }).click();
  await gone(page.locator("dialog[open]"), "closed");
  await until(async () => (await r.innerText()).includes("for good"), "comment");
  assert.equal(await expires(), null);
  await r.getByRole("button", { name: "Remove" }).click();
  await gone(r, "removed");
  assert.equal((await env.ask(name)).blocked, false);
});

test("a timed rule that was removed comes back with the time that it had", async ({ page }) => {
  const name = `back${Date.now()}.example`;
  await api(page, "domains/deny/exact", "POST", { domain: name, comment: null, groups: [0], enabled: true, timer: 900 });
  await tab(page, "rules");
  const r = row(page, "rules", name);
  await r.getByRole("button", { name: "Remove" }).click();
  await gone(r, "removed");
  await page.getByRole("button", { name: "Undo" }).last().click();
  await r.waitFor();
  const { expires } = (await api(page, `domains/deny/exact/${name}`)).json.domains[0];
  assert.ok(expires > Date.now() / 1000 + 800 && expires < Date.now() / 1000 + 905, String(expires));
  await api(page, `domains/deny/exact/${name}`, "DELETE");
});

test("allowing from the panel for one device and ten minutes, which end", async ({ page }) => {
  const [one, other] = ["127.0.1.51", "127.0.1.52"];
  await env.ask(env.blockedName, "A", one);
  await page.goto(`/?client=${one}`);
  await rows(page).first().locator("td.what button").click();
  const panel = page.getByRole("dialog");
  const check = (await api(page, `sinkhole/check?domain=${env.blockedName}&client=${one}`)).json;
  await panel.getByText("The decision step by step").click();
  assert.deepEqual(
    await panel.locator(".steps dd").allInnerTexts(),
    check.steps.map((s) => s.text),
    "the whole decision",
  );
  await panel.getByText("No single list or rule, switched off, would change it").waitFor(); // two lists have the name
  await panel.getByRole("button", { name: "Only" }).click();
  await panel.getByRole("button", { name: "Allow for 10 minutes" }).click();
  await until(async () => /You allow this name for this device, for another/.test(await panel.innerText()), "says so");
  assert.equal((await env.ask(env.blockedName, "A", one)).blocked, false);
  assert.equal((await env.ask(env.blockedName, "A", other)).blocked, true, "others are blocked still");
  const path = `domains/allow/exact/${env.blockedName}?client=${one}`;
  const rule = async () => (await api(page, "domains")).json.domains.find((d) => d.client === one);
  const { expires } = await rule();
  assert.ok(Math.abs(expires - Date.now() / 1000 - 600) < 15, "ten minutes");
  assert.equal((await api(page, path, "PUT", { enabled: true, groups: [0], timer: 2 })).status, 200); // soon, for the test
  await until(async () => (await env.ask(env.blockedName, "A", one)).blocked, "it has ended");
  await until(async () => (await rule()) === undefined, "and is gone");
  await until(async () => !/You allow this name/.test(await panel.innerText()), "from the panel, too");
});

test("the report card tells what each list did, and what it alone did", async ({ page }) => {
  const lists = async (query = "") => (await api(page, "lists" + query)).json.lists;
  const alone = async (query) => (await lists(query)).find((l) => l.address.includes(env.moreList));
  const before = await alone();
  for (let i = 0; i < 3; i++) await env.ask(env.moreName); // on this list alone
  for (let i = 0; i < 2; i++) await env.ask(env.blockedName); // on both
  await until(
    async () => (await alone()).unique_hits === before.unique_hits + 3,
    "three more that no other list would have blocked",
  );
  assert.ok((await lists()).reduce((n, l) => n + l.hits, 0) >= 5);
  await page.reload();
  const cells = (l) => row(page, "lists", l.address).locator("td").allInnerTexts();
  const want = await lists();
  for (const l of want) {
    const shown = async () => (await cells(l)).slice(0, 3).map((t) => Number(t.replace(/[^0-9]/g, "")));
    const told = [l.number, l.hits, l.unique_hits].join();
    await until(async () => (await shown()).join() === told, `${l.address}: ${told}`);
  }
  // A span before all queries: nothing was done in it.
  await page.goto("/?from=1600000000&until=1600003600");
  await until(async () => /Sun 13 Sep|Sep/.test(await page.locator("#lists .note").innerText()), "says the span");
  await until(async () => (await cells(want[0]))[1] === "0", "no hits in it");
});

test("each widget has the number that the API has, and that was sent", async ({ page }) => {
  const from = "127.0.1.95";
  const [bad, good] = [`n${Date.now()}.${env.blockedName}`, `n${Date.now()}.${env.allowedName}`];
  const summary = async () => (await api(page, "stats/summary")).json.queries;
  const before = await summary();
  const clock = async () => (await api(page, "sinkhole/status")).json.time;
  const began = Math.floor(await clock());
  for (let i = 0; i < 60; i++) assert.equal((await env.ask(bad, "A", from)).blocked, true);
  for (let i = 0; i < 50; i++) assert.equal((await env.ask(good, "A", from)).blocked, false);
  await until(async () => (await summary()).total === before.total + 110, "all are counted");
  const after = await summary();
  assert.deepEqual(
    [after.blocked - before.blocked, after.forwarded - before.forwarded, after.cached - before.cached],
    [60, 1, 49],
    "the answer was asked for once",
  );
  await until(
    async () => (await total(page, 0)) === before.total + 110 && (await total(page, 1)) === before.blocked + 60,
    "both totals, by themselves",
  );
  const share = ((100 * after.blocked) / after.total).toFixed(1);
  assert.equal(await total(page, 2), Number(share), "the share");
  await page.reload();
  const top = (id, name) => page.locator(`#${id} li`).filter({ hasText: name }).locator(".top-value");
  await until(async () => number(await top("top-blocked", bad).innerText()) === 60, "most blocked");
  assert.equal(number(await top("top-allowed", good).innerText()), 50, "most allowed");
  assert.equal(number(await top("top-clients", from).innerText()), 110, "devices");
  const real = (await api(page, "stats/upstreams")).json.upstreams.filter((u) => u.port >= 0);
  for (const u of real)
    assert.equal(number(await top("upstreams", `port ${u.port}`).evaluate((e) => e.firstChild.textContent)), u.count, "upstreams");
  assert.equal(real.reduce((n, u) => n + u.count, 0), after.forwarded, "and they are what was passed on");
  await until(async () => number(await page.locator(".readout b").first().innerText()) === after.total, "the timeline");
  const one = (await api(page, `queries?client_ip=${from}&from=${began}&length=200`)).json;
  assert.equal(one.queries.length, 110, "the log");
  assert.equal(one.queries.filter((q) => q.status === "GRAVITY").length, 60);
});

test("a list's comment and its lines that are no rule are text, whatever they are", async ({ page }) => {
  if (!process.env.LISTS) skip("this machine has no address but loopback");
  const mark = `t${Date.now()}`;
  const hostile = `<img src=x onerror=alert(1)> "${mark}" \u202egnp`;
  const url = await env.putList(`/${mark}.txt`, `||${mark}.example^\n${hostile}\u0007 <b>\n`);
  assert.equal((await api(page, "lists?type=block", "POST", { address: url, comment: hostile, groups: [0], enabled: true })).status, 201);
  const shown = row(page, "lists", url);
  await shown.getByText("1 line not used").click();
  assert.match(await shown.locator("code").innerText(), /^line 2: <img src=x onerror=alert\(1\)> "t\d+" \\xe2\\x80\\xaegnp\\x07 <b>:/);
  const text = await shown.innerText();
  assert.equal(text.split(`<img src=x onerror=alert(1)> "${mark}"`).length, 3, "in the comment and in the line");
  assert.doesNotMatch(text, /[\u0007\u202e]/);
  assert.equal(await shown.locator("img, b").count(), 0);
  await api(page, `lists/${encodeURIComponent(url)}?type=block`, "DELETE");
  await gone(shown, "removed");
});

test("a list is tried before it is added: what it says is what was asked", async ({ page }) => {
  if (!process.env.LISTS) skip("this machine has no address but loopback");
  const base = `tried${Date.now()}.example`;
  for (let i = 0; i < 3; i++) await env.ask(`a.${base}`, "A", "127.0.1.41");
  await env.ask(`b.${base}`, "A", "127.0.1.42");
  const logged = async () => (await api(page, `queries?domain=*.${base}`)).json.queries.length;
  await until(async () => (await logged()) === 4, "all four are in the log");
  const url = await env.putList(
    `/try${Date.now()}.txt`,
    `a.${base}\nb.${base}\nnobody-asked.${base}\n${env.moreName}\n<b>no rule</b>\n`,
  );
  await page.fill("#list-address", url);
  await page.getByRole("button", { name: "Try it first" }).click();
  const dialog = page.getByRole("dialog");
  await until(async () => (await dialog.innerText()).includes("would have blocked"), "result");
  const text = await dialog.innerText();
  assert.match(text, /4 rules[^]*3 of them/, "rules, and those that no list has");
  assert.match(text, /would have blocked 4 queries more, for 2 names and from 2 devices/);
  const would = await dialog.locator("tbody tr").allInnerTexts();
  assert.equal(would.length, 2);
  assert.match(would[0], new RegExp(`^a\\.${base}\\s+3\\s+127\\.0\\.1\\.41 3`));
  assert.match(would[1], new RegExp(`^b\\.${base}\\s+1\\s+127\\.0\\.1\\.42 1`));
  await dialog.screenshot({ path: picture("preview") });
  assert.equal((await env.ask(`a.${base}`)).blocked, false, "nothing is switched on yet");
  await dialog.getByRole("button", { name: "Add this list" }).click();
  const r = row(page, "lists", url);
  await r.waitFor();
  await until(async () => (await env.ask(`a.${base}`)).blocked, "it blocks");
  await r.getByRole("button", { name: "Remove" }).click();
  await gone(r, "removed");
  await page.fill("#list-address", `${url}.not-there`);
  await page.getByRole("button", { name: "Try it first" }).click();
  await until(async () => (await dialog.innerText()).includes("Could not be read"), "says what failed");
  assert.equal(await dialog.getByRole("button", { name: "Add this list" }).isEnabled(), false);
  await page.keyboard.press("Escape");
  await gone(page.locator("dialog[open]"), "closed");
});

test("an update that looks wrong is looked at, and refused or taken", async ({ page }) => {
  if (env.bareMetal) skip("bare metal keeps nothing of an update that is held back: a yes fetches it again");
  if (!process.env.LISTS) skip("this machine has no address but loopback");
  const path = `/guard${Date.now()}.txt`;
  const names = Array.from({ length: 30 }, (_, i) => `n${i}.guard.example\n`).join("");
  const url = await env.putList(path, names);
  assert.equal((await api(page, "lists?type=block", "POST", { address: url, groups: [0], enabled: true })).status, 201);
  await until(async () => (await env.ask("n1.guard.example")).blocked, "in force");
  const list = async () => (await api(page, "lists")).json.lists.find((l) => l.address === url);
  const { id } = await list();
  const update = async (text) => {
    await env.putList(path, text);
    await api(page, `sinkhole/lists/${id}/update`, "POST");
    await until(async () => (await list()).needs_confirm, "held back");
    await page.reload();
    await row(page, "lists", url).getByRole("button", { name: "Look at it" }).click();
  };
  const dialog = page.getByRole("dialog");
  await update(names + "google.com\n");
  await until(async () => /would block google\.com: one of the most-used/.test(await dialog.innerText()), "which name, and why");
  await until(async () => /Rules that come: 1/.test(await dialog.innerText()), "what comes");
  await dialog.screenshot({ path: picture("held") });
  await dialog.getByRole("button", { name: "Keep the old one" }).click();
  await until(async () => !(await list()).needs_confirm, "dropped");
  assert.equal((await env.ask("google.com")).blocked, false);
  await update("n1.guard.example\n");
  await until(async () => /Rules that go: 29/.test(await dialog.innerText()), "what goes");
  await dialog.getByRole("button", { name: "Take it" }).click();
  await until(async () => !(await env.ask("n2.guard.example")).blocked, "taken");
  await api(page, `lists/${encodeURIComponent(url)}?type=block`, "DELETE");
});

test("a group with a list of its own treats its devices alone", async ({ page }) => {
  const [child, other] = ["127.0.1.21", "127.0.1.22"];
  for (const from of [child, other]) await env.ask(env.allowedName, "A", from);
  await tab(page, "devices");
  const seen = row(page, "devices", child);
  await seen.waitFor();
  await seen.getByRole("button", { name: "Describe" }).click();
  await page.getByRole("dialog").getByLabel("Comment").fill("Ben's <tablet>");
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await gone(page.locator("dialog[open]"), "closed");
  await until(async () => /known[^]*127\.0\.1\.21[^]*Ben's <tablet>[^]*everybody/.test(await seen.innerText()), "is known");
  const record = `config/dns/hosts/${child}%20tablet.home.arpa`;
  assert.equal((await api(page, record, "PUT")).status, 201);
  await until(async () => /known\s+tablet\.home\.arpa\s+127\.0\.1\.21[^]*Ben's/.test(await seen.innerText()), "by its name");
  assert.equal((await api(page, record, "DELETE")).status, 204);

  await tab(page, "groups");
  await page.fill("#group-name", "children");
  await page.getByRole("button", { name: "Add group" }).click();
  const group = row(page, "groups", "children");
  await group.getByRole("button", { name: "Edit" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("checkbox", { name: child }).check();
  await until(async () => (await api(page, "clients")).json.clients[0]?.groups.length === 2, "in both");
  const name = env.moreName; // on a list that the group shall have alone
  assert.equal((await env.ask(name, "A", other)).blocked, true);
  await dialog.getByRole("checkbox", { name: env.moreList }).check();
  await page.keyboard.press("Escape");
  await row(page, "groups", "Everybody").getByRole("button", { name: "Edit" }).click();
  await dialog.getByRole("checkbox", { name: env.moreList }).uncheck();
  await until(async () => !(await env.ask(name, "A", other)).blocked, "not for others");
  assert.equal((await env.ask(name, "A", child)).blocked, true, "for the child still");
  await page.keyboard.press("Escape");
  await until(async () => /1 device, 1 list/.test(await group.innerText()), "says what is in it");
  await page.locator("#manage").screenshot({ path: picture("groups") });

  await tab(page, "rules");
  const own = `games${Date.now()}.example`;
  await page.fill("#rule-name", own);
  await page.getByRole("form", { name: "Add a rule" }).getByLabel("For whom").selectOption({ label: "for children" });
  await page.locator("#rules").getByRole("button", { name: "Block", exact: true }).click();
  const rule = row(page, "rules", own);
  await until(async () => (await rule.innerText()).includes("for children"), "says for whom");
  assert.equal((await env.ask(own, "A", child)).blocked, true);
  assert.equal((await env.ask(own, "A", other)).blocked, false);
  await rule.getByRole("button", { name: "Remove" }).click();
  await gone(rule, "removed");

  await tab(page, "groups");
  await group.getByRole("switch").click();
  await until(async () => !(await env.ask(name, "A", child)).blocked, "a group that is off treats nobody");
  await group.getByRole("button", { name: "Remove" }).click();
  await gone(group, "removed");
  const list = (await api(page, "lists")).json.lists.find((l) => l.address.includes(env.moreList));
  const path = `lists/${encodeURIComponent(list.address)}?type=block`;
  assert.equal((await api(page, path, "PUT", { enabled: true, comment: null, groups: [0] })).status, 200);
  await until(async () => (await env.ask(name, "A", other)).blocked, "as before");
  await tab(page, "devices");
  await row(page, "devices", child).getByRole("button", { name: "Forget" }).click();
  await until(async () => (await row(page, "devices", child).innerText()).includes("seen"), "forgotten");
});

test("one device and one group are paused, and a weekly time blocks a group", async ({ page }) => {
  const [one, other] = ["127.0.1.61", "127.0.1.62"];
  const blocked = async (from) => (await env.ask(env.blockedName, "A", from)).blocked;
  assert.deepEqual([await blocked(one), await blocked(other)], [true, true]);
  await tab(page, "devices");
  const device = row(page, "devices", one);
  await device.getByRole("combobox").selectOption("300");
  await until(async () => !(await blocked(one)), "the device is paused");
  assert.equal(await blocked(other), true, "no other is");
  await until(async () => /Resume [45]:\d\d/.test(await device.innerText()), "says for how long");
  await device.getByRole("button", { name: "Resume" }).click();
  await until(() => blocked(one), "and no longer");

  assert.equal((await api(page, "groups", "POST", { name: "school", enabled: true })).status, 201);
  const group = (await api(page, "groups")).json.groups.find((g) => g.name === "school").id;
  assert.equal((await api(page, "clients", "POST", { client: one, groups: [0, group] })).status, 201);
  await tab(page, "groups");
  const school = row(page, "groups", "school");
  await school.getByRole("combobox").selectOption("-");
  await until(async () => !(await blocked(one)), "the group is paused");
  await school.getByRole("button", { name: "Resume" }).click();
  await until(() => blocked(one), "and no longer");

  await school.getByRole("button", { name: "Edit" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("Add a weekly time").click();
  for (const day of ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]) await dialog.getByRole("checkbox", { name: day }).check();
  await dialog.getByLabel("From", { exact: true }).fill("00:00");
  await dialog.getByLabel("To", { exact: true }).fill("00:00");
  await dialog.getByRole("button", { name: "Add this time" }).click();
  await until(async () => (await dialog.locator(".times").innerText()).includes("every day, 00:00 to 00:00"), "in words");
  const told = (await api(page, "sinkhole/policy")).json.groups.find((g) => g.name === "school");
  assert.equal(told.schedules.length, 1);
  assert.equal(told.now, "blocks");
  await until(async () => (await env.ask(env.allowedName, "A", one)).blocked, "everything is blocked, at all times");
  assert.equal((await env.ask(env.allowedName, "A", other)).blocked, false);
  await dialog.screenshot({ path: picture("group") });
  await dialog.getByLabel("A blocked name gets").selectOption("nxdomain");
  await until(async () => (await env.ask(env.allowedName, "A", one)).rcode === 3, "in the group's way");
  await dialog.locator(".times").getByRole("button", { name: "Remove" }).click();
  await until(async () => (await env.ask(env.allowedName, "A", one)).rcode === 0, "as usual");
  await page.keyboard.press("Escape");
  await school.getByRole("button", { name: "Remove" }).click();
  await gone(school, "removed");
  await api(page, `clients/${one}`, "DELETE");
});

test("a group has its own upstreams, services, safe search and lists at times", async ({ page }) => {
  const [one, other] = ["127.0.1.71", "127.0.1.72"];
  assert.equal((await api(page, "groups", "POST", { name: "guests", enabled: true })).status, 201);
  const id = (await api(page, "groups")).json.groups.find((g) => g.name === "guests").id;
  assert.equal((await api(page, "clients", "POST", { client: one, groups: [0, id] })).status, 201);
  const treated = async () => (await api(page, "sinkhole/policy")).json.groups.find((g) => g.name === "guests");
  const ask = (name, from) => env.ask(name, "A", from);
  await tab(page, "groups");
  await row(page, "groups", "guests").getByRole("button", { name: "Edit" }).click();
  const dialog = page.getByRole("dialog");

  // An upstream: the same name has another address there.
  await dialog.getByLabel("Address of an upstream").fill("not an upstream");
  await page.keyboard.press("Enter");
  await said(page, "Not changed");
  await dialog.getByLabel("Address of an upstream").fill(process.env.ANOTHER);
  await page.keyboard.press("Enter");
  await until(async () => (await ask(env.allowedName, one)).data[3] === 77, "asked there");
  assert.equal((await ask(env.allowedName, other)).data[3], 9, "others are not");
  assert.deepEqual((await treated()).upstreams, [process.env.ANOTHER]);
  await dialog.getByRole("button", { name: `Remove ${process.env.ANOTHER}` }).click();
  await until(async () => (await ask(env.allowedName, one)).data[3] === 9, "as everybody");

  // Safe search.
  assert.equal((await ask("www.bing.com", one)).alias, false);
  await dialog.getByLabel("Safe search").selectOption("on");
  await until(async () => (await ask("www.bing.com", one)).alias, "another name stands in");
  assert.equal((await ask("www.bing.com", other)).alias, false);
  await dialog.getByLabel("Safe search").selectOption("");
  await until(async () => !(await ask("www.bing.com", one)).alias, "no longer");

  // A service.
  await dialog.getByText("Services that it blocks").click();
  await dialog.getByRole("checkbox", { name: "TikTok" }).check();
  await until(async () => (await ask("www.tiktok.com", one)).blocked, "blocked with all below it");
  assert.equal((await ask("www.tiktok.com", other)).blocked, false);
  await until(async () => /Services that it blocks: 1/.test(await dialog.innerText()), "says how many");
  await dialog.getByRole("checkbox", { name: "TikTok" }).uncheck();
  await until(async () => !(await ask("www.tiktok.com", one)).blocked, "no longer");

  // A list that the group alone has, at all times but these.
  const list = (await api(page, "lists")).json.lists.find((l) => l.address.includes(env.moreList));
  const path = `lists/${encodeURIComponent(list.address)}?type=block`;
  assert.equal((await api(page, path, "PUT", { enabled: true, comment: null, groups: [id] })).status, 200);
  await until(async () => (await ask(env.moreName, one)).blocked, "the group has the list");
  assert.equal((await ask(env.moreName, other)).blocked, false);
  await dialog.getByText("Add a weekly time").click();
  const day = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"][(new Date().getDay() + 3) % 7]; // not now
  for (const d of ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"])
    await dialog.getByRole("checkbox", { name: d }).setChecked(d === day);
  await dialog.getByLabel("Then").selectOption("lists");
  await dialog.getByRole("button", { name: "Add this time" }).click();
  await said(page, "Pick at least one of the lists");
  await dialog.getByRole("group", { name: "Lists, of those that the group has" }).getByRole("checkbox", { name: env.moreList }).check();
  await dialog.getByRole("button", { name: "Add this time" }).click();
  await until(async () => !(await ask(env.moreName, one)).blocked, "not at other times");
  assert.match((await treated()).schedules[0], new RegExp(`^${day.toLowerCase()} 21:00-06:30 lists http.*${env.moreList}$`));
  assert.match(await dialog.locator(".times").innerText(), new RegExp(`${day}, 21:00 to 06:30[^]*${env.moreList}`));
  await dialog.screenshot({ path: picture("group-all") });
  await dialog.locator(".times").getByRole("button", { name: "Remove" }).click();
  await until(async () => (await ask(env.moreName, one)).blocked, "at all times again");
  assert.equal((await api(page, path, "PUT", { enabled: true, comment: null, groups: [0] })).status, 200);
  await api(page, "groups/guests", "DELETE");
  await api(page, `clients/${one}`, "DELETE");
});

test("what a group has of the configuration stays, and is not written twice", async ({ page }) => {
  const office = async () => (await api(page, "sinkhole/policy")).json.groups.find((g) => g.name === "office");
  await tab(page, "groups");
  await row(page, "groups", "office").getByRole("button", { name: "Edit" }).click();
  const dialog = page.getByRole("dialog");
  assert.match(await dialog.locator(".times").innerText(), /Mon, 03:00 to 03:01[^]*by the configuration file/);
  assert.equal(await dialog.locator(".times").getByRole("button").count(), 0);
  await dialog.getByText("Services that it blocks").click();
  assert.equal(await dialog.getByRole("checkbox", { name: "TikTok" }).isDisabled(), true);
  await dialog.getByRole("checkbox", { name: "Roblox" }).check();
  await until(async () => (await office()).services.join() === "roblox,tiktok", "one more");
  await dialog.getByText("Add a weekly time").click();
  await dialog.getByRole("button", { name: "Add this time" }).click();
  await until(async () => (await office()).schedules.length === 2, "one more");
  await dialog.getByRole("checkbox", { name: "Roblox" }).uncheck();
  await until(async () => (await office()).services.join() === "tiktok", "that of the file");
  await dialog.locator(".times").getByRole("button", { name: "Remove" }).click();
  await until(async () => (await office()).schedules.join() === "mon 03:00-03:01 block", "that of the file");
});

test("an address that is not wanted in answers, for everybody and for one group", async ({ page }) => {
  const shown = row(page, "rules", "198.51.100.0/24");
  const blocked = async (from) => (await env.ask(env.allowedName, "A", from)).blocked;
  assert.equal((await api(page, "groups", "POST", { name: "<i>lab</i>", enabled: true })).status, 201);
  await tab(page, "rules");
  const add = page.getByRole("form", { name: "Add an address" });
  await add.getByLabel("Address or network").fill("no address");
  await add.getByRole("button", { name: "Block address" }).click();
  await said(page, "Not added");
  await add.getByLabel("Address or network").fill("198.51.100.0/24");
  await add.getByLabel("Comment").fill("<script>alert(1)</script>\u202egnp");
  await add.getByRole("button", { name: "Block address" }).click();
  await shown.waitFor();
  assert.match(await shown.innerText(), /<script>alert\(1\)<\/script>\\u202egnp[^]*for everybody/);
  await until(() => blocked("127.0.1.81"), "blocked by its address");
  await shown.getByRole("switch").click();
  await until(async () => !(await blocked("127.0.1.81")), "switched off");
  await shown.getByRole("switch").click();
  await until(() => blocked("127.0.1.81"), "and on");
  await shown.getByRole("button", { name: "Edit" }).click();
  const dialog = page.locator("dialog[open]");
  await dialog.getByRole("combobox").selectOption({ label: "for <i>lab</i>" });
  await dialog.getByRole("button", { name: "Save" }).click();
  await gone(dialog, "closed");
  await until(async () => /for <i>lab<\/i>/.test(await shown.innerText()), "for the group");
  await until(async () => !(await blocked("127.0.1.81")), "not for others");
  await page.locator("#manage").screenshot({ path: picture("addresses") });
  await shown.getByRole("button", { name: "Remove" }).click();
  await gone(shown, "removed");
  await page.getByRole("button", { name: "Undo" }).last().click();
  await shown.waitFor();
  const { addresses } = (await api(page, "sinkhole/addresses")).json;
  assert.equal(addresses[0].comment, "<script>alert(1)</script>\u202egnp");
  assert.notDeepEqual(addresses[0].groups, [0], "it came back as it was");
  await shown.getByRole("button", { name: "Remove" }).click();
  await gone(shown, "removed");
  await api(page, "groups/" + encodeURIComponent("<i>lab</i>"), "DELETE");
});

test("own rules go out as text and as JSON, and come in again", async ({ page }) => {
  const own = async () => (await api(page, "domains")).json.domains.map((d) => `${d.type} ${d.domain}`).sort();
  const base = `io${Date.now()}.example`;
  const before = await own();
  await tab(page, "rules");
  const dialog = page.getByRole("dialog");
  const bring = async (text, replace = false) => {
    await page.getByRole("button", { name: "Import…" }).click();
    await dialog.getByRole("textbox").fill(text);
    if (replace) await dialog.getByRole("switch").check();
    await dialog.getByRole("button", { name: "Import", exact: true }).click();
  };
  const part = page.locator("#rules");
  const saved = async (words) => {
    const [file] = await Promise.all([page.waitForEvent("download"), part.getByRole("button", { name: words, exact: true }).click()]);
    return readFile(await file.path(), "utf8");
  };

  await bring(`deny a.${base}\nallow *.b.${base}\n<img src=x onerror=alert(1)> x y z\n`);
  await until(async () => /Nothing was changed: 1 line is no rule/.test(await dialog.innerText()), "refused as a whole");
  assert.match(await dialog.innerText(), /3: <img src=x onerror=alert\(1\)> x y z/);
  await dialog.screenshot({ path: picture("import") });
  assert.deepEqual(await own(), before);
  await dialog.getByRole("textbox").fill(`deny a.${base} # <b>why</b>\nallow *.b.${base}\n`);
  await dialog.getByRole("button", { name: "Import", exact: true }).click();
  await said(page, "2 rules imported");
  await until(async () => (await env.ask(`a.${base}`)).blocked, "in force");
  assert.match(await row(page, "rules", `a.${base}`).innerText(), /<b>why<\/b>/);

  const text = await saved("Save as text");
  assert.match(text, new RegExp(`deny a\\.${base}[^\n]*<b>why</b>\n`));
  const json = JSON.parse(await saved("Save as JSON"));
  assert.equal(json.own.length, before.length + 2);

  await bring(`deny only.${base}`, true);
  await said(page, "1 rule imported");
  await until(async () => (await own()).length === 1, "those that were there went");
  await until(async () => !(await env.ask(`a.${base}`)).blocked, "are not in force");
  await page.getByRole("button", { name: "Undo" }).last().click();
  await until(async () => (await own()).length === before.length + 2, "and came back");
  await bring(text);
  await said(page, "0 rules imported; ");
  await page.getByRole("button", { name: "Import…" }).click();
  await page.setInputFiles("#import-file", { name: "r.json", mimeType: "application/json", buffer: Buffer.from(JSON.stringify(json)) });
  await until(async () => (await dialog.getByRole("textbox").inputValue()).includes(`a.${base}`), "the file's text");
  await dialog.getByRole("switch").check();
  await dialog.getByRole("button", { name: "Import", exact: true }).click();
  await until(async () => (await own()).length === before.length + 2, "the same by JSON");
  for (const d of (await api(page, "domains")).json.domains.filter((x) => x.domain.includes(base.split(".")[0])))
    assert.equal((await api(page, `domains/${d.type}/${d.kind}/${encodeURIComponent(d.domain)}`, "DELETE")).status, 204, d.domain);
  await gone(part.locator("tbody tr").filter({ hasText: base }), "gone from the page");
});

test("the history says what it holds, and is erased after a second yes", async ({ page }) => {
  await tab(page, "backup");
  const told = (await api(page, "sinkhole/database")).json.database;
  if (!told.supported) skip("this platform keeps no history");
  const words = page.getByRole("region", { name: "Query history" });
  await until(
    async () => /queries[^]*on the disk[^]*were written in the last 24 hours/.test(await words.innerText()),
    "in words",
  );
  await env.ask(env.blockedName);
  await words.getByRole("button", { name: "Erase all queries" }).click();
  await words.getByRole("button", { name: "Keep it" }).click();
  await until(async () => (await api(page, "queries")).json.queries.length > 0, "nothing is gone yet");
  await words.getByRole("button", { name: "Erase all queries" }).click();
  await words.getByRole("button", { name: "Erase it for good" }).click();
  await said(page, "are erased");
  assert.equal((await api(page, "queries")).json.queries.length, 0);
});

test("a service is blocked by one switch, and safe search stands in", async ({ page }) => {
  await tab(page, "services");
  const all = (await api(page, "sinkhole/services")).json;
  assert.equal(await page.locator(".services li").count(), all.services.length);
  assert.equal((await env.ask("www.tiktok.com")).blocked, false);
  await page.fill("#service-search", "tikt");
  const one = page.locator(".services li").filter({ hasText: "TikTok" });
  await until(async () => (await page.locator(".services li").count()) === 1, "found");
  await one.getByRole("switch").click();
  await until(async () => (await env.ask("www.tiktok.com")).blocked, "blocked with all below it");
  await until(async () => (await page.locator("#services").innerText()).includes("1 of"), "says how many");
  await one.getByRole("switch").click();
  await until(async () => !(await env.ask("www.tiktok.com")).blocked, "no longer");
  await page.getByRole("switch", { name: "Safe search" }).click();
  await until(async () => (await api(page, "sinkhole/services")).json.safe_search.on, "on");
  await page.locator("#services").getByLabel("YouTube").selectOption("moderate");
  await until(async () => (await api(page, "sinkhole/settings")).json.settings["safe-search-youtube"] === "moderate", "moderate");
  await page.fill("#service-search", "");
  await page.locator("#manage").screenshot({ path: picture("services") });
  for (const name of ["safe-search", "safe-search-youtube", "block-service"])
    await api(page, "sinkhole/settings", "PUT", { settings: { [name]: null } });
  await until(async () => !(await page.getByRole("switch", { name: "Safe search" }).isChecked()), "the page follows");
});

test("a setting takes effect, is refused in words, and is taken back", async ({ page }) => {
  await tab(page, "settings");
  const option = (name) => page.locator(`#option-${name}`);
  await option("block-mode").getByRole("combobox").selectOption("nxdomain");
  await until(async () => (await env.ask(env.blockedName)).rcode === 3, "NXDOMAIN");
  await until(async () => (await option("block-mode").innerText()).includes("set here"), "says so");
  await option("block-mode").getByRole("button", { name: "Take back" }).click();
  await until(async () => (await env.ask(env.blockedName)).blocked, "as before");
  const ttl = option("block-ttl").getByRole("textbox");
  await ttl.fill("soon");
  await page.keyboard.press("Enter");
  await said(page, 'found "soon", expected a time such as 90s');
  await ttl.fill("7s");
  await option("block-ttl").getByRole("button", { name: "Set" }).click();
  await said(page, "Block TTL is 7s.");
  const now = async () => (await api(page, "sinkhole/settings")).json;
  assert.deepEqual((await now()).settings, { "block-ttl": "7s" });
  await page.getByRole("button", { name: "Undo" }).last().click();
  await until(async () => Object.keys((await now()).settings).length === 0, "undone");
  const want = (await now()).options
    .filter((o) => !["record", "block-service", "safe-search", "safe-search-youtube"].includes(o.name))
    .map((o) => o.name);
  const got = await page.locator(".option").evaluateAll((all) => all.map((e) => e.id.slice("option-".length)));
  assert.deepEqual([...got].sort(), [...want].sort(), "every option of the API is there");
  await page.locator("#settings summary").filter({ hasText: "Upstream" }).click();
  assert.match(await option("upstream").innerText(), /set by the command line/);
  assert.equal(await option("upstream").locator("input").count(), 0);
});

test("an app password is told once, reads what it may, and is revoked", async ({ page }) => {
  await tab(page, "access");
  await page.fill("#key-name", "widget <i>");
  await page.getByLabel("What it may do").selectOption("read");
  await page.getByRole("button", { name: "Make one" }).click();
  const secret = await page.locator(".secret").innerText();
  const r = row(page, "access", "widget <i>");
  await r.waitFor();
  assert.match(await r.innerText(), /only reads/);
  const asKey = (path, method = "GET", body) =>
    fetch(`${env.url}/api/${path}`, { method, body, headers: { Authorization: `Bearer ${secret}` } }).then((x) => x.status);
  assert.equal(await asKey("stats/summary"), 200);
  assert.equal(await asKey("dns/blocking", "POST", '{"blocking":true}'), 403);
  await page.getByRole("button", { name: "I have it" }).click();
  assert.equal(await page.locator(".secret").count(), 0);
  assert.ok(!(await page.content()).includes(secret), "the secret is nowhere on the page");
  await r.getByRole("button", { name: "Revoke" }).click();
  await gone(r, "revoked");
  assert.equal(await asKey("stats/summary"), 401);
});

/** The code of a secret, `steps` of half a minute from now (RFC 6238). */
function codeOf(secret, steps) {
  const bits = [...secret].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
  const at = Buffer.alloc(8);
  at.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const mac = createHmac("sha1", key).update(at).digest();
  return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/** What a camera would read of the QR code on the page. */
async function readQr(page) {
  const { pixels, side } = await page.locator("svg.qr").evaluate(async (svg) => {
    const image = new Image();
    image.src = "data:image/svg+xml," + encodeURIComponent(new XMLSerializer().serializeToString(svg));
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: 400, height: 400 });
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0, 400, 400);
    return { pixels: [...context.getImageData(0, 0, 400, 400).data], side: 400 };
  });
  return jsQR(new Uint8ClampedArray(pixels), side, side)?.data;
}

test("one-time codes: switched on by the picture, asked for at the door, switched off", async ({ page, fresh }) => {
  await tab(page, "access");
  await page.getByRole("button", { name: "Set up" }).click();
  const secret = (await page.locator(".secret").innerText()).replace(/\s/g, "");
  const uri = await readQr(page);
  assert.equal(new URL(uri).searchParams.get("secret"), secret);
  await page.locator("#access .told").screenshot({ path: picture("totp") });
  await page.fill("#totp-code", "000000");
  await page.getByRole("button", { name: "Switch on" }).click();
  await said(page, "Not switched on");
  await until(() => Date.now() % 30_000 < 10_000, "codes hold for a while yet", 30_000);
  await page.fill("#totp-code", codeOf(secret, -1));
  await page.getByRole("button", { name: "Switch on" }).click();
  await page.getByRole("button", { name: "Switch off" }).waitFor();
  const door = await fresh();
  await door.goto("/");
  await door.fill("#password", env.password);
  if (await door.locator("#code").count()) await door.fill("#code", "");
  await door.keyboard.press("Enter");
  await until(async () => (await door.locator("[role=alert]").innerText()).includes("one-time code"), "asks for the code");
  await door.fill("#code", codeOf(secret, -1));
  await door.keyboard.press("Enter");
  await until(async () => (await door.locator("[role=alert]").innerText()).includes("used already"), "a code counts once");
  await door.fill("#code", codeOf(secret, 0));
  await door.keyboard.press("Enter");
  await door.locator("#totals").waitFor();
  await page.getByRole("button", { name: "Switch off" }).click();
  await page.getByRole("button", { name: "Set up" }).waitFor();
  const again = await fresh();
  await login(again, env);
});

test("local records of every kind are added on the page and answered", async ({ page }) => {
  const at = `kinds${Date.now()}.home.arpa`;
  const kinds = [
    // name, kind that is picked, value; asked name, type; what the row says
    [`six.${at}`, "", "2001:db8::6", `six.${at}`, "AAAA", /address/],
    [`also.${at}`, "", `six.${at}`, `also.${at}`, "AAAA", /alias/],
    [`*.w.${at}`, "", `six.${at}`, `any.w.${at}`, "AAAA", /CNAME/],
    [`*.v6.${at}`, "", "2001:db8::7", `a.v6.${at}`, "AAAA", /AAAA/],
    [at, "MX", `10 mail.${at}`, at, "MX", /MX/],
    [`_ipp._tcp.${at}`, "SRV", `0 5 631 six.${at}`, `_ipp._tcp.${at}`, "SRV", /SRV/],
    ["9.2.0.192.in-addr.arpa", "PTR", `nine.${at}`, "9.2.0.192.in-addr.arpa", "PTR", /PTR/],
    [`notes.${at}`, "TXT", '"one" "and two"', `notes.${at}`, "TXT", /TXT/],
  ];
  await tab(page, "local");
  for (const [name, kind, value, , , says] of kinds) {
    await page.fill("#local-name", name);
    await page.getByLabel("Kind of record").selectOption(kind);
    await page.fill("#local-target", value);
    await page.locator("#local").getByRole("button", { name: "Add" }).click();
    const shown = row(page, "local", value).filter({ hasText: name });
    await shown.waitFor();
    assert.match(await shown.innerText(), says);
  }
  for (const [, , , name, type] of kinds) assert.ok((await env.ask(name, type)).answers >= 1, `${name} ${type}`);
  await page.locator("#manage").screenshot({ path: picture("local") });
  for (const [name, , value] of kinds) {
    const shown = row(page, "local", value).filter({ hasText: name });
    await shown.getByRole("button", { name: "Remove" }).click();
    await gone(shown, name);
  }
  for (const [, , , name, type] of kinds) assert.equal((await env.ask(name, type)).answers, 0, `${name} ${type} is gone`);
});

test("local records of other kinds are answered", async ({ page }) => {
  const name = `*.dev${Date.now()}.home.arpa`;
  await tab(page, "local");
  await page.fill("#local-name", name);
  await page.fill("#local-target", "192.0.2.45");
  await page.locator("#local").getByRole("button", { name: "Add" }).click();
  const r = row(page, "local", name);
  await r.waitFor();
  assert.deepEqual((await env.ask(name.replace("*", "any.thing"))).data, [192, 0, 2, 45]);
  await page.fill("#local-name", "notes.home.arpa");
  await page.getByLabel("Kind of record").selectOption("TXT");
  await page.fill("#local-target", '"<script>alert(1)</script>"');
  await page.locator("#local").getByRole("button", { name: "Add" }).click();
  const txt = row(page, "local", "notes.home.arpa");
  await txt.waitFor();
  assert.match(await txt.innerText(), /<script>alert\(1\)<\/script>/);
  assert.equal((await env.ask("notes.home.arpa", "TXT")).answers, 1);
  await page.fill("#local-name", "bad.home.arpa");
  await page.fill("#local-target", "no quotes\u0007");
  await page.locator("#local").getByRole("button", { name: "Add" }).click();
  await said(page, "Not added");
  for (const x of [r, txt]) {
    await x.getByRole("button", { name: "Remove" }).click();
    await gone(x, "removed");
  }
  assert.equal((await env.ask("notes.home.arpa", "TXT")).answers, 0);
});

test("another session is ended from the page", async ({ page, fresh }) => {
  const other = await fresh();
  await other.goto("/");
  await other.fill("#password", env.password);
  await other.keyboard.press("Enter");
  await other.locator("#totals").waitFor();
  await tab(page, "access");
  const seats = page.locator("#access table").last().locator("tbody tr");
  await until(async () => (await seats.count()) >= 2, "both");
  assert.equal(await seats.filter({ hasText: "this browser" }).count(), 1);
  const mine = (await api(other, "auth/sessions")).json.sessions.find((s) => s.current_session).id;
  const order = (await api(page, "auth/sessions")).json.sessions.sort((a, b) => b.last_active - a.last_active).map((s) => s.id);
  await seats.nth(order.indexOf(mine)).getByRole("button", { name: "End it" }).click();
  await said(page, "Logged out there");
  assert.equal((await api(other, "stats/summary")).status, 401);
});

test("every tab fits a phone", async ({ open }) => {
  for (const width of [390, 320]) {
    const page = await open({ viewport: { width, height: 800 }, hasTouch: true });
    await page.goto("/");
    await page.locator("#manage").waitFor();
    await rows(page).first().waitFor();
    for (const id of await page.locator("[role=tab]").evaluateAll((all) => all.map((t) => t.id.slice(4)))) {
      await tab(page, id);
      await page.waitForTimeout(250);
      assert.equal(await overflow(page), 0, `${id} at ${width}`);
      if (width === 390) await page.locator("#manage").screenshot({ path: picture(`phone-${id}`) });
    }
  }
});

const failed = await runAll(visits(browser, env), (made) => made.close());
await browser.close();
await env.close();
process.exit(failed > 0 ? 1 : 0);
