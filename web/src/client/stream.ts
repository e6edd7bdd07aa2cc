/**
 * The stream as a pure state machine: what to do about everything that can happen to a connection.
 *
 * It promises that every match after the anchor is delivered exactly once and in order, over any number of
 * reconnects, because it only ever resumes at `cursor + 1` of the same ledger. It knows no socket, clock or
 * page: {@link step} takes a state and an input and says what to do next. `socket.ts` does it.
 */
import type { ClientMessage, Gap, LedgerEvent, ServerMessage } from "./wire";

/** What the reader wants to see. */
export interface View {
  filter: string;
  channels: string[];
}

/** What the connection is doing, in the words the page shows. */
export type Phase =
  | { is: "connecting"; attempt: number }
  | { is: "ready" }
  | { is: "catching_up" }
  | { is: "behind"; lag: number }
  | { is: "live" }
  | { is: "closing" }
  | { is: "waiting"; attempt: number; at: number; stopped: boolean }
  | { is: "refused" };

export interface StreamState {
  phase: Phase;
  /** The ledger that `cursor` belongs to. */
  ledger: string | null;
  /** Every match up to here was delivered. */
  cursor: number | null;
  /** Newest seq the server spoke of. */
  head: number;
  version: string;
  /** The view subscribed to, or to be subscribed to once connected. */
  view: View | null;
  /** Name of the subscription and, once the server confirmed it, its feed. */
  sub: number;
  feed: number | null;
  /** Connection attempts since the last one that worked. */
  attempt: number;
}

export type Input =
  | { is: "start" }
  | { is: "message"; message: ServerMessage }
  | { is: "closed"; code: number; now: number; random: number }
  | { is: "retry" }
  | { is: "silent" }
  | { is: "refused" }
  | { is: "view"; view: View; from: number };

export type Effect =
  | { do: "connect" }
  | { do: "disconnect" }
  | { do: "send"; message: ClientMessage }
  | { do: "retry"; inMs: number }
  | { do: "append"; events: LedgerEvent[] }
  | { do: "gap"; gap: Gap }
  /** Nothing to resume: show the past up to `head`, then ask for a view from `head + 1`. */
  | { do: "anchor"; head: number; was: string | null }
  /** The connection ended before it began: find out whether we are let in at all. */
  | { do: "probe" };

export const initial: StreamState = {
  phase: { is: "connecting", attempt: 0 },
  ledger: null,
  cursor: null,
  head: 0,
  version: "",
  view: null,
  sub: 0,
  feed: null,
  attempt: 0,
};

const RETRY_MS_FIRST = 250;
const RETRY_MS_MAX = 10_000;

/** How long to wait before the next attempt: doubling, capped, and spread by half so that pages do not return in step. */
export function retryDelay(attempt: number, random: number): number {
  const full = Math.min(RETRY_MS_MAX, RETRY_MS_FIRST * 2 ** (attempt - 1));
  return Math.round(full * (0.5 + random / 2));
}

type Step = [StreamState, Effect[]];

export function step(state: StreamState, input: Input): Step {
  switch (input.is) {
    case "start":
    case "retry":
      return connect(state);
    case "message":
      return receive(state, input.message);
    case "closed":
      return lose(state, input);
    case "silent":
      return [state, [{ do: "disconnect" }]];
    case "refused":
      return [{ ...state, phase: { is: "refused" }, feed: null }, [{ do: "disconnect" }]];
    case "view":
      return look(state, input.view, input.from);
  }
}

function connect(state: StreamState): Step {
  const phase: Phase = { is: "connecting", attempt: state.attempt };
  return [{ ...state, phase, feed: null }, [{ do: "connect" }]];
}

/** Close codes of RFC 6455 that say more than that a connection ended. */
const GOING_AWAY = 1001;
const NOT_ALLOWED = 1008;

function lose(state: StreamState, { code, now, random }: Extract<Input, { is: "closed" }>): Step {
  if (state.phase.is === "refused") return [state, []];
  if (code === NOT_ALLOWED) return [{ ...state, phase: { is: "refused" }, feed: null }, []];
  const attempt = state.attempt + 1;
  const inMs = retryDelay(attempt, random);
  const stopped = code === GOING_AWAY || state.phase.is === "closing";
  const effects: Effect[] = [{ do: "retry", inMs }];
  if (state.phase.is === "connecting") effects.push({ do: "probe" });
  return [
    { ...state, phase: { is: "waiting", attempt, at: now + inMs, stopped }, feed: null, attempt },
    effects,
  ];
}

