/**
 * The words of the wire: what the server sends and what it understands.
 *
 * These types are written once, here; nothing else retypes them. They say what a well-behaved server
 * sends, and {@link readServerMessage} is the only place that turns text into them.
 */

/** Any JSON value. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** The five levels, in rising order. */
export const LEVELS = ["debug", "info", "warn", "error", "critical"] as const;
export type Level = (typeof LEVELS)[number];

/** Envelope keys that tie events together. */
export const CORRELATION_KEYS = [
  "agent",
  "session",
  "task",
  "trace",
  "span",
  "parent",
  "user",
  "tier",
] as const;
export type CorrelationKey = (typeof CORRELATION_KEYS)[number];

/** One line of the ledger. */
export interface LedgerEvent extends Partial<Record<CorrelationKey, string>> {
  seq: number;
  recorded: string;
  id?: string;
  time?: string;
  type: string;
  source: string;
  level: Level;
  cause?: number;
  hops?: number;
  backfill?: boolean;
  data?: Json;
  ext?: { [key: string]: Json };
  dialect?: string;
  crc: string;
}

/** Events that were asked for and are not there. */
export interface Gap {
  asked: number;
  first: number;
  lost: number;
  reason: "retention" | "damaged" | "erased" | "other_ledger" | "ahead_of_ledger" | (string & {});
}

/** Where a subscription begins. A cursor is a seq together with the ledger it came from. */
export interface FromSeq {
  seq: number;
  ledger: string;
}

export type ClientMessage =
  | { op: "auth"; token: string }
  | { op: "subscribe"; sub: string; filter: string; channels: string[]; from: FromSeq; dialect: "kymo" }
  | { op: "unsubscribe"; sub: string }
  | { op: "ping"; ref: string };

export type ServerMessage =
  | { op: "hello"; protocol: number; ledger: string; head: number; version: string }
  | { op: "subscribed"; sub: string; feed: number; from: number; head: number }
  | { op: "events"; feed: number; cursor: number; events: LedgerEvent[] }
  | { op: "caught_up"; feed: number; cursor: number }
  | { op: "fell_behind"; feed: number; cursor: number; lag_events: number }
  | ({ op: "gap"; feed: number } & Gap)
  | { op: "pong"; ref?: string }
  | { op: "error"; ref?: string; sub?: string; code: string; message: string; detail?: { at?: number } }
  | { op: "other" };

const KNOWN = new Set(["hello", "subscribed", "events", "caught_up", "fell_behind", "gap", "pong", "error"]);

/** Reads one text frame. Ops of a newer server are `other`: ignored, never an error. */
export function readServerMessage(text: string): ServerMessage {
  const message = JSON.parse(text) as { op?: string };
  return KNOWN.has(message.op ?? "") ? (message as ServerMessage) : { op: "other" };
}

/** A page of history. */
export interface HistoryPage {
  events: LedgerEvent[];
  next: number | null;
  cursor: number | null;
  gaps?: Gap[];
}

/** One second of the pulse: epoch second, events by level in rising order. */
export type PulseSecond = [number, number[]];

/** `GET /api/v1/metrics`, as far as the page reads it. */
export interface Metrics {
  head: number;
  first: number;
  per_second: number;
  pulse: PulseSecond[];
  by_type: [string, number][];
  by_source: [string, number][];
}

/** A watched folder, as `GET /api/v1/status` tells it. */
export interface WatchStatus {
  folder: string;
  directories: number;
  unwatched: number;
  problem: string | null;
  events: number;
}

/** Who asks, and what it may do. */
export interface Caller {
  name: string;
  may: ("emit" | "read" | "manage" | "admin")[];
  /** Envelope keys that everything it reads has; what is about all events is not told to it then. */
  bound: Record<string, string>;
}

/** `GET /api/v1/status`, as far as the page reads it. */
export interface Status {
  version: string;
  ledger: string;
  url: string;
  data: string;
  head: number;
  first: number;
  caller: Caller;
  watch?: WatchStatus[];
}

/** A type the server knows by name. */
export interface Catalogue {
  types: { name: string; category: string; about: string }[];
}

export const BRIDGE_STATES = ["connecting", "connected", "waiting", "paused", "stopped"] as const;
export type BridgeState = (typeof BRIDGE_STATES)[number];

/** What went wrong last on a bridge. */
export interface BridgeError {
  code: string;
  message: string;
  time: string;
}

/** One of `GET /api/v1/bridges`. Counts are since the start of the server; `null` is what nobody knows. */
export interface Bridge {
  name: string;
  kind: string;
  direction: "source" | "sink" | "route";
  target: string;
  state: BridgeState;
  since: string;
  connected_since: string | null;
  events: number;
  refused: number;
  repeats: number;
  unrecognised: number;
  skipped: number;
  gaps: number;
  lag_events: number | null;
  lag_s: number | null;
  last_error: BridgeError | null;
  next_try: string | null;
}

export const AGENT_STATES = ["working", "idle", "failed", "stopped"] as const;
export type AgentState = (typeof AGENT_STATES)[number];

/** One of `GET /api/v1/agents`. Times are those of the ledger. */
export interface Agent {
  agent: string;
  state: AgentState;
  /** What it said of itself, in its own words. */
  status?: string;
  task?: string;
  /** What it began last that has not ended, and how much there is of that. */
  doing?: string;
  open: number;
  since: string;
  since_seq: number;
  seen: string;
  seq: number;
  first_seq: number;
  /** It sent heartbeats and has missed several. */
  silent?: true;
  sources: string[];
  session?: string;
  user?: string;
  tier?: string;
  events: number;
  warnings: number;
  errors: number;
  started: number;
  completed: number;
  failed: number;
}

/** `GET /api/v1/agents`: those heard last come first. */
export interface AgentsAnswer {
  /** Every event up to this one is in it. */
  cursor: number;
  from: number;
  lost: number;
  left_out: number;
  total: number;
  agents: Agent[];
}

/** What a route makes of an event. Strings may hold expressions; what is left out is as the original has it. */
export interface Derived {
  type: string;
  source?: string;
  level?: string;
  agent?: string;
  session?: string;
  task?: string;
  user?: string;
  tier?: string;
  /** Any JSON, read with every number as it was written. */
  data?: unknown;
}

/** One of `GET /api/v1/routes`. */
export interface Route {
  name: string;
  origin: "settings" | "api";
  when: string;
  emit: Derived;
  backfill: boolean;
  enabled: boolean;
}

/** `POST /api/v1/routes/try`: the newest event that matches, and what became of it or why nothing did. */
export interface TriedRoute {
  event: { seq: number; type: string } | null;
  derived: unknown;
  fault: string | null;
}
