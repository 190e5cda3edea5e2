/** Golden pairs of fleets: `<name>.in.yaml` holds a WebSocketGateway, `<name>.out.yaml` the objects that run it. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parse, parseAllDocuments, stringify } from "yaml";
import { parseGateway } from "../../../crds/parse.ts";
import { renderFleet } from "../../../operator/render/fleet/fleet.ts";
import type { FleetObject } from "../../../operator/render/fleet/identity.ts";

const FOLDER = import.meta.dirname;
const INPUT = ".in.yaml";

export function fleetNames(): string[] {
  const inputs = readdirSync(FOLDER).filter((file) => file.endsWith(INPUT));
  return inputs.map((file) => basename(file, INPUT)).sort();
}

export function fleetOutputFile(name: string): string {
  return join(FOLDER, `${name}.out.yaml`);
}

/** The objects of a fleet, by the golden input's name. */
export function fleetOf(name: string, namespace = "edge"): readonly FleetObject[] {
  const object = parse(readFileSync(join(FOLDER, name + INPUT), "utf8"));
  const metadata = { ...object.metadata, namespace, uid: "11111111-2222-3333-4444-555555555555" };
  const parsed = parseGateway({ ...object, metadata });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const image = { image: "registry.example/holdfast:1.2.3", pullSecrets: [] };
  return renderFleet({ metadata, spec: parsed.value.spec, image });
}

/** What should stand in the output file. */
export function fleetOutput(name: string): string {
  const options = { lineWidth: 120, aliasDuplicateObjects: false };
  return fleetOf(name)
    .map((object) => stringify(object, options))
    .join("---\n");
}

/** What stands there, object by object. */
export function expectedFleet(name: string): unknown[] {
  return parseAllDocuments(readFileSync(fleetOutputFile(name), "utf8")).map((document) => document.toJS());
}
