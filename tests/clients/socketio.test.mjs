/**
 * The JavaScript client of Socket.IO against the real program.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import vm from "node:vm";
import { until } from "../e2e/kymo.mjs";
import { client, emit, given, numbered, openDoor } from "./kymo_door.mjs";

const numbers = (seen) => seen.map((data) => data.n);
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
  test(`the newest and then the live ones come by ${transports.join(", then ")}`, async (t) => {
    const kymo = await openDoor(t);
    await emit(kymo, numbered("past", 1, 80));
    const { socket, seen } = client(t, kymo.url, { transports });
    await given(seen, 50);
    await emit(kymo, numbered("live", 81, 90));
    assert.deepEqual(numbers(await given(seen, 60)), range(31, 90));
    const last = transports.at(-1);
    await until(`it is on ${last}`, () => socket.io.engine.transport.name === last);
    await emit(kymo, numbered("live", 91, 300));
    assert.deepEqual(numbers(await given(seen, 270)), range(31, 300));
    const replayed = await socket.emitWithAck("replay", { count: 3 });
    assert.equal(replayed.count, 3);
    assert.deepEqual(numbers(await given(seen, 273)).slice(270), range(298, 300));
  });
}

test("events go in and their receipt comes back", async (t) => {
  const kymo = await openDoor(t);
  const { socket, seen } = client(t, kymo.url);
  const receipt = await socket.emitWithAck("emit", { type: "task.started", data: { n: 1 } });
  assert.deepEqual([receipt.accepted, receipt.durability], [1, "fsync"]);
  assert.deepEqual(numbers(await given(seen, 1)), [1]);
  const refused = await socket.emitWithAck("emit", { data: 1 });
  assert.equal(refused.rejected[0].code, "type_missing");
  assert.equal((await socket.emitWithAck("whatever")).error.code, "unknown_op");
  const binary = await socket.emitWithAck("emit", Buffer.from([1, 2, 3]));
  assert.equal(binary.error.code, "invalid_body");
  assert.equal((await socket.emitWithAck("emit", { type: "b", data: { n: 2 } })).accepted, 1);
});

test("who has no good token is told why", async (t) => {
  const kymo = await openDoor(t, { anonymous: "off" });
  for (const auth of [{}, { token: "kymo_wrong" }]) {
    const { socket } = client(t, kymo.url, { auth });
    const error = await new Promise((resolve) => socket.on("connect_error", resolve));
    assert.equal(error.data.code, "unauthorized");
  }
  const { socket } = client(t, kymo.url, { auth: { token: kymo.token } });
  await until("it is connected", () => socket.connected);
  const other = client(t, `${kymo.url}/admin`, { auth: { token: kymo.token } });
  const error = await new Promise((resolve) => other.socket.on("connect_error", resolve));
  assert.equal(error.message, "Invalid namespace");
});

test("a client that asks for recovery misses nothing and is given nothing twice", async (t) => {
  const kymo = await openDoor(t);
  const { socket, seen } = client(t, kymo.url, { auth: { recovery: true }, transports: ["websocket"] });
  await until("it is connected", () => socket.connected);
  await emit(kymo, numbered("a", 1, 10));
  await given(seen, 10);
  socket.io.engine.close();
  await emit(kymo, numbered("a", 11, 200));
  assert.deepEqual(numbers(await given(seen, 200)), range(1, 200));
  assert.equal(socket.recovered, true);
  await kymo.stop();
  await kymo.start();
  await emit(kymo, numbered("a", 201, 300));
  assert.deepEqual(numbers(await given(seen, 300)), range(1, 300));
  assert.equal(socket.recovered, false, "a restart is told");
});

test("the page of the broadcast seed works as it stands", async (t) => {
  const here = path.dirname(fileURLToPath(import.meta.url));
  const seed = path.resolve(here, "../../../shared/seeds/event-broadcasting.md");
  const text = await readFile(seed, "utf8").catch(() => "");
  const snippet = text.split("```javascript\n")[1]?.split("```")[0];
  if (!snippet) return t.skip("the seed does not lie beside the checkout");
  const kymo = await openDoor(t, { listen: "127.0.0.1:0" });
  const status = await fetch(`${kymo.url}/api/v1/status`, { headers: { authorization: `Bearer ${kymo.token}` } });
  const door = (await status.json()).doors.socketio.listen;
  const past = numbered("sense.project", 1, 60).map((event, index) => ({
    type: event.type,
    ts: "2026-02-14T19:01:23.456Z",
    cycle: index,
    day: 1551,
    data: event.data,
  }));
  await emit(kymo, past);
  const logged = [];
  vm.runInNewContext(snippet, {
    // Only where it connects to is another place.
    io: () => client(t, `http://${door}`).socket,
    console: {
      log: (label, data) => {
        if (!label.startsWith("[kymo.")) logged.push([label, data.n]);
      },
    },
  });
  // The newest fifty, and then what it asked for again.
  await until(`110 lines, there are ${logged.length}`, () => logged.length >= 110);
  await emit(kymo, { ...past[0], data: { n: 61 } });
  await until("the live one", () => logged.length >= 111);
  assert.deepEqual(logged.map(([, n]) => n), [...range(11, 60), ...range(1, 60), 61]);
  assert.ok(logged.every(([label]) => label === "[sense.project]"));
});
