/** The state of an agent as a mark: its shape alone tells it. */
import type { AgentState } from "../../client/wire";
import { Mark, type Shape, type Tone, toneColour } from "../../ui/Mark";

const LOOKS: Record<AgentState, [Shape, Tone]> = {
  working: ["dot", "good"],
  idle: ["ring", "off"],
  failed: ["cross", "fault"],
  stopped: ["square", "off"],
};

export function StateMark({ state }: { state: AgentState }) {
  const [shape, tone] = LOOKS[state];
  return <Mark shape={shape} tone={tone} />;
}

export const stateColour = (state: AgentState): string => toneColour(LOOKS[state][1]);
