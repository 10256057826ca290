/**
 * A vitest reporter that writes what `npm test` sums up, to the file that TEST_COUNTS names.
 * Vitest's own JSON reporter leaves out why a test was skipped.
 */
import { writeFileSync } from "node:fs";
import type { Reporter, TestModule } from "vitest/node";

/** The tests of one run. A file that could not be run at all, or an error outside a test, counts as one failed. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly { readonly test: string; readonly reason: string }[];
}

export default class TestCountsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    let passed = 0;
    let failed = unhandledErrors.length;
    const skipped: { test: string; reason: string }[] = [];
    for (const module of modules) {
      const before = failed;
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === "passed") passed++;
        else if (result.state === "skipped")
          skipped.push({ test: test.fullName, reason: result.note ?? "no reason given" });
        else failed++;
      }
      if (module.state() !== "passed" && module.state() !== "skipped" && failed === before) failed++;
    }
    const counts: TestCounts = { passed, failed, skipped };
    writeFileSync(process.env["TEST_COUNTS"] ?? "test-counts.json", JSON.stringify(counts));
  }
}
