import { defineConfig } from "vite";
import { seal } from "./plugins/seal.ts";
import { thirdParty } from "./plugins/third-party.ts";

export default defineConfig({
  base: "./",
  plugins: [thirdParty(), seal()],
  build: {
    outDir: process.env.OUT_DIR ?? "../src/mistralet/server/web",
    emptyOutDir: true,
    target: ["chrome123", "firefox128", "safari17.5"],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/v1": process.env.MISTRALET_URL ?? "http://127.0.0.1:8000" } },
});
