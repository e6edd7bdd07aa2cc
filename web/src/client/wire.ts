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

/** `GET /api/v1/status`, as far as the page reads it. */
export interface Status {
  version: string;
  ledger: string;
  url: string;
  data: string;
  head: number;
  first: number;
  watch?: WatchStatus[];
}

/** A type the server knows by name. */
export interface Catalogue {
  types: { name: string; category: string; about: string }[];
}
