/** The keyboard of the page. {@link SHORTCUTS} is what people are told; the hook is what happens. */
import { useEffect } from "react";

export const SHORTCUTS: [keys: string[], what: string][] = [
  [["1", "2", "3", "4"], "events, agents, bridges, routes"],
  [["/"], "filter, find"],
  [["Space"], "pause and carry on"],
  [["g"], "go to a seq or time"],
  [["n"], "back to now"],
  [["j", "↓"], "older event"],
  [["k", "↑"], "newer event"],
  [["Page ↓", "Page ↑"], "ten events on"],
  [["Enter"], "open the event"],
  [["Esc"], "close the event"],
  [["c", "p", "f"], "in the payload: copy value, copy path, filter by it"],
  [["?"], "these keys"],
];

/** What keys do, by the name of the key. */
export type Keys = [key: string, act: () => void][];

interface Options {
  /** Off while a dialog has the keyboard. */
  enabled: boolean;
  /** Wherever the focus is, but for what takes text. */
  everywhere: Keys;
  /** Where the focus is on nothing that gives these keys a meaning of its own, such as a button or a tree. */
  idle?: Keys;
}

export function useShortcuts({ enabled, everywhere, idle = [] }: Options): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!enabled || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
      const act = actionOf(event, everywhere, idle);
      if (!act) return;
      event.preventDefault();
      act();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  });
}

function actionOf(event: KeyboardEvent, everywhere: Keys, idle: Keys): (() => void) | undefined {
  const target = event.target as HTMLElement;
  if (target.closest("input, textarea, select, [contenteditable]")) return undefined;
  const atRest = target === document.body || target.closest("[data-feed]") !== null;
  const keys = new Map(atRest ? [...idle, ...everywhere] : everywhere);
  return keys.get(event.key);
}
