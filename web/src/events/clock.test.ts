import { describe, expect, it } from "vitest";
import { ago, bytes, dayOf, duration, forHowLong, grouped, parseMoment, rate, timeOfDay } from "./clock";

const noon = new Date(2026, 1, 14, 12, 0, 0).getTime();

describe("where somebody wants to go", () => {
  it("is a seq, however its digits are grouped", () => {
    expect(["18442", "#18442", "18 442", "18,442"].map((text) => parseMoment(text, noon))).toEqual(
      Array(4).fill("18442"),
    );
  });

  it("is a time of today, or of yesterday if it is still to come", () => {
    expect(parseMoment("11:30", noon)).toBe(new Date(2026, 1, 14, 11, 30).toISOString());
    expect(parseMoment("13:00:05", noon)).toBe(new Date(2026, 1, 13, 13, 0, 5).toISOString());
  });

  it("is so long ago", () => {
    expect(parseMoment("-5m", noon)).toBe(new Date(noon - 300_000).toISOString());
    expect(parseMoment("-1.5h", noon)).toBe(new Date(noon - 5_400_000).toISOString());
  });

  it("is a date, local without a zone", () => {
    expect(parseMoment("2026-02-14 11:00", noon)).toBe(new Date(2026, 1, 14, 11).toISOString());
    expect(parseMoment("2026-02-14T11:00:00Z", noon)).toBe("2026-02-14T11:00:00.000Z");
  });

  it("is nothing else", () => {
    for (const text of ["", "soon", "12:3", "-5", "5m", "2026-99-99"])
      expect(parseMoment(text, noon)).toBeNull();
  });
});

describe("figures", () => {
  it("have the unit that suits them", () => {
    expect([840, 4187, 185_000, 3_720_000].map(duration)).toEqual([
      "840 ms",
      "4.2 s",
      "3 min 05 s",
      "1 h 02 min",
    ]);
    expect([512, 3400, 1_200_000].map(bytes)).toEqual(["512 B", "3.4 kB", "1.2 MB"]);
    expect([0, 0.25, 12.4, 12_345].map(rate)).toEqual(["0", "0.3", "12", "12\u202f345"]);
    expect(grouped(1_234_567)).toBe("1\u202f234\u202f567");
  });

  it("say how long ago", () => {
    const at = (seconds: number) => ago(new Date(noon - seconds * 1000).toISOString(), noon);
    expect([1, 12, 300, 7200, 200_000].map(at)).toEqual([
      "now",
      "12 s ago",
      "5 min ago",
      "2 h ago",
      "2 d ago",
    ]);
  });

  it("show a moment in local time", () => {
    const iso = new Date(2026, 1, 4, 9, 5, 7, 12).toISOString();
    expect([dayOf(iso), timeOfDay(iso)]).toEqual(["2026-02-04", "09:05:07.012"]);
    expect(timeOfDay("not a time")).toBe("not a time");
  });
});

it("how long it is so has one unit, and a clock that is behind the server's is no negative time", () => {
  const since = "2026-02-14T19:01:23.457102Z";
  const then = Date.parse(since);
  expect(forHowLong(since, then + 90_000)).toBe("for 1 min");
  expect(forHowLong(since, then - 5_000)).toBe("for 0 s");
  expect(forHowLong(since, then + 3 * 86_400_000)).toBe("for 3 d");
});
