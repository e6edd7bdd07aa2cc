/**
 * The Python client of Socket.IO against the real program.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { environment } from "../e2e/kymo.mjs";
import { emit, numbered, openDoor } from "./kymo_door.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const python = path.join(here, ".venv/bin/python");

/** Runs the client; what it prints, one value a line. */
function run(t, args) {
  const child = spawn(python, [path.join(here, "reader.py"), ...args], {
    env: environment({ PYTHONUNBUFFERED: "1" }),
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill());
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async () => JSON.parse((await lines.next()).value);
}

for (const transport of ["polling", "websocket", "both"]) {
  test(`python-socketio reads, replays and emits by ${transport}`, async (t) => {
    const kymo = await openDoor(t, { anonymous: "off" });
    await emit(kymo, numbered("past", 1, 60));
    const next = run(t, [kymo.url, kymo.token, transport]);
    const receipts = [];
    const numbers = async (count) => {
      const all = [];
      while (all.length < count) {
        const said = await next();
        if ("n" in said) all.push(said.n);
        else receipts.push(said);
      }
      // The client hears each packet in a thread of its own, in whatever order those run.
      return all.sort((a, b) => a - b);
    };
    assert.deepEqual(await numbers(50), Array.from({ length: 50 }, (_, index) => index + 11));
    // It emits one event, and then asks for the newest two again.
    assert.deepEqual(await numbers(3), [60, 61, 61]);
    assert.deepEqual(receipts, [{ accepted: 1 }]);
    await emit(kymo, numbered("live", 62, 300));
    assert.deepEqual(await numbers(239), Array.from({ length: 239 }, (_, index) => index + 62));
  });
}

test("python-socketio is told why it may not come in", async (t) => {
  const kymo = await openDoor(t, { anonymous: "off" });
  const next = run(t, [kymo.url, "kymo_wrong", "websocket"]);
  assert.deepEqual(await next(), { refused: "unauthorized" });
});
