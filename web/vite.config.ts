import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// The binary serves this page under `default-src 'self'`: nothing may become a data: URL or an inline script.
const server = process.env.KYMO_URL ?? "http://127.0.0.1:7700";

export default defineConfig({
  plugins: [react()],
  build: {
    target: ["chrome116", "edge116", "firefox121", "safari17"],
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 900,
  },
  server: {
    proxy: { "/api": { target: server, ws: true, changeOrigin: true } },
  },
  test: { environment: "node", include: ["src/**/*.test.{ts,tsx}"] },
});
