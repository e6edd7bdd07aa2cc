/** The page while things happen: how soon, how much, and how it says so. */
import assert from "node:assert/strict";
import { availableParallelism, loadavg } from "node:os";
import { after, before, test } from "node:test";
import { assertQuiet, focusFeed, openBrowser, openRoom, rowSeqs, waitForRow } from "./browser.mjs";
import { Kymo, run, until } from "./kymo.mjs";

let browser;
before(async () => {
  browser = await openBrowser();
});
after(() => browser?.close());

const ON_SCREEN_MS = 100;
const TASK_MS = 100;

test("an event is on screen within 100 ms of kymo emit", async (t) => {
  const kymo = await Kymo.serve(t);
  const page = await openRoom(t, browser, kymo);
  await page.evaluate(() => {
    globalThis.painted = {};
    const note = (row) =>
      // After the frame that shows it was drawn, not when it was put into the document.
      requestAnimationFrame(() => setTimeout(() => (globalThis.painted[row.dataset.seq] = Date.now())));
    new MutationObserver((changes) => {
      for (const { addedNodes } of changes) {
        for (const node of addedNodes) {
          if (node.nodeType !== 1) continue;
          for (const row of node.matches("[data-seq]") ? [node] : node.querySelectorAll("[data-seq]")) note(row);
        }
      }
    }).observe(document.querySelector("main"), { childList: true, subtree: true });
  });
  const sinceCommand = [];
  const sinceDurable = [];
  const programs = [];
  const frames = [];
  for (let i = 0; i < 15; i++) {
    const { began, seq } = await kymo.emit("probe.sent", `n=${i}`);
    const painted = await until("it is on screen", () => page.evaluate((seq) => globalThis.painted[seq], seq));
    const { events } = await kymo.api("GET", `/api/v1/events?from=${seq}&to=${seq + 1}`);
    sinceCommand.push(painted - began);
    sinceDurable.push(painted - Date.parse(events[0].recorded));
    programs.push(await duration(() => run(["--version"])));
    frames.push(await duration(() => page.evaluate(nextFrame)));
  }
  let [command, durable] = [sinceCommand, sinceDurable].map(median);
  t.diagnostic(`on screen ${durable} ms after the event was durable, ${command} ms after kymo emit was started (medians of 15)`);
  t.diagnostic(`slowest: ${Math.max(...sinceDurable)} ms and ${Math.max(...sinceCommand)} ms`);
  if (loadavg()[0] > availableParallelism()) {
    // Others want more processors than there are: starting any program and drawing any frame takes its time then.
    const [program, frame] = [programs, frames].map(median);
    t.diagnostic(`load ${loadavg()[0]}: starting a program takes ${program} ms, a frame ${frame} ms`);
    command -= program + frame;
    durable -= frame;
  }
  assert.ok(durable < ON_SCREEN_MS, `${durable} ms after it was durable`);
  assert.ok(command < ON_SCREEN_MS, `${command} ms after the command was started`);
  assertQuiet(page);
});

test("100,000 events in the feed: few rows in the page, no long task while scrolling", async (t) => {
  const kymo = await Kymo.serve(t);
  const page = await openRoom(t, browser, kymo);
  const filler = "x".repeat(150);
  for (let batch = 0; batch < 20; batch++) {
    const events = Array.from({ length: 5000 }, (_, i) => ({
      type: i % 50 === 0 ? "task.failed" : "task.step",
      source: "load",
      level: i % 50 === 0 ? "error" : "info",
      data: { n: batch * 5000 + i, note: filler },
    }));
    await kymo.store(events);
  }
  const feed = page.locator("[data-feed]");
  await until("all are in the feed", async () => Number(await feed.getAttribute("data-count")) >= 100_000);
  await page.evaluate(() => {
    globalThis.tasks = [];
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) globalThis.tasks.push(Math.round(duration));
    }).observe({ type: "longtask" });
  });
  await page.mouse.move(600, 500);
  // Tasks are measured in time on the clock. On a machine that is busy with something else one pass may be
  // disturbed; work that is really too long shows in every pass.
  let longest = Infinity;
  let rows = 0;
  for (let pass = 1; pass <= 3 && longest > TASK_MS; pass++) {
    await page.evaluate(() => globalThis.tasks.splice(0));
    rows = Math.max(rows, await scrollThrough(page, feed));
    longest = Math.max(0, ...(await page.evaluate(() => globalThis.tasks)));
    t.diagnostic(`pass ${pass}: ${rows} rows in the page at most, longest task while scrolling ${longest} ms`);
  }
  assert.ok(rows <= 200, `${rows} rows`);
  if (longest > TASK_MS && loadavg()[0] > availableParallelism()) {
    // Others want more processors than there are: what the page itself costs is told by the processor's clock.
    longest = await longestByProcessor(page, () => scrollThrough(page, feed));
    t.diagnostic(`load ${loadavg()[0]}: by the processor's clock the longest task took ${longest} ms`);
  }
  assert.ok(longest <= TASK_MS, `a task of ${longest} ms`);
  assertQuiet(page);
});

