import { expect, it } from "vitest";
import { EXAMPLES, suggest } from "./suggest";

const known = { types: ["file.modified", "file.created", "git.commit"], sources: ["watch", "claude code"] };
const labels = (filter: string, caret = filter.length) =>
  suggest(filter, caret, known).map(({ label }) => label);

it("an empty box shows whole filters to start from", () => {
  expect(labels("")).toEqual(EXAMPLES.map(([label]) => label));
});

it("a word becomes a key, a key its values", () => {
  expect(labels("ty")).toEqual(["type:"]);
  expect(labels("type:file")).toEqual(["type:file.modified", "type:file.created"]);
  expect(labels("level:>")).toEqual(["level:>=warn", "level:>=error"]);
  expect(labels("-source:cl")).toEqual(['-source:"claude code"']);
});

it("only the word at the caret is completed", () => {
  const [first] = suggest("level:error type:git agent:a", 20, known);
  expect(first?.filter).toBe("level:error type:git.commit agent:a");
});

it("nothing is suggested inside quotes, or what is there already", () => {
  expect(labels('"ty')).toEqual([]);
  expect(labels("type:git.commit")).toEqual([]);
});
