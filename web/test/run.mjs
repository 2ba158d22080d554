// Bundles the tests (they import TypeScript) into build/web-test/ and runs them; prints TAP.
import * as esbuild from "esbuild";
import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "../../build/web-test");
const tests = readdirSync(here).filter((f) => f.endsWith(".test.ts"));

rmSync(out, { recursive: true, force: true });
await esbuild.build({
  entryPoints: tests.map((f) => join(here, f)),
  outdir: out,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node18",
  logLevel: "warning",
});
process.env.TZ = "UTC";
const run = spawnSync(
  process.execPath,
  ["--test", "--test-reporter=tap", ...tests.map((f) => join(out, f.replace(/\.ts$/, ".mjs")))],
  { stdio: "inherit" },
);
process.exit(run.status ?? 1);
