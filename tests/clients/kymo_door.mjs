/**
 * A server with an open door, and clients that remember what they were given.
 */
import path from "node:path";
import { io } from "socket.io-client";
import { Kymo, temporaryFolder, until } from "../e2e/kymo.mjs";

/** Serves with the Socket.IO door open, on a folder of its own, with these settings of the door besides. */
export function openDoor(test, settings = {}) {
  return open(test, "socketio", settings);
}

/** Serves with the conductor's door open on a port of its own; answers with that address, too. */
export async function openConductor(test, settings = {}) {
  const kymo = await open(test, "conductor", { listen: "127.0.0.1:0", metrics_ms: 200, ...settings });
  const answer = await fetch(`${kymo.url}/api/v1/status`, { headers: { authorization: `Bearer ${kymo.token}` } });
  const { doors } = await answer.json();
  return { kymo, address: doors.conductor.listen };
}

async function open(test, door, settings) {
  const data = path.join(await temporaryFolder(test), "data");
  const all = { enabled: true, anonymous: "read+emit", ...settings };
  const sets = Object.entries(all).flatMap(([key, value]) => ["--set", `doors.${door}.${key}=${value}`]);
  const kymo = new Kymo(data, ["serve", "--data", data, ...sets]);
  await kymo.start();
  test.after(() => kymo.kill());
  return kymo;
}

/** A client that collects the data of its events, but for those of the server's own; closed after the test. */
export function client(test, url, options = {}) {
  const socket = io(url, { forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 200, ...options });
  test.after(() => socket.close());
  const seen = [];
  socket.on("event", (event) => {
    if (!event.type.startsWith("kymo.")) seen.push(event.data);
  });
  return { socket, seen };
}

/** Waits until a client has been given so many events. */
export async function given(seen, count) {
  await until(`${count} events, there are ${seen.length}`, () => seen.length >= count);
  return seen;
}

/** Stores events, as anything that speaks HTTP may. */
export async function emit(kymo, events) {
  const answer = await fetch(`${kymo.url}/api/v1/events`, {
    method: "POST",
    headers: { authorization: `Bearer ${kymo.token}`, "content-type": "application/json" },
    body: JSON.stringify(events),
  });
  const receipt = await answer.json();
  if (!answer.ok) throw new Error(JSON.stringify(receipt));
  return receipt;
}

/** So many events of a type, their data counting from `from`. */
export function numbered(type, from, to) {
  return Array.from({ length: to - from + 1 }, (_, index) => ({ type, data: { n: from + index } }));
}
