/** Every source and sink: how it is, since when, what passed, how far it is behind, and what went wrong. */
import { IconHelpHexagon } from "@tabler/icons-react";
import { unwell } from "../../bridges/health";
import type { Bridge } from "../../client/wire";
import { grouped } from "../../events/clock";
import { Room } from "../../ui/Room";
import { useNow } from "../../ui/useNow";
import { BridgeCard } from "./BridgeCard";
import classes from "./Bridges.module.css";
import { NoBridges } from "./NoBridges";

interface Props {
  /** Sources and sinks; `null` until they are known. */
  bridges: Bridge[] | null;
  notice: React.ReactNode;
  /** Shown while nothing is known. */
  waiting: React.ReactNode;
  /** Leads to the events that a filter selects. */
  onFilter: (filter: string) => void;
}

export const UNRECOGNISED = "type:unrecognised";

export function BridgesPage({ bridges, notice, waiting, onFilter }: Props) {
  const now = useNow(1000);
  const all = bridges ?? [];
  const controls = bridges !== null && (
    <button type="button" className={classes.unrecognised} onClick={() => onFilter(UNRECOGNISED)}>
      <IconHelpHexagon size={15} stroke={1.7} aria-hidden="true" />
      <span>
        Unrecognised<span className={classes.word}> records</span>
      </span>
      <b title="since the server was started">{grouped(sum(all))}</b>
    </button>
  );
  return (
    <Room title="Bridges" about={bridges && tally(all)} controls={controls} notice={notice}>
      {bridges === null ? (
        waiting
      ) : all.length === 0 ? (
        <NoBridges />
      ) : (
        <div className={classes.groups}>
          <Group title="Sources" about="into the ledger" of="source" {...{ all, now, onFilter }} />
          <Group title="Sinks" about="out of the ledger" of="sink" {...{ all, now, onFilter }} />
        </div>
      )}
    </Room>
  );
}

interface GroupProps {
  title: string;
  about: string;
  of: Bridge["direction"];
  all: Bridge[];
  now: number;
  onFilter: (filter: string) => void;
}

function Group({ title, about, of, all, now, onFilter }: GroupProps) {
  const bridges = all.filter(({ direction }) => direction === of);
  if (bridges.length === 0) return null;
  return (
    <section aria-label={title}>
      <h3 className={classes.group}>
        {title} <span>{about}</span>
      </h3>
      <ul className={classes.list}>
        {bridges.map((bridge) => (
          <BridgeCard key={bridge.name} bridge={bridge} now={now} onFilter={onFilter} />
        ))}
      </ul>
    </section>
  );
}

const sum = (all: readonly Bridge[]): number => all.reduce((n, { unrecognised }) => n + unrecognised, 0);

/** `3, all well` · `3, 1 not well` */
function tally(all: readonly Bridge[]): string {
  if (all.length === 0) return "";
  const bad = unwell(all).length;
  return `${all.length}, ${bad === 0 ? "all well" : `${bad} not well`}`;
}
