/** What is wrong with the filter, in the server's words, with the place marked. */
import { IconAlertTriangle } from "@tabler/icons-react";
import type { Problem } from "../../client/session";
import classes from "./FilterBox.module.css";

interface Props {
  id: string;
  filter: string;
  problem: Problem;
}

export function FilterProblem({ id, filter, problem }: Props) {
  return (
    <div id={id} className={classes.problem} role="alert">
      <IconAlertTriangle size={15} aria-hidden="true" />
      <div>
        {problem.at !== undefined && <Marked text={filter} at={problem.at} />}
        <span>{problem.message}</span>
      </div>
    </div>
  );
}

/** The text with one character marked; positions count characters as people do, not UTF-16 units. */
function Marked({ text, at }: { text: string; at: number }) {
  const characters = [...text];
  return (
    <code className={classes.marked}>
      {characters.slice(0, at).join("")}
      <mark>{characters[at] ?? " "}</mark>
      {characters.slice(at + 1).join("")}
    </code>
  );
}
