/** How the server is doing, asked for every few seconds while somebody looks. */
import type { Api } from "./api";
import type { Pulse } from "./pulse";
import { Signal } from "./signal";
import type { Catalogue, Metrics, Status } from "./wire";

export interface VitalsState {
  metrics: Metrics | null;
  status: Status | null;
  catalogue: Catalogue | null;
}

const METRICS_MS = 2000;
const STATUS_EVERY = 5;

export class Vitals extends Signal<VitalsState> {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #round = 0;
  #running = false;

  constructor(
    private readonly api: Api,
    private readonly pulse: Pulse,
  ) {
    super({ metrics: null, status: null, catalogue: null });
  }

  /** Asks at once, and then again and again. */
  start(): void {
    this.#running = true;
    this.#round = 0;
    clearTimeout(this.#timer);
    void this.#ask();
  }

  stop(): void {
    this.#running = false;
    clearTimeout(this.#timer);
  }

  async #ask(): Promise<void> {
    const withStatus = this.#round++ % STATUS_EVERY === 0;
    try {
      if (!document.hidden) await Promise.all([this.#askMetrics(), withStatus && this.#askStatus()]);
    } catch {
      // The connection badge tells of a server that is away; what we know stays as it was.
    }
    if (this.#running) this.#timer = setTimeout(() => void this.#ask(), METRICS_MS);
  }

  async #askMetrics(): Promise<void> {
    const metrics = await this.api.metrics();
    this.pulse.seed(metrics.pulse);
    this.set({ ...this.get(), metrics });
  }

  async #askStatus(): Promise<void> {
    const status = await this.api.status();
    const catalogue = this.get().catalogue ?? (await this.api.catalogue());
    this.set({ ...this.get(), status, catalogue });
  }
}
