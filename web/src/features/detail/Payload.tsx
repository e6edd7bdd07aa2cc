/** `data` or `ext` as a tree, with what can be done with the row one stands on. */
import { Button } from "@mantine/core";
import { useClipboard } from "@mantine/hooks";
import { IconCheck, IconCopy, IconFilterMinus, IconFilterPlus } from "@tabler/icons-react";
import { useState } from "react";
import { ExactNumber } from "../../client/exact";
import type { Json } from "../../client/wire";
import { pathKey, term } from "../../events/filters";
import { JsonTree, type TreeAction } from "../../ui/JsonTree";
import { pathText, type TreeNode, textOf } from "../../ui/tree";
import classes from "./DetailPanel.module.css";

interface Props {
  name: "data" | "ext";
  value: unknown;
  onTerm: (term: string) => void;
}

export function Payload({ name, value, onTerm }: Props) {
  const [active, setActive] = useState<TreeNode | null>(null);
  const clipboard = useClipboard({ timeout: 1200 });
  if (value === undefined) return null;
  const act = (action: TreeAction, node: TreeNode) => {
    const wanted = termOf(name, node);
    if (action === "copy-value") clipboard.copy(textOf(node.value));
    else if (action === "copy-path") clipboard.copy(pathText([name, ...node.path]));
    else if (wanted) onTerm(wanted);
  };
  const wanted = active && termOf(name, active);
  return (
    <section className={classes.payload} aria-label={name}>
      <h3>{name}</h3>
      <JsonTree value={value} label={name} active={active?.id ?? null} onActive={setActive} onAction={act} />
      {active && (
        <div className={classes.actions}>
          <code>{pathText([name, ...active.path])}</code>
          <div>
            <Action label="Value" done={clipboard.copied} onClick={() => act("copy-value", active)} />
            <Action label="Path" done={clipboard.copied} onClick={() => act("copy-path", active)} />
            {wanted && (
              <>
                <Button
                  size="compact-xs"
                  variant="light"
                  leftSection={<IconFilterPlus size={13} />}
                  onClick={() => onTerm(wanted)}
                >
                  Only this
                </Button>
                <Button
                  size="compact-xs"
                  variant="subtle"
                  color="gray"
                  leftSection={<IconFilterMinus size={13} />}
                  onClick={() => onTerm(`-${wanted}`)}
                >
                  Without
                </Button>
              </>
            )}
          </div>
        </div>
      )}
    </section>
  );
}

function Action({ label, done, onClick }: { label: string; done: boolean; onClick: () => void }) {
  return (
    <Button
      size="compact-xs"
      variant="subtle"
      color="gray"
      aria-label={`Copy ${label.toLowerCase()}`}
      leftSection={done ? <IconCheck size={13} /> : <IconCopy size={13} />}
      onClick={onClick}
    >
      {label}
    </Button>
  );
}

/** The filter term of a row: its value if it has one, else that there is something. */
function termOf(name: string, node: TreeNode): string | null {
  if (node.keys.length === 0) return null;
  const key = pathKey([name, ...node.keys]);
  if (node.size !== null) return `${key}:*`;
  return term(key, node.value instanceof ExactNumber ? Number(node.value.source) : (node.value as Json));
}
