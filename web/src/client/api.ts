/** Asks the server over HTTP. A refusal keeps the server's own words and code. */
import { parseExact } from "./exact";
import { type HistoryQuery, paths } from "./paths";
import type {
  AgentsAnswer,
  Bridge,
  Catalogue,
  HistoryPage,
  Metrics,
  Route,
  Status,
  TriedRoute,
} from "./wire";

/** The server answered, but not with what was asked for. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly detail: RefusalDetail = {},
  ) {
    super(message);
  }

  /** Whether the same question may have another answer soon: no connection, a server that is busy or in trouble. */
  get passes(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** What a refusal is about, where its code has such a thing. */
export interface RefusalDetail {
  /** Character of a filter at fault, from 0. */
  at?: number;
  /** Oldest seq that the past can be asked for. */
  known_from?: number;
  /** The part of a route that is wrong, such as `emit.data`. */
  key?: string;
}

/** Any failure of a question as a refusal; one that nobody answered has the status 0 and the code `away`. */
export const asRefusal = (error: unknown): ApiError =>
  error instanceof ApiError ? error : new ApiError(0, "away", "the server does not answer");

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
  bridges = async (signal?: AbortSignal) =>
    (await this.#json<{ bridges: Bridge[] }>(paths.bridges(), signal)).bridges;
  /** How agents are, or were at a seq or time. */
  agents = (at: string | null, signal?: AbortSignal) => this.#json<AgentsAnswer>(paths.agents(at), signal);
  /** Routes are read and written as text, so that no number of a template changes on the way. */
  routes = async (signal?: AbortSignal) =>
    (await this.#exact<{ routes: Route[] }>(paths.routes(), { signal })).routes;
  tryRoute = (body: string) => this.#exact<TriedRoute>(paths.tryRoute(), { method: "POST", body });
  putRoute = (name: string, body: string) => this.#exact<Route>(paths.route(name), { method: "PUT", body });
  removeRoute = (name: string) => this.#exact<unknown>(paths.route(name), { method: "DELETE" });
  catalogue = () => this.#json<Catalogue>(paths.catalogue());

  /** The bytes of one line as the ledger holds them; `null` if there is no such line to be read. */
  async line(seq: number, signal?: AbortSignal): Promise<string | null> {
    const answer = await this.#fetch(paths.line(seq), { accept: "application/x-ndjson", signal });
    const [line = ""] = (await answer.text()).split("\n");
    return line.includes(`"seq":${seq},`) ? line : null;
  }

  async #json<T>(path: string, signal?: AbortSignal): Promise<T> {
    const answer = await this.#fetch(path, { signal });
    return (await answer.json()) as T;
  }

  async #exact<T>(path: string, request: Request): Promise<T> {
    const answer = await this.#fetch(path, request);
    return parseExact(await answer.text()) as T;
  }

  async #fetch(path: string, request: Request): Promise<Response> {
    const { method = "GET", accept = "application/json", body, signal } = request;
    const headers: Record<string, string> = { Accept: accept };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (this.token !== null) headers.Authorization = `Bearer ${this.token}`;
    const answer = await fetch(path, {
      method,
      headers,
      body: body ?? null,
      cache: "no-store",
      signal: signal ?? null,
    });
    if (answer.ok) return answer;
    throw await refusal(answer);
  }
}

interface Request {
  method?: "GET" | "POST" | "PUT" | "DELETE";
  accept?: string;
  body?: string;
  signal?: AbortSignal | undefined;
}

async function refusal(answer: Response): Promise<ApiError> {
  try {
    const { error } = (await answer.json()) as {
      error: { code: string; message: string; detail?: RefusalDetail };
    };
    return new ApiError(answer.status, error.code, error.message, error.detail);
  } catch {
    return new ApiError(answer.status, "unreadable", `the server answered ${answer.status}`);
  }
}
