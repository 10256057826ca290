import { defineConfig } from "vitest/config";

/** What a test waits for comes when there is a processor for it: on a busy machine, long after vitest's second. */
const patient = { poll: { timeout: 30_000 } };

const setupFiles = ["test/property-seed.ts"];

/** One project per kind of ground that a test stands on; see CONTRIBUTING.md. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          expect: patient,
          include: ["test/unit/**/*.test.ts"],
          setupFiles,
          // Where time matters it is virtual, with deadlines of its own: what is slow here found no processor.
          testTimeout: 300_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "storm",
          expect: patient,
          include: ["test/storm/**/*.test.ts"],
          testTimeout: 900_000,
          hookTimeout: 120_000,
          maxConcurrency: 8,
          fileParallelism: false,
          pool: "forks",
        },
      },
      {
        test: {
          name: "integration",
          expect: patient,
          include: ["test/integration/**/*.test.ts"],
          setupFiles,
          globalSetup: ["test/integration/setup.ts"],
          testTimeout: 120_000,
          hookTimeout: 180_000,
          pool: "forks",
        },
      },
      {
        test: {
          name: "e2e",
          expect: patient,
          include: ["test/e2e/**/*.test.ts"],
          globalSetup: ["test/e2e/setup.ts"],
          testTimeout: 600_000,
          hookTimeout: 1_200_000,
          fileParallelism: false,
          pool: "forks",
        },
      },
    ],
  },
});
