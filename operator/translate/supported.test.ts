import { describe, expect, it } from "@jest/globals";
import { WebSocketGatewaySpec } from "../../crds/websocketgateway.ts";
import { unsupportedInGateway } from "./supported.ts";

const spec = (fields: object) =>
  WebSocketGatewaySpec.parse({ listeners: [{ name: "ws", port: 8080, protocol: "WS" }], ...fields });

describe("a gateway's fields about its pods", () => {
  it.each([
    ["replicas", { replicas: 2 }],
    ["podTemplate, spec.service", { service: { type: "NodePort" }, podTemplate: {} }],
    ["management: Managed", { management: "Managed" }],
  ])("are refused where nobody would act on them: %s", (named, fields) => {
    const objection = unsupportedInGateway(spec(fields), "Refuse");
    expect(objection?.reason).toBe("UnsupportedValue");
    for (const field of named.split(", ")) expect(objection?.message).toContain(field);
    expect(objection?.message).toContain("--gateway-image");
  });

  it.each(["Run", "Ignore"] as const)("are welcome to an operator that would %s", (fleet) => {
    expect(unsupportedInGateway(spec({ replicas: 2, service: { type: "NodePort" }, podTemplate: {} }), fleet)).toBe(
      undefined,
    );
  });

  it("are not needed", () => {
    expect(unsupportedInGateway(spec({ management: "External" }), "Refuse")).toBeUndefined();
    expect(unsupportedInGateway(spec({}), "Refuse")).toBeUndefined();
  });
});
