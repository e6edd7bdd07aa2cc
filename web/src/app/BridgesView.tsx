/** Bridges, asked for more often while somebody looks at them. */
import { useEffect, useMemo } from "react";
import { BridgesPage } from "../features/bridges/BridgesPage";
import { useSignal } from "../ui/useSignal";
import { BRIDGES_MS } from "./desk";
import type { ViewProps } from "./EventsView";
import { HeardNotice, NothingHeard } from "./heard";

export function BridgesView({ desk, change }: ViewProps) {
  const heard = useSignal(desk.bridges);
  useEffect(() => {
    // Who may not know is told so here, and not offered the way.
    desk.bridges.start();
    desk.bridges.pace(BRIDGES_MS.looking);
    return () => desk.bridges.pace(BRIDGES_MS.aside);
  }, [desk]);
  const bridges = useMemo(
    () => heard.answer?.filter(({ direction }) => direction !== "route") ?? null,
    [heard.answer],
  );
  return (
    <BridgesPage
      bridges={bridges}
      notice={<HeardNotice heard={heard} />}
      waiting={<NothingHeard problem={heard.problem} what="bridges" />}
      onFilter={(filter) => change({ view: "events", filter, channels: [], at: null, seq: null })}
    />
  );
}
