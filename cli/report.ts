/** Reports about routes as text for people. Pure. */
import type { CheckProblem, CheckReport } from "../operator/check.ts";
import type { EffectiveValue } from "../operator/effective.ts";

/** Longest value that is printed whole (an inline schema may have thousands of characters), and the widest column. */
const MAX_VALUE = 120;
const MAX_COLUMN = 40;

const ORIGINS = { route: "route", gateway: "gateway's defaults", default: "default" } as const;

interface Said {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

export function checkText({ gateways, routes, problems, files }: CheckReport): string {
  const blocks = [
    ...gateways.map((gateway) => [
      `WebSocketGateway ${gateway.name}${where(gateway)}`,
      ...conditionLines(gateway.conditions),
    ]),
    ...routes.map((route) => [
      `WebSocketRoute ${route.name}${where(route)}`,
      ...conditionLines(route.conditions),
      ...route.urls.map((url) => `  ${url}`),
      ...route.policies.flatMap(({ gateway, values }) => policyLines(gateway, values)),
    ]),
    ...(problems.length === 0 ? [] : [["Problems", ...problems.map((problem) => `  ${problemText(problem)}`)]]),
    [
      `${count(files.length, "file")}, ${count(gateways.length, "gateway")}, ${count(routes.length, "route")}, ${count(problems.length, "problem")}`,
    ],
  ];
  return `${blocks.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

export function conditionLines(conditions: readonly Said[]): string[] {
  return conditions.map(({ type, status, reason, message }) => {
    const because = reason === type ? "" : ` ${reason}`;
    return `  ${type}=${status}${because}${status === "True" && because === "" ? "" : `: ${message}`}`;
  });
}

/** The effective policy at one gateway, in columns. */
export function policyLines(gateway: string, values: readonly EffectiveValue[]): string[] {
  const rows = values.map(({ field, value, from }) => [field, valueText(value), ORIGINS[from]] as const);
  const [fields, texts] = [0, 1].map((column) =>
    Math.min(MAX_COLUMN, Math.max(0, ...rows.map((row) => row[column]?.length ?? 0))),
  );
  return [
    `  Policy at ${gateway}:`,
    ...rows.map(([field, text, from]) => `    ${field.padEnd(fields ?? 0)}  ${text.padEnd(texts ?? 0)}  ${from}`),
  ];
}

function valueText(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const line = text.replaceAll("\n", "\\n");
  return line.length <= MAX_VALUE ? line : `${line.slice(0, MAX_VALUE - 1)}…`;
}

function problemText({ file, line, object, reason, message }: CheckProblem): string {
  const at = file === undefined ? "" : `${file}:${line}: `;
  return `${at}${object === undefined ? "" : `${object}: `}${reason === undefined ? "" : `${reason}: `}${message}`;
}

function where({ file, line }: { readonly file?: string; readonly line?: number }): string {
  return file === undefined ? "" : ` (${file}:${line})`;
}

function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? "" : "s"}`;
}
