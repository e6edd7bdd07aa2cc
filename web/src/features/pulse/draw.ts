/** Draws the pulse: stacked bars on a canvas, a few hundred rectangles a second. */
import { PULSE_SECONDS, type Seconds, SILENCE } from "../../client/pulse";
import { LEVELS } from "../../client/wire";
import { grouped } from "../../events/clock";

/** One bar: the second it begins at and its events by level. */
export interface Bin {
  second: number;
  counts: number[];
}

const BAR_PX_MIN = 3.5;
const TOP_PX = 14;

/** How many seconds share a bar so that bars stay wide enough to see. */
export function secondsPerBin(width: number): number {
  const fitting = Math.max(1, Math.floor(width / BAR_PX_MIN));
  const divisors = [1, 2, 3, 5, 10, 15, 30];
  return divisors.find((seconds) => PULSE_SECONDS / seconds <= fitting) ?? 30;
}

/** The last minutes in bars. Bars begin at whole multiples, so that a second never moves from one to another. */
export function bin(seconds: Seconds, now: number, perBin: number): Bin[] {
  const end = Math.floor(now / perBin) * perBin + perBin;
  const bins: Bin[] = [];
  for (let first = end - PULSE_SECONDS; first < end; first += perBin) {
    const counts = [...SILENCE];
    for (let second = first; second < first + perBin; second++) {
      seconds.get(second)?.forEach((count, level) => {
        counts[level] = (counts[level] ?? 0) + count;
      });
    }
    bins.push({ second: first, counts });
  }
  return bins;
}

/** The smallest round number at or above the highest bar: 1, 2, 5, 10, 20, 50, … */
export function ceilingOf(highest: number): number {
  for (let step = 1; ; step *= 10) {
    for (const factor of [1, 2, 5]) if (factor * step >= highest) return Math.max(5, factor * step);
  }
}

interface Options {
  width: number;
  height: number;
  hovered: number | null;
}

export function draw(
  canvas: HTMLCanvasElement,
  bins: readonly Bin[],
  { width, height, hovered }: Options,
): void {
  const scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  if (!context) return;
  context.scale(scale, scale);
  const style = getComputedStyle(canvas);
  const colour = (name: string) => style.getPropertyValue(name);
  const colours = LEVELS.map((level) => colour(`--k-bar-${level}`));
  const ceiling = ceilingOf(Math.max(...bins.map(total)));
  const step = width / bins.length;
  const floor = height - 1;

  context.fillStyle = colour("--k-line");
  context.fillRect(0, floor, width, 1);
  bins.forEach((bar, index) => {
    const x = index * step;
    if (index === hovered) {
      context.fillStyle = colour("--k-hover");
      context.fillRect(x, 0, step, floor);
    }
    let y = floor;
    bar.counts.forEach((count, level) => {
      if (count === 0) return;
      const tall = Math.max(1.5, (count / ceiling) * (floor - TOP_PX));
      context.fillStyle = colours[level] ?? "";
      context.fillRect(x, y - tall, Math.max(1, step - 1), tall);
      y -= tall;
    });
  });
  label(context, perSecond(ceiling, bins), {
    width,
    y: TOP_PX,
    line: colour("--k-line"),
    text: colour("--k-faint"),
  });
}

interface LabelStyle {
  width: number;
  y: number;
  line: string;
  text: string;
}

function label(
  context: CanvasRenderingContext2D,
  text: string,
  { width, y, line, text: colour }: LabelStyle,
): void {
  context.fillStyle = line;
  context.fillRect(0, y, width, 1);
  context.fillStyle = colour;
  context.font = '10px "Inter Variable", sans-serif';
  context.textBaseline = "bottom";
  context.fillText(text, 2, y - 1);
}

/** The scale in words; a bar may stand for several seconds. */
function perSecond(ceiling: number, bins: readonly Bin[]): string {
  const seconds = PULSE_SECONDS / bins.length;
  return seconds === 1 ? `${grouped(ceiling)} a second` : `${grouped(ceiling)} in ${seconds} s`;
}

const total = ({ counts }: Bin): number => counts.reduce((sum, count) => sum + count, 0);
