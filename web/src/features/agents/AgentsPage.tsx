/** Which agents there are, whether they work, at what, and since when: now, or as it was at a moment. */
import { ActionIcon, Button, Tooltip } from "@mantine/core";
import { IconHistory, IconMoodEmpty, IconRobot, IconSearch, IconX } from "@tabler/icons-react";
import { AGENT_STATES, type AgentState, type AgentsAnswer } from "../../client/wire";
import { grouped } from "../../events/clock";
import { CopyLine } from "../../ui/CopyLine";
import { Nothing, Room } from "../../ui/Room";
import { useNow } from "../../ui/useNow";
import { AgentRow } from "./AgentRow";
import classes from "./Agents.module.css";
import { choose, tally } from "./choose";
import { StateMark } from "./StateMark";

interface Props {
  answer: AgentsAnswer | null;
  /** Whether what is shown is of a moment that is over. */
  isPast: boolean;
  find: string;
  state: AgentState | null;
  /** Where an agent's events are. */
  href: (agent: string) => string;
  onAgent: (agent: string) => void;
  onFind: (find: string) => void;
  onState: (state: AgentState | null) => void;
  onMoment: () => void;
  notice: React.ReactNode;
  /** Shown while there is no answer. */
  waiting: React.ReactNode;
  findRef: React.RefObject<HTMLInputElement | null>;
}

export function AgentsPage(props: Props) {
  const { answer, isPast, find, state, onFind, onState, notice, waiting } = props;
  const now = useNow(1000);
  const agents = answer?.agents ?? [];
  const shown = choose(agents, find, state);
  const counts = tally(choose(agents, find, null));
  const clear = () => {
    onFind("");
    onState(null);
  };
  const controls = (
    <>
      <Search {...props} />
      <Tooltip label="Look at a moment of the past (g)" openDelay={400}>
        <Button
          className={classes.moment}
          variant={isPast ? "filled" : "default"}
          size="sm"
          h={34}
          px={12}
          leftSection={<IconHistory size={16} stroke={1.7} />}
          onClick={props.onMoment}
        >
          <span className={classes.word}>{isPast ? "Another moment" : "As of…"}</span>
        </Button>
      </Tooltip>
    </>
  );
  return (
    <Room title="Agents" isList about={answer && about(answer)} controls={controls} notice={notice}>
      {answer === null ? (
        waiting
      ) : agents.length === 0 ? (
        <NoAgents isPast={isPast} />
      ) : (
        <>
          <States counts={counts} state={state} onState={onState} />
          {shown.length === 0 ? (
            <NoMatch onClear={clear} />
          ) : (
            <List {...props} agents={shown} now={isPast ? null : now} />
          )}
        </>
      )}
    </Room>
  );
}

function Search({ find, onFind, findRef }: Props) {
  return (
    <div className={classes.search}>
      <IconSearch size={15} aria-hidden="true" />
      <input
        ref={findRef}
        aria-label="Find agents"
        placeholder="Find by name, task, session, source"
        value={find}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => onFind(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") event.currentTarget.blur();
          else if (event.key === "ArrowDown") rowBeside(null, 1)?.focus();
          else return;
          event.preventDefault();
          event.stopPropagation();
        }}
      />
      {find === "" ? (
        <kbd>/</kbd>
      ) : (
        <ActionIcon
          variant="subtle"
          color="gray"
          size="sm"
          aria-label="Show all again"
          onClick={() => onFind("")}
        >
          <IconX size={14} />
        </ActionIcon>
      )}
    </div>
  );
}

interface StatesProps {
  counts: Record<AgentState, number>;
  state: AgentState | null;
  onState: (state: AgentState | null) => void;
}

function States({ counts, state, onState }: StatesProps) {
  return (
    <fieldset className={classes.states}>
      <legend className="sr-only">State</legend>
      {AGENT_STATES.map((one) => (
        <button
          key={one}
          type="button"
          aria-pressed={state === one}
          onClick={() => onState(state === one ? null : one)}
        >
          <StateMark state={one} /> {one} <b>{grouped(counts[one])}</b>
        </button>
      ))}
    </fieldset>
  );
}

interface ListProps extends Props {
  agents: AgentsAnswer["agents"];
  /** `null` where nothing moves any more. */
  now: number | null;
}

function List({ agents, now, href, onAgent }: ListProps) {
  const onKey = (event: React.KeyboardEvent) => {
    const by = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
    if (by === undefined || event.metaKey || event.ctrlKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    rowBeside(document.activeElement, by)?.focus();
  };
  return (
    <>
      <div className={classes.columns} aria-hidden="true">
        <span>state</span>
        <span>agent</span>
        <span>is at</span>
        <span>since</span>
        <span>heard</span>
        <span>events</span>
        <span>warn</span>
        <span>error</span>
      </div>
      <ul className={classes.list} onKeyDown={onKey}>
        {agents.map((agent) => (
          <AgentRow key={agent.agent} agent={agent} now={now} href={href(agent.agent)} onAgent={onAgent} />
        ))}
      </ul>
    </>
  );
}

/** The row of an agent that is so many places from this one; from none, the first. */
function rowBeside(element: Element | null, by: number): HTMLElement | undefined {
  const rows = [...document.querySelectorAll<HTMLElement>("[data-agent]")];
  const index = rows.indexOf(element as HTMLElement);
  return rows[index === -1 ? 0 : Math.min(rows.length - 1, Math.max(0, index + by))];
}

function NoAgents({ isPast }: { isPast: boolean }) {
  return (
    <Nothing
      icon={<IconRobot size={34} stroke={1.3} aria-hidden="true" />}
      title={isPast ? "No agents then" : "No agents yet"}
    >
      {isPast ? (
        <p>No event up to that moment names an agent.</p>
      ) : (
        <>
          <p>
            An agent is whoever an event names in <code>agent</code>. What it begins and ends tells whether it
            works:
          </p>
          <CopyLine text="kymo emit task.started --agent planner --task demo-001" />
          <CopyLine text="kymo emit task.completed --agent planner --task demo-001" />
        </>
      )}
    </Nothing>
  );
}

function NoMatch({ onClear }: { onClear: () => void }) {
  return (
    <div className={classes.none}>
      <IconMoodEmpty size={30} stroke={1.3} aria-hidden="true" />
      <p>No agent is like that.</p>
      <Button variant="light" onClick={onClear}>
        Show all
      </Button>
    </div>
  );
}

/** `12, 3 working` · `the 1 000 heard last of 4 211` */
function about({ agents, total, left_out }: AgentsAnswer): string {
  if (total === 0) return "";
  const listed =
    agents.length < total ? `the ${grouped(agents.length)} heard last of ${grouped(total)}` : grouped(total);
  const forgotten = left_out > 0 ? `, ${grouped(left_out)} silent for long left out` : "";
  return listed + forgotten;
}
