import { describe, expect, it } from "vitest";
import { newestSecond, Pulse } from "./pulse";
import type { LedgerEvent, Level } from "./wire";

const event = (second: number, level: Level): LedgerEvent => ({
  seq: 1,
  recorded: new Date(second * 1000).toISOString(),
  type: "t",
  source: "s",
  level,
  crc: "0",
});
const make = () => new Pulse((tell) => tell());
const T = 1_760_000_000;

describe("the pulse", () => {
  it("counts what arrives by second and level", () => {
    const pulse = make();
    pulse.add([event(T, "info"), event(T, "info"), event(T + 1, "critical")]);
    expect(pulse.get().get(T)).toEqual([0, 2, 0, 0, 0]);
    expect(pulse.get().get(T + 1)).toEqual([0, 0, 0, 0, 1]);
  });

  it("does not count twice what both the server and the stream tell", () => {
    const pulse = make();
    pulse.add([event(T, "warn")]);
    pulse.seed([[T, [0, 3, 1, 0, 0]]]);
    pulse.add([event(T, "warn")]);
    expect(pulse.get().get(T)).toEqual([0, 3, 2, 0, 0]);
  });

  it("never goes down because the server's count is a moment old", () => {
    const pulse = make();
    pulse.add([event(T, "info"), event(T, "info")]);
    pulse.seed([[T, [0, 1, 0, 0, 0]]]);
    expect(pulse.get().get(T)).toEqual([0, 2, 0, 0, 0]);
  });

  it("forgets what is long past", () => {
    const pulse = make();
    pulse.add([event(T, "info")]);
    pulse.add([event(T + 10_000, "info")]);
    expect([...pulse.get().keys()]).toEqual([T + 10_000]);
    expect(newestSecond(pulse.get())).toBe(T + 10_000);
  });
});
