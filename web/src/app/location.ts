/**
 * What the user looks at is in the address: the view, filter, channels, pause, place in the past, and the event open.
 *
 * Reading and writing are pure; {@link useLook} binds them to the browser's history. A new view, filter or place is
 * a new entry there, a moved selection is not.
 */
import { useCallback, useSyncExternalStore } from "react";
import { AGENT_STATES, type AgentState } from "../client/wire";
import { dayOf, grouped, timeOfDay } from "../events/clock";

/** Whether there is a page at a path; everywhere else the server answers 404, and the page says so. */
export const isPage = (path: string): boolean => path === "/" || path === "/index.html";

export const VIEWS = ["events", "agents", "bridges", "routes"] as const;
export type View = (typeof VIEWS)[number];

export interface Look {
  view: View;
  filter: string;
  channels: string[];
  paused: boolean;
  /** Seq or time in the past to stand at; `null` is now. */
  at: string | null;
  /** Seq of the event whose details are open. */
  seq: number | null;
  /** Words to find agents by, and the one state they shall be in; `null` is any. */
  find: string;
  state: AgentState | null;
  /** The route whose editor is open: its name, empty for a new one. */
  route: string | null;
}

export function readLook(search: string): Look {
  const params = new URLSearchParams(search);
  const seq = Number(params.get("seq"));
  const view = VIEWS.find((name) => name === params.get("view")) ?? "events";
  return {
    view,
    filter: params.get("filter") ?? "",
    channels: params.getAll("channel").filter((channel) => channel !== ""),
    paused: params.get("paused") === "1",
    at: params.get("at") || null,
    seq: Number.isSafeInteger(seq) && seq > 0 ? seq : null,
    find: params.get("find") ?? "",
    state: AGENT_STATES.find((name) => name === params.get("state")) ?? null,
    route: params.get("route"),
  };
}

export function writeLook(look: Look): string {
  const params = new URLSearchParams();
  if (look.view !== "events") params.set("view", look.view);
  if (look.filter) params.set("filter", look.filter);
  for (const channel of look.channels) params.append("channel", channel);
  if (look.at !== null) params.set("at", look.at);
  if (look.paused) params.set("paused", "1");
  if (look.seq !== null) params.set("seq", String(look.seq));
  if (look.find) params.set("find", look.find);
  if (look.state !== null) params.set("state", look.state);
  if (look.route !== null) params.set("route", look.route);
  const search = params.toString();
  return search ? `?${search}` : "";
}

/** Changes of these are steps that the back button takes back. */
const NEW_PLACE = ["view", "filter", "at"] as const;

/** A place in the past as people read it. */
export const placeName = (at: string): string =>
  /^\d+$/.test(at) ? `#${grouped(Number(at))}` : `${dayOf(at)} ${timeOfDay(at).slice(0, 8)}`;

const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener("popstate", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("popstate", listener);
  };
}

let lastSearch: string | null = null;
let lastLook: Look = readLook("");

/** The same object for the same address, as `useSyncExternalStore` asks. */
function currentLook(): Look {
  if (location.search !== lastSearch) {
    lastSearch = location.search;
    lastLook = readLook(lastSearch);
  }
  return lastLook;
}

export function useLook(): [Look, (change: Partial<Look>) => void] {
  const look = useSyncExternalStore(subscribe, currentLook);
  const change = useCallback((part: Partial<Look>) => {
    const before = currentLook();
    const after = { ...before, ...part };
    const search = writeLook(after);
    if (search === writeLook(before)) return;
    const moved = NEW_PLACE.some((key) => after[key] !== before[key]);
    const url = `${location.pathname}${search}`;
    if (moved) history.pushState(null, "", url);
    else history.replaceState(null, "", url);
    for (const listener of listeners) listener();
  }, []);
  return [look, change];
}
