/** The connection in words: always the truth, and never more alarming than it. */
import type { Phase } from "../../client/stream";
import { grouped } from "../../events/clock";

export type Mood = "good" | "busy" | "bad";

export interface Description {
  mood: Mood;
  /** Two or three words. */
  title: string;
  /** The figure that goes with them, if any. It may change every second. */
  figure: string;
}

export function describe(phase: Phase, toGo: number, now: number): Description {
  switch (phase.is) {
    case "connecting":
      return phase.attempt === 0
        ? { mood: "busy", title: "connecting", figure: "" }
        : { mood: "bad", title: "reconnecting", figure: `attempt ${phase.attempt + 1}` };
    case "ready":
      return { mood: "busy", title: "connected", figure: "" };
    case "catching_up":
      return { mood: "busy", title: "catching up", figure: toGo > 0 ? `${grouped(toGo)} to go` : "" };
    case "behind":
      return { mood: "busy", title: "fell behind", figure: grouped(Math.max(phase.lag, toGo)) };
    case "live":
      return { mood: "good", title: "live", figure: "" };
    case "closing":
      return { mood: "bad", title: "server is closing", figure: "" };
    case "waiting": {
      const seconds = Math.max(0, Math.ceil((phase.at - now) / 1000));
      const tries = phase.attempt > 1 ? ` (attempt ${phase.attempt})` : "";
      return {
        mood: "bad",
        title: phase.stopped ? "server stopped" : "reconnecting",
        figure: `${phase.stopped ? "retry " : ""}in ${seconds} s${tries}`,
      };
    }
    case "refused":
      return { mood: "bad", title: "not logged in", figure: "" };
  }
}
