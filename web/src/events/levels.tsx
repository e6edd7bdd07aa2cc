/** How a level looks: a shape of its own, then a colour, then its word; never colour alone. */
import type { Level } from "../client/wire";

const SHAPES: Record<Level, React.ReactNode> = {
  debug: <circle cx="6" cy="6" r="3" fill="none" strokeWidth="1.6" />,
  info: <circle cx="6" cy="6" r="3.4" fill="currentColor" stroke="none" />,
  warn: <path d="M6 1.4 11 10.4H1Z" fill="currentColor" strokeWidth="1.2" strokeLinejoin="round" />,
  error: <path d="M2 2 10 10M10 2 2 10" fill="none" strokeWidth="2.4" strokeLinecap="round" />,
  critical: <path d="M6 .6 11.4 6 6 11.4 .6 6Z" fill="currentColor" stroke="none" />,
};

/** The level's mark; a decoration wherever the word stands beside it. */
export function LevelMark({ level }: { level: Level }) {
  return (
    <svg
      width="12"
      height="12"
      viewBox="0 0 12 12"
      stroke="currentColor"
      aria-hidden="true"
      focusable="false"
    >
      {SHAPES[level] ?? SHAPES.info}
    </svg>
  );
}

export const levelColour = (level: Level): string => `var(--k-${level})`;
