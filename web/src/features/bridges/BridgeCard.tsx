/** One bridge. Every figure has a place of its own, so that nothing moves while they change. */
import { ActionIcon, Tooltip } from "@mantine/core";
import { IconArrowBarRight, IconArrowBarToRight, IconListSearch } from "@tabler/icons-react";
import { lagEvents, lagTime } from "../../bridges/health";
import { LastError } from "../../bridges/LastError";
import { StateWord } from "../../bridges/StateWord";
import type { Bridge } from "../../client/wire";
import { grouped } from "../../events/clock";
import { term } from "../../events/filters";
import classes from "./Bridges.module.css";

interface Props {
  bridge: Bridge;
  now: number;
  onFilter: (filter: string) => void;
}

export function BridgeCard({ bridge, now, onFilter }: Props) {
  const { name, kind, direction, target } = bridge;
  const isSource = direction === "source";
  const Way = isSource ? IconArrowBarToRight : IconArrowBarRight;
  return (
    <li className={classes.card} data-bridge={name} data-state={bridge.state}>
      <div className={classes.top}>
        <h4>{name}</h4>
        <span className={classes.kind}>{kind}</span>
        <span className={classes.target} title={target}>
          <Way size={14} stroke={1.7} aria-label={isSource ? "from" : "to"} />
          <bdi>{target}</bdi>
        </span>
        <StateWord bridge={bridge} now={now} />
        <Tooltip label="What it told of itself" openDelay={400}>
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-label={`Events about ${direction} ${name}`}
            onClick={() => onFilter(ownEvents(bridge))}
          >
            <IconListSearch size={17} stroke={1.6} />
          </ActionIcon>
        </Tooltip>
      </div>
      <dl className={classes.figures}>
        <Figure name={isSource ? "stored" : "delivered"} value={grouped(bridge.events)} />
        <Figure name="behind" value={lagEvents(bridge) ?? UNKNOWN} />
        <Figure name="oldest waits" value={lagTime(bridge) ?? (bridge.lag_s === 0 ? "0 s" : UNKNOWN)} />
        <Figure name="refused" value={grouped(bridge.refused)} alarming={bridge.refused > 0} />
        <Figure name="repeats" value={grouped(bridge.repeats)} />
        {isSource && <Figure name="unrecognised" value={grouped(bridge.unrecognised)} />}
        <Figure name="skipped" value={grouped(bridge.skipped)} />
        <Figure name="gaps" value={grouped(bridge.gaps)} alarming={bridge.gaps > 0} />
      </dl>
      <LastError bridge={bridge} now={now} />
    </li>
  );
}

const UNKNOWN = "–";

/** What the words on a figure mean, for whoever wonders. */
const MEANINGS: Record<string, string> = {
  stored: "events of it that are in the ledger, since the start",
  delivered: "events that are safe on the other side, since the start",
  behind: "events that wait; a dash where nobody knows",
  "oldest waits": "for how long the oldest event that waits has done so",
  refused: "not taken, for a reason that does not pass",
  repeats: "stored before, and not stored again",
  unrecognised: "kept, although nothing in them says what they are",
  skipped: "left out on purpose, since they would go in circles",
  gaps: "outages in which nobody kept the events",
};

interface FigureProps {
  name: string;
  value: string;
  alarming?: boolean;
}

function Figure({ name, value, alarming }: FigureProps) {
  return (
    <div title={MEANINGS[name]} data-figure={name} data-alarming={alarming || undefined}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

const ownEvents = ({ name, direction }: Bridge): string =>
  ["type:kymo.bridge.*", term("data.bridge", name), term("data.direction", direction)].join(" ");
