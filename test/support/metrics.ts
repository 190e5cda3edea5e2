/** Reads metrics as Prometheus would. */

const SERIES = /^([a-zA-Z_:]+)(?:\{(.*)\})? (\S+)$/;

/** The sum of all series of `name` whose labels include `labels`, from an admin port on 127.0.0.1. */
export async function scrape(port: number, name: string, labels: Readonly<Record<string, string>>): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`);
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  let sum = 0;
  for (const line of (await response.text()).split("\n")) {
    const [, series, given = "", value] = SERIES.exec(line) ?? [];
    const parts = given.split(",");
    if (series === name && wanted.every((part) => parts.includes(part))) sum += Number(value);
  }
  return sum;
}
