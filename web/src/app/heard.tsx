/** What is said where an answer is old, still to come, or not for this login. Calmly: the badge tells of the connection. */
import { IconClockPause, IconLoader2, IconLock, IconPlugOff } from "@tabler/icons-react";
import type { ApiError } from "../client/api";
import type { Heard } from "../client/poll";
import { dayOf, timeOfDay } from "../events/clock";
import { Nothing, Notice } from "../ui/Room";
import classes from "./heard.module.css";

/** Above what is shown, while it is not of now. */
export function HeardNotice({ heard }: { heard: Heard<unknown> }) {
  if (heard.problem === null || heard.answer === null) return null;
  const when = new Date(heard.at).toISOString();
  return (
    <Notice tone="warn" icon={<IconClockPause size={16} aria-hidden="true" />}>
      {sentence(heard.problem)} What is shown is of {dayOf(when)} {timeOfDay(when).slice(0, 8)}.
    </Notice>
  );
}

/** Instead of what is not known. */
export function NothingHeard({ problem, what }: { problem: ApiError | null; what: string }) {
  if (problem === null) {
    return (
      <Nothing icon={<IconLoader2 size={26} stroke={1.4} className={classes.spin} aria-hidden="true" />}>
        <p role="status">Asking for {what}…</p>
      </Nothing>
    );
  }
  if (problem.status === 403) {
    return (
      <Nothing icon={<IconLock size={30} stroke={1.3} aria-hidden="true" />} title="Not for this login">
        <p>The server says: {problem.message}.</p>
      </Nothing>
    );
  }
  return (
    <Nothing icon={<IconPlugOff size={30} stroke={1.3} aria-hidden="true" />}>
      <p role="status">{sentence(problem)} Trying again.</p>
    </Nothing>
  );
}

const sentence = (problem: ApiError): string =>
  problem.code === "away" ? "The server does not answer." : `The server says: ${problem.message}.`;
