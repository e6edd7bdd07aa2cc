/** The one-line summary of an event, in its tones. */
import { Fragment, memo } from "react";
import type { LedgerEvent } from "../client/wire";
import classes from "./Summary.module.css";
import { summarize } from "./summary";

export const Summary = memo(function Summary({ event }: { event: LedgerEvent }) {
  return summarize(event).map(({ text, tone }, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: the parts of one event never change places
    <Fragment key={index}>
      {index > 0 && " "}
      <span className={classes[tone]}>{text}</span>
    </Fragment>
  ));
});
