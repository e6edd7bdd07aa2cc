/** Bridges on the page: how they are, as it changes, for everybody who may know. */
import assert from "node:assert/strict";
import { appendFile, mkdir } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import {
  accessibilityFaults,
  assertQuiet,
  keyboardFaults,
  NARROW,
  openBrowser,
  openRoom,
  rowSeqs,
  watchShifts,
} from "./browser.mjs";
import { Kymo, temporaryFolder, until } from "./kymo.mjs";

let browser;
before(async () => {
  browser = await openBrowser();
});
after(() => browser?.close());

const BRIDGES = "/?view=bridges";

/** A server that follows a folder and has a sink whose other side is away; port 1 is nobody's. */
async function serveBridges(t) {
  const runs = path.join(await temporaryFolder(t), "runs");
  await mkdir(runs);
  const kymo = await Kymo.serve(
    t,
    `[sources.agents]
kind = "tail"
paths = ["${runs}/*.jsonl"]

[sinks.bus]
kind = "nats"
url = "nats://127.0.0.1:1"
`,
  );
  const write = (...records) =>
    appendFile(path.join(runs, "ledger.jsonl"), records.map((record) => `${JSON.stringify(record)}\n`).join(""));
  return { kymo, write };
}

const card = (page, name) => page.locator(`[data-bridge=${name}]`);
const figure = (page, name, of) => card(page, name).locator(`[data-figure=${of}] dd`);
const figureIs = (page, name, of, wanted) =>
  until(`${of} of ${name} is ${wanted}`, async () => {
    const text = await figure(page, name, of).textContent();
    return wanted instanceof RegExp ? wanted.test(text) : text === wanted;
  });

test("a source that works and a sink whose other side is away are shown as they are, live", async (t) => {
  const { kymo, write } = await serveBridges(t);
  const page = await openRoom(t, browser, kymo, { search: BRIDGES });
  await page.locator("[data-bridge=agents][data-state=connected]").waitFor();
  await page.locator("[data-bridge=bus][data-state=waiting]").waitFor();
  assert.match(await card(page, "bus").textContent(), /nats:\/\/127\.0\.0\.1:1.*unreachable/);
  await write({ type: "task.step", source: "daemon" }, { n: 1 }, { type: "task.step", source: "daemon" });
  await figureIs(page, "agents", "stored", "3");
  await figureIs(page, "agents", "unrecognised", "1");
  await figureIs(page, "bus", "behind", /^[1-9]\d*$/);
  const countdown = card(page, "bus").locator("[data-next-try]");
  const seen = new Set();
  await until("the next try is counted down", async () => {
    const words = await countdown.textContent({ timeout: 1000 }).catch(() => "");
    if (/^(next try in \d+ s|trying now)$/.test(words)) seen.add(words);
    return seen.size > 1;
  });
  assertQuiet(page);
});

test("a bridge that is not well is marked in every view, and the mark says so in words", async (t) => {
  const { kymo } = await serveBridges(t);
  const page = await openRoom(t, browser, kymo);
  const way = page.getByRole("link", { name: "Bridges 1 not well" });
  await way.waitFor();
  assert.equal(await page.getByTestId("unwell-bridges").innerText().then((text) => text.slice(0, 1)), "1");
  await way.click();
  await page.getByRole("heading", { name: "Bridges" }).waitFor();
  assert.equal(new URL(page.url()).search, BRIDGES.slice(1));
  await page.goBack();
  await page.locator("[data-feed]").waitFor();
  await page.keyboard.press("3");
  await card(page, "bus").waitFor();
  await page.keyboard.press("1");
  await page.locator("[data-feed]").waitFor();
  assertQuiet(page);
});

test("records that were not recognised are counted, and one click away", async (t) => {
  const { kymo, write } = await serveBridges(t);
  const page = await openRoom(t, browser, kymo, { search: BRIDGES });
  await write({ n: 1 }, { type: "task.step" }, { n: 2 });
  const way = page.getByRole("button", { name: "Unrecognised records 2" });
  await way.click();
  assert.equal(new URL(page.url()).searchParams.get("filter"), "type:unrecognised");
  const unrecognised = (await kymo.ledger("type:unrecognised")).map(({ seq }) => seq);
  assert.equal(unrecognised.length, 2);
  await until("they alone are shown", async () => (await rowSeqs(page)).join() === unrecognised.reverse().join());
  await page.goBack();
  await card(page, "bus").getByRole("button", { name: "Events about sink bus" }).click();
  await until("what the sink told is shown", async () => {
    const rows = await page.locator("[data-feed] [data-seq]").allTextContents();
    return rows.length > 0 && rows.every((text) => /sink bus waiting/.test(text));
  });
  assertQuiet(page);
});

