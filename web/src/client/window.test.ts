import { beforeEach, describe, expect, it } from "vitest";
import { Deque } from "./deque";
import { EventWindow, isGap, type Row, rowSeq } from "./window";
import type { LedgerEvent } from "./wire";

const event = (seq: number): LedgerEvent => ({
  seq,
  recorded: "2026-02-14T19:01:23.457102Z",
  type: "t",
  source: "s",
  level: "info",
  crc: "0",
});
const run = (from: number, to: number): Row[] =>
  Array.from({ length: to - from + 1 }, (_, i) => event(from + i));
const back = (from: number, to: number): Row[] => run(to, from).reverse();

/** What a page would show, from the top. */
function shown(window: EventWindow): number[] {
  const snapshot = window.get();
  return Array.from({ length: snapshot.high - snapshot.low }, (_, i) => {
    const row = window.row(snapshot, i);
    return row ? rowSeq(row) : -1;
  });
}

let window: EventWindow;
beforeEach(() => {
  window = new EventWindow(10, (tell) => tell());
  window.reset(back(5, 3), { older: "more", newer: "end" });
});

describe("a window", () => {
  it("shows a page and what arrives after it, newest first", () => {
    window.append(run(6, 7));
    expect(shown(window)).toEqual([7, 6, 5, 4, 3]);
  });

  it("takes older pages at the far end", () => {
    window.appendOlder(back(2, 1), "end");
    expect(shown(window)).toEqual([5, 4, 3, 2, 1]);
    expect(window.get().older).toBe("end");
  });

  it("drops the oldest beyond its capacity and says that there is more", () => {
    window.append(run(6, 20));
    expect(shown(window)).toEqual(back(20, 11).map(rowSeq));
    expect(window.get().older).toBe("full");
  });

  it("takes no older page once something was dropped, for it would not follow on", () => {
    window.append(run(6, 20));
    window.appendOlder(back(2, 1), "end");
    expect(window.oldestSeq).toBe(11);
  });

  it("tells its listeners once for a burst", () => {
    let waiting: (() => void)[] = [];
    const quiet = new EventWindow(10, (tell) => waiting.push(tell));
    let told = 0;
    quiet.subscribe(() => told++);
    for (let seq = 1; seq <= 50; seq++) quiet.append([event(seq)]);
    for (const tell of waiting.splice(0)) tell();
    expect(told).toBe(1);
    waiting = [];
  });

  it("keeps an old snapshot pointing at the same rows while new ones come in", () => {
    const before = window.get();
    window.append(run(6, 8));
    expect(rowSeq(window.row(before, 0) as Row)).toBe(5);
  });

  it("finds the place of a seq, or of the next older one", () => {
    window.append(run(8, 9));
    expect(window.indexOf(9)).toBe(0);
    expect(window.indexOf(5)).toBe(2);
    expect(window.indexOf(7)).toBe(2);
    expect(window.find(7)).toBeUndefined();
    expect(window.find(8)?.seq).toBe(8);
  });

  it("keeps a gap in its place", () => {
    window.append([{ asked: 6, first: 16, lost: 10, reason: "retention" }, ...run(16, 17)]);
    const snapshot = window.get();
    expect(isGap(window.row(snapshot, 2) as Row)).toBe(true);
    expect(shown(window)).toEqual([17, 16, 6, 5, 4, 3]);
  });
});

describe("a held window", () => {
  it("stands still and counts what arrives", () => {
    window.hold();
    window.append(run(6, 8));
    expect(shown(window)).toEqual([5, 4, 3]);
    expect(window.get().waiting).toBe(3);
  });

  it("shows everything on release, once and in order", () => {
    window.hold();
    window.append(run(6, 7));
    window.append(run(8, 8));
    window.release();
    window.append(run(9, 9));
    expect(shown(window)).toEqual([9, 8, 7, 6, 5, 4, 3]);
    expect(window.get().waiting).toBe(0);
  });

  it("does not drop what is on screen, however much arrives", () => {
    window.hold();
    for (let seq = 6; seq <= 500; seq++) window.append([event(seq)]);
    expect(shown(window)).toEqual([5, 4, 3]);
    expect(window.get().waiting).toBe(495);
  });

  it("begins after what no longer fitted, and offers to read it again", () => {
    window.hold();
    for (let seq = 6; seq <= 500; seq++) window.append([event(seq)]);
    window.release();
    const seqs = shown(window);
    expect(seqs[0]).toBe(500);
    expect(seqs).toEqual(back(500, 500 - seqs.length + 1).map(rowSeq));
    expect(window.get()).toMatchObject({ older: "more", waiting: 0 });
  });
});

describe("positions in a deque", () => {
  it("mean the same item for life", () => {
    const deque = new Deque<number>();
    deque.pushHigh([10, 11]);
    deque.pushLow(9);
    deque.pushHigh([12, 13, 14, 15]);
    deque.shrinkTo(4);
    expect([deque.low, deque.high, deque.at(2), deque.at(5)]).toEqual([2, 6, 12, 15]);
    deque.pushHigh([16]);
    deque.shrinkTo(2);
    expect([deque.low, deque.high, deque.at(2), deque.at(5), deque.at(6)]).toEqual([5, 7, undefined, 15, 16]);
  });

  it("agree with a plain list over any number of pushes and drops", () => {
    const deque = new Deque<number>();
    let low = 0;
    for (let i = 0; i < 2000; i++) {
      deque.pushHigh([i]);
      if (i % 7 === 0) {
        deque.shrinkTo(25);
        low = Math.max(low, i - 24);
      }
      expect(deque.low).toBe(low);
      expect(deque.at(low)).toBe(low);
      expect(deque.at(i)).toBe(i);
      expect(deque.at(low - 1)).toBeUndefined();
    }
  });
});
