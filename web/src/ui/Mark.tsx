/** A small mark whose shape alone tells states apart; colour only helps. A decoration: the word stands beside it. */

export type Shape = "dot" | "ring" | "dashes" | "triangle" | "bars" | "cross" | "square";
export type Tone = "good" | "busy" | "bad" | "fault" | "off";

const SHAPES: Record<Shape, React.ReactNode> = {
  dot: <circle cx="6" cy="6" r="3.6" fill="currentColor" stroke="none" />,
  ring: <circle cx="6" cy="6" r="3.4" fill="none" strokeWidth="1.7" />,
  dashes: <circle cx="6" cy="6" r="4" fill="none" strokeWidth="1.7" strokeDasharray="3.2 3.08" />,
  triangle: <path d="M6 1.4 11 10.4H1Z" fill="currentColor" strokeWidth="1.2" strokeLinejoin="round" />,
  bars: <path d="M4 2.2V9.8M8 2.2V9.8" fill="none" strokeWidth="2.2" strokeLinecap="round" />,
  cross: <path d="M2 2 10 10M10 2 2 10" fill="none" strokeWidth="2.4" strokeLinecap="round" />,
  square: <rect x="2.6" y="2.6" width="6.8" height="6.8" rx="1" fill="none" strokeWidth="1.7" />,
};

const COLOURS: Record<Tone, string> = {
  good: "var(--k-accent)",
  busy: "var(--k-info)",
  bad: "var(--k-warn)",
  fault: "var(--k-error)",
  off: "var(--k-dim)",
};

export const toneColour = (tone: Tone): string => COLOURS[tone];

export function Mark({ shape, tone }: { shape: Shape; tone: Tone }) {
  return (
    <svg
      width="12"
      height="12"
      viewBox="0 0 12 12"
      stroke={COLOURS[tone]}
      color={COLOURS[tone]}
      aria-hidden="true"
      focusable="false"
    >
      {SHAPES[shape]}
    </svg>
  );
}
