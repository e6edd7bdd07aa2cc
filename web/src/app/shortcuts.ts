/** The keyboard of the page. {@link SHORTCUTS} is what people are told; the hook is what happens. */
import { useEffect } from "react";

export const SHORTCUTS: [keys: string[], what: string][] = [
  [["/"], "filter"],
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

export interface Actions {
  /** Off while a dialog has the keyboard. */
  enabled: boolean;
  filter: () => void;
  pause: () => void;
  jump: () => void;
  help: () => void;
  move: (by: number) => void;
  open: () => void;
  close: () => void;
  now: () => void;
}

export function useShortcuts(actions: Actions): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!actions.enabled || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey)
        return;
      const act = actionOf(event, actions);
      if (!act) return;
      event.preventDefault();
      act();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  });
}

function actionOf(event: KeyboardEvent, actions: Actions): (() => void) | undefined {
  const target = event.target as HTMLElement;
  if (target.closest("input, textarea, select, [contenteditable]")) return undefined;
  const everywhere = new Map([
    ["/", actions.filter],
    ["g", actions.jump],
    ["n", actions.now],
    ["j", () => actions.move(1)],
    ["k", () => actions.move(-1)],
    ["?", actions.help],
    ["Escape", actions.close],
  ]);
  // These keys mean something of their own on a button or in a tree.
  const onFeed = new Map([
    [" ", actions.pause],
    ["Enter", actions.open],
    ["ArrowDown", () => actions.move(1)],
    ["ArrowUp", () => actions.move(-1)],
    ["PageDown", () => actions.move(10)],
    ["PageUp", () => actions.move(-10)],
  ]);
  const atFeed = target === document.body || target.closest("[data-feed]") !== null;
  return everywhere.get(event.key) ?? (atFeed ? onFeed.get(event.key) : undefined);
}
