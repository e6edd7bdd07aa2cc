/** What a route would make of the newest event it is for. */
import { IconAlertTriangle } from "@tabler/icons-react";
import { useEffect, useRef } from "react";
import type { TriedRoute } from "../../client/wire";
import { grouped } from "../../events/clock";
import { toJson } from "../../ui/tree";
import classes from "./RouteEditor.module.css";

export function Tried({ tried: { event, derived, fault } }: { tried: TriedRoute }) {
  const result = useRef<HTMLElement>(null);
  useEffect(() => {
    // What it answers with is no clean-up.
    void result.current?.scrollIntoView({ block: "nearest" });
  }, []);
  if (event === null) {
    return (
      <p ref={result as React.RefObject<HTMLParagraphElement>} className={classes.nothing} role="status">
        No event in the ledger matches. It waits for the first one.
      </p>
    );
  }
  return (
    <section ref={result} className={classes.tried} aria-label="Result of the try">
      <p role="status">
        Of the newest match, #{grouped(event.seq)} <b>{event.type}</b>,{" "}
        {derived === null ? "nothing would be made:" : "this would be made; nothing was stored:"}
      </p>
      {fault !== null && (
        <p className={classes.fault}>
          <IconAlertTriangle size={15} aria-hidden="true" /> {fault}
        </p>
      )}
      {derived !== null && <pre data-derived>{toJson(withoutId(derived), 2)}</pre>}
      <details>
        <summary>The original</summary>
        <pre>{toJson(event, 2)}</pre>
      </details>
    </section>
  );
}

/** A try has an id of no event; what is stored will have one of its own. */
function withoutId(derived: unknown): unknown {
  const { id: _, ...made } = derived as { id?: string };
  return made;
}
