/**
 * A list that grows at both ends and whose items keep their position for life.
 *
 * Positions from 0 up were pushed at the high end, those below 0 at the low end. Items leave only at the low
 * end, so that whoever remembers a position still means the same item.
 */
export class Deque<T> {
  #up: T[] = [];
  /** Items of `#up` dropped so far; the array is cut when half of it is gone. */
  #cut = 0;
  #dropped = 0;
  #down: T[] = [];
  #closed = false;

  /** Whether items left at the low end: what is pushed there now would not follow on. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Position of the lowest item. */
  get low(): number {
    return this.#down.length > 0 ? -this.#down.length : this.#dropped;
  }

  /** Position after the highest item. */
  get high(): number {
    return this.#cut + this.#up.length;
  }

  get size(): number {
    return this.high - this.low;
  }

  at(position: number): T | undefined {
    if (position < this.low) return undefined;
    return position < 0 ? this.#down[-1 - position] : this.#up[position - this.#cut];
  }

  pushHigh(items: readonly T[]): void {
    for (const item of items) this.#up.push(item);
  }

  pushLow(item: T): void {
    if (this.#closed) throw new RangeError("items below were dropped: the low end is closed");
    this.#down.push(item);
  }

  /** Drops the lowest items until `size` is left. */
  shrinkTo(size: number): void {
    if (this.size <= size) return;
    this.#closed = true;
    while (this.size > size && this.#down.length > 0) this.#down.pop();
    if (this.size <= size) return;
    this.#dropped = this.high - size;
    const gone = this.#dropped - this.#cut;
    if (gone > this.#up.length / 2) {
      this.#up = this.#up.slice(gone);
      this.#cut = this.#dropped;
    }
  }
}
