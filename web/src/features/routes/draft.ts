/** A route as it is being written: texts that may still be wrong, and what is sent of them. */
import type { Derived, Route } from "../../client/wire";
import { toJson } from "../../ui/tree";

/** Keys of the envelope that a route may set, besides the type. */
export const ENVELOPE = ["source", "level", "agent", "session", "task", "user", "tier"] as const;
export type EnvelopeKey = (typeof ENVELOPE)[number];

export interface Draft extends Record<EnvelopeKey, string> {
  name: string;
  when: string;
  type: string;
  /** JSON text; empty is none. */
  data: string;
  backfill: boolean;
  enabled: boolean;
}

/** What is wrong with one part, named as the server names it: `when`, `emit.data`. */
export interface Fault {
  key: string;
  message: string;
}

const NEW: Draft = {
  name: "",
  when: "",
  type: "",
  source: "",
  level: "",
  agent: "",
  session: "",
  task: "",
  user: "",
  tier: "",
  data: "",
  backfill: false,
  enabled: true,
};

/** The texts of a route; of none, those of a new one. */
export function draftOf(route: Route | null): Draft {
  if (route === null) return NEW;
  const { name, when, emit, backfill, enabled } = route;
  const envelope = Object.fromEntries(ENVELOPE.map((key) => [key, emit[key] ?? ""]));
  const data = emit.data === undefined ? "" : toJson(emit.data, 2);
  return { ...NEW, ...envelope, name, when, type: emit.type, data, backfill, enabled };
}

/** What is sent; or what is wrong already here. The payload goes as it was typed, digit by digit. */
export function bodyOf(draft: Draft): string | Fault {
  const emit: Derived = { type: draft.type };
  for (const key of ENVELOPE) if (draft[key] !== "") emit[key] = draft[key];
  const data = draft.data.trim();
  if (data !== "") {
    try {
      JSON.parse(data);
    } catch (error) {
      return {
        key: "emit.data",
        message: `this is no JSON: ${error instanceof Error ? error.message : error}`,
      };
    }
  }
  const template =
    data === "" ? JSON.stringify(emit) : `${JSON.stringify(emit).slice(0, -1)},"data":${data}}`;
  const { when, backfill, enabled } = draft;
  return `{"when":${JSON.stringify(when)},"emit":${template},"backfill":${backfill},"enabled":${enabled}}`;
}

/** What is wrong with a name before anybody else is asked. */
export function nameFault(name: string, taken: readonly string[]): Fault | null {
  if (name === "") return { key: "name", message: "a route has a name" };
  if (taken.includes(name))
    return { key: "name", message: "there is a route of this name; change that one, or choose another" };
  return null;
}

/** The message without the part that the place where it is shown says already. */
export const messageAt = ({ key, message }: Fault): string =>
  message.startsWith(`${key}: `) ? message.slice(key.length + 2) : message;
