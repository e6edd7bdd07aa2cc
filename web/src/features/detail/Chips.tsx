/** What ties the event to others; a click shows only those. */
import { IconArrowBackUp, IconFilterPlus } from "@tabler/icons-react";
import { CORRELATION_KEYS, type LedgerEvent } from "../../client/wire";
import { grouped } from "../../events/clock";
import { term } from "../../events/filters";
import classes from "./DetailPanel.module.css";

interface Props {
  event: LedgerEvent;
  onTerm: (term: string) => void;
  onOpen: (seq: number) => void;
}

export function Chips({ event, onTerm, onOpen }: Props) {
  const keys = ["source", ...CORRELATION_KEYS] as const;
  return (
    <div className={classes.chips}>
      <Chip name="type" value={event.type} onTerm={onTerm} />
      {keys.map((key) => {
        const value = event[key];
        return value && <Chip key={key} name={key} value={value} onTerm={onTerm} />;
      })}
      {event.cause !== undefined && (
        <button type="button" className={classes.chip} onClick={() => onOpen(event.cause as number)}>
          <IconArrowBackUp size={13} aria-hidden="true" />
          <span>caused by</span> {grouped(event.cause)}
        </button>
      )}
    </div>
  );
}

function Chip({ name, value, onTerm }: { name: string; value: string; onTerm: (term: string) => void }) {
  const wanted = term(name, value);
  if (wanted === null) return null;
  return (
    <button
      type="button"
      className={classes.chip}
      title={`Filter by ${wanted}`}
      onClick={() => onTerm(wanted)}
    >
      <IconFilterPlus size={13} aria-hidden="true" />
      <span>{name}</span> <b>{value}</b>
    </button>
  );
}
