/**
 * One line per event that says what happened, in words instead of JSON.
 *
 * {@link SUMMARIES} is the list: the first entry whose pattern fits the (folded) type name and that has
 * something to say wins. What nobody wrote a sentence for shows its most telling fields.
 */
import type { Json, LedgerEvent } from "../client/wire";
import { bytes, duration } from "./clock";
import { foldName } from "./names";

export type Tone = "plain" | "strong" | "dim" | "code" | "plus" | "minus" | "good" | "bad";

/** A stretch of text in one tone. */
export interface Part {
  text: string;
  tone: Tone;
}

type Fields = { [key: string]: Json };
type Write = (data: Fields, event: LedgerEvent) => Part[] | null;

const part =
  (tone: Tone) =>
  (text: string): Part => ({ text, tone });
const plain = part("plain");
const strong = part("strong");
const dim = part("dim");
const code = part("code");

const SUMMARIES: [RegExp, Write][] = [
  [/^file\.renamed$/, (d) => say(plain("renamed"), path(d.from), dim("→"), path(d.path), ...changes(d))],
  [/^file\.(created|modified|removed|found)$/, writeFile],
  [/^file\.burst$/, writeBurst],
  [/^git\.commit$/, writeCommit],
  [/^git\.checkout$/, (d) => say(plain("checked out"), id(d.branch ?? d.hash ?? d.to), from(d.from))],
  [/^git\.(branch|tag)\.\w+$/, writeRef],
  [/^git\.state\.changed$/, (d) => say(id(d.operation), plain(words(d.state)))],
  [/^process\.started$/, (d) => command(d)],
  [/^process\.output$/, writeOutput],
  [/^process\.exited$/, writeExit],
  [/^watch\.(started|heartbeat)$/, writeWatch],
  [/^watch\./, (d) => say(plain(words(d.message)), path(d.folder))],
  [/^kymo\.bridge\.(connected|waiting|paused|stopped|refused)$/, writeBridge],
  [/(^|\.)(pre|post)?tool(\.?use)?(\.|$)/, writeTool],
];

export function summarize(event: LedgerEvent): Part[] {
  const data = isFields(event.data) ? event.data : {};
  const name = foldName(event.type);
  for (const [pattern, write] of SUMMARIES) {
    const parts = pattern.test(name) ? write(data, event) : null;
    if (parts !== null && parts.length > 0) return parts;
  }
  return telling(event);
}

/** The summary as one plain text, for titles and screen readers. */
export const summaryText = (event: LedgerEvent): string =>
  summarize(event)
    .map(({ text }) => text)
    .join(" ");

function writeFile(data: Fields, event: LedgerEvent): Part[] | null {
  if (typeof data.path !== "string") return null;
  const did = foldName(event.type).slice("file.".length);
  const size = typeof data.size === "number" && did !== "modified" ? dim(bytes(data.size)) : null;
  return say(plain(did), path(data.path), ...changes(data), dim(words(data.language)), size);
}

function writeBurst(data: Fields): Part[] | null {
  const kinds = ["created", "modified", "removed", "renamed"].filter((kind) => Number(data[kind] ?? 0) > 0);
  if (kinds.length === 0) return null;
  const counts = kinds.map((kind) => `${data[kind]} ${kind}`).join(", ");
  const leftOut = number(data.left_out);
  return say(strong(counts), plain("at once"), leftOut && dim(`${leftOut} not listed one by one`));
}

function writeCommit(data: Fields): Part[] | null {
  if (typeof data.subject !== "string") return null;
  const files = number(data.files);
  return say(
    plain("committed"),
    strong(firstLine(data.subject)),
    id(data.hash),
    files && dim(`${files} ${files === "1" ? "file" : "files"}`),
    ...changes(data),
    typeof data.branch === "string" ? dim(`on ${data.branch}`) : null,
  );
}

function writeRef(data: Fields, event: LedgerEvent): Part[] | null {
  const [, kind = "", did = ""] = foldName(event.type).split(".");
  const commits = number(data.commits);
  return say(
    plain(`${did} ${kind}`),
    strong(words(data[kind] ?? data.name)),
    id(data.hash ?? data.to),
    dim(words(data.reason)),
    commits && dim(`${commits} ${commits === "1" ? "commit" : "commits"}`),
  );
}

function writeOutput(data: Fields): Part[] | null {
  if (typeof data.text !== "string") return null;
  const text = firstLine(data.text) || "⏎";
  return [{ text, tone: data.stream === "stderr" ? "bad" : "code" }];
}

