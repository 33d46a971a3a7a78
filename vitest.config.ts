import process from "node:process";
import { defineConfig, type ViteUserConfig } from "vitest/config";

/** Where CI wants its report; unset elsewhere. `scripts/ci_summary.ts` reads it. */
const reports = process.env["TSGI_REPORTS"];

const config: ViteUserConfig = defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    exclude: ["tests/deno/**", "**/node_modules/**", "dist/**"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    teardownTimeout: 30_000,
    // Two cores: the tests start servers and clients of their own.
    maxWorkers: 2,
    reporters: reports ? ["default", ["json", { outputFile: `${reports}/vitest.json` }]] : ["default"],
  },
});

export default config;
