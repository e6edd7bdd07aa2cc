/**
 * The React hook of the conductor's seed, as it stands, over npm's `ws`, against the real program.
 */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import vm from "node:vm";
import { transformSync } from "esbuild";
import { WebSocket } from "ws";
import { until } from "../e2e/kymo.mjs";
import { emit, openConductor } from "./kymo_door.mjs";
import { mount } from "./react.mjs";

// What the hook holds was made in a world of its own: its arrays are no arrays of ours.
const numbers = (events) => Array.from(events, (event) => event.payload.n);
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** Events of the conductor's first contract. */
function past(from, to, more = {}) {
  return range(from, to).map((n) => ({
    id: `memory-1-${n}`,
    timestamp: 1771095683456 + n,
    source: "memory",
    type: "node-created",
    payload: { n },
    ...more,
  }));
}

/** The hook of the seed, but for where it connects to; `undefined` where the seed does not lie beside the checkout. */
async function hookOfSeed(address) {
  const here = path.dirname(fileURLToPath(import.meta.url));
  const seed = path.resolve(here, "../../../shared/seeds/conductor-streaming.md");
  const text = await readFile(seed, "utf8").catch(() => "");
  const snippet = text.split("```tsx\n").find((part) => part.startsWith("// hooks/useAgentStream.ts"))?.split("```")[0];
  if (!snippet) return undefined;
  const { code } = transformSync(snippet, { loader: "tsx", format: "cjs" });
  return (react) => {
    const module = { exports: {} };
    vm.runInNewContext(code, {
      module,
      exports: module.exports,
      require: (name) => (name === "react" ? react : assert.fail(name)),
      getCurrentUserId: () => "egor",
      // Only where it connects to is another place.
      WebSocket: class extends WebSocket {
        constructor(url) {
          super(url.replace("localhost:8080", address));
        }
      },
    });
    return module.exports.useAgentStream;
  };
}

test("the hook of the conductor seed works as it stands", async (t) => {
  const { kymo, address } = await openConductor(t);
  const load = await hookOfSeed(address);
  if (!load) return t.skip("the seed does not lie beside the checkout");
  await emit(kymo, past(1, 60));
  const other = past(61, 61, { source: "deploy" });
  await emit(kymo, other);
  const hook = mount((react) => {
    const useAgentStream = load(react);
    return () => useAgentStream(["memory", "tier:gold"]);
  });
  t.after(hook.unmount);
  await until("it has the history", () => hook.now().events.length >= 60);
  assert.deepEqual(numbers(hook.now().events), range(1, 60));
  assert.equal(hook.now().isConnected, true);
  await emit(kymo, past(62, 200));
  await until("it has the live ones", () => hook.now().events.at(-1).payload.n === 200);
  assert.deepEqual(numbers(hook.now().events), range(101, 200), "the hook keeps the last hundred");
  await emit(kymo, past(201, 201, { source: "deploy", tier: "gold" }));
  await until("it has that of its other channel", () => hook.now().eventsBySource("deploy").length === 1);

  hook.now().sendEvent({ type: "search-started", source: "memory", payload: { n: 202 } });
  await until("its own comes back", () => hook.now().eventsByType("search-started").length === 1);
  const [own] = hook.now().eventsByType("search-started");
  assert.equal(own.userId, "egor");
  assert.ok(own.timestamp > 1771095683456, "it is dated");

  const state = { agentId: "memory-1", state: { status: "processing", tier: "gold" } };
  hook.now().sendEvent({ type: "agent-state-changed", source: "memory", payload: state });
  await until("the state is told", () => hook.now().eventsByType("agent-state-changed").length === 1);
  const answer = await fetch(`${kymo.url}/api/v1/agents`, { headers: { authorization: `Bearer ${kymo.token}` } });
  const { agents } = await answer.json();
  assert.deepEqual([agents[0].agent, agents[0].state, agents[0].status], ["memory-1", "working", "processing"]);

  const wanted = { activeConnections: 1, channelsActive: 2, agentStates: 1 };
  await until("metrics come", () => Object.entries(wanted).every(([key, value]) => hook.now().metrics[key] === value));
  assert.ok(hook.now().metrics.totalEvents >= 203);
  assert.ok(hook.now().metrics.historySize >= 203);
  hook.unmount();
});

test("a mistake is told and costs nobody anything", async (t) => {
  const { address } = await openConductor(t);
  const messages = [];
  const client = new WebSocket(`ws://${address}/?channel=global`);
  t.after(() => client.close());
  client.on("message", (text) => messages.push(JSON.parse(text)));
  await until("it is in", () => messages.length > 0);
  for (const text of ["{", '{"type":"subscribe"}', '{"type":"client-event"}', '{"type":"client-event","event":{}}']) {
    client.send(text);
  }
  client.send(JSON.stringify({ type: "client-event", ref: 7, event: { type: "a", payload: 1 } }));
  await until("all are answered", () => messages.some((message) => message.type === "ack"));
  const codes = messages.filter((message) => message.type === "error").map((message) => message.error.code);
  assert.deepEqual(codes, ["invalid_json", "unknown_op", "invalid_body", "type_missing"]);
  assert.equal(messages.find((message) => message.type === "ack").receipt.durability, "fsync");
  const refused = new WebSocket(`ws://${address}/?channel=agnet:x`);
  const [, response] = await new Promise((resolve) => {
    refused.on("unexpected-response", (...all) => resolve(all));
  });
  assert.equal(response.statusCode, 400);
  refused.on("error", () => {});
  response.destroy();
});
