/** Starts the page: one session, one pulse, one set of vitals, and the components that show them. */
import "@mantine/core/styles.layer.css";
import "./ui/theme.css";
import { MantineProvider } from "@mantine/core";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/App";
import { openDesk } from "./app/desk";
import { isPage } from "./app/location";
import { NotFound } from "./app/NotFound";
import { theme } from "./ui/theme";

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <MantineProvider theme={theme} defaultColorScheme="auto">
        {isPage(location.pathname) ? <App desk={openDesk()} /> : <NotFound path={location.pathname} />}
      </MantineProvider>
    </StrictMode>,
  );
}
