/** The page over restarts, kills and damage: nothing lost, nothing twice, and what is gone is said. */
import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { assertQuiet, openBrowser, openRoom, phase, rowSeqs, waitForRow } from "./browser.mjs";
import { Kymo, run, temporaryFolder, until } from "./kymo.mjs";

let browser;
before(async () => {
  browser = await openBrowser();
});
after(() => browser?.close());

/** Chromium says in the console that a server is away; that is true, and not a fault of the page. */
const AWAY = /ERR_CONNECTION_REFUSED|WebSocket connection .* failed|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE/;
/** High enough to hold every row of a small ledger at once. */
const TALL = { viewport: { width: 1200, height: 4000 } };

for (const [how, end] of [
  ["stopped", (kymo) => kymo.stop()],
  ["killed with -9", (kymo) => kymo.kill()],
]) {
  test(`a server that is ${how} under way costs no line and repeats none`, async (t) => {
    const kymo = await Kymo.serve(t);
    const page = await openRoom(t, browser, kymo, TALL);
    let acknowledged = 0;
    for (let round = 0; round < 3; round++) {
      const writing = write(kymo, 8).then((stored) => {
        acknowledged += stored;
      });
      if (round > 0) await writing;
      await end(kymo);
      await writing;
      await page.waitForSelector("[data-testid=connection]:not([data-phase=live])");
      await kymo.start();
      acknowledged += await write(kymo, 4);
      await phase(page, "live");
    }
    const ledger = (await kymo.ledger()).map(({ seq }) => seq);
    await waitForRow(page, ledger.at(-1));
    assert.deepEqual(await rowSeqs(page), await currentSeqs(kymo, page));
    const mine = await kymo.ledger("source:writer");
    assert.equal(mine.length >= acknowledged, true, `${mine.length} stored, ${acknowledged} acknowledged`);
    assertQuiet(page, AWAY);
  });
}

/** The ledger newest first, once the page has what it has. */
async function currentSeqs(kymo, page) {
  return until("page and ledger agree on the head", async () => {
    const seqs = (await kymo.ledger()).map(({ seq }) => seq).reverse();
    return (await rowSeqs(page))[0] === seqs[0] && seqs;
  });
}

/** Stores one event after the other; answers with how many were acknowledged before the server was gone. */
async function write(kymo, count) {
  let stored = 0;
  for (let i = 0; i < count; i++) {
    try {
      await kymo.store([{ type: "line.written", source: "writer", data: { i } }]);
      stored++;
    } catch {
      return stored;
    }
  }
  return stored;
}

test("events that are gone are shown as a gap, with how many and why", async (t) => {
  const kymo = await Kymo.serve(t);
  const page = await openRoom(t, browser, kymo);
  await kymo.store([{ type: "before", source: "writer" }]);
  await kymo.stop();
  await page.waitForSelector("[data-testid=connection]:not([data-phase=live])");
  const file = path.join(await temporaryFolder(t), "more.jsonl");
  const lines = Array.from({ length: 40 }, (_, i) => JSON.stringify({ type: "more", source: "writer", data: { i } }));
  await writeFile(file, `${lines.join("\n")}\n`);
  await run(["import", file, "--data", kymo.data]);
  await damage(path.join(kymo.data, "ledger"), '{"i":20}');
  await kymo.start();
  await phase(page, "live");
  await page.locator("[data-gap]").first().waitFor();
  const words = await page.locator("[data-gap]").first().textContent();
  assert.match(words, /Gap of \d+ events?.*damaged on disk/);
  assert.match(await page.getByRole("alert").first().textContent(), /Gap of/);
  const seqs = await rowSeqs(page);
  assert.deepEqual(seqs, [...new Set(seqs)].sort((a, b) => b - a));
  assertQuiet(page, AWAY);
});

/** Changes one byte of the line that holds `text`. */
async function damage(folder, text) {
  for (const name of (await readdir(folder)).filter((name) => name.endsWith(".jsonl"))) {
    const bytes = await readFile(path.join(folder, name));
    const at = bytes.indexOf(text);
    if (at === -1) continue;
    bytes[at + 1] ^= 1;
    await writeFile(path.join(folder, name), bytes);
    return;
  }
  throw new Error(`no line holds ${text}`);
}
