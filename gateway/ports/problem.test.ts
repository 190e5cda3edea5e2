import { describe, expect, it } from "@jest/globals";
import { REFUSALS, type RefusalReason, refuse } from "../refusals.ts";
import { encodeAnswer, problemAnswer } from "./problem.ts";

const reasons = Object.keys(REFUSALS) as RefusalReason[];
const half = (): number => 0.5;

describe("problemAnswer", () => {
  it.each(reasons)(
    "%s: a problem document with the table's status, and Retry-After where a retry may help",
    (reason) => {
      const answer = problemAnswer(refuse(reason), half);
      const headers = new Map(answer.headers);
      expect(answer.status).toBe(REFUSALS[reason].status);
      expect(JSON.parse(answer.body.toString())).toMatchObject({
        status: answer.status,
        title: answer.statusText,
        detail: REFUSALS[reason].message,
        reason,
      });
      expect(headers.has("Retry-After")).toBe(REFUSALS[reason].retry === "yes");
      expect(headers.has("WWW-Authenticate")).toBe(answer.status === 401 || reason === "ClaimsInsufficient");
    },
  );

  it.each<[RefusalReason, string]>([
    ["Unauthenticated", 'ApiKey realm="holdfast"'],
    ["TokenMissing", 'Bearer realm="holdfast"'],
    ["TokenExpired", 'Bearer realm="holdfast", error="invalid_token", error_description="the token has expired"'],
    [
      "ClaimsInsufficient",
      'Bearer realm="holdfast", error="insufficient_scope", error_description="the token lacks a claim that this route requires"',
    ],
  ])("challenges for %s as RFC 6750 §3 has it", (reason, challenge) => {
    const { headers } = problemAnswer(refuse(reason), half);
    expect(new Map(headers).get("WWW-Authenticate")).toBe(challenge);
  });

  it("spreads Retry-After from what the refusal asks for", () => {
    const waits = [0, 0.3, 0.999].map((fraction) => {
      const answer = problemAnswer({ ...refuse("TooManyConnections"), retryAfter: 30 }, () => fraction);
      return Number(new Map(answer.headers).get("Retry-After"));
    });
    expect(waits[0]).toBe(30);
    expect(waits[2]).toBeGreaterThan(waits[1] as number);
    expect(waits[2]).toBeLessThan(40);
  });
});

describe("encodeAnswer", () => {
  it("is one whole HTTP/1.1 message that closes the connection", () => {
    const answer = { status: 404, statusText: "Not Found", headers: [["X-A", "1"] as const], body: Buffer.from("ü") };
    expect(encodeAnswer(answer).toString()).toBe(
      "HTTP/1.1 404 Not Found\r\nX-A: 1\r\nConnection: close\r\nContent-Length: 2\r\n\r\nü",
    );
  });

  it("names Upgrade in Connection where the answer has that header (RFC 9110 §7.8)", () => {
    const text = encodeAnswer(problemAnswer(refuse("UpgradeRequired"), half)).toString();
    expect(text).toContain("\r\nConnection: Upgrade, close\r\n");
  });
});