/** The longest task of the page's main thread in processor time, in ms. */
async function longestByProcessor(page, work) {
  await browser.startTracing(page, { categories: ["toplevel", "devtools.timeline"] });
  await work();
  const { traceEvents } = JSON.parse(await browser.stopTracing());
  const threadOf = ({ pid, tid }) => `${pid}:${tid}`;
  const main = new Set(traceEvents.filter(({ args }) => args?.name === "CrRendererMain").map(threadOf));
  const tasks = traceEvents.filter((event) => event.name.endsWith("RunTask") && main.has(threadOf(event)));
  assert.ok(tasks.length > 100, "the trace holds the tasks");
  return Math.max(...tasks.map(({ tdur = 0 }) => Math.round(tdur / 1000)));
}

/** By wheel, then in leaps; answers with the most rows there were in the page. */
async function scrollThrough(page, feed) {
  let rows = 0;
  await feed.evaluate((element) => element.scrollTo(0, 0));
  for (let i = 0; i < 60; i++) {
    await page.mouse.wheel(0, 400 + i * 60);
    if (i % 6 === 0) rows = Math.max(rows, (await rowSeqs(page)).length);
  }
  for (const share of [0.2, 0.9, 0.5, 1, 0.01]) {
    await feed.evaluate((element, share) => element.scrollTo(0, element.scrollHeight * share), share);
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    const seqs = await rowSeqs(page);
    assert.ok(seqs.length > 20, "rows are shown where one has scrolled to");
    assert.deepEqual(seqs, [...seqs].sort((a, b) => b - a), "newest first");
    rows = Math.max(rows, seqs.length);
  }
  return rows;
}

test("a paused feed stands still, counts what arrives, and then shows it", async (t) => {
  const kymo = await Kymo.serve(t);
  const page = await openRoom(t, browser, kymo);
  const { last } = await kymo.store([{ type: "a", source: "t" }]);
  await waitForRow(page, last);
  await focusFeed(page);
  await page.keyboard.press("Space");
  assert.match(page.url(), /paused=1/);
  const before = await rowSeqs(page);
  const added = await kymo.store([{ type: "b", source: "t" }, { type: "c", source: "t" }]);
  await page.getByRole("button", { name: /Paused, [1-9]/ }).waitFor();
  assert.deepEqual(await rowSeqs(page), before);
  await page.keyboard.press("Space");
  await waitForRow(page, added.last);
  assertQuiet(page);
});

test("scrolled away, the feed keeps its place and says how many are new", async (t) => {
  const kymo = await Kymo.serve(t);
  await kymo.store(Array.from({ length: 300 }, (_, i) => ({ type: "x", source: "t", data: { i } })));
  const page = await openRoom(t, browser, kymo);
  await page.locator("[data-feed]").evaluate((element) => element.scrollTo(0, 3000));
  await until("it has scrolled", async () => !(await rowSeqs(page)).includes(300));
  const place = await rowSeqs(page);
  const { last } = await kymo.store(Array.from({ length: 7 }, () => ({ type: "y", source: "t" })));
  await page.getByRole("button", { name: /\d+ new/ }).click();
  await waitForRow(page, last);
  assert.ok(!place.includes(last));
  assertQuiet(page);
});

const nextFrame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));

/** How long some work takes, in ms. */
async function duration(work) {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

const median = (figures) => [...figures].sort((a, b) => a - b)[Math.floor(figures.length / 2)];
