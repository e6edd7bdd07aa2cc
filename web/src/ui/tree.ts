/** The rows of a JSON tree, flattened: what is open decides which there are. */
import { ExactNumber } from "../client/exact";

export interface TreeNode {
  /** Keys from the root; the root itself is `[]`. */
  path: string[];
  /** The same without places in arrays: what a filter looks for is found in any of their elements. */
  keys: string[];
  /** Identity of the node within its tree. */
  id: string;
  name: string;
  value: unknown;
  depth: number;
  /** Entries of an object or array; `null` for a leaf. */
  size: number | null;
  isArray: boolean;
  /** Place among its siblings, from 1, for assistive technology. */
  position: number;
  siblings: number;
  /** Children that are not listed because there are too many. */
  more: number;
}

export const CHILDREN_MAX = 200;

/** What is open when nobody said otherwise: the first levels, unless they are long. */
export const openAtFirst = (node: TreeNode): boolean =>
  node.size !== null && node.size > 0 && node.depth < 3 && node.size <= 40;

/** `changed` holds the ids whose state differs from {@link openAtFirst}. */
export function isOpen(node: TreeNode, changed: ReadonlySet<string>): boolean {
  return node.size !== null && node.size > 0 && openAtFirst(node) !== changed.has(node.id);
}

export function flatten(root: unknown, changed: ReadonlySet<string>): TreeNode[] {
  const rows: TreeNode[] = [];
  const visit = (value: unknown, parent: TreeNode | null) => {
    const children = entries(value);
    children.slice(0, CHILDREN_MAX).forEach(([name, child], index) => {
      const path = [...(parent?.path ?? []), name];
      const keys = [...(parent?.keys ?? []), ...(Array.isArray(value) ? [] : [name])];
      const node = nodeOf(path, keys, child, index + 1, children.length);
      rows.push(node);
      if (isOpen(node, changed)) visit(child, node);
    });
    const left = children.length - CHILDREN_MAX;
    const last = rows.at(-1);
    if (left > 0 && last) rows[rows.length - 1] = { ...last, more: left };
  };
  if (entries(root).length > 0) visit(root, null);
  else rows.push(nodeOf([], [], root, 1, 1));
  return rows;
}

function nodeOf(
  path: string[],
  keys: string[],
  value: unknown,
  position: number,
  siblings: number,
): TreeNode {
  const isLeaf = typeof value !== "object" || value === null || value instanceof ExactNumber;
  return {
    path,
    keys,
    id: JSON.stringify(path),
    name: path.at(-1) ?? "",
    value,
    depth: Math.max(0, path.length - 1),
    size: isLeaf ? null : entries(value).length,
    isArray: Array.isArray(value),
    position,
    siblings,
    more: 0,
  };
}

function entries(value: unknown): [string, unknown][] {
  if (typeof value !== "object" || value === null || value instanceof ExactNumber) return [];
  return Object.entries(value);
}

/** The text of a value, as JSON; a string at the leaf as it is. */
export function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  return toJson(value, 2);
}

/** JSON with every number as it was written. */
export function toJson(value: unknown, indent = 0, inset = ""): string {
  if (value instanceof ExactNumber) return value.source;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const deeper = inset + " ".repeat(indent);
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  const items = entries(value).map(([key, child]) => {
    const name = Array.isArray(value) ? "" : `${JSON.stringify(key)}:${indent > 0 ? " " : ""}`;
    return name + toJson(child, indent, deeper);
  });
  if (items.length === 0) return `${open}${close}`;
  if (indent === 0) return `${open}${items.join(",")}${close}`;
  return `${open}\n${deeper}${items.join(`,\n${deeper}`)}\n${inset}${close}`;
}

/** A path as people write it: `data.items.0.name`. */
export const pathText = (path: readonly string[]): string => path.join(".");
