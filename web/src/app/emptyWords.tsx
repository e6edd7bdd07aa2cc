/** Chooses what an empty feed says. */
import type { FeedState } from "../client/session";
import {
  FilterNotRead,
  LedgerNotRead,
  NoEventsYet,
  NoMatch,
  NoPastMatch,
  Reading,
} from "../features/feed/EmptyFeed";

interface Situation {
  feed: FeedState;
  isLive: boolean;
  connected: boolean;
  isEmptyLedger: boolean;
  onClear: () => void;
  onReturn: () => void;
}

export function emptyWords({ feed, isLive, connected, isEmptyLedger, onClear, onReturn }: Situation) {
  if (feed.problem?.code === "invalid_filter") return <FilterNotRead onClear={onClear} />;
  if (feed.problem !== null) return <LedgerNotRead message={feed.problem.message} />;
  if (feed.loading || !connected) return <Reading connected={connected} />;
  if (!isLive) return <NoPastMatch onReturn={onReturn} />;
  const words = [feed.view.filter, ...feed.view.channels].filter(Boolean).join(" ");
  if (words !== "" && !isEmptyLedger) return <NoMatch filter={words} onClear={onClear} />;
  return <NoEventsYet />;
}
