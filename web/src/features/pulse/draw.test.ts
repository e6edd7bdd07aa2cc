import { expect, it } from "vitest";
import { bin, ceilingOf, secondsPerBin } from "./draw";

const T = 1_760_000_000;

it("a wide chart has a bar for every second, a narrow one for a few", () => {
  expect(secondsPerBin(1400)).toBe(1);
  expect(secondsPerBin(360)).toBe(3);
  expect(secondsPerBin(0)).toBe(30);
});

it("bars hold every event of the last five minutes once", () => {
  const seconds = new Map(Array.from({ length: 400 }, (_, i) => [T - i, [0, 1, 0, 0, 1]]));
  for (const perBin of [1, 3, 10]) {
    const bins = bin(seconds, T, perBin);
    expect(bins.length).toBe(300 / perBin);
    const total = bins.reduce((sum, { counts }) => sum + counts.reduce((a, b) => a + b), 0);
    // The newest bar may still be filling up.
    expect(total).toBeGreaterThan(2 * (300 - perBin));
    expect(total).toBeLessThanOrEqual(600);
  }
});

it("a second stays in its bar while time moves on", () => {
  const seconds = new Map([[T, [0, 5, 0, 0, 0]]]);
  const places = [0, 1, 2, 3, 4].map(
    (later) => bin(seconds, T + later, 5).find(({ counts }) => counts[1] === 5)?.second,
  );
  expect(new Set(places).size).toBe(1);
});

it("the scale ends at a round number", () => {
  expect([0, 3, 4, 7, 11, 180, 5001].map(ceilingOf)).toEqual([5, 5, 5, 10, 20, 200, 10_000]);
});
