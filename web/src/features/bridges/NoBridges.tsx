/** How to get a first bridge: three lines of settings. */
import { IconPlugConnected } from "@tabler/icons-react";
import { CopyBlock } from "../../ui/CopyBlock";
import { Nothing } from "../../ui/Room";

const TAIL = `[sources.agents]
kind = "tail"
paths = ["~/runs/**/*.jsonl"]`;

const FILE = `[sinks.log]
kind = "file"
path = "~/events.jsonl"`;

export function NoBridges() {
  return (
    <Nothing icon={<IconPlugConnected size={34} stroke={1.3} aria-hidden="true" />} title="No bridges yet">
      <p>
        A source follows files or a broker, a sink gives them events. Put three lines into{" "}
        <code>kymo.toml</code> and start Kymo again:
      </p>
      <CopyBlock text={TAIL} name="the settings of a source" />
      <CopyBlock text={FILE} name="the settings of a sink" />
      <p>
        All kinds and settings: <code>kymo config explain sources</code> and <code>docs/bridges.md</code>.
      </p>
    </Nothing>
  );
}
