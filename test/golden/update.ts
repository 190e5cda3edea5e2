/** Writes every output anew from its input; read the diff before you commit it. */
import { writeFileSync } from "node:fs";
import { checkNames, checkOutput, checkOutputFile } from "./check/run.ts";
import { fleetNames, fleetOutput, fleetOutputFile } from "./fleet/run.ts";
import { goldenNames, goldenOutput, outputFile } from "./run.ts";

for (const name of goldenNames()) writeFileSync(outputFile(name), await goldenOutput(name));
for (const name of fleetNames()) writeFileSync(fleetOutputFile(name), fleetOutput(name));
for (const name of checkNames()) writeFileSync(checkOutputFile(name), await checkOutput(name));
