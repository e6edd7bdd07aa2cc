/** Asks the server over HTTP. A refusal keeps the server's own words and code. */
import { type HistoryQuery, paths } from "./paths";
import type { Catalogue, HistoryPage, Metrics, Status } from "./wire";

/** The server answered, but not with what was asked for. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    /** Character of a filter at fault, from 0. */
    readonly at: number | undefined,
  ) {
    super(message);
  }
}

const TOKEN_KEY = "kymo.token";

export class Api {
  /** A token pasted by hand lives as long as the tab. */
  get token(): string | null {
    return sessionStorage.getItem(TOKEN_KEY);
  }
  set token(token: string | null) {
    if (token === null) sessionStorage.removeItem(TOKEN_KEY);
    else sessionStorage.setItem(TOKEN_KEY, token);
  }

  history = (query: HistoryQuery, signal?: AbortSignal) =>
    this.#json<HistoryPage>(paths.history(query), signal);
  metrics = () => this.#json<Metrics>(paths.metrics());
  status = () => this.#json<Status>(paths.status());
  catalogue = () => this.#json<Catalogue>(paths.catalogue());

  /** The bytes of one line as the ledger holds them; `null` if there is no such line to be read. */
  async line(seq: number, signal?: AbortSignal): Promise<string | null> {
    const answer = await this.#fetch(paths.line(seq), "application/x-ndjson", signal);
    const [line = ""] = (await answer.text()).split("\n");
    return line.includes(`"seq":${seq},`) ? line : null;
  }

  async #json<T>(path: string, signal?: AbortSignal): Promise<T> {
    const answer = await this.#fetch(path, "application/json", signal);
    return (await answer.json()) as T;
  }

  async #fetch(path: string, accept: string, signal?: AbortSignal): Promise<Response> {
    const headers: Record<string, string> = { Accept: accept };
    if (this.token !== null) headers.Authorization = `Bearer ${this.token}`;
    const answer = await fetch(path, { headers, cache: "no-store", signal: signal ?? null });
    if (answer.ok) return answer;
    throw await refusal(answer);
  }
}

async function refusal(answer: Response): Promise<ApiError> {
  try {
    const { error } = (await answer.json()) as {
      error: { code: string; message: string; detail?: { at?: number } };
    };
    return new ApiError(answer.status, error.code, error.message, error.detail?.at);
  } catch {
    return new ApiError(answer.status, "unreadable", `the server answered ${answer.status}`, undefined);
  }
}
