/**
 * Which rows of a long list are on screen, when every row is equally high.
 *
 * Equal heights make this arithmetic: the cost of a change is the same for ten rows and for a million, where a
 * virtualiser that measures would look at every row again whenever one arrives.
 */
import { type RefObject, useCallback, useLayoutEffect, useState } from "react";

const OVERSCAN = 8;

export interface RowRange {
  first: number;
  /** Exclusive. */
  end: number;
}

export function rangeAt(scrollTop: number, viewport: number, rowHeight: number, count: number): RowRange {
  const first = Math.max(0, Math.floor(scrollTop / rowHeight) - OVERSCAN);
  const end = Math.min(count, Math.ceil((scrollTop + viewport) / rowHeight) + OVERSCAN);
  return { first: Math.min(first, Math.max(0, count - 1)), end: Math.max(0, end) };
}

export function useFixedRows(scroller: RefObject<HTMLElement | null>, rowHeight: number, count: number) {
  const [place, setPlace] = useState({ top: 0, viewport: 800 });

  const measure = useCallback(() => {
    const element = scroller.current;
    if (!element) return;
    // Whole rows: scrolling within one changes nothing that is rendered.
    const top = Math.floor(element.scrollTop / rowHeight) * rowHeight;
    const viewport = element.clientHeight + rowHeight;
    setPlace((before) => (before.top === top && before.viewport === viewport ? before : { top, viewport }));
  }, [scroller, rowHeight]);

  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    element.addEventListener("scroll", measure, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", measure);
    };
  }, [scroller, measure]);

  const scrollToRow = useCallback(
    (index: number, where: "nearest" | "center") => {
      const element = scroller.current;
      if (!element) return;
      const top = index * rowHeight;
      const height = element.clientHeight;
      if (where === "center") element.scrollTop = top - Math.round((height / rowHeight - 1) / 2) * rowHeight;
      else if (top < element.scrollTop) element.scrollTop = top;
      else if (top + rowHeight > element.scrollTop + height) element.scrollTop = top + rowHeight - height;
      measure();
    },
    [scroller, rowHeight, measure],
  );

  const range = rangeAt(place.top, place.viewport, rowHeight, count);
  return { range, isAtEnd: place.top + place.viewport > count * rowHeight, scrollToRow };
}
