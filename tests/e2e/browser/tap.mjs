// Tests in order, as TAP. A test that throws fails; skip(why) inside of one skips it.
import assert from "node:assert/strict";

class Skip extends Error {}

export function skip(why) {
  throw new Skip(why);
}

export { assert };

const tests = [];

export function test(name, run) {
  tests.push({ name, run });
}

/** Runs all tests with what `before` makes for each, then its verify(); `after` takes it back. Returns how many failed. */
export async function runAll(before, after) {
  const only = process.env.ONLY;
  const chosen = only ? tests.filter((t) => t.name.includes(only)) : tests;
  let failed = 0;
  console.log(`TAP version 13\n1..${chosen.length}`);
  for (const [i, { name, run }] of chosen.entries()) {
    const line = `${i + 1} - ${name}`;
    const made = await before(name);
    try {
      await run(made);
      made.verify?.();
      console.log(`ok ${line}`);
    } catch (e) {
      if (e instanceof Skip) {
        console.log(`ok ${line} # SKIP ${e.message}`);
      } else {
        failed++;
        console.log(`not ok ${line}`);
        for (const l of String(e.stack ?? e)
          .split("\n")
          .slice(0, 24))
          console.log(`# ${l}`);
        await made.failed?.(name);
      }
    } finally {
      await after(made);
    }
  }
  return failed;
}

/** Waits until f gives something true, and gives that. The bound is for a machine with much else to do: what waits for a state is no slower for it. */
export async function until(f, what, ms = 30_000) {
  const end = Date.now() + ms;
  let last;
  while (Date.now() < end) {
    try {
      last = await f();
      if (last) return last;
    } catch (e) {
      last = e;
    }
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`${what}: not within ${ms} ms; last: ${last}`);
}
