import { describe, expect, it } from "@jest/globals";
import { EndpointLoads } from "./loads.ts";

describe("EndpointLoads", () => {
  it("counts by address and port, whichever snapshot an endpoint comes from", () => {
    const loads = new EndpointLoads();
    const release = loads.take({ address: "10.0.0.1", port: 80 });
    loads.take({ address: "10.0.0.1", port: 81 });
    expect(loads.of({ address: "10.0.0.1", port: 80 })).toBe(1);
    expect(loads.total).toBe(2);
    release();
    release();
    expect(loads.of({ address: "10.0.0.1", port: 80 })).toBe(0);
    expect(loads.total).toBe(1);
  });
});
