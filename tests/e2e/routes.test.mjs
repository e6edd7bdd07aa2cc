/** Routes on the page: what becomes of what, tried before it is kept, and what is wrong told at its place. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { accessibilityFaults, assertQuiet, keyboardFaults, NARROW, openBrowser, openRoom, settled } from "./browser.mjs";
import { Kymo, until } from "./kymo.mjs";

let browser;
before(async () => {
  browser = await openBrowser();
});
after(() => browser?.close());

const ROUTES = "/?view=routes";

/** One route of the settings, and an event for it. */
async function serveRoutes(t) {
  const kymo = await Kymo.serve(
    t,
    `[routes.rated]
when = "type:tool.completed"
emit = { type = "tool.rated", level = "{{ data.level }}" }
`,
  );
  await kymo.store([{ type: "tool.completed", source: "t", agent: "planner", data: { ms: 7200, level: "loud", n: 0.1 } }]);
  return kymo;
}

const card = (page, name) => page.locator(`[data-route="${name}"]`);
const field = (page, name) => page.getByLabel(name, { exact: true });

test("routes are shown with how they run, and one that fails says why", async (t) => {
  const kymo = await serveRoutes(t);
  const page = await openRoom(t, browser, kymo, { search: ROUTES });
  const rated = card(page, "rated");
  await rated.locator("[data-figure=refused] dd", { hasText: /^1$/ }).waitFor();
  assert.match(await rated.textContent(), /kymo\.toml.*running.*type:tool\.completed.*tool\.rated.*template_failed.*`loud` is no level/);
  await kymo.store([{ type: "tool.completed", source: "t", data: { level: "warn" } }]);
  await rated.locator("[data-figure=derived] dd", { hasText: /^1$/ }).waitFor();
  assert.equal(await rated.getByRole("button", { name: /Change|Remove/ }).count(), 0, "the settings are changed there");
  await rated.getByRole("button", { name: "Events about route rated" }).click();
  await page.locator("[data-feed] [data-seq]", { hasText: "route rated refused 1 event" }).waitFor();
  assertQuiet(page);
});

