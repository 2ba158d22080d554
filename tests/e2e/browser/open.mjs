// Pages that are left open, for measurements: PAGES of them on BASE_URL, until standard input ends. Says "open" when all show numbers.
import { launch, login, startEnvironment } from "./env.mjs";

const env = await startEnvironment();
const browser = await launch();
// A context for each, as if ten people had one: all pages of one browser have six connections to a server among them, and a page that is
// seen holds one for its events.
let storageState;
for (let i = 0; i < Number(process.env.PAGES ?? 10); i++) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, storageState });
  context.setDefaultTimeout(180_000);
  const page = await context.newPage();
  await login(page, env);
  storageState ??= await context.storageState();
}
console.log("open");
process.stdin.resume();
await new Promise((done) => process.stdin.on("end", done));
await browser.close();
await env.close();
