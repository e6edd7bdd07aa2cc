/** Agents as of now, which moves with the ledger, or of the moment in the address, which does not. */
import { Button } from "@mantine/core";
import { IconHistory, IconHistoryOff } from "@tabler/icons-react";
import { useCallback, useEffect, useMemo, useRef } from "react";
import type { ApiError } from "../client/api";
import { Poll } from "../client/poll";
import type { AgentsAnswer } from "../client/wire";
import { grouped } from "../events/clock";
import { term } from "../events/filters";
import { AgentsPage } from "../features/agents/AgentsPage";
import { Nothing, Notice } from "../ui/Room";
import { useSignal } from "../ui/useSignal";
import type { ViewProps } from "./EventsView";
import { HeardNotice, NothingHeard } from "./heard";
import { JumpDialog } from "./JumpDialog";
import { type Look, placeName, writeLook } from "./location";
import { useShortcuts } from "./shortcuts";

/** Silence changes states too, so now and then it is asked although nothing happened. */
const NOW_MS = 5_000;
const PAST_MS = 60_000;
/** Agents in full swing change with every event; nobody reads faster than this. */
const BREATH_MS = 1_000;

export function AgentsView({ desk, look, change, dialog, setDialog }: ViewProps) {
  const { api, session } = desk;
  const { at } = look;
  const poll = useMemo(
    () => new Poll((signal) => api.agents(at, signal), at === null ? NOW_MS : PAST_MS, BREATH_MS),
    [api, at],
  );
  useEffect(() => {
    poll.start();
    const leave = at === null ? session.stream.subscribe(poll.nudge) : () => {};
    return () => {
      leave();
      poll.stop();
    };
  }, [poll, session, at]);
  const heard = useSignal(poll);
  const findInput = useRef<HTMLInputElement>(null);
  const toNow = useCallback(() => change({ at: null }), [change]);
  const onAgent = useCallback((agent: string) => change(eventsOf(agent)), [change]);

  useShortcuts({
    enabled: dialog === null,
    everywhere: [
      ["/", () => findInput.current?.select()],
      ["g", () => setDialog("jump")],
      ["n", toNow],
    ],
  });

  return (
    <>
      <AgentsPage
        answer={heard.answer}
        isPast={at !== null}
        find={look.find}
        state={look.state}
        href={(agent) => `/${writeLook({ ...look, ...eventsOf(agent) })}`}
        onAgent={onAgent}
        onFind={(find) => change({ find })}
        onState={(state) => change({ state })}
        onMoment={() => setDialog("jump")}
        notice={
          <>
            {at !== null && <PastNotice at={at} answer={heard.answer} onNow={toNow} />}
            <HeardNotice heard={heard} />
          </>
        }
        waiting={
          heard.problem?.code === "before_retention" ? (
            <BeforeWhatIsKept problem={heard.problem} onGo={(seq) => change({ at: String(seq) })} />
          ) : (
            <NothingHeard problem={heard.problem} what="agents" />
          )
        }
        findRef={findInput}
      />
      <JumpDialog
        opened={dialog === "jump"}
        onClose={() => setDialog(null)}
        onJump={(at) => change({ at })}
      />
    </>
  );
}

/** The feed of one agent's events, at the same place in time. */
const eventsOf = (agent: string): Pick<Look, "view" | "filter" | "channels" | "seq" | "paused"> => ({
  view: "events",
  filter: term("agent", agent) ?? "",
  channels: [],
  seq: null,
  paused: false,
});

function PastNotice({ at, answer, onNow }: { at: string; answer: AgentsAnswer | null; onNow: () => void }) {
  const isSeq = /^\d+$/.test(at);
  return (
    <Notice
      tone="past"
      icon={<IconHistory size={16} aria-hidden="true" />}
      action={
        <Button size="compact-sm" variant="light" onClick={onNow}>
          Back to now
        </Button>
      }
    >
      <b>The past:</b> agents as they were at {placeName(at)}
      {!isSeq && answer !== null && `, up to event #${grouped(answer.cursor)}`}. Nothing here moves.
    </Notice>
  );
}

function BeforeWhatIsKept({ problem, onGo }: { problem: ApiError; onGo: (seq: number) => void }) {
  const from = problem.detail.known_from;
  return (
    <Nothing icon={<IconHistoryOff size={34} stroke={1.3} aria-hidden="true" />} title="Before what is kept">
      <p>The events that would tell are gone.</p>
      {from !== undefined && (
        <Button variant="light" onClick={() => onGo(from)}>
          To the earliest that is known, #{grouped(from)}
        </Button>
      )}
    </Nothing>
  );
}
