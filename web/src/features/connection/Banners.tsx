/** Things that are wrong and stay wrong until somebody does something: said at the top, not in a corner. */
import { ActionIcon } from "@mantine/core";
import { IconAlertTriangle, IconFlask, IconInfoCircle, IconScissors, IconX } from "@tabler/icons-react";
import type { Gap, WatchStatus } from "../../client/wire";
import { gapSentence } from "../../events/gaps";
import classes from "./Banners.module.css";

export function WatchBanner({ watch }: { watch: WatchStatus[] }) {
  return watch
    .filter(({ problem }) => problem)
    .map(({ folder, problem }) => (
      <div key={folder} className={classes.banner} data-tone="warn" role="alert">
        <IconAlertTriangle size={16} aria-hidden="true" />
        <span>
          <b>{folder}</b> is not fully watched: {problem}
        </span>
      </div>
    ));
}

export function GapBanner({ gap, onDismiss }: { gap: Gap; onDismiss: () => void }) {
  return (
    <div className={classes.banner} data-tone="warn" role="alert">
      <IconScissors size={16} aria-hidden="true" />
      <span>{gapSentence(gap)}</span>
      <Dismiss onClick={onDismiss} />
    </div>
  );
}

export function LedgerBanner({ was, is, onDismiss }: { was: string; is: string; onDismiss: () => void }) {
  return (
    <div className={classes.banner} data-tone="info" role="alert">
      <IconInfoCircle size={16} aria-hidden="true" />
      <span>
        The server now has another ledger (<code>{is.slice(0, 8)}</code> in place of{" "}
        <code>{was.slice(0, 8)}</code>). What is shown begins anew with it.
      </span>
      <Dismiss onClick={onDismiss} />
    </div>
  );
}

export function DemoBanner() {
  return (
    <div className={classes.banner} data-tone="info" role="note">
      <IconFlask size={16} aria-hidden="true" />
      <span>
        Events of source <b>demo</b> are synthetic: made to show the page, not recorded from anything real.
      </span>
    </div>
  );
}

function Dismiss({ onClick }: { onClick: () => void }) {
  return (
    <ActionIcon variant="subtle" color="gray" size="sm" aria-label="Dismiss" onClick={onClick}>
      <IconX size={14} />
    </ActionIcon>
  );
}
