/** The policy table is whole: whoever adds a reason adds a row for it, or says here what else brings it about. */
import { expect, it } from "@jest/globals";
import { CLOSES, REFUSALS } from "../../gateway/refusals.ts";
import { POLICY_TABLE } from "../support/policy-table.ts";

const ROWS = POLICY_TABLE.flatMap(({ rows }) => rows);

/** Reasons that no policy and no client of a row brings about, and what does; feature and fault tests have them. */
const NOT_OF_A_POLICY = {
  BadRequest: "a request that is no HTTP/1.1",
  HandshakeTimeout: "a request that trickles in",
  Draining: "a process that shuts down",
  NotReady: "a process that has no snapshot yet",
  Overloaded: "a process at its limits",
  ClientGone: "a client that goes before it is answered",
  InternalError: "a fault of the gateway",
  ClientClosed: "clients of rows whose connection stays open, in the end",
  ClientLost: "a client whose connection is cut",
  Closed: "a request to the API",
  PolicyViolation: "a hub's client that sends too many fragments",
} as const;

it("has a row for every reason that a client can be refused or closed with", () => {
  const seen = new Set<string>(ROWS.flatMap(({ end }) => (end !== undefined && "reason" in end ? [end.reason] : [])));
  const reasons = [...Object.keys(REFUSALS), ...Object.keys(CLOSES)];
  expect(reasons.filter((reason) => !seen.has(reason) && !(reason in NOT_OF_A_POLICY))).toEqual([]);
  expect(Object.keys(NOT_OF_A_POLICY).filter((reason) => seen.has(reason) || !reasons.includes(reason))).toEqual([]);
  expect([...seen].filter((reason) => !reasons.includes(reason))).toEqual([]);
});

it("expects the codes of the one table", () => {
  for (const { name, end } of ROWS) {
    if (end === undefined || "open" in end) continue;
    // What somebody behind the gateway has answered or closed with is relayed.
    if (["BackendRejected", "AuthorizerDenied", "BackendClosed"].includes(end.reason)) continue;
    const { reason } = end;
    const codes =
      "status" in end
        ? [REFUSALS[reason as keyof typeof REFUSALS].status]
        : [CLOSES[reason as keyof typeof CLOSES].code, 1006];
    expect({ name, codes }).toEqual({ name, codes: expect.arrayContaining(["status" in end ? end.status : end.code]) });
  }
});

it("names each row once, as a label of a hostname", () => {
  const names = ROWS.flatMap(({ name, beside }) => (beside === undefined ? [name] : [name, beside.name]));
  expect(new Set(names).size).toBe(names.length);
  expect(names.filter((name) => !/^[a-z][a-z0-9-]{0,62}$/.test(name))).toEqual([]);
});
