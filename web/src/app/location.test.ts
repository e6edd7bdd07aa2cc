import { expect, it } from "vitest";
import { type Look, readLook, writeLook } from "./location";

const nothing: Look = {
  view: "events",
  filter: "",
  channels: [],
  paused: false,
  at: null,
  seq: null,
  find: "",
  state: null,
  route: null,
};

it("an address without a search is the plain live feed", () => {
  expect(readLook("")).toEqual(nothing);
  expect(writeLook(nothing)).toBe("");
});

it("what is looked at survives the address and comes back the same", () => {
  const looks: Look[] = [
    { ...nothing, filter: 'type:task.* level:>=warn "a & b" (c OR d)' },
    { ...nothing, channels: ["agent:planner", "type:task,x"], paused: true },
    { ...nothing, view: "bridges", filter: "level:warn" },
    { ...nothing, view: "agents", find: "plan ner", state: "failed", at: "-1h" },
    { ...nothing, view: "routes", route: "" },
    { ...nothing, view: "routes", route: "slow-tools" },
    { ...nothing, at: "2026-02-14T19:01:23.000Z", seq: 18442 },
  ];
  for (const look of looks) expect(readLook(writeLook(look))).toEqual(look);
});

it("nonsense in the address is no error", () => {
  expect(readLook("?seq=-4&paused=maybe&at=&channel=&view=cellar&state=merry&x=1")).toEqual(nothing);
  expect(readLook("?seq=1.5").seq).toBeNull();
});
