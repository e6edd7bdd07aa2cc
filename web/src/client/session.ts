/**
 * One person looking at one ledger: the live stream, the stretch of it in memory, and trips into the past.
 *
 * Position first, then data: the past is read up to a position, and the stream begins right after it, so that
 * nothing falls between the two and nothing comes twice. A new filter is read before it replaces the old one:
 * a filter that cannot be read costs nothing but a message.
 */
import { type Api, ApiError, asRefusal } from "./api";
import { paths } from "./paths";
import { Signal } from "./signal";
import { EventStream } from "./socket";
import type { View } from "./stream";
import { type Edge, EventWindow, type Row, rowSeq } from "./window";
import type { Gap, HistoryPage, LedgerEvent } from "./wire";

const PAGE = 500;
const PAGE_AROUND = 150;
const RETRY_MS = 1500;

export interface Problem {
  code: string;
  message: string;
  /** Character of the filter at fault, from 0. */
  at: number | undefined;
}

export interface FeedState {
  /** The view asked for; shown once `loading` is over. */
  view: View;
  loading: boolean;
  problem: Problem | null;
  /** Where in the past we are; `null` is now. */
  at: string | null;
  /** The ledger we were reading before this one took its place. */
  ledgerBefore: string | null;
  /** The latest place where the stream had to say that events are gone. */
  gap: Gap | null;
}

/** Why the feed stands still. */
export type HoldReason = "paused" | "scrolled";

export class Session {
  readonly stream: EventStream;
  readonly live = new EventWindow();
  readonly past = new EventWindow();
  readonly state: Signal<FeedState>;
  readonly #held = new Set<HoldReason>();
  /** The view that is on screen: behind the one asked for while that is read, or cannot be. */
  #shown: View;
  #load = new AbortController();
  #trip = new AbortController();

  constructor(
    readonly api: Api,
    view: View,
    private readonly onEvents: (events: LedgerEvent[]) => void,
    origin: string = location.origin,
  ) {
    this.#shown = view;
    this.state = new Signal<FeedState>({
      view,
      loading: true,
      problem: null,
      at: null,
      ledgerBefore: null,
      gap: null,
    });
    this.stream = new EventStream(paths.socket(origin), () => api.token, {
      append: (events) => {
        this.live.append(events);
        this.onEvents(events);
      },
      gap: (gap) => {
        this.live.append([gap]);
        this.#patch({ gap });
      },
      anchor: (_, was) => {
        if (was !== null) this.#patch({ ledgerBefore: was, at: null });
        void this.#read(this.state.get().view);
      },
      probe: () => void this.#probe(),
    });
  }

  start(): void {
    this.stream.start();
    // Somebody who is not logged in should be told now, not when the server has waited long enough for a token.
    void this.#probe();
  }

  stop(): void {
    this.#load.abort();
    this.#trip.abort();
    this.stream.stop();
  }

  /** Takes a token pasted by hand and tries the door again. */
  enter(token: string): void {
    this.api.token = token;
    this.stream.retryNow();
  }

  /** Shows what `view` selects. */
  look(view: View): void {
    const { at, view: before, problem } = this.state.get();
    if (sameView(before, view) && problem === null) return;
    this.#patch({ view, problem: null });
    if (this.stream.get().ledger !== null) void this.#read(view);
    if (at !== null) void this.travel(at);
  }

  hold(reason: HoldReason): void {
    this.#held.add(reason);
    this.live.hold();
  }

