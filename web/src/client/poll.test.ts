// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "./api";
import { Poll } from "./poll";

let hidden = false;
let asked = 0;
let answers: (number | Error)[] = [];
/** Answers what is next in line, else how often it was asked. */
const question = async (): Promise<number> => {
  asked++;
  const next = answers.shift() ?? asked;
  if (next instanceof Error) throw next;
  return next;
};
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers();
  hidden = false;
  asked = 0;
  answers = [];
  vi.spyOn(document, "hidden", "get").mockImplementation(() => hidden);
});
afterEach(() => vi.restoreAllMocks());

function started(everyMs = 10_000): Poll<number> {
  const poll = new Poll(question, everyMs, 400, (run) => run());
  poll.start();
  return poll;
}

describe("a poll", () => {
  it("asks at once, then at its pace, and not any more once stopped", async () => {
    const poll = started();
    await pass(0);
    expect(poll.get().answer).toBe(1);
    await pass(20_000);
    expect(asked).toBe(3);
    poll.stop();
    poll.nudge();
    await pass(60_000);
    expect(asked).toBe(3);
  });

  it("asks soon after a nudge, and once for a burst of them", async () => {
    const poll = started();
    await pass(5_000);
    for (let i = 0; i < 50; i++) poll.nudge();
    await pass(500);
    expect(asked).toBe(2);
    for (let i = 0; i < 100; i++) {
      poll.nudge();
      await pass(10);
    }
    expect(asked).toBeLessThanOrEqual(5);
    expect(asked).toBeGreaterThanOrEqual(4);
  });

  it("asks once more when it is nudged while an answer is on its way", async () => {
    let answer: (value: number) => void = () => {};
    const poll = new Poll(
      () => {
        asked++;
        return new Promise<number>((resolve) => {
          answer = resolve;
        });
      },
      10_000,
      400,
      (run) => run(),
    );
    poll.start();
    poll.nudge();
    await pass(2_000);
    expect(asked).toBe(1);
    answer(7);
    await pass(500);
    expect([poll.get().answer, asked]).toEqual([7, 2]);
  });

  it("keeps the last answer with the reason why there is no newer one, until there is", async () => {
    const poll = started();
    await pass(0);
    const { at } = poll.get();
    answers = [new TypeError("fetch failed"), new ApiError(503, "busy", "come back later")];
    await pass(10_000);
    expect(poll.get()).toMatchObject({ answer: 1, at, problem: { status: 0, code: "away" } });
    await pass(10_000);
    expect(poll.get()).toMatchObject({ answer: 1, at, problem: { code: "busy" } });
    await pass(10_000);
    expect(poll.get()).toMatchObject({ answer: 4, problem: null });
  });

  it("does not insist where it was told no", async () => {
    answers = [new ApiError(403, "forbidden", "bound")];
    const poll = started();
    await pass(120_000);
    expect(asked).toBe(1);
    poll.start();
    await pass(0);
    expect(poll.get()).toMatchObject({ answer: 2, problem: null });
  });

  it("rests while nobody can see it, and asks when somebody looks again", async () => {
    started();
    await pass(0);
    hidden = true;
    await pass(60_000);
    expect(asked).toBe(1);
    hidden = false;
    document.dispatchEvent(new Event("visibilitychange"));
    await pass(500);
    expect(asked).toBe(2);
  });

  it("asks at once where it shall be quicker", async () => {
    const poll = started(60_000);
    await pass(1_000);
    poll.pace(2_000);
    await pass(0);
    expect(asked).toBe(2);
    await pass(4_000);
    expect(asked).toBe(4);
  });
});