function writeExit(data: Fields): Part[] | null {
  const exit = number(data.exit_code);
  const signal = typeof data.signal === "number" ? `signal ${data.signal}` : shown(data.signal ?? "a signal");
  const how = exit === null ? part("bad")(`killed by ${signal}`) : null;
  const code = exit === "0" ? part("good")("exit 0") : part("bad")(`exit ${exit}`);
  const took = typeof data.duration_ms === "number" ? dim(`in ${duration(data.duration_ms)}`) : null;
  return say(...(command(data) ?? []), dim("→"), how ?? code, took);
}

function writeWatch(data: Fields, event: LedgerEvent): Part[] | null {
  const isStart = foldName(event.type).endsWith("started");
  const counts = [
    counted(data.directories, "directory", "directories"),
    counted(data.files, "file", "files"),
  ];
  const git = isFields(data.git) && typeof data.git.branch === "string" ? dim(`on ${data.git.branch}`) : null;
  return say(
    plain(isStart ? "watching" : "still watching"),
    path(data.folder),
    dim(counts.filter((count) => count !== null).join(", ")),
    isStart ? git : null,
  );
}

function writeTool(data: Fields): Part[] | null {
  const tool = data.tool_name ?? data.tool ?? data.name;
  if (typeof tool !== "string") return null;
  const input = isFields(data.tool_input) ? data.tool_input : isFields(data.input) ? data.input : data;
  const what = input.command ?? input.file_path ?? input.path ?? input.pattern ?? input.query ?? input.url;
  const failed = typeof data.error === "string" ? part("bad")(firstLine(data.error)) : null;
  const took = typeof data.duration_ms === "number" ? dim(`in ${duration(data.duration_ms)}`) : null;
  return say(strong(tool), typeof what === "string" ? code(firstLine(what)) : null, failed, took);
}

function writeBridge(data: Fields, event: LedgerEvent): Part[] | null {
  if (typeof data.bridge !== "string") return null;
  const did = foldName(event.type).slice("kymo.bridge.".length);
  const refused = did === "refused" ? counted(data.refused, "event", "events") : null;
  return say(
    plain(words(data.direction)),
    strong(data.bridge),
    plain(did),
    refused && plain(refused),
    plain(words(data.message)),
    did === "connected" ? dim(words(data.target)) : null,
  );
}

/** What a person would want to know first, in this order. */
const TELLING = [
  "message",
  "msg",
  "text",
  "title",
  "subject",
  "summary",
  "reason",
  "error",
  "status",
  "name",
  "path",
];
const FIELDS_MAX = 6;

/** The fallback: a sentence if there is one, then the first few fields. */
function telling(event: LedgerEvent): Part[] {
  const { data } = event;
  if (!isFields(data)) return data === undefined || data === null ? [] : [plain(shown(data))];
  const sentence = TELLING.find((key) => typeof data[key] === "string" && data[key] !== "");
  const parts: Part[] = sentence ? [plain(firstLine(data[sentence] as string))] : [];
  for (const [key, value] of Object.entries(data)) {
    if (key === sentence || parts.length >= 2 * FIELDS_MAX) continue;
    parts.push(dim(key), code(shown(value)));
  }
  return parts;
}

function say(...parts: (Part | string | null | undefined)[]): Part[] {
  return parts.filter((p): p is Part => typeof p === "object" && p !== null && p.text !== "");
}

const command = (d: Fields): Part[] | null =>
  typeof d.command === "string" ? [dim("$"), code(firstLine(d.command))] : null;
/** A name or a hash; long hashes are cut as git does. */
const id = (value: Json | undefined): Part | null =>
  typeof value === "string" ? code(/^[0-9a-f]{40,64}$/.test(value) ? value.slice(0, 7) : value) : null;
const from = (value: Json | undefined): Part | null => {
  const name = id(value);
  return name && dim(`from ${name.text}`);
};
const words = (value: Json | undefined): string => (typeof value === "string" ? firstLine(value) : "");
const path = (value: Json | undefined): Part | null => (typeof value === "string" ? strong(value) : null);
const number = (value: Json | undefined): string | null => (typeof value === "number" ? String(value) : null);

function changes(data: Fields): (Part | null)[] {
  const added = number(data.added);
  const removed = number(data.removed);
  return [
    added !== null && added !== "0" ? part("plus")(`+${added}`) : null,
    removed !== null && removed !== "0" ? part("minus")(`−${removed}`) : null,
  ];
}

function counted(count: Json | undefined, one: string, many: string): string | null {
  return typeof count === "number" ? `${count} ${count === 1 ? one : many}` : null;
}

function shown(value: Json): string {
  const text = typeof value === "string" ? firstLine(value) : JSON.stringify(value);
  return text.length > 120 ? `${text.slice(0, 119)}…` : text;
}

const LINE_MAX = 300;

function firstLine(text: string): string {
  const line = text.trim().split("\n", 1)[0] ?? "";
  return line.length > LINE_MAX ? `${line.slice(0, LINE_MAX - 1)}…` : line;
}

const isFields = (value: Json | undefined): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
