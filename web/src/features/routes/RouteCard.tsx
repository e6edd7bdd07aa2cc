/** One route: what it makes of what, how it runs, and what went wrong. */
import { ActionIcon, Button, Tooltip } from "@mantine/core";
import { IconArrowRight, IconListSearch, IconPencil, IconTrash } from "@tabler/icons-react";
import { useState } from "react";
import { lagEvents } from "../../bridges/health";
import { LastError } from "../../bridges/LastError";
import { StateWord } from "../../bridges/StateWord";
import type { Bridge, Route } from "../../client/wire";
import { grouped } from "../../events/clock";
import { term } from "../../events/filters";
import { Mark } from "../../ui/Mark";
import { toJson } from "../../ui/tree";
import classes from "./Routes.module.css";

interface Props {
  route: Route;
  bridge: Bridge | undefined;
  now: number;
  mayChange: boolean;
  isOpen: boolean;
  onChange: (name: string) => void;
  onRemove: (name: string) => Promise<string | null>;
  onFilter: (filter: string) => void;
}

export function RouteCard({ route, bridge, now, mayChange, isOpen, onChange, onRemove, onFilter }: Props) {
  const { name, origin, when, emit } = route;
  const [asking, setAsking] = useState(false);
  return (
    <li className={classes.card} data-route={name} data-open={isOpen || undefined}>
      <div className={classes.top}>
        <h3>{name}</h3>
        <span className={classes.origin}>{origin === "settings" ? "kymo.toml" : "made here"}</span>
        <span className={classes.grow} />
        {bridge ? (
          <StateWord bridge={bridge} now={now} />
        ) : (
          <span className={classes.rests}>
            <Mark shape="square" tone="off" /> {route.enabled ? "not running yet" : "at rest"}
          </span>
        )}
        <Act
          label={`Events about route ${name}`}
          icon={<IconListSearch size={17} stroke={1.6} />}
          onClick={() =>
            onFilter(["type:kymo.bridge.*", term("data.bridge", name), "data.direction:route"].join(" "))
          }
        />
        {mayChange && (
          <>
            <Act
              label={`Change ${name}`}
              icon={<IconPencil size={17} stroke={1.6} />}
              onClick={() => onChange(name)}
            />
            <Act
              label={`Remove ${name}`}
              icon={<IconTrash size={17} stroke={1.6} />}
              onClick={() => setAsking(true)}
            />
          </>
        )}
      </div>
      <p className={classes.rule}>
        <code>{when || "every event"}</code>
        <IconArrowRight size={15} stroke={1.8} aria-label="becomes" />
        <code data-strong>{emit.type}</code>
      </p>
      {asking && <Removal name={name} onRemove={onRemove} onKeep={() => setAsking(false)} />}
      {bridge && (
        <dl className={classes.figures}>
          <Figure name="derived" value={grouped(bridge.events)} />
          <Figure name="behind" value={lagEvents(bridge) ?? "–"} />
          <Figure name="refused" value={grouped(bridge.refused)} alarming={bridge.refused > 0} />
          <Figure name="repeats" value={grouped(bridge.repeats)} />
          <Figure name="skipped" value={grouped(bridge.skipped)} />
        </dl>
      )}
      {bridge && <LastError bridge={bridge} now={now} />}
      <details className={classes.template}>
        <summary>What it emits</summary>
        <pre>{toJson(emit, 2)}</pre>
      </details>
    </li>
  );
}

interface RemovalProps {
  name: string;
  onRemove: (name: string) => Promise<string | null>;
  onKeep: () => void;
}

function Removal({ name, onRemove, onKeep }: RemovalProps) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const remove = async () => {
    setBusy(true);
    setProblem(await onRemove(name));
    setBusy(false);
  };
  return (
    <div className={classes.removal} role="alertdialog" aria-label={`Remove ${name}?`}>
      <span>{problem ?? "Remove it? What it derived stays."}</span>
      <Button
        size="compact-sm"
        color="red"
        variant="light"
        loading={busy}
        autoFocus
        onClick={() => void remove()}
      >
        Remove
      </Button>
      <Button size="compact-sm" variant="subtle" color="gray" onClick={onKeep}>
        Keep
      </Button>
    </div>
  );
}

function Figure({ name, value, alarming }: { name: string; value: string; alarming?: boolean }) {
  return (
    <div data-figure={name} data-alarming={alarming || undefined}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function Act({ label, icon, onClick }: { label: string; icon: React.ReactNode; onClick: () => void }) {
  return (
    <Tooltip label={label} openDelay={400}>
      <ActionIcon variant="subtle" color="gray" aria-label={label} onClick={onClick}>
        {icon}
      </ActionIcon>
    </Tooltip>
  );
}