test("a route is written, tried, kept, changed and removed", async (t) => {
  const kymo = await serveRoutes(t);
  const page = await openRoom(t, browser, kymo, { search: ROUTES });
  await page.getByRole("button", { name: "Add a route" }).click();
  await field(page, "Name").and(page.locator(":focus")).fill("slow");
  await field(page, "When").fill("type:tool.completed data.ms:>5000");
  await field(page, "type").fill("tool.slow");
  await field(page, "data").fill('{ "ms": "{{ data.ms }}", "big": 12345678901234567890, "one": 1.0 }');
  await field(page, "level").fill("warn");
  const stored = (await kymo.ledger()).length;
  await page.getByRole("button", { name: "Try" }).click();
  const derived = page.locator("[data-derived]");
  await derived.waitFor();
  assert.match(await derived.textContent(), /"type": "tool\.slow"/);
  assert.match(await derived.textContent(), /"ms": 7200/);
  assert.match(await derived.textContent(), /"big": 12345678901234567890/);
  assert.deepEqual(await accessibilityFaults(page), []);
  assert.equal((await kymo.ledger()).length, stored, "a try stores nothing");
  await page.getByRole("button", { name: "Save" }).click();
  await card(page, "slow").locator("[data-state=connected]").waitFor();
  await kymo.store([{ type: "tool.completed", source: "t", data: { ms: 9000, level: "info" } }]);
  await card(page, "slow").locator("[data-figure=derived] dd", { hasText: /^1$/ }).waitFor();
  const [made] = await kymo.ledger("type:tool.slow");
  assert.deepEqual([made.level, made.data.ms], ["warn", 9000]);

  await page.getByRole("button", { name: "Change slow" }).click();
  assert.match(await field(page, "data").inputValue(), /"big": 12345678901234567890,[^]*"one": 1\.0/);
  await field(page, "type").fill("tool.lame");
  await page.getByLabel("It runs").uncheck();
  await page.getByRole("button", { name: "Save" }).click();
  await card(page, "slow").getByText("at rest").waitFor();
  assert.match(await card(page, "slow").textContent(), /tool\.lame/);

  await page.getByRole("button", { name: "Remove slow" }).click();
  await page.getByRole("button", { name: "Keep" }).click();
  await page.getByRole("button", { name: "Remove slow" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Remove" }).click();
  await card(page, "slow").waitFor({ state: "detached" });
  const { routes } = await kymo.api("GET", "/api/v1/routes");
  assert.deepEqual(
    routes.map(({ name }) => name),
    ["rated"],
  );
  assertQuiet(page);
});

test("what is wrong with a route is told at its place, and nothing is lost of what was typed", async (t) => {
  const kymo = await serveRoutes(t);
  const page = await openRoom(t, browser, kymo, { search: `${ROUTES}&route=` });
  const wrong = async (name, value, message, right) => {
    await field(page, name).fill(value);
    await page.getByRole("button", { name: "Save" }).click();
    const faulty = field(page, name).and(page.locator(":focus[aria-invalid=true]"));
    await faulty.waitFor();
    const told = await faulty.evaluate((input) =>
      (input.getAttribute("aria-describedby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent).join(" "),
    );
    assert.match(told, message);
    await field(page, name).fill(right);
  };
  await field(page, "type").fill("tool.slow");
  await wrong("Name", "rated", /there is a route of this name/, "has spaces");
  await wrong("Name", "has spaces", /name/, "slow");
  await wrong("When", "(type:x", /never closed/, "type:x");
  await wrong("data", '{"a": ', /this is no JSON/, "");
  await wrong("data", '{"a": "{{ data. }}"}', /\w/, "");
  await wrong("level", "loud", /^`loud` is none of/, "warn");
  await wrong("type", "kymo.mine", /does not begin with `kymo\.`/, "tool.slow");
  await page.getByRole("button", { name: "Try" }).click();
  await page.getByText("No event in the ledger matches.").waitFor();
  await page.keyboard.press("Escape");
  await field(page, "type").waitFor();
  await kymo.kill();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("alert").filter({ hasText: "the server does not answer" }).waitFor();
  assert.equal(await field(page, "type").inputValue(), "tool.slow");
  await kymo.start();
  await page.getByRole("button", { name: "Save" }).click();
  await card(page, "slow").waitFor();
});

test("who may not change routes is shown them and offered nothing else", async (t) => {
  const kymo = await serveRoutes(t);
  await kymo.api("PUT", "/api/v1/routes/mine", '{"when":"type:x","emit":{"type":"y"}}');
  const reader = await openRoom(t, browser, kymo, { search: `${ROUTES}&route=mine`, token: await kymo.makeToken(["read"]) });
  await card(reader, "mine").waitFor();
  await card(reader, "mine").locator("[data-state=connected]").waitFor();
  assert.equal(await reader.getByRole("main").getByRole("button", { name: /Add a route|Change|Remove|Save|Try/ }).count(), 0);
  await card(reader, "mine").getByText("What it emits").click();
  await reader.getByText('"type": "y"').waitFor();
  const bound = await openRoom(t, browser, kymo, { search: ROUTES, token: await kymo.makeToken(["read"], { agent: "a" }) });
  await bound.getByRole("heading", { name: "Not for this login" }).waitFor();
  const manager = await openRoom(t, browser, kymo, { search: `${ROUTES}&route=mine`, token: await kymo.makeToken(["manage"]) });
  await manager.getByRole("heading", { name: "Change mine" }).waitFor();
  await manager.keyboard.press("Escape");
  await manager.getByRole("heading", { name: "Change mine" }).waitFor({ state: "detached" });
  assertQuiet(reader);
});

test("without routes the page says how to have one, in settings that are followed at once", async (t) => {
  const kymo = await Kymo.serve(t, "# nothing yet\n");
  const page = await openRoom(t, browser, kymo, { search: ROUTES });
  await page.getByRole("heading", { name: "No routes yet" }).waitFor();
  await kymo.settings(await page.locator("main pre").textContent());
  await card(page, "slow-tools").locator("[data-state=connected]").waitFor();
  await until("it derives", async () => {
    await kymo.store([{ type: "tool.completed", source: "t", data: { ms: 6000 } }]);
    return (await kymo.ledger("type:tool.slow")).length > 0;
  });
  assertQuiet(page);
});

for (const colorScheme of ["light", "dark"]) {
  for (const [name, viewport] of [
    ["wide", undefined],
    ["narrow", NARROW],
  ]) {
    test(`routes shut nobody out: ${colorScheme}, ${name}`, async (t) => {
      const kymo = await serveRoutes(t);
      await kymo.api("PUT", "/api/v1/routes/mine", '{"when":"type:x","emit":{"type":"y"}}');
      const page = await openRoom(t, browser, kymo, { search: ROUTES, colorScheme, ...(viewport ? { viewport } : {}) });
      await card(page, "mine").locator("[data-state=connected]").waitFor();
      assert.deepEqual(await accessibilityFaults(page), []);
      assert.deepEqual(await keyboardFaults(page), { unreached: [], unseen: [] });
      await page.getByRole("button", { name: "Change mine" }).click();
      await field(page, "type").waitFor();
      await settled(page);
      assert.deepEqual(await accessibilityFaults(page), []);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0);
      assertQuiet(page);
    });
  }
}
