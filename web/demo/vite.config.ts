import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** A server to develop against: `hubbub serve --dev` in another terminal. */
const SERVER = process.env.HUBBUB_URL ?? "http://127.0.0.1:8080";

export default defineConfig({
  root: import.meta.dirname,
  plugins: [react()],
  resolve: { conditions: ["hubbub-source", "module", "browser", "development|production"] },
  build: {
    outDir: "../../signaling/http/static",
    emptyOutDir: true,
    target: "es2022",
    chunkSizeWarningLimit: 700,
  },
  server: { proxy: { "/v1": { target: SERVER, ws: true }, "/dev": SERVER } },
});
