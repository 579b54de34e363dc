import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["hubbub-source"] },
  ssr: { resolve: { conditions: ["hubbub-source"] } },
  test: {
    include: ["sdk/tests/**/*.test.ts", "demo/tests/**/*.test.ts", "react/tests/**/*.test.{ts,tsx}"],
    environment: "node",
    restoreMocks: true,
  },
});
