/** Writes a route: tried on the newest event it is for before it is kept, and told at its place what is wrong with it. */
import { ActionIcon, Button, Checkbox, Textarea, TextInput } from "@mantine/core";
import { IconAlertTriangle, IconPlayerPlay, IconX } from "@tabler/icons-react";
import { useRef, useState } from "react";
import type { Route, TriedRoute } from "../../client/wire";
import { bodyOf, type Draft, draftOf, ENVELOPE, type Fault, messageAt, nameFault } from "./draft";
import classes from "./RouteEditor.module.css";
import { Tried } from "./Tried";

/** What the server said to something that was sent: its answer, or what is wrong; `key` is empty where it is no one part. */
export type Outcome<T> = { answer: T } | { fault: Fault };

interface Props {
  /** The route that is changed; `null` is a new one. */
  route: Route | null;
  /** Names that are given away. */
  taken: readonly string[];
  onTry: (body: string) => Promise<Outcome<TriedRoute>>;
  /** Keeps it, and closes the editor unless something is wrong. */
  onSave: (name: string, body: string) => Promise<Outcome<unknown>>;
  onClose: () => void;
}

export function RouteEditor({ route, taken, onTry, onSave, onClose }: Props) {
  const [before] = useState(() => draftOf(route));
  const [draft, setDraft] = useState(before);
  const [fault, setFault] = useState<Fault | null>(null);
  const [tried, setTried] = useState<TriedRoute | null>(null);
  const [busy, setBusy] = useState<"try" | "save" | null>(null);
  const form = useRef<HTMLFormElement>(null);

  const edit = (change: Partial<Draft>) => {
    setDraft((now) => ({ ...now, ...change }));
    setTried(null);
    setFault(null);
  };
  const blame = (found: Fault) => {
    setFault(found);
    form.current?.querySelector<HTMLElement>(`[name="${CSS.escape(found.key)}"]`)?.focus();
  };
  const send = async <T,>(what: "try" | "save", ask: (body: string) => Promise<Outcome<T>>) => {
    const body = bodyOf(draft);
    if (typeof body !== "string") return blame(body);
    setBusy(what);
    setFault(null);
    const outcome = await ask(body);
    setBusy(null);
    if ("fault" in outcome) return blame(outcome.fault);
    return outcome.answer;
  };
  const tryOut = async () => setTried((await send("try", onTry)) ?? null);
  const save = async () => {
    const wrong = route === null ? nameFault(draft.name, taken) : null;
    if (wrong) return blame(wrong);
    await send("save", (body) => onSave(draft.name, body));
  };
  const isChanged = JSON.stringify(draft) !== JSON.stringify(before);

  /** What a field has in common with every other. */
  const field = (key: string, name: keyof Draft) => ({
    name: key,
    value: draft[name] as string,
    error: fault?.key === key ? messageAt(fault) : undefined,
    spellCheck: false,
    autoComplete: "off",
    onChange: (event: React.ChangeEvent<HTMLInputElement | HTMLTextAreaElement>) =>
      edit({ [name]: event.currentTarget.value }),
  });

  return (
    <form
      ref={form}
      className={classes.editor}
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
      onKeyDown={(event) => {
        // What was typed is not thrown away by a key.
        if (event.key === "Escape") !isChanged && onClose();
        else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void tryOut();
        else return;
        event.preventDefault();
        event.stopPropagation();
      }}
    >
      <header className={classes.head}>
        <h2>{route === null ? "New route" : `Change ${route.name}`}</h2>
        <ActionIcon variant="subtle" color="gray" aria-label="Close" onClick={onClose}>
          <IconX size={17} />
        </ActionIcon>
      </header>
      <div className={classes.body}>
        {route === null && (
          <TextInput {...field("name", "name")} label="Name" placeholder="slow-tools" autoFocus />
        )}
        <TextInput
          {...field("when", "when")}
          classNames={{ input: classes.mono }}
          label="When"
          description="a filter of the events it is for"
          placeholder="type:tool.completed data.ms:>5000"
          autoFocus={route !== null}
        />
        <fieldset className={classes.emit}>
          <legend>Then store an event with</legend>
          <TextInput
            {...field("emit.type", "type")}
            classNames={{ input: classes.mono }}
            label="type"
            placeholder="tool.slow"
          />
          <Textarea
            {...field("emit.data", "data")}
            classNames={{ input: classes.mono }}
            label="data"
            description={
              <>
                JSON; strings may hold expressions over the original such as <code>{"{{ data.ms }}"}</code>
              </>
            }
            placeholder={'{ "ms": "{{ data.ms }}" }'}
            autosize
            minRows={4}
            maxRows={16}
          />
          <div className={classes.keys}>
            {ENVELOPE.map((key) => (
              <TextInput
                key={key}
                {...field(`emit.${key}`, key)}
                classNames={{ input: classes.mono }}
                label={key}
                placeholder="as the original"
              />
            ))}
          </div>
        </fieldset>
        <Checkbox
          label="It runs"
          checked={draft.enabled}
          onChange={(event) => edit({ enabled: event.currentTarget.checked })}
        />
        <Checkbox
          label="Also for the imported past"
          checked={draft.backfill}
          onChange={(event) => edit({ backfill: event.currentTarget.checked })}
        />
        {fault !== null && !isPlaced(fault.key) && (
          <p className={classes.fault} role="alert">
            <IconAlertTriangle size={15} aria-hidden="true" /> {fault.message}
          </p>
        )}
        {tried && <Tried tried={tried} />}
      </div>
      <footer className={classes.foot}>
        <Button
          variant="default"
          size="sm"
          leftSection={<IconPlayerPlay size={15} />}
          loading={busy === "try"}
          title="Shows what it would make of the newest event it is for; nothing is stored (Ctrl Enter)"
          onClick={() => void tryOut()}
        >
          Try
        </Button>
        <span className={classes.grow} />
        <Button variant="subtle" color="gray" size="sm" onClick={onClose}>
          Cancel
        </Button>
        <Button type="submit" size="sm" loading={busy === "save"}>
          Save
        </Button>
      </footer>
    </form>
  );
}

const PLACES: readonly string[] = [
  "name",
  "when",
  "emit.type",
  "emit.data",
  ...ENVELOPE.map((key) => `emit.${key}`),
];

/** Whether there is a field for it. */
const isPlaced = (key: string): boolean => PLACES.includes(key);
