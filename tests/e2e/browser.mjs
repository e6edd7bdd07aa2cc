/** A headless Chromium, and pages of the control room in it that notice what goes wrong. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export const WIDE = { width: 1440, height: 900 };
export const NARROW = { width: 390, height: 844 };

export const openBrowser = () =>
  chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });

/** A page in a context of its own: nobody is logged in yet. */
export async function openPage(test, browser, options = {}) {
  const context = await browser.newContext({ viewport: WIDE, locale: "en-GB", timezoneId: "UTC", ...options });
  test?.after(() => context.close());
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  page.complaints = [];
  page.on("console", (message) => {
    if (message.type() === "error") page.complaints.push(message.text());
  });
  page.on("pageerror", (error) => page.complaints.push(error.message));
  return page;
}

/** A page that is logged in and live, at `search`; by a token if it is given one, else as the owner. */
export async function openRoom(test, browser, kymo, { search = "", token, ...options } = {}) {
  const page = await openPage(test, browser, options);
  if (token) await page.addInitScript((token) => sessionStorage.setItem("kymo.token", token), token);
  else await page.goto(await kymo.loginUrl());
  if (search || token) await page.goto(`${kymo.url}${search || "/"}`);
  await phase(page, "live");
  return page;
}

/** Waits until the badge says so. */
export const phase = (page, name, options = {}) =>
  page.waitForSelector(`[data-testid=connection][data-phase=${name}]`, { timeout: 60_000, ...options });

/** Seqs of the rows in the page, from the top. */
export const rowSeqs = (page) =>
  page.$$eval("[data-feed] [data-seq]", (rows) => rows.map((row) => Number(row.dataset.seq)));

export const waitForRow = (page, seq) => page.waitForSelector(`[data-feed] [data-seq="${seq}"]`, { timeout: 60_000 });

export const focusFeed = (page) => page.locator("[data-feed]").focus();

/** Nothing was complained about in the console, but for what a test brought about itself. */
export function assertQuiet(page, expected = /$^/) {
  assert.deepEqual(
    page.complaints.filter((text) => !expected.test(text)),
    [],
  );
}

/** Waits until nothing moves any more but what always does. */
export const settled = (page) =>
  page.evaluate(() => {
    const ending = document.getAnimations().filter(({ effect }) => effect.getTiming().iterations < Infinity);
    return Promise.all(ending.map(({ finished }) => finished.catch(() => {}))).then(() => {});
  });

const axePath = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** Finds what would shut people out; only serious and critical findings count. */
export async function accessibilityFaults(page) {
  // Through the debugger's door: the page's own policy lets no foreign script in.
  await page.evaluate(await readFile(axePath, "utf8"));
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, help, nodes }) => `${id}: ${help} (${nodes.map(({ target }) => target.join(" ")).join(", ")})`);
}

/** The names of controls that the Tab key does not reach, and of those that do not show that they have the focus. */
export async function keyboardFaults(page) {
  const controls = await page.evaluate(() => {
    const all = document.querySelectorAll("button, input, select, textarea, a[href], [role=tree], [role=listbox]");
    const visible = [...all].filter((e) => e.checkVisibility() && e.getClientRects().length > 0);
    visible.forEach((element, index) => element.setAttribute("data-control", index));
    return visible.map((e) => e.getAttribute("aria-label") ?? e.textContent);
  });
  const reached = new Set();
  const unseen = [];
  await page.evaluate(() => document.activeElement?.blur());
  for (let i = 0; i < controls.length + 15; i++) {
    await page.keyboard.press("Tab");
    const focus = await page.evaluate(() => {
      const element = document.activeElement;
      const ringed = (e) => {
        const { outlineStyle, boxShadow } = getComputedStyle(e);
        return outlineStyle !== "none" || boxShadow !== "none";
      };
      return {
        control: element?.closest("[data-control]")?.getAttribute("data-control") ?? null,
        seen: element !== null && (ringed(element) || ringed(element.parentElement ?? element)),
        name: element?.getAttribute("aria-label") ?? element?.textContent,
      };
    });
    if (focus.control !== null) reached.add(Number(focus.control));
    if (focus.control !== null && !focus.seen) unseen.push(focus.name);
  }
  return { unreached: controls.filter((_, index) => !reached.has(index)), unseen };
}

/** Notes from now on whatever moves on the page without anybody having asked for it; answers with what did. */
export async function watchShifts(page) {
  await page.evaluate(() => {
    globalThis.shifted = [];
    new PerformanceObserver((list) => {
      for (const { hadRecentInput, value, sources } of list.getEntries()) {
        // A figure that is written from the right grows to the left, and stands still for the eye.
        const moved = sources.filter(({ node, previousRect: was, currentRect: is }) => {
          const element = node?.nodeType === 1 ? node : node?.parentElement;
          const isFromRight = element && getComputedStyle(element).textAlign === "right";
          return !isFromRight || is.right !== was.right || is.top !== was.top;
        });
        if (hadRecentInput || moved.length === 0) continue;
        const what = moved.map(({ node }) => (node?.parentElement ?? node)?.outerHTML?.slice(0, 120) ?? "?");
        globalThis.shifted.push(`${value.toFixed(4)}: ${what.join(" | ")}`);
      }
    }).observe({ type: "layout-shift" });
  });
  return () => page.evaluate(() => globalThis.shifted);
}
