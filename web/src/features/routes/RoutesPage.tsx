/** Which events are derived from which, how that goes, and the way to change it. */
import { Button } from "@mantine/core";
import { IconPlus, IconRoute } from "@tabler/icons-react";
import type { Bridge, Route } from "../../client/wire";
import { CopyBlock } from "../../ui/CopyBlock";
import { Nothing, Room } from "../../ui/Room";
import { useNow } from "../../ui/useNow";
import { RouteCard } from "./RouteCard";
import classes from "./Routes.module.css";

interface Props {
  /** `null` until they are known. */
  routes: Route[] | null;
  /** How each runs, by its name; one that rests has no entry. */
  running: ReadonlyMap<string, Bridge>;
  /** Whether this login may change them. */
  mayChange: boolean;
  /** The route whose editor is open. */
  open: string | null;
  notice: React.ReactNode;
  waiting: React.ReactNode;
  onAdd: () => void;
  onChange: (name: string) => void;
  /** Removes one; answers with what went wrong, if anything did. */
  onRemove: (name: string) => Promise<string | null>;
  onFilter: (filter: string) => void;
}

export function RoutesPage(props: Props) {
  const { routes, running, mayChange, open, notice, waiting } = props;
  const now = useNow(1000);
  const add = mayChange && (
    <Button size="sm" h={34} px={12} leftSection={<IconPlus size={16} />} onClick={props.onAdd}>
      Add a route
    </Button>
  );
  return (
    <Room
      title="Routes"
      about={routes && routes.length > 0 && tally(routes)}
      controls={routes && routes.length > 0 && add}
      notice={notice}
    >
      {routes === null ? (
        waiting
      ) : routes.length === 0 ? (
        <NoRoutes add={add} />
      ) : (
        <ul className={classes.list}>
          {routes.map((route) => (
            <RouteCard
              key={route.name}
              route={route}
              bridge={running.get(route.name)}
              now={now}
              mayChange={mayChange && route.origin === "api"}
              isOpen={open === route.name}
              onChange={props.onChange}
              onRemove={props.onRemove}
              onFilter={props.onFilter}
            />
          ))}
        </ul>
      )}
    </Room>
  );
}

const EXAMPLE = `[routes.slow-tools]
when = "type:tool.completed data.ms:>5000"
emit = { type = "tool.slow", level = "warn", data = { ms = "{{ data.ms }}" } }`;

function NoRoutes({ add }: { add: React.ReactNode }) {
  return (
    <Nothing icon={<IconRoute size={34} stroke={1.3} aria-hidden="true" />} title="No routes yet">
      <p>
        A route makes events from events: when a filter matches, then another event is stored.{" "}
        {add && "Add one here, or put"}
        {!add && "Put"} three lines into <code>kymo.toml</code>, which is followed while Kymo runs:
      </p>
      <CopyBlock text={EXAMPLE} name="the settings of a route" />
      {add}
    </Nothing>
  );
}

function tally(routes: readonly Route[]): string {
  const resting = routes.filter(({ enabled }) => !enabled).length;
  return resting === 0 ? `${routes.length}` : `${routes.length}, ${resting} at rest`;
}
