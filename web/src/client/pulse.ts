/**
 * Events per second by level over the last minutes: the server's count, moved on by what just arrived here.
 *
 * Both are lower bounds of the same number (the server's is a moment old, ours sees only what the filter lets
 * through), so the larger one is nearer the truth.
 */
import { nextFrame, type Schedule, Signal } from "./signal";
import { LEVELS, type LedgerEvent, type PulseSecond } from "./wire";

export const PULSE_SECONDS = 300;

/** Events by level, by epoch second. A second that is not there was quiet. */
export type Seconds = ReadonlyMap<number, readonly number[]>;

const INDEX = new Map<string, number>(LEVELS.map((level, index) => [level, index]));
export const SILENCE: readonly number[] = LEVELS.map(() => 0);

export class Pulse extends Signal<Seconds> {
  /** What arrived here, counted apart: the server's count of the same second may hold it or not. */
  readonly #arrived = new Map<number, number[]>();
  #moment = "";
  #second = 0;

  constructor(schedule: Schedule = nextFrame) {
    super(new Map(), schedule);
  }

  /** Takes the server's count. */
  seed(seconds: readonly PulseSecond[]): void {
    this.#raise(seconds);
  }

  /** Counts what arrived. */
  add(events: readonly LedgerEvent[]): void {
    const touched = new Map<number, number[]>();
    for (const event of events) {
      const second = this.#secondOf(event.recorded);
      const counts = this.#arrived.get(second) ?? [...SILENCE];
      const index = INDEX.get(event.level) ?? 1;
      counts[index] = (counts[index] ?? 0) + 1;
      this.#arrived.set(second, counts);
      touched.set(second, counts);
    }
    this.#raise([...touched]);
  }

  #raise(seconds: readonly (readonly [number, readonly number[]])[]): void {
    const all = new Map(this.get());
    for (const [second, counts] of seconds) {
      const known = all.get(second) ?? SILENCE;
      all.set(
        second,
        known.map((count, i) => Math.max(count, counts[i] ?? 0)),
      );
    }
    const oldest = newestSecond(all) - 2 * PULSE_SECONDS;
    for (const map of [all, this.#arrived]) {
      for (const second of map.keys()) if (second < oldest) map.delete(second);
    }
    this.set(all);
  }

  /** Neighbouring events share their second, and reading a date costs more than comparing a few characters. */
  #secondOf(recorded: string): number {
    const moment = recorded.slice(0, 19);
    if (moment !== this.#moment) {
      this.#moment = moment;
      this.#second = Date.parse(`${moment}Z`) / 1000;
    }
    return this.#second;
  }
}

/** Newest second anything is known of; 0 if nothing is. */
export function newestSecond(seconds: Seconds): number {
  let newest = 0;
  for (const second of seconds.keys()) newest = Math.max(newest, second);
  return newest;
}
