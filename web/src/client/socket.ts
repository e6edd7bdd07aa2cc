/**
 * Carries out what `stream.ts` decides: a WebSocket, its timers, and a watch for connections that died unnoticed.
 */
import { Signal } from "./signal";
import { type Effect, type Input, initial, isOpen, type StreamState, step, type View } from "./stream";
import { type ClientMessage, type Gap, type LedgerEvent, readServerMessage } from "./wire";

export interface StreamHandlers {
  append(events: LedgerEvent[]): void;
  gap(gap: Gap): void;
  anchor(head: number, was: string | null): void;
  probe(): void;
}

const SILENCE_MS = 25_000;
const ANSWER_MS = 10_000;

export class EventStream extends Signal<StreamState> {
  #socket: WebSocket | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly url: string,
    private readonly token: () => string | null,
    private readonly handlers: StreamHandlers,
  ) {
    super(initial);
  }

  start(): void {
    window.addEventListener("online", this.retryNow);
    this.#take({ is: "start" });
  }

  /** Ends the connection for good. */
  stop(): void {
    window.removeEventListener("online", this.retryNow);
    clearTimeout(this.#retry);
    this.#drop();
  }

  /** Shows another view, from the first match at or after `from`. */
  look(view: View, from: number): void {
    this.#take({ is: "view", view, from });
  }

  refuse(): void {
    clearTimeout(this.#retry);
    this.#take({ is: "refused" });
  }

  retryNow = (): void => {
    const { is } = this.get().phase;
    if (is !== "waiting" && is !== "refused") return;
    clearTimeout(this.#retry);
    this.#take({ is: "retry" });
  };

  #take(input: Input): void {
    const [state, effects] = step(this.get(), input);
    this.set(state);
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: Effect): void {
    switch (effect.do) {
      case "connect":
        return this.#connect();
      case "disconnect":
        return this.#lost(this.#socket);
      case "send":
        return this.#send(effect.message);
      case "retry":
        this.#retry = setTimeout(() => this.#take({ is: "retry" }), effect.inMs);
        return;
      case "append":
        return this.handlers.append(effect.events);
      case "gap":
        return this.handlers.gap(effect.gap);
      case "anchor":
        return this.handlers.anchor(effect.head, effect.was);
      case "probe":
        return this.handlers.probe();
    }
  }

  #connect(): void {
    this.#drop();
    const socket = new WebSocket(this.url);
    this.#socket = socket;
    socket.onopen = () => {
      const token = this.token();
      if (token !== null) this.#send({ op: "auth", token });
    };
    socket.onmessage = (frame: MessageEvent<string>) => {
      if (socket !== this.#socket) return;
      this.#heard();
      this.#take({ is: "message", message: readServerMessage(frame.data) });
    };
    socket.onclose = ({ code }) => this.#lost(socket, code);
    this.#heard(ANSWER_MS);
  }

  #send(message: ClientMessage): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** A connection ended, by itself or by us; told to the state machine once. */
  #lost(socket: WebSocket | null, code = 1000): void {
    if (socket === null || socket !== this.#socket) return;
    this.#drop();
    this.#take({ is: "closed", code, now: Date.now(), random: Math.random() });
  }

  #drop(): void {
    clearTimeout(this.#silence);
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onmessage = null;
      socket.onclose = null;
      socket.close();
    }
  }

  /** A half-open connection delivers nothing and reports nothing: after a silence we ask, and without an answer we leave. */
  #heard(patience = SILENCE_MS): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      if (!isOpen(this.get())) return this.#take({ is: "silent" });
      this.#send({ op: "ping", ref: "alive" });
      this.#silence = setTimeout(() => this.#take({ is: "silent" }), ANSWER_MS);
    }, patience);
  }
}
