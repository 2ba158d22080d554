// Pages that are left open, for measurements: PAGES of them on BASE_URL, until standard input ends. Says "open" when all show numbers.
import { launch, login, ready, startEnvironment } from "./env.mjs";

const env = await startEnvironment();
const browser = await launch();
const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
context.setDefaultTimeout(180_000);
for (let i = 0; i < Number(process.env.PAGES ?? 10); i++) {
  const page = await context.newPage();
  if (i === 0) {
    await login(page, env);
  } else {
    await page.goto(env.url + "/");
    await ready(page);
  }
}
console.log("open");
process.stdin.resume();
await new Promise((done) => process.stdin.on("end", done));
await browser.close();
await env.close();
