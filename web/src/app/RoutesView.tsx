/** Routes, how each of them runs, and the editor beside them. */
import { Drawer } from "@mantine/core";
import { useCallback, useEffect, useMemo } from "react";
import { asRefusal } from "../client/api";
import { Poll } from "../client/poll";
import { type Outcome, RouteEditor } from "../features/routes/RouteEditor";
import { RoutesPage } from "../features/routes/RoutesPage";
import { useSignal } from "../ui/useSignal";
import { BRIDGES_MS, mayManage } from "./desk";
import type { ViewProps } from "./EventsView";
import classes from "./EventsView.module.css";
import { HeardNotice, NothingHeard } from "./heard";

const ROUTES_MS = 5_000;

export function RoutesView({ desk, look, change, narrow }: ViewProps) {
  const { api, bridges, vitals } = desk;
  const poll = useMemo(() => new Poll(api.routes, ROUTES_MS), [api]);
  useEffect(() => {
    poll.start();
    bridges.pace(BRIDGES_MS.looking);
    return () => {
      poll.stop();
      bridges.pace(BRIDGES_MS.aside);
    };
  }, [poll, bridges]);
  const heard = useSignal(poll);
  const { answer } = useSignal(bridges);
  const mayChange = mayManage(useSignal(vitals).status);
  const running = useMemo(() => {
    const routes = answer?.filter(({ direction }) => direction === "route") ?? [];
    return new Map(routes.map((bridge) => [bridge.name, bridge]));
  }, [answer]);

  const refresh = useCallback(() => {
    poll.nudge();
    bridges.nudge();
  }, [poll, bridges]);
  const close = useCallback(() => change({ route: null }), [change]);
  const remove = async (name: string): Promise<string | null> => {
    const outcome = await told(api.removeRoute(name));
    if ("fault" in outcome) return outcome.fault.message;
    if (look.route === name) close();
    refresh();
    return null;
  };
  const save = async (name: string, body: string) => {
    const outcome = await told(api.putRoute(name, body));
    if ("answer" in outcome) {
      refresh();
      close();
    }
    return outcome;
  };

  const routes = heard.answer;
  const changed = routes?.find(({ name, origin }) => name === look.route && origin === "api");
  const isEditing = mayChange && routes !== null && (look.route === "" || changed !== undefined);
  const editor = isEditing && (
    <RouteEditor
      key={look.route}
      route={changed ?? null}
      taken={routes.map(({ name }) => name)}
      onTry={(body) => told(api.tryRoute(body))}
      onSave={save}
      onClose={close}
    />
  );
  return (
    <>
      <div className={classes.main}>
        <RoutesPage
          routes={routes}
          running={running}
          mayChange={mayChange}
          open={look.route}
          notice={<HeardNotice heard={heard} />}
          waiting={<NothingHeard problem={heard.problem} what="routes" />}
          onAdd={() => change({ route: "" })}
          onChange={(route) => change({ route })}
          onRemove={remove}
          onFilter={(filter) => change({ view: "events", filter, channels: [], at: null, seq: null })}
        />
        {editor && !narrow && (
          <aside className={classes.detail} aria-label="Route">
            {editor}
          </aside>
        )}
      </div>
      {narrow && (
        <Drawer.Root opened={isEditing} onClose={close} position="bottom" size="100%" padding={0}>
          <Drawer.Content aria-label="Route">
            <Drawer.Body className={classes.drawer}>{editor}</Drawer.Body>
          </Drawer.Content>
        </Drawer.Root>
      )}
    </>
  );
}

/** What became of a change: the answer, or what is wrong and where. */
async function told<T>(asked: Promise<T>): Promise<Outcome<T>> {
  try {
    return { answer: await asked };
  } catch (error) {
    const { code, detail, message } = asRefusal(error);
    return { fault: { key: code === "name_taken" ? "name" : (detail.key ?? ""), message } };
  }
}
