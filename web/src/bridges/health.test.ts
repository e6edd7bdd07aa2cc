import { expect, it } from "vitest";
import type { Bridge } from "../client/wire";
import { lagEvents, lagTime, moodOf, nextTry, unwell } from "./health";

const SINCE = "2026-02-14T19:01:23.457102Z";
const NOW = Date.parse(SINCE) + 90_000;

const bridge = (change: Partial<Bridge>): Bridge => ({
  name: "bus",
  kind: "nats",
  direction: "sink",
  target: "nats://127.0.0.1:4222",
  state: "connected",
  since: SINCE,
  connected_since: SINCE,
  events: 0,
  refused: 0,
  repeats: 0,
  unrecognised: 0,
  skipped: 0,
  gaps: 0,
  lag_events: null,
  lag_s: null,
  last_error: null,
  next_try: null,
  ...change,
});
const fault = (time: string) => ({ code: "unreachable", message: "nobody answers", time });

it("who waits or is left alone is not well, who ended in order does not count", () => {
  const all = [
    bridge({ state: "connected", last_error: fault(SINCE) }),
    bridge({ state: "connecting" }),
    bridge({ state: "connecting", last_error: fault("2026-02-14T18:00:00Z") }),
    bridge({ state: "connecting", last_error: fault("2026-02-14T19:01:20Z") }),
    bridge({ state: "waiting" }),
    bridge({ state: "paused" }),
    bridge({ state: "stopped", last_error: fault("2026-02-14T18:00:00Z") }),
    bridge({ state: "stopped", last_error: fault(SINCE) }),
  ];
  expect(all.map(moodOf)).toEqual(["good", "busy", "busy", "bad", "bad", "bad", "off", "bad"]);
  expect(unwell(all).map(({ state }) => state)).toEqual(["connecting", "waiting", "paused", "stopped"]);
});

it("the next try is counted down and never below now", () => {
  const at = (ms: number) => bridge({ next_try: new Date(NOW + ms).toISOString() });
  expect(nextTry(at(3_200), NOW)).toBe("next try in 4 s");
  expect(nextTry(at(0), NOW)).toBe("trying now");
  expect(nextTry(at(-5_000), NOW)).toBe("trying now");
  expect(nextTry(bridge({}), NOW)).toBe("");
});

it("a lag that nobody knows is no lag of nought", () => {
  expect([lagEvents(bridge({})), lagTime(bridge({}))]).toEqual([null, null]);
  const behind = bridge({ lag_events: 18_442, lag_s: 3.21 });
  expect([lagEvents(behind), lagTime(behind)]).toEqual(["18\u202f442", "3.2 s"]);
  expect(lagTime(bridge({ lag_events: 0, lag_s: 0 }))).toBeNull();
});
