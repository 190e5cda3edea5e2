import { describe, expect, it } from "@jest/globals";
import { closeCodeLabel, Metrics } from "./metrics.ts";

describe("closeCodeLabel", () => {
  it.each([
    [1000, "1000"],
    [1014, "1014"],
    [3008, "3008"],
    [3999, "3xxx"],
    [4000, "4xxx"],
    [4999, "4xxx"],
    [1016, "other"],
    [0, "other"],
  ])("folds %i into %s, so that a peer cannot make series", (code, label) => {
    expect(closeCodeLabel(code)).toBe(label);
  });
});

describe("Metrics", () => {
  const used = (metrics: Metrics, route: string): void => {
    metrics.handshake({ route, code: 101, reason: "Accepted", seconds: 0.01 });
    metrics.opened(route);
    metrics.traffic(route, { fromClient: { messages: 2, bytes: 20 }, toClient: { messages: 1, bytes: 9 } });
  };
  const seriesOf = async (metrics: Metrics, route: string): Promise<string[]> =>
    (await metrics.registry.metrics()).split("\n").filter((line) => line.includes(`route="${route}"`));

  it("drops the series of a route that is gone, once its last connection is", async () => {
    const metrics = new Metrics();
    used(metrics, "apps/gone");
    used(metrics, "apps/kept");
    const exists = (route: string): boolean => route === "apps/kept";
    metrics.retain(exists);
    expect((await seriesOf(metrics, "apps/gone")).length).toBeGreaterThan(0);
    metrics.closed("apps/gone", { reason: "ClientClosed", code: 1000 });
    metrics.retain(exists);
    expect(await seriesOf(metrics, "apps/gone")).toEqual([]);
    expect(await seriesOf(metrics, "apps/kept")).toContain(
      'holdfast_messages_total{route="apps/kept",direction="from_client"} 2',
    );
  });

  it("counts a close by side and reason, and takes the connection off the gauge", async () => {
    const metrics = new Metrics();
    used(metrics, "apps/chat");
    metrics.closed("apps/chat", { reason: "BackendLost", code: 1014 });
    expect(await seriesOf(metrics, "apps/chat")).toEqual(
      expect.arrayContaining([
        'holdfast_closes_total{route="apps/chat",code="1014",reason="BackendLost",side="backend"} 1',
        'holdfast_connections{route="apps/chat"} 0',
      ]),
    );
  });
});
