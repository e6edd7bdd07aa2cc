/** Takes the picture of the README: a real project being worked on, seen in the page. */
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { openBrowser, openRoom, settled, waitForRow } from "./browser.mjs";
import { Kymo, temporaryFolder } from "./kymo.mjs";
import { makeProject, workFor } from "./scene.mjs";

const target = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../docs/images/page.png");

const home = await temporaryFolder();
const project = await makeProject(path.join(home, "shop"));
const kymo = new Kymo(project.file(".kymo"), ["up", project.folder, "--no-open"]);
const browser = await openBrowser();
try {
  await kymo.start();
  const page = await openRoom(undefined, browser, kymo, { colorScheme: "dark", viewport: { width: 1440, height: 860 } });
  await workFor(project, 3000);
  const commit = await kymo.ledger("type:git.commit").then((all) => all.at(-2));
  await page.goto(`${kymo.url}/?seq=${commit.seq}`);
  await waitForRow(page, commit.seq);
  await page.getByRole("tree").first().waitFor();
  await settled(page);
  await mkdir(path.dirname(target), { recursive: true });
  await page.screenshot({ path: target });
  console.log(`took ${path.relative(process.cwd(), target)}`);
} finally {
  await browser.close();
  await kymo.stop();
}
