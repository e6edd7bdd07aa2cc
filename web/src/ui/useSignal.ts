/** Lets a component follow a signal, or only a part of it. */
import { useSyncExternalStore } from "react";
import type { Signal } from "../client/signal";

export function useSignal<T>(signal: Signal<T>): T {
  return useSyncExternalStore(signal.subscribe, signal.get);
}

/** Renders again only when the part changes; the part has to be the same value while nothing in it changed. */
export function usePart<T, P>(signal: Signal<T>, part: (value: T) => P): P {
  return useSyncExternalStore(signal.subscribe, () => part(signal.get()));
}
