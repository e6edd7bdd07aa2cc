/** The parts of a page that live as long as it does, put together. */
import { Api } from "../client/api";
import { Poll } from "../client/poll";
import { Pulse } from "../client/pulse";
import { Session } from "../client/session";
import { Vitals } from "../client/vitals";
import type { Bridge, LedgerEvent, Status } from "../client/wire";
import { readLook } from "./location";

export interface Desk {
  api: Api;
  session: Session;
  pulse: Pulse;
  vitals: Vitals;
  bridges: Poll<Bridge[]>;
}

/** How often bridges are asked for: while they are looked at, and for the mark that is always in sight. */
export const BRIDGES_MS = { looking: 2_000, aside: 10_000 };

export function openDesk(): Desk {
  const { filter, channels } = readLook(location.search);
  const api = new Api();
  const pulse = new Pulse();
  const bridges = new Poll<Bridge[]>(api.bridges, BRIDGES_MS.aside);
  const session = new Session(api, { filter, channels }, (events) => {
    pulse.add(events);
    if (events.some(isAboutBridges)) bridges.nudge();
  });
  const vitals = new Vitals(api, pulse);
  vitals.subscribe(() => seesAll(vitals.get().status) && bridges.start());
  afterEachReturn(session, bridges.nudge);
  session.start();
  vitals.start();
  return { api, session, pulse, vitals, bridges };
}

/** Whether this login is told of what is about all events. */
export const seesAll = (status: Status | null): boolean =>
  status !== null && Object.keys(status.caller.bound).length === 0;

/** Whether this login may change routes. */
export const mayManage = (status: Status | null): boolean => status?.caller.may.includes("manage") ?? false;

const isAboutBridges = ({ type }: LedgerEvent): boolean => /^kymo\.(bridge|settings)\./.test(type);

/** Whenever the stream is live again, what was asked before is old. */
function afterEachReturn(session: Session, act: () => void): void {
  let wasLive = false;
  session.stream.subscribe(() => {
    const isLive = session.stream.get().phase.is === "live";
    if (isLive && !wasLive) act();
    wasLive = isLive;
  });
}
