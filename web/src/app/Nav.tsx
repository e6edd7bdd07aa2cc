/** The way between the views, and a mark where something is not well. */
import { IconList, IconPlugConnected, IconRobot, IconRoute, type TablerIcon } from "@tabler/icons-react";
import { unwell } from "../bridges/health";
import { useSignal } from "../ui/useSignal";
import { type Desk, seesAll } from "./desk";
import { type Look, VIEWS, type View, writeLook } from "./location";
import classes from "./Nav.module.css";

export const VIEW_NAMES: Record<View, string> = {
  events: "Events",
  agents: "Agents",
  bridges: "Bridges",
  routes: "Routes",
};

const ICONS: Record<View, TablerIcon> = {
  events: IconList,
  agents: IconRobot,
  bridges: IconPlugConnected,
  routes: IconRoute,
};

/** Views about all events there are, and so not for a login that may see only some. */
const ABOUT_ALL: readonly View[] = ["bridges", "routes"];

interface Props {
  desk: Desk;
  look: Look;
  change: (change: Partial<Look>) => void;
}

export function Nav({ desk, look, change }: Props) {
  const all = seesAll(useSignal(desk.vitals).status);
  const { answer } = useSignal(desk.bridges);
  const ill = unwell(answer ?? []);
  const routes = ill.filter(({ direction }) => direction === "route").length;
  const marks: Partial<Record<View, number>> = { bridges: ill.length - routes, routes };
  return (
    <nav className={classes.nav} aria-label="Views">
      {VIEWS.filter((view) => all || !ABOUT_ALL.includes(view)).map((view) => (
        <Way key={view} view={view} unwell={marks[view] ?? 0} look={look} change={change} />
      ))}
    </nav>
  );
}

interface WayProps extends Omit<Props, "desk"> {
  view: View;
  /** How many things there are not well. */
  unwell: number;
}

function Way({ view, unwell, look, change }: WayProps) {
  const Icon = ICONS[view];
  const name = VIEW_NAMES[view];
  return (
    <a
      href={`/${writeLook({ ...look, view, route: null })}`}
      className={classes.way}
      aria-current={look.view === view ? "page" : undefined}
      title={unwell > 0 ? `${name}: ${unwell} not well` : name}
      onClick={(event) => {
        // Another tab or window is the browser's to open.
        if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
        event.preventDefault();
        change({ view, route: null });
      }}
    >
      <Icon size={18} stroke={1.6} aria-hidden="true" />
      <span>{name}</span>
      {unwell > 0 && (
        <span className={classes.mark} data-testid={`unwell-${view}`}>
          {unwell > 9 ? "9+" : unwell}
          <span className="sr-only"> not well</span>
        </span>
      )}
    </a>
  );
}
