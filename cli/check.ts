import { Command, Option } from "commander";

export interface CheckCommandOptions {
  readonly filename: readonly string[];
  readonly output: "text" | "json";
  readonly refuseExternalName?: boolean;
}

const collect = (path: string, paths: readonly string[] | undefined) => [...(paths ?? []), path];

export function checkCommand(): Command {
  return new Command("check")
    .summary("say what would become of manifests, without serving them")
    .description(
      "Reads manifests as `run` and the operator do and prints, for each WebSocketGateway and WebSocketRoute, its conditions, " +
        "each problem with its file, line and field, and the policy in effect: after the gateway's defaults and the built-in " +
        "ones, with where each value comes from. What the manifests refer to has to be among them. Ends with 1 when anything " +
        "is not accepted or not resolved.",
    )
    .addOption(
      new Option("-f, --filename <path>", "manifest file or folder; may be repeated")
        .argParser(collect)
        .env("HOLDFAST_FILENAME")
        .makeOptionMandatory(),
    )
    .addOption(
      new Option("-o, --output <format>", "how the report is written")
        .choices(["text", "json"])
        .default("text")
        .env("HOLDFAST_OUTPUT"),
    )
    .addOption(
      new Option(
        "--refuse-external-name",
        "refuse Services of type ExternalName, as an operator without --allow-external-name does",
      ).env("HOLDFAST_REFUSE_EXTERNAL_NAME"),
    )
    .action(async (options: CheckCommandOptions) => (await import("./check-files.ts")).checkFiles(options));
}
