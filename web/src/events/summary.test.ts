import { describe, expect, it } from "vitest";
import type { Json, LedgerEvent } from "../client/wire";
import { summarize, summaryText } from "./summary";

const event = (type: string, data?: Json): LedgerEvent => ({
  seq: 1,
  recorded: "2026-02-14T19:01:23.457102Z",
  type,
  source: "s",
  level: "info",
  crc: "0",
  ...(data === undefined ? {} : { data }),
});
const text = (type: string, data?: Json) => summaryText(event(type, data));

describe("a summary says", () => {
  it.each<[string, Json, string]>([
    ["file.modified", { path: "src/main.rs", added: 12, removed: 3 }, "modified src/main.rs +12 −3"],
    ["file.created", { path: "a.rs", size: 3400, language: "Rust" }, "created a.rs Rust 3.4 kB"],
    ["file.removed", { path: "a.rs" }, "removed a.rs"],
    ["file.renamed", { path: "new.rs", from: "old.rs" }, "renamed old.rs → new.rs"],
    [
      "file.burst",
      { created: 40, modified: 2, removed: 0, left_out: 30 },
      "40 created, 2 modified at once 30 not listed one by one",
    ],
    [
      "git.commit",
      {
        subject: "Say why",
        hash: "a1b2c3d4e5f60718293a4b5c6d7e8f9001122334",
        branch: "main",
        files: 1,
        added: 2,
        removed: 0,
      },
      "committed Say why a1b2c3d 1 file +2 on main",
    ],
    ["git.checkout", { from: "main", to: "x", branch: "x", hash: "ab" }, "checked out x from main"],
    ["git.branch_created", { branch: "topic", hash: "abc" }, "created branch topic abc"],
    ["process.started", { command: "npm test" }, "$ npm test"],
    ["process.output", { stream: "stdout", text: "  ok\n" }, "ok"],
    [
      "process.exited",
      { command: "npm test", exit_code: 1, duration_ms: 4187 },
      "$ npm test → exit 1 in 4.2 s",
    ],
    ["process.exited", { command: "x", exit_code: null, signal: 9 }, "$ x → killed by signal 9"],
    ["process.exited", { command: "x", exit_code: null, signal: "SIGKILL" }, "$ x → killed by SIGKILL"],
    [
      "watch.started",
      { folder: "/p", directories: 3, files: 9, git: { branch: "main" } },
      "watching /p 3 directories, 9 files on main",
    ],
    ["watch.started", { folder: "/p", directories: 1, files: 1 }, "watching /p 1 directory, 1 file"],
    ["watch.limited", { folder: "/p", message: "too many folders" }, "too many folders /p"],
    [
      "kymo.bridge.connected",
      {
        bridge: "ledger",
        direction: "source",
        kind: "tail",
        target: "runs/*.jsonl",
        was: "connecting",
        for_s: 0,
      },
      "source ledger connected runs/*.jsonl",
    ],
    [
      "kymo.bridge.waiting",
      {
        bridge: "bus",
        direction: "sink",
        target: "nats://h",
        code: "unreachable",
        message: "nobody answers",
      },
      "sink bus waiting nobody answers",
    ],
    [
      "kymo.bridge.refused",
      { bridge: "r", direction: "route", refused: 2, refused_in_all: 5, message: "`loud` is no level" },
      "route r refused 2 events `loud` is no level",
    ],
    ["PreToolUse", { tool_name: "Bash", tool_input: { command: "ls" } }, "Bash ls"],
    ["tool_started", { tool: "Read", tool_input: { file_path: "a.rs" } }, "Read a.rs"],
  ])("%s %j in words", (type, data, expected) => {
    expect(text(type, data)).toBe(expected);
  });

  it("the same for every way to write a type", () => {
    const data = { path: "a", added: 1, removed: 1 };
    expect(text("file_modified", data)).toBe(text("file.modified", data));
    expect(text("FILE:MODIFIED", data)).toBe(text("file.modified", data));
  });

  it("a sentence first, then the telling fields, for types nobody described", () => {
    expect(text("x.y", { n: 4, message: "hello\nworld", deep: { a: 1 } })).toBe('hello n 4 deep {"a":1}');
  });

  it("the fields of a known type whose data is not as expected", () => {
    expect(text("file.modified", { what: "ever" })).toBe("what ever");
    expect(text("git.commit", [1, 2])).toBe("[1,2]");
    expect(text("process.output", { text: 5 })).toBe("text 5");
  });

  it("something for every JSON value", () => {
    expect(text("x", null)).toBe("");
    expect(text("x", "plain")).toBe("plain");
    expect(text("x", 4)).toBe("4");
    expect(text("x")).toBe("");
  });

  it("no more than a line of a long text", () => {
    expect(text("x", { message: "x".repeat(5000) }).length).toBeLessThanOrEqual(300);
  });
});

it("a summary colours lines added and removed, and what failed", () => {
  const tones = (type: string, data: Json) => summarize(event(type, data)).map(({ tone }) => tone);
  expect(tones("file.modified", { path: "a", added: 1, removed: 1 })).toEqual([
    "plain",
    "strong",
    "plus",
    "minus",
  ]);
  expect(tones("process.exited", { exit_code: 0 })).toEqual(["dim", "good"]);
  expect(tones("process.output", { stream: "stderr", text: "no" })).toEqual(["bad"]);
});
