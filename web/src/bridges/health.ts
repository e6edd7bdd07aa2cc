/** How a bridge is, in words and moods. Sources, sinks and routes are told alike. */
import type { Bridge } from "../client/wire";
import { duration, grouped } from "../events/clock";

/** `off`: it ended and nobody has to mind. */
export type Mood = "good" | "busy" | "bad" | "off";

export function moodOf(bridge: Bridge): Mood {
  switch (bridge.state) {
    case "connected":
      return "good";
    case "connecting":
      return isAnotherTry(bridge) ? "bad" : "busy";
    case "waiting":
    case "paused":
      return "bad";
    case "stopped":
      return endedByFault(bridge) ? "bad" : "off";
  }
}

/** Longer than a bridge ever rests between two tries. */
const TRIES_APART_MS = 120_000;

/** Looking for the other side right after a fault: the outage is not over. */
const isAnotherTry = ({ last_error, since }: Bridge): boolean =>
  last_error !== null && Date.parse(since) - Date.parse(last_error.time) < TRIES_APART_MS;

/** A fault that ends a bridge is noted in the moment it ends. */
const endedByFault = ({ last_error, since }: Bridge): boolean =>
  last_error !== null && Date.parse(last_error.time) >= Date.parse(since);

/** Those that somebody should look at. */
export const unwell = (bridges: readonly Bridge[]): Bridge[] =>
  bridges.filter((bridge) => moodOf(bridge) === "bad");

/** `next try in 4 s`, `trying now`; empty where none is planned. */
export function nextTry(bridge: Bridge, now: number): string {
  if (bridge.next_try === null) return "";
  const seconds = Math.ceil((Date.parse(bridge.next_try) - now) / 1000);
  return seconds > 0 ? `next try in ${seconds} s` : "trying now";
}

/** How far it is behind, in events; `null` where nobody knows. */
export const lagEvents = ({ lag_events }: Bridge): string | null =>
  lag_events === null ? null : grouped(lag_events);

/** How long the oldest event that waits has done so; `null` where nothing waits or nobody knows. */
export const lagTime = ({ lag_s }: Bridge): string | null => (lag_s ? duration(lag_s * 1000) : null);
