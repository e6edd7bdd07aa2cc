/** The page as people use it: by keyboard, by filter, on a phone, in the dark, and with no login. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  accessibilityFaults,
  assertQuiet,
  focusFeed,
  keyboardFaults,
  NARROW,
  openBrowser,
  openPage,
  openRoom,
  phase,
  rowSeqs,
  settled,
  waitForRow,
} from "./browser.mjs";
import { Kymo, until } from "./kymo.mjs";

let browser;
let kymo;
let stored;
before(async () => {
  browser = await openBrowser();
  kymo = await Kymo.serve();
  stored = await kymo.store([
    { type: "file.modified", source: "watch", data: { path: "src/main.rs", added: 12, removed: 3 } },
    { type: "tool.started", source: "agent", agent: "planner", session: "s-1", data: { tool: "Bash", list: [{ a: null }] } },
    { type: "disk.low", source: "monitor", level: "critical", data: { message: "ninety-five percent", used: 0.95 } },
  ]);
  await kymo.api(
    "POST",
    "/api/v1/events",
    '{"type":"digits","source":"t","data":{"big":12345678901234567890,"small":0.10}}',
  );
});
after(async () => {
  await browser?.close();
  await kymo?.kill();
});

/** A refused request is written to the console by the browser itself. */
const REFUSED = /status of 40[01]/;

test("every control is reached by the Tab key, and shows where it is", async (t) => {
  const page = await openRoom(t, browser, kymo, { search: `/?seq=${stored.first + 1}` });
  await page.locator("aside [role=treeitem]").first().waitFor();
  assert.deepEqual(await keyboardFaults(page), { unreached: [], unseen: [] });
  assertQuiet(page);
});

test("the keyboard walks the feed, opens an event, filters by it and closes it", async (t) => {
  const page = await openRoom(t, browser, kymo);
  await waitForRow(page, stored.last);
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  await page.keyboard.press("k");
  await focusFeed(page);
  await page.keyboard.press("Enter");
  const [newest] = await rowSeqs(page);
  assert.equal(new URL(page.url()).searchParams.get("seq"), String(newest));
  await page.keyboard.press("g");
  await page.getByLabel("Seq or time").and(page.locator(":focus")).waitFor();
  await page.keyboard.type(String(stored.first + 1));
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "tool.started" }).waitFor();
  const tree = page.getByRole("tree", { name: "data" });
  await tree.getByRole("treeitem").first().focus();
  await page.keyboard.press("f");
  await until("the filter is in the address", () => new URL(page.url()).searchParams.get("filter") === "data.tool:Bash");
  await until("only it is shown", async () => (await rowSeqs(page)).join() === String(stored.first + 1));
  await page.keyboard.press("Escape");
  assert.equal(new URL(page.url()).searchParams.get("seq"), null);
  await page.keyboard.press("/");
  await page.keyboard.press("Delete");
  await page.keyboard.press("Enter");
  await waitForRow(page, stored.last);
  await page.keyboard.press("Escape");
  await focusFeed(page);
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
  assertQuiet(page);
});

test("a chip narrows the feed to what belongs together, and back brings it back", async (t) => {
  const page = await openRoom(t, browser, kymo, { search: `/?seq=${stored.first + 1}` });
  await page.getByRole("button", { name: "agent planner" }).click();
  await until("only the planner is shown", async () => (await rowSeqs(page)).join() === String(stored.first + 1));
  await page.goBack();
  await waitForRow(page, stored.last);
  assertQuiet(page);
});

test("a filter that cannot be read is explained with its place, and the feed goes on", async (t) => {
  const page = await openRoom(t, browser, kymo);
  await page.keyboard.press("/");
  await page.keyboard.type("(type:a OR type:b");
  await page.keyboard.press("Enter");
  const alert = page.getByRole("alert");
  await alert.waitFor();
  assert.match(await alert.textContent(), /never closed/);
  assert.equal(await alert.locator("mark").textContent(), "(");
  const { last } = await kymo.store([{ type: "still.live", source: "t" }]);
  await waitForRow(page, last);
  await page.getByRole("button", { name: "Clear the filter" }).click();
  await alert.waitFor({ state: "detached" });
  assertQuiet(page, REFUSED);
});

test("no match is said, and one click shows everything again", async (t) => {
  const page = await openRoom(t, browser, kymo, { search: "/?filter=type:nothing.like.it" });
  await page.getByRole("heading", { name: "No event matches" }).waitFor();
  await page.getByRole("main").getByRole("button", { name: "Clear the filter" }).click();
  await waitForRow(page, stored.last);
  assertQuiet(page);
});

test("an address leads to the same place: filter, pause, event and moment", async (t) => {
  const search = `/?filter=source%3Amonitor&at=${stored.first}&paused=1&seq=${stored.first + 2}`;
  const page = await openRoom(t, browser, kymo, { search });
  await page.getByRole("heading", { name: "disk.low" }).waitFor();
  await page.getByRole("button", { name: /back to now/ }).waitFor();
  await page.getByRole("button", { name: /Paused/ }).waitFor();
  assert.equal(await page.getByRole("combobox", { name: "Filter" }).inputValue(), "source:monitor");
  assertQuiet(page);
});

