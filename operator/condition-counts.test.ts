import { describe, expect, it } from "@jest/globals";
import { makeCluster, routeObject } from "../test/support/make-cluster.ts";
import { ConditionCounts } from "./condition-counts.ts";

const says = (status: string) => ({ conditions: [{ type: "Ready", status }] });

describe("ConditionCounts", () => {
  it("counts what routes say now, whatever they said before", () => {
    const cluster = makeCluster(...["a", "b", "c"].map((name) => routeObject(name)));
    const counts = new ConditionCounts();
    const say = (name: string, status: unknown) => {
      const entry = cluster.routes.get(`apps/${name}`);
      if (entry !== undefined) cluster.routes.set(`apps/${name}`, { ...entry, status });
    };
    const now = () => Object.fromEntries(counts.of(cluster.routes));
    expect(now()).toEqual({});
    say("a", says("True"));
    say("b", says("False"));
    say("c", { conditions: [{ type: "Invented", status: "True" }, null, { type: "Ready", status: "Perhaps" }] });
    expect(now()).toEqual({ "Ready True": 1, "Ready False": 1 });
    say("b", says("True"));
    cluster.routes.delete("apps/a");
    expect(now()).toEqual({ "Ready True": 1, "Ready False": 0 });
  });
});
