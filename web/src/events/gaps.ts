/** Says why events are missing. */
import type { Gap } from "../client/wire";
import { grouped } from "./clock";

const REASONS: Record<string, string> = {
  retention: "removed by age or size",
  damaged: "damaged on disk; kymo verify names the place",
  erased: "erased on request",
  other_ledger: "the position belongs to another ledger",
  ahead_of_ledger: "the ledger is shorter than it was",
};

/** `Gap of 120 events (11 to 130): removed by age or size` */
export function gapSentence({ asked, first, lost, reason }: Gap): string {
  const events = lost === 1 ? "1 event" : `${grouped(lost)} events`;
  const where = first > asked + 1 ? ` (${grouped(asked)} to ${grouped(first - 1)})` : ` (${grouped(asked)})`;
  return `Gap of ${events}${where}: ${REASONS[reason] ?? reason}`;
}
