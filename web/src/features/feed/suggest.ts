/** What could come next in the filter box: completions of the word the caret stands in. */

/** Names seen in this ledger, most frequent first. */
export interface Known {
  types: string[];
  sources: string[];
}

export interface Suggestion {
  /** The whole filter after taking it. */
  filter: string;
  /** What is shown. */
  label: string;
  about: string;
}

const KEYS: [string, string][] = [
  ["type:", "kind of event; a star stands for anything: type:file.*"],
  ["level:", "debug, info, warn, error, critical; level:>=warn"],
  ["source:", "the program that reported it"],
  ["agent:", "the agent it is about"],
  ["session:", "one run of an agent or command"],
  ["task:", "one task"],
  ["trace:", "one trace"],
  ["user:", "on whose behalf"],
  ["data.", "a field of the payload: data.exit_code:>0"],
];

const LEVEL_TERMS: [string, string][] = [
  [">=warn", "warn and worse"],
  [">=error", "error and critical"],
  ["info", "only info"],
  ["debug", "only debug"],
];

/** Whole filters to start from. */
export const EXAMPLES: [string, string][] = [
  ["level:>=warn", "what needs a look"],
  ["type:file.*", "files created, modified, removed, renamed"],
  ["type:git.*", "commits, branches, checkouts"],
  ["type:process.*", "commands run with kymo run"],
  ["-type:*.heartbeat", "everything but heartbeats"],
  ['"exact words"', "anywhere in the payload"],
];

const SHOWN_MAX = 8;

export function suggest(filter: string, caret: number, known: Known): Suggestion[] {
  if (filter.trim() === "") return EXAMPLES.map(([label, about]) => ({ filter: label, label, about }));
  const start = wordStart(filter, caret);
  const word = filter.slice(start, caret);
  const sign = word.startsWith("-") ? "-" : "";
  const typed = word.slice(sign.length);
  if (typed === "" || /["\\]/.test(typed)) return [];
  return completions(typed, known)
    .filter(([text]) => text !== typed)
    .slice(0, SHOWN_MAX)
    .map(([text, about]) => ({
      filter: filter.slice(0, start) + sign + text + filter.slice(caret),
      label: sign + text,
      about,
    }));
}

function completions(typed: string, known: Known): [string, string][] {
  const colon = typed.indexOf(":");
  if (colon === -1) return KEYS.filter(([key]) => key.startsWith(typed));
  const key = typed.slice(0, colon);
  const value = typed.slice(colon + 1).toLowerCase();
  const matching = (names: string[]): [string, string][] =>
    names
      .filter((name) => name.toLowerCase().includes(value))
      .map((name) => [`${key}:${safe(name)}`, "seen here"]);
  switch (key) {
    case "level":
      return LEVEL_TERMS.filter(([term]) => term.startsWith(value)).map(([t, about]) => [
        `level:${t}`,
        about,
      ]);
    case "type":
      return matching(known.types);
    case "source":
      return matching(known.sources);
    default:
      return [];
  }
}

const safe = (name: string): string => (/[\s"()\\*]/.test(name) ? JSON.stringify(name) : name);

/** Where the word begins that ends at the caret. */
function wordStart(filter: string, caret: number): number {
  let start = caret;
  while (start > 0 && !/[\s(]/.test(filter[start - 1] as string)) start--;
  return start;
}
