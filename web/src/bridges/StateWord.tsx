/** The state of a bridge: a mark, its word, and since when. */
import type { Bridge, BridgeState } from "../client/wire";
import { forHowLong } from "../events/clock";
import { Mark, type Shape, type Tone, toneColour } from "../ui/Mark";
import { type Mood, moodOf } from "./health";
import classes from "./StateWord.module.css";

const SHAPES: Record<BridgeState, Shape> = {
  connected: "dot",
  connecting: "dashes",
  waiting: "triangle",
  paused: "bars",
  stopped: "square",
};

const toneOf = (mood: Mood, state: BridgeState): Tone =>
  mood === "bad" && state === "stopped" ? "fault" : mood;

/** A route has no other side to be connected to. */
const wordOf = ({ direction, state }: Bridge): string =>
  direction === "route" && state === "connected" ? "running" : state;

export function StateWord({ bridge, now }: { bridge: Bridge; now: number }) {
  const tone = toneOf(moodOf(bridge), bridge.state);
  return (
    <span className={classes.state} data-state={bridge.state}>
      <Mark shape={tone === "fault" ? "cross" : SHAPES[bridge.state]} tone={tone} />
      <b style={{ color: toneColour(tone) }}>{wordOf(bridge)}</b>{" "}
      <time dateTime={bridge.since} title={bridge.since}>
        {forHowLong(bridge.since, now)}
      </time>
    </span>
  );
}