test("numbers in the details keep every digit they came with", async (t) => {
  const page = await openRoom(t, browser, kymo, { search: "/?filter=type:digits" });
  await page.locator("[data-seq]").first().click();
  const tree = page.getByRole("tree", { name: "data" });
  await until("the digits are there", async () => /12345678901234567890/.test(await tree.textContent()));
  assert.match(await tree.textContent(), /small0\.10/);
  assertQuiet(page);
});

for (const colorScheme of ["light", "dark"]) {
  for (const [name, viewport] of [
    ["wide", undefined],
    ["narrow", NARROW],
  ]) {
    test(`axe finds nothing serious: ${colorScheme}, ${name}`, async (t) => {
      const options = { colorScheme, ...(viewport ? { viewport } : {}) };
      const page = await openRoom(t, browser, kymo, { search: `/?seq=${stored.first + 1}`, ...options });
      await page.getByRole("tree", { name: "data" }).waitFor();
      assert.equal(await page.evaluate(() => document.documentElement.dataset.mantineColorScheme), colorScheme);
      assert.deepEqual(await accessibilityFaults(page), []);
      await page.keyboard.press("Escape");
      await page.getByRole("tree").waitFor({ state: "detached" });
      await page.keyboard.press("?");
      await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
      await settled(page);
      assert.deepEqual(await accessibilityFaults(page), []);
      assertQuiet(page);
    });
  }
}

test("an address that leads nowhere says so, and leads back to the feed", async (t) => {
  const page = await openRoom(t, browser, kymo);
  const answer = await page.goto(`${kymo.url}/nope`);
  assert.equal(answer.status(), 404);
  await page.getByRole("heading", { name: "Not found" }).waitFor();
  assert.match(await page.getByRole("main").textContent(), /\/nope/);
  assert.deepEqual(await accessibilityFaults(page), []);
  await page.getByRole("link", { name: "To the live feed" }).click();
  await phase(page, "live");
  assertQuiet(page, /status of 404/);
});

test("the imported past is marked in the feed", async (t) => {
  const page = await openRoom(t, browser, kymo);
  const { first, last } = await kymo.store([
    { type: "old.thing", source: "t", time: "2020-02-14T19:01:23Z", backfill: true },
    { type: "new.thing", source: "t" },
  ]);
  await waitForRow(page, last);
  const words = (seq) => page.locator(`[data-feed] [data-seq="${seq}"]`).textContent();
  assert.match(await words(first), /backfill/);
  assert.doesNotMatch(await words(last), /backfill/);
  assertQuiet(page);
});

test("the colours can be chosen and stay chosen", async (t) => {
  const page = await openRoom(t, browser, kymo, { colorScheme: "dark" });
  const scheme = () => page.evaluate(() => document.documentElement.dataset.mantineColorScheme);
  await page.getByRole("button", { name: /^Colours: auto/ }).click();
  assert.equal(await scheme(), "light");
  await page.reload();
  await phase(page, "live");
  assert.equal(await scheme(), "light");
});

test("on a phone the details fill the screen and go away again", async (t) => {
  const page = await openRoom(t, browser, kymo, { viewport: NARROW });
  await page.locator(`[data-seq="${stored.first + 1}"]`).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("tree", { name: "data" }).waitFor();
  const box = await until("it is up", async () => {
    const found = await dialog.boundingBox();
    return found?.y === 0 && found;
  });
  assert.equal(box.height, NARROW.height);
  await dialog.getByRole("button", { name: /Close/ }).click();
  await dialog.waitFor({ state: "detached" });
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.equal(overflow, 0, "nothing is wider than the screen");
  assertQuiet(page);
});

test("on a phone the connection is told in full, and the header still fits", async (t) => {
  const passing = await Kymo.serve(t);
  const page = await openRoom(t, browser, passing, { viewport: NARROW });
  await passing.kill();
  const badge = page.locator("[data-testid=connection][data-phase=waiting]");
  await badge.waitFor();
  for (const part of [badge, page.getByTestId("scheme")]) {
    const box = await part.boundingBox();
    assert.ok(box && box.x + box.width <= NARROW.width, "it is inside the screen");
  }
});

test("who is not logged in is told how, and a pasted token lets them in", async (t) => {
  const page = await openPage(t, browser);
  await page.goto(kymo.url);
  await page.getByRole("heading", { name: "Not logged in" }).waitFor();
  assert.match(await page.getByRole("main").textContent(), /kymo up/);
  assert.deepEqual(await accessibilityFaults(page), []);
  await page.getByLabel("Token", { exact: true }).fill("wrong");
  await page.getByRole("button", { name: "Enter" }).click();
  await page.getByText("This token was not accepted.").waitFor();
  await page.getByLabel("Token", { exact: true }).fill(kymo.token);
  await page.getByRole("button", { name: "Enter" }).click();
  await phase(page, "live");
  assertQuiet(page, REFUSED);
});
