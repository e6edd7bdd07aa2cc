/** Starts the page: one session, one pulse, one set of vitals, and the components that show them. */
import "@mantine/core/styles.layer.css";
import "./ui/theme.css";
import { MantineProvider } from "@mantine/core";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/App";
import { openDesk } from "./app/desk";
import { theme } from "./ui/theme";

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <MantineProvider theme={theme} defaultColorScheme="auto">
        <App desk={openDesk()} />
      </MantineProvider>
    </StrictMode>,
  );
}
