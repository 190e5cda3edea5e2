// Ends a build with another Node than the one that the tests run with.
import { readFileSync } from "node:fs";

const wanted = JSON.parse(readFileSync("package.json", "utf8")).devDependencies.node;
if (process.versions.node !== wanted) {
  console.error(`BUILD_IMAGE holds Node ${process.versions.node}, package.json names ${wanted}: take another image`);
  process.exit(1);
}
