/** Which agents somebody asked to see. */
import { AGENT_STATES, type Agent, type AgentState } from "../../client/wire";

const byName = new Intl.Collator("en", { numeric: true });

/**
 * Those in this state (`null` is any) of whom all these words are said: in name, task, doing, status, session or source.
 *
 * By name, not by who was heard last: rows that change places while agents speak could be neither read nor clicked.
 */
export function choose(agents: readonly Agent[], words: string, state: AgentState | null): Agent[] {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  const chosen = agents.filter((agent) => {
    if (state !== null && agent.state !== state) return false;
    const said = saidOf(agent);
    return wanted.every((word) => said.includes(word));
  });
  return chosen.sort((a, b) => byName.compare(a.agent, b.agent));
}

const saidOf = ({ agent, task, doing, status, session, sources, user, tier }: Agent): string =>
  [agent, task, doing, status, session, user, tier, ...sources].join("\n").toLowerCase();

/** How many there are in each state. */
export function tally(agents: readonly Agent[]): Record<AgentState, number> {
  const counts = Object.fromEntries(AGENT_STATES.map((state) => [state, 0])) as Record<AgentState, number>;
  for (const { state } of agents) counts[state]++;
  return counts;
}

export interface Saying {
  text: string;
  /** `name`: something one could filter by; `words`: the agent's own. */
  as: "plain" | "name" | "words";
}

/** What it is at, in a few pieces: `tool` `demo-001` `and 2 more` `“monitoring”`. */
export function activity({ doing, task, open, status }: Agent): Saying[] {
  const more = doing === undefined ? `${open} open` : `and ${open - 1} more`;
  const hasMore = open > (doing === undefined ? 0 : 1);
  return [
    ...(doing === undefined ? [] : [{ text: doing, as: "plain" } as const]),
    ...(task === undefined ? [] : [{ text: task, as: "name" } as const]),
    ...(hasMore ? [{ text: more, as: "plain" } as const] : []),
    ...(status === undefined ? [] : [{ text: `“${status}”`, as: "words" } as const]),
  ];
}
