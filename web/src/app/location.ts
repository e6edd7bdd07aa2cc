/**
 * What the user looks at is in the address: filter, channels, pause, place in the past, and the event open.
 *
 * Reading and writing are pure; {@link useLook} binds them to the browser's history. A new filter or place is a
 * new entry there, a moved selection is not.
 */
import { useCallback, useSyncExternalStore } from "react";

/** Whether there is a page at a path; everywhere else the server answers 404, and the page says so. */
export const isPage = (path: string): boolean => path === "/" || path === "/index.html";

export interface Look {
  filter: string;
  channels: string[];
  paused: boolean;
  /** Seq or time in the past to stand at; `null` is now. */
  at: string | null;
  /** Seq of the event whose details are open. */
  seq: number | null;
}

export function readLook(search: string): Look {
  const params = new URLSearchParams(search);
  const seq = Number(params.get("seq"));
  return {
    filter: params.get("filter") ?? "",
    channels: params.getAll("channel").filter((channel) => channel !== ""),
    paused: params.get("paused") === "1",
    at: params.get("at") || null,
    seq: Number.isSafeInteger(seq) && seq > 0 ? seq : null,
  };
}

export function writeLook(look: Look): string {
  const params = new URLSearchParams();
  if (look.filter) params.set("filter", look.filter);
  for (const channel of look.channels) params.append("channel", channel);
  if (look.at !== null) params.set("at", look.at);
  if (look.paused) params.set("paused", "1");
  if (look.seq !== null) params.set("seq", String(look.seq));
  const search = params.toString();
  return search ? `?${search}` : "";
}

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
    const moved = after.filter !== before.filter || after.at !== before.at;
    const url = `${location.pathname}${search}`;
    if (moved) history.pushState(null, "", url);
    else history.replaceState(null, "", url);
    for (const listener of listeners) listener();
  }, []);
  return [look, change];
}
