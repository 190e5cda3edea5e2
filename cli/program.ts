/** The command `holdfast` with all its subcommands. */
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { checkCommand } from "./check.ts";
import { describeCommand } from "./describe.ts";
import { gatewayCommand } from "./gateway.ts";
import { operatorCommand } from "./operator.ts";
import { runCommand } from "./run.ts";

/** package.json stands one folder above the sources, and two above the build. */
function version(): string {
  for (const place of ["../package.json", "../../package.json"]) {
    try {
      return JSON.parse(readFileSync(new URL(place, import.meta.url), "utf8")).version;
    } catch {}
  }
  return "unknown";
}

export function createProgram(): Command {
  return new Command("holdfast")
    .description("A WebSocket gateway for Kubernetes whose configuration changes never drop a connection.")
    .version(version())
    .helpOption("-h, --help", "show this help")
    .showHelpAfterError("(add --help for the options)")
    .addCommand(runCommand())
    .addCommand(operatorCommand())
    .addCommand(gatewayCommand())
    .addCommand(checkCommand())
    .addCommand(describeCommand());
}
