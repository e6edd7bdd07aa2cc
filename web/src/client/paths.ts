/** Every path of the server that the page asks for. */

export interface HistoryQuery {
  filter: string;
  channels: string[];
  order: "newest" | "oldest";
  limit: number;
  /** Inclusive: a seq, a time, or `-5m`. */
  from?: string | number;
  /** Exclusive. */
  to?: string | number;
}

export const paths = {
  metrics: () => "/api/v1/metrics",
  status: () => "/api/v1/status",
  catalogue: () => "/api/v1/catalogue",
  agents: (at: string | null) => `/api/v1/agents${at === null ? "" : `?at=${encodeURIComponent(at)}`}`,
  bridges: () => "/api/v1/bridges",
  routes: () => "/api/v1/routes",
  route: (name: string) => `/api/v1/routes/${encodeURIComponent(name)}`,
  tryRoute: () => "/api/v1/routes/try",
  line: (seq: number) => `/api/v1/events?from=${seq}&to=${seq + 1}&limit=1`,
  history(query: HistoryQuery): string {
    const search = new URLSearchParams({ order: query.order, limit: String(query.limit) });
    if (query.filter) search.set("filter", query.filter);
    for (const channel of query.channels) search.append("channels", channel);
    if (query.from !== undefined) search.set("from", String(query.from));
    if (query.to !== undefined) search.set("to", String(query.to));
    return `/api/v1/events?${search}`;
  },
  socket: (origin: string) => `${origin.replace(/^http/, "ws")}/api/v1/ws`,
};