  release(reason: HoldReason): void {
    this.#held.delete(reason);
    if (this.#held.size === 0) this.live.release();
  }

  dismissNotices(): void {
    this.#patch({ ledgerBefore: null, gap: null });
  }

  /** Shows the surroundings of a seq or moment. Answers with the seq of the first event at or after it, if any is near. */
  async travel(at: string): Promise<number | null> {
    this.#trip.abort();
    this.#trip = new AbortController();
    const { signal } = this.#trip;
    const { view } = this.state.get();
    this.#patch({ at });
    this.past.reset([], { older: "loading", newer: "end" });
    try {
      const [after, before] = await Promise.all([
        this.#page(view, { from: at, order: "oldest", limit: PAGE_AROUND }, signal),
        this.#page(view, { to: at, order: "newest", limit: PAGE_AROUND }, signal),
      ]);
      this.#shown = view;
      const rows = [...rowsOf(after), ...rowsOf(before)];
      this.past.reset(rows, { older: edge(before), newer: edge(after) });
      return after.events[0]?.seq ?? before.events[0]?.seq ?? null;
    } catch (error) {
      if (!signal.aborted) {
        this.past.setEdges({ older: "end" });
        this.#fail(error);
      }
      return null;
    }
  }

  returnToLive(): void {
    this.#trip.abort();
    this.#patch({ at: null });
    this.past.reset([], { older: "end", newer: "end" });
  }

  async loadOlder(window: EventWindow): Promise<void> {
    const to = window.oldestSeq;
    const { epoch, older } = window.get();
    if (to === undefined || older !== "more") return;
    window.setEdges({ older: "loading" });
    try {
      const page = await this.#page(this.#shown, { to, order: "newest", limit: PAGE });
      if (window.get().epoch === epoch) window.appendOlder(rowsOf(page), edge(page));
    } catch {
      if (window.get().epoch === epoch) window.setEdges({ older: "more" });
    }
  }

  async loadNewer(window: EventWindow): Promise<void> {
    const newest = window.newestSeq;
    const { epoch, newer } = window.get();
    if (newest === undefined || newer !== "more") return;
    window.setEdges({ newer: "loading" });
    try {
      const page = await this.#page(this.#shown, { from: newest + 1, order: "oldest", limit: PAGE });
      if (window.get().epoch !== epoch) return;
      window.append(rowsOf(page).reverse());
      window.setEdges({ newer: edge(page) });
    } catch {
      if (window.get().epoch === epoch) window.setEdges({ newer: "more" });
    }
  }

  /** Reads the newest page of a view, then lets the stream carry on from there. */
  async #read(view: View): Promise<void> {
    this.#load.abort();
    this.#load = new AbortController();
    const { signal } = this.#load;
    const { cursor, head, ledger } = this.stream.get();
    const position = cursor ?? head;
    this.#patch({ loading: true });
    try {
      const page = await this.#page(view, { to: position + 1, order: "newest", limit: PAGE }, signal);
      if (signal.aborted || this.stream.get().ledger !== ledger) return;
      this.#shown = view;
      this.live.reset(rowsOf(page), { older: edge(page), newer: "end" });
      this.stream.look(view, position + 1);
      this.#patch({ loading: false, problem: null });
    } catch (error) {
      if (signal.aborted) return;
      this.#fail(error);
      if (asRefusal(error).passes) setTimeout(() => !signal.aborted && void this.#read(view), RETRY_MS);
    }
  }

  #page(
    { filter, channels }: View,
    query: { order: "newest" | "oldest"; limit: number; from?: string | number; to?: string | number },
    signal?: AbortSignal,
  ): Promise<HistoryPage> {
    return this.api.history({ filter, channels, ...query }, signal);
  }

  #fail(error: unknown): void {
    if (!(error instanceof ApiError)) return;
    if (error.status === 401) this.stream.refuse();
    this.#patch({
      loading: false,
      problem: { code: error.code, message: error.message, at: error.detail.at },
    });
  }

  /** A refused upgrade looks like any lost connection to a page; plain HTTP says which it was. */
  async #probe(): Promise<void> {
    try {
      await this.api.status();
    } catch (error) {
      if (error instanceof ApiError && (error.status === 401 || error.status === 403)) this.stream.refuse();
    }
  }

  #patch(change: Partial<FeedState>): void {
    this.state.set({ ...this.state.get(), ...change });
  }
}

/** The rows of a page, newest first, with the places where events are gone. */
function rowsOf(page: HistoryPage): Row[] {
  const rows: Row[] = [...page.events, ...(page.gaps ?? [])];
  return rows.sort((a, b) => rowSeq(b) - rowSeq(a));
}

const edge = (page: HistoryPage): Edge => (page.next === null ? "end" : "more");

const sameView = (a: View, b: View) => a.filter === b.filter && a.channels.join() === b.channels.join();
