/** Writes parts of the filter language: a click on a value becomes words in the filter box. */
import type { Json } from "../client/wire";

/** A term that selects this value of this key (`agent`, `data.tool`, …); `null` where no term can. */
export function term(key: string, value: Json): string | null {
  if (typeof value === "object" && value !== null) return null;
  return `${key}:${typeof value === "string" ? quoted(value) : value}`;
}

/** The path of a value in the payload, as a key: `data.tool_input.command`. */
export const pathKey = (path: readonly string[]): string =>
  path.map((step) => (/^[\p{L}\p{N}_/@#$+%~-]+$/u.test(step) ? step : inQuotes(step))).join(".");

/** Adds a term once; a term that is there negated is turned round, and the other way about. */
export function withTerm(filter: string, wanted: string): string {
  const opposite = wanted.startsWith("-") ? wanted.slice(1) : `-${wanted}`;
  const terms = splitTerms(filter);
  if (terms.includes(wanted)) return filter;
  // Inside an alternative a term would only bind to one side of it.
  const rest = terms.some((t) => t === "OR") ? [`(${terms.join(" ")})`] : terms.filter((t) => t !== opposite);
  return [...rest, wanted].join(" ");
}

/** Splits at spaces outside quotes and parentheses. */
export function splitTerms(filter: string): string[] {
  const terms: string[] = [];
  let depth = 0;
  let inQuotes = false;
  let current = "";
  for (let i = 0; i < filter.length; i++) {
    const c = filter[i] as string;
    if (c === "\\" && inQuotes) {
      current += c + (filter[++i] ?? "");
      continue;
    }
    if (c === '"') inQuotes = !inQuotes;
    if (!inQuotes) depth += c === "(" ? 1 : c === ")" ? -1 : 0;
    if (/\s/.test(c) && !inQuotes && depth <= 0) {
      if (current) terms.push(current);
      current = "";
    } else current += c;
  }
  if (current) terms.push(current);
  return terms;
}

const PLAIN = /^[\p{L}\p{N}._:/@+#%~$&;-]+$/u;

/** A value as the language takes it: bare where nothing in it has a meaning of its own. */
const quoted = (value: string): string => (PLAIN.test(value) ? value : inQuotes(value));

const inQuotes = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`;
