/** Asks where to go: a seq, a time, or how long ago. */
import { Button, Modal, TextInput } from "@mantine/core";
import { useEffect, useState } from "react";
import { parseMoment } from "../events/clock";
import classes from "./App.module.css";

interface Props {
  opened: boolean;
  onClose: () => void;
  onJump: (at: string) => void;
}

export function JumpDialog({ opened, onClose, onJump }: Props) {
  const [text, setText] = useState("");
  const [wrong, setWrong] = useState(false);
  useEffect(() => {
    if (opened) setWrong(false);
  }, [opened]);

  const go = () => {
    const at = parseMoment(text, Date.now());
    if (at === null) return setWrong(true);
    onClose();
    onJump(at);
  };
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title="Go to"
      centered
      size="sm"
      returnFocus={false}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      <form
        className={classes.jump}
        onSubmit={(event) => {
          event.preventDefault();
          go();
        }}
      >
        <TextInput
          data-autofocus
          aria-label="Seq or time"
          placeholder="18442 · 14:03 · -5m · 2026-02-14 19:01"
          value={text}
          error={wrong ? "Neither a seq nor a time. Try 18442, 14:03, -5m or 2026-02-14 19:01." : undefined}
          onChange={(event) => {
            setText(event.currentTarget.value);
            setWrong(false);
          }}
        />
        <Button type="submit">Go</Button>
      </form>
    </Modal>
  );
}
