/** Reads the line of an event from the ledger, byte for byte. */
import { useEffect, useState } from "react";
import type { Api } from "../../client/api";
import { parseExact } from "../../client/exact";
import type { LedgerEvent } from "../../client/wire";

export interface Line {
  state: "reading" | "read" | "missing";
  raw: string | null;
  event: LedgerEvent | undefined;
  /** The same with every number as it was written. */
  exact: { data?: unknown; ext?: unknown } | undefined;
}

const NOTHING: Line = { state: "reading", raw: null, event: undefined, exact: undefined };

export function useLine(api: Api, seq: number): Line {
  const [line, setLine] = useState<{ seq: number; line: Line }>({ seq, line: NOTHING });
  useEffect(() => {
    const asked = new AbortController();
    api
      .line(seq, asked.signal)
      .then((raw) => raw && { raw, event: JSON.parse(raw), exact: parseExact(raw) as Line["exact"] })
      .catch(() => null)
      .then((read) => {
        if (asked.signal.aborted) return;
        setLine({ seq, line: read ? { state: "read", ...read } : { ...NOTHING, state: "missing" } });
      });
    return () => asked.abort();
  }, [api, seq]);
  return line.seq === seq ? line.line : NOTHING;
}
