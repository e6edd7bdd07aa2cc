/** The filter box: the server's filter language, with what could come next below it and what is wrong under it. */
import { ActionIcon } from "@mantine/core";
import { IconFilter, IconX } from "@tabler/icons-react";
import { useEffect, useId, useMemo, useRef, useState } from "react";
import type { Problem } from "../../client/session";
import classes from "./FilterBox.module.css";
import { FilterProblem } from "./FilterProblem";
import { type Known, type Suggestion, suggest } from "./suggest";

interface Props {
  filter: string;
  problem: Problem | null;
  loading: boolean;
  known: Known;
  /** Called with what was typed; `settled` once the person said so, by Enter or a click. */
  onFilter: (filter: string, settled: boolean) => void;
  inputRef: React.RefObject<HTMLInputElement | null>;
}

const TYPING_MS = 450;

export function FilterBox({ filter, problem, loading, known, onFilter, inputRef }: Props) {
  const [text, setText] = useState(filter);
  const [caret, setCaret] = useState(filter.length);
  const [isOpen, setOpen] = useState(false);
  const [active, setActive] = useState(-1);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const listId = useId();
  const problemId = useId();

  // The address changed by other means (a chip, the back button): the box follows.
  useEffect(() => setText(filter), [filter]);
  useEffect(() => () => clearTimeout(timer.current), []);

  const suggestions = useMemo(
    () => (isOpen ? suggest(text, caret, known) : []),
    [isOpen, text, caret, known],
  );
  const shown = isOpen && suggestions.length > 0;

  const apply = (next: string) => {
    clearTimeout(timer.current);
    onFilter(next.trim(), true);
  };
  const type = (input: HTMLInputElement) => {
    setText(input.value);
    setCaret(input.selectionStart ?? input.value.length);
    setActive(-1);
    setOpen(true);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onFilter(input.value.trim(), false), TYPING_MS);
  };
  const take = (suggestion: Suggestion) => {
    setText(suggestion.filter);
    setCaret(suggestion.filter.length);
    setActive(-1);
    inputRef.current?.focus();
    // A key alone (`type:`) selects nothing yet: its values come next.
    if (/[:.]$/.test(suggestion.label)) return;
    setOpen(false);
    apply(suggestion.filter);
  };
  const onKey = (event: React.KeyboardEvent<HTMLInputElement>) => {
    const chosen = suggestions[active];
    if (event.key === "Enter") {
      if (shown && chosen) take(chosen);
      else {
        setOpen(false);
        apply(text);
      }
    } else if (event.key === "Escape") {
      if (shown) setOpen(false);
      else event.currentTarget.blur();
      event.stopPropagation();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!shown) return setOpen(true);
      const by = event.key === "ArrowDown" ? 1 : -1;
      setActive(
        (active + by + suggestions.length + (active === -1 && by === -1 ? 1 : 0)) % suggestions.length,
      );
    }
  };

  return (
    <div className={classes.box}>
      <div className={classes.field} data-problem={problem ? true : undefined}>
        <IconFilter
          size={15}
          className={classes.icon}
          aria-hidden="true"
          data-loading={loading || undefined}
        />
        <input
          ref={inputRef}
          className={classes.input}
          role="combobox"
          aria-label="Filter"
          aria-expanded={shown}
          aria-controls={listId}
          aria-activedescendant={shown && active >= 0 ? `${listId}-${active}` : undefined}
          aria-autocomplete="list"
          aria-invalid={problem !== null}
          aria-describedby={problem ? problemId : undefined}
          placeholder="Filter: level:>=warn  type:file.*  &quot;exact words&quot;"
          value={text}
          spellCheck={false}
          autoComplete="off"
          autoCapitalize="off"
          onChange={(event) => type(event.currentTarget)}
          onFocus={() => setOpen(true)}
          onBlur={() => setOpen(false)}
          onClick={() => setOpen(true)}
          onSelect={(event) => setCaret(event.currentTarget.selectionStart ?? text.length)}
          onKeyDown={onKey}
        />
        {text === "" ? (
          <kbd className={classes.key}>/</kbd>
        ) : (
          <ActionIcon
            variant="subtle"
            color="gray"
            size="sm"
            aria-label="Clear the filter"
            onClick={() => {
              setText("");
              apply("");
            }}
          >
            <IconX size={14} />
          </ActionIcon>
        )}
      </div>
      <div id={listId} role="listbox" aria-label="Suggestions" className={classes.list} hidden={!shown}>
        {suggestions.map((suggestion, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the box keeps the focus and handles the keys
          // biome-ignore lint/a11y/useFocusableInteractive: reached by aria-activedescendant
          <div
            key={suggestion.label}
            id={`${listId}-${index}`}
            role="option"
            aria-selected={index === active}
            className={classes.option}
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => take(suggestion)}
          >
            <code>{suggestion.label}</code>
            <span>{suggestion.about}</span>
          </div>
        ))}
      </div>
      {problem && <FilterProblem id={problemId} filter={filter} problem={problem} />}
    </div>
  );
}
