/** Times and durations as people read them. */

const pad = (n: number, width = 2) => String(n).padStart(width, "0");

/** Local time of day to the millisecond: `14:03:07.123`. */
export function timeOfDay(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  return `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}.${pad(date.getMilliseconds(), 3)}`;
}

/** Local date: `2026-02-14`. */
export function dayOf(iso: string): string {
  const date = new Date(iso);
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
}

/** How long ago, coarsely: `now`, `12 s`, `5 min`, `3 h`, `2 d`. */
export function ago(iso: string, now: number): string {
  const seconds = Math.round((now - Date.parse(iso)) / 1000);
  if (Number.isNaN(seconds)) return "";
  if (seconds < 2) return "now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

/** `for 3 min`, counted from `since`; a moment ahead of our clock is now. */
export function forHowLong(since: string, now: number): string {
  const seconds = Math.max(0, Math.floor((now - Date.parse(since)) / 1000));
  if (Number.isNaN(seconds)) return "";
  if (seconds < 60) return `for ${seconds} s`;
  if (seconds < 3600) return `for ${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `for ${Math.floor(seconds / 3600)} h`;
  return `for ${Math.floor(seconds / 86_400)} d`;
}

/** A duration with the unit that suits it: `840 ms`, `4.2 s`, `3 min 05 s`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${pad(Math.floor((ms % 60_000) / 1000))} s`;
  return `${Math.floor(ms / 3_600_000)} h ${pad(Math.floor((ms % 3_600_000) / 60_000))} min`;
}

/** Digits in groups: `18 442`, with a narrow no-break space. */
export const grouped = (n: number): string => Math.round(n).toLocaleString("en").replaceAll(",", "\u202f");

/** Events per second: one decimal while it is slow. */
export const rate = (perSecond: number): string =>
  perSecond > 0 && perSecond < 10 ? perSecond.toFixed(1) : grouped(perSecond);

/** A size: `512 B`, `3.4 kB`. */
export function bytes(n: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const step = Math.min(units.length - 1, n < 1000 ? 0 : Math.floor(Math.log10(n) / 3));
  return step === 0 ? `${n} B` : `${(n / 1000 ** step).toFixed(1)} ${units[step]}`;
}

/**
 * Reads where somebody wants to go: a seq (`18442`, `#18 442`), a time of today (`14:03`), a date and time, or
 * `-5m` (s, m, h, d). The answer is a seq or an RFC 3339 time; `null` if it is none of these.
 */
export function parseMoment(text: string, now: number): string | null {
  const plain = text.trim();
  const seq = plain.replace(/^#/, "").replace(/[\s\u202f,]/g, "");
  if (/^\d+$/.test(seq)) return String(Number(seq));
  const back = /^-\s*(\d+(?:\.\d+)?)\s*(s|m|min|h|d)$/.exec(plain);
  if (back) {
    const unit = { s: 1e3, m: 6e4, min: 6e4, h: 3.6e6, d: 8.64e7 }[back[2] as "s"];
    return new Date(now - Number(back[1]) * unit).toISOString();
  }
  const clock = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/.exec(plain);
  if (clock) {
    const date = new Date(now);
    date.setHours(Number(clock[1]), Number(clock[2]), Number(clock[3] ?? 0), 0);
    // A time of day still to come was meant as yesterday's.
    if (date.getTime() > now) date.setDate(date.getDate() - 1);
    return date.toISOString();
  }
  const parsed = /^\d{4}-\d{2}-\d{2}/.test(plain) ? new Date(plain.replace(" ", "T")) : null;
  return parsed === null || Number.isNaN(parsed.getTime()) ? null : parsed.toISOString();
}
