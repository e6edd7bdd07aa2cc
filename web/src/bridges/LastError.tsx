/** What went wrong last on a bridge, and when it tries again. Past faults of one that works are told more quietly. */
import type { Bridge } from "../client/wire";
import { ago, dayOf, timeOfDay } from "../events/clock";
import { moodOf, nextTry } from "./health";
import classes from "./LastError.module.css";

export function LastError({ bridge, now }: { bridge: Bridge; now: number }) {
  const { last_error: error } = bridge;
  if (error === null) return null;
  return (
    <p className={classes.error} data-current={moodOf(bridge) === "bad" || undefined}>
      <code>{error.code}</code> <span>{error.message}</span>{" "}
      <span className={classes.when}>
        <time dateTime={error.time} title={`${dayOf(error.time)} ${timeOfDay(error.time)}`}>
          {ago(error.time, now)}
        </time>
        {bridge.next_try !== null && <b data-next-try>{nextTry(bridge, now)}</b>}
      </span>
    </p>
  );
}
