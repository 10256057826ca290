/**
 * A vitest reporter that writes what `npm test` sums up, to the file that TEST_COUNTS names.
 * Vitest's own JSON reporter leaves out why a test was skipped.
 */
import { writeFileSync } from "node:fs";
import type { Reporter, TestModule } from "vitest/node";

/** The tests of one run. A file that could not be run at all, or an error outside a test, counts as one failed. */
export interface TestCounts {
  readonly passed: number;
  /** What failed, by its full name, with its error in short. */
  readonly failures: readonly { readonly test: string; readonly error: string }[];
  readonly skipped: readonly { readonly test: string; readonly reason: string }[];
}

export default class TestCountsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    let passed = 0;
    const failures = unhandledErrors.map((error) => ({ test: "an error outside a test", error: inShort([error]) }));
    const skipped: { test: string; reason: string }[] = [];
    for (const module of modules) {
      const before = failures.length;
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === "passed") passed++;
        else if (result.state === "skipped")
          skipped.push({ test: test.fullName, reason: result.note ?? "no reason given" });
        else
          failures.push({
            test: `${module.relativeModuleId} > ${test.fullName}`,
            error: inShort(result.errors ?? []),
          });
      }
      if (module.state() !== "passed" && module.state() !== "skipped" && failures.length === before) {
        failures.push({ test: module.relativeModuleId, error: inShort(module.errors()) });
      }
    }
    const counts: TestCounts = { passed, failures, skipped };
    writeFileSync(process.env["TEST_COUNTS"] ?? "test-counts.json", JSON.stringify(counts));
  }
}

/** The first and the last lines of what was thrown, enough to know it by: the whole stands where the test ran. */
function inShort(errors: readonly unknown[]): string {
  const told = errors.map((error) =>
    typeof error === "object" && error !== null && "message" in error ? String(error.message) : String(error),
  );
  const lines = told.join("\n").split("\n");
  const some = lines.length > 24 ? [...lines.slice(0, 4), "...", ...lines.slice(-20)] : lines;
  return some.map((line) => line.slice(0, 500)).join("\n");
}
