/** Real work in a real folder, as the page tells it. */
import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import { assertQuiet, openBrowser, openRoom } from "./browser.mjs";
import { Kymo, temporaryFolder } from "./kymo.mjs";
import { makeProject, workFor } from "./scene.mjs";

let browser;
before(async () => {
  browser = await openBrowser();
});
after(() => browser?.close());

test("what happens in a watched folder is told in words", async (t) => {
  const home = await temporaryFolder(t);
  const project = await makeProject(path.join(home, "shop"));
  const kymo = new Kymo(project.file(".kymo"), ["up", project.folder, "--no-open"]);
  t.after(() => kymo.kill());
  await kymo.start();
  const page = await openRoom(t, browser, kymo, { viewport: { width: 1440, height: 3000 } });
  await workFor(project, 150);
  for (const sentence of [
    /^watching .*shop/,
    /^modified src\/cart\.js \+\d+/,
    /^created check\.js/,
    /^renamed src\/prices\.js → src\/currency\.js/,
    /^committed Take a discount off the whole cart/,
    /^\$ node check\.js → exit 1 in/,
    /^\$ node check\.js → exit 0 in/,
    /^Less than 5 % of the disk is free/,
  ]) {
    await page.locator("[data-feed] [data-seq] > span", { hasText: sentence }).first().waitFor();
  }
  const folder = await page.locator("header").textContent();
  assert.match(folder, /shop/);
  assertQuiet(page);
});

test("a folder that is not watched whole is said at the top of the page", async (t) => {
  const home = await temporaryFolder(t);
  const project = await makeProject(path.join(home, "shop"));
  const kymo = new Kymo(project.file(".kymo"), ["up", project.folder, "--no-open", "--set", "watch.directories_max=1"]);
  t.after(() => kymo.kill());
  await kymo.start();
  const page = await openRoom(t, browser, kymo);
  await page.getByRole("alert").filter({ hasText: "is not fully watched" }).waitFor();
  await page.locator("[data-feed] [data-level=error]", { hasText: "watch.limited" }).waitFor();
  assertQuiet(page);
});
