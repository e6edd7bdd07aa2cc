/** Everything about one event: what happened, who and when, the payload as a tree, and the line itself. */
import { ActionIcon, Button, CopyButton, Tooltip } from "@mantine/core";
import { IconCheck, IconChevronDown, IconChevronUp, IconCopy, IconX } from "@tabler/icons-react";
import type { Api } from "../../client/api";
import type { LedgerEvent } from "../../client/wire";
import { grouped } from "../../events/clock";
import { EventIcon } from "../../events/icons";
import { LevelMark, levelColour } from "../../events/levels";
import { Summary } from "../../events/Summary";
import { Chips } from "./Chips";
import classes from "./DetailPanel.module.css";
import { Payload } from "./Payload";
import { Times } from "./Times";
import { useLine } from "./useLine";

interface Props {
  api: Api;
  seq: number;
  /** The event as the feed has it, to show at once. */
  known: LedgerEvent | undefined;
  onTerm: (term: string) => void;
  onStep: (by: 1 | -1) => void;
  onOpen: (seq: number) => void;
  onClose: () => void;
}

export function DetailPanel({ api, seq, known, onTerm, onStep, onOpen, onClose }: Props) {
  const line = useLine(api, seq);
  const event = line.event ?? known;
  return (
    <div className={classes.panel}>
      <header className={classes.head}>
        <span className={classes.seq}>#{grouped(seq)}</span>
        <span className={classes.grow} />
        <PanelButton label="Newer event (k)" onClick={() => onStep(-1)} icon={<IconChevronUp size={17} />} />
        <PanelButton label="Older event (j)" onClick={() => onStep(1)} icon={<IconChevronDown size={17} />} />
        <PanelButton label="Close (Esc)" onClick={onClose} icon={<IconX size={17} />} />
      </header>
      <div className={classes.body}>
        {event ? (
          <>
            <Head event={event} />
            <Times event={event} />
            <Chips event={event} onTerm={onTerm} onOpen={onOpen} />
            <Payload key={`data-${seq}`} name="data" value={line.exact?.data ?? event.data} onTerm={onTerm} />
            <Payload key={`ext-${seq}`} name="ext" value={line.exact?.ext ?? event.ext} onTerm={onTerm} />
            <Envelope event={event} raw={line.raw} />
          </>
        ) : (
          <p className={classes.none} role="status">
            {line.state === "missing"
              ? "There is no such event here: it was removed, it is still to come, or this login may not see it."
              : "Reading…"}
          </p>
        )}
      </div>
    </div>
  );
}

function Head({ event }: { event: LedgerEvent }) {
  return (
    <div className={classes.title}>
      <h2>
        <EventIcon type={event.type} size={18} /> {event.type}
      </h2>
      <p>
        <span className={classes.level} style={{ color: levelColour(event.level) }}>
          <LevelMark level={event.level} /> {event.level}
        </span>
        <Summary event={event} />
      </p>
    </div>
  );
}

/** What the ledger itself knows of the line, and the line to take away. */
function Envelope({ event, raw }: { event: LedgerEvent; raw: string | null }) {
  const facts: [string, string | undefined][] = [
    ["id", event.id],
    ["dialect", event.dialect],
    ["backfill", event.backfill ? "yes" : undefined],
    ["checksum", event.crc],
  ];
  return (
    <div className={classes.envelope}>
      <dl>
        {facts.map(
          ([name, value]) =>
            value && (
              <div key={name}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ),
        )}
      </dl>
      <CopyButton value={raw ?? JSON.stringify(event)}>
        {({ copied, copy }) => (
          <Button
            variant="default"
            size="xs"
            leftSection={copied ? <IconCheck size={14} /> : <IconCopy size={14} />}
            onClick={copy}
          >
            {copied ? "Copied" : "Copy the whole event"}
          </Button>
        )}
      </CopyButton>
    </div>
  );
}

function PanelButton({
  label,
  icon,
  onClick,
}: {
  label: string;
  icon: React.ReactNode;
  onClick: () => void;
}) {
  return (
    <Tooltip label={label} openDelay={400}>
      <ActionIcon variant="subtle" color="gray" aria-label={label} onClick={onClick}>
        {icon}
      </ActionIcon>
    </Tooltip>
  );
}
