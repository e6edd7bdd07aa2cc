/** What the feed says when it has nothing to show. */
import { Button } from "@mantine/core";
import { IconFilterOff, IconLoader2, IconPlugOff, IconWaveSine } from "@tabler/icons-react";
import { CopyLine } from "../../ui/CopyLine";
import classes from "./EmptyFeed.module.css";

export function NoEventsYet() {
  return (
    <div className={classes.box}>
      <IconWaveSine size={34} stroke={1.3} aria-hidden="true" />
      <h2>Nothing has happened yet</h2>
      <p>The ledger is empty. Change a file in the watched folder, or try one of these in a terminal:</p>
      <CopyLine text="kymo emit hello message='first light'" />
      <CopyLine text="kymo run -- npm test" />
    </div>
  );
}

export function NoMatch({ filter, onClear }: { filter: string; onClear: () => void }) {
  return (
    <div className={classes.box}>
      <IconFilterOff size={34} stroke={1.3} aria-hidden="true" />
      <h2>No event matches</h2>
      <p>
        Nothing in the ledger fits <code>{filter}</code>. What comes will appear here as it happens.
      </p>
      <Button variant="light" onClick={onClear}>
        Clear the filter
      </Button>
    </div>
  );
}

export function NoPastMatch({ onReturn }: { onReturn: () => void }) {
  return (
    <div className={classes.box}>
      <IconFilterOff size={34} stroke={1.3} aria-hidden="true" />
      <h2>Nothing around there</h2>
      <p>No event near that place matches the filter.</p>
      <Button variant="light" onClick={onReturn}>
        Back to now
      </Button>
    </div>
  );
}

export function FilterNotRead({ onClear }: { onClear: () => void }) {
  return (
    <div className={classes.box}>
      <IconFilterOff size={34} stroke={1.3} aria-hidden="true" />
      <h2>The filter could not be read</h2>
      <p>The message above says where. Nothing is shown until it is right or gone.</p>
      <Button variant="light" onClick={onClear}>
        Clear the filter
      </Button>
    </div>
  );
}

export function LedgerNotRead({ message }: { message: string }) {
  return (
    <div className={classes.box}>
      <IconPlugOff size={34} stroke={1.3} aria-hidden="true" />
      <h2>The ledger could not be read</h2>
      <p>The server says: {message}</p>
    </div>
  );
}

export function Reading({ connected }: { connected: boolean }) {
  return (
    <div className={classes.box} data-quiet>
      {connected ? (
        <IconLoader2 size={26} stroke={1.4} className={classes.spin} aria-hidden="true" />
      ) : (
        <IconPlugOff size={30} stroke={1.3} aria-hidden="true" />
      )}
      <p>{connected ? "Reading the ledger…" : "The server does not answer. Trying again."}</p>
    </div>
  );
}
