// @vitest-environment happy-dom
import { beforeEach, describe, expect, it, vi } from "vitest";
import { type Api, ApiError } from "./api";
import type { HistoryQuery } from "./paths";
import { Session } from "./session";
import { isGap, rowSeq } from "./window";
import type { ClientMessage, HistoryPage, LedgerEvent, ServerMessage } from "./wire";

/** A server in memory: a ledger, and the sockets that were opened to it. */
class Server {
  ledger = "L";
  events: LedgerEvent[] = [];
  sockets: FakeSocket[] = [];
  refusal: ApiError | null = null;
  asked: HistoryQuery[] = [];

  write(count: number): LedgerEvent[] {
    const added = Array.from({ length: count }, (_, i) => event(this.events.length + 1 + i));
    this.events.push(...added);
    return added;
  }
  history = async (query: HistoryQuery): Promise<HistoryPage> => {
    this.asked.push(query);
    if (this.refusal) throw this.refusal;
    const from = Number(query.from ?? 1);
    const to = Number(query.to ?? this.events.length + 1);
    const found = this.events.filter(({ seq }) => seq >= from && seq < to);
    if (query.order === "newest") found.reverse();
    const events = found.slice(0, query.limit);
    const last = events.at(-1)?.seq ?? 0;
    const next = found.length > events.length ? last + (query.order === "newest" ? 0 : 1) : null;
    return { events, next, cursor: last };
  };
  status = async () => {
    if (this.refusal) throw this.refusal;
  };
  get socket(): FakeSocket {
    return this.sockets.at(-1) as FakeSocket;
  }
  greet(): void {
    const head = this.events.length;
    this.socket.hear({ op: "hello", protocol: 1, ledger: this.ledger, head, version: "1" });
  }
  /** Answers the newest subscription with everything it asks for. */
  serve(feed: number): void {
    const asked = this.socket.sent.filter((m) => m.op === "subscribe").at(-1);
    if (asked?.op !== "subscribe") throw new Error("nothing was subscribed");
    const head = this.events.length;
    this.socket.hear({ op: "subscribed", sub: asked.sub, feed, from: asked.from.seq, head });
    this.socket.hear({ op: "events", feed, cursor: head, events: this.events.slice(asked.from.seq - 1) });
    this.socket.hear({ op: "caught_up", feed, cursor: head });
  }
}

let server: Server;

