import { expect, it } from "vitest";
import { pathKey, splitTerms, term, withTerm } from "./filters";

it("a value becomes a term, in quotes where it needs them", () => {
  expect(term("agent", "planner")).toBe("agent:planner");
  expect(term("data.n", 4.5)).toBe("data.n:4.5");
  expect(term("data.ok", true)).toBe("data.ok:true");
  expect(term("data.command", "npm test")).toBe('data.command:"npm test"');
  expect(term("data.text", 'say "hi" \\ *')).toBe('data.text:"say \\"hi\\" \\\\ *"');
  expect(term("source", "a,b*")).toBe('source:"a,b*"');
  expect(term("data.x", "")).toBe('data.x:""');
  expect(term("data.error", null)).toBe("data.error:null");
});

it("what has no single value has no term", () => {
  expect([term("a", {}), term("a", [])]).toEqual([null, null]);
});

it("a step of a path that is no plain word is quoted", () => {
  expect(pathKey(["data", "tool_input", "http.status", 'a "b"'])).toBe(
    'data.tool_input."http.status"."a \\"b\\""',
  );
});

it("a term is added once", () => {
  expect(withTerm("", "agent:a")).toBe("agent:a");
  expect(withTerm("level:info", "agent:a")).toBe("level:info agent:a");
  expect(withTerm("agent:a level:info", "agent:a")).toBe("agent:a level:info");
});

it("a term takes the place of its opposite", () => {
  expect(withTerm("-agent:a level:info", "agent:a")).toBe("level:info agent:a");
  expect(withTerm("agent:a", "-agent:a")).toBe("-agent:a");
});

it("a term binds to both sides of an alternative", () => {
  expect(withTerm("a OR b", "level:info")).toBe("(a OR b) level:info");
});

it("terms are split outside quotes and parentheses", () => {
  expect(splitTerms('a  "b c" (d OR e) x:"f \\" g"')).toEqual(["a", '"b c"', "(d OR e)", 'x:"f \\" g"']);
});
