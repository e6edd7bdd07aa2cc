import { expect, it } from "vitest";
import { ExactNumber, parseExact } from "../client/exact";
import { CHILDREN_MAX, flatten, pathText, textOf, toJson } from "./tree";

const paths = (value: unknown, changed: string[] = []) =>
  flatten(value, new Set(changed)).map(({ path }) => pathText(path));

it("small values are open at first, deep and long ones closed", () => {
  expect(paths({ a: { b: { c: { d: 1 } } } })).toEqual(["a", "a.b", "a.b.c", "a.b.c.d"]);
  expect(paths({ a: { b: { c: { d: { e: 1 } } } } })).toEqual(["a", "a.b", "a.b.c", "a.b.c.d"]);
  expect(paths({ long: Array(50).fill(0) })).toEqual(["long"]);
});

it("a row opens and closes by its id", () => {
  expect(paths({ a: { b: 1 } }, ['["a"]'])).toEqual(["a"]);
  expect(paths({ long: Array(50).fill(0) }, ['["long"]']).length).toBe(51);
});

it("keys that look like paths stay apart", () => {
  const ids = flatten({ "a.b": 1, a: { b: 2 } }, new Set()).map(({ id }) => id);
  expect(new Set(ids).size).toBe(3);
});

it("a list of thousands shows some and says how many are left", () => {
  const rows = flatten(Array(1000).fill(1), new Set());
  expect(rows.length).toBe(CHILDREN_MAX);
  expect(rows.at(-1)?.more).toBe(1000 - CHILDREN_MAX);
});

it("a bare value is one row", () => {
  expect(flatten("x", new Set())).toMatchObject([{ value: "x", size: null, path: [] }]);
  expect(flatten({}, new Set())).toMatchObject([{ size: 0 }]);
});

// Engines without the source text of numbers (a proposal when this was written) show them as JavaScript has them.
const keepsSource = parseExact("1e2") instanceof ExactNumber;
if (!keepsSource) {
  // biome-ignore lint/suspicious/noConsole: a test that is skipped says so
  console.info("skipped: exact numbers; this engine's JSON.parse does not hand out the source text");
}

it.skipIf(!keepsSource)("numbers keep every digit they were written with", () => {
  const text = '{"big":12345678901234567890,"small":0.10,"plain":4}';
  const value = parseExact(text) as { big: unknown };
  expect(textOf(value.big)).toBe("12345678901234567890");
  expect(toJson(value)).toBe(text);
});

it("a copied value is JSON, and a copied string the string itself", () => {
  expect(textOf("a b")).toBe("a b");
  expect(textOf({ a: [1, { b: null }], c: {} })).toBe(
    JSON.stringify({ a: [1, { b: null }], c: {} }, null, 2),
  );
  expect(toJson(new ExactNumber("1.00"))).toBe("1.00");
});
