/** The parts of a page that live as long as it does, put together. */
import { Api } from "../client/api";
import { Pulse } from "../client/pulse";
import { Session } from "../client/session";
import { Vitals } from "../client/vitals";
import { readLook } from "./location";

export interface Desk {
  api: Api;
  session: Session;
  pulse: Pulse;
  vitals: Vitals;
}

export function openDesk(): Desk {
  const { filter, channels } = readLook(location.search);
  const api = new Api();
  const pulse = new Pulse();
  const session = new Session(api, { filter, channels }, (events) => pulse.add(events));
  const vitals = new Vitals(api, pulse);
  session.start();
  vitals.start();
  return { api, session, pulse, vitals };
}
