/** What the connection is doing, always in sight. */
import { IconLoader2, IconPlugConnectedX, IconPointFilled } from "@tabler/icons-react";
import type { EventStream } from "../../client/socket";
import { eventsToGo } from "../../client/stream";
import { useNow } from "../../ui/useNow";
import { useSignal } from "../../ui/useSignal";
import classes from "./ConnectionBadge.module.css";
import { describe } from "./describe";

export function ConnectionBadge({ stream }: { stream: EventStream }) {
  const state = useSignal(stream);
  const now = useNow(500);
  const { mood, title, figure } = describe(state.phase, eventsToGo(state), now);
  const Icon = { good: IconPointFilled, busy: IconLoader2, bad: IconPlugConnectedX }[mood];
  return (
    <span className={classes.badge} data-mood={mood} data-phase={state.phase.is} data-testid="connection">
      <Icon size={mood === "good" ? 16 : 14} aria-hidden="true" className={classes[mood]} />
      {/* Only the words are announced: a figure that changes every second would never let go. */}
      <span role="status">{title}</span>
      {figure && <span className={classes.figure}>{figure}</span>}
      {state.phase.is === "waiting" && (
        <button type="button" className={classes.again} onClick={stream.retryNow}>
          now
        </button>
      )}
    </span>
  );
}
