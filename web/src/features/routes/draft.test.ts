import { expect, it } from "vitest";
import { ExactNumber } from "../../client/exact";
import type { Route } from "../../client/wire";
import { bodyOf, draftOf, messageAt, nameFault } from "./draft";

const route: Route = {
  name: "slow",
  origin: "api",
  when: "data.ms:>5000",
  emit: {
    type: "tool.slow",
    level: "warn",
    data: { big: new ExactNumber("12345678901234567890"), ms: "{{ data.ms }}", one: new ExactNumber("1.0") },
  },
  backfill: false,
  enabled: true,
};

it("a route comes back as it was, digit by digit", () => {
  const body = bodyOf(draftOf(route));
  expect(body).toContain('"big": 12345678901234567890');
  expect(body).toContain('"one": 1.0');
  expect(JSON.parse(body as string)).toEqual({
    when: "data.ms:>5000",
    emit: {
      type: "tool.slow",
      level: "warn",
      data: { big: Number("12345678901234567890"), ms: "{{ data.ms }}", one: 1 },
    },
    backfill: false,
    enabled: true,
  });
});

it("what is left empty is left out", () => {
  const draft = { ...draftOf(null), name: "a", when: "type:x", type: "y" };
  expect(bodyOf(draft)).toBe('{"when":"type:x","emit":{"type":"y"},"backfill":false,"enabled":true}');
  expect(bodyOf({ ...draft, data: "  \n", agent: "planner" })).toContain(
    '"emit":{"type":"y","agent":"planner"}',
  );
});

it("a payload that is no JSON is told at its place", () => {
  const fault = bodyOf({ ...draftOf(route), data: '{"a": }' });
  expect(fault).toMatchObject({ key: "emit.data", message: expect.stringMatching(/^this is no JSON: /) });
  expect(bodyOf({ ...draftOf(route), data: '"a"},"type":"sneaked"' })).toMatchObject({ key: "emit.data" });
});

it("a name is needed, and not one that another route has", () => {
  expect(nameFault("", [])).toMatchObject({ key: "name" });
  expect(nameFault("slow", ["slow"])).toMatchObject({ key: "name" });
  expect(nameFault("slower", ["slow"])).toBeNull();
});

it("a message does not repeat the place where it stands", () => {
  expect(messageAt({ key: "emit.level", message: "emit.level: `loud` is no level" })).toBe(
    "`loud` is no level",
  );
  expect(messageAt({ key: "name", message: "a name has letters" })).toBe("a name has letters");
});
