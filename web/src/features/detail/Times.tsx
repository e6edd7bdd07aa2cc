/** When it happened: by the emitter's clock, and by the ledger's, which is the one that orders. */
import type { LedgerEvent } from "../../client/wire";
import { ago, dayOf, duration, timeOfDay } from "../../events/clock";
import { useNow } from "../../ui/useNow";
import classes from "./DetailPanel.module.css";

/** Clocks this close are not worth a word. */
const NOTABLE_MS = 1000;

export function Times({ event }: { event: LedgerEvent }) {
  const now = useNow(1000);
  const lag = event.time ? Date.parse(event.recorded) - Date.parse(event.time) : 0;
  return (
    <dl className={classes.times}>
      <div>
        <dt>recorded</dt>
        <dd>
          <time dateTime={event.recorded} title={event.recorded}>
            {dayOf(event.recorded)} {timeOfDay(event.recorded)}
          </time>
          <span>{ago(event.recorded, now)}</span>
        </dd>
      </div>
      {event.time && Math.abs(lag) >= NOTABLE_MS && (
        <div>
          <dt>happened</dt>
          <dd>
            <time dateTime={event.time} title={event.time}>
              {dayOf(event.time)} {timeOfDay(event.time)}
            </time>
            <span>{lag > 0 ? `${duration(lag)} before` : `${duration(-lag)} ahead of our clock`}</span>
          </dd>
        </div>
      )}
    </dl>
  );
}
