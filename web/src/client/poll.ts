/**
 * A question asked again and again while somebody looks, and sooner when something says that the answer changed.
 *
 * One question at a time. What was answered last stays while the server is away: old figures with a word that they
 * are old tell more than none.
 */
import { type ApiError, asRefusal } from "./api";
import { nextFrame, type Schedule, Signal } from "./signal";

export interface Heard<T> {
  /** The newest answer there was. */
  answer: T | null;
  /** When it came, in ms since 1970. */
  at: number;
  /** Why the newest question had no answer; `null` once one has. */
  problem: ApiError | null;
}

export class Poll<T> extends Signal<Heard<T>> {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #due = Number.POSITIVE_INFINITY;
  #asked = new AbortController();
  #running = false;
  #asking = false;
  #again = false;
  #heard = 0;

  constructor(
    private readonly question: (signal: AbortSignal) => Promise<T>,
    private everyMs: number,
    /** However often it is told of changes, it asks no sooner than this after the last answer. */
    private readonly breathMs = 400,
    schedule: Schedule = nextFrame,
  ) {
    super({ answer: null, at: 0, problem: null }, schedule);
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    document.addEventListener("visibilitychange", this.nudge);
    void this.#ask();
  }

  stop(): void {
    this.#running = false;
    this.#asking = false;
    this.#again = false;
    this.#asked.abort();
    document.removeEventListener("visibilitychange", this.nudge);
    this.#wait(null);
  }

  /** From now on at this pace. */
  pace(everyMs: number): void {
    const sooner = everyMs < this.everyMs;
    this.everyMs = everyMs;
    if (sooner) this.nudge();
  }

  /** Something changed: asks as soon as may be. */
  nudge = (): void => {
    if (!this.#running || document.hidden) return;
    if (this.#asking) this.#again = true;
    else this.#wait(Math.max(0, this.#heard + this.breathMs - Date.now()));
  };

  async #ask(): Promise<void> {
    if (document.hidden) return this.#wait(this.everyMs);
    this.#asked = new AbortController();
    const { signal } = this.#asked;
    this.#wait(null);
    this.#asking = true;
    let problem: ApiError | null = null;
    try {
      const answer = await this.question(signal);
      if (signal.aborted) return;
      this.set({ answer, at: Date.now(), problem: null });
    } catch (error) {
      if (signal.aborted) return;
      problem = asRefusal(error);
      this.set({ ...this.get(), problem });
    }
    this.#asking = false;
    this.#heard = Date.now();
    const again = this.#again && problem === null;
    this.#again = false;
    // What is refused for what it is would be refused again.
    if (problem !== null && !problem.passes) return this.stop();
    this.#wait(again ? this.breathMs : this.everyMs);
  }

  /** Asks in so many ms, unless that comes sooner anyway; `null` is not at all. */
  #wait(ms: number | null): void {
    if (ms === null) this.#due = Number.POSITIVE_INFINITY;
    else if (Date.now() + ms >= this.#due) return;
    clearTimeout(this.#timer);
    if (ms === null) return;
    this.#due = Date.now() + ms;
    this.#timer = setTimeout(() => {
      this.#due = Number.POSITIVE_INFINITY;
      void this.#ask();
    }, ms);
  }
}
