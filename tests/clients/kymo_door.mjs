/**
 * A server whose Socket.IO door is open, and clients that remember what they were given.
 */
import path from "node:path";
import { io } from "socket.io-client";
import { Kymo, temporaryFolder, until } from "../e2e/kymo.mjs";

/** Serves on a folder of its own, with these settings of the door besides. */
export async function openDoor(test, settings = {}) {
  const data = path.join(await temporaryFolder(test), "data");
  const all = { enabled: true, anonymous: "read+emit", ...settings };
  const sets = Object.entries(all).flatMap(([key, value]) => ["--set", `doors.socketio.${key}=${value}`]);
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
