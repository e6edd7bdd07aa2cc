/** One row of the feed. Rendered once; the stream passing by does not touch it again. */
import { IconScissors } from "@tabler/icons-react";
import { memo } from "react";
import type { Gap, LedgerEvent } from "../../client/wire";
import { dayOf, grouped, timeOfDay } from "../../events/clock";
import { gapSentence } from "../../events/gaps";
import { EventIcon } from "../../events/icons";
import { LevelMark } from "../../events/levels";
import { Summary } from "../../events/Summary";
import classes from "./Feed.module.css";

/** The DOM id of a row, for `aria-activedescendant`. */
export const rowId = (seq: number): string => `event-${seq}`;

interface Props {
  event: LedgerEvent;
  selected: boolean;
  fresh: boolean;
  narrow: boolean;
  onOpen: (seq: number) => void;
}

export const FeedRow = memo(
  function FeedRow({ event, selected, fresh, narrow, onOpen }: Props) {
    return (
      // biome-ignore lint/a11y/useKeyWithClickEvents: the list box has the focus and handles the keys
      // biome-ignore lint/a11y/useFocusableInteractive: options of a list box are reached by aria-activedescendant
      <div
        id={rowId(event.seq)}
        role="option"
        aria-selected={selected}
        className={narrow ? classes.rowNarrow : classes.row}
        data-level={event.level}
        data-fresh={fresh || undefined}
        data-seq={event.seq}
        onClick={() => onOpen(event.seq)}
      >
        <span className={classes.level}>
          <LevelMark level={event.level} />
          <span className={classes.levelWord}>{event.level}</span>
        </span>
        <time className={classes.time} dateTime={event.recorded}>
          {moment(event.recorded)}
        </time>
        <span className={classes.type} title={event.type}>
          <EventIcon type={event.type} />
          <span>{event.type}</span>
        </span>
        <span className={classes.summary}>
          {event.backfill && (
            <span className={classes.past} title={pastTitle(event)}>
              backfill
            </span>
          )}
          <Summary event={event} />
        </span>
        <span className={classes.who}>{who(event)}</span>
        <span className={classes.seq}>{grouped(event.seq)}</span>
      </div>
    );
  },
  (a, b) =>
    a.event === b.event && a.selected === b.selected && a.narrow === b.narrow && a.onOpen === b.onOpen,
);

/** A place where events are gone: said where it is, with how many and why. */
export const GapRow = memo(function GapRow({ gap, narrow }: { gap: Gap; narrow: boolean }) {
  return (
    <div
      role="option"
      aria-selected={false}
      aria-disabled="true"
      tabIndex={-1}
      className={narrow ? classes.gapNarrow : classes.gap}
      data-gap={gap.asked}
    >
      <IconScissors size={15} aria-hidden="true" />
      <span>{gapSentence(gap)}</span>
    </div>
  );
});

/** Whom the event is about: the agent before the program that reported it. */
const who = (event: LedgerEvent): string => event.agent ?? event.source;

/** When an imported event happened; its row stands where it was recorded. */
const pastTitle = ({ time }: LedgerEvent): string =>
  time ? `Imported. It happened on ${dayOf(time)} at ${timeOfDay(time).slice(0, 8)}` : "Imported";

const today = () => dayOf(new Date().toISOString());

/** The time of day, with the date in front of it for other days. */
function moment(recorded: string): string {
  const time = timeOfDay(recorded);
  const day = dayOf(recorded);
  return day === today() ? time : `${day.slice(5)} ${time.slice(0, 8)}`;
}
