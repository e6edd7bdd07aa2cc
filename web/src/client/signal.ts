/** A value that can be watched. Listeners hear of a burst of changes once, at the next frame. */

export type Schedule = (run: () => void) => void;

/** Before the next paint; or soon, where nothing is painted (a hidden tab, a test without a page). */
export const nextFrame: Schedule = (run) => {
  if (typeof requestAnimationFrame === "function" && !document.hidden) requestAnimationFrame(run);
  else setTimeout(run, 100);
};

export class Signal<T> {
  #value: T;
  #scheduled = false;
  readonly #listeners = new Set<() => void>();
  readonly #schedule: Schedule;

  constructor(value: T, schedule: Schedule = nextFrame) {
    this.#value = value;
    this.#schedule = schedule;
  }

  /** The value now. Stable between changes, as `useSyncExternalStore` asks. */
  get = (): T => this.#value;

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    this.touch();
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Tells the listeners at the next frame. */
  protected touch(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#schedule(() => {
      this.#scheduled = false;
      for (const listener of this.#listeners) listener();
    });
  }
}