function look(state: StreamState, view: View, from: number): Step {
  const next: StreamState = { ...state, view, cursor: from - 1, feed: null };
  if (!isOpen(state)) return [next, []];
  const effects: Effect[] = [];
  if (state.phase.is !== "ready")
    effects.push({ do: "send", message: { op: "unsubscribe", sub: subName(state) } });
  return subscribe(next, effects);
}

function subscribe(state: StreamState, before: Effect[] = []): Step {
  if (state.view === null || state.cursor === null || state.ledger === null) {
    return [{ ...state, phase: { is: "ready" } }, before];
  }
  const next: StreamState = { ...state, sub: state.sub + 1, feed: null, phase: { is: "catching_up" } };
  const message: ClientMessage = {
    op: "subscribe",
    sub: subName(next),
    filter: state.view.filter,
    channels: state.view.channels,
    from: { seq: state.cursor + 1, ledger: state.ledger },
    dialect: "kymo",
  };
  return [next, [...before, { do: "send", message }]];
}

function receive(state: StreamState, message: ServerMessage): Step {
  switch (message.op) {
    case "hello":
      return greet(state, message);
    case "subscribed":
      if (message.sub !== subName(state)) return [state, []];
      return [{ ...state, feed: message.feed, head: Math.max(state.head, message.head), attempt: 0 }, []];
    case "error":
      return fail(state, message.code, message.sub);
    case "events":
    case "caught_up":
    case "fell_behind":
    case "gap":
      return message.feed === state.feed ? deliver(state, message) : [state, []];
    default:
      return [state, []];
  }
}

function greet(state: StreamState, hello: Extract<ServerMessage, { op: "hello" }>): Step {
  const same = state.ledger === hello.ledger && state.cursor !== null && hello.head >= state.cursor;
  const next: StreamState = { ...state, ledger: hello.ledger, head: hello.head, version: hello.version };
  if (same && state.view !== null) return subscribe(next);
  return anchor(next, state.ledger === hello.ledger ? null : state.ledger);
}

function anchor(state: StreamState, was: string | null): Step {
  const next: StreamState = { ...state, cursor: null, view: null, feed: null, phase: { is: "ready" } };
  return [next, [{ do: "anchor", head: state.head, was }]];
}

function fail(state: StreamState, code: string, sub: string | undefined): Step {
  if (code === "unauthorized" || code === "forbidden") {
    return [{ ...state, phase: { is: "refused" }, feed: null }, [{ do: "disconnect" }]];
  }
  if (code === "closing") return [{ ...state, phase: { is: "closing" } }, []];
  // A subscription that broke off (a read that failed, say) is resumed by coming back: same cursor, new socket.
  if (sub === subName(state)) return [state, [{ do: "disconnect" }]];
  return [state, []];
}

type FeedMessage = Extract<ServerMessage, { op: "events" | "caught_up" | "fell_behind" | "gap" }>;

function deliver(state: StreamState, message: FeedMessage): Step {
  const cursor = state.cursor ?? 0;
  switch (message.op) {
    case "events": {
      const events = onlyAfter(cursor, message.events);
      const reached = Math.max(cursor, message.cursor);
      const next = { ...state, cursor: reached, head: Math.max(state.head, reached) };
      return [next, events.length > 0 ? [{ do: "append", events }] : []];
    }
    case "caught_up":
      return [{ ...state, cursor: Math.max(cursor, message.cursor), phase: { is: "live" } }, []];
    case "fell_behind":
      return [{ ...state, phase: { is: "behind", lag: message.lag_events } }, []];
    case "gap": {
      const { asked, first, lost, reason } = message;
      // A seq of another ledger means nothing here: begin anew instead of joining two orders.
      if (reason === "other_ledger" || reason === "ahead_of_ledger") {
        const [next, effects] = anchor(state, state.ledger);
        return [next, [{ do: "send", message: { op: "unsubscribe", sub: subName(state) } }, ...effects]];
      }
      return [
        { ...state, cursor: Math.max(cursor, first - 1) },
        [{ do: "gap", gap: { asked, first, lost, reason } }],
      ];
    }
  }
}

/** Drops what was delivered before. A frame is in order, so that only its beginning can repeat. */
function onlyAfter(cursor: number, events: LedgerEvent[]): LedgerEvent[] {
  const fresh = events.findIndex((event) => event.seq > cursor);
  if (fresh === 0) return events;
  return fresh === -1 ? [] : events.slice(fresh);
}

/** Whether the server has greeted us on this connection. */
export function isOpen(state: StreamState): boolean {
  return ["ready", "catching_up", "behind", "live", "closing"].includes(state.phase.is);
}

/** Events between the cursor and the head: what is still to come while catching up. */
export function eventsToGo(state: StreamState): number {
  return Math.max(0, state.head - (state.cursor ?? state.head));
}

const subName = (state: StreamState) => `s${state.sub}`;
