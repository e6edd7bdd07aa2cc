/**
 * The feed with its pulse, its filter and the event that is open.
 *
 * Features do not know each other; whatever one of them asks of another goes through here.
 */
import { Drawer, useComputedColorScheme } from "@mantine/core";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { isGap, rowSeq } from "../client/window";
import { withTerm } from "../events/filters";
import { DetailPanel } from "../features/detail/DetailPanel";
import { Feed, type Target } from "../features/feed/Feed";
import { PulseChart } from "../features/pulse/PulseChart";
import { usePart, useSignal } from "../ui/useSignal";
import type { Desk } from "./desk";
import classes from "./EventsView.module.css";
import { emptyWords } from "./emptyWords";
import { JumpDialog } from "./JumpDialog";
import type { Look } from "./location";
import { useShortcuts } from "./shortcuts";
import { Toolbar } from "./Toolbar";

export interface ViewProps {
  desk: Desk;
  look: Look;
  change: (change: Partial<Look>) => void;
  narrow: boolean;
  /** The dialog that has the keyboard; `null` is none. */
  dialog: Dialog;
  setDialog: (dialog: Dialog) => void;
}

export type Dialog = "jump" | "shortcuts" | null;

export function EventsView({ desk, look, change, narrow, dialog, setDialog }: ViewProps) {
  const { api, session, pulse } = desk;
  const scheme = useComputedColorScheme("light");
  const feed = useSignal(session.state);
  const connected = usePart(session.stream, (stream) => stream.ledger !== null);
  const isEmptyLedger = usePart(session.stream, ({ head }) => head === 0);
  const [cursor, setCursor] = useState<number | null>(look.seq);
  const [target, setTarget] = useState<Target | null>(null);
  const filterInput = useRef<HTMLInputElement>(null);

  const isLive = look.at === null;
  const window = isLive ? session.live : session.past;
  const goTo = useCallback((seq: number) => {
    setCursor(seq);
    setTarget((before) => ({ seq, count: (before?.count ?? 0) + 1 }));
  }, []);

  useEffect(() => {
    session.look({ filter: look.filter, channels: look.channels });
  }, [session, look.filter, look.channels]);

  useEffect(() => {
    if (look.paused) session.hold("paused");
    else session.release("paused");
  }, [session, look.paused]);

  useEffect(() => {
    if (look.at === null) return session.returnToLive();
    void session.travel(look.at).then((seq) => seq !== null && goTo(seq));
  }, [session, look.at, goTo]);

  // A link to an event leads to its place in the feed as well, if that is on the first page.
  const linked = useRef(look.seq);
  useEffect(() => {
    const seq = linked.current;
    if (feed.loading || seq === null) return;
    linked.current = null;
    if (session.live.find(seq)) goTo(seq);
  }, [session, feed.loading, goTo]);

  const open = useCallback(
    (seq: number) => {
      setCursor(seq);
      change({ seq });
    },
    [change],
  );
  const close = useCallback(() => {
    change({ seq: null });
    focusFeed();
  }, [change]);
  const move = useCallback(
    (by: number) => {
      const rows = window.get();
      const count = rows.high - rows.low;
      let index = cursor === null ? (by > 0 ? -1 : 0) : window.indexOf(cursor);
      // Gaps are read in passing; the keyboard stands on events.
      for (index += by; index >= 0 && index < count; index += by > 0 ? 1 : -1) {
        const row = window.row(rows, index);
        if (row === undefined || isGap(row)) continue;
        setCursor(rowSeq(row));
        if (look.seq !== null) change({ seq: rowSeq(row) });
        return;
      }
    },
    [window, cursor, look.seq, change],
  );
  const jump = useCallback(
    (at: string) => {
      const seq = /^\d+$/.test(at) ? Number(at) : null;
      if (seq !== null && isLive && window.find(seq)) {
        goTo(seq);
        change({ seq });
      } else change({ at, seq });
      focusFeed();
    },
    [window, isLive, change, goTo],
  );
  const addTerm = useCallback(
    (term: string) => change({ filter: withTerm(look.filter, term) }),
    [look.filter, change],
  );
  const toNow = useCallback(() => {
    change({ at: null });
    document.querySelector("[data-feed]")?.scrollTo({ top: 0 });
  }, [change]);

  useShortcuts({
    enabled: dialog === null,
    everywhere: [
      ["/", () => filterInput.current?.select()],
      ["g", () => setDialog("jump")],
      ["n", toNow],
      ["j", () => move(1)],
      ["k", () => move(-1)],
      ["Escape", () => look.seq !== null && close()],
    ],
    idle: [
      [" ", () => change({ paused: !look.paused })],
      ["Enter", () => cursor !== null && open(cursor)],
      ["ArrowDown", () => move(1)],
      ["ArrowUp", () => move(-1)],
      ["PageDown", () => move(10)],
      ["PageUp", () => move(-10)],
    ],
  });

  const empty = emptyWords({
    feed,
    isLive,
    connected,
    isEmptyLedger,
    onClear: () => change({ filter: "", channels: [] }),
    onReturn: toNow,
  });
  const detail = useMemo(
    () =>
      look.seq !== null && (
        <DetailPanel
          api={api}
          seq={look.seq}
          known={window.find(look.seq)}
          onTerm={addTerm}
          onStep={move}
          onOpen={open}
          onClose={close}
        />
      ),
    [api, look.seq, window, addTerm, move, open, close],
  );

  return (
    <>
      <PulseChart
        key={scheme}
        pulse={pulse}
        onTravel={(at) => change({ at })}
        onLevel={(level) => addTerm(`level:${level}`)}
      />
      <Toolbar
        desk={desk}
        look={look}
        onChange={change}
        onJump={() => setDialog("jump")}
        onNow={toNow}
        inputRef={filterInput}
      />
      <main className={classes.main}>
        <div className={classes.feed}>
          <Feed
            session={session}
            window={window}
            isLive={isLive}
            paused={look.paused}
            narrow={narrow}
            tight={look.seq !== null}
            cursor={cursor}
            onOpen={open}
            target={target}
            empty={empty}
          />
        </div>
        {detail && !narrow && (
          <aside className={classes.detail} aria-label="Event">
            {detail}
          </aside>
        )}
      </main>
      {narrow && (
        <Drawer.Root opened={look.seq !== null} onClose={close} position="bottom" size="100%" padding={0}>
          <Drawer.Content aria-label="Event">
            <Drawer.Body className={classes.drawer}>{detail}</Drawer.Body>
          </Drawer.Content>
        </Drawer.Root>
      )}
      <JumpDialog opened={dialog === "jump"} onClose={() => setDialog(null)} onJump={jump} />
    </>
  );
}

/** After a dialog or panel the keys belong to the feed again. */
function focusFeed(): void {
  document.querySelector<HTMLElement>("[data-feed]")?.focus();
}
