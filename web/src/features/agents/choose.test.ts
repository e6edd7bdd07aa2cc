import { expect, it } from "vitest";
import type { Agent } from "../../client/wire";
import { activity, choose, tally } from "./choose";

const agent = (name: string, change: Partial<Agent> = {}): Agent => ({
  agent: name,
  state: "idle",
  open: 0,
  since: "2026-02-14T19:01:23.457102Z",
  since_seq: 1,
  seen: "2026-02-14T19:01:23.457102Z",
  seq: 1,
  first_seq: 1,
  sources: ["claude-code"],
  events: 1,
  warnings: 0,
  errors: 0,
  started: 0,
  completed: 0,
  failed: 0,
  ...change,
});
const names = (agents: Agent[]) => agents.map((a) => a.agent);

const all = [
  agent("Planner", { state: "working", task: "demo-001", doing: "tool" }),
  agent("weaver", { status: "Monitoring", sources: ["conductor"] }),
  agent("scout", { state: "failed", session: "s-41" }),
];

it("every word has to be said of an agent, wherever it is said", () => {
  expect(names(choose(all, "", null))).toEqual(["Planner", "scout", "weaver"]);
  expect(names(choose(all, "plan DEMO", null))).toEqual(["Planner"]);
  expect(names(choose(all, " monitoring ", null))).toEqual(["weaver"]);
  expect(names(choose(all, "s-41", null))).toEqual(["scout"]);
  expect(names(choose(all, "plan weaver", null))).toEqual([]);
});

it("a state leaves the others out, and every state has its number", () => {
  expect(names(choose(all, "", "failed"))).toEqual(["scout"]);
  expect(names(choose(all, "weaver", "failed"))).toEqual([]);
  expect(tally(all)).toEqual({ working: 1, idle: 1, failed: 1, stopped: 0 });
});

it("what an agent is at is told from what it began to what it says", () => {
  const texts = (change: Partial<Agent>) => activity(agent("a", change)).map(({ text }) => text);
  expect(texts({ doing: "tool", open: 3, task: "demo-001", status: "on it" })).toEqual([
    "tool",
    "demo-001",
    "and 2 more",
    "“on it”",
  ]);
  expect(texts({ doing: "tool", open: 1 })).toEqual(["tool"]);
  expect(texts({ open: 2 })).toEqual(["2 open"]);
  expect(texts({})).toEqual([]);
});

it("agents stand by name, numbers as numbers, however they were heard", () => {
  const heard = ["weaver-10", "Weaver-9", "builder"].map((name) => agent(name));
  expect(names(choose(heard, "", null))).toEqual(["builder", "Weaver-9", "weaver-10"]);
  expect(names(heard)).toEqual(["weaver-10", "Weaver-9", "builder"]);
});
