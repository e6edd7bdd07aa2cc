/** The control room: what the address says is looked at, with what is always in sight around it. */
import { useMediaQuery } from "@mantine/hooks";
import { useEffect, useState } from "react";
import { DemoBanner, GapBanner, LedgerBanner, WatchBanner } from "../features/connection/Banners";
import { LoginForm } from "../features/connection/LoginForm";
import { usePart, useSignal } from "../ui/useSignal";
import { AgentsView } from "./AgentsView";
import classes from "./App.module.css";
import { BridgesView } from "./BridgesView";
import type { Desk } from "./desk";
import { type Dialog, EventsView, type ViewProps } from "./EventsView";
import { Header } from "./Header";
import { useLook, VIEWS, type View } from "./location";
import { Nav, VIEW_NAMES } from "./Nav";
import { RoutesView } from "./RoutesView";
import { ShortcutsDialog } from "./ShortcutsDialog";
import { type Keys, useShortcuts } from "./shortcuts";

export const NARROW = "(max-width: 800px)";

const PAGES: Record<View, React.ComponentType<ViewProps>> = {
  events: EventsView,
  agents: AgentsView,
  bridges: BridgesView,
  routes: RoutesView,
};

export function App({ desk }: { desk: Desk }) {
  const { api, session, vitals } = desk;
  const [look, change] = useLook();
  const narrow = useMediaQuery(NARROW, matchMedia(NARROW).matches);
  const feed = useSignal(session.state);
  const ledger = usePart(session.stream, (stream) => stream.ledger);
  const refused = usePart(session.stream, ({ phase }) => phase.is === "refused");
  const { metrics, status } = useSignal(vitals);
  const [dialog, setDialog] = useState<Dialog>(null);

  useEffect(() => {
    const name = look.view === "events" ? look.filter : VIEW_NAMES[look.view];
    document.title = name ? `${name} · Kymo` : "Kymo";
  }, [look.view, look.filter]);

  useShortcuts({
    enabled: dialog === null,
    everywhere: [
      ...VIEWS.map((view, index): Keys[number] => [String(index + 1), () => change({ view, route: null })]),
      ["?", () => setDialog("shortcuts")],
    ],
  });

  if (refused) {
    return (
      <LoginForm
        rejected={api.token !== null}
        onToken={(token) => {
          session.enter(token);
          vitals.start();
        }}
      />
    );
  }
  const Page = PAGES[look.view];
  const nav = <Nav desk={desk} look={look} change={change} />;
  return (
    <div className={classes.page}>
      <Header desk={desk} nav={narrow ? null : nav} onHelp={() => setDialog("shortcuts")} />
      {status?.watch && <WatchBanner watch={status.watch} />}
      {feed.gap && <GapBanner gap={feed.gap} onDismiss={() => session.dismissNotices()} />}
      {feed.ledgerBefore && ledger && (
        <LedgerBanner was={feed.ledgerBefore} is={ledger} onDismiss={() => session.dismissNotices()} />
      )}
      {metrics?.by_source.some(([source]) => source === "demo") && <DemoBanner />}
      <Page {...{ desk, look, change, narrow, dialog, setDialog }} />
      {narrow && nav}
      <ShortcutsDialog opened={dialog === "shortcuts"} onClose={() => setDialog(null)} />
    </div>
  );
}
