/**
 * The feed: newest event on top, a constant handful of rows in the page however many are in memory.
 *
 * At the top it moves with the stream. Scrolled away it stands still, and says how many arrived since.
 */
import { IconArrowUp, IconLoader2 } from "@tabler/icons-react";
import { useCallback, useEffect, useLayoutEffect, useRef } from "react";
import type { Session } from "../../client/session";
import { type EventWindow, isGap, rowSeq, type WindowSnapshot } from "../../client/window";
import { grouped } from "../../events/clock";
import { type RowRange, useFixedRows } from "../../ui/useFixedRows";
import { useSignal } from "../../ui/useSignal";
import classes from "./Feed.module.css";
import { FeedRow, GapRow, rowId } from "./FeedRow";

/** Where to scroll, and a count so that the same place can be asked for twice. */
export interface Target {
  seq: number;
  count: number;
}

interface Props {
  session: Session;
  window: EventWindow;
  isLive: boolean;
  paused: boolean;
  narrow: boolean;
  /** Beside the open details there is less room for each column. */
  tight: boolean;
  /** The row the keyboard stands on. */
  cursor: number | null;
  onOpen: (seq: number) => void;
  target: Target | null;
  /** Shown instead of rows when there are none. */
  empty: React.ReactNode;
}

export const ROW_HEIGHT = { wide: 30, narrow: 56 };
/** Rows left below the last one on screen when older ones are asked for. */
const AHEAD = 60;

export function Feed(props: Props) {
  const { session, window, isLive, paused, narrow, tight, cursor, target } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const snapshot = useSignal(window);
  const count = snapshot.high - snapshot.low;
  const rowHeight = narrow ? ROW_HEIGHT.narrow : ROW_HEIGHT.wide;
  const { range, isAtEnd, scrollToRow } = useFixedRows(scroller, rowHeight, count);
  const fresh = useFresh(window, snapshot);

  useHoldWhenScrolled(session, scroller, isLive, rowHeight);
  useStayInPlace(scroller, snapshot, isLive, rowHeight);

  useEffect(() => {
    if (range.end > count - AHEAD) void session.loadOlder(window);
    if (!isLive && range.first === 0) void session.loadNewer(window);
  }, [session, window, range.end, range.first, count, isLive]);

  useEffect(() => {
    if (target) scrollToRow(window.indexOf(target.seq), "center");
  }, [target, window, scrollToRow]);

  useEffect(() => {
    if (cursor === null) return;
    const index = window.indexOf(cursor);
    const row = window.row(window.get(), index);
    if (row && rowSeq(row) === cursor) scrollToRow(index, "nearest");
  }, [cursor, window, scrollToRow]);

  const toTop = useCallback(() => {
    scroller.current?.scrollTo({ top: 0 });
    scroller.current?.focus();
  }, []);

  return (
    <div className={classes.feed} data-tight={tight || undefined}>
      {isLive && !paused && snapshot.waiting > 0 && (
        <button type="button" className={classes.pill} onClick={toTop}>
          <IconArrowUp size={14} aria-hidden="true" /> {grouped(snapshot.waiting)} new
        </button>
      )}
      <div
        ref={scroller}
        className={classes.scroller}
        role="listbox"
        aria-label="Events, newest first"
        aria-activedescendant={cursor === null ? undefined : rowId(cursor)}
        tabIndex={0}
        data-feed
        data-count={count}
      >
        {count === 0 ? null : (
          <div role="presentation" style={{ height: count * rowHeight }}>
            <div role="presentation" style={{ transform: `translateY(${range.first * rowHeight}px)` }}>
              <Rows {...props} snapshot={snapshot} range={range} fresh={fresh} />
            </div>
          </div>
        )}
      </div>
      {count === 0 && <div className={classes.empty}>{props.empty}</div>}
      {count > 0 && isAtEnd && <End older={snapshot.older} />}
    </div>
  );
}

interface RowsProps extends Props {
  snapshot: WindowSnapshot;
  range: RowRange;
  fresh: (seq: number) => boolean;
}

function Rows({ window, snapshot, range, cursor, onOpen, narrow, fresh }: RowsProps) {
  const rows: React.ReactNode[] = [];
  for (let index = range.first; index < range.end; index++) {
    const row = window.row(snapshot, index);
    if (row === undefined) continue;
    if (isGap(row)) rows.push(<GapRow key={`gap-${row.asked}`} gap={row} narrow={narrow} />);
    else
      rows.push(
        <FeedRow
          key={row.seq}
          event={row}
          selected={row.seq === cursor}
          fresh={fresh(row.seq)}
          narrow={narrow}
          onOpen={onOpen}
        />,
      );
  }
  return rows;
}

function End({ older }: { older: WindowSnapshot["older"] }) {
  const words = {
    more: null,
    loading: (
      <>
        <IconLoader2 size={13} className={classes.spin} aria-hidden="true" /> reading older events
      </>
    ),
    end: "the beginning of the ledger",
    full: (
      <>
        the page holds no more than this; press <kbd>g</kbd> to look further back
      </>
    ),
  }[older];
  return words && <div className={classes.end}>{words}</div>;
}

/** Tells rows that just arrived from rows that were scrolled to. */
function useFresh(window: EventWindow, snapshot: WindowSnapshot): (seq: number) => boolean {
  const settled = useRef({ epoch: -1, seq: 0 });
  if (settled.current.epoch !== snapshot.epoch) {
    settled.current = { epoch: snapshot.epoch, seq: window.newestSeq ?? 0 };
  }
  useEffect(() => {
    const timer = setTimeout(() => {
      settled.current.seq = window.newestSeq ?? 0;
    }, 1200);
    return () => clearTimeout(timer);
  });
  return (seq) => seq > settled.current.seq;
}

/** Away from the top the feed holds still; back there it moves again. */
function useHoldWhenScrolled(
  session: Session,
  scroller: React.RefObject<HTMLDivElement | null>,
  isLive: boolean,
  rowHeight: number,
) {
  useEffect(() => {
    const element = scroller.current;
    if (!element || !isLive) return;
    const onScroll = () => {
      if (element.scrollTop > rowHeight / 2) session.hold("scrolled");
      else session.release("scrolled");
    };
    onScroll();
    element.addEventListener("scroll", onScroll, { passive: true });
    return () => element.removeEventListener("scroll", onScroll);
  }, [session, scroller, isLive, rowHeight]);
}

/** Keeps what is on screen where it is when rows come in above it; a feed that was replaced begins at its top. */
function useStayInPlace(
  scroller: React.RefObject<HTMLDivElement | null>,
  snapshot: WindowSnapshot,
  isLive: boolean,
  rowHeight: number,
) {
  const before = useRef(snapshot);
  useLayoutEffect(() => {
    const { epoch, high } = before.current;
    before.current = snapshot;
    const element = scroller.current;
    if (!element) return;
    if (epoch !== snapshot.epoch) element.scrollTop = 0;
    else if (!isLive && snapshot.high > high) element.scrollTop += (snapshot.high - high) * rowHeight;
  }, [scroller, snapshot, isLive, rowHeight]);
}
