/**
 * A JSON value as a tree: arrows walk it, `c` copies the value, `p` its path, `f` filters by it.
 *
 * One stop for the Tab key; the row it stands on also has its actions as buttons below.
 */
import { IconChevronRight } from "@tabler/icons-react";
import { useMemo, useRef, useState } from "react";
import { ExactNumber } from "../client/exact";
import classes from "./JsonTree.module.css";
import { flatten, isOpen, type TreeNode } from "./tree";

interface Props {
  value: unknown;
  label: string;
  /** The row the keyboard stands on, by its id; `null` is none yet. */
  active: string | null;
  onActive: (node: TreeNode) => void;
  onAction: (action: TreeAction, node: TreeNode) => void;
}

export type TreeAction = "copy-value" | "copy-path" | "filter";

const ACTION_KEYS: Record<string, TreeAction> = { c: "copy-value", p: "copy-path", f: "filter" };

export function JsonTree({ value, label, active, onActive, onAction }: Props) {
  const [changed, setChanged] = useState<ReadonlySet<string>>(new Set());
  const rows = useMemo(() => flatten(value, changed), [value, changed]);
  const tree = useRef<HTMLDivElement>(null);
  const activeIndex = rows.findIndex(({ id }) => id === active);
  // Somebody has to have the tab stop.
  const stop = Math.max(0, activeIndex);

  const toggle = (node: TreeNode) => {
    const next = new Set(changed);
    if (!next.delete(node.id)) next.add(node.id);
    setChanged(next);
  };
  const go = (index: number) => {
    const node = rows[Math.min(rows.length - 1, Math.max(0, index))];
    if (!node) return;
    onActive(node);
    tree.current?.querySelector<HTMLElement>(`[data-row="${rows.indexOf(node)}"]`)?.focus();
  };
  const onKey = (event: React.KeyboardEvent) => {
    const node = rows[stop];
    if (!node || event.metaKey || event.ctrlKey || event.altKey) return;
    const opened = isOpen(node, changed);
    const action = ACTION_KEYS[event.key];
    if (event.key === "ArrowDown") go(stop + 1);
    else if (event.key === "ArrowUp") go(stop - 1);
    else if (event.key === "Home") go(0);
    else if (event.key === "End") go(rows.length - 1);
    else if (event.key === "ArrowRight" && opened) go(stop + 1);
    else if (event.key === "ArrowRight") node.size && toggle(node);
    else if (event.key === "ArrowLeft" && opened) toggle(node);
    else if (event.key === "ArrowLeft") go(parentIndex(rows, stop));
    else if (event.key === "Enter" && !node.size) onAction("filter", node);
    else if (event.key === "Enter" || event.key === " ") node.size && toggle(node);
    else if (action) onAction(action, node);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div ref={tree} role="tree" aria-label={label} className={classes.tree} onKeyDown={onKey}>
      {rows.map((node, index) => (
        // biome-ignore lint/a11y/useKeyWithClickEvents: the tree handles the keys of all its rows
        <div
          key={node.id}
          role="treeitem"
          aria-level={node.depth + 1}
          aria-posinset={node.position}
          aria-setsize={node.siblings}
          aria-expanded={node.size ? isOpen(node, changed) : undefined}
          aria-selected={index === activeIndex}
          tabIndex={index === stop ? 0 : -1}
          data-row={index}
          className={classes.row}
          style={{ paddingLeft: 6 + node.depth * 16 }}
          onClick={() => {
            onActive(node);
            if (node.size) toggle(node);
          }}
          onFocus={() => index !== activeIndex && onActive(node)}
        >
          <IconChevronRight
            size={12}
            aria-hidden="true"
            className={classes.chevron}
            data-open={isOpen(node, changed) || undefined}
            data-leaf={!node.size || undefined}
          />
          {node.path.length > 0 && <span className={classes.key}>{node.name}</span>}
          <Value node={node} open={isOpen(node, changed)} />
          {node.more > 0 && (
            <span className={classes.more}>… and {node.more} more; copy the event to see them</span>
          )}
        </div>
      ))}
    </div>
  );
}

function Value({ node, open }: { node: TreeNode; open: boolean }) {
  const { value, size, isArray } = node;
  if (size !== null) {
    if (open) return <span className={classes.size}>{isArray ? `[${size}]` : ""}</span>;
    if (size === 0) return <span className={classes.size}>{isArray ? "[ ]" : "{ }"}</span>;
    return <span className={classes.size}>{isArray ? `[ ${size} ]` : `{ ${size} }`}</span>;
  }
  if (typeof value === "string") return <span className={classes.string}>{value === "" ? '""' : value}</span>;
  const kind = value instanceof ExactNumber || typeof value === "number" ? classes.number : classes.word;
  return <span className={kind}>{String(value)}</span>;
}

function parentIndex(rows: TreeNode[], index: number): number {
  const depth = rows[index]?.depth ?? 0;
  for (let i = index - 1; i >= 0; i--) if ((rows[i]?.depth ?? 0) < depth) return i;
  return index;
}
