/** Agents on the page: how they are, how they were, and the way to their events. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  accessibilityFaults,
  assertQuiet,
  keyboardFaults,
  NARROW,
  openBrowser,
  openRoom,
  rowSeqs,
  settled,
  watchShifts,
} from "./browser.mjs";
import { Kymo, run, until } from "./kymo.mjs";

let browser;
before(async () => {
  browser = await openBrowser();
});
after(() => browser?.close());

const AGENTS = "/?view=agents";

const began = (agent, task) => ({ type: "task.started", source: "daemon", agent, task });
const ended = (agent, task) => ({ type: "task.completed", source: "daemon", agent, task });

/** A planner that works, a weaver that is idle, a scout that failed. */
async function serveAgents(t) {
  const kymo = await Kymo.serve(t);
  const { last } = await kymo.store([
    began("planner", "demo-001"),
    began("weaver", "demo-002"),
    ended("weaver", "demo-002"),
    { type: "agent.failed", source: "claude-code", agent: "scout", level: "error" },
  ]);
  return { kymo, last };
}

/** The agents shown, each with its state, from the top. */
const shown = (page) =>
  page.$$eval("[data-agent]", (rows) => rows.map(({ dataset }) => `${dataset.agent} ${dataset.state}`).join(", "));
const shows = (page, wanted) => until(`the page shows ${wanted}`, async () => (await shown(page)) === wanted);
const ALL = "planner working, scout failed, weaver idle";

test("agents are shown with what they are at, and change as they go on", async (t) => {
  const { kymo } = await serveAgents(t);
  const page = await openRoom(t, browser, kymo, { search: AGENTS });
  await shows(page, ALL);
  assert.match(await page.locator("[data-agent=planner]").textContent(), /task.*demo-001/);
  await kymo.store([ended("planner", "demo-001"), began("weaver", "demo-007")]);
  await shows(page, "planner idle, scout failed, weaver working");
  assert.match(await page.locator("[data-agent=weaver]").textContent(), /demo-007/);
  assertQuiet(page);
});

test("agents are found by words and by state, and the address remembers what was asked", async (t) => {
  const { kymo } = await serveAgents(t);
  const page = await openRoom(t, browser, kymo, { search: AGENTS });
  await shows(page, ALL);
  await page.getByRole("button", { name: "failed 1" }).click();
  await shows(page, "scout failed");
  await page.reload();
  await shows(page, "scout failed");
  await page.getByRole("button", { name: "failed 1", pressed: true }).click();
  await page.keyboard.press("/");
  await page.keyboard.type("DEMO-001");
  await shows(page, "planner working");
  assert.equal(new URL(page.url()).searchParams.get("find"), "DEMO-001");
  await page.keyboard.type("0");
  await page.getByText("No agent is like that.").waitFor();
  await page.getByRole("button", { name: "Show all", exact: true }).click();
  await shows(page, ALL);
  assertQuiet(page);
});

test("agents are looked at as they were, which is said and does not move, and now is a key away", async (t) => {
  const { kymo, last } = await serveAgents(t);
  const page = await openRoom(t, browser, kymo, { search: AGENTS });
  await shows(page, ALL);
  await page.keyboard.press("g");
  await page.getByLabel("Seq or time").fill(String(last - 2));
  await page.keyboard.press("Enter");
  await shows(page, "planner working, weaver working");
  const past = page.getByText("The past:");
  await past.waitFor();
  await kymo.store([ended("planner", "demo-001")]);
  await page.locator(`[data-fact=head] dd`, { hasText: String(last + 1) }).waitFor();
  assert.equal(await shown(page), "planner working, weaver working");
  assert.deepEqual(await accessibilityFaults(page), []);
  await page.keyboard.press("n");
  await shows(page, "planner idle, scout failed, weaver idle");
  await past.waitFor({ state: "detached" });
  await page.goBack();
  await shows(page, "planner working, weaver working");
  await page.getByRole("button", { name: "Back to now" }).click();
  await shows(page, "planner idle, scout failed, weaver idle");
  assertQuiet(page);
});

