/** What is shown, and whether it moves. */
import { ActionIcon, Button, Tooltip } from "@mantine/core";
import { IconArrowUp, IconFocus2, IconPlayerPause, IconPlayerPlay, IconX } from "@tabler/icons-react";
import { useMemo } from "react";
import { grouped } from "../events/clock";
import { FilterBox } from "../features/feed/FilterBox";
import { useSignal } from "../ui/useSignal";
import type { Desk } from "./desk";
import { type Look, placeName } from "./location";
import classes from "./Toolbar.module.css";

interface Props {
  desk: Desk;
  look: Look;
  onChange: (change: Partial<Look>) => void;
  onJump: () => void;
  onNow: () => void;
  inputRef: React.RefObject<HTMLInputElement | null>;
}

export function Toolbar({ desk, look, onChange, onJump, onNow, inputRef }: Props) {
  const { problem, loading } = useSignal(desk.session.state);
  const known = useKnown(desk);
  return (
    <div className={classes.toolbar}>
      <FilterBox
        filter={look.filter}
        problem={problem}
        loading={loading}
        known={known}
        onFilter={(filter) => onChange({ filter })}
        inputRef={inputRef}
      />
      {look.channels.map((channel) => (
        <button
          key={channel}
          type="button"
          className={classes.channel}
          aria-label={`Leave channel ${channel}`}
          onClick={() => onChange({ channels: look.channels.filter((other) => other !== channel) })}
        >
          {channel} <IconX size={12} aria-hidden="true" />
        </button>
      ))}
      {look.at !== null && (
        <Button variant="light" size="sm" h={34} leftSection={<IconArrowUp size={15} />} onClick={onNow}>
          <span className={classes.place}>{placeName(look.at)} · </span>back to now
        </Button>
      )}
      <PauseButton desk={desk} paused={look.paused} onChange={onChange} />
      <Tooltip label="Go to a seq or time (g)" openDelay={400}>
        <ActionIcon variant="default" size={34} aria-label="Go to a seq or time" onClick={onJump}>
          <IconFocus2 size={17} stroke={1.7} />
        </ActionIcon>
      </Tooltip>
    </div>
  );
}

function PauseButton({ desk, paused, onChange }: Pick<Props, "desk" | "onChange"> & { paused: boolean }) {
  const { waiting } = useSignal(desk.session.live);
  return (
    <Button
      className={classes.pause}
      variant={paused ? "filled" : "default"}
      size="sm"
      h={34}
      px={12}
      leftSection={paused ? <IconPlayerPlay size={15} /> : <IconPlayerPause size={15} />}
      aria-pressed={paused}
      aria-label={paused ? `Paused, ${waiting} waiting` : "Pause"}
      title={paused ? "Carry on (Space)" : "Pause (Space)"}
      onClick={() => onChange({ paused: !paused })}
      data-testid="pause"
    >
      <span className={classes.word}>{paused ? "Paused · " : "Pause"}</span>
      {paused && grouped(waiting)}
      {paused && <span className={classes.word}>&nbsp;waiting</span>}
    </Button>
  );
}

/** Names for the suggestions: those of the last minutes first, then what the catalogue knows. */
function useKnown(desk: Desk) {
  const { metrics, catalogue } = useSignal(desk.vitals);
  return useMemo(() => {
    const seen = metrics?.by_type.map(([type]) => type) ?? [];
    return {
      types: [...new Set([...seen, ...(catalogue?.types.map(({ name }) => name) ?? [])])],
      sources: metrics?.by_source.map(([source]) => source) ?? [],
    };
  }, [metrics, catalogue]);
}
