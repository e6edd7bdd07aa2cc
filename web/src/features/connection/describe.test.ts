import { expect, it } from "vitest";
import type { Phase } from "../../client/stream";
import { describe as inWords } from "./describe";

const words = (phase: Phase, toGo = 0) => {
  const { title, figure } = inWords(phase, toGo, 1000);
  return `${title} ${figure}`.trim();
};

it("every state of the connection is said as it is", () => {
  expect(words({ is: "connecting", attempt: 0 })).toBe("connecting");
  expect(words({ is: "connecting", attempt: 2 })).toBe("reconnecting attempt 3");
  expect(words({ is: "live" })).toBe("live");
  expect(words({ is: "catching_up" }, 1204)).toBe("catching up 1\u202f204 to go");
  expect(words({ is: "behind", lag: 5000 })).toBe("fell behind 5\u202f000");
  expect(words({ is: "closing" })).toBe("server is closing");
  expect(words({ is: "waiting", attempt: 1, at: 3500, stopped: false })).toBe("reconnecting in 3 s");
  expect(words({ is: "waiting", attempt: 1, at: 3500, stopped: true })).toBe("server stopped retry in 3 s");
  expect(words({ is: "waiting", attempt: 4, at: 900, stopped: false })).toBe(
    "reconnecting in 0 s (attempt 4)",
  );
  expect(words({ is: "refused" })).toBe("not logged in");
});
