/** Who is being watched, how far the ledger is, how fast it grows, and whether we still hear it. */
import { ActionIcon, Tooltip, useMantineColorScheme } from "@mantine/core";
import { IconDeviceDesktop, IconKeyboard, IconMoon, IconSun } from "@tabler/icons-react";
import { isOpen } from "../client/stream";
import { grouped, rate } from "../events/clock";
import { ConnectionBadge } from "../features/connection/ConnectionBadge";
import { useSignal } from "../ui/useSignal";
import type { Desk } from "./desk";
import classes from "./Header.module.css";

interface Props {
  desk: Desk;
  /** The way between the views, where there is room for it here. */
  nav: React.ReactNode;
  onHelp: () => void;
}

export function Header({ desk, nav, onHelp }: Props) {
  const stream = useSignal(desk.session.stream);
  const { metrics, status } = useSignal(desk.vitals);
  const head = Math.max(stream.head, stream.cursor ?? 0, metrics?.head ?? 0);
  const folder = status?.watch?.[0]?.folder ?? status?.data;
  return (
    <header className={classes.header}>
      <h1 className={classes.name}>
        <img src="/kymo.svg" alt="" width={22} height={22} /> <span>Kymo</span>
      </h1>
      {nav}
      {folder && (
        <span className={classes.folder} title={folder}>
          <bdi>{folder}</bdi>
        </span>
      )}
      <span className={classes.grow} />
      <dl className={classes.facts}>
        <Fact name="head" value={grouped(head)} />
        <Fact name="events/s" value={metrics && isOpen(stream) ? rate(metrics.per_second) : "–"} />
        <Fact name="ledger" value={stream.ledger?.slice(0, 8) ?? "–"} title={stream.ledger ?? undefined} />
      </dl>
      <ConnectionBadge stream={desk.session.stream} />
      <SchemeSwitch />
      <Tooltip label="Keyboard (?)" openDelay={400}>
        <ActionIcon
          className={classes.keyboard}
          variant="subtle"
          color="gray"
          aria-label="Keyboard shortcuts"
          onClick={onHelp}
        >
          <IconKeyboard size={18} stroke={1.6} />
        </ActionIcon>
      </Tooltip>
    </header>
  );
}

function Fact({ name, value, title }: { name: string; value: string; title?: string | undefined }) {
  return (
    <div title={title} data-fact={name}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

const SCHEMES = { auto: IconDeviceDesktop, light: IconSun, dark: IconMoon } as const;
const NEXT = { auto: "light", light: "dark", dark: "auto" } as const;

function SchemeSwitch() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const Icon = SCHEMES[colorScheme];
  const label = `Colours: ${colorScheme}. Change to ${NEXT[colorScheme]}`;
  return (
    <Tooltip label={label} openDelay={400}>
      <ActionIcon
        variant="subtle"
        color="gray"
        aria-label={label}
        onClick={() => setColorScheme(NEXT[colorScheme])}
        data-testid="scheme"
      >
        <Icon size={18} stroke={1.6} />
      </ActionIcon>
    </Tooltip>
  );
}
