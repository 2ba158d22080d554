// How soon the page shows something on a slow line and a slow machine: told as figures, no test. Wants BASE_URL and PASSWORD.
import { launch, login, startEnvironment } from "./env.mjs";

const env = await startEnvironment();
const browser = await launch();
const profiles = {
  "as it is": null,
  "fast 3G, processor 4 times slower": { kbit: 1600, latency: 150, cpu: 4 },
  "slow 3G, processor 6 times slower": { kbit: 400, latency: 400, cpu: 6 },
};
const median = (all) => [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)];

/** Milliseconds to the first paint, to the numbers, and octets over the wire, of one visit without a cache. */
async function visit(context, p) {
  const page = await context.newPage();
  const cdp = await context.newCDPSession(page);
  await cdp.send("Network.enable");
  await cdp.send("Network.setCacheDisabled", { cacheDisabled: true });
  if (p) {
    const rate = (p.kbit * 1000) / 8;
    const line = { offline: false, latency: p.latency, downloadThroughput: rate, uploadThroughput: rate };
    await cdp.send("Network.emulateNetworkConditions", line);
    await cdp.send("Emulation.setCPUThrottlingRate", { rate: p.cpu });
  }
  await page.goto(env.url + "/");
  await page.waitForSelector("#totals .value:not(:has(.skeleton-number))");
  const seen = await page.evaluate(() => ({
    paint: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
    numbers: performance.now(),
    octets: performance
      .getEntriesByType("resource")
      .filter((e) => /\.(js|css|svg)$/.test(e.name))
      .reduce((n, e) => n + e.encodedBodySize, performance.getEntriesByType("navigation")[0].encodedBodySize),
  }));
  await page.close();
  return seen;
}

const context = await browser.newContext();
await login(await context.newPage(), env);
for (const [name, p] of Object.entries(profiles)) {
  const runs = [];
  for (let i = 0; i < 5; i++) runs.push(await visit(context, p));
  const of = (key) => median(runs.map((r) => r[key])).toFixed(0);
  console.log(
    `# ${name}: first paint ${of("paint")} ms, numbers ${of("numbers")} ms, ${of("octets")} octets of page (medians of 5)`,
  );
}
await browser.close();
await env.close();
