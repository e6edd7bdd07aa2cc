import { expect, it } from "vitest";
import { rangeAt } from "./useFixedRows";

it("only what is on screen and a little more is rendered, wherever one is", () => {
  for (const scrollTop of [0, 15, 3000, 2_999_970, 9_999_999]) {
    const { first, end } = rangeAt(scrollTop, 900, 30, 100_000);
    expect(end - first).toBeLessThanOrEqual(60);
    expect(first).toBeGreaterThanOrEqual(0);
    expect(end).toBeLessThanOrEqual(100_000);
  }
});

it("every row on screen is rendered", () => {
  const { first, end } = rangeAt(3000, 900, 30, 100_000);
  expect(first).toBeLessThanOrEqual(100);
  expect(end).toBeGreaterThanOrEqual(130);
});

it("a short or empty list is rendered whole", () => {
  expect(rangeAt(0, 900, 30, 5)).toEqual({ first: 0, end: 5 });
  expect(rangeAt(0, 900, 30, 0)).toEqual({ first: 0, end: 0 });
});