test("a moment before what is kept leads to the first that is", async (t) => {
  const { kymo } = await serveAgents(t);
  const page = await openRoom(t, browser, kymo);
  await page.route("**/api/v1/agents?at=1", (route) =>
    route.fulfill({
      status: 410,
      json: { error: { code: "before_retention", message: "gone", detail: { known_from: 3 } } },
    }),
  );
  await page.goto(`${kymo.url}${AGENTS}&at=1`);
  await page.getByRole("heading", { name: "Before what is kept" }).waitFor();
  await page.getByRole("button", { name: "To the earliest that is known, #3" }).click();
  await until("it stands there", () => new URL(page.url()).searchParams.get("at") === "3");
  await page.locator("[data-agent]").first().waitFor();
  assertQuiet(page, /status of 410/);
});

test("an agent leads to its events, by keyboard too, and back", async (t) => {
  const { kymo } = await serveAgents(t);
  const mine = (await kymo.ledger("agent:weaver")).map(({ seq }) => seq).reverse();
  const page = await openRoom(t, browser, kymo, { search: AGENTS });
  await shows(page, ALL);
  await page.keyboard.press("/");
  for (const key of ["ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp", "ArrowDown", "Enter"]) {
    await page.keyboard.press(key);
  }
  await until("only its events are shown", async () => (await rowSeqs(page)).join() === mine.join());
  assert.equal(new URL(page.url()).search, "?filter=agent%3Aweaver");
  await page.goBack();
  await shows(page, ALL);
  assert.equal(await page.locator("[data-agent=weaver]").getAttribute("href"), "/?filter=agent%3Aweaver");
  assertQuiet(page);
});

test("without agents the page says how to have one, in commands that work", async (t) => {
  const kymo = await Kymo.serve(t);
  const page = await openRoom(t, browser, kymo, { search: AGENTS });
  await page.getByRole("heading", { name: "No agents yet" }).waitFor();
  const [first, second] = await page.locator("main code", { hasText: "kymo emit" }).allTextContents();
  const type = (command) => run([...command.split(" ").slice(1), "--folder", kymo.data]);
  await type(first);
  await shows(page, "planner working");
  await type(second);
  await shows(page, "planner idle");
  assertQuiet(page);
});

test("who may see only some events is shown the agents of those", async (t) => {
  const { kymo } = await serveAgents(t);
  const token = await kymo.makeToken(["read"], { agent: "weaver" });
  const page = await openRoom(t, browser, kymo, { search: AGENTS, token });
  await shows(page, "weaver idle");
});

test("nothing moves while agents work", async (t) => {
  const { kymo } = await serveAgents(t);
  const page = await openRoom(t, browser, kymo, { search: AGENTS });
  await shows(page, ALL);
  await settled(page);
  const shifts = await watchShifts(page);
  for (let round = 0; round < 4; round++) {
    const step = round % 2 ? ended : began;
    await kymo.store(["planner", "scout", "weaver"].flatMap((name) => Array(30).fill(step(name, "demo-003"))));
    const state = round % 2 ? "idle" : "working";
    if (round > 0) await page.locator(`[data-agent=weaver][data-state=${state}]`).waitFor();
  }
  assert.deepEqual(await shifts(), []);
});

for (const colorScheme of ["light", "dark"]) {
  for (const [name, viewport] of [
    ["wide", undefined],
    ["narrow", NARROW],
  ]) {
    test(`agents shut nobody out: ${colorScheme}, ${name}`, async (t) => {
      const { kymo } = await serveAgents(t);
      const page = await openRoom(t, browser, kymo, { search: AGENTS, colorScheme, ...(viewport ? { viewport } : {}) });
      await shows(page, ALL);
      assert.deepEqual(await accessibilityFaults(page), []);
      assert.deepEqual(await keyboardFaults(page), { unreached: [], unseen: [] });
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0);
      assertQuiet(page);
    });
  }
}
