/** The pulse: events per second by level over the last five minutes. A click goes to that moment. */
import { useEffect, useMemo, useRef, useState } from "react";
import { newestSecond, PULSE_SECONDS, type Pulse } from "../../client/pulse";
import { LEVELS, type Level } from "../../client/wire";
import { grouped, timeOfDay } from "../../events/clock";
import { LevelMark, levelColour } from "../../events/levels";
import { useNow } from "../../ui/useNow";
import { useSignal } from "../../ui/useSignal";
import { type Bin, bin, draw, secondsPerBin } from "./draw";
import classes from "./PulseChart.module.css";

interface Props {
  pulse: Pulse;
  /** Goes to the moment of a bar. */
  onTravel: (at: string) => void;
  /** Filters by a level. */
  onLevel: (level: Level) => void;
}

export function PulseChart({ pulse, onTravel, onLevel }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { width, height } = useSize(canvas);
  const [hovered, setHovered] = useState<number | null>(null);
  const seconds = useSignal(pulse);
  const now = Math.max(Math.floor(useNow(1000) / 1000), newestSecond(seconds));
  const bins = useMemo(() => bin(seconds, now, secondsPerBin(width)), [seconds, now, width]);
  const totals = useMemo(() => sums(bins), [bins]);

  useEffect(() => {
    if (canvas.current && width > 0) draw(canvas.current, bins, { width, height, hovered });
  }, [bins, width, height, hovered]);

  const indexAt = (event: React.MouseEvent) => {
    const box = event.currentTarget.getBoundingClientRect();
    const index = Math.floor(((event.clientX - box.left) / box.width) * bins.length);
    return Math.min(bins.length - 1, Math.max(0, index));
  };
  const hover = hovered === null ? undefined : bins[hovered];

  return (
    <section className={classes.pulse} aria-label="Pulse">
      <div className={classes.chart}>
        <canvas
          ref={canvas}
          className={classes.canvas}
          role="img"
          aria-label={sentence(totals)}
          onMouseMove={(event) => setHovered(indexAt(event))}
          onMouseLeave={() => setHovered(null)}
          onClick={(event) => {
            const at = bins[indexAt(event)];
            if (at) onTravel(new Date(at.second * 1000).toISOString());
          }}
        />
        {hover && hovered !== null && <Hover bin={hover} place={(hovered + 0.5) / bins.length} />}
      </div>
      <div className={classes.legend}>
        {LEVELS.map((level, index) => (
          <button
            key={level}
            type="button"
            className={classes.level}
            style={{ color: levelColour(level) }}
            data-none={totals[index] === 0 || undefined}
            onClick={() => onLevel(level)}
            title={`Show only ${level}`}
          >
            <LevelMark level={level} />
            <span>{level}</span>
            <b>{grouped(totals[index] ?? 0)}</b>
          </button>
        ))}
      </div>
    </section>
  );
}

function Hover({ bin, place }: { bin: Bin; place: number }) {
  const time = timeOfDay(new Date(bin.second * 1000).toISOString()).slice(0, 8);
  const levels = LEVELS.map((level, i) => ({ level, count: bin.counts[i] ?? 0 })).filter(
    ({ count }) => count > 0,
  );
  return (
    <div
      className={classes.hover}
      style={{ left: `${place * 100}%` }}
      data-side={place > 0.6 ? "left" : "right"}
    >
      <time>{time}</time>
      {levels.length === 0 && <span>quiet</span>}
      {levels.map(({ level, count }) => (
        <span key={level} style={{ color: levelColour(level) }}>
          <LevelMark level={level} /> {grouped(count)} {level}
        </span>
      ))}
    </div>
  );
}

const sums = (bins: readonly Bin[]): number[] =>
  LEVELS.map((_, index) => bins.reduce((sum, { counts }) => sum + (counts[index] ?? 0), 0));

function sentence(totals: readonly number[]): string {
  const all = totals.reduce((sum, n) => sum + n, 0);
  const worst = LEVELS.map((level, i) => [level, totals[i] ?? 0] as const).filter(([, n]) => n > 0);
  const parts = worst.map(([level, n]) => `${n} ${level}`).join(", ");
  return `${all} events in the last ${PULSE_SECONDS / 60} minutes${parts && `: ${parts}`}`;
}

function useSize(ref: React.RefObject<HTMLElement | null>): { width: number; height: number } {
  const [size, setSize] = useState({ width: 0, height: 0 });
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    const observer = new ResizeObserver(() =>
      setSize({ width: element.clientWidth, height: element.clientHeight }),
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, [ref]);
  return size;
}