class FakeSocket {
  static OPEN = 1;
  readyState = 1;
  sent: ClientMessage[] = [];
  onopen?: () => void;
  onmessage: ((frame: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  constructor() {
    server.sockets.push(this);
  }
  send(text: string): void {
    this.sent.push(JSON.parse(text));
  }
  hear(message: ServerMessage): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
  close(): void {
    this.readyState = 3;
  }
}

const event = (seq: number): LedgerEvent => ({
  seq,
  recorded: "2026-02-14T19:01:23.457102Z",
  type: "t",
  source: "s",
  level: "info",
  crc: "0",
});

function open(filter = ""): Session {
  const api = { token: null, history: server.history, status: server.status } as unknown as Api;
  const session = new Session(api, { filter, channels: [] }, () => {}, "http://here");
  session.start();
  server.greet();
  return session;
}

const settled = () => vi.advanceTimersByTimeAsync(0);

function shown(session: Session, window = session.live): number[] {
  const snapshot = window.get();
  return Array.from({ length: snapshot.high - snapshot.low }, (_, i) => {
    const row = window.row(snapshot, i);
    return row === undefined || isGap(row) ? -1 : rowSeq(row);
  });
}

const down = (from: number, to: number) => Array.from({ length: from - to + 1 }, (_, i) => from - i);

beforeEach(() => {
  vi.useFakeTimers();
  server = new Server();
  vi.stubGlobal("WebSocket", FakeSocket);
});

describe("a session", () => {
  it("shows the newest past and what comes after it, with nothing lost in between", async () => {
    server.write(700);
    const session = open();
    server.write(3);
    await settled();
    server.serve(1);
    expect(shown(session)).toEqual(down(703, 201));
    await session.loadOlder(session.live);
    expect(shown(session)).toEqual(down(703, 1));
    expect(session.live.get().older).toBe("end");
  });

  it("carries on over a restart of the server without losing or repeating a line", async () => {
    server.write(5);
    const session = open();
    await settled();
    server.serve(1);
    server.socket.onclose?.({ code: 1006 });
    server.write(4);
    await vi.advanceTimersByTimeAsync(1000);
    server.greet();
    server.serve(9);
    expect(shown(session)).toEqual(down(9, 1));
    expect(server.sockets.length).toBe(2);
  });

  it("begins anew with another ledger and says which one it was", async () => {
    server.write(5);
    const session = open();
    await settled();
    server.serve(1);
    server.socket.onclose?.({ code: 1006 });
    server.ledger = "M";
    server.events = [];
    server.write(2);
    await vi.advanceTimersByTimeAsync(1000);
    server.greet();
    await settled();
    expect(shown(session)).toEqual([2, 1]);
    expect(session.state.get().ledgerBefore).toBe("L");
  });

  it("keeps the old view alive while a new filter cannot be read", async () => {
    server.write(2);
    const session = open();
    await settled();
    server.serve(1);
    server.refusal = new ApiError(400, "invalid_filter", "this `(` is never closed", { at: 3 });
    session.look({ filter: "a (b", channels: [] });
    await settled();
    expect(session.state.get().problem).toMatchObject({ at: 3 });
    const [added] = server.write(1);
    server.socket.hear({ op: "events", feed: 1, cursor: 3, events: [added as LedgerEvent] });
    expect(shown(session)).toEqual([3, 2, 1]);
  });

  it("asks again when the server was in trouble, until it has the past", async () => {
    server.write(2);
    server.refusal = new ApiError(503, "busy", "come back later");
    const session = open();
    await settled();
    expect(session.state.get().problem?.code).toBe("busy");
    server.refusal = null;
    await vi.advanceTimersByTimeAsync(2000);
    expect(shown(session)).toEqual([2, 1]);
    expect(session.state.get().problem).toBeNull();
  });

  it("lets the newest of two filters win, whichever answer comes last", async () => {
    server.write(2);
    const session = open();
    await settled();
    server.serve(1);
    session.look({ filter: "first", channels: [] });
    session.look({ filter: "second", channels: [] });
    await settled();
    const filters = server.socket.sent.flatMap((m) => (m.op === "subscribe" ? [m.filter] : []));
    expect(filters).toEqual(["", "second"]);
  });

  it("says that nobody is logged in instead of trying for ever", async () => {
    server.refusal = new ApiError(401, "unauthorized", "log in");
    const session = open();
    await settled();
    expect(session.stream.get().phase.is).toBe("refused");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.sockets.length).toBe(1);
  });

  it("goes to a place in the past and reads on in both directions", async () => {
    server.write(2000);
    const session = open();
    await settled();
    server.serve(1);
    expect(await session.travel("1000")).toBe(1000);
    expect(shown(session, session.past)).toEqual(down(1149, 850));
    await session.loadNewer(session.past);
    await session.loadOlder(session.past);
    expect(shown(session, session.past)).toEqual(down(1649, 350));
    session.returnToLive();
    expect(shown(session)).toEqual(down(2000, 1501));
  });

  it("leaves a connection that has fallen silent", async () => {
    server.write(1);
    const session = open();
    await settled();
    server.serve(1);
    await vi.advanceTimersByTimeAsync(25_000);
    expect(server.socket.sent.at(-1)).toEqual({ op: "ping", ref: "alive" });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(session.stream.get().phase.is).toBe("waiting");
  });

  it("stays with one that answers", async () => {
    open();
    await settled();
    server.serve(1);
    for (let i = 0; i < 5; i++) {
      await vi.advanceTimersByTimeAsync(25_000);
      server.socket.hear({ op: "pong", ref: "alive" });
    }
    expect(server.sockets.length).toBe(1);
  });
});
