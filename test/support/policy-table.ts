/**
 * The policy table: for each policy the manifest, what a client does, and how it ends. `test/integration/policies.test.ts` plays
 * it on a real cluster, and `docs/generate.ts` prints it as the reference of refusals, so that what is printed has been seen.
 */
import { ACCESS } from "./policy-table/access.ts";
import { NOT_SERVED } from "./policy-table/conditions.ts";
import { CONNECTIONS } from "./policy-table/connections.ts";
import { HANDSHAKES } from "./policy-table/handshakes.ts";
import { LIMITS } from "./policy-table/limits.ts";
import { MESSAGES } from "./policy-table/messages.ts";
import type { Section } from "./policy-table/row.ts";

export const POLICY_TABLE: readonly Section[] = [
  ...HANDSHAKES,
  ...ACCESS,
  ...LIMITS,
  ...MESSAGES,
  ...CONNECTIONS,
  ...NOT_SERVED,
];
