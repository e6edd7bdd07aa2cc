/** A few lines of a file to copy. */
import { ActionIcon, CopyButton } from "@mantine/core";
import { IconCheck, IconCopy } from "@tabler/icons-react";
import classes from "./CopyBlock.module.css";

export function CopyBlock({ text, name }: { text: string; name: string }) {
  return (
    <div className={classes.block}>
      <pre>{text}</pre>
      <CopyButton value={`${text}\n`}>
        {({ copied, copy }) => (
          <ActionIcon
            variant="subtle"
            color="gray"
            size="sm"
            aria-label={copied ? "Copied" : `Copy ${name}`}
            onClick={copy}
          >
            {copied ? <IconCheck size={14} /> : <IconCopy size={14} />}
          </ActionIcon>
        )}
      </CopyButton>
    </div>
  );
}
