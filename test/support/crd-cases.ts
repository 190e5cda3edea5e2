/**
 * Examples for the rules of the API, used twice: `crds/rules.test.ts` gives them to the parser, and
 * `test/integration/crds.test.ts` to a real API server. Both must decide the same, with the same words.
 */
import type { Kind } from "../../crds/kinds.ts";
import {
  type Case,
  change,
  GATEWAY,
  type InvalidCase,
  ROUTE,
  type Row,
  type Spec,
  type ValidRow,
} from "./crd-cases/case.ts";
import { INVALID_GATEWAYS, VALID_GATEWAYS } from "./crd-cases/gateways.ts";
import { INVALID_ROUTES } from "./crd-cases/invalid-routes.ts";
import { MISTYPED } from "./crd-cases/mistyped-routes.ts";
import { VALID_ROUTES } from "./crd-cases/valid-routes.ts";

export { type Case, manifestOf } from "./crd-cases/case.ts";

const toCase =
  (kind: Kind, base: Spec) =>
  ([name, fields, at, message]: Row): InvalidCase => ({ name, kind, spec: change(base, fields), path: at, message });

/** Broken in one way each, with the words of the rule. */
export const INVALID: readonly InvalidCase[] = [
  ...INVALID_ROUTES.map(toCase("WebSocketRoute", ROUTE)),
  ...INVALID_GATEWAYS.map(toCase("WebSocketGateway", GATEWAY)),
];

/** Broken in a way that a type or a pattern states. */
export const INVALID_BY_TYPE: readonly (Case & { readonly path: string })[] = MISTYPED.map(([name, fields, at]) => ({
  name,
  kind: "WebSocketRoute",
  spec: change(ROUTE, fields),
  path: at,
}));

const toValid =
  (kind: Kind, base: Spec) =>
  ([name, fields]: ValidRow): Case => ({ name, kind, spec: change(base, fields) });

/** Close to a rule, and right. */
export const VALID: readonly Case[] = [
  ...VALID_ROUTES.map(toValid("WebSocketRoute", ROUTE)),
  ...VALID_GATEWAYS.map(toValid("WebSocketGateway", GATEWAY)),
];
