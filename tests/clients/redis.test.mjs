/**
 * v5 and its own library for Redis against the real program, with a real redis-server between them.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import path from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { environment, Kymo, temporaryFolder, until } from "../e2e/kymo.mjs";
import { emit } from "./kymo_door.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const python = path.join(here, ".venv/bin/python");

const missing = spawnSync("redis-server", ["--version"]).error
  ? "redis-server is not installed (Debian, Ubuntu: sudo apt-get install redis-server)"
  : false;

function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function accepts(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("close", () => socket.destroy()).once("connect", () => socket.end());
  });
}

/** A redis-server on a free port, ended with the test; its address. */
async function redisServer(t) {
  const [folder, port] = [await temporaryFolder(t), await freePort()];
  const args = ["--port", port, "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "yes"];
  const server = spawn("redis-server", args.map(String), { stdio: "ignore" });
  t.after(() => server.kill("SIGKILL"));
  await until("redis-server accepts", () => accepts(port));
  return `redis://127.0.0.1:${port}`;
}

/** Serves with bridges of kind `redis`: `{ "sources.v5": { streams: … } }`. */
async function serve(t, url, bridges) {
  const data = path.join(await temporaryFolder(t), "data");
  const sets = Object.entries(bridges).flatMap(([name, settings]) =>
    Object.entries({ kind: "redis", url, ...settings }).flatMap(([key, value]) => ["--set", `${name}.${key}=${value}`]),
  );
  const kymo = new Kymo(data, ["serve", "--data", data, ...sets]);
  await kymo.start();
  t.after(() => kymo.kill());
  await until("the bridge works", async () => {
    const { bridges } = await ask(kymo, "/api/v1/bridges");
    return bridges.every(({ state }) => state === "connected");
  });
  return kymo;
}

async function ask(kymo, address) {
  const answer = await fetch(kymo.url + address, { headers: { authorization: `Bearer ${kymo.token}` } });
  assert.ok(answer.ok, `${address}: ${answer.status}`);
  return answer.json();
}

/** Runs one of the two ends; what it prints, one value a line. */
function v5(t, ...args) {
  const child = spawn(python, [path.join(here, "v5.py"), ...args], {
    env: environment({ PYTHONUNBUFFERED: "1", PYTHONUTF8: "1" }),
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill());
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async () => JSON.parse((await lines.next()).value);
}

/** The publisher of the seed as it stands, as a module in a folder; `undefined` where the seed does not lie beside the checkout. */
async function publisher(t) {
  const seed = path.resolve(here, "../../../shared/seeds/event-broadcasting.md");
  const text = await readFile(seed, "utf8").catch(() => "");
  const snippet = text.split("```python\n").find((part) => part.startsWith("# v5/broadcast.py"))?.split("```")[0];
  if (!snippet) return undefined;
  const folder = path.join(await temporaryFolder(t), "v5");
  await mkdir(folder);
  await writeFile(path.join(folder, "broadcast.py"), snippet);
  return folder;
}

const numbers = (events) => events.map(({ data }) => data.n);
const range = (count) => Array.from({ length: count }, (_, index) => index);

test("what the broadcaster of the v5 seed publishes and adds is stored once", { skip: missing }, async (t) => {
  const folder = await publisher(t);
  if (!folder) return t.skip("the seed does not lie beside the checkout");
  const url = await redisServer(t);
  const kymo = await serve(t, url, { "sources.v5": { streams: "v5:stream", channels: "v5:events" } });
  const last = await v5(t, "emit", folder, url, "500")();
  const stored = () => ask(kymo, "/api/v1/events?filter=type%3Asense.project&order=oldest&limit=1000");
  await until("all of them", async () => (await stored()).events.length >= 500);
  // What would be stored twice is after a second.
  await until("what was published is told from what was added", async () => {
    const [{ skipped }] = (await ask(kymo, "/api/v1/bridges")).bridges;
    return skipped === 500;
  });
  const { events } = await stored();
  assert.deepEqual(numbers(events), range(500));
  const event = events.at(-1);
  assert.deepEqual([event.data, event.ext.cycle, event.ext.day], [last.data, 42, 1551]);
  assert.equal(new Date(event.time).getTime(), new Date(last.ts).getTime());
});

test("v5's own readers are given what Kymo has", { skip: missing }, async (t) => {
  const url = await redisServer(t);
  const kymo = await serve(t, url, { "sinks.v5": {} });
  const next = v5(t, "hear", url, "20");
  assert.deepEqual(await next(), { listens: true });
  await emit(kymo, range(20).map((n) => ({ type: "state.mood", data: { n } })));
  const { heard, stored } = await next();
  assert.deepEqual(numbers(heard), range(20));
  assert.deepEqual(heard, stored);
  assert.deepEqual([heard[0].type, heard[0].cycle, heard[0].day], ["state.mood", 0, 0]);
});
