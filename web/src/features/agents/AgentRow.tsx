/** One agent, on a line; on a phone, on three. The whole of it leads to its events. */
import { memo } from "react";
import type { Agent } from "../../client/wire";
import { ago, dayOf, forHowLong, grouped, timeOfDay } from "../../events/clock";
import classes from "./Agents.module.css";
import { activity } from "./choose";
import { StateMark, stateColour } from "./StateMark";

interface Props {
  agent: Agent;
  /** `null` where nothing moves any more: moments are told instead of how long ago. */
  now: number | null;
  href: string;
  onAgent: (agent: string) => void;
}

export function AgentRow({ agent, now, href, onAgent }: Props) {
  const since = now === null ? moment(agent.since) : forHowLong(agent.since, now);
  const seen = now === null ? moment(agent.seen) : ago(agent.seen, now);
  return <Row agent={agent} since={since} seen={seen} href={href} onAgent={onAgent} />;
}

/** The day is said where it is another one than today. */
function moment(iso: string): string {
  const day = dayOf(iso);
  const time = timeOfDay(iso).slice(0, 8);
  return day === dayOf(new Date().toISOString()) ? time : `${day} ${time}`;
}

interface RowProps extends Omit<Props, "now"> {
  since: string;
  seen: string;
}

/** Drawn again only when its words change, not with every second or answer. */
const Row = memo(
  function Row({ agent, since, seen, href, onAgent }: RowProps) {
    return (
      <li className={classes.item}>
        <a
          href={href}
          className={classes.row}
          data-agent={agent.agent}
          data-state={agent.state}
          title={`Events of ${agent.agent}`}
          onClick={(event) => {
            if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
            event.preventDefault();
            onAgent(agent.agent);
          }}
        >
          <span className={classes.state} style={{ color: stateColour(agent.state) }}>
            <StateMark state={agent.state} /> {agent.state}
          </span>
          <b className={classes.name}>{agent.agent}</b>
          <span className={classes.doing}>
            {agent.silent && <em title="it sent heartbeats and has missed several">silent</em>}
            {activity(agent).map(({ text, as }) => (
              <span key={as + text} data-as={as}>
                {text}
              </span>
            ))}
          </span>
          <time className={classes.since} dateTime={agent.since}>
            {since}
          </time>
          <time className={classes.seen} dateTime={agent.seen}>
            {seen}
          </time>
          <span className={classes.counts}>
            <Count of="events" value={agent.events} />
            <Count of="warnings" value={agent.warnings} />
            <Count of="errors" value={agent.errors} />
          </span>
        </a>
      </li>
    );
  },
  (a, b) =>
    a.since === b.since &&
    a.seen === b.seen &&
    a.href === b.href &&
    a.onAgent === b.onAgent &&
    a.agent.seq === b.agent.seq &&
    a.agent.state === b.agent.state &&
    a.agent.silent === b.agent.silent,
);

function Count({ of, value }: { of: "events" | "warnings" | "errors"; value: number }) {
  return (
    <span className={classes.count} data-of={of} data-some={value > 0 || undefined}>
      {grouped(value)}
      <span className={classes.unit}> {value === 1 ? of.slice(0, -1) : of}</span>
    </span>
  );
}
