/** One batch of model walks, as a process: `node walks-batch.ts <seed> <count>`. Exits with 1 when a rule was broken. */
import fc from "fast-check";
import { walkThrough } from "../unit/operator/walks/course.ts";
import { courses } from "../unit/operator/walks/moves.ts";

const [seed = 1, numRuns = 1000] = process.argv.slice(2).map(Number);
const walked = fc.property(courses, (course) => walkThrough(course));
const { failed, counterexample, errorInstance } = fc.check(walked, { seed, numRuns });
if (failed) {
  console.log(`seed ${seed}: ${errorInstance instanceof Error ? errorInstance.message : "broken"}`);
  // As test/unit/operator/walks/kept.ts keeps it.
  console.log(JSON.stringify(counterexample?.[0]));
  process.exitCode = 1;
}
