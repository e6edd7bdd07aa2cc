/**
 * The events a page holds in memory: a bounded, gapless stretch of the ledger, newest first.
 *
 * It lives outside React, which is told of it once a frame and never once an event. While it is held (paused,
 * or scrolled away) what is shown stays as it is and arrivals wait beside it, counted.
 */
import { Deque } from "./deque";
import { nextFrame, type Schedule, Signal } from "./signal";
import type { Gap, LedgerEvent } from "./wire";

/** A row of the feed: an event, or the place where events are gone. */
export type Row = LedgerEvent | Gap;

export const isGap = (row: Row): row is Gap => "lost" in row;

/** The seq a row stands at. */
export const rowSeq = (row: Row): number => (isGap(row) ? row.asked : row.seq);

/** What lies past an edge; `full`: there is more, but the page holds as much as it may. */
export type Edge = "more" | "loading" | "end" | "full";

export interface WindowSnapshot {
  /** Changes when everything was replaced: positions before and after have nothing to do with each other. */
  epoch: number;
  /** Positions shown: `low` inclusive, `high` exclusive. */
  low: number;
  high: number;
  /** Events that arrived and wait for release. */
  waiting: number;
  /** What there is past the oldest and the newest row. */
  older: Edge;
  newer: Edge;
}

export const CAPACITY = 150_000;

export class EventWindow extends Signal<WindowSnapshot> {
  #rows = new Deque<Row>();
  #waiting: Row[] = [];
  /** Arrivals that no longer fit beside a held feed. The ledger has them; release begins after them. */
  #skipped = 0;
  #held = false;
  readonly #capacity: number;

  constructor(capacity = CAPACITY, schedule: Schedule = nextFrame) {
    super({ epoch: 0, low: 0, high: 0, waiting: 0, older: "end", newer: "end" }, schedule);
    this.#capacity = capacity;
  }

  /** The row `index` places from the top of what `snapshot` shows. */
  row(snapshot: WindowSnapshot, index: number): Row | undefined {
    if (snapshot.epoch !== this.get().epoch) return undefined;
    return this.#rows.at(snapshot.high - 1 - index);
  }

  /** Replaces everything by a page, newest first. */
  reset(page: readonly Row[], edges: { older: Edge; newer: Edge }): void {
    this.#rows = new Deque();
    this.#waiting = [];
    this.#skipped = 0;
    for (const row of page) this.#rows.pushLow(row);
    this.#publish({ epoch: this.get().epoch + 1, ...edges });
  }

  /** Takes newer rows, in order. */
  append(rows: readonly Row[]): void {
    if (this.#held) this.#wait(rows);
    else this.#show(rows);
  }

  /** Takes older rows, newest first. */
  appendOlder(rows: readonly Row[], older: Edge): void {
    if (this.#rows.closed) return this.#publish({ older: "full" });
    for (const row of rows) this.#rows.pushLow(row);
    this.#publish({ older: this.#rows.size >= this.#capacity ? "full" : older });
  }

  setEdges(edges: Partial<Pick<WindowSnapshot, "older" | "newer">>): void {
    this.#publish(edges);
  }

  hold(): void {
    this.#held = true;
  }

  /** Shows what waited. */
  release(): void {
    this.#held = false;
    const rows = this.#waiting;
    const skipped = this.#skipped;
    this.#waiting = [];
    this.#skipped = 0;
    if (skipped > 0) this.reset(rows.reverse(), { older: "more", newer: "end" });
    else if (rows.length > 0) this.#show(rows);
  }

  /** Index from the top of the row nearest to `seq`: the row itself, or the next older one. */
  indexOf(seq: number): number {
    const { low, high } = this.get();
    let below = low;
    let above = high;
    while (below < above) {
      const middle = Math.floor((below + above) / 2);
      const row = this.#rows.at(middle);
      if (row !== undefined && rowSeq(row) > seq) above = middle;
      else below = middle + 1;
    }
    return high - below;
  }

  /** The row of an event shown here. */
  find(seq: number): LedgerEvent | undefined {
    const row = this.row(this.get(), this.indexOf(seq));
    return row !== undefined && !isGap(row) && row.seq === seq ? row : undefined;
  }

  get oldestSeq(): number | undefined {
    const row = this.#rows.at(this.#rows.low);
    return row && rowSeq(row);
  }

  get newestSeq(): number | undefined {
    const row = this.#rows.at(this.get().high - 1);
    return row && rowSeq(row);
  }

  #show(rows: readonly Row[]): void {
    this.#rows.pushHigh(rows);
    const overfull = this.#rows.size > this.#capacity;
    if (overfull) this.#rows.shrinkTo(this.#capacity);
    this.#publish(overfull ? { older: "full" } : {});
  }

  #wait(rows: readonly Row[]): void {
    for (const row of rows) this.#waiting.push(row);
    const room = this.#capacity;
    // Cut in large steps: one by one would copy the whole list each time.
    if (this.#waiting.length > room * 1.5) {
      this.#skipped += this.#waiting.length - room;
      this.#waiting = this.#waiting.slice(-room);
    }
    this.#publish({});
  }

  #publish(change: Partial<WindowSnapshot>): void {
    this.set({
      ...this.get(),
      ...change,
      low: this.#rows.low,
      high: this.#rows.high,
      waiting: this.#waiting.length + this.#skipped,
    });
  }
}
