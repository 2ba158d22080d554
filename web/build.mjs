// Bundles the page into a folder: index.html, favicon.svg and one script and one style sheet with their hash in the name.
// usage: node build.mjs OUTDIR [--dev]
import * as esbuild from "esbuild";
import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const src = join(dirname(fileURLToPath(import.meta.url)), "src");

export async function build(out, dev = false) {
  await rm(out, { recursive: true, force: true });
  await mkdir(out, { recursive: true });
  const result = await esbuild.build({
    entryPoints: { app: join(src, "main.tsx") },
    outdir: out,
    bundle: true,
    minify: !dev,
    sourcemap: dev ? "inline" : false,
    format: "esm",
    target: ["es2021"],
    jsx: "automatic",
    jsxImportSource: "preact",
    charset: "utf8",
    legalComments: "none",
    entryNames: "[name]-[hash]",
    metafile: true,
    logLevel: "warning",
  });
  const files = Object.keys(result.metafile.outputs).map((f) => basename(f));
  const script = files.find((f) => f.endsWith(".js"));
  const style = files.find((f) => f.endsWith(".css"));
  const page = await readFile(join(src, "index.html"), "utf8");
  await writeFile(join(out, "index.html"), page.replace("{{script}}", script).replace("{{style}}", style));
  await copyFile(join(src, "favicon.svg"), join(out, "favicon.svg"));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const out = process.argv[2];
  if (!out) {
    console.error("usage: node build.mjs OUTDIR [--dev]");
    process.exit(2);
  }
  await build(out, process.argv.includes("--dev"));
}
