/** The gateway's secret material in memory: it answers by key, and redacts itself wherever it is printed. */
import type { SecretMaterial } from "../snapshot.ts";

/** Secret material that answers by key and prints nothing but its keys. */
export function secretMaterial(values: ReadonlyMap<string, string>): SecretMaterial {
  return {
    get: (key) => values.get(key),
    toJSON: () => [...values.keys()],
    [Symbol.for("nodejs.util.inspect.custom")]: () => `SecretMaterial(${[...values.keys()].join(", ")})`,
  } as SecretMaterial;
}
