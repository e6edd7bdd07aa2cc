/** Mantine's share of the look; colours of our own are in `theme.css`. */
import { createTheme, type MantineColorsTuple } from "@mantine/core";

const teal: MantineColorsTuple = [
  "#e6f7f4",
  "#d0ece7",
  "#a3d9d0",
  "#72c5b8",
  "#4cb4a4",
  "#2fa696",
  "#128577",
  "#0b6e66",
  "#075c55",
  "#004a44",
];

/** Text first, backgrounds last, as Mantine wants it. */
const dark: MantineColorsTuple = [
  "#dde4e9",
  "#c3ccd3",
  "#9aa7b1",
  "#85929c",
  "#354048",
  "#2a333a",
  "#1a2126",
  "#12171b",
  "#0d1114",
  "#090c0e",
];

export const theme = createTheme({
  colors: { teal, dark },
  primaryColor: "teal",
  primaryShade: { light: 7, dark: 6 },
  fontFamily: "var(--k-sans)",
  fontFamilyMonospace: "var(--k-mono)",
  defaultRadius: "md",
  cursorType: "pointer",
  respectReducedMotion: true,
  fontSizes: { xs: "11px", sm: "12.5px", md: "13.5px", lg: "15px", xl: "18px" },
});