test("without bridges the page says how to add one, in settings that hold", async (t) => {
  const empty = await Kymo.serve(t);
  const page = await openRoom(t, browser, empty, { search: BRIDGES });
  await page.getByRole("heading", { name: "No bridges yet" }).waitFor();
  const shown = await page.locator("main pre").allTextContents();
  assert.deepEqual(
    shown.map((text) => text.split("\n").length),
    [3, 3],
  );
  const home = await temporaryFolder(t);
  const kymo = await Kymo.serve(t, shown.join("\n\n").replaceAll("~", home));
  const next = await openRoom(t, browser, kymo, { search: BRIDGES });
  await next.locator("[data-bridge=agents][data-state=connected]").waitFor();
  await next.locator("[data-bridge=log][data-state=connected]").waitFor();
  assert.deepEqual(await accessibilityFaults(page), []);
  assertQuiet(page);
});

test("who may see only some events is offered no bridges, and told so at their address", async (t) => {
  const { kymo } = await serveBridges(t);
  const all = await openRoom(t, browser, kymo, { token: await kymo.makeToken(["read"]), search: BRIDGES });
  await card(all, "bus").waitFor();
  const bound = await openRoom(t, browser, kymo, { token: await kymo.makeToken(["read"], { agent: "planner" }) });
  await until("it knows who asks", () => bound.evaluate(() => performance.getEntriesByName(`${location.origin}/api/v1/status`).length > 1));
  assert.equal(await bound.getByRole("link", { name: /Bridges/ }).count(), 0);
  await bound.goto(kymo.url + BRIDGES);
  await bound.getByRole("heading", { name: "Not for this login" }).waitFor();
  assertQuiet(all);
});

test("while the server is away the last figures stay, and are said to be old", async (t) => {
  const { kymo, write } = await serveBridges(t);
  const page = await openRoom(t, browser, kymo, { search: BRIDGES });
  await write({ type: "task.step" });
  await figureIs(page, "agents", "stored", "1");
  await kymo.kill();
  const notice = page.getByText(/The server does not answer\. What is shown is of/);
  await notice.waitFor();
  assert.equal(await figure(page, "agents", "stored").textContent(), "1");
  await kymo.start();
  await notice.waitFor({ state: "detached" });
  await figureIs(page, "agents", "stored", "0");
});

test("nothing moves while the figures of bridges change", async (t) => {
  const { kymo, write } = await serveBridges(t);
  const page = await openRoom(t, browser, kymo, { search: BRIDGES });
  await page.locator("[data-bridge=bus][data-state=waiting]").waitFor();
  await page.evaluate(() => document.fonts.ready.then(() => {}));
  const shifts = await watchShifts(page);
  for (let round = 1; round <= 4; round++) {
    await write(...Array.from({ length: 400 }, (_, i) => (i % 2 ? { i } : { type: "task.step", data: { i } })));
    await figureIs(page, "agents", "unrecognised", new RegExp(`^${round * 200 >= 1000 ? "1.?" : ""}${(round * 200) % 1000 || "000"}$`));
  }
  assert.deepEqual(await shifts(), []);
  assertQuiet(page);
});

for (const colorScheme of ["light", "dark"]) {
  for (const [name, viewport] of [
    ["wide", undefined],
    ["narrow", NARROW],
  ]) {
    test(`bridges shut nobody out: ${colorScheme}, ${name}`, async (t) => {
      const { kymo, write } = await serveBridges(t);
      const page = await openRoom(t, browser, kymo, { search: BRIDGES, colorScheme, ...(viewport ? { viewport } : {}) });
      await write({ n: 1 });
      await figureIs(page, "agents", "unrecognised", "1");
      await page.locator("[data-bridge=bus][data-state=waiting]").waitFor();
      assert.deepEqual(await accessibilityFaults(page), []);
      assert.deepEqual(await keyboardFaults(page), { unreached: [], unseen: [] });
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0);
      assertQuiet(page);
    });
  }
}
