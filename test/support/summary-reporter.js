// Ends the run with one line that a machine can read. A suite that crashed before its tests counts as one failure.
import { writeFileSync } from "node:fs";

export default class SummaryReporter {
  onRunComplete(_contexts, results) {
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const line = `${results.numPassedTests} passed, ${failed} failed`;
    if (process.env.HOLDFAST_TEST_SUMMARY) writeFileSync(process.env.HOLDFAST_TEST_SUMMARY, `${line}\n`);
    process.stdout.write(`${line}\n`);
  }
}
