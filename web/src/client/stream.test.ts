import { describe, expect, it } from "vitest";
import { type Effect, eventsToGo, type Input, initial, retryDelay, type StreamState, step } from "./stream";
import type { LedgerEvent, ServerMessage } from "./wire";

/** Plays inputs and keeps what the machine asked for. */
class Play {
  state: StreamState = initial;
  effects: Effect[] = [];

  take(...inputs: Input[]): this {
    for (const input of inputs) {
      const [state, effects] = step(this.state, input);
      this.state = state;
      this.effects.push(...effects);
    }
    return this;
  }
  hear(...messages: ServerMessage[]): this {
    return this.take(...messages.map((message): Input => ({ is: "message", message })));
  }
  drop(): this {
    return this.take({ is: "closed", code: 1006, now: 1000, random: 0 }, { is: "retry" });
  }
  get delivered(): number[] {
    return this.effects.flatMap((e) => (e.do === "append" ? e.events.map(({ seq }) => seq) : []));
  }
  get subscriptions() {
    return this.effects.flatMap((e) => (e.do === "send" && e.message.op === "subscribe" ? [e.message] : []));
  }
  get phase() {
    return this.state.phase.is;
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
const hello = (head: number, ledger = "L"): ServerMessage => ({
  op: "hello",
  protocol: 1,
  ledger,
  head,
  version: "1",
});
const subscribed = (sub: string, feed: number, head: number): ServerMessage => ({
  op: "subscribed",
  sub,
  feed,
  from: 1,
  head,
});
const events = (feed: number, cursor: number, ...seqs: number[]): ServerMessage => ({
  op: "events",
  feed,
  cursor,
  events: seqs.map(event),
});
const everything = { filter: "", channels: [] };

/** Connected and live at seq 10 as feed 7. */
function live(): Play {
  return new Play()
    .take({ is: "start" })
    .hear(hello(10))
    .take({ is: "view", view: everything, from: 11 })
    .hear(subscribed("s1", 7, 10), { op: "caught_up", feed: 7, cursor: 10 });
}

describe("a first visit", () => {
  it("anchors at the head before anything is subscribed", () => {
    const play = new Play().take({ is: "start" }).hear(hello(10));
    expect(play.effects).toEqual([{ do: "connect" }, { do: "anchor", head: 10, was: null }]);
    expect(play.phase).toBe("ready");
  });

  it("subscribes right after the position it was given, with the ledger it belongs to", () => {
    expect(live().subscriptions).toMatchObject([{ sub: "s1", from: { seq: 11, ledger: "L" } }]);
  });

  it("is live once the server says that everything was sent", () => {
    expect(live().phase).toBe("live");
  });
});

describe("a reconnect", () => {
  it("resumes one past the cursor of the same ledger", () => {
    const play = live()
      .hear(events(7, 12, 11, 12))
      .drop()
      .hear(hello(20));
    expect(play.subscriptions.at(-1)).toMatchObject({ sub: "s2", from: { seq: 13, ledger: "L" } });
    expect(play.phase).toBe("catching_up");
    expect(eventsToGo(play.state)).toBe(8);
  });

  it("moves the cursor over events that did not match", () => {
    const play = live().hear(events(7, 500)).drop().hear(hello(500));
    expect(play.subscriptions.at(-1)).toMatchObject({ from: { seq: 501 } });
  });

  it("delivers nothing twice when the server repeats the end of a frame", () => {
    const play = live().hear(events(7, 12, 11, 12), events(7, 14, 12, 13, 14), events(7, 14, 13, 14));
    expect(play.delivered).toEqual([11, 12, 13, 14]);
  });

  it("begins anew when another ledger answers, and says which it was", () => {
    const play = live().drop().hear(hello(3, "M"));
    expect(play.effects.at(-1)).toEqual({ do: "anchor", head: 3, was: "L" });
    expect(play.state).toMatchObject({ cursor: null, view: null, ledger: "M" });
  });

  it("begins anew when the head is behind the cursor", () => {
    const play = live()
      .hear(events(7, 15, 15))
      .drop()
      .hear(hello(12));
    expect(play.effects.at(-1)).toMatchObject({ do: "anchor", head: 12 });
  });

  it("waits longer after each attempt, and never longer than ten seconds", () => {
    expect([1, 2, 3, 4].map((attempt) => retryDelay(attempt, 1))).toEqual([250, 500, 1000, 2000]);
    expect(retryDelay(30, 1)).toBe(10_000);
    expect(retryDelay(30, 0)).toBe(5000);
  });

  it("counts attempts until a subscription stands again, not merely a greeting", () => {
    const play = live().drop().hear(hello(10)).drop().hear(hello(10));
    expect(play.state.attempt).toBe(2);
    expect(play.hear(subscribed("s3", 9, 10)).state.attempt).toBe(0);
  });

  it("asks over HTTP what is wrong when the door never opened", () => {
    const play = new Play().take({ is: "start" }, { is: "closed", code: 1006, now: 0, random: 0 });
    expect(play.effects.map((e) => e.do)).toEqual(["connect", "retry", "probe"]);
    expect(
      live()
        .take({ is: "closed", code: 1006, now: 0, random: 0 })
        .effects.map((e) => e.do),
    ).not.toContain("probe");
  });
});

describe("another filter", () => {
  it("leaves the old subscription and takes nothing of it any more", () => {
    const play = live().take({ is: "view", view: { filter: "level:error", channels: [] }, from: 11 });
    expect(play.effects.slice(-2)).toMatchObject([
      { message: { op: "unsubscribe", sub: "s1" } },
      { message: { op: "subscribe", sub: "s2", filter: "level:error", from: { seq: 11 } } },
    ]);
    play.hear(events(7, 12, 11, 12), subscribed("s2", 8, 12), events(7, 13, 13), events(8, 12, 12));
    expect(play.delivered).toEqual([12]);
  });

  it("does not mistake a frame of the old subscription for one of the new, even when the feed is the same", () => {
    const play = live().take({ is: "view", view: { filter: " ", channels: [] }, from: 11 });
    play.hear(events(7, 11, 11), subscribed("s2", 7, 11), events(7, 11, 11));
    expect(play.delivered).toEqual([11]);
  });

  it("is remembered while there is no connection", () => {
    const play = live().take({ is: "closed", code: 1006, now: 0, random: 0 });
    play.take({ is: "view", view: { filter: "x", channels: [] }, from: 11 }, { is: "retry" }).hear(hello(12));
    expect(play.subscriptions.at(-1)).toMatchObject({ filter: "x", from: { seq: 11 } });
  });
});

describe("what the server has to say", () => {
  it("falls behind and is live again", () => {
    const play = live().hear({ op: "fell_behind", feed: 7, cursor: 10, lag_events: 5000 });
    expect(play.state.phase).toEqual({ is: "behind", lag: 5000 });
    expect(play.hear({ op: "caught_up", feed: 7, cursor: 5010 }).phase).toBe("live");
  });

  it("passes a gap on once and resumes after it", () => {
    const gap = { asked: 11, first: 131, lost: 120, reason: "retention" };
    const play = live()
      .hear({ op: "gap", feed: 7, ...gap })
      .drop()
      .hear(hello(140));
    expect(play.effects).toContainEqual({ do: "gap", gap });
    expect(play.subscriptions.at(-1)).toMatchObject({ from: { seq: 131 } });
  });

  it("begins anew after a gap because of another ledger, for two orders cannot be joined", () => {
    const play = live().hear({ op: "gap", feed: 7, asked: 11, first: 1, lost: 0, reason: "ahead_of_ledger" });
    expect(play.effects.at(-1)).toMatchObject({ do: "anchor", was: "L" });
    expect(play.phase).toBe("ready");
  });

  it("says that the server closes, and comes back", () => {
    const play = live().hear({ op: "error", code: "closing", message: "bye" });
    expect(play.phase).toBe("closing");
    expect(play.drop().phase).toBe("connecting");
    const closed = live().take({ is: "closed", code: 1001, now: 0, random: 0 });
    expect(closed.state.phase).toMatchObject({ is: "waiting", stopped: true });
  });

  it("stops trying when it is not let in", () => {
    const play = live().hear({ op: "error", code: "unauthorized", message: "no" });
    expect(play.phase).toBe("refused");
    expect(play.take({ is: "closed", code: 1006, now: 0, random: 0 }).phase).toBe("refused");
    expect(live().take({ is: "closed", code: 1008, now: 0, random: 0 }).phase).toBe("refused");
  });

  it("ignores what a newer server may say", () => {
    expect(live().hear({ op: "other" }).phase).toBe("live");
  });
});

describe("any order of connections, frames and filters", () => {
  /** A small generator, so that a failing run can be repeated by its seed. */
  function* numbers(seed: number): Generator<number, never> {
    let state = seed;
    for (;;) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      yield state / 2 ** 32;
    }
  }

  it("delivers every event after the anchor once and in order", () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = numbers(seed);
      const next = (n: number) => Math.floor(random.next().value * n);
      let head = next(50);
      const play = new Play().take({ is: "start" }).hear(hello(head));
      const anchor = head;
      play.take({ is: "view", view: everything, from: anchor + 1 });
      // The server's side of the subscription: where it is, and under which name.
      let sent = anchor;
      let feed = 1;
      const serve = () => {
        const asked = play.subscriptions.at(-1);
        sent = (asked?.from.seq ?? 1) - 1;
        feed++;
        play.hear(subscribed(asked?.sub ?? "", feed, head));
      };
      serve();
      for (let i = 0; i < 60; i++) {
        head += next(4);
        const what = next(10);
        if (what === 0) {
          play.drop().hear(hello(head));
          serve();
        } else if (what === 1) play.hear(events(feed - 1, head, ...range(sent, head)));
        else {
          // A frame may begin before what was sent last: the machine has to drop what it knows.
          const until = sent + next(head - sent + 1);
          play.hear(events(feed, until, ...range(Math.max(0, sent - next(3)), until)));
          sent = until;
        }
      }
      play.hear(events(feed, head, ...range(sent, head)));
      expect(play.delivered, `seed ${seed}`).toEqual(range(anchor, head));
    }
  });

  const range = (after: number, to: number) => Array.from({ length: to - after }, (_, i) => after + 1 + i);
});
